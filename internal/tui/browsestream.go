package tui

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/framing"
	"wirelab/packets/index"
	"wirelab/packets/ladder"
)

const (
	maxPaper = 20_000  // lines of a paper
	maxText  = 8 << 20 // bytes of payload in it
	// ladderRows is how many lines of arrows are drawn; of a longer conversation
	// runs of like packets are counted.
	ladderRows = 2000
)

// A question is what a command that reads a conversation needs to know.
type question struct {
	ctx     context.Context
	x       *index.Index
	palette *style.Palette
	width   int
	at      time.Time
	begin   int64
	key     ladder.Key
}

// read lets make read the conversation of the chosen packet in the background.
func (m *browseModel) read(what string, make func(*question) (*paper, error)) tea.Cmd {
	if m.open == nil {
		return nil
	}
	h := &m.open.headers
	if !h.TCP && !h.UDP {
		m.warn(fmt.Sprintf("packet %d is of no TCP or UDP conversation", m.open.number))
		return nil
	}
	m.tell(what + " …")
	q := &question{
		ctx: m.ctx, x: m.cfg.Index, palette: m.palette, width: m.width, begin: m.begin, at: m.open.packet.Time,
		key: ladder.Key{Protocol: h.Protocol, A: netip.AddrPortFrom(h.Src, h.SrcPort), B: netip.AddrPortFrom(h.Dst, h.DstPort)},
	}
	return func() tea.Msg {
		p, err := make(q)
		return paperMsg{p, err}
	}
}

// each calls take for the packets of q's conversation, at all interfaces.
// Fragments without ports are of it if their addresses are.
func (q *question) each(take func(p *packets.Packet, h *packets.Headers)) error {
	var h packets.Headers
	first := true
	return q.x.Scan(q.ctx, func(_ int, p *packets.Packet) bool {
		h.Decode(p)
		there := ladder.Key{Protocol: h.Protocol, A: netip.AddrPortFrom(h.Src, h.SrcPort), B: netip.AddrPortFrom(h.Dst, h.DstPort)}
		back := ladder.Key{Protocol: h.Protocol, A: there.B, B: there.A}
		if !h.TCP && !h.UDP {
			if h.Fragment == 0 || h.Protocol != q.key.Protocol ||
				(h.Src != q.key.A.Addr() || h.Dst != q.key.B.Addr()) && (h.Dst != q.key.A.Addr() || h.Src != q.key.B.Addr()) {
				return true
			}
		} else if q.key != there && q.key != back {
			return true
		}
		if first && (h.TCP || h.UDP) {
			q.key, first = there, false // who speaks first stands left
		}
		take(p, &h)
		return true
	})
}

// ladder draws the conversation.
func (m *browseModel) ladder(q *question) (*paper, error) {
	all := q.x.State().Interfaces
	var b *ladder.Builder
	err := q.each(func(p *packets.Packet, _ *packets.Headers) {
		if b == nil {
			b = ladder.NewBuilder(q.key)
		}
		b.Add(p, all, 0)
	})
	if err != nil || b == nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := b.Ladder().Summarise(ladderRows).Text(&out, ladder.Options{Width: q.width, Palette: q.palette}); err != nil {
		return nil, err
	}
	return &paper{title: "ladder · " + q.key.String(), lines: strings.Split(strings.TrimRight(out.String(), "\n"), "\n")}, nil
}

// A told is what a direction said at an instant.
type told struct {
	flow   *framing.Flow
	dir    int
	number int
	at     time.Time
	start  uint64 // of text in the stream, if it is a segment
	text   string
	chat   bool
	note   string
}

