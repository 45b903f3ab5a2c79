//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// relayChunk is how many bytes a program writes at once.
const relayChunk = 256 << 10

// serveProxy is the process of the relay's reference: the least that a program
// can do to put itself between two others, without a link in between.
func serveProxy(addr, target netip.AddrPort) error {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			d, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(target))
			if err != nil {
				return
			}
			defer d.Close()
			back := make(chan struct{})
			go func() {
				defer close(back)
				io.Copy(c, d)
				c.CloseWrite()
			}()
			io.Copy(d, c)
			d.CloseWrite()
			<-back
		}()
	}
}

// relay measures `wirelab link` with an ideal link beside a plain proxy: one
// TCP stream, and the round trip of a byte.
func (b *bench) relay() (rows []row, err error) {
	end, err := listenEnd()
	if err != nil {
		return nil, err
	}
	defer end.l.Close()
	proxy, err := startAt(func(addr string) (*server, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return start(command(self, "role", "proxy", addr, end.addr()))
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()
	link, err := startAt(func(addr string) (*server, error) {
		return start(command(b.Wirelab, "link", "--plain", "--listen", addr, "--connect", end.addr()))
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, link.stop()) }()

	var rates, trips [2][]float64
	for range b.Rounds {
		for i, s := range []*server{proxy, link} {
			rate, err := end.stream(s.Addr, b.Duration)
			if err != nil {
				return nil, err
			}
			trip, err := end.trip(s.Addr)
			if err != nil {
				return nil, err
			}
			rates[i], trips[i] = append(rates[i], rate), append(trips[i], trip)
			b.progress("%-8s one stream: %8s Mb/s, a round trip: %8s µs", []string{"proxy", "wirelab"}[i], number(rate), number(trip))
		}
	}
	return []row{
		{What: "link without impairment, one TCP stream", Unit: "Mb/s", Reference: "io.Copy proxy", Base: median(rates[0]), Value: median(rates[1]), Bar: bar{Least: 500}},
		{What: "link without impairment, round trip of a byte", Unit: "µs", Reference: "io.Copy proxy", Base: median(trips[0]), Value: median(trips[1])},
	}, nil
}

// startAt starts a server at an address that is free.
func startAt(launch func(addr string) (*server, error)) (*server, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := launch(addr.String())
	if err != nil {
		return nil, err
	}
	s.Addr = addr
	return s, s.await()
}

// An endpoint is the server program behind a proxy: it counts what comes and
// sends single bytes back.
type endpoint struct {
	l     *net.TCPListener
	conns chan *net.TCPConn
}

func listenEnd() (*endpoint, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	e := &endpoint{l: l, conns: make(chan *net.TCPConn, 64)}
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				close(e.conns)
				return
			}
			e.conns <- c
		}
	}()
	return e, nil
}

func (e *endpoint) addr() string { return e.l.Addr().String() }

// dial connects through a proxy and returns both ends. A first byte tells which
// of the connections that came is this one.
func (e *endpoint) dial(proxy netip.AddrPort) (client, server *net.TCPConn, err error) {
	if client, err = net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(proxy)); err != nil {
		return nil, nil, err
	}
	client.SetDeadline(time.Now().Add(stalled))
	if _, err := client.Write([]byte{1}); err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	for {
		select {
		case server = <-e.conns:
		case <-time.After(stalled):
			return nil, nil, errors.Join(fmt.Errorf("%v: nobody is connected on", proxy), client.Close())
		}
		server.SetDeadline(time.Now().Add(stalled))
		if _, err := io.ReadFull(server, make([]byte, 1)); err == nil {
			return client, server, nil
		}
		server.Close() // a connection that only tried whether the proxy is there
	}
}

// stream sends through a proxy as fast as it goes, and returns the megabits per
// second that arrived.
func (e *endpoint) stream(proxy netip.AddrPort, measured time.Duration) (float64, error) {
	client, server, err := e.dial(proxy)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	sent := make(chan error, 1)
	go func() {
		defer client.Close()
		buf := make([]byte, relayChunk)
		for {
			if _, err := client.Write(buf); err != nil {
				sent <- err
				return
			}
		}
	}()
	buf := make([]byte, relayChunk)
	read := func(until time.Duration) (n int, took time.Duration, err error) {
		at := time.Now()
		for took < until {
			m, err := server.Read(buf)
			if err != nil {
				return n, took, err
			}
			n, took = n+m, time.Since(at)
		}
		return n, took, nil
	}
	if _, _, err := read(300 * time.Millisecond); err != nil { // the windows grow
		return 0, err
	}
	n, took, err := read(measured)
	server.SetLinger(0)
	server.Close()
	<-sent
	return float64(n) * 8 / 1e6 / took.Seconds(), err
}

// trip returns the median of the microseconds that a byte takes there and back.
func (e *endpoint) trip(proxy netip.AddrPort) (float64, error) {
	client, server, err := e.dial(proxy)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	defer server.Close()
	go io.Copy(server, server)
	var trips []float64
	b := make([]byte, 1)
	for range 500 {
		at := time.Now()
		if _, err := client.Write(b); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(client, b); err != nil {
			return 0, err
		}
		trips = append(trips, float64(time.Since(at).Nanoseconds())/1000)
	}
	return median(trips), nil
}
