package udpchat

import (
	"errors"
	mathbits "math/bits"
	"time"

	"wirelab/internal/wire"
)

const (
	initialWindow = 10               // datagrams in flight at first (RFC 6928)
	minWindow     = 2                // what halving leaves at least (RFC 5681, equation 4)
	maxSilence    = 30 * time.Second // after which a peer that owes acks is given up
	maxWaiting    = 64               // reliable datagrams not sent yet, above which no more are taken

	ackDelay = 25 * time.Millisecond // how long an ack may wait for company
	ackEvery = 2                     // datagrams that one ack may answer (RFC 5681, section 4.2)
)

// errAck means that the peer acknowledged what was never sent.
var errAck = errors.New("acknowledges what was never sent")

// A parcel is one datagram's worth of the reliable channel: an envelope, or a
// fragment of one. The payload is shared and never written to.
type parcel struct {
	number   uint64 // in the reliable channel, from 1
	fragment wire.Fragment
	payload  []byte
}

// A flight is a parcel that has been sent, or waits to be.
type flight struct {
	parcel
	sent  time.Time // the last time
	order uint64    // of that transmission among all
	times int       // how often
	later int       // parcels sent after it that were acknowledged since
	acked bool
	lost  bool // to be sent again
}

// A sender is the sending half of the reliable channel, under the discipline
// that its ARQ says. It holds no clock and does no I/O: it is told what arrives,
// and says what to send and when to be asked again.
//
// Within ARQ.Window a congestion window (RFC 8085, section 3.1.1) opens by slow
// start and halves at a loss (RFC 5681), unless the window is fixed.
type sender struct {
	rtt  rtt
	arq  ARQ
	back bool // go-back-N

	ring  []flight // numbers base to end−1, at number modulo len(ring), a power of two
	base  uint64   // the oldest that is not acknowledged
	next  uint64   // the first that was never sent
	end   uint64   // after the last that was handed in
	out   int      // sent and neither acknowledged nor taken for lost
	lost  int      // to be sent again
	order uint64   // transmissions so far

	window    float64 // the congestion window in datagrams
	threshold float64 // where slow start ends
	limited   bool    // the window held something back since the last ack
	recovery  uint64  // losses of transmissions before this order have been paid for
	prompt    bool    // one retransmission may go out whatever the window says

	gone bool      // go-back-N: it went back, and no ack has come since that acknowledges something
	free time.Time // when ARQ.Rate lets the next out

	timer    time.Time // when the oldest is taken for lost; zero: not running
	timeouts int       // in a row
	heard    time.Time // when the peer said something, or the channel became busy
	dead     bool

	resent uint64 // transmissions beyond the first, for people
}

func newSender(mode Mode, arq ARQ) sender {
	arq = arq.of(mode)
	s := sender{arq: arq, back: mode == GoBackN, base: 1, next: 1, end: 1, window: initialWindow, threshold: float64(arq.Window)}
	if arq.Fixed {
		s.window = float64(arq.Window)
	}
	return s
}

// rto returns how long to wait for an ack.
func (s *sender) rto() time.Duration {
	if s.arq.RTO > 0 {
		return s.arq.RTO
	}
	if s.back {
		// A gap is told of once, so an ack may answer something that was sent
		// long before, and its sample is far from a round trip.
		return min(s.rtt.timeout(), maxBackoff)
	}
	return s.rtt.timeout()
}

func (s *sender) at(number uint64) *flight { return &s.ring[number&uint64(len(s.ring)-1)] }

// waiting returns how many parcels have never been sent.
func (s *sender) waiting() int { return int(s.end - s.next) }

// idle reports whether everything that was handed in has been acknowledged.
func (s *sender) idle() bool { return s.base == s.end }

