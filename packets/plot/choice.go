package plot

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/loss"
)

// A Kind is what is plotted of a flow.
type Kind string

// The kinds.
const (
	Sequence   Kind = "sequence"   // sequence numbers over time, as tcptrace draws them
	Throughput Kind = "throughput" // bits per second over time
	RTT        Kind = "rtt"        // round trips over time
	Window     Kind = "window"     // bytes in flight and what limits them
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Sequence, Throughput, RTT, Window} }

// maxBins is how many intervals of time a throughput plot has at most.
const maxBins = 10_000

// A Choice says what of a capture is plotted.
type Choice struct {
	Kind      Kind
	Flow      int           // number as in flow.Flow.Number; 0 is the one with most bytes
	Direction string        // "a" for what A sends, "b" for what B sends; empty: that with more payload
	From, To  time.Duration // since the flow's first packet; To 0 is the end
	Bin       time.Duration // interval of Throughput; if zero, about a hundredth of the time
}

// Check returns what is wrong with c.
func (c *Choice) Check() error {
	switch {
	case c.Kind != Sequence && c.Kind != Throughput && c.Kind != RTT && c.Kind != Window:
		return fmt.Errorf("kind %q, want one of %v", c.Kind, Kinds())
	case c.Flow < 0:
		return fmt.Errorf("flow %d, want 1 or more", c.Flow)
	case c.Direction != "" && c.Direction != "a" && c.Direction != "b":
		return fmt.Errorf("direction %q, want a or b", c.Direction)
	case c.From < 0 || c.To < 0:
		return fmt.Errorf("time before the first packet: from %v to %v", c.From, c.To)
	case c.To > 0 && c.To <= c.From:
		return fmt.Errorf("from %v to %v: want a later end", c.From, c.To)
	case c.Bin < 0:
		return fmt.Errorf("interval of %v, want more than 0", c.Bin)
	}
	return nil
}

// ErrNoFlow means that the capture has nothing that can be plotted.
var ErrNoFlow = errors.New("no flow to plot")

// A Target is the flow that a Choice means.
type Target struct {
	Choice
	Flow      flow.Flow // as its sender's interface saw it, if there are several
	Dir       int       // 0 for what A sends, 1 for what B sends
	Interface string    // name of where it was seen; empty if it has none

	number   int  // of Flow
	link     int  // the interface that is the link under it; −1 is none
	receiver int  // number of the same flow where it arrives; 0 is none
	sender   bool // what was seen is what the sender saw
}

// Choose reads a capture to its end and finds the flow. An error of the
// capture's end comes with the Target if there is one.
//
// A capture of a lab or of a link has each packet at its sender, in the link and
// at its receiver. Unless the choice names a flow, it is seen where it is sent.
func Choose(r *packets.Reader, c Choice) (*Target, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	tracker := flow.NewTracker(flow.Config{})
	var points loss.Points
	end := each(r, func(p *packets.Packet, h *packets.Headers) {
		if !points.IsLink(r.Interfaces(), p.Interface) { // no place of its own, as in packets flows
			tracker.Add(p, h)
		}
	})
	all := r.Interfaces()
	flows := tracker.Flows()
	t := &Target{Choice: c}
	best := pick(flows, c)
	if best == nil {
		if end != nil {
			return nil, end
		}
		if c.Flow > 0 {
			return nil, fmt.Errorf("flow %d: %w: the capture has %d", c.Flow, ErrNoFlow, len(flows))
		}
		return nil, fmt.Errorf("%w: no packet of TCP or UDP", ErrNoFlow)
	}
	switch c.Direction {
	case "b":
		t.Dir = 1
	case "":
		if best.Sides[1].Payload > best.Sides[0].Payload {
			t.Dir = 1
		}
	}
	t.place(best, flows, all)
	if t.Flow.Protocol != packets.ProtocolTCP && c.Kind != Throughput {
		return nil, fmt.Errorf("flow %d is %s, which has no %s to plot: %w; %s can be plotted", t.number, Protocol(t.Flow.Protocol), words(c.Kind), ErrNoFlow, Throughput)
	}
	return t, end
}

