package ladder

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"wirelab/internal/cells"
)

// Mermaid writes l as a sequenceDiagram of Mermaid, for pages that draw it, such
// as a README. It has no scale: time that was left out is a note.
func (l *Ladder) Mermaid(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("sequenceDiagram\n")
	if l.Title != "" {
		fmt.Fprintf(out, "    %%%% %s\n", mermaidText(l.Title))
	}
	for i, name := range l.Lifelines {
		fmt.Fprintf(out, "    participant p%d as %s\n", i, mermaidText(name))
	}
	end := fmt.Sprintf("p0,p%d", max(l.last(), 0))
	for _, r := range l.rows() {
		switch r.moment {
		case leaves, both:
			a := &l.Arrows[r.arrow]
			fmt.Fprintf(out, "    p%d%sp%d: %s\n", a.From, mermaidArrow(a), a.To, mermaidText(l.line(a)))
		case folds:
			fmt.Fprintf(out, "    Note over %s: %s later\n", end, short(r.gap))
		case bundles:
			fmt.Fprintf(out, "    Note over %s: %s\n", end, mermaidText(l.Bundles[r.bundle].story()))
		}
	}
	return out.Flush()
}

// mermaidArrow returns the line and the head of a.
func mermaidArrow(a *Arrow) string {
	switch {
	case a.Lost && a.Kind == Ack:
		return "--x"
	case a.Lost:
		return "-x"
	case a.Kind == Ack:
		return "-->>"
	}
	return "->>"
}

// line tells a in one line: when it left, what it is, what it carried.
func (l *Ladder) line(a *Arrow) string {
	s := fmt.Sprintf("%.3f s %s %s", a.Sent.Sub(l.begin()).Seconds(), a.Kind.Sign(), a.Label)
	if notes := l.notes(a); len(notes) > 0 {
		s += " – " + cells.Cut(strings.Join(notes, ", "), 100)
	}
	return s
}

// mermaidText writes s so that nothing in it has a meaning to Mermaid or HTML:
// all but letters, digits and some marks are its entity codes, #NN;.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range cells.Visible(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" .,()/?!'_", r), r > 0x7f:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
