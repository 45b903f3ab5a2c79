package compare

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// A Metric is one figure of a run.
type Metric struct {
	Name  string // in JSON and CSV, such as "latency_p99"
	Title string // at the head of a column
	Unit  string // "", "s", "B/B"
	Worse int    // 1: more is worse; -1: less is worse; 0: neither
	value func(*Run) (float64, bool)
}

// Metrics returns all metrics in the order in which they are shown.
func Metrics() []Metric {
	count := func(name, title string, worse int, f func(*Run) int) Metric {
		return Metric{name, title, "", worse, func(r *Run) (float64, bool) { return float64(f(r)), true }}
	}
	delay := func(name, title string, f func(*Latency) time.Duration) Metric {
		return Metric{name, title, "s", 1, func(r *Run) (float64, bool) {
			return f(&r.Latency).Seconds(), r.Delivered > 0
		}}
	}
	return []Metric{
		count("sent", "sent", 0, func(r *Run) int { return r.Sent }),
		count("delivered", "delivered", -1, func(r *Run) int { return r.Delivered }),
		count("lost", "lost", 1, func(r *Run) int { return r.Lost }),
		count("reported", "reported", 0, func(r *Run) int { return r.Reported }),
		count("refused", "refused", 1, func(r *Run) int { return r.Refused }),
		count("duplicates", "dup", 1, func(r *Run) int { return r.Duplicates }),
		count("out_of_order", "reorder", 1, func(r *Run) int { return r.OutOfOrder }),
		delay("latency_p50", "p50", func(l *Latency) time.Duration { return l.P50 }),
		delay("latency_p99", "p99", func(l *Latency) time.Duration { return l.P99 }),
		delay("latency_max", "max", func(l *Latency) time.Duration { return l.Max }),
		{"bytes_per_byte", "wire B/B", "B/B", 1, (*Run).BytesPerByte},
		count("retransmissions", "resent", 1, func(r *Run) int { return r.Retransmissions }),
	}
}

// Spread returns the figure over the cell's runs.
func (m *Metric) Spread(c *Cell) Spread {
	var all []float64
	for i := range c.Runs {
		if v, ok := m.value(&c.Runs[i]); ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	n := len(all)
	return Spread{(all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1], n}
}

// Format returns a value of the metric for people: three significant digits,
// with its unit.
func (m *Metric) Format(v float64) string {
	switch m.Unit {
	case "s":
		return FormatSeconds(v)
	case "B/B":
		return significant(v)
	}
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// FormatSeconds returns a duration of v seconds in at most six characters.
func FormatSeconds(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0fs", v)
	case v >= 1:
		return significant(v) + "s"
	case v >= 0.001:
		return significant(v*1e3) + "ms"
	}
	return significant(v*1e6) + "µs"
}

func significant(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
