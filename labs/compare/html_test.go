package compare

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wirelab/internal/style"
)

func written(t *testing.T, m *Matrix) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.WriteHTML(&b, "wirelab v1", "wirelab compare --seed 7"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// nodes returns the page's elements of that name, or all.
func nodes(t *testing.T, page, name string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			all = append(all, n)
		}
	}
	return all
}

// text returns all text inside n.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// The page needs nothing but itself, and has nothing that runs.
func TestHTMLNeedsNothing(t *testing.T) {
	page := written(t, sample(3))
	for _, n := range nodes(t, page, "") {
		if slices.Contains([]string{"script", "link", "iframe", "img", "object", "embed", "base", "form"}, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"src", "href", "srcset", "action"}, a.Key) {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	for _, word := range []string{"@import", "url(", "http:", "https:", "NaN", "Inf", "ZgotmplZ", "%!"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q in it", word)
		}
	}
}

// Every cell says its figures, sign and words as text; every drawing has a
// title and a description; each column and row of a table has a head.
func TestHTMLSaysEverythingInWords(t *testing.T) {
	m := sample(3)
	page := written(t, m)
	tables := nodes(t, page, "table")
	if len(tables) != 2 {
		t.Fatalf("%d tables, want the matrix and the figures", len(tables))
	}
	matrix, figures := text(tables[0]), text(tables[1])
	for _, row := range m.Rows {
		for _, s := range []string{row.Name, row.Title} {
			if !strings.Contains(matrix, s) || !strings.Contains(figures, s) {
				t.Errorf("%q is not in both tables", s)
			}
		}
		for i := range row.Cells {
			c := &row.Cells[i]
			median, span := deliveredFigure().show(c)
			if span != "" {
				span = " (" + span + ")"
			}
			if want := c.Guarantee().Sign() + median + span + c.Guarantee().String(); !strings.Contains(matrix, want) {
				t.Errorf("%s over %s: no cell says %q", c.Fault, c.Transport, want)
			}
			for _, metric := range Metrics() {
				if s := metric.Spread(c); !strings.Contains(figures, metric.median(s)+metric.span(s)) {
					t.Errorf("%s over %s: no %s of %s", c.Fault, c.Transport, metric.Name, metric.median(s))
				}
			}
		}
	}
	for _, n := range nodes(t, page, "th") {
		if attribute(n, "scope") == "" {
			t.Errorf("the head %q does not say what it is the head of", text(n))
		}
	}
	ids := map[string]bool{}
	for _, n := range nodes(t, page, "") {
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements have the id %q", id)
			}
			ids[id] = true
		}
	}
	charts := 0
	for _, n := range nodes(t, page, "") {
		for _, id := range strings.Fields(attribute(n, "aria-labelledby")) {
			if !ids[id] {
				t.Errorf("<%s> is labelled by %q, which is not there", n.Data, id)
			}
		}
		if n.Data == "svg" && attribute(n, "aria-hidden") == "" {
			charts++
			if attribute(n, "role") != "img" || len(strings.Fields(attribute(n, "aria-labelledby"))) != 2 {
				t.Errorf("a chart without title and description")
			}
		}
	}
	if charts != 3 {
		t.Errorf("%d charts, want 3", charts)
	}
	for _, want := range []string{"wirelab v1", "wirelab compare --seed 7", "7–9, one for each of 3 runs", "delay 20ms", noPromise} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// Whatever a name or reason is, it stays text.
func TestHTMLEscapes(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for range 100 {
		m := randomMatrix(r)
		page := written(t, m)
		for _, n := range nodes(t, page, "") {
			if n.Data == "script" {
				t.Fatalf("seed %d: a name became an element", seed)
			}
		}
		for _, word := range []string{"NaN", "Inf", "ZgotmplZ", "%!"} {
			if strings.Contains(page, word) {
				t.Fatalf("seed %d: the page has %q in it", seed, word)
			}
		}
		for line := range strings.Lines(page) {
			if line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), "\t"); style.Visible(line) != line {
				t.Fatalf("seed %d: a terminal does not show %q as it is", seed, line)
			}
		}
	}
}

