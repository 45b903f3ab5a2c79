package tui

import (
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

// press does what one key is for.
func (m *labModel) press(k tea.KeyMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" || name == "ctrl+q" {
		return m.quit()
	}
	m.notice = ""
	switch {
	case name == "ctrl+z":
		return tea.Suspend
	case m.help:
		m.help = false
		if name == "?" || name == "esc" || name == "q" || name == "f1" {
			return nil
		}
	case name == "f1":
		m.help = true
		return nil
	}
	switch {
	case m.sheet == nil:
		return m.pick(k)
	case m.jump >= 0:
		return m.jumping(name)
	case m.run != nil && !m.run.quiet:
		if name == "esc" {
			m.halt()
			m.tell("stopped")
		} else {
			m.page.key(name)
		}
		return nil
	case m.typed(k):
		return m.typing(k)
	}
	if k.Paste {
		return nil
	}
	return m.command(name)
}

// typed reports whether a key is for the line. A number begins with no letter, so
// before one is typed letters are commands; but for g, which cannot be undone.
func (m *labModel) typed(k tea.KeyMsg) bool {
	if m.attempt == nil || !m.asking() || !m.input.focused || m.peek >= 0 && !m.sideBySide() {
		return false
	}
	return k.Paste || !m.free() || k.Type != tea.KeyRunes || k.Alt || !strings.Contains("?hilLknpqrst", k.String())
}

// free reports whether letters are commands, though there is a line to type in.
func (m *labModel) free() bool {
	if m.input.value() != "" {
		return false
	}
	s := m.attempt.Stop()
	if s.Place == attempt.Turning {
		return true
	}
	unit := s.Step.Blanks[m.part(s.Step)].Unit
	return unit.Dim != measure.Words && unit.Dim != measure.Word
}

// part is the blank of a step that is asked for now.
func (m *labModel) part(st *sheet.Step) int {
	work := m.attempt.Work(st)
	return max(min(work.Part(st.Parts()), len(st.Blanks)-1), 0)
}

// typing gives a key to the line, or does what it is for beside it.
func (m *labModel) typing(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		return m.submit()
	case "esc":
		m.input.focused = false
	case "ctrl+n":
		return m.command("n")
	case "ctrl+p":
		return m.command("p")
	case "ctrl+t":
		return m.command("h")
	case "ctrl+g":
		return m.command("g")
	case "ctrl+s":
		return m.command("s")
	case "ctrl+l":
		return m.command("l")
	case "ctrl+r":
		return m.command("r")
	case "ctrl+k":
		return m.command("k")
	case "up", "down", "pgup", "pgdown", "tab", "shift+tab":
		return m.command(k.String())
	default:
		m.input.update(k)
	}
	return nil
}

// command does what a key is for where letters are no text.
func (m *labModel) command(k string) tea.Cmd {
	if m.attempt == nil { // a lab to build
		switch k {
		case "q", "esc", "l", "p", "left":
			m.close()
		case "?":
			m.help = true
		default:
			m.page.key(k)
		}
		return nil
	}
	if m.peek >= 0 && (k == "esc" || k == "enter" || k == "q") {
		m.peek = -1
		return nil
	}
	switch k {
	case "q":
		return m.quit()
	case "?":
		m.help = true
	case "n", "right":
		return m.next()
	case "p", "left", "backspace":
		m.attempt.Back(m.cfg.Now())
		m.arrive()
		return m.changed()
	case "enter":
		return m.enter()
	case "i":
		m.input.focused = true
	case "h", "t":
		return m.hint()
	case "g":
		return m.giveUp()
	case "s":
		return m.skip()
	case "r":
		return m.again()
	case "k":
		return m.goTo(attempt.Turning)
	case "l":
		m.jump = m.attempt.At()
	case "L":
		m.close()
	case "tab", "shift+tab":
		return m.look(k == "shift+tab")
	case "esc":
		if m.attempt.At() == 0 {
			m.close()
			return nil
		}
		m.jump = m.attempt.At()
	default:
		if m.choosing() && k != "home" && k != "end" {
			return m.choose(k)
		}
		m.scroll(k)
	}
	return nil
}

