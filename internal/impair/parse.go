package impair

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a link's description: netem's words, rules, and before them the
// name of a profile, such as
//
//	delay 20ms 5ms 25% distribution normal loss 1% rate 10mbit limit 100
//	loss gemodel 1% 25%     loss state 1% 99%
//	4g loss 2% drop data 3 down 2s..7s
//
// Of a parameter that is given twice the latter counts. The result is valid.
func Parse(text string) (Config, error) {
	var c Config
	words := strings.Fields(text)
	if len(words) > 0 {
		if p, ok := Profile(words[0]); ok {
			c, words = p, words[1:]
		}
	}
	for len(words) > 0 {
		n, err := c.take(words)
		if err != nil {
			return Config{}, fmt.Errorf("link %q: %w", text, err)
		}
		words = words[n:]
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("link %q: %w", text, err)
	}
	return c, nil
}

// Set sets one parameter from its value's text, as flags have them: Set("loss",
// "10%"), Set("delay", "20ms 5ms"). It adds no rule, so Set("corrupt", "1") is a
// share. It does not validate the whole.
func (c *Config) Set(name, value string) error {
	words := append([]string{name}, strings.Fields(value)...)
	if !slices.Contains(parameters, name) {
		return fmt.Errorf("%q is unknown: want one of %s", name, strings.Join(parameters, ", "))
	}
	n, err := c.parameter(words)
	if err == nil && n < len(words) {
		err = fmt.Errorf("%s: %q is one word too many", name, words[n])
	}
	return err
}

// AddRule adds a rule to the script. The error says what makes no sense, with
// the rules that are there too.
func (c *Config) AddRule(text string) error {
	r, err := ParseRule(text)
	if err != nil {
		return err
	}
	script := append(slices.Clone(c.Script), r)
	if err := checkScript(script); err != nil {
		return fmt.Errorf("rule %q: %w", text, err)
	}
	c.Script = script
	return nil
}

// parameters are the words that begin something.
var parameters = []string{"delay", "jitter", "distribution", "loss", "duplicate", "corrupt", "reorder", "gap", "rate", "overhead", "limit", "mtu"}

// begins reports whether a word begins something, so is no value.
func begins(word string) bool {
	return slices.Contains(parameters, word) || slices.Contains(deedNames[:], word)
}

// take reads what words begin with, and says how many it has.
func (c *Config) take(words []string) (n int, err error) {
	if isRule(words) {
		r, n, err := parseRule(words)
		if err != nil {
			return n, err
		}
		c.Script = append(slices.Clone(c.Script), r)
		return n, nil
	}
	return c.parameter(words)
}

// parameter reads the parameter that words begin with, and says how many it has.
func (c *Config) parameter(words []string) (n int, err error) {
	name := words[0]
	values := words[1:]
	for i, w := range values {
		if begins(w) {
			values = values[:i]
			break
		}
	}
	r := reader{name: name, values: values}
	switch name {
	case "delay":
		c.Delay = r.duration(true)
		if r.more() {
			c.Jitter = r.duration(true)
			c.DelayCorrelation = r.share(false)
		}
	case "jitter":
		c.Jitter = r.duration(true)
		c.DelayCorrelation = r.share(false)
	case "distribution":
		i := slices.Index(distributionNames[:], r.word())
		if i < 0 && r.err == nil {
			r.fail("%q is unknown: want one of %s", r.last, strings.Join(distributionNames[:], ", "))
		}
		c.Distribution = Distribution(max(i, 0))
	case "loss":
		c.Loss = r.loss()
	case "duplicate":
		c.Duplicate, c.DuplicateCorrelation = r.share(true), r.share(false)
	case "corrupt":
		c.Corrupt, c.CorruptCorrelation = r.share(true), r.share(false)
	case "reorder":
		c.Reorder, c.ReorderCorrelation = r.share(true), r.share(false)
	case "gap":
		c.Gap = r.count()
	case "rate":
		c.Rate = r.rate()
		if r.more() {
			c.Overhead = r.count()
		}
	case "overhead":
		c.Overhead = r.count()
	case "limit":
		c.Limit = r.count()
	case "mtu":
		c.MTU = r.count()
	default:
		known := append(slices.Clone(parameters), deedNames[:]...)
		return 0, fmt.Errorf("%q is unknown: want a profile (%s) first, or one of %s", name, strings.Join(Profiles(), ", "), strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", "))
	}
	return 1 + r.n, r.err
}

// isRule tells the rules from the parameters of the same name: "delay data 7
// 80ms" and "delay 7 80ms" name packets, "delay 80ms" and "duplicate 1%" do not.
func isRule(words []string) bool {
	switch words[0] {
	case "drop", "spare", "down", "swap":
		return true
	case "delay", "duplicate", "corrupt":
		if len(words) < 2 {
			return false
		}
		for _, c := range classNames {
			if words[1] == c.name {
				return true
			}
		}
		first, last, ranged := strings.Cut(words[1], "..")
		_, err1 := strconv.ParseUint(first, 10, 64)
		_, err2 := strconv.ParseUint(last, 10, 64)
		// "delay 0" is a delay, "delay 7" alone lacks its unit.
		return err1 == nil && (!ranged || err2 == nil) && (words[0] != "delay" || len(words) > 2 && !begins(words[2]))
	}
	return false
}

// A reader reads one parameter's values. Its first error stays.
type reader struct {
	name   string
	values []string
	n      int // values read
	last   string
	err    error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", r.name, fmt.Errorf(format, args...))
	}
}

func (r *reader) more() bool { return r.err == nil && r.n < len(r.values) }

