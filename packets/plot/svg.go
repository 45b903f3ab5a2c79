package plot

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// Places in the picture, in its units.
const (
	svgWidth  = 960.0
	svgLeft   = 86.0  // of the area between the axes
	svgRight  = 910.0 //
	svgTop    = 74.0
	svgBottom = 474.0
	svgLetter = 7.3 // width of one of 12 units
	svgLine   = 19.0
	svgTitle  = 100 // letters of the title, which are larger

	inks = 8 // that style.Palette.Field has
)

const svgFonts = `ui-monospace,'SFMono-Regular','Cascadia Mono',Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace`

// A sheet is a plot under way to SVG.
type sheet struct {
	*Plot
	out    *bufio.Writer
	x, y   ruler
	height float64
}

// SVG draws p as a picture of 960 units' width, which needs nothing else: no
// script, no font, no network. It suits light and dark pages.
func (p *Plot) SVG(w io.Writer) error {
	s := sheet{Plot: p.safe(), out: bufio.NewWriter(w)}
	x, y, any := s.ranges()
	s.x, s.y = newRuler(&s.X, x, 9, false), newRuler(&s.Y, y, 7, true)
	keys, bottom := s.keys(svgBottom + 72)
	var notes []string
	for _, n := range s.Notes {
		notes = append(notes, cells.Wrap(n, 118, 118)...)
	}
	s.height = bottom + float64(len(notes))*svgLine + 14
	s.begin()
	s.axes()
	for i := range s.Series {
		s.draw(&s.Series[i])
	}
	s.tags()
	if !any {
		s.f(`<text class="dim m" x="%.0f" y="%.0f">%s</text>`+"\n", (svgLeft+svgRight)/2, (svgTop+svgBottom)/2, safe(s.Empty))
	}
	s.out.WriteString(keys)
	for i, n := range notes {
		s.f(`<text class="dim" x="16" y="%.0f">%s</text>`+"\n", bottom+float64(i)*svgLine, safe(n))
	}
	s.out.WriteString("</svg>\n")
	return s.out.Flush()
}

// f writes to the picture.
func (s *sheet) f(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// safe makes text fit for XML.
func safe(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(cells.Visible(text))) // a Builder takes everything
	return b.String()
}

// colours returns the inks of the terminal for light and dark pages.
func colours() (light, dark [inks]string) {
	palette := style.PaletteOf(lipgloss.NewRenderer(io.Discard))
	for i := range inks {
		if c, ok := palette.Field(i).GetForeground().(lipgloss.AdaptiveColor); ok {
			light[i], dark[i] = c.Light, c.Dark
		}
	}
	return light, dark
}

