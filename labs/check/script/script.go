// Package script is the language in which a stage of a build lab says what a
// program has to do. A stage is a head of "key: value" lines, an empty line, and
// the conversation, one statement a line:
//
//	transport: tcp
//	limit: 10s
//	hint: Read returns what has come so far, not a line.
//
//	# two clients at a time
//	open a b
//	a > "hel" "lo\n"
//	a < "hello\n"
//	silence b 200ms
//	a shutdown
//	a eof
//
// # Head
//
//	transport: tcp | udp
//	limit: 10s            for the whole stage, at most 2m; if absent, 10s
//	link: delay 5ms       what lies between checker and program, both ways (impair.Parse);
//	up: … down: …         the same for one way: to the program, from the program
//	reorder: yes          udp: what is delayed may be overtaken. Else nothing overtakes: what
//	                      is late holds up what comes after it
//	faults: random 25     udp: the conversation is repeated under so many random scripts of
//	                      faults: lost, sent twice, late. "random 25 drop duplicate" takes only
//	                      these kinds; "delay 150ms" among them is how late at most (150ms)
//	hint: text            what to look at when the stage fails; may go on in lines that begin
//	                      with blanks, and be given several times
//
// # Names
//
// A name (small letters, digits, hyphens) is a connection (tcp) or a socket (udp)
// of the checker. Each stage begins with a program that was started afresh, in an
// empty folder DATA.
//
//	open a                connect; or a fresh socket. Several names: one after the other. A
//	                      name that is open is closed first
//	a close               close it. What it had not read any more does not matter
//
// and for tcp alone:
//
//	a shutdown            send FIN, go on reading
//	a reset               send RST
//	a eof                 the program has to send FIN next
//	a gone                the program has to end the connection, by FIN or by RST
//	a full                stop reading; what the program sends stays in the kernels' buffers
//
// # Sending
//
//	a > DATA              send
//	a >> DATA             the same, glued to the next send of a: one write
//	a >cut N DATA         in writes of N bytes each; tcp
//
// DATA is one or more of
//
//	"text\n"              a string as in Go, or `text` without escapes; ${name} in it is what
//	                      an earlier <~ found
//	00 05 68 65           bytes in hexadecimal
//	bytes*N               00 01 … ff 00 01 …, N in all
//	letters*N LETTERS*N   abc…zabc…, in small letters, in capitals
//	random*N              bytes by the seed; each random*N of a stage has the same ones
//	(DATA)*N "text"*N     so many times
//
// What stands beside each other is sent apart, with a pause between: two segments
// (tcp), two datagrams (udp). + joins to one write: 00 05 + "hello". Bytes in
// hexadecimal beside each other are one; | sends them apart: 00 | 05.
//
// # Expecting
//
//	a < DATA              these bytes must come next; tcp: cut in any way; udp: one datagram
//	                      for each part, in this order
//	a <any DATA           the parts in any order
//	a <~ `regexp`         one line (tcp: up to \n, which is not part of it; udp: one datagram)
//	                      that matches from its beginning to its end. A group with a name,
//	                      (?P<id>[0-9]+), can be used from then on: ${id}
//	silence a 300ms       nothing may come meanwhile; several names: on none of them
//
// What comes must have come within 2s, or what stands behind it:
//
//	a < DATA within 500ms
//	a < DATA after 100ms within 1s     not before; both count from the statement before
//
// "within" stands also behind <any, <~, eof and gone. At the end of a stage
// nothing may be left that nobody expected, on any name that is open.
//
// # The program
//
//	kill                  SIGKILL; all names are closed
//	restart               start it again (kill it, if it runs), with the same PORT and DATA
//	wait 300ms            let time go by
//
// # Faults of single datagrams (udp)
//
//	lose a > "DATA 2"     the next datagram of a that is, or begins with, these words is lost
//	                      on its way; < is the way from the program
//	twice a < "ACK 0"     likewise: it arrives twice
//	late a > "DATA 2" 300ms            it arrives so much later; what a sends after it overtakes it
//
// # Peers for stop-and-wait and selective repeat (udp)
//
//	arq a exchange stop-and-wait 20    the checker's peer sends 20 texts over a and takes them
//	arq a exchange selective-repeat 40 back, in capitals, both by the rules of the protocol
//	arq a gap 8           selective repeat: 8 texts (2 to 8) of which the second is lost on its way,
//	                      and sent again only when all others are acknowledged
//	arq a window 24       selective repeat: 24 texts (9 or more) go to the program; what it sends back
//	                      is not acknowledged until it has sent 8, the window, and stopped; then all
//	                      but the second is acknowledged, and that alone may be sent again
//
// A # outside of quotes starts a comment.
package script

