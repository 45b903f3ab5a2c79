package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// looksHTTP reports whether b begins with a request or a response of HTTP/1 (RFC
// 9112, section 2.1).
func looksHTTP(b []byte) answer {
	if len(b) == 0 {
		return maybe
	}
	short := no
	for _, word := range [...]string{"HTTP/1.", "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "} {
		n := min(len(word), len(b))
		if string(b[:n]) != word[:n] {
			continue
		}
		if n == len(word) {
			return yes
		}
		short = maybe
	}
	return short
}

// httpCutter cuts HTTP/1 and, after an upgrade, WebSocket. It sees one
// direction: a response to HEAD has a length and no body, which it cannot know.
type httpCutter struct {
	socket bool // cut WebSocket frames, unless a head is there
	chunks bool // inside a chunked body
	rest   bool // a body that the end of the stream ends
}

func (c *httpCutter) name() string {
	if c.socket {
		return "websocket"
	}
	return "http"
}

func (c *httpCutter) size(b []byte, seen int) (uint64, error) {
	switch {
	case c.rest:
		return untilEnd, nil
	case c.chunks:
		return chunkSize(b)
	case c.socket:
		if first := looksHTTP(b); first == yes {
			// WebSocket never begins with a letter: those opcodes are not in use.
			return headSize(b, seen)
		} else if first == maybe && len(b) < 4 {
			return 0, nil
		}
		h, n, err := socketHeader(b)
		if n == 0 || err != nil {
			return 0, err
		}
		return uint64(n) + h.length, nil
	}
	switch looksHTTP(b) {
	case no:
		return 0, errors.New("neither a request nor a response of HTTP/1")
	case maybe:
		return 0, nil
	}
	return headSize(b, seen)
}

// headEnd returns the bytes of a head with the empty line, or 0.
func headEnd(b []byte, seen int) int {
	from := max(0, seen-3)
	end := 0
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		end = from + i + 4
	}
	if i := bytes.Index(b[from:], []byte("\n\n")); i >= 0 && (end == 0 || from+i+2 < end) {
		end = from + i + 2
	}
	return end
}

// headSize returns the size of a head and of a body whose length it gives.
func headSize(b []byte, seen int) (uint64, error) {
	end := headEnd(b, seen)
	if end == 0 {
		return 0, nil
	}
	h := readHead(b[:end])
	if h.bad != "" {
		return 0, errors.New(h.bad)
	}
	if h.body {
		return uint64(end) + h.length, nil
	}
	return uint64(end), nil
}

// A head is what a request or response says of what follows it.
type head struct {
	first   string
	length  uint64
	body    bool // length counts
	chunked bool
	upgrade bool
	rest    bool // the body ends with the stream
	bad     string
}

// readHead reads the head b (RFC 9112, section 6.3).
func readHead(b []byte) head {
	var h head
	lines := bytes.Split(b, []byte("\n"))
	h.first = string(bytes.TrimSpace(lines[0]))
	socket := false
	for _, line := range lines[1:] {
		name, value, _ := bytes.Cut(line, []byte(":"))
		v := strings.ToLower(string(bytes.TrimSpace(value)))
		switch strings.ToLower(string(name)) {
		case "content-length":
			n, err := strconv.ParseUint(v, 10, 48)
			if err != nil {
				h.bad = fmt.Sprintf("content-length %.40q", v)
			}
			h.length, h.body = n, true
		case "transfer-encoding":
			h.chunked = strings.HasSuffix(v, "chunked")
		case "upgrade":
			socket = v == "websocket"
		}
	}
	status, response := strings.CutPrefix(h.first, "HTTP/1.")
	_, status, _ = strings.Cut(status, " ")
	switch {
	case response && (strings.HasPrefix(status, "1") || strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304")):
		h.upgrade = socket && strings.HasPrefix(status, "101")
		h.body, h.chunked = false, false
	case h.chunked:
		h.body = false
	case response:
		h.rest = !h.body
	default:
		h.upgrade = socket
	}
	return h
}

// chunkSize returns the size of a chunk (RFC 9112, section 7.1), for the last
// one with its trailers.
func chunkSize(b []byte) (uint64, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if len(b) > 1024 {
			return 0, errors.New("a chunk without a size")
		}
		return 0, nil
	}
	word, _, _ := bytes.Cut(b[:i], []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(word)), 16, 48)
	if err != nil {
		return 0, fmt.Errorf("chunk size %.40q, want hex", bytes.TrimSpace(word))
	}
	if n > 0 {
		return uint64(i) + 1 + n + 2, nil
	}
	if end := headEnd(b[max(0, i-1):], 0); end > 0 {
		return uint64(max(0, i-1) + end), nil
	}
	return 0, nil
}

