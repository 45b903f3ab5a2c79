package missed

import "time"

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
		first := most.First()
		held := most.visible()
		// Down to the next largest, yet at least by a sixteenth: of many
		// equal rooms each is visited a few times, not once per event.
		keep := max(held-over, min(second, held-held/16))
		most.trim(func() (uint64, Reason) { return most.holding(keep), ReasonOverflow })
		if most.First() == first {
			return
		}
	}
}

// largest returns the log whose visible events take most, and what those of the
// next one take; nil if no log has any.
func (q *Queue) largest() (most *Log, second int64) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	var top int64
	for _, l := range q.rooms {
		if l.first.Load() > l.head.Load() {
			continue
		}
		if n := l.visible(); n > top {
			most, top, second = l, n, top
		} else if n > second {
			second = n
		}
	}
	return most, second
}
