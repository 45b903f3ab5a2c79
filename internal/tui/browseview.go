package tui

import (
	"errors"
	"fmt"
	"strings"

	"wirelab/internal/cells"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/index"
)

var browseHelp = []string{
	"tab, shift+tab         next, previous pane: list, layers, bytes",
	"up, down, k, j         move; so do pgup, pgdn, home, end, g (first), G (last)",
	"left, right            bytes: a byte back, on · layers: hide, show fields",
	"enter                  layers: hide or show the fields of a layer",
	":                      go to the packet with a number",
	"n, N                   next, previous packet with an analysis flag or a loss",
	"/                      filter: such as tcp port 9000, or ~TEXT in the lines; esc",
	"                       takes it away",
	"f                      follow: the conversation of this packet as text",
	"l                      ladder: the conversation of this packet as a picture",
	"q                      quit; close what f and l have opened",
	"",
	"‹ › is what the TCP analysis says of a segment, ( ) what the capture itself",
	"says, such as what a lab's link did. [ ] are the bytes of the chosen field.",
	"Layers are found in each packet by itself: a frame that begins in one segment",
	"and ends in the next is put together by f.",
}

// wideEnough is from how many cells on the panes are side by side.
const wideEnough = 140

// An arrangement is how many rows the panes have, and how wide they are.
type arrangement struct {
	wide            bool
	list, tree, hex int
	left, right     int // cells of the list, and of what is beside it
	hexWidth        int
}

// layout shares the screen out. Stacked, the pane with the focus has half.
func (m *browseModel) layout() arrangement {
	rows := max(m.height-2, 3) // without title and keys
	if m.width >= wideEnough && rows >= 8 {
		l := arrangement{wide: true, right: min(max(hexWidth(16), m.width*2/5), 90)}
		l.left, l.hexWidth = m.width-l.right-1, l.right
		l.list = rows
		l.hex = min(max((rows-1)/3, 4), max(m.hexLeast(16), 4))
		l.tree = rows - 1 - l.hex
		return l
	}
	l := arrangement{left: m.width, right: m.width, hexWidth: m.width}
	rows = max(rows-2, 3)
	least := max(rows/4, 1)
	l.list, l.tree, l.hex = least, least, least
	rest := rows - 3*least
	switch m.focus {
	case treeArea:
		l.tree += rest
	case hexArea:
		l.hex += rest
	default:
		l.list += rest
	}
	return l
}

// hexLeast is how many rows of n bytes the open packet has.
func (m *browseModel) hexLeast(n int) int { return (len(m.bytes()) + n - 1) / n }

// View draws title, panes and keys.
func (m *browseModel) View() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cells.Cut("a larger window, please", max(m.width, 1))
	}
	lines := []string{m.title()}
	switch {
	case m.help:
		for _, l := range browseHelp {
			lines = append(lines, " "+cells.Cut(l, m.width-2))
		}
	case m.paper != nil:
		lines = append(lines, m.paper.view(m.height-2)...)
	default:
		lines = append(lines, m.panes()...)
	}
	lines = append(fill(lines[:min(len(lines), m.height-1)], m.height-1), m.footer())
	for i, l := range lines {
		lines[i] = pad(l, m.width)
	}
	return strings.Join(lines, "\n")
}

func (m *browseModel) title() string {
	p := m.palette
	s := &m.state
	left := []string{p.Accent.Render("browse"), p.Name.Render(cells.Visible(m.cfg.File))}
	if m.paper != nil {
		left[1] = p.Name.Render(cells.Visible(m.paper.title))
		return rule(m.width, left, []string{p.Dim.Render(m.paper.where())}, p.Dim.Render)
	}
	all := flow.Plural(int64(len(s.Entries)), "packet")
	if len(s.Entries) > 999 {
		all = flow.Count(int64(len(s.Entries))) + " packets"
	}
	left = append(left, all)
	if m.filter != "" {
		left = append(left, p.Accent.Render(flow.Count(int64(len(m.matched)))+" match")+" "+cells.Cut(cells.Visible(m.filter), 24))
	}
	var right []string
	switch {
	case !s.Done && s.Size > 0:
		right = append(right, p.System.Render(fmt.Sprintf("reading, %d %%", min(100*s.Read/s.Size, 100))))
	case !s.Done:
		right = append(right, p.System.Render("reading, "+flow.Size(s.Read)))
	case s.Err != nil:
		right = append(right, p.Error.Render("ends early"))
	}
	if m.cfg.Index.InMemory() {
		right = append(right, p.Dim.Render("in memory"))
	}
	return rule(m.width, left, right, p.Dim.Render)
}

