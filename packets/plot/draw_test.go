package plot_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"wirelab/packets/plot"
)

// A sheet is what a reader sees of a plot in a terminal: where the ticks are and
// what they say.
type sheet struct {
	lines [][]rune
	x, y  map[int]float64 // value by column, by line
}

// read reads the axes of a plot with values up to 99999.
func read(t *testing.T, text string) sheet {
	t.Helper()
	s := sheet{x: map[int]float64{}, y: map[int]float64{}}
	for _, l := range strings.Split(text, "\n") {
		s.lines = append(s.lines, []rune(l))
	}
	for i, l := range s.lines {
		if label, _, ok := strings.Cut(string(l), "┤"); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(label), 64)
			if err != nil {
				t.Fatal(err)
			}
			s.y[i] = v
		}
		if !strings.Contains(string(l), "└") {
			continue
		}
		labels := strings.Fields(string(s.lines[i+1]))
		n := 0
		for x, r := range l {
			if r == '┬' && n < len(labels) {
				v, err := strconv.ParseFloat(labels[n], 64)
				if err != nil {
					t.Fatal(err)
				}
				s.x[x] = v
				n++
			}
		}
	}
	if len(s.x) < 2 || len(s.y) < 2 {
		t.Fatalf("too few ticks in\n%s", text)
	}
	return s
}

// at returns the place of a value by the ticks.
func at(ticks map[int]float64, v float64) float64 {
	p0, p1 := math.MaxInt, math.MinInt
	for p := range ticks {
		p0, p1 = min(p0, p), max(p1, p)
	}
	return float64(p0) + (v-ticks[p0])/(ticks[p1]-ticks[p0])*float64(p1-p0)
}

// A point stands where the ticks beside it and below it say.
func TestPointsStandWhereTheTicksSay(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		x, y := random.Float64()*500, random.Float64()*90
		p := plot.Plot{Title: "t", X: plot.Axis{Min: 0, Max: 500}, Y: plot.Axis{Min: 0, Max: 90},
			Series: []plot.Series{{Name: "n", Sign: "Q", Style: plot.Marks, Points: []plot.Point{{X: x, Y: y, Low: y}}}}}
		width, height := 60+random.IntN(140), 20+random.IntN(30)
		text := p.Text(width, height, plain())
		s := read(t, text)
		found := 0
		for row, l := range s.lines[:len(s.lines)-3] { // the legend has the sign, too
			for col, r := range l {
				if r != 'Q' {
					continue
				}
				found++
				if dx, dy := float64(col)-at(s.x, x), float64(row)-at(s.y, y); math.Abs(dx) > 1.3 || math.Abs(dy) > 1.3 {
					t.Fatalf("(%.1f, %.1f) is %.1f columns and %.1f lines away from its place in\n%s", x, y, dx, dy, text)
				}
			}
		}
		if found != 1 {
			t.Fatalf("(%.1f, %.1f) is drawn %d times in\n%s", x, y, found, text)
		}
	}
}

func TestPointsOutsideAreNotDrawn(t *testing.T) {
	p := plot.Plot{X: plot.Axis{Min: 0, Max: 10}, Y: plot.Axis{Min: 0, Max: 10}, Series: []plot.Series{
		{Name: "m", Sign: "Q", Style: plot.Marks, Points: []plot.Point{{X: 11, Y: 5, Low: 5}, {X: 5, Y: 1e300, Low: 1e299}, {X: math.NaN()}, {Y: math.Inf(1)}}},
		{Name: "l", Sign: "L", Points: []plot.Point{{X: -1e300, Y: -1e300}, {X: 1e300, Y: 1e300}, {X: 5, Y: math.NaN()}}},
	}}
	text := p.Text(80, 24, plain())
	if n := strings.Count(text, "Q"); n != 1 { // the legend's
		t.Errorf("%d marks outside are drawn:\n%s", n-1, text)
	}
	if err := p.SVG(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
}

func TestHostileTextIsHarmless(t *testing.T) {
	const evil = "\x1b[2J</text><script>alert(1)</script>\u202e\n&\"'"
	p := plot.Plot{Title: evil, X: plot.Axis{Label: evil}, Y: plot.Axis{Label: evil}, Notes: []string{evil}, Empty: evil,
		Series: []plot.Series{{Name: evil, Sign: evil, Style: plot.Marks, Points: []plot.Point{{X: 1, Y: 1, Low: 1}}}, {Name: "l", Sign: "", Points: []plot.Point{{X: 2, Y: 2}}}}}
	for _, q := range []plot.Plot{p, {Title: evil, Empty: evil}} {
		text := q.Text(80, 24, plain())
		if strings.ContainsAny(text, "\x1b\u202e") || strings.Count(text, "\n") != 24 {
			t.Errorf("%q", text)
		}
		var b bytes.Buffer
		if err := q.SVG(&b); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
		if strings.ContainsAny(b.String(), "\x1b\u202e") {
			t.Error("control characters in the picture")
		}
	}
}

func TestEverySizeIsDrawn(t *testing.T) {
	_, p := lab(t).plot(plot.Choice{Kind: plot.Sequence})
	for _, size := range [][2]int{{0, 0}, {-5, 3}, {40, 12}, {41, 13}, {1000, 1000}, {1 << 30, 1 << 30}} {
		p.Text(size[0], size[1], plain())
	}
	(&plot.Plot{}).Text(80, 24, plain())
}
