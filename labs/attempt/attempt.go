// Package attempt is one learner's work on one lab: where they are in it, what
// they answered, which hints they took, what they turned. An Attempt is a state
// machine without clock, files or network: it is told the time and what a run
// gave. A Notebook is the file that keeps the work of a learner in all labs.
package attempt

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// A Place is a part of a lab. The order is that of the constants.
type Place string

// The places.
const (
	Reading    Place = "reading"     // aims and background
	Predicting Place = "predicting"  // a prediction, a stop for each
	Running    Place = "run"         // the run
	Looking    Place = "looking"     // what came out: a stop for each view
	Asking     Place = "questions"   // a stop for each question, choice and fill
	Explaining Place = "explanation" // what happened and why; the check
	Turning    Place = "knob"        // one variable is turned
	Done       Place = "done"
)

// A Stop is one screenful on the way through a lab.
type Stop struct {
	Place  Place
	Step   *sheet.Step // of Predicting and Asking; else nil
	View   *sheet.View // of Looking; nil if the lab has no views
	Number int         // of it in its place, from 1
	Of     int         // stops in its place
}

// An Attempt is one learner's work on one lab that is observed. Its methods must
// not be called by two goroutines at a time.
type Attempt struct {
	Sheet   *sheet.Sheet
	Variant *sheet.Variant
	Learner Learner

	// Revised says that the lab's text has changed since the learner worked on
	// it. What was answered is kept where the step has the same name.
	Revised bool

	record Record
	stops  []Stop
	at     int
	runs   measure.Runs // nil: not played in this process
	checks []Check      // of runs
}

// Errors of moving on. Nothing changes when they are returned.
var (
	ErrOpen   = errors.New("not answered yet")
	ErrNotRun = errors.New("not run yet")
	ErrLocked = errors.New("locked: the first prediction counts")
	ErrLate   = errors.New("the run has been seen: it is too late to predict")
	ErrPlace  = errors.New("there is nothing to answer here")
	ErrDone   = errors.New("answered already, or the solution was shown")
	ErrEarly  = errors.New("predict first, or skip it")
)

// New begins the learner's attempt, or goes on with what an earlier process
// recorded; r may be nil. It goes on at the place where the learner was. What
// the sheet no longer has is left out.
func New(s *sheet.Sheet, l Learner, r *Record, now time.Time) *Attempt {
	a := &Attempt{Sheet: s, Variant: s.Variant(l.Class, l.Name), Learner: l}
	a.stops = stopsOf(s)
	if r == nil {
		a.record = Record{Steps: map[string]*Work{}, Began: now, Changed: now}
	} else {
		a.record = r.clone()
		a.Revised = r.Sheet != "" && r.Sheet != s.Sum
	}
	a.record.Lab, a.record.Sheet = s.Name, s.Sum
	a.record.forget(s)
	a.at = a.find(a.record.Place, a.record.Stop)
	a.mark(a.record.Changed)
	return a
}

// stopsOf returns the way through a lab.
func stopsOf(s *sheet.Sheet) []Stop {
	var way []Stop
	add := func(p Place, stops ...Stop) {
		for i := range stops {
			stops[i].Place, stops[i].Number, stops[i].Of = p, i+1, len(stops)
		}
		way = append(way, stops...)
	}
	var predictions, questions, views []Stop
	for _, st := range s.Steps {
		if st.Kind == sheet.Predict {
			predictions = append(predictions, Stop{Step: st})
		} else {
			questions = append(questions, Stop{Step: st})
		}
	}
	for _, v := range s.Views {
		views = append(views, Stop{View: v})
	}
	if len(views) == 0 {
		views = []Stop{{}}
	}
	add(Reading, Stop{})
	add(Predicting, predictions...)
	add(Running, Stop{})
	add(Looking, views...)
	add(Asking, questions...)
	add(Explaining, Stop{})
	if s.Knob != nil {
		add(Turning, Stop{})
	}
	add(Done, Stop{})
	return way
}

// find returns the stop of that place and name; the nearest before it if there
// is none of that name, and the first if there is no such place.
func (a *Attempt) find(p Place, name string) int {
	first := 0
	for i, s := range a.stops {
		if s.Place != p {
			continue
		}
		if s.name() == name {
			return i
		}
		if first == 0 {
			first = i
		}
	}
	return first
}

