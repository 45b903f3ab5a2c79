package ladder

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"wirelab/internal/style"
	"wirelab/packets"
)

func TestScratch(t *testing.T) {
	file := os.Getenv("LAD")
	if file == "" {
		t.Skip()
	}
	r, err := packets.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	flows, _, err := Flows(r)
	if err != nil {
		t.Log(err)
	}
	r, _ = packets.Open(file, nil)
	b := NewBuilder(flows[Best(flows)].Key)
	b.Flat = os.Getenv("FLAT") != ""
	if err := b.Read(r, 0); err != nil {
		t.Log(err)
	}
	w, _ := strconv.Atoi(os.Getenv("W"))
	n, _ := strconv.Atoi(os.Getenv("N"))
	l := b.Ladder()
	s := l
	if n > 0 {
		s = l.Summarise(n)
	}
	pal := style.NewPalette(io.Discard, true)
	if os.Getenv("COLOR") != "" {
		rr := lipgloss.NewRenderer(os.Stdout, termenv.WithUnsafe())
		rr.SetColorProfile(termenv.TrueColor)
		rr.SetHasDarkBackground(true)
		pal = style.PaletteOf(rr)
	}
	if svg := os.Getenv("SVG"); svg != "" {
		f, _ := os.Create(svg)
		drawSVG(s, f)
		f.Close()
		return
	}
	s.Text(os.Stdout, Options{Width: w, Palette: pal})
	fmt.Println(len(s.rows()))
}

var drawSVG = func(l *Ladder, w io.Writer) { l.SVG(w) }
