package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/impair"
)

// link parses what a link does.
func link(t testing.TB, text string) impair.Config {
	t.Helper()
	c, err := impair.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A running is a relay that serves.
type running struct {
	*Relay
	addr string
	stop func() error // ends it, and returns what Serve did
}

// serve starts a relay to connect for TCP, or for UDP; it ends with the test.
func serve(t testing.TB, cfg Config, connect net.Addr) *running {
	t.Helper()
	cfg.Connect = connect.String()
	addr := ""
	if connect.Network() == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.TCP, addr = l, l.Addr().String()
	} else {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		cfg.UDP, addr = u, u.LocalAddr().String()
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx) }()
	asked := false
	stop := sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := stop(); err != nil && !asked {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return &running{Relay: r, addr: addr, stop: func() error {
		asked = true
		return stop()
	}}
}

// listen is a server program.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t testing.TB, l net.Listener) *net.TCPConn {
	t.Helper()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// until waits for what the relay's counters will say.
func until(t testing.TB, r *Relay, what string, ok func(*Snapshot) bool) Snapshot {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		s := r.Snapshot()
		if ok(&s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("no %s after %v: %+v", what, patience, s)
		}
	}
}

// Bytes, in both directions at once, arrive as they were, whatever the link
// does.
func TestCarriesTCP(t *testing.T) {
	for _, tt := range []struct {
		name, link string
		size       int
		check      func(t *testing.T, s *Snapshot)
	}{
		{"ideal", "", 8 << 20, func(t *testing.T, s *Snapshot) {
			// Something may be sent again all the same: a tail loss probe (RFC
			// 8985, section 7) where this machine is slow to acknowledge.
			if n := s.Up.Lost.Total() + s.Down.Lost.Total(); n != 0 {
				t.Errorf("%d losses on an ideal link", n)
			}
		}},
		{"loss", "loss 3% delay 1ms", 300_000, func(t *testing.T, s *Snapshot) {
			for name, s := range map[string]*Side{"up": &s.Up, "down": &s.Down} {
				if s.Lost[impair.LostRandom] == 0 || s.Resent == 0 {
					t.Errorf("%s: %d lost, %d sent again, want some", name, s.Lost[impair.LostRandom], s.Resent)
				}
			}
		}},
		{"duplicate", "duplicate 20%", 3_000_000, func(t *testing.T, s *Snapshot) {
			if s.Up.Duplicated == 0 || s.Up.Received.Packets != s.Up.Sent.Packets+s.Up.Duplicated {
				t.Errorf("up: %d sent, %d doubled, %d arrived", s.Up.Sent.Packets, s.Up.Duplicated, s.Up.Received.Packets)
			}
		}},
		{"corrupt", "corrupt 2% delay 1ms", 300_000, func(t *testing.T, s *Snapshot) {
			if s.Up.Corrupted == 0 || s.Up.Resent == 0 {
				t.Errorf("up: %d flipped, %d sent again, want some", s.Up.Corrupted, s.Up.Resent)
			}
		}},
		{"reorder", "delay 3ms reorder 5%", 1 << 20, func(t *testing.T, s *Snapshot) {
			if s.Up.Reordered == 0 || s.Down.Reordered == 0 || s.Up.Lost.Total() != 0 {
				t.Errorf("%d and %d reordered, %d lost", s.Up.Reordered, s.Down.Reordered, s.Up.Lost.Total())
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			r := serve(t, Config{Up: link(t, tt.link), Down: link(t, tt.link), Seed: 7}, l.Addr())
			client := dialTCP(t, r.addr)
			server := accept(t, l)
			exchange(t, client, server, numbers(1, tt.size), numbers(2, tt.size+1))
			s := until(t, r.Relay, "end", func(s *Snapshot) bool { return s.Totals.Closed == 1 && len(s.Conns) == 0 })
			if s.Up.Payload != uint64(tt.size) || s.Down.Payload != uint64(tt.size+1) {
				t.Errorf("handed over %d and %d bytes, want %d and %d", s.Up.Payload, s.Down.Payload, tt.size, tt.size+1)
			}
			if tt.check != nil {
				tt.check(t, &s)
			}
			// What did not get lost arrived; each packet is one or the other.
			for name, s := range map[string]*Side{"up": &s.Up, "down": &s.Down} {
				if s.Sent.Packets+s.Duplicated < s.Received.Packets+s.Lost.Total() {
					t.Errorf("%s: %d sent, %d doubled, but %d arrived and %d lost", name, s.Sent.Packets, s.Duplicated, s.Received.Packets, s.Lost.Total())
				}
			}
		})
	}
}

// A delay is one way: a question and its answer take two.
func TestDelay(t *testing.T) {
	l := listen(t)
	const delay = 30 * time.Millisecond
	r := serve(t, Config{Up: link(t, "delay 30ms"), Down: link(t, "delay 30ms")}, l.Addr())
	client := dialTCP(t, r.addr)
	server := accept(t, l)
	go io.Copy(server, server)
	b := []byte{1}
	at := time.Now()
	client.Write(b)
	if _, err := io.ReadFull(client, b); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(at); took < 2*delay || took > 2*delay+patience/2 {
		t.Errorf("there and back took %v, want %v and little more", took, 2*delay)
	}
	s := until(t, r.Relay, "state of the sender", func(s *Snapshot) bool { return len(s.Conns) == 1 && s.Conns[0].Up.Sender.SRTT > 0 })
	if c := s.Conns[0]; c.Up.Sender.SRTT < 2*delay || c.Up.Sender.Cwnd < 2 || c.Phase != Open || c.Client.String() != client.LocalAddr().String() {
		t.Errorf("connection: %+v, want srtt of %v and more, of %v", c, 2*delay, client.LocalAddr())
	}
}

func TestHalfClose(t *testing.T) {
	l := listen(t)
	r := serve(t, Config{Up: link(t, "delay 2ms"), Down: link(t, "delay 2ms")}, l.Addr())
	client := dialTCP(t, r.addr)
	client.Write([]byte("question"))
	client.CloseWrite()
	server := accept(t, l)
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("server got %q, %v", got, err)
	}
	until(t, r.Relay, "half-closed connection", func(s *Snapshot) bool { return len(s.Conns) == 1 && s.Conns[0].Phase == ClientDone })
	answer := numbers(3, 500_000)
	server.Write(answer)
	server.CloseWrite()
	if got, err := io.ReadAll(client); !bytes.Equal(got, answer) || err != nil {
		t.Errorf("client got %d bytes, %v, want %d", len(got), err, len(answer))
	}
	until(t, r.Relay, "end", func(s *Snapshot) bool { return s.Totals.Closed == 1 && s.Totals.Reset == 0 && len(s.Conns) == 0 })
}

