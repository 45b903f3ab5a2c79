// Package layer takes one packet apart: which layers are in it, which bytes are
// whose, what each field says.
//
//	+----------+------+-----+------------+-----------+---------+
//	| Ethernet | IPv4 | TCP | chat frame | chat fr…  | trailer |   layers, in order
//	+----------+------+-----+------------+-----------+---------+
//	 \__ fields, one after the other; bits and parts of a field are its children
//
// Every byte of a packet is in exactly one field, whatever the bytes are: what
// cannot be read is in a field that says so. Offsets count from the start of
// Packet.Data. A Value, Note or Summary holds no control character. The package
// keeps no state, so it is safe for concurrent use.
//
// The layers' numbers are those of ITU-T X.200 (OSI), the names those of RFC
// 1122, section 1.1.3 (TCP/IP).
package layer

import (
	"fmt"

	"wirelab/internal/style"
	"wirelab/packets"
)

// The layers of TCP/IP (RFC 1122).
const (
	Link        = "link"
	Internet    = "internet"
	Transport   = "transport"
	Application = "application"
)

// A Layer is what one protocol added.
type Layer struct {
	Name   string // "IPv4", "TCP", "Chat frame"
	Abbrev string // in one short word: "ip", "tcp", "chat"
	OSI    int    // 2 to 7
	TCPIP  string // one of the constants above

	Off       int // of its first byte
	HeaderLen int // bytes before what it carries
	Len       int // bytes that were kept of header and payload together; the payload may be further layers

	Summary string
	Fields  []Field // its own bytes, in order
}

// A Field is a named run of bytes, or some bits of one.
type Field struct {
	Name  string
	Value string
	Off   int
	Len   int    // in bytes
	Bits  string // of a bit field its bits, dots for the others: "...1 ...."; else empty
	Note  string // what is worth knowing beside the value
	// Children are bits of this field, or parts of it one after the other.
	Children []Field
}

// A Context is what the packets before this one tell about it. The zero Context
// knows nothing.
type Context struct {
	// Protocol of the payload: "chat", "http", "websocket", "data"; empty to guess
	// from ports and first bytes. A guess never takes a payload for WebSocket:
	// its frames look like anything.
	Protocol string
	// Spans are the messages in the payload, as the reassembly of the stream
	// found them, in order; what is between them is shown as data. If nil, frames
	// are looked for from the payload's first byte on.
	Spans []Span
	// Base, of a TCP packet, tells relative numbers.
	Base *Base
}

// A Span is a message, or a part of one, in a packet's TCP payload.
type Span struct {
	Off    int // of its first byte in the payload
	Len    int // bytes here
	Before int // bytes of the message in earlier packets
	After  int // bytes of the message in later packets
}

// A Base is where the numbers of a TCP connection begin.
type Base struct {
	Seq, Ack uint32 // what relative number 0 is, for this packet's sequence and acknowledgment number
	Scale    int8   // shift of this packet's window; −1 if unknown
}

// Tree takes p apart. h is p's headers; nil to decode them here. ctx may be nil.
// There is always a layer for every byte; a packet of no bytes has no layers.
func Tree(p *packets.Packet, h *packets.Headers, ctx *Context) []Layer {
	if h == nil {
		h = new(packets.Headers)
		h.Decode(p)
	}
	if ctx == nil {
		ctx = new(Context)
	}
	d := &dissection{p: p, h: h, ctx: ctx, b: p.Data, end: len(p.Data)}
	d.link()
	d.trailer()
	return d.layers
}

// Payload takes apart only what p's TCP or UDP header is followed by: the layers
// of the application, as Tree has them. h are p's headers, with TCP or UDP found.
func Payload(p *packets.Packet, h *packets.Headers, ctx *Context) []Layer {
	if ctx == nil {
		ctx = new(Context)
	}
	d := &dissection{p: p, h: h, ctx: ctx, b: p.Data, at: h.Body, end: h.Body + len(h.Payload)}
	if h.TCP {
		d.stream()
	} else {
		d.datagram()
	}
	return d.layers
}

// A dissection goes over a packet from the left. [at, end) is what the layers
// so far carry; what lies after end was carried by none of them.
type dissection struct {
	p      *packets.Packet
	h      *packets.Headers
	ctx    *Context
	b      []byte
	at     int
	end    int
	layers []Layer
	whole  bool // no bytes of the IP packet are missing
}

// begin starts the fields of the layer at d.at.
func (d *dissection) begin() *fields { return &fields{b: d.b, at: d.at, end: d.end, begin: d.at} }

// add ends a layer: its fields are f's, and what follows them up to d.end is
// its payload.
func (d *dissection) add(l Layer, f *fields) {
	l.Off, l.HeaderLen, l.Len, l.Fields = f.begin, f.at-f.begin, d.end-f.begin, f.list
	l.Summary = style.Visible(l.Summary)
	d.at = f.at
	d.layers = append(d.layers, l)
}

// data ends the dissection: nothing more is known of what is left.
func (d *dissection) data(why string) {
	if d.at >= d.end {
		return
	}
	f := d.begin()
	f.bytes("data", d.end-d.at)
	f.value("%s", text(d.b[d.at:d.end]))
	n := d.end - d.at
	l := Layer{Name: "Data", Abbrev: "data", OSI: 7, TCPIP: Application, Summary: plural(n, "byte")}
	if why != "" {
		l.Summary += ", " + why
	}
	f.note("%s", style.Visible(why))
	d.add(l, f)
	d.layers[len(d.layers)-1].HeaderLen = 0
}

// unknown is data for what is carried below the application.
func (d *dissection) unknown(osi int, tcpip, why string) {
	n := len(d.layers)
	d.data(why)
	if len(d.layers) > n {
		d.layers[n].OSI, d.layers[n].TCPIP = osi, tcpip
	}
}

// trailer takes what the inner layers left over.
func (d *dissection) trailer() {
	if d.at >= len(d.b) {
		return
	}
	d.end = len(d.b)
	f := d.begin()
	f.bytes("trailer", d.end-d.at)
	f.value("%s", zeros(d.b[d.at:d.end]))
	f.note("after the end of the packet inside: padding up to the least frame, or a check sequence")
	d.add(Layer{Name: "Trailer", Abbrev: "trailer", OSI: 2, TCPIP: Link, Summary: plural(f.at-f.begin, "byte") + " after the packet"}, f)
}

func zeros(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return plural(len(b), "byte") + ", not all zero"
		}
	}
	return plural(len(b), "byte") + ", all zero"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