// name is what a record calls a stop within its place.
func (s Stop) name() string {
	switch {
	case s.Step != nil:
		return s.Step.Name
	case s.View != nil:
		return s.View.Name
	}
	return ""
}

// Stops returns the whole way. It must not be changed.
func (a *Attempt) Stops() []Stop { return a.stops }

// At returns where in Stops the learner is.
func (a *Attempt) At() int { return a.at }

// Stop returns where the learner is.
func (a *Attempt) Stop() Stop { return a.stops[a.at] }

// Record returns what is to be kept.
func (a *Attempt) Record() *Record {
	r := a.record.clone()
	return &r
}

// Work returns what the learner did at a step. It must not be changed.
func (a *Attempt) Work(st *sheet.Step) Work {
	if w := a.record.Steps[st.Name]; w != nil {
		return *w
	}
	return Work{Status: Open}
}

// Runs returns what the runs gave; nil if they were not played in this process.
func (a *Attempt) Runs() measure.Runs { return a.runs }

// Ran reports whether the learner has seen the run, in this process or before.
func (a *Attempt) Ran() bool { return a.record.Runs > 0 }

// Stale reports whether the run has to be played again before the learner goes
// on: it was seen before, and its figures are not here.
func (a *Attempt) Stale() bool { return a.Ran() && a.runs == nil }

// Ready reports whether every prediction is locked, given up or skipped: the
// run may be played.
func (a *Attempt) Ready() bool { return a.firstOpen() < 0 }

// firstOpen returns the first stop with an open prediction, −1 if there is none.
func (a *Attempt) firstOpen() int {
	return slices.IndexFunc(a.stops, func(s Stop) bool {
		return s.Place == Predicting && a.Work(s.Step).Status == Open
	})
}

// Next goes on to the next stop. It returns ErrOpen at a step that waits for an
// answer, and ErrNotRun before the run. At the end it does nothing.
func (a *Attempt) Next(now time.Time) error {
	s := a.Stop()
	switch {
	case s.Place == Done:
		return nil
	case s.Step != nil && a.Work(s.Step).Status == Open:
		return ErrOpen
	case s.Place == Running && !a.Ready():
		return ErrEarly
	case s.Place == Running && a.runs == nil:
		return ErrNotRun
	}
	a.at++
	a.mark(now)
	return nil
}

// Back goes to the stop before. At the beginning it does nothing.
func (a *Attempt) Back(now time.Time) {
	a.at = max(a.at-1, 0)
	a.mark(now)
}

// Go goes to a stop by its index in Stops, as far as the learner may: up to the
// first prediction that is open, or up to the run if it was not played. Further
// on everything is open: questions may be looked at in any order.
func (a *Attempt) Go(i int, now time.Time) error {
	if i < 0 || i >= len(a.stops) {
		return fmt.Errorf("stop %d: there are %d", i+1, len(a.stops))
	}
	run := a.find(Running, "")
	if open := a.firstOpen(); !a.Ran() && open >= 0 && i > open {
		return ErrEarly
	}
	if i > run && a.runs == nil {
		return ErrNotRun
	}
	a.at = i
	a.mark(now)
	return nil
}

// mark notes where the learner is.
func (a *Attempt) mark(now time.Time) {
	s := a.Stop()
	a.record.Place, a.record.Stop = s.Place, s.name()
	a.touch(now)
	if s.Place == Done && a.record.Ended.IsZero() {
		a.record.Ended = now
	}
}

// touch notes that something changed.
func (a *Attempt) touch(now time.Time) {
	a.record.Points, a.record.Of = a.Points()
	a.record.Skipped = false
	if now.After(a.record.Changed) {
		a.record.Changed = now
	}
}

// Played takes in what the runs gave. Predictions are judged now. It returns
// ErrEarly if some are open.
func (a *Attempt) Played(runs measure.Runs, now time.Time) error {
	if !a.Ran() && !a.Ready() {
		return ErrEarly
	}
	checks, err := a.check(a.Variant, runs)
	if err != nil {
		return err
	}
	if a.runs != nil || !a.Ran() { // else it was seen before
		a.record.Runs++
	}
	a.runs, a.checks = runs, checks
	a.settle()
	a.touch(now)
	return nil
}
