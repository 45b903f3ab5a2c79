package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A paper is text to scroll in, in place of the panes. Its lines are safe and
// may have colours.
type paper struct {
	title     string
	lines     []string
	top, left int

	width, height int
}

func (p *paper) key(k string) {
	switch k {
	case "left":
		p.left -= 8
	case "right":
		p.left += 8
	default:
		// Its rows are the first lines that can be in view.
		p.top = moved(k, p.top, p.last()+1, p.height)
	}
}

func (p *paper) last() int { return max(len(p.lines)-p.height, 0) }

func (p *paper) settle(width, height int) {
	p.width, p.height = width, max(height, 1)
	p.top = max(min(p.top, p.last()), 0)
	longest := 0
	for _, l := range p.lines[p.top:min(p.top+p.height, len(p.lines))] {
		longest = max(longest, len(l))
	}
	p.left = max(min(p.left, longest), 0)
}

// where says which lines are in view.
func (p *paper) where() string {
	if len(p.lines) <= p.height {
		return ""
	}
	return fmt.Sprintf("%d–%d of %d lines", p.top+1, min(p.top+p.height, len(p.lines)), len(p.lines))
}

func (p *paper) view(height int) []string {
	var lines []string
	for _, l := range p.lines[p.top:min(p.top+height, len(p.lines))] {
		if p.left > 0 {
			l = ansi.TruncateLeft(l, p.left, "")
		}
		lines = append(lines, strings.TrimRight(l, " "))
	}
	return lines
}
