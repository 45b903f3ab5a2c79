package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// A View says how something is shown on a terminal. Nothing is wider than
// Width, and nothing is said by colour alone.
type View struct {
	Width   int            // in columns; if zero, 80
	Height  int            // in lines; what does not fit with blank lines goes without them; if zero, there is no end
	Palette *style.Palette // if nil, no colours
	Metrics []Metric       // what to show of each cell; if empty, as many as fit, the most important first
	Command string         // the command line that shows the same again; may be empty
}

// Where things begin to be too narrow to be read.
const (
	minWidth  = 20
	leastName = 8
)

// filled returns v with the defaults in place of what is zero.
func (v View) filled() View {
	if v.Width == 0 {
		v.Width = 80
	}
	v.Width = max(v.Width, minWidth)
	if v.Palette == nil {
		r := lipgloss.NewRenderer(nil)
		r.SetColorProfile(termenv.Ascii)
		v.Palette = style.PaletteOf(r)
	}
	return v
}

// Table returns the comparison for a terminal: a line for each fault and a
// column for each transport, or, of a single fault, a line for each transport
// and a column for each metric; then what the signs mean, and how to see the
// same again. It ends with a line break. A width below 20 is taken for 20.
func (m *Matrix) Table(v View) string {
	v = v.filled()
	p := page{width: v.Width}
	p.text(v.Palette.Name.Render, "", m.workload(&v))
	if len(m.Rows) == 1 {
		m.fault(&p, &v, &m.Rows[0])
	} else {
		m.overview(&p, &v, m.Transports)
	}
	p.blank()
	m.legend(&p, &v)
	return p.fold(v.Height)
}

// workload says in a line what each cell's runs were.
func (m *Matrix) workload(v *View) string {
	text := fmt.Sprintf("%s of about %d bytes, %g/s; ", plural(m.Messages, "message", "messages"), m.Size, m.Rate)
	if len(m.Rows) != 1 && len(v.Metrics) == 0 {
		text = "delivered/sent of " + text
	}
	if m.Runs > 1 {
		return text + fmt.Sprintf("%d runs, seeds %d–%d", m.Runs, m.Seed, m.Seed+uint64(m.Runs)-1)
	}
	return text + fmt.Sprintf("seed %d", m.Seed)
}

// A page collects lines that are no wider than it.
type page struct {
	width int
	lines []string
}

// fold returns the text, without its blank lines if it and a line for the
// prompt are higher than height.
func (p *page) fold(height int) string {
	lines := p.lines
	if height > 0 && len(lines) >= height {
		lines = slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return s == "" })
	}
	return strings.Join(lines, "\n") + "\n"
}

func (p *page) blank() { p.lines = append(p.lines, "") }

// line adds a line that is already made up, and cuts it if need be.
func (p *page) line(s string) {
	p.lines = append(p.lines, strings.TrimRight(ansi.Truncate(s, p.width, "…"), " "))
}

// text adds text of whatever length and origin, after a head that is already
// made up; further lines begin below its beginning.
func (p *page) text(ink func(...string) string, head, s string) {
	indent := lipgloss.Width(head)
	if indent > p.width/2 {
		p.line(head)
		head, indent = "  ", 2
	}
	for i, line := range cells.Wrap(cells.Visible(s), p.width-indent, p.width-indent) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		p.line(head + paint(line, ink))
	}
}

