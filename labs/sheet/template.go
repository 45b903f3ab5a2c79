package sheet

import (
	"errors"
	"fmt"
	"strings"

	"wirelab/labs/measure"
)

// A Template is text with expressions in braces.
type Template struct {
	Source string // as it is in the file
	Line   int    // of its first line
	parts  []part
}

// A part of a template is literal text, or an expression to put in.
type part struct {
	text string
	expr *measure.Expression
	unit measure.Unit
	as   bool // unit was given, or is that of the variable
}

// Empty reports whether there is no text.
func (t *Template) Empty() bool { return strings.TrimSpace(t.Source) == "" }

// Run reports whether the text tells something of a run, so that it can be
// filled in only after one.
func (t *Template) Run() bool {
	for i := range t.parts {
		if t.parts[i].expr != nil && t.parts[i].expr.Run {
			return true
		}
	}
	return false
}

// fill puts the values in. write says how a quantity is written.
func (t *Template) fill(scope *measure.Scope, write func(measure.Quantity) string) (string, error) {
	var b strings.Builder
	for i := range t.parts {
		k := &t.parts[i]
		if k.expr == nil {
			b.WriteString(k.text)
			continue
		}
		v, err := k.expr.Eval(scope)
		if err != nil {
			return "", err
		}
		switch v := v.(type) {
		case float64:
			b.WriteString(write(measure.Quantity{Value: v, Unit: k.unit}))
		case nil:
			return "", &measure.EvalError{Source: k.expr.Source, What: "there is nothing in the run that fits"}
		default:
			fmt.Fprint(&b, v)
		}
	}
	return b.String(), nil
}

// template reads a text with expressions. Column is that of its first letter.
func (p *parser) template(source string, line, column int, names measure.Names) Template {
	t := Template{Source: source, Line: line}
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			t.parts = append(t.parts, part{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(source); {
		c := source[i]
		switch {
		case strings.HasPrefix(source[i:], "{{"), strings.HasPrefix(source[i:], "}}"):
			text.WriteByte(c)
			i += 2
		case c == '{':
			n := closing(source[i:])
			at := place(source, i, line, column)
			if n < 0 {
				p.fail(at.line, at.column, "{ without its }: write {{ for a brace")
				text.WriteString(source[i:])
				i = len(source)
				continue
			}
			flush()
			if k, ok := p.inset(source[i+1:i+n], place(source, i+1, line, column), names); ok {
				t.parts = append(t.parts, k)
			}
			i += n + 1
		default:
			text.WriteByte(c)
			i++
		}
	}
	flush()
	return t
}

// closing returns where the brace is that ends the one at the beginning, or −1.
func closing(s string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// A spot is a place in the file.
type spot struct{ line, column int }

// place returns where byte i of a text is that begins at line and column.
func place(text string, i, line, column int) spot {
	before := text[:i]
	n := strings.Count(before, "\n")
	if n > 0 {
		return spot{line + n, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1}
	}
	return spot{line, column + len([]rune(before))}
}

// inset reads "EXPRESSION" or "EXPRESSION | UNIT".
func (p *parser) inset(source string, at spot, names measure.Names) (part, bool) {
	e, unit, given, ok := p.withUnit(source, at, names, measure.Any)
	if !ok {
		return part{}, false
	}
	k := part{expr: e, unit: unit, as: given}
	if u, isVar := p.units[strings.TrimSpace(e.Source)]; isVar && !given {
		k.unit, k.as = u, true
	}
	return k, true
}

// withUnit reads an expression and the unit that may stand after a bar.
func (p *parser) withUnit(source string, at spot, names measure.Names, kind measure.Kind) (e *measure.Expression, unit measure.Unit, given, ok bool) {
	name := ""
	if i := measure.Bar(source); i >= 0 {
		source, name, given = source[:i], strings.TrimSpace(source[i+1:]), true
		var err error
		if unit, err = measure.ParseUnit(name); err != nil || name == "" {
			if name == "" {
				err = fmt.Errorf("a unit is missing after |")
			}
			p.fail(at.line, at.column+len([]rune(source))+1, "%v", err)
			return nil, unit, given, false
		}
		if unit.IsText() && kind == measure.Number {
			kind = measure.Text
		}
	}
	e, ok = p.compile(source, at, names, kind)
	return e, unit, given, ok
}

// compile reads an expression and notes its mistake.
func (p *parser) compile(source string, at spot, names measure.Names, kind measure.Kind) (*measure.Expression, bool) {
	lead := len(source) - len(strings.TrimLeft(source, " \t\n"))
	line, column := at.line, at.column+lead
	if n := strings.Count(source[:lead], "\n"); n > 0 {
		line, column = at.line+n, lead-strings.LastIndexByte(source[:lead], '\n')
	}
	trimmed := strings.TrimSpace(source)
	e, err := measure.Compile(strings.ReplaceAll(trimmed, "\n", " "), names, kind)
	if err == nil {
		return e, true
	}
	p.syntax(err, trimmed, spot{line, column})
	return nil, false
}

// syntax notes what is wrong with an expression that begins at a place.
func (p *parser) syntax(err error, source string, at spot) {
	var syntax *measure.SyntaxError
	if !errors.As(err, &syntax) {
		p.fail(at.line, at.column, "%v", err)
		return
	}
	r := []rune(source)
	to := place(source, len(string(r[:min(len(r), syntax.Column-1)])), at.line, at.column)
	p.fail(to.line, to.column, "%s", syntax.What)
}

// prose makes one line of a value that goes on in further lines.
func (t Template) prose() Template {
	parts := make([]part, len(t.parts))
	copy(parts, t.parts)
	for i := range parts {
		if parts[i].expr == nil {
			parts[i].text = joined(parts[i].text)
		}
	}
	t.parts = parts
	return t
}

// joined puts one blank in place of each line end with the blanks around it.
func joined(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		if i > 0 {
			lines[i] = strings.TrimLeft(lines[i], " \t")
		}
		if i < len(lines)-1 {
			lines[i] = strings.TrimRight(lines[i], " \t")
		}
	}
	return strings.Join(lines, " ")
}
