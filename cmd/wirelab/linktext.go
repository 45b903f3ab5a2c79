package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"wirelab/internal/relay"
	"wirelab/internal/repl"
	"wirelab/internal/style"
)

// liveLine tells what happened between two snapshots, about a second apart;
// empty if nothing did.
func liveLine(before, now *relay.Snapshot) string {
	seconds := now.Time.Sub(before.Time).Seconds()
	if seconds <= 0 || now.Up.Sent == before.Up.Sent && now.Down.Sent == before.Down.Sent {
		return ""
	}
	line := fmt.Sprintf("%5.0fs ", now.Time.Sub(now.Started).Seconds())
	for _, s := range []struct {
		name        string
		before, now *relay.Side
	}{{"up", &before.Up, &now.Up}, {"down", &before.Down, &now.Down}} {
		line += fmt.Sprintf(" %s %s", s.name, megabits(float64(s.now.Received.Bytes-s.before.Received.Bytes)/seconds))
		if lost := s.now.Lost.Total() - s.before.Lost.Total(); lost > 0 {
			line += fmt.Sprintf(" lost %d of %d", lost, s.now.Sent.Packets-s.before.Sent.Packets)
		}
		if again := s.now.Resent - s.before.Resent; again > 0 {
			line += fmt.Sprintf(" again %d", again)
		}
		line += ";"
	}
	line += fmt.Sprintf(" %d open", len(now.Conns))
	if now.Connecting > 0 {
		line += fmt.Sprintf(", %d connecting", now.Connecting)
	}
	if now.Totals.Flows > 0 {
		line += fmt.Sprintf(", %d UDP", now.Flows)
	}
	if c, sender := busiest(before, now); c != nil {
		line += fmt.Sprintf("; %s: cwnd %d, srtt %s, rto %s", c.Client, sender.Cwnd, brief(sender.SRTT), brief(sender.RTO))
		if sender.Recovery != "" && sender.Recovery != "open" {
			line += ", " + sender.Recovery
		}
	}
	return style.Visible(line)
}

// busiest finds the connection whose streams grew most, and its sender.
func busiest(before, now *relay.Snapshot) (best *relay.Conn, sender *relay.Control) {
	old := map[uint16]*relay.Conn{}
	for i := range before.Conns {
		old[before.Conns[i].Port] = &before.Conns[i]
	}
	most := uint64(0)
	for i := range now.Conns {
		c := &now.Conns[i]
		was := old[c.Port]
		if was == nil || !was.Opened.Equal(c.Opened) {
			was = &relay.Conn{}
		}
		for _, h := range []struct{ was, now *relay.Half }{{&was.Up, &c.Up}, {&was.Down, &c.Down}} {
			if grew := h.now.Handed - h.was.Handed; h.now.Sender.Known && (best == nil || grew > most) {
				best, sender, most = c, &h.now.Sender, grew
			}
		}
	}
	return best, sender
}

// megabits writes bytes per second as people speak of links.
func megabits(bytes float64) string {
	switch bits := 8 * bytes; {
	case bits < 1e3:
		return fmt.Sprintf("%.0f b/s", bits)
	case bits < 1e6:
		return fmt.Sprintf("%.1f kb/s", bits/1e3)
	default:
		return fmt.Sprintf("%.1f Mb/s", bits/1e6)
	}
}

// brief writes a duration with about three digits.
func brief(d time.Duration) string {
	unit := time.Microsecond
	for u := time.Microsecond; u < d/1000; u *= 10 {
		unit = u * 10
	}
	return d.Round(unit).String()
}

