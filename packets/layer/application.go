package layer

import (
	"bytes"

	"wirelab/internal/wire"
)

// Ports of DNS (RFC 1035), mDNS (RFC 6762) and LLMNR (RFC 4795).
func dnsPort(p uint16) bool { return p == 53 || p == 5353 || p == 5355 }

// stream takes a TCP payload.
func (d *dissection) stream() {
	if d.at >= d.end {
		return
	}
	b := d.b[d.at:d.end]
	protocol := d.ctx.Protocol
	if protocol == "" {
		protocol = guessStream(b, d.h.SrcPort, d.h.DstPort)
	}
	switch {
	case protocol == "chat" && d.ctx.Spans != nil:
		d.spans(d.chatPiece)
	case protocol == "chat":
		d.chatFrames()
	case protocol == "websocket" && d.ctx.Spans != nil:
		d.spans(d.websocketPiece)
	case protocol == "websocket":
		d.websocket()
	case protocol == "http":
		d.http()
	case protocol == "dns":
		d.dnsStream()
	default:
		d.data("")
	}
}

// guessStream names the protocol of a TCP payload by its first bytes, strictly:
// better data than a wrong name.
func guessStream(b []byte, src, dst uint16) string {
	switch {
	case looksChat(b):
		return "chat"
	case looksHTTP(b):
		return "http"
	case (src == 53 || dst == 53) && len(b) >= 14 && int(u16(b)) >= 12:
		return "dns"
	}
	return "data"
}

// datagram takes a UDP payload.
func (d *dissection) datagram() {
	if d.at >= d.end {
		return
	}
	b := d.b[d.at:d.end]
	protocol := d.ctx.Protocol
	if protocol == "" {
		switch {
		case dnsPort(d.h.SrcPort) || dnsPort(d.h.DstPort):
			protocol = "dns"
		case looksDatagram(b):
			protocol = "chat"
		}
	}
	switch protocol {
	case "dns":
		d.dns(d.end)
	case "chat":
		d.chatDatagram()
	default:
		d.data("")
	}
}

// spans gives each message of the context to take, and what lies between them
// to data.
func (d *dissection) spans(take func(s Span)) {
	begin, end := d.at, d.end
	for _, s := range d.ctx.Spans {
		from := begin + s.Off
		if s.Off < 0 || s.Len <= 0 || from < d.at || from >= end {
			continue
		}
		d.end = from
		d.data("no message that is known")
		s.After += max(0, from+s.Len-end) // cut by the capture
		s.Len = min(s.Len, end-from)
		d.end = from + s.Len
		take(s)
		d.at = from + s.Len
	}
	d.end = end
	d.data("no message that is known")
}

// Known names the protocol of a payload that starts a stream or is a datagram
// of its own, by its first bytes alone, as a guess of Tree does: "chat",
// "http" or "".
func Known(b []byte) string {
	switch {
	case looksChat(b), looksDatagram(b):
		return "chat"
	case looksHTTP(b):
		return "http"
	}
	return ""
}

// looksChat reports whether b begins with a chat frame's header, whose numbers
// agree with each other.
func looksChat(b []byte) bool {
	if len(b) < wire.LengthSize+8 {
		return false
	}
	n, e := be(b[:wire.LengthSize]), b[wire.LengthSize:]
	flags := wire.Flags(u16(e[2:]))
	names := 0
	for _, l := range e[4:8] {
		if l > wire.MaxName {
			return false
		}
		names += int(l)
	}
	return n >= uint64(wire.MinEnvelope+names) && n <= wire.MaxEnvelope &&
		e[0] == wire.Version && wire.Kind(e[1]).Valid() && flags <= wire.FlagDirect<<1-1
}

// looksDatagram reports whether b begins with a chat datagram's header.
func looksDatagram(b []byte) bool {
	_, _, err := wire.DecodeHeader(b)
	return err == nil
}

// looksHTTP reports whether b begins with a request or status line of HTTP/1
// (RFC 9112, sections 3 and 4), or with so much of one that it can be nothing
// else.
func looksHTTP(b []byte) bool {
	line, _, whole := bytes.Cut(b[:min(len(b), 8<<10)], []byte("\r\n"))
	if bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return true
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(method) < 3 || len(method) > 16 {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	if whole {
		i := bytes.LastIndexByte(rest, ' ')
		return i > 0 && bytes.HasPrefix(rest[i+1:], []byte("HTTP/1."))
	}
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return len(rest) > 0 && (rest[0] == '/' || rest[0] == '*' || bytes.HasPrefix(rest, []byte("http://")))
	}
	return false
}
