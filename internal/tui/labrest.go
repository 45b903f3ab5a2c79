package tui

import (
	"fmt"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

func (m *labModel) runPage(width, column int) []string {
	a, p := m.attempt, m.palette
	lines := []string{m.head("The run"), ""}
	switch {
	case m.run != nil:
		lines = append(lines, m.progress()...)
	case !a.Ready() && !a.Ran():
		lines = append(lines, prose("Some predictions are open. Go back to them (p), or skip them there (s). After the run it is too late to predict.", column)...)
	case a.Runs() != nil:
		lines = append(lines, prose(m.played(), column)...)
		lines = append(lines, m.outcome(width)...)
	default:
		lines = append(lines, prose("Your predictions are locked. Press enter: this scenario is played in an emulated network whose clock is virtual, so seconds pass at once.", column)...)
	}
	for i := range m.sheet.Scenarios {
		s := &m.sheet.Scenarios[i]
		name := "Scenario"
		if s.Name != "" {
			name += " " + s.Name
		}
		lines = append(lines, "", " "+p.Dim.Render(cells.Visible(name)+":"))
		text, err := a.Variant.ScenarioText(s.Name)
		if err != nil {
			text = err.Error()
		}
		for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			lines = append(lines, "   "+cells.Cut(cells.Visible(strings.ReplaceAll(l, "\t", "    ")), column-3))
		}
	}
	return lines
}

// outcome sets the predictions beside the run.
func (m *labModel) outcome(width int) []string {
	var predictions []attempt.Check
	for _, c := range m.attempt.Checks() {
		if c.Step.Kind == sheet.Predict {
			predictions = append(predictions, c)
		}
	}
	if len(predictions) == 0 {
		return nil
	}
	lines := []string{"", m.head("Your predictions"), ""}
	return append(lines, indent(labview.Checks(predictions).Text(min(width-2, 150), m.palette))...)
}

// played says what the runs were.
func (m *labModel) played() string {
	var virtual time.Duration
	packets := 0
	runs := m.attempt.Runs()
	for _, r := range runs {
		virtual += r.Virtual
		packets += len(r.Packets)
	}
	return fmt.Sprintf("It was played: %s of virtual time, %s. Enter goes on to what came out; r plays it again.",
		measure.Quantity{Value: virtual.Seconds(), Unit: measure.Unit{Name: "s", Scale: 1, Dim: measure.Time}}, counted(packets, "packet"))
}

// progress says how far the run under way is.
func (m *labModel) progress() []string {
	p, r := m.palette, m.run
	spin := []string{"⠋", "⠙", "⠸", "⠴", "⠦", "⠇"}[r.ticks%6]
	text := spin + " playing"
	if r.variant != nil {
		text += " with " + m.sheet.Knob.Variable + " = " + m.valueOf(r.variant, m.sheet.Knob.Variable)
	}
	if q := r.progress; q.Of > 1 {
		text += fmt.Sprintf(", scenario %d of %d", min(q.Done+1, q.Of), q.Of)
		if q.Scenario != "" {
			text += " (" + q.Scenario + ")"
		}
	}
	if v := r.progress.Virtual; v > 0 {
		text += fmt.Sprintf(", at %.3f s of its own time", v.Seconds())
	}
	return []string{" " + p.Accent.Render(cells.Visible(text)), "", " " + p.System.Render("The first run after an installation takes some seconds more; esc stops it.")}
}

// A drawnPicture is a picture as it was drawn for a size.
type drawnPicture struct {
	of            *labview.Picture
	width, height int
	lines         []string
}

// picture draws the i-th of list with its caption.
func (m *labModel) picture(i int, list []*labview.Picture, width, height int) []string {
	p := m.palette
	if i < 0 || i >= len(list) {
		if m.run != nil {
			return m.progress()
		}
		return []string{" " + p.System.Render("There is nothing to see before the run.")}
	}
	if d := &m.drawn; d.of == list[i] && d.width == width && d.height == height {
		return d.lines
	}
	var lines []string
	for _, l := range prose(list[i].Caption, min(width-2, maxProse+30)) {
		lines = append(lines, p.System.Render(l))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	text := list[i].Text(width-1, height-len(lines), p)
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		lines = append(lines, " "+l)
	}
	m.drawn = drawnPicture{list[i], width, height, lines}
	return lines
}

func (m *labModel) explainPage(width, column int) []string {
	a := m.attempt
	if a.Runs() == nil {
		return m.waitingPage()
	}
	lines := []string{m.head("What happened, and why"), ""}
	text, err := a.Variant.TextOf(m.sheet.Explanation, "", a.Runs())
	if err != nil {
		text = "The explanation cannot be shown: " + err.Error()
	}
	lines = append(lines, prose(text, column)...)
	lines = append(lines, "", m.head("Check"), "")
	lines = append(lines, indent(labview.Checks(a.Checks()).Text(min(width-2, 150), m.palette))...)
	return append(lines, "", " "+m.score())
}

func (m *labModel) waitingPage() []string {
	if m.run != nil {
		return append([]string{" The run is played again, to have its figures.", ""}, m.progress()...)
	}
	return []string{" " + m.palette.System.Render("Press r to play the run again: its figures are needed here.")}
}

