package tui

import (
	"strings"

	"wirelab/internal/cells"
	"wirelab/packets/layer"
)

// A treeRow is a layer or a field of the chosen packet.
type treeRow struct {
	depth    int
	off, len int    // its bytes
	layer    int    // place in sight.layers
	head     bool   // it is the layer itself
	name     string // safe, like all text below
	bits     string
	value    string
	note     string
	deep     int // fields that it has itself
}

// grow makes the rows of the packet that is open.
func (m *browseModel) grow() {
	m.rows = nil
	if m.open == nil {
		return
	}
	for i := range m.open.layers {
		l := &m.open.layers[i]
		m.rows = append(m.rows, treeRow{
			off: l.Off, len: headLen(l), layer: i, head: true, name: cells.Visible(l.Name), value: cells.Visible(l.Summary), deep: len(l.Fields),
		})
		if !m.closed[l.Abbrev] {
			m.leaves(l.Fields, i, 1)
		}
	}
}

// change opens a packet. The cursor stays on the field that it is on, if the
// packet has it.
func (m *browseModel) change(to *sight) {
	layer, name := "", ""
	if f := m.field(); f != nil && m.open != nil {
		layer, name = m.open.layers[f.layer].Abbrev, f.name
	}
	m.open = to
	m.grow()
	m.row, m.byte, m.hexTop = 0, 0, 0
	for i := range m.rows {
		if r := &m.rows[i]; r.name == name && to.layers[r.layer].Abbrev == layer {
			m.row, m.byte = i, r.off
			break
		}
	}
}

// headLen is how many bytes a layer has to itself.
func headLen(l *layer.Layer) (n int) {
	for i := range l.Fields {
		f := &l.Fields[i]
		n = max(n, f.Off+f.Len-l.Off)
	}
	return n
}

func (m *browseModel) leaves(fields []layer.Field, of, depth int) {
	for i := range fields {
		f := &fields[i]
		m.rows = append(m.rows, treeRow{
			depth: depth, off: f.Off, len: f.Len, layer: of, name: cells.Visible(f.Name), bits: cells.Visible(f.Bits),
			value: cells.Visible(f.Value), note: cells.Visible(f.Note), deep: len(f.Children),
		})
		m.leaves(f.Children, of, depth+1)
	}
}

// field is the chosen row of the tree, or nil.
func (m *browseModel) field() *treeRow {
	if m.row < 0 || m.row >= len(m.rows) {
		return nil
	}
	return &m.rows[m.row]
}

// fold shows or hides the fields of the layer that the cursor is in.
func (m *browseModel) fold(k string) {
	f := m.field()
	if f == nil {
		return
	}
	name, of := m.open.layers[f.layer].Abbrev, f.layer
	closed := m.closed[name]
	switch {
	case k == "left" && f.depth > 0: // up to the parent first
		for m.row > 0 && m.rows[m.row].depth >= f.depth {
			m.row--
		}
		return
	case k == "left":
		closed = true
	case k == "right":
		closed = false
	case f.head:
		closed = !closed
	default:
		return
	}
	m.closed[name] = closed
	m.grow()
	for i := range m.rows {
		if m.rows[i].head && m.rows[i].layer == of {
			m.row = i
		}
	}
}

// reveal chooses the field that the byte under the cursor is in: the innermost.
// Among bits of the same bytes it is the field that they are bits of.
func (m *browseModel) reveal() {
	best, least := -1, 1<<62
	for i := range m.rows {
		r := &m.rows[i]
		if m.byte < r.off || m.byte >= r.off+r.len || r.bits != "" {
			continue
		}
		if r.len < least || r.len == least && m.rows[best].head {
			best, least = i, r.len
		}
	}
	if best >= 0 {
		m.row = best
	}
}

// treeLine draws a row of the tree in w cells.
func (m *browseModel) treeLine(i, w int) string {
	p, r := m.palette, &m.rows[i]
	lead := "  "
	if i == m.row {
		lead = "▸ "
		if m.focus == treeArea {
			lead = p.Accent.Render("▸") + " "
		}
	}
	lead += strings.Repeat("  ", r.depth)
	if r.head {
		sign := "▾ "
		if m.closed[m.open.layers[r.layer].Abbrev] {
			sign = "▹ "
		}
		return pad(lead+p.Dim.Render(sign)+p.Field(r.layer).Render(r.name)+"  "+r.value, w)
	}
	s := lead
	if r.bits != "" {
		s += p.Dim.Render(r.bits) + " "
	}
	s += p.Dim.Render(r.name+":") + " " + r.value
	if r.note != "" {
		s += p.System.Render("  — " + r.note)
	}
	return pad(s, w)
}
