// Package cells measures, cuts and wraps text in terminal cells.
//
// Terminals disagree about the width of emoji and of what is joined to them.
// The width here is the larger of two answers, that for the whole cluster and
// that for its runes one by one, so that a line that fits by this measure
// fits on every terminal; on some it ends a cell early.
package cells

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"wirelab/internal/style"
)

// Visible is [style.Visible] for a screen whose columns must stay in line: it
// also takes out what joins emoji to one picture or selects how one is drawn,
// about whose widths terminals differ most. The emoji then stand side by side.
func Visible(s string) string {
	s = style.Visible(s)
	if !strings.ContainsAny(s, drawing) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(drawing, r) {
			return -1
		}
		return r
	}, s)
}

// drawing holds the zero-width joiner and the variation selectors 15 and 16.
const drawing = "\u200d\ufe0e\ufe0f"

// next returns the first cluster of s, which is not empty, and its width.
func next(s string) (cluster string, width int) {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return s[:1], 1
	}
	cluster, width = ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if len(cluster) > 1 {
		width = max(width, ansi.StringWidthWc(cluster))
	}
	return cluster, width
}

// First returns the first character of s as people see it, and the rest.
func First(s string) (first, rest string) {
	if s == "" {
		return "", ""
	}
	first, _ = next(s)
	return first, s[len(first):]
}

// Width returns how many cells s takes. s has no control characters.
func Width(s string) int {
	width := 0
	for len(s) > 0 {
		c, w := next(s)
		width += w
		s = s[len(c):]
	}
	return width
}

// Cut returns s if it fits in width cells, else as much of it as fits with an
// ellipsis.
func Cut(s string, width int) string {
	if len(s) <= width || Width(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	head, _ := split(s, width-1)
	return head + "…"
}

// CutLeft is Cut that keeps the end of s.
func CutLeft(s string, width int) string {
	over := Width(s) - width
	if over <= 0 {
		return s
	}
	if width < 1 {
		return ""
	}
	for over >= 0 {
		c, w := next(s)
		s, over = s[len(c):], over-w
	}
	return "…" + s
}

// Pad returns s followed by the spaces that make it width cells wide, cut if
// it is wider.
func Pad(s string, width int) string {
	s = Cut(s, width)
	return s + strings.Repeat(" ", max(width-Width(s), 0))
}

// PadLeft is Pad with the spaces first.
func PadLeft(s string, width int) string {
	s = Cut(s, width)
	return strings.Repeat(" ", max(width-Width(s), 0)) + s
}

// split returns the longest head of s that fits in width cells, and the rest.
func split(s string, width int) (head, rest string) {
	at := 0
	for at < len(s) {
		c, w := next(s[at:])
		if w > width {
			break
		}
		width -= w
		at += len(c)
	}
	return s[:at], s[at:]
}

// Wrap cuts s, one line, into lines of at most width cells, at spaces where it
// can; the first line has room for first cells only. There is always one
// line. A cluster wider than the line becomes a question mark.
func Wrap(s string, first, width int) []string {
	var lines []string
	width = max(width, 1)
	room := max(first, 0)
	for {
		head, rest := split(s, room)
		if rest == "" {
			return append(lines, s)
		}
		if i := strings.LastIndexByte(head, ' '); i > 0 && rest[0] != ' ' {
			head, rest = head[:i], s[i:]
		}
		if head == "" && room >= width {
			c, _ := next(s)
			head, rest = "?", s[len(c):]
		}
		lines = append(lines, strings.TrimRight(head, " "))
		s = strings.TrimLeft(rest, " ")
		room = width
	}
}
