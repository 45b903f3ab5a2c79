package sheet

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wirelab/labs/measure"
)

// keysOf returns the keys that a step of a kind may have.
func keysOf(kind StepKind) []string {
	common := []string{"kind", "run", "ask", "hint", "solution", "source", "points"}
	switch kind {
	case Choice:
		return append(common, "right", "wrong", "check")
	case Fill:
		return append(common, "line", "blank", "wrong", "tolerance")
	}
	return append(common, "unit", "answer", "measured", "tolerance", "spread", "wrong")
}

// step reads one step.
func (p *parser) step(sec *section, names, run measure.Names) {
	p.name(sec)
	st := &Step{Name: sec.rest, Line: sec.line, Points: 1}
	every := []string{"kind", "run", "ask", "unit", "answer", "measured", "tolerance", "spread", "right", "wrong", "check", "line", "blank", "hint", "solution", "source", "points"}
	all := p.entries(sec.text, sec.first(), every...)
	for i := range all {
		if all[i].key == "kind" {
			st.Kind = StepKind(all[i].words())
		}
	}
	must := []string{"kind", "ask", "hint", "solution", "source"}
	switch st.Kind {
	case Predict:
		must = append(must, "unit", "answer", "wrong")
	case Question:
		must = append(must, "unit", "wrong")
	case Choice:
		must = append(must, "right", "wrong")
	case Fill:
		must = append(must, "line", "blank")
	default:
		for i := range all {
			if all[i].key == "kind" {
				p.fail(all[i].line, all[i].column, "kind %q is unknown: want predict, question, choice or fill", st.Kind)
				return
			}
		}
		p.fail(sec.line, 0, "kind: is missing")
		return
	}
	repeat := []string{"hint", "wrong", "line", "blank"}
	if st.Kind == Fill {
		repeat = append(repeat, "tolerance")
	}
	p.once(all, sec.line, must, repeat...)
	allowed := keysOf(st.Kind)
	all = slices.DeleteFunc(all, func(e entry) bool {
		if !slices.Contains(allowed, e.key) {
			p.fail(e.line, 0, "a %s has no %s: it has %s", st.Kind, e.key, strings.Join(allowed, ", "))
			return true
		}
		return strings.TrimSpace(e.value) == ""
	})
	after := run
	if st.Kind == Predict {
		after = names
	}
	for i := range all {
		e := &all[i]
		switch e.key {
		case "run":
			st.Run = p.runName(e)
		case "ask":
			st.Ask = p.text(e, after)
		case "hint":
			st.Hints = append(st.Hints, p.text(e, after))
		case "solution":
			st.Solution = p.text(e, run)
		case "source":
			st.Source = e.words()
		case "points":
			n, err := strconv.ParseFloat(e.words(), 64)
			if err != nil || !(n > 0 && n <= 100) {
				p.fail(e.line, e.column, "points %q: want a number above 0, at most 100", e.words())
			}
			st.Points = n
		case "check":
			st.Check, _ = p.compile(e.value, spot{e.line, e.column}, run, measure.Bool)
		}
	}
	switch st.Kind {
	case Choice:
		p.options(st, all, run)
	case Fill:
		p.fill(st, all, run)
	default:
		p.asked(st, all, names, run)
	}
	p.sheet.Steps = append(p.sheet.Steps, st)
}

// asked reads what a predict or question asks for.
func (p *parser) asked(st *Step, all []entry, names, run measure.Names) {
	b := Blank{Line: st.Line}
	kind := measure.Number
	for i := range all {
		if e := &all[i]; e.key == "unit" {
			u, err := measure.ParseUnit(e.words())
			if err != nil {
				p.fail(e.line, e.column, "%v", err)
			}
			if b.Unit = u; u.IsText() {
				kind = measure.Text
			}
		}
	}
	for i := range all {
		e := &all[i]
		at := spot{e.line, e.column}
		switch e.key {
		case "answer":
			scope := run
			if st.Kind == Predict {
				scope = names
			}
			b.Answer, _ = p.compile(e.value, at, scope, kind)
		case "measured":
			b.Measured, _ = p.compile(e.value, at, run, kind)
		case "tolerance":
			b.Tolerance = p.tolerance(e.value, at, b.Unit, names)
		case "spread":
			b.Spread = p.tolerance(e.value, at, b.Unit, names)
		case "wrong":
			scope := run
			if st.Kind == Predict {
				scope = names
			}
			if w, ok := p.wrong(e.value, at, scope, run, kind); ok {
				b.Wrongs = append(b.Wrongs, w)
			}
		}
	}
	has := func(key string) bool { return slices.ContainsFunc(all, func(e entry) bool { return e.key == key }) }
	if st.Kind == Question && !has("answer") && !has("measured") {
		p.fail(st.Line, 0, "a question wants measured (what the run gave), or answer, or both")
	}
	if !has("spread") {
		b.Spread = b.Tolerance
	}
	st.Blanks = []Blank{b}
}

