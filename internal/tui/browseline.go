package tui

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/index"
	"wirelab/packets/layer"
)

// A packetLine is what the list shows of a packet, safe for a terminal.
type packetLine struct {
	number, at, from, to, protocol, length string
	remark                                 string // the capture's, in ( )
	flags                                  string // the analysis', in ‹ ›
	info                                   string
}

func lineOf(v *sight, s *index.State) packetLine {
	h, e := &v.headers, &v.entry
	l := packetLine{
		number: strconv.Itoa(v.number), from: address(h.Src), to: address(h.Dst), length: strconv.Itoa(int(e.Length)),
		remark: style.Visible(v.packet.Comment),
	}
	if len(s.Interfaces) > 1 && int(e.Interface) < len(s.Interfaces) {
		l.at = style.Visible(s.Interfaces[e.Interface].Name)
	}
	if v.packet.Drops > 0 {
		l.remark = strings.TrimPrefix(l.remark+"; ", "; ") + fmt.Sprintf("%d not captured before", v.packet.Drops)
	}
	if names := e.Flags.Names(); len(names) > 0 {
		l.flags = strings.ReplaceAll(strings.Join(names, ", "), "_", " ")
	}
	said := ""
	for i := range v.layers {
		switch t := &v.layers[i]; t.Abbrev {
		case "trailer":
		case "data":
			if h.TCP || h.UDP {
				break
			}
			fallthrough
		default:
			if t.Name == l.protocol || l.protocol == "chat" && t.Abbrev == "chat" {
				said += " · " + t.Summary
				break
			}
			l.protocol, said = t.Name, t.Summary
			if t.Abbrev == "chat" {
				l.protocol = "chat"
			}
		}
	}
	switch {
	case h.TCP:
		ack := ""
		if h.Control&packets.ACK != 0 {
			ack = fmt.Sprintf(" ack %d", e.RelAck)
		}
		if l.info = fmt.Sprintf("%d→%d [%s] seq %d%s len %d", h.SrcPort, h.DstPort, layer.Control(h.Control), e.RelSeq, ack, h.PayloadLen); l.protocol != "TCP" {
			l.info = said + " · " + l.info
		}
	case h.UDP:
		if l.info = fmt.Sprintf("%d→%d len %d", h.SrcPort, h.DstPort, h.PayloadLen); l.protocol != "UDP" {
			l.info = said + " · " + l.info
		}
	default:
		l.info = said
	}
	if h.Problem != "" {
		l.info = style.Visible(h.Problem) + " · " + l.info
	}
	l.info = strings.TrimSuffix(l.info, " · ")
	return l
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return "–"
	}
	return style.Visible(a.String())
}

// text is the line without its columns, for the filter.
func (l *packetLine) text() string {
	return strings.Join([]string{l.number, l.at, l.from, l.to, l.protocol, l.remark, l.flags, l.info}, " ")
}

// columns are the widths of the list's.
type columns struct{ number, time, at, address, protocol, length int }

// columns shares out w cells by the capture, not by what is in view: the list
// does not jump while it scrolls.
func (m *browseModel) columns(w int) columns {
	c := columns{number: max(len(strconv.Itoa(len(m.state.Entries))), 3), time: 9, address: 11, protocol: 5, length: 5}
	if n := len(m.state.Entries); n > 0 && m.state.Entries[n-1].Time-m.begin >= int64(100*time.Second) {
		c.time = 12
	}
	if w >= 110 {
		c.address = 15
	}
	if len(m.state.Interfaces) > 1 {
		for _, i := range m.state.Interfaces {
			c.at = min(max(c.at, cells.Width(style.Visible(i.Name))), 8)
		}
		c.at++
	}
	return c
}

// line draws row of the list in w cells.
func (m *browseModel) line(row, w int) string {
	p := m.palette
	i := m.packet(row)
	lead := "  "
	if row == m.at {
		lead = "▸ "
		if m.focus == listArea {
			lead = p.Accent.Render("▸") + " "
		}
	}
	c := m.columns(w)
	e := &m.state.Entries[i]
	since := time.Duration(e.Time - m.begin).Seconds()
	head := p.Dim.Render(cells.PadLeft(strconv.Itoa(i+1), c.number)) + " " + cells.PadLeft(strconv.FormatFloat(since, 'f', 6, 64), c.time) + " "
	v := m.seen[i]
	if v == nil {
		return pad(lead+head+p.Dim.Render("…"), w)
	}
	if v.err != nil {
		return pad(lead+head+p.Error.Render(cells.Visible(v.err.Error())), w)
	}
	l := &v.line
	if c.at > 0 {
		head += p.Dim.Render(cells.Pad(cells.Cut(l.at, c.at-1), c.at))
	}
	ink := p.Field(1)
	switch {
	case v.headers.TCP && l.protocol != "TCP", v.headers.UDP && l.protocol != "UDP":
		ink = p.Field(2)
	case v.headers.TCP:
		ink = p.Field(0)
	case v.headers.UDP:
		ink = p.Field(6)
	}
	head += cells.PadLeft(cells.CutLeft(l.from, c.address), c.address) + p.Dim.Render("→") + cells.Pad(cells.CutLeft(l.to, c.address), c.address) + " " +
		ink.Render(cells.Pad(cells.Cut(l.protocol, c.protocol), c.protocol)) + cells.PadLeft(l.length, c.length) + " "
	info := l.info
	switch {
	case l.remark == "":
	case v.entry.Mark == 0: // no news, such as the state of the sender's stack
		info += " " + p.Dim.Render("("+l.remark+")")
	default:
		head += p.Error.Render("("+l.remark+")") + " "
	}
	if l.flags != "" {
		head += p.Accent.Render("‹"+l.flags+"›") + " "
	}
	return pad(lead+head+info, w)
}
