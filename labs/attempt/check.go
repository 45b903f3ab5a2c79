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
			b := &st.Blanks[part]
			if c.Expected.Words == "" {
				var far float64
				if c.Tolerance, _, err = bound(b.Tolerance, c.Expected.Quantity, v, st.Run); err != nil {
					return nil, fmt.Errorf("step %s: tolerance: %w", st.Name, err)
				}
				if c.Spread, far, err = bound(b.Spread, c.Expected.Quantity, v, st.Run); err != nil {
					return nil, fmt.Errorf("step %s: spread: %w", st.Name, err)
				}
				if c.HasMeasured {
					c.Agrees = near(c.Measured.Value, c.Expected.Value, far)
				}
			} else if c.HasMeasured {
				c.Agrees = c.Measured.Words == c.Expected.Words
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// bound returns how far from a quantity a tolerance reaches, in words and in the
// base unit.
func bound(t sheet.Tolerance, truth measure.Quantity, v *sheet.Variant, run string) (string, float64, error) {
	if t.Value == nil {
		share := t.Share
		if t.Source == "" {
			share = 0.01
		}
		if share == 0 {
			return "exact", 0, nil
		}
		return fmt.Sprintf("%.3g %%", 100*share), share * math.Abs(truth.Value), nil
	}
	far, err := t.Value.Number(v.Scope(run, nil))
	switch {
	case err != nil:
		return "", 0, err
	case far == 0:
		return "exact", 0, nil
	}
	return measure.Quantity{Value: far, Unit: truth.Unit}.String(), far, nil
}

// near allows for what adding up floats costs.
func near(got, want, far float64) bool {
	return math.Abs(got-want) <= far+1e-9*max(math.Abs(got), math.Abs(want))
}

// Show writes a value as a learner reads it.
func Show(v sheet.Value) string {
	if v.Words != "" {
		return v.Words
	}
	return v.Quantity.String()
}