// wrong reads "EXPRESSION | why".
func (p *parser) wrong(value string, at spot, names, texts measure.Names, kind measure.Kind) (Wrong, bool) {
	i := measure.Bar(value)
	if i < 0 || strings.TrimSpace(value[i+1:]) == "" {
		p.fail(at.line, at.column, "want EXPRESSION | what somebody who answers this has overlooked")
		return Wrong{}, false
	}
	e, ok := p.compile(value[:i], at, names, kind)
	why := value[i+1:]
	lead := len(why) - len(strings.TrimLeft(why, " \t"))
	to := place(value, i+1+lead, at.line, at.column)
	return Wrong{Value: e, Why: p.template(why[lead:], to.line, to.column, texts).prose(), Line: at.line}, ok
}

// tolerance reads "2%", "3ms", "0" or an expression of the variables.
func (p *parser) tolerance(value string, at spot, unit measure.Unit, names measure.Names) Tolerance {
	text := strings.TrimSpace(value)
	t := Tolerance{Source: text}
	if unit.IsText() {
		p.fail(at.line, at.column, "a text has no tolerance")
		return t
	}
	if q, err := measure.ParseLiteral(text); err == nil {
		switch {
		case q.Value < 0:
			p.fail(at.line, at.column, "tolerance %s: want 0 or more", text)
		case q.Unit.Dim == measure.Share:
			t.Share = q.Value
			return t
		case q.Unit.Plain() && q.Value != 0 && unit.Dim != measure.Count && unit.Dim != measure.Word && unit.Dim != measure.Size && unit.Dim != measure.Share:
			p.fail(at.line, at.column, "tolerance %s has no unit: want such as %s%s or 2%%", text, text, unit.Name)
		case !q.Unit.Plain() && !q.Unit.Same(unit):
			p.fail(at.line, at.column, "tolerance in %s, but the answer is in %s", q.Unit.Name, unit.Name)
		}
		t.Value = measure.Constant(text, q.Value)
		return t
	}
	t.Value, _ = p.compile(value, at, names, measure.Number)
	return t
}

// options reads the texts of a choice.
func (p *parser) options(st *Step, all []entry, run measure.Names) {
	for i := range all {
		e := &all[i]
		switch e.key {
		case "right":
			if _, _, bar := cutBar(e.value); bar {
				p.fail(e.line, e.column, "the right text has no | and no reason: that is the solution's")
			}
			st.Options = append(st.Options, Option{Right: true, Text: p.text(e, run), Line: e.line})
		case "wrong":
			text, why, ok := cutBar(e.value)
			if !ok || strings.TrimSpace(why) == "" {
				p.fail(e.line, e.column, "want TEXT | why it is not right")
				continue
			}
			to := place(e.value, len(text)+1, e.line, e.column)
			lead := len(why) - len(strings.TrimLeft(why, " \t"))
			st.Options = append(st.Options, Option{
				Text: p.template(strings.TrimRight(text, " \t\n"), e.line, e.column, run).prose(),
				Why:  p.template(why[lead:], to.line, to.column+lead, run).prose(), Line: e.line,
			})
		}
	}
	if n := len(st.Options); n < 3 || n > 6 {
		p.fail(st.Line, 0, "a choice of %d texts: want one right and 2 to 5 wrong ones", n)
	}
}

// cutBar cuts a text at its first | that is not inside braces.
func cutBar(s string) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			if n := closing(s[i:]); n > 0 {
				i += n
			}
		case '|':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// fill reads lines with blanks, and what the blanks are.
