package missed

import "wirelab/internal/wire"

// A portion is what one round takes from a log.
type portion struct {
	log   *Log
	upTo  uint64
	cost  int64
	known bool // the round tells the store of the room
}

// commitLoop is the committer: it commits whatever waits, round by round, so
// that all who publish during one wait for the disk share the next.
func (q *Queue) commitLoop() {
	defer close(q.todo.done)
	for {
		b, last := q.todo.next()
		q.round(&b)
		if last {
			return
		}
	}
}

// round stores a batch and tells everyone concerned.
func (q *Queue) round(b *batch) {
	change, portions := q.collect(b)
	if change.empty() {
		q.todo.succeeded()
		runAll(b.after, nil)
		return
	}
	if err := q.store.Commit(change); err != nil {
		q.rollBack(b, portions, q.failed(err))
		return
	}
	q.todo.succeeded()
	var events uint64
	for i := range change.Blocks {
		events += change.Blocks[i].Last + 1 - change.Blocks[i].First
	}
	q.stats.commits.Add(1)
	q.stats.stored.Add(events)
	if events > q.stats.largestBatch.Load() { // the committer alone writes it
		q.stats.largestBatch.Store(events)
	}
	// First everything is as it will be seen, then people are told.
	var stored []waiter
	for _, p := range portions {
		stored = p.log.publish(p, stored)
	}
	for _, p := range portions {
		p.log.trim(p.log.limited)
	}
	q.balance()
	for _, w := range stored {
		w.done(w.seq, nil)
	}
	runAll(b.after, nil)
	if fn := q.visible.Load(); fn != nil && *fn != nil {
		for _, p := range portions {
			(*fn)(p.log)
		}
	}
}

// collect makes the change that stores a batch. The blocks share the logs'
// bytes.
func (q *Queue) collect(b *batch) (*Change, []portion) {
	c := &Change{Drop: b.drops}
	portions := make([]portion, 0, len(b.logs))
	for _, l := range b.logs {
		l.mu.Lock()
		l.queued = false
		if !l.dropped && l.tail > l.head.Load() {
			portions = append(portions, l.take(c))
		}
		l.mu.Unlock()
	}
	for _, l := range b.trims {
		l.mu.Lock()
		l.trimmed = false
		if !l.dropped {
			c.Trim = append(c.Trim, Trim{Key: l.key, First: l.first.Load(), Reason: l.gone.last()})
		}
		l.mu.Unlock()
	}
	for s, v := range b.puts {
		c.Puts = append(c.Puts, Entry{Table: s.table, Key: s.key, Value: v})
	}
	return c, portions
}

// take adds the events that wait to c. mu is held.
func (l *Log) take(c *Change) portion {
	p := portion{log: l, upTo: l.tail, cost: l.pending.Load(), known: l.known}
	if !l.known {
		c.Rooms = append(c.Rooms, Room{Key: l.key, Epoch: l.epoch, First: l.first.Load()})
	}
	l.tried = true
	head := l.head.Load()
	at := len(l.chunks) - 1
	for at > 0 && l.chunks[at].first > head+1 {
		at--
	}
	for _, k := range l.chunks[at:] {
		first := max(k.first, head+1)
		if first >= k.next() {
			continue
		}
		start := k.start(int(first - k.first))
		marks := marksFrom(k.marks, first)
		c.Blocks = append(c.Blocks, Block{
			Key: l.key, First: first, Last: k.next() - 1,
			Frames: k.buf[start:len(k.buf):len(k.buf)],
			Marks:  marks[:len(marks):len(marks)],
		})
	}
	return p
}

// publish makes the events of p visible and appends those who wait for them to
// stored.
func (l *Log) publish(p portion, stored []waiter) []waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped {
		return stored
	}
	l.known = true
	l.head.Store(p.upTo)
	l.pending.Add(-p.cost)
	l.q.pending.Add(-p.cost)
	l.evict()
	n := 0
	for _, w := range l.waiters {
		if w.seq <= p.upTo {
			stored = append(stored, w)
		} else {
			l.waiters[n] = w
			n++
		}
	}
	clear(l.waiters[n:])
	l.waiters = l.waiters[:n]
	if n == 0 && cap(l.waiters) > keptWaiters {
		l.waiters = nil
	}
	return stored
}

// keptWaiters is how much room for waiters a quiet log keeps.
const keptWaiters = 16

// rollBack takes back every event that is not visible, in all logs, and tells
// their publishers. Everything else in the batch is tried again next time.
func (q *Queue) rollBack(b *batch, portions []portion, err error) {
	q.logger.Error("missed: commit failed, nothing of it was acknowledged", "err", err)
	logs, after := q.todo.giveBack(b, err)
	for _, p := range portions {
		p.log.rollBack(err)
	}
	for _, l := range logs {
		l.mu.Lock()
		l.queued = false
		l.mu.Unlock()
		l.rollBack(err)
	}
	runAll(b.after, err)
	runAll(after, err)
}

// rollBack takes back the events after head.
func (l *Log) rollBack(err error) {
	l.mu.Lock()
	head := l.head.Load()
	var n int
	for len(l.chunks) > 0 && !l.dropped {
		c := l.chunks[len(l.chunks)-1]
		if c.next() <= head+1 {
			break
		}
		first := max(c.first, head+1)
		for i := int(first - c.first); i < len(c.ends); i++ {
			l.forgetID(c.frame(i))
			n++
		}
		c.cut(first)
		if first > c.first {
			break
		}
		l.chunks = l.chunks[:len(l.chunks)-1]
	}
	l.tail = head
	pending := l.pending.Swap(0)
	l.bytes.Add(-pending)
	l.q.bytes.Add(-pending)
	l.q.pending.Add(-pending)
	waiters := l.waiters
	l.waiters = nil
	l.mu.Unlock()
	l.q.stats.rolledBack.Add(uint64(n))
	for _, w := range waiters {
		w.done(w.seq, err)
	}
}

// forgetID makes an event that is rolled back publishable again.
func (l *Log) forgetID(frame []byte) {
	e, err := wire.Decode(frame[wire.LengthSize:])
	if err != nil {
		panic("missed: a log holds what cannot be decoded: " + err.Error())
	}
	if e.ID != 0 {
		l.q.dedup.remove(l.identify(e.Sender, e.ID), e.Seq)
	}
}

func runAll(fns []func(error), err error) {
	for _, fn := range fns {
		fn(err)
	}
}

// After runs fn when every Put before it is stored, with nil, or with the error
// why it is not yet: a Put is tried again with each later commit. It also waits
// for the events appended before it, but only AppendThen can tell what became
// of one event. fn runs in the committer, or, with a store that is not durable,
// in the caller; it must not block.
func (q *Queue) After(fn func(err error)) {
	t := &q.todo
	t.mu.Lock()
	closing := t.closing
	if q.durable && !closing {
		t.after = append(t.after, fn)
		t.some.Signal()
	}
	t.mu.Unlock()
	switch {
	case closing:
		fn(ErrClosed)
	case !q.durable:
		fn(nil)
	}
}
