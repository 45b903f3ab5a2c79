package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// An Event is one that the server delivered. It is the receiver's to keep.
type Event struct {
	Namespace string
	Room      string
	Sender    string // the identity's name, set by the server; empty: the server itself
	Event     string
	Seq, Prev uint64 // place in the room's log; 0 for a volatile event
	ID        uint64 // the emitter's message id
	Time      time.Time
	Args      json.RawMessage // a JSON array; any bytes with Binary

	Binary      bool
	Volatile    bool
	Direct      bool // for this member alone
	Redelivered bool // the server had sent it before, and no acknowledgement reached it
	Own         bool // this client's own
	AckWanted   bool // OnEvent's result is sent to the server
}

// Text returns the first argument if it is a string.
func (e *Event) Text() (string, bool) {
	if e.Binary {
		return "", false
	}
	var args []json.RawMessage
	if json.Unmarshal(e.Args, &args) != nil || len(args) == 0 {
		return "", false
	}
	var s string
	if json.Unmarshal(args[0], &s) != nil {
		return "", false
	}
	return s, true
}

// Decode stores the arguments, in order, in what into points to. Fewer or more
// arguments than targets are no error; a nil target skips one.
func (e *Event) Decode(into ...any) error {
	if e.Binary {
		return fmt.Errorf("chat: event %q carries raw bytes, not JSON", e.Event)
	}
	var args []json.RawMessage
	if err := json.Unmarshal(e.Args, &args); err != nil {
		return fmt.Errorf("chat: arguments of %q: %w", e.Event, err)
	}
	for i, p := range into {
		if i >= len(args) {
			break
		}
		if p == nil {
			continue
		}
		if err := json.Unmarshal(args[i], p); err != nil {
			return fmt.Errorf("chat: argument %d of %q: %w", i+1, e.Event, err)
		}
	}
	return nil
}

// A Message is an event to emit.
type Message struct {
	Room  string // empty: a request to the server
	Event string
	Args  []any // each is marshalled as JSON

	Raw       []byte // if not nil, used instead of Args: a JSON array, or any bytes with Binary
	Binary    bool
	Volatile  bool // dropped when there is no connection, or a member cannot take it; never stored
	Broadcast bool // not for the sender

	Ack     bool          // wait for the server's answer: at most once
	Retries int           // ask again with the same id, that often at most, until answered; -1: no end. Implies Ack, at least once
	Timeout time.Duration // for one try's answer; if zero, Config.AckTimeout
}

// An Ack is the server's answer to an emit.
type Ack struct {
	ID   uint64 // the message id
	Room string
	Seq  uint64          // the event's place in the room; 0 for a request
	Time time.Time       // when the server took it; zero for a request
	Args json.RawMessage // the answer, a JSON array
	RTT  time.Duration   // from the last try to the answer
	// Tries is 1 without retries.
	Tries int
}

// Result returns the answer's first element, nil if there is none.
func (a *Ack) Result() json.RawMessage {
	var args []json.RawMessage
	if json.Unmarshal(a.Args, &args) != nil || len(args) == 0 {
		return nil
	}
	return args[0]
}
