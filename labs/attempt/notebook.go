package attempt

import "time"

// A Notebook is the file that keeps what learners did, lab by lab. Several
// processes may use it at a time: each change is merged into what is in the file
// then. What a learner did under one name is kept when another works, and found
// again under the same name and class key. Its methods must not be called by two
// goroutines at a time.
type Notebook struct {
	Notices []string // what the reader has to be told: a file kept aside, and why
}

// DefaultPath is $WIRELAB_LABS, or labs.json in the user's configuration folder.
func DefaultPath() (string, error) { return "", nil }

// OpenNotebook reads a notebook. A file that is damaged, or that another version
// wrote, is kept aside under another name and a new one is begun; Notices say so.
// The error is that the file cannot be read; the notebook works, but only until
// the process ends.
func OpenNotebook(path string, now time.Time) (*Notebook, error) { return nil, nil }

// Learner returns who works: who did last.
func (n *Notebook) Learner() Learner { return Learner{} }

// SetLearner says who works from now on.
func (n *Notebook) SetLearner(l Learner) error { return nil }

// Record returns what the learner did in a lab; nil: nothing.
func (n *Notebook) Record(lab string) *Record { return nil }

// Records returns what the learner did in all labs, by their names.
func (n *Notebook) Records() map[string]*Record { return nil }

// Save keeps what the learner did in a lab. If it cannot be written, the error
// says so, and the notebook still has it in memory.
func (n *Notebook) Save(r *Record) error { return nil }

// Reset forgets what the learner did in these labs.
func (n *Notebook) Reset(labs ...string) error { return nil }
