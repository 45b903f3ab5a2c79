// Package plot draws points over two axes, in a terminal and as SVG, and makes
// such plots from a capture: the sequence numbers of a TCP flow over time as
// tcptrace draws them, its throughput, its round trips and its windows.
//
// The drawing knows nothing of packets: who has points of his own fills a [Plot].
// What comes from a capture is read twice, and of one flow only: [Choose] finds
// the flow, [Target.Plot] its points. A [Series] has at most a few thousand of
// them, however long the capture is: what falls into the same column of the
// picture is put together, its least and greatest kept.
package plot

import (
	"math"

	"wirelab/internal/cells"
)

// A Plot is a picture with two axes.
type Plot struct {
	Title  string
	X, Y   Axis
	Series []Series // later ones are drawn over earlier ones
	Notes  []string // lines below the picture
	Empty  string   // what to say in the middle if there are no points
}

// An Axis says what is measured along it.
type Axis struct {
	Label    string
	Unit     Unit
	Zero     bool    // 0 belongs to the range
	Min, Max float64 // in Unit; if they are equal, the range of the points
}

// A Style is how the points of a series are drawn.
type Style uint8

// The styles.
const (
	Line   Style = iota // joined by straight lines
	Steps               // a value holds until the next one
	Dashes              // Steps with a broken line
	Dots                // a dot each
	Ticks               // a vertical line from Low to Y
	Marks               // the series' sign, also all the way from Low to Y
)

// A Series is points that belong together. Name and Sign tell it from others
// where colours cannot: the sign stands on a mark or at the end of a line.
type Series struct {
	Name   string
	Sign   string // one character, one cell wide
	Style  Style
	Ink    int // number of a colour: see style.Palette.Field
	Points []Point

	reduceAt int   // points after which Add reduces
	keep     span  // Add passes over what has another X; if empty, over nothing
	carry    Point // the latest before keep, of Steps and Dashes
	carried  bool  // there is one
}

// A Point is one value. A Y that is no number interrupts a line.
type Point struct {
	X, Y float64
	Low  float64 // of Ticks and Marks: the other end, Y or less
}

// ranged reports whether Low counts.
func (s Style) ranged() bool { return s == Ticks || s == Marks }

// joined reports whether points are joined.
func (s Style) joined() bool { return s <= Dashes }

// safe returns p with texts that cannot do harm, and without what cannot be drawn.
func (p *Plot) safe() *Plot {
	q := &Plot{Title: cells.Visible(p.Title), X: p.X, Y: p.Y, Empty: cells.Visible(p.Empty)}
	q.X.Label, q.Y.Label = cells.Visible(p.X.Label), cells.Visible(p.Y.Label)
	for _, n := range p.Notes {
		q.Notes = append(q.Notes, cells.Visible(n))
	}
	for _, s := range p.Series {
		s.Name = cells.Visible(s.Name)
		first, _ := cells.First(cells.Visible(s.Sign))
		if cells.Width(first) != 1 {
			first = "•"
		}
		s.Sign = first
		if len(s.Points) > 0 {
			q.Series = append(q.Series, s)
		}
	}
	return q
}

// drawable reports whether a point has a place.
func (p Point) drawable() bool { return finite(p.X) && finite(p.Y) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// ranges returns the least and greatest values along both axes; ok is false if
// there are no points.
func (p *Plot) ranges() (x, y span, ok bool) {
	x, y = nothing(), nothing()
	for i := range p.Series {
		s := &p.Series[i]
		for _, q := range s.Points {
			if !q.drawable() {
				continue
			}
			ok = true
			x.take(q.X)
			y.take(q.Y)
			if s.Style.ranged() && finite(q.Low) {
				y.take(q.Low)
			}
		}
	}
	return p.X.over(x), p.Y.over(y), ok
}

// A span is a range of values.
type span struct{ lo, hi float64 }

func nothing() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) take(v float64) { s.lo, s.hi = min(s.lo, v), max(s.hi, v) }

// over returns the range of the axis for values in s; it is never empty.
func (a *Axis) over(s span) span {
	if a.Min != a.Max && finite(a.Min) && finite(a.Max) {
		s = span{min(a.Min, a.Max), max(a.Min, a.Max)}
	} else {
		if s.lo > s.hi {
			s = span{0, 1}
		}
		if a.Zero {
			s.take(0)
		}
	}
	// What cannot be told apart gets room around it.
	if least := max(math.Abs(s.lo), math.Abs(s.hi)) * 1e-9; s.hi-s.lo <= least {
		room := max(math.Abs(s.hi)/2, a.Unit.least())
		if s.lo >= 0 && s.lo < room {
			s.lo = 0
		} else {
			s.lo -= room
		}
		s.hi += room
	}
	return s
}
