package missed

import (
	"cmp"
	"errors"
	"time"
)

// Limits bound what one room keeps. A zero field takes its value from
// DefaultLimits; a negative one means no limit. Whatever they say, dropping the
// oldest never drops the newest event of a room; only the total may.
type Limits struct {
	Count int           // events
	Bytes int64         // bytes of their frames and marks
	Age   time.Duration // since the server took the event
}

// DefaultLimits returns what the zero fields of a Limits mean.
func DefaultLimits() Limits { return Limits{Count: 100_000, Bytes: 32 << 20, Age: 24 * time.Hour} }

// DefaultTotalBytes is what a zero Config.TotalBytes means.
const DefaultTotalBytes = 256 << 20

// A Policy says who pays when a limit is reached.
type Policy uint8

// The policies. Age drops the oldest under both.
const (
	DropOldest Policy = iota // the oldest events go; members are told how many they lost
	RefuseNew                // publishers get ErrFull
)

// What publishing returns, wrapped with the room and, where there is one, the
// limit and its value.
var (
	ErrFull    = errors.New("queue full")
	ErrStore   = errors.New("store failed")
	ErrDropped = errors.New("room was dropped")
	ErrClosed  = errors.New("queue closed")
)

// filled returns l with its zero and negative fields replaced.
func (l Limits) filled() Limits {
	d := DefaultLimits()
	return Limits{
		Count: int(bound(int64(l.Count), int64(d.Count))),
		Bytes: bound(l.Bytes, d.Bytes),
		Age:   time.Duration(bound(int64(l.Age), int64(d.Age))),
	}
}

// bound is n, or preset if n is zero, or unlimited if it is negative.
func bound(n, preset int64) int64 {
	if n = cmp.Or(n, preset); n < 0 {
		return unlimited
	}
	return n
}
