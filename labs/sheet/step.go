package sheet

import "wirelab/labs/measure"

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

	Blanks []Blank    // of predict and question one, without a name; of fill one or more
	Lines  []Template // of fill: text with [blank]
	Check  *measure.Expression

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

// A Verdict is what is said of an answer.
type Verdict struct {
	Right    bool
	Given    string           // the answer as it was understood: "40 ms", an option's text
	Quantity measure.Quantity // of a number
	Option   int              // of a choice: its place in Step.Options
	Feedback string           // why it is wrong, if the sheet knows
}

// Parts returns how many answers the step takes: one, or as many as it has blanks.
func (st *Step) Parts() int { return max(1, len(st.Blanks)) }

// Expected returns what the answer of a part should be: theory's, or else the
// run's. Its Words are set if it is a text, as for a choice.
func (st *Step) Expected(part int, v *Variant, runs measure.Runs) (Value, error) {
	return Value{}, nil
}

// Measured returns what the run gave for a part; ok is false if the sheet does
// not say how to measure it.
func (st *Step) Measured(part int, v *Variant, runs measure.Runs) (value Value, ok bool, err error) {
	return Value{}, false, nil
}

// A Value is a quantity or a text.
type Value struct {
	measure.Quantity
	Words string // if the unit is text
}

// Judge says whether an answer is right. The error is a *measure.Unreadable if
// the input makes no sense as an answer; then it is to be asked again. runs may
// be nil for a prediction.
func (st *Step) Judge(part int, input string, v *Variant, runs measure.Runs) (Verdict, error) {
	return Verdict{}, nil
}

// A Shown is an option as a learner sees it.
type Shown struct {
	Letter string // a, b, c …
	Option int    // its place in Step.Options
	Text   string
}

// Choices returns the options in the order of the variant.
func (st *Step) Choices(v *Variant, runs measure.Runs) ([]Shown, error) { return nil, nil }
