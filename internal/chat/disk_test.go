package chat_test

import (
	"errors"
	"sync"
	"testing"

	"wirelab/internal/missed"
)

// A disk is a durable store in memory: what was committed outlives the queue,
// as on a disk. It can be made slow and it can be made to fail.
type disk struct {
	*missed.Memory // hidden by the methods below is that it forgets

	mu     sync.Mutex
	fail   error
	bad    error // of Read
	gate   chan struct{}
	waits  int // commits that wait at the gate
	commit int
}

func newDisk() *disk { return &disk{Memory: missed.NewMemory()} }

// open returns a queue on the disk as it is.
func (d *disk) open(t testing.TB, cfg ...missed.Config) *missed.Queue {
	t.Helper()
	var c missed.Config
	if len(cfg) > 0 {
		c = cfg[0]
	}
	c.Store = durable{d}
	q, err := missed.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.release(); q.Close() })
	return q
}

// durable is the disk without Memory's Ephemeral.
type durable struct{ d *disk }

func (s durable) Load(fn func(missed.Record) error) error { return s.d.Memory.Load(fn) }
func (s durable) Close() error                            { return nil }

func (s durable) Commit(c *missed.Change) error {
	s.d.mu.Lock()
	gate, fail := s.d.gate, s.d.fail
	s.d.commit++
	if gate != nil {
		s.d.waits++
	}
	s.d.mu.Unlock()
	if gate != nil {
		<-gate
		s.d.mu.Lock()
		s.d.waits--
		fail = s.d.fail
		s.d.mu.Unlock()
	}
	if fail != nil {
		return fail
	}
	return s.d.Memory.Commit(c)
}

func (s durable) Read(k missed.Key, from uint64, most int) (missed.Block, error) {
	s.d.mu.Lock()
	bad := s.d.bad
	s.d.mu.Unlock()
	if bad != nil {
		return missed.Block{}, bad
	}
	return s.d.Memory.Read(k, from, most)
}

var errDisk = errors.New("no space left on device")

// set changes what the disk does: fail commits, fail reads.
func (d *disk) set(fail, bad error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail, d.bad = fail, bad
}

// hold makes commits wait until release.
func (d *disk) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = make(chan struct{})
}

func (d *disk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate != nil {
		close(d.gate)
		d.gate = nil
	}
}

// settle waits until everything appended before is committed, and its readers
// were woken.
func (d *disk) settle(t testing.TB, q *missed.Queue) {
	t.Helper()
	for range 2 { // the second comes after all that the first round caused
		done := make(chan error, 1)
		q.After(func(err error) { done <- err })
		<-done
	}
}