func (c *httpCutter) describe(f *Frame) {
	switch {
	case c.rest:
		f.Kind, f.Summary = "body", fmt.Sprintf("%d bytes: %s", f.End-f.Start, excerpt(f.Bytes))
		return
	case c.chunks:
		f.Kind, f.Summary = "chunk", excerpt(f.Bytes)
		if n := bytes.TrimLeft(f.Bytes, "0"); len(n) < len(f.Bytes) && len(n) > 0 && strings.ContainsRune("\r\n;", rune(n[0])) {
			f.Summary, c.chunks = "the last", false
		}
		return
	case c.socket && looksHTTP(f.Bytes) != yes:
		describeSocket(f)
		return
	}
	end := headEnd(f.Bytes, 0)
	f.Kind = "request"
	if bytes.HasPrefix(f.Bytes, []byte("HTTP/")) {
		f.Kind = "response"
	}
	if end == 0 {
		first, _, _ := bytes.Cut(f.Bytes, []byte("\n"))
		f.Summary = plain(bytes.TrimSpace(first))
		return
	}
	h := readHead(f.Bytes[:end])
	f.Summary = plain([]byte(h.first))
	switch {
	case h.upgrade:
		c.socket = true
		f.Summary += ", upgrade to WebSocket"
	case h.body && h.length > 0:
		f.Summary += fmt.Sprintf(", %d bytes of body", h.length)
	case h.chunked:
		c.chunks = true
		f.Summary += ", chunked"
	case h.rest:
		c.rest = true
		f.Summary += ", until the end"
	}
}

func (c *httpCutter) resync(b []byte, gap bool) (int, bool) {
	c.chunks, c.rest = false, false
	if c.socket {
		if gap {
			return 0, true
		}
		return len(b), false
	}
	for i := range b {
		if i > 0 && b[i-1] != '\n' && !gap {
			continue
		}
		switch looksHTTP(b[i:]) {
		case yes:
			return i, true
		case maybe:
			return i, false
		}
	}
	return len(b), false
}

// A socketHead is the header of a WebSocket frame (RFC 6455, section 5.2).
type socketHead struct {
	fin, compressed bool
	opcode          byte
	masked          bool
	mask            [4]byte
	length          uint64
}

// socketHeader reads a header, and returns its size or 0 if b is too short.
func socketHeader(b []byte) (h socketHead, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.fin, h.compressed, h.opcode = b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x0f
	h.masked, h.length = b[1]&0x80 != 0, uint64(b[1]&0x7f)
	if b[0]&0x30 != 0 {
		return h, 0, fmt.Errorf("reserved bits %#02x of a WebSocket frame, want 0", b[0]&0x30)
	}
	control := h.opcode >= 8
	if h.opcode > 2 && h.opcode < 8 || h.opcode > 10 {
		return h, 0, fmt.Errorf("WebSocket opcode %d is reserved", h.opcode)
	}
	if control && (!h.fin || h.length > 125) {
		return h, 0, errors.New("a WebSocket control frame that is cut or of more than 125 bytes")
	}
	n = 2
	switch h.length {
	case 126:
		if n = 4; len(b) < n {
			return h, 0, nil
		}
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if n = 10; len(b) < n {
			return h, 0, nil
		}
		if h.length = binary.BigEndian.Uint64(b[2:]); h.length >= untilEnd {
			return h, 0, fmt.Errorf("WebSocket length %d is absurd", h.length)
		}
	}
	if h.masked {
		if n += 4; len(b) < n {
			return h, 0, nil
		}
		copy(h.mask[:], b[n-4:])
	}
	return h, n, nil
}

var socketKinds = [...]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

func describeSocket(f *Frame) {
	h, n, err := socketHeader(f.Bytes)
	if n == 0 || err != nil {
		f.Kind, f.Summary = "frame", fmt.Sprintf("%d bytes of a header", len(f.Bytes))
		return
	}
	f.Kind = socketKinds[h.opcode]
	data := bytes.Clone(f.Bytes[n:min(len(f.Bytes), n+maxExcerpt+8)])
	if h.masked {
		for i := range data {
			data[i] ^= h.mask[i%4]
		}
	}
	what := fmt.Sprintf("%d bytes", h.length)
	switch {
	case h.opcode == 8 && len(data) >= 2:
		what = strconv.Itoa(int(binary.BigEndian.Uint16(data)))
		if len(data) > 2 {
			what += " " + quote(data[2:])
		}
	case h.compressed:
		what += ", compressed"
	case h.opcode == 1 || h.opcode >= 8 && len(data) > 0 && isText(data):
		what = quote(data)
	case len(data) > 0:
		what += ": " + excerpt(data)
	}
	if !h.fin {
		what += ", goes on"
	}
	if h.masked {
		what += " (masked)"
	}
	f.Summary = what
}
