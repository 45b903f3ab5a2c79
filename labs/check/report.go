package check

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// plainText reports whether b is one line of text that needs no quotes.
func plainText(b []byte) bool {
	s := string(b)
	return len(b) > 0 && utf8.ValidString(s) && style.Visible(s) == s
}

// quote spells bytes as a string of Go, cut after most of them.
func quote(b []byte, most int) string { return quoteOf(b, len(b), most) }

// quoteOf is quote of the beginning b of size bytes.
func quoteOf(b []byte, size, most int) string {
	if size > min(len(b), most) {
		return fmt.Sprintf("%q… (%d bytes)", b[:min(len(b), most)], size)
	}
	return fmt.Sprintf("%q", b)
}

// hexLine is how many bytes a line of a dump shows.
const hexLine = 16

// hexdump returns the lines of a dump of b around the place at, each with its
// offset, its bytes and what they are in ASCII; a line after the one with the
// place at has a mark under it. at < 0 marks nothing.
func hexdump(b []byte, at int) []string {
	const before, after = 1, 2 // lines
	from, to := 0, (len(b)+hexLine-1)/hexLine
	if at >= 0 {
		from, to = max(0, at/hexLine-before), min(max(to, at/hexLine+1), at/hexLine+1+after)
	} else {
		to = min(to, 1+before+after)
	}
	var all []string
	for i := from; i < to; i++ {
		part := b[min(i*hexLine, len(b)):min((i+1)*hexLine, len(b))]
		var hex, text strings.Builder
		for j := range hexLine {
			if j == hexLine/2 {
				hex.WriteByte(' ')
			}
			if j >= len(part) {
				hex.WriteString("   ")
				continue
			}
			fmt.Fprintf(&hex, "%02x ", part[j])
			c := part[j]
			if c < ' ' || c > '~' {
				c = '.'
			}
			text.WriteByte(c)
		}
		all = append(all, fmt.Sprintf("%04x  %s %s", i*hexLine, hex.String(), text.String()))
		if at >= 0 && at/hexLine == i {
			col := at % hexLine
			pad := 6 + 3*col + col/(hexLine/2)
			all = append(all, strings.Repeat(" ", pad)+"^^")
		}
	}
	return all
}

// Write writes a failure for people, in lines of at most width cells: what was
// expected and what came, where they differ, what passed before, the program's
// output, the hint. The ladder is not part of it.
func (f *Failure) Write(w io.Writer, width int, p *style.Palette) error {
	r := &writer{width: max(width, 40), p: p}
	r.line(p.Error, "%s: %s", f.Kind, f.What)
	if f.Text != "" {
		r.field("statement", fmt.Sprintf("%s   (line %d of the lab)", f.Text, f.Line))
	}
	f.writeVerdict(r)
	if f.Waited > 0 {
		r.field("waited", round(f.Waited).String())
	}
	if f.Random {
		f.writeFaults(r)
	}
	if len(f.Before) > 0 && f.Ladder == nil {
		r.line(p.Dim, "before, the last of what passed:")
		for _, e := range f.Before {
			r.block([]string{exchangeText(&e)})
		}
	}
	for _, n := range f.Notes {
		r.field("note", n)
	}
	if out := tail(f.Output, 12); len(out) > 0 {
		r.line(p.Dim, "the program's output, its end:")
		for _, l := range out {
			r.block([]string{"| " + l})
		}
	}
	for _, h := range f.Hints {
		r.field("hint", h)
	}
	_, err := io.WriteString(w, r.b.String())
	return err
}

// writeVerdict writes what was expected, what came, and where they differ.
func (f *Failure) writeVerdict(r *writer) {
	switch {
	case f.WantText != "":
		r.field("expected", f.WantText)
	case f.compared || len(f.Want) > 0:
		r.field("expected", quote(f.Want, 96))
	}
	switch {
	case f.compared || len(f.Got) > 0:
		r.field("came", quote(f.Got, 96))
	case f.WantText != "" && f.Kind != TooLate:
		r.field("came", "nothing")
	}
	switch {
	case f.compared && f.At < len(f.Got):
		want := "nothing"
		if f.At < len(f.Want) {
			want = fmt.Sprintf("%02x", f.Want[f.At])
		}
		r.field("first wrong", fmt.Sprintf("byte %d: want %s, came %02x", f.At+1, want, f.Got[f.At]))
		r.block(hexdump(f.Got, f.At))
	case len(f.Got) > 0 && !plainText(f.Got):
		r.block(hexdump(f.Got, -1))
	}
}

// words returns the verdict as text without line breaks within a field: what the
// comment of a wrong program is held against.
func (f *Failure) words() string {
	r := &writer{width: 1 << 20, p: style.NewPalette(io.Discard, true)}
	f.writeVerdict(r)
	return f.Error() + "\n" + r.b.String()
}

// writeFaults writes under which faults it fails.
func (f *Failure) writeFaults(r *writer) {
	text := FaultText(f.Faults)
	if len(f.Faults) > 1 {
		text += "; none of them can be left out"
	}
	r.field("faults", text)
	switch {
	case f.Failing == f.Tried:
		r.field("repeated", fmt.Sprintf("it fails each time: %d of %d", f.Failing, f.Tried))
	case f.Failing == 0:
		r.field("repeated", fmt.Sprintf("it failed once, and then not again in %d times", f.Tried))
	default:
		r.field("repeated", fmt.Sprintf("it fails sometimes: %d of %d", f.Failing, f.Tried))
	}
}

// exchangeText is one line about what passed.
func exchangeText(e *Exchange) string {
	arrow := "<"
	if e.Up {
		arrow = ">"
	}
	text := e.Do
	if text == "" {
		text = quoteOf(e.Data, e.Size, 40)
	}
	switch {
	case e.Lost != "":
		text += "   ✗ " + e.Lost
	case len(e.Arrived) > 1:
		text += "   arrived twice"
	}
	name := e.Name
	if name == "" {
		name = "*"
	}
	return fmt.Sprintf("%8s  %s %s %s", round(e.At).String(), name, arrow, text)
}

// tail returns the last n lines of a program's output.
func tail(b []byte, n int) []string {
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}

// A writer lays a failure out. What it is given may hold anything.
type writer struct {
	b     strings.Builder
	width int
	p     *style.Palette
}

const fieldWidth = 14

// field writes a name and a text beside it.
func (r *writer) field(name, text string) {
	for i, part := range cells.Wrap(cells.Visible(text), r.width-fieldWidth, r.width-fieldWidth) {
		if i > 0 {
			name = ""
		}
		r.b.WriteString("  " + r.p.Dim.Render(cells.Pad(name, fieldWidth-2)) + strings.TrimRight(part, " ") + "\n")
	}
}

func (r *writer) block(lines []string) {
	for _, l := range lines {
		r.b.WriteString(strings.Repeat(" ", 4) + cells.Cut(strings.TrimRight(cells.Visible(l), " "), r.width-4) + "\n")
	}
}

func (r *writer) line(ink interface{ Render(...string) string }, format string, args ...any) {
	for i, part := range cells.Wrap(cells.Visible(fmt.Sprintf(format, args...)), r.width-2, r.width-4) {
		indent := "  "
		if i > 0 {
			indent = "    "
		}
		r.b.WriteString(indent + ink.Render(part) + "\n")
	}
}
