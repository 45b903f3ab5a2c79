package tui

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

// The pages of a lab are lines of safe text, with colours, for a column of a
// width.

// maxProse is the widest that text is set: longer lines are hard to read.
const maxProse = 92

// body returns the lines of the page, and the range of them that must be in view.
func (m *labModel) body(width, height int) (lines []string, from, to int) {
	prose := min(width-2, maxProse)
	if m.attempt == nil {
		return m.buildPage(prose), 0, 0
	}
	s := m.attempt.Stop()
	if m.run != nil && !m.run.quiet && s.Place != attempt.Running && s.Place != attempt.Turning {
		return m.progress(), 0, 0 // run again from anywhere
	}
	switch s.Place {
	case attempt.Reading:
		lines = m.readingPage(prose)
	case attempt.Predicting, attempt.Asking:
		return m.stepPage(s.Step, prose)
	case attempt.Running:
		lines = m.runPage(width, prose)
	case attempt.Looking:
		if s.View == nil {
			return []string{" " + m.palette.System.Render("This lab has no views: go on.")}, 0, 0
		}
		lines = m.picture(s.Number-1, m.pictures, width, height)
	case attempt.Explaining:
		lines = m.explainPage(width, prose)
	case attempt.Turning:
		lines = m.knobPage(width, prose)
	default:
		lines = m.donePage(prose)
	}
	return lines, 0, 0
}

// indent puts a blank before lines.
func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if l != "" {
			out[i] = " " + l
		}
	}
	return out
}

// prose lays out a sheet's text.
func prose(text string, width int) []string { return indent(labview.Prose(text, width)) }

// bullets lays out texts with a sign before each.
func bullets(sign string, texts []string, width int) (lines []string) {
	for _, t := range texts {
		for i, l := range cells.Wrap(cells.Visible(t), width-3, width-3) {
			lead := strings.Repeat(" ", cells.Width(sign)+2)
			if i == 0 {
				lead = " " + sign + " "
			}
			lines = append(lines, lead+l)
		}
	}
	return lines
}

func (m *labModel) head(text string) string { return " " + m.palette.Name.Render(cells.Visible(text)) }

func (m *labModel) readingPage(width int) []string {
	s := m.sheet
	lines := []string{m.head(s.Title), ""}
	lines = append(lines, bullets("•", s.Aims, width)...)
	lines = append(lines, "")
	lines = append(lines, prose(m.attempt.Variant.Text(s.Background), width)...)
	return append(lines, "", " "+m.palette.System.Render(m.ahead()))
}

