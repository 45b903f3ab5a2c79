package missed

import "io"

// A goal says up to where a log is to be trimmed, and why: First is to be at
// least first. mu is held when one is asked.
type goal func() (first uint64, reason Reason)

// limited is the goal of the room's limits by count and bytes. The newest
// visible event stays, whatever its size.
func (l *Log) limited() (first uint64, reason Reason) {
	if l.q.policy == RefuseNew {
		return 0, ReasonOverflow
	}
	limits := &l.q.limits
	head := l.head.Load()
	if n := int64(head+1) - int64(l.first.Load()); n > int64(limits.Count) {
		first = head + 1 - uint64(limits.Count)
	}
	if l.visible() > limits.Bytes {
		first = max(first, min(l.holding(limits.Bytes), head))
	}
	return first, ReasonOverflow
}

// holding returns the first event from which on the visible ones take at most
// bytes. Events that are in the store alone count by runs. mu is held.
func (l *Log) holding(bytes int64) uint64 {
	over := l.visible() - bytes
	first := l.first.Load()
	for i := 0; over > 0 && l.cold != nil && i < len(l.cold.spans); i++ {
		over -= l.cold.spans[i].bytes
		first = l.cold.spans[i].last + 1
	}
	for i := 0; over > 0 && i < len(l.chunks); i++ {
		first, over = l.chunks[i].costing(max(first, l.chunks[i].first), over)
	}
	return min(first, l.head.Load()+1)
}

// costing returns the first event after those from seq on that together cost at
// least bytes, or the end of the chunk, and what is left of bytes.
func (c *chunk) costing(seq uint64, bytes int64) (uint64, int64) {
	marks := marksFrom(c.marks, seq)
	for seq < c.next() && bytes > 0 {
		bytes -= int64(len(c.frame(int(seq - c.first))))
		if len(marks) > 0 && marks[0].Seq == seq {
			bytes -= marks[0].cost()
			marks = marks[1:]
		}
		seq++
	}
	return seq, bytes
}

// expired is the goal of an age: no visible event from before cutoff, in
// microseconds since 1970. Of events that are in the store alone it knows runs;
// see within.
func (l *Log) expired(cutoff int64) (first uint64, reason Reason) {
	first, reason = l.first.Load(), ReasonExpired
	if l.cold != nil {
		for i := range l.cold.spans {
			if l.cold.spans[i].lastTime >= cutoff {
				return first, reason
			}
			first = l.cold.spans[i].last + 1
		}
	}
	head := l.head.Load()
	for _, c := range l.chunks {
		first = max(first, c.first)
		for ; first <= head && first < c.next(); first++ {
			if frameTime(c.frame(int(first-c.first))) >= cutoff {
				return first, reason
			}
		}
	}
	return min(first, head+1), reason
}

// trim drops visible events until the goal is reached. It reads the marks of
// those that are in the store alone, without holding mu, which must not be held.
func (l *Log) trim(g goal) {
	for {
		l.mu.Lock()
		if l.dropped {
			l.mu.Unlock()
			return
		}
		old := l.first.Load()
		first, reason := g()
		s := l.cold.oldest()
		if s == nil || !s.marked || first <= old {
			if s != nil {
				// No further than the runs without marks go.
				first = min(first, l.cold.unmarked())
			}
			l.trimTo(first, reason, nil)
			again, _ := g()
			done := again <= l.first.Load()
			l.mu.Unlock()
			if done {
				return
			}
			continue
		}
		first = min(first, s.last+1)
		l.mu.Unlock()
		marks := l.readMarks(old, first)
		l.mu.Lock()
		if l.first.Load() == old && !l.dropped {
			l.trimTo(first, reason, marks)
		}
		l.mu.Unlock()
	}
}

// readMarks returns the marks of the events from first on and before end, as far
// as the store can tell: an event whose mark is unknown counts as visible.
func (l *Log) readMarks(first, end uint64) (marks []Marked) {
	for first < end {
		b, err := l.q.store.Read(l.key, first, coldSpan)
		if err != nil || b.Last < first {
			break
		}
		for _, m := range b.Marks {
			if m.Seq < end {
				marks = append(marks, m)
			}
		}
		first = b.Last + 1
	}
	return marks
}

// trimTo drops the visible events before the one numbered first. marks are the
// marks of those that are in the store alone. mu is held.
func (l *Log) trimTo(first uint64, reason Reason, marks []Marked) {
	old := l.first.Load()
	first = min(first, l.head.Load()+1)
	if first <= old {
		return
	}
	if l.gone == nil {
		l.gone = new(gone)
	}
	l.gone.add(first-1, reason)
	l.gone.remember(l.q, marks)
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
		l.trimmed = true
		l.q.todo.enlistTrim(l)
	}
}

// expire drops the visible events that are older than cutoff, in microseconds
// since 1970.
func (l *Log) expire(cutoff int64) error {
	if l.first.Load() > l.head.Load() {
		return nil
	}
	l.trim(func() (uint64, Reason) { return l.expired(cutoff) })

	// Of the run that is the oldest now some may be too old. Only the store
	// knows which.
	l.mu.Lock()
	s := l.cold.oldest()
	if s == nil || s.firstTime >= cutoff || l.dropped {
		l.mu.Unlock()
		return nil
	}
	first, last := max(s.first, l.first.Load()), s.last
	l.mu.Unlock()
	n, at, err := l.search(first, last, cutoff)
	if err != nil {
		return err
	}
	l.trim(func() (uint64, Reason) { return min(n, last+1), ReasonExpired })
	l.mu.Lock()
	if s = l.cold.oldest(); s != nil && s.first == n && s.last == last {
		s.firstTime = at
	}
	l.mu.Unlock()
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
