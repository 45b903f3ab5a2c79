package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets/tcp"
)

// A List writes entries as lines of at most Width cells. Its columns grow with
// what they have to hold, up to a share of the line.
type List struct {
	Width   int // cells; if zero, 80
	Palette *style.Palette

	ink                                       int // 1 is plain, 2 is coloured; 0 is not known yet
	number, time, at, src, dst, proto, length int // widths so far
}

// render is st.Render for text that may have no colours: a style without any
// costs more than all else in the line.
func (l *List) render(st lipgloss.Style, s string) string {
	if l.ink == 0 {
		l.ink = 1
		if l.Palette.Field(0).Render("x") != "x" {
			l.ink = 2
		}
	}
	if l.ink == 1 {
		return s
	}
	return st.Render(s)
}

// bad are the flags that say that something was lost or is stuck.
const bad = tcp.LostSegment | tcp.Retransmission | tcp.FastRetransmission | tcp.SpuriousRetransmission |
	tcp.OutOfOrder | tcp.AckLostSegment | tcp.ZeroWindow | tcp.WindowFull

// Line returns the line of e, without its end: number, seconds, interface,
// source, destination, protocol, length, info. First in the info comes what the
// capture remarks in ( ), then the analysis flags in ‹ ›.
func (l *List) Line(e *Entry) string {
	width := l.Width
	if width <= 0 {
		width = 80
	}
	most := 15
	switch {
	case width >= 140:
		most = 39
	case width >= 110:
		most = 25
	}
	grow := func(w *int, s string, least, most int) string {
		s = cells.Cut(cells.Visible(s), most)
		*w = max(*w, least, cells.Width(s))
		return s
	}
	since := grow(&l.time, Seconds(e.Since, width), 8, 24)
	number := grow(&l.number, itoa(e.Number), 4, 12)
	at := ""
	if e.Interface != "" {
		at = grow(&l.at, e.Interface, 6, max(6, width/12))
	}
	src := grow(&l.src, shorter(e.Source, most), 0, most)
	dst := grow(&l.dst, shorter(e.Destination, most), 0, most)
	proto := grow(&l.proto, e.Protocol, 4, 8)
	length := grow(&l.length, itoa(e.Length), 4, 9)

	var ink strings.Builder
	used := 0
	put := func(s string, w int, left bool, st *lipgloss.Style) {
		if w == 0 {
			return
		}
		pad := strings.Repeat(" ", max(0, w-cells.Width(s)))
		used += w + 1
		if st != nil {
			s = l.render(*st, s)
		}
		if left {
			ink.WriteString(pad + s + " ")
		} else {
			ink.WriteString(s + pad + " ")
		}
	}
	dim := &l.Palette.Dim
	put(number, l.number, true, dim)
	put(since, l.time, true, nil)
	put(at, l.at, false, dim)
	put(src, l.src, true, nil)
	put("→", 1, false, dim)
	put(dst, l.dst, false, nil)
	put(proto, l.proto, false, l.protocolStyle(e))
	put(length, l.length, true, nil)
	room := max(width-used, 8)
	ink.WriteString(l.info(e, room))
	return strings.TrimRight(ink.String(), " ")
}

// shorter cuts an address to most cells: its end tells more than its beginning.
// Of a link's address that does not fit the last three bytes are left, so that
// it takes no more room than an IPv4 address.
func shorter(address string, most int) string {
	if len(address) > most && strings.Count(address, ":") == 5 && len(address) == 17 {
		return "…" + address[9:]
	}
	return cells.CutLeft(address, most)
}

// info is the last column, in at most room cells.
func (l *List) info(e *Entry, room int) string {
	var out strings.Builder
	add := func(s string, st lipgloss.Style, brackets string) {
		s = cells.Visible(s)
		if room <= 1 || s == "" {
			return
		}
		open, end, _ := strings.Cut(brackets, " ")
		s = cells.Cut(open+s+end, room)
		room -= cells.Width(s) + 1
		out.WriteString(l.render(st, s))
		if room > 0 {
			out.WriteString(" ")
		}
	}
	if e.Drops > 0 {
		add(fmt.Sprintf("%d not captured before", e.Drops), l.Palette.Grade(2), "( )")
	}
	add(e.Comment, l.Palette.Grade(3), "( )")
	if s := e.Segment; s != nil {
		for _, name := range s.Flags.Names() {
			st := l.Palette.Grade(1)
			if f, _ := tcp.ParseFlag(name); f&bad != 0 {
				st = l.Palette.Grade(2)
			}
			if name == "duplicate_ack" && s.Number > 0 {
				name = fmt.Sprintf("%s #%d", name, s.Result.Number)
			}
			add(name, st, "‹ ›")
		}
	}
	add(e.Info, l.Palette.Event, "")
	return strings.TrimRight(out.String(), " ")
}

// protocolStyle colours the chat, what carries it and what is neither.
func (l *List) protocolStyle(e *Entry) *lipgloss.Style {
	var st lipgloss.Style
	switch e.Protocol {
	case "chat", "WS", "HTTP", "DNS":
		st = l.Palette.Field(2)
	case "TCP":
		st = l.Palette.Field(0)
	case "UDP":
		st = l.Palette.Field(6)
	default:
		st = l.Palette.Field(1)
	}
	return &st
}

// Seconds writes a time after the first packet: to the microsecond, in a wide
// line to the nanosecond if it has some.
func Seconds(d time.Duration, width int) string {
	sign := ""
	if d < 0 {
		sign, d = "−", -d
	}
	if width >= 140 {
		return fmt.Sprintf("%s%d.%09d", sign, d/time.Second, d%time.Second)
	}
	return fmt.Sprintf("%s%d.%06d", sign, d/time.Second, d%time.Second/time.Microsecond)
}
