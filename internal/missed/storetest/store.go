// Package storetest is the contract of a missed.Store as tests.
package storetest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// Run tests a kind of store. fresh is called once per test: it returns a
// function that opens a store with nothing in it and, after that one's Close,
// opens the same again.
func Run(t *testing.T, fresh func(t *testing.T) (open func() missed.Store)) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *session)
	}{
		{"empty", testEmpty},
		{"events come back", testEvents},
		{"read from anywhere", testReadFrom},
		{"at least one event", testOneEvent},
		{"marks", testMarks},
		{"trim", testTrim},
		{"trim all", testTrimAll},
		{"drop", testDrop},
		{"drop and make again at once", testDropAgain},
		{"rooms are apart", testRooms},
		{"tables", testTables},
		{"all or nothing", testAllOrNothing},
		{"long blocks", testLong},
		{"load stops", testLoadStops},
		{"read beside commit", testConcurrent},
		{"close twice", testClose},
		{"random", testRandom},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &session{t: t, open: fresh(t)}
			s.Store = s.open()
			defer func() { s.Close() }()
			c.test(t, s)
		})
	}
}

// A session is a store that can be reopened.
type session struct {
	t    *testing.T
	open func() missed.Store
	missed.Store
}

func (s *session) reopen() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatalf("Close() = %v", err)
	}
	s.Store = s.open()
	s.load() // as a queue does
}

func (s *session) commit(c missed.Change) {
	s.t.Helper()
	if err := s.Commit(&c); err != nil {
		s.t.Fatalf("Commit() = %v", err)
	}
}

// A content is what Load says, as one value.
type content struct {
	Rooms   []missed.Room
	Spans   map[missed.Key]span
	Entries []entry
}

// An entry has a string because cmp compares those in one go.
type entry struct{ Table, Key, Value string }

// A span is all spans of a room in one.
type span struct {
	First, Last         uint64
	FirstTime, LastTime int64
	Marked              bool
}

