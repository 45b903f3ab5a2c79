package missed

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

func open(t *testing.T, cfg Config) *Queue {
	t.Helper()
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func say(args string) *wire.Envelope {
	return &wire.Envelope{Kind: wire.KindEvent, Sender: []byte("ana"), Event: []byte("say"), Args: []byte(args)}
}

// appendN appends n events of a size to a log.
func appendN(t *testing.T, l *Log, n, size int) {
	t.Helper()
	for range n {
		if _, _, err := l.Append(say(strings.Repeat("x", size)), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// settle waits until all that was appended is stored or taken back.
func settle(q *Queue) error {
	done := make(chan error, 1)
	q.After(func(err error) { done <- err })
	return <-done
}

func TestOpenRefuses(t *testing.T) {
	block := func(first, last uint64) *Span { return &Span{Key: Key{Room: "a"}, First: first, Last: last} }
	room := &Room{Key: Key{Room: "a"}, Epoch: 1, First: 1, Last: 10}
	for _, c := range []struct {
		name  string
		store Store
	}{
		{"no store", nil},
		{"load fails", loads{}},
		{"no epoch", loads{{Room: &Room{First: 1}}}},
		{"no first", loads{{Room: &Room{Epoch: 1}}}},
		{"first after last", loads{{Room: &Room{Epoch: 1, First: 3, Last: 1}}}},
		{"room twice", loads{{Room: room}, {Room: room}}},
		{"span without room", loads{{Span: block(1, 2)}}},
		{"span past the end", loads{{Room: room}, {Span: block(5, 11)}}},
		{"spans overlap", loads{{Room: room}, {Span: block(1, 5)}, {Span: block(5, 6)}}},
		{"span backwards", loads{{Room: room}, {Span: block(5, 4)}}},
	} {
		if q, err := Open(Config{Store: c.store}); err == nil {
			q.Close()
			t.Errorf("%s: Open() = nil, want an error", c.name)
		}
	}
}

// loads is a store whose Load gives those records.
type loads []Record

func (s loads) Load(fn func(Record) error) error {
	if len(s) == 0 {
		return errDisk
	}
	for _, r := range s {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
func (s loads) Commit(*Change) error                 { return nil }
func (s loads) Read(Key, uint64, int) (Block, error) { return Block{}, errDisk }
func (s loads) Close() error                         { return nil }

// One commit takes what all publish while the one before waits for the disk.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.hold = make(chan error)
		q := open(t, Config{Store: f})
		var visible []string
		q.OnVisible(func(l *Log) { visible = append(visible, fmt.Sprint(l.Key().Room, l.Head())) })
		a, b := q.Log(Key{Room: "a"}), q.Log(Key{Room: "b"})
		var acked []string
		publish := func(l *Log) {
			l.AppendThen(say("1"), nil, func(seq uint64, err error) {
				acked = append(acked, fmt.Sprint(l.Key().Room, seq, err))
			})
		}
		publish(a)
		synctest.Wait() // the committer has taken it
		for range 100 {
			publish(a)
			publish(b)
		}
		q.Put("t", "k", []byte("v"))
		after := 0
		q.After(func(err error) { after++ })
		synctest.Wait()
		if a.Head() != 0 || len(acked) != 0 || len(visible) != 0 {
			t.Errorf("before the commit: head %d, %d acked, %d visible", a.Head(), len(acked), len(visible))
		}
		f.hold <- nil
		synctest.Wait()
		if a.Head() != 1 || len(acked) != 1 || after != 0 {
			t.Errorf("after one commit: head %d, %v acked, After ran: %d", a.Head(), acked, after)
		}
		f.hold <- nil
		synctest.Wait()
		if a.Head() != 101 || b.Head() != 100 || len(acked) != 201 || after != 1 {
			t.Errorf("after two commits: heads %d, %d, %d acked, After ran: %d", a.Head(), b.Head(), len(acked), after)
		}
		if n := len(f.commits); n != 2 || len(f.commits[1].Puts) != 1 {
			t.Errorf("%d commits, want 2", n)
		}
		if s := q.Stats(); s.Commits != 2 || s.Stored != 201 || s.LargestBatch != 200 || s.Pending != 0 {
			t.Errorf("Stats() = %+v", s)
		}
		if want := []string{"a1", "a101", "b100"}; !slices.Equal(visible, want) {
			t.Errorf("visible %v, want %v", visible, want)
		}
		close(f.quit)
	})
}

// A Put alone waits for a reason, and is tried again after a failure, in its
// newest form.
func TestPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		q := open(t, Config{Store: f})
		q.Put("t", "a", []byte("1"))
		q.Put("t", "b", []byte("1"))
		synctest.Wait()
		if len(f.commits) != 0 {
			t.Error("a Put started a commit")
		}
		f.set(func(f *fakeStore) { f.fail = errDisk })
		if err := settle(q); !errors.Is(err, ErrStore) || !errors.Is(err, errDisk) {
			t.Errorf("After gives %v, want ErrStore", err)
		}
		q.Put("t", "a", []byte("2"))
		f.set(func(f *fakeStore) { f.fail = nil })
		q.Expire(time.Now())
		synctest.Wait()
		if len(f.commits) != 1 {
			t.Fatalf("%d commits after Expire, want 1", len(f.commits))
		}
		got := make(map[string]string)
		for _, p := range f.commits[0].Puts {
			got[p.Key] += string(p.Value)
		}
		if len(got) != 2 || got["a"] != "2" || got["b"] != "1" {
			t.Errorf("stored %v", got)
		}
		q.Expire(time.Now())
		synctest.Wait()
		if len(f.commits) != 1 {
			t.Error("Expire commits nothing")
		}
		stop := errors.New("stop")
		if err := q.Each("t", func(string, []byte) error { return stop }); err != stop {
			t.Errorf("Each() = %v, want the callback's error", err)
		}
		q.Close()
		q.Put("t", "a", []byte("3"))
		if err := settle(q); !errors.Is(err, ErrClosed) {
			t.Errorf("After on a closed queue gives %v", err)
		}
		q = open(t, Config{Store: f})
		q.Each("t", func(key string, value []byte) error {
			if got[key] != string(value) {
				t.Errorf("after a restart: %q = %q", key, value)
			}
			return nil
		})
	})
}

