package verify

import (
	"regexp"
	"strings"

	"wirelab/labs/sheet"
)

const (
	pageLines = 70 // of the background, about a page
	maxAims   = 5
)

// rfc is how a reading names where it is from.
var rfc = regexp.MustCompile(`^RFC \d+`)

// structure looks for what a lab needs, without playing it.
func (f *findings) structure() {
	s := f.sheet
	if len(s.Aims) == 0 || len(s.Aims) > maxAims {
		f.add(0, nil, "aims", "%d aims, want 1 to %d", len(s.Aims), maxAims)
	}
	if n := strings.Count(strings.TrimSpace(s.Background.Source), "\n") + 1; n > pageLines {
		f.add(s.Background.Line, nil, "page", "the background has %d lines, want at most %d: a page is read, two are not", n, pageLines)
	}
	predicted, own, understood := 0, 0, 0
	for _, st := range s.Steps {
		f.stepStructure(st)
		switch st.Kind {
		case sheet.Predict:
			if st.Blanks[0].Measured != nil {
				predicted++
			}
		case sheet.Question, sheet.Fill:
			own++
		case sheet.Choice:
			understood++
		}
	}
	if len(s.Steps) < 3 {
		f.add(0, nil, "steps", "%d steps, want 3 or more", len(s.Steps))
	}
	if predicted == 0 {
		f.add(0, nil, "predict", "no step predicts a figure that the run measures: want a step of kind predict with measured")
	}
	if own == 0 {
		f.add(0, nil, "own", "no step asks about the learner's own run: want one of kind question or fill")
	}
	if understood == 0 {
		f.add(0, nil, "understood", "no step asks for understanding: want one of kind choice")
	}
	if len(s.Views) == 0 {
		f.add(0, nil, "views", "nothing to see: want a view")
	}
	if s.Knob == nil {
		f.add(0, nil, "no knob", "no knob: want one variable to turn, to run again")
	}
	read := false
	for _, r := range s.Reading {
		read = read || rfc.MatchString(r.Source)
	}
	if !read {
		f.add(0, nil, "reading", "no reading names an RFC: want a line such as %q", "RFC 9293, section 3.5: how a connection begins")
	}
}

func (f *findings) stepStructure(st *sheet.Step) {
	if len(st.Hints) == 0 {
		f.add(st.Line, nil, "hint", "step %s has no hint", st.Name)
	}
	if strings.TrimSpace(st.Solution.Source) == "" {
		f.add(st.Line, nil, "solution", "step %s has no solution", st.Name)
	}
	if st.Source == "" {
		f.add(st.Line, nil, "source", "step %s has no source: want the RFC and section, or the formula's name", st.Name)
	}
	if st.Kind == sheet.Choice {
		return
	}
	for i := range st.Blanks {
		b := &st.Blanks[i]
		if len(b.Wrongs) == 0 && st.Kind != sheet.Fill {
			f.add(st.Line, nil, "wrong"+b.Name, "step %s lists no wrong answer: what does somebody answer who has overlooked something?", part(st, i))
		}
	}
}

// part names a step, or one blank of it.
func part(st *sheet.Step, i int) string {
	if name := st.Blanks[i].Name; name != "" {
		return st.Name + ", blank " + name
	}
	return st.Name
}
