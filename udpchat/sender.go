package udpchat

import (
	"errors"
	mathbits "math/bits"
	"time"

	"wirelab/internal/wire"
)

const (
	maxSilence = 30 * time.Second // after which a peer that owes acks is given up
	maxWaiting = 64               // reliable datagrams not sent yet, above which no more are taken
)

// Acknowledgements that no receiver of ours gives.
var (
	errAck  = errors.New("acknowledges what was never sent")
	errBits = errors.New("names single datagrams as having come, which stop-and-wait and go-back-n do not")
)

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

// A sender is the sending half of the reliable channel. It holds no clock and
// does no I/O: it is told what arrives, and says what to send and when to be
// asked again. What it takes for lost, and when, is its discipline's to say.
type sender struct {
	rtt rtt
	arq ARQ
	how discipline

	ring  []flight // numbers base to end−1, at number modulo len(ring), a power of two
	base  uint64   // the oldest that is not acknowledged
	next  uint64   // the first that was never sent
	end   uint64   // after the last that was handed in
	out   int      // sent and neither acknowledged nor taken for lost
	lost  int      // to be sent again
	order uint64   // transmissions so far
	news  []uint64 // reused: the orders of those that an ack answers

	congestion
	free time.Time // when ARQ.Rate lets the next out

	returned uint64    // the base for which all in flight was last taken for lost
	timer    time.Time // when that happens next; zero: not running
	heard    time.Time // when the peer said something, or the channel became busy
	dead     bool

	resent uint64 // transmissions beyond the first, for people
}

func newSender(mode Mode, arq ARQ) sender {
	arq = arq.of(mode)
	return sender{arq: arq, how: mode.discipline(), base: 1, next: 1, end: 1, congestion: newCongestion(arq)}
}

// rto returns how long to wait for an acknowledgement.
func (s *sender) rto() time.Duration {
	switch {
	case s.arq.RTO == 0:
		return s.rtt.timeout()
	case s.arq.Fixed:
		return s.arq.RTO
	}
	return s.rtt.doubled(s.arq.RTO)
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
func (s *sender) open() bool { return s.out < int(s.cwnd) || s.prompt && s.lost > 0 }

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
// acknowledged that were not before. prompt says that they were sent because of
// what they acknowledge, so that the time they took is a round trip.
func (s *sender) ack(now time.Time, ack, bits uint64, prompt bool) (fresh int, err error) {
	if ack >= s.next || bits != 0 && ack+2+uint64(63-mathbits.LeadingZeros64(bits)) >= s.next {
		return 0, errAck
	}
	if bits != 0 && s.how != (selectiveRepeat{}) {
		return 0, errBits
	}
	s.heard = now
	var (
		newest *flight // the last sent of those that were sent once
		unsure bool    // something else was acknowledged too
		// If nothing was ever sent twice and the acks leave no hole, nothing
		// that is out was sent before what they name.
		overtaken = bits != 0 || s.order != s.next-1
	)
	s.news = s.news[:0]
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
			if overtaken {
				s.news = append(s.news, f.order)
			}
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
	if newest != nil && !unsure && prompt {
		// Karn's algorithm, for an ack of many: one that answers a
		// retransmission as well may have been late for those sent once.
		s.rtt.sample(now.Sub(newest.sent))
	}
	for s.base < s.next && s.at(s.base).acked {
		s.base++
	}
	s.timeouts = 0
	s.grow(fresh)
	if len(s.news) > 0 {
		s.how.acknowledged(s, s.news)
	}
	// RFC 6298, rules 5.2 and 5.3: off when all is acknowledged, else restarted.
	s.timer = time.Time{}
	if s.out > 0 || s.lost > 0 {
		s.timer = now.Add(s.rto())
	}
	return fresh, nil
}

// reject takes in that the receiver throws away what comes after number.
func (s *sender) reject(now time.Time, number uint64) {
	if number == s.base && number < s.next {
		s.how.rejected(s, now, number)
	}
}

// lose takes a parcel for lost: it is to be sent again.
func (s *sender) lose(f *flight) {
	f.lost = true
	s.lost++
	s.out--
}

// loseAll takes all for lost that is in flight.
func (s *sender) loseAll() {
	s.returned = s.base
	for n := s.base; n < s.next; n++ {
		if f := s.at(n); !f.acked && !f.lost {
			s.lose(f)
		}
	}
}

// congested answers the loss of the transmission of that order.
func (s *sender) congested(order uint64) { s.answer(order, s.order, s.out+s.lost) }

// expire does what is due at now: when the timer ran out, everything in flight
// is taken for lost and the congestion window starts from one. It reports
// whether that happened. When the peer has been silent for too long the sender
// is dead.
func (s *sender) expire(now time.Time) bool {
	if s.timer.IsZero() || now.Before(s.timer) {
		return false
	}
	s.dead = now.Sub(s.heard) >= maxSilence
	s.timedOut(s.order, s.out+s.lost)
	s.loseAll()
	s.rtt.expired()
	s.timer = now.Add(s.rto())
	return true
}

// deadline returns when expire or poll has something to do that time alone
// brings; zero: never.
func (s *sender) deadline() time.Time {
	if s.arq.Rate > 0 && s.sendable() && s.open() {
		return earliest(s.timer, s.free)
	}
	return s.timer
}
