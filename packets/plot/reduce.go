package plot

import (
	"cmp"
	"math"
	"slices"
)

const (
	columns   = 2048 // that a series is put together to: more than a picture has
	perColumn = 4    // points, or ranges, that a column keeps
	most      = 4 * columns * perColumn
)

// Add adds a point, and keeps the number of points bounded: when there are too
// many, all that fall into one of 2048 columns of the range become at most four.
// Of a line these are the first, the last, the least and the greatest; of ticks and
// marks, ranges.
func (s *Series) Add(p Point) {
	if s.keep.hi > s.keep.lo && !s.keep.has(p.X) {
		if p.X < s.keep.lo && (s.Style == Steps || s.Style == Dashes) {
			s.carry, s.carried = p, true
		}
		return
	}
	if s.carried { // its value still holds where the picture begins
		s.carried = false
		s.Add(Point{X: s.keep.lo, Y: s.carry.Y})
	}
	if s.reduceAt == 0 {
		s.reduceAt = most
	}
	if s.Style.joined() && len(s.Points) > 1 && s.Style != Line {
		// A value that stays needs no more than its first and last instant.
		n := len(s.Points)
		if a, b := s.Points[n-2], s.Points[n-1]; a.Y == p.Y && b.Y == p.Y && b.X <= p.X {
			s.Points[n-1] = p
			return
		}
	}
	s.Points = append(s.Points, p)
	if len(s.Points) >= s.reduceAt {
		s.reduce(columns)
		// A column is full at most; the rest is room for new ones.
		s.reduceAt = max(most, 2*len(s.Points))
	}
}

// hold draws a value that was there before the time shown and did not change in
// it, until end.
func (s *Series) hold(end float64) {
	if s.carried && len(s.Points) == 0 && end > s.keep.lo {
		s.carried = false
		s.Points = []Point{{X: s.keep.lo, Y: s.carry.Y}, {X: end, Y: s.carry.Y}}
	}
}

// reduce puts points together that fall into one of n columns.
func (s *Series) reduce(n int) {
	x := nothing()
	for _, p := range s.Points {
		if finite(p.X) {
			x.take(p.X)
		}
	}
	column := func(p Point) int {
		if !(x.hi > x.lo) || !finite(p.X) {
			return 0
		}
		return min(int((p.X-x.lo)/(x.hi-x.lo)*float64(n)), n-1)
	}
	// The order within a column is that of the capture.
	slices.SortStableFunc(s.Points, func(a, b Point) int { return cmp.Compare(column(a), column(b)) })
	out := s.Points[:0:0]
	for i := 0; i < len(s.Points); {
		end, c := i+1, column(s.Points[i])
		for end < len(s.Points) && column(s.Points[end]) == c {
			end++
		}
		if s.Style.ranged() {
			out = append(out, union(s.Points[i:end])...)
		} else {
			out = append(out, extremes(s.Points[i:end])...)
		}
		i = end
	}
	s.Points = out
}

// extremes returns the first, the last, the least and the greatest of ps, and one
// gap if there was any, in their order.
func extremes(ps []Point) []Point {
	if len(ps) <= perColumn {
		return ps
	}
	keep := []int{0, len(ps) - 1}
	least, greatest, gap := -1, -1, -1
	for i, p := range ps {
		if math.IsNaN(p.Y) {
			gap = i
			continue
		}
		if least < 0 || p.Y < ps[least].Y {
			least = i
		}
		if greatest < 0 || p.Y > ps[greatest].Y {
			greatest = i
		}
	}
	for _, i := range []int{least, greatest, gap} {
		if i >= 0 {
			keep = append(keep, i)
		}
	}
	slices.Sort(keep)
	keep = slices.Compact(keep)
	out := make([]Point, len(keep))
	for i, k := range keep {
		out[i] = ps[k]
	}
	return out
}

// union returns the ranges that ps cover, the nearest put together until there
// are few.
func union(ps []Point) []Point {
	if len(ps) == 1 {
		return ps
	}
	ps = slices.DeleteFunc(slices.Clone(ps), func(p Point) bool { return !p.drawable() || !finite(p.Low) })
	slices.SortFunc(ps, func(a, b Point) int { return cmp.Compare(a.Low, b.Low) })
	var out []Point
	for _, p := range ps {
		if n := len(out); n > 0 && p.Low <= out[n-1].Y {
			out[n-1].Y = max(out[n-1].Y, p.Y)
			continue
		}
		out = append(out, p)
	}
	for len(out) > perColumn {
		if len(out) > 8*perColumn { // many: halve, which is nearly as good and not quadratic
			half := out[:0]
			for i := 0; i < len(out); i += 2 {
				p := out[i]
				if i+1 < len(out) {
					p.Y = out[i+1].Y
				}
				half = append(half, p)
			}
			out = half
			continue
		}
		near := 1
		for i := 2; i < len(out); i++ {
			if out[i].Low-out[i-1].Y < out[near].Low-out[near-1].Y {
				near = i
			}
		}
		out[near-1].Y = out[near].Y
		out = slices.Delete(out, near, near+1)
	}
	return out
}
