//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		in   float64
		want string
	}{
		{0, "0"},
		{0.5234, "0.52"},
		{3, "3"},
		{11.86, "11.9"},
		{812.4, "812"},
		{9994, "9994"},
		{12345, "12.3 k"},
		{999_600, "1.00 M"},
		{26_380_000, "26.4 M"},
		{300_000, "300 k"},
	}
	for _, tt := range tests {
		if got := number(tt.in); got != tt.want {
			t.Errorf("number(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name string
		in   row
		want string
	}{
		{"no bar", row{Value: 1}, ""},
		{"ratio reached", row{Base: 2, Value: 6, Bar: bar{Ratio: 3}}, "ok"},
		{"ratio missed", row{Base: 2, Value: 5.9, Bar: bar{Ratio: 3}}, "MISS"},
		{"least missed", row{Value: 5, Bar: bar{Least: 6}}, "MISS"},
		{"most reached", row{Value: 5, Bar: bar{Most: 6}}, "ok"},
		{"most missed", row{Value: 7, Bar: bar{Most: 6}}, "MISS"},
	}
	for _, tt := range tests {
		if got := tt.in.verdict(); got != tt.want {
			t.Errorf("%s: verdict = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestReport(t *testing.T) {
	rows := []row{
		{What: "TCP fan-out, 10 members", Unit: "deliveries/s", Reference: "NATS core", Base: 4.2e6, Value: 21e6, Bar: bar{Ratio: 3}},
		{What: "idle TCP member", Unit: "KiB", Value: 13, Bar: bar{Most: 12}},
	}
	var b strings.Builder
	printTable(&b, rows)
	want := `
what                     unit          reference          wirelab   ratio    bar
──────────────────────────────────────────────────────────────────────────────────────
TCP fan-out, 10 members  deliveries/s  NATS core  4.20 M     21 M  5.00 ×  ≥ 3 ×  ok
idle TCP member          KiB                                   13           ≤ 12  MISS
`[1:]
	if b.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", b.String(), want)
	}
	j, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `[{"what":"TCP fan-out, 10 members","unit":"deliveries/s","reference":"NATS core","reference_value":4200000,"wirelab":21000000,"ratio":5,"bar":"≥ 3 ×","ok":true},` +
		`{"what":"idle TCP member","unit":"KiB","reference":null,"reference_value":null,"wirelab":13,"ratio":null,"bar":"≤ 12","ok":false}]`
	if string(j) != wantJSON {
		t.Errorf("json:\n%s\nwant:\n%s", j, wantJSON)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
