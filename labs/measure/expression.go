package measure

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Names are what an expression may use besides the functions and constants.
type Names struct {
	Variables []string // of the sheet; numbers
	Runs      []string // of its further scenarios
	Run       bool     // it may use what a run told; else only variables
}

// A Kind is what an expression yields.
type Kind string

// The kinds.
const (
	Number Kind = "a number"
	Bool   Kind = "true or false"
	Text   Kind = "a text"
	List   Kind = "a list"
	OneOf  Kind = "a packet"
	Any    Kind = "a value"
)

// A Scope is what an expression is evaluated in.
type Scope struct {
	Variables map[string]float64
	Run       *Run // what the plain names are about; nil: none was played
	Runs      Runs // what runs.NAME is about
}

// An Expression is a formula that was read and checked. It may be evaluated by
// any number of goroutines.
type Expression struct {
	Source string
	Kind   Kind
	Run    bool // it is about a run

	program  *vm.Program
	variable string  // instead of a program: most are the name of one
	value    float64 // or a constant
}

// Constant returns an expression that yields v.
func Constant(source string, v float64) *Expression {
	return &Expression{Source: source, Kind: Number, value: v}
}

// A SyntaxError says what is wrong with an expression, and where.
type SyntaxError struct {
	Source string
	Column int // in Source, in letters, from 1
	What   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("column %d of %q: %s", e.Column, e.Source, e.What)
}

// An EvalError says why an expression has no value.
type EvalError struct {
	Source string
	What   string
}

func (e *EvalError) Error() string { return fmt.Sprintf("%q: %s", e.Source, e.What) }

const (
	// maxSource is the most bytes of an expression.
	maxSource = 4096
	// budget bounds how many values an evaluation may gather in lists.
	budget = 5_000_000
)

// Compile reads an expression and checks its names and types. The error is a
// *SyntaxError.
func Compile(source string, names Names, kind Kind) (*Expression, error) {
	if strings.TrimSpace(source) == "" {
		return nil, &SyntaxError{Source: source, Column: 1, What: "an expression is missing"}
	}
	if len(source) > maxSource {
		return nil, &SyntaxError{Source: source[:40] + "…", Column: 1, What: fmt.Sprintf("%d bytes are too many: at most %d", len(source), maxSource)}
	}
	if err := noPipe(source); err != nil {
		return nil, err
	}
	if (kind == Number || kind == Any) && slices.Contains(names.Variables, source) && !Reserved(source) {
		return &Expression{Source: source, Kind: kind, variable: source}, nil
	}
	// Its optimizer turns last(filter(…)).t on the right of an operator into a
	// comparison of the filter's result: "bool - float64".
	options := []expr.Option{expr.Env(declare(names)), expr.MaxNodes(2000), expr.Optimize(false)}
	options = append(options, functions()...)
	switch kind {
	case Number:
		options = append(options, expr.AsFloat64())
	case Bool:
		options = append(options, expr.AsBool())
	default:
		options = append(options, expr.AsAny())
	}
	p, err := expr.Compile(source, options...)
	if err != nil {
		return nil, explain(source, names, kind, err)
	}
	if what := misfit(p, kind); what != "" {
		return nil, &SyntaxError{Source: source, Column: 1, What: what}
	}
	return &Expression{Source: source, Kind: kind, Run: usesRun(p), program: p}, nil
}

// A finder looks for names that are known only after a run.
type finder struct{ found bool }

// Visit implements ast.Visitor.
func (f *finder) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok && isRunName(id.Value) {
		f.found = true
	}
}

func usesRun(p *vm.Program) bool {
	var f finder
	node := p.Node()
	ast.Walk(&node, &f)
	return f.found
}

// CompileColumn compiles an expression that is evaluated for each row of a list,
// which it names #. It yields the list of the values.
func CompileColumn(rows, column string, names Names) (*Expression, error) {
	prefix := "map(" + rows + ", "
	e, err := Compile(prefix+column+")", names, List)
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		n := len([]rune(prefix))
		return nil, &SyntaxError{Source: column, Column: min(max(1, syntax.Column-n), len([]rune(column))+1), What: syntax.What}
	}
	if err != nil {
		return nil, err
	}
	e.Source = column
	return e, nil
}

