package missed

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"sync"
)

// Memory is a Store that ends with the process. It keeps what it is given by
// reference. A Queue on it leaves the events in its logs and gives it records
// only; what is in it outlives Close, so that a second Queue finds those.
type Memory struct {
	mu     sync.Mutex
	rooms  map[Key]*memoryRoom
	tables map[string]map[string][]byte
}

type memoryRoom struct {
	Room
	blocks []Block
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{rooms: make(map[Key]*memoryRoom), tables: make(map[string]map[string][]byte)}
}

// Ephemeral marks the store as one that forgets.
func (s *Memory) Ephemeral() {}

// Load implements Store.
func (s *Memory) Load(fn func(Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(s.rooms), Key.Compare) {
		r := s.rooms[k]
		room := r.Room
		if err := fn(Record{Room: &room}); err != nil {
			return err
		}
		for i := range r.blocks {
			b := &r.blocks[i]
			span := Span{
				Key: k, First: b.First, Last: b.Last, Bytes: int64(len(b.Frames)),
				FirstTime: frameTime(b.Frames), LastTime: frameTime(lastFrame(b)),
				Marked: len(b.Marks) > 0,
			}
			for i := range b.Marks {
				span.Bytes += b.Marks[i].cost()
			}
			if err := fn(Record{Span: &span}); err != nil {
				return err
			}
		}
	}
	for _, table := range slices.Sorted(maps.Keys(s.tables)) {
		for _, key := range slices.Sorted(maps.Keys(s.tables[table])) {
			if err := fn(Record{Entry: &Entry{table, key, s.tables[table][key]}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Commit implements Store.
func (s *Memory) Commit(c *Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(c); err != nil {
		return err
	}
	for _, k := range c.Drop {
		delete(s.rooms, k)
	}
	for _, r := range c.Rooms {
		r.Last, r.Gone = r.First-1, ReasonNone
		s.rooms[r.Key] = &memoryRoom{Room: r}
	}
	for _, b := range c.Blocks {
		r := s.rooms[b.Key]
		r.blocks = append(r.blocks, b)
		r.Last = b.Last
	}
	for _, t := range c.Trim {
		r := s.rooms[t.Key]
		if t.First > r.First {
			r.First, r.Gone = t.First, t.Reason
		}
		for len(r.blocks) > 0 && r.blocks[0].Last < r.First {
			r.blocks = slices.Delete(r.blocks, 0, 1)
		}
	}
	for _, p := range c.Puts {
		switch {
		case p.Value == nil:
			delete(s.tables[p.Table], p.Key)
		default:
			if s.tables[p.Table] == nil {
				s.tables[p.Table] = make(map[string][]byte)
			}
			s.tables[p.Table][p.Key] = p.Value
		}
	}
	return nil
}

// check refuses a change that does not fit what is stored.
func (s *Memory) check(c *Change) error {
	last := make(map[Key]uint64)
	for k, r := range s.rooms {
		last[k] = r.Last
	}
	for _, k := range c.Drop {
		delete(last, k)
	}
	for _, r := range c.Rooms {
		if _, ok := last[r.Key]; ok {
			return fmt.Errorf("room %v is there already", r.Key)
		}
		last[r.Key] = r.First - 1
	}
	for i := range c.Blocks {
		b := &c.Blocks[i]
		if n, ok := last[b.Key]; !ok || b.First != n+1 || b.Last < b.First {
			return fmt.Errorf("room %v: block of events %d to %d after %d", b.Key, b.First, b.Last, n)
		}
		last[b.Key] = b.Last
	}
	for _, t := range c.Trim {
		if n, ok := last[t.Key]; !ok || t.First > n+1 {
			return fmt.Errorf("room %v: trim to %d of %d", t.Key, t.First, n)
		}
	}
	return nil
}

// Read implements Store.
func (s *Memory) Read(k Key, from uint64, most int) (Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[k]
	if r == nil {
		return Block{}, io.EOF
	}
	from = max(from, r.First)
	i := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].Last >= from })
	if i == len(r.blocks) {
		return Block{}, io.EOF
	}
	return r.blocks[i].From(from).Head(most), nil
}

// Close implements Store.
func (s *Memory) Close() error { return nil }
