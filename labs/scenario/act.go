package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Deed is what a member does by itself, or the server's program does.
type Deed string

// The deeds, and the fields of an Act that are set with each, besides At and Who.
const (
	Says        Deed = "says"        // Say
	Joins       Deed = "joins"       // Room, Namespace
	Leaves      Deed = "leaves"      // Room, Namespace
	Enters      Deed = "enters"      // Namespace
	Disconnects Deed = "disconnects" // with a goodbye, until it returns
	Returns     Deed = "returns"
	Takes       Deed = "takes" // Name: its program starts again, under another's name
)

var deeds = []Deed{Says, Joins, Leaves, Enters, Disconnects, Returns, Takes}

// An Act is one thing that somebody does at an instant. Its text is
//
//	AT WHO says SIZE|"TEXT" [x N every D] [WHERE] [except NAME,…] [namespace NS] [volatile] [HOW]
//	AT WHO joins|leaves ROOM [namespace NS]
//	AT WHO enters NAMESPACE
//	AT WHO disconnects|returns
//	AT WHO takes NAME
//
// such as "1s eve says 40 to tea,coffee except bo". See [Say] for WHERE and HOW.
type Act struct {
	At        time.Duration // since the workload began
	Who       string        // a member, or the server
	Do        Deed
	Room      string
	Namespace string
	Name      string
	Say       Say
}

// A Form is to whom something is said, and by whose code.
type Form string

// The forms. The client makes the first two and the last two; the others the
// server's program makes for it, as Socket.IO's socket.to(…) does.
const (
	FormIn      Form = "in"      // into a room: everybody in it
	FormOthers  Form = "others"  // into a room: everybody in it but the sender
	FormTo      Form = "to"      // to the union of rooms, each member once, without the sender
	FormAll     Form = "all"     // to everybody in the namespace; of a member, without itself
	FormDirect  Form = "direct"  // to one member alone
	FormRequest Form = "request" // to the server's program, which answers
)

// A Sure is how sure an emit is made.
type Sure string

// The ways.
const (
	Once  Sure = "once"  // at most once, no answer is wanted
	Acked Sure = "ack"   // at most once, and the answer tells whether; of the server: all who get it are to answer
	Retry Sure = "retry" // again until it is answered, under one message id
)

// A Say is something that is said. WHERE is one of
//
//	in ROOM            FormIn; without WHERE, in the member's first room
//	in ROOM others     FormOthers
//	to ROOM,ROOM,…     FormTo
//	to all             FormAll
//	direct NAME        FormDirect
//	request            FormRequest
//
// and HOW one of once, ack, retry or retry N, with or without "within D": how
// long one try waits for its answer. Without HOW, a member with a queue retries
// and others say it once.
type Say struct {
	Size    int    // bytes
	Text    string // what is said, after the tag; then Size is 0
	Times   int    // so often; 0: once
	Every   time.Duration
	Form    Form     // empty: in the first room
	Rooms   []string // of FormIn, FormOthers and FormTo
	Name    string   // of FormDirect
	Except  []string // rooms and members
	Now     bool     // volatile: dropped for whom cannot take it at once
	Sure    Sure     // empty: as the member does
	Retries int      // of Retry: at most so many, 0 means no end
	Within  time.Duration
}

// String returns the act's text.
func (a Act) String() string {
	text := fmt.Sprintf("%v %s %s", a.At, a.Who, a.Do)
	switch a.Do {
	case Says:
		text += a.Say.words()
	case Joins, Leaves:
		text += " " + a.Room
	case Enters:
		return text + " " + a.Namespace
	case Takes:
		text += " " + a.Name
	}
	if a.Namespace != "" {
		text += " namespace " + a.Namespace
	}
	if a.Do == Says {
		text += a.Say.ways()
	}
	return text
}

// words returns what a say's text has before the namespace.
func (s *Say) words() string {
	text := fmt.Sprintf(" %d", s.Size)
	if s.Text != "" {
		text = " " + strconv.Quote(s.Text)
	}
	if s.Times > 0 {
		text += fmt.Sprintf(" x %d every %v", s.Times, s.Every)
	}
	switch s.Form {
	case FormIn:
		text += " in " + s.Rooms[0]
	case FormOthers:
		text += " in " + s.Rooms[0] + " others"
	case FormTo:
		text += " to " + strings.Join(s.Rooms, ",")
	case FormAll:
		text += " to all"
	case FormDirect:
		text += " direct " + s.Name
	case FormRequest:
		text += " request"
	}
	if len(s.Except) > 0 {
		text += " except " + strings.Join(s.Except, ",")
	}
	return text
}

// ways returns what it has after it.
func (s *Say) ways() string {
	text := ""
	if s.Now {
		text += " volatile"
	}
	if s.Sure != "" {
		text += " " + string(s.Sure)
	}
	if s.Retries > 0 {
		text += fmt.Sprintf(" %d", s.Retries)
	}
	if s.Within > 0 {
		text += " within " + s.Within.String()
	}
	return text
}

// MarshalText implements encoding.TextMarshaler.
func (a Act) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Act) UnmarshalText(b []byte) error {
	v, err := ParseAct(string(b))
	*a = v
	return err
}

// validate says what an act cannot be; who exists is known here.
func (a *Act) validate(s *Scenario) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("scenario: act %q: %w", a, fmt.Errorf(format, args...))
	}
	server := a.Who == ServerHost
	names := make([]string, len(s.Members))
	for i := range s.Members {
		names[i] = s.Members[i].Name
	}
	if !server && !slices.Contains(names, a.Who) {
		return fail("nobody is named %q, want server or one of %s", a.Who, strings.Join(names, ", "))
	}
	if server && a.Do != Says {
		return fail("the server says things, and nothing else")
	}
	if a.Do == Takes && !slices.Contains(names, a.Name) {
		return fail("nobody is named %q, want one of %s", a.Name, strings.Join(names, ", "))
	}
	if a.Do != Says {
		return nil
	}
	say := &a.Say
	if say.Form == FormDirect && !slices.Contains(names, say.Name) {
		return fail("nobody is named %q, want one of %s", say.Name, strings.Join(names, ", "))
	}
	if server && !slices.Contains([]Form{FormTo, FormAll, FormDirect}, say.Form) {
		return fail("the server speaks to a room, to all, or direct")
	}
	if server && say.Sure == Retry {
		return fail("the server does not retry: what it stored waits for those who are away")
	}
	return nil
}

// last returns when an act is over.
func (a *Act) last() time.Duration {
	return a.At + time.Duration(max(a.Say.Times-1, 0))*a.Say.Every
}
