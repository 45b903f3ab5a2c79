package sheet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"wirelab/labs"
	"wirelab/labs/measure"
	"wirelab/labs/scenario"
)

// A Variant is a sheet with one learner's numbers. It does not change.
type Variant struct {
	Sheet  *Sheet
	Seed   uint64             // 1 to 2^32−1
	Values map[string]float64 // of the variables, in base units; NaN: there is none

	turned map[string]float64 // by With
	lack   *Mistake           // the first variable that has no value
}

// Variant returns the variant of a learner. The same class key and name give the
// same numbers on every machine: they come from SHA-256 over the class key, the
// name (NFC, without blanks around it, without regard to case) and the lab's
// name, each ended by a zero byte. An empty name gives the common variant.
func (s *Sheet) Variant(class, name string) *Variant {
	name = cases.Fold().String(norm.NFC.String(strings.TrimSpace(name)))
	class = strings.TrimSpace(class)
	if name == "" {
		class = ""
	}
	sum := sha256.Sum256([]byte(class + "\x00" + name + "\x00" + s.Name + "\x00"))
	v := &Variant{Sheet: s, Seed: uint64(binary.BigEndian.Uint32(sum[:4]))}
	if v.Seed == 0 {
		v.Seed = 1
	}
	v.compute()
	return v
}

// draw returns a number that the seed and a word give.
func (v *Variant) draw(word string) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", v.Seed, v.Sheet.Name, word))
	return binary.BigEndian.Uint64(sum[:8])
}

// compute sets the values of all variables, in their order.
func (v *Variant) compute() {
	v.Values = make(map[string]float64)
	for i := range v.Sheet.Variables {
		x := &v.Sheet.Variables[i]
		var value float64
		turned, ok := v.turned[x.Name]
		switch {
		case ok:
			value = turned
		case x.Formula == nil:
			value = x.Pick[v.draw("variable "+x.Name)%uint64(len(x.Pick))]
		default:
			var err error
			if value, err = x.Formula.Number(v.Scope("", nil)); err != nil {
				value = math.NaN()
				if v.lack == nil {
					v.lack = &Mistake{File: v.Sheet.Name + ".txtar", Line: x.Line, What: fmt.Sprintf("variable %s: %v", x.Name, err)}
				}
			}
		}
		v.Values[x.Name] = value
	}
}

// missing returns what is wrong with the variables, nil if nothing.
func (v *Variant) missing() *Mistake { return v.lack }

// With returns the variant with one variable turned to another value, in its base
// unit; what is computed from it is computed again. The error says that there is
// no such variable, or no value for one that depends on it.
func (v *Variant) With(variable string, value float64) (*Variant, error) {
	if v.Sheet.Variable(variable) == nil {
		return nil, fmt.Errorf("variable %q is unknown", variable)
	}
	w := &Variant{Sheet: v.Sheet, Seed: v.Seed, turned: maps.Clone(v.turned)}
	if w.turned == nil {
		w.turned = make(map[string]float64)
	}
	w.turned[variable] = value
	w.compute()
	if w.lack != nil {
		return nil, w.lack
	}
	return w, nil
}

// Turned reports whether With has turned a variable.
func (v *Variant) Turned() bool { return len(v.turned) > 0 }

// Quantity returns a variable's value with its unit.
func (v *Variant) Quantity(variable string) (measure.Quantity, error) {
	x := v.Sheet.Variable(variable)
	if x == nil {
		return measure.Quantity{}, fmt.Errorf("variable %q is unknown", variable)
	}
	return measure.Quantity{Value: v.Values[variable], Unit: x.Unit}, nil
}

// Scope returns what expressions are evaluated in; run names the scenario that
// the plain names are about. runs may be nil.
func (v *Variant) Scope(run string, runs measure.Runs) *measure.Scope {
	values := maps.Clone(v.Values)
	values["seed"] = float64(v.Seed)
	return &measure.Scope{Variables: values, Run: runs[run], Runs: runs}
}

// Text fills a template in with the variables. What cannot be filled in stays as
// "?".
func (v *Variant) Text(t Template) string {
	text, err := t.fill(v.Scope("", nil), measure.Quantity.String)
	if err != nil {
		var b strings.Builder
		for i := range t.parts {
			one := Template{parts: t.parts[i : i+1]}
			if text, err := one.fill(v.Scope("", nil), measure.Quantity.String); err == nil {
				b.WriteString(text)
			} else {
				b.WriteByte('?')
			}
		}
		return b.String()
	}
	return text
}

// TextOf fills a template in with the variables and the runs. The error is a
// *measure.EvalError.
func (v *Variant) TextOf(t Template, run string, runs measure.Runs) (string, error) {
	return t.fill(v.Scope(run, runs), measure.Quantity.String)
}

// Scenario returns one of the sheet's scenarios with the variant's numbers, and
// with its seed if the text gives none. The error is a *Mistake with the line in
// the sheet.
func (v *Variant) Scenario(name string) (*scenario.Scenario, error) {
	sc := v.Sheet.Scenario(name)
	if sc == nil {
		return nil, fmt.Errorf("lab %s has no scenario %q", v.Sheet.Name, name)
	}
	if v.lack != nil {
		return nil, v.lack
	}
	fail := func(line int, err error) (*scenario.Scenario, error) {
		return nil, &Mistake{File: v.Sheet.Name + ".txtar", Line: line, What: err.Error()}
	}
	text, err := v.ScenarioText(name)
	if err != nil {
		return fail(sc.Line, err)
	}
	s, err := scenario.ParseText(text)
	var at *scenario.TextError
	if errors.As(err, &at) {
		return fail(sc.Line+max(0, at.Line-1), at.Err)
	}
	if err != nil {
		return fail(sc.Line, err)
	}
	if s.Seed == 0 {
		s.Seed = v.Seed
	}
	return s, nil
}

// ScenarioText returns the text of one of the sheet's scenarios with the variant's
// numbers, as ParseText reads it: "40ms", not "40 ms".
func (v *Variant) ScenarioText(name string) (string, error) {
	sc := v.Sheet.Scenario(name)
	if sc == nil {
		return "", fmt.Errorf("lab %s has no scenario %q", v.Sheet.Name, name)
	}
	return sc.Text.fill(v.Scope("", nil), measure.Quantity.Compact)
}

// Play plays all scenarios of the sheet.
func (v *Variant) Play(ctx context.Context, e *labs.Engine) (measure.Runs, error) {
	runs := make(measure.Runs)
	for i := range v.Sheet.Scenarios {
		name := v.Sheet.Scenarios[i].Name
		s, err := v.Scenario(name)
		if err != nil {
			return nil, err
		}
		r, err := measure.Play(ctx, e, s)
		if err != nil {
			if name == "" {
				name = "main"
			}
			return nil, fmt.Errorf("%s scenario of lab %s, seed %d: %w", name, v.Sheet.Name, s.Seed, err)
		}
		runs[v.Sheet.Scenarios[i].Name] = r
	}
	return runs, nil
}

// order returns a permutation of n that the variant gives for a step.
func (v *Variant) order(step string, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	key := make([]uint64, n)
	for i := range key {
		key[i] = v.draw(fmt.Sprintf("option %s %d", step, i))
	}
	slices.SortStableFunc(list, func(a, b int) int {
		if key[a] < key[b] {
			return -1
		}
		return 1
	})
	return list
}
