package bolt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

var lobby = missed.Key{Room: "lobby"}

func openQueue(t *testing.T, path string, o Options) (*Store, *missed.Queue) {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := missed.Open(missed.Config{Store: s, HotBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return s, q
}

// publish appends one event and waits for its outcome.
func publish(q *missed.Queue, k missed.Key, id uint64, size int) error {
	done := make(chan error, 1)
	_, _, err := q.Log(k).AppendThen(&wire.Envelope{
		Kind: wire.KindEvent, Room: []byte(k.Room), Sender: []byte("ana"), Event: []byte("say"),
		ID: id, Args: bytes.Repeat([]byte("x"), size),
	}, nil, func(_ uint64, err error) { done <- err })
	if err != nil {
		return err
	}
	return <-done
}

// wantIDs checks that a log holds the events 1 to n, in this order.
func wantIDs(t *testing.T, l *missed.Log, n uint64) {
	t.Helper()
	if l == nil || l.Head() != n {
		t.Fatalf("head %d, want %d", l.Head(), n)
	}
	for seq := uint64(1); seq <= n; seq++ {
		if e, _, ok := l.Event(seq); !ok || e.ID != seq {
			t.Fatalf("event %d = id %d, %v", seq, e.ID, ok)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, path string
		want       error
	}{
		{"text", write("text", strings.Repeat("hello\n", 5000)), missed.ErrDamaged},
		{"short", write("short", "hello"), missed.ErrDamaged},
		{"zeros", write("zeros", strings.Repeat("\x00", 1<<20)), missed.ErrDamaged},
		{"under a file", filepath.Join(write("file", "x"), "missed.db"), nil},
		{"a folder", dir, nil},
	} {
		s, err := Open(c.path, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s: Open() = nil, want an error", c.name)
			continue
		}
		var e *Error
		if c.want != nil && !errors.Is(err, c.want) || !errors.As(err, &e) || e.Op != "open" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Open() = %v, want one line, %v", c.name, err, c.want)
		}
	}
}

func TestReadOnlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	denied := func(name string, flag int, perm os.FileMode) (*os.File, error) {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	_, err := Open(path, Options{OpenFile: denied})
	var e *Error
	if !errors.Is(err, os.ErrPermission) || !errors.As(err, &e) || !strings.Contains(e.Hint(), "read and write") {
		t.Errorf("Open() = %v, want a permission error with a hint", err)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	_, q := openQueue(t, path, Options{})
	start := time.Now()
	_, err := Open(path, Options{})
	if took := time.Since(start); !errors.Is(err, ErrInUse) || took > 2*time.Second {
		t.Errorf("Open() of a store in use = %v after %v, want ErrInUse within a second", err, took)
	}
	q.Close()
	_, q = openQueue(t, path, Options{})
	q.Close()
}

func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte("99")) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, errFormat) || !strings.Contains(err.Error(), `"99"`) {
		t.Errorf("Open() of another format = %v", err)
	}
}

// The file may not grow: publishers are told, what was acknowledged stays, and
// when a room goes there is space again.
func TestMaxBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	_, q := openQueue(t, path, Options{MaxBytes: 1 << 20})
	var n uint64
	for {
		err := publish(q, lobby, n+1, 10_000)
		if err != nil {
			var e *Error
			if !errors.Is(err, missed.ErrStore) || !errors.As(err, &e) || !strings.Contains(e.Hint(), "free some space") {
				t.Fatalf("publish = %v, want ErrStore with a hint", err)
			}
			break
		}
		if n++; n > 200 {
			t.Fatal("the file grows past its limit")
		}
	}
	wantIDs(t, q.Lookup(lobby), n)
	q.Log(missed.Key{Room: "small"})
	q.Drop(lobby)
	settle(t, q)
	small := missed.Key{Room: "small"}
	for id := range uint64(5) {
		if err := publish(q, small, id+1, 10_000); err != nil {
			t.Errorf("publish after a room was dropped = %v", err)
		}
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	_, q = openQueue(t, path, Options{})
	wantIDs(t, q.Lookup(small), 5)
	if q.Lookup(lobby) != nil {
		t.Error("the dropped room is back")
	}
}

