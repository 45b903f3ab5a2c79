package ladder

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"wirelab/internal/cells"
)

// Places in the picture, in its units.
const (
	svgMargin = 16.0
	svgAxis   = 78.0  // right edge of the times
	svgGutter = 372.0 // of labels beside a lifeline
	svgRoad   = 400.0 // between the lifelines
	svgStrip  = 190.0 // of the senders' state
	svgHead   = 84.0  // top of the names
	svgLetter = 7.0   // width of one of 11.5 units
	svgLead   = 20.0  // of the line from a lifeline to its label

	labelLetters = 48 // of a label: what svgGutter has room for
)

const svgFonts = `ui-monospace,'SFMono-Regular','Cascadia Mono',Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace`

// A sheet is a ladder under way to SVG.
type sheet struct {
	l           *Ladder
	out         *bufio.Writer
	s           *scale
	left, right float64 // the lifelines
	width       float64
	bottom      float64
	labels      [2][]float64 // heights of the labels at the left and right
	chars       int          // of a label
}

// SVG draws l as a picture, time to scale but for what is folded. It suits light
// and dark pages, and tells all of an arrow where the pointer is over it.
func (l *Ladder) SVG(w io.Writer) error {
	p := sheet{l: l, out: bufio.NewWriter(w)}
	p.s = l.scale(svgHead + 34)
	p.left = svgMargin + svgAxis + svgGutter
	p.right = p.left + svgRoad
	p.width = p.right + svgGutter + svgMargin
	p.chars = labelLetters
	if len(l.Samples) > 0 {
		p.width += svgStrip
	}
	p.place()
	p.begin()
	p.axis()
	p.lifelines()
	p.ruler()
	for i := range l.Arrows {
		p.arrow(&l.Arrows[i])
	}
	p.folds() // over the arrows that pass them: what they say must be read
	p.tell()
	p.strip()
	p.legend()
	p.out.WriteString("</svg>\n")
	return p.out.Flush()
}

// f writes to the picture.
func (p *sheet) f(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// safe makes s fit for XML and harmless for the eye.
func safe(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(cells.Visible(s))) // a Builder takes everything
	return b.String()
}

// cut is safe for text of so many letters at most.
func cut(s string, letters int) string {
	return safe(cells.Cut(cells.Visible(s), letters))
}

// place finds the heights of the labels and the bottom of the picture.
func (p *sheet) place() {
	var want [2][]float64
	for i := range p.l.Arrows {
		a := &p.l.Arrows[i]
		side := 0
		if !rightward(a) {
			side = 1
		}
		want[side] = append(want[side], p.s.y(a.Sent))
	}
	p.bottom = p.s.bottom()
	for side := range want {
		p.labels[side] = apart(want[side], lineHeight, svgHead+26)
		if n := len(p.labels[side]); n > 0 {
			p.bottom = max(p.bottom, p.labels[side][n-1])
		}
	}
	p.bottom += 24
}

// x is where lifeline i stands.
func (p *sheet) x(i int) float64 {
	n := max(p.l.last(), 1)
	return p.left + svgRoad*float64(min(max(i, 0), n))/float64(n)
}

