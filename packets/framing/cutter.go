package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"wirelab/internal/wire"
)

// A Framing says how a stream is cut. The zero Framing decides by its first
// bytes.
type Framing struct {
	how    string // "", or a name as ParseFraming takes it
	size   int    // of a length prefix
	little bool
	add    int64
}

// Framings is what ParseFraming takes, for people.
const Framings = "auto, chat, lines, http, websocket, none, or length:N[le][+K|-K] with N of 1, 2, 4 or 8"

// ParseFraming reads the name of a framing:
//
//	auto       by the first bytes of each stream
//	chat       the chat's own frames (internal/wire)
//	lines      each line, ended by LF or CR LF
//	http       HTTP/1 heads and bodies, and WebSocket after an upgrade
//	websocket  WebSocket (RFC 6455), from the start or after an upgrade
//	length:4   a length of 1, 2, 4 or 8 bytes, big-endian, and as many bytes
//	length:2le the same, little-endian
//	length:4-4 a length that counts its own 4 bytes, too; +K, if it leaves out K
//	none       nothing is cut
func ParseFraming(s string) (Framing, error) {
	bad := fmt.Errorf("framing %q: want %s", s, Framings)
	switch s {
	case "", "auto":
		return Framing{}, nil
	case "chat", "lines", "http", "websocket", "none":
		return Framing{how: s}, nil
	}
	rest, ok := strings.CutPrefix(s, "length:")
	if !ok || rest == "" {
		return Framing{}, bad
	}
	f := Framing{how: "length", size: int(rest[0] - '0')}
	if !strings.Contains("1248", rest[:1]) {
		return Framing{}, bad
	}
	rest, f.little = strings.CutPrefix(rest[1:], "le")
	if rest != "" {
		var err error
		f.add, err = strconv.ParseInt(rest, 10, 32)
		if err != nil || rest[0] != '+' && rest[0] != '-' {
			return Framing{}, bad
		}
	}
	return f, nil
}

// String returns the name that ParseFraming reads.
func (f Framing) String() string {
	if f.how == "" {
		return "auto"
	}
	if f.how != "length" {
		return f.how
	}
	s := "length:" + strconv.Itoa(f.size)
	if f.little {
		s += "le"
	}
	if f.add != 0 {
		s += fmt.Sprintf("%+d", f.add)
	}
	return s
}

func (f Framing) cutter() cutter {
	switch f.how {
	case "chat":
		return chatCutter{}
	case "lines":
		return linesCutter{}
	case "http":
		return &httpCutter{}
	case "websocket":
		return &httpCutter{socket: true}
	case "length":
		return lengthCutter{f}
	}
	return nil
}

// maxUndecided is how many bytes may pass before a stream is called one without
// framing: a line that is longer is rare.
const maxUndecided = 4096

// decide chooses how to cut, and reports whether that is done. With force it
// must be: no more bytes come, or some are missing.
func (s *Stream) decide(force bool) bool {
	how, why := s.Framing, "asked for"
	if how.how == "" {
		how, why = guess(s.buf, s.mid, force)
	}
	if how.how == "" {
		return false
	}
	s.because = why
	if s.cutter = how.cutter(); s.cutter == nil {
		s.none = true
		s.release()
		s.pieces, s.copies = nil, nil
		s.at = s.next
		return false
	}
	if s.mid && how.how == "chat" {
		s.lost, s.gapped, s.why = true, true, "the capture begins inside a frame"
	}
	return true
}

