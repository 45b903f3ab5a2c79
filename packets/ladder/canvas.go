package ladder

import (
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
)

// A canvas is the area between the gutters, one character to a cell. Slants are
// drawn with dots, 2 by 4 to a cell (the braille patterns, U+2800 to U+28FF), so
// that lines may cross and stay lines. Text lies above dots.
type canvas struct {
	cols, rows int
	cell       []spot
}

type spot struct {
	text string // empty: the dots, or nothing
	dots uint8
	wide bool // the second half of the character before
	ink  *lipgloss.Style
}

func newCanvas(cols, rows int) *canvas {
	return &canvas{cols: cols, rows: rows, cell: make([]spot, cols*rows)}
}

func (c *canvas) at(x, y int) *spot { return &c.cell[y*c.cols+x] }

// put writes s, which is safe, from x on; what does not fit is cut.
func (c *canvas) put(x, y int, s string, ink *lipgloss.Style) {
	if y < 0 || y >= c.rows || x < 0 {
		return
	}
	for s != "" && x < c.cols {
		var first string
		first, s = cells.First(s)
		w := cells.Width(first)
		if x+w > c.cols {
			return
		}
		*c.at(x, y) = spot{text: first, ink: ink}
		for i := 1; i < w; i++ {
			*c.at(x+i, y) = spot{wide: true, ink: ink}
		}
		x += w
	}
}

// fill writes mark into the columns from x to end.
func (c *canvas) fill(x, end, y int, mark string, ink *lipgloss.Style) {
	for ; x < end; x++ {
		c.put(x, y, mark, ink)
	}
}

// dotBits are the bits of the braille patterns by row and column.
var dotBits = [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// slant draws a line from the edge of column x0 in row y0 to that of x1 in y1;
// every is 1 for a whole line, 2 for one of dots apart. Of x0 and x1 the larger
// one is the column after the line.
func (c *canvas) slant(x0, y0, x1, y1, every int, ink *lipgloss.Style) {
	left, right, top, bottom := x0, x1, y0, y1
	if left > right {
		left, right, top, bottom = right, left, bottom, top
	}
	w := 2 * (right - left)
	const middle = 1 // of a cell's 4 rows of dots, where ─ is
	for i := 0; i < w; i++ {
		if i%every != 0 {
			continue
		}
		x := 2*left + i
		y := 4*top + middle
		if w > 1 {
			d := 4 * (bottom - top) * i
			y += (d + sign(d)*(w-1)/2) / (w - 1)
		}
		if y < 0 || y/4 >= c.rows || x < 0 || x/2 >= c.cols {
			continue
		}
		s := c.at(x/2, y/4)
		s.dots |= dotBits[y%4][x%2]
		if s.text == "" {
			s.ink = ink
		}
	}
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// line returns row y with its colours.
func (c *canvas) line(y int) string {
	var out, run strings.Builder
	var ink *lipgloss.Style
	flush := func() {
		if ink == nil {
			out.WriteString(run.String())
		} else {
			out.WriteString(ink.Render(run.String()))
		}
		run.Reset()
	}
	for x := range c.cols {
		s := c.at(x, y)
		if s.wide {
			continue
		}
		text, own := s.text, s.ink
		switch {
		case text == "" && s.dots != 0:
			text = string(rune(0x2800 + int(s.dots)))
		case text == "", text == " ":
			text, own = " ", nil
		}
		if own != ink {
			flush()
			ink = own
		}
		run.WriteString(text)
	}
	flush()
	return out.String()
}
