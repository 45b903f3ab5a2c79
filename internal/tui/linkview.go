package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/relay"
)

var linkHelp = []string{
	"l/L more/less loss · d/D more/less delay · b/B less/more bandwidth",
	"p partition on/off · 0 as at the start · tab turn both ways, up, or down",
	"arrows, pgup, pgdn, home, end move · esc back to the top",
	"cwnd and ssthresh are in segments, again counts segments sent again: of the",
	"hosts on the link, not of the programs' kernels.",
}

const linkLabel = 12 // cells of the figures' names

// View draws the title, the figures of both directions and the connections.
func (m *linkModel) View() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cells.Cut("a larger window, please", max(m.width, 1))
	}
	lines := []string{m.title()}
	if m.help {
		for _, line := range linkHelp {
			lines = append(lines, " "+m.palette.Accent.Render(cells.Cut(line, m.width-2)))
		}
	}
	lines = append(lines, m.figures()...)
	lines = append(lines, m.conns()...)
	lines = append(fill(lines, m.height-1), m.keys())
	for i, l := range lines {
		lines[i] = pad(l, m.width)
	}
	return strings.Join(lines, "\n")
}

func (m *linkModel) title() string {
	p := m.palette
	left := []string{p.Accent.Render(cells.Visible(m.cfg.Title)), p.Name.Render(cells.Visible(m.cfg.Path))}
	var right []string
	for _, n := range m.cfg.Notes {
		right = append(right, p.Dim.Render(cells.Visible(n)))
	}
	up := m.now.Time.Sub(m.now.Started).Round(time.Second)
	return rule(m.width, left, append(right, p.Dim.Render("up "+up.String())), p.Dim.Render)
}

func (m *linkModel) keys() string {
	p := m.palette
	if m.trouble != "" {
		return rule(m.width, []string{p.Error.Render(cells.Visible(m.trouble))}, nil, p.Dim.Render)
	}
	texts := []string{"? help", "q quit", "lL loss", "dD delay", "bB rate", "p cut", "tab way", "0 reset"}
	for i, t := range texts {
		texts[i] = p.Dim.Render(t)
	}
	return rule(m.width, texts, nil, p.Dim.Render)
}

// row draws a figure's name and its values, up and down.
func (m *linkModel) row(name, up, down string) string {
	w := m.column()
	return " " + m.palette.Dim.Render(cells.Pad(name, linkLabel)) + pad(up, w) + "  " + pad(down, w)
}

// column is the width of one direction's values.
func (m *linkModel) column() int { return max((m.width-linkLabel-4)/2, 1) }

// figures draws what each direction does.
func (m *linkModel) figures() []string {
	p := m.palette
	var heads, links [2]string
	for i, name := range []string{"up: client → server", "down: server → client"} {
		ink, lead := p.Name, "  "
		if m.knobs.turns(i) {
			ink, lead = p.Accent, "▸ "
		}
		heads[i] = ink.Render(lead + name)
		links[i] = "  " + cells.Visible(m.knobs.String(i))
		if m.knobs.partition {
			links[i] = p.Error.Render("  partition") + p.Dim.Render(" ("+cells.Visible(m.knobs.String(i))+")")
		}
	}
	bytes := m.rate(func(s *relay.Side) uint64 { return s.Received.Bytes })
	packets := m.rate(func(s *relay.Side) uint64 { return s.Received.Packets })
	lines := []string{m.row("", heads[0], heads[1]), m.row("link", links[0], links[1])}
	both := func(name string, value func(i int, s *relay.Side) string) {
		lines = append(lines, m.row(name, "  "+value(0, &m.now.Up), "  "+value(1, &m.now.Down)))
	}
	both("rate", func(i int, _ *relay.Side) string {
		return p.Name.Render(bits(8*bytes[i])) + p.Dim.Render(fmt.Sprintf(" · %s packets/s", short(math.Round(packets[i]))))
	})
	both("", func(i int, _ *relay.Side) string { return m.spark(m.minute[i], m.column()-20) })
	both("packets", func(_ int, s *relay.Side) string {
		return fmt.Sprintf("%s sent, %s arrived", short(float64(s.Sent.Packets)), short(float64(s.Received.Packets)))
	})
	both("lost", func(_ int, s *relay.Side) string { return m.lost(s) })
	both("  by", func(_ int, s *relay.Side) string { return m.causes(s) })
	both("sent again", func(_ int, s *relay.Side) string { return short(float64(s.Resent)) + p.Dim.Render(" segments") })
	both("also", func(_ int, s *relay.Side) string {
		return p.Dim.Render(fmt.Sprintf("dup %s, corrupt %s, reorder %s", short(float64(s.Duplicated)), short(float64(s.Corrupted)), short(float64(s.Reordered))))
	})
	both("handed over", func(_ int, s *relay.Side) string { return size(float64(s.Payload)) })
	return lines
}

// lost says how many packets were lost, and how large a part.
func (m *linkModel) lost(s *relay.Side) string {
	n := s.Lost.Total()
	if n == 0 {
		return "0"
	}
	return m.palette.Error.Render(short(float64(n))) + fmt.Sprintf(" of %s, %.1f%%", short(float64(s.Sent.Packets)), 100*float64(n)/float64(max(s.Sent.Packets, 1)))
}

