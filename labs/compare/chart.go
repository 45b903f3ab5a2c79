package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"wirelab/internal/cells"
)

// A chart is a row of panels, one for each transport, and in each a line for
// each fault, so that a column can be read down and a row across. Lengths are
// in units of the drawing, which is scaled to the page.
type chart struct {
	ID, Title string
	Desc      string // what there is to see, for those who cannot
	Caption   string
	Width     float64
	Height    float64
	Top       float64 // of the lines
	Bottom    float64
	Rows      []chartRow
	Panels    []chartPanel
	Keys      []chartKey
}

type chartRow struct {
	Y, Top, Height float64 // Y is the middle
	Label          string
	Band           bool // every other one is shaded, to lead the eye across
}

type chartPanel struct {
	X, Width float64
	Label    string
	Ticks    []chartTick
	Marks    []chartMark
}

type chartTick struct {
	X     float64
	Label string
}

// A chartMark is what is drawn for one cell.
type chartMark struct {
	Title  string // all of it in words
	Shapes []shape
	Label  string // beside it, if not empty
	LabelX float64
	Y      float64
}

// A shape is a bar, line, range or whisker from X to X2, or a dot, tick or ring
// at X.
type shape struct {
	Kind     string
	X, X2, Y float64
}

// A chartKey says what a kind of shape stands for.
type chartKey struct{ Kind, Meaning string }

// The measures of a chart.
const (
	chartWidth  = 1000
	chartLeft   = 150 // for the faults' names
	chartGap    = 20  // between panels
	chartHead   = 26
	chartFoot   = 24
	chartLine   = 20
	chartLabel  = 44 // beside a mark
	chartInset  = 6  // so that no mark is cut off
	tickSpacing = 34 // at least
)

// A scale maps values to places.
type scale struct {
	low, high float64
	from, to  float64
	log       bool
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(max(v, s.low)), math.Log(low), math.Log(high)
	}
	return s.from + (s.to-s.from)*(v-low)/(high-low)
}

// steps returns the round values from low to high, both included, that are at
// least tickSpacing apart.
func (s scale) steps() []float64 {
	for _, mantissas := range [][]float64{{1, 2, 5}, {1}} {
		if all := s.round(mantissas, 1); s.roomy(all) {
			return all
		}
	}
	for every := 2; ; every++ {
		if all := s.round([]float64{1}, every); s.roomy(all) || len(all) < 2 {
			return all
		}
	}
}

