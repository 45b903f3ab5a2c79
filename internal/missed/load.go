package missed

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"wirelab/internal/wire"
)

// dedupRead is how many bytes of events load reads at once.
const dedupRead = 256 << 10

// load takes over what the store has, before anyone else uses the queue.
func (q *Queue) load() error {
	err := q.store.Load(func(r Record) error {
		switch {
		case r.Entry != nil:
			q.todo.set(slot{r.Entry.Table, r.Entry.Key}, r.Entry.Value)
		case !q.durable:
			// Its logs live in the queue, and ended with the last one.
		case r.Room != nil:
			return q.loadRoom(r.Room)
		case r.Span != nil:
			return q.loadSpan(r.Span)
		}
		return nil
	})
	if err != nil || !q.durable {
		return err
	}
	if err := q.loadIDs(time.Now()); err != nil {
		return err
	}
	for _, l := range q.rooms {
		l.trim(l.limited)
	}
	q.balance()
	return nil
}

func (q *Queue) loadRoom(r *Room) error {
	if q.rooms[r.Key] != nil {
		return fmt.Errorf("room %v: stored twice", r.Key)
	}
	if r.Epoch == 0 || r.First == 0 || r.First > r.Last+1 {
		return fmt.Errorf("room %v: epoch %#x, events %d to %d", r.Key, r.Epoch, r.First, r.Last)
	}
	l := q.newLog(r.Key, r.Epoch)
	l.first.Store(r.First)
	l.head.Store(r.Last)
	l.tail = r.Last
	l.known, l.tried = true, true
	if r.First > 1 {
		l.gone = new(gone)
		l.gone.add(r.First-1, r.Gone)
	}
	q.rooms[r.Key] = l
	return nil
}

func (q *Queue) loadSpan(s *Span) error {
	l := q.rooms[s.Key]
	if l == nil {
		return fmt.Errorf("room %v: events without a room", s.Key)
	}
	first := max(s.First, l.first.Load())
	var after uint64
	if l.cold != nil {
		after = l.cold.spans[len(l.cold.spans)-1].last
	}
	if s.First > s.Last || s.Last > l.tail || s.First <= after {
		return fmt.Errorf("room %v: events %d to %d after %d, of %d", s.Key, s.First, s.Last, after, l.tail)
	}
	if s.Last < first {
		return nil
	}
	if l.cold == nil {
		l.cold = newCold(&q.limits)
	}
	l.cold.add(span{first: first, last: s.Last, bytes: s.Bytes, firstTime: s.FirstTime, lastTime: s.LastTime, marked: s.Marked})
	l.bytes.Add(s.Bytes)
	q.bytes.Add(s.Bytes)
	return nil
}

// A storedID is a message that the store has.
type storedID struct {
	identity
	seq  uint64
	time int64
}

// loadIDs rebuilds the memory of message ids from the newest stored events.
func (q *Queue) loadIDs(now time.Time) error {
	if q.dedup.count == 0 {
		return nil
	}
	cutoff := int64(0)
	if q.dedup.age != unlimited {
		cutoff = now.Add(-q.dedup.age).UnixMicro()
	}
	var ids []storedID
	newest := func() {
		slices.SortStableFunc(ids, func(a, b storedID) int { return cmp.Compare(a.time, b.time) })
		ids = ids[max(0, len(ids)-q.dedup.count):]
	}
	for _, l := range q.rooms {
		var err error
		ids, err = l.loadIDs(ids, cutoff)
		if err != nil {
			return fmt.Errorf("room %v: %w", l.key, err)
		}
		if len(ids) > 2*q.dedup.count {
			newest()
		}
	}
	newest()
	for _, m := range ids {
		q.dedup.add(m.identity, m.seq, m.time)
	}
	return nil
}

// loadIDs appends the ids of the log's events that are not older than cutoff,
// and of no more than are ever remembered.
func (l *Log) loadIDs(ids []storedID, cutoff int64) ([]storedID, error) {
	first, last := l.first.Load(), l.tail
	if n := uint64(l.q.dedup.count); last+1-first > n {
		first = last + 1 - n
	}
	if l.cold == nil || l.cold.spans[len(l.cold.spans)-1].lastTime < cutoff {
		return ids, nil
	}
	first, _, err := l.search(first, last, cutoff)
	if err != nil {
		return ids, err
	}
	for first <= last {
		b, err := l.q.store.Read(l.key, first, dedupRead)
		if err == io.EOF {
			break
		}
		if err != nil {
			return ids, err
		}
		for frames := b.Frames; len(frames) > 0; {
			envelope, rest, err := wire.SplitFrame(frames)
			if err != nil {
				return ids, err
			}
			e, err := wire.Decode(envelope)
			if err != nil {
				return ids, err
			}
			if e.ID != 0 {
				ids = append(ids, storedID{l.identify(e.Sender, e.ID), e.Seq, e.Time})
			}
			frames = rest
		}
		first = b.Last + 1
	}
	return ids, nil
}
