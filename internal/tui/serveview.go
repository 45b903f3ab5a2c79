package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/chat"
	"wirelab/internal/repl"
)

var serveHelp = []string{
	"q quit · r rooms · m members · arrows, pgup, pgdn, home, end move",
	"a chosen room shows its members only · esc all again · s sort the members",
	"lag: what a member has not acknowledged of a room. █ waits to be sent,",
	"▒ is sent, ░ waits for somebody who is away. The bars are logarithmic.",
}

// View draws the title, the figures, the rooms and the members.
func (m *serveModel) View() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cells.Cut("a larger window, please", max(m.width, 1))
	}
	l := m.layout()
	lines := []string{m.title()}
	if m.help {
		for _, line := range serveHelp {
			lines = append(lines, " "+m.palette.Accent.Render(cells.Cut(line, m.width-2)))
		}
	}
	if l.left > 0 {
		a := append(m.figuresTall(l.left), m.rooms(l.left, l.rooms)...)
		b := m.members(m.width - l.left - 1)
		bar := m.palette.Dim.Render("│")
		for i := range l.members {
			if line := at(b, i); i == 0 {
				lines = append(lines, pad(at(a, i), l.left)+m.palette.Dim.Render("┌")+line)
			} else {
				lines = append(lines, pad(at(a, i), l.left)+bar+line)
			}
		}
	} else {
		lines = append(lines, m.figuresFlat()...)
		lines = append(lines, m.rooms(m.width, l.rooms)...)
		lines = append(lines, m.members(m.width)...)
	}
	height := m.height - 1 // the last line: keys
	lines = append(fill(lines, height), m.keys())
	for i, l := range lines {
		lines[i] = pad(l, m.width)
	}
	return strings.Join(lines, "\n")
}

// A serveLayout is where things are: heights in lines, with their headings.
type serveLayout struct {
	left    int // width of figures and rooms, if they stand beside the members
	rooms   int
	members int
}

