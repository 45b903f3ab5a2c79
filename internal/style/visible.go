// Package style makes text fit for a terminal: [Visible] and its kin turn what
// came from the network into something that cannot move the cursor, hide or
// pose as somebody else; [Palette] has the colours; [Width], [Height] and
// [IsTerminal] ask the terminal itself.
//
// Make text safe first, then cut it to width, then colour it.
//
// On wasip1 there is no terminal, and [Visible] and its kin are all there is.
package style

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMarks is how many combining marks one letter may carry: Vietnamese
	// and Thai need 2, pointed Hebrew with cantillation 4. More climb into the
	// rows above and below.
	maxMarks = 4
	// maxJoins is how many joiners one emoji may have: the longest in use have
	// 3 (kiss, family). Each makes a sequence wider where it is not supported.
	maxJoins = 3
	tabWidth = 4

	joiner      = '\u200d' // ZERO WIDTH JOINER
	textStyle   = '\ufe0e' // VARIATION SELECTOR-15
	pictorially = '\ufe0f' // VARIATION SELECTOR-16
)

// Visible returns s with every character that a terminal would obey, hide or
// misplace shown as a mark, so that the result stays on one line and shows all
// that is in s:
//
//   - control characters as their pictures: ESC is ␛, CR ␍, LF ␊, TAB ␉, DEL ␡;
//   - C1 controls, bidi controls, zero-width and other format characters, line
//     separators, fillers, tags, variation selectors, private and unassigned
//     characters as ‹U+202E›;
//   - bytes that are not UTF-8 as ‹0xFF›;
//   - combining marks with nothing to sit on, or more than four on a letter,
//     as ‹U+0301› or, if many, as ‹+96 marks›.
//
// Letters of all scripts, combining marks, and emoji with their joiners and
// selectors stay. Joiners between letters (Persian, Indic scripts) become
// marks: nothing invisible passes. Visible(Visible(s)) equals Visible(s). Text
// that needs no mark comes back as it is, without an allocation.
func Visible(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i]-0x20 >= 0x5f {
			return visible(s, i)
		}
	}
	return s
}

// visible is Visible for an s that is printable ASCII up to i.
func visible(s string, i int) string {
	var (
		out  strings.Builder
		kept int // s[:kept] is in out
		c    cluster
	)
	// The last ASCII character may be the base of what follows.
	if i > 0 {
		i--
	}
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < 0x7f && r >= 0x20 {
			c = cluster{base: true, selectable: r >= '0' && r <= '9' || r == '#' || r == '*'}
			i += n
			continue
		}
		var mark string
		switch {
		case r == utf8.RuneError && n == 1:
			mark = fmt.Sprintf("‹0x%02X›", s[i])
		case r < 0x20:
			mark = string('␀' + r)
		case r == 0x7f:
			mark = "␡"
		default:
			next, _ := utf8.DecodeRuneInString(s[i+n:])
			if c.take(r, next) {
				i += n
				continue
			}
			mark = fmt.Sprintf("‹U+%04X›", r)
			if combining(r) {
				// One mark for the whole run, or a few bytes of them would
				// fill the screen.
				count := 1
				for {
					r, more := utf8.DecodeRuneInString(s[i+n:])
					if !combining(r) {
						break
					}
					n += more
					count++
				}
				if count > 1 {
					mark = fmt.Sprintf("‹+%d marks›", count)
				}
			}
		}
		if out.Len() == 0 {
			out.Grow(len(s) + len(s)/4 + 16)
		}
		out.WriteString(s[kept:i])
		out.WriteString(mark)
		i += n
		kept = i
		c = cluster{} // nothing may combine with a mark of ours
	}
	if out.Len() == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

// A cluster is what was seen of the user-perceived character under way.
type cluster struct {
	base       bool // something visible to combine with
	marks      int  // combining marks on it
	selectable bool // a variation selector may follow
	joinable   bool // an emoji, so that a joiner may follow
	joined     bool // the last was a joiner
	joins      int  // joiners in it
}

// take reports whether r, which next follows, can stand as it is, and if so
// adds it to the cluster.
func (c *cluster) take(r, next rune) bool {
	switch {
	case r == textStyle || r == pictorially:
		ok := c.selectable
		c.selectable = false
		return ok
	case r == joiner:
		if !c.joinable || c.joins == maxJoins || !unicode.Is(pictographs, next) {
			return false
		}
		*c = cluster{joined: true, joins: c.joins + 1}
		return true
	case unicode.Is(pictographs, r):
		joins := 0
		if c.joined {
			joins = c.joins
		}
		*c = cluster{base: true, selectable: true, joinable: true, joins: joins}
		return true
	case combining(r):
		if !c.base || c.marks == maxMarks {
			return false
		}
		c.marks++
		c.joinable, c.selectable = false, false
		return true
	case !unicode.IsGraphic(r) || ignorable(r):
		return false
	}
	*c = cluster{base: true, selectable: r == '©' || r == '®'}
	return true
}

// combining reports whether r takes no room of its own but sits on what comes
// before it: the marks, and the medial and final letters of Hangul syllables.
func combining(r rune) bool {
	return r >= 0x300 && (unicode.Is(unicode.M, r) || r > 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7ff && unicode.IsLetter(r)) &&
		!ignorable(r)
}

// ignorable reports whether r, though of a visible category, shows nothing.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// pictographs holds what may be an emoji, and what will be (Unicode reserves
// the rest of the last block for it: new ones come each year). It is coarser
// than the property Extended_Pictographic: a symbol more does no harm.
var pictographs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x203c, 0x203c, 1}, {0x2049, 0x2049, 1}, {0x2122, 0x2122, 1}, {0x2139, 0x2139, 1},
		{0x2190, 0x21ff, 1}, {0x2300, 0x23ff, 1}, {0x24c2, 0x24c2, 1}, {0x25a0, 0x27bf, 1},
		{0x2900, 0x297f, 1}, {0x2b00, 0x2b73, 1}, {0x3030, 0x3030, 1}, {0x303d, 0x303d, 1},
		{0x3297, 0x3297, 1}, {0x3299, 0x3299, 1},
	},
	R32: []unicode.Range32{{0x1f000, 0x1f1e5, 1}, {0x1f200, 0x1faff, 1}}, // between them: letters of flags
}

// Lines is [Visible] for text of several lines: a line break (LF or CR LF)
// stays one, and each line after the first starts with indent, so that none
// can pass for a line of its own; an empty indent is two spaces. A tab becomes
// four spaces. On a terminal wrap the lines too (internal/cells): where the
// terminal does it by itself, the rest of a long line starts at the edge.
func Lines(s, indent string) string {
	if !strings.ContainsAny(s, "\n\t") {
		return Visible(s)
	}
	if indent == "" {
		indent = "  "
	}
	var out strings.Builder
	out.Grow(len(s) + len(s)/4)
	for i, line := range splitLines(s) {
		if i > 0 {
			out.WriteByte('\n')
			out.WriteString(indent)
		}
		out.WriteString(line)
	}
	return out.String()
}

// splitLines cuts s at its line breaks and makes each line visible.
func splitLines(s string) []string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i < len(lines)-1 {
			line = strings.TrimSuffix(line, "\r")
		}
		lines[i] = Visible(strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabWidth)))
	}
	return lines
}