// WCAG 2.2 (1.4.3) asks for 4.5:1 between text and what it stands on, (1.4.11)
// for 3:1 between a drawing and its ground.
func TestHTMLContrast(t *testing.T) {
	light, dark, found := strings.Cut(htmlTemplate, "prefers-color-scheme: dark")
	if !found {
		t.Fatal("no dark colours")
	}
	tints := []string{"best", "fair", "told", "silent"}
	for name, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(sheet, -1) {
			colours[m[1]] = m[2]
		}
		check := func(ink, ground string, want float64) {
			t.Helper()
			if colours[ink] == "" || colours[ground] == "" {
				t.Fatalf("%s: no colour --%s or --%s", name, ink, ground)
			}
			if got := contrast(t, colours[ink], colours[ground]); got < want {
				t.Errorf("%s: --%s on --%s: %.2f, want at least %v", name, ink, ground, got, want)
			}
		}
		for _, ground := range append([]string{"page", "band"}, tints...) {
			check("ink", ground, 4.5)
			check("soft", ground, 4.5)
		}
		for _, tint := range tints {
			check(tint+"-ink", tint, 4.5)
			check(tint+"-ink", "page", 4.5)
		}
		check("mark", "page", 3)
		check("mark", "band", 3)
		check("mark", "range", 1.5)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	luminance := func(colour string) (sum float64) {
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
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Marks lie on their scale: inside the panel, in the order of their values, and
// a tenfold value as far from the next on a logarithmic scale.
func TestChartPlaces(t *testing.T) {
	for _, m := range []*Matrix{sample(1), sample(5), sample(1).only("none")} {
		for _, c := range m.charts() {
			for _, p := range c.Panels {
				for _, mark := range p.Marks {
					for _, s := range mark.Shapes {
						for _, x := range []float64{s.X, s.X2} {
							if x != 0 && (x < p.X-0.1 || x > p.X+p.Width+0.1) {
								t.Errorf("%s: %s: a %s at %v, outside %v to %v", c.ID, mark.Title, s.Kind, x, p.X, p.X+p.Width)
							}
						}
					}
				}
				for i, tick := range p.Ticks {
					if i > 0 && tick.X-p.Ticks[i-1].X < tickSpacing {
						t.Errorf("%s: the ticks %s and %s touch", c.ID, p.Ticks[i-1].Label, tick.Label)
					}
				}
				if len(p.Ticks) < 2 {
					t.Errorf("%s: %d ticks: that is no scale", c.ID, len(p.Ticks))
				}
			}
		}
	}
	s := scale{low: 0.01, high: 100, from: 0, to: 400, log: true}
	for i, v := range []float64{0.01, 0.1, 1, 10, 100} {
		if got, want := s.at(v), float64(i*100); math.Abs(got-want) > 1e-9 {
			t.Errorf("at(%v) = %v, want %v", v, got, want)
		}
	}
	s = scale{high: 50, from: 10, to: 110}
	if got := s.at(25); got != 60 {
		t.Errorf("at(25) = %v, want 60", got)
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		log       bool
		unit      string
		want      []string
	}{
		{0.01, 50, true, "s", []string{"10ms", "100ms", "1s", "10s"}},
		{1, 5, true, "B/B", []string{"1", "2", "5"}},
		{1e-6, 1e4, true, "s", []string{"1µs", "1ms", "1s", "1000s"}},
		{0, 94, false, "", []string{"0", "50"}},
		{0, 1, false, "", []string{"0", "1"}},
		{0, 123456, false, "", []string{"0", "50000", "100000"}},
	} {
		s := scale{low: tt.low, high: tt.high, from: 0, to: 145, log: tt.log}
		p := plot{log: tt.log, metrics: []Metric{{Unit: tt.unit}}}
		var got []string
		for _, tick := range p.ticks(s) {
			got = append(got, tick.Label)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("ticks from %v to %v = %q, want %q", tt.low, tt.high, got, tt.want)
		}
	}
}
