//go:build !wasip1

package style

import (
	"io"

	"golang.org/x/term"
)

// noTerminal is the width of what is no terminal, such as a file.
const noTerminal = 80

// IsTerminal reports whether v, such as an *os.File, is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns the number of columns of w, or 80 if w is no terminal or does
// not say.
func Width(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return noTerminal
}

// Height returns the number of lines of w, or 0 if w is no terminal or does not
// say.
func Height(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if _, height, err := term.GetSize(int(f.Fd())); err == nil {
			return max(height, 0)
		}
	}
	return 0
}