// round returns the mantissas times each power of ten, or every so many.
func (s scale) round(mantissas []float64, every int) []float64 {
	var all []float64
	first, last := int(math.Floor(math.Log10(s.low)+1e-9)), int(math.Ceil(math.Log10(s.high)))
	for e := first; e <= last; e += every {
		for _, m := range mantissas {
			if v := m * math.Pow10(e); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}

func (s scale) roomy(values []float64) bool {
	for i := 1; i < len(values); i++ {
		if s.at(values[i])-s.at(values[i-1]) < tickSpacing {
			return false
		}
	}
	return true
}

// even returns round values from 0 to high in equal steps.
func (s scale) even() []float64 {
	step := niceAbove(s.high / 4)
	for ; (s.to-s.from)*step/s.high < tickSpacing; step = niceAbove(step * 1.5) {
	}
	var all []float64
	for v := 0.0; v <= s.high*(1+1e-9); v += step {
		all = append(all, v)
	}
	return all
}

// niceAbove returns the least of 1, 2 and 5 times a power of ten that is no
// less than v, but at least 1.
func niceAbove(v float64) float64 {
	if v <= 1 {
		return 1
	}
	ten := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*ten >= v*(1-1e-9) {
			return m * ten
		}
	}
	return 10 * ten
}

// A plot says what of a cell is drawn, and how.
type plot struct {
	id, title, desc, caption string
	metrics                  []Metric
	log                      bool
	least                    float64 // where a scale begins at the latest; of a logarithmic one, more than 0
	keys                     []chartKey
	draw                     func(s scale, y float64, some []Spread) []shape
	label                    bool // write the first metric's value beside the mark
}

// charts draws what there is to compare besides what was delivered.
func (m *Matrix) charts() []chart {
	several := m.Runs > 1
	caption := func(text string) string {
		if several {
			return text + " Each mark is the median of the runs."
		}
		return text
	}
	keys := func(kind, meaning, span string) []chartKey {
		if several {
			return []chartKey{{kind, meaning}, {span, "its range over the runs"}}
		}
		return []chartKey{{kind, meaning}}
	}
	return []chart{
		m.chart(plot{
			id: "latency", title: "How long a message took, from emit to hand-over",
			desc:    "A line for each fault and transport from the median of its messages to the slowest, on a logarithmic scale",
			caption: caption("Logarithmic scale. What was not delivered has no latency: the matrix says how much that is."),
			metrics: metrics("latency_p50", "latency_p99", "latency_max"), log: true, least: math.Inf(1),
			keys: append([]chartKey{{"dot", "p50: half of the messages were faster"}, {"ring", "the slowest"}}, keys("tick", "p99", "range")...),
			draw: func(s scale, y float64, some []Spread) []shape {
				p50, p99, slow := some[0], some[1], some[2]
				all := []shape{{"line", s.at(p50.Median), s.at(slow.Median), y}, {"tick", s.at(p99.Median), 0, y},
					{"ring", s.at(slow.Median), 0, y}, {"dot", s.at(p50.Median), 0, y}}
				return append(ranges(s, y, p99, several), all...)
			},
		}),
		m.chart(plot{
			id: "bytes", title: "Bytes on the wire for each byte of text delivered",
			desc:    "A dot for each fault and transport, on a logarithmic scale",
			caption: caption("Logarithmic scale. All IP bytes count that entered the receiver's link in both directions: headers, acknowledgements and what was sent again."),
			metrics: metrics("bytes_per_byte"), log: true, least: 1, label: true,
			keys: keys("dot", "wire bytes per byte", "range"),
			draw: func(s scale, y float64, some []Spread) []shape {
				return append(ranges(s, y, some[0], several), shape{"line", s.from, s.at(some[0].Median), y}, shape{"dot", s.at(some[0].Median), 0, y})
			},
		}),
		m.chart(plot{
			id: "resent", title: "What was sent again",
			desc:    "A bar for each fault and transport",
			caption: caption("Segments and datagrams, by all hosts, those included that set a connection up. It is the price of reliability: what is not sent again, is lost where the network loses it."),
			metrics: metrics("retransmissions"), label: true,
			keys: keys("bar", "number of retransmissions", "whisker"),
			draw: func(s scale, y float64, some []Spread) []shape {
				all := []shape{{"bar", s.from, s.at(some[0].Median), y}}
				for _, r := range ranges(s, y, some[0], several) {
					all = append(all, shape{"whisker", r.X, r.X2, y})
				}
				return all
			},
		}),
	}
}

func ranges(s scale, y float64, of Spread, several bool) []shape {
	if !several || of.Min == of.Max {
		return nil
	}
	return []shape{{"range", s.at(of.Min), s.at(of.Max), y}}
}

// chart lays a plot of all cells out.
func (m *Matrix) chart(p plot) chart {
	out := chart{
		ID: p.id, Title: p.title, Desc: p.desc, Caption: p.caption, Keys: p.keys, Width: chartWidth,
		Top: chartHead, Bottom: chartHead + chartLine*float64(len(m.Rows)),
	}
	out.Height = out.Bottom + chartFoot
	for i, row := range m.Rows {
		top := chartHead + chartLine*float64(i)
		out.Rows = append(out.Rows, chartRow{top + chartLine/2, top, chartLine, cells.Cut(cells.Visible(row.Name), 20), i%2 == 0})
	}
	low, high := m.bounds(&p)
	if high > 0 {
		unit := p.metrics[0]
		out.Desc += fmt.Sprintf(". The values lie between %s and %s. The table of all figures has each of them.", unit.Format(low), unit.Format(high))
	}
	n := float64(max(1, len(m.Transports)))
	width := (chartWidth - chartLeft - chartGap*n) / n
	for j, t := range m.Transports {
		panel := chartPanel{X: chartLeft + chartGap + float64(j)*(width+chartGap), Width: width, Label: cells.Cut(cells.Visible(t), 18)}
		s := p.scale(low, high)
		s.from, s.to = panel.X+chartInset, panel.X+width-chartInset
		if p.label {
			s.from, s.to = panel.X, panel.X+width-chartLabel
		}
		panel.Ticks = p.ticks(s)
		for i, row := range m.Rows {
			if j < len(row.Cells) {
				panel.Marks = append(panel.Marks, p.mark(s, out.Rows[i].Y, &row.Cells[j]))
			}
		}
		out.Panels = append(out.Panels, panel)
	}
	return out
}

// bounds returns the least and the largest value to be drawn.
func (m *Matrix) bounds(p *plot) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, row := range m.Rows {
		for i := range row.Cells {
			for _, metric := range p.metrics {
				if s := metric.Spread(&row.Cells[i]); s.N > 0 {
					low, high = min(low, s.Min), max(high, s.Max)
				}
			}
		}
	}
	return low, high
}

// scale begins and ends on a round value, with some room between.
func (p *plot) scale(low, high float64) scale {
	if !p.log {
		return scale{low: 0, high: max(high, 1)}
	}
	if high <= 0 {
		low, high = 1, 10
	}
	low = min(max(low, 1e-9), p.least)
	low = math.Pow(10, math.Floor(math.Log10(low)+1e-9))
	high = max(niceAbove(high*1e9)/1e9, low*2)
	return scale{low: low, high: high, log: true}
}

func (p *plot) ticks(s scale) []chartTick {
	var all []chartTick
	values := s.even
	if s.log {
		values = s.steps
	}
	for _, v := range values() {
		all = append(all, chartTick{s.at(v), tickLabel(v, p.metrics[0].Unit)})
	}
	return all
}

// tickLabel spells a round value.
func tickLabel(v float64, unit string) string {
	if unit == "s" {
		switch {
		case v < 0.9999e-3:
			return round(v*1e6) + "µs"
		case v < 0.9999:
			return round(v*1e3) + "ms"
		}
		return round(v) + "s"
	}
	return round(v)
}

func round(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// mark draws one cell.
func (p *plot) mark(s scale, y float64, c *Cell) chartMark {
	m := chartMark{Y: y}
	var words []string
	var some []Spread
	for _, metric := range p.metrics {
		spread := metric.Spread(c)
		text := metric.Title + " " + metric.median(spread)
		if span := metric.span(spread); span != "" {
			text += " (" + span + ")"
		}
		words, some = append(words, text), append(some, spread)
	}
	m.Title = cells.Visible(c.Fault) + " over " + cells.Visible(c.Transport) + ": " + strings.Join(words, ", ")
	if some[0].N == 0 {
		m.Label, m.LabelX = "nothing delivered", s.from+4
		return m
	}
	m.Shapes = p.draw(s, y, some)
	if p.label {
		m.Label = p.metrics[0].median(some[0])
		m.LabelX = max(s.at(some[0].Median), s.from)
		for _, shape := range m.Shapes {
			m.LabelX = max(m.LabelX, shape.X, shape.X2)
		}
		m.LabelX += 7
	}
	return m
}
