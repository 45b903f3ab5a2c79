package storetest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"wirelab/internal/missed"
)

func testEmpty(t *testing.T, s *session) {
	s.wantLoad(content{})
	if b, err := s.Read(lobby, 1, 100); err != io.EOF {
		t.Errorf("Read() = %+v, %v, want EOF", b, err)
	}
	s.commit(missed.Change{})
	s.reopen()
	s.wantLoad(content{})
}

func testEvents(t *testing.T, s *session) {
	a, b := Events(lobby, 1, 10), Events(lobby, 11, 11)
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{a}})
	s.commit(missed.Change{Blocks: []missed.Block{b}})
	c, d := Events(lobby, 12, 40), Events(lobby, 41, 50)
	s.commit(missed.Change{Blocks: []missed.Block{c, d}})
	for range 2 {
		s.wantBlocks(lobby, a, b, c, d)
		s.wantLoad(content{
			Rooms: []missed.Room{{Key: lobby, Epoch: 0xfeed, First: 1, Last: 50}},
			Spans: map[missed.Key]span{lobby: {1, 50, 1, 50, false}},
		})
		s.reopen()
	}
}

func testReadFrom(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 10)}})
	s.commit(missed.Change{Blocks: []missed.Block{Events(lobby, 11, 30)}})
	for from := uint64(0); from <= 30; from++ {
		b, err := s.Read(lobby, from, 700)
		if err != nil || b.First != max(from, 1) {
			t.Errorf("Read(%d) = events %d to %d, %v", from, b.First, b.Last, err)
			continue
		}
		if want := Events(lobby, b.First, b.Last); !bytes.Equal(b.Frames, want.Frames) {
			t.Errorf("Read(%d) = events %d to %d with other bytes", from, b.First, b.Last)
		}
	}
	for _, from := range []uint64{31, 1000, 1<<64 - 1} {
		if b, err := s.Read(lobby, from, 700); err != io.EOF {
			t.Errorf("Read(%d) = events %d to %d, %v, want EOF", from, b.First, b.Last, err)
		}
	}
}

func testOneEvent(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 10)}})
	for _, most := range []int{-1, 0, 1, 20} {
		b, err := s.Read(lobby, 3, most)
		if err != nil || b.First != 3 || b.Last != 3 {
			t.Errorf("Read(3, %d) = events %d to %d, %v, want 3 alone", most, b.First, b.Last, err)
		}
	}
}

func testMarks(t *testing.T, s *session) {
	a, b := Events(lobby, 1, 10), Events(lobby, 11, 20)
	a.Marks = []missed.Marked{
		missed.NewMarked(1, missed.Mark{Only: []uint64{5}}),
		missed.NewMarked(4, missed.Mark{Except: []uint64{1, 1 << 63}}),
		missed.NewMarked(5, missed.Mark{Only: []uint64{}}), // nobody, which is not everybody
		missed.NewMarked(10, missed.Mark{Only: []uint64{1, 2, 3}, Except: []uint64{2}}),
	}
	b.Marks = []missed.Marked{missed.NewMarked(11, missed.Mark{Except: []uint64{9}})}
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{a, b}})
	for range 2 {
		s.wantBlocks(lobby, a, b)
		if got := s.load(); !got.Spans[lobby].Marked {
			t.Errorf("Load() = span %+v, want one with marks", got.Spans[lobby])
		}
		got, err := s.Read(lobby, 5, 1)
		if err != nil || len(got.Marks) != 1 || got.Marks[0].Seq != 5 || got.Marks[0].Mark().Only == nil {
			t.Errorf("Read(5) = marks %+v, %v, want one for nobody", got.Marks, err)
		}
		if got, err := s.Read(lobby, 6, 1); err != nil || len(got.Marks) != 0 {
			t.Errorf("Read(6) = marks %+v, %v, want none", got.Marks, err)
		}
		s.reopen()
	}
}

