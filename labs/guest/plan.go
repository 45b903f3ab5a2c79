package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/labs/scenario"
)

// An act is one thing that the scenario wants at an instant: a message, or a
// fault.
type act struct {
	at    time.Duration // since the workload began
	say   *member       // who says a message of its workload, else nil
	n     int           // number of a message among those of who says it
	size  int           // bytes of its text
	own   *scenario.Act // what somebody does, else nil
	fault scenario.Fault
}

// plan returns all acts in the order of their instants. What is said when
// depends on the seed and on each member's own figures, and on nothing else.
func plan(s *scenario.Scenario, members []*member) []act {
	var acts []act
	for i, m := range members {
		if m.cfg.Messages == 0 {
			continue
		}
		draw := rand.New(rand.NewPCG(s.Seed, uint64(i)+1))
		at := time.Duration(m.cfg.From)
		for range m.cfg.Messages {
			if m.cfg.Every > 0 {
				acts = append(acts, act{at: at, say: m, size: m.cfg.Size})
				at += time.Duration(m.cfg.Every)
				continue
			}
			size := max(m.cfg.Size/2+draw.IntN(m.cfg.Size+1), scenario.MinSize)
			acts = append(acts, act{at: at, say: m, size: size})
			at += time.Duration(draw.ExpFloat64() / m.cfg.Rate * float64(time.Second))
		}
	}
	for i := range s.Acts {
		a := &s.Acts[i]
		for n := range max(1, a.Say.Times) {
			acts = append(acts, act{at: a.At + time.Duration(n)*a.Say.Every, own: a})
		}
	}
	for _, f := range s.Faults {
		acts = append(acts, act{at: f.At, fault: f})
	}
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	count := make(map[string]int)
	for i := range acts {
		if who := acts[i].speaker(); who != "" {
			count[who]++
			acts[i].n = count[who]
		}
	}
	return acts
}

// speaker returns who says something, empty if nobody does.
func (a *act) speaker() string {
	switch {
	case a.say != nil:
		return a.say.cfg.Name
	case a.own != nil && a.own.Do == scenario.Says:
		return a.own.Who
	}
	return ""
}

// text returns message number n of a member: a tag that can be found in a
// packet, filled up to size bytes.
func text(from string, n, size int) string {
	tag := scenario.Tag(from, n)
	return tag + strings.Repeat(".", max(0, size-len(tag)))
}

// text returns the text of message number n: bytes, or words after the tag.
func (a *act) text() string {
	if a.own == nil {
		return text(a.say.cfg.Name, a.n, a.size)
	}
	if words := a.own.Say.Text; words != "" {
		return scenario.Tag(a.own.Who, a.n) + words
	}
	return text(a.own.Who, a.n, a.own.Say.Size)
}

// untag returns whose message the text is, its number, and the words that it
// has, if it is not bytes alone.
func untag(text string) (from string, n int, words string, ok bool) {
	from, rest, _ := strings.Cut(text, "#")
	number, words, found := strings.Cut(rest, ";")
	n, err := strconv.Atoi(number)
	if strings.Trim(words, ".") == "" {
		words = ""
	}
	return from, n, words, found && err == nil
}
