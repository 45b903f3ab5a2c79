package grade

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// A Mark is what one file is worth, and what is to be said of it.
type Mark struct {
	File    string  `json:"file"`
	Sum     string  `json:"sha256,omitempty"` // of the file; empty: unreadable
	Learner string  `json:"learner"`
	Lab     string  `json:"lab"`
	Title   string  `json:"title,omitempty"`
	Counts  bool    `json:"counts"` // in the learner's total
	Points  float64 `json:"points"`
	Of      float64 `json:"of"`
	Steps   []Step  `json:"steps,omitempty"`

	Findings []Finding `json:"findings,omitempty"`
}

// A Step is the mark of one step, or of one stage of a lab to build.
type Step struct {
	Name   string         `json:"name"`
	Kind   string         `json:"kind"`
	Given  string         `json:"given"` // the answer that counts, as it was understood; blanks are joined by a semicolon
	Status attempt.Status `json:"status"`
	Tries  int            `json:"tries"`
	Hints  int            `json:"hints"`
	Points float64        `json:"points"`
	Of     float64        `json:"of"`
}

// stageKind is the kind of a step that is a stage of a lab to build.
const stageKind = "stage"

// A Kind is what sort of thing a finding is.
type Kind string

// The kinds of findings. Those before Nameless are faults: somebody has to look.
const (
	Unreadable   Kind = "unreadable"    // it is no bundle, or a broken one
	Unmarkable   Kind = "unmarkable"    // there is no such lab here, or it does not play
	Altered      Kind = "altered"       // it was changed after it was made, or claims other marks than its answers have
	Differs      Kind = "differs"       // its runs are not those that its numbers give
	OtherVariant Kind = "other variant" // its numbers are not its learner's
	Neighbour    Kind = "neighbour"     // answers are wrong for its numbers, and right for another's
	Copy         Kind = "copy"          // the same file, byte for byte

	Nameless   Kind = "nameless"        // no learner's name is in it
	OtherSheet Kind = "other sheet"     // made with another version of the lab's text
	OtherGuest Kind = "other guest"     // made with another version of the simulated network
	Unfinished Kind = "unfinished"      // not every step was answered
	Unverified Kind = "unverified"      // the marks of a lab to build are as the bundle tells them
	Again      Kind = "handed in again" // another of the same learner and lab counts
)

// Fault reports whether somebody has to look.
func (k Kind) Fault() bool {
	return slices.Contains([]Kind{Unreadable, Unmarkable, Altered, Differs, OtherVariant, Neighbour, Copy}, k)
}

// A Finding is something to be said of a bundle.
type Finding struct {
	Kind  Kind   `json:"kind"`
	Fault bool   `json:"fault"`
	Text  string `json:"text"`
}

// name adds a finding. Whatever is in its text is safe for a terminal.
func (m *Mark) name(k Kind, format string, args ...any) {
	m.Findings = append(m.Findings, Finding{k, k.Fault(), cells.Visible(fmt.Sprintf(format, args...))})
}

func (m *Mark) has(k Kind) bool {
	return slices.ContainsFunc(m.Findings, func(f Finding) bool { return f.Kind == k })
}

// Faulty reports whether it is named for a fault.
func (m *Mark) Faulty() bool {
	return slices.ContainsFunc(m.Findings, func(f Finding) bool { return f.Fault })
}

// Right returns how many steps are right.
func (m *Mark) Right() int {
	n := 0
	for i := range m.Steps {
		if m.Steps[i].Status == attempt.Right {
			n++
		}
	}
	return n
}

// quoted shows a learner's name within a sentence.
func quoted(name string) string {
	if name == "" {
		return "nobody in particular"
	}
	return name
}

// verify compares a bundle's runs with those that were played now.
func (g *grader) verify(w *work, runs measure.Runs) {
	if len(w.bundle.Runs) == 0 {
		w.mark.name(Unfinished, "the lab was not run")
		return
	}
	if !w.trusted {
		return // another sheet, guest or variant: of course they differ
	}
	for _, r := range w.bundle.Runs {
		again := runs[r.Name]
		if again == nil {
			w.mark.name(Differs, "the lab has no run %q", r.Name)
			continue
		}
		var what []string
		if r.Events != hex.EncodeToString(again.Sums.Events[:]) {
			what = append(what, "events")
		}
		if r.Capture != hex.EncodeToString(again.Sums.Packets[:]) {
			what = append(what, "capture")
		}
		if sc := w.sheet.Scenario(r.Name); sc != nil && r.Scenario != w.variant.Text(sc.Text) {
			what = append(what, "scenario")
		}
		if len(what) > 0 {
			w.mark.name(Differs, "%s, played again, gives other %s", r.Title(), join(what))
		}
	}
	for _, sc := range w.sheet.Scenarios {
		if !slices.ContainsFunc(w.bundle.Runs, func(r bundle.Run) bool { return r.Name == sc.Name }) {
			w.mark.name(Differs, "%s is missing", (&bundle.Run{Name: sc.Name}).Title())
		}
	}
}