// A RST is a RST on the other side, too.
func TestReset(t *testing.T) {
	for name, swap := range map[string]bool{"client": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			r := serve(t, Config{Up: link(t, "delay 2ms"), Down: link(t, "delay 2ms")}, l.Addr())
			one := dialTCP(t, r.addr)
			one.Write([]byte("hello"))
			other := accept(t, l)
			if _, err := io.ReadFull(other, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			if swap {
				one, other = other, one
			}
			one.SetLinger(0)
			one.Close()
			wantReset(t, "the other", other)
			until(t, r.Relay, "end", func(s *Snapshot) bool { return s.Totals.Reset == 1 && s.Totals.Closed == 0 && len(s.Conns) == 0 })
		})
	}
}

// A RST that the link loses is lost: the server learns of it when it sends, or
// after a while.
func TestResetLost(t *testing.T) {
	for _, sends := range []bool{true, false} {
		t.Run(fmt.Sprint("the server sends: ", sends), func(t *testing.T) {
			l := listen(t)
			r := serve(t, Config{Up: link(t, "drop rst 1")}, l.Addr())
			r.conns.mu.Lock()
			r.conns.orphan = time.Hour
			if !sends {
				r.conns.orphan = time.Millisecond
			}
			r.conns.mu.Unlock()
			client := dialTCP(t, r.addr)
			client.Write([]byte("hello"))
			server := accept(t, l)
			if _, err := io.ReadFull(server, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			client.SetLinger(0)
			client.Close()
			until(t, r.Relay, "loss", func(s *Snapshot) bool { return s.Up.Lost[impair.LostScript] == 1 })
			if sends {
				if s := r.Snapshot(); len(s.Conns) != 1 || s.Conns[0].Phase != Closing {
					t.Errorf("connections: %+v", s.Conns)
				}
				server.Write([]byte("are you there?"))
			}
			wantReset(t, "server", server)
			until(t, r.Relay, "end", func(s *Snapshot) bool { return len(s.Conns) == 0 })
		})
	}
}

// The hosts speak the version of IP that the server is called with.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err) // no IPv6 here
	}
	defer l.Close()
	r := serve(t, Config{}, l.Addr())
	exchange(t, dialTCP(t, r.addr), accept(t, l), numbers(1, 300_000), numbers(2, 200_000))
	if !r.remote.Addr().Is6() {
		t.Errorf("the server host is %v", r.remote)
	}
}

// Nobody listens: the client, accepted by the kernel, is reset.
func TestRefused(t *testing.T) {
	l := listen(t)
	l.Close()
	r := serve(t, Config{}, l.Addr())
	wantRefused(t, r.addr)
	until(t, r.Relay, "refusal", func(s *Snapshot) bool { return s.Totals.Refused == 1 && len(s.Conns) == 0 })
}