// scroll moves the page, or, if all of it is in view, the picture beside it.
func (m *labModel) scroll(k string) {
	if m.sideBySide() && m.page.last() == 0 {
		m.slid = moved(k, m.slid, len(m.besideLines()), m.height-3)
		return
	}
	m.page.key(k)
}

// asking reports whether the stop has a line to type in.
func (m *labModel) asking() bool {
	s := m.attempt.Stop()
	switch s.Place {
	case attempt.Predicting, attempt.Asking:
		return s.Step.Kind != sheet.Choice && m.unanswered(s.Step)
	case attempt.Turning:
		return m.attempt.Ran()
	}
	return false
}

// choosing reports whether the stop has options to choose from.
func (m *labModel) choosing() bool {
	s := m.attempt.Stop()
	return s.Step != nil && s.Step.Kind == sheet.Choice && m.unanswered(s.Step)
}

// unanswered reports whether a step still takes answers.
func (m *labModel) unanswered(st *sheet.Step) bool {
	switch m.attempt.Work(st).Status {
	case attempt.Open, attempt.Skipped:
		return st.Kind != sheet.Predict || !m.attempt.Ran()
	}
	return false
}

// enter does what is next here.
func (m *labModel) enter() tea.Cmd {
	switch {
	case m.choosing():
		return m.submit()
	case m.asking():
		m.input.focused = true
		return nil
	case m.unread():
		m.page.key("pgdown")
		return nil
	}
	return m.next()
}

// unread reports whether there is more of a text than was in view.
func (m *labModel) unread() bool {
	switch m.attempt.Stop().Place {
	case attempt.Reading, attempt.Explaining:
		return m.page.top < m.page.last()
	}
	return false
}

// next goes on. Where the run is next, it begins.
func (m *labModel) next() tea.Cmd {
	s := m.attempt.Stop()
	err := m.attempt.Next(m.cfg.Now())
	switch {
	case errors.Is(err, attempt.ErrNotRun):
		return m.play(nil)
	case errors.Is(err, attempt.ErrEarly):
		m.warn("first predict, or skip the predictions with s: the list (l) shows which are open")
		return nil
	case errors.Is(err, attempt.ErrOpen):
		if s.Step != nil && s.Step.Kind == sheet.Choice {
			m.warn("choose one and press enter, or skip it with s")
		} else {
			m.warn("type an answer and press enter, or skip it with s (ctrl+s while typing)")
		}
		return nil
	case err != nil:
		m.warn(err.Error())
		return nil
	}
	if s.Place == attempt.Done {
		m.tell("this is the end of the lab; L lists all labs, q quits")
		return nil
	}
	m.arrive()
	return m.changed()
}

// goTo goes to the first stop of a place.
func (m *labModel) goTo(p attempt.Place) tea.Cmd {
	for i, s := range m.attempt.Stops() {
		if s.Place == p {
			return m.leap(i)
		}
	}
	m.tell("this lab has no knob")
	return nil
}

// leap goes to a stop.
func (m *labModel) leap(i int) tea.Cmd {
	switch err := m.attempt.Go(i, m.cfg.Now()); {
	case errors.Is(err, attempt.ErrEarly):
		m.warn("first predict, or skip the predictions: after the run it is too late")
		return nil
	case errors.Is(err, attempt.ErrNotRun):
		m.warn("first run it")
		return nil
	case err != nil:
		m.warn(err.Error())
		return nil
	}
	m.arrive()
	return m.changed()
}

