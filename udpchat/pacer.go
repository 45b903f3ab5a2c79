package udpchat

import "time"

const (
	loopbackRate = 50_000 // datagrams per second to one peer on this machine
	networkRate  = 1_000  // and elsewhere, since events sent once have no window (RFC 8085, section 3.1.3)
	paceBurst    = 128    // datagrams at once
)

// A pacer is a token bucket of paceBurst datagrams. The zero value never holds
// anything back.
type pacer struct {
	interval time.Duration // between datagrams
	full     time.Time     // when the bucket is full again
}

func newPacer(perSecond int) pacer { return pacer{interval: time.Second / time.Duration(perSecond)} }

// ready reports whether the bucket holds a token.
func (p *pacer) ready(now time.Time) bool { return !now.Before(p.refilled()) }

// refilled returns when ready is true.
func (p *pacer) refilled() time.Time { return p.full.Add(-(paceBurst - 1) * p.interval) }

// take takes n tokens, on credit if there are fewer.
func (p *pacer) take(now time.Time, n int) {
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(time.Duration(n) * p.interval)
}