// misfit says why a program does not yield what is wanted, as far as its type
// tells.
func misfit(p *vm.Program, kind Kind) string {
	t := p.Node().Type()
	if t == nil || t.Kind() == reflect.Interface {
		return ""
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	ok := true
	switch kind {
	case Text:
		ok = t.Kind() == reflect.String
	case List:
		ok = t.Kind() == reflect.Slice || t.Kind() == reflect.Array
	case OneOf:
		ok = t == reflect.TypeFor[Packet]()
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("it yields %s, want %s", typeName(t), kind)
}

// typeName names a Go type for people.
func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[Packet]():
		return "a packet"
	case reflect.TypeFor[Event]():
		return "an event"
	case reflect.TypeFor[State]():
		return "a TCP state"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number"
	case reflect.Map, reflect.Struct:
		return "a group of values"
	case reflect.Func:
		return "a function"
	}
	return "a " + t.String()
}

// noPipe refuses expr's pipe operator: in a sheet | stands between an expression
// and its unit.
func noPipe(source string) error {
	if i := Bar(source); i >= 0 {
		return &SyntaxError{Source: source, Column: len([]rune(source[:i])) + 1, What: "one | too many"}
	}
	return nil
}

// Bar returns where the first | stands in text that is no part of || and not
// inside quotes, or −1.
func Bar(text string) int {
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '|' && i+1 < len(text) && text[i+1] == '|':
			i++
		case c == '|':
			return i
		}
	}
	return -1
}

// explain turns expr's error into ours.
func explain(source string, names Names, kind Kind, err error) error {
	e := &SyntaxError{Source: source, Column: 1, What: err.Error()}
	var at *file.Error
	if errors.As(err, &at) {
		e.Column = at.Column + 1
		e.What = at.Message
	}
	name, unknown := strings.CutPrefix(e.What, "unknown name ")
	switch {
	case unknown && !names.Run && isRunName(name):
		e.What = fmt.Sprintf("%s is known only after the run; here are only variables", name)
	case unknown && slices.Contains(banned(), name):
		e.What = fmt.Sprintf("%s cannot be used in a sheet: it would not give the same at every run", name)
	case unknown:
		e.What = fmt.Sprintf("%s is unknown", name)
		if near := nearest(name, known(names)); near != "" {
			e.What += fmt.Sprintf(": did you mean %s?", near)
		} else {
			e.What += ": want a variable, a constant of units or a function"
		}
	case strings.Contains(e.What, "has no field"):
		e.What = fieldError(e.What)
	case strings.HasPrefix(e.What, "unknown field "):
		e.What = fmt.Sprintf("no run is named %s: want one of %s", strings.TrimPrefix(e.What, "unknown field "), strings.Join(names.Runs, ", "))
	case regexp.MustCompile(`[0-9] *%\s*($|[-+*/),\]<>=&])`).MatchString(source):
		e.What = "% is the rest of whole numbers in an expression: a share of 5% is 0.05 or 5*percent"
	case strings.Contains(e.What, "unexpected token EOF"):
		e.What = "the expression ends too early"
	case strings.HasPrefix(e.What, "invalid operation: % "):
		e.What = "% is the rest of whole numbers: write int(x) % 2; a share of 5% is 0.05 or 5*percent"
	case strings.Contains(e.What, "can only be selected using an integer"):
		e.What = "a place in a list is a whole number: write packets[int(n)], or map(packets, .t) for a field of all"
	case strings.HasPrefix(e.What, "bad number syntax"):
		e.What = "a unit is a factor of its own in an expression: write 40*ms, not 40ms"
	case strings.HasPrefix(e.What, "expected float64, but got "), strings.HasPrefix(e.What, "expected bool, but got "):
		_, got, _ := strings.Cut(e.What, "but got ")
		e.What = fmt.Sprintf("it yields %s, want %s", inWords(got), kind)
	default:
		e.What = inWords(e.What)
	}
	return e
}

// inWords puts our words in place of Go's types.
func inWords(what string) string {
	what, _, _ = strings.Cut(what, "\n")
	what = strings.NewReplacer(
		"[]*measure.Packet", "a list of packets", "[]*measure.Event", "a list of events", "[]*measure.State", "a list of TCP states",
		"*measure.Packet", "a packet", "*measure.Event", "an event", "*measure.State", "a TCP state",
		"[]interface {}", "a list", "interface {}", "any value", "[]float64", "a list of numbers",
	).Replace(what)
	what = regexp.MustCompile(`\b(int|float64)\b`).ReplaceAllString(what, "number")
	return regexp.MustCompile(`\bstring\b`).ReplaceAllString(what, "text")
}

