package sheet

import (
	"context"

	"wirelab/labs"
	"wirelab/labs/measure"
	"wirelab/labs/scenario"
)

// A Variant is a sheet with one learner's numbers. It does not change.
type Variant struct {
	Sheet  *Sheet
	Seed   uint64
	Values map[string]float64 // of the variables, in base units
	order  uint64             // of choices
}

// Variant returns the variant of a learner. The same class key and name give the
// same numbers on every machine; an empty name gives the common variant.
func (s *Sheet) Variant(class, name string) *Variant { return nil }

// With returns the variant with one variable turned to another value, in its base
// unit, and those computed again that depend on it.
func (v *Variant) With(variable string, value float64) (*Variant, error) { return nil, nil }

// Scope returns what expressions are evaluated in; run names the scenario that
// the plain names are about. runs may be nil.
func (v *Variant) Scope(run string, runs measure.Runs) *measure.Scope { return nil }

// Text fills a template in with the variables.
func (v *Variant) Text(t Template) string { return "" }

// TextOf fills a template in with the variables and the runs.
func (v *Variant) TextOf(t Template, run string, runs measure.Runs) (string, error) { return "", nil }

// Scenario returns one of the sheet's scenarios with the variant's numbers and
// seed. The error is a *Mistake with the line in the sheet.
func (v *Variant) Scenario(name string) (*scenario.Scenario, error) { return nil, nil }

// Play plays all scenarios of the sheet.
func (v *Variant) Play(ctx context.Context, e *labs.Engine) (measure.Runs, error) { return nil, nil }
