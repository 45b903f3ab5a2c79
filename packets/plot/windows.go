package plot

import (
	"math"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A windows collects the bytes in flight and what may limit them: the receiver's
// window and, where the capture tells it, the sender's congestion window.
type windows struct {
	flight, window, cwnd, ssthresh, again, lost Series

	scale    scale
	seq, acs counter
	sender   bool
	top, una float64
	begun    bool
}

func newWindows() *windows {
	return &windows{
		flight:   Series{Name: "in flight", Sign: "f", Style: Steps, Ink: inkData},
		window:   Series{Name: "receiver's window", Sign: "w", Style: Dashes, Ink: inkWindow},
		cwnd:     Series{Name: "cwnd", Sign: "c", Style: Steps, Ink: inkAgain},
		ssthresh: Series{Name: "ssthresh", Sign: "t", Style: Dashes, Ink: inkThreshold},
		again:    Series{Name: "sent again", Sign: "R", Style: Marks, Ink: inkOrder},
		lost:     Series{Name: "lost", Sign: "✕", Style: Marks, Ink: inkLost},
		scale:    newScale(),
	}
}

func (w *windows) sent(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	w.scale.learn(0, h)
	w.state(x, p)
	n := length(h)
	if n == 0 {
		return
	}
	low := w.seq.of(r.RelSeq)
	if !w.begun {
		w.begun, w.top, w.una = true, low, low
	}
	w.top = max(w.top, low+float64(n))
	w.fly(x)
	if isAgain(r, w.sender) {
		w.mark(&w.again, x)
	}
}

func (w *windows) got(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	w.scale.learn(1, h)
	w.state(x, p)
	if h.Control&packets.RST != 0 {
		return
	}
	w.window.Add(Point{X: x, Y: w.scale.window(h)})
	if h.Control&packets.ACK == 0 {
		return
	}
	ack := w.acs.of(r.RelAck)
	if w.begun {
		w.una = max(w.una, min(ack, w.top))
		w.fly(x)
	}
}

func (w *windows) fly(x float64) { w.flight.Add(Point{X: x, Y: w.top - w.una}) }

func (w *windows) mark(s *Series, x float64) {
	s.Add(Point{X: x, Y: w.top - w.una, Low: w.top - w.una})
}

func (w *windows) passed(x float64, ours bool, p *packets.Packet, h *packets.Headers) {
	if ours && isLost(p) && length(h) > 0 {
		w.mark(&w.lost, x)
	}
}

func (w *windows) series() []*Series {
	return []*Series{&w.flight, &w.window, &w.cwnd, &w.ssthresh, &w.again, &w.lost}
}

func (w *windows) arrived(float64, *packets.Packet, *packets.Headers) {}

func (w *windows) state(x float64, p *packets.Packet) {
	s := readState(p.Comment)
	if s.cwnd > 0 {
		w.cwnd.Add(Point{X: x, Y: s.cwnd})
	}
	if s.ssthresh > 0 || math.IsNaN(s.ssthresh) && len(w.ssthresh.Points) > 0 {
		w.ssthresh.Add(Point{X: x, Y: s.ssthresh})
	}
}

func (w *windows) finish(p *Plot) {
	p.Y = Axis{Label: "window", Unit: Bytes, Zero: true}
	p.add(&w.cwnd, &w.flight, &w.again, &w.lost)
	p.limit(&w.ssthresh, "ssthresh", 3)
	p.limit(&w.window, "the receiver's window", 3)
	if w.scale.unscaled {
		p.Notes = append(p.Notes, noteUnscaled)
	}
}
