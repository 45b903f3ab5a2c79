package flow

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

const (
	// DefaultFlows is how many flows a Tracker has at a time.
	DefaultFlows = 100_000
	// keptRows is how many dropped flows are kept as rows, the largest.
	keptRows = 1000
	// fragments is how many datagrams in pieces are remembered at a time.
	fragments = 64
)

// A Config says how to track.
type Config struct {
	Flows int // at a time, at most; if zero, DefaultFlows
}

// Totals is what was counted at one interface, or at all.
type Totals struct {
	Packets   int64
	Bytes     int64
	Other     int64 // packets without an IP header that could be read
	Problems  int64 // packets with headers that could not be read whole
	Backwards int64 // packets with a time before that of the one before
	Flows     int64
	Dropped   int64 // flows of which only the totals are left
	First     time.Duration
	Last      time.Duration // since 1970, the least and the greatest

	previous time.Duration
	streams  [2]int // of TCP, of UDP
}

// A Tracker sorts packets into flows. It is not safe for concurrent use.
type Tracker struct {
	limit  int
	seed   [2]uint64
	table  table
	flows  []*Flow // live and over
	hand   int     // of the clock that chooses what to drop
	kept   rows    // of those that were dropped, the largest
	totals []Totals
	number int
	pieces [fragments]piece
	piece  int
	spare  *tcp.Conversation // of a flow that was dropped, to use again
}

// A piece is the first fragment of a datagram.
type piece struct {
	src, dst netip.Addr
	id       uint32
	protocol uint8
	iface    int
	sport    uint16
	dport    uint16
}

// NewTracker returns a Tracker of no flows.
func NewTracker(c Config) *Tracker {
	if c.Flows <= 0 {
		c.Flows = DefaultFlows
	}
	return &Tracker{limit: c.Flows, seed: [2]uint64{rand.Uint64() | 1, rand.Uint64() | 1}, table: table{slots: make([]slot, 64)}}
}

// Add counts p, of which h are the headers, and returns its flow, its direction
// and what the TCP analysis says of it, which is nothing for what is not TCP. The
// flow is nil for a packet without IP; it is good until the next Add. Add
// allocates for new flows only.
func (t *Tracker) Add(p *packets.Packet, h *packets.Headers) (f *Flow, dir int, r tcp.Result) {
	at := time.Duration(p.Time.UnixNano())
	total := t.total(p.Interface)
	total.take(p, h, at)
	r = tcp.Result{InitialRTT: -1, RTT: -1}
	if h.Version == 0 || !h.Src.IsValid() {
		total.Other++
		return nil, 0, r
	}
	if h.IsFragment() {
		h = t.whole(h, p.Interface)
	}
	var k key
	fromLow := k.of(h, p.Interface)
	hash := k.hash(&t.seed)
	var place uint32
	if place = t.table.find(t.flows, &k, hash); place == 0 {
		f, place = t.begin(h, p.Interface, at, fromLow)
		f.key, f.hash = k, hash
		t.table.put(hash, place)
	} else {
		f = t.flows[place-1]
	}
	if fromLow != f.lowIsA {
		dir = 1
	}
	f.touched = true
	if h.TCP && !h.IsFragment() {
		f, r = t.segment(f, place, dir, p, h, at)
		if r.New {
			dir = 0
		}
	}
	side := &f.Sides[dir]
	f.First, f.Last = min(f.First, at), max(f.Last, at)
	side.take(p, h, at)
	switch {
	case h.TCP && !h.IsFragment():
		side.segment(h, &r, at, f.Sides[0].Scale >= 0 && f.Sides[1].Scale >= 0)
		if r.RTT >= 0 {
			f.Sides[1-dir].RTT.Add(r.RTT)
		}
		if r.InitialRTT >= 0 {
			f.InitialRTT = r.InitialRTT
		}
		f.control(dir, h.Control)
	case h.UDP && isChat(h.Payload):
		side.chat(h.Payload)
		fallthrough
	default:
		side.fresh(at, int64(h.PayloadLen))
	}
	return f, dir, r
}

