package repl

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"wirelab/internal/client"
)

// A Place is where lines go and where things happen: a room, or the
// conversation with one person, whose Room is "@" and the name.
type Place struct{ Namespace, Room string }

// Person returns whom the conversation is with, if it is one.
func (p Place) Person() (string, bool) { return strings.CutPrefix(p.Room, "@") }

// String returns the room, after its namespace and a slash if that is not the
// default one. It is not made safe for a terminal.
func (p Place) String() string {
	if p.Namespace == "" {
		return p.Room
	}
	return p.Namespace + "/" + p.Room
}

// A Kind says what an [Item] is.
type Kind uint8

// The kinds. The fields of Item that are set are named with each; Time and
// Place may be set with all.
const (
	Message Kind = 1 + iota // Event, ID, State, Past: somebody emitted something
	Notice                  // Event, Text: somebody came or went
	Receipt                 // ID, State, Event.Seq, Text, Hint: what became of an own message
	Info                    // Text, Answer: what the program has to say
	Failure                 // Text, Hint
	Loss                    // Text, Status: messages that will not come
	Status                  // Text, Status: the connection, or where the client stands in a room
	Listing                 // Table, Answer
)

// A State is how far an own message has come.
type State uint8

// The states.
const (
	Theirs  State = iota // not an own message
	Waiting              // not acknowledged yet
	Sent                 // sent, and no acknowledgement was asked for
	Acked                // the server has it
	Refused              // it is certain, or likely, that the server does not have it
)

// An Item is one thing to show. Its texts may come from the network: whoever
// shows them makes them safe.
type Item struct {
	Kind  Kind
	Time  time.Time
	Place Place // zero: it belongs to no place
	Text  string
	Hint  string // what to do about a Failure

	Event  *client.Event
	Status *client.Status
	State  State
	ID     uint64 // an own message's id
	Past   bool   // from the room's history

	Table  *Table
	Answer *Answer
	Err    error // of a Failure or Receipt
}

// Trifle reports whether a Loss is but the news that the log of what is for
// the whole namespace, in which people do not write, began anew. Programs that
// read JSON are told.
func (it *Item) Trifle() bool {
	return it.Kind == Loss && it.Status.Room == "" && it.Status.Lost == 0
}

// An Answer is what a command learned, for programs.
type Answer struct {
	Command string
	Result  json.RawMessage
}

// A Step is what a line, or something from the network, leads to.
type Step struct {
	Items []Item
	Move  *Place // from now on lines go there
	Quit  bool
	XRay  bool // show the x-ray pane, or hide it

	// Then waits for the network and returns what comes next. It may be
	// called from any goroutine. If nil, this was all.
	Then func(context.Context) Step
	// Loose says that the next line need not wait for Then.
	Loose bool
	// Moves says that Then may change the place: a message that is typed next
	// is meant for the new one.
	Moves bool
}

func info(at Place, text string) Item {
	return Item{Kind: Info, Time: time.Now(), Place: at, Text: text}
}
