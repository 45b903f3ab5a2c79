package plot

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkRuler fails unless the ticks of a ruler are what a reader expects.
func checkRuler(t *testing.T, a Axis, s span, n int, cover bool) {
	t.Helper()
	r := newRuler(&a, s, n, cover)
	switch {
	case len(r.ticks) != len(r.labels):
		t.Errorf("%v: %d ticks, %d labels", s, len(r.ticks), len(r.labels))
	case len(r.ticks) > maxTicks:
		t.Errorf("%v: %d ticks", s, len(r.ticks))
	case !(r.lo <= s.lo && r.hi >= s.hi):
		t.Errorf("%v became %v", s, r.span)
	case cover && len(r.ticks) < 2:
		t.Errorf("%v: ticks %v", s, r.ticks)
	}
	room := r.step * 1e-6
	for i, v := range r.ticks {
		if v < r.lo-room || v > r.hi+room {
			t.Errorf("%v: tick %v is outside %v", s, v, r.span)
		}
		if i > 0 && !(v > r.ticks[i-1]) {
			t.Errorf("%v: ticks %v", s, r.ticks)
		}
	}
	if cover && len(r.ticks) > 0 && (math.Abs(r.ticks[0]-r.lo) > room || math.Abs(r.ticks[len(r.ticks)-1]-r.hi) > room) {
		t.Errorf("ticks %v do not cover %v", r.ticks, s)
	}
}

func TestTicksCoverTheRange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		lo := (random.Float64() - 0.3) * math.Pow(10, float64(random.IntN(24)-10))
		width := random.Float64() * math.Pow(10, float64(random.IntN(24)-10))
		a := Axis{Unit: Unit(random.IntN(4)), Zero: random.IntN(2) == 0}
		s := a.over(span{lo, lo + width})
		checkRuler(t, a, s, 1+random.IntN(20), true)
		checkRuler(t, a, s, 1+random.IntN(20), false)
	}
}

func FuzzRuler(f *testing.F) {
	f.Add(0.0, 1.0, uint8(1), uint8(5))
	f.Add(-1e300, 1e300, uint8(0), uint8(1))
	f.Add(math.MaxFloat64, -math.MaxFloat64, uint8(2), uint8(200))
	f.Add(5e-324, 5e-324, uint8(3), uint8(0))
	f.Add(math.NaN(), math.Inf(1), uint8(1), uint8(9))
	f.Fuzz(func(t *testing.T, lo, hi float64, unit, n uint8) {
		a := Axis{Unit: Unit(unit % 4), Min: lo, Max: hi}
		s := a.over(nothing())
		r := newRuler(&a, s, int(n), true)
		if len(r.ticks) > maxTicks || len(r.ticks) != len(r.labels) {
			t.Errorf("%v to %v: %d ticks, %d labels", lo, hi, len(r.ticks), len(r.labels))
		}
	})
}

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		unit   Unit
		lo, hi float64
		n      int
		want   []string
		title  string
	}{
		{Seconds, 0, 0.2, 4, []string{"0", "50", "100", "150", "200"}, "x (ms)"},
		{Seconds, 0, 2, 4, []string{"0.0", "0.5", "1.0", "1.5", "2.0"}, "x (s)"},
		{Seconds, 0, 600, 5, []string{"0:00", "2:00", "4:00", "6:00", "8:00", "10:00"}, "x (min:s)"},
		{Seconds, 0, 7200, 4, []string{"0:00", "0:30", "1:00", "1:30", "2:00"}, "x (h:min)"},
		{Seconds, 0, 3e-6, 3, []string{"0", "1", "2", "3"}, "x (µs)"},
		{Bytes, 0, 1500, 3, []string{"0.0", "0.5", "1.0", "1.5"}, "x (kB)"},
		{Bytes, 0, 60, 3, []string{"0", "20", "40", "60"}, "x (B)"},
		{BitsPerSecond, 0, 1e7, 5, []string{"0", "2", "4", "6", "8", "10"}, "x (Mbit/s)"},
		{Number, -2, 2, 4, []string{"-2", "-1", "0", "1", "2"}, "x"},
	} {
		r := newRuler(&Axis{Label: "x", Unit: c.unit}, span{c.lo, c.hi}, c.n, true)
		if !slices.Equal(r.labels, c.want) || r.title != c.title {
			t.Errorf("%v to %v %v: %q (%s), want %q (%s)", c.lo, c.hi, c.unit, r.labels, r.title, c.want, c.title)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{Seconds, 0.0401, "40.1 ms"}, {Seconds, 6e-6, "6 µs"}, {Seconds, 12.3456, "12.3 s"}, {Seconds, 0, "0 ns"},
		{Bytes, 1260, "1.26 kB"}, {Bytes, 999, "999 B"}, {BitsPerSecond, 70.8e6, "70.8 Mbit/s"}, {Number, 3, "3"},
	} {
		if got := c.unit.Format(c.v); got != c.want {
			t.Errorf("%v.Format(%v) = %q, want %q", c.unit, c.v, got, c.want)
		}
	}
}

// Every pixel column of a reduced line reaches as low and as high as with all
// points, or one beside it does: a value moves by less than a column. Nothing is
// added.
func TestReducedLineLooksTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const n, cols = 300_000, 500
	s := Series{Style: Line}
	var low, high [cols]float64
	for i := range cols {
		low[i], high[i] = math.Inf(1), math.Inf(-1)
	}
	column := func(x float64) int { return min(int(x/n*cols), cols-1) }
	for i := range n {
		y := random.NormFloat64()
		s.Add(Point{X: float64(i), Y: y})
		c := column(float64(i))
		low[c], high[c] = min(low[c], y), max(high[c], y)
		if len(s.Points) > 2*most {
			t.Fatalf("%d points are kept", len(s.Points))
		}
	}
	var gotLow, gotHigh [cols]float64
	for i := range cols {
		gotLow[i], gotHigh[i] = math.Inf(1), math.Inf(-1)
	}
	for _, p := range s.Points {
		c := column(p.X)
		gotLow[c], gotHigh[c] = min(gotLow[c], p.Y), max(gotHigh[c], p.Y)
	}
	for c := range cols {
		beside := [2]int{max(c-1, 0), min(c+2, cols)}
		if gotLow[c] < low[c] || gotHigh[c] > high[c] || slices.Min(gotLow[beside[0]:beside[1]]) > low[c] || slices.Max(gotHigh[beside[0]:beside[1]]) < high[c] {
			t.Errorf("column %d reaches from %v to %v, want %v to %v", c, gotLow[c], gotHigh[c], low[c], high[c])
		}
	}
}

// What ticks cover in a column stays covered, and nothing is added when they touch.
func TestReducedTicksCoverTheSame(t *testing.T) {
	s := Series{Style: Ticks}
	const n = 200_000
	for i := range n {
		s.Add(Point{X: float64(i), Low: float64(i) * 1000, Y: float64(i+1) * 1000})
	}
	s.reduce(columns)
	if len(s.Points) > columns {
		t.Errorf("%d ticks that touch, want at most one for each of %d columns", len(s.Points), columns)
	}
	var sum float64
	for _, p := range s.Points {
		sum += p.Y - p.Low
	}
	if want := float64(n) * 1000; sum != want {
		t.Errorf("ticks cover %v, want %v", sum, want)
	}
}
