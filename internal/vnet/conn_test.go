package vnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// Every stream connection behaves as package net's do, whether somebody looks
// at the packets or not.
func TestConn(t *testing.T) {
	for _, tt := range []struct {
		name, network string
		quiet         bool
	}{{"tcp4", "tcp4", false}, {"tcp6", "tcp6", false}, {"quiet", "tcp4", true}} {
		t.Run(tt.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				p := newPair(t, "", "", func(c *HostConfig) { c.Quiet = tt.quiet })
				a, b := p.tcp(tt.network)
				return a, b, func() {
					a.Close()
					b.Close()
					p.net.Close()
				}, nil
			})
		})
	}
}

// datagramSkip names what of nettest.TestConn no UDP socket can pass: the first
// two wait for the end of file that a stream has when its peer is closed, the
// third floods its peer, and then waits for what a full buffer may have dropped.
const datagramSkip = "TestPacketConn/udp./(BasicIO|PingPong|FutureTimeout)"

// So does every UDP socket, as far as a datagram can: one end is connected, the
// other is not.
func TestPacketConn(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				p := newPair(t, "", "", nil)
				a, b := p.udp(network)
				return a, &peer{b.(*PacketConn), a.LocalAddr()}, func() {
					a.Close()
					b.Close()
					p.net.Close()
				}, nil
			})
		})
	}
}

// A peer is an unconnected socket that talks to one.
type peer struct {
	*PacketConn
	to net.Addr
}

func (p *peer) Write(b []byte) (int, error) { return p.WriteTo(b, p.to) }

func (p *peer) RemoteAddr() net.Addr { return p.to }

// A closed port answers with a RST, in one round trip (RFC 9293, section 3.10.7.1),
// and one that is intercepted as its program says.
func TestRefused(t *testing.T) {
	p := newPair(t, "delay 20ms", "delay 20ms", nil)
	at := net.JoinHostPort(p.b.Addr().String(), "9")
	begin := time.Now()
	if _, err := p.a.DialContext(t.Context(), "tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial of a closed port = %v, want %v", err, syscall.ECONNREFUSED)
	}
	if d := time.Since(begin); d < 40*time.Millisecond || d > time.Second {
		t.Errorf("it was refused after %v, want a round trip of 40 ms", d)
	}
	var flags []uint8
	for _, k := range p.packets() {
		if k.Vantage == Sent {
			h, _ := parse(k.Data)
			flags = append(flags, h.flags)
		}
	}
	if want := []uint8{flagSYN, flagRST | flagACK}; !slices.Equal(flags, want) {
		t.Errorf("flags of what was sent: %#x, want %#x", flags, want)
	}
	echoed := make(chan struct{})
	if err := p.b.Intercept(func(r *Request) {
		if r.Local.(*net.TCPAddr).Port != 10 {
			r.Refuse()
			return
		}
		c, err := r.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(c, c)
		c.Close()
		close(echoed)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.a.DialContext(t.Context(), "tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial of a port that is refused = %v, want %v", err, syscall.ECONNREFUSED)
	}
	c, err := p.a.DialContext(t.Context(), "tcp", net.JoinHostPort(p.b.Addr().String(), "10"))
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("echo"))
	c.(*Conn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "echo" || err != nil {
		t.Errorf("the echo is %q, %v", got, err)
	}
	<-echoed
}

// A request outlives its host, and can be answered then, and while the host is
// killed.
func TestRequestOfKilledHost(t *testing.T) {
	for _, waiting := range []bool{false, true} {
		p := newPair(t, "delay 1ms", "loss 100%", nil) // no handshake comes to its end
		asked := make(chan *Request, 1)
		if err := p.b.Intercept(func(r *Request) { asked <- r }); err != nil {
			t.Fatal(err)
		}
		go p.a.DialContext(t.Context(), "tcp", "192.0.2.2:80")
		r := <-asked
		accepted := make(chan error)
		accept := func() { accepted <- third(r.Accept()) }
		if waiting {
			go accept()
			p.await("the answer to the SYN", func() bool { return p.seen[len(p.seen)-1].Direction == Down })
		}
		p.b.Kill()
		if !waiting {
			go accept()
		}
		if err := <-accepted; !errors.Is(err, ErrKilled) {
			t.Errorf("Accept (waiting when the host was killed: %v) = %v, want %v", waiting, err, ErrKilled)
		}
		p.net.Close()
	}
}

