package attempt

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"wirelab/labs/sheet"
)

// A Status is how far a step is.
type Status string

// The statuses.
const (
	Open    Status = "open"
	Locked  Status = "locked"   // a prediction that is not judged before the run
	Right   Status = "right"    //
	Wrong   Status = "wrong"    // a prediction; anything else is tried again
	GivenUp Status = "given up" // the solution was shown first
	Skipped Status = "skipped"  // open, but not in the way
)

// A Try is one answer that made sense as an answer.
type Try struct {
	Part  int       `json:"part,omitempty"` // of a step with blanks, from 0
	Input string    `json:"input"`          // as it was typed
	Given string    `json:"given"`          // as it was understood: "40 ms"
	Right bool      `json:"right,omitempty"`
	At    time.Time `json:"at"`
}

// Work is what a learner did at one step.
type Work struct {
	Status Status `json:"status"`
	Tries  []Try  `json:"tries,omitempty"` // of a prediction the first counts
	Hints  int    `json:"hints,omitempty"` // tiers that were shown
}

// Part returns the first part of a step that has no right answer yet; parts if
// there is none.
func (w *Work) Part(parts int) int {
	for p := range parts {
		if !slices.ContainsFunc(w.Tries, func(t Try) bool { return t.Part == p && t.Right }) {
			return p
		}
	}
	return parts
}

// A Pair is what theory says and what the run gave, as a learner reads it.
type Pair struct {
	Step     string `json:"step"`
	Expected string `json:"expected"`
	Measured string `json:"measured,omitempty"` // empty: it is not measured
	Agrees   bool   `json:"agrees"`             // within the spread that the sheet allows
}

// A Turn is one time that the knob was turned.
type Turn struct {
	Value float64   `json:"value"` // in the base unit
	Text  string    `json:"text"`  // "80 ms"
	Pairs []Pair    `json:"pairs"` // of the predictions, with this value
	At    time.Time `json:"at"`
}

// A Record is what is kept of an attempt. Points are of then: a sheet may
// change.
type Record struct {
	Lab     string           `json:"lab"`
	Sheet   string           `json:"sheet,omitempty"` // SHA-256 of the text that it was about
	Place   Place            `json:"place"`
	Stop    string           `json:"stop,omitempty"` // the step or view
	Steps   map[string]*Work `json:"steps,omitempty"`
	Runs    int              `json:"runs,omitempty"` // how often it was run
	Turns   []Turn           `json:"turns,omitempty"`
	Points  float64          `json:"points,omitempty"`
	Of      float64          `json:"of,omitempty"`      // points that there are
	Stages  int              `json:"stages,omitempty"`  // of a lab to build: passed
	Skipped bool             `json:"skipped,omitempty"` // the whole lab
	Began   time.Time        `json:"began"`
	Changed time.Time        `json:"changed"`
	Ended   time.Time        `json:"ended,omitzero"` // the first time; zero: not yet
}

// Pass notes that a program to build passed the first stages of all that there
// are.
func (r *Record) Pass(stages, all int, now time.Time) {
	if r.Began.IsZero() {
		r.Began = now
	}
	r.Place, r.Skipped, r.Changed = Running, false, now
	r.Stages = max(r.Stages, stages)
	r.Points, r.Of = float64(r.Stages), float64(all)
	if r.Stages >= all {
		r.Place = Done
		if r.Ended.IsZero() {
			r.Ended = now
		}
	}
}

// clone returns a copy that shares nothing.
func (r *Record) clone() Record {
	c := *r
	c.Steps = make(map[string]*Work, len(r.Steps))
	for name, w := range r.Steps {
		if w == nil {
			continue
		}
		copied := *w
		copied.Tries = slices.Clone(w.Tries)
		c.Steps[name] = &copied
	}
	c.Turns = slices.Clone(r.Turns)
	return c
}

// forget leaves out what the sheet does not have, or has no more.
func (r *Record) forget(s *sheet.Sheet) {
	maps.DeleteFunc(r.Steps, func(name string, _ *Work) bool { return s.Step(name) == nil })
}

// validate reports what no version of this program wrote.
func (r *Record) validate() error {
	if r == nil {
		return errors.New("there is nothing")
	}
	for name, w := range r.Steps {
		switch {
		case w == nil:
			return fmt.Errorf("step %q: there is nothing", name)
		case w.Status.rank() < 0:
			return fmt.Errorf("step %q: status %q", name, w.Status)
		case w.Hints < 0 || slices.ContainsFunc(w.Tries, func(t Try) bool { return t.Part < 0 }):
			return fmt.Errorf("step %q: a number below 0", name)
		}
	}
	if r.Runs < 0 || r.Stages < 0 || !(r.Points >= 0 && r.Of >= 0) {
		return errors.New("a number below 0")
	}
	return nil
}

// rank orders statuses by what must not be lost.
func (s Status) rank() int {
	return slices.Index([]Status{Open, Skipped, Locked, GivenUp, Wrong, Right}, s)
}

// status returns the status of a step that two processes worked on. Of two
// predictions that of the first counts.
func (w *Work) status(other *Work) Status {
	predicted := func(w *Work) bool { return w.Status == Locked || w.Status == Wrong }
	if len(w.Tries) > 0 && len(other.Tries) > 0 && (predicted(w) || predicted(other)) {
		switch w.Tries[0].At.Compare(other.Tries[0].At) {
		case -1:
			return w.Status
		case 1:
			return other.Status
		}
	}
	if other.Status.rank() > w.Status.rank() {
		return other.Status
	}
	return w.Status
}

// merge takes in what another process recorded of the same lab meanwhile.
// Nothing that either did is lost; of predictions the first counts, and the
// learner is where they were last.
func (r *Record) merge(other *Record) {
	if other.Changed.After(r.Changed) {
		r.Place, r.Stop, r.Changed = other.Place, other.Stop, other.Changed
	}
	if other.Began.Before(r.Began) {
		r.Began = other.Began
	}
	if r.Ended.IsZero() || !other.Ended.IsZero() && other.Ended.Before(r.Ended) {
		r.Ended = other.Ended
	}
	r.Runs, r.Stages = max(r.Runs, other.Runs), max(r.Stages, other.Stages)
	r.Points, r.Of = max(r.Points, other.Points), max(r.Of, other.Of)
	if r.Steps == nil {
		r.Steps = map[string]*Work{}
	}
	for name, theirs := range other.Steps {
		ours := r.Steps[name]
		switch {
		case theirs == nil:
			continue
		case ours == nil:
			ours = &Work{Status: Open}
			r.Steps[name] = ours
		}
		ours.Status = ours.status(theirs)
		ours.Hints = max(ours.Hints, theirs.Hints)
		ours.Tries = union(ours.Tries, theirs.Tries, func(a, b Try) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Input, b.Input))
		})
	}
	r.Turns = union(r.Turns, other.Turns, func(a, b Turn) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Value, b.Value))
	})
}

// union returns what is in a or b, in order and each once.
func union[T any](a, b []T, compare func(T, T) int) []T {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, compare)
	return slices.CompactFunc(all, func(x, y T) bool { return compare(x, y) == 0 })
}
