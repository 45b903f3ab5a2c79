package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"wirelab/internal/impair"
	"wirelab/labs/check/script"
)

// A Fault is the fate of one datagram: the nth that the checker sends to the
// program (Up), or that the program sends.
type Fault struct {
	Up   bool
	Rule impair.Rule
}

func (f Fault) String() string {
	who := "from"
	if f.Up {
		who = "to"
	}
	what := map[impair.Deed]string{impair.Drop: "is lost", impair.Duplicate: "arrives twice", impair.Delay: "is late"}[f.Rule.Do]
	if f.Rule.Do == impair.Delay {
		what = fmt.Sprintf("is %v late", f.Rule.By)
	}
	return fmt.Sprintf("datagram %d %s the program %s", f.Rule.First, who, what)
}

// FaultText lists faults for people.
func FaultText(faults []Fault) string {
	if len(faults) == 0 {
		return "no fault at all"
	}
	all := make([]string, len(faults))
	for i, f := range faults {
		all[i] = f.String()
	}
	return strings.Join(all, "; ")
}

// maxFaults is the most faults of one random script.
const maxFaults = 6

// drawFaults returns the faults of a trial, of a conversation with so many
// datagrams each way.
func drawFaults(f script.Faults, seed uint64, stage, trial int, up, down int) []Fault {
	r := rand.New(rand.NewPCG(seed, uint64(stage)<<32|uint64(trial)))
	var deeds []impair.Deed
	for _, d := range []struct {
		on bool
		do impair.Deed
	}{{f.Drop, impair.Drop}, {f.Duplicate, impair.Duplicate}, {f.Delay, impair.Delay}} {
		if d.on {
			deeds = append(deeds, d.do)
		}
	}
	var all []Fault
	// Early trials are short: what they find needs less shrinking.
	for range 1 + r.IntN(min(maxFaults, 2+trial/3)) {
		x := Fault{Up: r.IntN(2) == 0}
		most := down
		if x.Up {
			most = up
		}
		// What is resent comes on top of what a run without faults has.
		n := uint64(1 + r.IntN(max(1, most+most/4)))
		if k := len(all); k > 0 && r.IntN(2) == 0 {
			// Mistakes often need two faults close to each other.
			n = all[k-1].Rule.First + uint64(r.IntN(4))
		}
		x.Rule = impair.Rule{Do: deeds[r.IntN(len(deeds))], First: n, Last: n}
		if x.Rule.Do == impair.Delay {
			x.Rule.By = max(f.Late/4, time.Millisecond) + time.Duration(r.Int64N(int64(f.Late-f.Late/4)+1)).Round(time.Millisecond)
		}
		taken := slices.ContainsFunc(all, func(o Fault) bool { return o.Up == x.Up && o.Rule.First == n })
		if !taken {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Rule.First, b.Rule.First), strings.Compare(a.String(), b.String()))
	})
	return all
}

// rules returns the faults of one direction.
func rules(faults []Fault, up bool) []impair.Rule {
	var all []impair.Rule
	for _, f := range faults {
		if f.Up == up {
			all = append(all, f.Rule)
		}
	}
	return all
}
