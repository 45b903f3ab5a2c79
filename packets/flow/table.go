package flow

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// Orders are what a table can be sorted by.
const Orders = "bytes, packets, start or retransmissions"

// Sort puts flows in an order: "bytes", "packets" or "retransmissions", the most
// first, or "start". It reports whether there is such an order.
func Sort(flows []*Flow, order string) bool {
	var by func(f *Flow) int64
	switch order {
	case "bytes":
		by = (*Flow).Bytes
	case "packets":
		by = (*Flow).Packets
	case "retransmissions":
		by = (*Flow).Retransmissions
	case "start":
		by = func(f *Flow) int64 { return -int64(f.First) }
	default:
		return false
	}
	slices.SortStableFunc(flows, func(a, b *Flow) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.Number, b.Number))
	})
	return true
}

// A Table shows flows, one in a line.
type Table struct {
	Flows []*Flow
	At    func(iface int) string       // names the interfaces; nil if there is one only
	Lost  func(f *Flow, dir int) int64 // packets that were truly lost; nil if that is not known
	Begin time.Duration                // what starts are relative to, since 1970
}

// A column is one of a table. Those of the highest rank go first if the room is
// too small.
type column struct {
	title string
	rank  int
	left  bool // its text stands at the left
	text  func(f *Flow) string
	grade func(f *Flow) int // of the palette; −1 is none
}

func (t *Table) columns() []column {
	way := func(of func(s *Side) string) func(f *Flow) string {
		return func(f *Flow) string {
			a, b := of(&f.Sides[0]), of(&f.Sides[1])
			if a == b {
				return a
			}
			return a + " / " + b
		}
	}
	resent := func(f *Flow) int {
		if f.Retransmissions() > 0 {
			return 2
		}
		return -1
	}
	all := []column{
		{title: "flow", text: func(f *Flow) string { return itoa(f.Number) }},
		{title: "", left: true, text: func(f *Flow) string { return ProtocolName(f.Protocol) }},
		{title: "A → B", left: true, text: func(f *Flow) string { return Endpoint(f.A) + " → " + Endpoint(f.B) }},
		{title: "packets", text: func(f *Flow) string { return Count(f.Packets()) }},
		{title: "bytes", text: func(f *Flow) string { return Size(f.Bytes()) }},
		{title: "time", rank: 6, text: func(f *Flow) string { return Short(f.Duration()) }},
		{title: "resent", rank: 3, grade: resent, text: func(f *Flow) string {
			if !f.TCP() {
				return "–"
			}
			return Count(f.Retransmissions())
		}},
		{title: "share", rank: 5, grade: resent, text: func(f *Flow) string {
			if !f.TCP() {
				return "–"
			}
			return Percent(f.Retransmissions(), f.Sides[0].Data+f.Sides[1].Data)
		}},
		{title: "RTT", rank: 4, text: func(f *Flow) string {
			s := &f.Sides[0].RTT
			if o := &f.Sides[1].RTT; o.Count > 0 && (s.Count == 0 || o.Quantile(0.5) > s.Quantile(0.5)) {
				s = o
			}
			if s.Count == 0 {
				return "–"
			}
			return Short(s.Quantile(0.5))
		}},
		{title: "goodput A / B", rank: 8, text: way(func(s *Side) string { return Rate(s.Goodput()) })},
		{title: "peak A / B", rank: 12, text: way(func(s *Side) string { return Rate(s.Series.Peak()) })},
		{title: "chat gaps, twice, late", rank: 10, text: way(func(s *Side) string {
			if s.Chat == nil {
				return "–"
			}
			return fmt.Sprintf("%s, %s, %s", Count(s.Chat.Gaps), Count(s.Chat.Twice), Count(s.Chat.Late))
		})},
		{title: "flags", rank: 9, text: func(f *Flow) string { return Count(f.Sides[0].Flagged + f.Sides[1].Flagged) }},
		{title: "start", rank: 7, text: func(f *Flow) string { return Short(f.First - t.Begin) }},
		{title: "end", rank: 11, left: true, text: func(f *Flow) string { return f.Ended() }},
	}
	if t.Lost != nil {
		all = slices.Insert(all, 6, column{title: "lost", rank: 2, text: func(f *Flow) string { return Count(t.Lost(f, 0) + t.Lost(f, 1)) },
			grade: func(f *Flow) int {
				if t.Lost(f, 0)+t.Lost(f, 1) > 0 {
					return 3
				}
				return -1
			}})
	}
	if t.At != nil {
		all = slices.Insert(all, 1, column{title: "at", rank: 1, left: true, text: func(f *Flow) string { return cells.Visible(t.At(f.Interface)) }})
	}
	return all
}

// Text writes the table in so many columns of characters.
func (t *Table) Text(w io.Writer, width int, p *style.Palette) error {
	all := t.columns()
	rows := make([][]string, len(t.Flows))
	widths := make([]int, len(all))
	filled := make([]bool, len(all))
	for c := range all {
		widths[c] = cells.Width(all[c].title)
	}
	for i, f := range t.Flows {
		rows[i] = make([]string, len(all))
		for c := range all {
			rows[i][c] = all[c].text(f)
			widths[c] = max(widths[c], cells.Width(rows[i][c]))
			filled[c] = filled[c] || strings.Trim(rows[i][c], "– ") != ""
		}
	}
	shown := make([]bool, len(all))
	total := -2
	for c := range all {
		if shown[c] = filled[c] || all[c].rank == 0; shown[c] {
			total += widths[c] + 2
		}
	}
	for total > width {
		worst := -1
		for c := range all {
			if shown[c] && all[c].rank > 0 && (worst < 0 || all[c].rank > all[worst].rank) {
				worst = c
			}
		}
		if worst < 0 {
			break
		}
		shown[worst] = false
		total -= widths[worst] + 2
	}
	for c := range all { // what is left may still be too wide: both addresses of IPv6
		if all[c].title == "A → B" && total > width {
			widths[c] = max(widths[c]-(total-width), 20)
		}
	}
	line := func(text func(c int) string, ink func(c int, s string) string) string {
		var b strings.Builder
		gap := ""
		for c := range all {
			if !shown[c] {
				continue
			}
			s := cells.Cut(text(c), widths[c])
			b.WriteString(gap)
			gap = "  "
			if pad := strings.Repeat(" ", max(widths[c]-cells.Width(s), 0)); all[c].left {
				gap += pad
				b.WriteString(ink(c, s))
			} else {
				b.WriteString(pad + ink(c, s))
			}
		}
		return strings.TrimRight(b.String(), " ") + "\n"
	}
	if _, err := io.WriteString(w, line(func(c int) string { return all[c].title }, func(_ int, s string) string { return p.Dim.Render(s) })); err != nil {
		return err
	}
	for i, f := range t.Flows {
		_, err := io.WriteString(w, line(func(c int) string { return rows[i][c] }, func(c int, s string) string {
			if all[c].grade != nil {
				if g := all[c].grade(f); g >= 0 {
					return p.Grade(g).Render(s)
				}
			}
			return s
		}))
		if err != nil {
			return err
		}
	}
	return nil
}
