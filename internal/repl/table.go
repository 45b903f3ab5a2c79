package repl

import (
	"strings"

	"wirelab/internal/cells"
)

// A Table is an answer in columns. Its cells may come from the network.
type Table struct {
	Title   string
	Columns []string // headings; nil: none
	Right   []bool   // columns that are aligned to the right
	Rows    [][]string
	Empty   string // said if there are no rows
}

const columnGap = 2

// Lines returns the title, the headings and the rows as lines that fit in
// width cells, made safe for a terminal. The last column is wrapped; where it
// has no place beside the others it goes below them, and if even they do not
// fit, they are cut. A width of 0 is no limit.
func (t *Table) Lines(width int) []string {
	unlimited := width <= 0
	if unlimited {
		width = 1 << 20
	}
	var lines []string
	if t.Title != "" {
		lines = cells.Wrap(cells.Visible(t.Title), width, width)
	}
	if len(t.Rows) == 0 {
		if t.Empty != "" {
			lines = append(lines, cells.Cut(t.Empty, width))
		}
		return lines
	}
	all := t.Rows
	if t.Columns != nil {
		all = append([][]string{t.Columns}, t.Rows...)
	}
	rows, widths := make([][]string, len(all)), make([]int, len(all[0]))
	for i, row := range all {
		rows[i] = make([]string, len(row))
		for j, s := range row {
			rows[i][j] = cells.Visible(s)
			widths[j] = max(widths[j], cells.Width(rows[i][j]))
		}
	}
	last := len(widths) - 1
	if t.Columns == nil || last < 2 || beside(widths) <= width {
		fit(widths, width)
		for _, row := range rows {
			lines = append(lines, t.line(row, widths, width)...)
		}
		return lines
	}
	head := Table{Right: t.Right[:min(len(t.Right), last)]}
	fit(widths[:last], width)
	for i, row := range rows {
		lines = append(lines, head.line(row[:last], widths[:last], width)...)
		if i == 0 || row[last] == "" {
			continue // what stands below needs no heading
		}
		room := max(width-below, 1)
		for _, w := range cells.Wrap(row[last], room, room) {
			lines = append(lines, strings.Repeat(" ", min(below, width-1))+w)
		}
	}
	return lines
}

// below is how far the last column is indented under the others.
const below = 4

// beside is the width that all columns take side by side when none but the
// last is made narrower, and that one to half of what the others have.
func beside(widths []int) int {
	total := 0
	for _, w := range widths[:len(widths)-1] {
		total += w + columnGap
	}
	return total + min(widths[len(widths)-1], total/2)
}

// fit makes columns narrower until they fit, with at least a third of the
// width for the last one if it wants so much.
func fit(widths []int, width int) {
	last := len(widths) - 1
	least := min(widths[last], width/3)
	for {
		total, widest := least, 0
		for i, w := range widths[:last] {
			total += w + columnGap
			if w > widths[widest] {
				widest = i
			}
		}
		if total <= width || last == 0 || widths[widest] <= 3 {
			widths[last] = max(min(widths[last], width-total+least), 1)
			return
		}
		widths[widest]--
	}
}

// line returns one row, as several lines if its last cell must be wrapped.
func (t *Table) line(row []string, widths []int, width int) []string {
	var b strings.Builder
	indent := 0
	for i, s := range row[:len(row)-1] {
		if i < len(t.Right) && t.Right[i] {
			b.WriteString(cells.PadLeft(s, widths[i]))
		} else {
			b.WriteString(cells.Pad(s, widths[i]))
		}
		b.WriteString(strings.Repeat(" ", columnGap))
		indent += widths[i] + columnGap
	}
	i := len(row) - 1
	if i < len(t.Right) && t.Right[i] {
		b.WriteString(cells.PadLeft(row[i], widths[i]))
		return []string{cells.Cut(b.String(), width)}
	}
	wrapped := cells.Wrap(row[i], widths[i], widths[i])
	lines := []string{strings.TrimRight(b.String()+wrapped[0], " ")}
	for _, w := range wrapped[1:] {
		lines = append(lines, strings.Repeat(" ", indent)+w)
	}
	return lines
}
