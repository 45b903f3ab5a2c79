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
// width cells, made safe for a terminal. The last column is wrapped, the
// others are cut if need be. A width of 0 is no limit.
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
	fit(widths, width)
	for _, row := range rows {
		lines = append(lines, t.line(row, widths, width)...)
	}
	return lines
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
