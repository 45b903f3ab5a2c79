package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"wirelab/internal/impair"
)

// impairFlags are the words that say what a link does to packets.
type impairFlags struct {
	values   []impairValue
	profile  string
	fates    []string
	up, down string // besides, for one direction
}

// An impairValue is a parameter of the link that has a flag.
type impairValue struct{ name, text string }

// impairParameters are in the order of --help; each is a word of impair.Parse.
var impairParameters = []struct{ flag, name, usage string }{
	{"loss", "loss", "`share` of the packets that are lost, such as 10%, 'gemodel 1% 25%' or 'state 1% 99%'"},
	{"delay", "delay", "`time` that a packet takes, one way, such as 40ms, or with jitter and correlation '40ms 5ms 25%'"},
	{"jitter", "jitter", "`time` that the delay varies by, such as 5ms"},
	{"distribution", "distribution", "`name` of the jitter's distribution: uniform, normal, pareto, paretonormal"},
	{"rate", "rate", "`bits` per second, such as 10mbit or 500kbit"},
	{"duplicate", "duplicate", "`share` of the packets that arrive twice"},
	{"corrupt", "corrupt", "`share` of the packets of which a bit is flipped"},
	{"reorder", "reorder", "`share` of the packets that overtake those before (wants --delay)"},
	{"gap", "gap", "only each `N`-th packet may overtake"},
	{"limit", "limit", "`packets` that the link holds, delayed ones included; more are dropped (default 1000)"},
}

func (f *impairFlags) add(fl *pflag.FlagSet) {
	f.values = make([]impairValue, len(impairParameters))
	for i, p := range impairParameters {
		f.values[i].name = p.name
		fl.StringVar(&f.values[i].text, p.flag, "", p.usage)
	}
	fl.StringVar(&f.profile, "profile", "", "a link by `name`, which the other flags change: "+strings.Join(impair.Profiles(), ", "))
	fl.StringArrayVar(&f.fates, "fate", nil, "the `fate` of one packet, or when the link is down: 'drop data 3', 'duplicate ack 5', 'corrupt udp 2', 'delay 7 80ms', 'spare 4', 'down 2s..7s'; may be repeated")
	fl.StringVar(&f.up, "up", "", "what the direction to the server does besides, or from a profile on, as `text`: 'loss 5% drop data 3'")
	fl.StringVar(&f.down, "down", "", "the same, as `text`, for the direction to the client")
}

// configs returns what both directions do. An error names the flag and its
// value.
func (f *impairFlags) configs() (up, down impair.Config, err error) {
	bad := func(flag, value string, err error) error {
		return cannot("wirelab link --help shows what there is", "--%s %q: %w", flag, value, err)
	}
	var c impair.Config
	if f.profile != "" {
		var ok bool
		if c, ok = impair.Profile(f.profile); !ok {
			return up, down, cannot("want one of "+strings.Join(impair.Profiles(), ", "), "--profile %q: no such profile", f.profile)
		}
	}
	for i, v := range f.values {
		if v.text == "" {
			continue
		}
		if err := c.Set(v.name, v.text); err != nil {
			return up, down, bad(impairParameters[i].flag, v.text, err)
		}
	}
	for _, text := range f.fates {
		r, err := impair.ParseRule(text)
		if err != nil {
			return up, down, bad("fate", text, err)
		}
		c.Script = append(c.Script, r)
	}
	if err := c.Validate(); err != nil && f.up == "" && f.down == "" {
		return up, down, cannot("wirelab link --help shows what there is", "the link cannot be so: %w", err)
	}
	if up, err = also(c, f.up); err != nil {
		return up, down, bad("up", f.up, err)
	}
	if down, err = also(c, f.down); err != nil {
		return up, down, bad("down", f.down, err)
	}
	return up, down, nil
}

// also returns c with what the text says besides. A profile in it takes the
// place of c.
func also(c impair.Config, text string) (impair.Config, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if _, profile := impair.Profile(first); !profile {
		text = c.String() + " " + text
	}
	return impair.Parse(text)
}

// warnings says what makes sense, but not perhaps the sense that was meant.
func warnings(up, down impair.Config) []string {
	var all []string
	for _, d := range []struct {
		name string
		c    impair.Config
	}{{"up", up}, {"down", down}} {
		for _, w := range d.c.Warnings() {
			all = append(all, fmt.Sprintf("%s: %s", d.name, w))
		}
	}
	return all
}