// Records outlive a queue on a Memory, events do not.
func TestMemoryRestart(t *testing.T) {
	s := NewMemory()
	q := open(t, Config{Store: s})
	appendN(t, q.Log(Key{Room: "a"}), 3, 10)
	q.Put("t", "k", []byte("v"))
	q.Close()
	q = open(t, Config{Store: s})
	if len(q.Keys()) != 0 {
		t.Errorf("Keys() = %v", q.Keys())
	}
	n := 0
	q.Each("t", func(key string, value []byte) error { n++; return nil })
	if n != 1 || q.Durable() {
		t.Errorf("%d records, durable %v", n, q.Durable())
	}
}

// What a store's commit fails with is told to all whose events it takes back,
// also those that came while it failed, and their ids are free again.
func TestRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.hold = make(chan error)
		q := open(t, Config{Store: f})
		a, b := q.Log(Key{Room: "a"}), q.Log(Key{Room: "b"})
		var told []string
		publish := func(l *Log, id uint64) (seq uint64, dup bool) {
			e := say("1")
			e.ID = id
			seq, dup, err := l.AppendThen(e, &Mark{Except: []uint64{1}}, func(seq uint64, err error) {
				told = append(told, fmt.Sprint(l.Key().Room, id, errors.Is(err, ErrStore)))
			})
			if err != nil {
				t.Error(err)
			}
			return seq, dup
		}
		publish(a, 1)
		synctest.Wait()
		publish(a, 2)
		publish(b, 3)
		if seq, dup := publish(a, 1); seq != 1 || !dup {
			t.Errorf("a retry = %d, %v, want the original's number", seq, dup)
		}
		f.hold <- errDisk
		synctest.Wait()
		slices.Sort(told)
		if want := []string{"a1 true", "a1 true", "a2 true", "b3 true"}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if s := q.Stats(); s.Bytes != 0 || s.Pending != 0 || s.RolledBack != 3 || s.StoreErrors != 1 || s.Duplicates != 1 {
			t.Errorf("Stats() = %+v", s)
		}
		if seq, dup := publish(a, 2); seq != 1 || dup {
			t.Errorf("after a failure: append = %d, %v, want 1", seq, dup)
		}
		synctest.Wait()
		f.hold <- nil
		synctest.Wait()
		if e, m, ok := a.Event(1); !ok || e.ID != 2 || m.Allows(1) || !m.Allows(2) {
			t.Errorf("Event(1) = id %d, %+v, %v", e.ID, m, ok)
		}
		close(f.quit)
	})
}

// The store hangs: what waits is bounded.
func TestPendingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.hold = make(chan error)
		q := open(t, Config{Store: f})
		l := q.Log(Key{Room: "a"})
		e := say(strings.Repeat("x", wire.MaxArguments))
		var err error
		for err == nil {
			_, _, err = l.Append(e, nil)
			if q.Stats().Pending > maxPending {
				t.Fatalf("%d bytes wait", q.Stats().Pending)
			}
		}
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), fmt.Sprint(maxPending)) {
			t.Errorf("append = %v, want ErrFull with the limit", err)
		}
		close(f.quit)
	})
}

