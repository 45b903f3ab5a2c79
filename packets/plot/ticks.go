package plot

import (
	"fmt"
	"math"
	"strconv"
)

// A Unit says what the numbers along an axis are.
type Unit uint8

// The units.
const (
	Number        Unit = iota
	Seconds            // written in ns, µs, ms, s, minutes or hours
	Bytes              // written in B, kB, MB, … of powers of 1000
	BitsPerSecond      // written in bit/s, kbit/s, …
)

// String returns the name that JSON has.
func (u Unit) String() string {
	return [...]string{"", "s", "B", "bit/s"}[u%4]
}

// least is a range that makes sense where all values are the same, in u.
func (u Unit) least() float64 {
	if u == Seconds {
		return 1e-6
	}
	return 1
}

// maxTicks is how many ticks an axis has at most.
const maxTicks = 64

// A ruler is an axis with its ticks.
type ruler struct {
	span
	step   float64
	ticks  []float64
	labels []string
	title  string // the axis's label with the unit of the labels
}

// newRuler divides s into about n steps of 1, 2 or 5 times a power of ten, and of
// times from a minute on, as clocks are divided. With cover the range grows to
// whole steps.
func newRuler(a *Axis, s span, n int, cover bool) ruler {
	r := ruler{span: s}
	n = min(max(n, 1), maxTicks/2)
	raw := s.hi/float64(n) - s.lo/float64(n) // the difference may be too large a number
	r.step = round125(raw)
	if a.Unit == Seconds && raw > 30 {
		r.step = roundTime(raw)
	}
	first, last := math.Ceil(s.lo/r.step-1e-9), math.Floor(s.hi/r.step+1e-9)
	if cover {
		first, last = math.Floor(s.lo/r.step+1e-9), math.Ceil(s.hi/r.step-1e-9)
		r.lo, r.hi = min(first*r.step, s.lo), max(last*r.step, s.hi)
	}
	for k := 0; k < maxTicks && first+float64(k) <= last; k++ {
		r.ticks = append(r.ticks, (first+float64(k))*r.step)
	}
	r.label(a)
	return r
}

// round125 returns the least of 1, 2 and 5 times a power of ten that is v or more.
func round125(v float64) float64 {
	if !(v > 0) || !finite(v) {
		return 1
	}
	e := math.Floor(math.Log10(v))
	for _, m := range []float64{1, 2, 5} {
		if s := m * math.Pow(10, e); s >= v*(1-1e-9) {
			return s
		}
	}
	return math.Pow(10, e+1)
}

// below125 returns the greatest of 1, 2 and 5 times a power of ten that is v or less.
func below125(v float64) float64 {
	s := round125(v)
	if s <= v*(1+1e-9) {
		return s
	}
	if m := s / math.Pow(10, math.Floor(math.Log10(s)+1e-9)); m > 3 { // 5
		return s / 2.5
	}
	return s / 2
}

// roundTime is round125 for seconds from half a minute on.
func roundTime(v float64) float64 {
	for _, s := range []float64{60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200} {
		if s >= v*(1-1e-9) {
			return s
		}
	}
	return 86400 * max(round125(v/86400), 1)
}

// label writes the ticks.
func (r *ruler) label(a *Axis) {
	most := max(math.Abs(r.lo), math.Abs(r.hi))
	if a.Unit == Seconds && r.step >= 60 {
		unit := "min:s"
		if most >= 3600 {
			unit = "h:min"
		}
		r.title = title(a.Label, unit)
		for _, t := range r.ticks {
			r.labels = append(r.labels, clock(t, unit == "h:min"))
		}
		return
	}
	factor, prefix := prefixOf(a.Unit, most)
	decimals := int(min(max(math.Ceil(-math.Log10(r.step/factor)-1e-9), 0), 12))
	r.title = title(a.Label, prefix+a.Unit.String())
	for _, t := range r.ticks {
		s := strconv.FormatFloat(t/factor, 'f', decimals, 64)
		if len(s) > 12 {
			s = strconv.FormatFloat(t/factor, 'g', 5, 64)
		}
		r.labels = append(r.labels, s)
	}
}

func title(label, unit string) string {
	switch {
	case unit == "":
		return label
	case label == "":
		return unit
	}
	return label + " (" + unit + ")"
}

// clock writes minutes and seconds, or hours and minutes.
func clock(t float64, hours bool) string {
	sign := ""
	if t < 0 {
		sign, t = "-", -t
	}
	n := math.Round(t)
	if hours {
		n = math.Round(t / 60)
	}
	return fmt.Sprintf("%s%.0f:%02.0f", sign, math.Floor(n/60), math.Mod(n, 60))
}

// prefixOf returns the factor and the name of the decimal prefix for values up
// to most.
func prefixOf(u Unit, most float64) (float64, string) {
	switch u {
	case Seconds:
		for _, p := range []struct {
			factor float64
			name   string
		}{{1, ""}, {1e-3, "m"}, {1e-6, "µ"}} {
			if most >= p.factor {
				return p.factor, p.name
			}
		}
		return 1e-9, "n"
	case Number:
		return 1, ""
	}
	for _, p := range []struct {
		factor float64
		name   string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if most >= p.factor {
			return p.factor, p.name
		}
	}
	return 1, ""
}

// Format writes a value of the unit with three digits: "1.26 kB", "40.1 ms".
func (u Unit) Format(v float64) string {
	factor, prefix := prefixOf(u, math.Abs(v))
	s := strconv.FormatFloat(v/factor, 'f', -1, 64)
	if n := v / factor; n != math.Trunc(n) || math.Abs(n) >= 1000 {
		s = strconv.FormatFloat(n, 'f', max(0, 2-int(math.Floor(math.Log10(max(math.Abs(n), 1e-300))))), 64)
	}
	if unit := prefix + u.String(); unit != "" {
		return s + " " + unit
	}
	return s
}
