package framing

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
)

// span is a duration with three digits that count.
func span(d time.Duration) string {
	switch {
	case d >= time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	case d >= time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e6, 'g', 3, 64) + " ms"
	case d >= time.Microsecond:
		return strconv.FormatFloat(float64(d)/1e3, 'g', 3, 64) + " µs"
	}
	return strconv.Itoa(int(d)) + " ns"
}

// count is "1 frame" or "2 frames".
func count[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// minWidth is how narrow the text may be.
const minWidth = 40

// Text writes the report for a terminal of width columns.
func (r *Report) Text(w io.Writer, width int, p *style.Palette) error {
	width = max(width, minWidth)
	out := bufio.NewWriter(w)
	t := &terminal{Writer: out, width: width, p: p, begin: r.Begin}
	for i, d := range r.Directions {
		if i > 0 {
			t.line("")
		}
		t.direction(d)
	}
	if len(r.Directions) == 0 {
		t.line("no messages: " + count(r.Packets, "packet") + ", " + count(r.Flows, "flow") + " of TCP or UDP")
	}
	if r.Left > 0 {
		t.wrap("", count(r.Left, "flow")+" ended early to make room for others; what came of them later counts as new", p.Accent)
	}
	return out.Flush()
}

type terminal struct {
	*bufio.Writer
	width int
	p     *style.Palette
	begin time.Time
}

func (t *terminal) line(s string) { fmt.Fprintln(t, strings.TrimRight(s, " ")) }

// wrap writes s in lines after an indent.
func (t *terminal) wrap(indent, s string, st lipgloss.Style) {
	room := max(10, t.width-len(indent))
	for _, l := range cells.Wrap(s, room, room) {
		t.line(indent + st.Render(strings.TrimRight(l, " ")))
	}
}

// title says who sends to whom, and how it is cut.
func (d *Direction) title() string {
	from, to := d.Flow.Ends(d.Dir)
	s := fmt.Sprintf("flow %d  %v → %v  ", d.Flow.Number, from, to)
	if d.Flow.Protocol == packets.ProtocolUDP {
		return s + "UDP"
	}
	return s + "TCP, " + d.framing()
}

func (d *Direction) framing() string {
	s := d.Flow.Streams[d.Dir]
	how := s.Cutting()
	if how == "" {
		return "no framing: too few bytes to tell"
	}
	if how == "none" {
		how = "no framing"
	}
	return how + ": " + s.Because()
}

// totals says in a line what happened.
func (d *Direction) totals() string {
	if d.Flow.Protocol == packets.ProtocolUDP {
		s := []string{count(d.Segments, "datagram"), count(d.Bytes, "byte")}
		if n := d.Frames - d.Segments; n > 0 {
			s = append(s, count(n, "envelope")+" put together from parts")
		}
		if d.Again > 0 {
			s = append(s, count(d.Again, "datagram")+" came again")
		}
		return strings.Join(append(s, d.troubles()...), ", ")
	}
	s := []string{fmt.Sprintf("%s in %s, %s", count(d.Frames, "frame"), count(d.Segments, "segment"), count(d.Bytes, "byte"))}
	if d.Cut > 0 {
		s = append(s, fmt.Sprintf("%d cut over several segments", d.Cut))
	}
	if d.Shared > 0 {
		s = append(s, count(d.Shared, "segment")+" with several frames")
	}
	if d.Late > 0 {
		s = append(s, fmt.Sprintf("%d waited for lost bytes, up to %s", d.Late, span(d.Waited)))
	}
	if d.Blocked > 0 {
		s = append(s, fmt.Sprintf("%d of them whole but behind (head-of-line blocking)", d.Blocked))
	}
	if d.Again > 0 {
		s = append(s, count(d.Again, "byte")+" came again")
	}
	return strings.Join(append(s, d.troubles()...), ", ")
}

func (d *Direction) troubles() []string {
	var s []string
	if d.Missing > 0 {
		s = append(s, count(d.Missing, "byte")+" not in the capture")
	}
	if d.Bad > 0 {
		s = append(s, fmt.Sprintf("%d not whole or not right", d.Bad))
	}
	return s
}

func (t *terminal) direction(d *Direction) {
	t.wrap("", d.title(), t.p.Accent)
	t.wrap("", d.totals(), t.p.Dim)
	if len(d.Kept) == 0 {
		return
	}
	const margin = 9 // of the rows' names
	if d.Flow.Protocol == packets.ProtocolTCP {
		p := newPicture(d, t.width-margin-1)
		for _, b := range p.bands(t.width - margin - 1) {
			t.line("")
			t.band(&b, margin)
		}
	}
	t.line("")
	t.table(d)
	if n := d.Frames - len(d.Kept); n > 0 {
		t.line(t.p.Dim.Render(fmt.Sprintf("… and %d more; --count, --from and --to choose", n)))
	}
}

// band draws a band's rows.
func (t *terminal) band(b *band, margin int) {
	line := make([]byte, 0, b.width)
	for _, k := range b.ticks {
		s := strconv.FormatUint(k.at, 10)
		if len(line) > k.x || len(line) > 0 && len(line) == k.x && k.x > 0 {
			continue
		}
		if k.x+len(s) > t.width-margin {
			continue
		}
		for len(line) < k.x {
			line = append(line, ' ')
		}
		line = append(append(line, s...), ' ')
	}
	t.line(t.p.Dim.Render(cells.Pad("offset", margin) + string(line)))
	for _, r := range b.rows {
		t.line(t.p.Dim.Render(cells.Pad(r.name, margin)) + t.row(&r))
	}
}

// row draws boxes. Where two meet they share an edge.
func (t *terminal) row(r *row) string {
	var out strings.Builder
	x := 0
	for i := range r.boxes {
		c := &r.boxes[i]
		out.WriteString(strings.Repeat(" ", max(0, c.x0-x)))
		if x <= c.x0 {
			out.WriteString(edge(c.open))
		}
		st := t.style(c)
		at, width := c.room()
		label := cells.Cut(c.label, width)
		x = c.x0 + 1
		cuts := append(append([]int(nil), c.cuts...), c.x1)
		for j, end := range cuts {
			text := strings.Repeat(" ", max(0, end-x))
			if x == at {
				text = cells.Pad(label, max(0, end-x))
			}
			out.WriteString(st.Render(text))
			if j < len(c.cuts) {
				out.WriteString("┊")
			}
			x = end + 1
		}
		out.WriteString(edge(c.close))
		x = c.x1 + 1
	}
	return out.String()
}

// edge is the side of a box: open, if the box goes on in another line.
func edge(open bool) string {
	if open {
		return "┄"
	}
	return "│"
}

func (t *terminal) style(c *box) lipgloss.Style {
	switch c.kind {
	case lostBox, badBox:
		return t.p.Error
	case lateBox, waitBox, blockedBox:
		return t.p.Accent
	case againBox:
		return t.p.Dim
	case frameBox:
		return t.p.Field(c.index)
	}
	return lipgloss.NewStyle()
}

// table lists the frames.
func (t *terminal) table(d *Direction) {
	udp := d.Flow.Protocol == packets.ProtocolUDP
	where := func(m *Message) string {
		if udp {
			return strconv.FormatUint(m.End-m.Start, 10)
		}
		return fmt.Sprintf("%d–%d", m.Start, m.End)
	}
	names := [4]string{"frame", "offset", "complete", "segments"}
	if udp {
		names = [4]string{"", "bytes", "arrived", "packets"}
	}
	widths := [4]int{5, len(names[1]), 10, len(names[3])}
	for i := range d.Kept {
		widths[1] = max(widths[1], cells.Width(where(&d.Kept[i])))
		widths[3] = min(max(widths[3], cells.Width(carriers(&d.Kept[i].Frame))), max(16, t.width/6))
	}
	head := cells.PadLeft(names[0], widths[0]) + "  " + cells.PadLeft(names[1], widths[1]) + "  " +
		cells.PadLeft(names[2], widths[2]) + "  " + cells.Pad(names[3], widths[3]) + "  what"
	t.line(t.p.Dim.Render(head))
	before := widths[0] + widths[1] + widths[2] + widths[3] + 8
	for i := range d.Kept {
		m := &d.Kept[i]
		st := t.p.Event
		what := m.Summary
		if m.Err != "" {
			st = t.p.Error
		}
		line := cells.PadLeft(strconv.Itoa(i+1), widths[0]) + "  " + cells.PadLeft(where(m), widths[1]) + "  " +
			cells.PadLeft(strconv.FormatFloat(m.Complete.Sub(t.begin).Seconds(), 'f', 6, 64), widths[2]) + "  " +
			cells.Pad(carriers(&m.Frame), widths[3]) + "  "
		t.line(line + st.Render(cells.Cut(what, max(10, t.width-before))))
		for _, s := range story(m) {
			t.wrap("       ", s, t.p.Accent)
		}
		if m.Err != "" {
			t.wrap("       ", "! "+m.Err, t.p.Error)
		}
	}
}

// carriers names the packets of a frame.
func carriers(f *Frame) string {
	var s []string
	last := 0
	for _, p := range f.Pieces {
		if !p.Again && p.Number != last {
			s = append(s, "#"+strconv.Itoa(p.Number))
			last = p.Number
		}
	}
	if len(s) > 3 {
		return fmt.Sprintf("%s … %s (%d)", s[0], s[len(s)-1], len(s)+f.More)
	}
	return strings.Join(s, " ")
}

// story says what a frame waited for and what came again, a sentence each.
func story(m *Message) []string {
	var s []string
	if h := m.Hole; h != nil {
		what := ""
		if m.Own {
			what += fmt.Sprintf("waited %s for bytes %d to %d of its own", span(m.Waited), h.Start, h.End)
		} else {
			what += fmt.Sprintf("whole, but waited %s behind bytes %d to %d (head-of-line blocking)", span(m.Waited), h.Start, h.End)
		}
		var lost []string
		for _, n := range h.Lost {
			lost = append(lost, "#"+strconv.Itoa(n))
		}
		switch {
		case len(lost) > 0:
			what += ": " + strings.Join(lost, " ") + " lost"
		case h.OpenedBy != 0:
			what += fmt.Sprintf(": missing from #%d on", h.OpenedBy)
		}
		if h.FilledBy != 0 {
			what += fmt.Sprintf(", #%d brought them", h.FilledBy)
		}
		s = append(s, what)
	}
	var again []string
	bytes := 0
	for _, p := range m.Pieces {
		if p.Again {
			again = append(again, "#"+strconv.Itoa(p.Number))
			bytes += p.Len
		}
	}
	if len(again) > 0 {
		s = append(s, fmt.Sprintf("↺ %s of it came again in %s", count(bytes, "byte"), strings.Join(again[:min(len(again), 8)], " ")))
	}
	g := m.Datagram
	if g == nil {
		return s
	}
	if g.IPParts > 1 {
		s = append(s, fmt.Sprintf("IP cut it into %d fragments: %s", g.IPParts, span(m.Waited)+" from the first to the last"))
	}
	if g.Parts > 0 && m.Err == "" {
		s = append(s, fmt.Sprintf("put together from %d datagrams: %s from the first to the last", g.Parts, span(m.Waited)))
	}
	switch {
	case g.Of != 0 && g.Same:
		s = append(s, fmt.Sprintf("↺ the same datagram as #%d: delivered twice", g.Of))
	case g.Of != 0:
		s = append(s, fmt.Sprintf("↺ reliable %d again: #%d brought it before", g.Reliable, g.Of))
	}
	return s
}
