package udpchat

import (
	"time"

	"wirelab/internal/wire"
)

// selectiveRepeat keeps what came early and names it in its acknowledgements, so
// that only what is missing is sent again: as soon as ARQ.DupAcks parcels that
// were sent later have arrived, or when the timer runs out.
//
// The books give each parcel a timer of its own. One for all is enough here:
// when it runs out, what arrived is known, so no more than what is missing is
// sent again.
type selectiveRepeat struct{}

func (selectiveRepeat) acknowledged(s *sender, news []uint64) {
	for n := s.base; n < s.next; n++ {
		f := s.at(n)
		if f.acked || f.lost {
			continue
		}
		for _, order := range news {
			if order > f.order {
				f.later++
			}
		}
		if f.later >= s.arq.DupAcks {
			s.lose(f)
			s.congested(f.order)
		}
	}
}

func (selectiveRepeat) rejected(*sender, time.Time, uint64) {}

func (selectiveRepeat) early(r *receiver, now time.Time, p parcel) verdict {
	if r.held == nil {
		r.held = make([]parcel, r.window)
	}
	p.payload = append([]byte(nil), p.payload...)
	r.held[p.number%r.window] = p
	if i := p.number - r.next - 1; i < wire.AckWindow {
		r.bits |= 1 << i
	}
	r.ackAt = now // RFC 5681, section 4.2: at once for what is out of order
	return accepted
}
