package layer

import (
	"bytes"
	"fmt"
	"strings"

	"wirelab/internal/style"
)

// maxHeaderFields is how many header fields of HTTP are shown one by one.
const maxHeaderFields = 1000

// http is a message of HTTP/1 (RFC 9112, section 2.1), as far as it is in this
// packet.
func (d *dissection) http() {
	f := d.begin()
	l := Layer{Name: "HTTP", Abbrev: "http", OSI: 7, TCPIP: Application}
	if b := d.b[d.at:d.end]; !looksHTTP(b) {
		f.bytes("message continued", len(b))
		f.value("%s", text(b))
		l.Name, l.Summary = "HTTP (continued)", plural(len(b), "byte")
		d.add(l, f)
		d.layers[len(d.layers)-1].HeaderLen = 0
		return
	}
	line, whole := f.line("start line")
	l.Summary = string(line)
	f.startLine(line)
	for n := 0; whole && f.at < f.end; n++ {
		if n == maxHeaderFields {
			f.rest("more header fields", "")
			break
		}
		if bytes.HasPrefix(f.b[f.at:f.end], []byte("\r\n")) {
			f.bytes("end of header", 2)
			f.value("an empty line")
			break
		}
		line, whole = f.line("header field")
		name, value, ok := bytes.Cut(line, []byte(":"))
		p := &f.list[len(f.list)-1]
		switch {
		case !whole:
			p.Note = "goes on in the next packet"
		case ok:
			p.Name = style.Visible(string(name))
			p.Value = text(bytes.Trim(value, " \t"))
		}
	}
	body := f.at
	if n := f.end - f.at; n > 0 && !f.short {
		b := f.bytes("body", n)
		f.value("%s", text(b))
		l.Summary += ", " + plural(n, "byte") + " of body"
	}
	d.add(l, f)
	d.layers[len(d.layers)-1].HeaderLen = body - f.begin
}

// line takes a line with its end, and returns it without.
func (f *fields) line(name string) (line []byte, whole bool) {
	b := f.b[f.at:f.end]
	i := bytes.Index(b, []byte("\n"))
	n := i + 1
	if i < 0 {
		n = len(b)
	}
	line = bytes.TrimRight(b[:n], "\r\n")
	f.bytes(name, n)
	f.value("%s", text(line))
	return line, i >= 0
}

// startLine adds the parts of a request line (method, target, version) or a
// status line (version, code, reason).
func (f *fields) startLine(line []byte) {
	p := &f.list[len(f.list)-1]
	names := []string{"method", "target", "version"}
	p.Name = "request line"
	if bytes.HasPrefix(line, []byte("HTTP/")) {
		names = []string{"version", "status", "reason"}
		p.Name = "status line"
	}
	at := p.Off
	for i, w := range strings.SplitN(string(line), " ", 3) {
		p.Children = append(p.Children, Field{Name: names[i], Value: text([]byte(w)), Off: at, Len: len(w)})
		at += len(w) + 1
	}
}

