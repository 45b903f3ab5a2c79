// Package show says what is in a capture, packet by packet: a line for each, the
// nesting of one packet's layers, its bytes, and all of it as JSON.
//
// A Tracker reads the packets in order and tells each as an Entry; it knows from
// the packets before what the numbers of a TCP connection are relative to, where
// the chat's frames begin in a stream, and what the TCP analysis flags are. A
// List writes entries as lines. A Picture draws the layers of a packet, which
// package layer took apart, and its bytes; a Card is the reference card of the
// layers.
//
// Text from packets is made visible before it gets into any of them. Nothing
// here is safe for concurrent use.
package show

import (
	"time"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/layer"
	"wirelab/packets/tcp"
)

// An Entry is what the list says of one packet. It keeps nothing of the
// packet's bytes.
type Entry struct {
	Number      int
	Time        time.Time
	Since       time.Duration // after the capture's first packet; negative if the clock went back
	Interface   string        // where it was seen; empty if the capture does not say
	Direction   packets.Direction
	Link        packets.LinkType
	Source      string // IP address, or that of the link
	Destination string
	SrcPort     uint16 // 0 if there are no ports
	DstPort     uint16
	Protocol    string   // the innermost that is known, such as "TCP" or "chat"
	Length      int      // bytes that the packet had
	Kept        int      // bytes that were captured
	Flow        int      // number of its conversation at its interface, as in package flow; 0 is none
	Info        string   // the innermost protocol in a line
	Segment     *Segment // of TCP; nil if it is none
	Comment     string   // the capture's own, such as "lost: random"
	Problem     string   // what could not be decoded
	Drops       uint64   // packets that the capture lost before this one

	Context layer.Context // for layer.Tree
}

// A Segment is what the TCP analysis says of a packet.
type Segment struct {
	tcp.Result
	Control uint8  // bits as in packets.Headers
	Window  uint32 // bytes; scaled, if the connection's shift is known
	Len     int    // bytes of payload
	Options packets.Options
}

// A Tracker goes through a capture. Its memory is bounded by the flows of a
// flow.Tracker and by maxCursors. The zero Tracker is ready to use.
type Tracker struct {
	// Interfaces returns those of the capture, such as Reader.Interfaces; nil if
	// it has no names.
	Interfaces func() []packets.Interface

	flows   *flow.Tracker
	cursors map[cursorKey]*cursor
	first   time.Time
}

// Add takes in a packet, of which h are the headers, and tells what it is.
func (t *Tracker) Add(p *packets.Packet, h *packets.Headers) Entry {
	if t.flows == nil {
		t.first = p.Time
		t.flows = flow.NewTracker(flow.Config{})
		t.cursors = make(map[cursorKey]*cursor)
	}
	e := Entry{
		Number: p.Number, Time: p.Time, Since: p.Time.Sub(t.first), Direction: p.Direction, Link: p.Link,
		Interface: t.at(p.Interface), SrcPort: h.SrcPort, DstPort: h.DstPort,
		Length: p.Length, Kept: len(p.Data), Comment: style.Visible(p.Comment), Problem: style.Visible(h.Problem), Drops: p.Drops,
	}
	e.Source, e.Destination = ends(h)
	f, dir, result := t.flows.Add(p, h)
	if f != nil {
		e.Flow = f.Number
	}
	if h.TCP && f != nil {
		t.segment(&e, h, f, dir, result)
	}
	e.tell(p, h)
	return e
}

// segment adds what is known of a TCP segment.
func (t *Tracker) segment(e *Entry, h *packets.Headers, f *flow.Flow, dir int, r tcp.Result) {
	side, other := &f.Sides[dir], &f.Sides[1-dir]
	s := &Segment{Result: r, Control: h.Control, Window: uint32(h.Window), Len: h.PayloadLen, Options: h.Options}
	base := &layer.Base{Seq: h.Seq - r.RelSeq, Ack: h.Ack - r.RelAck, Scale: -1}
	// Both sides have to offer a scale for it to count (RFC 7323, section 2.2),
	// and never in a SYN.
	if h.Control&packets.SYN == 0 && side.Opening && other.Opening {
		base.Scale = 0
		if side.Scale >= 0 && other.Scale >= 0 {
			base.Scale = min(side.Scale, 14)
			s.Window <<= base.Scale
		}
	}
	e.Segment = s
	e.Context.Base = base
	t.follow(e, h, f.Number, dir)
}

// at names an interface, if there are several or it has a name.
func (t *Tracker) at(i int) string {
	if t.Interfaces == nil {
		return ""
	}
	all := t.Interfaces()
	switch {
	case i >= len(all):
		return ""
	case all[i].Name != "":
		return style.Visible(all[i].Name)
	case len(all) > 1:
		return "if" + itoa(i)
	}
	return ""
}

// ends returns who sent a packet to whom.
func ends(h *packets.Headers) (src, dst string) {
	switch {
	case h.Src.IsValid():
		return h.Src.String(), h.Dst.String()
	case h.Ether:
		return hardware(h.EtherSrc), hardware(h.EtherDst)
	}
	return "?", "?"
}
