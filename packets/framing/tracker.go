package framing

import (
	"container/list"
	"net/netip"
	"slices"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
)

// A Message is a frame and who sent it.
type Message struct {
	Flow     *Flow
	Dir      int // 0 is from Flow.Client, 1 from Flow.Server
	Datagram *Datagram
	Frame
}

// A Datagram is what a message over UDP has besides.
type Datagram struct {
	Number   uint64 // of the chat's header; 0 if it is none of the chat
	Reliable uint64 // place in the reliable channel; 0 if sent once
	Of       int    // the packet that was the first to bring the same: this is a copy
	Same     bool   // Of is the same datagram, twice delivered; if not, the sender sent it again
	IPParts  int    // IP fragments that it came in; 1 is none
	Parts    int    // parts of an envelope that were put together; 0 is none
}

// A Flow is one conversation. A TCP connection that reuses the ports of one
// before is a new one.
type Flow struct {
	Number         int // from 1, in the order of their first packets; with Tracker.Numbers as there
	Protocol       uint8
	Client, Server netip.AddrPort // who began; in the middle of a TCP connection the higher port is taken for the client
	First          time.Time
	Streams        [2]*Stream // of TCP; nil for UDP

	datagrams [2]*datagrams
	key       flowKey
	also      []int // its numbers at other places, in Tracker.Numbers
}

// Is reports whether n is a number of f, at any place where it was seen.
func (f *Flow) Is(n int) bool { return n == f.Number || slices.Contains(f.also, n) }

// Ends returns who sends and who receives in a direction.
func (f *Flow) Ends(dir int) (from, to netip.AddrPort) {
	if dir == 1 {
		return f.Server, f.Client
	}
	return f.Client, f.Server
}

// A flowKey has the smaller end first.
type flowKey struct {
	a, b     netip.AddrPort
	protocol uint8
}

// Defaults of a Tracker.
const (
	DefaultFlows  = 16384
	DefaultMemory = 64 << 20
)

// maxPlaces is how many numbers a flow has besides its first.
const maxPlaces = 16

// A Tracker finds the messages of a whole capture. The zero Tracker is ready to
// use. What it holds is bounded by the flows that are alive, MaxFlows of them,
// and by MaxMemory.
type Tracker struct {
	Framing   Framing // of TCP streams, and of datagrams if it is the chat's or none
	MaxFlows  int     // if zero, DefaultFlows; beyond it the one that was silent for longest ends
	MaxMemory int     // bytes of messages that are not whole, of all flows; if zero, DefaultMemory

	// Interfaces returns those of the capture, such as Reader.Interfaces. If
	// nil, the capture is taken for one of one place.
	Interfaces func() []packets.Interface

	// Segment is told of each TCP segment with data that was put in, and of
	// each copy that the link lost, if it is not nil.
	Segment func(f *Flow, dir int, s Segment, lost bool)

	// Numbers, if not nil, numbers the flows, as it does for other commands. It
	// is given each packet.
	Numbers *flow.Tracker

	// Left counts flows that had to end because of MaxFlows.
	Left int

	flows   map[flowKey]*list.Element
	order   *list.List // of *Flow; the one that was silent for longest is first
	count   int
	number  int // of the packet's flow in Numbers
	memory  memory
	named   int  // interfaces that were looked at
	linked  bool // it is a lab's capture
	isLink  []bool
	pending fragments
}

// A vantage is what a packet is worth to the reassembly.
type vantage int

const (
	arrived vantage = iota // put it in
	lost                   // the link lost it, or it was not taken
	passing                // seen on its way: it is seen once more when it arrives
)

// vantage returns what p is worth. See the package's comment.
func (t *Tracker) vantage(p *packets.Packet) vantage {
	if t.Interfaces != nil {
		if all := t.Interfaces(); len(all) != t.named {
			t.named, t.isLink = len(all), t.isLink[:0]
			for _, i := range all {
				link := i.Name == "link" || strings.HasPrefix(i.Name, "link ")
				t.isLink = append(t.isLink, link)
				t.linked = t.linked || link && len(all) > 1
			}
		}
	}
	switch {
	case !t.linked:
		return arrived
	case p.Interface < len(t.isLink) && t.isLink[p.Interface]:
		if strings.HasPrefix(p.Comment, "lost") {
			return lost
		}
	case p.Direction == packets.In && p.Comment == "":
		return arrived
	case p.Direction == packets.In:
		return lost // it arrived damaged, and was dropped
	}
	return passing
}

// Add takes in a packet and returns the messages that it completed. h must be
// p's. Nothing of either is kept.
func (t *Tracker) Add(p *packets.Packet, h *packets.Headers) []Message {
	if t.flows == nil {
		t.flows, t.order = make(map[flowKey]*list.Element), list.New()
		t.memory.max = t.MaxMemory
		if t.memory.max == 0 {
			t.memory.max = DefaultMemory
		}
	}
	v := t.vantage(p)
	t.number = 0
	if t.Numbers != nil {
		if f, _, _ := t.Numbers.Add(p, h); f != nil {
			t.number = f.Number
		}
	}
	switch {
	case h.IsFragment() && h.Version != 0:
		return t.fragment(p, h, v)
	case h.TCP:
		return t.tcp(p, h, v)
	case h.UDP:
		f, dir, out := t.flow(p, h.Src, h.Dst, h.SrcPort, h.DstPort, packets.ProtocolUDP, 0)
		if v != arrived {
			return out
		}
		d := payload{data: h.Payload, length: h.PayloadLen, parts: 1, pieces: []Piece{{Number: p.Number, Time: p.Time, Len: h.PayloadLen}}}
		return append(out, t.udp(f, dir, d)...)
	}
	return nil
}

