package scenario

import (
	"fmt"
	"strconv"
	"strings"

	"wirelab/internal/impair"
)

// server reads "server", and what stands under it:
//
//	data         events are on a disk
//	keep N       events that a room keeps
//	refuse       when full, refuse the publisher
//	buffer SIZE  of a TCP socket
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
		default:
			return fmt.Errorf("%q is unknown here: want one of data, keep, refuse, buffer", l.words[0])
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
//	says N rate R/s size B   what it says in the lobby
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
		c, err := impair.Parse(strings.Join(list[1:], " "))
		if err != nil {
			return fmt.Errorf("%s: %w", list[0], err)
		}
		if list[0] != "down" {
			m.Up = c.String()
		}
		if list[0] != "up" {
			m.Down = c.String()
		}
		return nil
	case "says":
		m.Messages = w.number("how many messages, such as says 100 rate 10/s size 200", 0, MaxMessages)
		w.expect("rate", "says 100 rate 10/s size 200")
		word := w.next("a rate, such as 10/s")
		number, ok := strings.CutSuffix(word, "/s")
		rate, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			w.fail("%q: want messages per second, such as 10/s", word)
		}
		m.Rate = rate
		w.expect("size", "says 100 rate 10/s size 200")
		m.Size = w.size("bytes, such as size 200", MaxSize)
	case "tcp-buffer":
		m.TCPBuffer = w.size("bytes, such as tcp-buffer 64KiB", MaxBuffer)
	case "udp-buffer":
		m.UDPBuffer = w.size("bytes, such as udp-buffer 64KiB", MaxBuffer)
	default:
		return fmt.Errorf("%q is unknown here: want one of up, down, link, says, tcp-buffer, udp-buffer", list[0])
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	return w.err
}

// say reads "at T NAME says …".
func (p *textParser) say(list []string) error {
	return fmt.Errorf("%s: nobody says single things yet", strings.Join(list, " "))
}

// chatText writes the server and the members.
func (s *Scenario) chatText(line func(string, ...any)) {
	if v := s.Server; v != (Server{}) {
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
	}
	for i := range s.Members {
		m := &s.Members[i]
		line("member %s over %s", m.Name, m.Transport)
		linkText(line, m.Up, m.Down)
		if m.Messages != 0 {
			line("  says %d rate %s/s size %d", m.Messages, strconv.FormatFloat(m.Rate, 'g', -1, 64), m.Size)
		}
		if m.TCPBuffer != 0 {
			line("  tcp-buffer %d", m.TCPBuffer)
		}
		if m.UDPBuffer != 0 {
			line("  udp-buffer %d", m.UDPBuffer)
		}
	}
}
