// Package missed is the missed-message queue: for each room a log of encoded
// events, which members read from a cursor on. It knows no socket and no hub.
//
//	        First                    Head
//	          |                        |
//	... gone  [ store only | in memory ] in memory, not yet stored
//	          ^            ^           ^
//	        limits      HotBytes     Commit
//
// An event is appended once, as the frame that stream members are sent, and
// reading is taking a run of those bytes. With a durable [Store] an event is
// seen by nobody before a commit has stored it; one commit takes whatever all
// logs have waiting (group commit), so what one fsync costs is shared by all
// who publish meanwhile. If a commit fails, what waited is rolled back and its
// publishers are told: nothing is acknowledged that was not stored.
//
// Sequence numbers start at 1 and have no gaps; an event that cannot be read
// any more is reported as lost by [Log.Read], with a [Reason].
package missed

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/wire"
)

// A Log is the events of one room. All methods are safe for concurrent use.
// An empty one takes about 300 bytes.
type Log struct {
	q     *Queue
	key   Key
	epoch uint64
	owner atomic.Pointer[any]

	// Written under mu, read by anyone.
	first   atomic.Uint64 // oldest event that is kept; head+1 when there is none
	head    atomic.Uint64 // newest event that is visible
	bytes   atomic.Int64  // cost of all events from first on, visible or not
	pending atomic.Int64  // of them, cost of the events after head

	mu      sync.Mutex
	tail    uint64   // newest event, visible or not; always in chunks if > head
	chunks  []*chunk // the newest events, without a gap, up to tail
	cold    *cold    // with a durable store: events before chunks; nil if none
	gone    *gone    // what is remembered of trimmed events; nil if none were
	waiters []waiter // who wants to know when an event is stored

	queued  bool // the committer will come by
	trimmed bool // the committer will tell the store about first
	known   bool // the store has the room
	tried   bool // the store may have the room
	dropped bool
}

type waiter struct {
	seq  uint64
	done func(seq uint64, err error)
}

// Key returns the room that the log is of.
func (l *Log) Key() Key { return l.key }

// Epoch returns the log's random number. A room that was dropped and made
// again has another.
func (l *Log) Epoch() uint64 { return l.epoch }

// Head returns the sequence number of the newest visible event, 0 at first.
func (l *Log) Head() uint64 { return l.head.Load() }

// First returns the sequence number of the oldest event that is kept. It is
// Head()+1 if there is none.
func (l *Log) First() uint64 { return l.first.Load() }

// Count returns the number of visible events that are kept.
func (l *Log) Count() int {
	first, head := l.first.Load(), l.head.Load()
	return int(head + 1 - min(first, head+1))
}

// Bytes returns what the events take, those that wait for the store included.
// Events that are in the store alone leave the sum by runs, not one by one.
func (l *Log) Bytes() int64 { return l.bytes.Load() }

// visible returns what the visible events take.
func (l *Log) visible() int64 { return l.bytes.Load() - l.pending.Load() }

// Waiting returns how many visible events come after the sequence number
// after, kept or gone.
func (l *Log) Waiting(after uint64) uint64 {
	head := l.head.Load()
	return head - min(after, head)
}

// SetOwner attaches a value to the log, for example the hub's room.
func (l *Log) SetOwner(owner any) { l.owner.Store(&owner) }

// Owner returns what SetOwner attached, or nil.
func (l *Log) Owner() any {
	if p := l.owner.Load(); p != nil {
		return *p
	}
	return nil
}

// Append adds an event to the log. It sets e.Seq and e.Prev, and e.Time if it
// is zero, and keeps copies of all it needs; m is nil if everyone may see the
// event. It never blocks on a member or on the store.
//
// If e.ID is not zero and the room has seen it from e.Sender before, nothing
// is appended: dup is true and seq is the first one's.
//
// With a store that is not durable the event is visible on return, else after
// the next commit: use AppendThen to learn of it. The error wraps ErrFull,
// ErrDropped or ErrClosed, or is about an envelope that cannot be encoded.
func (l *Log) Append(e *wire.Envelope, m *Mark) (seq uint64, dup bool, err error) {
	return l.AppendThen(e, m, nil)
}

