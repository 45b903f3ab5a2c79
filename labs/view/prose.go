package view

import (
	"strings"

	"wirelab/internal/cells"
)

// keptIndent is how many blanks begin a line that is kept as it is.
const keptIndent = "    "

// A paragraph is a run of text to be filled, or lines that are kept.
type paragraph struct {
	text string
	kept []string
}

// paragraphs takes a sheet's text apart. Its lines are safe to print.
func paragraphs(text string) (list []paragraph) {
	var words []string
	flush := func() {
		if len(words) > 0 {
			list = append(list, paragraph{text: visible(strings.Join(words, " "))})
			words = nil
		}
	}
	for _, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			flush()
			// An empty line among kept ones stays.
			if n := len(list); n > 0 && list[n-1].kept != nil {
				list[n-1].kept = append(list[n-1].kept, "")
			}
		case strings.HasPrefix(line, keptIndent):
			flush()
			line = cells.Visible(strings.TrimRight(strings.ReplaceAll(line, "\t", keptIndent), " "))
			if n := len(list); n > 0 && list[n-1].kept != nil {
				list[n-1].kept = append(list[n-1].kept, line)
			} else {
				list = append(list, paragraph{kept: []string{line}})
			}
		default:
			words = append(words, line)
		}
	}
	flush()
	for i := range list {
		k := list[i].kept
		for len(k) > 0 && k[len(k)-1] == "" {
			k = k[:len(k)-1]
		}
		list[i].kept = k
	}
	return list
}

// Prose lays a sheet's text out for a terminal: paragraphs are filled, with an
// empty line between them; lines that begin with four blanks are kept, and cut if
// they are too long.
func Prose(text string, width int) (lines []string) {
	for i, p := range paragraphs(text) {
		if i > 0 {
			lines = append(lines, "")
		}
		if p.kept == nil {
			lines = append(lines, cells.Wrap(p.text, width, width)...)
			continue
		}
		for _, l := range p.kept {
			lines = append(lines, cells.Cut(l, width))
		}
	}
	return lines
}

// ProseHTML lays a sheet's text out for a page: paragraphs, and pre for lines that
// are kept.
func ProseHTML(text string) string {
	var b strings.Builder
	for _, p := range paragraphs(text) {
		if p.kept == nil {
			b.WriteString("<p>" + escaped(p.text) + "</p>\n")
			continue
		}
		b.WriteString("<pre class=\"view\">")
		for _, l := range p.kept {
			b.WriteString(escaped(strings.TrimPrefix(l, keptIndent)) + "\n")
		}
		b.WriteString("</pre>\n")
	}
	return b.String()
}
