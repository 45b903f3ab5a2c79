package measure

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"wirelab/internal/impair"
)

// unit is ParseUnit of what is known.
func unit(tb testing.TB, name string) Unit {
	tb.Helper()
	u, err := ParseUnit(name)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func TestParse(t *testing.T) {
	tests := []struct {
		in, unit string
		want     float64
	}{
		{"40 ms", "ms", 0.04}, {"0.04s", "ms", 0.04}, {"40ms.", "ms", 0.04}, {"40 MS", "s", 0.04}, {" 4e-2 s ", "ms", 0.04},
		{"40000 us", "ms", 0.04}, {"40000 µs", "ms", 0.04}, {"2 minutes", "s", 120}, {"≈ 40 ms", "ms", 0.04}, {"-3 ms", "ms", -0.003}, {"−3 ms", "ms", -0.003},
		{"0", "ms", 0},
		{"2.91 %", "%", 0.0291}, {"2.91%", "%", 0.0291}, {"5 percent", "%", 0.05}, {"0 %", "%", 0},
		{"5.24 Mb/s", "Mbit/s", 5.24e6}, {"5.24 Mbit/s", "kbit/s", 5.24e6}, {"5.24Mbps", "Mbit/s", 5.24e6}, {"10mbit", "Mbit/s", 1e7},
		{"1 MB/s", "Mbit/s", 8e6}, {"1 Mb/s", "Mbit/s", 1e6}, {"1 kB/s", "Mbit/s", 8e3},
		{"1,448 bytes", "bytes", 1448}, {"1448", "B", 1448}, {"1448", "bytes", 1448}, {"1.448 kB", "bytes", 1448}, {"64 KiB", "B", 65536}, {"12000 bits", "B", 1500},
		{"1 448", "B", 1448}, {"1 448 B", "B", 1448}, {"1_448 B", "B", 1448}, {"1'448 B", "B", 1448}, {"65,535", "B", 65535}, {"1,234,567.5 B", "B", 1234567.5},
		{"10 segments", "segments", 10}, {"1 segment", "segments", 1}, {"10", "segments", 10}, {"1 Segment", "segments", 1}, {"3 queries", "queries", 3}, {"1 query", "queries", 1},
		{"12", "none", 12}, {"1e3", "", 1000}, {".5", "", 0.5}, {"7000", "port", 7000},
		{"220d", "hex", 0x220d}, {"0x220D", "hex", 0x220d}, {"22 0d", "hex", 0x220d},
	}
	for _, tt := range tests {
		q, err := Parse(tt.in, unit(t, tt.unit))
		if err != nil || math.Abs(q.Value-tt.want) > 1e-12*math.Abs(tt.want) {
			t.Errorf("Parse(%q, %s) = %v, %v, want %v", tt.in, tt.unit, q.Value, err, tt.want)
		}
	}
}

// What cannot be understood is never guessed at, and the error says what would be.
func TestParseErrors(t *testing.T) {
	tests := []struct{ in, unit, want string }{
		{"", "ms", "nothing was given"},
		{"   ", "ms", "such as 12 ms"},
		{"fast", "ms", "does not begin with a number"},
		{"ms", "ms", "does not begin with a number"},
		{"40", "ms", "has no unit: write it with one, such as 40 ms"},
		{"40", "kB", "has no unit"},
		{"0.0291", "%", "write 0.0291 % if you mean 0.0291 of a hundred, 2.91 %"},
		{"40 kB", "ms", "a unit of size, and this is a time"},
		{"40 ms", "Mbit/s", "a unit of time, and this is a rate"},
		{"40 parsec", "ms", `unit "parsec": want s, ms, us`},
		{"40 packets", "segments", `unit "packets": want segments`},
		{"12 ms", "none", "a unit of time, and this is a count"},
		{"12 apples", "none", "want a plain number"},
		{"2,91 %", "%", "write 2.91 if you mean a decimal point"},
		{"0,040 s", "s", "write 0.040"},
		{"1,44 B", "B", "write 1.44"},
		{"1,23,456 B", "B", "three digits after each comma"},
		{"1.2.3", "none", "one decimal point"},
		{"1e400 s", "s", "too large"},
		{"40 50 ms", "ms", "want one number"},
		{"40 ms 50", "ms", "unit"},
		{"\x1b[2J40 ms", "ms", "does not begin with a number"},
		{"40 \x1b[2Jms", "ms", "unit"},
		{"xyz", "hex", "no hexadecimal number"},
		{strings.Repeat("9", 300), "none", "too many"},
		{"∞", "segments", "does not begin with a number"},
		{"-", "none", "does not begin with a number"},
		{",", "none", "does not begin with a number"},
	}
	for _, tt := range tests {
		q, err := Parse(tt.in, unit(t, tt.unit))
		var bad *Unreadable
		if !errors.As(err, &bad) || !strings.Contains(bad.What, tt.want) {
			t.Errorf("Parse(%q, %s) = %v, %v, want an *Unreadable with %q", tt.in, tt.unit, q, err, tt.want)
		} else if strings.ContainsRune(bad.What, 0x1b) {
			t.Errorf("Parse(%q, %s): the error has an escape code: %q", tt.in, tt.unit, bad.What)
		}
	}
}

func TestQuantityString(t *testing.T) {
	tests := []struct {
		v    float64
		unit string
		want string
	}{
		{0.04, "ms", "40 ms"}, {0.04, "s", "0.04 s"}, {1.2 / 41.2, "%", "2.913 %"}, {65535 * 8 / 0.1, "Mbit/s", "5.243 Mbit/s"},
		{1448, "B", "1,448 B"}, {1448, "bytes", "1,448 bytes"}, {1, "segments", "1 segment"}, {2, "segments", "2 segments"}, {1, "queries", "1 query"},
		{1234567, "", "1,234,567"}, {123456.7, "", "123,457"}, {0.00001234, "s", "1.234e-05 s"}, {0, "ms", "0 ms"}, {-0.003, "ms", "-3 ms"},
		{math.Inf(1), "segments", "∞ segments"}, {math.NaN(), "ms", "? ms"}, {7000, "port", "7000"}, {0x220d, "hex", "0x220d"}, {0.0768, "ms", "76.8 ms"},
		{999.96, "", "1,000"}, {0.1 + 0.2, "s", "0.3 s"}, {1e-17, "s", "0 s"}, {math.Copysign(0, -1), "s", "0 s"},
	}
	for _, tt := range tests {
		if got := (Quantity{tt.v, unit(t, tt.unit)}).String(); got != tt.want {
			t.Errorf("Quantity{%v, %s} = %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}

// What a scenario gets is read there as the same value.
func TestCompact(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.04, "ms", "40ms"}, {0.07, "ms", "70ms"}, {0.0005, "ms", "500us"}, {90, "s", "90s"}, {3600, "s", "1h"}, {120, "s", "2m"}, {0, "ms", "0ns"}, {1.5, "s", "1.5s"},
		{1e7, "Mbit/s", "10mbit"}, {1.5e6, "kbit/s", "1.5mbit"}, {0.05, "%", "5%"}, {0.07, "%", "7%"}, {1500, "B", "1500"}, {1e6, "kB", "1000000"}, {400, "frames", "400"},
	} {
		q := Quantity{tt.v, unit(t, tt.unit)}
		got := q.Compact()
		if got != tt.want {
			t.Errorf("Quantity{%v, %s}.Compact() = %q, want %q", tt.v, tt.unit, got, tt.want)
		}
		switch q.Unit.Dim {
		case Time:
			if d, err := time.ParseDuration(got); err != nil || d != time.Duration(math.Round(tt.v*1e9)) {
				t.Errorf("time.ParseDuration(%q) = %v, %v, want %v s", got, d, err, tt.v)
			}
		case Rate:
			if c, err := impair.Parse("rate " + got); err != nil || float64(c.Rate) != tt.v {
				t.Errorf("link %q has rate %v, %v, want %v", got, c.Rate, err, tt.v)
			}
		case Share:
			if c, err := impair.Parse("loss " + got); err != nil || math.Abs(c.Loss.P-tt.v) > 1e-15 {
				t.Errorf("link %q has loss %v, %v, want %v", got, c.Loss.P, err, tt.v)
			}
		}
	}
}

func TestParseLiteral(t *testing.T) {
	for in, want := range map[string]string{"40ms": "40 ms", "1500B": "1,500 B", "10Mbit/s": "10 Mbit/s", "10mbit": "10 Mbit/s", "5%": "5 %", "100": "100", "64KiB": "64 KiB", "3frames": "3 frames"} {
		if q, err := ParseLiteral(in); err != nil || q.String() != want {
			t.Errorf("ParseLiteral(%q) = %q, %v, want %q", in, q, err, want)
		}
	}
	for in, want := range map[string]string{"ms": "want a number", "40m": `unit "m"`, "40MS": "did you mean ms", "2,5ms": "decimal point", "rtt/2": "want a number", "40*ms": "no unit"} {
		if q, err := ParseLiteral(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseLiteral(%q) = %v, %v, want an error with %q", in, q, err, want)
		}
	}
}

// FuzzQuantity: what is shown for a quantity is read as nearly the same, and no
// text makes Parse panic or return what is no number.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"40 ms", "2,91 %", "1,448 bytes", "1e400", "−3 us", "0x220d", "∞", "1 448 B", "1.2.3", "5.24 Mb/s", ". .", "1e", "1e+", "-e5"} {
		for i := range 6 {
			f.Add(s, i, 1.5)
		}
	}
	names := []string{"ms", "%", "B", "Mbit/s", "segments", "none", "hex", "h"}
	f.Fuzz(func(t *testing.T, text string, n int, v float64) {
		u := unit(t, names[uint(n)%uint(len(names))])
		q, err := Parse(text, u)
		var bad *Unreadable
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("Parse(%q, %s) fails with %T", text, u.Name, err)
		}
		if err == nil && (math.IsNaN(q.Value) || math.IsInf(q.Value, 0)) {
			t.Fatalf("Parse(%q, %s) = %v", text, u.Name, q.Value)
		}
		ParseLiteral(text)
		if math.IsNaN(v) || math.Abs(v) > 1e200 || math.Abs(v) < 1e-200 && v != 0 || u.Dim == Word {
			return
		}
		shown := Quantity{v, u}.String()
		back, err := Parse(shown, u)
		if err != nil || math.Abs(back.Value-v) > 0.0006*math.Abs(v)+1e-12*u.scale() {
			t.Fatalf("%v in %s is shown as %q and read as %v, %v", v, u.Name, shown, back.Value, err)
		}
	})
}
