package plot

import (
	"wirelab/packets"
	"wirelab/packets/tcp"
)

// A sequence collects a sequence–time graph: what was sent as ticks from the
// first byte's number to after the last's, and the lines of what was acknowledged
// and of where the receiver's window ends.
type sequence struct {
	data, again, order, ack, window, sack, lost, lostAck Series

	scale    scale
	seq, acs counter // relative numbers of data and of acknowledgements
	base     uint32  // absolute number of relative 0, of data
	known    bool
	flipped  bool
	sender   bool
}

func newSequence() *sequence {
	return &sequence{
		data:    Series{Name: "data", Style: Ticks, Ink: inkData},
		ack:     Series{Name: "acknowledged", Sign: "a", Style: Steps, Ink: inkAck},
		window:  Series{Name: "window's end", Sign: "w", Style: Dashes, Ink: inkWindow},
		again:   Series{Name: "sent again", Sign: "R", Style: Marks, Ink: inkAgain},
		order:   Series{Name: "out of order", Sign: "O", Style: Marks, Ink: inkOrder},
		sack:    Series{Name: "SACK block", Sign: "s", Style: Marks, Ink: inkSACK},
		lost:    Series{Name: "lost", Sign: "✕", Style: Marks, Ink: inkLost},
		lostAck: Series{Name: "lost acknowledgement", Sign: "x", Style: Marks, Ink: inkLost},
		scale:   newScale(),
	}
}

func (s *sequence) sent(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	s.scale.learn(0, h)
	s.base, s.known = h.Seq-r.RelSeq, true
	if h.PayloadLen == 0 && h.Control&(packets.SYN|packets.FIN) == 0 {
		return
	}
	low := s.seq.of(r.RelSeq)
	high := low + float64(length(h))
	s.data.Add(Point{X: x, Low: low, Y: high})
	switch {
	case isAgain(r, s.sender):
		s.again.Add(Point{X: x, Low: high, Y: high})
	case r.Flags.Has(tcp.OutOfOrder):
		s.order.Add(Point{X: x, Low: high, Y: high})
	}
}

// length is how many sequence numbers a segment takes.
func length(h *packets.Headers) int {
	n := h.PayloadLen
	for _, bit := range []uint8{packets.SYN, packets.FIN} {
		if h.Control&bit != 0 {
			n++
		}
	}
	return n
}

func (s *sequence) got(x float64, p *packets.Packet, h *packets.Headers, r *tcp.Result) {
	s.scale.learn(1, h)
	if h.Control&packets.ACK == 0 || h.Control&packets.RST != 0 {
		return
	}
	ack := s.acs.of(r.RelAck)
	s.ack.Add(Point{X: x, Y: ack})
	s.window.Add(Point{X: x, Y: ack + s.scale.window(h)})
	for _, b := range h.Options.SACK[:h.Options.SACKs] {
		from, to := float64(int32(b[0]-h.Ack)), float64(int32(b[1]-h.Ack))
		if from < to { // one below the acknowledgement tells of a duplicate (RFC 2883)
			s.sack.Add(Point{X: x, Low: ack + from, Y: ack + to})
		}
	}
}

func (s *sequence) passed(x float64, ours bool, p *packets.Packet, h *packets.Headers) {
	if !isLost(p) || !h.TCP || !s.known {
		return
	}
	s.flipped = s.flipped || p.Comment[:4] != "lost"
	if !ours {
		if h.Control&packets.ACK != 0 {
			at := near(s.acs, h.Ack-s.base)
			s.lostAck.Add(Point{X: x, Low: at, Y: at})
		}
		return
	}
	at := near(s.seq, h.Seq-s.base)
	if length(h) == 0 { // an acknowledgement of the other direction
		return
	}
	at += float64(length(h)) / 2
	s.lost.Add(Point{X: x, Low: at, Y: at})
}

func (s *sequence) series() []*Series {
	return []*Series{&s.data, &s.again, &s.order, &s.ack, &s.window, &s.sack, &s.lost, &s.lostAck}
}

func (s *sequence) arrived(float64, *packets.Packet, *packets.Headers) {}

// near returns a relative number as the one nearest to the latest of c, which
// stays as it is.
func near(c counter, n uint32) float64 { return c.of(n) }

func (s *sequence) finish(p *Plot) {
	p.Y = Axis{Label: "sequence number, relative", Unit: Bytes}
	if s.flipped {
		s.lost.Name = "lost or damaged"
	}
	p.add(&s.data, &s.ack, &s.sack, &s.order, &s.again, &s.lostAck, &s.lost)
	if len(s.data.Points) > 0 {
		p.limit(&s.window, "the end of the receiver's window", 3)
	} else {
		p.add(&s.window)
	}
	if s.scale.unscaled {
		p.Notes = append(p.Notes, noteUnscaled)
	}
}