func (s *sheet) begin() {
	s.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="%s" font-size="12">`+"\n",
		svgWidth, s.height, svgWidth, s.height, svgFonts)
	s.f("<title>%s</title>\n<style>\n:root{--bg:#ffffff;--fg:#1c1c1c;--dim:#5a5a5a;--grid:#e4e7ec;", safe(s.Title))
	light, dark := colours()
	for i, c := range light {
		s.f("--c%d:%s;", i, c)
	}
	s.f("}\n@media (prefers-color-scheme: dark){:root{--bg:#16181d;--fg:#e8e8e8;--dim:#a3a3a3;--grid:#2c3038;")
	for i, c := range dark {
		s.f("--c%d:%s;", i, c)
	}
	s.f("}}\n.bg{fill:var(--bg)}.fg{fill:var(--fg)}.dim{fill:var(--dim)}.grid{stroke:var(--grid)}.edge{stroke:var(--dim)}" +
		".b{font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}.sign{font-weight:bold;text-anchor:middle;paint-order:stroke;stroke:var(--bg);stroke-width:3px}\n")
	for i := range inks {
		s.f(".f%d{fill:var(--c%d)}.s%d{stroke:var(--c%d);fill:none}", i, i, i, i)
	}
	s.f("\n.line{stroke-width:1.6;stroke-linejoin:round}.tick{stroke-width:2.2}.span{stroke-width:1.2}.cross{stroke-width:2.4;stroke-linecap:round}\n</style>\n")
	s.f(`<clipPath id="area"><rect x="%.0f" y="%.0f" width="%.0f" height="%.0f"/></clipPath>`+"\n", svgLeft-1, svgTop-1, svgRight-svgLeft+2, svgBottom-svgTop+2)
	s.f(`<rect class="bg" width="%.0f" height="%.0f"/>`+"\n", svgWidth, s.height)
	s.f(`<text class="fg b" x="16" y="30" font-size="15">%s</text>`+"\n", safe(cells.Cut(s.Title, svgTitle)))
	s.f(`<text class="dim" x="16" y="54">%s</text>`+"\n", safe(s.y.title))
}

// px and py return where a value lies.
func (s *sheet) px(v float64) float64 { return svgLeft + (svgRight-svgLeft)*s.x.part(v) }
func (s *sheet) py(v float64) float64 { return svgBottom - (svgBottom-svgTop)*s.y.part(v) }

// axes draws the grid, the ticks and their labels.
func (s *sheet) axes() {
	for i, v := range s.y.ticks {
		s.f(`<path class="grid" d="M%.0f %.1fH%.0f"/><text class="dim e" x="%.0f" y="%.1f">%s</text>`+"\n",
			svgLeft, s.py(v), svgRight, svgLeft-8, s.py(v)+4, safe(s.y.labels[i]))
	}
	for i, v := range s.x.ticks {
		if !s.x.has(v) {
			continue
		}
		s.f(`<path class="grid" d="M%.1f %.0fV%.0f"/><path class="edge" d="M%.1f %.0fv5"/><text class="dim m" x="%.1f" y="%.0f">%s</text>`+"\n",
			s.px(v), svgTop, svgBottom, s.px(v), svgBottom, s.px(v), svgBottom+19, safe(s.x.labels[i]))
	}
	s.f(`<path class="edge" fill="none" d="M%.0f %.0fV%.0fH%.0f"/>`+"\n", svgLeft, svgTop, svgBottom, svgRight)
	s.f(`<text class="dim m" x="%.0f" y="%.0f">%s</text>`+"\n", (svgLeft+svgRight)/2, svgBottom+41, safe(s.x.title))
}

// draw draws a series.
func (s *sheet) draw(q *Series) {
	ink := q.Ink % inks
	s.f(`<g clip-path="url(#area)"><title>%s</title>`, safe(q.Name))
	switch q.Style {
	case Line, Steps, Dashes:
		s.f(`<path class="s%d line"%s d="`, ink, dash(q.Style))
		var end Point
		begun := false
		q.segments(func(a, b Point) {
			a, b, ok := clip(a, b, s.x.span, s.y.span)
			if !ok {
				return
			}
			if !begun || a != end {
				begun = true
				s.f("M%.1f %.1f", s.px(a.X), s.py(a.Y))
			}
			if end = b; a != b {
				s.f("L%.1f %.1f", s.px(b.X), s.py(b.Y))
			}
		})
		s.f(`"/>`)
	case Dots:
		for _, p := range q.Points {
			if p.drawable() && s.x.has(p.X) && s.y.has(p.Y) {
				s.f(`<circle class="f%d" cx="%.1f" cy="%.1f" r="2.2"/>`, ink, s.px(p.X), s.py(p.Y))
			}
		}
	case Ticks:
		s.f(`<path class="s%d tick" d="`, ink)
		for _, p := range q.Points {
			if low, high, ok := p.within(s.x.span, s.y.span); ok {
				top, bottom := s.py(high), s.py(low)
				if bottom-top < 2 { // it must be seen
					top, bottom = (top+bottom)/2-1, (top+bottom)/2+1
				}
				s.f("M%.1f %.1fV%.1f", s.px(p.X), bottom, top)
			}
		}
		s.f(`"/>`)
	default:
		for _, p := range q.Points {
			if low, high, ok := p.within(s.x.span, s.y.span); ok {
				s.mark(q, s.px(p.X), s.py(high), s.py(low))
			}
		}
	}
	s.f("</g>\n")
}

