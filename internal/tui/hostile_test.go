package tui

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"wirelab/internal/cells"
	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
	"wirelab/internal/style"
)

// colours returns a palette that writes all colours.
func colours() *style.Palette {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.TrueColor)
	r.SetHasDarkBackground(true)
	return style.PaletteOf(r)
}

// sgr is a control sequence that sets colours: all that a frame may hold.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// checkHarmless reports anything in a frame that does more than show text in
// colours, and lines that are not exactly as wide as the screen on terminals
// of either opinion about the width of emoji.
func checkHarmless(t *testing.T, frame string, width, height int) {
	t.Helper()
	checkFrame(t, sgr.ReplaceAllString(frame, ""), width, height)
	for i, l := range strings.Split(frame, "\n") {
		if a, b := ansi.StringWidth(l), ansi.StringWidthWc(l); a > width || b > width {
			t.Errorf("line %d is %d or %d wide on some terminals, want at most %d", i+1, a, b, width)
		}
		// The line ends as it began: without a colour.
		if ends := strings.LastIndex(l, "\x1b["); ends >= 0 && !strings.HasPrefix(l[ends:], "\x1b[0m") && !strings.HasPrefix(l[ends:], "\x1b[m") {
			t.Errorf("line %d leaves its colour on: %q", i+1, l)
		}
	}
}

// stillChat is a chat whose commands are not run.
func stillChat(t testing.TB, c *repltest.Client, width, height int) *chatModel {
	if c == nil {
		c = &repltest.Client{User: "ana"}
	}
	now := time.Unix(1, 0)
	m := newChatModel(t.Context(), repl.NewSession(c, false), c.Stats, repl.Place{Room: "lobby"}, "wirelab", colours(), now)
	m.width, m.height, m.xray = width, height, true
	m.arrange()
	return m
}

func FuzzNoEventMovesTheCursor(f *testing.F) {
	for _, s := range []string{
		"hello", "\x1b[2J\x1b[H", "a\r\nb\tc", "\u202eevil\u2066", "\u0085\u009b2J", "\xff\xfe", "👨‍👩‍👧‍👦👍🏽❤️1️⃣🇪🇺", "e\u0301\u0301\u0301\u0301\u0301\u0301", "你好你好你好你好你好你好",
		strings.Repeat("x", 300), strings.Repeat("a ", 200), "\u200b\u00ad\ufeff\U000e0041", "한국어ᄀᆨᇂ", "\u0e49\u0e49\u0e49", "…", "──── 5 messages lost", "",
	} {
		f.Add(s, s, s, []byte(`["`+s+`"]`), uint8(80), uint8(0))
		f.Add("bo", "msg", s, []byte(s), uint8(30), uint8(0xff))
	}
	f.Fuzz(func(t *testing.T, sender, event, room string, args []byte, size, flags uint8) {
		width, height := leastWidth+int(size), leastHeight+int(size)%40
		m := stillChat(t, &repltest.Client{}, width, height)
		e := client.Event{
			Room: room, Sender: sender, Event: event, Args: args, Time: time.Unix(2, 0), Seq: uint64(flags), ID: 9,
			Binary: flags&1 != 0, Direct: flags&2 != 0, Volatile: flags&4 != 0, Redelivered: flags&8 != 0,
		}
		inView := e
		inView.Room = "lobby"
		no := &client.Refusal{Code: event, Message: sender, Hint: room}
		m.Update(batch{items: []any{
			client.Status{Kind: client.StatusConnected, Name: sender, Server: event, Link: client.LinkStats{Transport: room, Mode: event}},
			client.Event{Room: "lobby", Event: "member_joined", Volatile: true, Args: args},
			client.Traffic{Bytes: args, Note: event}, client.Traffic{Bytes: args, Datagram: true},
			client.Traffic{Bytes: eventFrame(1, 9, sender[:min(len(sender), 64)], event)},
			e, inView,
			client.Status{Kind: client.StatusLost, Room: room, Lost: uint64(size), Reason: event},
			client.Status{Kind: client.StatusNotice, Err: no},
			client.Status{Kind: client.StatusLeft, Room: room, Err: no},
		}})
		m.Update(peopleMsg{place: m.at.place, people: []chat.Person{{Name: sender, Transport: event, Mode: room}, {Name: event, Away: true}}})
		m.Update(statsMsg{now: time.Unix(3, 0), stats: client.Stats{Link: client.LinkStats{Transport: sender, Mode: event}}})
		m.Update(doneMsg{step: repl.Step{Items: []repl.Item{
			{Kind: repl.Listing, Table: &repl.Table{Title: sender, Columns: []string{"a", "b"}, Rows: [][]string{{event, room}, {string(args), sender}}}},
			{Kind: repl.Failure, Text: string(args), Hint: event}, {Kind: repl.Info, Text: room},
		}}})
		checkHarmless(t, m.View(), width, height)
		m.title = sender
		m.input.set(event + string(args))
		m.at.pane.top()
		m.records.top()
		m.focus = onMessages
		m.chooseMessage(-1)
		checkHarmless(t, m.View(), width, height)

		v := newServeModel(ServeConfig{Title: sender, Addresses: []string{event}, Notes: []string{room}}, colours())
		v.width, v.height = width, height
		v.add(chat.Snapshot{
			Rooms: []chat.RoomView{{Namespace: sender, Room: room, Head: uint64(size)}},
			Members: []chat.MemberView{{Name: sender, Transport: event, Mode: room, Cursors: []chat.CursorView{
				{Room: room, Waiting: uint64(size)}, {Room: event, Waiting: 1}, {Room: sender},
			}}},
			Faults: map[string]uint64{event: 3},
		})
		v.arrange()
		checkHarmless(t, v.View(), width, height)
	})
}

// A text cannot pass for a line of its own: what it is continued by is indented.
func TestNoTextBeginsALine(t *testing.T) {
	m := stillChat(t, &repltest.Client{}, 80, 24)
	m.xray = false
	m.Update(batch{items: []any{said("lobby", "eve", "x\n00:00 ✓ ana  I quit\r\n── 5 messages lost ──\n"+strings.Repeat("y", 100), 1)}})
	for _, l := range strings.Split(sgr.ReplaceAllString(m.View(), ""), "\n")[1:] {
		for _, fake := range []string{"I quit", "messages lost", "yyyy"} {
			if i := strings.Index(l, fake); i >= 0 && !strings.HasPrefix(l, strings.Repeat(" ", 15)) {
				t.Errorf("a text begins the line %q", l)
			}
		}
	}
}

// A text of any size takes a bounded part of the scrollback.
func TestLongTextsAreCut(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 60_000), strings.Repeat("\n", 60_000), strings.Repeat("你", 20_000), strings.Repeat("\xe4", 60_000)} {
		lines := paragraphs(text, 40)
		if last := lines[len(lines)-1]; len(lines) > maxLines+1 || !strings.HasPrefix(last, "… and ") {
			t.Errorf("%d bytes of %q… are drawn in %d lines, the last %q", len(text), text[:3], len(lines), last)
		}
		for _, l := range lines {
			if cells.Width(l) > 40 {
				t.Errorf("%q is wider than 40", l)
			}
		}
	}
}
