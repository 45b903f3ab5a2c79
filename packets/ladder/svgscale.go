package ladder

import (
	"math"
	"slices"
	"time"
)

// A scale maps time to the height in the picture: to scale, but for what is
// folded or bundled.
type scale struct {
	knots []knot
	folds []fold
	per   float64 // units of a second where nothing is folded
}

// A knot is an instant whose height is known; between two it is linear.
type knot struct {
	at     time.Time
	y      float64
	folded bool // the time from here to the next knot is
}

// A fold is time that was left out.
type fold struct {
	top, bottom float64
	gap         time.Duration
	bundle      int // −1: nothing happened in it
}

// Heights in the picture's units.
const (
	foldHeight   = 34.0
	bundleHeight = 46.0
	lineHeight   = 16.0
)

// scale chooses the heights of l's instants, from top on.
func (l *Ladder) scale(top float64) *scale {
	type instant struct {
		at     time.Time
		bundle int
	}
	var all []instant
	sides := [2]int{}
	for i := range l.Arrows {
		a := &l.Arrows[i]
		all = append(all, instant{a.Sent, -1})
		if e := a.end(); e.After(a.Sent) {
			all = append(all, instant{e, -1})
		}
		if rightward(a) {
			sides[0]++
		} else {
			sides[1]++
		}
	}
	for i := range l.Bundles {
		all = append(all, instant{l.Bundles[i].From, i})
	}
	slices.SortStableFunc(all, func(a, b instant) int { return a.at.Compare(b.at) })
	threshold := l.unit() * 3 / 2
	// What is left of the time, in gaps that are kept.
	var kept time.Duration
	type step struct {
		gap    time.Duration
		bundle int
		folded bool
	}
	steps := make([]step, 0, len(all))
	for i := 1; i < len(all); i++ {
		s := step{gap: all[i].at.Sub(all[i-1].at), bundle: all[i-1].bundle}
		s.folded = s.gap > threshold || s.bundle >= 0
		if !s.folded {
			kept += s.gap
		}
		steps = append(steps, s)
	}
	// Room for the labels of the fuller side, and slants that are seen to be.
	height := max(float64(max(sides[0], sides[1]))*lineHeight*1.15, 120)
	if u := l.unit(); u > 0 && kept > 0 {
		height = max(height, min(70*float64(kept)/float64(u/2), 4*height, 3000))
	}
	s := &scale{}
	if kept > 0 {
		s.per = height / kept.Seconds()
	}
	y := top
	for i, at := range all {
		if at.bundle >= 0 && i > 0 {
			if n := len(s.knots) - 1; !s.knots[n].folded {
				y = max(y, s.knots[n].y+12) // the end of what was lost just before
			}
		}
		k := knot{at: at.at, y: y}
		if i < len(steps) {
			st := steps[i]
			switch {
			case st.bundle >= 0:
				h := bundleHeight
				s.folds = append(s.folds, fold{y, y + h, st.gap, st.bundle})
				y += h
				k.folded = true
			case st.folded:
				s.folds = append(s.folds, fold{y, y + foldHeight, st.gap, -1})
				y += foldHeight
				k.folded = true
			default:
				y += st.gap.Seconds() * s.per
			}
		} else if at.bundle >= 0 {
			s.folds = append(s.folds, fold{y, y + bundleHeight, 0, at.bundle})
			y += bundleHeight
			s.knots = append(s.knots, k)
			k.y = y
		}
		s.knots = append(s.knots, k)
	}
	return s
}

// y is the height of t.
func (s *scale) y(t time.Time) float64 {
	if len(s.knots) == 0 {
		return 0
	}
	i, found := slices.BinarySearchFunc(s.knots, t, func(k knot, t time.Time) int { return k.at.Compare(t) })
	if found || i == 0 {
		return s.knots[i].y
	}
	if i == len(s.knots) {
		return s.bottom()
	}
	a, b := s.knots[i-1], s.knots[i]
	part := float64(t.Sub(a.at)) / float64(b.at.Sub(a.at))
	return a.y + (b.y-a.y)*part
}

// free is how far below y nothing is folded.
func (s *scale) free(y float64) float64 {
	for _, f := range s.folds {
		if f.top >= y {
			return f.top - y
		}
	}
	return math.Inf(1)
}

// bottom is the height of the last instant.
func (s *scale) bottom() float64 {
	if len(s.knots) == 0 {
		return 0
	}
	return s.knots[len(s.knots)-1].y
}

// A tick is a mark of the time axis.
type tick struct {
	at time.Duration
	y  float64
}

// ticks returns marks at round times since begin, at least apart from each
// other, none in a fold.
func (s *scale) ticks(begin time.Time, apart float64) (out []tick, decimals int) {
	if s.per <= 0 {
		return nil, 0
	}
	step := roundUp(apart / s.per)
	decimals = max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	unit := time.Duration(math.Round(step * 1e9))
	if unit <= 0 {
		return nil, 0
	}
	last := math.Inf(-1)
	for i := 0; i+1 < len(s.knots); i++ {
		a, b := s.knots[i], s.knots[i+1]
		if a.folded || !b.at.After(a.at) {
			continue
		}
		from := a.at.Sub(begin)
		n := from / unit
		if n*unit < from {
			n++
		}
		for ; n*unit < b.at.Sub(begin) && len(out) < 2000; n++ {
			if y := s.y(begin.Add(n * unit)); y-last >= apart*0.8 && !s.inFold(y) {
				out = append(out, tick{n * unit, y})
				last = y
			}
		}
	}
	return out, decimals
}

// inFold reports whether text at y would touch a fold's.
func (s *scale) inFold(y float64) bool {
	for _, f := range s.folds {
		if y > f.top-4 && y < f.bottom+4 {
			return true
		}
	}
	return false
}

// roundUp returns the least of 1, 2, 5 times a power of ten that is at least x.
func roundUp(x float64) float64 {
	if !(x > 1e-9) {
		return 1e-9
	}
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range [...]float64{1, 2, 5, 10} {
		if m*p >= x*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// apart moves heights, which are in order, so that neighbours are at least gap
// from each other and none is above top, and as little as possible: neighbours
// that touch share what they are moved by.
func apart(want []float64, gap, top float64) []float64 {
	type block struct {
		sum float64 // of the heights that its first would have
		n   int
	}
	var blocks []block
	for _, y := range want {
		b := block{max(y, top), 1}
		for len(blocks) > 0 {
			p := blocks[len(blocks)-1]
			if p.sum/float64(p.n)+float64(p.n)*gap <= b.sum/float64(b.n) {
				break
			}
			// b's items, seen from the first of p.
			b = block{p.sum + b.sum - float64(b.n)*float64(p.n)*gap, p.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	out := make([]float64, 0, len(want))
	low := top
	for _, b := range blocks {
		y := max(b.sum/float64(b.n), low)
		for range b.n {
			out = append(out, y)
			y += gap
		}
		low = y
	}
	return out
}
