package tui

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
)

var labHelp = []string{
	"enter           answer, run, or go on: what is next here",
	"n, right        next;  p, left: back",
	"l               the list of all steps, to go to any of them;  L: all labs",
	"up, down, pgup, pgdn, home, end",
	"                scroll; of a choice, up and down choose, and so do its letters",
	"tab, shift+tab  the next, previous picture of the run; also beside a question",
	"h               a hint; again for the next one",
	"s               skip: a prediction until the run, a question for as long as",
	"                you like",
	"g               give up: shows the solution, for no points",
	"r               run it again: the same seed gives the same run",
	"k               the knob: change one number, and run again",
	"q               quit; all is saved at each answer",
	"",
	"While you type an answer, letters are text. With ctrl they are keys then:",
	"ctrl+n next, ctrl+p back, ctrl+t hint, ctrl+s skip, ctrl+g give up, ctrl+l",
	"list, ctrl+r run, ctrl+k knob. Or esc leaves the line, and i or enter goes",
	"back to it.",
}

// sideBySideFrom is from how many cells on a question has the pictures beside it.
const sideBySideFrom = 150

// sideBySide reports whether the pictures stand beside the page.
func (m *labModel) sideBySide() bool {
	if m.attempt == nil || m.width < sideBySideFrom || m.jump >= 0 || m.help {
		return false
	}
	s := m.attempt.Stop()
	return len(m.shownPictures()) > 0 && (s.Step != nil || s.Place == attempt.Turning && m.turned != nil)
}

// leftWidth is how wide the page is beside a picture.
func (m *labModel) leftWidth() int { return min(m.width*2/5, maxProse-10) }

// settle makes the page of where the learner is, and scrolls it so that what is
// new is in view.
func (m *labModel) settle() {
	width := m.width
	side := m.sideBySide()
	if side {
		width = m.leftWidth()
		m.peek = max(m.peek, 0)
	}
	height := max(m.height-2-len(m.foot(width)), 1)
	place := labPlace{peek: -1}
	var lines []string
	from, to := 0, 0
	switch {
	case m.help:
		place.help = true
		for _, l := range labHelp {
			lines = append(lines, " "+cells.Cut(l, width-2))
		}
	case m.sheet == nil:
		var at int
		lines, at = m.pickerLines(width)
		from, to = at, at+1
		if at > 0 && m.picker.at == 0 {
			from = 0
		}
	case m.jump >= 0:
		place.lab, place.jump = m.sheet.Name, true
		var at int
		lines, at = m.jumpLines(width)
		from, to = at, at+1
	case m.peek >= 0 && !side:
		place.lab, place.stop, place.peek = m.sheet.Name, m.attempt.At(), m.peek
		lines = m.picture(m.peek, m.shownPictures(), width, height)
	default:
		place.lab = m.sheet.Name
		if m.attempt != nil {
			place.stop = m.attempt.At()
		}
		lines, from, to = m.body(width, height)
		place.extra = from<<16 + to
	}
	top := m.page.top
	was := m.shown
	if was.lab != place.lab || was.stop != place.stop || was.peek != place.peek || was.jump != place.jump || was.help != place.help {
		top = 0
	}
	if to > from && was != place || place.jump || m.sheet == nil {
		if to > top+height {
			top = to - height
		}
		top = min(top, from)
	}
	m.shown = place
	m.page.lines, m.page.top = lines, top
	m.page.settle(width, height)
}

// View draws title, page, what belongs to the answer, and keys.
func (m *labModel) View() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cells.Cut("a larger window, please", max(m.width, 1))
	}
	side := m.sideBySide()
	width := m.width
	if side {
		width = m.leftWidth()
	}
	foot := m.foot(width)
	rows := max(m.height-2-len(foot), 1)
	// The line to type in follows the text, where there is room.
	lines := append(m.page.view(rows), foot...)
	lines = fill(lines, m.height-2)
	if side {
		lines = m.beside(lines, width)
	}
	lines = append([]string{m.title()}, lines...)
	lines = append(lines[:min(len(lines), m.height-1)], m.keys())
	for i, l := range lines {
		lines[i] = pad(l, m.width)
	}
	return strings.Join(lines, "\n")
}