// causes says why.
func (m *linkModel) causes(s *relay.Side) string {
	var why []string
	for _, c := range relay.Causes() {
		if n := s.Lost[c]; n > 0 {
			why = append(why, fmt.Sprintf("%s %s", c, short(float64(n))))
		}
	}
	if s.Refused > 0 {
		why = append(why, "host "+short(float64(s.Refused)))
	}
	return m.palette.Dim.Render(strings.Join(why, ", "))
}

// spark draws the last seconds, as many as fit.
func (m *linkModel) spark(seconds []uint64, width int) string {
	const bars = "▁▂▃▄▅▆▇█"
	seconds = seconds[max(len(seconds)-max(width, 1), 0):]
	most := slices.Max(append(seconds[:len(seconds):len(seconds)], 0))
	var b strings.Builder
	for _, n := range seconds {
		i := 0
		if most > 0 && n > 0 {
			i = 1 + int(float64(n)/float64(most)*6)
		}
		b.WriteRune([]rune(bars)[i])
	}
	return m.palette.Field(2).Render(b.String()) + m.palette.Dim.Render(" peak "+bits(float64(most)))
}

// linkLines is how many lines the title, the figures and the footer take.
const linkLines = 1 + 10 + 1

// connRoom is how many lines of connections fit below their headings.
func (m *linkModel) connRoom() int {
	n := m.height - linkLines - 2
	if m.help {
		n -= len(linkHelp)
	}
	return max(n, 0)
}

// connLines is how many there are: one for each direction.
func (m *linkModel) connLines() int { return 2 * len(m.now.Conns) }

// conns draws the connections.
func (m *linkModel) conns() []string {
	p := m.palette
	texts := []string{p.Accent.Render(count(len(m.now.Conns), "connection"))}
	if n := m.now.Connecting; n > 0 {
		texts = append(texts, p.Accent.Render(strconv.Itoa(n)+" connecting"))
	}
	for _, n := range m.now.Totals.List() {
		if n.Count > 0 {
			ink := p.Dim
			if n.Bad {
				ink = p.Error
			}
			texts = append(texts, ink.Render(short(float64(n.Count))+" "+n.What))
		}
	}
	room, shown := m.connRoom(), []string(nil)
	if m.connLines() > room && room > 0 {
		shown = []string{p.Dim.Render(fmt.Sprintf("%d–%d of %d lines", m.scroll+1, min(m.scroll+room, m.connLines()), m.connLines()))}
	}
	lines := []string{rule(m.width, texts, shown, p.Dim.Render)}
	if room == 0 || len(m.now.Conns) == 0 {
		return lines
	}
	name := max(min(m.width-64, 46), 16)
	cols := func(client, way, bytes, cwnd, thresh, srtt, rto, again, lost string) string {
		return " " + cells.Pad(client, name) + " " + cells.Pad(way, 4) + cells.PadLeft(bytes, 8) + cells.PadLeft(cwnd, 6) + cells.PadLeft(thresh, 9) +
			cells.PadLeft(srtt, 7) + cells.PadLeft(rto, 7) + cells.PadLeft(again, 6) + cells.PadLeft(lost, 6)
	}
	lines = append(lines, p.Dim.Render(cols("client", "way", "bytes", "cwnd", "ssthresh", "srtt", "rto", "again", "lost")))
	for i := m.scroll; i < min(m.scroll+room, m.connLines()); i++ {
		c := &m.now.Conns[i/2]
		label, way, h, bytes := "?", "up", &c.Up, c.Up.Handed
		if c.Client.IsValid() {
			label = c.Client.String()
		}
		if i%2 == 1 {
			label, way, h, bytes = "  "+c.Phase, "down", &c.Down, c.Down.Handed
		}
		cwnd, thresh, srtt, rto := "–", "–", "–", "–"
		if s := &h.Sender; s.Known {
			cwnd, thresh, srtt, rto = strconv.Itoa(s.Cwnd), "∞", brief(s.SRTT), brief(s.RTO)
			if s.Ssthresh >= 0 {
				thresh = strconv.Itoa(s.Ssthresh)
			}
		}
		line := cols(cells.Visible(label), way, size(float64(bytes)), cwnd, thresh, srtt, rto, short(float64(h.Resent)), short(float64(h.Lost)))
		if r := h.Sender.Recovery; r != "" && r != "open" {
			line += " " + p.Error.Render(cells.Visible(r))
		}
		lines = append(lines, line)
	}
	return lines
}

// bits writes bits per second in few cells.
func bits(n float64) string {
	for _, unit := range []string{"b/s", "kb/s", "Mb/s"} {
		if n < 999.5 {
			digits := 0
			if n < 10 && unit != "b/s" {
				digits = 1
			}
			return strconv.FormatFloat(n, 'f', digits, 64) + " " + unit
		}
		n /= 1000
	}
	return strconv.FormatFloat(n, 'f', 2, 64) + " Gb/s"
}

// brief writes a duration in at most seven cells.
func brief(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return cmp.Or(d.Round(10*time.Millisecond), d).String()
}
