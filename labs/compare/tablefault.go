package compare

import (
	"fmt"
	"slices"
	"strings"

	"wirelab/internal/cells"
)

// faultFigures are what the table of one fault shows, in order; rank says which
// of them goes last when there is little room.
func (v *View) faultFigures() (figures []figure, rank []int) {
	if len(v.Metrics) > 0 {
		for i, m := range v.Metrics {
			figures, rank = append(figures, figureOf(m)), append(rank, i)
		}
		return figures, rank
	}
	important := []string{"latency_p50", "latency_p99", "bytes_per_byte", "retransmissions", "lost", "reported",
		"out_of_order", "duplicates", "latency_max", "refused"}
	figures, rank = []figure{deliveredFigure()}, []int{-1}
	for _, m := range Metrics() {
		if i := slices.Index(important, m.Name); i >= 0 {
			figures, rank = append(figures, figureOf(m)), append(rank, i)
		}
	}
	return figures, rank
}

// fault shows one fault: a line for each transport with a column for each
// metric, then what each transport's runs showed, and why.
func (m *Matrix) fault(p *page, v *View, row *Row) {
	p.text(v.Palette.Name.Render, v.Palette.Accent.Render(cells.Cut(cells.Visible(row.Name), v.Width/2))+": ", row.Title)
	p.blank()
	all := make([]*Cell, len(row.Cells))
	name := len("transport")
	for i := range row.Cells {
		all[i] = &row.Cells[i]
		name = max(name, cells.Width(cells.Visible(all[i].Transport)))
	}
	name = min(name, max(leastName, v.Width/3))
	some := v.fit(all, signWidth+name)
	heads := []string{v.Palette.Name.Render(cells.Pad("transport", signWidth+name))}
	for _, s := range some {
		heads = append(heads, paint(cells.PadLeft(s.title, s.column()), v.Palette.Name.Render))
	}
	var rows [][]string
	for _, c := range all {
		line := []string{c.sign(v.Palette) + " " + cells.Pad(cells.Visible(c.Transport), name)}
		for i, s := range some {
			ink := v.Palette.Event.Render
			if i == 0 {
				ink = v.Palette.Grade(c.Guarantee().grade()).Render
			}
			lines := s.lines(c, ink, v.Palette.Dim.Render)
			for i := range lines {
				lines[i] = strings.Repeat(" ", s.column()-s.width()) + lines[i]
			}
			line = append(line, strings.Join(lines, "\n"))
		}
		rows = append(rows, line)
	}
	for _, line := range grid(v.Palette, 2, heads, rows) {
		p.line(line)
	}
	p.blank()
	for _, c := range all {
		c.verdict(p, v, name)
	}
}

// fit returns the figures that have room, in their order.
func (v *View) fit(all []*Cell, used int) []slot {
	figures, rank := v.faultFigures()
	some := slots(figures, all, true)
	for len(some) > 1 {
		width := used
		for i := range some {
			width += 2 + some[i].column()
		}
		if width <= v.Width {
			break
		}
		i := slices.Index(rank, slices.Max(rank))
		some, rank = slices.Delete(some, i, i+1), slices.Delete(rank, i, i+1)
	}
	return some
}

// column is the width of the slot as a column of its own, under its title.
func (s *slot) column() int { return max(s.width(), cells.Width(s.title)) }

// verdict says what the cell's runs showed, and what cost it messages and
// packets.
func (c *Cell) verdict(p *page, v *View, name int) {
	head := c.sign(v.Palette) + " " + cells.Pad(cells.Visible(c.Transport), name) + "  "
	if len(c.Runs) == 0 {
		p.text(v.Palette.Dim.Render, head, "no run")
		return
	}
	g := c.Guarantee()
	p.text(v.Palette.Grade(g.grade()).Render, head, g.String())
	var why []string
	for _, r := range c.reasons() {
		why = append(why, fmt.Sprintf("%d × %s", r.Count, r.What))
	}
	if len(why) > 0 {
		p.text(v.Palette.Dim.Render, strings.Repeat(" ", signWidth+name+2), strings.Join(why, "; "))
	}
}

// reasons returns what all the cell's runs lost to, in order of first sight.
func (c *Cell) reasons() []Reason {
	var all []Reason
	for i := range c.Runs {
		for _, r := range c.Runs[i].Why {
			j := slices.IndexFunc(all, func(o Reason) bool { return o.What == r.What })
			if j < 0 {
				all = append(all, r)
			} else {
				all[j].Count += r.Count
			}
		}
	}
	return all
}
