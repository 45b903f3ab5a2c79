package main

import (
	"fmt"
	"io"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/catalogue"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

// plotHeight is how many lines a plot takes where nobody says how many there are.
const plotHeight = 18

// show writes the stop where the learner is.
func (t *labTalk) show() {
	s := t.att.Stop()
	fmt.Fprintln(t.to)
	switch s.Place {
	case attempt.Reading:
		page := newLabPage(t.sheet, t.att.Variant)
		page.head(t.to, t.width, t.palette)
		printProse(t.to, page.Background, "", t.width)
	case attempt.Predicting:
		t.title(fmt.Sprintf("Predict %d of %d: %s", s.Number, s.Of, s.Step.Name))
		t.question(s.Step)
	case attempt.Running:
		t.title("Run")
		if t.att.Ran() {
			t.predictions()
		} else {
			printProse(t.to, "All is predicted. The run is played in virtual time.", "", t.width)
		}
	case attempt.Looking:
		t.picture(s)
	case attempt.Asking:
		t.title(fmt.Sprintf("Question %d of %d: %s", s.Number, s.Of, s.Step.Name))
		t.question(s.Step)
	case attempt.Explaining:
		t.explain()
	case attempt.Turning:
		t.title("Turn " + t.sheet.Knob.Variable + ", from " + t.att.KnobRange() + " (it was " + t.att.KnobText() + ")")
		printProse(t.to, t.att.Variant.Text(t.sheet.Knob.Ask), "", t.width)
	case attempt.Done:
		t.done()
	}
}

// title writes a head line.
func (t *labTalk) title(text string) {
	for _, l := range cells.Wrap(cells.Visible(text), t.width, t.width) {
		fmt.Fprintln(t.to, t.palette.Accent.Render(l))
	}
}

// question writes what a step asks, and what was answered if it is done.
func (t *labTalk) question(st *sheet.Step) {
	printProse(t.to, t.att.Variant.Text(st.Ask), "", t.width)
	switch st.Kind {
	case sheet.Choice:
		shown, err := st.Choices(t.att.Variant, t.att.Runs())
		if err != nil {
			t.say(err.Error())
		}
		for _, o := range shown {
			printItem(t.to, "  "+o.Letter+") ", o.Text, t.width)
		}
	case sheet.Fill:
		t.blanks(st)
	}
	if !t.wanted(st) {
		t.outcome(st)
	}
}

// blanks writes the lines of a fill, with what is filled in already.
func (t *labTalk) blanks(st *sheet.Step) {
	known := map[string]string{}
	for _, try := range t.att.Work(st).Tries {
		if try.Right && try.Part < len(st.Blanks) {
			known[st.Blanks[try.Part].Name] = try.Given
		}
	}
	lines, err := st.Trace(t.att.Variant, t.att.Runs(), known)
	if err != nil {
		t.say(err.Error())
	}
	for _, line := range lines {
		fmt.Fprintln(t.to, cells.Visible("    "+line))
	}
}

// outcome writes what was answered to a step that is done, and its solution.
func (t *labTalk) outcome(st *sheet.Step) {
	words, ink := view.Words(t.att.Work(st).Status)
	v, judged := t.att.Verdict(st, 0)
	text := words
	if judged && st.Parts() == 1 {
		text += ": " + v.Given
		if !v.Right {
			text = sentences(text, v.Feedback)
		}
	} else if w := t.att.Work(st); st.Parts() == 1 && len(w.Tries) > 0 {
		text += ": " + w.Tries[0].Given
	}
	grade := 1
	switch ink {
	case view.Good:
		grade = 0
	case view.Bad:
		grade = 3
	}
	t.verdict(text, grade)
	t.solution(st)
}

// predictions writes what became of the predictions.
func (t *labTalk) predictions() {
	for _, c := range t.att.Checks() {
		if c.Step.Kind != sheet.Predict {
			continue
		}
		fmt.Fprintln(t.to)
		text := c.Step.Name + ": theory says " + c.Expected.String()
		if c.HasMeasured {
			text += ", the run gave " + c.Measured.String()
		}
		printProse(t.to, text, "", t.width)
		t.outcome(c.Step)
	}
}

// picture writes a view of the run.
func (t *labTalk) picture(s attempt.Stop) {
	if s.View == nil {
		printProse(t.to, "This lab has no pictures of its run.", "", t.width)
		return
	}
	t.title(fmt.Sprintf("See %d of %d: %s", s.Number, s.Of, s.View.Name))
	p, err := view.Draw(s.View, t.att.Variant, t.att.Runs())
	if err != nil {
		t.say(err.Error())
		return
	}
	printProse(t.to, p.Caption, "", t.width)
	fmt.Fprintln(t.to)
	height := style.Height(t.app.out) - 6
	if height < plotHeight/2 {
		height = plotHeight
	}
	io.WriteString(t.to, p.Text(t.width, height, t.palette))
}

// explain writes the explanation and the check.
func (t *labTalk) explain() {
	t.title("What happened, and why")
	text, err := t.att.Variant.TextOf(t.sheet.Explanation, "", t.att.Runs())
	if err != nil {
		t.say(err.Error())
	}
	printProse(t.to, text, "", t.width)
	fmt.Fprintln(t.to)
	t.title("The check")
	for _, l := range view.Checks(t.att.Checks()).Text(t.width, t.palette) {
		fmt.Fprintln(t.to, l)
	}
}

// done writes the points, and where to go on.
func (t *labTalk) done() {
	got, of := t.att.Points()
	t.title(fmt.Sprintf("Done: %s of %s points", number(got), number(of)))
	page := newLabPage(t.sheet, t.att.Variant)
	page.reading(t.to, t.width, t.palette)
	if next := after(t.sheet); next != "" {
		fmt.Fprintln(t.to)
		printProse(t.to, next, "", t.width)
	}
}

// after says which labs build on one; empty: none, or the catalogue is not
// sound.
func after(s *sheet.Sheet) string {
	all, _ := catalogue.All()
	var names []string
	for _, o := range all {
		for _, name := range o.After {
			if name == s.Name {
				names = append(names, o.Name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Next: wirelab lab run " + strings.Join(names, ", or ") + "."
}
