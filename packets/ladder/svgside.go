package ladder

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
)

// strip draws what the senders knew: the congestion window as an area over
// time, turned so that time runs down, and its threshold as a dashed line.
func (p *sheet) strip() {
	if len(p.l.Samples) == 0 {
		return
	}
	left := p.right + svgGutter + 10
	room := svgStrip - 26
	most := 1
	for i := range p.l.Samples {
		s := &p.l.Samples[i]
		most = max(most, s.CWND)
		if s.SSThresh < Infinite {
			most = max(most, s.SSThresh)
		}
	}
	x := func(n int) float64 { return left + room*float64(min(n, most))/float64(most) }
	p.f(`<text class="dim" x="%.1f" y="%.1f">cwnd, up to %s</text>`+"\n", left, svgHead-16, size(most))
	p.f(`<text class="dim" x="%.1f" y="%.1f">┄ ssthresh</text>`+"\n", left, svgHead)
	for at := 0; at <= p.l.last(); at++ {
		var area, line strings.Builder
		last, width, bound := 0.0, 0.0, 0.0
		for i := range p.l.Samples {
			s := &p.l.Samples[i]
			if s.At != at {
				continue
			}
			y := p.s.y(s.Time)
			if s.CWND > 0 {
				if area.Len() == 0 {
					fmt.Fprintf(&area, "M%.1f %.1f", left, y)
				}
				fmt.Fprintf(&area, "V%.1fH%.1f", y, x(s.CWND))
				width = x(s.CWND)
			}
			if s.SSThresh > 0 && s.SSThresh < Infinite {
				if line.Len() == 0 {
					fmt.Fprintf(&line, "M%.1f %.1f", x(s.SSThresh), y)
				} else if x(s.SSThresh) != bound {
					fmt.Fprintf(&line, "V%.1fH%.1f", y, x(s.SSThresh))
				}
				bound = x(s.SSThresh)
			}
			last = y
		}
		if width > 0 {
			p.f(`<path d="%sV%.1fH%.1fZ" style="fill:var(--k%d);fill-opacity:.22;stroke:var(--k%d)"/>`+"\n", area.String(), max(last, p.s.bottom()), left, Data, Data)
		}
		if bound > 0 {
			p.f(`<path d="%sV%.1f" style="fill:none;stroke:var(--k%d)" stroke-dasharray="4 3"/>`+"\n", line.String(), max(last, p.s.bottom()), Retransmission)
		}
	}
	below := 0.0
	for i := range p.l.Samples {
		s := &p.l.Samples[i]
		y := p.s.y(s.Time)
		if s.RTO == 0 || y < below || i > 0 && p.l.Samples[i-1].RTO == s.RTO {
			continue
		}
		p.f(`<text class="dim e halo" x="%.1f" y="%.1f">RTO %s</text>`+"\n", left+room, y+4, short(s.RTO))
		below = y + lineHeight
	}
}

// legend explains the signs at the bottom.
func (p *sheet) legend() {
	x, y := svgMargin, p.bottom+28
	add := func(class, text string) {
		w := float64(cells.Width(text))*svgLetter + 22
		if x+w > p.width-svgMargin {
			return
		}
		p.f(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, safe(text))
		x += w
	}
	for _, k := range p.l.kinds() {
		add(fmt.Sprintf("k%d b", k), k.Sign()+" "+k.String())
	}
	if p.l.Lost() > 0 {
		add("lost b", lostSign+" lost")
	}
	if len(p.s.folds) > 0 {
		add("dim", "// time left out")
	}
	if p.l.RTT > 0 {
		add("dim", "round trip "+short(p.l.RTT))
	}
	p.f("\n")
	for i, s := range p.l.About {
		p.f(`<text class="dim" x="%.1f" y="%.1f">%s</text>`+"\n", svgMargin, y+float64(i+1)*lineHeight+4, cut(s, int((p.width-2*svgMargin)/svgLetter)))
	}
}
