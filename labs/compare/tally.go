package compare

import (
	"cmp"
	"slices"
	"time"

	"wirelab/labs/scenario"
)

// A tally counts one run from its events.
type tally struct {
	run     Run
	emitted map[int]time.Duration // when, by number
	size    map[int]int           // bytes of text
	got     map[int]bool
	newest  int // the highest number handed over
	delays  []time.Duration
	told    int  // losses that the receiver was told of
	all     bool // and that it cannot know how many
	why     map[string]int
	last    time.Duration
}

func newTally(seed uint64) *tally {
	return &tally{
		run: Run{Seed: seed}, emitted: make(map[int]time.Duration), size: make(map[int]int),
		got: make(map[int]bool), why: make(map[string]int),
	}
}

// event takes the run's next event in.
func (t *tally) event(e *scenario.Event) {
	t.last = e.T
	switch e.Kind {
	case scenario.EventEmit:
		t.run.Sent++
		t.emitted[e.N], t.size[e.N] = e.T, e.Size
	case scenario.EventRefused:
		t.run.Refused++
		t.why["sender was told: "+e.Text]++
	case scenario.EventDeliver:
		t.deliver(e)
	case scenario.EventLost:
		if e.Host != receiver {
			return
		}
		t.told += int(e.Count)
		t.all = t.all || e.Count == 0
		t.why["receiver was told: "+e.Text] += int(e.Count)
	case scenario.EventEnd:
		t.run.WireBytes = e.Totals.WireBytes
		t.run.Retransmissions = e.Totals.Retransmissions
		for what, n := range e.Totals.Drops {
			t.why[what] += n
		}
	}
}

func (t *tally) deliver(e *scenario.Event) {
	if e.Host != receiver || e.N == 0 {
		return
	}
	at, ok := t.emitted[e.N]
	if !ok {
		return // of no use to count what was never sent: finish finds it missing
	}
	if t.got[e.N] {
		t.run.Duplicates++
		return
	}
	t.got[e.N] = true
	t.run.Delivered++
	t.run.TextBytes += int64(t.size[e.N])
	t.delays = append(t.delays, e.T-at)
	if e.N < t.newest {
		t.run.OutOfOrder++
	}
	t.newest = max(t.newest, e.N)
}

// finish returns what was counted.
func (t *tally) finish() Run {
	r := t.run
	r.Lost = r.Sent - r.Delivered
	r.Reported = min(r.Lost, t.told)
	if t.all {
		r.Reported = r.Lost
	}
	if n := len(t.delays); n > 0 {
		slices.Sort(t.delays)
		r.Latency = Latency{P50: rank(t.delays, 50), P99: rank(t.delays, 99), Max: t.delays[n-1]}
	}
	for what, n := range t.why {
		r.Why = append(r.Why, Reason{what, n})
	}
	slices.SortFunc(r.Why, func(a, b Reason) int { return cmp.Compare(a.What, b.What) })
	r.Virtual = t.last
	return r
}

// rank returns the percentile by nearest rank of sorted delays.
func rank(sorted []time.Duration, percent int) time.Duration {
	i := (len(sorted)*percent + 99) / 100
	return sorted[max(i, 1)-1]
}
