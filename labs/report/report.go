// Package report writes a learner's work as one HTML page that needs nothing
// else: no network, no script, no font. It can be printed, and suits light and
// dark screens. All text in it is escaped, whoever wrote it.
//
// What has not been answered yet is not given away: a solution, an explanation or
// a figure that a question asks for is in the report only if the learner has seen
// it.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

// pageTemplate is the form of a report: what is filled in goes through its
// escaping, except what package view has escaped.
//
//go:embed report.tmpl
var pageTemplate string

// A Report is what is to be shown.
type Report struct {
	Learner string    // empty: nobody in particular
	Program string    // what made it, with its version
	Date    time.Time // when
	Labs    []Lab
}

// A Lab is a learner's work on one lab.
type Lab struct {
	// Attempt is of a lab to observe. Its runs have to be there if it has any:
	// see attempt.Attempt.Stale.
	Attempt *attempt.Attempt
	// Sheet and Passed are of a lab to build: how many of its stages the program
	// passed. Verdict is what the checker said last; it may be empty.
	Sheet   *sheet.Sheet
	Passed  int
	Verdict string
}

// maxTurns is how many turns of the knob a report shows.
const maxTurns = 6

// Write writes the page.
func (r *Report) Write(w io.Writer) error {
	form, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return err
	}
	p := page{Learner: line(r.Learner), Program: line(r.Program), Date: r.Date.Format("2 January 2006"), CSS: template.CSS(view.CSS)}
	if p.Learner == "" {
		p.Learner = "a learner without a name"
	}
	got, of := 0.0, 0.0
	for i := range r.Labs {
		part, err := r.Labs[i].part(fmt.Sprintf("lab%d", i+1))
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		got, of = got+part.got, of+part.of
		p.Labs = append(p.Labs, part)
	}
	p.Points, p.Of = number(got), number(of)
	p.Percent = percent(got, of)
	return form.Execute(w, &p)
}

// A page is what the form shows.
type page struct {
	Learner, Program, Date string
	Points, Of             string
	Percent                float64
	CSS                    template.CSS
	Labs                   []*part
}

// A part is one lab.
type part struct {
	ID, Name, Title, Theme string
	Kind                   string
	Minutes                int
	Points, Of             string
	Percent                float64
	State                  string
	Aims                   []string
	Numbers                []pair
	Predictions            []step
	Pictures               []template.HTML
	Questions              []step
	Checks                 template.HTML
	KnobAsk                string
	Turns                  []template.HTML
	TurnsLeft              int // turns that are not shown
	Stages                 []stage
	Verdict                string
	Explanation            template.HTML
	Reading                []pair

	got, of float64
}

type pair struct{ Name, Value string }

// A step is a prediction or a question.
type step struct {
	Name, Kind string
	Ask        template.HTML
	Lines      []string // of a fill, with blanks as they are
	Given      []given
	Sign       string
	Words      string // how far it is, in words
	Class      string // of its colour
	Points, Of string
	Hints      int
	Theory     string // of a prediction, after the run
	Measured   string
	Solution   template.HTML
	Source     string
}

// A given is one answer.
type given struct {
	Blank string // of a fill
	Text  string
	Sign  string
	Right bool
}

type stage struct {
	Number int
	Title  string
	Passed bool
}

// part prepares one lab. id is unique in the page.
func (l *Lab) part(id string) (*part, error) {
	s := l.Sheet
	if l.Attempt != nil {
		s = l.Attempt.Sheet
	}
	p := &part{ID: id, Name: s.Name, Title: line(s.Title), Theme: string(s.Theme), Kind: string(s.Kind), Minutes: s.Minutes}
	for _, aim := range s.Aims {
		p.Aims = append(p.Aims, line(aim))
	}
	for _, r := range s.Reading {
		p.Reading = append(p.Reading, pair{line(r.Source), line(r.What)})
	}
	if l.Attempt == nil {
		l.build(p)
	} else if err := observed(p, l.Attempt); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	p.Points, p.Of, p.Percent = number(p.got), number(p.of), percent(p.got, p.of)
	return p, nil
}

// build prepares a lab to build.
func (l *Lab) build(p *part) {
	for _, st := range l.Sheet.Stages {
		p.Stages = append(p.Stages, stage{st.Number, line(st.Title), st.Number <= l.Passed})
	}
	p.got, p.of = float64(l.Passed), float64(len(l.Sheet.Stages))
	p.State, p.Verdict = "not finished", lines(l.Verdict)
	if l.Passed >= len(l.Sheet.Stages) {
		p.State = "finished"
		p.Explanation = template.HTML(view.ProseHTML(l.Sheet.Variant("", "").Text(l.Sheet.Explanation)))
	}
}

