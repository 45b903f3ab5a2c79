package compare

import "wirelab/internal/cells"

// A verdict is one of the four kinds of what a run can show.
type verdict struct {
	example Guarantee
	words   string
	meaning string
}

// verdicts returns them from the best to the worst, in the chat's own words.
func verdicts() []verdict {
	return []verdict{
		{Guarantee{}, "effectively once, in order", "each was delivered once, in the order of sending"},
		{Guarantee{Duplicated: true}, "at least once, or out of order", "none lost; some twice, or after a later one"},
		{Guarantee{Lost: true}, "at most once, reported loss", "some are missing; receiver or sender was told"},
		{Guarantee{Lost: true, Unreported: true}, "at most once, silent loss", "some are missing, and nobody was told"},
	}
}

// noPromise says what a report of measurements must not be taken for.
const noPromise = "What the runs showed is no promise: a lucky run shows more than a guarantee."

// legend explains the signs that occur.
func (m *Matrix) legend(p *page, v *View) {
	occurs := make(map[int]bool)
	for _, row := range m.Rows {
		for i := range row.Cells {
			if len(row.Cells[i].Runs) > 0 {
				occurs[row.Cells[i].Guarantee().grade()] = true
			}
		}
	}
	for _, w := range verdicts() {
		g := w.example.grade()
		if !occurs[g] {
			continue
		}
		head := v.Palette.Grade(g).Render(w.example.Sign()) + " "
		p.text(v.Palette.Event.Render, head, w.words+": "+w.meaning)
	}
	const note, head = "What the runs showed, no promise.", "again: "
	if v.Command != "" && cells.Width(note+"  "+head+cells.Visible(v.Command)) <= v.Width {
		p.text(v.Palette.Dim.Render, "", note+"  "+head+v.Command)
		return
	}
	p.text(v.Palette.Dim.Render, "", note)
	p.again(v)
}

// again says how to see the same once more.
func (p *page) again(v *View) {
	if v.Command != "" {
		p.text(v.Palette.Dim.Render, v.Palette.Dim.Render("again: "), v.Command)
	}
}