// AppendThen appends like Append and calls done once when the outcome is
// known: with nil when the event (of a duplicate, the original) is stored, with
// an error that wraps ErrStore or ErrDropped when it was rolled back. If
// AppendThen itself returns an error, done is not called.
//
// With a store that is not durable, and for a duplicate of a stored event, done
// runs in the caller before AppendThen returns, else in the committer. No locks
// of this package are held; done must not block.
func (l *Log) AppendThen(e *wire.Envelope, m *Mark, done func(seq uint64, err error)) (seq uint64, dup bool, err error) {
	if err := e.Check(); err != nil {
		return 0, false, err
	}
	if e.Time == 0 {
		e.Time = time.Now().UnixMicro()
	}
	l.mu.Lock()
	seq, dup, err = l.append(e, m)
	stored := err == nil && seq <= l.head.Load()
	if err == nil && !stored && done != nil {
		l.waiters = append(l.waiters, waiter{seq, done})
	}
	l.mu.Unlock()
	if dup {
		l.q.stats.duplicates.Add(1)
	}
	if stored {
		l.q.balance()
		if done != nil {
			done(seq, nil)
		}
	}
	return seq, dup, err
}

// append is AppendThen under mu.
func (l *Log) append(e *wire.Envelope, m *Mark) (seq uint64, dup bool, err error) {
	q := l.q
	seq = l.tail + 1
	if l.dropped {
		return 0, false, fmt.Errorf("missed: room %v: %w", l.key, ErrDropped)
	}
	if e.ID != 0 {
		if original, seen := q.dedup.add(l.identify(e.Sender, e.ID), seq, e.Time); seen {
			return original, true, nil
		}
	}
	cost := int64(wire.LengthSize+e.Size()) + m.cost()
	if err := l.admit(cost); err != nil {
		if e.ID != 0 {
			q.dedup.remove(l.identify(e.Sender, e.ID), seq)
		}
		return 0, false, err
	}

	e.Seq, e.Prev = seq, l.tail
	size := wire.LengthSize + e.Size()
	var c *chunk
	if n := len(l.chunks); n > 0 {
		c = l.chunks[n-1]
	}
	if c == nil || !c.fits(size) {
		c = newChunk(seq, size, c)
		l.chunks = append(l.chunks, c)
	}
	if err := c.add(e, m); err != nil {
		panic("missed: an envelope passed its check and could not be encoded: " + err.Error())
	}
	l.tail = seq
	l.bytes.Add(cost)
	if q.durable {
		l.pending.Add(cost)
		return seq, false, nil
	}
	l.head.Store(seq)
	first, reason := l.limited()
	l.trimTo(first, reason, nil)
	return seq, false, nil
}

// identify returns the key under which a message id is remembered. It holds
// for this log alone: acknowledging an id that another room has stored would
// acknowledge what this room has not.
func (l *Log) identify(sender []byte, id uint64) identity {
	return l.q.dedup.identify(l.epoch, sender, id)
}

// admit accounts for an event of that cost, or says why it is refused.
func (l *Log) admit(cost int64) error {
	q := l.q
	if q.closed.Load() {
		return fmt.Errorf("missed: room %v: %w", l.key, ErrClosed)
	}
	if q.policy == RefuseNew {
		if n := int(l.tail + 1 - l.first.Load()); n >= q.limits.Count {
			return fmt.Errorf("missed: room %v holds %d events, at most %d: %w", l.key, n, q.limits.Count, ErrFull)
		}
		if n := l.bytes.Load(); n+cost > q.limits.Bytes {
			return fmt.Errorf("missed: room %v holds %d bytes and this event has %d, at most %d: %w", l.key, n, cost, q.limits.Bytes, ErrFull)
		}
	}
	if q.durable {
		if n := q.pending.Add(cost); n > maxPending && n != cost {
			q.pending.Add(-cost)
			return fmt.Errorf("missed: %d bytes wait for the store, at most %d: %w", n-cost, int64(maxPending), ErrFull)
		}
	}
	if n := q.bytes.Add(cost); n > q.total && q.policy == RefuseNew {
		q.bytes.Add(-cost)
		if q.durable {
			q.pending.Add(-cost)
		}
		return fmt.Errorf("missed: all rooms hold %d bytes and this event has %d, at most %d: %w", n-cost, cost, q.total, ErrFull)
	}
	if q.durable && !l.queued {
		if !q.todo.enlist(l) {
			q.pending.Add(-cost)
			q.bytes.Add(-cost)
			return fmt.Errorf("missed: room %v: %w", l.key, ErrClosed)
		}
		l.queued = true
	}
	return nil
}

// unlimited stands for no limit, so that comparing is enough.
const unlimited = math.MaxInt64
