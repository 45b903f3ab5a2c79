package ladder

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"wirelab/internal/cells"
)

// notes returns what is told beside a: why it was lost, its flags, what it
// carried.
func (l *Ladder) notes(a *Arrow) (all []string) {
	if a.Lost {
		why := a.Why
		if why == "" {
			why = "lost"
		}
		all = append(all, lostSign+" "+why)
	}
	for _, f := range a.Flags {
		all = append(all, "⚑ "+f)
	}
	return append(all, a.Notes...)
}

// note puts what is told of a beside row y.
func (p *picture) note(y int, a *Arrow) {
	for i, s := range p.l.notes(a) {
		n := note{cells.Visible(s), nil}
		switch {
		case i == 0 && a.Lost:
			n.ink = &p.lost
		case strings.HasPrefix(s, "⚑"):
			n.ink = &p.inks[Retransmission]
		}
		p.beside[y] = append(p.beside[y], n)
	}
}

// state puts the samples where they belong: beside the first row at or after
// their time.
func (p *picture) state() {
	if p.strip > 0 {
		return
	}
	i := 0
	for y, r := range p.rows {
		var last *Sample
		for ; i < len(p.l.Samples) && !p.l.Samples[i].Time.After(r.at); i++ {
			last = &p.l.Samples[i]
		}
		if last != nil {
			p.beside[y] = append(p.beside[y], note{last.text(), &p.dim})
		}
	}
}

// text says what s knows, short.
func (s *Sample) text() string {
	var parts []string
	if s.CWND > 0 {
		parts = append(parts, fmt.Sprintf("cwnd %d", s.CWND))
	}
	if s.SSThresh > 0 {
		parts = append(parts, "ssthresh "+threshold(s.SSThresh))
	}
	if s.RTO > 0 {
		parts = append(parts, "rto "+short(s.RTO))
	}
	return strings.Join(parts, " ")
}

func threshold(n int) string {
	if n == Infinite {
		return "∞"
	}
	return fmt.Sprint(n)
}

// side returns what is at the right of row y.
func (p *picture) side(y int) string {
	var b strings.Builder
	if p.strip > 0 {
		b.WriteString(" " + p.stripAt(y))
	}
	if p.notes < 4 {
		return b.String()
	}
	b.WriteString(" ")
	width := p.notes - 1
	// What does not fit goes on in the rows below, as long as these have
	// nothing of their own.
	own := p.beside[y]
	free := 0
	for y+1+free < len(p.rows) && free < 3 && len(p.beside[y+1+free]) == 0 && p.rows[y+1+free].moment != bundles {
		free++
	}
	var line strings.Builder
	room := width
	for i, n := range own {
		text := n.text
		if i > 0 {
			text = "· " + text
		}
		if w := cells.Width(text); w > room || free > 0 && w+2 > room {
			if lines := p.spill(own[i:], i > 0, room, width); len(lines) > 1 && free > 0 {
				if lines[0].text != "" {
					line.WriteString(p.paint(lines[0]))
				}
				lines = lines[1:]
				for k := 0; k < len(lines) && k < free; k++ {
					if k == free-1 && len(lines) > free {
						lines[k].text = cells.Cut(lines[k].text+"…………………………", width)
					}
					p.beside[y+1+k] = []note{lines[k]}
				}
				break
			}
			text = cells.Cut(text, room)
			line.WriteString(p.paint(note{text, n.ink}))
			break
		}
		line.WriteString(p.paint(note{text, n.ink}))
		room -= cells.Width(text)
		if room > 0 {
			line.WriteByte(' ')
			room--
		}
	}
	b.WriteString(line.String())
	return b.String()
}

// spill wraps notes; the first line has room cells.
func (p *picture) spill(all []note, dotted bool, room, width int) (lines []note) {
	for i, n := range all {
		text := n.text
		if i > 0 || dotted {
			text = "· " + text
		}
		first := width
		if i == 0 {
			first = room
		}
		parts := cells.Wrap(text, first, width-2)
		for k, s := range parts {
			if k > 0 {
				s = "  " + s
			}
			lines = append(lines, note{s, n.ink})
		}
	}
	return lines
}

