package view

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// A bar is a value with its name.
type bar struct {
	label string
	value float64 // in the base unit of dim
	dim   measure.Dimension
	shown string // the value with its unit
}

// A chart is bars beside each other. All of one dimension have one scale, from
// 0.
type chart struct {
	title string
	bars  []bar
}

// barsOf draws the values of the sheet's expressions.
func barsOf(v *sheet.View, variant *sheet.Variant, runs measure.Runs, scope *measure.Scope) (drawing, error) {
	c := &chart{title: v.Name}
	for i := range v.Bars {
		b := &v.Bars[i]
		label, err := variant.TextOf(b.Label, v.Run, runs)
		if err != nil {
			return nil, fmt.Errorf("bar %d: label: %w", i+1, err)
		}
		value, err := b.Value.Number(scope)
		if err != nil {
			return nil, fmt.Errorf("bar %q: %w", visible(label), err)
		}
		c.bars = append(c.bars, bar{visible(label), value, b.Unit.Dim, written(value, b.Unit)})
	}
	return c, nil
}

// part returns how long b is, of the longest of its dimension: 0 to 1. What is
// no number, or below 0, has no length; its value is written all the same.
func (c *chart) part(b *bar) float64 {
	most := 0.0
	for i := range c.bars {
		if o := &c.bars[i]; o.dim == b.dim && !math.IsInf(o.value, 0) && !math.IsNaN(o.value) {
			most = max(most, o.value)
		}
	}
	switch {
	case math.IsInf(b.value, 1):
		return 1
	case most <= 0 || !(b.value > 0):
		return 0
	}
	return min(b.value/most, 1)
}

// eighths are the parts of a cell that is filled from the left.
const eighths = " ▏▎▍▌▋▊▉█"

func (c *chart) text(width, _ int, palette *style.Palette) (lines []string) {
	label, shown := 0, 0
	for i := range c.bars {
		label = max(label, cells.Width(c.bars[i].label))
		shown = max(shown, cells.Width(c.bars[i].shown))
	}
	label, shown = min(label, width/3), min(shown, width/3)
	room := max(width-label-shown-4, 8)
	for i := range c.bars {
		b := &c.bars[i]
		n := int(math.Round(c.part(b) * float64(room) * 8))
		if n == 0 && b.value > 0 {
			n = 1 // it is there
		}
		fill := strings.Repeat("█", n/8)
		if n%8 > 0 {
			fill += string([]rune(eighths)[n%8])
		}
		lines = append(lines, cells.Pad(b.label, label)+"  "+palette.Field(i).Render(fill)+strings.Repeat(" ", room-cells.Width(fill))+"  "+cells.PadLeft(b.shown, shown))
	}
	return lines
}

func (c *chart) svg() bool { return true }

// Places in the picture, in its units, which are those of package plot's.
const (
	barWidth  = 960.0
	barTop    = 20.0
	barLine   = 34.0
	barHeight = 20.0
	barLetter = 7.3 // width of one of 12 units
	barFonts  = `ui-monospace,'SFMono-Regular','Cascadia Mono',Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace`
)

// markup draws the bars as an SVG for light and dark pages.
func (c *chart) markup(w io.Writer) error {
	out := bufio.NewWriter(w)
	height := 2*barTop + barLine*float64(len(c.bars))
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="%s" font-size="12">`+"\n",
		barWidth, height, barWidth, height, barFonts)
	light, dark := inks(len(c.bars))
	fmt.Fprintf(out, "<title>%s</title>\n<style>\n:root{--bg:#ffffff;--fg:#1c1c1c;--dim:#5a5a5a;%s}\n@media (prefers-color-scheme: dark){:root{--bg:#16181d;--fg:#e8e8e8;--dim:#a3a3a3;%s}}\n", escaped(c.title), light, dark)
	out.WriteString(".bg{fill:var(--bg)}.fg{fill:var(--fg)}.edge{stroke:var(--dim)}.e{text-anchor:end}\n")
	for i := range c.bars {
		fmt.Fprintf(out, ".f%d{fill:var(--c%d)}", i, i)
	}
	fmt.Fprintf(out, "\n</style>\n<rect class=\"bg\" width=\"%.0f\" height=\"%.0f\"/>\n", barWidth, height)
	const most = 40 // letters of a label, and of a value
	label, shown := 0, 0
	for i := range c.bars {
		label = max(label, min(cells.Width(c.bars[i].label), most))
		shown = max(shown, min(cells.Width(c.bars[i].shown), most))
	}
	left := 16 + barLetter*float64(label) + 12
	room := barWidth - left - barLetter*float64(shown) - 28
	for i := range c.bars {
		b := &c.bars[i]
		y := barTop + barLine*float64(i) + barLine/2
		length := room * c.part(b)
		if length < 1 && b.value > 0 {
			length = 1 // it is there
		}
		fmt.Fprintf(out, `<text class="fg e" x="%.1f" y="%.1f">%s</text><rect class="f%d" x="%.1f" y="%.1f" width="%.1f" height="%.0f"/><text class="fg" x="%.1f" y="%.1f">%s</text>`+"\n",
			left-10, y+4, escaped(cells.Cut(b.label, most)), i, left, y-barHeight/2, length, barHeight, left+length+8, y+4, escaped(cells.Cut(b.shown, most)))
	}
	fmt.Fprintf(out, `<path class="edge" d="M%.1f %.1fV%.1f"/>`+"\n</svg>\n", left, barTop, height-barTop)
	return out.Flush()
}

// inks returns the first n colours of the palette as CSS variables, for light and
// dark pages.
func inks(n int) (light, dark string) {
	palette := style.PaletteOf(lipgloss.NewRenderer(io.Discard))
	for i := range n {
		if c, ok := palette.Field(i).GetForeground().(lipgloss.AdaptiveColor); ok {
			light += fmt.Sprintf("--c%d:%s;", i, c.Light)
			dark += fmt.Sprintf("--c%d:%s;", i, c.Dark)
		}
	}
	return light, dark
}
