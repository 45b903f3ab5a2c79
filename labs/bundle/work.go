package bundle

import (
	"fmt"
	"strconv"
	"strings"

	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// Made says what a bundle was made with.
type Made struct {
	Wirelab string // the program's version
	Guest   string // SHA-256 of the WebAssembly that played the runs; may be empty for a lab to build
}

// Of returns what Write takes of a learner's work on a lab to observe. Its runs
// have to be there: see Attempt.Stale. Before they were played it has none.
func Of(a *attempt.Attempt, made Made) (*Manifest, []Files) {
	v := a.Variant
	m := manifest(a.Sheet, Observe, a.Learner, made)
	m.Variant, m.Seed = VariantID(v.Seed, v.Values), v.Seed
	right := 0
	for _, st := range a.Sheet.Steps {
		w := a.Work(st)
		s := Step{Name: st.Name, Kind: string(st.Kind), Hints: w.Hints, Of: st.Points, Points: Points(st, w.Status)}
		s.GivenUp, s.Skipped = w.Status == attempt.GivenUp, w.Status == attempt.Skipped
		for _, t := range w.Tries {
			s.Answers = append(s.Answers, Answer{t.Part, t.Input})
		}
		if w.Status == attempt.Right {
			right++
		}
		m.Steps = append(m.Steps, s)
	}
	for _, t := range a.Record().Turns {
		m.Knob = append(m.Knob, t.Text)
	}
	m.Points, m.Of = a.Points()
	m.Verdict = fmt.Sprintf("%d of %d steps right, %s of %s points", right, len(a.Sheet.Steps), number(m.Points), number(m.Of))
	var files []Files
	for i := range a.Sheet.Scenarios {
		sc := &a.Sheet.Scenarios[i]
		if r := a.Runs()[sc.Name]; r != nil {
			m.Runs = append(m.Runs, Run{Name: sc.Name, Scenario: v.Text(sc.Text)})
			files = append(files, Files{r.Lines, r.Capture})
		}
	}
	return m, files
}

// Redo is the way back: a new attempt gets the answers in their order, and is
// what comes of them. Of an attempt's claims it believes only that hints and
// solutions were looked at. An answer that makes no sense, or that comes after the
// right one, changes nothing.
func (m *Manifest) Redo(s *sheet.Sheet, l attempt.Learner, runs measure.Runs) (*attempt.Attempt, error) {
	told := make(map[string]*Step, len(m.Steps))
	for i := range m.Steps {
		told[m.Steps[i].Name] = &m.Steps[i]
	}
	a := attempt.New(s, l, nil, stamp)
	give := func(predictions bool) {
		for _, st := range s.Steps {
			t := told[st.Name]
			if (st.Kind == sheet.Predict) != predictions {
				continue
			}
			if t != nil {
				for _, answer := range t.Answers {
					a.AnswerStep(st, answer.Text, stamp)
				}
			}
			if predictions || t != nil && t.Skipped {
				a.SkipStep(st, stamp)
			}
		}
	}
	give(true)
	if err := a.Played(runs, stamp); err != nil {
		return nil, err
	}
	give(false)
	r := a.Record()
	for _, st := range s.Steps {
		t := told[st.Name]
		if t == nil {
			continue
		}
		w := r.Steps[st.Name]
		if w == nil {
			w = &attempt.Work{Status: attempt.Open}
			r.Steps[st.Name] = w
		}
		w.Hints = min(t.Hints, len(st.Hints))
		if t.GivenUp && (w.Status == attempt.Open || w.Status == attempt.Skipped) {
			w.Status = attempt.GivenUp
		}
	}
	a = attempt.New(s, l, r, stamp)
	return a, a.Played(runs, stamp)
}

// maxVerdict bounds what the checker's words take in a bundle, in bytes.
const maxVerdict = 16 << 10

// OfCheck returns what Write takes of what the checker said of a program. Each
// stage is one point.
func OfCheck(s *sheet.Sheet, l attempt.Learner, made Made, c Check) *Manifest {
	m := manifest(s, Build, l, made)
	if len(c.Verdict) > maxVerdict {
		c.Verdict = c.Verdict[:maxVerdict] + "…" // a program may have said much
	}
	c.Verdict = strings.ToValidUTF8(c.Verdict, "\ufffd")
	m.Seed, m.Check = c.Seed, &c
	m.Points, m.Of = float64(c.Passed), float64(c.Stages)
	m.Verdict = fmt.Sprintf("%d of %d stages passed", c.Passed, c.Stages)
	return m
}

// manifest returns what the bundles of both kinds of labs have.
func manifest(s *sheet.Sheet, k Kind, l attempt.Learner, made Made) *Manifest {
	m := &Manifest{Lab: s.Name, Kind: k, Sheet: s.Sum, Learner: l.Name, Wirelab: made.Wirelab, Guest: made.Guest}
	if l.Name != "" {
		m.Class = ClassSum(l.Class)
	}
	return m
}

// Points is what a step of that status is worth to the learner: all of its points
// if it is right, half of them for a prediction that was wrong.
func Points(st *sheet.Step, s attempt.Status) float64 {
	switch s {
	case attempt.Right:
		return st.Points
	case attempt.Wrong:
		return st.Points / 2
	}
	return 0
}

// number writes points: no more digits than they need.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
