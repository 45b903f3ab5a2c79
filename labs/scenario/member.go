package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/impair"
)

// Lobby is the room that members are in if nothing else is said.
const Lobby = "lobby"

// A Member is one program that chats, on a host of its own.
type Member struct {
	Name      string    `json:"name"` // of the member and of its host
	Transport Transport `json:"transport"`
	Up        string    `json:"up,omitempty"`         // its access link, from the host; see impair.Parse
	Down      string    `json:"down,omitempty"`       // and towards it
	UDPBuffer int       `json:"udp_buffer,omitempty"` // bytes of a UDP socket's receive buffer; if zero, the stack's
	TCPBuffer int       `json:"tcp_buffer,omitempty"`

	// What if: fates of an earlier run to repeat (see impair.DecodeFates), and a
	// rule that changes one of them, for each direction. These are always
	// written, so that the guest reads two runs that differ in them alike.
	RepeatUp   []byte `json:"repeat_up"`
	RepeatDown []byte `json:"repeat_down"`
	WhatIfUp   string `json:"what_if_up"`
	WhatIfDown string `json:"what_if_down"`

	Rooms     []string `json:"rooms,omitempty"`     // that it is in from the beginning; if empty, the lobby
	Namespace string   `json:"namespace,omitempty"` // that it connects to; empty: the default one

	// What it says in the first of its rooms: so many messages, the first at
	// From. Either so many per second on average, of about so many bytes: the gaps
	// are exponential, the sizes uniform from half of Size to one and a half. Or
	// one in each Every, of exactly Size bytes.
	Messages int      `json:"messages,omitempty"`
	Rate     float64  `json:"rate,omitempty"`
	Size     int      `json:"size,omitempty"`
	Every    Duration `json:"every,omitempty"` // instead of Rate
	From     Duration `json:"from,omitempty"`
}

func (m *Member) validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("scenario: member %q: %w", m.Name, fmt.Errorf(format, args...))
	}
	if err := checkName(m.Name); err != nil {
		return fail("%w", err)
	}
	if !m.Transport.valid() {
		return fail("transport %q, want one of %s", m.Transport, AllTransports())
	}
	for _, l := range []struct {
		way, text, rule string
		fates           []byte
	}{{"up", m.Up, m.WhatIfUp, m.RepeatUp}, {"down", m.Down, m.WhatIfDown, m.RepeatDown}} {
		c, err := impair.Parse(l.text)
		if err == nil && l.rule != "" {
			err = c.AddRule(l.rule)
		}
		if err == nil {
			_, err = impair.DecodeFates(l.fates)
		}
		if err != nil {
			return fail("link %s: %w", l.way, err)
		}
	}
	if m.Messages < 0 || m.Messages > MaxMessages {
		return fail("%d messages, want 0 to %d", m.Messages, MaxMessages)
	}
	if m.Messages > 0 {
		switch every := time.Duration(m.Every); {
		case m.Every != 0 && m.Rate != 0:
			return fail("messages at a rate and every %v, want one of them", every)
		case m.Every != 0 && (every < time.Second/MaxRate || every > MaxTime/time.Duration(m.Messages)):
			return fail("%d messages every %v, want %v or more, and an end within %v", m.Messages, every, time.Second/MaxRate, MaxTime)
		case m.Every == 0 && !(m.Rate > 0 && m.Rate <= MaxRate):
			return fail("%v messages per second, want more than 0 and at most %d", m.Rate, MaxRate)
		}
		if m.From < 0 || time.Duration(m.From) > MaxTime {
			return fail("the first message at %v, want 0s to %v", time.Duration(m.From), MaxTime)
		}
		if m.Size < MinSize || m.Size > MaxSize {
			return fail("messages of %d bytes, want %d to %d", m.Size, MinSize, MaxSize)
		}
	}
	if len(m.Rooms) > MaxMembers {
		return fail("%d rooms, want at most %d", len(m.Rooms), MaxMembers)
	}
	for _, name := range m.Rooms {
		if err := checkRoom(name); err != nil {
			return fail("room %q: %w", name, err)
		}
	}
	if m.UDPBuffer < 0 || m.TCPBuffer < 0 {
		return fail("a buffer is 0 (the stack's own size) or more bytes")
	}
	return nil
}

// Room returns where the member says its workload.
func (m *Member) Room() string {
	if len(m.Rooms) > 0 {
		return m.Rooms[0]
	}
	return Lobby
}

// last is no earlier than the member's last message.
func (m *Member) last() time.Duration {
	switch {
	case m.Messages == 0:
		return 0
	case m.Every > 0:
		return time.Duration(m.From) + time.Duration(m.Messages)*time.Duration(m.Every)
	}
	// The gaps are exponential: their sum is far from ten times its mean.
	return time.Duration(m.From) + time.Duration(10*float64(m.Messages+10)/m.Rate*float64(time.Second))
}

// A Transport is one way to chat: how events travel, and what remembers them.
type Transport string

// The transports, in the order in which they are compared.
const (
	UDP      Transport = "udp"       // each event is sent once
	UDPARQ   Transport = "udp+arq"   // selective repeat while the connection lasts
	TCP      Transport = "tcp"       // TCP while the connection lasts
	UDPQueue Transport = "udp+queue" // the missed-message queue over UDP
	TCPQueue Transport = "tcp+queue" // the missed-message queue over TCP
)

// Transports of labs, which are not compared.
const (
	UDPSequenced   Transport = "udp+sequenced"     // each event is sent once; one that is overtaken is dropped
	UDPStopAndWait Transport = "udp+stop-and-wait" // one datagram in flight
	UDPGoBackN     Transport = "udp+go-back-n"     // after a loss all since is sent again
)

// Transports returns all transports, in the order in which they are compared.
func Transports() TransportList { return TransportList{UDP, UDPARQ, TCP, UDPQueue, TCPQueue} }

// AllTransports returns those of labs, too.
func AllTransports() TransportList {
	return TransportList{UDP, UDPSequenced, UDPStopAndWait, UDPGoBackN, UDPARQ, TCP, UDPQueue, TCPQueue}
}

// A TransportList is some transports.
type TransportList []Transport

// String joins the names by commas.
func (l TransportList) String() string {
	names := make([]string, len(l))
	for i, t := range l {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

func (t Transport) valid() bool { return slices.Contains(AllTransports(), t) }

// Queue reports whether the server keeps for a member what it misses.
func (t Transport) Queue() bool { return t == UDPQueue || t == TCPQueue }

// Stream reports whether events travel over TCP.
func (t Transport) Stream() bool { return t == TCP || t == TCPQueue }
