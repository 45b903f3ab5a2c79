package ladder

import (
	"fmt"
	"strings"
)

// story tells all of a, a line for each thing.
func (l *Ladder) story(a *Arrow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "packet %d, %s: %s", a.Number, a.Kind, a.Label)
	if a.Detail != "" {
		b.WriteString(", " + a.Detail)
	}
	fmt.Fprintf(&b, "; left at %.6f s", a.Sent.Sub(l.begin()).Seconds())
	switch {
	case a.Lost && a.LostAt != a.To:
	case a.Arrived.IsZero():
		b.WriteString(", not seen to arrive")
	default:
		fmt.Fprintf(&b, ", arrived after %s", short(a.Arrived.Sub(a.Sent)))
	}
	for _, s := range l.notes(a) {
		b.WriteString("; " + s)
	}
	return b.String()
}

// counts says what b counted.
func (b *Bundle) counts() string {
	var parts []string
	if s := b.Ways[0].text(); s != "" {
		parts = append(parts, s+" ▶")
	}
	if s := b.Ways[1].text(); s != "" {
		parts = append(parts, "◀ "+s)
	}
	return "… " + strings.Join(parts, "  ") + " …"
}

// where says which packets b counted.
func (b *Bundle) where() string {
	s := fmt.Sprintf("packets %d–%d, %s", b.First, b.Last, short(b.To.Sub(b.From)))
	if b.Notes > 0 {
		s += ", " + count(b.Notes, "message")
	}
	return s
}

// story tells all of b.
func (b *Bundle) story() string {
	s := b.counts() + " " + b.where()
	if t := b.trouble(); t != "" {
		s += ", " + t
	}
	return s
}
