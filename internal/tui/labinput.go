package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// A labInput is the line that an answer is typed in. It edits as the chat's line
// does.
type labInput struct {
	input
	focused bool   // letters are text; else they are commands
	want    string // what is to be typed, shown while the line is empty
}

// maxAnswer is how many characters an answer may have.
const maxAnswer = 200

func newLabInput(p *style.Palette) labInput {
	in := labInput{input: newInput(p), focused: true}
	in.text.CharLimit = maxAnswer
	return in
}

func (in *labInput) update(msg tea.Msg) {
	in.text, _ = in.text.Update(msg)
}

func (in *labInput) value() string { return in.text.Value() }

// view draws the line, w cells wide.
func (in *labInput) view(w int) string {
	if in.value() != "" {
		return in.input.view(w, in.focused)
	}
	if !in.focused {
		return pad(in.palette.Dim.Render(prompt+cells.Cut(in.want, max(w-4, 1))), w)
	}
	return pad(in.palette.Accent.Render(prompt)+in.cursor(" ")+in.palette.Dim.Render(cells.Cut(in.want, max(w-4, 1))), w)
}
