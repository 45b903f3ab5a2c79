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
	say   *member       // who says a message, nil for a fault
	n     int           // its number
	size  int           // bytes of its text
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
		at := time.Duration(0)
		for n := range m.cfg.Messages {
			size := max(m.cfg.Size/2+draw.IntN(m.cfg.Size+1), scenario.MinSize)
			acts = append(acts, act{at: at, say: m, n: n + 1, size: size})
			at += time.Duration(draw.ExpFloat64() / m.cfg.Rate * float64(time.Second))
		}
	}
	for _, f := range s.Faults {
		acts = append(acts, act{at: f.At, fault: f})
	}
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	return acts
}

// text returns message number n of a member: a tag that can be found in a
// packet, filled up to size bytes.
func text(from string, n, size int) string {
	tag := scenario.Tag(from, n)
	return tag + strings.Repeat(".", max(0, size-len(tag)))
}

// untag returns whose message the text is and its number.
func untag(text string) (from string, n int, ok bool) {
	from, rest, _ := strings.Cut(text, "#")
	number, _, found := strings.Cut(rest, ";")
	n, err := strconv.Atoi(number)
	return from, n, found && err == nil
}
