package missed

const (
	// goneBytes bounds the marks of trimmed events that one log remembers:
	// 4096 events that go to everyone but the sender.
	goneBytes = 4096 * markedBytes
	// goneTotal bounds the same over all logs. Past it a log forgets one of
	// its own for each that it adds.
	goneTotal = 16 * goneBytes
	// goneRuns is how many runs of one reason a log tells apart.
	goneRuns = 16
)

// gone is what a log remembers of the events it trimmed, so that a member can
// be told how many it lost and why. Of an event whose mark was forgotten, as
// all are that were trimmed before a restart, it says that everyone could have
// seen it.
type gone struct {
	runs  []goneRun // sorted
	marks []Marked  // sorted; those before start are forgotten
	start int
	bytes int64 // cost of the marks from start on
}

// A goneRun is trimmed events, up to last, that were trimmed for one reason.
type goneRun struct {
	last   uint64
	reason Reason
}

// add notes that the events up to last are trimmed now, the new ones for reason.
func (g *gone) add(last uint64, reason Reason) {
	if n := len(g.runs); n > 0 && g.runs[n-1].reason == reason {
		g.runs[n-1].last = last
		return
	}
	if len(g.runs) == goneRuns {
		g.runs = append(g.runs[:0], g.runs[1:]...)
	}
	g.runs = append(g.runs, goneRun{last, reason})
}

// remember keeps the marks of trimmed events, within the bounds.
func (g *gone) remember(q *Queue, marks []Marked) {
	for _, m := range marks {
		cost := m.cost()
		for g.start < len(g.marks) && g.full(q, cost) {
			old := g.marks[g.start].cost()
			g.marks[g.start] = Marked{}
			g.start++
			g.bytes -= old
			q.gone.Add(-old)
		}
		if g.full(q, cost) {
			continue
		}
		if len(g.marks) == cap(g.marks) && g.start > len(g.marks)/2 {
			n := copy(g.marks, g.marks[g.start:])
			clear(g.marks[n:])
			g.marks, g.start = g.marks[:n], 0
		}
		g.marks = append(g.marks, m)
		g.bytes += cost
		q.gone.Add(cost)
	}
}

func (g *gone) full(q *Queue, cost int64) bool {
	return g.bytes+cost > goneBytes || q.gone.Load()+cost > goneTotal
}

// forget gives back what the log holds of the total.
func (g *gone) forget(q *Queue) {
	if g != nil {
		q.gone.Add(-g.bytes)
		g.marks, g.start, g.bytes = nil, 0, 0
	}
}

// lost returns why the event after the one numbered after is gone, up to which
// event, at most limit, the same is true, and how many of them the viewer could
// have seen.
func (g *gone) lost(after, limit, viewer uint64) (reason Reason, to, lost uint64) {
	to = limit
	for _, r := range g.runs {
		if r.last > after {
			reason, to = r.reason, min(limit, r.last)
			break
		}
	}
	lost = to - after
	for _, m := range marksFrom(g.marks[g.start:], after+1) {
		if m.Seq > to {
			break
		}
		if !m.Allows(viewer) {
			lost--
		}
	}
	return reason, to, lost
}

// last returns why the newest of the trimmed events were. g may be nil.
func (g *gone) last() Reason {
	if g == nil || len(g.runs) == 0 {
		return ReasonNone
	}
	return g.runs[len(g.runs)-1].reason
}
