package vnet

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"
)

// A packet has one ID at every point and on every link that it passes, its copy
// has the same, and another packet another. It is shown first once.
func TestPacketID(t *testing.T) {
	p := newPair(t, "delay 1ms duplicate 10%", "delay 1ms", nil)
	c, err := p.net.AddHost(HostConfig{Name: "c", Addrs: addrs(3), Down: parseLink(t, "delay 1ms")})
	if err != nil {
		t.Fatal(err)
	}
	to, err := c.ListenPacket("udp", ":7000")
	if err != nil {
		t.Fatal(err)
	}
	from, err := p.a.DialContext(t.Context(), "udp", net.JoinHostPort(c.Addr().String(), "7000"))
	if err != nil {
		t.Fatal(err)
	}
	const n = 50
	for i := range n {
		from.Write([]byte{byte(i), 0})
	}
	buf := make([]byte, 100)
	to.SetReadDeadline(time.Now().Add(10 * time.Second))
	for range n {
		if _, _, err := to.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
	}
	payloads, points, first := map[uint64]byte{}, map[uint64]int{}, map[uint64]int{}
	for _, k := range p.packets() {
		h, _ := parse(k.Data)
		what := k.Data[h.payloadAt]
		if was, ok := payloads[k.ID]; k.ID == 0 || ok && was != what {
			t.Fatalf("packet %d has ID %d, which packet %d has, too", what, k.ID, was)
		}
		payloads[k.ID] = what
		points[k.ID]++
		if k.First {
			if first[k.ID]++; k.Host != "a" || k.Vantage != Sent || k.Direction != Up {
				t.Errorf("packet %d is first shown at %s, %v, %v", what, k.Host, k.Direction, k.Vantage)
			}
		}
	}
	for id, many := range points {
		if many < 6 || first[id] != 1 {
			t.Errorf("ID %d is shown %d times and first %d times, want 6 or more and 1", id, many, first[id])
		}
	}
	if len(payloads) != n {
		t.Errorf("%d IDs, want %d", len(payloads), n)
	}
}

// Swapped words are found by no checksum, of TCP or UDP.
func TestSwap(t *testing.T) {
	p := newPair(t, "delay 1ms swap data 1", "delay 1ms", nil)
	a, b := p.tcp("tcp4")
	if got := transfer(t, a, b, []byte("aaaabbcc")); !bytes.Equal(got, []byte("aabbaacc")) {
		t.Errorf("%q arrived, want the first neighbours that differ swapped", got)
	}
	if s := p.b.Stats(); s.BadChecksums != 0 {
		t.Errorf("%d bad checksums were seen", s.BadChecksums)
	}
}

// A connection from a port that was asked for; and its states (RFC 9293, figure 5).
func TestDialFrom(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	l, err := p.b.Listen("tcp", ":7000")
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.a.DialFrom(t.Context(), "tcp", 5000, net.JoinHostPort(p.b.Addr().String(), "7000"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.LocalAddr().(*net.TCPAddr).Port; got != 5000 {
		t.Errorf("from port %d, want 5000", got)
	}
	if _, err := p.a.DialFrom(t.Context(), "tcp", 5000, net.JoinHostPort(p.b.Addr().String(), "7000")); err == nil {
		t.Error("the same port twice to the same peer is no error")
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.(*Conn).State(); got != "ESTABLISHED" {
		t.Errorf("state %s, want ESTABLISHED", got)
	}
	other.Close()
	c.Read(make([]byte, 1)) // the FIN has come
	if got := c.(*Conn).State(); got != "CLOSE-WAIT" {
		t.Errorf("state %s, want CLOSE-WAIT", got)
	}
}

// A peer that is silent is probed, and given up (RFC 9293, section 3.8.4).
func TestKeepAlive(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	a, _ := p.tcp("tcp")
	if err := a.KeepAlive(20*time.Millisecond, 2); err != nil {
		t.Fatal(err)
	}
	p.b.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	context.AfterFunc(ctx, func() { a.Close() })
	_, err := a.Read(make([]byte, 1))
	if ctx.Err() != nil || err == nil {
		t.Errorf("Read of a peer that is gone = %v after %v", err, ctx.Err())
	}
}
