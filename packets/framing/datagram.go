package framing

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"wirelab/internal/wire"
	"wirelab/packets"
)

// A payload is that of one UDP datagram, put together if IP had cut it.
type payload struct {
	data   []byte // as much as the capture has
	length int    // bytes it had
	parts  int
	pieces []Piece
}

// datagrams is what is kept of one direction of a chat over UDP.
type datagrams struct {
	numbers  recent
	reliable recent
	parts    map[uint32]*envelope // by the envelope that they are of
	oldest   []uint32             // keys of parts
}

// recent remembers which packet brought each of the newest numbers.
type recent struct {
	packet map[uint64]int
	ring   [wire.ReplayWindow]uint64
	at     int
}

// first returns the packet that brought n before, or 0.
func (r *recent) first(n uint64, number int) int {
	if before := r.packet[n]; before != 0 {
		return before
	}
	if r.packet == nil {
		r.packet = make(map[uint64]int)
	}
	delete(r.packet, r.ring[r.at])
	r.ring[r.at], r.packet[n] = n, number
	r.at = (r.at + 1) % len(r.ring)
	return 0
}

// An envelope is one that was cut into several datagrams.
type envelope struct {
	count  int
	got    int
	bytes  int
	data   [][]byte
	pieces []Piece
	typ    wire.DatagramType
	short  bool // the capture does not have all bytes of a part
}

// maxEnvelopes is how many cut envelopes of a direction may be under way.
const maxEnvelopes = 16

// udp returns the message in a datagram, and the envelope that it completed.
func (t *Tracker) udp(f *Flow, dir int, d payload) []Message {
	last := d.pieces[len(d.pieces)-1]
	m := Message{Flow: f, Dir: dir, Datagram: &Datagram{IPParts: d.parts}, Frame: Frame{
		End: uint64(d.length), Pieces: d.pieces, Number: last.Number, First: last.Time, Complete: last.Time,
		Bytes: slices.Clone(d.data), Framing: "none", Kind: "datagram",
	}}
	for i, p := range d.pieces {
		if p.Time.Before(m.First) {
			m.First = p.Time
		}
		if !p.Time.Before(m.Complete) {
			m.Complete, m.Number = p.Time, d.pieces[i].Number
		}
	}
	if d.parts > 1 {
		m.Waited = m.Complete.Sub(m.First)
	}
	m.Missing = uint64(max(0, d.length-len(d.data)))
	h, rest, err := wire.DecodeHeader(d.data)
	how := t.Framing.how
	if how != "" && how != "chat" || how == "" && err != nil {
		m.Summary = fmt.Sprintf("%d bytes", d.length)
		if len(d.data) > 0 {
			m.Summary += ": " + excerpt(d.data)
		}
		if m.Missing > 0 {
			m.Err = missing(m.Missing, m.End)
		}
		return []Message{m}
	}
	m.Framing = "chat"
	if err != nil {
		m.Summary, m.Err = fmt.Sprintf("%d bytes", d.length), clean(err.Error())
		return []Message{m}
	}
	if f.datagrams[dir] == nil {
		f.datagrams[dir] = &datagrams{parts: make(map[uint32]*envelope)}
	}
	return f.datagrams[dir].add(t, m, &h, rest)
}

func missing(n, of uint64) string {
	return fmt.Sprintf("%d of its %d bytes are missing: a snap length cut them", n, of)
}

func (d *datagrams) add(t *Tracker, m Message, h *wire.Header, rest []byte) []Message {
	m.Kind = h.Type.String()
	m.Datagram.Number = h.Number
	if h.Flags&wire.DatagramReliable != 0 {
		m.Datagram.Reliable = h.Reliable
	}
	// Resets, cookies and hellos stand outside the numbers (SPEC.md, UDP).
	if h.Number != 0 {
		if first := d.numbers.first(h.Number, m.Number); first != 0 {
			m.Datagram.Of, m.Datagram.Same = first, true
		}
	}
	if n := m.Datagram.Reliable; n != 0 && m.Datagram.Of == 0 {
		m.Datagram.Of = d.reliable.first(n, m.Number)
	}
	env, _ := datagram(h, rest)
	switch {
	case h.Type == wire.TypeAck:
		m.Summary = acknowledged(h)
	case env == nil:
		m.Summary = m.Kind
	case h.Flags&wire.DatagramFragment != 0:
		m.Kind, m.Summary = "part", part(h, len(env)+int(m.Missing))
	default:
		kind, summary, problem := chat(env)
		if h.Type != wire.TypeData {
			summary = m.Kind + ", " + summary
		}
		m.Kind, m.Summary, m.Err = kind, summary, problem
	}
	if m.Missing > 0 {
		m.Err = missing(m.Missing, m.End)
	}
	out := []Message{m}
	if env == nil || h.Flags&wire.DatagramFragment == 0 {
		return out
	}
	if whole := d.part(t, &m, h, env); whole != nil {
		out = append(out, *whole)
	}
	return out
}

