package sheet

import (
	"slices"
	"strconv"
	"strings"

	"wirelab/labs/measure"
)

// viewKeys returns the keys of a kind of view besides kind, run and caption; nil
// if there is no such kind.
func viewKeys(kind ViewKind) []string {
	switch kind {
	case Ladder:
		return []string{"link", "flow", "from", "to", "packets"}
	case Plot:
		return []string{"plot", "link", "flow", "from", "to", "x", "y", "series"}
	case Table:
		return []string{"rows", "column", "limit"}
	case Bars:
		return []string{"bar"}
	case Layers, Hex:
		return []string{"packet"}
	}
	return nil
}

// view reads one view.
func (p *parser) view(sec *section, names, run measure.Names) {
	p.name(sec)
	v := &View{Name: sec.rest, Line: sec.line}
	every := []string{"kind", "run", "caption"}
	for _, k := range []ViewKind{Ladder, Plot, Table, Bars, Layers} {
		every = append(every, viewKeys(k)...)
	}
	slices.Sort(every)
	every = slices.Compact(every)
	all := p.entries(sec.text, sec.first(), every...)
	p.once(all, sec.line, []string{"kind", "caption"}, "series", "column", "bar")
	for i := range all {
		switch e := &all[i]; e.key {
		case "kind":
			v.Kind = ViewKind(e.words())
			if viewKeys(v.Kind) == nil {
				p.fail(e.line, e.column, "kind %q is unknown: want ladder, plot, table, bars, layers or hex", v.Kind)
				return
			}
		case "run":
			v.Run = p.runName(e)
		case "caption":
			v.Caption = p.text(e, run)
		}
	}
	if v.Kind == "" {
		return
	}
	allowed := append([]string{"kind", "run", "caption"}, viewKeys(v.Kind)...)
	for i := range all {
		e := &all[i]
		if !slices.Contains(allowed, e.key) {
			p.fail(e.line, 0, "a %s has no %s: it has %s", v.Kind, e.key, strings.Join(allowed, ", "))
			continue
		}
		p.viewEntry(v, e, all, names, run)
	}
	p.whole(v)
	p.sheet.Views = append(p.sheet.Views, v)
}

// viewEntry reads one line of a view.
func (p *parser) viewEntry(v *View, e *entry, all []entry, names, run measure.Names) {
	at := spot{e.line, e.column}
	number := func(what string, most int) int {
		n, err := strconv.Atoi(e.words())
		if err != nil || n < 1 || n > most {
			p.fail(e.line, e.column, "%s %q: want a number from 1 to %d", what, e.words(), most)
		}
		return n
	}
	switch e.key {
	case "link":
		v.Link = e.words()
	case "flow":
		v.Flow = number("flow", 1000)
	case "packets":
		v.Packets = number("packets", 1000)
	case "limit":
		v.Limit = number("limit", 1000)
	case "from":
		v.From = p.instant(e, run)
	case "to":
		v.To = p.instant(e, run)
	case "plot":
		kinds := []string{"sequence", "throughput", "rtt", "window"}
		if v.Plot = e.words(); !slices.Contains(kinds, v.Plot) {
			p.fail(e.line, e.column, "plot %q is unknown: want one of %s, or series", v.Plot, strings.Join(kinds, ", "))
		}
	case "x":
		v.X = p.axis(e)
	case "y":
		v.Y = p.axis(e)
	case "series":
		name, value, to, ok := p.labelled(e)
		if !ok {
			return
		}
		if x, ok := p.compile(value, to, run, measure.List); ok {
			v.Series = append(v.Series, Series{Name: name.Source, Points: x, Line: e.line})
		}
	case "rows":
		v.Rows, _ = p.compile(e.value, at, run, measure.List)
	case "column":
		p.column(v, e, all, run)
	case "bar":
		name, value, to, ok := p.labelled(e)
		if !ok {
			return
		}
		if x, unit, _, ok := p.withUnit(value, to, run, measure.Number); ok {
			v.Bars = append(v.Bars, Bar{Label: p.template(name.Source, e.line, e.column, run), Value: x, Unit: unit, Line: e.line})
		}
	case "packet":
		v.Packet, _ = p.compile(e.value, at, run, measure.OneOf)
	}
}

