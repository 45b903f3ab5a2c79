package show

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/packets/layer"
)

// Boxes returns the layers as boxes in each other, with every field: at the
// left where its bytes are, then the bytes in hex, or its bits, the name and
// the value.
func (v Picture) Boxes(layers []layer.Layer, data []byte) []string {
	b := &boxes{Picture: v, data: data, total: len(data)}
	b.gutter = 12
	b.hex = 11 // four bytes
	b.name = 21
	switch w := v.width(); {
	case w >= 140:
		b.hex, b.name = 35, 30
	case w >= 100:
		b.hex, b.name = 23, 24
	}
	all := parts(layers)
	for i := range all {
		// A layer that begins where another ends stands beside it.
		for n := len(b.open); n > 0 && all[i].Off >= b.open[n-1].Off+b.open[n-1].Len; n = len(b.open) {
			b.close()
		}
		b.begin(&all[i])
		for _, f := range all[i].Fields {
			b.field(f, 0)
		}
	}
	for len(b.open) > 0 {
		b.close()
	}
	return b.lines
}

// boxes are boxes under way.
type boxes struct {
	Picture
	data  []byte
	total int
	open  []*part
	lines []string

	gutter, hex, name int // widths in cells
}

// ink is the style of the box at depth i.
func (b *boxes) ink(i int) lipgloss.Style { return b.Palette.Field(b.open[i].colour) }

// sides are the borders of the first n boxes that are open, left and right.
func (b *boxes) sides(n int) (left, right string) {
	for i := range n {
		s := b.ink(i).Render("│")
		left += s
		right = s + right
	}
	return left, right
}

// room is how many cells a line has inside n boxes.
func (b *boxes) room(n int) int { return b.width() - b.gutter - 2*n }

// line puts a line into the boxes that are open; text has width cells.
func (b *boxes) line(gutter, text string, width int) {
	left, right := b.sides(len(b.open))
	pad := strings.Repeat(" ", max(0, b.room(len(b.open))-width))
	b.lines = append(b.lines, b.Palette.Dim.Render(cells.Pad(gutter, b.gutter))+left+text+pad+right)
}

// edge draws the top or bottom of the innermost box, with a title in it.
func (b *boxes) edge(gutter, l, title, r string) {
	n := len(b.open) - 1
	left, right := b.sides(n)
	st := b.ink(n)
	room := b.room(n) - 2
	if title != "" {
		title = " " + cells.Cut(cells.Visible(title), room-3) + " "
		title = st.Render("─") + b.Palette.Name.Render(title) + st.Render(strings.Repeat("─", room-1-cells.Width(title)))
	} else {
		title = st.Render(strings.Repeat("─", room))
	}
	b.lines = append(b.lines, b.Palette.Accent.Render(cells.Pad(gutter, b.gutter))+left+st.Render(l)+title+st.Render(r)+right)
}

func (b *boxes) begin(p *part) {
	b.open = append(b.open, p)
	title := fmt.Sprintf("%s · %s", p.Name, bytesOf(p.HeaderLen))
	switch {
	case p.HeaderLen == 0:
		title = fmt.Sprintf("%s · %s", p.Name, bytesOf(p.Len))
	case p.Len > p.HeaderLen:
		title += fmt.Sprintf(" of header (%.1f %%) + %d inside", 100*float64(p.HeaderLen)/float64(max(b.total, 1)), p.Len-p.HeaderLen)
	default:
		title += fmt.Sprintf(" (%.1f %% of the packet)", 100*float64(p.HeaderLen)/float64(max(b.total, 1)))
	}
	name := fmt.Sprintf("OSI %d", p.OSI)
	b.edge(name, "┌", title, "┐")
	tcpip := p.TCPIP
	if p.Summary != "" {
		s := cells.Cut(cells.Visible(p.Summary), b.room(len(b.open))-1)
		b.line(tcpip, " "+b.Palette.Dim.Render(s), cells.Width(s)+1)
	} else {
		b.line(tcpip, "", 0)
	}
}

func (b *boxes) close() {
	b.edge("", "└", "", "┘")
	b.open = b.open[:len(b.open)-1]
}

// maxLines is how many lines of hex a field has at most.
const maxLines = 4

// field adds the lines of f and of its children.
func (b *boxes) field(f layer.Field, depth int) {
	partition := len(f.Children) > 0 && f.Children[0].Bits == ""
	var left []string // the lines of the hex column
	switch {
	case f.Bits != "":
		left = wrapBits(f.Bits, b.hex)
	case partition:
		left = []string{""}
	default:
		left = b.hexLines(f)
	}
	name := strings.Repeat(" ", min(depth, 4)) + f.Name
	room := b.room(len(b.open)) - b.hex - b.name - 4
	if room < 8 { // very many boxes
		room = 8
	}
	value := f.Value
	if f.Note != "" {
		if value != "" {
			value += " "
		}
		value += "(" + f.Note + ")"
	}
	right := wrap(value, room)
	names := wrap(name, b.name)
	for i := range max(len(left), len(right), len(names)) {
		at := ""
		if i == 0 && f.Bits == "" && f.Len > 0 {
			at = span(f)
		}
		hex := cells.Pad(line(left, i), b.hex)
		if f.Bits == "" {
			hex = b.ink(len(b.open) - 1).Render(hex)
		} else {
			hex = b.Palette.Dim.Render(hex)
		}
		text := " " + hex + " " + cells.Pad(line(names, i), b.name) + " "
		shown := line(right, i)
		b.line(at, text+shown, 3+b.hex+b.name+cells.Width(shown))
	}
	for _, c := range f.Children {
		b.field(c, depth+1)
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// span is where a field's bytes are: "12" or "12–15".
func span(f layer.Field) string {
	if f.Len == 1 {
		return fmt.Sprintf("%9d", f.Off)
	}
	s := fmt.Sprintf("%d–%d", f.Off, f.Off+f.Len-1)
	return strings.Repeat(" ", max(0, 9-cells.Width(s))) + s
}

// wrap makes text visible and cuts it into at most maxLines lines.
func wrap(s string, width int) []string {
	lines := cells.Wrap(cells.Visible(s), width, width)
	if len(lines) > maxLines {
		lines = lines[:maxLines]
		lines[maxLines-1] = strings.TrimSuffix(cells.Cut(lines[maxLines-1], width-1), "…") + "…"
	}
	return lines
}

// hexLines are a field's bytes, as many in a line as the column has room for.
func (b *boxes) hexLines(f layer.Field) []string {
	each := (b.hex + 1) / 3
	var lines []string
	for at := f.Off; at < f.Off+f.Len; at += each {
		n := min(each, f.Off+f.Len-at)
		if len(lines) == maxLines-1 && at+n < f.Off+f.Len {
			rest := f.Off + f.Len - at
			s := fmt.Sprintf("… %d more", rest)
			lines = append(lines, cells.Cut(s, b.hex))
			break
		}
		lines = append(lines, fmt.Sprintf("% x", b.data[at:at+n]))
	}
	if lines == nil {
		lines = []string{""}
	}
	return lines
}

// wrapBits cuts a pattern of bits between its bytes.
func wrapBits(s string, width int) []string {
	var lines []string
	for len(s) > width {
		n := min(9, len(s))
		for n+10 <= width && n+10 <= len(s) {
			n += 10
		}
		lines = append(lines, s[:n])
		s = strings.TrimPrefix(s[n:], " ")
	}
	return append(lines, s)
}
