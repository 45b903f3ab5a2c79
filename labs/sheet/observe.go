package sheet

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"wirelab/labs/measure"
)

// maxPick is how many values a variable may have.
const maxPick = 10_000

// observe reads the sections of a lab to observe.
func (p *parser) observe() {
	s := p.sheet
	if sec := p.get("variables"); sec != nil {
		p.variables(sec)
	}
	names := measure.Names{}
	for i := range s.Variables {
		names.Variables = append(names.Variables, s.Variables[i].Name)
	}
	p.each("scenario", func(sec *section) {
		if sec.rest != "" {
			p.name(sec)
			names.Runs = append(names.Runs, sec.rest)
		}
	})
	run := names
	run.Run = true
	p.each("scenario", func(sec *section) {
		s.Scenarios = append(s.Scenarios, Scenario{Name: sec.rest, Line: sec.first(), Text: p.template(sec.text, sec.first(), 1, names)})
	})
	if len(s.Scenarios) > 0 && s.Scenario("") == nil {
		p.fail(p.get("scenario").line, 0, "no main scenario: want one section -- scenario -- without a name")
	}
	slices.SortStableFunc(s.Scenarios, func(a, b Scenario) int { return min(1, len(a.Name)) - min(1, len(b.Name)) })
	p.common(names, run)
	p.each("step", func(sec *section) { p.step(sec, names, run) })
	p.steps()
	p.each("view", func(sec *section) { p.view(sec, names, run) })
	if sec := p.get("knob"); sec != nil {
		p.knob(sec, names)
	}
	if len(p.mistakes) == 0 {
		p.playable()
	}
}

// name checks a section's own name.
func (p *parser) name(sec *section) {
	if sec.rest != "" && !nameForm().MatchString(sec.rest) {
		p.fail(sec.line, 0, "%s %q: want a name of small letters, digits and hyphens", sec.name, sec.rest)
	}
}

// variables reads lines of the form
//
//	rtt    = pick 40ms 60ms 80ms
//	n      = range 100 200 10
//	oneway = rtt / 2 | ms
func (p *parser) variables(sec *section) {
	for i, l := range strings.Split(sec.text, "\n") {
		line := sec.first() + i
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") {
			continue
		}
		name, value, ok := strings.Cut(l, "=")
		name = strings.TrimSpace(name)
		if !ok {
			p.fail(line, 0, "%q: want NAME = pick 40ms 60ms, NAME = range 100 200 10, or NAME = EXPRESSION | UNIT", short(l))
			continue
		}
		if what := p.variableName(name); what != "" {
			p.fail(line, 1, "%s", what)
			continue
		}
		v := Variable{Name: name, Line: line}
		column := len([]rune(l)) - len([]rune(strings.TrimLeft(value, " \t"))) + 1
		if p.variable(&v, strings.TrimSpace(value), spot{line, column}) {
			p.sheet.Variables = append(p.sheet.Variables, v)
			p.units[name] = v.Unit
		}
	}
}

