package vnet

import (
	"fmt"
	"time"
)

// A Diary keeps the states of connections until their senders' next packets, so
// that a capture can say beside a packet how its sender's stack stood. The zero
// value is empty. It is not safe for concurrent use.
type Diary struct {
	states map[uint64]State // by flow, from the sender on
}

// Take notes a state, in the place of the one before.
func (d *Diary) Take(s *State) {
	if d.states == nil || len(d.states) >= maxFlows {
		d.states = make(map[uint64]State)
	}
	d.states[flowOf(s.Local, s.Remote, protocolTCP)] = *s
}

// Note returns what is new of the sender of a packet, from its IP header on, or
// "". The windows are in bytes:
//
//	cwnd=14480 ssthresh=∞ srtt=40ms rto=240ms recovery=open
func (d *Diary) Note(packet []byte) string {
	h, ok := parse(packet)
	if !ok || h.protocol != protocolTCP {
		return ""
	}
	flow := flowOf(h.from, h.to, protocolTCP)
	s, ok := d.states[flow]
	if !ok {
		return ""
	}
	delete(d.states, flow)
	threshold := "∞"
	if s.Ssthresh >= 0 {
		threshold = fmt.Sprint(s.Ssthresh * s.MSS)
	}
	return fmt.Sprintf("cwnd=%d ssthresh=%s srtt=%v rto=%v recovery=%s", s.Cwnd*s.MSS, threshold,
		s.SRTT.Round(time.Microsecond), s.RTO.Round(time.Microsecond), s.Recovery)
}
