package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

// A labPicker is the list of labs, by theme.
type labPicker struct {
	sheets []*sheet.Sheet // in the order that is shown
	at     int            // the chosen one
}

func newLabPicker(all []*sheet.Sheet) labPicker {
	var p labPicker
	seen := map[sheet.Theme]bool{}
	add := func(t sheet.Theme) {
		for _, s := range all {
			if s.Theme == t && !seen[t] {
				p.sheets = append(p.sheets, s)
			}
		}
		seen[t] = true
	}
	for _, t := range sheet.Themes() {
		add(t)
	}
	for _, s := range all { // of themes that are not in the course
		add(s.Theme)
	}
	return p
}

// choose puts the cursor on a lab.
func (p *labPicker) choose(name string) {
	for i, s := range p.sheets {
		if s.Name == name {
			p.at = i
		}
	}
}

// pick does what a key is for in the list of labs.
func (m *labModel) pick(k tea.KeyMsg) tea.Cmd {
	p := &m.picker
	switch name := k.String(); name {
	case "q", "esc":
		return m.quit()
	case "?":
		m.help = true
	case "enter", "right":
		if p.at < len(p.sheets) {
			return m.open(p.sheets[p.at])
		}
	default:
		p.at = moved(name, p.at, len(p.sheets), max(m.height-6, 1))
	}
	return nil
}

// pickerLines draws the list: a line for each theme and each lab, and which line
// is the chosen one.
func (m *labModel) pickerLines(width int) (lines []string, at int) {
	p := m.palette
	if len(m.picker.sheets) == 0 {
		return []string{" " + p.System.Render("There are no labs.")}, 0
	}
	names, titles := 0, 0
	for _, s := range m.picker.sheets {
		names = max(names, cells.Width(s.Name))
		titles = max(titles, cells.Width(s.Title))
	}
	names = min(names, 22)
	titles = min(titles, max(width-names-38, 10))
	var theme sheet.Theme
	for i, s := range m.picker.sheets {
		if i == 0 || s.Theme != theme {
			theme = s.Theme
			if i > 0 && m.height >= 40 {
				lines = append(lines, "")
			}
			lines = append(lines, " "+p.Dim.Render(cells.Visible(string(theme))))
		}
		sign, progress := m.standing(s)
		lead, ink := "   ", p.Event
		if i == m.picker.at {
			lead, ink, at = " ▸ ", p.Accent, len(lines)
		}
		line := lead + sign + " " + ink.Render(cells.Pad(cells.Visible(s.Name), names)) + "  " + cells.Pad(cells.Visible(s.Title), titles) +
			p.Dim.Render(fmt.Sprintf("  %3d min  ", s.Minutes)) + progress
		lines = append(lines, cut(line, width-1))
	}
	return lines, at
}

// standing is how far the learner is in a lab: a sign, and words.
func (m *labModel) standing(s *sheet.Sheet) (sign, words string) {
	p := m.palette
	r := m.records[s.Name]
	good := labview.Good.Style(p)
	switch {
	case r == nil:
		return "·", ""
	case s.Kind == sheet.Build:
		text := fmt.Sprintf("%d of %d stages", r.Stages, len(s.Stages))
		if r.Stages >= len(s.Stages) && r.Stages > 0 {
			return good.Render("✓"), good.Render(text)
		}
		return "…", text
	case r.Skipped:
		return p.Dim.Render("–"), p.Dim.Render("skipped")
	case !r.Ended.IsZero():
		return good.Render("✓"), good.Render(points(r.Points) + " of " + points(r.Of) + " points")
	}
	return p.Accent.Render("…"), "at the " + string(r.Place)
}

// about says more of the chosen lab.
func (m *labModel) about(width int) []string {
	if m.picker.at >= len(m.picker.sheets) {
		return nil
	}
	s := m.picker.sheets[m.picker.at]
	text := s.Title
	if len(s.After) > 0 {
		var after []string
		for _, name := range s.After {
			if r := m.records[name]; r != nil && !r.Ended.IsZero() {
				name += " ✓"
			}
			after = append(after, name)
		}
		text += "; after " + strings.Join(after, ", ")
	}
	if s.Kind == sheet.Build {
		text += "; you write the program, in any language"
	}
	return []string{cells.Cut(cells.Visible(text), width)}
}

// jumping does what a key is for in the list of steps.
func (m *labModel) jumping(k string) tea.Cmd {
	stops := m.attempt.Stops()
	switch k {
	case "esc", "l", "q":
		m.jump = -1
	case "enter", "right":
		return m.leap(m.jump)
	case "L":
		m.close()
	case "?":
		m.help = true
	default:
		m.jump = moved(k, m.jump, len(stops), max(m.height-4, 1))
	}
	return nil
}

// jumpLines draws the list of steps.
func (m *labModel) jumpLines(width int) (lines []string, at int) {
	p := m.palette
	for i, s := range m.attempt.Stops() {
		lead, ink := "   ", p.Event
		if i == m.jump {
			lead, ink, at = " ▸ ", p.Accent, i
		}
		status := ""
		if s.Step != nil {
			word, shade := labview.Words(m.attempt.Work(s.Step).Status)
			status = shade.Style(p).Render(word)
		} else if i < m.attempt.At() || s.Place == attempt.Running && m.attempt.Ran() {
			status = p.Dim.Render("✓")
		}
		here := " "
		if i == m.attempt.At() {
			here = "•"
		}
		lines = append(lines, lead+here+" "+ink.Render(cells.Pad(cells.Visible(labelOf(s)), min(width-22, 44)))+"  "+status)
	}
	return lines, at
}
