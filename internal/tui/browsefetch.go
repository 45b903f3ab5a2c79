package tui

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/cells"
	"wirelab/packets"
	"wirelab/packets/index"
	"wirelab/packets/layer"
)

// A sight is a packet that was read and taken apart.
type sight struct {
	number  int // from 1
	entry   index.Entry
	packet  packets.Packet
	headers packets.Headers
	layers  []layer.Layer
	line    packetLine
	err     error
}

// look reads packets, and those that follow each other in one go.
func look(x *index.Index, s *index.State, want []int) sightMsg {
	got := make(sightMsg, len(want))
	for len(want) > 0 {
		n := 1
		for n < len(want) && want[n] == want[0]+n {
			n++
		}
		list, err := x.Packets(want[0], n)
		for j := range list {
			got[want[j]] = see(s, want[j], &list[j])
		}
		if len(list) < n { // the one that cannot be read; go on after it
			n = len(list) + 1
			v := see(s, want[n-1], &packets.Packet{})
			v.err = err
			got[want[n-1]] = v
		}
		want = want[n:]
	}
	return got
}

// see takes packet i apart. It must be that of entry i.
func see(s *index.State, i int, p *packets.Packet) *sight {
	v := &sight{number: i + 1, entry: s.Entries[i], packet: *p}
	v.headers.Decode(p)
	ctx := &layer.Context{}
	if v.headers.TCP {
		ctx.Base = &layer.Base{Seq: v.headers.Seq - v.entry.RelSeq, Ack: v.headers.Ack - v.entry.RelAck, Scale: v.entry.Scale}
	}
	v.layers = layer.Tree(p, &v.headers, ctx)
	v.line = lineOf(v, s)
	return v
}

// fetch reads the packets in view that are not there yet, and some around them.
func (m *browseModel) fetch() tea.Cmd {
	n, room := m.count(), m.layout().list
	if m.asked || n == 0 {
		return nil
	}
	missing := func(row int) bool { return m.seen[m.packet(row)] == nil }
	need := missing(m.at)
	for row := m.top; row < min(m.top+room, n) && !need; row++ {
		need = missing(row)
	}
	if !need {
		return nil
	}
	var want []int
	near := map[int]bool{}
	for row := max(m.top-room, 0); row < min(m.top+2*room, n); row++ {
		i := m.packet(row)
		if near[i] = true; m.seen[i] == nil {
			want = append(want, i)
		}
	}
	for i := range m.seen {
		if !near[i] && len(m.seen) > 1000 {
			delete(m.seen, i)
		}
	}
	m.asked = true
	x, s := m.cfg.Index, m.state
	return func() tea.Msg { return look(x, &s, want) }
}

// search begins to look for what matches an expression.
func (m *browseModel) search(expression string) tea.Cmd {
	expression = strings.TrimSpace(expression)
	if expression == "" {
		m.clear()
		return nil
	}
	if m.cfg.Compile != nil && !strings.HasPrefix(expression, "~") {
		if _, err := m.cfg.Compile(expression); err != nil {
			m.warn(err.Error() + " (~TEXT looks for text in the lines)")
			return nil
		}
	}
	m.tell("looking for " + cells.Visible(expression) + " …")
	return m.scan(expression, 0)
}

// clear takes the filter away; the chosen packet stays.
func (m *browseModel) clear() {
	i := m.chosen()
	m.stop()
	m.filter, m.matched, m.filtering, m.scanned = "", nil, 0, 0
	m.at = max(i, 0)
}

// scanOn looks at the packets that came since, if there is a filter.
func (m *browseModel) scanOn() tea.Cmd {
	if m.filter == "" || m.filtering != 0 || m.scanned >= len(m.state.Entries) {
		return nil
	}
	// Each scan of a file begins at its start: while there comes more, not too often.
	if !m.state.Done && !m.cfg.Index.InMemory() && len(m.state.Entries) < m.scanned+m.scanned/2 {
		return nil
	}
	return m.scan(m.filter, m.scanned)
}

// scan asks a filter about all packets from number from on. A scan before ends.
func (m *browseModel) scan(expression string, from int) tea.Cmd {
	m.stop()
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	m.scans++
	m.filtering = m.scans
	number, x, s := m.scans, m.cfg.Index, m.state
	compile := m.cfg.Compile
	return func() tea.Msg {
		defer stop()
		msg := matchMsg{scan: number, filter: expression, from: from, scanned: len(s.Entries)}
		match, err := matcher(compile, expression, &s)
		if err != nil {
			msg.err = err
			return msg
		}
		msg.err = x.Scan(ctx, func(i int, p *packets.Packet) bool {
			if i >= len(s.Entries) {
				return false
			}
			if i < from {
				return true
			}
			var ok bool
			if ok, err = match(i, p); ok {
				msg.matched = append(msg.matched, int32(i))
			}
			return err == nil
		})
		msg.err = errors.Join(msg.err, err)
		return msg
	}
}

// matcher returns the test of an expression.
func matcher(compile func(string) (func(*packets.Packet) (bool, error), error), expression string, s *index.State) (func(int, *packets.Packet) (bool, error), error) {
	text, plain := strings.CutPrefix(expression, "~")
	if compile != nil && !plain {
		test, err := compile(expression)
		return func(_ int, p *packets.Packet) (bool, error) { return test(p) }, err
	}
	text = strings.ToLower(strings.TrimSpace(text))
	return func(i int, p *packets.Packet) (bool, error) {
		return strings.Contains(strings.ToLower(see(s, i, p).line.text()), text), nil
	}, nil
}

// matches takes in what a filter let pass. The chosen packet stays, or the next
// that matches is chosen.
func (m *browseModel) matches(msg matchMsg) tea.Cmd {
	if msg.scan != m.filtering {
		return nil // of a filter before
	}
	m.filtering, m.notice = 0, ""
	if errors.Is(msg.err, context.Canceled) {
		return nil
	}
	if msg.err != nil {
		m.warn("filter: " + msg.err.Error())
		return nil
	}
	if msg.from > 0 {
		m.matched, m.scanned = append(m.matched, msg.matched...), msg.scanned
		return nil
	}
	i := max(m.chosen(), 0)
	m.filter, m.matched, m.scanned = msg.filter, msg.matched, msg.scanned
	m.at = m.rowOf(i)
	switch {
	case len(m.matched) == 0:
		m.tell("nothing matches; esc takes the filter away")
	case m.cfg.Compile == nil:
		m.tell("a filter is text in the lines here: " + strconv.Itoa(len(m.matched)) + " lines have it; esc takes it away")
	}
	return m.scanOn()
}

// rowOf is the row of packet i, or of the next in the list.
func (m *browseModel) rowOf(i int) int {
	if m.filter == "" {
		return min(i, len(m.state.Entries)-1)
	}
	row, _ := slices.BinarySearch(m.matched, int32(i))
	return row
}
