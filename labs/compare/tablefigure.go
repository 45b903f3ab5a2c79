package compare

import (
	"slices"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// nothing stands for a figure that no run has, such as the latency of what
// never arrived.
const nothing = "–"

// A figure is what a table shows of a cell.
type figure struct {
	title string
	what  string                              // in a few words
	show  func(c *Cell) (median, span string) // span is the range over the runs, empty if there is none
}

// FindMetric returns the metric of that name.
func FindMetric(name string) (m Metric, ok bool) {
	all := Metrics()
	i := slices.IndexFunc(all, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return m, false
	}
	return all[i], true
}

// metrics returns the metrics with those names, all of them our own.
func metrics(names ...string) []Metric {
	some := make([]Metric, len(names))
	for i, name := range names {
		some[i], _ = FindMetric(name)
	}
	return some
}

// Meaning says in a few words what the metric counts.
func (m *Metric) Meaning() string {
	switch m.Name {
	case "sent":
		return "messages that the sending program emitted"
	case "delivered":
		return "different messages that were handed to the receiving program"
	case "lost":
		return "messages sent and not delivered"
	case "reported":
		return "lost messages that the receiving program was told of"
	case "refused":
		return "messages that the sending program was told were not taken"
	case "duplicates":
		return "hand-overs beyond the first of a message"
	case "out_of_order":
		return "messages handed over after one that was sent later (RFC 4737)"
	case "latency_p50":
		return "time from emit to hand-over, the median of the messages"
	case "latency_p99":
		return "time from emit to hand-over, the 99th percentile of the messages"
	case "latency_max":
		return "time from emit to hand-over, the slowest message"
	case "bytes_per_byte":
		return "IP bytes on the receiver's link for each byte of text delivered"
	case "retransmissions":
		return "segments and datagrams sent again, by all hosts"
	}
	return m.Title
}

// figureOf shows one metric.
func figureOf(m Metric) figure {
	return figure{m.Title, m.Meaning(), func(c *Cell) (median, span string) {
		s := m.Spread(c)
		return m.median(s), m.span(s)
	}}
}

// deliveredFigure shows what was delivered of what was sent, as 81/100.
func deliveredFigure() figure {
	of := metrics("delivered", "sent")
	return figure{of[0].Title, "", func(c *Cell) (median, span string) {
		d, s := of[0].Spread(c), of[1].Spread(c)
		if d.N == 0 {
			return nothing, ""
		}
		return of[0].median(d) + "/" + of[1].median(s), of[0].span(d)
	}}
}

// median returns the spread's median for people.
func (m *Metric) median(s Spread) string {
	if s.N == 0 {
		return nothing
	}
	return m.Format(s.Median)
}

// span returns the spread's range for people, such as 76–88 or 25.1–25.8ms. It
// is empty if all runs look the same.
func (m *Metric) span(s Spread) string {
	low, high := m.Format(s.Min), m.Format(s.Max)
	if s.N == 0 || low == high {
		return ""
	}
	number := func(s string) string { return strings.TrimRight(s, "mµs") }
	if unit := low[len(number(low)):]; unit == high[len(number(high)):] {
		low = number(low)
	}
	return low + "–" + high
}

// grade returns 0 for the best of what a run can show to 3 for the worst, in
// step with Sign.
func (g Guarantee) grade() int { return slices.Index([]string{"✓", "~", "!", "✗"}, g.Sign()) }

// sign returns the cell's sign in colour.
func (c *Cell) sign(p *style.Palette) string {
	if len(c.Runs) == 0 {
		return p.Dim.Render("·")
	}
	g := c.Guarantee()
	return p.Grade(g.grade()).Render(g.Sign())
}

// A slot is the room that one figure has in a column.
type slot struct {
	figure
	median, span int // widths; span is 0 if no cell has a range, or if it stands below
	below        bool
}

func (s *slot) width() int {
	if s.span == 0 || s.below {
		return max(s.median, s.span)
	}
	return s.median + 1 + s.span
}

// slots measures the figures over all cells. A range stands behind its median
// in brackets, or below it.
func slots(figures []figure, all []*Cell, below bool) []slot {
	some := make([]slot, len(figures))
	for i, f := range figures {
		s := slot{figure: f, below: below}
		for _, c := range all {
			median, span := f.show(c)
			s.median = max(s.median, cells.Width(median))
			if span != "" {
				s.span = max(s.span, cells.Width(s.enclose(span)))
			}
		}
		some[i] = s
	}
	return some
}

func (s *slot) enclose(span string) string {
	if s.below {
		return span
	}
	return "(" + span + ")"
}

// lines renders the cell's figure: one line, and one more if the range stands
// below and there is one. ink is for the median.
func (s *slot) lines(c *Cell, ink, dim func(...string) string) []string {
	median, span := s.show(c)
	if s.below {
		lines := []string{paint(cells.PadLeft(median, s.width()), ink)}
		if span != "" {
			lines = append(lines, paint(cells.PadLeft(span, s.width()), dim))
		}
		return lines
	}
	line := paint(cells.PadLeft(median, s.median), ink)
	switch {
	case span != "":
		line += " " + paint(cells.Pad(s.enclose(span), s.span), dim)
	case s.span > 0:
		line += strings.Repeat(" ", 1+s.span)
	}
	return []string{line}
}

// paint colours s, but not the spaces around it.
func paint(s string, ink func(...string) string) string {
	text := strings.Trim(s, " ")
	if text == "" {
		return s
	}
	i := strings.Index(s, text)
	return s[:i] + ink(text) + s[i+len(text):]
}
