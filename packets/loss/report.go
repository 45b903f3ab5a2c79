package loss

import (
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/tcp"
)

const (
	// exactly is how many one-way delays quantiles are exact for.
	exactly = 1 << 16
	// maxReasons is how many different reasons are counted apart.
	maxReasons = 32
	// maxLossy is how many flows have their own count of losses.
	maxLossy = 200_000
	// otherReasons is the name of those beyond.
	otherReasons = "other reasons"
)

// A Way is what became of the packets of one direction between two places.
type Way struct {
	Link, Dir int
	From, To  string

	Sent       int64 // packets that were seen to leave, without those in OneEnd and Early
	Arrived    int64
	Lost       int64
	Flying     int64 // on their way when the capture ended
	Early      int64 // left before the other capture began
	Unseen     int64 // arrived without being seen to leave
	Undecided  int64
	Duplicated int64 // packets that arrived more than once
	Copies     int64 // arrivals beyond the first
	Corrupted  int64
	Refused    int64
	Reordered  int64
	Backwards  int64 // arrived before they left: the clocks disagree

	Reasons  map[string]int64 // of the losses; hostile text
	Refusals map[string]int64
	Delay    flow.Spread // of the first copy of each
}

func (w *Way) take(p *Passage) {
	switch p.Fate {
	case Early:
		w.Early++
		return
	case Unseen:
		w.Unseen++
		return
	}
	w.Sent++
	switch p.Fate {
	case Lost:
		w.Lost++
		count(&w.Reasons, p.Reason)
	case Flying:
		w.Flying++
	case Undecided:
		w.Undecided++
	case Came:
		w.Arrived++
	}
	if p.Corrupted {
		w.Corrupted++
	}
	if p.Fate != Came {
		return
	}
	if p.Copies > 0 {
		w.Duplicated++
		w.Copies += int64(p.Copies)
	}
	if p.Refused != "" {
		w.Refused++
		count(&w.Refusals, p.Refused)
	}
	if p.Reordered {
		w.Reordered++
	}
	if d, ok := p.Delay(); ok {
		w.Delay.Add(d)
		if d < 0 {
			w.Backwards++
		}
	}
}

func count(to *map[string]int64, what string) {
	if *to == nil {
		*to = map[string]int64{}
	}
	if _, ok := (*to)[what]; !ok && len(*to) >= maxReasons {
		what = otherReasons
	}
	(*to)[what]++
}

// A Capture is what was counted in one file.
type Capture struct {
	Name       string
	Format     string
	Interfaces []packets.Interface
	Tracker    *flow.Tracker
	Packets    int64 // that were read
	Passed     int64 // of these, that the filter let through
	Err        error // why it was not read to its end; nil if it was

	points Points
}

// IsLink reports whether an interface is a link between two hosts, of which no
// flows are made.
func (c *Capture) IsLink(iface int) bool { return c.points.IsLink(c.Interfaces, iface) }

// At names an interface.
func (c *Capture) At(iface int) string {
	if iface < len(c.Interfaces) && c.Interfaces[iface].Name != "" {
		return c.Interfaces[iface].Name
	}
	return ""
}

// A Report is what was found in one capture or two.
type Report struct {
	Captures []*Capture
	Ways     []*Way     // none if there is one place only
	Align    *Alignment // of two captures
	Judge    Judge
	OneEnd   int64 // packets between hosts that were seen at one end only
	Homeless int64 // packets whose end could not be told

	lossy map[lossyKey]int64
}

type lossyKey struct{ capture, flow, dir int }

// LostOf returns how many packets of a flow and direction of it were truly lost,
// of those that left at this capture's interface.
func (r *Report) LostOf(capture, number, dir int) int64 {
	return r.lossy[lossyKey{capture, number, dir}]
}

// A Flagged is a packet that has a flag.
type Flagged struct {
	Capture int // place in Report.Captures
	Number  int
	Time    time.Time
	Flow    *flow.Flow
	Dir     int
	Flags   tcp.Flags
	At      string // the interface
	Linked  bool   // it is the end of a link, so that a Passage has the flags, too
}

func (r *Report) way(link, dir int) *Way {
	for len(r.Ways) <= 2*link+dir {
		w := &Way{Link: len(r.Ways) / 2, Dir: len(r.Ways) % 2}
		w.Delay.Exact = exactly
		r.Ways = append(r.Ways, w)
	}
	return r.Ways[2*link+dir]
}

// take counts a passage.
func (r *Report) take(p *Passage, capture int) {
	if p.Fate == OneEnd {
		r.OneEnd++
		return
	}
	r.way(p.Link, p.Dir).take(p)
	if p.Lost && p.SentFlow > 0 {
		if r.lossy == nil {
			r.lossy = map[lossyKey]int64{}
		}
		k := lossyKey{capture, p.SentFlow, p.SentDir}
		if _, ok := r.lossy[k]; ok || len(r.lossy) < maxLossy {
			r.lossy[k]++
		}
	}
}
