package udpchat

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// TestRTO follows RFC 6298, section 2, rule by rule.
func TestRTO(t *testing.T) {
	var r rtt
	check := func(rule string, smoothed, variance, want time.Duration) {
		t.Helper()
		if r.smoothed != smoothed || r.variance != variance || r.timeout() != want {
			t.Errorf("%s: SRTT, RTTVAR, RTO = %v, %v, %v; want %v, %v, %v", rule, r.smoothed, r.variance, r.timeout(), smoothed, variance, want)
		}
	}
	// (2.1) "Until a round-trip time (RTT) measurement has been made for a
	// segment sent between the sender and receiver, the sender SHOULD set
	// RTO <- 1 second".
	check("2.1", 0, 0, time.Second)
	// (5.5) "The host MUST set RTO <- RTO * 2 ("back off the timer")."
	r.expired()
	check("5.5", 0, 0, 2*time.Second)
	r.expired()
	check("5.5 again", 0, 0, blindBackoff)
	// (2.2) "When the first RTT measurement R is made, the host MUST set
	// SRTT <- R, RTTVAR <- R/2, RTO <- SRTT + max (G, K*RTTVAR) where K = 4."
	r.sample(100 * ms)
	check("2.2", 100*ms, 50*ms, 300*ms)
	// (2.3) "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|,
	// SRTT <- (1 - alpha) * SRTT + alpha * R'", alpha = 1/8, beta = 1/4, "in
	// the above order".
	r.sample(180 * ms)
	check("2.3", 110*ms, 57500*time.Microsecond, 340*ms)
	// (2.4) has a minimum of one second; ours is minRTO.
	r = rtt{}
	r.sample(4 * ms)
	check("2.4", 4*ms, 2*ms, minRTO)
	for range 100 {
		r.sample(400 * ms)
	}
	if got, want := r.timeout(), 400*ms+minVariance; got < want-ms || got > want+ms {
		t.Errorf("RTO after a hundred samples of 400 ms = %v, want %v: an ack may wait for 25 ms, and G", got, want)
	}
	// (2.5) has a maximum of at least 60 seconds; ours is maxBackoff, but
	// never less than a true round trip takes.
	for range 100 {
		r.expired()
	}
	if got := r.timeout(); got != maxBackoff {
		t.Errorf("RTO after a hundred timeouts = %v, want %v", got, maxBackoff)
	}
	r.sample(100 * time.Second)
	if got := r.timeout(); got < 12*time.Second {
		t.Errorf("RTO with SRTT %v = %v", r.smoothed, got)
	}
}
