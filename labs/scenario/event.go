package scenario

import (
	"encoding/json"
	"fmt"
	"time"

	"wirelab/internal/impair"
)

// An EventKind says what an event is about.
type EventKind string

// The kinds, and the fields of an Event that are set with each, besides T.
const (
	EventBegin   EventKind = "begin"   // every member is connected; the workload begins
	EventEmit    EventKind = "emit"    // Host, N, Size: the program emitted its message number N
	EventAcked   EventKind = "acked"   // Host, N, Seq, Tries: the server stored it, and the program knows
	EventRefused EventKind = "refused" // Host, N, Text: it was not taken, and the program knows
	EventDeliver EventKind = "deliver" // Host, Life, From, N, Seq, Prev, Epoch, Again: the program was handed an event; N is 0 if it is no member's message
	EventLost    EventKind = "lost"    // Host, Life, Count, Text: the program was told that so many events are lost, and why
	EventRoom    EventKind = "room"    // Host, Life, Seq, Epoch, Count: where the program stands in the room from here on, and how many events wait for it there
	EventOnline  EventKind = "online"  // Host, Life, Text: connected; Text is the name
	EventOffline EventKind = "offline" // Host, Life, Text: the connection broke, and why
	EventFault   EventKind = "fault"   // Host, Text: a fault was done to a host
	EventLife    EventKind = "life"    // Host, Life, Text: a program started or ended
	EventTCP     EventKind = "tcp"     // Host, TCP: a connection's inner state
	EventFate    EventKind = "fate"    // Host, Up, Fate: what chance did to a packet
	EventLedger  EventKind = "ledger"  // N, Ledger: the server's ledger on one message
	EventJoined  EventKind = "joined"  // Host, Room, Namespace: the program is in the room
	EventLeft    EventKind = "left"    // Host, Room, Namespace: it no longer is
	EventEntered EventKind = "entered" // Host, Namespace: it is in the namespace
	EventReply   EventKind = "reply"   // Host, From, N, Text: whether Host acknowledged message N of From: ok, timeout or gone
	EventShown   EventKind = "shown"   // Host, From, N, Text, Count: what the program wrote to its terminal, with so many control characters
	EventWaiting EventKind = "waiting" // Host, Size: bytes that wait for it in the server's program
	EventSock    EventKind = "sock"    // Host, Do, Sock and what belongs to Do: a program of a raw host did something, see EVENTS.md
	EventEnd     EventKind = "end"     // Totals; nothing comes after it
)

// An Event is one line of a run's event stream.
type Event struct {
	T    time.Duration `json:"t"` // nanoseconds since the run began, before anybody connected
	Kind EventKind     `json:"ev"`
	Host string        `json:"host,omitempty"`
	Life int           `json:"life,omitempty"` // which life of the program, from 1

	From  string `json:"from,omitempty"` // the member that emitted it
	N     int    `json:"n,omitempty"`    // of that member's messages, from 1
	Size  int    `json:"size,omitempty"` // bytes of text
	Seq   uint64 `json:"seq,omitempty"`  // the event's place in the room's log
	Prev  uint64 `json:"prev,omitempty"` // of the event before it
	Epoch uint64 `json:"epoch,omitempty"`
	Again bool   `json:"again,omitempty"` // handed over as redelivered
	Tries int    `json:"tries,omitempty"`
	Count uint64 `json:"count,omitempty"`
	Text  string `json:"text,omitempty"`

	Room      string `json:"room,omitempty"`     // of an emit, a hand-over and a place; empty: the whole namespace
	Namespace string `json:"ns,omitempty"`       // empty: the default one
	Direct    bool   `json:"direct,omitempty"`   // for this member alone
	Volatile  bool   `json:"volatile,omitempty"` // not stored
	Form      Form   `json:"form,omitempty"`     // of an emit
	To        string `json:"to,omitempty"`       // of an emit: whom it was said to, in the scenario's words

	Do     string `json:"do,omitempty"`     // what a program did
	Sock   string `json:"sock,omitempty"`   // with which of its sockets
	Local  string `json:"local,omitempty"`  // that socket's address and port
	Remote string `json:"remote,omitempty"` // and its peer's
	Total  int64  `json:"total,omitempty"`  // bytes that passed the socket this way so far, with these

	TCP    *TCPState        `json:"tcp,omitempty"`
	Up     bool             `json:"up,omitempty"`
	Fate   *impair.Recorded `json:"fate,omitempty"`
	Ledger json.RawMessage  `json:"ledger,omitempty"` // a chat.Story
	Totals *Totals          `json:"totals,omitempty"`
}

