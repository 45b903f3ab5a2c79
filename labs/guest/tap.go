package main

import (
	"fmt"
	"slices"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/internal/vnet"
	"wirelab/labs/scenario"
)

// A tap writes the packets of one access link, at three interfaces: the
// member's host, the link, and the far end, where the server is.
type tap struct {
	host string
	near int // numbers of the interfaces
	link int
	far  int
	// other is who is at the far end: the server; of two raw hosts the other one;
	// else the net.
	other string
}

func newTap(l *ledger, host string) *tap {
	t := &tap{host: host, other: far(l.s, host)}
	if !l.s.Packets {
		return t
	}
	for _, i := range []struct {
		n          *int
		name, what string
	}{
		{&t.near, host, "what the host " + host + " sent and received"},
		{&t.link, "link", "between " + host + " and the " + t.other + ": what became of each packet"},
		{&t.far, t.other, "the " + t.other + "'s end of the link"},
	} {
		name := i.name
		if len(l.s.Record) > 1 && name != host {
			name += " " + host
		}
		n, err := l.out.Describe(pcapng.Interface{Name: name, Description: i.what})
		*i.n = n
		if l.err == nil {
			l.err = err
		}
	}
	return t
}

// far names the far end of a host's link.
func far(s *scenario.Scenario, host string) string {
	raw := slices.ContainsFunc(s.Hosts, func(h scenario.Host) bool { return h.Name == host })
	switch {
	case !raw:
		return scenario.ServerHost
	case len(s.Members) > 0 || len(s.Hosts) != 2:
		return "net"
	case s.Hosts[0].Name == host:
		return s.Hosts[1].Name
	}
	return s.Hosts[0].Name
}

// packet is told of each packet at each vantage point.
func (l *ledger) packet(p *vnet.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.taps[p.Host]
	if len(l.s.Members) == 0 {
		l.active = time.Now()
	}
	if l.stir != nil {
		l.stir(moves(p.Data))
	}
	if p.Vantage == vnet.Sent && (p.First || len(l.s.Hosts) == 0) {
		if s, ok := parse(p.Data); ok {
			l.resent.take(&s)
		}
	}
	if t == nil {
		return
	}
	switch {
	case p.Vantage == vnet.Sent:
		l.totals.Packets++
		l.totals.AllBytes += int64(len(p.Data))
	case p.Vantage == vnet.Carried && len(p.Outcome.Arrivals) == 0:
		l.totals.Drops["link: "+p.Outcome.Cause.String()]++
	case p.Vantage == vnet.Received && p.Reason != "":
		l.totals.Drops[t.end(p)+": "+p.Reason]++
	}
	if l.s.Packets {
		l.record(t, p)
	}
}

// moves reports whether a packet is a TCP segment over IPv4 that changes a
// connection's state: with SYN, FIN or RST.
func moves(b []byte) bool {
	return len(b) >= 40 && b[0] == 0x45 && b[9] == protocolTCP && b[33]&7 != 0
}

// end names the end of the link at which p is received.
func (t *tap) end(p *vnet.Packet) string {
	if p.Direction == vnet.Down {
		return t.host
	}
	return t.other
}

// record writes p to its interface of the capture.
func (l *ledger) record(t *tap, p *vnet.Packet) {
	out := pcapng.Packet{Time: p.Time, ID: p.ID, Data: p.Data}
	up := p.Direction == vnet.Up
	switch p.Vantage {
	case vnet.Sent:
		out.Interface, out.Direction = t.far, pcapng.Out
		if up {
			out.Interface = t.near
		}
		out.Comment = l.diary.Note(p.Data)
	case vnet.Carried:
		out.Interface, out.Direction = t.link, pcapng.In
		if up {
			out.Direction = pcapng.Out
		}
		out.Comment = p.Outcome.Note
		if len(p.Outcome.Arrivals) == 0 {
			out.Comment = "lost: " + p.Outcome.Cause.String()
			if p.Outcome.Note != "" {
				out.Comment += fmt.Sprintf(" (%s)", p.Outcome.Note)
			}
		}
	case vnet.Received:
		out.Interface, out.Direction = t.near, pcapng.In
		if up {
			out.Interface = t.far
		}
		out.Comment = p.Reason
	}
	if err := l.out.Packet(&out); err != nil && l.err == nil {
		l.err = err
	}
}