// submit gives the answer that was typed or chosen.
func (m *labModel) submit() tea.Cmd {
	s := m.attempt.Stop()
	if s.Place == attempt.Turning {
		return m.turn()
	}
	text := m.input.value()
	if s.Step.Kind == sheet.Choice {
		options, err := m.options(s.Step)
		if err != nil || len(options) == 0 {
			m.warn(fmt.Sprint("the options cannot be shown: ", err))
			return nil
		}
		text = options[min(m.option, len(options)-1)].Letter
	}
	reply, err := m.attempt.Answer(text, m.cfg.Now())
	if err != nil {
		var unread *measure.Unreadable
		m.said, m.wrong = err.Error(), true
		if !errors.As(err, &unread) {
			m.said = "not taken: " + m.said
		}
		return nil
	}
	m.wrong = false
	switch v := &reply.Verdict; {
	case reply.Locked:
		m.said = ""
		m.input.set("")
	case v.Right:
		m.said = ""
		if reply.Status == attempt.Open { // there are more blanks
			m.said = "✓ right: " + v.Given
		}
		m.input.set("")
	default:
		m.wrong = true
		m.said = "✗ " + v.Given + " is not right."
		if s.Step.Kind == sheet.Choice {
			m.said = "✗ That is not it."
		}
		if v.Feedback != "" {
			m.said += " " + v.Feedback
		}
	}
	return m.changed()
}

// options returns those of a choice as the learner sees them.
func (m *labModel) options(st *sheet.Step) ([]sheet.Shown, error) {
	return st.Choices(m.attempt.Variant, m.attempt.Runs())
}

// choose moves the cursor of a choice.
func (m *labModel) choose(k string) tea.Cmd {
	options, err := m.options(m.attempt.Stop().Step)
	if err != nil {
		return nil
	}
	switch k {
	case "up":
		m.option = max(m.option-1, 0)
	case "down":
		m.option = min(m.option+1, max(len(options)-1, 0))
	case "pgup", "pgdown", " ":
		m.scroll(k)
	}
	for i, o := range options {
		if strings.EqualFold(o.Letter, k) {
			m.option = i
		}
	}
	return nil
}

func (m *labModel) hint() tea.Cmd {
	if m.attempt.Stop().Step == nil {
		m.tell("hints are for the steps with a question")
		return nil
	}
	before := m.attempt.Work(m.attempt.Stop().Step).Hints
	_, n, of := m.attempt.Hint(m.cfg.Now())
	switch {
	case of == 0:
		m.tell("this step has no hint")
		return nil
	case n == before:
		m.tell("that was the last hint; g shows the solution, for no points")
		return nil
	}
	return m.changed()
}

func (m *labModel) giveUp() tea.Cmd {
	if _, err := m.attempt.GiveUp(m.cfg.Now()); err != nil {
		m.warn(err.Error())
		return nil
	}
	m.said = ""
	m.input.set("")
	return m.changed()
}

func (m *labModel) skip() tea.Cmd {
	if err := m.attempt.Skip(m.cfg.Now()); err != nil {
		m.warn(err.Error())
		return nil
	}
	m.arrive()
	return m.changed()
}

// look goes to the next picture: of the views, over a question, of a turned knob.
func (m *labModel) look(back bool) tea.Cmd {
	by := 1
	if back {
		by = -1
	}
	s := m.attempt.Stop()
	n := len(m.shownPictures())
	switch {
	case s.Place == attempt.Looking:
		i := m.attempt.At() - s.Number + 1 // the first of them
		return m.leap(i + (s.Number-1+by+s.Of)%s.Of)
	case n == 0:
		m.tell("there is nothing to see before the run")
	case s.Place == attempt.Asking || s.Place == attempt.Explaining || s.Place == attempt.Turning || s.Step != nil:
		first := -1 // the question itself
		if m.sideBySide() {
			first = 0
		}
		m.slid = 0
		m.peek += by
		if m.peek >= n {
			m.peek = first
		} else if m.peek < first {
			m.peek = n - 1
		}
	}
	return nil
}

// shownPictures are those that belong to the stop.
func (m *labModel) shownPictures() []*labview.Picture {
	if m.attempt.Stop().Place == attempt.Turning && m.turned != nil {
		return m.turned.pictures
	}
	return m.pictures
}