// segment analyses a segment. If it begins another connection of the same ports,
// the flow that it had is over, and a new one takes its place.
func (t *Tracker) segment(f *Flow, place uint32, dir int, p *packets.Packet, h *packets.Headers, at time.Duration) (*Flow, tcp.Result) {
	if f.conv == nil {
		f.conv = t.conversation()
	}
	f.analysed = true
	s := tcp.Segment{Time: int64(at), Seq: h.Seq, Ack: h.Ack, Len: h.PayloadLen, Window: h.Window, Control: h.Control, Scale: h.Options.Scale, Cut: !h.Options.Received}
	conv := f.conv
	r := conv.Add(dir, &s)
	if !r.New {
		return f, r
	}
	t.table.remove(f.hash, place)
	t.spare = f.conv
	f.live, f.conv = false, nil
	// The analysis has begun anew by itself, with A where it was.
	k, hash := f.key, f.hash
	g, place := t.begin(h, p.Interface, at, f.lowIsA == (dir == 0))
	g.key, g.hash, g.analysed, g.touched = k, hash, true, true
	g.conv = t.conversation()
	g.conv.Add(0, &s)
	t.table.put(hash, place)
	return g, r
}

// conversation returns an analysis of nothing yet.
func (t *Tracker) conversation() *tcp.Conversation {
	c := t.spare
	if c == nil {
		return new(tcp.Conversation)
	}
	*c, t.spare = tcp.Conversation{}, nil
	return c
}

// begin makes a flow with its first packet, and returns its place plus 1.
func (t *Tracker) begin(h *packets.Headers, iface int, at time.Duration, fromLow bool) (*Flow, uint32) {
	f, place := t.room()
	total := t.total(iface)
	total.Flows++
	t.number++
	*f = Flow{
		Number: t.number, Interface: iface, Version: h.Version, Protocol: h.Protocol,
		A: netip.AddrPortFrom(h.Src, h.SrcPort), B: netip.AddrPortFrom(h.Dst, h.DstPort),
		First: at, Last: at, Opened: -1, InitialRTT: -1, lowIsA: fromLow, live: true,
	}
	f.Sides[0].Scale, f.Sides[1].Scale = -1, -1
	switch {
	case h.TCP:
		f.Stream = total.streams[0]
		total.streams[0]++
	case h.UDP:
		f.Stream = total.streams[1]
		total.streams[1]++
	default:
		f.Stream = -1
		f.A, f.B = netip.AddrPortFrom(h.Src, 0), netip.AddrPortFrom(h.Dst, 0)
	}
	if h.TCP && h.Control&(packets.SYN|packets.ACK) == packets.SYN|packets.ACK { // the answer: the other end opened it
		f.A, f.B, f.lowIsA = f.B, f.A, !fromLow
	}
	return f, place
}

// room returns a flow to overwrite, and its place plus 1.
func (t *Tracker) room() (*Flow, uint32) {
	if len(t.flows) < t.limit {
		f := new(Flow)
		t.flows = append(t.flows, f)
		return f, uint32(len(t.flows))
	}
	// A clock with one hand (second chance): it drops the first flow that had no
	// packet since it passed. After one turn there is one.
	for {
		f := t.flows[t.hand]
		at := t.hand
		if t.hand++; t.hand == len(t.flows) {
			t.hand = 0
		}
		if f.touched && f.live {
			f.touched = false
			continue
		}
		if f.live {
			t.table.remove(f.hash, uint32(at)+1)
		}
		if t.drop(f) {
			f = new(Flow)
			t.flows[at] = f
		}
		return f, uint32(at) + 1
	}
}