func testTrim(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 10)}})
	s.commit(missed.Change{Blocks: []missed.Block{Events(lobby, 11, 20)}})
	for _, first := range []uint64{1, 5, 3, 11, 12} { // never backwards
		s.commit(missed.Change{Trim: []missed.Trim{{Key: lobby, First: first, Reason: missed.ReasonExpired}}})
		if first == 3 {
			first = 5
		}
		for range 2 {
			got := s.load()
			if len(got.Rooms) != 1 || got.Rooms[0].First != first || got.Rooms[0].Last != 20 {
				t.Errorf("after a trim to %d: Load() = %+v", first, got.Rooms)
			}
			if b, err := s.Read(lobby, 1, 1); err != nil || b.First != first {
				t.Errorf("after a trim to %d: Read(1) = events %d to %d, %v", first, b.First, b.Last, err)
			}
			if got.Spans[lobby].First > first || first >= 11 && got.Spans[lobby].First < 11 {
				t.Errorf("after a trim to %d: Load() = %+v", first, got.Spans[lobby])
			}
			s.reopen()
		}
	}
}

func testTrimAll(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 10)}})
	s.commit(missed.Change{Trim: []missed.Trim{{Key: lobby, First: 11, Reason: missed.ReasonOverflow}}})
	for range 2 {
		s.wantLoad(content{Rooms: []missed.Room{{Key: lobby, Epoch: 0xfeed, First: 11, Last: 10, Gone: missed.ReasonOverflow}}})
		if _, err := s.Read(lobby, 1, 100); err != io.EOF {
			t.Errorf("Read() = %v, want EOF", err)
		}
		s.reopen()
	}
	next := Events(lobby, 11, 12)
	s.commit(missed.Change{Blocks: []missed.Block{next}})
	s.reopen()
	s.wantBlocks(lobby, next)
}

func testDrop(t *testing.T, s *session) {
	s.commit(missed.Change{
		Rooms:  []missed.Room{room(lobby), room(other)},
		Blocks: []missed.Block{Events(lobby, 1, 10), Events(other, 1, 5)},
	})
	s.commit(missed.Change{Drop: []missed.Key{lobby, {Room: "never there"}}})
	for range 2 {
		if _, err := s.Read(lobby, 1, 100); err != io.EOF {
			t.Errorf("Read() = %v, want EOF", err)
		}
		s.wantBlocks(other, Events(other, 1, 5))
		s.wantLoad(content{
			Rooms: []missed.Room{{Key: other, Epoch: 0xfeed, First: 1, Last: 5}},
			Spans: map[missed.Key]span{other: {1, 5, 1, 5, false}},
		})
		s.reopen()
	}
}

func testDropAgain(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 10)}})
	again := missed.Room{Key: lobby, Epoch: 0xbeef, First: 1}
	b := Events(lobby, 1, 3)
	s.commit(missed.Change{Drop: []missed.Key{lobby, lobby}, Rooms: []missed.Room{again}, Blocks: []missed.Block{b}})
	s.reopen()
	s.wantBlocks(lobby, b)
	s.wantLoad(content{
		Rooms: []missed.Room{{Key: lobby, Epoch: 0xbeef, First: 1, Last: 3}},
		Spans: map[missed.Key]span{lobby: {1, 3, 1, 3, false}},
	})
}

func testRooms(t *testing.T, s *session) {
	// Names that a careless encoding would take for each other.
	keys := []missed.Key{
		{}, {Room: "a"}, {Namespace: "a"}, {Namespace: "a", Room: "b"}, {Room: "ab"}, {Namespace: "ab"},
		{Room: "\x01a"}, {Namespace: strings.Repeat("n", 64), Room: strings.Repeat("r", 64)}, {Room: "a\x00b"},
	}
	var c missed.Change
	for i, k := range keys {
		c.Rooms = append(c.Rooms, missed.Room{Key: k, Epoch: uint64(i + 1), First: 1})
		c.Blocks = append(c.Blocks, Events(k, 1, uint64(i+1)))
	}
	s.commit(c)
	s.reopen()
	for i, k := range keys {
		s.wantBlocks(k, Events(k, 1, uint64(i+1)))
	}
	if got := s.load(); len(got.Rooms) != len(keys) {
		t.Errorf("Load() = %d rooms, want %d", len(got.Rooms), len(keys))
	}
}

