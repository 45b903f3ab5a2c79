package udpchat

import (
	"time"

	"wirelab/internal/wire"
)

const (
	ackDelay = 25 * time.Millisecond // how long an ack may wait for company
	ackEvery = 2                     // datagrams that one ack may answer (RFC 5681, section 4.2)
)

// A receiver is the receiving half of the reliable channel: it puts parcels in
// order, drops what came twice, and says when to acknowledge. Like the sender
// it holds no clock. What becomes of parcels that come early, of which it holds
// at most a window, is its discipline's to say.
type receiver struct {
	how    discipline
	window uint64   // numbers after next that are taken
	every  int      // datagrams that one ack may answer
	next   uint64   // the first number that has not arrived
	bits   uint64   // bit i: next+1+i is held
	held   []parcel // those and later ones, by number modulo window
	since  int      // datagrams since the last ack was sent
	ackAt  time.Time

	reject   bool   // say that next is missing, and that what comes after it is thrown away
	rejected uint64 // for which number that was last to be said
}

func newReceiver(mode Mode, arq ARQ) receiver {
	r := receiver{how: mode.discipline(), next: 1, every: ackEvery, window: wire.AckWindow}
	switch mode {
	case StopAndWait:
		r.window = 0
	case GoBackN, SelectiveRepeat:
		r.window = maxARQWindow // whatever the peer's is
	}
	if arq.of(mode).EachAck {
		r.every = 1
	}
	return r
}

// holds reports whether a number after next has arrived.
func (r *receiver) holds(number uint64) bool {
	if i := number - r.next - 1; i < 64 {
		return r.bits>>i&1 != 0
	}
	return r.held != nil && r.held[number%r.window].number == number
}

// A verdict says what became of a datagram that arrived.
type verdict uint8

const (
	accepted  verdict = iota
	duplicate         // came before
	refused           // beyond a window or a cap, or false
	early             // before what precedes it, where that is not wanted
)

// take hands in a parcel and appends to dst those that are in order now. Only
// p.payload of the parcel itself aliases the datagram.
func (r *receiver) take(now time.Time, dst []parcel, p parcel) ([]parcel, verdict) {
	switch {
	case p.number < r.next, p.number > r.next && p.number <= r.next+r.window && r.holds(p.number):
		r.ackAt = now // so that the peer stops sending it
		return dst, duplicate
	case p.number > r.next+r.window:
		return dst, refused
	case p.number > r.next:
		return dst, r.how.early(r, now, p)
	}
	r.reject = false
	dst = append(dst, p)
	hole := r.bits != 0
	for r.next++; ; r.next++ {
		here := r.bits & 1
		r.bits >>= 1
		if far := r.next + 64; r.window > 64 && r.held != nil && r.held[far%r.window].number == far {
			r.bits |= 1 << 63 // the bits can name it from now on
		}
		if here == 0 {
			break
		}
		slot := &r.held[r.next%r.window]
		dst = append(dst, *slot)
		*slot = parcel{}
	}
	r.since++
	if hole || r.since >= r.every {
		r.ackAt = now
	} else if r.ackAt.IsZero() {
		r.ackAt = now.Add(ackDelay)
	}
	return dst, accepted
}

// acknowledge returns the ack fields for a datagram that is sent now.
func (r *receiver) acknowledge() (ack, bits uint64) {
	r.since, r.ackAt = 0, time.Time{}
	return r.next - 1, r.bits
}

// hurry makes an ack that waits for company due at now.
func (r *receiver) hurry(now time.Time) {
	if !r.ackAt.IsZero() {
		r.ackAt = now
	}
}

// due reports whether an ack must go out at now even without company.
func (r *receiver) due(now time.Time) bool { return !r.ackAt.IsZero() && !now.Before(r.ackAt) }