// summarise tells what a link did in all.
func (f *linkFlags) summarise(w io.Writer, s relay.Snapshot) error {
	if f.json {
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(f.summary(&s))
	}
	t := repl.Table{Columns: []string{"", "up", "down"}, Right: []bool{false, true, true}}
	seconds := s.Time.Sub(s.Started).Seconds()
	row := func(name string, value func(*relay.Side) string) {
		t.Rows = append(t.Rows, []string{name, value(&s.Up), value(&s.Down)})
	}
	number := func(name string, always bool, value func(*relay.Side) uint64) {
		if always || value(&s.Up)+value(&s.Down) > 0 {
			row(name, func(s *relay.Side) string { return fmt.Sprint(value(s)) })
		}
	}
	number("packets sent", true, func(s *relay.Side) uint64 { return s.Sent.Packets })
	number("packets arrived", true, func(s *relay.Side) uint64 { return s.Received.Packets })
	row("packets lost", func(s *relay.Side) string {
		n := s.Lost.Total()
		if n == 0 {
			return "0"
		}
		return fmt.Sprintf("%d (%.2f%%)", n, 100*float64(n)/float64(max(s.Sent.Packets, 1)))
	})
	for _, c := range relay.Causes() {
		number("  "+c.String(), false, func(s *relay.Side) uint64 { return s.Lost[c] })
	}
	number("not taken by the host", false, func(s *relay.Side) uint64 { return s.Refused })
	number("doubled", false, func(s *relay.Side) uint64 { return s.Duplicated })
	number("with a bit flipped", false, func(s *relay.Side) uint64 { return s.Corrupted })
	number("reordered", false, func(s *relay.Side) uint64 { return s.Reordered })
	number("segments sent again", true, func(s *relay.Side) uint64 { return s.Resent })
	number("bytes that arrived", true, func(s *relay.Side) uint64 { return s.Received.Bytes })
	number("bytes handed over", true, func(s *relay.Side) uint64 { return s.Payload })
	row("mean rate", func(s *relay.Side) string { return megabits(float64(s.Received.Bytes) / max(seconds, 1e-9)) })
	for _, line := range t.Lines(style.Width(w)) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	var parts []string
	for _, n := range s.Totals.List() {
		if n.Count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.Count, n.What))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nobody connected"}
	}
	_, err := fmt.Fprintf(w, "\n%s in %s, seed %d\n", strings.Join(parts, ", "), brief(s.Time.Sub(s.Started)), f.seed)
	return err
}

// A sideSummary is one direction in the summary's JSON.
type sideSummary struct {
	Link            string            `json:"link"` // as it was at the end
	PacketsSent     uint64            `json:"packets_sent"`
	PacketsReceived uint64            `json:"packets_received"`
	BytesSent       uint64            `json:"bytes_sent"`
	BytesReceived   uint64            `json:"bytes_received"`
	Lost            map[string]uint64 `json:"lost"` // by cause
	NotTaken        uint64            `json:"not_taken"`
	Duplicated      uint64            `json:"duplicated"`
	Corrupted       uint64            `json:"corrupted"`
	Reordered       uint64            `json:"reordered"`
	Resent          uint64            `json:"segments_resent"`
	Payload         uint64            `json:"payload_bytes"`
}

type linkSummary struct {
	Seed     uint64            `json:"seed"`
	Seconds  float64           `json:"seconds"`
	MTU      int               `json:"mtu"`
	Up       sideSummary       `json:"up"`
	Down     sideSummary       `json:"down"`
	Totals   map[string]uint64 `json:"totals"`
	Recorded uint64            `json:"packets_recorded"`
}

func (f *linkFlags) summary(s *relay.Snapshot) linkSummary {
	side := func(s *relay.Side) sideSummary {
		out := sideSummary{
			Link: s.Config.String(), PacketsSent: s.Sent.Packets, PacketsReceived: s.Received.Packets,
			BytesSent: s.Sent.Bytes, BytesReceived: s.Received.Bytes, Lost: map[string]uint64{}, NotTaken: s.Refused,
			Duplicated: s.Duplicated, Corrupted: s.Corrupted, Reordered: s.Reordered, Resent: s.Resent, Payload: s.Payload,
		}
		for _, c := range relay.Causes() {
			if s.Lost[c] > 0 {
				out.Lost[c.String()] = s.Lost[c]
			}
		}
		return out
	}
	out := linkSummary{
		Seed: f.seed, Seconds: s.Time.Sub(s.Started).Seconds(), MTU: f.mtu, Up: side(&s.Up), Down: side(&s.Down),
		Totals: map[string]uint64{}, Recorded: s.Recorded,
	}
	for _, n := range s.Totals.List() {
		out.Totals[n.Name] = n.Count
	}
	return out
}