// stream shows what the conversation said. Its messages come as they were
// complete at the receiver; what has no messages comes in segments.
func (m *browseModel) stream(q *question) (*paper, error) {
	var (
		said  []told
		plain []told // by segment, for directions without messages
		bytes int
		full  bool
		now   *packets.Packet
		head  *packets.Headers
		flows []*framing.Flow
	)
	keep := func(to *[]told, t told, n int) {
		if bytes += n; bytes > maxText || len(*to) >= maxPaper {
			full = true
			return
		}
		*to = append(*to, t)
	}
	known := func(f *framing.Flow) {
		for _, k := range flows {
			if k == f {
				return
			}
		}
		if len(flows) < 10_000 {
			flows = append(flows, f)
		}
	}
	note := func(msg *framing.Message) {
		known(msg.Flow)
		t := told{flow: msg.Flow, dir: msg.Dir, number: msg.Number, at: msg.Complete}
		switch msg.Framing {
		case "chat":
			t.chat, t.text = true, msg.Summary
		default:
			t.text = string(msg.Bytes)
		}
		if msg.Missing > 0 {
			t.note = fmt.Sprintf("%d bytes are missing", msg.Missing)
		} else if msg.Err != "" {
			t.note = msg.Err
		} else if msg.Hole != nil && msg.Waited > 0 {
			t.note = "waited " + flow.Short(msg.Waited) + " for lost bytes"
		}
		keep(&said, t, len(t.text))
	}
	all := q.x.State().Interfaces
	tracker := &framing.Tracker{Interfaces: func() []packets.Interface { return all }}
	tracker.Segment = func(f *framing.Flow, dir int, s framing.Segment, lost bool) {
		known(f)
		if lost || s.New == 0 || now == nil || s.Number != now.Number {
			return
		}
		keep(&plain, told{flow: f, dir: dir, number: s.Number, at: s.Time, start: s.Start, text: string(head.Payload)}, len(head.Payload))
	}
	err := q.each(func(p *packets.Packet, h *packets.Headers) {
		now, head = p, h
		for _, msg := range tracker.Add(p, h) {
			note(&msg)
		}
	})
	if err != nil {
		return nil, err
	}
	now = nil
	for _, msg := range tracker.End() {
		note(&msg)
	}
	// Of connections that used the same ports one after the other, the one that
	// the packet is in.
	var chosen *framing.Flow
	for _, f := range flows {
		if chosen == nil || !f.First.After(q.at) && f.First.After(chosen.First) {
			chosen = f
		}
	}
	return q.paper(chosen, said, plain, full), nil
}

// paper writes what was said in a flow.
func (q *question) paper(f *framing.Flow, said, plain []told, full bool) *paper {
	p := q.palette
	var framed [2]bool
	for i := range said {
		if said[i].flow == f {
			framed[said[i].dir] = true
		}
	}
	var list []told
	for i := range said {
		if said[i].flow == f {
			list = append(list, said[i])
		}
	}
	for dir := range 2 {
		if !framed[dir] {
			list = append(list, inOrder(plain, f, dir)...)
		}
	}
	slices.SortStableFunc(list, func(a, b told) int { return a.at.Compare(b.at) })
	name := q.key.String()
	out := &paper{title: "follow · " + name}
	if f != nil {
		out.lines = append(out.lines, " "+p.Field(2).Render("→ "+f.Client.String())+"   "+p.Field(6).Render("← "+f.Server.String()), "")
	}
	if len(list) == 0 {
		out.lines = append(out.lines, " "+p.System.Render("nothing was said, or it did not arrive"))
	}
	for i := range list {
		if len(out.lines) >= maxPaper {
			full = true
			break
		}
		out.lines = append(out.lines, q.say(&list[i])...)
	}
	if full {
		out.lines = append(out.lines, "", " "+p.System.Render("there is more, which is not shown"))
	}
	return out
}

// inOrder returns what segments brought in one direction of f, in the order of
// the stream, each byte once. A segment's time is when all before it was there.
func inOrder(plain []told, f *framing.Flow, dir int) (list []told) {
	for i := range plain {
		if plain[i].flow == f && plain[i].dir == dir {
			list = append(list, plain[i])
		}
	}
	slices.SortStableFunc(list, func(a, b told) int { return cmp.Compare(a.start, b.start) })
	end, n := uint64(0), 0
	for i := range list {
		t := list[i]
		switch after := t.start + uint64(len(t.text)); {
		case after <= end:
			continue
		case t.start < end:
			t.text = t.text[end-t.start:]
			end = after
		default:
			if t.start > end {
				t.note = flow.Plural(int64(t.start-end), "byte") + " before this were not captured"
			}
			end = after
		}
		if n > 0 && t.at.Before(list[n-1].at) {
			t.at = list[n-1].at
		}
		list[n] = t
		n++
	}
	return list[:n]
}

// say writes one thing that was said: who, when, in which packet, and what.
func (q *question) say(t *told) (lines []string) {
	p := q.palette
	sign, ink := "→", p.Field(2)
	if t.dir == 1 {
		sign, ink = "←", p.Field(6)
	}
	head := fmt.Sprintf("%10.6f %5d ", time.Duration(t.at.UnixNano()-q.begin).Seconds(), t.number)
	if t.number == 0 {
		head = strings.Repeat(" ", len(head))
	}
	room := max(q.width-len(head)-4, 10)
	text := t.text
	if !t.chat {
		text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	}
	for _, l := range strings.Split(text, "\n") {
		for _, s := range cells.Wrap(style.Visible(l), room, room) {
			lead := strings.Repeat(" ", len(head))
			if len(lines) == 0 {
				lead = p.Dim.Render(head)
			}
			lines = append(lines, lead+ink.Render(sign+" "+s))
		}
	}
	if t.note != "" {
		lines = append(lines, strings.Repeat(" ", len(head)+2)+p.System.Render("("+style.Visible(t.note)+")"))
	}
	return lines
}
