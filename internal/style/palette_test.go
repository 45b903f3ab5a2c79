package style

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

func (p *Palette) all() map[string]lipgloss.Style {
	return map[string]lipgloss.Style{
		"Event": p.Event, "Name": p.Name, "System": p.System, "Error": p.Error, "Dim": p.Dim, "Accent": p.Accent,
		"Field(0)": p.Field(0), "Field(9)": p.Field(9),
		"Grade(0)": p.Grade(0), "Grade(9)": p.Grade(9),
	}
}

type environ map[string]string

func (e environ) Getenv(key string) string { return e[key] }
func (e environ) Environ() (all []string) {
	for k, v := range e {
		all = append(all, k+"="+v)
	}
	return all
}

func TestPaletteIsPlain(t *testing.T) {
	onTerminal := func(e environ) *Palette {
		return PaletteOf(lipgloss.NewRenderer(io.Discard, termenv.WithEnvironment(e), termenv.WithTTY(true)))
	}
	for _, tt := range []struct {
		name  string
		p     *Palette
		plain bool
	}{
		{"no terminal", NewPalette(&bytes.Buffer{}, false), true},
		{"asked for", NewPalette(os.Stdout, true), true},
		{"NO_COLOR", onTerminal(environ{"TERM": "xterm-256color", "NO_COLOR": "1"}), true},
		{"dumb terminal", onTerminal(environ{"TERM": "dumb"}), true},
		{"terminal", onTerminal(environ{"TERM": "xterm-256color"}), false},
		{"terminal of all colours", onTerminal(environ{"TERM": "xterm-256color", "COLORTERM": "truecolor"}), false},
	} {
		for role, s := range tt.p.all() {
			if got := s.Render("hello"); (got == "hello") != (tt.plain || role == "Event") {
				t.Errorf("%s: %s renders hello as %q", tt.name, role, got)
			}
		}
	}
}

func TestColoursAreReadable(t *testing.T) {
	backgrounds := map[string][]string{
		"light": {"#ffffff", "#fafafa", "#fdf6e3"}, // white, near white, Solarized light
		"dark":  {"#000000", "#1e1e1e", "#282c34", "#002b36"},
	}
	for _, c := range slices.Concat([]lipgloss.AdaptiveColor{grey, red, blue}, fieldColours, gradeColours) {
		for _, tt := range []struct{ theme, colour string }{{"light", c.Light}, {"dark", c.Dark}} {
			for _, bg := range backgrounds[tt.theme] {
				if got := contrast(t, tt.colour, bg); got < 4.5 {
					t.Errorf("%s on %s: contrast %.1f, want at least 4.5", tt.colour, bg, got)
				}
			}
		}
	}
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) (sum float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, v := range map[string]any{"buffer": &bytes.Buffer{}, "file": f, "nil": nil, "nil file": (*os.File)(nil)} {
		if IsTerminal(v) {
			t.Errorf("IsTerminal(%s) = true, want false", name)
		}
		if w, ok := v.(io.Writer); ok {
			if got := Width(w); got != 80 {
				t.Errorf("Width(%s) = %d, want 80", name, got)
			}
			if got := Height(w); got != 0 {
				t.Errorf("Height(%s) = %d, want 0", name, got)
			}
		}
	}
}
