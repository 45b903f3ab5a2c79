package chat

import (
	"fmt"
	"sync/atomic"
	"time"

	"wirelab/internal/wire"
)

// A bucket is a token bucket in one word: the instant, in ns since 1970, at
// which it is full again (the generic cell rate algorithm of ITU-T I.371).
// Ten thousand idle members have two each.
type bucket struct{ full atomic.Int64 }

// A rate is what fills a bucket. The zero rate is no limit.
type rate struct {
	perSecond float64
	interval  int64 // ns between two tokens
	burst     int
}

func newRate(perSecond float64, burst int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	return rate{perSecond, int64(float64(time.Second) / perSecond), burst}
}

// take takes a token at now, in ns since 1970, and reports whether there was one.
func (b *bucket) take(r *rate, now int64) bool {
	if r.interval == 0 {
		return true
	}
	for {
		old := b.full.Load()
		full := max(old, now) + r.interval
		if full-now > int64(r.burst)*r.interval {
			return false
		}
		if b.full.CompareAndSwap(old, full) {
			return true
		}
	}
}

// limited takes one event from the connection's and the identity's buckets.
func (c *Conn) limited() *wire.Fault {
	now := c.now.UnixNano()
	if r := &c.hub.perConn; !c.bucket.take(r, now) {
		return r.fault("connection")
	}
	if r := &c.hub.perIdentity; !c.sess.ident.bucket.take(r, now) {
		return r.fault("identity")
	}
	return nil
}

func (r *rate) fault(per string) *wire.Fault {
	return &wire.Fault{
		Code: "rate", RetryMS: max(1, time.Duration(r.interval).Milliseconds()),
		Message: fmt.Sprintf("more than %g events/s for one %s (burst %d)", r.perSecond, per, r.burst),
	}
}
