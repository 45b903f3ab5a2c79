package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"wirelab/internal/client"
	"wirelab/internal/missed"
	"wirelab/tcpchat"
)

// A place is where a server runs whose disk is small.
type place struct {
	dir    string   // as the server sees it
	seen   string   // as the test sees it
	prefix []string // what the server's words come after
	more   []string // the same, with the limit gone
	why    string   // the system's words when it is full
	grow   func()   // makes the disk larger while the server runs; nil: it cannot
}

// serve starts a server there.
func (p *place) serve(t *testing.T, prefix []string, addr string) *child {
	t.Helper()
	words := append(slices.Clone(prefix), "wirelab", "serve", "--plain", "--listen", addr, "--data", p.dir, "--rate", "-1")
	c := launch(t, words[0], words[1:]...)
	c.says("udp " + addr)
	return c
}

// fileLimit lets files grow to half a megabyte or one (setrlimit(2),
// RLIMIT_FSIZE).
func fileLimit(t *testing.T) *place {
	if runtime.GOOS == "windows" {
		t.Skip("no limit of the size of files")
	}
	dir := t.TempDir()
	return &place{
		dir: dir, seen: dir, why: "file too large",
		prefix: []string{"sh", "-c", `ulimit -f 1024 && exec "$0" "$@"`}, more: []string{"env"},
	}
}

// smallDisk mounts a file system of one megabyte in a mount namespace of its
// own, so that it goes with the test (mount_namespaces(7)).
func smallDisk(t *testing.T) *place {
	dir := t.TempDir()
	holder := namespace(t, fmt.Sprintf("mount -t tmpfs -o size=1m none '%s' && echo ready >&2 && exec sleep 600", dir))
	pid := fmt.Sprint(holder.cmd.Process.Pid)
	enter := []string{"nsenter", "-t", pid, "-m", "--"}
	return &place{
		dir: dir, seen: filepath.Join("/proc", pid, "root", dir), why: "no space left on device", prefix: enter, more: enter,
		grow: func() {
			t.Helper()
			if out, err := exec.Command("nsenter", "-t", pid, "-m", "--", "mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		},
	}
}

// namespace runs a shell script where it may mount, up to its word that it is
// ready. It skips the test where that is not allowed.
func namespace(t *testing.T, script string) *child {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("no mount namespaces")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	if out, err := exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("mounting in a namespace: %v: %s", err, out) // a container may not
	}
	c := launch(t, "unshare", "-m", "sh", "-c", script)
	c.says("ready")
	return c
}

// The disk is full: publishers are told, in the system's words; what needs no
// disk goes on; nothing acknowledged is lost, then and after a kill; and when
// there is room again, publishers go on, too.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) *place{"file limit": fileLimit, "small disk": smallDisk} {
		t.Run(name, func(t *testing.T) { testDiskFull(t, make(t)) })
	}
}