// push hands in the next parcel. It is the caller's to stop when waiting
// exceeds maxWaiting.
func (s *sender) push(now time.Time, payload []byte, fragment wire.Fragment) {
	if int(s.end-s.base) == len(s.ring) {
		grown := make([]flight, max(8, 2*len(s.ring)))
		for n := s.base; n < s.end; n++ {
			grown[n&uint64(len(grown)-1)] = *s.at(n)
		}
		s.ring = grown
	}
	if s.idle() {
		s.heard = now
	}
	*s.at(s.end) = flight{parcel: parcel{number: s.end, fragment: fragment, payload: payload}}
	s.end++
}

// sendable reports whether there is something that the window, congestion apart,
// lets out.
func (s *sender) sendable() bool {
	return s.lost > 0 || s.next < s.end && s.next < s.base+uint64(s.arq.Window)
}

// open reports whether the congestion window lets one more out.
func (s *sender) open() bool { return s.out < int(s.window) || s.prompt && s.lost > 0 }

// poll returns the parcel to send now, which counts as sent with that, and
// whether it was sent before. Nil means: nothing until an ack or deadline.
func (s *sender) poll(now time.Time) (p *parcel, again bool) {
	if !s.sendable() || now.Before(s.free) {
		return nil, false
	}
	if !s.open() {
		s.limited = true
		return nil, false
	}
	var f *flight
	if s.lost > 0 {
		for n := s.base; ; n++ {
			if f = s.at(n); f.lost {
				break
			}
		}
		f.lost = false
		s.lost--
		s.resent++
		s.prompt = false
	} else {
		f = s.at(s.next)
		s.next++
	}
	f.sent, f.order, f.later = now, s.order, 0
	f.times++
	s.order++
	s.out++
	if s.arq.Rate > 0 {
		s.free = now.Add(time.Second / time.Duration(s.arq.Rate))
	}
	if s.timer.IsZero() {
		// RFC 6298, rule 5.1: "Every time a packet containing data is sent
		// (including a retransmission), if the timer is not running, start it".
		s.timer = now.Add(s.rto())
	}
	return &f.parcel, f.times > 1
}

// ack takes the ack fields of a datagram in. It reports how many parcels they
// acknowledged that were not before.
func (s *sender) ack(now time.Time, ack, bits uint64) (fresh int, err error) {
	if ack >= s.next || bits != 0 && ack+2+uint64(63-mathbits.LeadingZeros64(bits)) >= s.next {
		return 0, errAck
	}
	s.heard = now
	var (
		newest *flight // the last sent of those that were sent once
		unsure bool    // something else was acknowledged too
		orders [2 * wire.AckWindow]uint64
		news   = orders[:0] // when what is acknowledged now was sent
	)
	take := func(n uint64) {
		f := s.at(n)
		if f.acked {
			return
		}
		fresh++
		f.acked, f.payload = true, nil
		unsure = unsure || f.lost || f.times > 1
		if f.lost {
			f.lost = false
			s.lost--
		} else {
			s.out--
		}
		if f.times == 1 {
			news = append(news, f.order)
			if newest == nil || f.order > newest.order {
				newest = f
			}
		}
	}
	for n := s.base; n <= ack; n++ {
		take(n)
	}
	for i, b := ack+2, bits; b != 0; i, b = i+1, b>>1 {
		if b&1 != 0 && i >= s.base {
			take(i)
		}
	}
	if fresh == 0 {
		return 0, nil
	}
	if newest != nil && !unsure {
		// Karn's algorithm, for an ack of many: one that answers a
		// retransmission as well may have been late for those sent once.
		s.rtt.sample(now.Sub(newest.sent))
	}
	for s.base < s.next && s.at(s.base).acked {
		s.base++
	}
	s.timeouts, s.gone = 0, false
	s.grow(fresh)
	if s.back || bits == 0 && s.order == s.next-1 {
		// Go-back-N counts acks that say nothing new instead. Or: nothing was ever sent twice and the acks left no hole, so nothing
		// that is out was sent before what they name.
		news = nil
	}
	s.detect(news)
	// RFC 6298, rules 5.2 and 5.3: off when all is acknowledged, else restarted.
	s.timer = time.Time{}
	if s.out > 0 || s.lost > 0 {
		s.timer = now.Add(s.rto())
	}
	return fresh, nil
}

