package udpchat

import "testing"

// TestCongestion follows RFC 5681 and RFC 6928, rule by rule.
func TestCongestion(t *testing.T) {
	check := func(rule string, c *congestion, cwnd, threshold float64) {
		t.Helper()
		if c.cwnd != cwnd || c.threshold != threshold {
			t.Errorf("%s: cwnd %v, ssthresh %v, want %v, %v", rule, c.cwnd, c.threshold, cwnd, threshold)
		}
	}
	c := newCongestion(ARQ{Window: 64})
	check("RFC 6928, section 2: ten at first", &c, 10, 64)
	c.grow(5)
	check("RFC 7661: not when the window held nothing back", &c, 10, 64)
	c.limited = true
	c.grow(5)
	check("section 3.1, slow start: one for each acknowledged", &c, 15, 64)
	// Section 3.2, step 2: "ssthresh = max (FlightSize / 2, 2*SMSS)".
	c.answer(3, 20, 12)
	check("equation 4", &c, 6, 6)
	if !c.prompt {
		t.Error("section 3.2, step 3: the lost segment is not sent again at once")
	}
	// Section 4.3: losses of one window are one sign of congestion.
	c.answer(19, 25, 12)
	check("a second loss of the same window", &c, 6, 6)
	c.answer(20, 30, 6)
	check("a loss after that", &c, 3, 3)
	c.answer(30, 40, 2)
	check("two at least", &c, 2, 2)
	c.limited = true
	c.grow(1)
	check("section 3.1, congestion avoidance: one in each round trip", &c, 2.5, 2)
	// "the value of ssthresh is held constant" when the same is lost again.
	c.timedOut(50, 40)
	check("section 3.1, timeout: the loss window is one", &c, 1, 20)
	c.timedOut(51, 1)
	check("a second timeout in a row", &c, 1, 20)
	c.answer(49, 52, 30)
	check("a loss of before the timeout", &c, 1, 20)
	for range 1000 {
		c.limited = true
		c.grow(1)
	}
	if c.cwnd > 64 {
		t.Errorf("cwnd = %v, beyond ARQ.Window", c.cwnd)
	}
}
