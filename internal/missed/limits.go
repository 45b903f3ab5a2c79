package missed

import (
	"errors"
	"time"
)

// Limits bound what one room keeps. A zero field takes its value from
// DefaultLimits; a negative one means no limit.
type Limits struct {
	Count int           // events
	Bytes int64         // bytes of their frames, and of their marks
	Age   time.Duration // since the server took the event
}

// DefaultLimits is what a zero Limits means.
var DefaultLimits = Limits{Count: 100_000, Bytes: 32 << 20, Age: 24 * time.Hour}

// DefaultTotalBytes is what a zero Config.TotalBytes means.
const DefaultTotalBytes = 256 << 20

// A Policy says who pays when a limit is reached.
type Policy uint8

// The policies. Age always drops the oldest.
const (
	DropOldest Policy = iota // the oldest events go; members are told how many they lost
	RefuseNew                // publishers get ErrFull
)

// What Append and the other publishing calls return, wrapped with the room
// and, where there is one, the limit and its value.
var (
	ErrFull    = errors.New("queue full")
	ErrStore   = errors.New("store failed")
	ErrDropped = errors.New("room was dropped")
	ErrClosed  = errors.New("queue closed")
)
