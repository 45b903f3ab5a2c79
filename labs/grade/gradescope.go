package grade

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"wirelab/labs/attempt"
)

// The form of Gradescope's results.json
// (https://gradescope-autograders.readthedocs.io/en/latest/specs/).
type (
	scopeResults struct {
		Score      float64      `json:"score"` // stands for the tests' sum
		Output     string       `json:"output"`
		Visibility string       `json:"visibility"`
		Tests      []scopeTest  `json:"tests"`
		Extra      scopeDetails `json:"extra_data"`
	}
	scopeTest struct {
		Score      *float64 `json:"score,omitempty"`
		MaxScore   *float64 `json:"max_score,omitempty"`
		Status     string   `json:"status,omitempty"` // passed or failed
		Name       string   `json:"name"`
		Number     string   `json:"number"`
		Output     string   `json:"output,omitempty"`
		Tags       []string `json:"tags,omitempty"`
		Visibility string   `json:"visibility"`
	}
	scopeDetails struct {
		Learner string  `json:"learner"`
		Of      float64 `json:"max_score"`
	}
)

// Who sees a test.
const (
	scopeVisible = "visible"
	scopeHidden  = "hidden" // teachers alone; such a test has no points
)

// WriteGradescope writes one learner's results as Gradescope reads them: a test
// for each step, with the weights in its points. What a bundle is named for is a
// test that only teachers see.
func (r *Result) WriteGradescope(w io.Writer, l *Learner) error {
	out := scopeResults{
		Score: round(l.Points), Visibility: scopeVisible, Tests: []scopeTest{}, Extra: scopeDetails{l.Name, round(l.Of)},
		Output: fmt.Sprintf("%s of %s points", number(l.Points), number(l.Of)),
	}
	for i, lab := range r.Labs {
		m := l.Marks[i]
		n := i + 1
		if m == nil {
			zero, of := 0.0, round(lab.Weight*lab.Of)
			out.Tests = append(out.Tests, scopeTest{
				Score: &zero, MaxScore: &of, Status: "failed", Name: lab.Title, Number: fmt.Sprint(n), Output: "not handed in",
				Tags: []string{lab.Name}, Visibility: scopeVisible,
			})
			continue
		}
		for j := range m.Steps {
			t := m.Steps[j].gradescope(lab.Weight)
			t.Name, t.Number, t.Tags = lab.Title+": "+t.Name, fmt.Sprintf("%d.%d", n, j+1), []string{lab.Name}
			out.Tests = append(out.Tests, t)
		}
		for j, f := range m.Findings {
			t := scopeTest{
				Name: lab.Title + ": " + string(f.Kind), Number: fmt.Sprintf("%d.%d", n, len(m.Steps)+j+1),
				Output: m.File + ": " + f.Text, Tags: []string{lab.Name}, Visibility: scopeHidden,
			}
			if f.Fault {
				t.Status = "failed"
			}
			out.Tests = append(out.Tests, t)
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(&out)
}

// gradescope returns the test of one step.
func (s *Step) gradescope(weight float64) scopeTest {
	score, of := round(weight*s.Points), round(weight*s.Of)
	t := scopeTest{Score: &score, MaxScore: &of, Status: "failed", Name: s.Name, Visibility: scopeVisible}
	if s.Status == attempt.Right {
		t.Status = "passed"
	}
	var words []string
	if s.Given != "" {
		words = append(words, "your answer: "+s.Given)
	}
	switch {
	case s.Kind == stageKind && s.Status == attempt.Right:
		words = append(words, "passed")
	case s.Kind == stageKind:
		words = append(words, "not passed")
	case s.Status == attempt.Open, s.Status == attempt.Skipped:
		words = append(words, "not answered")
	default:
		words = append(words, string(s.Status))
	}
	if s.Hints > 0 {
		words = append(words, fmt.Sprintf("hints: %d", s.Hints))
	}
	t.Output = strings.Join(words, "; ")
	return t
}

// round keeps points from showing what adding up floats costs.
func round(v float64) float64 {
	const unit = 1e6
	return float64(int64(v*unit+0.5)) / unit
}
