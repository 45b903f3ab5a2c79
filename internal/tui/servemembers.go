package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/chat"
	"wirelab/internal/repl"
)

// leastOf is how many events fill a bar, at least.
const leastOf = 100

// barLen is how many cells a bar has in a table of that width.
func barLen(columns int) int { return min(max(columns/10, 8), 16) }

// overLen is how many cells the transport has in a table of that width:
// "udp/unreliable" where there is room.
func overLen(columns int) int {
	if columns >= 76 {
		return 14
	}
	return 11
}

// members draws the table of members: a rule, headings, and m.rows rows.
func (m *serveModel) members(width int) []string {
	p := m.palette
	members := m.shown
	away := 0
	var most uint64 = leastOf
	for i := range members {
		if members[i].Away {
			away++
		}
		for _, c := range members[i].Cursors {
			most = max(most, c.Waiting)
		}
	}
	head := []string{p.Accent.Render(count(len(members), "member"))}
	if away > 0 {
		head = append(head, p.Dim.Render(fmt.Sprintf("%d away", away)))
	}
	if m.room >= 0 && m.room < len(m.now.Rooms) {
		r := m.now.Rooms[m.room]
		head = append(head, p.Accent.Render("in "+cells.Visible(repl.Place{Namespace: r.Namespace, Room: r.Room}.String())))
	}
	lines := []string{rule(width, head, nil, p.Dim.Render)}
	if m.rows == 0 {
		return lines
	}
	name := max(min(24, width/5), 8)
	for _, v := range members {
		if name >= 24 {
			break
		}
		name = min(max(name, cells.Width(cells.Visible(v.Name))), max(width/4, 8))
	}
	lines = append(lines, p.Dim.Render(cells.Cut("  "+cells.Pad("member", name)+" "+cells.Pad("over", overLen(width))+cells.PadLeft("rtt", 8)+cells.PadLeft("lost", 6)+cells.PadLeft("again", 6)+"  lag in each room", width)))
	for _, v := range members[m.scroll:min(m.scroll+m.rows, len(members))] {
		lines = append(lines, m.member(v, name, width, most))
	}
	return lines
}

// member draws one row.
func (m *serveModel) member(v *chat.MemberView, name, columns int, most uint64) string {
	p := m.palette
	dot, ink, over := "●", nameColour(p, v.Name), repl.Link(v.Transport, v.Mode)
	rtt := roundTrip(v.RTT)
	if v.Away {
		dot, ink, over, rtt = "○", p.Dim, "away", ""
		if !m.now.Time.Before(v.Since) && !v.Since.IsZero() {
			over = "away " + age(m.now.Time.Sub(v.Since).Seconds())
		}
	}
	lost := cells.PadLeft(short(float64(v.Lost)), 6)
	if v.Lost > 0 {
		lost = p.Error.Render(lost)
	}
	line := ink.Render(dot+" "+cells.Pad(cells.Visible(v.Name), name)) + " " + p.Dim.Render(cells.Pad(cells.Visible(over), overLen(columns))) +
		cells.PadLeft(rtt, 8) + lost + cells.PadLeft(short(float64(v.Retransmit)), 6) + "  "
	return line + m.lags(v, columns-width(line), barLen(columns), most)
}

// lags draws a bar for each room, the one that lags most first if they do not
// all fit.
func (m *serveModel) lags(v *chat.MemberView, room, length int, most uint64) string {
	cursors := v.Cursors
	need := 0
	for _, c := range cursors {
		need += length + len(" ") + len(strconv.FormatUint(c.Waiting, 10)) + len("   ") + min(cells.Width(cells.Visible(c.Room)), maxRoom)
	}
	if need > room {
		cursors = slices.Clone(cursors)
		slices.SortStableFunc(cursors, func(a, b chat.CursorView) int { return cmp.Compare(b.Waiting, a.Waiting) })
	}
	var b strings.Builder
	for i, c := range cursors {
		text := m.lag(v, &c, length, most)
		more := ""
		if rest := len(cursors) - i - 1; rest > 0 {
			more = fmt.Sprintf("+%d", rest)
		}
		w := width(text)
		if w+len(more) > room && i > 0 {
			b.WriteString(m.palette.Dim.Render(fmt.Sprintf("+%d", len(cursors)-i)))
			break
		}
		b.WriteString(cut(text, room))
		room -= w
		if room <= 0 {
			break
		}
	}
	return b.String()
}

// maxRoom is how many cells a room's name takes behind its bar.
const maxRoom = 12

// lag draws the bar of one room, the number, and the room's name.
func (m *serveModel) lag(v *chat.MemberView, c *chat.CursorView, length int, most uint64) string {
	p := m.palette
	full := bar(c.Waiting, most, length)
	flying := 0 // sent, and not acknowledged
	if !v.Away && c.Waiting > 0 {
		sent := c.Sent - min(c.Consumed, c.Sent)
		flying = min(int(math.Round(float64(full)*float64(sent)/float64(c.Waiting))), full)
	}
	waits := "█"
	if v.Away {
		waits = "░"
	}
	drawn := p.Field(4).Render(strings.Repeat("▒", flying)) + p.Field(1).Render(strings.Repeat(waits, full-flying)) + p.Dim.Render(strings.Repeat("·", length-full))
	number := strconv.FormatUint(c.Waiting, 10)
	if c.Waiting > 0 {
		number = p.Name.Render(number)
	}
	return drawn + " " + number + " " + p.Dim.Render(cells.Cut(cells.Visible(c.Room), maxRoom)) + "  "
}

// bar is how many of length cells n fills: by its logarithm, so that one event
// shows.
func bar(n, most uint64, length int) int {
	if n == 0 {
		return 0
	}
	return max(min(int(math.Ceil(float64(length)*math.Log1p(float64(n))/math.Log1p(float64(most)))), length), 1)
}

// age writes seconds in few cells.
func age(s float64) string {
	switch {
	case s < 100:
		return fmt.Sprintf("%.0fs", s)
	case s < 100*60:
		return fmt.Sprintf("%.0fm", s/60)
	}
	return fmt.Sprintf("%.0fh", s/3600)
}