// tags writes the signs at the ends of lines, none over another.
func (s *sheet) tags() {
	type tag struct {
		x, y float64
		q    *Series
	}
	var tags []tag
	for i := range s.Series {
		q := &s.Series[i]
		if !q.Style.joined() {
			continue
		}
		for k := len(q.Points) - 1; k >= 0; k-- {
			if p := q.Points[k]; p.drawable() && s.x.has(p.X) {
				tags = append(tags, tag{s.px(p.X) + 6, min(max(s.py(p.Y), svgTop), svgBottom) + 4, q})
				break
			}
		}
	}
	slices.SortStableFunc(tags, func(a, b tag) int { return cmp.Compare(b.y, a.y) })
	for i := range tags {
		for _, below := range tags[:i] {
			if math.Abs(below.x-tags[i].x) < 12 && below.y-tags[i].y < 13 {
				tags[i].y = below.y - 13
			}
		}
		s.f(`<text class="sign f%d" style="text-anchor:start" x="%.1f" y="%.1f">%s</text>`+"\n", tags[i].q.Ink%inks, tags[i].x, tags[i].y, safe(tags[i].q.Sign))
	}
}

func dash(st Style) string {
	if st == Dashes {
		return ` stroke-dasharray="5 3"`
	}
	return ""
}

// mark draws a sign from top to bottom.
func (s *sheet) mark(q *Series, x, top, bottom float64) {
	ink := q.Ink % inks
	if bottom-top > 1 {
		s.f(`<path class="s%d span" d="M%.1f %.1fV%.1f"/>`, ink, x, bottom, top)
	}
	if q.Sign == "✕" { // drawn, because fonts disagree about it
		s.f(`<path class="s%d cross" d="M%.1f %.1fl8 8m0 -8l-8 8"/>`, ink, x-4, (top+bottom)/2-4)
		return
	}
	s.f(`<text class="sign f%d" font-size="11" x="%.1f" y="%.1f">%s</text>`, ink, x, top-1, safe(q.Sign))
}

// keys returns the legend from y on, and where it ends.
func (s *sheet) keys(y float64) (string, float64) {
	var b strings.Builder
	x := 16.0
	for i := range s.Series {
		q := &s.Series[i]
		name := q.Name
		if q.Style.joined() {
			name = q.Sign + " " + name
		}
		w := 36 + svgLetter*float64(cells.Width(name)) + 22
		if x > 16 && x+w > svgWidth-16 {
			x, y = 16, y+svgLine
		}
		ink, mid := q.Ink%inks, y-4
		switch q.Style {
		case Line, Steps, Dashes:
			fmt.Fprintf(&b, `<path class="s%d line"%s d="M%.0f %.0fh28"/>`, ink, dash(q.Style), x, mid)
		case Dots:
			fmt.Fprintf(&b, `<circle class="f%d" cx="%.0f" cy="%.0f" r="2.6"/>`, ink, x+14, mid)
		case Ticks:
			fmt.Fprintf(&b, `<path class="s%d tick" d="M%.0f %.0fv12"/>`, ink, x+14, mid-6)
		default:
			if q.Sign == "✕" {
				fmt.Fprintf(&b, `<path class="s%d cross" d="M%.0f %.0fl8 8m0 -8l-8 8"/>`, ink, x+10, mid-4)
			} else {
				fmt.Fprintf(&b, `<text class="sign f%d" x="%.0f" y="%.0f">%s</text>`, ink, x+14, y, safe(q.Sign))
			}
		}
		fmt.Fprintf(&b, `<text class="fg" x="%.0f" y="%.0f">%s</text>`+"\n", x+36, y, safe(name))
		x += w
	}
	return b.String(), y + svgLine + 4
}
