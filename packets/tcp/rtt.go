package tcp

import "time"

// kept is how many segments in flight are measured in each direction.
const kept = 16

// A ring holds the ends of segments in flight, oldest first, with their times.
type ring struct {
	at, n uint8
	end   [kept]uint32
	time  [kept]int64
}

func (r *ring) push(end uint32, t int64) {
	if r.n == kept {
		return
	}
	i := (r.at + r.n) % kept
	r.end[i], r.time[i] = end, t
	r.n++
}

// measure notes what F sent, for a later sample, and returns the sample that the
// acknowledgement in s is for what R sent, or −1. It runs before F advances. A
// probe is no sample, nor what follows it: the probe's byte is sent again.
func measure(f, rev *side, s *Segment, flags Flags) time.Duration {
	switch end := s.end(); {
	case flags&ZeroWindowProbe != 0:
		f.probed = true
	case end == s.Seq:
	case f.seen && before(s.Seq, f.nextSeq):
		f.flying.n = 0
	case !f.seen || after(end, f.nextSeq):
		if !f.probed {
			f.flying.push(end, s.Time)
		}
		f.probed = false
	}
	sample := time.Duration(-1)
	if s.Control&ACK == 0 || !rev.baseSet {
		return sample
	}
	for r := &rev.flying; r.n > 0 && upTo(r.end[r.at], s.Ack); r.n-- {
		if d := s.Time - r.time[r.at]; r.end[r.at] == s.Ack && d >= 0 {
			sample = time.Duration(d)
		}
		r.at = (r.at + 1) % kept
	}
	if after(s.Ack, rev.una) {
		rev.una = s.Ack
	}
	return sample
}
