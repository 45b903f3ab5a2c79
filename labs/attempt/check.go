package attempt

import (
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// A Check is one line of the table that closes a lab: what theory says, what
// the run gave, and what the learner said.
type Check struct {
	Step      *sheet.Step
	Part      int // of a step with blanks
	Status    Status
	Given     string      // the learner's answer; empty: none
	Expected  sheet.Value // theory's; of a question about the run alone, the run's
	Measured  sheet.Value // if HasMeasured
	Tolerance string      // how far an answer may be from it: "2 %", "3 ms", "exact"
	Spread    string      // how far the run may be

	HasMeasured bool
	Agrees      bool // the run is within the spread of theory
}

// Checks returns the table: of the steps with a number or a blank, in the sheet's
// order. It is nil before Played.
func (a *Attempt) Checks() []Check { return a.checks }

func (a *Attempt) check(v *sheet.Variant, runs measure.Runs) ([]Check, error) { return nil, nil }

// settle judges the predictions by what the sheet says now.
func (a *Attempt) settle() {}
