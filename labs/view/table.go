package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// An Ink says what a cell's colour means; its text says the same.
type Ink uint8

// The inks.
const (
	Plain Ink = iota
	Good
	Bad
	Dim
)

// A Cell is one value of a table.
type Cell struct {
	Text string
	Ink  Ink
}

// A Table is rows under heads. Texts may hold anything: they are made visible
// when the table is drawn.
type Table struct {
	Heads []string
	Right []bool // the columns of numbers, which are never cut while others can be
	Rows  [][]Cell
	More  int    // rows that were left out
	Empty string // what to say if there are no rows
	Note  string // a line below
	Wrap  bool   // text that is too wide goes on in the line below; else it is cut
	Under bool   // in a terminal, the last column goes below its row if it does not fit beside it
}

const (
	tableGap   = 2 // cells between columns
	leastShown = 4 // cells that a column keeps
)

// Text returns the table as lines of at most width cells.
func (t *Table) Text(width int, palette *style.Palette) []string {
	rows := t.safe()
	last := len(t.Heads) - 1
	under := t.Under && last > 0 && natural(rows) > width
	if under {
		for i := range rows {
			rows[i], rows[i][last] = rows[i][:last], Cell{rows[i][last].Text, Dim}
		}
	}
	widths, hidden := t.fit(rows, width)
	var lines []string
	for i, row := range rows {
		lines = append(lines, t.row(row, widths, i == 0, palette)...)
		if row := row[:len(t.Heads)]; under && i > 0 && row[last].Text != "" {
			for _, l := range cells.Wrap(row[last].Text, width-4, width-4) {
				lines = append(lines, "    "+palette.Dim.Render(l))
			}
		}
	}
	below := t.below()
	if hidden > 0 {
		below = append(below, plural(hidden, "column")+" more would need a wider window")
	}
	for _, s := range below {
		for _, l := range cells.Wrap(cells.Visible(s), width, width) {
			lines = append(lines, palette.Dim.Render(l))
		}
	}
	return lines
}

// below returns what stands below the rows.
func (t *Table) below() (lines []string) {
	if len(t.Rows) == 0 && t.Empty != "" {
		lines = append(lines, t.Empty)
	}
	if t.More > 0 {
		lines = append(lines, "… and "+plural(t.More, "row")+" more")
	}
	if t.Note != "" {
		lines = append(lines, t.Note)
	}
	return lines
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// safe returns heads and rows, all of one length, with texts that are one line.
func (t *Table) safe() [][]Cell {
	var head []Cell
	for _, h := range t.Heads {
		head = append(head, Cell{Text: visible(h)})
	}
	rows := [][]Cell{head}
	for _, r := range t.Rows {
		row := make([]Cell, len(head))
		for i := range row {
			if i < len(r) {
				row[i] = Cell{visible(r[i].Text), r[i].Ink}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// natural is how wide a table is that has all the room it wants.
func natural(rows [][]Cell) int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], cells.Width(c.Text))
		}
	}
	sum := max(len(widths)-1, 0) * tableGap
	for _, w := range widths {
		sum += w
	}
	return sum
}

// fit returns how wide each column is, and how many of the last are left out
// because not even a few cells of each have room. Columns of text give way first,
// the widest of them first.
func (t *Table) fit(rows [][]Cell, width int) (widths []int, hidden int) {
	widths = make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], cells.Width(c.Text))
		}
	}
	for len(widths) > 1 && len(widths)*(leastShown+tableGap)-tableGap > width {
		widths = widths[:len(widths)-1]
		hidden++
	}
	over := max(len(widths)-1, 0)*tableGap - width
	for _, w := range widths {
		over += w
	}
	for _, numbers := range []bool{false, true} {
		for ; over > 0; over-- {
			widest := -1
			for i, w := range widths {
				if t.right(i) == numbers && w > leastShown && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
	}
	return widths, hidden
}

func (t *Table) right(i int) bool { return i < len(t.Right) && t.Right[i] }

// row returns the lines of a row.
func (t *Table) row(row []Cell, widths []int, head bool, palette *style.Palette) []string {
	var columns [][]string
	height := 1
	for i, w := range widths {
		text := []string{cells.Cut(row[i].Text, w)}
		if (t.Wrap || head) && !t.right(i) {
			text = cells.Wrap(row[i].Text, w, w)
		}
		if head && len(text) > 3 {
			text = append(text[:2], cells.Cut(strings.Join(text[2:], " "), w))
		}
		columns = append(columns, text)
		height = max(height, len(text))
	}
	lines := make([]string, height)
	for y := range lines {
		var b strings.Builder
		gap := 0 // blanks that nothing came after yet
		for i, w := range widths {
			text := ""
			if y < len(columns[i]) {
				text = strings.TrimRight(columns[i][y], " ")
			}
			free := w - cells.Width(text)
			before := 0
			if t.right(i) {
				before, free = free, 0
			}
			if text != "" {
				b.WriteString(strings.Repeat(" ", gap+before))
				ink := row[i].Ink.Style(palette)
				if head {
					ink = palette.Name
				}
				b.WriteString(ink.Render(text))
				gap = free
			} else {
				gap += w
			}
			gap += tableGap
		}
		lines[y] = b.String()
	}
	return lines
}

// Style returns the ink in a palette.
func (k Ink) Style(p *style.Palette) lipgloss.Style {
	switch k {
	case Good:
		return p.Grade(0)
	case Bad:
		return p.Error
	case Dim:
		return p.Dim
	}
	return p.Event
}

// class names the ink for CSS.
func (k Ink) class() string { return [...]string{"", "good", "bad", "dim"}[k] }

// HTML writes the table as a piece of HTML. [CSS] has its looks.
func (t *Table) HTML(w io.Writer) error {
	var b strings.Builder
	b.WriteString("<table class=\"view\">\n")
	if below := t.below(); len(below) > 0 {
		b.WriteString("<caption>" + escaped(strings.Join(below, "; ")) + "</caption>\n")
	}
	for y, row := range t.safe() {
		tag := "td"
		if y == 0 {
			tag = "th"
			b.WriteString("<thead>")
		}
		b.WriteString("<tr>")
		for i, c := range row {
			var classes []string
			if t.right(i) {
				classes = append(classes, "n")
			}
			if c.Ink != Plain {
				classes = append(classes, c.Ink.class())
			}
			b.WriteString("<" + tag)
			if len(classes) > 0 {
				b.WriteString(` class="` + strings.Join(classes, " ") + `"`)
			}
			b.WriteString(">" + escaped(c.Text) + "</" + tag + ">")
		}
		b.WriteString("</tr>")
		if y == 0 {
			b.WriteString("</thead>\n<tbody>")
		}
		b.WriteByte('\n')
	}
	b.WriteString("</tbody></table>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// What follows makes a Table the drawing of a view.

func (t *Table) text(width, _ int, palette *style.Palette) []string { return t.Text(width, palette) }
func (t *Table) svg() bool                                          { return false }
func (t *Table) markup(w io.Writer) error                           { return t.HTML(w) }

// numbers reports for each column whether all its texts are numbers, with or
// without a unit.
func numbers(columns int, rows [][]Cell) []bool {
	right := slices.Repeat([]bool{len(rows) > 0}, columns)
	for _, row := range rows {
		for i := range right {
			if i < len(row) && row[i].Text != "" {
				right[i] = right[i] && numeric(row[i].Text)
			}
		}
	}
	return right
}

// numeric reports whether s begins as a number does.
func numeric(s string) bool {
	s = strings.TrimLeft(s, "−-+≈≠= ")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}
