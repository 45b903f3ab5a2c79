package attempt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// Bounds of what is kept of a step: who tries more often loses the oldest
// wrong tries.
const (
	maxInput = 1000 // bytes
	maxTries = 100
	maxTurns = 50
)

// A Reply is what an answer brought about.
type Reply struct {
	Locked  bool          // a prediction: whether it is right is told after the run
	Verdict sheet.Verdict // of a prediction only what was understood
	Part    int           // which part was answered
	Status  Status        // of the step, after it
}

// Answer takes an answer to the step where the learner is. The error is a
// *measure.Unreadable if it makes no sense as one: nothing changed, ask again.
// ErrPlace, ErrLocked, ErrLate, ErrDone and ErrNotRun say that no answer is
// wanted now.
func (a *Attempt) Answer(input string, now time.Time) (Reply, error) {
	st := a.Stop().Step
	if st == nil {
		return Reply{}, ErrPlace
	}
	return a.AnswerStep(st, input, now)
}

// AnswerStep is Answer for a step anywhere in the lab.
func (a *Attempt) AnswerStep(st *sheet.Step, input string, now time.Time) (Reply, error) {
	predict := st.Kind == sheet.Predict
	w := a.Work(st)
	switch {
	case w.Status == Right || w.Status == GivenUp:
		return Reply{}, ErrDone
	case w.Status == Locked || w.Status == Wrong:
		return Reply{}, ErrLocked
	case predict && a.Ran():
		return Reply{}, ErrLate
	case !predict && a.runs == nil:
		return Reply{}, ErrNotRun
	}
	input = strings.TrimSpace(input)
	switch {
	case input == "":
		return Reply{}, &measure.Unreadable{What: "nothing was answered"}
	case len(input) > maxInput || !utf8.ValidString(input):
		return Reply{}, &measure.Unreadable{Text: shorten(input), What: fmt.Sprintf("want text of at most %d bytes", maxInput)}
	}
	part := w.Part(st.Parts())
	v, err := st.Judge(part, input, a.Variant, a.runs)
	if err != nil {
		return Reply{}, err
	}
	own := a.work(st)
	own.try(Try{Part: part, Input: input, Given: v.Given, Right: v.Right && !predict, At: now})
	switch {
	case predict:
		own.Status = Locked
	case v.Right && own.Part(st.Parts()) == st.Parts():
		own.Status = Right
	}
	if predict {
		v = sheet.Verdict{Given: v.Given, Quantity: v.Quantity}
	}
	a.touch(now)
	return Reply{Locked: predict, Verdict: v, Part: part, Status: own.Status}, nil
}

// shorten returns the beginning of a text that is too long to repeat.
func shorten(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 40)], "?") + "…"
}

// try notes a try.
func (w *Work) try(t Try) {
	if len(w.Tries) >= maxTries {
		if i := slices.IndexFunc(w.Tries, func(t Try) bool { return !t.Right }); i >= 0 {
			w.Tries = slices.Delete(w.Tries, i, i+1)
		}
	}
	w.Tries = append(w.Tries, t)
}

// work returns the record of a step, which is made if there is none.
func (a *Attempt) work(st *sheet.Step) *Work {
	w := a.record.Steps[st.Name]
	if w == nil {
		w = &Work{Status: Open}
		a.record.Steps[st.Name] = w
	}
	return w
}

// Hint shows the next tier of the step's hints, and which of how many it is; the
// last one again when there are no more. of is 0 if there are none.
func (a *Attempt) Hint(now time.Time) (text string, n, of int) {
	st := a.Stop().Step
	if st == nil || len(st.Hints) == 0 {
		return "", 0, 0
	}
	w := a.work(st)
	w.Hints = min(w.Hints+1, len(st.Hints))
	a.touch(now)
	return a.Variant.Text(st.Hints[w.Hints-1]), w.Hints, len(st.Hints)
}

// GiveUp ends the step where the learner is without points, and shows its
// solution. Of a prediction it may be empty: it comes after the run.
func (a *Attempt) GiveUp(now time.Time) (solution string, err error) {
	st := a.Stop().Step
	if st == nil {
		return "", ErrPlace
	}
	return a.GiveUpStep(st, now)
}

// GiveUpStep is GiveUp for a step anywhere in the lab.
func (a *Attempt) GiveUpStep(st *sheet.Step, now time.Time) (solution string, err error) {
	w := a.Work(st)
	switch {
	case w.Status == Locked || w.Status == Wrong:
		return "", ErrLocked
	case w.Status == Right || w.Status == GivenUp:
		return "", ErrDone
	case st.Kind == sheet.Predict && a.Ran():
		return "", ErrLate
	case st.Kind != sheet.Predict && a.runs == nil:
		return "", ErrNotRun
	}
	a.work(st).Status = GivenUp
	a.touch(now)
	solution, _ = a.Solution(st)
	return solution, nil
}

// Skip leaves the step open and goes on. A question may be answered later, a
// prediction until the run. Where nothing is asked it is Next.
func (a *Attempt) Skip(now time.Time) error {
	if st := a.Stop().Step; st != nil {
		a.SkipStep(st, now)
	}
	return a.Next(now)
}

// SkipStep is Skip for a step anywhere in the lab, and goes nowhere.
func (a *Attempt) SkipStep(st *sheet.Step, now time.Time) {
	if a.Work(st).Status == Open {
		a.work(st).Status = Skipped
		a.touch(now)
	}
}