func (m *serveModel) layout() serveLayout {
	height := m.height - 2 // title and keys
	if m.help {
		height -= len(serveHelp)
	}
	if m.width >= wide {
		return serveLayout{left: 62, rooms: max(height-len(figures)-tallExtra, 0), members: max(height, 0)}
	}
	l := serveLayout{rooms: max(height/3, 4)}
	if n := len(m.now.Rooms) + 2; n < l.rooms {
		l.rooms = n
	}
	l.members = max(height-flatLines-l.rooms, 0)
	return l
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func (m *serveModel) title() string {
	p := m.palette
	up := m.now.Uptime.Round(time.Second).String()
	title := cells.Visible(m.cfg.Title)
	taken := cells.Width("──  ─ up  ──" + title + up)
	for _, a := range slices.Concat(m.cfg.Addresses, m.cfg.Notes) {
		taken += cells.Width(" · " + cells.Visible(a))
	}
	if taken > m.width {
		title, _, _ = strings.Cut(title, " ") // the version goes before an address does
	}
	left := []string{p.Accent.Render(title)}
	for _, a := range m.cfg.Addresses {
		left = append(left, p.Name.Render(cells.Visible(a)))
	}
	var right []string
	for _, n := range m.cfg.Notes {
		right = append(right, p.Dim.Render(cells.Visible(n)))
	}
	return rule(m.width, left, append(right, p.Dim.Render("up "+up)), p.Dim.Render)
}

func (m *serveModel) keys() string {
	p := m.palette
	sorted := "sorted by " + orderNames[m.sorting]
	more := ""
	if len(m.shown) > m.rows && m.rows > 0 {
		more = fmt.Sprintf("%d–%d of %d", m.scroll+1, min(m.scroll+m.rows, len(m.shown)), len(m.shown))
	}
	texts := []string{p.Dim.Render("? help"), p.Dim.Render("q quit"), p.Dim.Render(sorted)}
	if more != "" {
		texts = append(texts, p.Dim.Render(more))
	}
	var joints []int
	if left := m.layout().left; left > 0 {
		joints = []int{left}
	}
	return rule(m.width, texts, nil, p.Dim.Render, joints...)
}

// A figure is a total and its growth.
type figure struct {
	name  string
	total func(*chat.Totals) uint64
	bytes bool
	bad   bool // anything but zero is worth a look
}

var figures = []figure{
	{"published", func(t *chat.Totals) uint64 { return t.Published }, false, false},
	{"delivered", func(t *chat.Totals) uint64 { return t.Delivered + t.Volatile }, false, false},
	{"in", func(t *chat.Totals) uint64 { return t.BytesIn }, true, false},
	{"out", func(t *chat.Totals) uint64 { return t.BytesOut }, true, false},
	{"lost", func(t *chat.Totals) uint64 { return t.Lost }, false, true},
	{"dropped", func(t *chat.Totals) uint64 { return t.Dropped }, false, true},
	{"sent again", func(t *chat.Totals) uint64 { return t.Retransmit }, false, false},
	{"duplicates", func(t *chat.Totals) uint64 { return t.Duplicates }, false, false},
	{"refused", func(t *chat.Totals) uint64 { return t.Refused }, false, true},
}

const (
	flowing   = 4 // the first so many figures are told per second on a narrow screen
	flatLines = 3 // of figuresFlat
	tallExtra = 4 // lines of figuresTall besides the figures
)

func (f *figure) write(n float64) string {
	if f.bytes {
		return size(n)
	}
	return short(n)
}

// faults counts what peers did wrong, and names what they did most.
func (m *serveModel) faults() (n uint64, most string) {
	for code, c := range m.now.Faults {
		n += c
		if best := m.now.Faults[most]; c > best || c == best && code < most {
			most = code
		}
	}
	return n, most
}

// figuresFlat draws the figures in three lines.
func (m *serveModel) figuresFlat() []string {
	p := m.palette
	var first, second strings.Builder
	for i, f := range figures {
		if i < flowing {
			first.WriteString(" " + p.Dim.Render(f.name) + " " + p.Name.Render(f.write(m.rate(f.total))+"/s") + " ")
			continue
		}
		n := f.total(&m.now.Totals)
		value := p.Name.Render(short(float64(n)))
		if f.bad && n > 0 {
			value = p.Error.Render(short(float64(n)))
		}
		second.WriteString(" " + p.Dim.Render(f.name) + " " + value + " ")
	}
	first.WriteString(" " + p.Dim.Render("kept") + " " + p.Name.Render(size(float64(m.now.Totals.Held))))
	faults, _ := m.faults()
	second.WriteString(" " + p.Dim.Render("faults") + " " + p.Name.Render(short(float64(faults))))
	return []string{cut(first.String(), m.width), cut(second.String(), m.width), cut(m.spark(min(m.width-34, sparkTime)), m.width)}
}

// figuresTall draws them one below the other, and what the server holds.
func (m *serveModel) figuresTall(width int) []string {
	p := m.palette
	row := func(name, rate, total string) string {
		return " " + p.Dim.Render(cells.Pad(name, 14)) + p.Name.Render(cells.PadLeft(rate, 12)) + cells.PadLeft(total, 14)
	}
	lines := []string{p.Dim.Render(" " + cells.Pad("", 14) + cells.PadLeft("per second", 12) + cells.PadLeft("in all", 14))}
	for _, f := range figures {
		lines = append(lines, row(f.name, f.write(m.rate(f.total)), f.write(float64(f.total(&m.now.Totals)))))
	}
	t := &m.now.Totals
	n, most := m.faults()
	faults := short(float64(n))
	if n > 0 {
		faults += ", most " + cells.Visible(most)
	}
	kept := fmt.Sprintf("%s in %s, %s", count(int(t.Stored), "event"), size(float64(t.Held)), count(int(t.Commits), "commit"))
	lines = append(lines,
		" "+p.Dim.Render(cells.Pad("kept", 14))+"  "+kept,
		" "+p.Dim.Render(cells.Pad("faults", 14))+"  "+faults+p.Dim.Render(fmt.Sprintf(" (%d half open)", m.now.HalfOpen)),
		m.spark(width-16))
	for i, l := range lines {
		lines[i] = cut(l, width)
	}
	return lines
}

// spark draws the deliveries of the last minute.
func (m *serveModel) spark(width int) string {
	const bars = "▁▂▃▄▅▆▇█"
	seconds := m.minute[max(len(m.minute)-max(width, 1), 0):]
	var most uint64
	for _, n := range seconds {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range seconds {
		i := 0
		if most > 0 && n > 0 {
			i = 1 + int(n*6/most)
		}
		b.WriteRune([]rune(bars)[i])
	}
	line := " " + m.palette.Field(2).Render(b.String())
	return line + m.palette.Dim.Render(fmt.Sprintf(" peak %s/s", short(float64(most))))
}

// rooms draws the table of rooms in at most height lines.
func (m *serveModel) rooms(width, height int) []string {
	p := m.palette
	lines := []string{rule(width, []string{p.Accent.Render(count(len(m.now.Rooms), "room"))}, nil, p.Dim.Render)}
	rows := min(height-2, len(m.now.Rooms))
	if rows < 1 {
		return lines
	}
	name := max(width-42, 8)
	lines = append(lines, p.Dim.Render("  "+cells.Pad("room", name)+cells.PadLeft("head", 9)+cells.PadLeft("here", 6)+cells.PadLeft("away", 6)+cells.PadLeft("kept", 9)+cells.PadLeft("bytes", 9)))
	first := max(min(m.room-rows/2, len(m.now.Rooms)-rows), 0)
	for i, r := range m.now.Rooms[first : first+rows] {
		lead, ink := "  ", p.Event
		if first+i == m.room {
			lead, ink = "▸ ", p.Accent
		}
		label := cells.Visible(repl.Place{Namespace: r.Namespace, Room: r.Room}.String())
		if r.Room == "" {
			label = "(all of " + cells.Visible(cmp.Or(r.Namespace, "the default namespace")) + ")"
		}
		lines = append(lines, ink.Render(lead+cells.Pad(label, name)+cells.PadLeft(strconv.FormatUint(r.Head, 10), 9))+
			cells.PadLeft(strconv.Itoa(r.Members), 6)+cells.PadLeft(strconv.Itoa(r.Away), 6)+
			cells.PadLeft(short(float64(r.Head+1-min(r.First, r.Head+1))), 9)+cells.PadLeft(size(float64(r.Bytes)), 9))
	}
	return lines
}

// short writes a count in few cells.
func short(n float64) string {
	switch {
	case n < 10 && n != math.Trunc(n):
		return strconv.FormatFloat(n, 'f', 1, 64)
	case n < 100_000:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case n < 10_000_000:
		return strconv.FormatFloat(n/1e3, 'f', 0, 64) + "k"
	case n < 10_000_000_000:
		return strconv.FormatFloat(n/1e6, 'f', 0, 64) + "M"
	}
	return strconv.FormatFloat(n/1e9, 'f', 0, 64) + "G"
}

// size writes bytes in few cells.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			if n < 10 && unit != "B" {
				return strconv.FormatFloat(n, 'f', 1, 64) + " " + unit
			}
			return strconv.FormatFloat(n, 'f', 0, 64) + " " + unit
		}
		n /= 1000
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " TB"
}

// sorted returns the members to show, in order.
func (m *serveModel) sorted() []*chat.MemberView {
	var members []*chat.MemberView
	var in *chat.RoomView
	if m.room >= 0 && m.room < len(m.now.Rooms) {
		in = &m.now.Rooms[m.room]
	}
	for i := range m.now.Members {
		v := &m.now.Members[i]
		if in != nil {
			i := slices.IndexFunc(v.Cursors, func(c chat.CursorView) bool { return c.Room == in.Room && c.Namespace == in.Namespace })
			if i < 0 {
				continue
			}
			only := *v
			only.Cursors = v.Cursors[i : i+1]
			v = &only
		}
		members = append(members, v)
	}
	if m.sorting != byName {
		slices.SortStableFunc(members, func(a, b *chat.MemberView) int {
			switch m.sorting {
			case byLag:
				return cmp.Compare(lag(b), lag(a))
			case byLost:
				return cmp.Compare(b.Lost, a.Lost)
			}
			return cmp.Compare(b.RTT, a.RTT)
		})
	}
	return members
}

// lag is what the member has not acknowledged, over its rooms.
func lag(v *chat.MemberView) (n uint64) {
	for _, c := range v.Cursors {
		n += c.Waiting
	}
	return n
}
