package show

import (
	"bytes"

	"wirelab/internal/wire"
	"wirelab/packets"
	"wirelab/packets/layer"
)

// maxCursors is how many directions of streams are followed at a time. When one
// more begins all are forgotten: each is found again by the next frame that
// begins a segment.
const maxCursors = 1 << 15

type cursorKey struct{ flow, dir int }

// A cursor stands in one direction of a TCP stream and knows how much of a
// message is still to come. It keeps no payload but a header that was cut.
//
// It is not the reassembly of package framing: a line is written when its
// packet comes, so bytes behind a hole are not waited for.
type cursor struct {
	protocol string // chat, websocket, http, data; empty while unknown
	known    bool   // place counts
	place
	past [8]place // where segments before began, for those that are sent again
	at   int
}

// A place is where a cursor stands.
type place struct {
	seq  uint32
	size int64 // bytes of the message under way; 0 if that is not known yet
	left int64 // of them still to come
	head string
}

// follow adds to e where messages lie in its payload.
func (t *Tracker) follow(e *Entry, h *packets.Headers, number, dir int) {
	key := cursorKey{number, dir}
	c := t.cursors[key]
	if c == nil {
		if h.PayloadLen == 0 {
			return
		}
		if len(t.cursors) >= maxCursors {
			clear(t.cursors)
		}
		c = &cursor{}
		t.cursors[key] = c
	}
	if h.Control&(packets.FIN|packets.RST) != 0 && h.PayloadLen == 0 {
		delete(t.cursors, key)
		return
	}
	if h.PayloadLen == 0 || h.Control&packets.SYN != 0 {
		return
	}
	if c.protocol == "" || c.protocol == "http" && upgraded(h.Payload) {
		c.protocol = layer.Known(h.Payload)
	}
	if upgraded(h.Payload) {
		// What follows this response is WebSocket, both ways.
		for d := range 2 {
			k := cursorKey{number, d}
			if t.cursors[k] == nil {
				t.cursors[k] = &cursor{}
			}
			t.cursors[k].protocol, t.cursors[k].known = "websocket", false
		}
		e.Context.Protocol = "http"
		c.known, c.place = true, place{seq: h.Seq + uint32(h.PayloadLen)}
		return
	}
	switch c.protocol {
	case "chat", "websocket":
		e.Context.Protocol, e.Context.Spans = c.spans(h)
	case "http":
		e.Context.Protocol = "http"
	}
}

// upgraded reports whether b is a response that makes a connection WebSocket
// (RFC 6455, section 4.2.2).
func upgraded(b []byte) bool {
	return bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) &&
		bytes.Contains(bytes.ToLower(b[:min(len(b), 4<<10)]), []byte("upgrade: websocket"))
}

// spans returns where messages lie in h's payload, and moves on if it is the
// next. If that is not known the payload is looked at by itself.
func (c *cursor) spans(h *packets.Headers) (protocol string, spans []layer.Span) {
	from, forward := c.place, true
	switch {
	case c.known && h.Seq == c.seq:
	case c.known && int32(h.Seq-c.seq) < 0:
		forward = false
		found := false
		for _, p := range c.past {
			if p.seq == h.Seq && p != (place{}) {
				from, found = p, true
			}
		}
		if !found {
			return c.alone(h.Payload), nil
		}
	default:
		// The beginning, or behind a hole: a frame may begin here.
		if c.alone(h.Payload) != c.protocol {
			c.known = false
			return "data", nil
		}
		from = place{seq: h.Seq}
	}
	spans, to, ok := from.over(h.Payload, h.PayloadLen, c.protocol)
	if forward {
		c.past[c.at] = from
		c.at = (c.at + 1) % len(c.past)
		c.known, c.place = ok, to
	}
	if !ok && spans == nil {
		return "data", nil
	}
	return c.protocol, spans
}

// alone names the protocol of a payload by its first bytes.
func (c *cursor) alone(b []byte) string {
	if c.protocol == "websocket" {
		if layer.WebSocketSize(b) > 0 {
			return "websocket"
		}
		return "data"
	}
	if layer.Known(b) == c.protocol {
		return c.protocol
	}
	return "data"
}

// over goes from p over a payload, of which length bytes were sent. It returns
// false if what follows is not known.
func (p place) over(b []byte, length int, protocol string) (spans []layer.Span, to place, ok bool) {
	to = p
	to.seq += uint32(length)
	at := 0
	for at < len(b) {
		if to.left > 0 {
			n := int(min(to.left, int64(len(b)-at)))
			spans = append(spans, layer.Span{Off: at, Len: n, Before: int(to.size - to.left), After: int(to.left) - n})
			to.left -= int64(n)
			at += n
			continue
		}
		head := to.head + string(b[at:min(len(b), at+14)])
		size := messageSize([]byte(head), protocol)
		if size < 0 {
			return spans, to, false
		}
		if size == 0 { // too short to tell
			spans = append(spans, layer.Span{Off: at, Len: len(b) - at, Before: len(to.head), After: 1})
			to.head = head
			break
		}
		to.size, to.left = size, size-int64(len(to.head))
		to.head = ""
	}
	if missing := int64(length - len(b)); missing > 0 {
		if missing > to.left {
			return spans, to, false
		}
		to.left -= missing
	}
	return spans, to, true
}

// messageSize returns the length of the message that b begins with, 0 if b is
// too short to tell, −1 if it is none.
func messageSize(b []byte, protocol string) int64 {
	if protocol == "websocket" {
		return layer.WebSocketSize(b)
	}
	if len(b) < wire.LengthSize {
		return 0
	}
	n := int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	if n < wire.MinEnvelope || n > wire.MaxEnvelope {
		return -1
	}
	return n + wire.LengthSize
}
