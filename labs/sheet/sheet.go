// Package sheet reads labs: one text file each, in txtar's form, which a teacher
// can write and review without Go (see labs/AUTHORING.md). A sheet has the texts,
// the scenarios, and the steps with the expressions that their answers are
// computed by. A Variant is the sheet with one learner's numbers.
//
// A Sheet does not change after Parse; any number of goroutines may use it.
package sheet

import (
	"wirelab/labs/check/script"
	"wirelab/labs/measure"
)

// A Theme groups labs.
type Theme string

// Themes returns the themes in the order of the course.
func Themes() []Theme {
	return []Theme{"Basics", "UDP", "Reliability", "TCP", "Congestion", "Delivery", "Chat", "Build"}
}

// A Kind is what a learner does in a lab.
type Kind string

// The kinds.
const (
	Observe Kind = "observe" // predict, run, see, explain
	Build   Kind = "build"   // program, and have it checked
)

// A Sheet is one lab.
type Sheet struct {
	Name    string // its file's name without .txtar
	Sum     string // SHA-256 of the file's bytes, in hex
	Title   string
	Theme   Theme
	Kind    Kind
	Minutes int
	After   []string // names of labs to do before

	Aims        []string
	Background  Template
	Explanation Template
	Reading     []Reading

	// Of labs to observe.
	Variables []Variable
	Scenarios []Scenario // the first is the main one, whose name is ""
	Steps     []*Step    // predictions first
	Views     []*View
	Knob      *Knob // nil: none

	// Of labs to build.
	Stages     []Stage
	Starters   []Program
	References []Program
	Wrongs     []Program
}

// A Reading is where to read on.
type Reading struct {
	Source string // "RFC 9293, section 3.5"
	What   string // what one finds there
}

// A Variable is a number that may differ between learners.
type Variable struct {
	Name string
	Unit measure.Unit // of display
	Line int

	Pick    []float64           // one of these
	Formula *measure.Expression // or of the variables before
}

// A Scenario is the text of one run.
type Scenario struct {
	Name string // empty: the main one
	Text Template
	Line int // of the first line of the text
}

// A Knob is the variable to turn after the run.
type Knob struct {
	Variable string
	From, To float64 // base units
	Ask      Template
	Line     int
}

// A Stage is one part of what a program to build must do.
type Stage struct {
	*script.Stage
	Text string // the whole section
}

// A Program is a file of source code.
type Program struct {
	Name     string // of a wrong one: what is wrong; else the language
	Language string // go or python
	File     string // main.go, main.py
	Source   string
	Line     int // of the source's first line

	// Of a wrong one: the title of the stage that must fail, and words of what
	// the checker must say.
	FailsAt   string
	FailsWith string
}

// Scenario returns the scenario of that name, nil if there is none.
func (s *Sheet) Scenario(name string) *Scenario {
	for i := range s.Scenarios {
		if s.Scenarios[i].Name == name {
			return &s.Scenarios[i]
		}
	}
	return nil
}

// Step returns the step of that name, nil if there is none.
func (s *Sheet) Step(name string) *Step {
	for _, st := range s.Steps {
		if st.Name == name {
			return st
		}
	}
	return nil
}

// Variable returns the variable of that name, nil if there is none.
func (s *Sheet) Variable(name string) *Variable {
	for i := range s.Variables {
		if s.Variables[i].Name == name {
			return &s.Variables[i]
		}
	}
	return nil
}