// part takes in a part of an envelope, and returns that if it is whole.
func (d *datagrams) part(t *Tracker, m *Message, h *wire.Header, data []byte) *Message {
	of, i := h.Fragment.Of, int(h.Fragment.Index)
	e := d.parts[of]
	if e == nil || e.count != int(h.Fragment.Count) || e.typ != h.Type {
		if e == nil && len(d.parts) >= maxEnvelopes {
			d.drop(t, d.oldest[0])
		}
		if e != nil {
			d.drop(t, of)
		}
		n := int(h.Fragment.Count)
		e = &envelope{count: n, data: make([][]byte, n), pieces: make([]Piece, n), typ: h.Type}
		d.parts[of] = e
		d.oldest = append(d.oldest, of)
	}
	if e.pieces[i].Number != 0 || t.memory.full() {
		return nil
	}
	e.got++
	e.bytes += len(data)
	t.memory.take(len(data))
	e.data[i] = slices.Clone(data)
	e.short = e.short || m.Missing > 0
	e.pieces[i] = Piece{Number: m.Number, Time: m.Complete, Offset: int(m.End) - len(data) - int(m.Missing), Len: len(data) + int(m.Missing)}
	if e.got < e.count {
		return nil
	}
	whole := *m
	whole.Datagram = &Datagram{Number: 0, Parts: e.count, IPParts: 1}
	whole.Frame = Frame{Pieces: e.pieces, Number: m.Number, Complete: m.Complete, Framing: "chat", Bytes: slices.Concat(e.data...)}
	whole.First = m.Complete
	var at uint64
	for j := range e.pieces {
		p := &whole.Pieces[j]
		p.At = at
		at += uint64(p.Len)
		if p.Time.Before(whole.First) {
			whole.First = p.Time
		}
	}
	whole.End = at
	whole.Waited = whole.Complete.Sub(whole.First)
	whole.Kind, whole.Summary, whole.Err = chat(whole.Bytes)
	if e.short {
		whole.Missing = at - uint64(len(whole.Bytes))
		whole.Err = missing(whole.Missing, at)
	}
	d.drop(t, of)
	return &whole
}

func (d *datagrams) drop(t *Tracker, of uint32) {
	if e := d.parts[of]; e != nil {
		t.memory.take(-e.bytes)
		delete(d.parts, of)
	}
	if i := slices.Index(d.oldest, of); i >= 0 {
		d.oldest = slices.Delete(d.oldest, i, i+1)
	}
}

// end tells of envelopes of which parts are missing.
func (d *datagrams) end(t *Tracker, f *Flow, dir int) []Message {
	var out []Message
	for _, of := range slices.Clone(d.oldest) {
		e := d.parts[of]
		m := Message{Flow: f, Dir: dir, Datagram: &Datagram{Parts: e.got, IPParts: 1}, Frame: Frame{Framing: "chat", Kind: "part"}}
		var absent []int
		for i, p := range e.pieces {
			if p.Number == 0 {
				absent = append(absent, i+1)
				continue
			}
			p.At = m.End
			m.End += uint64(p.Len)
			m.Pieces = append(m.Pieces, p)
			if m.First.IsZero() || p.Time.Before(m.First) {
				m.First = p.Time
			}
			if p.Time.After(m.Complete) {
				m.Complete, m.Number = p.Time, p.Number
			}
		}
		m.Summary = fmt.Sprintf("%d of %d parts of envelope %d", e.got, e.count, of)
		m.Err = fmt.Sprintf("part %d never came", absent[0])
		if len(absent) > 1 {
			m.Err = fmt.Sprintf("%d parts never came, first %d", len(absent), absent[0])
		}
		out = append(out, m)
		d.drop(t, of)
	}
	return out
}

// fragments puts IP datagrams together (RFC 791, section 3.2).
type fragments struct {
	open  map[fragmentKey]*datagramParts
	order []fragmentKey // oldest first
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol uint8
}

type datagramParts struct {
	total  int // bytes of IP payload, once the last fragment is there
	pieces []Piece
	data   [][]byte // of pieces
	first  packets.Headers
}

// maxOpen is how many IP datagrams may be under way, each with maxParts fragments
// of at most 64 KiB.
const (
	maxOpen  = 256
	maxParts = 1024
)