func (m *browseModel) footer() string {
	p := m.palette
	switch {
	case m.prompt == '/':
		what := " filter: "
		if m.cfg.Compile == nil {
			what = " filter (text in the lines): "
		}
		return p.Accent.Render(what) + cells.CutLeft(cells.Visible(m.typed), max(m.width-cells.Width(what)-2, 1)) + "▏"
	case m.prompt == ':':
		return p.Accent.Render(" go to packet: ") + cells.CutLeft(cells.Visible(m.typed), max(m.width-20, 1)) + "▏"
	case m.notice != "":
		ink := p.System
		if m.trouble {
			ink = p.Error
		}
		return rule(m.width, []string{ink.Render(cells.Visible(m.notice))}, nil, p.Dim.Render)
	}
	if end := m.ending(); end != "" && m.paper == nil && !m.help && m.at == m.count()-1 && m.count() >= m.layout().list {
		return rule(m.width, []string{p.System.Render(cells.Visible(end))}, nil, p.Dim.Render) // no room for it below the list
	}
	texts := []string{"? help", "q quit", "tab pane", "/ filter", "n flagged", "f follow", "l ladder", ": number", "g G ends"}
	switch {
	case m.help:
		texts = []string{"any key closes this"}
	case m.paper != nil:
		texts = []string{"q back", "up, down, pgup, pgdn, g, G scroll", "left, right sideways"}
	}
	for i, t := range texts {
		texts[i] = p.Dim.Render(t)
	}
	return rule(m.width, texts, nil, p.Dim.Render)
}

// panes draws the three panes.
func (m *browseModel) panes() []string {
	l := m.layout()
	list, tree, hex := m.list(l), m.tree(l), m.hex(l)
	if !l.wide {
		lines := append(list, m.rule(treeArea, l))
		lines = append(append(lines, tree...), m.rule(hexArea, l))
		return append(lines, hex...)
	}
	right := append(append(tree, m.rule(hexArea, l)), hex...)
	for i := range list {
		bar := "│"
		if i == l.tree {
			bar = "├"
		}
		list[i] = pad(list[i], l.left) + m.palette.Dim.Render(bar) + right[i]
	}
	return list
}

// rule draws the line above a pane, with what it shows.
func (m *browseModel) rule(a area, l arrangement) string {
	p := m.palette
	ink, sign := p.Dim, ""
	if m.focus == a {
		ink, sign = p.Accent, "▸ "
	}
	var left []string
	switch {
	case m.open == nil:
		left = []string{ink.Render(sign + [...]string{"packets", "layers", "bytes"}[a])}
	case a == treeArea:
		left = []string{ink.Render(sign + fmt.Sprintf("layers of packet %d", m.open.number))}
		if f := m.field(); f != nil && f.note != "" && m.focus == treeArea {
			left = append(left, cells.Cut(f.note, max(l.right-32, 8)))
		}
	default:
		left = []string{ink.Render(sign + flow.Plural(int64(len(m.bytes())), "byte"))}
		if kept, all := len(m.bytes()), m.open.packet.Length; kept < all {
			left[0] += p.System.Render(fmt.Sprintf(" of %d: the others were not captured", all))
		}
		if m.focus == hexArea {
			left = append(left, m.under())
		} else if f := m.field(); f != nil && f.len > 0 {
			left = append(left, fmt.Sprintf("[%d–%d] %s", f.off, f.off+f.len-1, f.name))
		}
	}
	return rule(l.right, left, nil, p.Dim.Render)
}

func (m *browseModel) list(l arrangement) []string {
	var lines []string
	n := m.count()
	for row := m.top; row < min(m.top+l.list, n); row++ {
		lines = append(lines, m.line(row, l.left-1))
	}
	// Where the list ends it says why.
	if room := l.list - len(lines); room > 0 {
		for _, s := range cells.Wrap(cells.Visible(m.ending()), l.left-2, l.left-2) {
			if room--; room >= 0 {
				lines = append(lines, "  "+m.palette.System.Render(s))
			}
		}
	}
	return fill(lines, l.list)
}

// ending says why there is nothing more in the list.
func (m *browseModel) ending() string {
	s := &m.state
	var cut *packets.Truncated
	switch {
	case !s.Done && len(s.Entries) == 0:
		return "reading …"
	case m.filter != "" && len(m.matched) == 0:
		return "nothing matches " + m.filter
	case errors.Is(s.Err, index.ErrMemory):
		return s.Err.Error()
	case errors.As(s.Err, &cut):
		return s.Err.Error() + ". What came before it is above."
	case s.Err != nil:
		return "the capture cannot be read on: " + s.Err.Error()
	case s.Done && len(s.Entries) == 0:
		return "the capture has no packets"
	}
	return ""
}

func (m *browseModel) tree(l arrangement) []string {
	var lines []string
	for i := m.rowTop; i < min(m.rowTop+l.tree, len(m.rows)); i++ {
		lines = append(lines, m.treeLine(i, l.right))
	}
	return fill(lines, l.tree)
}

func (m *browseModel) hex(l arrangement) []string {
	var lines []string
	for i := m.hexTop; i < min(m.hexTop+l.hex, m.hexRows()); i++ {
		lines = append(lines, m.hexLine(i, l.hexWidth))
	}
	return fill(lines, l.hex)
}