// word returns the next value; there must be one.
func (r *reader) word() string {
	if r.err != nil {
		return ""
	}
	if r.n == len(r.values) {
		r.fail("no value")
		return ""
	}
	r.last = r.values[r.n]
	r.n++
	return r.last
}

func (r *reader) duration(must bool) time.Duration {
	if !must && !r.more() {
		return 0
	}
	w := r.word()
	d, err := time.ParseDuration(w)
	if err != nil && r.err == nil {
		r.fail("%q is no duration: want such as 20ms", w)
	}
	if d < 0 || d > MaxDelay {
		r.fail("%s: want 0s to %v", w, MaxDelay)
	}
	return d
}

// share reads a probability or correlation, 10% or 0.1.
func (r *reader) share(must bool) float64 {
	if !must && !r.more() {
		return 0
	}
	w := r.word()
	if r.err != nil {
		return 0
	}
	number, percent := strings.CutSuffix(w, "%")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) {
		r.fail("%q is no share: want such as 10%%", w)
		return 0
	}
	if percent {
		v /= 100
	}
	if v < 0 || v > 1 {
		r.fail("%s: want 0%% to 100%%", w)
		return 0
	}
	return v
}

func (r *reader) count() int {
	w := r.word()
	v, err := strconv.Atoi(w)
	if (err != nil || v < 0 || v > MaxCount) && r.err == nil {
		r.fail("%q: want a number from 0 to %d", w, MaxCount)
		return 0
	}
	return v
}

var rateUnits = []struct {
	suffix string
	bits   float64
}{
	{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1},
}

// rate reads bits per second.
func (r *reader) rate() int64 {
	w := r.word()
	if r.err != nil {
		return 0
	}
	lower := strings.ToLower(w)
	for _, u := range rateUnits {
		number, ok := strings.CutSuffix(lower, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !(v >= 0) || v*u.bits > maxRate {
			break
		}
		bits := int64(math.Round(v * u.bits))
		if bits == 0 && v > 0 {
			break // 0 would be unlimited
		}
		return bits
	}
	if lower == "0" {
		return 0
	}
	r.fail("%q: want 8bit to 1000gbit, such as 10mbit", w)
	return 0
}

func (r *reader) loss() Loss {
	kind := ""
	if r.more() {
		kind = r.values[r.n]
	}
	switch kind {
	case "random":
		r.word()
	case "state":
		r.word()
		l := Loss{Model: States, P13: r.share(true)}
		// netem's defaults: p31 = 1−p13, p32 = 0, p23 = 1, p14 = 0.
		l.P31, l.P23 = 1-l.P13, 1
		for _, p := range []*float64{&l.P31, &l.P32, &l.P23, &l.P14} {
			if r.more() {
				*p = r.share(true)
			}
		}
		return l
	case "gemodel":
		r.word()
		l := Loss{Model: Gilbert, GoodToBad: r.share(true)}
		// netem's defaults: r = 1−p, 1−h = 1, 1−k = 0.
		l.BadToGood, l.LossBad = 1-l.GoodToBad, 1
		for _, p := range []*float64{&l.BadToGood, &l.LossBad, &l.LossGood} {
			if r.more() {
				*p = r.share(true)
			}
		}
		return l
	}
	l := Loss{Model: Random, P: r.share(true), Correlation: r.share(false)}
	if l.P == 0 && l.Correlation == 0 {
		return Loss{}
	}
	return l
}

// String returns the text that Parse reads c from; empty for an ideal link.
func (c Config) String() string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	with := func(name string, p, rho float64) {
		if p > 0 || rho > 0 {
			add("%s %s", name, percent(p))
		}
		if rho > 0 {
			add("%s", percent(rho))
		}
	}
	if c.Delay > 0 || c.Jitter > 0 {
		add("delay %v", c.Delay)
	}
	if c.Jitter > 0 {
		add("%v", c.Jitter)
		if c.DelayCorrelation > 0 {
			add("%s", percent(c.DelayCorrelation))
		}
	}
	if c.Distribution != Uniform {
		add("distribution %v", c.Distribution)
	}
	switch l := c.Loss; l.Model {
	case Random:
		with("loss", l.P, l.Correlation)
	case States:
		add("loss state %s %s %s %s %s", percent(l.P13), percent(l.P31), percent(l.P32), percent(l.P23), percent(l.P14))
	case Gilbert:
		add("loss gemodel %s %s %s %s", percent(l.GoodToBad), percent(l.BadToGood), percent(l.LossBad), percent(l.LossGood))
	}
	with("duplicate", c.Duplicate, c.DuplicateCorrelation)
	with("corrupt", c.Corrupt, c.CorruptCorrelation)
	with("reorder", c.Reorder, c.ReorderCorrelation)
	if c.Gap != 0 {
		add("gap %d", c.Gap)
	}
	if c.Rate > 0 {
		add("rate %s", rateText(c.Rate))
	}
	if c.Overhead > 0 {
		add("overhead %d", c.Overhead)
	}
	if c.Limit > 0 {
		add("limit %d", c.Limit)
	}
	if c.MTU > 0 {
		add("mtu %d", c.MTU)
	}
	for _, r := range c.Script {
		add("%v", r)
	}
	return strings.Join(words, " ")
}

func rateText(bits int64) string {
	for _, u := range rateUnits {
		if n := int64(u.bits); bits%n == 0 {
			return strconv.FormatInt(bits/n, 10) + u.suffix
		}
	}
	return strconv.FormatInt(bits, 10) + "bit"
}