func TestRefuseNew(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Limits: Limits{Count: 3}}, "3 events, at most 3"},
		{Config{Limits: Limits{Bytes: 500}}, "at most 500"},
		{Config{TotalBytes: 500}, "all rooms"},
	} {
		for _, durable := range []bool{false, true} {
			c.cfg.Policy = RefuseNew
			c.cfg.Store = NewMemory()
			if durable {
				c.cfg.Store = newFake()
			}
			q := open(t, c.cfg)
			l := q.Log(Key{Room: "a"})
			e := say(strings.Repeat("x", 100))
			e.ID = 1
			if _, _, err := l.Append(e, nil); err != nil {
				t.Fatal(err)
			}
			var err error
			for range 10 {
				if _, _, err = l.Append(say(strings.Repeat("x", 100)), nil); err != nil {
					break
				}
			}
			if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"a"`) && c.cfg.TotalBytes == 0 {
				t.Errorf("append = %v, want ErrFull: %s", err, c.want)
			}
			// What is stored already is not refused.
			if seq, dup, err := l.Append(e, nil); seq != 1 || !dup || err != nil {
				t.Errorf("a retry into a full room = %d, %v, %v", seq, dup, err)
			}
			// What was refused is not remembered.
			e.ID = 2
			if _, dup, err := l.Append(e, nil); dup || !errors.Is(err, ErrFull) {
				t.Errorf("append = %v, %v", dup, err)
			}
			if _, dup, err := l.Append(e, nil); dup || !errors.Is(err, ErrFull) {
				t.Errorf("a retry of what was refused = %v, %v", dup, err)
			}
			settle(q)
			if l.First() != 1 || q.Stats().Trimmed != 0 {
				t.Errorf("something was dropped: first %d", l.First())
			}
		}
	}
}

// The largest room pays, down to the others' level.
func TestBalance(t *testing.T) {
	for _, durable := range []bool{false, true} {
		cfg := Config{Store: NewMemory(), TotalBytes: 64_000}
		if durable {
			cfg.Store = newFake()
		}
		q := open(t, cfg)
		log := func(i int) *Log { return q.Log(Key{Room: fmt.Sprint(i)}) }
		for i := range 10 {
			appendN(t, log(i), 10, 450) // 500 bytes each: 5,000 per room
		}
		appendN(t, log(0), 10, 450) // 55,000 now, 10,000 of them here
		settle(q)
		if q.Stats().Trimmed != 0 {
			t.Errorf("durable %v: trimmed below the total", durable)
		}
		for range 40 {
			appendN(t, log(0), 1, 450)
			settle(q)
			if n := q.Stats().Bytes; n > 64_000 {
				t.Fatalf("durable %v: %d bytes", durable, n)
			}
		}
		for i := 1; i < 10; i++ {
			if log(i).First() != 1 {
				t.Errorf("durable %v: room %d paid for room 0", durable, i)
			}
		}
		// Now everyone grows: the loss is shared.
		for range 30 {
			for i := range 10 {
				appendN(t, log(i), 1, 450)
			}
			settle(q)
		}
		for i := range 10 {
			if n := log(i).Bytes(); n < 5_000 || n > 7_500 {
				t.Errorf("durable %v: room %d has %d bytes of 64,000", durable, i, n)
			}
		}
		if n := q.Stats().Bytes; n > 64_000 || n < 60_000 {
			t.Errorf("durable %v: %d bytes", durable, n)
		}
		b, err := log(3).Read(0, 0, 0, 1000)
		if err != nil || b.Reason != ReasonOverflow || b.Lost != log(3).First()-1 {
			t.Errorf("durable %v: Read() = %+v, %v", durable, b, err)
		}
		// A room that cannot go below the total alone is emptied.
		q.Log(Key{Room: "large"}).Append(say(strings.Repeat("x", 60_000)), nil)
		q.Log(Key{Room: "larger"}).Append(say(strings.Repeat("x", 64_500)), nil)
		settle(q)
		if n := q.Stats().Bytes; n > 64_000 {
			t.Errorf("durable %v: %d bytes", durable, n)
		}
	}
}

// A queue that is opened with other limits keeps those.
func TestOtherLimits(t *testing.T) {
	f := newFake()
	q := open(t, Config{Store: f})
	a, b := Key{Room: "a"}, Key{Room: "b"}
	for range 20 {
		appendN(t, q.Log(a), 5, 50)
		appendN(t, q.Log(b), 5, 450)
		settle(q)
	}
	q.Close()
	q = open(t, Config{Store: f, Limits: Limits{Count: 30}, TotalBytes: 12_000})
	if l := q.Lookup(a); l.First() != 71 || l.Head() != 100 {
		t.Errorf("events %d to %d, want the last 30", l.First(), l.Head())
	}
	if n := q.Stats().Bytes; n > 12_000 || n < 8_000 {
		t.Errorf("%d bytes of 12,000", n)
	}
	q.Close()
	q = open(t, Config{Store: f})
	if l := q.Lookup(a); l.First() != 71 {
		t.Errorf("after one more restart: first %d", l.First())
	}
	if got, err := q.Lookup(a).Read(0, 0, 0, 100); err != nil || got.Reason != ReasonOverflow || got.Lost != 70 {
		t.Errorf("after one more restart: Read() = %+v, %v", got, err)
	}
}

// A log that nobody has published in is small.
func TestEmptyLogIsSmall(t *testing.T) {
	keys := make([]Key, 5000)
	for i := range keys {
		keys[i] = Key{Room: fmt.Sprint("room ", i)}
	}
	q := open(t, Config{Store: NewMemory()})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, k := range keys {
		q.Log(k)
	}
	runtime.ReadMemStats(&after)
	const most = 400 // with its place in the queue's map, and what that had before it grew
	if n := (after.TotalAlloc - before.TotalAlloc) / uint64(len(keys)); n > most {
		t.Errorf("an empty log takes %d bytes, at most %d", n, most)
	}
}