// grow opens the congestion window for n acknowledged datagrams, unless it was
// not the window that held the sender back.
func (s *sender) grow(n int) {
	if !s.limited || s.arq.Fixed {
		return
	}
	s.limited = false
	for range n {
		if s.window < s.threshold {
			s.window++ // slow start
		} else {
			s.window += 1 / s.window // congestion avoidance
		}
	}
	s.window = min(s.window, float64(s.arq.Window))
}

// detect takes for lost what so many later transmissions have overtaken.
func (s *sender) detect(news []uint64) {
	if len(news) == 0 {
		return
	}
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

// repeated takes in that an ack acknowledged nothing: so the receiver of
// go-back-N says, once for each gap, that it cannot take what comes. (HDLC has a
// frame for that, REJ: ISO/IEC 13239.)
func (s *sender) repeated() {
	if !s.back || s.gone || s.out == 0 {
		return
	}
	s.gone = true
	s.congested(s.at(s.base).order)
	for n := s.base; n < s.next; n++ {
		if f := s.at(n); !f.acked && !f.lost {
			s.lose(f)
		}
	}
}

// lose takes a parcel for lost: it is to be sent again.
func (s *sender) lose(f *flight) {
	f.lost = true
	s.lost++
	s.out--
}

// congested answers the loss of a transmission with half of what is in flight,
// once for all the losses of one window (RFC 5681, section 3.2).
func (s *sender) congested(order uint64) {
	if order < s.recovery {
		return
	}
	s.recovery = s.order
	s.prompt = true
	if !s.arq.Fixed {
		s.threshold = max(float64(s.out+s.lost)/2, minWindow)
		s.window = s.threshold
	}
}

// expire does what is due at now: when the timer ran out, everything in flight
// is taken for lost and the window starts from one. It reports whether that
// happened. When the peer has been silent for too long the sender is dead.
func (s *sender) expire(now time.Time) bool {
	if s.timer.IsZero() || now.Before(s.timer) {
		return false
	}
	s.dead = now.Sub(s.heard) >= maxSilence
	if s.arq.Fixed && !s.back {
		return s.expireEach(now)
	}
	s.timeouts++
	s.gone = true
	if s.timeouts == 1 {
		s.threshold = max(float64(s.out+s.lost)/2, minWindow)
	}
	for n := s.base; n < s.next; n++ {
		if f := s.at(n); !f.acked && !f.lost {
			s.lose(f)
		}
	}
	s.recovery = s.order
	if !s.arq.Fixed {
		s.window = 1
	}
	s.rtt.expired()
	s.timer = now.Add(s.rto())
	return true
}

// expireEach is expire of selective repeat as the books have it: each datagram
// has a timer of its own.
func (s *sender) expireEach(now time.Time) bool {
	rto := s.rto()
	s.timer = time.Time{}
	any := false
	for n := s.base; n < s.next; n++ {
		f := s.at(n)
		if f.acked || f.lost {
			continue
		}
		at := f.sent.Add(rto)
		if !at.After(now) {
			s.lose(f)
			any = true
		} else {
			s.timer = earliest(s.timer, at)
		}
	}
	if any {
		s.timeouts++
		s.rtt.expired()
	}
	if s.timer.IsZero() && s.lost > 0 {
		s.timer = now.Add(s.rto())
	}
	return any
}

// deadline returns when expire or poll has something to do that time alone
// brings; zero: never.
func (s *sender) deadline() time.Time {
	if s.arq.Rate > 0 && s.sendable() && s.open() {
		return earliest(s.timer, s.free)
	}
	return s.timer
}
