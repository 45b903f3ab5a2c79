package tui

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wirelab/internal/cells"
	"wirelab/internal/client"
	"wirelab/internal/style"
	"wirelab/internal/wire"
)

// A record is a block of the x-ray pane: one frame or datagram.
type record struct {
	block
	traffic client.Traffic
	fields  []wire.Field
	whole   bool // show all of it
	marks   *style.Palette
}

const (
	maxRecords = 400
	maxRows    = 20 // rows of bytes that a record shows, unless it is opened
)

// newRecord dissects t when it is drawn first, so that a flood of traffic
// costs nothing while nobody looks.
func newRecord(t client.Traffic, p *style.Palette) *record {
	r := &record{traffic: t, marks: p}
	r.make = r.render
	return r
}

func (r *record) dissect() []wire.Field {
	if r.fields == nil {
		if r.traffic.Datagram {
			r.fields = wire.DissectDatagram(r.traffic.Bytes)
		} else {
			r.fields = wire.DissectFrame(r.traffic.Bytes)
		}
	}
	return r.fields
}

// value returns what a field says, empty if there is none of that name.
func (r *record) value(name string) string {
	fields := r.dissect()
	if i := slices.IndexFunc(fields, func(f wire.Field) bool { return f.Name == name }); i >= 0 {
		return fields[i].Value
	}
	return ""
}

// number returns a field of 8 bytes, 0 if there is none of that name.
func (r *record) number(name string) uint64 {
	for _, f := range r.dissect() {
		if f.Name == name && f.Len == 8 {
			return binary.BigEndian.Uint64(r.traffic.Bytes[f.Off:])
		}
	}
	return 0
}

// carries reports whether the record is the message with that id, or that
// place in the room.
func (r *record) carries(room string, seq, id uint64) bool {
	if id != 0 && r.number("id") == id {
		return true
	}
	return seq != 0 && r.value("kind") == wire.KindEvent.String() && r.number("seq") == seq && r.value("room") == strconv.Quote(room)
}

// render draws a headline, the bytes in hex and as text, and the fields by name,
// each in one colour throughout.
func (r *record) render(width int) []string {
	lines := []string{cut(r.headline(width), width)}
	if r.heartbeat() && !r.whole {
		return append(lines, "")
	}
	lines = append(lines, r.dump(width)...)
	return append(lines, r.legend(width)...)
}

// heartbeat reports whether the record only asks whether the other side is
// there, or says so. There are many of them, so their bytes are shown only on
// demand.
func (r *record) heartbeat() bool {
	for _, v := range []string{r.value("kind"), r.value("type")} {
		if v == wire.KindPing.String() || v == wire.KindPong.String() {
			return true
		}
	}
	return false
}

func (r *record) headline(width int) string {
	t, p := &r.traffic, r.marks
	arrow, ink := "←", p.Field(2)
	if t.Out {
		arrow, ink = "→", p.Field(1)
	}
	what := "frame"
	if t.Datagram {
		what = "datagram"
	}
	words := []string{r.value("kind")}
	if typ := r.value("type"); typ != "" && (words[0] == "" || typ != wire.TypeData.String()) {
		words = []string{typ, words[0]}
	}
	for _, name := range []string{"room", "event"} {
		if v := r.value(name); v != "" {
			if s, err := strconv.Unquote(v); err == nil && !strings.ContainsAny(s, " \"") {
				v = s
			}
			words = append(words, cells.Cut(cells.Visible(v), 24))
		}
	}
	if v := r.value("seq"); v != "" && v != "0" {
		words = append(words, "#"+v)
	}
	if i := slices.IndexFunc(r.dissect(), func(f wire.Field) bool { return f.Name == wire.Malformed }); i >= 0 {
		words = append(words, p.Error.Render("malformed"))
	}
	words = slices.DeleteFunc(words, func(s string) bool { return s == "" })
	line := ink.Bold(true).Render(arrow+" "+strings.Join(words, " ")) + p.Dim.Render(fmt.Sprintf("  %s, %s of %d bytes", t.Time.Local().Format("15:04:05.000"), what, len(t.Bytes)))
	if t.Note != "" {
		line += " " + p.Error.Render("("+cells.Visible(t.Note)+")")
	}
	return line
}

