package ladder

import (
	"fmt"
	"time"
)

// estimate gives the packets of a capture of one point both ends of their way.
//
// Of a round trip from the point to an end and back, half is the way there.
// The shortest time from a packet of A to the answer of B is the round trip to
// B, from a packet of B to the answer of A that to A.
func (b *Builder) estimate(l *Ladder) {
	if b.Flat {
		for i := range b.arrows {
			b.arrows[i].Arrived = b.arrows[i].Sent
		}
		l.About = append(l.About, "The capture has one point: an arrow is where its packet passed it, and has no slant.")
		return
	}
	trip := [2]time.Duration{-1, -1} // to the end that a packet of this way goes to
	var last [2]time.Time            // of what asks for an answer, by way
	for i := range b.arrows {
		f := &b.arrows[i]
		if t := last[1-f.way]; !t.IsZero() {
			if d := f.Sent.Sub(t); d >= 0 && (trip[1-f.way] < 0 || d < trip[1-f.way]) {
				trip[1-f.way] = d
			}
			last[1-f.way] = time.Time{}
		}
		if f.Kind != Ack && f.Kind != Rst && last[f.way].IsZero() {
			last[f.way] = f.Sent
		}
	}
	to := [2]time.Duration{max(trip[0], 0) / 2, max(trip[1], 0) / 2}
	for i := range b.arrows {
		f := &b.arrows[i]
		seen := f.Sent
		f.Arrived = seen.Add(to[f.way])
		f.Sent = seen.Add(-to[1-f.way])
	}
	if whole := to[0] + to[1]; whole > 0 {
		l.RTT = 2 * whole
		l.About = append(l.About, fmt.Sprintf("The capture has one point: slants are estimates, half of the shortest round trips (%s to %s, %s to %s).",
			short(2*to[0]), l.Lifelines[1], short(2*to[1]), l.Lifelines[0]))
		b.span(l)
	}
}

// span puts the ruler of an estimated round trip at the first packet.
func (b *Builder) span(l *Ladder) {
	if len(b.arrows) > 0 {
		l.RTTStart = b.arrows[0].Sent
		l.RTTEnd = l.RTTStart.Add(l.RTT)
	}
}

// align brings the clocks of two captures together and says which packets were
// lost between them.
func (b *Builder) align(l *Ladder) {
	var least [2]time.Duration
	var have [2]bool
	for i := range b.arrows {
		f := &b.arrows[i]
		if f.Arrived.IsZero() || len(f.Packets) == 0 || len(f.Second) == 0 {
			continue
		}
		if d := f.Arrived.Sub(f.Sent); !have[f.way] || d < least[f.way] {
			least[f.way], have[f.way] = d, true
		}
	}
	if have[0] && have[1] && (least[0] < 0 || least[1] < 0) {
		shift := (least[0] - least[1]) / 2 // the second clock is ahead by this
		for i := range b.arrows {
			f := &b.arrows[i]
			if f.way == 0 && !f.Arrived.IsZero() {
				f.Arrived = f.Arrived.Add(-shift)
			} else if f.way == 1 {
				f.Sent = f.Sent.Add(-shift)
			}
		}
		l.About = append(l.About, fmt.Sprintf("The second capture's clock is taken to be %s ahead, so that the shortest ways there and back are equal.", shift))
	}
	var lastSent [2]time.Time // of those that arrived
	for i := range b.arrows {
		if f := &b.arrows[i]; !f.Arrived.IsZero() && len(f.Packets) > 0 && len(f.Second) > 0 {
			lastSent[f.way] = later(lastSent[f.way], f.Sent)
		}
	}
	for i := range b.arrows {
		f := &b.arrows[i]
		if f.Arrived.IsZero() && f.Sent.Before(lastSent[f.way]) {
			f.Lost, f.LostAt, f.Why = true, -1, "lost: it is not in the other capture"
		}
	}
}
