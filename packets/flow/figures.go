package flow

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Short returns a time in three digits and a unit: "20.1 ms".
func Short(d time.Duration) string {
	if d < 0 {
		return "−" + Short(-d)
	}
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", int64(d))
	case d < 999500*time.Nanosecond:
		return digits(float64(d)/1e3) + " µs"
	case d < 999500*time.Microsecond:
		return digits(float64(d)/1e6) + " ms"
	case d < 600*time.Second:
		return digits(d.Seconds()) + " s"
	case d < 100*time.Hour:
		return d.Round(time.Second).String()
	}
	return strconv.FormatFloat(d.Hours()/24, 'f', 1, 64) + " days"
}

// digits writes x in three digits.
func digits(x float64) string {
	switch {
	case x < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// Size returns a number of bytes in three digits and a decimal unit: "1.20 MB".
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if x /= 1000; x < 999.5 || unit == "TB" {
			return digits(x) + " " + unit
		}
	}
	return ""
}

// Rate returns bits per second in three digits and a unit: "1.20 Mbit/s", or "–"
// for none.
func Rate(bps float64) string {
	if bps <= 0 {
		return "–"
	}
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}
	for i, unit := range units {
		if bps < 999.5 || i == len(units)-1 {
			return digits(bps) + " " + unit
		}
		bps /= 1000
	}
	return ""
}

// Count returns n with its thousands apart: "1,234,567".
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Percent returns part of whole: "5.7 %", or "–" of nothing.
func Percent(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	x := 100 * float64(part) / float64(whole)
	switch {
	case part == 0:
		return "0 %"
	case x < 0.01:
		return "<0.01 %"
	case x < 9.95:
		return strconv.FormatFloat(x, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + " %"
}

// Plural returns "1 packet" or "2 packets".
func Plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}

// Bars draws the series in a character for each interval, of which eight
// neighbouring heights can be told apart; a bar of nothing is a dot.
func (s *Series) Bars() string {
	all := s.Bytes()
	var most int64 = 1
	for _, n := range all {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range all {
		if n <= 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[min(int(n*8/(most+1)), 7)])
	}
	return b.String()
}