// perRow is how many bytes go in a row of that width, with their text.
func perRow(width int) int {
	switch {
	case width >= rowWidth(16):
		return 16
	case width >= rowWidth(8):
		return 8
	}
	return 4
}

// rowWidth is the width of a row of n bytes: offset, hex in eights, text.
func rowWidth(n int) int { return 4 + 2 + 3*n + (n-1)/8 + 1 + n }

func (r *record) dump(width int) []string {
	b, n := r.traffic.Bytes, perRow(width)
	var lines []string
	var last []byte
	repeated := 0
	flush := func() {
		if repeated > 0 {
			lines = append(lines, cut(r.marks.Dim.Render(fmt.Sprintf("   *  the same for %d bytes", repeated*n)), width))
			repeated = 0
		}
	}
	inks := r.inks()
	for off := 0; off < len(b); off += n {
		row := b[off:min(off+n, len(b))]
		if bytes.Equal(row, last) && off+n < len(b) {
			repeated++
			continue
		}
		flush()
		if len(lines) >= maxRows && !r.whole {
			lines = append(lines, cut(r.marks.Dim.Render(fmt.Sprintf("   …  %d more bytes", len(b)-off)), width))
			return lines
		}
		lines = append(lines, cut(r.row(off, row, n, inks), width))
		last = row
	}
	flush()
	return lines
}

// inks maps each byte to its field's number.
func (r *record) inks() []uint8 {
	inks := make([]uint8, len(r.traffic.Bytes))
	for i, f := range r.dissect() {
		for at := f.Off; at < f.Off+f.Len && at < len(inks); at++ {
			inks[at] = uint8(i % 64)
		}
	}
	return inks
}

func (r *record) row(off int, row []byte, n int, inks []uint8) string {
	var hex, text strings.Builder
	// Neighbours of one field share one colour sequence.
	for i := 0; i < len(row); {
		j := i + 1
		for j < len(row) && inks[off+j] == inks[off+i] {
			j++
		}
		var h, t strings.Builder
		for k := i; k < j; k++ {
			if k > 0 && k%8 == 0 {
				h.WriteByte(' ')
			}
			fmt.Fprintf(&h, "%02x ", row[k])
			if row[k] >= 0x20 && row[k] < 0x7f {
				t.WriteByte(row[k])
			} else {
				t.WriteByte('.')
			}
		}
		ink := r.marks.Field(int(inks[off+i]))
		hex.WriteString(ink.Render(h.String()))
		text.WriteString(ink.Render(t.String()))
		i = j
	}
	missing := n - len(row)
	gap := 3 * missing
	if len(row) <= 8 && n > 8 {
		gap++
	}
	return r.marks.Dim.Render(fmt.Sprintf("%04x", off)) + "  " + hex.String() + strings.Repeat(" ", gap) + " " + text.String()
}

// maxValue is how many cells of a field's value the legend shows.
const maxValue = 48

// legend names the fields in their colours, as many on a line as fit.
func (r *record) legend(width int) []string {
	var lines []string
	line, used := "", 0
	for i, f := range r.dissect() {
		text := f.Name + " " + cells.Visible(f.Value)
		limit := maxValue
		if f.Name == "arguments" || f.Name == wire.Malformed {
			limit = 4 * width
		}
		text = cells.Cut(text, limit)
		ink := r.marks.Field(i % 64)
		if f.Name == wire.Malformed {
			ink = r.marks.Error
		}
		w := cells.Width(text)
		if used > 0 && used+2+w > width-2 {
			lines, line, used = append(lines, line), "", 0
		}
		if used == 0 && w > width-2 {
			for _, l := range cells.Wrap(text, width-2, width-2) {
				lines = append(lines, "  "+ink.Render(l))
			}
			continue
		}
		line += "  " + ink.Render(text)
		used += 2 + w
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return append(lines, "")
}