// words names what TCP has and others have not.
func words(k Kind) string {
	switch k {
	case Sequence:
		return "sequence numbers"
	case RTT:
		return "acknowledgements"
	}
	return "window"
}

// Protocol names an IP protocol.
func Protocol(p uint8) string {
	switch p {
	case packets.ProtocolTCP:
		return "TCP"
	case packets.ProtocolUDP:
		return "UDP"
	}
	return fmt.Sprintf("IP protocol %d", p)
}

// pick returns the flow that c names, or the one with most bytes that can be
// plotted so.
func pick(flows []*flow.Flow, c Choice) (best *flow.Flow) {
	for _, f := range flows {
		if c.Flow > 0 {
			if f.Number == c.Flow {
				return f
			}
			continue
		}
		if f.Protocol != packets.ProtocolTCP && (c.Kind != Throughput || f.Protocol != packets.ProtocolUDP) {
			continue
		}
		if best == nil || f.Bytes() > best.Bytes() {
			best = f
		}
	}
	return best
}

// place finds where the flow best was seen besides, and which of these places is
// its sender's.
func (t *Target) place(best *flow.Flow, flows []*flow.Flow, all []packets.Interface) {
	t.Flow, t.number, t.link = *best, best.Number, -1
	var points loss.Points
	for _, i := range [2]int{best.Interface - 1, best.Interface + 1} {
		if points.IsLink(all, i) {
			t.link = i
		}
	}
	if t.link >= 0 {
		ends := [2]*flow.Flow{same(best, flows, t.link-1), same(best, flows, t.link+1)}
		sender, receiver := ends[0], ends[1]
		if sender == nil || receiver != nil && receiver.Sides[t.Dir].First < sender.Sides[t.Dir].First {
			sender, receiver = receiver, sender
		}
		if sender != nil && receiver != nil && t.Choice.Flow == 0 {
			best = sender
			t.Flow, t.number = *best, best.Number
		}
		if sender == best {
			t.sender = true
			if receiver != nil {
				t.receiver = receiver.Number
			}
		}
	}
	if best.Interface < len(all) {
		t.Interface = all[best.Interface].Name
	}
}

// same returns f as interface i saw it, or nil. Of connections that used the same
// ports it is the one with the most time in common.
func same(f *flow.Flow, flows []*flow.Flow, i int) (found *flow.Flow) {
	var common time.Duration
	for _, g := range flows {
		if g.Interface != i || g.Protocol != f.Protocol || !sameEnds(f.A, f.B, g.A, g.B) {
			continue
		}
		if d := min(f.Last, g.Last) - max(f.First, g.First); found == nil || d > common {
			found, common = g, d
		}
	}
	return found
}

func sameEnds(a, b, c, d netip.AddrPort) bool { return a == c && b == d || a == d && b == c }

// each calls do for each packet of r. It returns the error that the capture ends
// with, if it does not just end.
func each(r *packets.Reader, do func(*packets.Packet, *packets.Headers)) error {
	var p packets.Packet
	var h packets.Headers
	for {
		if err := r.Read(&p); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		h.Decode(&p)
		do(&p, &h)
	}
}

// ends names the flow: "TCP 192.0.2.2:5000 → 192.0.2.1:9000", the sender first.
func (t *Target) ends() string {
	from, to := t.fromTo()
	return fmt.Sprintf("%s %s → %s", Protocol(t.Flow.Protocol), from, to)
}

// fromTo returns who sends what is plotted, and to whom.
func (t *Target) fromTo() (from, to netip.AddrPort) {
	if t.Dir == 1 {
		return t.Flow.B, t.Flow.A
	}
	return t.Flow.A, t.Flow.B
}

// title is what the picture is called.
func (t *Target) title() string {
	what := map[Kind]string{Sequence: "Sequence numbers", Throughput: "Throughput", RTT: "Round trips", Window: "Window"}[t.Kind]
	s := what + ", " + t.ends()
	if t.Interface != "" {
		s += ", at " + strings.TrimSpace(t.Interface)
	}
	return s
}
