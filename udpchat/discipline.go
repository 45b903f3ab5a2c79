package udpchat

import "time"

// A discipline is what stop-and-wait, go-back-N and selective repeat differ in.
// What they share is the sender's and the receiver's: numbers, window, timer,
// congestion control, acknowledgements. Those tell the discipline what happened,
// and it says what is lost, and what to do with what came too early. It has no
// state of its own.
type discipline interface {
	// acknowledged takes for lost what is known to be, now that transmissions
	// of these orders have arrived.
	acknowledged(s *sender, news []uint64)
	// rejected takes in that the receiver throws away what comes after number,
	// the oldest that is not acknowledged.
	rejected(s *sender, now time.Time, number uint64)
	// early takes in a parcel that came before the next one, is inside of the
	// receiver's window, and was not kept before.
	early(r *receiver, now time.Time, p parcel) verdict
}

// discipline returns what runs the reliable channel in a mode.
func (m Mode) discipline() discipline {
	switch m {
	case StopAndWait:
		return stopAndWait{}
	case GoBackN:
		return goBackN{}
	}
	return selectiveRepeat{}
}
