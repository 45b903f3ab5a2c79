package chat_test

import (
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// connectTo asks for a further namespace.
func (c *client) connectTo(namespace string, rooms ...string) {
	c.t.Helper()
	var body wire.Connect
	for _, r := range rooms {
		body.Rooms = append(body.Rooms, wire.RoomCursor{Namespace: namespace, Room: r})
	}
	c.id++
	c.send(&wire.Envelope{Kind: wire.KindConnect, ID: c.id, Namespace: []byte(namespace), Args: wire.EncodeBody(body)})
}

// "Namespaces multiplex one connection. An unknown namespace is refused with
// an error; the connection lives on."
func TestNamespaces(t *testing.T) {
	hub := newHub(t, chat.Config{Namespaces: []string{"game"}})
	ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	ana.taken()
	ana.connectTo("nowhere")
	ana.want("/nowhere error unknown_namespace @" + itoa(ana.id))
	ana.ping()

	// The first Connect may be refused so, too.
	cem := dial(t, hub, "cem")
	cem.send(&wire.Envelope{Kind: wire.KindConnect, Namespace: []byte("nowhere"), Args: wire.EncodeBody(wire.Connect{Name: "cem"})})
	cem.want("/nowhere error unknown_namespace")
	cem.connect(wire.SessionNone)

	// Own sockets, rooms and handlers: the same room name is another room.
	if got := ana.requestIn("game", "rooms"); got != "no answer" {
		t.Errorf("a request before connecting to the namespace = %s", got)
	}
	ana.want("/game ack " + itoa(ana.id) + " failed not_connected")
	ana.connectTo("game", "lobby")
	ana.want("/game connected ana []", "/game cursor . 0>0 head=0", "/game cursor lobby 0>0 head=0")
	if a, b := ana.socket[""], ana.socket["game"]; a == b || b == "" {
		t.Errorf("sockets %q and %q, want two", a, b)
	}
	ana.send(&wire.Envelope{Kind: wire.KindEvent, Namespace: []byte("game"), Room: []byte("lobby"), Event: []byte("move"), Args: []byte("[1]")})
	ana.want("/game event lobby 1<0 ana move [1]")
	bob.want()
	if err := hub.Namespace("game").On("score", func(c *chat.Call) (any, error) { return c.Socket.Namespace().Name(), nil }); err != nil {
		t.Fatal(err)
	}
	if got := ana.request("score"); got != "failed no_handler" {
		t.Errorf("score in the default namespace = %s", got)
	}
	ana.id++
	ana.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: ana.id, Namespace: []byte("game"), Event: []byte("score")})
	ana.want("/game ack " + itoa(ana.id) + ` ["game"]`)

	// To all of one namespace is not to all of the other.
	hub.Namespace("game").All().Emit("hit")
	ana.want("/game event . 1<0 . hit []")
	bob.want()
	if hub.Namespace("other") != nil {
		t.Error("an unknown namespace is not nil")
	}

	// "double connect: an error frame that names the fault, then close"
	ana.connectTo("game")
	ana.want("error double_connect")
	if ana.broken == nil {
		t.Error("Receive of a double connect = nil")
	}
}

// A session that resumes is put back into its namespaces.
func TestResumeNamespaces(t *testing.T) {
	hub := newHub(t, chat.Config{Namespaces: []string{"game", "work"}})
	ana := enterKept(t, hub, "ana", "lobby")
	bob := enter(t, hub, "bob")
	ana.connectTo("game", "red")
	bob.connectTo("game", "red")
	ana.taken()
	ana.drop()
	bob.send(&wire.Envelope{Kind: wire.KindEvent, Namespace: []byte("game"), Room: []byte("red"), Event: []byte("move"), Args: []byte("[1]")})
	hub.Namespace("work").All().Emit("hit")
	ana.resume()
	ana.want("connected ana [\"lobby\"] resumed", "cursor . 0>0 head=0 recovered=true", "cursor lobby 0>0 head=0 recovered=true",
		"/game connected ana [\"red\"] resumed", "/game cursor . 0>0 head=0 recovered=true", "/game cursor red 0>0 head=1 recovered=true",
		"/game event red 1<0 bob move [1]")
	if ana.socket["game"] == "" || ana.socket["work"] != "" {
		t.Errorf("sockets %v", ana.socket)
	}
	ana.sound()
}

// Data of a namespace that the server is not told of this time is left alone.
func TestNamespaceLeftOut(t *testing.T) {
	store := newDisk()
	queue := store.open(t)
	hub := newHub(t, chat.Config{Queue: queue, Namespaces: []string{"game"}})
	ana := enterKept(t, hub, "ana")
	ana.connectTo("game", "red")
	ana.taken()
	bob := enter(t, hub, "bob")
	bob.connectTo("game", "red")
	ana.drop()
	bob.send(&wire.Envelope{Kind: wire.KindEvent, Namespace: []byte("game"), Room: []byte("red"), Event: []byte("move"), Args: []byte("[1]")})
	restart := func(namespaces ...string) *chat.Hub {
		hub.Close("restart")
		queue.Close()
		queue = store.open(t)
		hub = newHub(t, chat.Config{Queue: queue, Namespaces: namespaces})
		return hub
	}
	ana.hub = restart()
	ana.resume()
	ana.ping()
	ana.drop()
	if queue.Lookup(missed.Key{Namespace: "game", Room: "red"}) == nil {
		t.Error("the room of a namespace that was left out is gone")
	}
	ana.hub = restart("game")
	ana.resume()
	ana.connectTo("game")
	if p := ana.placeIn("game", "red"); len(p.got) != 1 || p.lost != 0 {
		t.Errorf("after the namespace came back: got %q, lost %d: %q", p.got, p.lost, ana.taken())
	}
	ana.sound()
}