import (
	"fmt"
	"regexp"
	"time"

	"wirelab/internal/impair"
)

// A Transport is what a stage speaks over.
type Transport string

// The transports.
const (
	TCP Transport = "tcp"
	UDP Transport = "udp"
)

// Bounds and defaults.
const (
	DefaultLimit  = 10 * time.Second
	MaxLimit      = 2 * time.Minute
	DefaultWithin = 2 * time.Second
	DefaultLate   = 150 * time.Millisecond
	MaxLate       = 2 * time.Second
	MaxTrials     = 1000
	MaxData       = 64 << 20 // bytes of one statement
	MaxSteps      = 10_000
	MaxTexts      = 1000 // of an arq exchange
	Window        = 8    // of selective repeat
)

// A Stage is one part of what a program has to do.
type Stage struct {
	Number int
	Title  string
	Line   int // of its text in the file

	Transport Transport
	Limit     time.Duration
	Up, Down  impair.Config // to the program, from the program
	Reorder   bool          // what is delayed may be overtaken
	Faults    Faults
	Hints     []string
	Steps     []Step
}

// Faults are random fates of datagrams.
type Faults struct {
	Trials                 int // 0: none
	Drop, Duplicate, Delay bool
	Late                   time.Duration // how much later at most
}

// A Verb is what a step does.
type Verb string

// The verbs.
const (
	Open      Verb = "open"
	Send      Verb = "send"
	Expect    Verb = "expect"
	ExpectAny Verb = "expect any"
	Match     Verb = "match"
	Silence   Verb = "silence"
	Shutdown  Verb = "shutdown"
	Close     Verb = "close"
	Reset     Verb = "reset"
	EOF       Verb = "eof"
	Gone      Verb = "gone"
	Full      Verb = "full"
	Kill      Verb = "kill"
	Restart   Verb = "restart"
	Wait      Verb = "wait"
	Lose      Verb = "lose"
	Twice     Verb = "twice"
	Late      Verb = "late"
	ARQ       Verb = "arq"
)

// A Step is one statement.
type Step struct {
	Line  int    // in the file
	Text  string // as it stands there
	Do    Verb
	Names []string // of connections; one for most verbs

	Parts []Data // of Send, Expect, ExpectAny
	Glue  bool   // of Send: it waits for the next
	Cut   int    // of Send: bytes of a write; 0: as Parts say

	Pattern string   // of Match
	Groups  []string // names that Pattern sets

	For    time.Duration // of Silence, Wait, Late
	Within time.Duration // of what expects; if zero, DefaultWithin
	After  time.Duration // of Expect: it must not come earlier

	Up    bool   // of Lose, Twice, Late: to the program
	Words string // of Lose, Twice, Late: that the datagram is, or begins with

	Exchange Exchange // of ARQ
}

// Patience returns how long the step waits.
func (s *Step) Patience() time.Duration {
	if s.Within > 0 {
		return s.Within
	}
	return DefaultWithin
}

// Compile returns the pattern of Match, which has to match a whole line, with
// what was found before in place of ${name}.
func (s *Step) Compile(found map[string]string) (*regexp.Regexp, error) {
	p, err := substitute(s.Pattern, func(name string) (string, bool) {
		v, ok := found[name]
		return regexp.QuoteMeta(v), ok
	})
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?s:` + p + `)\z`)
}

// A Mode is how the peers of the ARQ labs recover from loss.
type Mode string

// The modes.
const (
	StopAndWait     Mode = "stop-and-wait"
	SelectiveRepeat Mode = "selective-repeat"
)

// A Scene is what the peer does.
type Scene string

// The scenes.
const (
	Both   Scene = "exchange"
	Gap    Scene = "gap"
	Filled Scene = "window"
)

// An Exchange is what the peer of an ARQ lab does with the program.
type Exchange struct {
	Scene Scene
	Mode  Mode
	Texts int // that go to the program, and come back
}

// A Mistake is what is wrong with a line.
type Mistake struct {
	Line int // in the file
	What string
}

func (m *Mistake) Error() string { return fmt.Sprintf("line %d: %s", m.Line, m.What) }
