//go:build !wasip1

package style

import (
	"io"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// A Palette has a style for each role that text plays in a terminal. Render
// one line at a time: lipgloss pads the lines of a text to equal length.
type Palette struct {
	Event  lipgloss.Style // what people say
	Name   lipgloss.Style // who says it
	System lipgloss.Style // what the program says
	Error  lipgloss.Style
	Dim    lipgloss.Style // times, counts, hints
	Accent lipgloss.Style // what to look at

	fields []lipgloss.Style
	grades []lipgloss.Style
}

// NewPalette returns the colours for w. They render text as it is, without a
// byte of colour, if plain is set, if w is no terminal, if NO_COLOR is set or
// if the terminal has no colours. On a terminal they suit its background,
// light or dark.
func NewPalette(w io.Writer, plain bool) *Palette {
	r := lipgloss.NewRenderer(w)
	if plain || !IsTerminal(w) {
		r.SetColorProfile(termenv.Ascii)
	}
	if r.ColorProfile() != termenv.Ascii {
		// Each renderer would ask the terminal anew, and wait for its answer.
		r.SetHasDarkBackground(lipgloss.HasDarkBackground())
	}
	return PaletteOf(r)
}

// PaletteOf returns the colours as r can render them.
func PaletteOf(r *lipgloss.Renderer) *Palette {
	ink := func(c lipgloss.AdaptiveColor) lipgloss.Style { return r.NewStyle().Foreground(c) }
	p := &Palette{
		Event:  r.NewStyle(),
		Name:   r.NewStyle().Bold(true),
		System: ink(grey).Italic(true),
		Error:  ink(red).Bold(true),
		Dim:    ink(grey),
		Accent: ink(blue).Bold(true),
	}
	for _, c := range fieldColours {
		p.fields = append(p.fields, ink(c))
	}
	for _, c := range gradeColours {
		p.grades = append(p.grades, ink(c))
	}
	return p
}

// Field returns the style of the i-th field of a frame, from 0; neighbours
// differ.
func (p *Palette) Field(i int) lipgloss.Style { return p.fields[i%len(p.fields)] }

// Grade returns the style of a verdict, from 0, the best, to 3, the worst. A
// sign or a word says the same beside it.
func (p *Palette) Grade(i int) lipgloss.Style { return p.grades[min(max(i, 0), len(p.grades)-1)] }

// The colours keep a contrast of 4.5 to 1, which WCAG 2.2 (1.4.3) asks of
// text, on the usual backgrounds. Of two neighbours in fieldColours one is warm
// and one cold, which most colour-blind people can tell apart.
var (
	grey = lipgloss.AdaptiveColor{Light: "#5a5a5a", Dark: "#a3a3a3"}
	red  = lipgloss.AdaptiveColor{Light: "#b3001b", Dark: "#ff8080"}
	blue = lipgloss.AdaptiveColor{Light: "#0a58a8", Dark: "#6cb6ff"}

	fieldColours = []lipgloss.AdaptiveColor{
		blue,
		{Light: "#8a4b00", Dark: "#ffb454"}, // orange
		{Light: "#006b5b", Dark: "#4fd6be"}, // teal
		{Light: "#a3185f", Dark: "#ff8ec6"}, // pink
		{Light: "#2f6b00", Dark: "#a5d66f"}, // green
		{Light: "#b3001b", Dark: "#ff8080"}, // red
		{Light: "#5b3cc4", Dark: "#b9a5ff"}, // violet
		{Light: "#6b5d00", Dark: "#e6d34f"}, // yellow
	}

	gradeColours = []lipgloss.AdaptiveColor{
		{Light: "#2f6b00", Dark: "#a5d66f"}, // green
		blue,
		{Light: "#8a4b00", Dark: "#ffb454"}, // orange
		red,
	}
)
