package udpchat

import (
	"fmt"
	"time"

	"wirelab/internal/wire"
)

const (
	// maxARQWindow is the widest window. An ack names 64 datagrams after the
	// first that is missing; what lies beyond is named once that one is there.
	maxARQWindow = 128
	// defaultDupAcks is RFC 5681's, section 3.2.
	defaultDupAcks = 3
	// maxARQRate is what a pacer that counts nanoseconds can space.
	maxARQRate = 1_000_000_000
)

// An ARQ (automatic repeat request) says how the modes [StopAndWait], [GoBackN]
// and [SelectiveRepeat] send again. Each end has its own: they need not be the
// same. The zero value is right for a network that others use, too: its window
// answers losses as congestion, and its timer is that of RFC 6298. The books'
// formulas want [Textbook]. The other modes do not look at it.
type ARQ struct {
	// Window is how many datagrams are in flight at most; if zero, 64, and never
	// more than 128. In StopAndWait it is 1.
	Window int
	// Fixed keeps the window at its size whatever is lost, and the RTO, if it is
	// given, at its value. RFC 8085, section 3.1 forbids that on a path that
	// others use. Else a congestion window within Window begins with 10 (RFC
	// 6928), opens by slow start, and halves at a loss (RFC 5681).
	Fixed bool
	// DupAcks is how many datagrams that were sent later must have arrived for
	// SelectiveRepeat to take one for lost; if zero, 3, since what is late by
	// less may only have been overtaken. GoBackN needs no such number: its
	// receiver says at once that one is missing.
	DupAcks int
	// EachAck makes this end acknowledge each datagram at once; else every
	// second, or after 25 ms. In StopAndWait it always does.
	EachAck bool
	// RTO is how long to wait for an acknowledgement, 1 ms at least; doubled, as
	// RFC 8085, section 3.1.1 wants it, after each timeout unless Fixed. If zero,
	// it is measured (RFC 6298).
	RTO time.Duration
	// Rate is how many datagrams leave per second at most; if zero, as many as
	// the window lets out.
	Rate int
}

// Textbook returns the ARQ that the books' formulas assume, for a link of one's
// own that takes frame to send a datagram and rtt for the way there and back:
//
//	stop-and-wait      (1−p)/(1+2a)                     a = (rtt/2)/frame
//	go-back-N          min(1, W/(1+2a)), with loss (1−p)/(1+2ap)
//	selective repeat   min(1, W/(1+2a)), with loss 1−p
//
// They say which share of the time the link carries something new, when it loses
// a share p of the datagrams and no acknowledgement, and when an acknowledgement
// takes no time to send. Both ends must have it. What they assume, and what it
// does for that:
//
//   - A window that is never smaller: Fixed. With loss it must also never stand
//     still. For go-back-N 1+2a is enough. For selective repeat the window must
//     go on while a loss is found and repaired: twice that, and for a repair that
//     is lost as well, three times.
//   - Each acknowledgement leaves at once: EachAck.
//   - A loss costs no more time than it must. Stop-and-wait has the ideal
//     timeout, which runs out just when the acknowledgement would be there.
//     Go-back-N goes back once for each loss, which the first datagram behind it
//     tells of. Selective repeat takes the first that overtakes another for proof
//     (DupAcks: 1), which is right on a link that never reorders.
//   - A repair is on its way as soon as it is sent, and does not wait in front of
//     the link behind what else the window let out: Rate is the link's own.
func Textbook(window int, frame, rtt time.Duration) ARQ {
	a := ARQ{Window: window, Fixed: true, DupAcks: 1, EachAck: true, RTO: max(rtt+frame+granularity, minARQTimeout)}
	if frame > 0 {
		a.Rate = max(1, int(time.Second/frame))
	}
	return a
}

// minARQTimeout keeps a sender whom nobody answers from being a flood.
const minARQTimeout = time.Millisecond

// of returns what a says in a mode, with zero fields filled in.
func (a ARQ) of(mode Mode) ARQ {
	switch mode {
	case StopAndWait:
		a.Window, a.EachAck = 1, true
	case GoBackN, SelectiveRepeat:
	default:
		a = ARQ{}
	}
	if a.Window == 0 {
		a.Window = wire.AckWindow
	}
	if a.DupAcks == 0 {
		a.DupAcks = defaultDupAcks
	}
	return a
}

// check reports what makes no sense.
func (a *ARQ) check() error {
	switch {
	case a.Window < 0 || a.Window > maxARQWindow:
		return fmt.Errorf("udpchat: a window of %d datagrams, want 1 to %d, or 0 for %d", a.Window, maxARQWindow, wire.AckWindow)
	case a.DupAcks < 0:
		return fmt.Errorf("udpchat: lost after %d later datagrams, want 1 or more, or 0 for %d", a.DupAcks, defaultDupAcks)
	case a.RTO != 0 && a.RTO < minARQTimeout:
		return fmt.Errorf("udpchat: an RTO of %v, want %v or more, or 0 for what RFC 6298 says", a.RTO, minARQTimeout)
	case a.Rate < 0 || a.Rate > maxARQRate:
		return fmt.Errorf("udpchat: %d datagrams per second, want 1 to %d, or 0 for no limit", a.Rate, maxARQRate)
	}
	return nil
}
