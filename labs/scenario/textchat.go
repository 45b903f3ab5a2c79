package scenario

import (
	"fmt"
	"strings"
)

// server reads "server", and what stands under it:
//
//	data         events are on a disk
//	keep N       events that a room keeps
//	refuse       when full, refuse the publisher
//	buffer SIZE  of a TCP socket
//	namespaces A,B  besides the default one
func (p *textParser) server(list []string) (func(*textLine) error, error) {
	if len(list) != 1 {
		return nil, fmt.Errorf("%s: want server alone, and its options indented under it", strings.Join(list, " "))
	}
	s := &p.s.Server
	return func(l *textLine) error {
		w := &words{list: l.words, at: 1}
		switch l.words[0] {
		case "data":
			s.Data = true
		case "keep":
			s.KeepCount = w.number("how many events, such as keep 100", 0, 1<<30)
		case "refuse":
			s.Refuse = true
		case "buffer":
			s.TCPBuffer = w.size("bytes, such as buffer 64KiB", MaxBuffer)
		case "namespaces":
			s.Namespaces = w.names("names of namespaces")
		default:
			return fmt.Errorf("%q is unknown here: want one of data, keep, refuse, buffer, namespaces", l.words[0])
		}
		if w.more() {
			w.fail("%q is one word too many", w.list[w.at])
		}
		return w.err
	}, nil
}

// member reads "member NAME over TRANSPORT", and what stands under it:
//
//	up, down, link  …        its link
//	says N rate R/s size B [from T], says N every D size B [from T]
//	rooms A,B                in which it is; in the first it says that
//	namespace NAME           that it connects to
//	tcp-buffer, udp-buffer SIZE
func (p *textParser) member(list []string) (func(*textLine) error, error) {
	if len(list) != 4 || list[2] != "over" {
		return nil, fmt.Errorf("%s: want member NAME over TRANSPORT, such as member eve over tcp+queue", strings.Join(list, " "))
	}
	p.s.Members = append(p.s.Members, Member{Name: list[1], Transport: Transport(list[3])})
	i := len(p.s.Members) - 1
	return func(l *textLine) error { return p.s.Members[i].option(l.words) }, nil
}

func (m *Member) option(list []string) error {
	w := &words{list: list, at: 1}
	switch list[0] {
	case "up", "down", "link":
		return readLink(list, &m.Up, &m.Down)
	case "says":
		m.says(w)
	case "rooms":
		m.Rooms = w.names("names of rooms")
	case "namespace":
		m.Namespace = w.room("the name of a namespace")
	case "tcp-buffer":
		m.TCPBuffer = w.size("bytes, such as tcp-buffer 64KiB", MaxBuffer)
	case "udp-buffer":
		m.UDPBuffer = w.size("bytes, such as udp-buffer 64KiB", MaxBuffer)
	default:
		return fmt.Errorf("%q is unknown here: want one of up, down, link, says, rooms, namespace, tcp-buffer, udp-buffer", list[0])
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	return w.err
}

// act reads "at T WHO DOES …".
func (p *textParser) act(l *textLine) error {
	a, err := ParseAct(strings.Join(l.words[1:], " "))
	if err != nil {
		return err
	}
	p.s.Acts = append(p.s.Acts, a)
	p.lines = append(p.lines, lineOf{fmt.Sprintf("act %q", a), l.number})
	return nil
}

// chatText writes the server and the members.
func (s *Scenario) chatText(line func(string, ...any)) {
	if s.Without != "" {
		line("without %s", s.Without)
	}
	if s.Watch {
		line("watch")
	}
	if v := s.Server; v.Data || v.KeepCount != 0 || v.Refuse || v.TCPBuffer != 0 || len(v.Namespaces) > 0 {
		line("server")
		if v.Data {
			line("  data")
		}
		if v.KeepCount != 0 {
			line("  keep %d", v.KeepCount)
		}
		if v.Refuse {
			line("  refuse")
		}
		if v.TCPBuffer != 0 {
			line("  buffer %d", v.TCPBuffer)
		}
		if len(v.Namespaces) > 0 {
			line("  namespaces %s", strings.Join(v.Namespaces, ","))
		}
	}
	for i := range s.Members {
		m := &s.Members[i]
		line("member %s over %s", m.Name, m.Transport)
		linkText(line, m.Up, m.Down)
		if len(m.Rooms) > 0 {
			line("  rooms %s", strings.Join(m.Rooms, ","))
		}
		if m.Namespace != "" {
			line("  namespace %s", m.Namespace)
		}
		if m.Messages != 0 {
			line("  %s", m.saysText())
		}
		if m.TCPBuffer != 0 {
			line("  tcp-buffer %d", m.TCPBuffer)
		}
		if m.UDPBuffer != 0 {
			line("  udp-buffer %d", m.UDPBuffer)
		}
	}
}
