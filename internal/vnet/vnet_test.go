package vnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"wirelab/internal/impair"
	"wirelab/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pair is two hosts and what was seen of the packets on a's link.
type pair struct {
	t    *testing.T
	net  *Network
	a, b *Host

	mu   sync.Mutex
	seen []Packet
}

func addrs(i byte) []netip.Addr {
	six := netip.MustParseAddr("2001:db8::").As16()
	six[15] = i
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, i}), netip.AddrFrom16(six)}
}

// newPair makes hosts a, whose link is up and down, and b, whose link is ideal.
func newPair(t *testing.T, up, down string, turn func(*HostConfig)) *pair {
	t.Helper()
	p := &pair{t: t}
	p.net = New(Config{Seed: 1, OnPacket: func(k *Packet) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c := *k
		c.Data = bytes.Clone(k.Data)
		c.Outcome.Arrivals = append([]impair.Arrival(nil), k.Outcome.Arrivals...)
		p.seen = append(p.seen, c)
	}})
	t.Cleanup(func() { p.net.Close() })
	parse := func(text string) impair.Config {
		c, err := impair.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cfg := HostConfig{Name: "a", Addrs: addrs(1), Up: parse(up), Down: parse(down)}
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

func (p *pair) packets() []Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
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

// udp returns a socket of a that is connected to one of b.
func (p *pair) udp() (a *PacketConn, b net.PacketConn) {
	p.t.Helper()
	b, err := p.b.ListenPacket("udp", ":53")
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := p.a.DialContext(p.t.Context(), "udp", net.JoinHostPort(p.b.Addr().String(), "53"))
	if err != nil {
		p.t.Fatal(err)
	}
	return c.(*PacketConn), b
}

// Every stream connection behaves as package net's do.
func TestConn(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				p := newPair(t, "", "", nil)
				a, b := p.tcp(network)
				return a, b, func() {
					a.Close()
					b.Close()
					p.net.Close()
				}, nil
			})
		})
	}
}

// transfer sends data from one to the other and returns what arrives.
func transfer(t *testing.T, from, to *Conn, data []byte) []byte {
	t.Helper()
	go func() {
		if _, err := from.Write(data); err != nil {
			t.Error(err)
		}
		from.CloseWrite()
	}()
	got, err := io.ReadAll(to)
	if err != nil {
		t.Error(err)
	}
	return got
}

// TCP repairs what the link loses, corrupts, doubles and reorders.
func TestTCPRepairs(t *testing.T) {
	p := newPair(t, "delay 1ms loss 3% duplicate 2% corrupt 2%", "delay 1ms reorder 5%", nil)
	a, b := p.tcp("tcp")
	data := make([]byte, 500_000)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	if got := transfer(t, a, b, data); !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, not as the %d that were sent", len(got), len(data))
	}
	if s := p.a.Stats(); s.Retransmits == 0 {
		t.Errorf("nothing was sent again: %+v", s)
	}
	if s := p.b.Stats(); s.BadChecksums == 0 {
		t.Errorf("no bad checksum was seen: %+v", s)
	}
}

// The three points of a direction tell one story: each packet is sent once,
// carried once, and received as often as its outcome says; what is sent has
// valid checksums.
func TestVantagePoints(t *testing.T) {
	p := newPair(t, "delay 1ms loss 5% duplicate 5%", "delay 1ms", nil)
	a, b := p.tcp("tcp")
	transfer(t, a, b, make([]byte, 200_000))
	u, _ := p.udp()
	for range 50 {
		u.Write([]byte("a datagram"))
	}
	p.net.Close() // nothing is on its way any more
	type key struct {
		d Direction
		n uint64
	}
	sent, carried, received := map[key]int{}, map[key]int{}, map[key]int{}
	var lost, twice int
	for _, k := range p.packets() {
		id := key{k.Direction, k.Number}
		switch k.Vantage {
		case Sent:
			sent[id]++
			if why := checksums(k.Data); why != "" {
				t.Fatalf("packet %v: %s", id, why)
			}
		case Carried:
			if carried[id] != 0 {
				t.Errorf("packet %v is carried twice", id)
			}
			carried[id] = len(k.Outcome.Arrivals) + 1
			switch len(k.Outcome.Arrivals) {
			case 0:
				lost++
			case 2:
				twice++
			}
		case Received:
			received[id]++
		}
	}
	for id, n := range sent {
		if n != 1 || carried[id] == 0 {
			t.Errorf("packet %v: sent %d times, carried %v", id, n, carried[id] > 0)
		}
		// The network was closed: what was on its way may be missing.
		if received[id] > carried[id]-1 {
			t.Errorf("packet %v: received %d times of %d", id, received[id], carried[id]-1)
		}
	}
	if lost == 0 || twice == 0 || len(sent) < 200 {
		t.Errorf("%d packets, %d lost, %d doubled", len(sent), lost, twice)
	}
}