func (p *sheet) begin() {
	height := p.bottom + 30 + float64(len(p.l.About))*lineHeight + 40
	p.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="%s" font-size="11.5">`+"\n",
		p.width, height, p.width, height, svgFonts)
	p.f("<title>%s</title>\n<style>\n", safe(p.l.Title))
	p.f(":root{--bg:#ffffff;--fg:#1c1c1c;--dim:#5a5a5a;--faint:#d0d4da;--band:#f3f5f8;--lost:#b3001b;")
	for k := range kinds {
		p.f("--k%d:%s;", k, kindLooks[k].light)
	}
	p.f("}\n@media (prefers-color-scheme: dark){:root{--bg:#16181d;--fg:#e8e8e8;--dim:#a3a3a3;--faint:#3c4048;--band:#20242b;--lost:#ff8080;")
	for k := range kinds {
		p.f("--k%d:%s;", k, kindLooks[k].dark)
	}
	p.f("}}\n.bg{fill:var(--bg)}.fg{fill:var(--fg)}.dim{fill:var(--dim)}.lost{fill:var(--lost)}.band{fill:var(--band);stroke:var(--faint)}" +
		".life{stroke:var(--fg);stroke-width:1.6}.mid{stroke:var(--dim);stroke-dasharray:2 4}.thin{stroke:var(--faint);fill:none}.cross{stroke:var(--lost);stroke-width:2.4;stroke-linecap:round}" +
		".b{font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}.halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}\n")
	for k := range kinds {
		p.f(".k%d{fill:var(--k%d)}.s%d{stroke:var(--k%d);fill:none;stroke-width:1.5}", k, k, k, k)
	}
	p.f(".a:hover path{stroke-width:3}\n</style>\n")
	p.f(`<rect class="bg" width="%.0f" height="%.0f"/>`+"\n", p.width, height)
	p.f(`<text class="fg b" x="%.0f" y="34" font-size="16">%s</text>`+"\n", svgMargin, cut(p.l.Title, int((p.width-2*svgMargin)/9.8)))
}

// axis draws the times.
func (p *sheet) axis() {
	x := svgMargin + svgAxis
	p.f(`<text class="dim e" x="%.0f" y="%.0f">seconds</text>`+"\n", x-10, svgHead)
	ticks, decimals := p.s.ticks(p.l.begin(), 40)
	for _, t := range ticks {
		p.f(`<path class="thin" d="M%.0f %.1fH%.0f"/><text class="dim e" x="%.0f" y="%.1f">%.*f</text>`+"\n",
			x-6, t.y, x, x-10, t.y+4, decimals, t.at.Seconds())
	}
	p.f(`<path class="thin" d="M%.0f %.0fV%.1f"/>`+"\n", x, svgHead+12, p.bottom)
}

func (p *sheet) lifelines() {
	for i, name := range p.l.Lifelines {
		class, letters := "life", 34
		if i > 0 && i < p.l.last() {
			class, letters = "mid", 16
		} else if p.l.last() > 1 {
			letters = 20
		}
		p.f(`<path class="%s" d="M%.0f %.0fV%.1f"/><text class="fg b m" x="%.0f" y="%.0f" font-size="13">%s</text>`+"\n",
			class, p.x(i), svgHead+12, p.bottom, p.x(i), svgHead, cut(name, letters))
	}
}

// folds draws the bands of what is left out.
func (p *sheet) folds() {
	mid := (p.left + p.right) / 2
	for _, f := range p.s.folds {
		top, bottom := f.top+5, f.bottom-5
		y := (top + bottom) / 2
		if f.bundle < 0 {
			for _, x := range []float64{svgMargin + svgAxis, p.left, p.right} {
				p.f(`<rect class="bg" x="%.1f" y="%.1f" width="8" height="14"/><path class="thin" style="stroke:var(--dim)" d="M%.1f %.1fl8 -5M%.1f %.1fl8 -5"/>`+"\n",
					x-4, y-7, x-4, y-1.5, x-4, y+6.5)
			}
			p.f(`<text class="dim e" x="%.1f" y="%.1f">+%s</text>`+"\n", svgMargin+svgAxis-10, y+4, safe(short(f.gap)))
			continue
		}
		b := &p.l.Bundles[f.bundle]
		p.f(`<g><title>%s</title><rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="5"/>`, safe(b.story()), p.left-0.5, top, svgRoad+1, bottom-top)
		p.f(`<text class="fg m" x="%.1f" y="%.1f">%s</text><text class="dim m" x="%.1f" y="%.1f">%s`, mid, y-2, cut(b.counts(), 56), mid, y+12, cut(b.where(), 40))
		if s := b.trouble(); s != "" {
			p.f(` <tspan class="lost b">%s</tspan>`, safe(s))
		}
		p.f("</text></g>\n")
	}
}

// ruler draws the round trip.
func (p *sheet) ruler() {
	if p.l.RTT <= 0 || p.l.RTTStart.IsZero() {
		return
	}
	x, y0, y1 := svgMargin+svgAxis+12, p.s.y(p.l.RTTStart), p.s.y(p.l.RTTEnd)
	if y1-y0 < 12 {
		return
	}
	p.f(`<g><title>round trip %s</title><path class="thin" style="stroke:var(--dim)" d="M%.0f %.1fh8M%.0f %.1fh8M%.0f %.1fV%.1f"/>`,
		short(p.l.RTT), x-4, y0, x-4, y1, x, y0, y1)
	y := (y0 + y1) / 2
	p.f(`<text class="dim m halo" transform="rotate(-90 %.0f %.1f)" x="%.0f" y="%.1f">RTT %s</text></g>`+"\n", x+14, y, x+14, y+4, short(p.l.RTT))
}

// arrow draws one.
func (p *sheet) arrow(a *Arrow) {
	k := a.Kind % kinds
	x0, x1 := p.x(a.From), p.x(a.To)
	y0, y1 := p.s.y(a.Sent), p.s.y(a.end())
	p.f(`<g class="a"><title>%s</title>`, safe(p.l.story(a)))
	dash := ""
	switch k {
	case Ack:
		dash = ` stroke-dasharray="5 3"`
	case Retransmission, Duplicate:
		dash = ` stroke-dasharray="9 3"`
	}
	gone := a.Lost && a.LostAt != a.To || a.Arrived.IsZero()
	if gone {
		x1 = (x0 + x1) / 2
		if a.Lost && a.LostAt >= 0 && a.LostAt != a.From {
			x1 = p.x(a.LostAt)
		}
		y1 = y0 + min(p.drop(), max(p.s.free(y0)-2, 0))
	}
	p.f(`<path class="s%d"%s d="M%.1f %.1fL%.1f %.1f"/>`, k, dash, x0, y0, x1, y1)
	p.f(`<circle class="k%d" cx="%.1f" cy="%.1f" r="2.6"/>`, k, x0, y0)
	switch {
	case a.Lost:
		p.f(`<path class="cross" d="M%.1f %.1fl10 10m0 -10l-10 10"/>`, x1-5, y1-5)
	case gone:
		p.f(`<text class="dim m" x="%.1f" y="%.1f">?</text>`, x1, y1+4)
	default:
		angle := math.Atan2(y1-y0, x1-x0)
		p.f(`<path class="k%d" transform="translate(%.1f %.1f) rotate(%.1f)" d="M0 0L-9 -3.8V3.8Z"/>`, k, x1, y1, angle*180/math.Pi)
	}
	p.f("</g>\n")
}

// drop is how far down a lost packet's arrow goes to the middle: as one that
// arrives does.
func (p *sheet) drop() float64 {
	return min(float64(p.l.unit())/1e9/4*p.s.per, 60)
}

// tell writes the labels beside the lifelines.
func (p *sheet) tell() {
	var n [2]int
	for i := range p.l.Arrows {
		a := &p.l.Arrows[i]
		side, x, dir, class := 0, p.left, -1.0, " e"
		if !rightward(a) {
			side, x, dir, class = 1, p.right, 1, ""
		}
		y := p.labels[side][n[side]]
		n[side]++
		p.f(`<path class="thin" d="M%.1f %.1fL%.1f %.1fh%.1f"/>`, x+dir*3, p.s.y(a.Sent), x+dir*(svgLead-5), y, dir*3)
		label := cells.Cut(cells.Visible(a.Kind.Sign()+" "+a.Label), p.chars)
		notes := cells.Visible(strings.Join(p.l.notes(a), " · "))
		room := p.chars - cells.Width(label) - 2
		detail := ""
		if d := cells.Visible(a.Detail); d != "" && cells.Width(notes)+cells.Width(d)+2 <= room {
			detail = " " + d
			room -= cells.Width(d) + 1
		}
		noteClass := "fg"
		if a.Lost {
			noteClass = "lost"
		} else if len(a.Flags) > 0 {
			noteClass = fmt.Sprintf("k%d", Retransmission)
		}
		first, second := fmt.Sprintf(`<tspan class="k%d"><tspan class="b">%s</tspan>%s</tspan>`, a.Kind%kinds, safe(label), safe(detail)), ""
		if notes != "" && room > 3 {
			second = fmt.Sprintf(`<tspan class="%s">%s</tspan>`, noteClass, cut(notes, room))
		}
		if side == 0 && second != "" {
			first, second = second, first
		}
		p.f(`<text class="t%s" x="%.1f" y="%.1f"><title>%s</title>%s`, class, x+dir*svgLead, y+4, safe(p.l.story(a)), first)
		if second != "" {
			p.f("  %s", second)
		}
		p.f("</text>\n")
	}
}
