package measure

import "fmt"

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
	Column int // of its first letter in its line, from 1; set by whoever read it
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

// Compile reads an expression and checks its names and types. The error is a
// *SyntaxError.
func Compile(source string, names Names, kind Kind) (*Expression, error) {
	return &Expression{Source: source, Kind: kind}, nil
}

// Eval returns the value: float64, bool, string, *Packet, or any for the other
// kinds.
func (e *Expression) Eval(s *Scope) (any, error) { return nil, nil }

// Number returns the value of an expression of kind Number.
func (e *Expression) Number(s *Scope) (float64, error) { return 0, nil }

// True returns the value of an expression of kind Bool.
func (e *Expression) True(s *Scope) (bool, error) { return false, nil }

// Text returns the value of an expression of kind Text.
func (e *Expression) Text(s *Scope) (string, error) { return "", nil }

// List returns the value of an expression of kind List.
func (e *Expression) List(s *Scope) ([]any, error) { return nil, nil }

// Packet returns the value of an expression of kind OneOf; nil: there is none.
func (e *Expression) Packet(s *Scope) (*Packet, error) { return nil, nil }
