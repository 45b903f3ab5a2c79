package bundle

import (
	"fmt"
	"math"
	"regexp"
	"unicode/utf8"
)

// Bounds of a manifest, beside its size.
const (
	maxSteps   = 100
	maxAnswers = 1000 // of one step
	maxParts   = 100  // of one step
	maxKnobs   = 1000
	maxRuns    = 16
	maxStages  = 100
	maxLearner = 200 // bytes
	maxText    = 64 << 10
	maxPoints  = 1e6
)

// What names and sums look like.
var (
	labName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	stepName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	runName  = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]{0,63})?$`)
	sumForm  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check reports what no bundle has.
func (m *Manifest) check() error {
	switch {
	case !labName.MatchString(m.Lab):
		return fmt.Errorf("lab %.80q: no name of a lab", m.Lab)
	case m.Kind != Observe && m.Kind != Build:
		return fmt.Errorf("kind %.80q, want %s or %s", m.Kind, Observe, Build)
	case (m.Kind == Build) != (m.Check != nil):
		return fmt.Errorf("a lab to build, and no other, has what the checker said")
	case len(m.Learner) > maxLearner:
		return fmt.Errorf("a learner's name of %d bytes, at most %d", len(m.Learner), maxLearner)
	case len(m.Steps) > maxSteps:
		return fmt.Errorf("%d steps, at most %d", len(m.Steps), maxSteps)
	case len(m.Knob) > maxKnobs:
		return fmt.Errorf("%d values of the knob, at most %d", len(m.Knob), maxKnobs)
	case len(m.Runs) > maxRuns:
		return fmt.Errorf("%d runs, at most %d", len(m.Runs), maxRuns)
	}
	if err := checkSums(sumOf{"sheet_sha256", m.Sheet, false}, sumOf{"class_sha256", m.Class, true},
		sumOf{"guest_sha256", m.Guest, m.Kind == Build}, sumOf{"sha256", m.Sum, false}); err != nil {
		return err
	}
	if err := checkTexts(append([]string{m.Learner, m.Variant, m.Wirelab, m.Verdict}, m.Knob...)...); err != nil {
		return err
	}
	if err := checkPoints(m.Points, m.Of); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for i := range m.Steps {
		s := &m.Steps[i]
		if seen[s.Name] {
			return fmt.Errorf("two steps %q", s.Name)
		}
		seen[s.Name] = true
		if err := s.check(); err != nil {
			return err
		}
	}
	clear(seen)
	for i := range m.Runs {
		r := &m.Runs[i]
		if seen[r.Name] {
			return fmt.Errorf("two runs %q", r.Name)
		}
		seen[r.Name] = true
		if err := r.check(); err != nil {
			return err
		}
	}
	if m.Check != nil {
		return m.Check.check()
	}
	return nil
}

func (s *Step) check() error {
	if !stepName.MatchString(s.Name) {
		return fmt.Errorf("step %.80q: no name of a step", s.Name)
	}
	if len(s.Answers) > maxAnswers {
		return fmt.Errorf("step %s: %d answers, at most %d", s.Name, len(s.Answers), maxAnswers)
	}
	if s.Hints < 0 {
		return fmt.Errorf("step %s: %d hints", s.Name, s.Hints)
	}
	for _, a := range s.Answers {
		if a.Part < 0 || a.Part >= maxParts {
			return fmt.Errorf("step %s: an answer to part %d, want 0 to %d", s.Name, a.Part, maxParts-1)
		}
		if err := checkTexts(a.Text); err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	if err := checkTexts(s.Kind); err != nil {
		return fmt.Errorf("step %s: %w", s.Name, err)
	}
	if err := checkPoints(s.Points, s.Of); err != nil {
		return fmt.Errorf("step %s: %w", s.Name, err)
	}
	return nil
}

func (r *Run) check() error {
	if !runName.MatchString(r.Name) {
		return fmt.Errorf("run %.80q: no name of a run", r.Name)
	}
	if err := checkTexts(r.Scenario); err != nil {
		return fmt.Errorf("run %q: %w", r.Name, err)
	}
	return checkSums(sumOf{"events_sha256", r.Events, false}, sumOf{"capture_sha256", r.Capture, false})
}

func (c *Check) check() error {
	if c.Stages < 1 || c.Stages > maxStages || c.Passed < 0 || c.Passed > c.Stages {
		return fmt.Errorf("%d of %d stages passed, want 0 to all of at most %d", c.Passed, c.Stages, maxStages)
	}
	if len(c.Command) > maxAnswers {
		return fmt.Errorf("a command of %d words, at most %d", len(c.Command), maxAnswers)
	}
	return checkTexts(append([]string{c.Verdict}, c.Command...)...)
}

// A sumOf is a field that holds a SHA-256.
type sumOf struct {
	field, value string
	absent       bool // it may be empty
}

func checkSums(sums ...sumOf) error {
	for _, s := range sums {
		if !sumForm.MatchString(s.value) && !(s.absent && s.value == "") {
			return fmt.Errorf("%s %.80q: want 64 hexadecimal digits", s.field, s.value)
		}
	}
	return nil
}

func checkTexts(texts ...string) error {
	for _, s := range texts {
		if len(s) > maxText {
			return fmt.Errorf("a text of %d bytes, at most %d", len(s), maxText)
		}
		if !utf8.ValidString(s) {
			return fmt.Errorf("%.80q is no UTF-8", s)
		}
	}
	return nil
}

func checkPoints(points, of float64) error {
	if math.IsNaN(points) || math.IsNaN(of) || points < 0 || of < 0 || points > maxPoints || of > maxPoints {
		return fmt.Errorf("%v of %v points, want 0 to %g", points, of, float64(maxPoints))
	}
	return nil
}
