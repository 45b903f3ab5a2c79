package soak

import (
	"slices"

	"wirelab/internal/shrink"
	"wirelab/labs/scenario"
)

// Shrink returns the smallest fault script that still fails, as far as leaving
// out faults leads: without any one of them the run passes. A fault goes with
// its end. fails must say the same of the same run; s itself fails.
func Shrink(s *scenario.Scenario, fails func(*scenario.Scenario) bool) *scenario.Scenario {
	best := *s
	left := shrink.List(pairs(s.Faults), func(some [][]scenario.Fault) bool {
		try := best
		try.Faults = flatten(some)
		return fails(&try)
	})
	best.Faults = flatten(left)
	return &best
}

// ends says which verb ends what another began.
var ends = map[scenario.Verb]scenario.Verb{
	scenario.Kill: scenario.Start, scenario.Stop: scenario.Resume, scenario.Slow: scenario.Slow,
	scenario.Cut: scenario.Mend, scenario.Link: scenario.Mend,
}

// pairs puts each fault together with its end.
func pairs(faults []scenario.Fault) [][]scenario.Fault {
	var all [][]scenario.Fault
	used := make([]bool, len(faults))
	for i, f := range faults {
		if used[i] {
			continue
		}
		pair := []scenario.Fault{f}
		for j := i + 1; j < len(faults); j++ {
			if !used[j] && faults[j].Host == f.Host && faults[j].Verb == ends[f.Verb] {
				pair = append(pair, faults[j])
				used[j] = true
				break
			}
		}
		all = append(all, pair)
	}
	return all
}

func flatten(pairs [][]scenario.Fault) []scenario.Fault {
	all := slices.Concat(pairs...)
	slices.SortStableFunc(all, func(a, b scenario.Fault) int { return int(a.At - b.At) })
	return all
}
