package udpchat

import "time"

// stopAndWait has one parcel in flight. So an acknowledgement says nothing about
// others, and only the timer finds a loss.
type stopAndWait struct{}

func (stopAndWait) acknowledged(*sender, []uint64) {}

func (stopAndWait) rejected(*sender, time.Time, uint64) {}

// early refuses: nothing is sent before what precedes it has arrived.
func (stopAndWait) early(*receiver, time.Time, parcel) verdict { return refused }