// score says how many points the learner has.
func (m *labModel) score() string {
	got, of := m.attempt.Points()
	return m.palette.Name.Render(fmt.Sprintf("%s of %s points", points(got), points(of)))
}

// points writes a number of points.
func points(v float64) string { return fmt.Sprintf("%.4g", v) }

func (m *labModel) knobPage(width, column int) []string {
	k := m.sheet.Knob
	if k == nil {
		return nil
	}
	lines := []string{m.head("Turn one knob: " + k.Variable), ""}
	lines = append(lines, prose(m.attempt.Variant.Text(k.Ask), column)...)
	if !m.attempt.Ran() {
		return append(lines, "", " "+m.palette.System.Render("After the run."))
	}
	unit := m.unitOf(k.Variable)
	lines = append(lines, "", " "+m.palette.Dim.Render(fmt.Sprintf("It was %s. Type a value from %s to %s; all is played again with it.",
		m.valueOf(m.attempt.Variant, k.Variable), measure.Quantity{Value: k.From, Unit: unit}, measure.Quantity{Value: k.To, Unit: unit})))
	switch {
	case m.run != nil && !m.run.quiet:
		lines = append(append(lines, ""), m.progress()...)
	case m.turned != nil:
		t := m.turned
		lines = append(append(lines, ""), indent(labview.Turned(t.before, t.after, t.was, t.is).Text(min(width-2, 120), m.palette))...)
		if len(t.pictures) > 0 {
			lines = append(lines, "", " "+m.palette.System.Render("tab shows the pictures of this run."))
		}
	}
	return lines
}

func (m *labModel) unitOf(name string) measure.Unit {
	for _, x := range m.sheet.Variables {
		if x.Name == name {
			return x.Unit
		}
	}
	return measure.Unit{}
}

func (m *labModel) donePage(width int) []string {
	p := m.palette
	lines := []string{m.head("The end of " + m.sheet.Title), "", " " + m.score()}
	open := 0
	for _, st := range m.sheet.Steps {
		if s := m.attempt.Work(st).Status; s == attempt.Open || s == attempt.Skipped {
			open++
		}
	}
	if open > 0 {
		lines = append(lines, " "+p.System.Render(counted(open, "step")+" not answered; l goes there."))
	}
	if len(m.sheet.Reading) > 0 {
		lines = append(lines, "", m.head("To read on"), "")
		var texts []string
		for _, r := range m.sheet.Reading {
			text := r.Source
			if r.What != "" {
				text += ": " + r.What
			}
			texts = append(texts, text)
		}
		lines = append(lines, bullets("•", texts, width)...)
	}
	var next []string
	for _, s := range m.cfg.Sheets {
		for _, after := range s.After {
			if after == m.sheet.Name {
				next = append(next, s.Name+": "+s.Title)
			}
		}
	}
	if len(next) > 0 {
		lines = append(lines, "", m.head("Labs that build on this one"), "")
		lines = append(lines, bullets("•", next, width)...)
	}
	lines = append(lines, "", m.head("To keep"), "")
	return append(lines, prose(m.cfg.Command+" report writes what you did as one HTML file, with the pictures.", width)...)
}

// buildPage is a lab whose work is done outside.
func (m *labModel) buildPage(width int) []string {
	s := m.sheet
	lines := []string{m.head(s.Title), ""}
	lines = append(lines, bullets("•", s.Aims, width)...)
	lines = append(lines, "")
	lines = append(lines, prose(s.Variant("", "").Text(s.Background), width)...)
	lines = append(lines, "", m.head("Stages"), "")
	for _, st := range s.Stages {
		lines = append(lines, fmt.Sprintf("  %d  %s", st.Number, cells.Cut(cells.Visible(st.Title), width-5)))
	}
	lines = append(lines, "", m.head("How to check your program"), "")
	lines = append(lines, prose("Your program listens on 127.0.0.1, at the port in the environment variable PORT. In another window:\n\n    "+
		m.cfg.Command+" check "+s.Name+" -- ./your-program\n\n"+m.cfg.Command+" check --help shows more.", width)...)
	if r := m.records[s.Name]; r != nil && r.Stages > 0 {
		lines = append(lines, "", fmt.Sprintf(" %s passed.", counted(r.Stages, "stage")))
	}
	return lines
}

// labelOf names a stop in lists.
func labelOf(s attempt.Stop) string {
	switch s.Place {
	case attempt.Reading:
		return "aims and background"
	case attempt.Predicting:
		return "predict: " + s.Step.Name
	case attempt.Running:
		return "the run"
	case attempt.Looking:
		if s.View == nil {
			return "see"
		}
		return "see: " + s.View.Name + " (" + string(s.View.Kind) + ")"
	case attempt.Asking:
		return map[sheet.StepKind]string{sheet.Choice: "choose: ", sheet.Fill: "fill in: ", sheet.Question: "question: "}[s.Step.Kind] + s.Step.Name
	case attempt.Explaining:
		return "explanation and check"
	case attempt.Turning:
		return "turn the knob"
	}
	return "the end"
}
