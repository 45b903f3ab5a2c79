package plot

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/loss"
	"wirelab/packets/tcp"
)

// Inks of what is drawn, the same in all plots.
const (
	inkData = iota
	inkAgain
	inkWindow
	inkSACK
	inkAck
	inkLost
	inkThreshold
	inkOrder
)

// A collector makes the series of one kind of plot.
type collector interface {
	// sent and got take a packet of the plotted direction, and one of the other,
	// at where the flow is looked at; x is in seconds since its first packet.
	sent(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result)
	got(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result)
	// passed takes a packet in the link.
	passed(x float64, ours bool, p *packets.Packet, h *packets.Headers)
	// arrived takes a packet of the plotted direction at its receiver.
	arrived(x float64, p *packets.Packet, h *packets.Headers)
	// series returns the series that get points from these.
	series() []*Series
	// finish fills p.
	finish(p *Plot)
}

// Plot reads the capture that t was chosen from once more, and returns the
// picture. An error of the capture's end comes with the Plot.
func (t *Target) Plot(r *packets.Reader) (*Plot, error) {
	var c collector
	switch t.Kind {
	case Sequence:
		s := newSequence()
		s.sender = t.sender
		c = s
	case Throughput:
		c = newRate(t)
	case RTT:
		c = newTrips()
	default:
		w := newWindows()
		w.sender = t.sender
		c = w
	}
	tracker := flow.NewTracker(flow.Config{})
	to := t.To
	if to == 0 {
		to = 1<<63 - 1
	}
	var shown, all, backwards int
	var before time.Duration
	var points loss.Points
	from, peer := t.fromTo()
	for _, s := range c.series() {
		s.keep = span{t.From.Seconds(), to.Seconds()}
	}
	end := each(r, func(p *packets.Packet, h *packets.Headers) {
		at := time.Duration(p.Time.UnixNano()) - t.Flow.First
		x := at.Seconds()
		inside := at >= t.From && at <= to
		if points.IsLink(r.Interfaces(), p.Interface) {
			src, dst := netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)
			// Another connection of the same ports has another time.
			if p.Interface == t.link && h.Protocol == t.Flow.Protocol && sameEnds(src, dst, from, peer) && inside && at >= 0 && at <= t.Flow.Duration() {
				c.passed(x, src == from, p, h)
			}
			return
		}
		f, dir, result := tracker.Add(p, h)
		if f == nil || f.Number != t.number && f.Number != t.receiver {
			return
		}
		ours := dir == t.Dir
		if f.A != t.Flow.A { // the other place saw the other end first
			ours = !ours
		}
		if f.Number == t.number {
			all++
			if at < before {
				backwards++
			}
			before = at
		}
		if inside && f.Number == t.number {
			shown++
		}
		// What comes before the time shown counts for what is known in it.
		switch {
		case f.Number == t.number && ours:
			c.sent(x, p, h, &result)
		case f.Number == t.number:
			c.got(x, p, h, &result)
		case ours:
			c.arrived(x, p, h)
		}
	})
	plot := &Plot{Title: t.title(), X: Axis{Label: "time since the flow's first packet", Unit: Seconds}}
	plot.X.Min, plot.X.Max = t.From.Seconds(), min(to, t.Flow.Duration()).Seconds()
	plot.Empty = "nothing to plot: " + t.nothing(shown)
	for _, s := range c.series() {
		s.hold(plot.X.Max)
	}
	c.finish(plot)
	if shown < all {
		plot.Notes = append(plot.Notes, fmt.Sprintf("%d of the flow's %d packets are in the time shown.", shown, all))
	}
	if backwards > 0 {
		plot.Notes = append(plot.Notes, fmt.Sprintf("The clock went backwards %d times: lines may, too.", backwards))
	}
	return plot, end
}

// nothing says why there may be no points.
func (t *Target) nothing(shown int) string {
	switch {
	case shown == 0:
		return "no packet in that time"
	case t.Kind == RTT:
		return "no data of this direction was acknowledged"
	case t.Kind == Throughput:
		return "all packets have the same time"
	}
	return "nothing was sent"
}

