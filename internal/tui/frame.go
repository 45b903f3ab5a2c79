package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"wirelab/internal/cells"
)

// The lines that views are put together from hold text that is safe already,
// and colours. Their width is that of what is left without the colours.

// width returns how many cells a line with colours takes.
func width(line string) int {
	if !strings.Contains(line, "\x1b") {
		return cells.Width(line)
	}
	return cells.Width(ansi.Strip(line))
}

// cut returns at most width cells of a line with colours.
func cut(line string, w int) string {
	if width(line) <= w {
		return line
	}
	for n := w; n > 0; n-- {
		if s := ansi.Truncate(line, n, "…"); width(s) <= w {
			return s
		}
	}
	return ""
}

// pad makes a line with colours exactly w cells wide.
func pad(line string, w int) string {
	line = cut(line, w)
	return line + strings.Repeat(" ", max(w-width(line), 0))
}

// rule draws a horizontal line of w cells with texts in it, left and right.
// What does not fit is left out: first the last of left, but one. Vertical
// lines above it end at the joints, where it is only a line.
func rule(w int, left, right []string, ink func(...string) string, joints ...int) string {
	const stroke = "──"
	join := func(texts []string) string {
		if len(texts) == 0 {
			return ""
		}
		return " " + strings.Join(texts, ink(" · ")) + " "
	}
	for {
		l, r := join(left), join(right)
		if r != "" {
			r += ink(stroke)
		}
		if fill := w - 2 - width(l) - width(r); fill >= 0 {
			line := []rune(strings.Repeat("─", fill))
			for _, at := range joints {
				if at -= 2 + width(l); at >= 0 && at < len(line) {
					line[at] = '┴'
				}
			}
			return ink(stroke) + l + ink(string(line)) + r
		}
		switch {
		case len(left) > 1:
			left = left[:len(left)-1]
		case len(right) > 0:
			right = right[1:]
		case len(left) == 1 && w > 6:
			left = []string{cut(left[0], w-4)}
		default:
			return ink(strings.Repeat("─", max(w, 0)))
		}
	}
}