// A TCPState is one end of a TCP connection at an instant.
type TCPState struct {
	Local    string        `json:"local"`
	Remote   string        `json:"remote"`
	Cwnd     int           `json:"cwnd"`     // segments
	Ssthresh int           `json:"ssthresh"` // segments; -1: not set yet
	Flight   int           `json:"flight"`   // segments sent and not acknowledged
	SRTT     time.Duration `json:"srtt_ns"`
	RTTVar   time.Duration `json:"rttvar_ns"`
	RTO      time.Duration `json:"rto_ns"`
	Recovery string        `json:"recovery,omitempty"`
}

// Totals are counts over a whole run.
type Totals struct {
	WireBytes       int64          `json:"wire_bytes"`      // IP bytes that entered the recorded links, from the first message to the last hand-over or message
	AllBytes        int64          `json:"all_bytes"`       // the same, from the beginning to the end
	Packets         int            `json:"packets"`         // that entered the recorded links
	Retransmissions int            `json:"retransmissions"` // segments and datagrams sent again, by all hosts
	Drops           map[string]int `json:"drops,omitempty"` // packets by what became of them, such as "link: random"
}

// Tag returns the text with which message number n of a member begins. It can
// be found in the packets that carry the message.
func Tag(from string, n int) string { return fmt.Sprintf("%s#%05d;", from, n) }

// MinSize is the smallest message: a tag fits it.
const MinSize = 40

// Describe says in a few words what happened.
func (e *Event) Describe() string {
	switch e.Kind {
	case EventBegin:
		return "everybody is connected"
	case EventEmit:
		return fmt.Sprintf("%s emits message %d", e.Host, e.N)
	case EventAcked:
		return fmt.Sprintf("%s has the acknowledgement of message %d", e.Host, e.N)
	case EventRefused:
		return fmt.Sprintf("%s is told that message %d was not taken: %s", e.Host, e.N, e.Text)
	case EventDeliver:
		if e.N == 0 {
			return fmt.Sprintf("%s is handed event %d, %s", e.Host, e.Seq, e.Text)
		}
		return fmt.Sprintf("%s is handed message %d of %s", e.Host, e.N, e.From)
	case EventLost:
		return fmt.Sprintf("%s is told of %d lost events: %s", e.Host, e.Count, e.Text)
	case EventRoom:
		return fmt.Sprintf("%s stands at event %d of the room", e.Host, e.Seq)
	case EventOnline:
		return fmt.Sprintf("%s is connected as %s", e.Host, e.Text)
	case EventOffline:
		return fmt.Sprintf("%s has lost its connection: %s", e.Host, e.Text)
	case EventFault:
		return "fault: " + e.Text
	case EventJoined, EventLeft:
		return fmt.Sprintf("%s has %s room %s", e.Host, e.Kind, e.Room)
	case EventEntered:
		return fmt.Sprintf("%s has entered namespace %s", e.Host, e.Namespace)
	case EventReply:
		return fmt.Sprintf("%s answers message %d of %s: %s", e.Host, e.N, e.From, e.Text)
	case EventShown:
		return fmt.Sprintf("%s shows %q", e.Host, e.Text)
	case EventWaiting:
		return fmt.Sprintf("%d bytes wait for %s", e.Size, e.Host)
	case EventSock:
		return e.describeSock()
	case EventLife:
		return fmt.Sprintf("%s: %s", e.Host, e.Text)
	}
	return string(e.Kind)
}

// describeSock says what a program of a raw host did.
func (e *Event) describeSock() string {
	text := e.Host + ": " + e.Do
	if e.Sock != "" {
		text += " " + e.Sock
	}
	if e.N > 0 {
		text += fmt.Sprintf(" #%d", e.N)
	}
	if e.Size > 0 {
		text += fmt.Sprintf(", %d bytes", e.Size)
	}
	if e.From != "" {
		text += " from " + e.From
	}
	if e.Again {
		text += " again"
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}