// join lists words: "a", "a and b", "a, b and c".
func join(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// markObserved gives the bundle's answers to a new attempt, in order, and marks
// what comes of it.
func (g *grader) markObserved(w *work, runs measure.Runs) error {
	a, err := w.bundle.Redo(w.sheet, g.learner(w), runs)
	if err != nil {
		return err
	}
	for _, st := range w.sheet.Steps {
		w.mark.Steps = append(w.mark.Steps, g.step(a, st))
	}
	g.sum(w)
	g.claims(w, a)
	return g.remember(w, a)
}

// step marks one step.
func (g *grader) step(a *attempt.Attempt, st *sheet.Step) Step {
	work := a.Work(st)
	s := Step{Name: st.Name, Kind: string(st.Kind), Of: st.Points, Status: work.Status, Tries: len(work.Tries), Hints: work.Hints}
	given := make([]string, st.Parts())
	right := 0
	for part := range given {
		for _, t := range work.Tries {
			if t.Part == part && (given[part] == "" || st.Kind != sheet.Predict) {
				given[part] = t.Given
			}
			if t.Part == part && t.Right {
				right++
				break
			}
		}
	}
	s.Given = cells.Visible(strings.Trim(strings.Join(given, "; "), "; "))
	switch {
	case s.Status == attempt.Right:
		s.Points = st.Points
	case s.Status == attempt.Wrong:
		s.Points = st.Points * g.PredictCredit
	case s.Status != attempt.GivenUp && st.Kind == sheet.Fill:
		s.Points = st.Points * float64(right) / float64(len(given))
	}
	s.Points = max(0, s.Points-g.HintCost*st.Points*float64(s.Hints))
	if s.Tries > 0 && (s.Status == attempt.Open || s.Status == attempt.Skipped) {
		s.Status = attempt.Wrong // to a learner it is open: there is a next try
	}
	return s
}

// sum adds the steps up.
func (g *grader) sum(w *work) {
	open := 0
	for i := range w.mark.Steps {
		s := &w.mark.Steps[i]
		w.mark.Points += s.Points
		w.mark.Of += s.Of
		if s.Status == attempt.Open || s.Status == attempt.Skipped {
			open++
		}
	}
	if open > 0 && len(w.bundle.Runs) > 0 {
		w.mark.name(Unfinished, "%d of %d steps are not answered", open, len(w.mark.Steps))
	}
}

// claims compares the points that the bundle claims with those that the learner
// was told for these answers. Where the sheet, the guest or the numbers are
// others, nothing follows from a difference.
func (g *grader) claims(w *work, a *attempt.Attempt) {
	if !w.trusted {
		return
	}
	var off []string
	for i := range w.bundle.Steps {
		s := &w.bundle.Steps[i]
		st := w.sheet.Step(s.Name)
		if st == nil {
			off = append(off, fmt.Sprintf("%s for %s, which is no step of the lab", number(s.Points), s.Name))
			continue
		}
		if worth := bundle.Points(st, a.Work(st).Status); !alike(s.Points, worth) {
			off = append(off, fmt.Sprintf("%s for %s, whose answers are worth %s", number(s.Points), st.Name, number(worth)))
		}
	}
	if got, _ := a.Points(); len(off) == 0 && !alike(w.bundle.Points, got) {
		off = append(off, fmt.Sprintf("%s in all, and its answers are worth %s", number(w.bundle.Points), number(got)))
	}
	if len(off) > 0 {
		w.mark.name(Altered, "it claims points that its answers do not have: %s", strings.Join(off, "; "))
	}
}

// alike allows for what adding up floats costs.
func alike(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// markBuild takes the checker's word, as the bundle tells it.
func (g *grader) markBuild(w *work) {
	c, m := w.bundle.Check, w.mark
	for _, stage := range w.sheet.Stages {
		s := Step{Name: cmp.Or(stage.Title, fmt.Sprintf("stage %d", stage.Number)), Kind: stageKind, Of: 1, Status: attempt.Open}
		if stage.Number <= c.Passed {
			s.Status, s.Points = attempt.Right, 1
		}
		m.Steps = append(m.Steps, s)
		m.Points += s.Points
		m.Of += s.Of
	}
	if w.trusted && (c.Stages != len(w.sheet.Stages) || w.bundle.Points != float64(c.Passed)) {
		m.name(Altered, "it claims %d of %d stages and %s points, and the lab has %d stages", c.Passed, c.Stages, number(w.bundle.Points), len(w.sheet.Stages))
	}
	m.name(Unverified, "as the bundle tells it; `wirelab lab check %s --seed %d -- PROGRAM` shows it again (it was %s)", m.Lab, c.Seed, strings.Join(c.Command, " "))
}
