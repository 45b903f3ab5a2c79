package verify

import (
	"io"
	"strings"
	"unicode"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

// fill says that a text can be filled in.
func (f *findings) fill(v *sheet.Variant, t sheet.Template, run string, runs measure.Runs) {
	text, err := v.TextOf(t, run, runs)
	if err != nil {
		f.add(t.Line, v, "text", "the text cannot be filled in: %v", err)
		return
	}
	last := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    ") {
			last = ""
			if line = strings.TrimRight(line, " \n"); cells.Width(line) > widest {
				f.add(t.Line, v, "wide", "the line %q has %d cells: at most %d fit a terminal", line, cells.Width(line), widest)
			}
			continue // a drawing
		}
		for _, w := range strings.Fields(line) {
			// A variable brings its unit along: "{n} messages" may be "5 messages messages".
			if w == last && len(w) > 3 && isWord(w) {
				f.add(t.Line, v, "twice"+w, "the text says %q twice in a row: a variable brings its unit along, {n | none} leaves it out", w)
			}
			last = w
		}
	}
}

// widest is how many cells of a line that is kept as it is fit a terminal of 80:
// its four blanks and what a screen puts before it count.
const widest = 78

// isWord reports whether s is letters only.
func isWord(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// texts fills in all that a step may say.
func (f *findings) texts(v *sheet.Variant, st *sheet.Step, runs measure.Runs) {
	f.fill(v, st.Ask, st.Run, runs)
	for _, t := range st.Hints {
		f.fill(v, t, st.Run, runs)
	}
	f.fill(v, st.Solution, st.Run, runs)
	for _, t := range st.Lines {
		f.fill(v, t, st.Run, runs)
	}
}

// sheetTexts fills in what belongs to no step.
func (f *findings) sheetTexts(v *sheet.Variant, runs measure.Runs) {
	f.fill(v, f.sheet.Background, "", runs)
	f.fill(v, f.sheet.Explanation, "", runs)
	for _, view := range f.sheet.Views {
		f.fill(v, view.Caption, view.Run, runs)
	}
	if f.sheet.Knob != nil {
		f.fill(v, f.sheet.Knob.Ask, "", runs)
	}
}

// views draws every picture, as text and for a page.
func (f *findings) views(v *sheet.Variant, runs measure.Runs) {
	for _, w := range f.sheet.Views {
		p, err := view.Draw(w, v, runs)
		if err == nil {
			err = p.Figure(io.Discard, "v")
		}
		if err != nil {
			f.add(w.Line, v, "view", "view %s cannot be drawn: %v", w.Name, err)
			continue
		}
		if strings.TrimSpace(p.Text(textWidth, textHeight, style.NewPalette(io.Discard, true))) == "" {
			f.add(w.Line, v, "view", "view %s shows nothing", w.Name)
		}
	}
}

// How large a terminal views are drawn for.
const textWidth, textHeight = 80, 24