func (s *session) load() content {
	s.t.Helper()
	c := content{Spans: make(map[missed.Key]span)}
	known := make(map[missed.Key]bool)
	err := s.Load(func(r missed.Record) error {
		switch {
		case r.Room != nil:
			c.Rooms = append(c.Rooms, *r.Room)
			known[r.Room.Key] = true
		case r.Span != nil:
			if !known[r.Span.Key] {
				s.t.Errorf("Load() gave a span of room %v before the room", r.Span.Key)
			}
			if r.Span.Bytes <= 0 || r.Span.FirstTime > r.Span.LastTime {
				s.t.Errorf("Load() gave the span %+v", *r.Span)
			}
			all, ok := c.Spans[r.Span.Key]
			if !ok {
				all = span{First: r.Span.First, FirstTime: r.Span.FirstTime}
			} else if r.Span.First != all.Last+1 {
				s.t.Errorf("Load() gave span %d to %d after event %d", r.Span.First, r.Span.Last, all.Last)
			}
			all.Marked = all.Marked || r.Span.Marked
			all.Last, all.LastTime = r.Span.Last, r.Span.LastTime
			c.Spans[r.Span.Key] = all
		case r.Entry != nil:
			if r.Entry.Value == nil {
				s.t.Errorf("Load() gave the entry %q in %q without a value", r.Entry.Key, r.Entry.Table)
			}
			c.Entries = append(c.Entries, entry{r.Entry.Table, r.Entry.Key, string(r.Entry.Value)})
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("Load() = %v", err)
	}
	return c
}

func (s *session) wantLoad(want content) {
	s.t.Helper()
	options := cmp.Options{
		cmpopts.EquateEmpty(),
		cmpopts.SortSlices(func(a, b missed.Room) bool { return a.Key.Compare(b.Key) < 0 }),
		cmpopts.SortSlices(func(a, b entry) bool { return a.Table+"\x00"+a.Key < b.Table+"\x00"+b.Key }),
	}
	if diff := cmp.Diff(want, s.load(), options); diff != "" {
		s.t.Errorf("Load() is not what was stored (-want +got):\n%s", diff)
	}
}

// readAll reads a room from seq on, most bytes at a time.
func (s *session) readAll(k missed.Key, seq uint64, most int) (frames []byte, marks []missed.Marked, first, last uint64) {
	s.t.Helper()
	for {
		b, err := s.Read(k, seq, most)
		if err == io.EOF {
			return frames, marks, first, last
		}
		if err != nil {
			s.t.Fatalf("Read(%v, %d, %d) = %v", k, seq, most, err)
		}
		if b.Key != k || b.First < seq || b.Last < b.First || last != 0 && b.First != last+1 {
			s.t.Fatalf("Read(%v, %d, %d) = events %d to %d of %v, after %d", k, seq, most, b.First, b.Last, b.Key, last)
		}
		if n := count(s.t, b.Frames, b.First); n != b.Last+1-b.First {
			s.t.Fatalf("Read(%v, %d, %d) = %d frames for events %d to %d", k, seq, most, n, b.First, b.Last)
		} else if n > 1 && len(b.Frames) > most {
			s.t.Fatalf("Read(%v, %d, %d) = %d frames of %d bytes together", k, seq, most, n, len(b.Frames))
		}
		if first == 0 {
			first = b.First
		}
		frames = append(frames, b.Frames...)
		marks = append(marks, b.Marks...)
		last, seq = b.Last, b.Last+1
	}
}

// count counts frames whose events are numbered from seq on.
func count(t *testing.T, frames []byte, seq uint64) (n uint64) {
	t.Helper()
	for len(frames) > 0 {
		envelope, rest, err := wire.SplitFrame(frames)
		if err != nil || envelope == nil {
			t.Fatalf("a block ends inside a frame: %v", err)
		}
		e, err := wire.Decode(envelope)
		if err != nil || e.Seq != seq+n {
			t.Fatalf("event %d = %d, %v", seq+n, e.Seq, err)
		}
		frames = rest
		n++
	}
	return n
}

func (s *session) wantBlocks(k missed.Key, blocks ...missed.Block) {
	s.t.Helper()
	var want []byte
	var marks []missed.Marked
	for _, b := range blocks {
		want = append(want, b.Frames...)
		marks = append(marks, b.Marks...)
	}
	for _, most := range []int{1, 100, 1000, 1 << 20} {
		got, gotMarks, _, _ := s.readAll(k, blocks[0].First, most)
		if !bytes.Equal(got, want) {
			s.t.Errorf("room %v: read %d bytes at a time: %d bytes, want the %d stored", k, most, len(got), len(want))
		}
		if diff := cmp.Diff(marks, gotMarks, cmpopts.EquateEmpty()); diff != "" {
			s.t.Errorf("room %v: marks (-want +got):\n%s", k, diff)
		}
	}
}

// Events makes a block of the events from first to last of a room, with
// arguments of different lengths and times that are their numbers.
func Events(k missed.Key, first, last uint64) missed.Block {
	b := missed.Block{Key: k, First: first, Last: last}
	for seq := first; seq <= last; seq++ {
		b.Frames = appendEvent(b.Frames, k, seq, int(seq*37%200))
	}
	return b
}

func appendEvent(dst []byte, k missed.Key, seq uint64, size int) []byte {
	dst, err := wire.AppendFrame(dst, &wire.Envelope{
		Kind: wire.KindEvent, Seq: seq, Prev: seq - 1, ID: seq, Time: int64(seq),
		Namespace: []byte(k.Namespace), Room: []byte(k.Room), Sender: []byte("ana"), Event: []byte("say"),
		Args: fmt.Appendf(nil, `["%0*d"]`, size, seq),
	})
	if err != nil {
		panic(err)
	}
	return dst
}

var (
	lobby = missed.Key{Room: "lobby"}
	other = missed.Key{Namespace: "other", Room: "lobby"}
)

func room(k missed.Key) missed.Room { return missed.Room{Key: k, Epoch: 0xfeed, First: 1} }

func testRandom(t *testing.T, s *session) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []missed.Key{lobby, other, {Room: "a"}, {Namespace: "a"}, {Namespace: "l", Room: "obby"}}
	rooms := make(map[missed.Key]*missed.Room)
	frames := make(map[missed.Key]map[uint64][]byte)
	entries := make(map[string]string)
	for range 150 {
		var c missed.Change
		for _, k := range keys {
			switch n := r.IntN(10); {
			case rooms[k] == nil:
				if n < 5 {
					rooms[k] = &missed.Room{Key: k, Epoch: r.Uint64() | 1, First: 1}
					frames[k] = make(map[uint64][]byte)
					c.Rooms = append(c.Rooms, *rooms[k])
				}
			case n == 0:
				c.Drop = append(c.Drop, k)
				delete(rooms, k)
			case n < 6:
				for range 1 + r.IntN(2) {
					first := rooms[k].Last + 1
					b := Events(k, first, first+uint64(r.IntN(40)))
					c.Blocks = append(c.Blocks, b)
					rooms[k].Last = b.Last
					rest := b.Frames
					for seq := first; len(rest) > 0; seq++ {
						envelope, after, _ := wire.SplitFrame(rest)
						frames[k][seq] = rest[:wire.LengthSize+len(envelope)]
						rest = after
					}
				}
			case n < 8:
				if n := uint64(r.IntN(int(rooms[k].Last + 2 - rooms[k].First))); n > 0 {
					rooms[k].First += n
					rooms[k].Gone = missed.ReasonExpired
				}
				c.Trim = append(c.Trim, missed.Trim{Key: k, First: rooms[k].First, Reason: missed.ReasonExpired})
			}
			key := fmt.Sprint(r.IntN(8))
			if r.IntN(3) == 0 {
				delete(entries, key)
				c.Puts = append(c.Puts, missed.Entry{Table: "t", Key: key})
			} else {
				entries[key] = fmt.Sprint(r.Uint64())
				c.Puts = append(c.Puts, missed.Entry{Table: "t", Key: key, Value: []byte(entries[key])})
			}
		}
		s.commit(c)
		if r.IntN(20) == 0 {
			s.reopen()
		}
		for _, k := range keys {
			if rooms[k] == nil || rooms[k].First > rooms[k].Last {
				if b, err := s.Read(k, 1, 100); err != io.EOF {
					t.Fatalf("Read(%v) = events %d to %d, %v, want EOF", k, b.First, b.Last, err)
				}
				continue
			}
			from := rooms[k].First + uint64(r.IntN(int(rooms[k].Last+1-rooms[k].First)))
			got, _, first, last := s.readAll(k, from, 1+r.IntN(3000))
			var want []byte
			for seq := from; seq <= rooms[k].Last; seq++ {
				want = append(want, frames[k][seq]...)
			}
			if first != from || last != rooms[k].Last || !bytes.Equal(got, want) {
				t.Fatalf("Read(%v, %d) = events %d to %d, want up to %d, same bytes: %v", k, from, first, last, rooms[k].Last, bytes.Equal(got, want))
			}
		}
	}
	s.reopen()
	got := s.load()
	if len(got.Rooms) != len(rooms) || len(got.Entries) != len(entries) {
		t.Fatalf("Load() = %d rooms and %d entries, want %d and %d", len(got.Rooms), len(got.Entries), len(rooms), len(entries))
	}
	for _, r := range got.Rooms {
		if rooms[r.Key] == nil || *rooms[r.Key] != r {
			t.Errorf("Load() = %+v, want %+v", r, rooms[r.Key])
		}
	}
	for _, e := range got.Entries {
		if want, ok := entries[e.Key]; !ok || want != e.Value {
			t.Errorf("Load() = entry %q: %q, want %q", e.Key, e.Value, want)
		}
	}
}
