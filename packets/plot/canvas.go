package plot

import (
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
)

// A canvas is the area between the axes. A cell has 2 by 4 dots (the braille
// patterns, U+2800 to U+28FF) or a sign, which lies above dots.
type canvas struct {
	cols, rows int
	x, y       span
	cell       []spot
}

type spot struct {
	sign string
	dots uint8
	ink  int // of the palette plus 1; 0 is none
}

// dotBits are the bits of the braille patterns by row and column.
var dotBits = [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

func newCanvas(cols, rows int, x, y span) *canvas {
	return &canvas{cols: cols, rows: rows, x: x, y: y, cell: make([]spot, cols*rows)}
}

// part returns where v lies in s: 0 at its low end, 1 at its high one.
func (s span) part(v float64) float64 {
	return (v/2 - s.lo/2) / (s.hi/2 - s.lo/2) // halves, or the difference may be too large a number
}

// has reports whether v lies in s.
func (s span) has(v float64) bool { return v >= s.lo && v <= s.hi }

// column and row return the dot of a value; row 0 is the top.
func (c *canvas) column(v float64) int {
	return int(math.Round(c.x.part(v) * float64(2*c.cols-1)))
}

func (c *canvas) row(v float64) int {
	return 4*c.rows - 1 - int(math.Round(c.y.part(v)*float64(4*c.rows-1)))
}

// dot sets a dot.
func (c *canvas) dot(x, y, ink int) {
	if x < 0 || y < 0 || x >= 2*c.cols || y >= 4*c.rows {
		return
	}
	s := &c.cell[y/4*c.cols+x/2]
	s.dots |= dotBits[y%4][x%2]
	s.ink = ink + 1
}

// put sets the sign of the cell of a dot.
func (c *canvas) put(x, y int, sign string, ink int) {
	if x < 0 || y < 0 || x >= 2*c.cols || y >= 4*c.rows {
		return
	}
	c.cell[y/4*c.cols+x/2] = spot{sign: sign, ink: ink + 1}
}

// line draws from a to b; with broken, every other pair of dots.
func (c *canvas) line(a, b Point, ink int, broken bool) {
	a, b, ok := clip(a, b, c.x, c.y)
	if !ok {
		return
	}
	x0, y0, x1, y1 := c.column(a.X), c.row(a.Y), c.column(b.X), c.row(b.Y)
	n := max(abs(x1-x0), abs(y1-y0))
	for i := 0; i <= n; i++ {
		x, y := x0, y0
		if n > 0 {
			x += int(math.Round(float64((x1-x0)*i) / float64(n)))
			y += int(math.Round(float64((y1-y0)*i) / float64(n)))
		}
		if broken && (x+y)%4 > 1 {
			continue
		}
		c.dot(x, y, ink)
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// clip returns the part of the line from a to b that lies in x and y (the
// algorithm of Liang and Barsky).
func clip(a, b Point, x, y span) (Point, Point, bool) {
	if !a.drawable() || !b.drawable() {
		return a, b, false
	}
	from, to := 0.0, 1.0
	for _, e := range [4][2]float64{{a.X - b.X, a.X - x.lo}, {b.X - a.X, x.hi - a.X}, {a.Y - b.Y, a.Y - y.lo}, {b.Y - a.Y, y.hi - a.Y}} {
		switch p, q := e[0], e[1]; {
		case p == 0 && q < 0:
			return a, b, false
		case p < 0:
			from = max(from, q/p)
		case p > 0:
			to = min(to, q/p)
		}
	}
	if !(from <= to) {
		return a, b, false
	}
	at := func(t float64) Point {
		q := Point{X: a.X + t*(b.X-a.X), Y: a.Y + t*(b.Y-a.Y)}
		q.X, q.Y = min(max(q.X, x.lo), x.hi), min(max(q.Y, y.lo), y.hi)
		return q
	}
	return at(from), at(to), true
}

// draw draws a series.
func (c *canvas) draw(s *Series) {
	switch {
	case s.Style.joined():
		s.segments(func(a, b Point) { c.line(a, b, s.Ink, s.Style == Dashes) })
		return
	case s.Style == Dots:
		few := len(s.Points) <= 4*c.cols
		for _, p := range s.Points {
			if !p.drawable() || !c.x.has(p.X) || !c.y.has(p.Y) {
				continue
			}
			if few { // a lone dot of a braille pattern is hard to see
				c.put(c.column(p.X), c.row(p.Y), s.Sign, s.Ink)
			} else {
				c.dot(c.column(p.X), c.row(p.Y), s.Ink)
			}
		}
		return
	}
	for _, p := range s.Points {
		low, high, ok := p.within(c.x, c.y)
		if !ok {
			continue
		}
		x := c.column(p.X)
		step := 1
		if s.Style == Marks {
			step = 4
		}
		top, bottom := c.row(high), c.row(low)
		for y := bottom; ; y = max(y-step, top) {
			if s.Style == Marks {
				c.put(x, y, s.Sign, s.Ink)
			} else {
				c.dot(x, y, s.Ink)
			}
			if y <= top {
				break
			}
		}
	}
}

// within returns the part of a tick or mark that lies in x and y.
func (p Point) within(x, y span) (low, high float64, ok bool) {
	if !p.drawable() || !finite(p.Low) || !x.has(p.X) || p.Y < y.lo || p.Low > y.hi {
		return 0, 0, false
	}
	return max(p.Low, y.lo), min(p.Y, y.hi), p.Low <= p.Y
}

// segments calls line for each line that joins the points.
func (s *Series) segments(line func(a, b Point)) {
	for i, p := range s.Points {
		if !p.drawable() {
			continue
		}
		if i == 0 || !s.Points[i-1].drawable() {
			line(p, p)
			continue
		}
		last := s.Points[i-1]
		if s.Style == Line {
			line(last, p)
			continue
		}
		corner := Point{X: p.X, Y: last.Y}
		line(last, corner)
		line(corner, p)
	}
}

// line returns row y in colour.
func (c *canvas) text(y int, render func(ink int) lipgloss.Style) string {
	var out, run strings.Builder
	ink := 0
	flush := func() {
		if ink == 0 {
			out.WriteString(run.String())
		} else if run.Len() > 0 {
			out.WriteString(render(ink - 1).Render(run.String()))
		}
		run.Reset()
	}
	for x := range c.cols {
		s := c.cell[y*c.cols+x]
		mark := s.sign
		if mark == "" {
			mark = " "
			if s.dots != 0 {
				mark = string(rune(0x2800 + int(s.dots)))
			}
		}
		if s.ink != ink {
			flush()
			ink = s.ink
		}
		run.WriteString(cells.Visible(mark))
	}
	flush()
	return out.String()
}
