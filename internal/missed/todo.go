package missed

import (
	"fmt"
	"sync"
)

// todo is what waits for the committer. Its mutex comes after every other.
type todo struct {
	mu      sync.Mutex
	some    sync.Cond // signalled when there is a reason to commit
	done    chan struct{}
	kicked  bool
	closing bool
	failed  error // why the last round failed, nil if it did not

	batch
	tables map[string]map[string][]byte // all records, as last put
}

// A batch is what one round of the committer takes.
type batch struct {
	logs  []*Log // with events that wait
	trims []*Log // whose First moved
	drops []Key
	puts  map[slot][]byte // the newest value of each
	after []func(error)
}

// A slot is where a record is.
type slot struct{ table, key string }

func (t *todo) init() {
	t.some.L = &t.mu
	t.done = make(chan struct{})
	t.tables = make(map[string]map[string][]byte)
}

// enlist notes that l has events that wait. It refuses once Close was called.
func (t *todo) enlist(l *Log) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return false
	}
	t.logs = append(t.logs, l)
	t.some.Signal()
	return true
}

// enlistTrim notes that the store should hear of l's First. That goes with the
// next commit and is no reason for one.
func (t *todo) enlistTrim(l *Log) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trims = append(t.trims, l)
}

func (t *todo) drop(k Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drops = append(t.drops, k)
	t.kicked = true
	t.some.Signal()
}

// nudge starts a commit if anything waits.
func (t *todo) nudge() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.trims)+len(t.drops)+len(t.puts) > 0 {
		t.kicked = true
		t.some.Signal()
	}
}

// next waits for a reason to commit and takes all that waits. last means that
// the queue is being closed.
func (t *todo) next() (b batch, last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.logs)+len(t.after) == 0 && !t.kicked && !t.closing {
		t.some.Wait()
	}
	b, t.batch = t.batch, batch{}
	t.kicked = false
	return b, t.closing
}

// giveBack takes what a failed round could not do, apart from its events, and
// returns what came in since then and fails with it.
func (t *todo) giveBack(b *batch, err error) (logs []*Log, after []func(error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
	t.trims = append(b.trims, t.trims...)
	t.drops = append(b.drops, t.drops...)
	for s, v := range b.puts {
		if _, newer := t.puts[s]; !newer {
			t.put(s, v)
		}
	}
	logs, after = t.logs, t.after
	t.logs, t.after = nil, nil
	return logs, after
}

func (t *todo) put(s slot, value []byte) {
	if t.puts == nil {
		t.puts = make(map[slot][]byte)
	}
	t.puts[s] = value
}

// close makes the committer end and waits for nothing.
func (t *todo) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closing = true
	t.some.Signal()
}

// succeeded clears what giveBack noted.
func (t *todo) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = nil
}

// lastError returns why the last round failed, nil if it did not.
func (t *todo) lastError() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return fmt.Errorf("missed: the last commit failed: %w", t.failed)
	}
	return nil
}
