package show

import (
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/packets/layer"
)

// Stairs returns the packet as the textbooks draw it: the message at the top,
// and below it, layer by layer, what each puts before it. It is not to scale.
//
//	                          ┌──────┬─────────┐
//	7 application  …          │ chat │ message │
//	                   ┌──────┼──────┴─────────┤
//	4 transport        │ TCP  │ payload        │
//	                   └──────┴────────────────┘
func (v Picture) Stairs(layers []layer.Layer) []string {
	all := parts(layers)
	steps := steps(all)
	room := v.width() - leftWidth
	widths := stairWidths(steps, room)
	lines := []string{v.Palette.Dim.Render(cells.Pad("OSI", osiWidth) + cells.Pad("TCP/IP", tcpWidth) +
		"what each puts before it, in bytes (not to scale)")}
	// The rows from 7 down to 1; a step stands in the row of its layer, and its
	// borders go on through rows of layers that TCP/IP does not have.
	blank := strings.Repeat(" ", leftWidth)
	below, above := len(steps)-1, -1
	for osi := 7; osi >= 1; osi-- {
		label := v.label(osi)
		drawn := false
		for ; below >= 0 && steps[below].osi == osi; below-- {
			lines = append(lines, blank+v.lid(steps, widths, below, above, room), label+v.row(steps, widths, below, room))
			label = blank
			above, drawn = below, true
		}
		switch {
		case drawn:
		case osi == 1:
			label += v.Palette.Dim.Render(cells.Cut(fmt.Sprintf("%d bits, one after the other", 8*total(layers)), room))
		case above < 0 && osi == 7:
			label += v.Palette.Dim.Render("(no message)")
		case below < 0 && osi == 2:
			label += v.Palette.Dim.Render("(its header is not in the capture)")
		case above >= 0 && below >= 0:
			label += v.walls(steps, widths, above, room)
		}
		lines = append(lines, undrawn(drawn, label)...)
		if below < 0 && above >= 0 {
			lines = append(lines, blank+v.lid(steps, widths, -1, above, room))
			above = -1
		}
	}
	return lines
}

// undrawn is the line of a row in which no step stands.
func undrawn(drawn bool, label string) []string {
	if drawn {
		return nil
	}
	return []string{strings.TrimRight(label, " ")}
}

// walls are the borders of step i in a row below it.
func (v Picture) walls(s []step, w []int, i, room int) string {
	line := []rune(strings.Repeat(" ", room))
	for _, c := range splits(s, w, i, room) {
		line[c] = '│'
	}
	return string(line)
}

func total(layers []layer.Layer) (n int) {
	for _, l := range layers {
		n = max(n, l.Off+l.Len)
	}
	return n
}

// label is what stands at the left of a row: OSI's name and TCP/IP's.
func (v Picture) label(osi int) string {
	tcpip := ""
	switch osi {
	case 7:
		tcpip = "┐"
	case 6:
		tcpip = "├ application"
	case 5:
		tcpip = "┘"
	case 4:
		tcpip = "─ transport"
	case 3:
		tcpip = "─ internet"
	case 2:
		tcpip = "┐ link"
	case 1:
		tcpip = "┘"
	}
	return cells.Pad(fmt.Sprintf("%d %s", osi, osiNames[osi]), osiWidth) + cells.Pad(tcpip, tcpWidth)
}

// A step is a row of the stairs: layers that lie beside each other, such as
// three frames in a segment, or one that carries the steps after it.
type step struct {
	osi   int
	parts []part
}

// steps sorts layers into rows. What begins after another's end is beside it.
func steps(all []part) []step {
	var s []step
	for _, p := range all {
		if p.Abbrev == "trailer" {
			continue // behind all: it has no step
		}
		if n := len(s); n > 0 {
			last := s[n-1].parts[len(s[n-1].parts)-1]
			if p.Off >= last.Off+last.Len && p.OSI == s[n-1].osi {
				s[n-1].parts = append(s[n-1].parts, p)
				continue
			}
			if p.Abbrev == "data" && p.OSI != 7 { // what a message of the same layer carries
				p.OSI = s[n-1].osi
			}
		}
		s = append(s, step{osi: p.OSI, parts: []part{p}})
	}
	// Rows go up the layers; a layer that is lower than the one that carries it
	// stands beside it, one row up.
	for i := 1; i < len(s); i++ {
		s[i].osi = max(s[i].osi, s[i-1].osi)
	}
	return s
}

