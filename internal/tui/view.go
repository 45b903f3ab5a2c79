package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/repl"
)

const (
	leastWidth  = 24 // smaller screens show nothing
	leastHeight = 6
	wide        = 150 // so wide a screen shows messages and bytes side by side
)

// A layout is where things are on the screen.
type layout struct {
	messages   int // width
	side       int // width of the rooms and members; 0: not shown
	bytes      int // width of the x-ray pane beside the messages
	rows       int // height of the messages
	bytesBelow int // height of the x-ray pane below them
}

func (m *chatModel) layout() layout {
	l := layout{messages: m.width, rows: m.height - 3}
	switch {
	case m.width >= 120:
		l.side = 27
	case m.width >= 60:
		l.side = 21
	}
	if l.side > 0 {
		l.messages -= l.side + 1
	}
	if m.xray {
		if m.width >= wide {
			l.bytes = rowWidth(16) + gutter + 1
			l.messages -= l.bytes + 1
		} else {
			l.bytesBelow = (m.height - 4) * 11 / 20
			l.rows -= l.bytesBelow + 1
		}
	}
	return l
}

// View draws the screen: rules with titles, between them the panes, below them
// the input. Every line is exactly as wide as the screen.
func (m *chatModel) View() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cells.Cut("a larger window, please", max(m.width, 1))
	}
	l := m.layout()
	lines := make([]string, 0, m.height)
	lines = append(lines, m.titles(l))
	panes := [][]string{m.at.pane.view(m.palette.Accent.Render("▸"))}
	widths := []int{l.messages}
	if l.bytes > 0 {
		panes, widths = append(panes, m.records.view(m.palette.Accent.Render("▸"))), append(widths, l.bytes)
	}
	members := -1 // the row of the rule above them
	if l.side > 0 {
		var side []string
		side, members = m.sidebar(l.side, l.rows)
		panes, widths = append(panes, side), append(widths, l.side)
	}
	bar, branch := m.palette.Dim.Render("│"), m.palette.Dim.Render("├")
	for i := range l.rows {
		var b strings.Builder
		for j, p := range panes {
			switch {
			case j == len(panes)-1 && i == members:
				b.WriteString(branch)
			case j > 0:
				b.WriteString(bar)
			}
			b.WriteString(pad(p[i], widths[j]))
		}
		lines = append(lines, b.String())
	}
	if l.bytesBelow > 0 {
		lines = append(lines, rule(m.width, m.bytesTitle(), nil, m.palette.Dim.Render, l.messages))
		for _, line := range m.records.view(m.palette.Accent.Render("▸")) {
			lines = append(lines, pad(line, m.width))
		}
	}
	var joints []int
	if l.bytesBelow == 0 {
		for at, i := -1, 0; i < len(widths)-1; i++ {
			at += widths[i] + 1
			joints = append(joints, at)
		}
	}
	lines = append(lines, m.status(joints...), m.input.view(m.width, m.focus == onInput))
	return strings.Join(lines, "\n")
}

// titles is the first line: what each pane shows.
func (m *chatModel) titles(l layout) string {
	p, dim := m.palette, m.palette.Dim.Render
	place := cells.Visible(m.at.place.String())
	if place == "" {
		place = "no room"
	}
	left := []string{p.Accent.Render(place)}
	if here, away := m.at.here(); here+away > 0 {
		who := strconv.Itoa(here) + " here"
		if away > 0 {
			who += ", " + strconv.Itoa(away) + " away"
		}
		left = append(left, dim(who))
	}
	if n := m.at.pane.below; n > 0 {
		left = append(left, p.Accent.Render(fmt.Sprintf("↓ %d lines below", n)))
	}
	right := []string{dim(cells.Visible(m.title))}
	line := rule(l.messages, left, right, dim)
	if l.bytes > 0 {
		line += dim("┬") + rule(l.bytes, m.bytesTitle(), nil, dim)
	}
	if l.side > 0 {
		line += dim("┬") + rule(l.side, []string{dim("rooms")}, nil, dim)
	}
	return line
}

