package measure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// String writes q in its unit: whole numbers in full with commas, others with
// four digits that count. A value that is no number is written "?", one without
// end "∞".
func (q Quantity) String() string {
	if q.Unit.dim() == Word {
		if v := math.Round(q.Value); v >= 0 && v < 1<<32 {
			return fmt.Sprintf("0x%04x", uint64(v))
		}
	}
	v := q.Value / q.Unit.scale()
	number := plain(v)
	name := q.Unit.Name
	if name == "port" {
		return strings.ReplaceAll(number, ",", "")
	}
	if name == "" || q.Unit.Dim == Word {
		return number
	}
	if q.Unit.dim() == Count && number == "1" {
		name = singular(name)
	}
	return number + " " + name
}

// singular returns a noun's singular, for the nouns that a count has.
func singular(noun string) string {
	if t, ok := strings.CutSuffix(noun, "ies"); ok {
		return t + "y"
	}
	if strings.HasSuffix(noun, "ss") || strings.HasSuffix(noun, "us") {
		return noun
	}
	return strings.TrimSuffix(noun, "s")
}

// plain writes a number for people.
func plain(v float64) string {
	switch {
	case math.IsNaN(v):
		return "?"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	}
	// What is left of reckoning in binary is not shown.
	if r := math.Round(v); (math.Abs(v-r) <= 1e-9*math.Abs(v) || math.Abs(v) < 1e-12) && math.Abs(r) < 1e15 {
		return thousands(strconv.FormatFloat(r+0, 'f', 0, 64)) // +0: no −0
	}
	const digits = 4
	if a := math.Abs(v); a < 1e-4 || a >= 1e15 {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	places := digits - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	s := strconv.FormatFloat(v, 'f', max(0, places), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return thousands(s)
}

// thousands puts commas between groups of three digits.
func thousands(s string) string {
	whole, fraction, point := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + fraction
	}
	return sign + whole
}

// Compact writes q as scenarios and links read it: "40ms", "10mbit", "5%", and
// bytes and counts as plain numbers.
func (q Quantity) Compact() string {
	switch q.Unit.dim() {
	case Time:
		for _, u := range []struct {
			name  string
			scale float64
		}{{"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}} {
			if v := q.Value / u.scale; math.Abs(v) >= 1 || u.name == "ns" {
				if (u.name == "h" || u.name == "m") && exact(v) != exact(math.Round(v)) {
					continue
				}
				if u.name == "ns" {
					v = math.Round(v)
				}
				return exact(v) + u.name
			}
		}
	case Rate:
		for _, u := range []struct {
			name  string
			scale float64
		}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}} {
			if v := q.Value / u.scale; math.Abs(v) >= 1 || u.name == "bit" {
				return exact(v) + u.name
			}
		}
	case Share:
		return exact(q.Value*100) + "%"
	}
	return exact(q.Value)
}

// exact writes a number with as many digits as it takes, less what is left of
// reckoning in binary.
func exact(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "?"
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	return strconv.FormatFloat(r+0, 'f', -1, 64)
}
