package framing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"wirelab/internal/cells"
	"wirelab/internal/wire"
)

// maxExcerpt is how many bytes of what was said a summary shows.
const maxExcerpt = 160

// clean makes text safe for a terminal and a picture.
func clean(s string) string { return cells.Visible(strings.TrimPrefix(s, "wire: ")) }

// short cuts b between characters.
func short(b []byte) ([]byte, string) {
	if len(b) <= maxExcerpt {
		return b, ""
	}
	n := maxExcerpt
	for n > maxExcerpt-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n], "…"
}

func quote(b []byte) string {
	b, more := short(b)
	return `"` + clean(string(b)) + more + `"`
}

func plain(b []byte) string {
	b, more := short(b)
	return clean(string(b)) + more
}

// excerpt shows text as text and other bytes in hex.
func excerpt(b []byte) string {
	if isText(b[:min(len(b), maxExcerpt)]) {
		return quote(b)
	}
	more := ""
	if len(b) > 16 {
		b, more = b[:16], " …"
	}
	return fmt.Sprintf("% x%s", b, more)
}

// Envelope returns the kind of the chat's envelope b and a line about it that is
// safe for a terminal, such as
//
//	event lobby ana: "hello"
//
// What does not decode has an error, also safe, and what could be read of it.
func Envelope(b []byte) (kind, summary, problem string) { return chat(b) }

func chat(b []byte) (kind, summary, problem string) {
	e, err := wire.Decode(b)
	if err != nil {
		kind, summary = "frame", fmt.Sprintf("%d bytes that are no envelope", len(b))
		if len(b) > 1 && b[0] == wire.Version && wire.Kind(b[1]).Valid() {
			kind = wire.Kind(b[1]).String()
			summary = kind + ", cut short"
		}
		return kind, summary, clean(err.Error())
	}
	kind = e.Kind.String()
	s := []string{kind}
	add := func(name []byte) {
		if len(name) > 0 {
			s = append(s, clean(string(name)))
		}
	}
	if e.Flags&wire.FlagFailed != 0 {
		s = append(s, "failed")
	}
	if len(e.Namespace) > 0 {
		s = append(s, clean(string(e.Namespace))+"/"+clean(string(e.Room)))
	} else {
		add(e.Room)
	}
	add(e.Sender)
	if string(e.Event) != "msg" {
		add(e.Event)
	}
	switch e.Kind {
	case wire.KindCursor, wire.KindConsumed:
		s = append(s, "seq "+strconv.FormatUint(e.Seq, 10))
	case wire.KindPing, wire.KindPong:
		s = append(s, strconv.FormatUint(e.ID, 10))
	case wire.KindAck:
		if e.Seq > 0 {
			s = append(s, "seq "+strconv.FormatUint(e.Seq, 10))
		}
	}
	summary = strings.Join(s, " ")
	if what := arguments(&e); what != "" {
		summary += ": " + what
	}
	if (e.Kind == wire.KindEvent || e.Kind == wire.KindAck) && e.Flags&wire.FlagBinary == 0 {
		if err := wire.CheckArgs(e.Args); err != nil {
			problem = clean(err.Error())
		}
	}
	return kind, summary, problem
}

// arguments shows an envelope's: one string as it is, a name of what a body is
// about, else the JSON.
func arguments(e *wire.Envelope) string {
	if len(e.Args) == 0 {
		return ""
	}
	if e.Flags&wire.FlagBinary != 0 {
		return fmt.Sprintf("%d bytes", len(e.Args))
	}
	switch e.Kind {
	case wire.KindEvent, wire.KindBye:
		var text []string
		if json.Unmarshal(e.Args, &text) == nil && len(text) == 1 && utf8.Valid(e.Args) {
			return quote([]byte(text[0]))
		}
	case wire.KindConnect, wire.KindConnected:
		var body struct{ Name, Session string }
		if json.Unmarshal(e.Args, &body) == nil && body.Name != "" {
			return quote([]byte(body.Name))
		}
	case wire.KindError:
		var body wire.Fault
		if json.Unmarshal(e.Args, &body) == nil && body.Code != "" {
			return plain([]byte(body.Code)) + " " + quote([]byte(body.Message))
		}
	case wire.KindChallenge:
		return "" // a random number
	}
	return plain(bytes.TrimSpace(e.Args))
}

// part says what a fragment of an envelope is.
func part(h *wire.Header, n int) string {
	return fmt.Sprintf("part %d of %d of envelope %d: %d bytes", h.Fragment.Index+1, h.Fragment.Count, h.Fragment.Of, n)
}

// datagram returns what a datagram of the chat is for, and its envelope or the
// part of it, which begins overhead bytes into it.
func datagram(h *wire.Header, payload []byte) (envelope []byte, overhead int) {
	switch h.Type {
	case wire.TypeOpen:
		overhead = wire.NonceSize + wire.CookieSize
	case wire.TypeAccept:
		overhead = wire.NonceSize
	case wire.TypeData:
	default:
		return nil, 0
	}
	if len(payload) < overhead {
		return nil, 0
	}
	return payload[overhead:], overhead
}

// acknowledged says what a datagram of type ack says.
func acknowledged(h *wire.Header) string {
	s := "ack " + strconv.FormatUint(h.Ack, 10)
	var more []string
	for i := range wire.AckWindow {
		if h.AckBits>>i&1 != 0 && len(more) < 4 {
			more = append(more, strconv.FormatUint(h.Ack+2+uint64(i), 10))
		}
	}
	if len(more) > 0 {
		s += " and " + strings.Join(more, ", ")
	}
	if h.Reliable != 0 {
		s += fmt.Sprintf(", reject %d", h.Reliable)
	}
	return s
}
