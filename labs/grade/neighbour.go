package grade

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
)

// A truth is the number that is right for one learner, in its base unit.
type truth struct {
	step  string // see attempt.Check.Name
	value float64
	reach float64 // how far an answer may be from it
}

// A wrong is an answer that is wrong for its learner.
type wrong struct {
	step  string
	value float64
	given string // as it was understood
}

// fits reports whether w would have been right.
func (t *truth) fits(w *wrong) bool {
	return t.step == w.step && math.Abs(w.value-t.value) <= t.reach+1e-9*max(math.Abs(w.value), math.Abs(t.value))
}

// remember keeps of an attempt what others are compared with.
func (g *grader) remember(w *work, a *attempt.Attempt) error {
	for _, c := range a.Checks() {
		if c.Expected.Words != "" {
			continue // words are few: two have the same by chance
		}
		b := &c.Step.Blanks[c.Part]
		t := truth{step: c.Name(), value: c.Expected.Value}
		var err error
		if t.reach, err = b.Tolerance.Reach(c.Expected.Value, w.variant.Scope(c.Step.Run, a.Runs())); err != nil {
			return err
		}
		w.truths = append(w.truths, t)
		w.wrongs = append(w.wrongs, wrongs(&c, a)...)
	}
	return nil
}

// wrongs returns the answers to one part that are wrong, and that the sheet
// knows no reason for: one who forgot a factor of two has not copied. If the
// right one came in the end, there are none.
func wrongs(c *attempt.Check, a *attempt.Attempt) []wrong {
	var all []wrong
	for _, t := range a.Work(c.Step).Tries {
		if t.Part != c.Part {
			continue
		}
		v, err := c.Step.Judge(c.Part, t.Input, a.Variant, a.Runs())
		switch {
		case err != nil:
		case v.Right:
			return nil
		case v.Feedback == "" && v.Quantity.Value != 0:
			all = append(all, wrong{c.Name(), v.Quantity.Value, v.Given})
		}
		if c.Step.Kind == sheet.Predict {
			break // the first counts
		}
	}
	return all
}

// compare names what two bundles should not have in common.
func (g *grader) compare() {
	same := make(map[string][]*work)
	for _, w := range g.works {
		if w.bundle != nil {
			same[w.bundle.File] = append(same[w.bundle.File], w)
		}
	}
	for _, w := range g.works {
		if w.bundle == nil {
			continue
		}
		var files []string
		for _, other := range same[w.bundle.File] {
			if other != w {
				files = append(files, other.mark.File)
			}
		}
		if len(files) > 0 {
			w.mark.name(Copy, "byte for byte the same as %s", join(files))
		}
		g.neighbours(w)
	}
}

// neighbours names learners for whose numbers the wrong answers of w are right.
// One answer of several may be right for somebody by chance: it takes two, or all
// that there are.
func (g *grader) neighbours(w *work) {
	if w.sheet == nil || len(w.wrongs) == 0 || w.mark.has(OtherVariant) {
		return
	}
	steps := make(map[string]bool)
	for i := range w.wrongs {
		steps[w.wrongs[i].step] = true
	}
	least := min(2, len(steps))
	shared := make(map[string][]string) // by the other learner's name
	for _, other := range g.works {
		if other.sheet != w.sheet || other.mark.Learner == "" || g.learner(other).Same(g.learner(w)) {
			continue
		}
		var both []string
		for i := range w.wrongs {
			for j := range other.truths {
				if other.truths[j].fits(&w.wrongs[i]) {
					both = append(both, w.wrongs[i].step+" ("+w.wrongs[i].given+")")
				}
			}
		}
		slices.Sort(both)
		if both = slices.Compact(both); len(both) < least || len(both) < len(shared[other.mark.Learner]) {
			continue
		}
		if len(both) > least { // others share less
			least = len(both)
			maps.DeleteFunc(shared, func(_ string, s []string) bool { return len(s) < least })
		}
		shared[other.mark.Learner] = both
	}
	if len(shared) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(shared))
	what := shared[names[0]]
	if n := len(names); n > 3 {
		names = append(names[:3], fmt.Sprintf("%d more", n-3))
	}
	w.mark.name(Neighbour, "wrong for its own numbers, and right for those of %s: %s", join(names), strings.Join(what, ", "))
}