// grid renders rows with lipgloss, the first column to the left, a gap before
// each other one, and a rule below the heads.
func grid(p *style.Palette, gap int, heads []string, rows [][]string) []string {
	t := table.New().Headers(heads...).Rows(rows...).
		Border(lipgloss.NormalBorder()).BorderStyle(p.Dim).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).
		StyleFunc(func(_, column int) lipgloss.Style {
			if column == 0 {
				return lipgloss.NewStyle()
			}
			return lipgloss.NewStyle().PaddingLeft(gap)
		})
	lines := strings.Split(strings.TrimRight(t.Render(), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

// overviewFigures are what an overview shows of each cell, the most important
// first.
func (v *View) overviewFigures() []figure {
	var some []figure
	if len(v.Metrics) == 0 {
		some = append(some, deliveredFigure())
		for _, m := range metrics("latency_p99", "bytes_per_byte", "retransmissions", "latency_p50") {
			some = append(some, figureOf(m))
		}
		return some
	}
	for _, m := range v.Metrics {
		some = append(some, figureOf(m))
	}
	return some
}

// An overview is a table of all faults over some transports.
type overview struct {
	rows       []Row
	names      []string // of the transports, made visible
	slots      []slot
	several    bool // runs of each cell
	name, full int  // width of the column of faults, and of the longest name
	cell       int  // width of each other column
	gap        int  // before it
}

const signWidth = 2 // the sign and a space

// overview adds the table, or several with some of the transports each.
func (m *Matrix) overview(p *page, v *View, transports []string) {
	figures := v.overviewFigures()
	fit := func(below bool) (best *overview) {
		for n := len(figures); n > 0; n-- {
			if o := m.layOut(v, transports, figures[:n], below); o.width() <= v.Width {
				return o
			}
		}
		return nil
	}
	best := fit(false)
	// Ranges below make the table twice as high. It has to be worth it.
	if below := fit(true); best == nil || below != nil && len(below.slots) > len(best.slots)+1 {
		best = below
	}
	if best != nil {
		best.name = min(best.full, best.name+v.Width-best.width())
		best.render(p, v.Palette)
		return
	}
	if half := len(transports) / 2; half > 0 {
		m.overview(p, v, transports[:half])
		p.blank()
		m.overview(p, v, transports[half:])
		return
	}
	o := m.layOut(v, transports, figures[:1], true)
	o.name = max(leastName, o.name-(o.width()-v.Width))
	if o.width() > v.Width {
		o.cell = max(1, v.Width-o.name-o.gap)
	}
	o.render(p, v.Palette)
}

// layOut measures a table with those figures.
func (m *Matrix) layOut(v *View, transports []string, figures []figure, below bool) *overview {
	o := &overview{gap: 2, several: m.Runs > 1}
	if len(figures) > 1 {
		o.gap = 3
	}
	o.name = len("fault")
	var all []*Cell
	for _, row := range m.Rows {
		some := Row{Name: cells.Visible(row.Name)}
		for _, t := range transports {
			c := Cell{Fault: row.Name, Transport: t}
			if i := slices.IndexFunc(row.Cells, func(c Cell) bool { return c.Transport == t }); i >= 0 {
				c = row.Cells[i]
			}
			some.Cells = append(some.Cells, c)
		}
		for i := range some.Cells {
			all = append(all, &some.Cells[i])
		}
		o.rows = append(o.rows, some)
		o.name = max(o.name, cells.Width(some.Name))
	}
	o.full, o.name = o.name, min(o.name, max(leastName, v.Width/3))
	o.slots = slots(figures, all, below)
	o.cell = signWidth
	for i := range o.slots {
		o.cell += o.room(i)
	}
	for _, t := range transports {
		name := cells.Visible(t)
		o.names = append(o.names, name)
		// A long name is cut before it drives a figure out.
		o.cell = max(o.cell, min(cells.Width(name), leastName+4))
	}
	return o
}

// room returns the width of the i-th slot: if there are several, their titles
// have to fit, too, that of the first above the sign.
func (o *overview) room(i int) int {
	s := &o.slots[i]
	switch {
	case len(o.slots) == 1:
		return s.width()
	case i == 0:
		return max(s.width(), cells.Width(s.title)-signWidth)
	}
	return 2 + max(s.width(), cells.Width(s.title))
}

func (o *overview) width() int { return o.name + len(o.names)*(o.gap+o.cell) }

// render adds the table; over several figures there is a line that says which
// transport they belong to.
func (o *overview) render(to *page, p *style.Palette) {
	heads, titles, over := []string{paint(cells.Pad("fault", o.name), p.Name.Render)}, o.titles(), strings.Repeat(" ", o.name)
	var what []string
	if len(o.slots) == 1 && o.slots[0].what != "" {
		what = append(what, "each cell: "+o.slots[0].what)
	}
	if o.several {
		what = append(what, "the median, and the range over the runs")
	}
	if len(what) > 0 {
		to.text(p.Dim.Render, "", strings.Join(what, "; "))
	}
	to.blank()
	for _, name := range o.names {
		name = paint(cells.Pad(name, o.cell), p.Name.Render)
		over += strings.Repeat(" ", o.gap) + name
		if len(o.slots) > 1 {
			name = paint(cells.Pad(titles, o.cell), p.Dim.Render)
		}
		heads = append(heads, name)
	}
	var rows [][]string
	for i := range o.rows {
		row := []string{cells.Pad(o.rows[i].Name, o.name)}
		for j := range o.rows[i].Cells {
			row = append(row, o.text(p, &o.rows[i].Cells[j]))
		}
		rows = append(rows, row)
	}
	if len(o.slots) > 1 {
		to.line(over)
	}
	for _, line := range grid(p, o.gap, heads, rows) {
		to.line(line)
	}
}

// titles returns the figures' titles in their places.
func (o *overview) titles() string {
	var b strings.Builder
	for i := range o.slots {
		s := &o.slots[i]
		width := o.room(i)
		if i == 0 {
			b.WriteString(cells.PadLeft(s.title, signWidth+width))
			continue
		}
		b.WriteString(cells.PadLeft(s.title, width))
	}
	return b.String()
}

// text returns one cell, of one line or two.
func (o *overview) text(p *style.Palette, c *Cell) string {
	var lines [2]string
	for i := range o.slots {
		s := &o.slots[i]
		ink, indent := p.Event.Render, strings.Repeat(" ", o.room(i)-s.width())
		if i == 0 {
			ink = p.Grade(c.Guarantee().grade()).Render
			lines[0], lines[1] = indent+c.sign(p)+" ", indent+strings.Repeat(" ", signWidth)
			indent = ""
		}
		some := s.lines(c, ink, p.Dim.Render)
		lines[0] += indent + some[0]
		if len(some) > 1 {
			lines[1] += indent + some[1]
		} else {
			lines[1] += indent + strings.Repeat(" ", s.width())
		}
	}
	text := ansi.Truncate(lines[0], o.cell, "…")
	if strings.Trim(lines[1], " ") != "" {
		text += "\n" + ansi.Truncate(lines[1], o.cell, "…")
	}
	return text
}
