package flow

import "time"

// Slots is how many intervals a Series has.
const Slots = 32

// A Series counts bytes over time, in intervals that double in width when the
// time no longer fits. It takes at most 256 bytes. The zero value is ready.
type Series struct {
	Start time.Duration // since 1970
	Width time.Duration // of an interval; 0 if there is nothing

	bytes *[Slots]int64
}

// add counts n bytes at an instant. What is before the start counts there: a
// clock may go backwards.
func (s *Series) add(at time.Duration, n int64) {
	if s.bytes == nil {
		s.bytes = new([Slots]int64)
		s.Start, s.Width = at, time.Millisecond
	}
	since := max(at-s.Start, 0)
	for since/s.Width >= Slots {
		for i := range Slots / 2 {
			s.bytes[i] = s.bytes[2*i] + s.bytes[2*i+1]
		}
		clear(s.bytes[Slots/2:])
		s.Width *= 2
	}
	s.bytes[since/s.Width] += n
}

// Bytes returns the bytes of each interval, up to the last with any.
func (s *Series) Bytes() []int64 {
	if s.bytes == nil {
		return nil
	}
	n := Slots
	for n > 0 && s.bytes[n-1] == 0 {
		n--
	}
	return append([]int64(nil), s.bytes[:n]...)
}

// Peak returns the bits per second of the fullest interval, in which each counts
// as its whole width.
func (s *Series) Peak() float64 {
	var most int64
	if s.bytes != nil {
		for _, n := range s.bytes {
			most = max(most, n)
		}
	}
	if most == 0 {
		return 0
	}
	return float64(most) * 8 / s.Width.Seconds()
}
