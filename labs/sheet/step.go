package sheet

import (
	"fmt"
	"strings"

	"wirelab/labs/measure"
)

// A StepKind is what a step asks for.
type StepKind string

// The kinds of steps.
const (
	Predict  StepKind = "predict"  // a number that theory gives, before the run
	Question StepKind = "question" // a number or a text of the learner's own run
	Choice   StepKind = "choice"   // which of some texts is true
	Fill     StepKind = "fill"     // the blanks in lines of the run's trace
)

// A Step is one thing that a learner answers.
type Step struct {
	Name     string
	Kind     StepKind
	Run      string // the scenario that expressions are about
	Ask      Template
	Hints    []Template
	Solution Template
	Source   string // RFC and section, or a formula's name
	Points   float64
	Line     int

	Blanks []Blank             // of predict and question one, without a name; of fill one or more
	Lines  []Template          // of fill: text with [blank]
	Check  *measure.Expression // must be true of the run, so that the texts are about what was seen; nil: no such thing

	Options []Option // of choice, in the file's order: see Step.Choices
}

// A Blank is one number or text that is asked for.
type Blank struct {
	Name      string // of fill's
	Unit      measure.Unit
	Answer    *measure.Expression // what theory gives; nil: what was measured is the truth
	Measured  *measure.Expression // what the run gave; nil: it is not measured
	Tolerance Tolerance           // of the learner's answer against the truth
	Spread    Tolerance           // of what was measured against the answer
	Wrongs    []Wrong
	Line      int
}

// A Wrong is an answer that shows what somebody has overlooked.
type Wrong struct {
	Value *measure.Expression
	Why   Template
	Line  int
}

// An Option is one text of a choice.
type Option struct {
	Right bool
	Text  Template
	Why   Template // why it is not right; empty for the right one
	Line  int
}

// A Tolerance is how far a number may be from another.
type Tolerance struct {
	Source string              // as in the file; empty: the default, 1%
	Share  float64             // of the other number, if Value is nil
	Value  *measure.Expression // absolute, in the base unit
}

// defaultTolerance is what counts where a sheet says nothing: 1% of the answer.
const defaultTolerance = 0.01

// Reach returns how far from truth a number may be, in the base unit.
func (t Tolerance) Reach(truth float64, scope *measure.Scope) (float64, error) {
	if t.Value != nil {
		v, err := t.Value.Number(scope)
		return max(v, -v), err
	}
	share := t.Share
	if t.Source == "" {
		share = defaultTolerance
	}
	return max(share*truth, -share*truth), nil
}

// Within reports whether v is as near to truth as t allows. What is left of
// reckoning in binary does not count.
func (t Tolerance) Within(v, truth float64, scope *measure.Scope) (bool, error) {
	reach, err := t.Reach(truth, scope)
	if err != nil {
		return false, err
	}
	return near(v, truth, reach), nil
}

func near(v, truth, reach float64) bool {
	d := max(v-truth, truth-v)
	return d <= reach+1e-9*max(truth, -truth, v, -v)
}

// Parts returns how many answers the step takes: one, or as many as it has blanks.
func (st *Step) Parts() int { return max(1, len(st.Blanks)) }

// A Value is a quantity or a text.
type Value struct {
	measure.Quantity
	Words string // if the unit is text
}

// String writes the value with its unit.
func (v Value) String() string {
	if v.Unit.IsText() {
		return v.Words
	}
	return v.Quantity.String()
}

// Expected returns what the answer of a part should be: theory's, or else the
// run's; of a choice the right option's text.
func (st *Step) Expected(part int, v *Variant, runs measure.Runs) (Value, error) {
	if st.Kind == Choice {
		for i := range st.Options {
			if st.Options[i].Right {
				text, err := v.TextOf(st.Options[i].Text, st.Run, runs)
				return Value{Words: text, Quantity: measure.Quantity{Unit: measure.Unit{Name: "text", Dim: measure.Words}}}, err
			}
		}
	}
	b, err := st.blank(part)
	if err != nil {
		return Value{}, err
	}
	e := b.Answer
	if e == nil {
		e = b.Measured
	}
	return b.value(e, v.Scope(st.Run, runs))
}

// Measured returns what the run gave for a part; ok is false if the sheet does
// not say how to measure it.
func (st *Step) Measured(part int, v *Variant, runs measure.Runs) (value Value, ok bool, err error) {
	if st.Kind == Choice {
		return Value{}, false, nil
	}
	b, err := st.blank(part)
	if err != nil || b.Measured == nil {
		return Value{}, false, err
	}
	value, err = b.value(b.Measured, v.Scope(st.Run, runs))
	return value, err == nil, err
}

func (st *Step) blank(part int) (*Blank, error) {
	if part < 0 || part >= len(st.Blanks) {
		return nil, fmt.Errorf("step %s has no part %d: it has %d", st.Name, part+1, len(st.Blanks))
	}
	return &st.Blanks[part], nil
}

func (b *Blank) value(e *measure.Expression, scope *measure.Scope) (Value, error) {
	v := Value{Quantity: measure.Quantity{Unit: b.Unit}}
	var err error
	if b.Unit.IsText() {
		v.Words, err = e.Text(scope)
	} else {
		v.Value, err = e.Number(scope)
	}
	return v, err
}

// A Shown is an option as a learner sees it.
type Shown struct {
	Letter string // a, b, c …
	Option int    // its place in Step.Options
	Text   string
}

// Choices returns the options in the order of the variant.
func (st *Step) Choices(v *Variant, runs measure.Runs) ([]Shown, error) {
	var all []Shown
	for _, i := range v.order(st.Name, len(st.Options)) {
		text, err := v.TextOf(st.Options[i].Text, st.Run, runs)
		if err != nil {
			return nil, err
		}
		all = append(all, Shown{string(rune('a' + len(all))), i, text})
	}
	return all, nil
}

// Trace returns the lines of a fill step. known has the values of the blanks that
// were answered, by name; the others stand in square brackets.
func (st *Step) Trace(v *Variant, runs measure.Runs, known map[string]string) ([]string, error) {
	var all []string
	for _, l := range st.Lines {
		text, err := v.TextOf(l, st.Run, runs)
		if err != nil {
			return nil, err
		}
		for name, value := range known {
			text = strings.ReplaceAll(text, "["+name+"]", value)
		}
		all = append(all, text)
	}
	return all, nil
}
