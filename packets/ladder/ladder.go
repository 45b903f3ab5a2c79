// Package ladder draws the time–sequence diagram of one conversation: a
// vertical line for each end, time running down, an arrow for each packet from
// the instant it left to the instant it arrived.
//
//	client          server
//	  │ ◇ SYN 0        │      sent at the height where it begins,
//	  │   ⠉⠒⠤⣀         │      arrived where it ends:
//	  │        ⠉⠒⠤⣀ ──▶│      the slant is the one-way delay
//
// A Ladder is a plain value. [Builder] makes one from a capture, a lab may make
// its own; [Ladder.Summarise] makes a long one fit a page, [Ladder.Text],
// [Ladder.SVG], [Ladder.Mermaid] and [Ladder.JSON] draw it. None of them changes
// it, and it may be drawn by several goroutines at a time.
//
// Names, notes and labels may hold hostile text: each picture makes them safe
// in its own way.
package ladder

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A Ladder is a conversation to draw.
type Ladder struct {
	Title     string
	Lifelines []string // two ends; between them, if there are three, the link
	Arrows    []Arrow  // in order of Sent
	Bundles   []Bundle // what Summarise put in place of arrows, in order of From
	Samples   []Sample // in order of Time

	RTT      time.Duration // the ruler; 0 is not known
	RTTStart time.Time     // where the ruler stands: something left here …
	RTTEnd   time.Time     // … and its answer was back here

	Begin time.Time // what times are shown relative to; if zero, the first arrow's
	About []string  // lines for the legend: where times come from, what is left out
}

// An Arrow is a packet, or a copy of one, on its way.
type Arrow struct {
	Number   int   // of the packet in the capture where it left, from 1
	Packets  []int // all packets of the capture that this arrow is
	Second   []int // those of the second capture, if there are two
	From, To int   // places in Lifelines
	Sent     time.Time
	Arrived  time.Time // zero: not seen to arrive
	Lost     bool
	LostAt   int    // the lifeline where it ended, if Lost; −1 is somewhere between
	Why      string // it was lost, in words
	Kind     Kind
	Bytes    int      // of payload
	Label    string   // such as "120:408(288)"
	Detail   string   // what a wide picture adds to the label
	Notes    []string // what it carried, such as "event lobby ana: hello"
	Flags    []string // tshark's, such as "fast_retransmission"
}

// plain reports whether a picture loses nothing of interest by counting a
// among others.
func (a *Arrow) plain() bool {
	switch a.Kind {
	case Data, Ack, Datagram, Other:
		return !a.Lost && usual(a.Flags)
	}
	return false
}

// end is when a is over for the picture: it arrived, or, lost or never seen
// again, it left.
func (a *Arrow) end() time.Time {
	if a.Arrived.IsZero() || a.Arrived.Before(a.Sent) {
		return a.Sent
	}
	return a.Arrived
}

// A Sample is what a sender knew at an instant. What is 0 is not known.
type Sample struct {
	Time     time.Time
	At       int // whose, a place in Lifelines
	CWND     int // bytes
	SSThresh int // bytes, or Infinite
	SRTT     time.Duration
	RTO      time.Duration
}

// Infinite is a slow start threshold that was not set yet.
const Infinite = math.MaxInt

// begin is the instant that times are shown relative to.
func (l *Ladder) begin() time.Time {
	switch {
	case !l.Begin.IsZero():
		return l.Begin
	case len(l.Arrows) > 0 && (len(l.Bundles) == 0 || !l.Bundles[0].From.Before(l.Arrows[0].Sent)):
		return l.Arrows[0].Sent
	case len(l.Bundles) > 0:
		return l.Bundles[0].From
	}
	return time.Time{}
}

// last is the place of the right lifeline.
func (l *Ladder) last() int { return len(l.Lifelines) - 1 }

// rightward reports whether a points from left to right.
func rightward(a *Arrow) bool { return a.To > a.From }

// Sort puts arrows and samples in order of time; it keeps the order of equals.
func (l *Ladder) Sort() {
	slices.SortStableFunc(l.Arrows, func(a, b Arrow) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Number, b.Number))
	})
	slices.SortStableFunc(l.Samples, func(a, b Sample) int { return a.Time.Compare(b.Time) })
}

// Lost returns how many packets were lost.
func (l *Ladder) Lost() (n int) {
	for i := range l.Arrows {
		if l.Arrows[i].Lost {
			n++
		}
	}
	for i := range l.Bundles {
		n += l.Bundles[i].Lost
	}
	return n
}
