//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// A row is one line of the report: something measured and what it is measured
// against. Both numbers come from the same run.
type row struct {
	What      string  // such as "TCP fan-out, 100 members"
	Unit      string  // of both values
	Reference string  // what Base is of; empty: there is none
	Base      float64 // the reference's value
	Value     float64 // wirelab's
	Bar       bar
}

// A bar is what a row must reach. The zero bar asks for nothing.
type bar struct {
	Ratio float64 // if not 0, Value must be at least this many times Base
	Least float64 // if not 0, Value must be at least this
	Most  float64 // if not 0, Value must be at most this
}

// ratio is how many times the reference wirelab is; 0 without one.
func (r row) ratio() float64 {
	if r.Base == 0 {
		return 0
	}
	return r.Value / r.Base
}

// verdict is "ok", "MISS", or empty where there is no bar.
func (r row) verdict() string {
	switch {
	case r.Bar == bar{}:
		return ""
	case r.ratio() < r.Bar.Ratio, r.Value < r.Bar.Least, r.Bar.Most != 0 && r.Value > r.Bar.Most:
		return "MISS"
	}
	return "ok"
}

func (b bar) String() string {
	switch {
	case b.Ratio != 0:
		return fmt.Sprintf("≥ %g ×", b.Ratio)
	case b.Least != 0:
		return "≥ " + number(b.Least)
	case b.Most != 0:
		return "≤ " + number(b.Most)
	}
	return ""
}

// MarshalJSON spells a row out, with null where it has no reference or bar.
func (r row) MarshalJSON() ([]byte, error) {
	out := struct {
		What      string   `json:"what"`
		Unit      string   `json:"unit"`
		Reference *string  `json:"reference"`
		Base      *float64 `json:"reference_value"`
		Value     float64  `json:"wirelab"`
		Ratio     *float64 `json:"ratio"`
		Bar       *string  `json:"bar"`
		OK        *bool    `json:"ok"`
	}{What: r.What, Unit: r.Unit, Value: r.Value}
	if r.Reference != "" {
		ratio := r.ratio()
		out.Reference, out.Base, out.Ratio = &r.Reference, &r.Base, &ratio
	}
	if v := r.verdict(); v != "" {
		name, ok := r.Bar.String(), v == "ok"
		out.Bar, out.OK = &name, &ok
	}
	return json.Marshal(out)
}

// number writes v with three significant digits: "26.4 M", "812", "0.52".
func number(v float64) string {
	suffix := ""
	switch a := math.Abs(v); {
	case a >= 999.5e3:
		v, suffix = v/1e6, " M"
	case a >= 9995:
		v, suffix = v/1e3, " k"
	}
	switch a := math.Abs(v); {
	case a >= 99.95 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f%s", v, suffix)
	case a >= 9.995:
		return fmt.Sprintf("%.1f%s", v, suffix)
	}
	return fmt.Sprintf("%.2f%s", v, suffix)
}

// printTable writes rows for people.
func printTable(w io.Writer, rows []row) {
	cells := [][]string{{"what", "unit", "reference", "", "wirelab", "ratio", "bar", ""}}
	for _, r := range rows {
		line := []string{r.What, r.Unit, r.Reference, "", number(r.Value), "", r.Bar.String(), r.verdict()}
		if r.Reference != "" {
			line[3] = number(r.Base)
		}
		if r.ratio() != 0 {
			line[5] = fmt.Sprintf("%.2f ×", r.ratio())
		}
		cells = append(cells, line)
	}
	right := []bool{3: true, 4: true, 5: true, 6: true, 7: false}
	width := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, c := range line {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, line := range cells {
		var b strings.Builder
		for i, c := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if right[i] {
				c = pad + c
			} else {
				c += pad
			}
			b.WriteString(c + "  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
		if n == 0 {
			rule := 0
			for _, n := range width {
				rule += n + 2
			}
			fmt.Fprintln(w, strings.Repeat("─", rule-2))
		}
	}
}

// median returns the middle of v, or the mean of the two in the middle.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
