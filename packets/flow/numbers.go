package flow

import "wirelab/internal/wire"

// behind is how many numbers below the highest can be told apart.
const behind = 256

// Numbers is what the chat's own datagram numbers say of one direction at one
// place: each datagram has a number of its own, from 1 on, also if it carries
// again what was lost (see wire.Header).
type Numbers struct {
	Session   uint64 `json:"session,string"` // the latest
	Sessions  int    `json:"sessions"`       // that were seen, with the handshake's 0 if nothing else came
	Datagrams int64  `json:"datagrams"`
	Gaps      int64  `json:"gaps"`           // numbers that were passed over and did not come later
	Twice     int64  `json:"twice"`          // datagrams whose number was there before
	Late      int64  `json:"late"`           // datagrams that came after one of a higher number
	Old       int64  `json:"old"`            // datagrams too far behind the highest to say
	Reliable  int64  `json:"reliable"`       // different pieces of data that TypeData carried reliably
	Again     int64  `json:"reliable_again"` // datagrams that carried such a piece once more

	number, reliable row
}

// A row knows which numbers were seen: bit i%behind is for number i.
type row struct {
	highest uint64
	seen    [behind / 64]uint64
}

// What taking a number says.
const (
	isNext = iota // the highest so far
	isLate
	isTwice
	isOld
)

// take adds a number; passed is how many were left out before it.
func (r *row) take(n uint64) (what int, passed uint64) {
	word, bit := n%behind/64, uint64(1)<<(n%64)
	if n > r.highest {
		passed = n - r.highest - 1
		if passed >= behind {
			r.seen = [behind / 64]uint64{}
		} else {
			for i := r.highest + 1; i < n; i++ {
				r.seen[i%behind/64] &^= 1 << (i % 64)
			}
		}
		r.highest = n
		r.seen[word] |= bit
		return isNext, passed
	}
	switch {
	case r.highest-n >= behind:
		return isOld, 0
	case r.seen[word]&bit != 0:
		return isTwice, 0
	}
	r.seen[word] |= bit
	return isLate, 0
}

// isChat reports whether a datagram may be one of the chat.
func isChat(b []byte) bool {
	return len(b) >= wire.DatagramHeader && b[0] == 'W' && b[1] == wire.Version
}

// chat counts a datagram of the chat.
func (s *Side) chat(payload []byte) {
	h, _, err := wire.DecodeHeader(payload)
	if err != nil || h.Number == 0 {
		return // resets have no number
	}
	c := s.Chat
	if c == nil {
		c = &Numbers{Session: h.Session, Sessions: 1}
		// What came before the capture began is no gap.
		c.number.highest = h.Number - 1
		if h.Session == 0 {
			c.number.highest = 0
		}
		s.Chat = c
	}
	if h.Session != c.Session {
		anew := h.Session != 0 || h.Type == wire.TypeHello && h.Number == 1
		if c.Session != 0 && anew { // another one: numbers begin again
			c.number, c.reliable = row{}, row{}
			c.Sessions++
		}
		if anew {
			c.Session = h.Session
		}
	}
	c.Datagrams++
	what, passed := c.number.take(h.Number)
	switch what {
	case isNext:
		c.Gaps += int64(min(passed, 1<<40)) // a hostile number is no reason to overflow
	case isLate:
		c.Late++
		c.Gaps--
	case isTwice:
		c.Twice++
	case isOld:
		c.Old++
	}
	if what != isTwice && h.Type == wire.TypeData && h.Flags&wire.DatagramReliable != 0 && h.Reliable > 0 {
		if what, _ := c.reliable.take(h.Reliable); what == isTwice {
			c.Again++
		} else if what != isOld {
			c.Reliable++
		}
	}
}