// opcodes of RFC 6455, section 5.2.
func opcode(v uint64) string {
	switch v {
	case 0:
		return "continuation"
	case 1:
		return "text"
	case 2:
		return "binary"
	case 8:
		return "close"
	case 9:
		return "ping"
	case 10:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", v)
}

// websocket takes frames of RFC 6455, section 5.2, from the payload's first
// byte on, as long as they are plausible.
func (d *dissection) websocket() {
	end := d.end
	for d.at < end {
		size := WebSocketSize(d.b[d.at:end])
		if size < 0 {
			d.data("no WebSocket frame")
			return
		}
		if size > 0 {
			d.end = int(min(int64(d.at)+size, int64(end)))
		}
		d.websocketFrame()
		d.end = end
	}
}

// WebSocketSize returns the length of the WebSocket frame that b begins with,
// 0 if b is too short to tell, −1 if it is none: reserved bits or an unknown
// opcode without an extension, a length that is not the shortest form, or a
// control frame that is fragmented or long (RFC 6455, sections 5.2 and 5.5).
// RSV1 is allowed: compression (RFC 7692) uses it.
func WebSocketSize(b []byte) int64 {
	if len(b) < 1 {
		return 0
	}
	op := b[0] & 0x0f
	if b[0]&0x30 != 0 || op > 2 && op < 8 || op > 10 {
		return -1
	}
	if len(b) < 2 {
		return 0
	}
	n, head := int64(b[1]&0x7f), int64(2)
	if op >= 8 && (n > 125 || b[0]&0x80 == 0) {
		return -1
	}
	switch {
	case n == 126 && len(b) < 4, n == 127 && len(b) < 10:
		return 0
	case n == 126:
		n, head = int64(u16(b[2:])), 4
		if n < 126 {
			return -1
		}
	case n == 127:
		v := be(b[2:10])
		if v < 1<<16 || v >= 1<<62 {
			return -1
		}
		n, head = int64(v), 10
	}
	if b[1]&0x80 != 0 {
		head += 4
	}
	return head + n
}

func (d *dissection) websocketPiece(s Span) {
	if s.Before == 0 {
		d.websocketFrame()
		return
	}
	f := d.begin()
	f.bytes("frame continued", s.Len)
	f.value("%s", plural(s.Len, "byte"))
	f.note("bytes %d to %d of a frame of %d", s.Before, s.Before+s.Len-1, s.Before+s.Len+s.After)
	d.add(Layer{Name: "WebSocket (continued)", Abbrev: "ws", OSI: 7, TCPIP: Application,
		Summary: fmt.Sprintf("%s of a frame of %d", plural(s.Len, "byte"), s.Before+s.Len+s.After)}, f)
	d.layers[len(d.layers)-1].HeaderLen = 0
}

// websocketFrame takes the frame, or the first part of one, in [d.at, d.end).
func (d *dissection) websocketFrame() {
	f := d.begin()
	l := Layer{Name: "WebSocket", Abbrev: "ws", OSI: 7, TCPIP: Application}
	v, _ := f.hex("flags and opcode", 1)
	f.value("%s", opcode(v&0xf))
	f.bits("FIN", 0x80, set)
	f.bits("RSV1", 0x40, set)
	f.bits("RSV2", 0x20, set)
	f.bits("RSV3", 0x10, set)
	f.bits("opcode", 0x0f, opcode)
	l.Summary = opcode(v & 0xf)
	if v&0x80 == 0 {
		l.Summary += ", more follows"
	}
	n, ok := f.number("mask and length", 1)
	masked := n&0x80 != 0
	n &= 0x7f
	f.value("%d", n)
	f.bits("MASK", 0x80, set)
	f.bits("length", 0x7f, decimal)
	switch n {
	case 126:
		n, ok = f.number("extended length", 2)
	case 127:
		n, ok = f.number("extended length", 8)
	}
	var key []byte
	if masked && ok {
		key = f.bytes("masking key", 4)
		f.value("%x", key)
		ok = key != nil
	}
	head := f.at - f.begin
	if left := f.end - f.at; ok && left > 0 {
		b := append([]byte(nil), f.bytes("payload", int(min(n, uint64(left))))...)
		for i := range b {
			if masked {
				b[i] ^= key[i%4]
			}
		}
		shown := text(b)
		if v&0xf == 8 && len(b) >= 2 {
			shown = fmt.Sprintf("%d %s", u16(b), text(b[2:]))
		}
		if v&0x40 != 0 {
			shown = plural(len(b), "byte") + ", compressed"
		}
		f.value("%s", shown)
		if masked {
			f.note("unmasked for display (RFC 6455, section 5.3)")
		}
		l.Summary += ": " + shown
		if uint64(left) < n {
			l.Name = "WebSocket (first part)"
			l.Summary += fmt.Sprintf(" (%d of %d bytes)", left, n)
		}
		f.rest("rest", "after the frame")
	}
	d.add(l, f)
	d.layers[len(d.layers)-1].HeaderLen = head
}
