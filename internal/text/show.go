package text

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"wirelab/internal/chat"
	"wirelab/internal/style"
	"wirelab/internal/wire"
)

// maxShown caps what is shown of one message, in bytes.
const maxShown = 4096

// Every line that a member's text can be in starts with the room in brackets,
// and every line of the program with an asterisk: what is typed cannot pass
// for the program, for each message is one line, made visible.

// next appends what is to be shown now to dst: the program's own lines, then
// the frames that the hub has for the member, about max bytes of them.
func (m *member) next(dst []byte, frames [][]byte, max int) ([]byte, [][]byte, bool) {
	before := len(dst)
	m.mu.Lock()
	dst = append(dst, m.out...)
	m.out = m.out[:0]
	m.mu.Unlock()
	frames, some := m.conn.Next(frames[:0], max)
	for _, b := range frames {
		for len(b) > 0 {
			envelope, rest, err := wire.SplitFrame(b)
			if err != nil || envelope == nil {
				break
			}
			b = rest
			if e, err := wire.Decode(envelope); err == nil {
				dst = m.frame(dst, &e)
			}
		}
	}
	clear(frames)
	return dst, frames[:0], some || len(dst) > before
}

// frame appends the lines for one envelope of the hub.
func (m *member) frame(dst []byte, e *wire.Envelope) []byte {
	switch e.Kind {
	case wire.KindEvent:
		return m.event(dst, e)
	case wire.KindAck:
		return m.answer(dst, e)
	case wire.KindConnected:
		var c wire.Connected
		if wire.DecodeBody(e.Args, &c) == nil {
			m.mu.Lock()
			m.name = c.Name
			m.mu.Unlock()
			dst = fmt.Appendf(dst, "* you are %s, in %s\n", visible(c.Name), label(m.hub.Lobby()))
		}
	case wire.KindError:
		var f wire.Fault
		if wire.DecodeBody(e.Args, &f) == nil {
			if f.Code == "removed" && len(e.Room) > 0 {
				m.left(string(e.Room))
			}
			dst = fault(dst, "", &f)
		}
	case wire.KindCursor:
		var p wire.Position
		if wire.DecodeBody(e.Args, &p) == nil && p.Lost > 0 {
			dst = fmt.Appendf(dst, "* lost in %s: %d messages (%s)\n", label(string(e.Room)), p.Lost, visible(p.Reason))
		}
	case wire.KindPing:
		// The line cannot answer; that it still takes bytes must do. No id:
		// the time to answer says nothing about the network.
		m.receive(&wire.Envelope{Kind: wire.KindPong})
	case wire.KindBye:
		var reason []string
		if json.Unmarshal(e.Args, &reason) == nil && len(reason) > 0 {
			dst = fmt.Appendf(dst, "* goodbye: %s\n", visible(reason[0]))
		}
	}
	return dst
}

// event appends the line for an event.
func (m *member) event(dst []byte, e *wire.Envelope) []byte {
	sender := string(e.Sender)
	m.mu.Lock()
	own := sender != "" && sender == m.name
	m.mu.Unlock()
	if own {
		return dst // the terminal has shown it already
	}
	if sender == "" {
		return notice(dst, e)
	}
	room := label(string(e.Room))
	if e.Flags&wire.FlagDirect != 0 {
		room = "@" // no room can be called so
	}
	text, ok := plainText(e)
	if !ok {
		return fmt.Appendf(dst, "[%s] %s emits %s\n", room, visible(sender), text)
	}
	return fmt.Appendf(dst, "[%s] %s: %s\n", room, visible(sender), text)
}

// plainText returns the text of a chat line or, with false, an event's name
// and arguments.
func plainText(e *wire.Envelope) (string, bool) {
	if e.Flags&wire.FlagBinary != 0 {
		b := e.Args[:min(len(e.Args), 64)]
		return fmt.Sprintf("%s, %d raw bytes: %s", label(string(e.Event)), len(e.Args), hex.EncodeToString(b)), false
	}
	var args []string
	if string(e.Event) == textEvent && json.Unmarshal(e.Args, &args) == nil && len(args) == 1 {
		return visible(args[0]), true
	}
	return label(string(e.Event)) + " " + visible(string(e.Args)), false
}

