package missed

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A damaged run is a loss, of as many as could have been seen as is known; a
// failing read is an error and moves nothing.
func TestColdDamage(t *testing.T) {
	f := newFake()
	q := open(t, Config{Store: f, HotBytes: 1})
	l := q.Log(Key{Room: "a"})
	for range 100 {
		appendN(t, l, 10, 100)
		if err := settle(q); err != nil {
			t.Fatal(err)
		}
	}
	if s := q.Stats(); s.Hot > s.Bytes/2 {
		t.Fatalf("%d of %d bytes are hot", s.Hot, s.Bytes)
	}
	f.set(func(f *fakeStore) { f.lose = func(b Block) bool { return b.First > 20 && b.Last <= 40 } })
	for after := uint64(0); after < 60; {
		b, err := l.Read(after, 60, 0, 1<<20)
		if err != nil || b.Cursor == after {
			t.Fatalf("Read(%d) = %+v, %v", after, b, err)
		}
		damaged := after >= 20 && after < 40
		if damaged != (b.Reason == ReasonDamaged) || damaged != (b.Frames == nil) || damaged && b.Lost != b.Cursor-after || after < 40 && b.Cursor > 40 {
			t.Errorf("Read(%d) = cursor %d, %d bytes, lost %d, %v", after, b.Cursor, len(b.Frames), b.Lost, b.Reason)
		}
		after = b.Cursor
	}
	if _, _, ok := l.Event(25); ok {
		t.Error("Event() of a damaged one")
	}
	f.set(func(f *fakeStore) { f.noRead = errDisk })
	if b, err := l.Read(5, 0, 0, 100); !errors.Is(err, ErrStore) || !errors.Is(err, errDisk) || b.Cursor != 5 {
		t.Errorf("Read() = %+v, %v, want ErrStore and the same cursor", b, err)
	}
	if b, err := l.Read(l.Head()-1, 0, 0, 100); err != nil || b.Cursor != l.Head() {
		t.Errorf("Read() of the newest = %+v, %v", b, err)
	}
}

// A room that is trimmed or dropped while the disk is being read is not damaged.
func TestTrimDuringRead(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(q *Queue)
		want      Batch
	}{
		{"expired", func(q *Queue) { q.Expire(time.Now().Add(48 * time.Hour)) }, Batch{Cursor: 20, Lost: 20, Reason: ReasonExpired}},
		{"dropped", func(q *Queue) { q.Drop(Key{Room: "a"}) }, Batch{}},
	} {
		f := newFake()
		q := open(t, Config{Store: f, HotBytes: 1})
		l := q.Log(Key{Room: "a"})
		for range 2 { // events of more than one chunk, so that some are cold
			appendN(t, l, 10, 1000)
			settle(q)
		}
		var once sync.Once
		f.set(func(f *fakeStore) {
			f.reading = func() {
				once.Do(func() {
					c.meanwhile(q)
					settle(q)
				})
			}
		})
		got, err := l.Read(0, 0, 0, 100)
		if err != nil || got.Frames != nil || got.Cursor != c.want.Cursor || got.Lost != c.want.Lost || got.Reason != c.want.Reason {
			t.Errorf("%s: Read() = %+v, %v, want %+v", c.name, got, err, c.want)
		}
		once.Do(func() { t.Errorf("%s: the store was not asked", c.name) })
	}
}

// The limit by bytes does not take the newest event, nor does the limit by age
// take one that is just as old as it may be.
func TestBoundaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, durable := range []bool{false, true} {
			cfg := Config{Store: NewMemory(), Limits: Limits{Bytes: 300, Age: time.Minute}, HotBytes: 1}
			if durable {
				cfg.Store = newFake()
			}
			q := open(t, cfg)
			l := q.Log(Key{Room: "a"})
			for range 3 {
				appendN(t, l, 1, 1000)
				settle(q)
				if l.First() != l.Head() {
					t.Errorf("durable %v: events %d to %d are kept, want the newest", durable, l.First(), l.Head())
				}
			}
			time.Sleep(time.Minute)
			q.Expire(time.Now())
			if l.Count() != 1 {
				t.Errorf("durable %v: an event expired at its age", durable)
			}
			q.Expire(time.Now().Add(time.Microsecond))
			if l.Count() != 0 || l.Bytes() != 0 || l.First() != l.Head()+1 {
				t.Errorf("durable %v: %d events, %d bytes after the age", durable, l.Count(), l.Bytes())
			}
			q.Close()
			if !durable {
				continue
			}

			// The same where the store alone has the events.
			cfg.Limits = Limits{Age: time.Minute}
			q = open(t, cfg)
			l = q.Log(Key{Room: "b"})
			for range 30 {
				appendN(t, l, 1, 500)
				settle(q)
				time.Sleep(time.Second)
			}
			start := time.Now().Add(-30 * time.Second)
			if q.Stats().Hot > q.Stats().Bytes/2 {
				t.Error("too much is hot")
			}
			for i := range 15 {
				q.Expire(start.Add(time.Minute + time.Duration(i)*time.Second))
				if l.First() != uint64(i+1) {
					t.Errorf("first %d after %d seconds past the age", l.First(), i)
				}
			}
			q.Close()
		}
	})
}
