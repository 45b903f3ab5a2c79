package udpchat

import "time"

const (
	// initialRTO is used before the first sample (RFC 6298, rule 2.1).
	initialRTO = time.Second
	// minRTO is below the one second of RFC 6298, rule 2.4: a chat shows a
	// lost message too late with it. Linux uses the same 200 ms.
	minRTO = 200 * time.Millisecond
	// maxBackoff is what doubling leads to at most. RFC 6298, rule 2.5 wants no
	// maximum below 60 s; but a session is given up after 30 s of silence, and
	// where a fifth is lost each way a third of all tries fails: with ten of them
	// in that time sessions ended that lived.
	maxBackoff = 2 * time.Second
	// blindBackoff is the same before the first sample: one datagram in 3 s is
	// what RFC 8085, section 3.1.3 allows who knows nothing of the path.
	blindBackoff = 3 * time.Second
	// granularity is G of RFC 6298: how coarse our clock is taken to be.
	granularity = time.Millisecond
	// minVariance is how much later than usual an ack must be to be missed: as
	// long as it may wait for company, which RFC 9002, section 6.2.1 adds, too.
	minVariance = ackDelay + granularity
)

// An rtt estimates the round-trip time of a path and the retransmission
// timeout from samples, by RFC 6298, section 2. The zero value has no sample.
type rtt struct {
	smoothed time.Duration // SRTT
	variance time.Duration // RTTVAR
	backoff  uint          // doublings since the last sample (rule 5.5)
	sampled  bool
}

// sample takes one measurement in. Never hand in one of a datagram that was
// sent more than once: nobody knows which copy the answer is to (Karn's
// algorithm, RFC 6298, section 3).
func (r *rtt) sample(d time.Duration) {
	if d < 0 {
		return
	}
	r.backoff = 0
	if !r.sampled {
		r.sampled, r.smoothed, r.variance = true, d, d/2
		return
	}
	r.variance = (3*r.variance + (r.smoothed - d).Abs()) / 4
	r.smoothed = (7*r.smoothed + d) / 8
}

// timeout returns the RTO, which is never below what the samples say.
func (r *rtt) timeout() time.Duration {
	rto := initialRTO
	if r.sampled {
		rto = max(r.smoothed+max(minVariance, 4*r.variance), minRTO)
	}
	return r.doubled(rto)
}

// doubled returns rto, doubled as often as it has run out since the last sample.
func (r *rtt) doubled(rto time.Duration) time.Duration {
	most := maxBackoff
	if !r.sampled {
		most = blindBackoff
	}
	return max(rto, min(rto<<min(r.backoff, 16), most))
}

// expired doubles the timeout until the next sample.
func (r *rtt) expired() { r.backoff++ }
