package missed

import (
	"errors"
	"sync"
)

// A fakeStore is a Memory that counts as durable and does what a test says.
type fakeStore struct {
	*memory
	mu      sync.Mutex
	commits []*Change        // that were stored
	hold    chan error       // if set, a commit waits for its verdict
	quit    chan struct{}    // closed: no verdict will come any more
	waiting *Change          // the commit that waits
	fail    error            // if set, commits fail
	noRead  error            // if set, reads fail
	reading func()           // if set, called before each read
	lose    func(Block) bool // if set, blocks for which it is true are damaged
}

// memory hides that Memory is ephemeral.
type memory struct{ s *Memory }

func (m *memory) Load(fn func(Record) error) error { return m.s.Load(fn) }

func newFake() *fakeStore { return &fakeStore{memory: &memory{NewMemory()}, quit: make(chan struct{})} }

var errDisk = errors.New("the disk says no")

func (f *fakeStore) Commit(c *Change) error {
	f.mu.Lock()
	hold, err := f.hold, f.fail
	f.waiting = c
	f.mu.Unlock()
	if hold != nil {
		select {
		case err = <-hold:
		case <-f.quit:
			err = errDisk
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = nil
	if err != nil {
		return err
	}
	if err := f.s.Commit(c); err != nil {
		return err
	}
	f.commits = append(f.commits, c)
	return nil
}

func (f *fakeStore) Read(k Key, from uint64, most int) (Block, error) {
	f.mu.Lock()
	err, lose, reading := f.noRead, f.lose, f.reading
	f.mu.Unlock()
	if reading != nil {
		reading()
	}
	if err != nil {
		return Block{}, err
	}
	b, err := f.s.Read(k, from, most)
	if err == nil && lose != nil && lose(b) {
		b.Frames, b.Marks = nil, nil
	}
	return b, err
}

func (f *fakeStore) Close() error { return nil }

func (f *fakeStore) set(fn func(f *fakeStore)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(f)
}

func (f *fakeStore) held() *Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}
