package text

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const (
	// textEvent is the name of the events that chat lines are.
	textEvent = "msg"
	// maxAsked caps the commands whose answers are awaited.
	maxAsked = 16
	// maxOut caps what waits to be shown of the program's own lines, in bytes.
	maxOut = 64 << 10
)

// greeting is what a member is told first: one line of it says what somebody
// without acknowledgements and a cursor lacks.
const greeting = "* wirelab: type to chat, /help for help. This is the plain line port: no acknowledgements, no frames to look at, and what passes while you are away is gone.\n"

const help = `* /name NAME     choose a name
* /join ROOM     enter a room, or go back to it: what you type goes there
* /leave [ROOM]  leave it
* /who [ROOM]    who is there
* /rooms         what rooms there are
* /msg NAME TEXT write to one person
* /quit          leave
* //text         say /text
`

// A member is one person on the line port. Its transport feeds it lines and
// shows what it gives. It is a member of the hub like any other, without a
// session.
type member struct {
	hub  *chat.Hub
	key  []byte
	conn *chat.Conn
	wake func() // there is something to show
	quit func() // the member leaves

	receiving sync.Mutex // Conn.Receive is for one goroutine at a time

	mu     sync.Mutex
	nonce  []byte
	name   string
	room   string // where text goes
	rooms  []string
	asked  map[uint64]command // by message id
	nextID uint64
	out    []byte
}

// A command is one whose answer is awaited.
type command struct{ word, arg string }

func newMember(hub *chat.Hub, key []byte) *member {
	m := &member{hub: hub, key: key, nonce: make([]byte, wire.NonceSize), asked: make(map[uint64]command)}
	rand.Read(m.nonce) // never fails
	// Message ids are remembered by the server, by name: begin anywhere.
	var seed [8]byte
	rand.Read(seed[:])
	m.nextID = binary.BigEndian.Uint64(seed[:])
	m.out = []byte(greeting)
	return m
}

// present reports whether the hub has let the member in.
func (m *member) present() bool { return m.conn.Session() != nil }

// enter connects under the name, or as a guest if it is empty or refused. The
// refusal is shown. It reports whether the member is in.
func (m *member) enter(name string) bool {
	if name != "" && m.connect(name) {
		return true
	}
	for range 5 {
		var b [4]byte
		rand.Read(b[:])
		if m.connect(fmt.Sprintf("guest-%04d", binary.BigEndian.Uint32(b[:])%10_000)) {
			return true
		}
	}
	return false
}

func (m *member) connect(name string) bool {
	nonce := make([]byte, wire.NonceSize)
	rand.Read(nonce)
	body := wire.Connect{
		Name: name, Nonce: hex.EncodeToString(nonce), Session: wire.SessionNone,
		Rooms: []wire.RoomCursor{{Room: m.hub.Lobby()}},
	}
	if len(m.key) > 0 {
		body.Proof = hex.EncodeToString(wire.Prove(m.key, wire.ProveClient, m.nonce, nonce))
	}
	m.receive(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(body)})
	if !m.present() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.name = name // as the server spells it comes with its answer
	m.room, m.rooms = m.hub.Lobby(), []string{m.hub.Lobby()}
	return true
}

// receive hands an envelope to the hub. A fault ends the member.
func (m *member) receive(e *wire.Envelope) {
	m.receiving.Lock()
	err := m.conn.Receive(e)
	m.conn.Flush()
	m.receiving.Unlock()
	if err != nil {
		m.quit()
	}
}

// line takes a line that the person typed.
func (m *member) line(b []byte, over bool) {
	if over {
		m.tell("that line was longer than %d bytes: it was dropped", MaxLine)
		return
	}
	line := strings.ToValidUTF8(string(b), "\uFFFD")
	word, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimSpace(arg)
	if !m.present() {
		// The first line: it may choose the name.
		name := ""
		if word == "/name" {
			name = arg
		}
		if !m.enter(name) {
			m.quit()
			return
		}
		if word == "/name" {
			return
		}
	}
	switch {
	case strings.TrimSpace(line) == "":
	case strings.HasPrefix(line, "//"):
		m.say(line[1:])
	case line[0] != '/':
		m.say(line)
	default:
		m.command(word, arg)
	}
}

// say emits a message into the present room.
func (m *member) say(text string) {
	m.mu.Lock()
	room, id := m.room, m.nextID
	m.nextID++
	m.mu.Unlock()
	if room == "" {
		m.tell("you are in no room: /join ROOM first")
		return
	}
	m.receive(&wire.Envelope{
		Kind: wire.KindEvent, ID: nonzero(id), Room: []byte(room), Event: []byte(textEvent), Args: array(text),
	})
}

func (m *member) command(word, arg string) {
	need := func(what string) bool {
		if arg == "" {
			m.tell("%s: which %s? /help tells more", word, what)
		}
		return arg != ""
	}
	switch word {
	case "/name", "/nick":
		if need("name") {
			m.ask(word, arg, "nick", arg)
		}
	case "/join":
		if !need("room") {
			return
		}
		m.mu.Lock()
		there := slices.Contains(m.rooms, arg)
		if there {
			m.room = arg
		}
		m.mu.Unlock()
		if there {
			m.tell("you write to %s now", label(arg))
			return
		}
		m.ask(word, arg, "join", arg)
	case "/leave", "/who":
		if arg == "" {
			m.mu.Lock()
			arg = m.room
			m.mu.Unlock()
		}
		if need("room") {
			m.ask(word, arg, word[1:], arg)
		}
	case "/rooms":
		m.ask(word, "", "rooms")
	case "/msg":
		name, text, _ := strings.Cut(arg, " ")
		if text = strings.TrimSpace(text); text == "" {
			m.tell("/msg NAME TEXT")
			return
		}
		m.ask(word, name, "direct", name, textEvent, text)
	case "/help":
		m.show(help)
	case "/quit", "/exit":
		m.tell("goodbye")
		m.receive(&wire.Envelope{Kind: wire.KindBye, Args: array("quit")})
		m.quit()
	default:
		m.tell("no such command: %s; /help tells which there are, //text says /text", visible(word))
	}
}

// ask sends a request; its answer is shown when it comes.
func (m *member) ask(word, arg, event string, args ...string) {
	m.mu.Lock()
	if len(m.asked) >= maxAsked {
		m.mu.Unlock()
		m.tell("%d commands wait for their answers already: wait, too", maxAsked)
		return
	}
	id := nonzero(m.nextID)
	m.nextID++
	m.asked[id] = command{word, arg}
	m.mu.Unlock()
	m.receive(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: id, Event: []byte(event), Args: array(args...)})
}

// tell shows a line of the program's own.
func (m *member) tell(format string, args ...any) {
	m.show("* " + fmt.Sprintf(format, args...) + "\n")
}

// show queues lines of the program's own. Somebody who does not read what he
// asked for loses it.
func (m *member) show(lines string) {
	m.mu.Lock()
	if len(m.out)+len(lines) <= maxOut {
		m.out = append(m.out, lines...)
	}
	m.mu.Unlock()
	m.wake()
}

func nonzero(id uint64) uint64 { return max(id, 1) }

// array returns strings as a JSON array.
func array(s ...string) []byte {
	b, err := json.Marshal(append([]string{}, s...)) // nil would be null
	if err != nil {
		panic("text: strings must be encodable: " + err.Error())
	}
	return b
}