// As with package net, only a UDP address can be sent to, and no more than a
// datagram holds: 65,535 − 20 − 8 bytes (RFC 768, RFC 791).
func TestWriteTo(t *testing.T) {
	p := newPair(t, "", "", nil)
	_, b := p.udp("udp4")
	c, err := p.a.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	to := &net.UDPAddr{IP: net.ParseIP("192.0.2.2"), Port: 53} // in 16 bytes
	for _, bad := range []net.Addr{nil, (*net.UDPAddr)(nil), &net.TCPAddr{IP: to.IP, Port: 53}} {
		var op *net.OpError
		if _, err := c.WriteTo([]byte("x"), bad); !errors.As(err, &op) {
			t.Errorf("WriteTo %T = %v, want a net.OpError", bad, err)
		}
	}
	if _, err := c.WriteTo(make([]byte, 65_508), to); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("WriteTo with 65,508 bytes = %v, want %v", err, syscall.EMSGSIZE)
	}
	buf := make([]byte, 65_536)
	for _, size := range []int{0, 1, 65_507} {
		if n, err := c.WriteTo(make([]byte, size), to); n != size || err != nil {
			t.Fatalf("WriteTo with %d bytes = %d, %v", size, n, err)
		}
		if n, from, err := b.ReadFrom(buf); n != size || err != nil || from.String() != net.JoinHostPort("192.0.2.1", port(c)) {
			t.Fatalf("ReadFrom = %d, %v, %v, want %d bytes", n, from, err, size)
		}
	}
}

func port(c net.PacketConn) string { return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port) }

// Abort is a RST, CloseWrite a FIN of one direction.
func TestEnds(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	a, b := p.tcp("tcp")
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read after the peer's CloseWrite = %d, %v, want EOF", n, err)
	}
	b.Write([]byte("still"))
	buf := make([]byte, 10)
	if n, err := a.Read(buf); string(buf[:n]) != "still" || err != nil {
		t.Errorf("Read after CloseWrite = %q, %v", buf[:n], err)
	}
	b.Abort()
	if _, err := a.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read after the peer's Abort = %v, want %v", err, syscall.ECONNRESET)
	}
	if _, err := b.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Abort = %v, want %v", err, net.ErrClosed)
	}
	if err := b.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close after Abort = %v, want %v", err, net.ErrClosed)
	}
}

// As with package net, a port can be listened at again while connections of a
// former listener are not over, but not by two at once.
func TestListenAgain(t *testing.T) {
	p := newPair(t, "", "", nil)
	for range 2 {
		a, b := p.tcp("tcp")
		defer a.Close()
		defer b.Close()
	}
	ln, err := p.b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.b.Listen("tcp", ln.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen where somebody listens = %v, want %v", err, syscall.EADDRINUSE)
	}
}

func TestBadAddresses(t *testing.T) {
	n := New(Config{})
	defer n.Close()
	h, err := n.AddHost(HostConfig{Name: "a", Addrs: addrs(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]string{{"tcp", "localhost:80"}, {"tcp", "192.0.2.1"}, {"tcp", "192.0.2.1:70000"}, {"tcp4", "[2001:db8::1]:80"}, {"sctp", "192.0.2.1:1"}, {"udp", "192.0.2.1:1"}} {
		if _, err := h.Listen(at[0], at[1]); err == nil {
			t.Errorf("Listen(%s, %s) is no error", at[0], at[1])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.DialContext(ctx, "tcp", "192.0.2.9:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial with a context that has ended = %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.DialContext(ctx, "tcp", "192.0.2.9:1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial of nobody = %v, want %v", err, context.DeadlineExceeded)
	}
}

// A program can talk to its own host, without a link.
func TestLoopback(t *testing.T) {
	p := newPair(t, "delay 1h", "delay 1h", nil)
	ln, err := p.a.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.a.DialContext(t.Context(), "tcp", netip.AddrPortFrom(p.a.Addr(), 80).String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := transfer(t, c.(*Conn), d.(*Conn), []byte("to myself")); string(got) != "to myself" {
		t.Errorf("%q arrives", got)
	}
	if k := p.packets(); len(k) > 0 {
		t.Errorf("%d packets on the link, want none", len(k))
	}
}