// A counter follows numbers modulo 2³² beyond 2³².
type counter struct {
	at  int64
	set bool
}

// of returns n as the number nearest to the latest.
func (c *counter) of(n uint32) float64 {
	if !c.set {
		c.at, c.set = int64(n), true
		if n >= 1<<31 { // a little before the first that was seen
			c.at -= 1 << 32
		}
		return float64(c.at)
	}
	next := c.at + int64(int32(n-uint32(c.at)))
	c.at = next
	return float64(next)
}

// A scale is what a window has to be multiplied by.
type scale struct {
	offered  [2]int8 // by SYNs of us and of the other side; −1 none
	syn      [2]bool // seen
	unscaled bool    // a window was taken as it is, because nothing is known
}

func newScale() scale { return scale{offered: [2]int8{-1, -1}} }

// learn takes what a segment of ours (side 0) or of the other (1) says.
func (s *scale) learn(side int, h *packets.Headers) {
	if h.Control&packets.SYN != 0 {
		s.syn[side], s.offered[side] = true, h.Options.Scale
	}
}

// window returns the window in h, of the other side, in bytes.
func (s *scale) window(h *packets.Headers) float64 {
	w := float64(h.Window)
	if h.Control&packets.SYN != 0 { // never scaled (RFC 7323, section 2.2)
		return w
	}
	switch {
	case s.offered[0] >= 0 && s.offered[1] >= 0:
		return w * float64(uint32(1)<<min(s.offered[1], 14))
	case !s.syn[1]:
		s.unscaled = true
	}
	return w
}

const noteUnscaled = "The handshake was not captured, so the window's scale is not known: the window is as in the headers."

// isLost reports whether the link says that a packet did not arrive, or not whole.
func isLost(p *packets.Packet) bool {
	return strings.HasPrefix(p.Comment, "lost") || strings.Contains(p.Comment, "flipped")
}

// isAgain reports whether a segment was sent again. Where the sender itself was
// captured, what tshark calls out of order is that, too: nothing overtakes there.
func isAgain(r *tcp.Result, sender bool) bool {
	return r.Flags&(tcp.Retransmission|tcp.FastRetransmission|tcp.SpuriousRetransmission) != 0 ||
		sender && r.Flags&tcp.OutOfOrder != 0
}

// add puts a series that has points into p.
func (p *Plot) add(all ...*Series) {
	for _, s := range all {
		if len(s.Points) > 0 {
			p.Series = append(p.Series, *s)
		}
	}
}

// limit puts a line behind the others, and if it goes far above everything else,
// where nothing else could be seen, cuts it: the note says so. far is how many
// times the height of the rest is too much.
func (p *Plot) limit(s *Series, what string, far float64) {
	rest, own := nothing(), nothing()
	for i := range p.Series {
		for _, q := range p.Series[i].Points {
			if q.drawable() {
				rest.take(q.Y)
			}
		}
	}
	for _, q := range s.Points {
		if q.drawable() {
			own.take(q.Y)
		}
	}
	if own.lo > own.hi {
		return
	}
	if rest.lo > rest.hi {
		p.add(s)
		return
	}
	if p.Y.Zero {
		rest.take(0)
	}
	top := rest.hi + (rest.hi-rest.lo)/20
	if p.Y.Min != p.Y.Max {
		top = p.Y.Max
	}
	if rest.hi > rest.lo && own.hi > rest.hi+far*(rest.hi-rest.lo) {
		p.Y.Min, p.Y.Max = rest.lo, top
		if own.lo > top {
			p.Notes = append(p.Notes, fmt.Sprintf("Far above the picture: %s, %s.", what, p.Y.Unit.between(own)))
			return
		}
		p.Notes = append(p.Notes, fmt.Sprintf("Above the picture in part: %s, up to %s.", what, p.Y.Unit.Format(own.hi)))
	}
	p.Series = append([]Series{*s}, p.Series...)
}

// between writes a range.
func (u Unit) between(s span) string {
	from, to := u.Format(s.lo), u.Format(s.hi)
	if from == to {
		return from
	}
	return from + " to " + to
}
