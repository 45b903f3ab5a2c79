package flow

// holes is how many holes in the sequence numbers are remembered at a time.
const holes = 8

// A span is which sequence numbers of one direction were seen: all up to next,
// but for some holes. Numbers are modulo 2³² (RFC 9293, section 3.4).
type span struct {
	begun bool
	next  uint32
	n     int
	hole  [holes][2]uint32 // first, and after the last
}

// take adds size bytes from seq on, and returns how many of them are new.
func (s *span) take(seq, size uint32) (fresh int64) {
	end := seq + size
	if !s.begun {
		s.begun, s.next = true, end
		return int64(size)
	}
	switch ahead := int32(seq - s.next); {
	case ahead > 0:
		if s.n == holes { // the oldest is given up
			s.n = copy(s.hole[:], s.hole[1:])
		}
		s.hole[s.n] = [2]uint32{s.next, seq}
		s.n++
		fallthrough
	case ahead == 0:
		s.next = end
		return int64(size)
	}
	if more := int32(end - s.next); more > 0 {
		fresh, s.next = int64(more), end
	}
	for i := 0; i < s.n; i++ {
		h := &s.hole[i]
		from, to := later(h[0], seq), earlier(h[1], end)
		if int32(to-from) <= 0 {
			continue
		}
		fresh += int64(to - from)
		switch first, last := from == h[0], to == h[1]; {
		case first && last:
			s.n--
			copy(s.hole[i:], s.hole[i+1:])
			i--
		case first:
			h[0] = to
		case last:
			h[1] = from
		default:
			rest := [2]uint32{to, h[1]}
			h[1] = from
			if s.n < holes {
				copy(s.hole[i+2:], s.hole[i+1:s.n])
				s.hole[i+1] = rest
				s.n++
				i++ // rest is beyond end
			}
		}
	}
	return fresh
}

func later(a, b uint32) uint32 {
	if int32(a-b) > 0 {
		return a
	}
	return b
}

func earlier(a, b uint32) uint32 {
	if int32(a-b) < 0 {
		return a
	}
	return b
}
