package tui

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/repl"
	"wirelab/internal/style"
)

// An entry is a block of a room's pane: something that was said or happened.
type entry struct {
	block
	item  repl.Item
	room  *room
	marks *style.Palette
}

const (
	minName = 4 // cells of the column of names
	maxName = 12
	timeLen = 5  // 15:04
	roomy   = 64 // a pane so wide shows sequence numbers
)

// nameColour returns the colour of a name: the same one everywhere.
func nameColour(p *style.Palette, name string) lipgloss.Style {
	h := fnv.New32a()
	h.Write([]byte(name))
	// The sixth colour is that of errors.
	return p.Field([...]int{0, 1, 2, 3, 4, 6, 7}[h.Sum32()%7]).Bold(true)
}

// render draws the entry in lines of at most width cells. The first line
// begins with a time, the others with spaces: no text can begin a line.
func (e *entry) render(width int) []string {
	p, it := e.marks, &e.item
	when := p.Dim.Render(it.Time.Local().Format("15:04"))
	switch it.Kind {
	case repl.Message:
		return e.message(width)
	case repl.Notice:
		return e.prose(width, when, "", it.Text, p.Dim)
	case repl.Loss:
		return banner(width, it.Text, p.Error)
	case repl.Failure:
		lines := e.prose(width, when, "✗ ", it.Text, p.Error)
		if it.Hint != "" {
			lines = append(lines, e.prose(width, strings.Repeat(" ", timeLen), "→ ", it.Hint, p.Dim)...)
		}
		return lines
	case repl.Listing:
		var lines []string
		for i, l := range it.Table.Lines(max(width-timeLen-1, 1)) {
			lead, ink := strings.Repeat(" ", timeLen), p.Event
			if i == 0 {
				lead, ink = when, p.Accent
			}
			lines = append(lines, lead+" "+ink.Render(l))
		}
		return lines
	}
	return e.prose(width, when, "", it.Text, p.System)
}

// banner draws a line across the pane.
func banner(width int, text string, ink lipgloss.Style) []string {
	const lead = "── "
	room := max(width-2*cells.Width(lead), 1)
	var lines []string
	for i, l := range cells.Wrap(cells.Visible(text), room, room) {
		line := strings.Repeat(" ", cells.Width(lead)) + l
		if i == 0 {
			line = lead + l + " " + strings.Repeat("─", max(width-cells.Width(lead+l)-1, 0))
		}
		lines = append(lines, ink.Render(cells.Cut(line, width)))
	}
	return lines
}

// prose draws what the program has to say.
func (e *entry) prose(width int, when, lead, text string, ink lipgloss.Style) []string {
	var lines []string
	indent := timeLen + 1 + cells.Width(lead)
	for i, l := range paragraphs(text, max(width-indent, 1)) {
		switch i {
		case 0:
			lines = append(lines, when+" "+ink.Render(lead+l))
		default:
			lines = append(lines, strings.Repeat(" ", indent)+ink.Render(l))
		}
	}
	return lines
}

// maxShown is how many bytes of a text, and maxLines how many lines, are drawn:
// one member must not fill everybody's scrollback.
const (
	maxShown = 8 << 10
	maxLines = 200
)

// paragraphs makes text safe and wraps each of its lines.
func paragraphs(text string, width int) []string {
	var lines []string
	if len(text) > maxShown {
		n := maxShown
		for n > maxShown-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		text = fmt.Sprintf("%s\n… and %d more bytes", text[:n], len(text)-n)
	}
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.ReplaceAll(strings.TrimSuffix(l, "\r"), "\t", "    ")
		lines = append(lines, cells.Wrap(cells.Visible(l), width, width)...)
	}
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], cells.Cut(fmt.Sprintf("… and %d more lines", more), width))
	}
	return lines
}

// message draws what somebody said: time, mark, name, text, and the sequence
// number if there is room.
func (e *entry) message(width int) []string {
	p, ev := e.marks, e.item.Event
	name := cells.Visible(ev.Sender)
	ink := nameColour(p, ev.Sender)
	if ev.Sender == "" {
		name, ink = "‹server›", p.System
	}
	column := min(max(e.room.names, minName), maxName, max(width/6, 1))
	indent := timeLen + 1 + 2 + column + 2
	text, plain := repl.Body(ev)
	body := p.Event
	if !plain {
		text, body = "▸ "+text, p.Accent
	}
	seq := ""
	if width >= roomy && ev.Seq != 0 {
		seq = "#" + strconv.FormatUint(ev.Seq, 10)
	}
	stamp := e.item.Time.Local().Format("15:04")
	if e.item.Past {
		body, ink = p.Dim, p.Dim
	}
	mark, markInk := e.mark()
	lead := p.Dim.Render(stamp) + " " + markInk.Render(mark) + " " + ink.Render(cells.PadLeft(name, column)) + "  "
	const tail = 7 // for the sequence number
	room := width - indent
	if width >= roomy {
		room -= tail
	}
	var lines []string
	for i, l := range paragraphs(text, max(room, 1)) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		line := lead + body.Render(l)
		if i == 0 && seq != "" {
			gap := width - indent - cells.Width(l) - cells.Width(seq)
			if gap > 0 {
				line += strings.Repeat(" ", gap) + p.Dim.Render(seq)
			}
		}
		lines = append(lines, line)
	}
	if indent >= width {
		for i := range lines {
			lines[i] = cut(lines[i], width)
		}
	}
	return lines
}

// mark is one cell that says what is special about a message.
func (e *entry) mark() (string, lipgloss.Style) {
	p, ev := e.marks, e.item.Event
	switch {
	case e.item.Past:
		return "·", p.Dim
	case e.item.State == repl.Waiting:
		return "…", p.Dim
	case e.item.State == repl.Acked:
		return "✓", p.Accent
	case e.item.State == repl.Refused:
		return "✗", p.Error
	case ev.Redelivered:
		return "↻", p.Accent
	case ev.Volatile:
		return "~", p.Dim
	}
	return " ", p.Dim
}

// day returns the banner between messages of two days.
func day(t time.Time) string { return t.Local().Format("Monday, 2 January 2006") }
