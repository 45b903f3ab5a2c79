package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wirelab/packets/filter"
)

// opened captures until the test ends, or skips it without the rights.
func opened(t *testing.T, c Config) *Handle {
	t.Helper()
	h, err := Open(c)
	if errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// listen binds a UDP socket.
func listen(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func port(c *net.UDPConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

// sendAll sends n numbered datagrams, and before each one to another port.
func sendAll(t *testing.T, from, to, other *net.UDPConn, n int, want []byte) {
	t.Helper()
	for i := range n {
		if _, err := from.WriteTo([]byte("to another port"), other.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := from.WriteTo(append(binary.BigEndian.AppendUint32(nil, uint32(i)), want...), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
}

// captured reads n datagrams, which are the numbers 0 to n−1 in this order.
func captured(t *testing.T, h *Handle, n, header int, out bool, from time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last := from
	for i := range n {
		data, at, length, o, err := h.Next(ctx)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if len(data) != length || length < header+4 || binary.BigEndian.Uint32(data[header:]) != uint32(i) {
			t.Fatalf("packet %d is % x (of %d bytes)", i, data[:min(80, len(data))], length)
		}
		if o != out {
			t.Fatalf("packet %d: out is %v, want %v", i, o, out)
		}
		if at.Before(last) || at.After(time.Now()) {
			t.Fatalf("packet %d is of %v, want from %v to now", i, at, last)
		}
		last = at
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if data, _, _, _, err := h.Next(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("Next after a cancel = % x, %v", data, err)
	}
	// Nothing more is in the socket: a second copy would be there already.
	if h.conn.Control(func(fd uintptr) {
		if h.receive(fd) {
			t.Errorf("one packet more than was sent: % x", h.buffer[4:4+h.got.n])
		}
	}) != nil {
		t.Error("Control failed")
	}
	if packets, drops, err := h.Stats(); packets != uint64(n) || drops != 0 || err != nil {
		t.Errorf("Stats() = %d, %d, %v, want %d, 0", packets, drops, err, n)
	}
}

// On the loopback interface each packet that was sent is captured once, those for
// other ports are not, and large packets are whole.
func TestLoopback(t *testing.T) {
	for _, tt := range []struct {
		addr   string
		header int
		size   int
	}{{"127.0.0.1:0", 42, 0}, {"127.0.0.1:0", 42, 60000}, {"[::1]:0", 62, 10}} {
		from, to, other := listen(t, tt.addr), listen(t, tt.addr), listen(t, tt.addr)
		h := opened(t, Config{Interface: "lo", Filter: fmt.Sprint("udp dst port ", port(to))})
		if h.Link() != 1 {
			t.Errorf("Link() = %d, want 1", h.Link())
		}
		start := time.Now()
		n := 1000
		if tt.size > 1000 {
			n = 50
		}
		sendAll(t, from, to, other, n, make([]byte, tt.size))
		captured(t, h, n, tt.header, false, start)
	}
}

// A snap length cuts packets, and their length is told.
func TestSnapLen(t *testing.T) {
	from, to := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	h := opened(t, Config{Interface: "lo", Filter: fmt.Sprint("udp dst port ", port(to)), SnapLen: 50})
	if _, err := from.WriteTo(bytes.Repeat([]byte("x"), 500), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	data, _, length, _, err := h.Next(t.Context())
	if len(data) != 50 || length != 542 || err != nil {
		t.Errorf("Next() = %d bytes of %d, %v, want 50 of 542", len(data), length, err)
	}
	if _, err := Open(Config{Interface: "lo", SnapLen: MaxSnap + 1}); err == nil {
		t.Error("a snap length of more than MaxSnap is taken")
	}
}

// What does not fit the buffer is counted.
func TestDropsAreCounted(t *testing.T) {
	from, to := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	h := opened(t, Config{Interface: "lo", Filter: fmt.Sprint("udp dst port ", port(to)), Buffer: 4096})
	const n = 500
	for range n {
		if _, err := from.WriteTo(make([]byte, 1000), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	var got uint64
	if err := h.conn.Control(func(fd uintptr) {
		for got < n && h.receive(fd) {
			got++
		}
	}); err != nil {
		t.Fatal(err)
	}
	packets, drops, err := h.Stats()
	if packets != n || drops == 0 || got+drops != n || err != nil {
		t.Errorf("Stats() = %d, %d, %v after %d packets were read, want %d, %d", packets, drops, err, got, n, n-got)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if p, d, err := h.Stats(); p != packets || d != drops || err != nil {
		t.Errorf("Stats() after Close = %d, %d, %v, want %d, %d", p, d, err, packets, drops)
	}
}

// A Next that waits ends with its context or with Close, and the handle goes on
// after a context that ended.
func TestNextEnds(t *testing.T) {
	from, to := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	h := opened(t, Config{Interface: "lo", Filter: fmt.Sprint("udp dst port ", port(to))})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		start := time.Now()
		if _, _, _, _, err := h.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Next() = %v, want that the deadline is over", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("Next took %v to end", took)
		}
		cancel()
		if _, err := from.WriteTo([]byte("x"), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, _, _, _, err := h.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() {
		_, _, _, _, err := h.Next(context.Background())
		done <- err
	}()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Next after Close = %v, want net.ErrClosed", err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

// The kernel takes programs of all sizes, among them the longest.
func TestKernelTakesFilters(t *testing.T) {
	long := "port 1"
	for i := 2; i < 120; i++ {
		long += fmt.Sprint(" or ", i)
	}
	for _, expr := range []string{
		"", "tcp", "tcp port 80 or 443", "host 10.0.0.1 and not port 22", "net 2001:db8::/32", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
		"ip[ip[0] & 0xf] % (1 + udp[0]) > 3", "len - 14 > 40", "ether host 02:00:00:00:00:01", "vlan 3 and udp", "portrange 1-2", "icmp6 or arp", "1 = 2", long,
	} {
		opened(t, Config{Interface: "lo", Filter: expr}).Close()
	}
	// Or, where its memory is too small for them, Next filters.
	from, to, other := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	h := opened(t, Config{Interface: "lo", Filter: fmt.Sprintf("(%s or udp dst port %d) and not tcp", long, port(to))})
	sendAll(t, from, to, other, 5, nil)
	for i := range 5 {
		if data, _, _, _, err := h.Next(t.Context()); err != nil || binary.BigEndian.Uint32(data[42:]) != uint32(i) {
			t.Errorf("packet %d is % x, %v", i, data, err)
		}
	}
}

// onThread runs f on a thread of its own, whose changes end with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends
		f()
	}()
	<-done
}

func TestErrors(t *testing.T) {
	var e *Error
	_, err := Open(Config{Interface: "no such"})
	if !errors.As(err, &e) || !strings.Contains(e.Why, `"no such"`) || !strings.Contains(e.Hint, "lo (loopback, 127.0.0.1/8") {
		t.Errorf("Open of no interface = %v, want a list of those that are there", err)
	}
	if _, err = Open(Config{}); !errors.As(err, &e) {
		t.Errorf("Open of nothing = %v", err)
	}
	var bad *filter.Error
	if _, err := Open(Config{Interface: "lo", Filter: "tcp prot 80"}); !errors.As(err, &bad) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Open with a bad filter = %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	onThread(func() { // without the capability
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		_, err = Open(Config{Interface: "lo"})
	})
	path, _ := os.Executable()
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(e.Why, "CAP_NET_RAW") ||
		!strings.Contains(e.Hint, "sudo") || !strings.Contains(e.Hint, "setcap cap_net_raw+ep "+path) {
		t.Errorf("Open without the capability = %v", err)
	}
	var unshared error
	onThread(func() { // the loopback interface of a new namespace is down
		if unshared = unix.Unshare(unix.CLONE_NEWNET); unshared == nil {
			_, err = Open(Config{Interface: "lo"})
		}
	})
	if unshared != nil {
		t.Skip(unshared)
	}
	if !errors.As(err, &e) || !strings.Contains(e.Why, "is down") {
		t.Errorf("Open of an interface that is down = %v", err)
	}
}

// inside runs f in a network namespace; sockets that it opens stay there.
func inside(t *testing.T, name string, f func()) {
	t.Helper()
	onThread(func() {
		ns, err := os.Open("/run/netns/" + name)
		if err != nil {
			t.Error(err)
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f()
	})
	if t.Failed() {
		t.FailNow()
	}
}

// Between two namespaces each packet is seen once at each end: going out at one
// and coming in at the other. VLAN tags are put back.
func TestNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: no network namespaces")
	}
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	}
	a, b := fmt.Sprintf("wll%da", os.Getpid()), fmt.Sprintf("wll%db", os.Getpid())
	for _, ns := range []string{a, b} {
		if err := ip("netns", "add", ns); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { ip("netns", "del", ns) })
	}
	if err := ip("-n", a, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", b); err != nil {
		t.Skip(err)
	}
	tagged := true
	for i, ns := range []string{a, b} {
		for _, args := range [][]string{
			{"addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "veth0"},
			{"link", "set", "veth0", "up"},
			{"link", "add", "link", "veth0", "name", "v7", "type", "vlan", "id", "7"},
			{"addr", "add", fmt.Sprintf("198.51.100.%d/24", i+1), "dev", "v7"},
			{"link", "set", "v7", "up"},
		} {
			if err := ip(append([]string{"-n", ns}, args...)...); err != nil {
				t.Log(err)
				tagged = false
				break
			}
		}
	}
	for _, tt := range []struct {
		net, filter string
		header      int
	}{{"192.0.2.", "udp dst port %d", 42}, {"198.51.100.", "vlan 7 and udp dst port %d", 46}} {
		if tt.header == 46 && !tagged {
			continue
		}
		var from, to, other *net.UDPConn
		var near, far *Handle
		inside(t, b, func() { to, other = listen(t, tt.net+"2:0"), listen(t, tt.net+"2:0") })
		c := Config{Interface: "veth0", Filter: fmt.Sprintf(tt.filter, port(to)), Promisc: true}
		inside(t, b, func() { far = opened(t, c) })
		inside(t, a, func() { from, near = listen(t, tt.net+"1:0"), opened(t, c) })
		start := time.Now()
		if tt.header == 46 { // the kernel counts what Next filters: only whole captures agree
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			sendAll(t, from, to, other, 20, nil)
			for i := range 20 {
				for _, h := range []*Handle{near, far} {
					data, _, length, out, err := h.Next(ctx)
					if err != nil || len(data) != length || binary.BigEndian.Uint32(data[12:]) != 0x81000007 || binary.BigEndian.Uint32(data[46:]) != uint32(i) || out != (h == near) {
						t.Fatalf("packet %d is % x, %v, %v", i, data, out, err)
					}
				}
			}
			cancel()
			continue
		}
		sendAll(t, from, to, other, 300, []byte("over the link"))
		captured(t, near, 300, tt.header, true, start)
		captured(t, far, 300, tt.header, false, start)
	}
}
