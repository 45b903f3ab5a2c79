package impair

import (
	"math"
	"time"
)

// A draw is the chance of one packet. What it is asked for by different
// purposes does not depend on each other: another parameter that is set does
// not change what the others draw.
type draw uint64

// What a packet's chance is used for.
const (
	drawDuplicate = 1 + iota
	drawLoss
	drawMove
	drawCorrupt
	drawBit
	drawEarly
	drawDelay
)

// bits returns 64 random bits for a purpose.
func (d draw) bits(purpose uint64) uint64 { return Mix(uint64(d), purpose) }

// share returns a number that is uniform in [0, 1).
func (d draw) share(purpose uint64) float64 { return float64(d.bits(purpose)>>11) / (1 << 53) }

// Mix makes one number of two, for what packets are named by. It is a step of
// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
// 2014): every bit of both decides about every bit of the result.
func Mix(a, b uint64) uint64 {
	z := a + b*0x9e3779b97f4a7c15 + 0x632be59bd9b4e019
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// tail is where the tables of iproute2 end: at four times the jitter.
const tail = 4

// at returns the variation of a delay in units of the jitter, for u uniform in
// [0, 1). It grows with u.
func (d Distribution) at(u float64) float64 {
	switch d {
	case Normal:
		return normal(u)
	case Pareto:
		return pareto(u)
	case ParetoNormal:
		return float64(0.25*normal(u)) + float64(0.75*pareto(u))
	}
	return 2*u - 1
}

func normal(u float64) float64 {
	return max(-tail, min(tail, math.Sqrt2*math.Erfinv(2*u-1)))
}

// pareto has shape 3 and mean 0; its scale is that of iproute2's table.
func pareto(u float64) float64 {
	return min(tail, (1/math.Cbrt(1-u)-1.5)*4/3)
}

// departures are the instants at which the packets on the way depart: a heap.
type departures []time.Time

// pass forgets what has departed at now.
func (h *departures) pass(now time.Time) {
	for len(*h) > 0 && !(*h)[0].After(now) {
		q := *h
		n := len(q) - 1
		q[0] = q[n]
		q = q[:n]
		for i := 0; ; {
			least := i
			for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
				if q[c].Before(q[least]) {
					least = c
				}
			}
			if least == i {
				break
			}
			q[i], q[least] = q[least], q[i]
			i = least
		}
		*h = q
	}
}

func (h *departures) add(t time.Time) {
	q := append(*h, t)
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q[i].Before(q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
	*h = q
}