// checksums verifies the checksums of an IPv4 packet with TCP or UDP (RFC 1071).
func checksums(b []byte) string {
	if b[0]>>4 != 4 {
		return ""
	}
	head := int(b[0]&15) * 4
	if sum(0, b[:head]) != 0xffff {
		return "the IP checksum is wrong"
	}
	rest := b[head:binary.BigEndian.Uint16(b[2:])]
	if b[9] != protocolTCP && b[9] != protocolUDP {
		return ""
	}
	pseudo := uint32(b[9]) + uint32(len(rest))
	if sum(pseudo, append(append([]byte(nil), b[12:20]...), rest...)) != 0xffff {
		return "the checksum of its payload is wrong"
	}
	return ""
}

func sum(s uint32, b []byte) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// UDP is not repaired: what the link drops does not come, and the rest comes
// once; a corrupted datagram is dropped by a checksum (or goes to nobody, if the
// bit was one of its destination).
func TestUDPIsNotRepaired(t *testing.T) {
	p := newPair(t, "drop udp 2 corrupt udp 4..23", "", nil)
	a, b := p.udp()
	for i := range 25 {
		if _, err := a.Write([]byte{byte(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	for _, want := range []byte{1, 3, 24, 25} {
		n, _, err := b.ReadFrom(buf)
		if err != nil || n != 1 || buf[0] != want {
			t.Fatalf("ReadFrom = %v, %v, want datagram %d", buf[:n], err, want)
		}
	}
	if s := p.b.Stats(); s.BadChecksums < 5 || s.BadChecksums > 20 {
		t.Errorf("bad checksums: %d of 20 corrupted datagrams", s.BadChecksums)
	}
}

// A datagram larger than the MTU is cut by IP, and one lost fragment loses it.
func TestFragments(t *testing.T) {
	p := newPair(t, "drop 5", "", nil)
	a, b := p.udp()
	big := make([]byte, 4000) // 3 fragments: ⌈4008/1480⌉
	for i := range 3 {
		big[0] = byte(i)
		if _, err := a.Write(big); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 5000)
	for _, want := range []byte{0, 2} {
		if n, _, err := b.ReadFrom(buf); err != nil || n != len(big) || buf[0] != want {
			t.Fatalf("ReadFrom = %d bytes of datagram %d, %v; want %d of %d", n, buf[0], err, len(big), want)
		}
	}
}

// A host that is killed says nothing any more, its program's calls fail, and it
// can be started again with the same addresses.
func TestKill(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	a, b := p.tcp("tcp")
	reading := make(chan error, 1)
	go func() {
		_, err := a.Read(make([]byte, 1))
		reading <- err
	}()
	p.a.Kill()
	p.mu.Lock()
	before := len(p.seen)
	p.mu.Unlock()
	if err := <-reading; !errors.Is(err, ErrKilled) {
		t.Errorf("Read = %v, want %v", err, ErrKilled)
	}
	for what, err := range map[string]error{
		"Write":  second(a.Write([]byte("x"))),
		"Read":   second(a.Read(make([]byte, 1))),
		"Dial":   third(p.a.DialContext(t.Context(), "tcp", b.LocalAddr().String())),
		"Listen": third(p.a.Listen("tcp", ":1")),
	} {
		if !errors.Is(err, ErrKilled) {
			t.Errorf("%s after a kill = %v, want %v", what, err, ErrKilled)
		}
	}
	a.Close()
	if err := p.a.Start(); err != nil {
		t.Fatal(err)
	}
	// The peer learns of it by asking: the new stack knows no such connection.
	if _, err := b.Write([]byte("are you there?")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer's Read = %v, want %v", err, syscall.ECONNRESET)
	}
	for _, k := range p.packets()[before:] {
		if k.Vantage == Sent && k.Direction == Up {
			if h, _ := parse(k.Data); h.flags&flagRST == 0 {
				t.Errorf("the killed host sent a packet with flags %#x", h.flags)
			}
		}
	}
	c, d := p.tcp("tcp")
	if got := transfer(t, c, d, []byte("again")); string(got) != "again" {
		t.Errorf("after Start %q arrives", got)
	}
}

func second(_ int, err error) error     { return err }
func third[T any](_ T, err error) error { return err }

// A stopped program reads nothing, though its stack takes what comes; deadlines
// that were set are still there when it goes on.
func TestStop(t *testing.T) {
	p := newPair(t, "", "", nil)
	a, b := p.tcp("tcp")
	if _, err := b.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := a.Read(buf); err != nil || string(buf[:n]) != "one" {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	got := make(chan string)
	reads := func() {
		n, err := a.Read(buf)
		if err != nil {
			t.Error(err)
		}
		got <- string(buf[:n])
	}
	go reads() // waits in the stack when the program is stopped
	p.a.Stop()
	if !p.a.Stopped() {
		t.Error("Stopped() = false")
	}
	if _, err := b.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	// The stack has it: it was acknowledged.
	acked := func() bool {
		for _, k := range p.packets() {
			if h, _ := parse(k.Data); k.Vantage == Sent && k.Direction == Down && h.payload == 3 {
				return true
			}
		}
		return false
	}
	for !acked() {
		runtime.Gosched()
	}
	select {
	case s := <-got:
		t.Errorf("the stopped program read %q", s)
	case <-time.After(50 * time.Millisecond):
	}
	p.a.Resume()
	if s := <-got; s != "two" {
		t.Errorf("after Resume it read %q, want %q", s, "two")
	}
	a.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	p.a.Stop()
	p.a.Resume()
	if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

// A socket whose buffer is full drops datagrams, and that is counted.
func TestUDPBufferFull(t *testing.T) {
	p := newPair(t, "", "", func(c *HostConfig) { c.UDPReceiveBuffer = 4096 })
	c, err := p.a.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from, err := p.b.DialContext(t.Context(), "udp", net.JoinHostPort(p.a.Addr().String(), "7"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		from.Write(make([]byte, 1000))
	}
	for p.a.Stats().DatagramsReceived+p.a.Stats().BufferFull < 20 {
		runtime.Gosched()
	}
	if n := p.a.Stats().BufferFull; n < 10 || n > 17 {
		t.Errorf("%d of 20,000 bytes' datagrams were dropped with a buffer of 4,096", n)
	}
}

func TestSlow(t *testing.T) {
	p := newPair(t, "", "", nil)
	a, b := p.tcp("tcp")
	b.Write([]byte("xy"))
	p.a.Slow(30 * time.Millisecond)
	begin := time.Now()
	a.Read(make([]byte, 1))
	a.Read(make([]byte, 1))
	if d := time.Since(begin); d < 60*time.Millisecond {
		t.Errorf("two reads took %v, want 60 ms at least", d)
	}
}

// A closed port answers with a RST, one that is intercepted as its program says.
func TestRefused(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	at := net.JoinHostPort(p.b.Addr().String(), "9")
	if _, err := p.a.DialContext(t.Context(), "tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial of a closed port = %v, want %v", err, syscall.ECONNREFUSED)
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
}

func TestBadHostsAndAddresses(t *testing.T) {
	n := New(Config{})
	defer n.Close()
	h, err := n.AddHost(HostConfig{Name: "a", Addrs: addrs(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []HostConfig{
		{Name: "b"}, {Addrs: addrs(3)}, {Name: "b", Addrs: addrs(1)}, {Name: "b", Addrs: addrs(3), MTU: 100},
		{Name: "b", Addrs: addrs(4), Up: impair.Config{Delay: -1}},
	} {
		if _, err := n.AddHost(cfg); err == nil {
			t.Errorf("AddHost(%+v) is no error", cfg)
		}
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
}