// wantRefused checks that a connection is reset at once. It is so soon that some
// of them have not even heard that they were accepted.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("dial: %v, want a reset", err)
		}
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	wantReset(t, "client", c)
}

func TestManyConnections(t *testing.T) {
	const conns = 200
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	r := serve(t, Config{Up: link(t, "loss 1% delay 1ms"), Down: link(t, "loss 1% delay 1ms"), Seed: 3}, l.Addr())
	var wg sync.WaitGroup
	for n := range conns {
		wg.Go(func() {
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			want := numbers(uint64(n), 5000+n)
			c.Write(want)
			c.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(c); !bytes.Equal(got, want) || err != nil {
				t.Errorf("connection %d: got %d bytes, %v, want its own %d", n, len(got), err, len(want))
			}
		})
	}
	wg.Wait()
	until(t, r.Relay, "end", func(s *Snapshot) bool { return s.Totals.Closed == conns && len(s.Conns) == 0 })
}

func TestTooManyConnections(t *testing.T) {
	l := listen(t)
	r := serve(t, Config{MaxConns: 1}, l.Addr())
	first := dialTCP(t, r.addr)
	server := accept(t, l)
	wantRefused(t, r.addr)
	server.Write([]byte("x"))
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil {
		t.Errorf("the first: %v", err)
	}
	if s := r.Snapshot(); s.Totals.Overflow != 1 || s.Totals.Accepted != 1 {
		t.Errorf("totals: %+v", s.Totals)
	}
}

// A partition holds bytes back; when it ends they arrive.
func TestSetWhileItRuns(t *testing.T) {
	l := listen(t)
	r := serve(t, Config{}, l.Addr())
	client := dialTCP(t, r.addr)
	server := accept(t, l)
	ping := func() {
		client.Write([]byte("x"))
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	ping()
	if err := r.Set(link(t, "loss 100%"), link(t, "")); err != nil {
		t.Fatal(err)
	}
	client.Write([]byte("held back"))
	until(t, r.Relay, "retransmissions", func(s *Snapshot) bool { return s.Up.Lost[impair.LostRandom] >= 3 })
	if s := r.Snapshot(); s.Up.Config.String() != link(t, "loss 100%").String() {
		t.Errorf("the link is said to be %q", s.Up.Config.String())
	}
	server.SetReadDeadline(time.Now())
	if n, err := server.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes came through the partition", n)
	}
	server.SetReadDeadline(time.Now().Add(patience))
	r.Set(link(t, ""), link(t, ""))
	got := make([]byte, 9)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "held back" {
		t.Errorf("after the partition: %q, %v", got, err)
	}
}

// Serve's end resets what is open.
func TestEnd(t *testing.T) {
	l := listen(t)
	r := serve(t, Config{}, l.Addr())
	client := dialTCP(t, r.addr)
	server := accept(t, l)
	until(t, r.Relay, "connection", func(s *Snapshot) bool { return len(s.Conns) == 1 && s.Conns[0].Phase == Open })
	if err := r.stop(); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	wantReset(t, "client", client)
	wantReset(t, "server", server)
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	if s := r.Snapshot(); s.Totals.Cut != 1 || len(s.Conns) != 0 {
		t.Errorf("after the end: %+v", s)
	}
}

func TestNewRefuses(t *testing.T) {
	l := listen(t)
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"nothing to carry", Config{Connect: "127.0.0.1:9000"}, "neither TCP nor UDP"},
		{"no port", Config{TCP: l, Connect: "127.0.0.1"}, "missing port"},
		{"port 0", Config{TCP: l, Connect: "127.0.0.1:0"}, `port "0": want 1 to 65535`},
		{"MTU", Config{TCP: l, Connect: "127.0.0.1:9000", MTU: 100}, "mtu 100: want 1280 to 65535"},
	} {
		if _, err := New(tt.cfg); err == nil || !bytes.Contains([]byte(err.Error()), []byte(tt.want)) {
			t.Errorf("%s: New = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A full disk ends Serve with an error.
func TestRecordFails(t *testing.T) {
	l := listen(t)
	d := &disk{tempFile(t), 20_000}
	r := serve(t, Config{Record: d}, l.Addr())
	client := dialTCP(t, r.addr)
	server := accept(t, l)
	go io.Copy(io.Discard, server)
	for err := error(nil); err == nil; {
		_, err = client.Write(make([]byte, 10_000))
	}
	if err := r.stop(); !errors.Is(err, errFull) {
		t.Errorf("Serve = %v, want %v", err, errFull)
	}
	b, _ := os.ReadFile(d.Name())
	if n := wholeBlocks(t, b); n == 0 || len(b) > 20_000 {
		t.Errorf("%d packets in %d bytes", n, len(b))
	}
}