// labelled cuts "LABEL = VALUE".
func (p *parser) labelled(e *entry) (label Template, value string, at spot, ok bool) {
	i := strings.Index(e.value, " = ")
	if i < 1 || strings.TrimSpace(e.value[i+3:]) == "" {
		p.fail(e.line, e.column, "want NAME = EXPRESSION")
		return Template{}, "", spot{}, false
	}
	return Template{Source: strings.TrimSpace(e.value[:i])}, e.value[i+3:], place(e.value, i+3, e.line, e.column), true
}

// column reads "HEAD = EXPRESSION | UNIT"; # is the row.
func (p *parser) column(v *View, e *entry, all []entry, run measure.Names) {
	head, value, at, ok := p.labelled(e)
	if !ok {
		return
	}
	c := Column{Head: head.Source, Line: e.line}
	source := value
	if i := measure.Bar(value); i >= 0 {
		source = value[:i]
		u, err := measure.ParseUnit(strings.TrimSpace(value[i+1:]))
		if err != nil {
			p.fail(at.line, at.column+i+2, "%v", err)
			return
		}
		c.Unit = u
	}
	i := slices.IndexFunc(all, func(e entry) bool { return e.key == "rows" })
	if i < 0 {
		return // told already
	}
	rows := all[i].words()
	if _, err := measure.Compile(rows, run, measure.List); err != nil {
		return // likewise
	}
	lead := len(source) - len(strings.TrimLeft(source, " "))
	cells, err := measure.CompileColumn(rows, strings.TrimSpace(source), run)
	if err != nil {
		p.syntax(err, strings.TrimSpace(source), spot{at.line, at.column + lead})
		return
	}
	c.Cells = cells
	v.Columns = append(v.Columns, c)
}

// instant reads "2s", or an expression of seconds.
func (p *parser) instant(e *entry, run measure.Names) *measure.Expression {
	if q, err := measure.ParseLiteral(e.words()); err == nil {
		if q.Unit.Dim == measure.Time || q.Value == 0 {
			return measure.Constant(e.words(), q.Value)
		}
		p.fail(e.line, e.column, "%s %q: want an instant, such as 2s", e.key, e.words())
		return nil
	}
	x, _ := p.compile(e.value, spot{e.line, e.column}, run, measure.Number)
	return x
}

// axis reads "LABEL | UNIT".
func (p *parser) axis(e *entry) Axis {
	label, unit, ok := cutBar(e.value)
	a := Axis{Label: strings.TrimSpace(label)}
	if ok {
		u, err := measure.ParseUnit(strings.TrimSpace(unit))
		if err != nil {
			p.fail(e.line, e.column, "%v", err)
		}
		a.Unit = u
	}
	return a
}

// whole reports what a view lacks.
func (p *parser) whole(v *View) {
	lacks := func(what string) { p.fail(v.Line, 0, "a %s wants %s", v.Kind, what) }
	switch {
	case v.Kind == Plot && v.Plot == "" && len(v.Series) == 0:
		lacks("plot: sequence, throughput, rtt or window; or lines series: NAME = LIST OF [x, y]")
	case v.Kind == Plot && v.Plot != "" && len(v.Series) > 0:
		lacks("plot or series, not both")
	case v.Kind == Plot && len(v.Series) > 0 && (v.X.Label == "" || v.Y.Label == ""):
		lacks("x: LABEL | UNIT and y: LABEL | UNIT with its series")
	case v.Kind == Table && v.Rows == nil:
		lacks("rows: a list")
	case v.Kind == Table && len(v.Columns) == 0:
		lacks("lines column: HEAD = EXPRESSION | UNIT")
	case v.Kind == Bars && len(v.Bars) == 0:
		lacks("lines bar: LABEL = EXPRESSION | UNIT")
	case (v.Kind == Layers || v.Kind == Hex) && v.Packet == nil:
		lacks("packet: one packet of the run, such as find(packets, .syn)")
	}
}
