package attempt

import (
	"fmt"
	"math"

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
	Agrees      bool // the run is within the spread of theory, or was not measured
}

// Name is what a table calls a line: the step, and the blank if there are several.
func (c *Check) Name() string {
	if len(c.Step.Blanks) > 1 {
		return c.Step.Name + "." + c.Step.Blanks[c.Part].Name
	}
	return c.Step.Name
}

// Checks returns the table: of the steps with a number or a blank, in the sheet's
// order. It is nil before Played.
func (a *Attempt) Checks() []Check {
	for i := range a.checks {
		c := &a.checks[i]
		c.Status, c.Given = a.Work(c.Step).Status, a.given(c.Step, c.Part)
	}
	return a.checks
}

// given returns the answer to a part that counts: the right one, else the last;
// of a prediction the first.
func (a *Attempt) given(st *sheet.Step, part int) string {
	given := ""
	for _, t := range a.Work(st).Tries {
		if t.Part != part {
			continue
		}
		given = t.Given
		if t.Right || st.Kind == sheet.Predict {
			break
		}
	}
	return given
}

// check measures what the steps ask for.
func (a *Attempt) check(v *sheet.Variant, runs measure.Runs) ([]Check, error) {
	var all []Check
	for _, st := range a.Sheet.Steps {
		for part := range st.Blanks {
			c := Check{Step: st, Part: part, Agrees: true}
			var err error
			if c.Expected, err = st.Expected(part, v, runs); err != nil {
				return nil, fmt.Errorf("step %s: what is expected: %w", st.Name, err)
			}
			if c.Measured, c.HasMeasured, err = st.Measured(part, v, runs); err != nil {
				return nil, fmt.Errorf("step %s: what was measured: %w", st.Name, err)
			}
			if err := c.weigh(v.Scope(st.Run, runs)); err != nil {
				return nil, fmt.Errorf("step %s: %w", st.Name, err)
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// weigh says how far answers and run may be from what is expected, and whether
// the run is as near as that.
func (c *Check) weigh(scope *measure.Scope) error {
	b := &c.Step.Blanks[c.Part]
	if b.Unit.IsText() {
		c.Agrees = !c.HasMeasured || c.Measured.Words == c.Expected.Words
		return nil
	}
	tolerance, err := c.reach(b.Tolerance, scope)
	if err != nil {
		return fmt.Errorf("tolerance: %w", err)
	}
	spread, err := c.reach(b.Spread, scope)
	if err != nil {
		return fmt.Errorf("spread: %w", err)
	}
	c.Tolerance, c.Spread = tolerance, spread
	if c.HasMeasured {
		c.Agrees, err = b.Spread.Within(c.Measured.Value, c.Expected.Value, scope)
	}
	return err
}

// reach writes how far a tolerance reaches.
func (c *Check) reach(t sheet.Tolerance, scope *measure.Scope) (string, error) {
	far, err := t.Reach(c.Expected.Value, scope)
	switch {
	case err != nil:
		return "", err
	case far == 0:
		return "exact", nil
	case t.Value == nil && c.Expected.Value != 0:
		return measure.Quantity{Value: far / math.Abs(c.Expected.Value), Unit: percent()}.String(), nil
	}
	unit := c.Expected.Unit
	if unit.Dim == measure.Count {
		unit.Name = "" // the noun stands beside the number already
	}
	return measure.Quantity{Value: far, Unit: unit}.String(), nil
}

func percent() measure.Unit { return measure.Unit{Name: "%", Scale: 0.01, Dim: measure.Share} }

// Show writes a value as a learner reads it.
func Show(v sheet.Value) string { return v.String() }