// fragment takes in an IP fragment. Of TCP, which does not let IP cut what it
// sends, only a first fragment that has it all would be of use; they are left
// out.
func (t *Tracker) fragment(p *packets.Packet, h *packets.Headers, v vantage) []Message {
	if h.Protocol != packets.ProtocolUDP || v != arrived {
		return nil
	}
	key := fragmentKey{h.Src, h.Dst, h.ID, h.Protocol}
	d := t.pending.open[key]
	var out []Message
	if d == nil {
		if t.pending.open == nil {
			t.pending.open = make(map[fragmentKey]*datagramParts)
		}
		if len(t.pending.open) >= maxOpen {
			out = t.pending.incomplete(t, t.pending.order[0])
		}
		d = &datagramParts{total: -1}
		t.pending.open[key] = d
		t.pending.order = append(t.pending.order, key)
	}
	data, length := h.Payload, h.PayloadLen
	if h.Fragment == 0 && h.UDP {
		d.first = *h
		d.first.Payload = nil
		// The UDP header is a part of what IP cut.
		length += h.Body - h.Transport
		data = p.Data[h.Transport:min(len(p.Data), h.Transport+length)]
	}
	if !h.MF {
		d.total = h.Fragment + length
	}
	for _, q := range d.pieces {
		if int(q.At) == h.Fragment { // a copy
			return out
		}
	}
	if len(d.pieces) >= maxParts || t.memory.full() {
		return out
	}
	i, _ := slices.BinarySearchFunc(d.pieces, h.Fragment, func(q Piece, at int) int { return int(q.At) - at })
	d.pieces = slices.Insert(d.pieces, i, Piece{Number: p.Number, Time: p.Time, At: uint64(h.Fragment), Len: length})
	d.data = slices.Insert(d.data, i, slices.Clone(data))
	t.memory.take(len(data))
	at := 0
	for _, q := range d.pieces {
		if int(q.At) > at {
			return out
		}
		at = max(at, int(q.At)+q.Len)
	}
	if d.total < 0 || at < d.total || !d.first.UDP {
		return out
	}
	return append(out, t.pending.whole(t, key)...)
}

// whole hands out a datagram that has all its fragments.
func (g *fragments) whole(t *Tracker, key fragmentKey) []Message {
	d := g.drop(t, key)
	var b []byte
	cut := false
	for i, q := range d.pieces {
		if int(q.At) > len(b) {
			cut = true // bytes before it were not captured
		}
		if skip := len(b) - int(q.At); !cut && skip < len(d.data[i]) {
			b = append(b, d.data[i][skip:]...)
		}
		cut = cut || len(d.data[i]) < q.Len
	}
	h := &d.first
	f, dir, out := t.flow(&packets.Packet{Time: d.pieces[0].Time}, h.Src, h.Dst, h.SrcPort, h.DstPort, packets.ProtocolUDP, 0)
	const header = 8
	length := d.total - header
	if len(b) >= header {
		if n := int(binary.BigEndian.Uint16(b[4:])); n >= header && n-header < length {
			length = n - header
		}
	}
	b = b[min(len(b), header):]
	pay := payload{data: b[:min(len(b), length)], length: length, parts: len(d.pieces)}
	for _, q := range d.pieces {
		if q.At == 0 {
			q.Offset, q.Len = header, q.Len-header
		} else {
			q.At -= header
		}
		pay.pieces = append(pay.pieces, q)
	}
	return append(out, t.udp(f, dir, pay)...)
}

func (g *fragments) drop(t *Tracker, key fragmentKey) *datagramParts {
	d := g.open[key]
	for _, b := range d.data {
		t.memory.take(-len(b))
	}
	delete(g.open, key)
	if i := slices.Index(g.order, key); i >= 0 {
		g.order = slices.Delete(g.order, i, i+1)
	}
	return d
}

// incomplete hands out what there is of a datagram. Without its first fragment
// nobody knows whose it is.
func (g *fragments) incomplete(t *Tracker, key fragmentKey) []Message {
	d := g.drop(t, key)
	if !d.first.UDP {
		return nil
	}
	h := &d.first
	f, dir, out := t.flow(&packets.Packet{Time: d.pieces[0].Time}, h.Src, h.Dst, h.SrcPort, h.DstPort, packets.ProtocolUDP, 0)
	m := Message{Flow: f, Dir: dir, Datagram: &Datagram{IPParts: len(d.pieces)}, Frame: Frame{Framing: "none", Kind: "datagram", Pieces: d.pieces}}
	got := 0
	for _, p := range d.pieces {
		got += p.Len
		if m.First.IsZero() || p.Time.Before(m.First) {
			m.First = p.Time
		}
		if !p.Time.Before(m.Complete) {
			m.Complete, m.Number = p.Time, p.Number
		}
	}
	m.End = uint64(got)
	m.Summary = fmt.Sprintf("%d IP fragments", len(d.pieces))
	m.Err = "the other fragments never came: the datagram is lost"
	return append(out, m)
}

func (g *fragments) end(t *Tracker) []Message {
	var out []Message
	for len(g.order) > 0 {
		out = append(out, g.incomplete(t, g.order[0])...)
	}
	return out
}