// notice appends what the server says about who comes and goes. Such events
// are volatile and have no sender, so that no member can make one.
func notice(dst []byte, e *wire.Envelope) []byte {
	var a []string
	if json.Unmarshal(e.Args, &a) != nil || len(a) == 0 {
		return fmt.Appendf(dst, "* event %s in %s: %s\n", label(string(e.Event)), label(string(e.Room)), visible(string(e.Args)))
	}
	for i := range a {
		a[i] = visible(a[i])
	}
	a = append(a, "", "")
	room := label(string(e.Room))
	switch string(e.Event) {
	case "member_joined":
		return fmt.Appendf(dst, "* %s joined %s%s\n", a[0], room, over(a[1], a[2]))
	case "member_back":
		return fmt.Appendf(dst, "* %s is back in %s%s\n", a[0], room, over(a[1], a[2]))
	case "member_left":
		return fmt.Appendf(dst, "* %s left %s\n", a[0], room)
	case "member_away":
		return fmt.Appendf(dst, "* %s is away from %s\n", a[0], room)
	case "member_renamed":
		return fmt.Appendf(dst, "* %s is now %s\n", a[0], a[1])
	}
	return fmt.Appendf(dst, "* event %s in %s: %s\n", label(string(e.Event)), room, visible(string(e.Args)))
}

func over(transport, mode string) string {
	if transport == "" {
		return ""
	}
	return strings.TrimRight(" over "+transport+" "+mode, " ")
}

// answer appends what became of a command.
func (m *member) answer(dst []byte, e *wire.Envelope) []byte {
	m.mu.Lock()
	c, ok := m.asked[e.ID]
	delete(m.asked, e.ID)
	m.mu.Unlock()
	if !ok {
		return dst
	}
	var args []json.RawMessage
	if json.Unmarshal(e.Args, &args) != nil || len(args) == 0 {
		args = []json.RawMessage{[]byte("null")}
	}
	if e.Flags&wire.FlagFailed != 0 {
		var f wire.Fault
		if json.Unmarshal(args[0], &f) != nil {
			f.Message = "refused"
		}
		return fault(dst, c.word+": ", &f)
	}
	switch c.word {
	case "/name", "/nick":
		name := c.arg
		json.Unmarshal(args[0], &name)
		m.mu.Lock()
		m.name = name
		m.mu.Unlock()
		return fmt.Appendf(dst, "* you are %s now\n", visible(name))
	case "/join":
		m.mu.Lock()
		m.room = c.arg
		if !slices.Contains(m.rooms, c.arg) {
			m.rooms = append(m.rooms, c.arg)
		}
		m.mu.Unlock()
		return fmt.Appendf(dst, "* you are in %s, and write to it\n", label(c.arg))
	case "/leave":
		room := m.left(c.arg)
		dst = fmt.Appendf(dst, "* you left %s", label(c.arg))
		if room == "" {
			return append(dst, "; /join ROOM to enter another\n"...)
		}
		return fmt.Appendf(dst, ", and write to %s\n", label(room))
	case "/who":
		var people []chat.Person
		json.Unmarshal(args[0], &people)
		names := make([]string, 0, len(people))
		for _, p := range people {
			how := strings.TrimSpace(p.Transport + " " + p.Mode)
			if p.Away {
				how = "away"
			}
			names = append(names, fmt.Sprintf("%s (%s)", visible(p.Name), visible(how)))
		}
		return fmt.Appendf(dst, "* in %s: %s\n", label(c.arg), strings.Join(names, ", "))
	case "/rooms":
		var rooms []chat.RoomInfo
		json.Unmarshal(args[0], &rooms)
		names := make([]string, 0, len(rooms))
		for _, r := range rooms {
			names = append(names, fmt.Sprintf("%s (%d)", label(r.Room), r.Members+r.Away))
		}
		return fmt.Appendf(dst, "* rooms: %s\n", strings.Join(names, ", "))
	case "/msg":
		return fmt.Appendf(dst, "* sent to %s\n", visible(c.arg))
	}
	return dst
}

// left takes a room out of the member's and returns where text goes now.
func (m *member) left(room string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rooms = slices.DeleteFunc(m.rooms, func(r string) bool { return r == room })
	if m.room == room {
		m.room = ""
		if len(m.rooms) > 0 {
			m.room = m.rooms[len(m.rooms)-1]
		}
	}
	return m.room
}

func fault(dst []byte, what string, f *wire.Fault) []byte {
	dst = fmt.Appendf(dst, "* %s%s\n", what, visible(f.Message))
	if f.Hint != "" {
		dst = fmt.Appendf(dst, "* hint: %s\n", visible(f.Hint))
	}
	return dst
}

// visible makes text from the network safe, and not longer than maxShown.
func visible(s string) string {
	rest := 0
	if len(s) > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s, rest = s[:cut], len(s)-cut
	}
	s = style.Visible(s)
	if rest > 0 {
		s += fmt.Sprintf("… (%d bytes more)", rest)
	}
	return s
}

var plainWord = regexp.MustCompile(`^[\pL\pN_.#@-]+$`)

// label spells a room's or event's name, quoted if it could be mistaken for
// something else.
func label(name string) string {
	if plainWord.MatchString(name) {
		return style.Visible(name)
	}
	return style.Visible(fmt.Sprintf("%q", name))
}