func (p *parser) fill(st *Step, all []entry, run measure.Names) {
	shared := Tolerance{}
	index := func(name string) int {
		return slices.IndexFunc(st.Blanks, func(b Blank) bool { return b.Name == name })
	}
	for i := range all {
		e := &all[i]
		if e.key != "blank" {
			continue
		}
		name, value, ok := strings.Cut(e.value, "=")
		name = strings.TrimSpace(name)
		if !ok || !nameForm().MatchString(name) {
			p.fail(e.line, e.column, "want NAME = EXPRESSION | UNIT, such as flags = find(packets, .syn).mss | bytes")
			continue
		}
		if index(name) >= 0 {
			p.fail(e.line, e.column, "blank %s is there twice", name)
			continue
		}
		at := place(e.value, len(e.value)-len(value), e.line, e.column)
		b := Blank{Name: name, Line: e.line}
		var given bool
		b.Measured, b.Unit, given, _ = p.withUnit(value, at, run, measure.Number)
		if !given {
			b.Unit, _ = measure.ParseUnit("none")
		}
		st.Blanks = append(st.Blanks, b)
	}
	for i := range all {
		e := &all[i]
		switch e.key {
		case "line":
			st.Lines = append(st.Lines, p.template(e.value, e.line, e.column, run).prose())
		case "tolerance", "wrong":
			name, value, ok := strings.Cut(e.value, "=")
			name = strings.TrimSpace(name)
			j := index(name)
			if e.key == "tolerance" && (!ok || j < 0) {
				shared = p.tolerance(e.value, spot{e.line, e.column}, measure.Unit{}, run)
				continue
			}
			if !ok || j < 0 {
				p.fail(e.line, e.column, "want BLANK = …: blank %q is unknown", name)
				continue
			}
			b := &st.Blanks[j]
			at := place(e.value, len(e.value)-len(value), e.line, e.column)
			if e.key == "tolerance" {
				b.Tolerance = p.tolerance(value, at, b.Unit, run)
				continue
			}
			kind := measure.Number
			if b.Unit.IsText() {
				kind = measure.Text
			}
			if w, ok := p.wrong(value, at, run, run, kind); ok {
				b.Wrongs = append(b.Wrongs, w)
			}
		}
	}
	for j := range st.Blanks {
		b := &st.Blanks[j]
		if b.Tolerance.Source == "" {
			b.Tolerance = shared
		}
		if !slices.ContainsFunc(st.Lines, func(t Template) bool { return strings.Contains(t.Source, "["+b.Name+"]") }) {
			p.fail(b.Line, 0, "blank %s stands in no line: want [%s] in one", b.Name, b.Name)
		}
	}
	for _, l := range st.Lines {
		for _, m := range regexp.MustCompile(`\[([a-z][a-z0-9-]*)\]`).FindAllStringSubmatch(l.Source, -1) {
			if index(m[1]) < 0 {
				p.fail(l.Line, 0, "[%s]: want a line blank: %s = EXPRESSION | UNIT", m[1], m[1])
			}
		}
	}
}

// steps checks what the steps are together.
func (p *parser) steps() {
	s := p.sheet
	counts := make(map[StepKind]int)
	names := make(map[string]bool)
	for _, st := range s.Steps {
		if st.Kind == Predict && len(counts) > 0 && counts[Predict] < total(counts) {
			p.fail(st.Line, 0, "step %s: predictions come before the other steps", st.Name)
		}
		counts[st.Kind]++
		names[st.Name] = true
	}
	if len(s.Steps) == 0 {
		return
	}
	line := s.Steps[0].Line
	switch {
	case len(s.Steps) < 3:
		p.fail(line, 0, "%d steps: want at least 3", len(s.Steps))
	case counts[Predict] == 0:
		p.fail(line, 0, "no prediction: want a step of kind predict")
	case counts[Question]+counts[Fill] == 0:
		p.fail(line, 0, "no question about the learner's own run: want a step of kind question or fill")
	case counts[Choice] == 0:
		p.fail(line, 0, "nothing that needs understanding: want a step of kind choice")
	}
}

func total(counts map[StepKind]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