// ahead says what the lab has.
func (m *labModel) ahead() string {
	var predictions, questions int
	for _, st := range m.sheet.Steps {
		if st.Kind == sheet.Predict {
			predictions++
		} else {
			questions++
		}
	}
	text := fmt.Sprintf("Ahead: %s, a run, %s, %s", counted(predictions, "prediction"), counted(len(m.sheet.Views), "view"), counted(questions, "question"))
	if m.sheet.Minutes > 0 {
		text += fmt.Sprintf("; about %d minutes", m.sheet.Minutes)
	}
	return text + "."
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// stepPage is a prediction or a question; the chosen option is what must be in
// view.
func (m *labModel) stepPage(st *sheet.Step, width int) (lines []string, from, to int) {
	a, p := m.attempt, m.palette
	s := a.Stop()
	work := a.Work(st)
	what := map[sheet.StepKind]string{sheet.Predict: "Predict", sheet.Choice: "Choose", sheet.Fill: "Fill in", sheet.Question: "Answer"}[st.Kind]
	what += fmt.Sprintf(", %d of %d", s.Number, s.Of)
	head := m.head(what)
	if work.Status != attempt.Open {
		sign, ink := labview.Words(work.Status)
		head += "  " + ink.Style(p).Render(sign)
	}
	lines = append(lines, head, "")
	lines = append(lines, prose(m.filled(st.Ask, st), width)...)
	switch st.Kind {
	case sheet.Choice:
		from = len(lines) + 1
		var options []string
		options, f, t := m.optionLines(st, work, width)
		lines = append(append(lines, ""), options...)
		from, to = from+f, from+t
	case sheet.Fill:
		lines = append(append(lines, ""), m.fillLines(st, work, width)...)
	}
	for i := range min(work.Hints, len(st.Hints)) {
		lines = append(lines, "")
		hint := fmt.Sprintf("Hint %d of %d: ", i+1, len(st.Hints)) + m.filled(st.Hints[i], st)
		for _, l := range prose(hint, width) {
			lines = append(lines, p.Accent.Render(l))
		}
	}
	if to == 0 && work.Hints > 0 {
		from, to = len(lines)-1, len(lines)
	}
	if end := m.ending(st, work, width); len(end) > 0 {
		lines = append(append(lines, ""), end...)
		from, to = len(lines)-1, len(lines)
	}
	return lines, from, to
}

// filled is a step's text with the variables, and with the run if it was played.
func (m *labModel) filled(t sheet.Template, st *sheet.Step) string {
	if runs := m.attempt.Runs(); runs != nil {
		if text, err := m.attempt.Variant.TextOf(t, st.Run, runs); err == nil {
			return text
		}
	}
	return m.attempt.Variant.Text(t)
}

// optionLines draws the options of a choice, and says which lines are the one
// under the cursor.
func (m *labModel) optionLines(st *sheet.Step, work attempt.Work, width int) (lines []string, from, to int) {
	p := m.palette
	options, err := m.options(st)
	if err != nil {
		return []string{" " + p.Error.Render(cells.Visible(err.Error()))}, 0, 1
	}
	open := m.unanswered(st)
	for i, o := range options {
		sign, ink := " ", p.Event
		switch {
		case open && i == m.option:
			sign, ink = "▸", p.Accent
		case !open && st.Options[o.Option].Right:
			sign, ink = "✓", labview.Good.Style(p)
		case tried(work, o.Text):
			sign, ink = "✗", p.Dim
		}
		begin := len(lines)
		text := cells.Wrap(cells.Visible(strings.Join(strings.Fields(o.Text), " ")), width-6, width-6)
		for k, l := range text {
			lead := "      "
			if k == 0 {
				lead = " " + sign + " " + cells.Visible(o.Letter) + ") "
			}
			lines = append(lines, ink.Render(lead+l))
		}
		if open && i == m.option {
			from, to = begin, len(lines)
		}
	}
	return lines, from, to
}

// tried reports whether an option was chosen, and wrong.
func tried(work attempt.Work, option string) bool {
	for _, t := range work.Tries {
		if !t.Right && t.Given == option {
			return true
		}
	}
	return false
}

// fillLines draws the lines with blanks: what is right stands in them, the one
// that is asked for now is marked.
func (m *labModel) fillLines(st *sheet.Step, work attempt.Work, width int) (lines []string) {
	now := work.Part(st.Parts())
	for _, t := range st.Lines {
		text := cells.Visible(m.filled(t, st))
		for i := range st.Blanks {
			value := "[ … ]"
			switch {
			case !m.unanswered(st) && m.attempt.Ran():
				value = "[" + m.expected(st, i) + "]"
			case i == now:
				value = "[▸" + st.Blanks[i].Name + "?]"
			default:
				for _, try := range work.Tries {
					if try.Part == i && try.Right {
						value = "[" + cells.Visible(try.Given) + "]"
					}
				}
			}
			text = strings.ReplaceAll(text, "["+st.Blanks[i].Name+"]", value)
		}
		for _, l := range cells.Wrap(text, width-4, width-4) {
			lines = append(lines, "    "+l)
		}
	}
	return lines
}

// expected is the answer to a part, as people read it.
func (m *labModel) expected(st *sheet.Step, part int) string {
	v, err := st.Expected(part, m.attempt.Variant, m.attempt.Runs())
	if err != nil {
		return "?"
	}
	return cells.Visible(attempt.Show(v))
}

// ending says what became of a step that takes no more answers.
func (m *labModel) ending(st *sheet.Step, work attempt.Work, width int) (lines []string) {
	a, p := m.attempt, m.palette
	if m.unanswered(st) {
		return nil
	}
	if st.Kind == sheet.Predict {
		for i := range work.Tries[:min(len(work.Tries), 1)] {
			lines = append(lines, " You predicted "+p.Name.Render(cells.Visible(work.Tries[i].Given))+m.locked())
		}
		if a.Ran() && a.Runs() != nil {
			theory := " Theory says " + p.Name.Render(m.expected(st, 0))
			if v, ok, err := st.Measured(0, a.Variant, a.Runs()); err == nil && ok {
				theory += ", the run gave " + p.Name.Render(cells.Visible(attempt.Show(v)))
			}
			lines = append(lines, theory+".")
		}
	}
	if text, ok := a.Solution(st); ok {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, prose(text, width)...)
		if st.Source != "" {
			lines = append(lines, " "+p.System.Render("Source: "+cells.Cut(cells.Visible(st.Source), width-9)))
		}
	}
	return lines
}

func (m *labModel) locked() string {
	if m.attempt.Ran() {
		return "."
	}
	return ". It is locked; the run will show."
}