// fieldError makes expr's words about a field readable.
func fieldError(what string) string {
	// "type *measure.Packet has no field synn"
	words := strings.Fields(what)
	field := words[len(words)-1]
	for _, t := range []reflect.Type{reflect.TypeFor[Packet](), reflect.TypeFor[Event](), reflect.TypeFor[State](), reflect.TypeFor[Totals]()} {
		if !strings.Contains(what, t.String()) {
			continue
		}
		fields := fieldsOf(t)
		text := fmt.Sprintf("%s has no .%s", typeName(t), field)
		if near := nearest(field, fields); near != "" {
			return text + fmt.Sprintf(": did you mean .%s?", near)
		}
		return text + ": it has ." + strings.Join(fields, " .")
	}
	return what
}

// fieldsOf lists the names of a struct's fields.
func fieldsOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if n := t.Field(i).Tag.Get("expr"); n != "" && n != "-" {
			names = append(names, n)
		}
	}
	return names
}

// Eval returns the value: a float64 for a number, a bool, a string, else what the
// expression yields. The error is an *EvalError.
func (e *Expression) Eval(s *Scope) (any, error) {
	if e.program == nil {
		if e.variable != "" {
			return s.Variables[e.variable], nil
		}
		return e.value, nil
	}
	if e.Run && s.Run == nil {
		return nil, &EvalError{Source: e.Source, What: "it is about a run, and none was played yet"}
	}
	machine := vm.VM{MemoryBudget: budget}
	out, err := machine.Run(e.program, s.environment(e.Run))
	if err != nil {
		return nil, &EvalError{Source: e.Source, What: runtimeError(err)}
	}
	if e.Kind == Any {
		if n, ok := number(out); ok {
			return n, nil
		}
	}
	return out, nil
}

// runtimeError makes expr's words readable.
func runtimeError(err error) string {
	what := err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		what = at.Message
	}
	switch {
	case (strings.HasPrefix(what, "cannot fetch ") || strings.HasPrefix(what, "cannot get ")) && strings.HasSuffix(what, "<nil>"),
		strings.Contains(what, "nil pointer"), strings.Contains(what, "from nil"):
		return "there is no such packet or event in the run"
	case strings.Contains(what, "invalid operation") && strings.Contains(what, "<nil>"):
		return "a value is missing: nothing in the run fits"
	case strings.Contains(what, "memory budget"):
		return "it gathers too many values"
	}
	what, _, _ = strings.Cut(what, "\n")
	return what
}

// Number returns the value of an expression that yields a number.
func (e *Expression) Number(s *Scope) (float64, error) {
	v, err := e.Eval(s)
	if err != nil {
		return 0, err
	}
	n, ok := number(v)
	if !ok {
		return 0, e.not(v, Number)
	}
	if math.IsNaN(n) {
		return 0, &EvalError{Source: e.Source, What: "it is no number (0/0, or a root of a negative number)"}
	}
	return n, nil
}

func (e *Expression) not(v any, want Kind) error {
	if v == nil {
		return &EvalError{Source: e.Source, What: fmt.Sprintf("there is nothing in the run that fits, want %s", want)}
	}
	return &EvalError{Source: e.Source, What: fmt.Sprintf("it yields %s, want %s", typeName(reflect.TypeOf(v)), want)}
}

// True returns the value of an expression that yields true or false.
func (e *Expression) True(s *Scope) (bool, error) {
	v, err := e.Eval(s)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, e.not(v, Bool)
	}
	return b, nil
}

// Text returns the value of an expression that yields a text.
func (e *Expression) Text(s *Scope) (string, error) {
	v, err := e.Eval(s)
	if err != nil {
		return "", err
	}
	t, ok := v.(string)
	if !ok {
		return "", e.not(v, Text)
	}
	return t, nil
}

// List returns the value of an expression that yields a list.
func (e *Expression) List(s *Scope) ([]any, error) {
	v, err := e.Eval(s)
	if err != nil {
		return nil, err
	}
	l, ok := list(v)
	if !ok {
		return nil, e.not(v, List)
	}
	return l, nil
}

// Packet returns the packet that an expression yields.
func (e *Expression) Packet(s *Scope) (*Packet, error) {
	v, err := e.Eval(s)
	if err != nil {
		return nil, err
	}
	p, ok := v.(*Packet)
	if !ok || p == nil {
		return nil, e.not(nil, OneOf)
	}
	return p, nil
}

// number returns v as a float64 if it is a number of any type.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

// list returns v's elements if it is a list of any type.
func list(v any) ([]any, bool) {
	if l, ok := v.([]any); ok {
		return l, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
		return nil, false
	}
	l := make([]any, r.Len())
	for i := range l {
		l[i] = r.Index(i).Interface()
	}
	return l, true
}