// drop leaves only the totals of f, or keeps it as a row, which it reports.
func (t *Tracker) drop(f *Flow) (kept bool) {
	if f.conv != nil {
		t.spare = f.conv
	}
	f.live, f.conv = false, nil
	if len(t.kept) < keptRows {
		heap.Push(&t.kept, f)
		return true
	}
	if least := t.kept[0]; f.Bytes() > least.Bytes() {
		t.total(least.Interface).Dropped++
		t.kept[0] = f
		heap.Fix(&t.kept, 0)
		return true
	}
	t.total(f.Interface).Dropped++
	return false
}

// rows is a heap of flows, the smallest first.
type rows []*Flow

func (r rows) Len() int           { return len(r) }
func (r rows) Less(i, j int) bool { return r[i].Bytes() < r[j].Bytes() }
func (r rows) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *rows) Push(x any)        { *r = append(*r, x.(*Flow)) }
func (r *rows) Pop() any          { panic("rows only grow") }

// total returns the totals of an interface.
func (t *Tracker) total(iface int) *Totals {
	for iface >= len(t.totals) {
		t.totals = append(t.totals, Totals{})
	}
	return &t.totals[iface]
}

// take counts a packet.
func (o *Totals) take(p *packets.Packet, h *packets.Headers, at time.Duration) {
	if o.Packets == 0 {
		o.First, o.Last = at, at
	} else if at < o.previous {
		o.Backwards++
	}
	o.previous = at
	o.First, o.Last = min(o.First, at), max(o.Last, at)
	o.Packets++
	o.Bytes += int64(p.Length)
	if h.Problem != "" {
		o.Problems++
	}
}

// whole gives a fragment after the first the ports of the first, if that is
// known. It returns a copy of h then.
func (t *Tracker) whole(h *packets.Headers, iface int) *packets.Headers {
	if h.Fragment == 0 {
		if h.TCP || h.UDP {
			t.pieces[t.piece] = piece{h.Src, h.Dst, h.ID, h.Protocol, iface, h.SrcPort, h.DstPort}
			t.piece = (t.piece + 1) % fragments
		}
		return h
	}
	for i := range t.pieces {
		if q := &t.pieces[i]; q.id == h.ID && q.iface == iface && q.protocol == h.Protocol && q.src == h.Src && q.dst == h.Dst {
			c := *h
			c.SrcPort, c.DstPort = q.sport, q.dport
			c.TCP, c.UDP = h.Protocol == packets.ProtocolTCP, h.Protocol == packets.ProtocolUDP
			return &c
		}
	}
	return h
}

// control notes how a connection is opened and ends.
func (f *Flow) control(dir int, control uint8) {
	if control&packets.SYN != 0 && f.Opened < 0 {
		f.Opened = dir
		if control&packets.ACK != 0 {
			f.Opened = 1 - dir
		}
	}
	if control&packets.FIN != 0 {
		f.fins |= 1 << dir
	}
	if control&packets.RST != 0 && f.reset == 0 {
		f.reset = int8(dir) + 1
	}
}

// Flows returns the flows that are known as rows, in the order of their numbers.
func (t *Tracker) Flows() []*Flow {
	all := append(slices.Clone(t.flows), t.kept...)
	slices.SortFunc(all, func(a, b *Flow) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// At returns the totals of an interface.
func (t *Tracker) At(iface int) Totals {
	if iface < 0 || iface >= len(t.totals) {
		return Totals{}
	}
	return t.totals[iface]
}

// Totals returns those of all interfaces together.
func (t *Tracker) Totals() (sum Totals) {
	for i := range t.totals {
		o := &t.totals[i]
		if o.Packets == 0 {
			continue
		}
		if sum.Packets == 0 {
			sum.First, sum.Last = o.First, o.Last
		}
		sum.Packets += o.Packets
		sum.Bytes += o.Bytes
		sum.Other += o.Other
		sum.Problems += o.Problems
		sum.Backwards += o.Backwards
		sum.Flows += o.Flows
		sum.Dropped += o.Dropped
		sum.First, sum.Last = min(sum.First, o.First), max(sum.Last, o.Last)
	}
	return sum
}
