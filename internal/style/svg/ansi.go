package svg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// A cell is one place on the screen: a character, empty for the second half of
// a wide one, and how it is drawn.
type cell struct {
	text string
	ink  ink
}

func (c *cell) blank() bool { return c.text == " " && !c.ink.underline }

// An ink is what SGR sequences (ECMA-48, 8.3.117) have set.
type ink struct {
	fg, bg                                  string // "#rrggbb"; empty: the usual
	bold, faint, italic, underline, reverse bool
}

func (i ink) front() string {
	if i.reverse {
		if i.bg == "" {
			return background
		}
		return i.bg
	}
	if i.fg == "" {
		return foreground
	}
	return i.fg
}

// back is what is painted behind the text, empty for nothing.
func (i ink) back() string {
	if !i.reverse {
		return i.bg
	}
	if i.fg == "" {
		return foreground
	}
	return i.fg
}

// parse puts screen on a grid.
func parse(screen string, cols, rows int) [][]cell {
	grid := make([][]cell, rows)
	for y := range grid {
		grid[y] = make([]cell, cols)
		for x := range grid[y] {
			grid[y][x] = cell{text: " "}
		}
	}
	var now ink
	var state byte
	x, y := 0, 0
	for len(screen) > 0 {
		seq, width, n, next := ansi.DecodeSequence(screen, state, nil)
		state = next
		screen = screen[n:]
		switch {
		case width > 0:
			if y < rows && x+width <= cols {
				grid[y][x] = cell{seq, now}
				for i := 1; i < width; i++ {
					grid[y][x+i] = cell{"", now}
				}
			}
			x += width
		case x > 0 && x <= cols && y < rows && combines(seq):
			grid[y][x-1].text += seq
		case seq == "\n":
			x, y = 0, y+1
		case seq == "\r":
			x = 0
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			now = now.apply(seq[2 : len(seq)-1])
		}
	}
	return grid
}

// combines reports whether seq sits on the character before it.
func combines(seq string) bool {
	r, _ := utf8.DecodeRuneInString(seq)
	return unicode.Is(unicode.M, r)
}

// apply returns the ink after one SGR sequence.
func (i ink) apply(params string) ink {
	ps := strings.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ':' })
	if len(ps) == 0 {
		return ink{}
	}
	for len(ps) > 0 {
		n, err := strconv.Atoi(ps[0])
		ps = ps[1:]
		if err != nil {
			continue
		}
		switch {
		case n == 0:
			i = ink{}
		case n == 1:
			i.bold = true
		case n == 2:
			i.faint = true
		case n == 3:
			i.italic = true
		case n == 4:
			i.underline = true
		case n == 7:
			i.reverse = true
		case n == 22:
			i.bold, i.faint = false, false
		case n == 23:
			i.italic = false
		case n == 24:
			i.underline = false
		case n == 27:
			i.reverse = false
		case n >= 30 && n <= 37:
			i.fg = basic[n-30]
		case n == 38:
			i.fg, ps = extended(ps)
		case n == 39:
			i.fg = ""
		case n >= 40 && n <= 47:
			i.bg = basic[n-40]
		case n == 48:
			i.bg, ps = extended(ps)
		case n == 49:
			i.bg = ""
		case n >= 90 && n <= 97:
			i.fg = basic[n-90+8]
		case n >= 100 && n <= 107:
			i.bg = basic[n-100+8]
		}
	}
	return i
}

// extended reads what follows 38 or 48: 5 and a number, or 2 and three.
func extended(ps []string) (colour string, rest []string) {
	number := func(s string) int {
		n, _ := strconv.Atoi(s)
		return min(max(n, 0), 255)
	}
	switch {
	case len(ps) >= 2 && ps[0] == "5":
		return indexed(number(ps[1])), ps[2:]
	case len(ps) >= 4 && ps[0] == "2":
		return fmt.Sprintf("#%02x%02x%02x", number(ps[1]), number(ps[2]), number(ps[3])), ps[4:]
	}
	return "", nil
}

// basic are the 16 colours that a terminal has a free hand with.
var basic = [...]string{
	"#3b4048", "#ff8080", "#a5d66f", "#e6d34f", "#6cb6ff", "#ff8ec6", "#4fd6be", "#d5d8de",
	"#7d838f", "#ff9e9e", "#bfe98b", "#f2e27a", "#93caff", "#ffb0d6", "#86e6d3", "#ffffff",
}

// indexed is a colour of the 256: the basic ones, a cube of 6 to each side, and
// 24 greys.
func indexed(n int) string {
	switch {
	case n < 16:
		return basic[n]
	case n < 232:
		level := func(i int) int {
			if i == 0 {
				return 0
			}
			return 55 + 40*i
		}
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
	}
	g := 8 + 10*(n-232)
	return fmt.Sprintf("#%02x%02x%02x", g, g, g)
}