func testTables(t *testing.T, s *session) {
	long := bytes.Repeat([]byte("long"), 10_000)
	s.commit(missed.Change{Puts: []missed.Entry{
		{Table: "session", Key: "ana", Value: []byte("1")}, {Table: "session", Key: "ben", Value: []byte("2")},
		{Table: "ban", Key: "ana", Value: []byte("3")}, {Table: "ban", Key: "", Value: []byte{}},
		{Table: "sessio", Key: "nana", Value: long},
	}})
	s.commit(missed.Change{Puts: []missed.Entry{
		{Table: "session", Key: "ana", Value: []byte("4")}, {Table: "session", Key: "ben"},
		{Table: "ban", Key: "nobody"},
	}})
	for range 2 {
		s.wantLoad(content{Entries: []entry{
			{"session", "ana", "4"}, {"ban", "ana", "3"}, {"ban", "", ""}, {"sessio", "nana", string(long)},
		}})
		s.reopen()
	}
}

func testAllOrNothing(t *testing.T, s *session) {
	a := Events(lobby, 1, 10)
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{a}})
	before := s.load()
	for name, c := range map[string]missed.Change{
		"gap": {
			Drop:   []missed.Key{lobby},
			Puts:   []missed.Entry{{Table: "t", Key: "k", Value: []byte("v")}},
			Rooms:  []missed.Room{room(other)},
			Blocks: []missed.Block{Events(other, 1, 2), Events(other, 4, 5)},
		},
		"no room": {
			Blocks: []missed.Block{Events(lobby, 11, 12), Events(other, 1, 2)},
			Trim:   []missed.Trim{{Key: lobby, First: 5}},
		},
		"trim past the end": {
			Blocks: []missed.Block{Events(lobby, 11, 12)},
			Trim:   []missed.Trim{{Key: lobby, First: 14}},
		},
	} {
		if err := s.Commit(&c); err == nil {
			t.Errorf("%s: Commit() = nil, want an error", name)
		}
		s.wantLoad(before)
		s.wantBlocks(lobby, a)
	}
	// And it goes on.
	b := Events(lobby, 11, 13)
	s.commit(missed.Change{Blocks: []missed.Block{b}})
	s.reopen()
	s.wantBlocks(lobby, a, b)
}

func testLong(t *testing.T, s *session) {
	big := missed.Block{Key: lobby, First: 2001, Last: 2003}
	for seq := big.First; seq <= big.Last; seq++ {
		big.Frames = appendEvent(big.Frames, lobby, seq, 60_000)
	}
	a, b := Events(lobby, 1, 2000), Events(lobby, 2004, 2005)
	a.Marks = []missed.Marked{missed.NewMarked(1500, missed.Mark{Except: []uint64{1}}), missed.NewMarked(2000, missed.Mark{Except: []uint64{2}})}
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{a, big, b}})
	s.reopen()
	s.wantBlocks(lobby, a, big, b)
	s.commit(missed.Change{Trim: []missed.Trim{{Key: lobby, First: 1000}}})
	s.reopen()
	if got, err := s.Read(lobby, 1, 1<<20); err != nil || got.First != 1000 || len(got.Frames) < 100_000 {
		t.Errorf("Read(1) after a trim to 1000 = events %d to %d, %d bytes, %v", got.First, got.Last, len(got.Frames), err)
	}
}

func testLoadStops(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby), room(other)}, Puts: []missed.Entry{{Table: "t", Key: "k", Value: []byte("v")}}})
	calls := 0
	if err := s.Load(func(missed.Record) error { calls++; return errStop }); err != errStop || calls != 1 {
		t.Errorf("Load() = %v after %d calls, want the callback's error after 1", err, calls)
	}
}

func testConcurrent(t *testing.T, s *session) {
	s.commit(missed.Change{Rooms: []missed.Room{room(lobby)}, Blocks: []missed.Block{Events(lobby, 1, 1)}})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				seq := uint64(1)
				for {
					b, err := s.Read(lobby, seq, 500)
					if err == io.EOF {
						break
					}
					if want := Events(lobby, b.First, b.Last); err != nil || b.First != seq || !bytes.Equal(b.Frames, want.Frames) {
						t.Errorf("Read(%d) = events %d to %d, %v", seq, b.First, b.Last, err)
						return
					}
					seq = b.Last + 1
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for seq := uint64(2); seq <= 60; seq += 2 {
		s.commit(missed.Change{Blocks: []missed.Block{Events(lobby, seq, seq+1)}})
	}
	close(stop)
	readers.Wait()
}

func testClose(t *testing.T, s *session) {
	for i := range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close() number %d = %v", i+1, err)
		}
	}
}

var errStop = errors.New("stop")