func (m *chatModel) bytesTitle() []string {
	p := m.palette
	texts := []string{p.Accent.Render("x-ray"), p.Dim.Render(count(m.seen, "frame"))}
	if m.skipped > 0 {
		texts = append(texts, p.Error.Render(fmt.Sprintf("%d came too fast to show", m.skipped)))
	}
	if n := m.records.below; n > 0 {
		texts = append(texts, p.Accent.Render(fmt.Sprintf("↓ %d lines below, esc", n)))
	}
	return texts
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// sidebar lists the rooms, and the members of the one in view below a rule
// whose row it returns, or -1.
func (m *chatModel) sidebar(width, height int) ([]string, int) {
	p := m.palette
	lines := make([]string, 0, height)
	roomRows := min(len(m.places), max(height/3, 2))
	first := 0
	for i, r := range m.places {
		if r == m.at && i >= roomRows {
			first = i - roomRows + 1
		}
	}
	for _, r := range m.places[first : first+roomRows] {
		lead, ink, unread := "  ", p.Event, ""
		switch {
		case r == m.at:
			lead, ink = "▸ ", p.Accent
		case r.unread > 0:
			ink, unread = p.Name, strconv.Itoa(r.unread)
		}
		name := cells.Pad(lead+cells.Visible(r.place.String()), width-2-cells.Width(unread))
		lines = append(lines, " "+ink.Render(name)+p.Accent.Render(unread))
	}
	if height-len(lines) < 3 {
		return fill(lines, height), -1
	}
	ruled := len(lines)
	lines = append(lines, rule(width, []string{p.Dim.Render("members")}, nil, p.Dim.Render))
	room := height - len(lines)
	people := m.at.people
	more := 0
	if len(people) > room {
		more = len(people) - room + 1
		people = people[:room-1]
	}
	for _, who := range people {
		dot, ink := "●", nameColour(p, who.Name)
		over := repl.Link(who.Transport, who.Mode)
		if who.Away {
			dot, ink, over = "○", p.Dim, "away"
			if who.Waiting > 0 {
				over += " +" + strconv.FormatUint(who.Waiting, 10)
			}
		}
		name := dot + " " + cells.Visible(who.Name)
		over = cells.Cut(cells.Visible(over), width-3-min(cells.Width(name), width/2))
		name = cells.Pad(name, width-3-cells.Width(over))
		lines = append(lines, " "+ink.Render(name)+" "+p.Dim.Render(over))
	}
	if more > 0 {
		lines = append(lines, p.Dim.Render(fmt.Sprintf("   and %d more", more)))
	}
	return fill(lines, height), ruled
}

func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:height]
}

// status is the line above the input: the connection, and how far this client
// is in the room; or the candidates of a completion.
func (m *chatModel) status(joints ...int) string {
	p := m.palette
	if hints := m.input.hints(m.width - 8); hints != "" {
		return rule(m.width, []string{p.Accent.Render(hints)}, nil, p.Dim.Render, joints...)
	}
	if m.focus == onMessages {
		if e := m.at.entries[m.at.pane.chosen]; e != nil && e.item.Event != nil {
			return rule(m.width, m.chosen(e), nil, p.Dim.Render, joints...)
		}
	}
	st := &m.figures
	texts := []string{m.linkText()}
	if st.Link.Transport != "" {
		texts = append(texts, cells.Visible(repl.Link(st.Link.Transport, st.Link.Mode)))
	}
	if rtt := roundTrip(st.RTT, st.Link.RTT); rtt != "" {
		texts = append(texts, "rtt "+rtt)
	}
	for _, r := range st.Rooms {
		if (repl.Place{Namespace: r.Namespace, Room: r.Room}) == m.at.place {
			texts = append(texts, fmt.Sprintf("at %d/%d", r.Handled, r.Head))
			missed := fmt.Sprintf("missed %d", r.Head-min(r.Handled, r.Head))
			if r.Head > r.Handled {
				missed = p.Accent.Render(missed)
			}
			texts = append(texts, missed)
		}
	}
	lost := fmt.Sprintf("lost %d", st.Lost)
	if st.Lost > 0 {
		lost = p.Error.Render(lost)
	}
	texts = append(texts, lost)
	buffer := fmt.Sprintf("buffer %d", st.Waiting)
	if st.Waiting > 0 {
		buffer = p.Accent.Render(buffer)
	}
	texts = append(texts, buffer)
	if len(m.lines) > 0 && m.moving > 0 {
		texts = append(texts, p.Accent.Render("lines wait for the room"))
	}
	return rule(m.width, texts, nil, p.Dim.Render, joints...)
}

// linkText is the state of the connection.
func (m *chatModel) linkText() string {
	p := m.palette
	left := ""
	if d := m.until.Sub(m.now); d > 0 {
		left = fmt.Sprintf(" %d s", (d+time.Second-1)/time.Second)
	}
	switch m.link {
	case linkUp:
		return p.Accent.Render("● connected")
	case linkLost:
		return p.Error.Render("○ connection lost, again in" + left)
	case linkAway:
		if left == "" {
			left = ", /online"
		}
		return p.Error.Render("○ offline" + left)
	case linkOver:
		return p.Error.Render("○ closed")
	}
	text := "◌ connecting"
	if m.attempt > 1 {
		text += fmt.Sprintf(", attempt %d", m.attempt)
	}
	return p.Accent.Render(text)
}

// chosen tells about the chosen message.
func (m *chatModel) chosen(e *entry) []string {
	ev := e.item.Event
	texts := []string{m.palette.Accent.Render("enter explains")}
	if ev.Seq != 0 {
		texts = append(texts, "#"+strconv.FormatUint(ev.Seq, 10))
	}
	texts = append(texts, e.item.Time.Local().Format("15:04:05.000"), "event "+cells.Cut(cells.Visible(ev.Event), 16), fmt.Sprintf("id %016x", ev.ID))
	return texts
}

func roundTrip(ds ...time.Duration) string {
	for _, d := range ds {
		switch {
		case d >= time.Second:
			return fmt.Sprintf("%.1f s", d.Seconds())
		case d >= 10*time.Millisecond:
			return fmt.Sprintf("%d ms", d.Milliseconds())
		case d > 0:
			return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
		}
	}
	return ""
}
