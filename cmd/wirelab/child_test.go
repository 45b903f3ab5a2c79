package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

var seedFlag = flag.Uint64("seed", 0, "replay the random tests with this seed; if zero, a random one")

// seeded returns a source of random numbers, and logs its seed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// A child is a real process, mostly the program itself, run beside a test.
type child struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err transcript
	done     chan struct{} // closed when it has ended
}

// launch starts a program; "wirelab" is the one under test. It is killed when
// the test ends.
func launch(t *testing.T, name string, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(name, args...), done: make(chan struct{})}
	home := t.TempDir()
	c.cmd.Env = append(os.Environ(), "NO_COLOR=1", "WIRELAB_KEY=", "HOME="+home, "XDG_CONFIG_HOME="+home,
		"GORACE=atexit_sleep_ms=0") // races are reported as they are found; a second at each exit is too much
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	c.cmd.WaitDelay = patience // for output of its own children
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		c.kill()
		for _, word := range []string{"DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(c.err.String(), word) {
				t.Errorf("%v says:\n%s", c.cmd.Args, &c.err)
			}
		}
	})
	return c
}

// kill ends the process as kill -9 does, and waits for its end.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.done
}

// signal sends a signal.
func (c *child) signal(sig os.Signal) {
	c.t.Helper()
	if runtime.GOOS == "windows" {
		c.t.Skip("no signals to other processes")
	}
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.t.Fatalf("signal %v: %v; it said:\n%s", sig, err, &c.err)
	}
}

// exit waits for the process's end and checks its exit code.
func (c *child) exit(want int) {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("%v did not end; it said:\n%s", c.cmd.Args, &c.err)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != want {
		c.t.Fatalf("%v: exit code %d, want %d; it said:\n%s", c.cmd.Args, got, want, &c.err)
	}
}

// says waits until the process has written text to stderr.
func (c *child) says(text string) {
	c.t.Helper()
	if err := c.heard(text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) heard(text string) error {
	switch {
	case c.err.await(c.done, func() bool { return bytes.Contains(c.err.text.Bytes(), []byte(text)) }):
		return nil
	case c.ended():
		return fmt.Errorf("%v ended without %q; it said:\n%s", c.cmd.Args, text, &c.err)
	}
	return fmt.Errorf("%v did not say %q; it said:\n%s", c.cmd.Args, text, &c.err)
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// A transcript is what a process has written so far.
type transcript struct {
	board
	text bytes.Buffer
}

func (tr *transcript) Write(b []byte) (n int, err error) {
	tr.change(func() { n, err = tr.text.Write(b) })
	return n, err
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// A board guards what tests wait for.
type board struct {
	mu   sync.Mutex
	more chan struct{} // closed at the next change; nil: nobody waits
}

// change runs fn under the lock and wakes those who wait.
func (b *board) change(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

// await waits until ok, which runs under the lock, is true. It returns false
// when end is closed (nil: never) or patience has run out before.
func (b *board) await(end <-chan struct{}, ok func() bool) bool {
	limit := time.After(patience)
	for last := false; ; {
		b.mu.Lock()
		found := ok()
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		if found || last {
			return found
		}
		select {
		case <-more:
		case <-end:
			last = true
		case <-limit:
			last = true
		}
	}
}

// serve starts a server on a free port of this machine, TCP and UDP, and waits
// until it listens.
func serve(t *testing.T, flags ...string) (c *child, addr string) {
	t.Helper()
	addr = freeAddress(t)
	return serveAt(t, addr, flags...), addr
}

func serveAt(t *testing.T, addr string, flags ...string) *child {
	t.Helper()
	c := launch(t, "wirelab", append([]string{"serve", "--plain", "--listen", addr}, flags...)...)
	c.says("udp " + addr)
	return c
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	addr, err := findAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// findAddress returns an address on this machine that nobody listens on, TCP
// or UDP. It is none that the system gives to sockets by itself (RFC 6335,
// section 6; Linux begins at 32,768): while a server is down nobody gets its
// port, not even the client that dials it.
func findAddress() (string, error) {
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		if l, err := net.Listen("tcp", addr); err != nil {
			continue
		} else if l.Close(); isFreeUDP(addr) {
			return addr, nil
		}
	}
	return "", errors.New("no port is free")
}

func isFreeUDP(addr string) bool {
	u, err := net.ListenPacket("udp", addr)
	if err == nil {
		u.Close()
	}
	return err == nil
}