// text is what stands in the cell of a step's header, and of what it carries.
func (s *step) text() (head, rest string) {
	if len(s.parts) > 1 {
		return "", ""
	}
	p := &s.parts[0]
	if p.HeaderLen > 0 {
		head = fmt.Sprintf("%s %d", shortName(&p.Layer), p.HeaderLen)
	}
	switch n := payload(&p.Layer); {
	case n == 0:
	case p.HeaderLen == 0:
		rest = fmt.Sprintf("%s %d", strings.ToLower(p.Name), n)
	case p.OSI == 7:
		rest = fmt.Sprintf("message %d", n)
	default:
		rest = fmt.Sprintf("payload %d", n)
	}
	return head, rest
}

// stairWidths is how wide each step's header is, with one border; the topmost
// step has what is left.
func stairWidths(s []step, room int) []int {
	w := make([]int, len(s))
	left := room - 1
	for i := range s {
		if i == len(s)-1 {
			break
		}
		head, _ := s[i].text()
		w[i] = max(cells.Width(head)+3, 4)
		left -= w[i]
	}
	// Too many headers: the same for each.
	if least := 12; len(s) > 1 && left < least {
		each := max((room-1-least)/(len(s)-1), 2)
		for i := range len(s) - 1 {
			w[i] = each
		}
	}
	return w
}

// start is where step i begins.
func start(w []int, i int) (at int) {
	for _, n := range w[:i] {
		at += n
	}
	return at
}

// splits are the columns of the borders inside and around step i's row.
func splits(s []step, w []int, i, room int) []int {
	at := start(w, i)
	cols := []int{at}
	end := room - 1
	switch st := &s[i]; {
	case len(st.parts) > 1:
		// Beside each other, by their bytes, but each wide enough to be seen.
		n := len(st.parts)
		space := end - at
		least := min(11, space/n) // "│ chat 117 "
		if least < 3 {
			break
		}
		all := 0
		for _, p := range st.parts {
			all += p.Len
		}
		spare := space - least*n
		done := 0
		for k := range n - 1 {
			done += st.parts[k].Len
			cols = append(cols, at+least*(k+1)+spare*done/max(all, 1))
		}
	case i < len(s)-1:
		cols = append(cols, at+w[i])
	default:
		head, rest := st.text()
		if head != "" && rest != "" {
			cut := min(cells.Width(head)+3, (end-at)/2)
			cols = append(cols, at+cut)
		}
	}
	return append(cols, end)
}

// lid is the line between the step below and the one above it; −1 is none.
func (v Picture) lid(s []step, w []int, below, above, room int) string {
	line := make([]rune, room)
	for i := range line {
		line[i] = ' '
	}
	// up and down say which borders touch the line at a column.
	up, down := map[int]bool{}, map[int]bool{}
	from := room
	if above >= 0 {
		for _, c := range splits(s, w, above, room) {
			up[c] = true
			from = min(from, c)
		}
	}
	if below >= 0 {
		for _, c := range splits(s, w, below, room) {
			down[c] = true
			from = min(from, c)
		}
	}
	for c := from; c < room; c++ {
		line[c] = '─'
		left, right := c == from, c == room-1
		switch {
		case up[c] && down[c] && left:
			line[c] = '├'
		case up[c] && down[c] && right:
			line[c] = '┤'
		case up[c] && down[c]:
			line[c] = '┼'
		case down[c] && left:
			line[c] = '┌'
		case down[c] && right:
			line[c] = '┐'
		case down[c]:
			line[c] = '┬'
		case up[c] && left:
			line[c] = '└'
		case up[c] && right:
			line[c] = '┘'
		case up[c]:
			line[c] = '┴'
		}
	}
	return string(line)
}

// row is the line of step i with its texts.
func (v Picture) row(s []step, w []int, i, room int) string {
	cols := splits(s, w, i, room)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", cols[0]))
	head, rest := s[i].text()
	for k := range len(cols) - 1 {
		b.WriteString("│")
		space := cols[k+1] - cols[k] - 1
		text, p := "", s[i].parts[min(k, len(s[i].parts)-1)]
		style := v.Palette.Field(p.colour)
		switch {
		case len(s[i].parts) > 1 && len(cols) == 2:
			text = fmt.Sprintf("%d × %s", len(s[i].parts), shortName(&p.Layer))
		case len(s[i].parts) > 1:
			text = fmt.Sprintf("%s %d", shortName(&p.Layer), p.Len)
		case k == 0 && head != "":
			text = head
		default:
			text, style = rest, v.Palette.Event
			if p.HeaderLen == 0 {
				style = v.Palette.Field(p.colour)
			}
		}
		text = cells.Cut(cells.Visible(text), max(space-2, 0))
		pad := space - cells.Width(text)
		lead := min(1, pad)
		b.WriteString(strings.Repeat(" ", lead) + style.Render(text) + strings.Repeat(" ", pad-lead))
	}
	b.WriteString("│")
	return b.String()
}