func (p *picture) paint(n note) string {
	if n.ink == nil {
		return n.text
	}
	return n.ink.Render(n.text)
}

// stripAt is what the senders knew at row y.
func (p *picture) stripAt(y int) string {
	var s *Sample
	most := 1
	for i := range p.l.Samples {
		most = max(most, p.l.Samples[i].CWND)
	}
	fresh := false
	for i := range p.l.Samples {
		if p.l.Samples[i].Time.After(p.rows[y].at) {
			break
		}
		s = &p.l.Samples[i]
		fresh = y == 0 || s.Time.After(p.rows[y-1].at)
	}
	if s == nil || s.CWND == 0 {
		return strings.Repeat(" ", p.strip-1)
	}
	const bar = 8
	filled := (s.CWND*bar*2 + most) / (2 * most)
	text := p.dim.Render(strings.Repeat("█", filled) + strings.Repeat("░", bar-filled))
	if !fresh {
		return text + strings.Repeat(" ", p.strip-1-bar)
	}
	n := fmt.Sprintf(" %d/%s", s.CWND, threshold(s.SSThresh))
	return text + cells.Pad(cells.Pad(n, 15)+" "+short(s.RTO), p.strip-1-bar)
}

// gutter returns the time of row y and the ruler.
func (p *picture) gutter(y int) string {
	r := p.rows[y]
	text := ""
	switch r.moment {
	case folds:
		text = "⋮"
	case passes:
	default:
		text = p.time(r.at)
		if y > 0 && p.rows[y-1].moment != folds && p.time(p.rows[y-1].at) == text {
			text = ""
		}
	}
	mark := " "
	switch {
	case p.ruler[1] <= p.ruler[0] || y < p.ruler[0] || y > p.ruler[1]:
	case y == p.ruler[0]:
		mark = "┌"
	case y == p.ruler[1]:
		mark = "└"
	default:
		mark = "│"
	}
	return p.dim.Render(cells.PadLeft(text, p.clock-2)+mark) + " "
}

// span finds the rows of the ruler.
func (p *picture) span() (rows [2]int) {
	if p.l.RTT <= 0 || p.l.RTTStart.IsZero() {
		return rows
	}
	for y := len(p.rows) - 1; y >= 0; y-- {
		r := &p.rows[y]
		if r.moment == arrives && !r.at.Before(p.l.RTTEnd) {
			rows[1] = y
		}
		if (r.moment == leaves || r.moment == bundles) && !r.at.Before(p.l.RTTStart) {
			rows[0] = y
		}
	}
	return rows
}

// legend explains the signs that were used.
func (p *picture) legend(out *bufio.Writer) {
	var parts []note
	for _, k := range p.l.kinds() {
		ink := p.inks[k]
		parts = append(parts, note{k.Sign() + " " + k.String(), &ink})
	}
	for i := range p.l.Arrows {
		if p.l.Arrows[i].Lost {
			parts = append(parts, note{lostSign + " lost", &p.lost})
			break
		}
	}
	for i := range p.rows {
		if p.rows[i].moment == folds {
			parts = append(parts, note{"⋮ time left out", &p.dim})
			break
		}
	}
	if p.ruler[1] > p.ruler[0] {
		parts = append(parts, note{"┌│└ round trip " + short(p.l.RTT), &p.dim})
	}
	out.WriteByte('\n')
	room := p.o.Width
	for i, n := range parts {
		w := cells.Width(n.text)
		if i > 0 && w+2 > room {
			out.WriteByte('\n')
			room = p.o.Width
		} else if i > 0 {
			out.WriteString("  ")
			room -= 2
		}
		out.WriteString(p.paint(n))
		room -= w
	}
	if len(parts) > 0 {
		out.WriteByte('\n')
	}
	for _, s := range p.l.About {
		for _, line := range cells.Wrap(cells.Visible(s), p.o.Width, p.o.Width) {
			fmt.Fprintln(out, p.dim.Render(line))
		}
	}
}

// short returns d with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f µs", float64(d)/1e3)
}
