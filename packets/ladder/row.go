package ladder

import (
	"cmp"
	"slices"
	"time"
)

// A moment is what a row of the picture in a terminal shows.
type moment uint8

const (
	arrives moment = iota // in the order that things have at one instant
	both                  // it leaves and arrives at once
	leaves
	bundles
	folds  // time left out
	passes // time goes by, that slants have room
)

// A row is one line between the lifelines. Exactly one thing happens in it.
type row struct {
	moment moment
	at     time.Time
	arrow  int           // in Ladder.Arrows
	bundle int           // in Ladder.Bundles
	gap    time.Duration // left out
}

// rows returns what happens, in order of time, with the folds.
func (l *Ladder) rows() []row {
	all := make([]row, 0, 2*len(l.Arrows)+2*len(l.Bundles))
	for i := range l.Arrows {
		a := &l.Arrows[i]
		switch {
		case a.Lost && a.LostAt != a.To, a.Arrived.IsZero():
			all = append(all, row{moment: leaves, at: a.Sent, arrow: i})
		case !a.Arrived.After(a.Sent):
			all = append(all, row{moment: both, at: a.Sent, arrow: i})
		default:
			all = append(all, row{moment: leaves, at: a.Sent, arrow: i}, row{moment: arrives, at: a.Arrived, arrow: i})
		}
	}
	for i := range l.Bundles {
		all = append(all, row{moment: bundles, at: l.Bundles[i].From, bundle: i})
	}
	slices.SortStableFunc(all, func(a, b row) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.moment, b.moment)) })
	fold := l.foldAt()
	out := make([]row, 0, len(all)+8)
	over := time.Time{} // when the last thing was over
	for i, r := range all {
		if gap := r.at.Sub(over); i > 0 && gap > fold {
			out = append(out, row{moment: folds, at: over, gap: gap})
		}
		out = append(out, r)
		over = r.at
		if r.moment == bundles {
			over = later(over, l.Bundles[r.bundle].To)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// foldAt is the length of a gap from which on its time is left out.
func (l *Ladder) foldAt() time.Duration {
	unit := l.unit()
	return 2 * unit
}

// unit is the time that the picture is about: a round trip, else the middle
// one of the times between packets.
func (l *Ladder) unit() time.Duration {
	if l.RTT > 0 {
		return l.RTT
	}
	var flights, gaps []time.Duration
	for i := range l.Arrows {
		a := &l.Arrows[i]
		if d := a.end().Sub(a.Sent); d > 0 {
			flights = append(flights, 2*d)
		}
		if i > 0 {
			if d := a.Sent.Sub(l.Arrows[i-1].Sent); d > 0 {
				gaps = append(gaps, 4*d)
			}
		}
	}
	if len(flights) == 0 {
		flights = gaps
	}
	if len(flights) == 0 {
		return time.Second
	}
	slices.Sort(flights)
	return flights[len(flights)/2]
}

// spaced returns rows with room for slants where a good part of a round trip
// goes by, if there are no more than most then.
func (l *Ladder) spaced(rows []row, most int) []row {
	unit := l.unit()
	var out []row
	for i, r := range rows {
		if i > 0 && r.moment != folds && rows[i-1].moment != folds && r.at.Sub(rows[i-1].at) >= unit/5 {
			out = append(out, row{moment: passes, at: rows[i-1].at})
		}
		out = append(out, r)
	}
	if len(out) > most {
		return rows
	}
	return out
}
