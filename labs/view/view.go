// Package view draws what a lab shows of its runs: the ladder of a recorded
// link, a plot, a table, bars, one packet's layers, its bytes; and the tables
// that set what was predicted beside what theory says and what the run gave.
//
// A [Picture] is a view whose values are worked out. It draws itself for a
// terminal of any size, without playing anything again, and as markup for a
// page: ladder, plot and bars as SVG, all others as HTML. Text from packets and
// from the sheet is made visible and is escaped. A Picture does not change, and
// may be drawn by several goroutines at a time.
package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// A Picture is one view of a run.
type Picture struct {
	Name    string // of the view in its sheet
	Kind    string // ladder, plot, table, bars, layers or hex
	Caption string // what there is to see, one paragraph; safe to print

	drawing
}

// A drawing is what a kind of view draws with.
type drawing interface {
	// text returns lines of at most width cells. A plot has height lines, all
	// others have what they need.
	text(width, height int, palette *style.Palette) []string
	// svg reports whether markup writes an SVG; else it writes HTML.
	svg() bool
	markup(w io.Writer) error
}

// The size that Text draws for at least.
const (
	leastWidth  = 60
	leastHeight = 12
)

// Text draws the picture for a terminal in lines of at most width cells, at
// least 60. A plot takes height lines, at least 12; other pictures take what they
// need. Each line ends with a line break. The caption is not in it.
func (p *Picture) Text(width, height int, palette *style.Palette) string {
	var b strings.Builder
	for _, line := range p.text(max(width, leastWidth), max(height, leastHeight), palette) {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// IsSVG reports whether Markup writes an SVG file; else it writes a piece of
// HTML.
func (p *Picture) IsSVG() bool { return p.svg() }

// Markup writes the picture for a page: an SVG that can stand in a file of its
// own, or a piece of HTML (a table or a pre), for which CSS has the looks. It
// needs no network, no script and no font.
func (p *Picture) Markup(w io.Writer) error { return p.markup(w) }

// Figure writes the picture as an HTML figure with its caption. id must be
// unique in the page, and a word of letters, digits and hyphens that begins with
// a letter: with it an SVG's styles stay its own.
func (p *Picture) Figure(w io.Writer, id string) error {
	var b bytes.Buffer
	if err := p.markup(&b); err != nil {
		return err
	}
	body := b.Bytes()
	if p.svg() {
		body = Scoped(body, id)
	}
	_, err := fmt.Fprintf(w, "<figure class=\"view\">\n%s<figcaption>%s</figcaption>\n</figure>\n", body, escaped(p.Caption))
	return err
}

// pre draws lines that were made for a terminal without colours.
func pre(w io.Writer, lines []string) error {
	var b strings.Builder
	b.WriteString("<pre class=\"view\">")
	for _, l := range lines {
		b.WriteString(escaped(strings.TrimRight(l, " ")))
		b.WriteByte('\n')
	}
	b.WriteString("</pre>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// visible makes text safe and one line: runs of white space become a blank.
func visible(s string) string { return cells.Visible(strings.Join(strings.Fields(s), " ")) }
