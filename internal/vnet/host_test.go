package vnet

import (
	"bytes"
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

	"wirelab/internal/impair"
)

// A host that is killed says nothing any more, its program's calls fail, and it
// can be started again with the same addresses.
func TestKill(t *testing.T) {
	p := newPair(t, "delay 1ms", "delay 1ms", nil)
	a, b := p.tcp("tcp")
	ln, err := p.a.Listen("tcp", ":81")
	if err != nil {
		t.Fatal(err)
	}
	u, err := p.a.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 4)
	go func() { waiting <- second(a.Read(make([]byte, 1))) }()
	go func() { waiting <- third(ln.Accept()) }()
	go func() {
		_, _, err := u.ReadFrom(make([]byte, 1))
		waiting <- err
	}()
	go func() { waiting <- third(p.a.DialContext(t.Context(), "tcp", "192.0.2.9:1")) }()
	p.await("a SYN to nobody", func() bool {
		return len(p.seen) > 0 && p.seen[len(p.seen)-1].Reason == "no host has its address"
	})
	p.a.Kill()
	before := len(p.packets())
	for range cap(waiting) {
		if err := <-waiting; !errors.Is(err, ErrKilled) {
			t.Errorf("a call that waited = %v, want %v", err, ErrKilled)
		}
	}
	for what, err := range map[string]error{
		"Write":        second(a.Write([]byte("x"))),
		"Read":         second(a.Read(make([]byte, 1))),
		"CloseWrite":   a.CloseWrite(),
		"Accept":       third(ln.Accept()),
		"Dial":         third(p.a.DialContext(t.Context(), "tcp", b.LocalAddr().String())),
		"Listen":       third(p.a.Listen("tcp", ":1")),
		"ListenPacket": third(p.a.ListenPacket("udp", ":1")),
		"Intercept":    p.a.Intercept(nil),
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

// A peer of a host without power gets no answer: it asks until it gives up, and
// what it sends comes to a host that is down.
func TestKilledHostIsNoticedByTimers(t *testing.T) {
	p := newPair(t, "", "", nil)
	b, err := p.net.AddHost(HostConfig{Name: "c", Addrs: addrs(3), Quiet: true, MinRTO: 8 * time.Millisecond, MaxRTO: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p.b = b
	_, c := p.tcp("tcp")
	p.a.Kill()
	before := len(p.packets())
	if _, err := c.Write([]byte("are you there?")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("the peer's Read = %v, want %v", err, syscall.ETIMEDOUT)
	}
	tries := 0
	for _, k := range p.packets()[before:] {
		if k.Direction == Up {
			t.Errorf("the killed host sent % x", k.Data)
		}
		if k.Vantage == Received {
			if tries++; k.Reason != "the host is down" {
				t.Errorf("a packet to it: reason %q, want %q", k.Reason, "the host is down")
			}
		}
	}
	if s := b.Stats(); tries < 2 || s.Timeouts == 0 {
		t.Errorf("%d tries, %+v; want more than one, after timeouts", tries, s)
	}
}

// Kill ends all that runs in the stack, and does not wait for what TCP would:
// nothing of a connection's end takes time.
func TestKillIsQuick(t *testing.T) {
	p := newPair(t, "", "", nil)
	for range 3 {
		a, b := p.tcp("tcp")
		a.Close() // FIN-WAIT, later TIME-WAIT
		b.Close()
	}
	a, _ := p.tcp("tcp")
	a.CloseWrite()
	begin := time.Now()
	p.a.Kill()
	p.a.Kill() // is down already
	if d := time.Since(begin); d > time.Second {
		t.Errorf("it took %v", d)
	}
	p.b.Kill()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if bytes.Contains(stacks, []byte("tcpip/transport/tcp.")) {
		t.Errorf("something of the stacks runs after Kill:\n%s", stacks)
	}
}

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
	go func() { // waits in the stack when the program is stopped, or comes later
		n, err := a.Read(buf)
		if err != nil {
			t.Error(err)
		}
		got <- string(buf[:n])
	}()
	p.a.Stop()
	if !p.a.Stopped() {
		t.Error("Stopped() = false")
	}
	if _, err := b.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	p.await("the acknowledgement of a stopped program's stack", func() bool {
		for _, s := range p.states {
			if s.Host == "b" && s.SndUna == uint32(1+len("onetwo")) {
				return true
			}
		}
		return false
	})
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
	if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || !isTimeout(err) {
		t.Errorf("Read = %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

// The window of a stopped program's connection closes; nothing is lost by that.
func TestStopFillsTheWindow(t *testing.T) {
	const buffer = 64 << 10
	p := newPair(t, "", "", func(c *HostConfig) { c.ReceiveBuffer = buffer })
	a, b := p.tcp("tcp")
	p.a.Stop()
	data := pattern(4 << 20) // more than both ends' buffers
	b.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := b.Write(data)
	if !isTimeout(err) || n >= len(data) {
		t.Errorf("Write to a stopped program = %d, %v; want less than %d, and a timeout", n, err, len(data))
	}
	p.await("a window of zero", func() bool {
		for _, k := range p.seen {
			if h, _ := parse(k.Data); k.Direction == Up && h.flags == flagACK && k.Data[34] == 0 && k.Data[35] == 0 {
				return true
			}
		}
		return false
	})
	p.a.Resume()
	b.SetWriteDeadline(time.Time{})
	if got := transfer(t, b, a, data[n:]); !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, not as the %d that were sent", len(got), len(data))
	}
}

// What a program could write and its stopped peer has not read is not more than
// both buffers hold, however large the congestion window became before.
func TestBuffersAreKept(t *testing.T) {
	const buffer = 64 << 10
	p := newPair(t, "", "", func(c *HostConfig) { c.SendBuffer = buffer })
	var err error
	if p.b, err = p.net.AddHost(HostConfig{Name: "c", Addrs: addrs(3), Quiet: true, ReceiveBuffer: buffer}); err != nil {
		t.Fatal(err)
	}
	a, c := p.tcp("tcp")
	data := pattern(4 << 20)
	done := make(chan error)
	go func() { done <- second(a.Write(data)) }()
	if _, err := io.ReadFull(c, make([]byte, len(data))); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.b.Stop()
	a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := a.Write(data)
	if !isTimeout(err) || n > 2*buffer || n < buffer {
		t.Errorf("Write to a stopped program = %d, %v; want a timeout, and %d to %d bytes", n, err, buffer, 2*buffer)
	}
}

// A stopped program's UDP socket keeps what its buffer has room for, drops the
// rest, and that is counted.
func TestStopOverflowsUDP(t *testing.T) {
	p := newPair(t, "", "", func(c *HostConfig) { c.UDPReceiveBuffer = 4096 })
	c, err := p.a.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	p.a.Stop()
	from, err := p.b.DialContext(t.Context(), "udp", net.JoinHostPort(p.a.Addr().String(), "7"))
	if err != nil {
		t.Fatal(err)
	}
	const all = 20
	for i := range all {
		from.Write(bytes.Repeat([]byte{byte(i)}, 1000))
	}
	// What comes behind them is answered with ICMP: then they have been taken.
	nobody, err := p.b.DialContext(t.Context(), "udp", net.JoinHostPort(p.a.Addr().String(), "8"))
	if err != nil {
		t.Fatal(err)
	}
	nobody.Write([]byte("x"))
	p.await("port unreachable", func() bool {
		for _, k := range p.seen {
			if h, _ := parse(k.Data); h.protocol == protocolICMP {
				return true
			}
		}
		return false
	})
	p.a.Resume()
	last := []byte("the last")
	kept := 0
	for buf := make([]byte, 2000); ; kept++ {
		if kept == 1 {
			from.Write(last) // there is room again
		}
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(buf[:n], last) {
			break
		}
		if n != 1000 || buf[0] != byte(kept) {
			t.Fatalf("ReadFrom = %d bytes of datagram %d, want 1000 of %d", n, buf[0], kept)
		}
	}
	if s := p.a.Stats(); s.BufferFull != uint64(all-kept) || kept < 3 || kept > 10 {
		t.Errorf("%d datagrams were kept with a buffer of 4096 bytes, %d dropped; %d were sent", kept, s.BufferFull, all)
	}
}

// However the ends of a kill come together, a dial that waits says that the host
// is down, not what its stack says while it ends.
func TestKillEndsDials(t *testing.T) {
	for range 30 {
		p := newPair(t, "delay 1h", "", nil)
		failed := make(chan error, 20)
		for range cap(failed) {
			go func() { failed <- third(p.a.DialContext(t.Context(), "tcp", "192.0.2.2:80")) }()
		}
		p.await("all SYNs", func() bool { return len(p.seen) == 2*cap(failed) })
		p.a.Kill()
		for range cap(failed) {
			if err := <-failed; !errors.Is(err, ErrKilled) {
				t.Errorf("Dial = %v, want %v", err, ErrKilled)
			}
		}
		p.net.Close()
	}
}

// Stop and Resume at one time leave the sockets as the last of them says: a read
// that a program of another mind is left with would spin, or go on when it must
// not.
func TestStopAndResumeAtOnce(t *testing.T) {
	p := newPair(t, "", "", nil)
	var all [50]*Conn
	for i := range all {
		all[i], _ = p.tcp("tcp")
	}
	for range 2000 {
		var both sync.WaitGroup
		both.Go(p.a.Stop)
		both.Go(p.a.Resume)
		both.Wait()
		for _, c := range all {
			c.mu.Lock()
			nudged := c.nudged
			c.mu.Unlock()
			if nudged != p.a.Stopped() {
				t.Fatalf("the host is stopped: %v; its connection is: %v", p.a.Stopped(), nudged)
			}
		}
	}
}

// A stopped program can be killed: its calls end.
func TestKillStopped(t *testing.T) {
	p := newPair(t, "", "", nil)
	a, _ := p.tcp("tcp")
	p.a.Stop()
	failed := make(chan error, 2)
	go func() { failed <- second(a.Read(make([]byte, 1))) }()
	go func() { failed <- third(p.a.DialContext(t.Context(), "tcp", "192.0.2.2:1")) }()
	p.a.Kill()
	for range cap(failed) {
		if err := <-failed; !errors.Is(err, ErrKilled) {
			t.Errorf("%v, want %v", err, ErrKilled)
		}
	}
	if p.a.Stopped() {
		t.Error("a host without power is stopped")
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

// A host that cannot be leaves nothing behind, neither its address nor a
// goroutine.
func TestBadHosts(t *testing.T) {
	n := New(Config{})
	defer n.Close()
	if _, err := n.AddHost(HostConfig{Name: "a", Addrs: addrs(1)}); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []HostConfig{
		{Name: "b"}, {Addrs: addrs(3)}, {Name: "b", Addrs: addrs(1)}, {Name: "b", Addrs: addrs(3), MTU: 100},
		{Name: "b", Addrs: addrs(3), Up: impair.Config{Delay: -1}}, {Name: "b", Addrs: addrs(3), Down: impair.Config{Delay: -1}},
		{Name: "b", Addrs: addrs(3), UDPReceiveBuffer: 1},
		{Name: "b", Addrs: append(addrs(3), addrs(3)...)}, {Name: "b", Addrs: []netip.Addr{{}}},
		{Name: "b", Addrs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}, {Name: "b", Addrs: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1")}},
	} {
		if _, err := n.AddHost(cfg); err == nil {
			t.Errorf("AddHost(%+v) is no error", cfg)
		}
	}
	if _, err := n.AddHost(HostConfig{Name: "b", Addrs: addrs(3)}); err != nil {
		t.Errorf("AddHost after attempts that failed: %v", err)
	}
}

// A network that is closed stays it.
func TestClose(t *testing.T) {
	p := newPair(t, "", "", nil)
	a, _ := p.tcp("tcp")
	for range 2 {
		if err := p.net.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.ReadAll(a); !errors.Is(err, ErrKilled) {
		t.Errorf("Read after Close = %v, want %v", err, ErrKilled)
	}
	if err := p.a.Start(); err == nil {
		t.Error("Start after Close is no error")
	}
	if _, err := p.net.AddHost(HostConfig{Name: "c", Addrs: addrs(3)}); err == nil {
		t.Error("AddHost after Close is no error")
	}
}
