//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of CPU times in /proc (USER_HZ, 100 on every Linux that Go
// runs on).
const tick = 10 * time.Millisecond

// cpuTime returns the user and system time that process pid has used.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; utime and stime are the
	// 12th and 13th fields after it (proc_pid_stat(5)).
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(f))
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

func ownCPUTime() time.Duration { return rusage(unix.RUSAGE_SELF) }

func rusage(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A machine is what the CPUs had done at some moment.
type machine struct {
	busy, all time.Duration // of all CPUs together
	ours      time.Duration // by this process and its children that have ended
}

// readMachine returns the zero machine where it cannot be known.
func readMachine() (m machine) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m
	}
	line, _, _ := strings.Cut(string(b), "\n")
	// user nice system idle iowait irq softirq steal (proc_stat(5)); the
	// guest times after them are part of the user's.
	for i, f := range strings.Fields(line) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i > 8 {
			continue
		}
		m.all += time.Duration(n) * tick
		if i != 4 && i != 5 {
			m.busy += time.Duration(n) * tick
		}
	}
	m.ours = rusage(unix.RUSAGE_SELF) + rusage(unix.RUSAGE_CHILDREN)
	return m
}

// others returns the part of the CPUs' time since before that went to other
// programs: if it is large, the numbers are not worth much.
func (m machine) others(before machine) float64 {
	if m.all == before.all {
		return 0
	}
	used := (m.busy - before.busy) - (m.ours - before.ours)
	return max(0, float64(used)/float64(m.all-before.all))
}

// resident returns the bytes of memory that process pid has in RAM.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/smaps_rollup: no Rss", pid)
}

// raiseFiles makes room for n descriptors.
func raiseFiles(n uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur >= n {
		return nil
	}
	l.Cur, l.Max = n, max(n, l.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("%d open files: %w (try ulimit -n %d)", n, err, n)
	}
	return nil
}

// A server is a process under test.
type server struct {
	Addr netip.AddrPort // where it listens

	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when the process has ended
	err  error         // what Wait said, once it has
}

// start starts cmd as a server.
func start(cmd *exec.Cmd, log *tail) (*server, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop asks the process to end, and returns once it has ended.
func (s *server) stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(stalled):
		s.cmd.Process.Kill()
		<-s.done
	}
	if s.err != nil {
		return fmt.Errorf("%v: %w%s", s.cmd.Args, s.err, s.log)
	}
	return nil
}

// await returns when something accepts connections at s.Addr. If nothing does,
// it ends the process.
func (s *server) await() error {
	deadline := time.Now().Add(stalled)
	for time.Now().Before(deadline) {
		c, err := net.DialTimeout("tcp4", s.Addr.String(), time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.done:
			return fmt.Errorf("%v: ended: %v%s", s.cmd.Args, s.err, s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("%v: does not listen at %v: %w", s.cmd.Args, s.Addr, s.stop())
}

// A tail keeps the end of what a process says, for the error message.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if over := len(t.b) - 2000; over > 0 {
		t.b = t.b[over:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	if len(t.b) == 0 {
		return ""
	}
	return "; it said:\n" + string(t.b)
}

// command prepares a child that dies with this process.
func command(name string, args ...string) (*exec.Cmd, *tail) {
	log := &tail{}
	cmd := exec.Command(name, args...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, log
}

// freePort returns a loopback address that was free for TCP and UDP a moment ago.
func freePort() (netip.AddrPort, error) {
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		at := netip.MustParseAddrPort(l.Addr().String())
		p, err := net.ListenPacket("udp4", at.String())
		l.Close()
		if err == nil {
			p.Close()
			return at, nil
		}
	}
	return netip.AddrPort{}, errors.New("no port free for TCP and UDP together")
}

// role runs this program again as the given role: in is its orders, and out
// gets its answer.
func role(name string, in, out any) error {
	order, err := json.Marshal(in)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd, log := command(self, "role", name)
	cmd.Stdin = bytes.NewReader(order)
	answer, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w%s", name, err, log)
	}
	return json.Unmarshal(answer, out)
}

// play is the other end of role, and what the servers and crowds that this
// program starts of itself run.
func play(name string, args []string) error {
	switch name {
	case "nats":
		return atAddr(args, serveNATS)
	case "bare":
		return atAddr(args, serveBare)
	case "proxy":
		target, err := netip.ParseAddrPort(args[1])
		if err != nil {
			return err
		}
		return atAddr(args, func(addr netip.AddrPort) error { return serveProxy(addr, target) })
	case "fanout":
		return measure(fanout.run)
	case "udpfan":
		return measure(udpFan.run)
	case "acks":
		return measure(acks.run)
	case "idle":
		var crowd idleCrowd
		if err := json.Unmarshal([]byte(args[0]), &crowd); err != nil {
			return err
		}
		return crowd.run(os.Stdin, os.Stdout)
	}
	return fmt.Errorf("no role %q", name)
}

// atAddr runs a server until the process is asked to end.
func atAddr(args []string, serve func(netip.AddrPort) error) error {
	addr, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- serve(addr) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// measure reads orders, does what they say and writes the result.
func measure[Order, Result any](run func(Order) (Result, error)) error {
	var order Order
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return err
	}
	r, err := run(order)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
