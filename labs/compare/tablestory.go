package compare

import (
	"fmt"
	"strings"
	"time"

	"wirelab/internal/cells"
)

// seconds spells an instant of a run, to the tenth of a millisecond.
func seconds(d time.Duration) string { return fmt.Sprintf("%.4fs", d.Seconds()) }

// Text returns the explanation for a terminal: each transport's outcome, and
// below it what happened to the message and when. It ends with a line break.
func (e *Explanation) Text(v View) string {
	v = v.filled()
	p := page{width: v.Width}
	p.text(v.Palette.Name.Render, "", fmt.Sprintf("message %d, fault %s, seed %d: what became of it on each transport", e.Message, e.Fault, e.Seed))
	for _, s := range e.Stories {
		p.blank()
		s.text(&p, &v)
	}
	p.blank()
	p.again(&v)
	return p.fold(v.Height)
}

func (s *Story) text(p *page, v *View) {
	p.text(v.Palette.Event.Render, v.Palette.Accent.Render(cells.Cut(cells.Visible(s.Transport), v.Width/2))+": ", s.Outcome)
	at, where := 0, 0
	for _, l := range s.Lines {
		at = max(at, len(seconds(l.At)))
		where = max(where, cells.Width(cells.Visible(l.Where)))
	}
	where = min(where, v.Width/5)
	for _, l := range s.Lines {
		sign, ink := " ", v.Palette.Event.Render
		if l.Lost {
			sign, ink = v.Palette.Error.Render("✗"), v.Palette.Error.Render
		}
		head := fmt.Sprintf("%s %s  %s  ", sign, v.Palette.Dim.Render(cells.PadLeft(seconds(l.At), at)), cells.Pad(cells.Visible(l.Where), where))
		p.text(ink, head, l.What)
	}
}

// Text returns both outcomes for a terminal, side by side, and where they first
// differ. It ends with a line break.
func (wi *WhatIf) Text(v View) string {
	v = v.filled()
	p := page{width: v.Width}
	p.text(v.Palette.Name.Render, "", fmt.Sprintf("what if: %s; fault %s, seed %d", wi.Rule, wi.Fault, wi.Seed))
	p.text(v.Palette.Dim.Render, "", "each figure: as it was → with the one fate changed, all others kept")
	p.blank()
	if len(wi.Changes) > 0 {
		wi.table(&p, &v)
		p.blank()
	}
	name := 0
	for i := range wi.Changes {
		name = max(name, cells.Width(cells.Visible(wi.Changes[i].Transport)))
	}
	for i := range wi.Changes {
		wi.Changes[i].first(&p, &v, min(name, v.Width/3))
	}
	p.blank()
	p.again(&v)
	return p.fold(v.Height)
}

// table shows the figures before and after, as many as fit.
func (wi *WhatIf) table(p *page, v *View) {
	before, after := make([]*Cell, len(wi.Changes)), make([]*Cell, len(wi.Changes))
	name := len("transport")
	for i := range wi.Changes {
		c := &wi.Changes[i]
		before[i] = &Cell{Transport: c.Transport, Runs: []Run{c.Before}}
		after[i] = &Cell{Transport: c.Transport, Runs: []Run{c.After}}
		name = max(name, cells.Width(cells.Visible(c.Transport)))
	}
	name = min(name, max(leastName, v.Width/3))
	figures := []figure{deliveredFigure()}
	for _, m := range metrics("latency_p99", "latency_max", "retransmissions", "latency_p50", "bytes_per_byte") {
		figures = append(figures, figureOf(m))
	}
	const arrow = " → "
	heads := []string{v.Palette.Name.Render(cells.Pad("transport", name))}
	rows := make([][]string, len(wi.Changes))
	used := name
	for i := range wi.Changes {
		rows[i] = []string{cells.Pad(cells.Visible(wi.Changes[i].Transport), name)}
	}
	for _, f := range figures {
		was, is := slots([]figure{f}, before, true)[0], slots([]figure{f}, after, true)[0]
		width := max(was.width()+cells.Width(arrow)+is.width(), cells.Width(f.title))
		if used += 2 + width; used > v.Width {
			break
		}
		heads = append(heads, v.Palette.Name.Render(cells.Pad(f.title, width)))
		for i := range wi.Changes {
			a, _ := f.show(before[i])
			b, _ := f.show(after[i])
			ink := v.Palette.Dim.Render
			if a != b {
				ink = v.Palette.Accent.Render
			}
			rows[i] = append(rows[i], paint(cells.PadLeft(a, was.width()), v.Palette.Event.Render)+paint(arrow, v.Palette.Dim.Render)+paint(cells.Pad(b, is.width()), ink))
		}
	}
	for _, line := range grid(v.Palette, 2, heads, rows) {
		p.line(line)
	}
}

// first says where the two runs first differ.
func (c *Change) first(p *page, v *View, name int) {
	head := v.Palette.Accent.Render(cells.Pad(cells.Visible(c.Transport), name)) + "  "
	if !c.Differ {
		p.text(v.Palette.Dim.Render, head, "no difference at all: that packet has the same fate anyway, or was never sent")
		return
	}
	p.text(v.Palette.Event.Render, head, "they first differ at "+seconds(c.At)+":")
	indent := strings.Repeat(" ", name+2)
	p.text(v.Palette.Event.Render, indent+v.Palette.Dim.Render("was "), orNothing(c.Was))
	p.text(v.Palette.Event.Render, indent+v.Palette.Dim.Render("now "), orNothing(c.Is))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing more"
	}
	return s
}
