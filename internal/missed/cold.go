package missed

// coldSpan is the size in bytes from which on a run of cold events is not made
// longer. A limit by bytes drops cold events by runs, so with a small limit the
// runs are smaller: a 64th of it.
const coldSpan = 64 << 10

// cold is what a log knows of its events that are in the store alone, by runs.
type cold struct {
	spans []span // sorted; there may be gaps where the store was damaged
	most  int64  // size of a run
}

func newCold(limits *Limits) *cold { return &cold{most: min(coldSpan, limits.Bytes/64)} }

type span struct {
	first, last         uint64
	bytes               int64
	firstTime, lastTime int64 // microseconds since 1970
	marked              bool  // some events have marks
}

// oldest returns the first run, or nil. c may be nil.
func (c *cold) oldest() *span {
	if c == nil || len(c.spans) == 0 {
		return nil
	}
	return &c.spans[0]
}

// unmarked returns the first event, from the oldest run on, of a run that has
// marks, or the largest number if none has.
func (c *cold) unmarked() uint64 {
	for i := range c.spans {
		if c.spans[i].marked {
			return c.spans[i].first
		}
	}
	return unlimited
}

// add appends a run that follows all others.
func (c *cold) add(s span) {
	if n := len(c.spans); n > 0 {
		if last := &c.spans[n-1]; last.bytes < c.most && last.last+1 == s.first {
			last.last, last.lastTime = s.last, max(last.lastTime, s.lastTime)
			last.bytes += s.bytes
			last.marked = last.marked || s.marked
			return
		}
	}
	c.spans = append(c.spans, s)
}

// trimTo forgets the events before first and returns the bytes of the runs that
// are gone as a whole. c may be nil.
func (c *cold) trimTo(first uint64) (freed int64) {
	if c == nil {
		return 0
	}
	for len(c.spans) > 0 && c.spans[0].last < first {
		freed += c.spans[0].bytes
		c.spans = c.spans[1:]
	}
	if len(c.spans) > 0 {
		c.spans[0].first = max(c.spans[0].first, first)
	}
	return freed
}

// evict takes chunks out of memory that the store has, oldest first, while the
// rest still holds HotBytes. mu is held.
func (l *Log) evict() {
	var hot int64
	for _, c := range l.chunks {
		hot += int64(len(c.buf))
	}
	for len(l.chunks) > 1 {
		c := l.chunks[0]
		if hot -= int64(len(c.buf)); hot < l.q.hotBytes || c.next() > l.head.Load()+1 {
			return
		}
		from := max(c.first, l.first.Load())
		i := int(from - c.first)
		s := span{
			first: from, last: c.next() - 1,
			bytes:     int64(len(c.buf) - c.start(i)),
			firstTime: frameTime(c.frame(i)),
			lastTime:  frameTime(c.frame(len(c.ends) - 1)),
			marked:    len(c.marks) > 0,
		}
		for _, m := range c.marks {
			s.bytes += m.cost()
		}
		if l.cold == nil {
			l.cold = newCold(&l.q.limits)
		}
		l.cold.add(s)
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
	}
}