// A block in the middle is damaged: it is a reported loss, everything else is
// there.
func TestDamagedBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	s, q := openQueue(t, path, Options{})
	for id := range uint64(9) {
		if err := publish(q, lobby, id+1, 50); err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	s, q = openQueue(t, path, Options{}) // from now on the events are on the disk only
	damage := func(seqs ...uint64) {
		t.Helper()
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(logBucket).Bucket(roomKey(lobby))
			for _, seq := range seqs {
				v := bytes.Clone(b.Get(seqKey(seq)))
				v[len(v)-1] ^= 1
				if err := b.Put(seqKey(seq), v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func() (got string) {
		t.Helper()
		l := q.Lookup(lobby)
		for after := uint64(0); after < l.Head(); {
			b, err := l.Read(after, 0, 0, 1<<20)
			if err != nil || b.Cursor == after {
				t.Fatalf("Read(%d) = %+v, %v", after, b, err)
			}
			got += fmt.Sprintf("%d-%d%s ", after+1, b.Cursor, b.Reason)
			after = b.Cursor
		}
		return got
	}
	damage(3, 4)
	if got, want := read(), "1-2 3-3damaged 4-4damaged 5-9 "; got != want {
		t.Errorf("while running: read %q, want %q", got, want)
	}
	damage(8, 9)
	q.Close()

	var told bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&told, nil))
	for range 2 { // the second time nothing is left to cut
		s, q = openQueue(t, path, Options{Logger: logger})
		if got, want := read(), "1-2 3-4damaged 5-7 8-9damaged "; got != want {
			t.Errorf("after a restart: read %q, want %q", got, want)
		}
		if n := strings.Count(told.String(), "damaged block was cut"); n != 4 {
			t.Errorf("the log tells of %d blocks, want 4:\n%s", n, told.String())
		}
		q.Close()
	}
	_, q = openQueue(t, path, Options{})
	if err := publish(q, lobby, 10, 50); err != nil {
		t.Fatal(err)
	}
	if e, _, ok := q.Lookup(lobby).Event(10); !ok || e.ID != 10 || e.Prev != 9 {
		t.Errorf("Event(10) = %+v, %v", e, ok)
	}
	if got, want := read(), "1-2 3-4damaged 5-7 8-9damaged 10-10 "; got != want {
		t.Errorf("after one more: read %q, want %q", got, want)
	}
}

// A commit that was reported as failed may be on the disk all the same. Nobody
// has seen its events: they go when the next ones come.
func TestPhantomCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missed.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	commit := func(c missed.Change) {
		t.Helper()
		if err := s.Commit(&c); err != nil {
			t.Fatal(err)
		}
	}
	block := func(first, last uint64, text string) missed.Block {
		b := missed.Block{Key: lobby, First: first, Last: last}
		for seq := first; seq <= last; seq++ {
			b.Frames, _ = wire.AppendFrame(b.Frames, &wire.Envelope{Kind: wire.KindEvent, Seq: seq, Args: []byte(text)})
		}
		return b
	}
	room := missed.Room{Key: lobby, Epoch: 1, First: 1}
	commit(missed.Change{Rooms: []missed.Room{room}, Blocks: []missed.Block{block(1, 4, "phantom")}})
	room.Epoch = 2
	commit(missed.Change{Rooms: []missed.Room{room}, Blocks: []missed.Block{block(1, 2, "real")}})
	commit(missed.Change{Blocks: []missed.Block{block(3, 4, "phantom"), block(5, 9, "phantom"), block(10, 20, "phantom")}})
	commit(missed.Change{Blocks: []missed.Block{block(3, 6, "real"), block(7, 8, "real")}})
	// A block past the record, as only damage leaves one, is not taken.
	past := missed.Key{Room: "past"}
	commit(missed.Change{Rooms: []missed.Room{{Key: past, Epoch: 1, First: 1}}, Blocks: []missed.Block{pastBlock(past, 1), pastBlock(past, 2)}})
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		record := appendRecord(nil, &missed.Room{Key: past, Epoch: 1, First: 1, Last: 1})
		return tx.Bucket(logBucket).Bucket(roomKey(past)).Put(recordKey, record)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(func(r missed.Record) error {
		if r.Span != nil && r.Span.Key == past && r.Span.Last != 1 {
			t.Errorf("Load() gives events up to %d, the record says 1", r.Span.Last)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	b, err := s.Read(lobby, 1, 1<<20)
	want := append(append(block(1, 2, "real").Frames, block(3, 6, "real").Frames...), block(7, 8, "real").Frames...)
	if err != nil || b.Last != 8 || !bytes.Equal(b.Frames, want) {
		t.Errorf("Read() = events %d to %d, %v, want the 8 real ones", b.First, b.Last, err)
	}
	if _, err := s.Read(lobby, 9, 1); err != io.EOF {
		t.Errorf("Read(9) = %v, want EOF", err)
	}
	s.Close()
}

func pastBlock(k missed.Key, seq uint64) missed.Block {
	frames, _ := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindEvent, Seq: seq})
	return missed.Block{Key: k, First: seq, Last: seq, Frames: frames}
}

// An event that was acknowledged survives a kill.
func TestKill(t *testing.T) {
	if path := os.Getenv("MISSED_TEST_KILL"); path != "" {
		publishForever(t, path)
	}
	path := filepath.Join(t.TempDir(), "missed.db")
	acked := make(map[string]uint64)
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "MISSED_TEST_KILL="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			room, id, ok := strings.Cut(lines.Text(), " ")
			if !ok {
				t.Fatalf("the other process says %q", lines.Text())
			}
			acked[room], _ = strconv.ParseUint(id, 10, 64)
			if n == 200 {
				cmd.Process.Kill() // and read on what it had said before
			}
		}
		cmd.Wait()
		_, q := openQueue(t, path, Options{})
		for room, id := range acked {
			l := q.Lookup(missed.Key{Room: room})
			if l == nil || l.Head() < id {
				t.Fatalf("round %d: room %s lost acknowledged events up to %d", round, room, id)
			}
			wantIDs(t, l, l.Head())
			acked[room] = l.Head()
			// A retry of the last one is known.
			if seq, dup, err := l.Append(&wire.Envelope{Kind: wire.KindEvent, Sender: []byte("ana"), ID: id}, nil); seq != id || !dup || err != nil {
				t.Errorf("round %d: a retry of id %d = %d, %v, %v", round, id, seq, dup, err)
			}
		}
		q.Close()
	}
}

// publishForever publishes in four rooms at once, with ids that are the
// sequence numbers, and prints what is acknowledged.
func publishForever(t *testing.T, path string) {
	_, q := openQueue(t, path, Options{})
	out := make(chan string)
	for _, room := range []string{"a", "b", "c", "d"} {
		go func() {
			k := missed.Key{Room: room}
			for id := q.Log(k).Head() + 1; ; id++ {
				if err := publish(q, k, id, 50); err != nil {
					panic(err)
				}
				out <- fmt.Sprintf("%s %d\n", room, id)
			}
		}()
	}
	for line := range out {
		if _, err := os.Stdout.WriteString(line); err != nil {
			os.Exit(0)
		}
	}
}
