package vnet

import (
	"testing"
	"time"
)

// A timer that fires is seen, though no segment comes: the state after each
// timeout says so, and the RTO doubles from one to the next (RFC 6298, section
// 5.5). When what was lost has been repaired, the connection is as ever.
func TestStateAfterTimeout(t *testing.T) {
	const rto = 20 * time.Millisecond
	p := newPair(t, "", "", func(c *HostConfig) { c.MinRTO = rto })
	a, b := p.tcp("tcp")
	transferred := pattern(50_000)
	go a.Write(transferred)
	for n := 0; n < len(transferred); {
		k, err := b.Read(make([]byte, 10_000))
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	p.await("the last acknowledgement", func() bool {
		return len(p.states) > 0 && lastState(p.states, "a").SndUna == uint32(1+len(transferred))
	})
	if s := lastState(p.states, "a"); s.Recovery != "open" || s.SndNxt != s.SndUna || s.RcvNxt != 1 || s.Cwnd < 10 {
		t.Errorf("after the transfer: %+v", s)
	}
	if err := p.a.SetLink(parseLink(t, "loss 100%"), parseLink(t, "")); err != nil {
		t.Fatal(err)
	}
	before := len(p.states)
	a.Write([]byte("lost"))
	var timeouts []State
	p.await("three timeouts", func() bool {
		timeouts = timeouts[:0]
		for _, s := range p.states[before:] {
			if s.Recovery == "loss" {
				timeouts = append(timeouts, s)
			}
		}
		return len(timeouts) >= 3
	})
	for i, s := range timeouts {
		if s.Cwnd != 1 || s.Retransmits <= 0 || s.Host != "a" {
			t.Errorf("after a timeout: %+v, want a window of 1 segment (RFC 5681, section 3.1)", s)
		}
		if i > 0 && s.RTO != 2*timeouts[i-1].RTO {
			t.Errorf("the RTO after timeout %d is %v, after the one before %v; want twice as much", i+1, s.RTO, timeouts[i-1].RTO)
		}
	}
	if err := p.a.SetLink(parseLink(t, ""), parseLink(t, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p.await("the end of the recovery", func() bool {
		s := lastState(p.states, "a")
		return s.Recovery == "open" && s.SndUna == uint32(1+len(transferred)+len("lost"))
	})
}

// lastState returns the newest state of a host's connections.
func lastState(all []State, host string) State {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Host == host {
			return all[i]
		}
	}
	return State{}
}

// Fast recovery is seen, and CUBIC's window at the loss.
func TestStateInRecovery(t *testing.T) {
	p := newPair(t, "delay 5ms drop data 30", "delay 5ms", nil)
	a, b := p.tcp("tcp")
	transfer(t, a, b, pattern(300_000))
	p.mu.Lock()
	defer p.mu.Unlock()
	in, least := 0, 0
	for _, s := range p.states {
		if s.Host == "a" && s.Recovery == "recovery" {
			in++
			least = int(s.WMax)
		}
	}
	s := lastState(p.states, "a")
	if in == 0 || least < 10 || s.Recovery != "open" || s.Ssthresh < 1 || s.K <= 0 {
		t.Errorf("%d states in recovery, Wmax %d, in the end %+v", in, least, s)
	}
}

// What is known of a host's connections does not grow with those that have
// ended.
func TestWatchedIsBounded(t *testing.T) {
	p := newPair(t, "", "", nil)
	for range 300 {
		a, b := p.tcp("tcp")
		a.Abort()
		b.Close()
	}
	p.a.mu.Lock()
	w := &p.a.life.watched
	p.a.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.ends); n > 100 {
		t.Errorf("%d ends of connections are known, of 300 that are over", n)
	}
}

// Stats outlive a life, and what a stack says to nobody while it is killed does
// not count.
func TestStatsOverLives(t *testing.T) {
	p := newPair(t, "", "", nil)
	for range 2 {
		a, b := p.tcp("tcp")
		transfer(t, a, b, []byte("x"))
		p.a.Kill()
		if err := p.a.Start(); err != nil {
			t.Fatal(err)
		}
	}
	p.await("what is on its way", p.landed)
	sent := uint64(0)
	for _, k := range p.packets() {
		if k.Vantage == Sent && k.Direction == Up {
			sent++
		}
	}
	if s := p.a.Stats(); s.SegmentsSent != sent {
		t.Errorf("%d segments were sent says the stack, the tap saw %d", s.SegmentsSent, sent)
	}
}