// beside puts the picture that was chosen to the right of lines.
func (m *labModel) beside(lines []string, width int) []string {
	right := m.besideLines()
	right = right[min(m.slid, max(len(right)-len(lines), 0)):]
	bar := m.palette.Dim.Render("│")
	for i, l := range lines {
		lines[i] = pad(l, width) + bar
		if i < len(right) {
			lines[i] += right[i]
		}
	}
	return lines
}

// besideLines draws the picture that stands beside the page.
func (m *labModel) besideLines() []string {
	list := m.shownPictures()
	at := min(max(m.peek, 0), len(list)-1)
	lines := m.picture(at, list, m.width-m.leftWidth()-2, m.height-3)
	if len(list) > 1 {
		lines = append([]string{" " + m.palette.Dim.Render(fmt.Sprintf("%d of %d: %s (tab)", at+1, len(list), cells.Visible(list[at].Name)))}, lines...)
	}
	return lines
}

// title says which lab this is, and where in it.
func (m *labModel) title() string {
	p := m.palette
	left := []string{p.Accent.Render("labs")}
	var right []string
	switch {
	case m.sheet == nil:
		left = append(left, counted(len(m.picker.sheets), "lab"))
	default:
		left[0] = p.Accent.Render("lab")
		left = append(left, p.Name.Render(cells.Visible(m.sheet.Title)))
		if m.attempt == nil {
			break
		}
		left = append(left, fmt.Sprintf("%d of %d", m.attempt.At()+1, len(m.attempt.Stops())))
		got, of := m.attempt.Points()
		right = append(right, points(got)+" of "+points(of)+" points")
	}
	if m.run != nil {
		right = append([]string{p.System.Render("running")}, right...)
	}
	if where := m.page.where(); where != "" {
		right = append([]string{p.Dim.Render(where)}, right...)
	}
	if m.cfg.Learner != "" {
		right = append(right, p.Dim.Render(cells.Cut(cells.Visible(m.cfg.Learner), 20)))
	}
	return rule(m.width, left, right, p.Dim.Render)
}

// foot is what stands below the page: the line to type in, and what was said of
// the answer.
func (m *labModel) foot(width int) (lines []string) {
	p := m.palette
	if m.help || m.jump >= 0 || m.peek >= 0 && !m.sideBySide() {
		return nil
	}
	if m.sheet == nil {
		return append([]string{p.Dim.Render(strings.Repeat("─", m.width))}, indent(m.about(m.width-2))...)
	}
	if m.attempt == nil || m.run != nil && !m.run.quiet {
		return nil
	}
	if m.asking() {
		m.input.want = m.want()
		lines = append(lines, "", " "+m.input.view(width-2))
	}
	if m.said == "" {
		return lines
	}
	ink := p.Grade(0)
	if m.wrong {
		ink = p.Error
	}
	if len(lines) == 0 {
		lines = append(lines, "")
	}
	said := cells.Wrap(cells.Visible(strings.Join(strings.Fields(m.said), " ")), width-3, width-3)
	if most := max(m.height/4, 2); len(said) > most {
		said = append(said[:most-1], cells.Cut(strings.Join(said[most-1:], " "), width-3))
	}
	for _, l := range said {
		lines = append(lines, " "+ink.Render(l))
	}
	return lines
}

// want says what is to be typed.
func (m *labModel) want() string {
	s := m.attempt.Stop()
	if s.Place == attempt.Turning {
		return "a value for " + m.sheet.Knob.Variable
	}
	part := 0
	name := ""
	if s.Step.Kind == sheet.Fill {
		part = m.part(s.Step)
		name = s.Step.Blanks[part].Name + ": "
	}
	unit := s.Step.Blanks[part].Unit
	switch unit.Name {
	case "":
		return name + "a number"
	case "text":
		return name + "a word or text"
	}
	return name + "a number, in " + unit.Name
}