func (t *Tracker) tcp(p *packets.Packet, h *packets.Headers, v vantage) []Message {
	f, dir, out := t.flow(p, h.Src, h.Dst, h.SrcPort, h.DstPort, packets.ProtocolTCP, h.Control)
	s := f.Streams[dir]
	if v == arrived && h.Control&(packets.SYN|packets.ACK) == packets.SYN && s.started && s.base != h.Seq+1 {
		// RFC 9293, section 3.6.1: the ports are used again.
		out = append(out, t.end(f)...)
		f, dir, out = t.flowAgain(out, p, h)
		s = f.Streams[dir]
	}
	switch v {
	case lost:
		s.Lost(p.Number, h.Seq, h.PayloadLen)
		if t.Segment != nil && s.started && h.PayloadLen > 0 {
			if at := s.offset(h.Seq); at >= 0 {
				t.Segment(f, dir, Segment{Number: p.Number, Time: p.Time, Start: uint64(at), Len: h.PayloadLen}, true)
			}
		}
		return out
	case passing:
		return out
	}
	for _, frame := range s.Add(p.Number, p.Time, h.Seq, h.Control, h.Payload, h.PayloadLen) {
		out = append(out, Message{Flow: f, Dir: dir, Frame: frame})
	}
	if t.Segment != nil && h.PayloadLen > 0 && s.seg.Len > 0 {
		t.Segment(f, dir, s.seg, false)
	}
	if h.Control&packets.ACK != 0 {
		for _, frame := range f.Streams[1-dir].Acked(p.Number, p.Time, h.Ack) {
			out = append(out, Message{Flow: f, Dir: 1 - dir, Frame: frame})
		}
	}
	return out
}

// flowAgain begins a flow anew after the old one has ended.
func (t *Tracker) flowAgain(out []Message, p *packets.Packet, h *packets.Headers) (*Flow, int, []Message) {
	f, dir, more := t.flow(p, h.Src, h.Dst, h.SrcPort, h.DstPort, packets.ProtocolTCP, h.Control)
	return f, dir, append(out, more...)
}

// flow finds or begins the flow of a packet, and the direction. To make room it
// may end another, whose last messages it returns.
func (t *Tracker) flow(p *packets.Packet, src, dst netip.Addr, sport, dport uint16, protocol, control uint8) (f *Flow, dir int, out []Message) {
	from, to := netip.AddrPortFrom(src, sport), netip.AddrPortFrom(dst, dport)
	key := flowKey{from, to, protocol}
	if to.Compare(from) < 0 {
		key.a, key.b = to, from
	}
	if e := t.flows[key]; e != nil {
		t.order.MoveToBack(e)
		f = e.Value.(*Flow)
		if from != f.Client {
			dir = 1
		}
		if t.number > 0 && !f.Is(t.number) && len(f.also) < maxPlaces {
			f.also = append(f.also, t.number)
		}
		return f, dir, nil
	}
	most := t.MaxFlows
	if most <= 0 {
		most = DefaultFlows
	}
	if t.order.Len() >= most {
		t.Left++
		out = t.end(t.order.Front().Value.(*Flow))
	}
	t.count++
	f = &Flow{Number: t.count, Protocol: protocol, Client: from, Server: to, First: p.Time, key: key}
	if t.number > 0 {
		f.Number = t.number
	}
	if protocol == packets.ProtocolTCP {
		swap := sport < dport
		if control&packets.SYN != 0 {
			swap = control&packets.ACK != 0
		}
		if swap {
			f.Client, f.Server, dir = to, from, 1
		}
		for i := range f.Streams {
			f.Streams[i] = &Stream{Framing: t.Framing, memory: &t.memory}
		}
	}
	t.flows[key] = t.order.PushBack(f)
	return f, dir, out
}

// end takes a flow out and returns what was not whole in it.
func (t *Tracker) end(f *Flow) []Message {
	var out []Message
	for dir := range 2 {
		if s := f.Streams[dir]; s != nil {
			for _, frame := range s.End() {
				out = append(out, Message{Flow: f, Dir: dir, Frame: frame})
			}
		}
		if d := f.datagrams[dir]; d != nil {
			out = append(out, d.end(t, f, dir)...)
		}
	}
	if e := t.flows[f.key]; e != nil && e.Value == f {
		t.order.Remove(e)
		delete(t.flows, f.key)
	}
	return out
}

// End returns what is not whole when the capture ends. Flows come in the order of
// their numbers. The Tracker is empty after it.
func (t *Tracker) End() []Message {
	if t.flows == nil {
		return nil
	}
	out := t.pending.end(t)
	for t.order.Len() > 0 {
		first := t.order.Front().Value.(*Flow)
		out = append(out, t.end(first)...)
	}
	return out
}

// Flows returns how many flows began.
func (t *Tracker) Flows() int { return t.count }
