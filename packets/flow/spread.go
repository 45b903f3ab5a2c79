package flow

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	few    = 32 // times that are kept as they are, unless told otherwise
	steps  = 32 // buckets for each doubling of the time
	lowest = 10 // the logarithm of the time below which buckets are of equal width
	octave = 28 // doublings that have buckets: 1 µs to 4 min
	all    = steps + octave*steps
)

// A Spread sums up times: their least, greatest and mean exactly, quantiles
// exactly while they are few and to 1.6 % from then on. It takes at most 3.7 kB.
// The zero value is ready.
type Spread struct {
	Exact    int // how many times are kept exactly; if zero, 32
	Count    int64
	Min, Max time.Duration // count if Count > 0

	sum     float64
	kept    []time.Duration
	buckets *[all]uint32
}

// Add takes d in. A negative time counts as it is.
func (s *Spread) Add(d time.Duration) {
	if s.Count == 0 {
		s.Min, s.Max = d, d
	}
	s.Min, s.Max = min(s.Min, d), max(s.Max, d)
	s.Count++
	s.sum += float64(d)
	if s.buckets == nil {
		limit := s.Exact
		if limit <= 0 {
			limit = few
		}
		if len(s.kept) < limit {
			s.kept = append(s.kept, d)
			return
		}
		s.buckets = new([all]uint32)
		for _, k := range s.kept {
			s.buckets[bucket(k)]++
		}
		s.kept = nil
	}
	s.buckets[bucket(d)]++
}

// Mean returns the mean; 0 of nothing.
func (s *Spread) Mean() time.Duration {
	if s.Count == 0 {
		return 0
	}
	return time.Duration(math.Round(s.sum / float64(s.Count)))
}

// Quantile returns the least time that a share q of all do not exceed (the
// nearest rank); 0 of nothing.
func (s *Spread) Quantile(q float64) time.Duration {
	if s.Count == 0 {
		return 0
	}
	rank := min(max(int64(math.Ceil(q*float64(s.Count))), 1), s.Count)
	if s.buckets == nil {
		sorted := slices.Clone(s.kept)
		slices.Sort(sorted)
		return sorted[rank-1]
	}
	for i, n := range s.buckets {
		if rank -= int64(n); rank <= 0 {
			return min(max(middle(i), s.Min), s.Max)
		}
	}
	return s.Max
}

// bucket returns where d is counted.
func bucket(d time.Duration) int {
	if d < 1<<lowest {
		return int(max(d, 0)) * steps >> lowest
	}
	e := bits.Len64(uint64(d)) - 1 // at least lowest
	i := steps + (e-lowest)*steps + int(uint64(d)>>(e-5))&(steps-1)
	return min(i, all-1)
}

// middle returns a time in the middle of a bucket.
func middle(i int) time.Duration {
	if i < steps {
		return time.Duration(i<<lowest/steps + 1<<lowest/steps/2)
	}
	e := (i-steps)/steps + lowest
	low := (uint64(steps) + uint64((i-steps)%steps)) << (e - 5)
	return time.Duration(low + uint64(1)<<(e-5)/2)
}