// guess chooses by the first bytes of a stream. The zero Framing wants more.
func guess(b []byte, mid, force bool) (Framing, string) {
	more := false
	switch chatHeader(b) {
	case yes:
		return Framing{how: "chat"}, "it begins with a frame of the chat"
	case maybe:
		more = true
	}
	switch looksHTTP(b) {
	case yes:
		return Framing{how: "http"}, "it begins like HTTP/1"
	case maybe:
		more = true
	}
	if mid {
		if n, found := (chatCutter{}).resync(b, true); found {
			return Framing{how: "chat"}, fmt.Sprintf("a frame of the chat begins after %d bytes", n)
		}
		more = more || len(b) < maxUndecided
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 && isText(b[:i+1]) {
		return Framing{how: "lines"}, "it begins with a line of text"
	}
	if isText(b) && len(b) < maxUndecided {
		more = true
	}
	if more && !force {
		return Framing{}, ""
	}
	return Framing{how: "none"}, "its first bytes are of no framing that is known"
}

// An answer may need more bytes.
type answer int

const (
	no answer = iota
	maybe
	yes
)

// chatHeader reports whether b begins with a frame of the chat, by all that its
// header must be. A random one passes once in 2^60 bytes.
func chatHeader(b []byte) answer {
	if len(b) >= 1 && b[0] != 0 || len(b) >= 2 && b[1] > 1 {
		return no
	}
	if len(b) < wire.LengthSize {
		return maybe
	}
	n := binary.BigEndian.Uint32(b)
	if n < wire.MinEnvelope || n > wire.MaxEnvelope {
		return no
	}
	e := b[wire.LengthSize:]
	names := wire.HeaderSize
	for i, c := range e[:min(len(e), 8)] {
		switch {
		case i == 0 && c != wire.Version,
			i == 1 && !wire.Kind(c).Valid(),
			i == 2 && c != 0,
			i == 3 && c > 0x7f,
			i > 3 && c > wire.MaxName:
			return no
		case i > 3:
			names += int(c)
		}
	}
	if names > int(n) {
		return no
	}
	if len(e) < 8 {
		return maybe
	}
	return yes
}

// chatCutter cuts the chat's frames.
type chatCutter struct{}

func (chatCutter) name() string { return "chat" }

func (chatCutter) size(b []byte, _ int) (uint64, error) {
	if len(b) < wire.LengthSize {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n < wire.MinEnvelope || n > wire.MaxEnvelope {
		return 0, fmt.Errorf("frame length %d, want %d to %d", n, wire.MinEnvelope, wire.MaxEnvelope)
	}
	return uint64(wire.LengthSize + n), nil
}

func (chatCutter) describe(f *Frame) {
	f.Kind = "frame"
	if len(f.Bytes) < wire.LengthSize {
		f.Summary = fmt.Sprintf("%d bytes of a length", len(f.Bytes))
		return
	}
	f.Kind, f.Summary, f.Err = chat(f.Bytes[wire.LengthSize:])
}

// resync looks for a header. What follows must look like one, too, if it is
// there: a length that is written in a text is none.
func (chatCutter) resync(b []byte, _ bool) (int, bool) {
	for i := range b {
		if b[i] != 0 {
			continue
		}
		switch chatHeader(b[i:]) {
		case yes:
			end := i + wire.LengthSize + int(binary.BigEndian.Uint32(b[i:]))
			if end < len(b) && chatHeader(b[end:]) == no {
				continue
			}
			return i, true
		case maybe:
			return i, false
		}
	}
	return len(b), false
}

// lengthCutter cuts by a length before each frame.
type lengthCutter struct{ f Framing }

func (lengthCutter) name() string { return "length" }

func (c lengthCutter) size(b []byte, _ int) (uint64, error) {
	if len(b) < c.f.size {
		return 0, nil
	}
	var n uint64
	for i := range c.f.size {
		if c.f.little {
			n |= uint64(b[i]) << (8 * i)
		} else {
			n = n<<8 | uint64(b[i])
		}
	}
	if n > math.MaxInt32*1024 {
		return 0, fmt.Errorf("length %d is absurd", n)
	}
	total := int64(n) + int64(c.f.size) + c.f.add
	if total < int64(c.f.size) {
		return 0, fmt.Errorf("length %d, want at least %d: it counts itself", n, -c.f.add)
	}
	return uint64(total), nil
}

func (c lengthCutter) describe(f *Frame) {
	f.Kind = "frame"
	if len(f.Bytes) < c.f.size {
		f.Summary = fmt.Sprintf("%d bytes of a length", len(f.Bytes))
		return
	}
	f.Summary = fmt.Sprintf("%d bytes", f.End-f.Start-uint64(c.f.size))
	if len(f.Bytes) > c.f.size {
		f.Summary += ": " + excerpt(f.Bytes[c.f.size:])
	}
}

func (c lengthCutter) resync(b []byte, gap bool) (int, bool) {
	if gap { // as good a guess as any, and it is said
		return 0, true
	}
	return len(b), false
}

// linesCutter cuts at each LF.
type linesCutter struct{}

func (linesCutter) name() string { return "lines" }

func (linesCutter) size(b []byte, seen int) (uint64, error) {
	if i := bytes.IndexByte(b[seen:], '\n'); i >= 0 {
		return uint64(seen + i + 1), nil
	}
	if len(b) > maxHead {
		return 0, errors.New("a line of more than 65536 bytes")
	}
	return 0, nil
}

func (linesCutter) describe(f *Frame) {
	f.Kind = "line"
	b, ended := bytes.CutSuffix(f.Bytes, []byte("\n"))
	if ended {
		b, _ = bytes.CutSuffix(b, []byte("\r"))
	}
	f.Summary = quote(b)
}

func (linesCutter) resync(b []byte, _ bool) (int, bool) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1, true
	}
	return len(b), false
}

// isText reports whether b, which may end inside a character, is text.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			return !utf8.FullRune(b)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return false
		}
		b = b[n:]
	}
	return true
}
