package missed

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// A Config says what a Queue keeps and where.
type Config struct {
	Store      Store        // required: NewMemory() or one that is durable
	Limits     Limits       // per room
	TotalBytes int64        // over all rooms; if zero, DefaultTotalBytes; if negative, no limit
	Policy     Policy       // who pays when a limit is reached
	HotBytes   int64        // with a durable store: of each room, kept in memory; if zero, 1 MiB
	Dedup      Dedup        // how many message ids are remembered
	Logger     *slog.Logger // if nil, nothing is logged
}

// maxPending bounds the bytes that wait for a durable store, over all rooms.
// Publishers get ErrFull beyond it: the store hangs.
const maxPending = 64 << 20

// A Queue is the logs of all rooms, and the small records that outlive the
// process with them. All methods are safe for concurrent use. With a durable
// store it runs one goroutine, the committer, until Close.
type Queue struct {
	store    Store
	durable  bool
	limits   Limits
	total    int64
	policy   Policy
	hotBytes int64
	logger   *slog.Logger
	dedup    *dedup
	visible  atomic.Pointer[func(*Log)]

	closed  atomic.Bool
	bytes   atomic.Int64 // of all logs
	pending atomic.Int64 // of them, not stored yet
	gone    atomic.Int64 // marks of trimmed events
	stats   counters

	mu    sync.RWMutex // after no other lock
	rooms map[Key]*Log

	paying sync.Mutex // balance; before a log's mu

	todo todo // for the committer
}

// Open loads what cfg.Store has. On an error the store is still open.
func Open(cfg Config) (*Queue, error) {
	if cfg.Store == nil {
		return nil, errors.New("missed: no store")
	}
	_, ephemeral := cfg.Store.(Ephemeral)
	q := &Queue{
		store:    cfg.Store,
		durable:  !ephemeral,
		limits:   cfg.Limits.filled(),
		total:    bound(cfg.TotalBytes, DefaultTotalBytes),
		policy:   cfg.Policy,
		hotBytes: cmp.Or(cfg.HotBytes, 1<<20),
		logger:   cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		dedup:    newDedup(cfg.Dedup),
		rooms:    make(map[Key]*Log),
	}
	q.todo.init()
	if err := q.load(); err != nil {
		return nil, fmt.Errorf("missed: load: %w", err)
	}
	if q.durable {
		go q.commitLoop()
	}
	return q, nil
}

// OnVisible sets what the committer calls when a commit made events of a log
// visible. With a store that is not durable it is never called: events are
// visible when Append returns. No locks are held; fn must not block.
func (q *Queue) OnVisible(fn func(*Log)) { q.visible.Store(&fn) }

// Durable reports whether what is appended outlives the process.
func (q *Queue) Durable() bool { return q.durable }

// Log returns the room's log and makes it if there is none. An empty log is not
// stored: after a restart it has another epoch, and nothing is missing.
func (q *Queue) Log(k Key) *Log {
	if l := q.Lookup(k); l != nil {
		return l
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.rooms[k]
	if l == nil {
		l = q.newLog(k, newEpoch())
		q.rooms[k] = l
	}
	return l
}

func (q *Queue) newLog(k Key, epoch uint64) *Log {
	l := &Log{q: q, key: k, epoch: epoch}
	l.first.Store(1)
	return l
}

// newEpoch returns a random number that is not zero. It is no secret.
func newEpoch() uint64 {
	for {
		if e := rand.Uint64(); e != 0 {
			return e
		}
	}
}

// Lookup returns the room's log, or nil.
func (q *Queue) Lookup(k Key) *Log {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.rooms[k]
}

// Keys returns the rooms that have a log, sorted.
func (q *Queue) Keys() []Key {
	q.mu.RLock()
	keys := make([]Key, 0, len(q.rooms))
	for k := range q.rooms {
		keys = append(keys, k)
	}
	q.mu.RUnlock()
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// logs returns all logs, in no order.
func (q *Queue) logs() []*Log {
	q.mu.RLock()
	defer q.mu.RUnlock()
	logs := make([]*Log, 0, len(q.rooms))
	for _, l := range q.rooms {
		logs = append(logs, l)
	}
	return logs
}

// Drop forgets a room and its events, in the store with the next commit. Those
// who wait for an event of it to be stored get ErrDropped. A log that is still
// in somebody's hands reads as caught up and refuses to be appended to.
func (q *Queue) Drop(k Key) {
	q.mu.Lock()
	l := q.rooms[k]
	delete(q.rooms, k)
	q.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	l.dropped = true
	q.bytes.Add(-l.bytes.Swap(0))
	q.pending.Add(-l.pending.Swap(0))
	l.chunks, l.cold = nil, nil
	l.gone.forget(q)
	waiters := l.waiters
	l.waiters = nil
	if l.tried {
		q.todo.drop(k)
	}
	l.mu.Unlock()
	for _, w := range waiters {
		w.done(w.seq, fmt.Errorf("missed: room %v: %w", k, ErrDropped))
	}
}

// failed counts and wraps an error of the store.
func (q *Queue) failed(err error) error {
	q.stats.storeErrors.Add(1)
	return fmt.Errorf("missed: %w: %w", ErrStore, err)
}

// Close commits what waits, ends the committer and closes the store. Logs can
// still be read as far as they are in memory. Calling it again does nothing.
func (q *Queue) Close() error {
	first := !q.closed.Swap(true)
	q.todo.close()
	if q.durable {
		<-q.todo.done
	}
	if !first {
		return nil
	}
	return errors.Join(q.todo.lastError(), q.store.Close())
}
