package verify

import (
	"errors"
	"math"
	"strconv"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// unanswered are inputs that are no answer to anything that asks for a number.
var unanswered = []string{"", " ", "?", "ms"}

// blank checks one number or text that a step asks for, and returns the answer
// as it is shown.
func (f *findings) blank(v *sheet.Variant, st *sheet.Step, i int, runs measure.Runs) string {
	b := &st.Blanks[i]
	want, err := st.Expected(i, v, runs)
	if err != nil {
		f.add(b.Line, v, "expected"+b.Name, "step %s: its answer cannot be computed: %v", part(st, i), err)
		return ""
	}
	for _, text := range unanswered {
		var no *measure.Unreadable
		if verdict, err := st.Judge(i, text, v, runs); err == nil && verdict.Right {
			f.add(b.Line, v, "empty"+b.Name, "step %s takes %q for an answer", part(st, i), text)
		} else if err != nil && !errors.As(err, &no) {
			f.add(b.Line, v, "judge"+b.Name, "step %s cannot be judged: %v", part(st, i), err)
		}
	}
	shown := want.Words
	if shown == "" {
		shown = want.Quantity.String()
		f.right(v, st, i, runs, exactly(want.Quantity))
	}
	f.right(v, st, i, runs, shown)
	for k := range b.Wrongs {
		f.wrong(v, st, i, &b.Wrongs[k], runs)
	}
	if want.Words == "" {
		f.slips(v, st, i, want.Quantity, runs)
	}
	f.figure(v, st, i, runs)
	return shown
}

// manyTrips is from how many round trips on one more or less does not matter.
const manyTrips = 20

// exactly writes a quantity with all its digits.
func exactly(q measure.Quantity) string {
	if q.Unit.Name == "hex" {
		return q.String()
	}
	scale := q.Unit.Scale
	if scale == 0 {
		scale = 1
	}
	text := strconv.FormatFloat(q.Value/scale, 'f', -1, 64)
	if q.Unit.Name == "" {
		return text
	}
	return text + " " + q.Unit.Name
}

// right says that an answer must pass.
func (f *findings) right(v *sheet.Variant, st *sheet.Step, i int, runs measure.Runs, answer string) {
	verdict, err := st.Judge(i, answer, v, runs)
	if err != nil {
		f.add(st.Line, v, "right", "step %s: its own answer %q is not understood: %v", part(st, i), answer, err)
	} else if !verdict.Right {
		f.add(st.Line, v, "right", "step %s: its own answer %q is refused", part(st, i), answer)
	}
}

// wrong says that a listed wrong answer must fail, with its own explanation.
func (f *findings) wrong(v *sheet.Variant, st *sheet.Step, i int, w *sheet.Wrong, runs measure.Runs) {
	b := &st.Blanks[i]
	answer, why := "", ""
	if b.Unit.Dim == measure.Words {
		text, err := w.Value.Text(v.Scope(st.Run, runs))
		if err != nil {
			f.add(w.Line, v, "wrong", "a wrong answer cannot be computed: %v", err)
			return
		}
		answer = text
	} else {
		x, err := w.Value.Number(v.Scope(st.Run, runs))
		if err != nil {
			f.add(w.Line, v, "wrong", "a wrong answer cannot be computed: %v", err)
			return
		}
		answer = exactly(measure.Quantity{Value: x, Unit: b.Unit})
	}
	verdict, err := st.Judge(i, answer, v, runs)
	if err == nil {
		why, err = v.TextOf(w.Why, st.Run, runs)
	}
	switch {
	case err != nil:
		f.add(w.Line, v, "wrong", "the wrong answer %q cannot be judged: %v", answer, err)
	case verdict.Right:
		f.add(w.Line, v, "wrong", "the wrong answer %q passes", answer)
	case verdict.Feedback != why:
		f.add(w.Line, v, "wrong", "the wrong answer %q meets another explanation: %q", answer, verdict.Feedback)
	}
}

// slips says that an answer that is out by a factor of two, or by a round trip,
// must be refused, and that the run would refute the formula behind it.
func (f *findings) slips(v *sheet.Variant, st *sheet.Step, i int, want measure.Quantity, runs measure.Runs) {
	if want.Value == 0 || want.Unit.Name == "hex" {
		return
	}
	slips := map[string]float64{"twice": 2 * want.Value, "half": want.Value / 2}
	// A round trip counts where the answer is some round trips, not where it is a
	// timer of seconds.
	if rtt, ok := v.Values["rtt"]; ok && want.Unit.Dim == measure.Time && want.Value < manyTrips*rtt {
		slips["a round trip more than"] = want.Value + rtt
		if want.Value > rtt {
			slips["a round trip less than"] = want.Value - rtt
		}
	}
	b := &st.Blanks[i]
	measured, ok, err := st.Measured(i, v, runs)
	for name, x := range slips {
		answer := exactly(measure.Quantity{Value: x, Unit: want.Unit})
		if verdict, err := st.Judge(i, answer, v, runs); err == nil && verdict.Right {
			f.add(b.Line, v, "slip"+b.Name, "step %s: %s the right answer, %s, passes: its tolerance is too wide", part(st, i), name, answer)
		}
		if ok && err == nil && b.Answer != nil && measured.Words == "" && f.near(v, st, i, measured.Value, x, runs) {
			f.add(b.Line, v, "refute"+b.Name, "step %s: the run gives %v, which does not refute theory that is %s the right one (%s): its spread is too wide, or the run too short",
				part(st, i), measured.Quantity, name, answer)
		}
	}
}

// near reports whether what a run gave agrees with what theory might say.
func (f *findings) near(v *sheet.Variant, st *sheet.Step, i int, measured, theory float64, runs measure.Runs) bool {
	b := &st.Blanks[i]
	ok, err := b.Spread.Within(measured, theory, v.Scope(st.Run, runs))
	if err != nil {
		f.add(b.Line, v, "spread"+b.Name, "step %s: its spread cannot be computed: %v", part(st, i), err)
	}
	return ok
}

// figure compares what a run gave with what theory says.
func (f *findings) figure(v *sheet.Variant, st *sheet.Step, i int, runs measure.Runs) {
	b := &st.Blanks[i]
	measured, ok, err := st.Measured(i, v, runs)
	if err != nil {
		f.add(b.Line, v, "measured"+b.Name, "step %s: its figure cannot be measured: %v", part(st, i), err)
		return
	}
	if !ok || b.Answer == nil {
		return
	}
	want, err := st.Expected(i, v, runs)
	if err != nil {
		f.add(b.Line, v, "expected"+b.Name, "step %s: its answer cannot be computed: %v", part(st, i), err)
		return
	}
	f.mu.Lock()
	f.figures++
	f.mu.Unlock()
	if want.Words != "" || measured.Words != "" {
		if want.Words != measured.Words {
			f.add(b.Line, v, "figure"+b.Name, "step %s: theory says %q, the run %q", part(st, i), want.Words, measured.Words)
		}
		return
	}
	if math.IsNaN(measured.Value) || !f.near(v, st, i, measured.Value, want.Value, runs) {
		f.add(b.Line, v, "figure"+b.Name, "step %s: theory says %v, the run %v: further apart than its spread",
			part(st, i), want.Quantity, measured.Quantity)
	}
}

// check says that what a step's texts are about is true of the run.
func (f *findings) check(v *sheet.Variant, st *sheet.Step, runs measure.Runs) {
	if st.Check == nil {
		return
	}
	ok, err := st.Check.True(v.Scope(st.Run, runs))
	if err != nil {
		f.add(st.Line, v, "check", "step %s: its check cannot be computed: %v", st.Name, err)
	} else if !ok {
		f.add(st.Line, v, "check", "step %s: its check %q is not true of the run", st.Name, st.Check.Source)
	}
}

// choice says that the right option passes and each other is refused with its
// explanation.
func (f *findings) choice(v *sheet.Variant, st *sheet.Step, runs measure.Runs) {
	shown, err := st.Choices(v, runs)
	if err != nil {
		f.add(st.Line, v, "choices", "step %s cannot be shown: %v", st.Name, err)
		return
	}
	for _, o := range shown {
		verdict, err := st.Judge(0, o.Letter, v, runs)
		option := &st.Options[o.Option]
		switch {
		case err != nil:
			f.add(option.Line, v, "option", "option %q cannot be judged: %v", o.Text, err)
		case verdict.Right != option.Right:
			f.add(option.Line, v, "option", "option %q is judged right = %v", o.Text, verdict.Right)
		case !option.Right && verdict.Feedback == "":
			f.add(option.Line, v, "option", "option %q does not say why it is wrong", o.Text)
		}
	}
	for _, text := range unanswered {
		if verdict, err := st.Judge(0, text, v, runs); err == nil && verdict.Right {
			f.add(st.Line, v, "empty", "step %s takes %q for an answer", st.Name, text)
		}
	}
}
