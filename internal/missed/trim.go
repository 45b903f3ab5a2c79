package missed

import (
	"io"
	"time"
)

// enforce drops the oldest visible events until the room's limits by count and
// bytes hold. The newest event stays, whatever its size. mu is held.
func (l *Log) enforce() {
	if l.q.policy == RefuseNew {
		return
	}
	limits := &l.q.limits
	head := l.head.Load()
	if n := int64(head+1) - int64(l.first.Load()); n > int64(limits.Count) {
		l.trimTo(head+1-uint64(limits.Count), ReasonOverflow)
	}
	if l.bytes.Load()-l.pending > limits.Bytes {
		l.shed(limits.Bytes, head)
	}
}

// shed drops the oldest events before the one numbered keep until the visible
// ones take at most goal bytes. mu is held.
func (l *Log) shed(goal int64, keep uint64) {
	for l.first.Load() < keep && l.bytes.Load()-l.pending > goal {
		over := l.bytes.Load() - l.pending - goal
		n := l.first.Load()
		if s := l.cold.oldest(); s != nil {
			n = s.last + 1
		} else {
			n = l.chunks[0].costing(n, over)
		}
		l.trimTo(min(n, keep), ReasonOverflow)
	}
}

// costing returns the first event after the events from seq on that together
// cost at least bytes, or the end of the chunk.
func (c *chunk) costing(seq uint64, bytes int64) uint64 {
	marks := marksFrom(c.marks, seq)
	for seq < c.next() && bytes > 0 {
		bytes -= int64(len(c.frame(int(seq - c.first))))
		if len(marks) > 0 && marks[0].Seq == seq {
			bytes -= marks[0].cost()
			marks = marks[1:]
		}
		seq++
	}
	return seq
}

// trimTo drops the visible events before the one numbered first. mu is held.
func (l *Log) trimTo(first uint64, reason Reason) {
	old := l.first.Load()
	first = min(first, l.head.Load()+1)
	if first <= old {
		return
	}
	if l.gone == nil {
		l.gone = new(gone)
	}
	l.gone.add(first-1, reason)
	freed := l.cold.trimTo(first)
	for len(l.chunks) > 0 && l.chunks[0].first < first {
		c := l.chunks[0]
		from := max(old, c.first)
		to := min(first, c.next())
		freed += int64(c.start(int(to-c.first)) - c.start(int(from-c.first)))
		n := 0
		for n < len(c.marks) && c.marks[n].Seq < to {
			freed += c.marks[n].cost()
			n++
		}
		l.gone.remember(l.q, c.marks[:n])
		c.marks = c.marks[n:]
		if to < c.next() {
			break
		}
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
	}
	l.bytes.Add(-freed)
	l.q.bytes.Add(-freed)
	l.q.stats.trimmed.Add(first - old)
	l.first.Store(first)
	if l.known && !l.trimmed {
		l.trimmed = l.q.todo.enlistTrim(l)
	}
}

// expire drops the visible events that are older than cutoff, in microseconds
// since 1970. It reads the store without holding mu.
func (l *Log) expire(cutoff int64) error {
	if l.first.Load() > l.head.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.dropped {
		s := l.cold.oldest()
		if s == nil {
			break
		}
		if s.lastTime < cutoff {
			l.trimTo(s.last+1, ReasonExpired)
			continue
		}
		if s.firstTime >= cutoff {
			return nil
		}
		// Some of the run are too old. Only the store knows which.
		first, last := max(s.first, l.first.Load()), s.last
		l.mu.Unlock()
		n, at, err := l.search(first, last, cutoff)
		l.mu.Lock()
		if err != nil {
			return err
		}
		if s = l.cold.oldest(); l.dropped || s == nil || s.last != last {
			continue // trimmed meanwhile
		}
		l.trimTo(n, ReasonExpired)
		if s = l.cold.oldest(); s != nil && s.last == last {
			s.firstTime = max(at, cutoff)
		}
		return nil
	}
	n, head := l.first.Load(), l.head.Load()
	for _, c := range l.chunks {
		for n <= head && n < c.next() && frameTime(c.frame(int(n-c.first))) < cutoff {
			n++
		}
		if n < c.next() {
			break
		}
	}
	l.trimTo(n, ReasonExpired)
	return nil
}

// search returns the first event from first to last that is not older than
// cutoff, and its time; last+1 if there is none. It reads the store.
func (l *Log) search(first, last uint64, cutoff int64) (seq uint64, at int64, err error) {
	end := last + 1
	for first < end {
		mid := first + (end-first)/2
		b, err := l.q.store.Read(l.key, mid, 1)
		switch {
		case err == io.EOF:
			first = end
		case err != nil:
			return 0, 0, l.q.failed(err)
		case len(b.Frames) == 0 || b.First > last:
			// Unreadable: as old as what comes before it.
			first = min(b.Last, last) + 1
		case frameTime(b.Frames) < cutoff:
			first = b.First + 1
		default:
			end, at = mid, frameTime(b.Frames)
		}
	}
	return end, at, nil
}

// Expire drops the events and forgets the message ids that are too old at the
// instant now, in all rooms, and makes what is waiting without a publisher
// (Put, trims) durable soon. Call it about once a second, from one goroutine.
func (q *Queue) Expire(now time.Time) {
	if q.dedup.age != unlimited {
		q.dedup.expire(now.Add(-q.dedup.age).UnixMicro())
	}
	if q.limits.Age != unlimited {
		cutoff := now.Add(-q.limits.Age).UnixMicro()
		for _, l := range q.logs() {
			if err := l.expire(cutoff); err != nil {
				q.logger.Warn("missed: events past their age stay for now", "room", l.key, "err", err)
			}
		}
	}
	q.todo.nudge()
}

// balance makes the room that holds most bytes pay while all rooms together
// hold more than the total. It goes 1/64 further than it must, so that looking
// for that room is rare. No locks are held.
func (q *Queue) balance() {
	if q.bytes.Load()-q.pending.Load() <= q.total || q.policy == RefuseNew {
		return
	}
	q.paying.Lock()
	defer q.paying.Unlock()
	if q.bytes.Load()-q.pending.Load() <= q.total {
		return
	}
	goal := q.total - q.total/64
	for {
		over := q.bytes.Load() - q.pending.Load() - goal
		if over <= 0 {
			return
		}
		most, second := q.largest()
		if most == nil {
			return
		}
		most.mu.Lock()
		held := most.bytes.Load() - most.pending
		// Down to the next largest, yet at least by a sixteenth: of many
		// equal rooms each is visited a few times, not once per event.
		most.shed(max(held-over, min(second, held-held/16)), most.head.Load()+1)
		moved := most.bytes.Load()-most.pending < held
		most.mu.Unlock()
		if !moved {
			return
		}
	}
}

// largest returns the log with the most visible bytes and what the next one
// has; nil if no log has any.
func (q *Queue) largest() (most *Log, second int64) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	var top int64
	for _, l := range q.rooms {
		n := l.bytes.Load()
		if l.first.Load() > l.head.Load() {
			continue
		}
		if n > top {
			most, top, second = l, n, top
		} else if n > second {
			second = n
		}
	}
	return most, second
}
