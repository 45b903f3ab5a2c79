package plot

import (
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// The least size of a plot in a terminal, in cells.
const (
	minWidth  = 40
	minHeight = 12
)

// Text draws p in height lines of at most width cells, both at least 40 by 12 and
// at most 1000. Each line ends with a line break.
func (p *Plot) Text(width, height int, palette *style.Palette) string {
	width, height = min(max(width, minWidth), 1000), min(max(height, minHeight), 1000)
	t := &page{Plot: p.safe(), width: width, palette: palette}
	x, y, any := t.ranges()
	legend, notes := t.legend(), t.notes(max(2, height/8))
	t.rows = max(height-5-len(legend)-len(notes), 3)
	t.y = newRuler(&t.Y, y, max(t.rows/3, 2), true)
	for _, l := range t.y.labels {
		t.gutter = max(t.gutter, cells.Width(l))
	}
	t.cols = width - t.gutter - 3 // the axis, and the tags at the right with a space before
	t.x = newRuler(&t.X, x, max(t.cols/12, 2), false)
	t.canvas = newCanvas(t.cols, t.rows, t.x.span, t.y.span)
	for i := range t.Series {
		t.canvas.draw(&t.Series[i])
	}
	var lines []string
	lines = append(lines, palette.Name.Render(cells.Cut(t.Title, width)), palette.Dim.Render(cells.Cut(t.y.title, width)))
	lines = append(lines, t.area(any)...)
	lines = append(lines, t.below()...)
	lines = append(lines, legend...)
	lines = append(lines, notes...)
	return strings.Join(lines, "\n") + "\n"
}

// A page is a plot under way to text.
type page struct {
	*Plot
	width      int
	palette    *style.Palette
	cols, rows int // of the area between the axes
	gutter     int // cells of the labels at the left
	x, y       ruler
	canvas     *canvas
}

// area returns the lines with the axis at the left.
func (t *page) area(any bool) []string {
	labels := make([]string, t.rows)
	for i, v := range t.y.ticks {
		if t.y.has(v) {
			labels[t.canvas.row(v)/4] = t.y.labels[i]
		}
	}
	tags := t.tags()
	lines := make([]string, t.rows)
	for y := range t.rows {
		edge := "│"
		if labels[y] != "" {
			edge = "┤"
		}
		body := t.canvas.text(y, t.palette.Field)
		if !any && y == t.rows/2 {
			empty := cells.Cut(t.Empty, t.cols)
			body = strings.Repeat(" ", (t.cols-cells.Width(empty))/2) + empty
		}
		line := t.palette.Dim.Render(cells.PadLeft(labels[y], t.gutter)+edge) + body
		if i := tags[y]; i >= 0 {
			line += " " + t.palette.Field(t.Series[i].Ink).Render(t.Series[i].Sign)
		}
		lines[y] = strings.TrimRight(line, " ")
	}
	return lines
}

// tags returns for each row the series whose line ends there, or −1. Lines that
// end in the same row get rows beside it.
func (t *page) tags() []int {
	tags := make([]int, t.rows)
	for i := range tags {
		tags[i] = -1
	}
	for i := range t.Series {
		s := &t.Series[i]
		if !s.Style.joined() {
			continue
		}
		for k := len(s.Points) - 1; k >= 0; k-- {
			p := s.Points[k]
			if !p.drawable() || !t.x.has(p.X) {
				continue
			}
			at := t.canvas.row(min(max(p.Y, t.y.lo), t.y.hi)) / 4
			for d := 0; d < 2*t.rows; d++ { // at, one below, one above, …
				row := at + (d+1)/2
				if d%2 == 0 {
					row = at - d/2
				}
				if row >= 0 && row < t.rows && tags[row] < 0 {
					tags[row] = i
					break
				}
			}
			break
		}
	}
	return tags
}

// below returns the lines of the axis at the bottom.
func (t *page) below() []string {
	axis := []rune(strings.Repeat("─", t.cols))
	labels := []rune(strings.Repeat(" ", t.width))
	free := 0
	for i, v := range t.x.ticks {
		if !t.x.has(v) {
			continue
		}
		at := t.canvas.column(v) / 2
		axis[at] = '┬'
		label := []rune(t.x.labels[i])
		from := min(max(t.gutter+1+at-len(label)/2, 0), t.width-len(label))
		if from < free {
			continue
		}
		copy(labels[from:], label)
		free = from + len(label) + 1
	}
	title := cells.Cut(t.x.title, t.cols)
	return []string{
		t.palette.Dim.Render(strings.Repeat(" ", t.gutter) + "└" + string(axis)),
		t.palette.Dim.Render(strings.TrimRight(string(labels), " ")),
		t.palette.Dim.Render(strings.Repeat(" ", t.gutter+1+(t.cols-cells.Width(title))/2) + title),
	}
}

// legend returns lines that say what the series are.
func (t *page) legend() []string {
	var lines []string
	line, used := "", 0
	for i := range t.Series {
		s := &t.Series[i]
		key := s.key()
		text := cells.Cut(key+" "+s.Name, t.width)
		w := cells.Width(text)
		if used > 0 && used+3+w > t.width {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+"   ", used+3
		}
		ink := t.palette.Field(s.Ink)
		if rest, ok := strings.CutPrefix(text, key); ok {
			line += ink.Render(key) + rest
		} else {
			line += ink.Render(text)
		}
		used += w
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines[:min(len(lines), 4)]
}

// key shows how a series is drawn.
func (s *Series) key() string {
	switch s.Style {
	case Line, Steps:
		return "──" + s.Sign
	case Dashes:
		return "╌╌" + s.Sign
	case Ticks:
		return "⡇"
	}
	return s.Sign
}

// notes returns the notes in at most n lines.
func (t *page) notes(n int) []string {
	var lines []string
	for _, note := range t.Notes {
		for i, line := range cells.Wrap(note, t.width, t.width) {
			if i > 0 {
				line = cells.Cut("  "+line, t.width)
			}
			lines = append(lines, t.palette.Dim.Render(line))
		}
	}
	if len(lines) > n {
		lines = append(lines[:n-1:n-1], t.palette.Dim.Render(cells.Cut("… further notes: see --json", t.width)))
	}
	return lines
}
