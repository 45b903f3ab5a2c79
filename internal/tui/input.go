package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/cursor"
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/cells"
	"wirelab/internal/repl"
	"wirelab/internal/style"
)

// An input is the line that the user types, with its history and completion.
// The editing is bubbles'; the drawing is not, for that writes what was pasted
// to the screen as it is.
type input struct {
	text    textinput.Model
	palette *style.Palette

	past  []string
	at    int    // in past; len(past): not there
	draft string // what was typed before going to the past

	candidates []string // of the completion under way
	choice     int
	from       int
	rest       string // behind the cursor
}

const (
	prompt  = "› "
	maxPast = 200
	// maxTyped is how many characters a message may have here. More fits an
	// event; less is what people read.
	maxTyped = 8000
)

func newInput(p *style.Palette) input {
	t := textinput.New()
	t.CharLimit = maxTyped
	t.Cursor.SetMode(cursor.CursorStatic) // a blinking one redraws the screen for nothing
	t.KeyMap.Paste.SetEnabled(false)      // the terminal pastes; this would start a program
	t.KeyMap.NextSuggestion.SetEnabled(false)
	t.KeyMap.PrevSuggestion.SetEnabled(false)
	t.KeyMap.AcceptSuggestion.SetEnabled(false)
	t.Focus()
	return input{text: t, palette: p}
}

// submit returns the line and begins a new one.
func (in *input) submit() string {
	line := in.text.Value()
	if strings.TrimSpace(line) != "" && (len(in.past) == 0 || in.past[len(in.past)-1] != line) {
		in.past = append(in.past, line)
		if len(in.past) > maxPast {
			in.past = in.past[1:]
		}
	}
	in.at, in.draft = len(in.past), ""
	in.set("")
	return line
}

func (in *input) set(line string) {
	in.text.SetValue(line)
	in.text.CursorEnd()
	in.candidates = nil
}

// browse goes through the history, to older lines if by is negative.
func (in *input) browse(by int) {
	to := in.at + by
	if to < 0 || to > len(in.past) {
		return
	}
	if in.at == len(in.past) {
		in.draft = in.text.Value()
	}
	in.at = to
	if to == len(in.past) {
		in.set(in.draft)
		return
	}
	in.set(in.past[to])
}

// complete completes the word at the cursor; again and again it goes through
// the candidates, forwards or backwards.
func (in *input) complete(known repl.Known, by int) {
	if in.candidates == nil {
		line := []rune(in.text.Value())
		pos := min(in.text.Position(), len(line))
		before := string(line[:pos])
		in.candidates, in.from = repl.Complete(before, known)
		in.rest = string(line[pos:])
		if len(in.candidates) == 0 {
			in.candidates = nil
			return
		}
		in.choice = 0
		if by < 0 {
			in.choice = len(in.candidates) - 1
		}
	} else {
		in.choice = (in.choice + by + len(in.candidates)) % len(in.candidates)
	}
	kept, from, choice, rest := in.candidates, in.from, in.choice, in.rest
	before := []byte(in.text.Value())
	head := string(before[:min(from, len(before))]) + kept[choice]
	in.text.SetValue(head + rest)
	in.text.SetCursor(len([]rune(head)))
	if len(kept) == 1 {
		kept = nil // the next completion is another one
	}
	in.candidates = kept
}

// update gives a key to the line.
func (in *input) update(msg tea.Msg) {
	in.candidates = nil
	in.text, _ = in.text.Update(msg)
}

// view draws the line, w cells wide. What would harm the screen is shown as
// marks, and sent as it was typed.
func (in *input) view(w int, focused bool) string {
	room := max(w-cells.Width(prompt), 2)
	line := []rune(in.text.Value())
	pos := min(in.text.Position(), len(line))
	before, after := cells.Visible(string(line[:pos])), cells.Visible(string(line[pos:]))
	if len(line) == 0 && focused {
		return pad(in.palette.Accent.Render(prompt)+in.cursor(" ")+in.palette.Dim.Render("a message, or /help"), w)
	}
	before = cells.CutLeft(before, room-1-min(cells.Width(after), room/4))
	after = cells.Cut(after, room-1-cells.Width(before))
	if !focused {
		return pad(in.palette.Dim.Render(prompt+before+after), w)
	}
	if after == "" {
		return pad(in.palette.Accent.Render(prompt)+before+in.cursor(" "), w)
	}
	under, rest := cells.First(after)
	return pad(in.palette.Accent.Render(prompt)+before+in.cursor(under)+rest, w)
}

// cursor draws the cursor on a character. Without colours it stands before it.
func (in *input) cursor(under string) string {
	if s := in.palette.Event.Reverse(true).Render(under); s != under {
		return s
	}
	if under == " " {
		return "█"
	}
	return "▏" + under
}

// hints lists the candidates of the completion under way, the chosen one
// marked, in at most width cells.
func (in *input) hints(width int) string {
	if len(in.candidates) < 2 {
		return ""
	}
	var b strings.Builder
	first := max(in.choice-3, 0)
	if first > 0 {
		b.WriteString("… ")
	}
	for i, c := range in.candidates[first:] {
		c = cells.Visible(strings.TrimSpace(c))
		if i+first == in.choice {
			c = "[" + c + "]"
		}
		b.WriteString(c + " ")
	}
	return cells.Cut(strings.TrimSuffix(b.String(), " "), width)
}