// Solution returns a step's solution; ok is false if it must not be seen yet:
// before the step is done or given up, and of a prediction before the run, unless
// it was given up.
func (a *Attempt) Solution(st *sheet.Step) (text string, ok bool) {
	switch a.Work(st).Status {
	case Right, Wrong, GivenUp:
	case Skipped:
		if st.Kind != sheet.Predict || a.runs == nil {
			return "", false
		}
	default:
		return "", false
	}
	text, err := a.Variant.TextOf(st.Solution, st.Run, a.runs)
	return text, err == nil
}

// settle judges the predictions by what the sheet says now. Those that were not
// made before the run are skipped for good.
func (a *Attempt) settle() {
	for _, s := range a.stops {
		if s.Place != Predicting || a.Work(s.Step).Status == GivenUp {
			continue
		}
		w := a.work(s.Step)
		w.Status = Skipped
		if len(w.Tries) == 0 {
			continue
		}
		first := &w.Tries[0]
		v, err := s.Step.Judge(0, first.Input, a.Variant, nil)
		if err != nil { // the sheet asks for something else now
			continue
		}
		first.Right, w.Status = v.Right, Wrong
		if v.Right {
			w.Status = Right
		}
	}
}

// Verdict returns what is to be said of the answer that counts; ok is false if
// there is none, and for a prediction before the run.
func (a *Attempt) Verdict(st *sheet.Step, part int) (v sheet.Verdict, ok bool) {
	w := a.Work(st)
	if st.Kind == sheet.Predict && w.Status != Right && w.Status != Wrong {
		return v, false
	}
	for _, t := range w.Tries {
		if t.Part != part {
			continue
		}
		if judged, err := st.Judge(part, t.Input, a.Variant, a.runs); err == nil {
			v, ok = judged, true
		}
		if t.Right || st.Kind == sheet.Predict {
			break
		}
	}
	return v, ok
}

// Points returns how many points the learner has, and how many there are. A step
// that is right has all of its points, a prediction that was wrong half of them,
// since comparing it with the run is how one learns.
func (a *Attempt) Points() (got, of float64) {
	for _, st := range a.Sheet.Steps {
		of += st.Points
		switch a.Work(st).Status {
		case Right:
			got += st.Points
		case Wrong:
			got += st.Points / 2
		}
	}
	return got, of
}

// Turn reads a value for the knob, and returns the variant to play. The error is
// a *measure.Unreadable that says which values there are, or ErrPlace if the lab
// has no knob.
func (a *Attempt) Turn(input string) (*sheet.Variant, error) {
	k := a.Sheet.Knob
	if k == nil {
		return nil, ErrPlace
	}
	unit := a.knobUnit()
	want := "want " + a.KnobRange()
	q, err := measure.Parse(input, unit)
	if err != nil {
		if bad := (*measure.Unreadable)(nil); errors.As(err, &bad) {
			return nil, &measure.Unreadable{Text: bad.Text, What: bad.What + "; " + want}
		}
		return nil, err
	}
	if low, high := min(k.From, k.To), max(k.From, k.To); !(q.Value >= low && q.Value <= high) {
		return nil, &measure.Unreadable{Text: input, What: want}
	}
	return a.Variant.With(k.Variable, q.Value)
}

// KnobText is the value that the knob's variable has in the learner's variant;
// empty if the lab has no knob.
func (a *Attempt) KnobText() string {
	if a.Sheet.Knob == nil {
		return ""
	}
	return measure.Quantity{Value: a.Variant.Values[a.Sheet.Knob.Variable], Unit: a.knobUnit()}.String()
}

// KnobRange is what it can be turned to, in words.
func (a *Attempt) KnobRange() string {
	k := a.Sheet.Knob
	if k == nil {
		return ""
	}
	unit := a.knobUnit()
	return fmt.Sprintf("%s to %s", measure.Quantity{Value: k.From, Unit: unit}, measure.Quantity{Value: k.To, Unit: unit})
}

// knobUnit returns the unit that the knob's variable is shown in.
func (a *Attempt) knobUnit() measure.Unit {
	if x := a.Sheet.Variable(a.Sheet.Knob.Variable); x != nil {
		return x.Unit
	}
	return measure.Unit{}
}

// Turned takes in what the runs of a turned variant gave: the predictions'
// formulas beside what was measured.
func (a *Attempt) Turned(v *sheet.Variant, runs measure.Runs, now time.Time) (Turn, error) {
	if a.Sheet.Knob == nil {
		return Turn{}, ErrPlace
	}
	checks, err := a.check(v, runs)
	if err != nil {
		return Turn{}, err
	}
	value := v.Values[a.Sheet.Knob.Variable]
	t := Turn{
		Value: value, Text: measure.Quantity{Value: value, Unit: a.knobUnit()}.String(),
		Pairs: pairs(checks), At: now,
	}
	if len(a.record.Turns) >= maxTurns {
		a.record.Turns = a.record.Turns[1:]
	}
	a.record.Turns = append(a.record.Turns, t)
	a.touch(now)
	return t, nil
}

// Before returns the same pairs without the knob turned; nil before the run.
func (a *Attempt) Before() []Pair { return pairs(a.checks) }

// pairs returns those of the predictions.
func pairs(checks []Check) []Pair {
	var all []Pair
	for i := range checks {
		if c := &checks[i]; c.Step.Kind == sheet.Predict {
			p := Pair{Step: c.Step.Name, Expected: c.Expected.String(), Agrees: c.Agrees}
			if c.HasMeasured {
				p.Measured = c.Measured.String()
			}
			all = append(all, p)
		}
	}
	return all
}