func (p *parser) variableName(name string) string {
	switch {
	case !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,30}$`).MatchString(name):
		return "variable \"" + short(name) + "\": want letters, digits and _, a letter first"
	case measure.Reserved(name):
		return "variable " + name + ": the name has a meaning of its own in expressions: choose another"
	case p.sheet.Variable(name) != nil:
		return "variable " + name + " is there twice"
	}
	return ""
}

// variable reads what stands after the equals sign.
func (p *parser) variable(v *Variable, text string, at spot) bool {
	words := strings.Fields(text)
	if len(words) > 0 && (words[0] == "pick" || words[0] == "range") {
		source, unit, given := text, measure.Unit{}, false
		if i := measure.Bar(text); i >= 0 {
			u, err := measure.ParseUnit(strings.TrimSpace(text[i+1:]))
			if err != nil {
				p.fail(at.line, at.column+i+2, "%v", err)
				return false
			}
			source, unit, given = text[:i], u, true
		}
		values := p.literals(v, strings.Fields(source)[1:], at)
		if values == nil {
			return false
		}
		if given {
			if !unit.Same(v.Unit) && !v.Unit.Plain() {
				p.fail(at.line, at.column, "values of %s with unit %s", v.Unit.Name, unit.Name)
				return false
			}
			v.Unit = unit
		}
		v.Pick = values
		if words[0] == "range" {
			return p.rangeOf(v, values, at)
		}
		return true
	}
	if q, err := measure.ParseLiteral(bare(text)); err == nil {
		return p.fixed(v, q, text, at)
	}
	names := measure.Names{}
	for i := range p.sheet.Variables {
		names.Variables = append(names.Variables, p.sheet.Variables[i].Name)
	}
	e, unit, given, ok := p.withUnit(text, at, names, measure.Number)
	if !ok {
		return false
	}
	v.Formula, v.Unit = e, unit
	if u, isVar := p.units[e.Source]; isVar && !given {
		v.Unit = u
	}
	return true
}

// bare returns the text before a bar.
func bare(text string) string {
	if i := measure.Bar(text); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

// fixed is a variable with one value: "1500B", "400 | frames".
func (p *parser) fixed(v *Variable, q measure.Quantity, text string, at spot) bool {
	v.Unit = q.Unit
	if i := measure.Bar(text); i >= 0 {
		u, err := measure.ParseUnit(strings.TrimSpace(text[i+1:]))
		if err == nil && !q.Unit.Plain() && !u.Same(q.Unit) {
			p.fail(at.line, at.column+i+2, "a value in %s cannot be shown in %s", q.Unit.Name, u.Name)
			return false
		}
		if err != nil {
			p.fail(at.line, at.column+i+2, "%v", err)
			return false
		}
		v.Unit = u
	}
	v.Pick = []float64{q.Value}
	return true
}

// literals reads values that are all of one kind, and sets v's unit.
func (p *parser) literals(v *Variable, words []string, at spot) []float64 {
	if len(words) == 0 {
		p.fail(at.line, at.column, "no value: want such as pick 40ms 60ms 80ms")
		return nil
	}
	var values []float64
	for i, w := range words {
		q, err := measure.ParseLiteral(w)
		if err != nil {
			p.fail(at.line, at.column, "%v", err)
			return nil
		}
		if i == 0 {
			v.Unit = q.Unit
		} else if !q.Unit.Same(v.Unit) || q.Unit.Plain() != v.Unit.Plain() && q.Value != 0 {
			p.fail(at.line, at.column, "%s and %s: want values of one kind, each with its unit", words[0], w)
			return nil
		}
		values = append(values, q.Value)
	}
	return values
}

// rangeOf turns from, to and step into the values.
func (p *parser) rangeOf(v *Variable, three []float64, at spot) bool {
	if len(three) != 3 || !(three[2] > 0) || !(three[1] >= three[0]) {
		p.fail(at.line, at.column, "want range FROM TO STEP, such as range 100 200 10")
		return false
	}
	n := math.Floor((three[1]-three[0])/three[2]+1e-9) + 1
	if n > maxPick {
		p.fail(at.line, at.column, "range of %.0f values: at most %d", n, maxPick)
		return false
	}
	v.Pick = nil
	for i := range int(n) {
		v.Pick = append(v.Pick, three[0]+float64(i)*three[2])
	}
	return true
}

// runName reads a step's or view's "run: NAME".
func (p *parser) runName(e *entry) string {
	name := e.words()
	if p.sheet.Scenario(name) != nil && name != "" {
		return name
	}
	var names []string
	for i := range p.sheet.Scenarios {
		if n := p.sheet.Scenarios[i].Name; n != "" {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		p.fail(e.line, e.column, "run %q: there is only the main scenario: leave run out", name)
	} else {
		p.fail(e.line, e.column, "run %q is unknown: want one of %s, or leave it out for the main scenario%s", name, strings.Join(names, ", "), did(name, names))
	}
	return ""
}

// text reads an entry's value as a text on one line.
func (p *parser) text(e *entry, names measure.Names) Template {
	return p.template(e.value, e.line, e.column, names).prose()
}

// knob reads the knob.
func (p *parser) knob(sec *section, names measure.Names) {
	k := &Knob{Line: sec.line}
	all := p.entries(sec.text, sec.first(), "variable", "values", "ask")
	p.once(all, sec.line, []string{"variable", "values", "ask"})
	var v *Variable
	for i := range all {
		if e := &all[i]; e.key == "variable" {
			k.Variable = e.words()
			if v = p.sheet.Variable(k.Variable); v == nil {
				p.fail(e.line, e.column, "variable %q is unknown: want one of %s", k.Variable, strings.Join(names.Variables, ", "))
			}
		}
	}
	for i := range all {
		e := &all[i]
		switch e.key {
		case "ask":
			k.Ask = p.text(e, names)
		case "values":
			words := strings.Fields(e.value)
			of := Variable{}
			var values []float64
			if len(words) == 2 {
				values = p.literals(&of, words, spot{e.line, e.column})
				if values == nil {
					continue
				}
			}
			if len(words) != 2 || !(values[0] < values[1]) {
				p.fail(e.line, e.column, "values %q: want the smallest and the largest, such as 10ms 200ms", e.words())
				continue
			}
			if v != nil && !of.Unit.Same(v.Unit) && !of.Unit.Plain() {
				p.fail(e.line, e.column, "values in %s, but variable %s has %s", of.Unit.Name, v.Name, v.Unit.Name)
			}
			if v != nil && of.Unit.Plain() && !v.Unit.Plain() && v.Unit.Dim != measure.Count && values[1] != 0 {
				p.fail(e.line, e.column, "values without a unit: variable %s has %s", v.Name, v.Unit.Name)
			}
			k.From, k.To = values[0], values[1]
		}
	}
	p.sheet.Knob = k
}

// playable tries the scenarios with the common variant, and with the knob turned
// to either end.
func (p *parser) playable() {
	s := p.sheet
	v := s.Variant("", "")
	try := func(v *Variant, suffix string) {
		for i := range s.Scenarios {
			if _, err := v.Scenario(s.Scenarios[i].Name); err != nil {
				for _, m := range Mistakes(err) {
					p.fail(m.Line, m.Column, "%s%s", m.What, suffix)
				}
			}
		}
	}
	if what := v.missing(); what != nil {
		p.fail(what.Line, 0, "%s", what.What)
		return
	}
	try(v, "")
	if k := s.Knob; k != nil && len(p.mistakes) == 0 {
		for _, x := range []float64{k.From, k.To} {
			w, err := v.With(k.Variable, x)
			if err != nil {
				p.fail(k.Line, 0, "%v", err)
				continue
			}
			q := measure.Quantity{Value: x, Unit: s.Variable(k.Variable).Unit}
			try(w, " (with the knob's "+k.Variable+" = "+q.String()+")")
		}
	}
}