// keys is the line at the bottom: what can be pressed here.
func (m *labModel) keys() string {
	p := m.palette
	if m.notice != "" {
		ink := p.System
		if m.trouble {
			ink = p.Error
		}
		return rule(m.width, []string{ink.Render(cells.Visible(m.notice))}, nil, p.Dim.Render)
	}
	texts := m.keyTexts()
	var help []string
	for i, t := range texts {
		texts[i] = p.Dim.Render(t)
		if strings.HasSuffix(t, " help") { // which always has room
			help = texts[i : i+1]
			texts = texts[:i]
			break
		}
	}
	return rule(m.width, texts, help, p.Dim.Render)
}

func (m *labModel) keyTexts() []string {
	switch {
	case m.help:
		return []string{"any key closes this"}
	case m.sheet == nil:
		return []string{"enter open", "up, down choose", "? help", "q quit"}
	case m.attempt == nil:
		return []string{"esc all labs", "up, down scroll", "ctrl+c quit"}
	case m.jump >= 0:
		return []string{"enter go there", "esc back", "L all labs", "ctrl+c quit"}
	case m.run != nil && !m.run.quiet:
		return []string{"esc stop", "ctrl+c quit"}
	case m.peek >= 0 && !m.sideBySide():
		return []string{"esc back to the page", "tab next picture", "up, down scroll", "? help"}
	}
	s := m.attempt.Stop()
	if m.asking() && m.input.focused {
		return m.typingTexts(s)
	}
	tail := []string{"p back", "l list"}
	if m.attempt.Ran() {
		tail = append(tail, "r run again")
		if m.sheet.Knob != nil && s.Place != attempt.Turning {
			tail = append(tail, "k knob")
		}
	}
	tail = append(tail, "q quit", "? help")
	var keys []string
	switch {
	case m.asking():
		keys = []string{"i type", "h hint", "s skip", "g give up", "n next"}
	case m.choosing():
		last := 'a' + rune(len(s.Step.Options)) - 1
		keys = []string{fmt.Sprintf("up, down, a–%c choose", last), "enter answer", "h hint"}
		if m.attempt.Ran() {
			keys = append(keys, "tab pictures")
		}
		keys = append(keys, "s skip", "g give up")
	case s.Place == attempt.Running && m.attempt.Runs() == nil:
		keys = []string{"enter run"}
	case s.Place == attempt.Looking && s.Of > 1:
		keys = []string{"enter next", "tab next view"}
	case s.Place == attempt.Done:
		return []string{"L all labs", "l steps", "k knob", "p back", "q quit", "? help"}
	case m.unread():
		keys = []string{"enter more", "n next"}
	default:
		keys = []string{"enter next"}
	}
	return append(keys, tail...)
}

// typingTexts are the keys while there is a line to type in.
func (m *labModel) typingTexts(s attempt.Stop) []string {
	letter := func(k, what string) string {
		if m.free() {
			return k + " " + what
		}
		if k == "h" {
			k = "t" // ctrl+h is the backspace of some terminals
		}
		return "^" + strings.ToUpper(k) + " " + what
	}
	keys := []string{"enter answer", letter("h", "hint")}
	if s.Place == attempt.Turning {
		keys = []string{"enter play", letter("n", "next")}
		if m.turned != nil && m.input.value() == "" {
			keys = []string{"enter next"}
		}
	}
	if m.attempt.Ran() {
		keys = append(keys, "tab pictures")
	}
	if s.Place != attempt.Turning {
		keys = append(keys, letter("s", "skip"))
	}
	if m.attempt.Ran() && s.Place != attempt.Turning {
		keys = append(keys, "^G give up")
	}
	keys = append(keys, letter("p", "back"), letter("l", "list"))
	if m.free() {
		return append(keys, "q quit", "? help")
	}
	return append(keys, "^Q quit", "F1 help")
}
