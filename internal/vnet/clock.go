package vnet

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// A clock is what a stack takes its time from. Two things set it apart from the
// system's, and both keep the stack from sending again what was not lost.
//
// No two readings are alike: the second of an instant is a nanosecond later. RACK
// orders segments by when they were sent, and by sequence number where that was
// at one instant (RFC 8985, section 6.2). This stack has the second comparison
// the wrong way round (rackControl.detectLoss), and in virtual time a whole burst
// is sent at one instant: each loss in it was repaired with all that followed.
//
// No timer is shorter than tick, as in Linux, where none of TCP's takes less than
// two jiffies (TCP_TIMEOUT_MIN; 8 ms at 250 Hz). The stack has no such floor, and
// on a link that takes microseconds its tail loss probe (RFC 8985, section 7)
// overtakes acknowledgements that only wait for a processor.
type clock struct {
	start time.Time
	last  atomic.Int64 // the last reading
}

// tick is the shortest timer.
const tick = 8 * time.Millisecond

func newClock() *clock { return &clock{start: time.Now()} }

// Now implements tcpip.Clock.
func (c *clock) Now() time.Time { return time.Now() }

// NowMonotonic implements tcpip.Clock.
func (c *clock) NowMonotonic() tcpip.MonotonicTime {
	for {
		now, last := int64(time.Since(c.start)), c.last.Load()
		if c.last.CompareAndSwap(last, max(now, last+1)) {
			return tcpip.MonotonicTime{}.Add(time.Duration(max(now, last+1)))
		}
	}
}

// AfterFunc implements tcpip.Clock.
func (c *clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return timer{time.AfterFunc(max(d, tick), f)}
}

// A timer is one of a clock.
type timer struct{ *time.Timer }

// Reset implements tcpip.Timer.
func (t timer) Reset(d time.Duration) { t.Timer.Reset(max(d, tick)) }
