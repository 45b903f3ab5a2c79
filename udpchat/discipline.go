package udpchat

import (
	"fmt"
	"time"

	"wirelab/internal/wire"
)

// maxARQWindow is the widest window. An ack names 64 datagrams after the first
// that is missing; what lies beyond is named once that one is there.
const maxARQWindow = 128

// defaultDupAcks is how many later acks make one lost (RFC 5681, section 3.2).
const defaultDupAcks = 3

// An ARQ (automatic repeat request) says how the modes [StopAndWait], [GoBackN]
// and [SelectiveRepeat] send again. The zero value is right for a network that
// others use, too: it answers losses as congestion.
//
// The formulas of the books assume something else: a window that stays as it
// is, acknowledgements of each datagram, and a loss that is found as soon as it
// can be. For them, on a link of one's own:
//
//	ARQ{Window: 35, Fixed: true, DupAcks: 1, EachAck: true, RTO: …}
//
// Both ends must have the same.
type ARQ struct {
	Window  int           // datagrams in flight at most; if zero, 64; in StopAndWait it is 1
	Fixed   bool          // the window does not answer losses; RFC 8085, section 3.1 forbids that on a path that others use
	DupAcks int           // after so many acknowledgements of later datagrams one is lost; if zero, 3; GoBackN goes back at once
	EachAck bool          // each datagram is acknowledged at once; else every second, or after 25 ms
	RTO     time.Duration // waited for an acknowledgement; if zero, what RFC 6298 says
	Rate    int           // datagrams per second at most; if zero, the window alone holds them back
}

// of returns what a says in a mode, with zero fields filled in.
func (a ARQ) of(mode Mode) ARQ {
	switch mode {
	case StopAndWait:
		a.Window = 1
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
		return fmt.Errorf("udpchat: lost after %d later acks, want 1 or more, or 0 for %d", a.DupAcks, defaultDupAcks)
	case a.RTO < 0:
		return fmt.Errorf("udpchat: an RTO of %v, want more than 0, or 0 for what RFC 6298 says", a.RTO)
	case a.Rate < 0:
		return fmt.Errorf("udpchat: %d datagrams per second, want 1 or more, or 0 for no limit", a.Rate)
	}
	return nil
}
