package check

import (
	"time"

	"wirelab/labs/check/script"
	"wirelab/packets/ladder"
)

// A Kind is what a stage came to, in words that people read.
type Kind string

// The kinds.
const (
	Passed       Kind = "passed"
	NotStarted   Kind = "does not start"
	NotListening Kind = "does not listen"
	Exited       Kind = "exited"
	Flooded      Kind = "floods its output"
	LeftChildren Kind = "leaves children behind"
	NeverAnswers Kind = "never answers"
	WrongBytes   Kind = "wrong bytes"
	TooLate      Kind = "too late"
	TooEarly     Kind = "too early"
	HangsUp      Kind = "ends the connection"    // where something had to come
	Refuses      Kind = "refuses the connection" // it had listened before
	NotClosed    Kind = "does not end the connection"
	BreaksRule   Kind = "breaks the protocol"
	Unjudged     Kind = "could not judge" // nothing about the program
	NotRun       Kind = "not run"         // a stage before it failed
)

// Failed reports whether k is the program's fault.
func (k Kind) Failed() bool { return k != Passed && k != Unjudged && k != NotRun }

// A Failure is the first thing that was wrong.
type Failure struct {
	Kind Kind
	What string // a sentence, without a full stop

	Line int    // of the statement in the lab's file; 0: none
	Text string // of the statement
	Name string // of the connection

	// Of bytes: what was expected, what came, and the first place where they
	// differ. If WantText is not empty, it says what was expected instead.
	Want, Got []byte
	WantText  string
	At        int
	compared  bool

	slack time.Duration // the verdict stands if no timer here was later than that; 0: see tolerated

	Waited time.Duration // since the statement began
	Before []Exchange    // what passed up to then, the last ones
	Output []byte        // the program's, its end
	Hints  []string      // of the stage
	Notes  []string      // what else was seen

	Faults  []Fault // the smallest script under which it fails; of random faults
	Tried   int     // how often that script was played in the end
	Failing int     // and how often it failed
	Trials  int     // random scripts up to the first that failed, this among them
	Random  bool    // found under random faults
	Ladder  *ladder.Ladder
}

// Error returns kind and sentence.
func (f *Failure) Error() string { return string(f.Kind) + ": " + f.What }

// A StageResult is what one stage came to.
type StageResult struct {
	Number  int
	Title   string
	Kind    Kind
	Failure *Failure // nil: passed or not run
	Took    time.Duration
	Trials  int // random fault scripts that it passed under
}

// A Result is what a check came to.
type Result struct {
	Lab    string
	Seed   uint64
	Took   time.Duration
	Stages []StageResult // all of the lab, up to Config.Last
}

// Kind returns the verdict on the whole: that of the first stage that did not
// pass.
func (r *Result) Kind() Kind {
	for _, s := range r.Stages {
		if s.Kind != Passed {
			return s.Kind
		}
	}
	return Passed
}

// Failure returns the first failure and its stage; nil if all stages passed.
func (r *Result) Failure() (*StageResult, *Failure) {
	for i := range r.Stages {
		if s := &r.Stages[i]; s.Failure != nil {
			return s, s.Failure
		}
	}
	return nil, nil
}

// Passed returns how many stages passed, from the first on.
func (r *Result) Passed() int {
	for i := range r.Stages {
		if r.Stages[i].Kind != Passed {
			return i
		}
	}
	return len(r.Stages)
}

// failed starts a failure about a statement.
func failed(k Kind, s *script.Step, what string) *Failure {
	f := &Failure{Kind: k, What: what}
	if s != nil {
		f.Line, f.Text = s.Line, s.Text
		if len(s.Names) > 0 {
			f.Name = s.Names[0]
		}
	}
	return f
}
