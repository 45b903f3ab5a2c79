package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/impair"
)

// listenUDP is a server program that answers each datagram with itself.
func listenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, maxDatagram)
		for {
			n, from, err := u.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				u.WriteToUDPAddrPort(b[:n], from)
			}
		}
	}()
	t.Cleanup(func() {
		u.Close()
		<-done
	})
	return u
}

func dialUDP(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// Each datagram arrives as often as the link says, and its answer likewise: what
// the programs miss is what the counters say was lost.
func TestCarriesUDP(t *testing.T) {
	for _, tt := range []struct {
		name, link string
	}{{"ideal", ""}, {"loss", "loss 20%"}, {"duplicate", "duplicate 30%"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const sent = 300
			r := serve(t, Config{Up: link(t, tt.link), Down: link(t, tt.link), Seed: 11}, listenUDP(t).LocalAddr())
			client := dialUDP(t, r.addr)
			got, copies := map[uint32]int{}, 0
			b := make([]byte, 100)
			for n := range uint32(sent) {
				client.Write(binary.BigEndian.AppendUint32(nil, n))
				// One at a time: no buffer on the way may be the cause of a loss.
				s := until(t, r.Relay, "word of it", func(s *Snapshot) bool {
					return s.Up.Sent.Packets == uint64(n)+1 && s.Up.Received.Packets+s.Up.Lost.Total() == s.Up.Sent.Packets+s.Up.Duplicated &&
						s.Down.Sent.Packets == s.Up.Received.Packets && s.Down.Received.Packets+s.Down.Lost.Total() == s.Down.Sent.Packets+s.Down.Duplicated
				})
				for ; copies < int(s.Down.Received.Packets); copies++ {
					m, err := client.Read(b)
					if err != nil || m != 4 {
						t.Fatalf("answer %d: %d bytes, %v", copies, m, err)
					}
					got[binary.BigEndian.Uint32(b)]++
				}
			}
			client.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if n, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("one answer too many: %d bytes, %v", n, err)
			}
			s := r.Snapshot()
			lost := int(s.Up.Lost[impair.LostRandom] + s.Down.Lost[impair.LostRandom])
			switch tt.name {
			case "ideal":
				if len(got) != sent || lost != 0 {
					t.Errorf("%d of %d came back, %d lost", len(got), sent, lost)
				}
			case "loss":
				if lost == 0 || len(got) != sent-lost {
					t.Errorf("%d of %d came back, %d lost", len(got), sent, lost)
				}
			case "duplicate":
				if len(got) != sent || s.Up.Duplicated == 0 || copies != sent+int(s.Up.Duplicated+s.Down.Duplicated) {
					t.Errorf("%d copies of %d came back, %d and %d doubled", copies, len(got), s.Up.Duplicated, s.Down.Duplicated)
				}
			}
			if s.Totals.Flows != 1 || s.Flows != 1 {
				t.Errorf("%d flows, %d open, want 1", s.Totals.Flows, s.Flows)
			}
		})
	}
}

// A datagram larger than the MTU crosses the link in fragments, and is one
// again.
func TestLargeDatagram(t *testing.T) {
	r := serve(t, Config{}, listenUDP(t).LocalAddr())
	client := dialUDP(t, r.addr)
	want := numbers(5, 20_000)
	client.Write(want)
	got := make([]byte, maxDatagram)
	n, err := client.Read(got)
	if err != nil || string(got[:n]) != string(want) {
		t.Fatalf("got %d bytes, %v, want %d", n, err, len(want))
	}
	// 20,008 bytes of UDP in fragments of at most 1,480 (RFC 791, section 3.2).
	if s := r.Snapshot(); s.Up.Sent.Packets != 14 {
		t.Errorf("%d packets, want 14", s.Up.Sent.Packets)
	}
}

// Each client has a flow of its own, and gets its own answers.
func TestFlows(t *testing.T) {
	r := serve(t, Config{MaxFlows: 2}, listenUDP(t).LocalAddr())
	ask := func(c net.Conn, n uint32) {
		t.Helper()
		c.Write(binary.BigEndian.AppendUint32(nil, n))
		b := make([]byte, 8)
		if m, err := c.Read(b); m != 4 || err != nil || binary.BigEndian.Uint32(b) != n {
			t.Errorf("client %d got %x, %v", n, b[:m], err)
		}
	}
	var clients []net.Conn
	for n := range uint32(3) {
		clients = append(clients, dialUDP(t, r.addr))
		ask(clients[n], n)
	}
	if s := r.Snapshot(); s.Flows != 2 || s.Totals.Flows != 3 {
		t.Errorf("%d flows are open, of %d, want 2 of 3", s.Flows, s.Totals.Flows)
	}
	// The first had been idle longest. It begins again.
	ask(clients[2], 2)
	ask(clients[0], 0)
	if s := r.Snapshot(); s.Flows != 2 || s.Totals.Flows != 4 {
		t.Errorf("%d flows are open, of %d, want 2 of 4", s.Flows, s.Totals.Flows)
	}
}

func TestIdleFlowEnds(t *testing.T) {
	r := serve(t, Config{FlowIdle: 20 * time.Millisecond}, listenUDP(t).LocalAddr())
	client := dialUDP(t, r.addr)
	client.Write([]byte("hello"))
	if _, err := client.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	until(t, r.Relay, "end of the flow", func(s *Snapshot) bool { return s.Flows == 0 && s.Totals.Flows == 1 })
}

// Nobody has the server's port: that is counted, and where the system allows
// it, the client's kernel is told.
func TestPortUnreachable(t *testing.T) {
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
	r := serve(t, Config{}, u.LocalAddr())
	client := dialUDP(t, r.addr)
	client.Write([]byte("hello"))
	s := until(t, r.Relay, "refusal", func(s *Snapshot) bool { return s.Totals.Unreachable == 1 })
	if !s.Herald {
		t.Log("this system lets nobody send ICMP")
		return
	}
	if _, err := client.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("client got %v, want %v", err, syscall.ECONNREFUSED)
	}
}