// observed prepares a lab to observe.
func observed(p *part, a *attempt.Attempt) error {
	v := a.Variant
	p.got, p.of = a.Points()
	for i := range a.Sheet.Variables {
		variable := &a.Sheet.Variables[i]
		q := measure.Quantity{Value: v.Values[variable.Name], Unit: variable.Unit}
		p.Numbers = append(p.Numbers, pair{variable.Name, q.String()})
	}
	open := 0
	for _, st := range a.Sheet.Steps {
		one, err := newStep(a, st)
		if err != nil {
			return err
		}
		if s := a.Work(st).Status; s == attempt.Open || s == attempt.Skipped {
			open++
		}
		if st.Kind == sheet.Predict {
			p.Predictions = append(p.Predictions, one)
		} else {
			p.Questions = append(p.Questions, one)
		}
	}
	if a.Runs() == nil {
		p.State = "not run yet"
		return nil
	}
	p.State = "finished"
	if open > 0 {
		p.State = fmt.Sprintf("%d of %d steps open", open, len(a.Sheet.Steps))
	}
	if err := seen(p, a); err != nil {
		return err
	}
	record := a.Record()
	if k := a.Sheet.Knob; k != nil && len(record.Turns) > 0 {
		p.KnobAsk = line(v.Text(k.Ask))
		p.TurnsLeft = max(0, len(record.Turns)-maxTurns)
		was := k.Variable + " = " + quantity(a.Sheet, k.Variable, v.Values[k.Variable])
		for _, t := range record.Turns[p.TurnsLeft:] {
			html, err := table(view.Turned(a.Before(), t.Pairs, was, k.Variable+" = "+t.Text))
			if err != nil {
				return err
			}
			p.Turns = append(p.Turns, html)
		}
	}
	// Explained is what was reached, or where nothing is left to find out.
	if open == 0 || !record.Ended.IsZero() || slices.Contains([]attempt.Place{attempt.Explaining, attempt.Turning, attempt.Done}, record.Place) {
		text, err := v.TextOf(a.Sheet.Explanation, "", a.Runs())
		if err != nil {
			return err
		}
		p.Explanation = template.HTML(view.ProseHTML(text))
	}
	return nil
}

// seen adds the pictures of the runs and the table of figures.
func seen(p *part, a *attempt.Attempt) error {
	// One that cannot be drawn says so in its place: a report lacks nothing else
	// for it.
	pictures, _ := view.All(a.Variant, a.Runs())
	for i, pic := range pictures {
		var b bytes.Buffer
		if err := pic.Figure(&b, fmt.Sprintf("%s-%d", p.ID, i+1)); err != nil {
			return err
		}
		p.Pictures = append(p.Pictures, template.HTML(b.String()))
	}
	var known []attempt.Check
	for _, c := range a.Checks() {
		if c.Status != attempt.Open && c.Status != attempt.Skipped {
			known = append(known, c)
		}
	}
	if len(known) == 0 {
		return nil
	}
	var err error
	p.Checks, err = table(view.Checks(known))
	return err
}

// newStep prepares one step.
func newStep(a *attempt.Attempt, st *sheet.Step) (step, error) {
	w := a.Work(st)
	words, ink := view.Words(w.Status)
	sign, words, _ := strings.Cut(words, " ")
	s := step{
		Name: st.Name, Kind: string(st.Kind), Sign: sign, Words: words, Hints: w.Hints, Source: line(st.Source), Of: number(st.Points),
		Class: map[view.Ink]string{view.Good: "good", view.Bad: "bad"}[ink],
		Ask:   template.HTML(view.ProseHTML(a.Variant.Text(st.Ask))),
	}
	for _, t := range st.Lines {
		text, err := a.Variant.TextOf(t, st.Run, a.Runs())
		if err != nil { // before the run
			continue
		}
		s.Lines = append(s.Lines, cells.Visible(text))
	}
	for _, t := range w.Tries {
		g := given{Text: line(t.Given), Right: t.Right}
		if len(st.Blanks) > 1 && t.Part < len(st.Blanks) {
			g.Blank = st.Blanks[t.Part].Name
		}
		if w.Status != attempt.Locked { // a locked prediction is not judged yet
			g.Sign = map[bool]string{true: "✓", false: "✗"}[t.Right]
		}
		s.Given = append(s.Given, g)
	}
	if st.Kind == sheet.Predict && a.Runs() != nil {
		for _, c := range a.Checks() {
			if c.Step == st {
				s.Theory = line(attempt.Show(c.Expected))
				if c.HasMeasured {
					s.Measured = line(attempt.Show(c.Measured))
				}
			}
		}
	}
	if text, ok := a.Solution(st); ok {
		s.Solution = template.HTML(view.ProseHTML(text))
	}
	return s, nil
}

// table returns a table as HTML.
func table(t *view.Table) (template.HTML, error) {
	var b bytes.Buffer
	err := t.HTML(&b)
	return template.HTML(b.String()), err
}

// quantity writes a value of a sheet's variable.
func quantity(s *sheet.Sheet, variable string, value float64) string {
	q := measure.Quantity{Value: value}
	for i := range s.Variables {
		if s.Variables[i].Name == variable {
			q.Unit = s.Variables[i].Unit
		}
	}
	return q.String()
}

// line makes text one line that is safe for the eye.
func line(s string) string { return cells.Visible(strings.Join(strings.Fields(s), " ")) }

// lines makes each line of a text safe for the eye.
func lines(s string) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	for i := range all {
		all[i] = cells.Visible(strings.TrimRight(all[i], "\r"))
	}
	return strings.Join(all, "\n")
}

// number writes points with at most two decimals, and none that it does not need.
func number(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func percent(got, of float64) float64 {
	if of <= 0 {
		return 0
	}
	return min(100, 100*got/of)
}
