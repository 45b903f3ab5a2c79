package udpchat

const (
	initialWindow = 10 // datagrams in flight at first (RFC 6928)
	minWindow     = 2  // what halving leaves at least (RFC 5681, equation 4)
)

// A congestion says how much may be in flight: a window that opens by slow start
// and halves at a loss (RFC 5681), as RFC 8085, section 3.1 wants it of whoever
// sends much over UDP; or one that never changes.
type congestion struct {
	cwnd      float64 // datagrams
	most      float64 // cwnd never exceeds
	fixed     bool    // cwnd is most
	threshold float64 // where slow start ends
	limited   bool    // cwnd held something back since the last ack
	recovery  uint64  // losses of transmissions before this order have been answered
	prompt    bool    // one retransmission may go out whatever cwnd says
	timeouts  int     // in a row
}

func newCongestion(a ARQ) congestion {
	c := congestion{cwnd: initialWindow, most: float64(a.Window), fixed: a.Fixed, threshold: float64(a.Window)}
	if c.fixed {
		c.cwnd = c.most
	}
	return c
}

// grow opens the window for n acknowledged datagrams, unless it was not the
// window that held the sender back.
func (c *congestion) grow(n int) {
	if !c.limited || c.fixed {
		return
	}
	c.limited = false
	for range n {
		if c.cwnd < c.threshold {
			c.cwnd++ // slow start
		} else {
			c.cwnd += 1 / c.cwnd // congestion avoidance
		}
	}
	c.cwnd = min(c.cwnd, c.most)
}

// answer halves what is in flight because a transmission of that order is lost:
// once for all the losses of one window (RFC 5681, section 3.2), so not if it
// was sent before the last answer. The next transmission has the order next. One
// retransmission goes out at once, as after three duplicate acks.
func (c *congestion) answer(order, next uint64, flight int) {
	if order < c.recovery {
		return
	}
	c.recovery, c.prompt = next, true
	if !c.fixed {
		c.threshold = max(float64(flight)/2, minWindow)
		c.cwnd = c.threshold
	}
}

// timedOut starts from one because the timer ran out (RFC 5681, section 3.1);
// the first time in a row slow start will end at half of what was in flight.
func (c *congestion) timedOut(next uint64, flight int) {
	c.timeouts++
	c.recovery = next
	if c.fixed {
		return
	}
	if c.timeouts == 1 {
		c.threshold = max(float64(flight)/2, minWindow)
	}
	c.cwnd = 1
}
