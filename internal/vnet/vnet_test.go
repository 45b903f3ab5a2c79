package vnet

import (
	"bytes"
	"flag"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/leak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.skip"); f.Value.String() == "" {
		f.Value.Set(datagramSkip)
	}
	leak.Main(m)
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// pair is two hosts and what was seen of the packets on a's link.
type pair struct {
	t    *testing.T
	net  *Network
	a, b *Host

	mu     sync.Mutex
	more   sync.Cond
	late   bool
	seen   []Packet
	states []State
}

func addrs(i byte) []netip.Addr {
	six := netip.MustParseAddr("2001:db8::").As16()
	six[15] = i
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, i}), netip.AddrFrom16(six)}
}

func parseLink(t testing.TB, text string) impair.Config {
	t.Helper()
	c, err := impair.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newPair makes hosts a, whose link is up and down, and b, whose link is ideal.
func newPair(t *testing.T, up, down string, turn func(*HostConfig)) *pair {
	t.Helper()
	p := &pair{t: t}
	p.more.L = &p.mu
	p.net = New(Config{Seed: 1, OnPacket: p.packet, OnState: p.state})
	t.Cleanup(func() { p.net.Close() })
	cfg := HostConfig{Name: "a", Addrs: addrs(1), Up: parseLink(t, up), Down: parseLink(t, down)}
	if turn != nil {
		turn(&cfg)
	}
	var err error
	if p.a, err = p.net.AddHost(cfg); err != nil {
		t.Fatal(err)
	}
	if p.b, err = p.net.AddHost(HostConfig{Name: "b", Addrs: addrs(2), Quiet: true}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) packet(k *Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := *k
	c.Data = bytes.Clone(k.Data)
	c.Outcome.Arrivals = slices.Clone(k.Outcome.Arrivals)
	p.seen = append(p.seen, c)
	p.more.Broadcast()
}

func (p *pair) state(s *State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = append(p.states, *s)
	p.more.Broadcast()
}

func (p *pair) packets() []Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// await waits until ok says so of what was seen; p.mu is held then.
func (p *pair) await(what string, ok func() bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.late = true
		p.more.Broadcast()
	})
	defer timer.Stop()
	for !ok() {
		if p.late {
			p.t.Fatalf("waiting for %s: not within %v; %d packets were seen", what, patience, len(p.seen))
		}
		p.more.Wait()
	}
}

// landed reports whether all packets that a's link carried have arrived.
func (p *pair) landed() bool {
	carried, received := 0, 0
	for i := range p.seen {
		switch k := &p.seen[i]; k.Vantage {
		case Carried:
			carried += len(k.Outcome.Arrivals)
		case Received:
			received++
		}
	}
	return carried == received
}

// tcp returns both ends of a connection that a opened.
func (p *pair) tcp(network string) (a, b *Conn) {
	p.t.Helper()
	at := p.b.cfg.Addrs[0]
	if network == "tcp6" {
		at = p.b.cfg.Addrs[1]
	}
	ln, err := p.b.Listen(network, net.JoinHostPort(at.String(), "80"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			p.t.Error(err)
		}
		accepted <- c
	}()
	c, err := p.a.DialContext(p.t.Context(), network, ln.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	return c.(*Conn), (<-accepted).(*Conn)
}

// udp returns a socket of a that is connected to one of b. network is "udp4" or
// "udp6".
func (p *pair) udp(network string) (a *PacketConn, b net.PacketConn) {
	p.t.Helper()
	at := p.b.cfg.Addrs[0]
	if network == "udp6" {
		at = p.b.cfg.Addrs[1]
	}
	b, err := p.b.ListenPacket(network, net.JoinHostPort(at.String(), "53"))
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := p.a.DialContext(p.t.Context(), network, b.LocalAddr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	return c.(*PacketConn), b
}

// transfer sends data from one to the other and returns what arrives.
func transfer(t *testing.T, from, to *Conn, data []byte) []byte {
	t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := from.Write(data); err != nil {
			t.Error(err)
		}
		from.CloseWrite()
	}()
	got, err := io.ReadAll(to)
	if err != nil {
		t.Error(err)
	}
	<-sent
	return got
}

// pattern returns n bytes that differ from their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func second(_ int, err error) error     { return err }
func third[T any](_ T, err error) error { return err }

// isTimeout reports whether err is that of a deadline, as package net has it.
func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout() && os.IsTimeout(err)
}
