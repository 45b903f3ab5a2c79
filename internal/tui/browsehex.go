package tui

import (
	"fmt"
	"strings"
)

// perRow is how many bytes a row of the hex pane has.
func (m *browseModel) perRow() int {
	if w := m.layout().hexWidth; w < hexWidth(16) {
		if w < hexWidth(8) {
			return 4
		}
		return 8
	}
	return 16
}

// hexWidth is how many cells a row of n bytes takes:
//
//	"0000 [45 00]00 54 … |E··T|"
func hexWidth(n int) int { return 1 + 4 + 1 + 3*n + 1 + 2 + n }

func (m *browseModel) bytes() []byte {
	if m.open == nil {
		return nil
	}
	return m.open.packet.Data
}

func (m *browseModel) hexRows() int {
	per := m.perRow()
	return (len(m.bytes()) + per - 1) / per
}

// walk moves the cursor over the bytes, and with it that of the tree.
func (m *browseModel) walk(k string, room int) {
	per, n := m.perRow(), len(m.bytes())
	at := m.byte
	switch k {
	case "left":
		at--
	case "right":
		at++
	case "home", "g":
		at = 0
	case "end", "G":
		at = n - 1
	default:
		row := moved(k, at/per, m.hexRows(), room)
		at = row*per + at%per
	}
	m.byte = max(min(at, n-1), 0)
	m.reveal()
}

// hexLine draws a row of bytes. What belongs to the chosen field is in [ ], also
// without colours; the layers have the colours of the tree.
func (m *browseModel) hexLine(row, w int) string {
	p, b, per := m.palette, m.bytes(), m.perRow()
	first := row * per
	last := min(first+per, len(b))
	from, to := 0, 0
	if f := m.field(); f != nil {
		from, to = f.off, f.off+f.len
	}
	in := func(i int) bool { return i >= from && i < to && i >= first && i < last }
	var hex, text strings.Builder
	fmt.Fprintf(&hex, " %s", p.Dim.Render(fmt.Sprintf("%04x", first)))
	hex.WriteByte(' ')
	for i := first; i < first+per; i++ {
		switch {
		case in(i) && !in(i-1):
			hex.WriteString(p.Accent.Render("["))
		case in(i-1) && !in(i):
			hex.WriteString(p.Accent.Render("]"))
		default:
			hex.WriteByte(' ')
		}
		if i >= last {
			hex.WriteString("  ")
			text.WriteByte(' ')
			continue
		}
		ink := p.Field(m.layerOf(i))
		if in(i) {
			ink = p.Accent
		}
		if i == m.byte && m.focus == hexArea {
			ink = ink.Reverse(true)
		}
		hex.WriteString(ink.Render(fmt.Sprintf("%02x", b[i])))
		c := "·"
		if b[i] >= ' ' && b[i] < 0x7f {
			c = string(b[i])
		}
		text.WriteString(ink.Render(c))
	}
	end := " "
	if last == first+per && in(last-1) {
		end = p.Accent.Render("]")
	}
	return pad(hex.String()+end+p.Dim.Render("│")+text.String()+p.Dim.Render("│"), w)
}

// layerOf is the place of the innermost layer that byte i is in.
func (m *browseModel) layerOf(i int) (n int) {
	for j := range m.open.layers {
		if l := &m.open.layers[j]; i >= l.Off && i < l.Off+l.Len {
			n = j
		}
	}
	return n
}

// under says what the cursor of the hex pane is on.
func (m *browseModel) under() string {
	b := m.bytes()
	if m.byte >= len(b) {
		return "no bytes"
	}
	return fmt.Sprintf("byte %d (0x%02x) = %02x, %d, %08b", m.byte, m.byte, b[m.byte], b[m.byte], b[m.byte])
}
