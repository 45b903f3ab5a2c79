package compare

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wirelab/internal/style"
)

// What is written comes back: each run is a line, each metric a number.
func TestCSVReadsBack(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	all := []*Matrix{sample(1), sample(3), {}}
	for range 50 {
		all = append(all, randomMatrix(r))
	}
	for _, m := range all {
		var b strings.Builder
		if err := m.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		head := lines[0]
		n := 0
		for _, row := range m.Rows {
			for _, c := range row.Cells {
				for i := range c.Runs {
					n++
					checkLine(t, &c.Runs[i], head, lines[n])
				}
			}
		}
		if len(lines) != n+1 {
			t.Errorf("seed %d: %d lines of %d runs", seed, len(lines)-1, n)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); style.Visible(line) != line {
				t.Fatalf("seed %d: a terminal does not show %q as it is", seed, line)
			}
		}
	}
}

func checkLine(t *testing.T, r *Run, head, line []string) {
	t.Helper()
	get := func(name string) string { return line[slices.Index(head, name)] }
	if got := get("seed"); got != fmt.Sprint(r.Seed) {
		t.Errorf("seed is %s, want %d", got, r.Seed)
	}
	if got := get("guarantee"); got != r.Guarantee().String() {
		t.Errorf("guarantee is %q, want %q", got, r.Guarantee())
	}
	for _, metric := range Metrics() {
		want, ok := metric.value(r)
		got, err := strconv.ParseFloat(get(metric.Name), 64)
		if ok != (err == nil) || ok && got != want {
			t.Errorf("%s is %q, want %v, %v", metric.Name, get(metric.Name), want, ok)
		}
	}
}
