package attempt

import (
	"time"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// A Reply is what an answer brought about.
type Reply struct {
	Locked  bool          // a prediction: whether it is right is told after the run
	Verdict sheet.Verdict // if not Locked
	Part    int           // which part was answered
	Status  Status        // of the step, after it
}

// Answer takes an answer to the step where the learner is. The error is a
// *measure.Unreadable if it makes no sense as one: nothing changed, ask again.
// ErrLocked, ErrLate and ErrPlace say that no answer is wanted.
func (a *Attempt) Answer(input string, now time.Time) (Reply, error) { return Reply{}, nil }

// Hint shows the next tier of the step's hints, and which of how many it is; the
// last one again when there are no more. of is 0 if there are none.
func (a *Attempt) Hint(now time.Time) (text string, n, of int) { return "", 0, 0 }

// GiveUp shows the solution and ends the step without points.
func (a *Attempt) GiveUp(now time.Time) (solution string, err error) { return "", nil }

// Skip leaves the step open and goes on. A question may be answered later, a
// prediction until the run.
func (a *Attempt) Skip(now time.Time) error { return nil }

// Solution returns a step's solution; ok is false if it must not be seen yet:
// before a step is done or given up, and a prediction's before the run.
func (a *Attempt) Solution(st *sheet.Step) (text string, ok bool) { return "", false }

// Points returns how many points the learner has, and how many there are.
func (a *Attempt) Points() (got, of float64) { return 0, 0 }

// Turn reads a value for the knob, and returns the variant to play. The error
// says which values there are.
func (a *Attempt) Turn(input string) (*sheet.Variant, error) { return nil, nil }

// Turned takes in what the runs of a turned variant gave: the predictions'
// formulas beside what was measured.
func (a *Attempt) Turned(v *sheet.Variant, runs measure.Runs, now time.Time) (Turn, error) {
	return Turn{}, nil
}

// Before returns the same pairs without the knob turned.
func (a *Attempt) Before() []Pair { return nil }
