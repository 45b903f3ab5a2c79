package missed

import (
	"cmp"
	"fmt"
	"strings"
)

// A Key names a room: the same name in two namespaces is two rooms.
type Key struct{ Namespace, Room string }

// String returns the key as people write it: "/namespace room", or the room
// alone in the default namespace.
func (k Key) String() string {
	if k.Namespace == "" {
		return fmt.Sprintf("%q", k.Room)
	}
	return fmt.Sprintf("%q in %q", k.Room, k.Namespace)
}

// Compare orders keys by namespace, then by room.
func (k Key) Compare(other Key) int {
	return cmp.Or(strings.Compare(k.Namespace, other.Namespace), strings.Compare(k.Room, other.Room))
}

// A Cursor says how far a reader came in a log: everything up to Seq. It moves
// as a pair: a Seq means nothing under another Epoch.
type Cursor struct{ Epoch, Seq uint64 }

// A Reason says why events between a cursor and the log cannot be read.
type Reason uint8

// The reasons.
const (
	ReasonNone     Reason = iota
	ReasonEpoch           // the log is not the one that the cursor was in
	ReasonExpired         // older than Limits.Age
	ReasonOverflow        // more than the other limits hold
	ReasonDamaged         // the store could not read back what it had stored
)

var reasonNames = [...]string{"", "epoch", "expired", "overflow", "damaged"}

// String returns the reason's name in lower case; "" is ReasonNone.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return reasonNames[r]
}
