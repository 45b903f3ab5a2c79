package compare

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The document holds the Matrix as it is: it reads back into one.
func TestJSONReadsBack(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	all := []*Matrix{sample(1), sample(3), {}}
	for range 50 {
		all = append(all, randomMatrix(r))
	}
	for _, m := range all {
		var b bytes.Buffer
		if err := m.WriteJSON(&b, "wirelab compare"); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, c := range b.String() {
			if c != '\n' && !unicode.IsGraphic(c) {
				t.Fatalf("seed %d: %U in %q", seed, c, b.String())
			}
		}
		var got Matrix
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		valid := cmp.Transformer("valid", func(s string) string {
			return strings.ToValidUTF8(strings.ReplaceAll(s, "\xff\xfe", "\ufffd\ufffd"), "\ufffd")
		})
		if d := cmp.Diff(m, &got, cmpopts.EquateEmpty(), cmp.FilterValues(func(a, b string) bool { return strings.Contains(a+b, "\xff") }, valid)); d != "" {
			t.Fatalf("seed %d: it comes back as another:\n%s", seed, d)
		}
	}
}

// Each cell says its medians, ranges and words, and never a number that is
// none.
func TestJSONFigures(t *testing.T) {
	m := sample(4)
	var b bytes.Buffer
	if err := m.WriteJSON(&b, "wirelab compare"); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Rows []struct {
			Cells []struct {
				Shown   struct{ Text, Sign string }
				Figures map[string]*struct {
					Median, Min, Max float64
					Runs             int
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	missing := 0
	for i, row := range m.Rows {
		for j := range row.Cells {
			c, got := &row.Cells[j], doc.Rows[i].Cells[j]
			if g := c.Guarantee(); got.Shown.Text != g.String() || got.Shown.Sign != g.Sign() {
				t.Errorf("%s over %s shows %+v, want %s", c.Fault, c.Transport, got.Shown, g)
			}
			for _, metric := range Metrics() {
				want, f := metric.Spread(c), got.Figures[metric.Name]
				if f == nil {
					missing++
					if want.N > 0 {
						t.Errorf("%s over %s has no %s, want %v", c.Fault, c.Transport, metric.Name, want)
					}
					continue
				}
				if (Spread{f.Median, f.Min, f.Max, f.Runs}) != want || math.IsNaN(f.Median) {
					t.Errorf("%s over %s: %s is %+v, want %v", c.Fault, c.Transport, metric.Name, f, want)
				}
			}
		}
	}
	if missing == 0 {
		t.Error("in no cell is a figure missing: nothing was tested")
	}
}