func testDiskFull(t *testing.T, p *place) {
	addr := freeAddress(t)
	server := p.serve(t, p.prefix, addr)
	ana, bo := joinTCP(t, addr, "ana"), joinTCP(t, addr, "bo")
	var acked []string
	publish := func(n int) error {
		text := fmt.Sprintf("%d %s", n, strings.Repeat("x", 8000))
		_, err := ana.EmitAck(soon(t), "lobby", "msg", text)
		if err == nil {
			acked = append(acked, text)
		}
		return err
	}
	refused := func(err error) {
		t.Helper()
		var r *client.Refusal
		if !errors.As(err, &r) || r.Code != "store" || !strings.Contains(r.Message, p.why) || r.RetryAfter == 0 {
			t.Fatalf("on a full disk: %v, want %q", err, p.why)
		}
	}
	n := 0
	var err error
	for ; err == nil; n++ {
		if n > 1000 {
			t.Fatal("8 MB are stored, and the disk is not full")
		}
		err = publish(n)
	}
	refused(err)
	for range 2 {
		n++
		refused(publish(n))
	}

	// What needs no disk goes on.
	if !bo.await(nil, func() bool { return len(bo.texts) >= len(acked) }) || !slices.Equal(bo.texts, acked) {
		t.Errorf("bo got %d messages, %d were acknowledged", len(bo.texts), len(acked))
	}
	guest := join(t, client.Config{Name: "guest", Dial: (&tcpchat.Dialer{Address: addr}).Dial})
	heard := make(chan string, 100)
	shy := client.New(client.Config{Name: "shy", Dial: (&tcpchat.Dialer{Address: addr}).Dial, Rooms: []string{"lobby"}, OnEvent: func(e client.Event) any {
		if text, ok := e.Text(); ok && e.Event == "msg" {
			heard <- text
		}
		return nil
	}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go shy.Run(ctx)
	if err := shy.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	// A volatile event is dropped while a member has anything else to take.
	const light = "in memory alone"
	arrived := ""
	for range 100 {
		if err := guest.Volatile("lobby", "msg", light); err != nil {
			t.Fatal(err)
		}
		if _, err := shy.Request(soon(t), "stats"); err != nil { // later than the event, if that came
			t.Fatal(err)
		}
		select {
		case arrived = <-heard:
		default:
			continue
		}
		break
	}
	if arrived != light {
		t.Errorf("a volatile event arrived as %q", arrived)
	}
	for request, args := range map[string][]any{"who": {"lobby"}, "rooms": nil, "history": {"lobby", 3}, "stats": nil, "explain": {"lobby", 1}} {
		if answer, err := bo.Request(soon(t), request, args...); err != nil || len(answer) == 0 {
			t.Errorf("%s on a full disk: %s, %v", request, answer, err)
		}
	}
	// A session is promised only if it can be kept: there may be room for one.
	late := client.New(client.Config{Name: "late", Dial: (&tcpchat.Dialer{Address: addr}).Dial, Queue: true, Rooms: []string{"lobby"}})
	go late.Run(ctx)
	if err := late.Ready(soon(t)); err != nil && !strings.Contains(err.Error(), "the session could not be stored") {
		t.Errorf("a new session on a full disk: %v", err)
	}
	late.Close()
	if p.grow != nil {
		p.grow()
		for range 5 {
			n++
			if err := publish(n); err != nil {
				t.Fatalf("with room again: %v", err)
			}
		}
		bo.gets(acked[len(acked)-1])
	}
	ana.Cut(0)
	bo.Cut(0)
	server.kill()
	if got, gone := stored(t, p.seen, "lobby"); !slices.Equal(got, acked) || gone > 0 {
		t.Errorf("%d messages are on disk, %d were acknowledged", len(got), len(acked))
	}

	if p.grow == nil {
		// On the full disk a server starts, and has everything.
		server = p.serve(t, p.prefix, addr)
		reader := join(t, client.Config{Name: "reader", Dial: (&tcpchat.Dialer{Address: addr}).Dial})
		history, err := reader.Request(soon(t), "history", "lobby", 1)
		if err != nil || !strings.Contains(string(history), acked[len(acked)-1]) {
			t.Errorf("history after a restart on the full disk: %.100s, %v", history, err)
		}
		reader.Close()
		server.kill()
	}

	// The sessions are good still.
	server = p.serve(t, p.more, addr)
	ana.Online()
	bo.Online()
	if err := ana.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := publish(n + 1); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	bo.gets(acked[len(acked)-1])
	if !slices.Equal(bo.texts, acked) || len(bo.lost) > 0 {
		t.Errorf("bo got %d messages, %d were acknowledged; lost %v", len(bo.texts), len(acked), bo.lost)
	}
	server.signal(syscall.SIGTERM)
	server.exit(exitOK)
}

// stored reads a room's messages from the data folder of a server that has
// ended, and how many there were that cannot be read.
func stored(t *testing.T, dir, room string) (texts []string, gone int) {
	t.Helper()
	store, err := openStore(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := missed.Open(missed.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	l := q.Lookup(missed.Key{Room: room})
	if l == nil {
		t.Fatalf("no room %q in the store", room)
	}
	for seq := l.First(); seq <= l.Head(); seq++ {
		e, _, ok := l.Event(seq)
		ev := client.Event{Args: e.Args}
		text, isText := ev.Text()
		switch {
		case !ok:
			gone++
		case !isText:
			t.Fatalf("event %d of %s: %s", seq, room, e.Args)
		default:
			texts = append(texts, text)
		}
	}
	return texts, gone
}
