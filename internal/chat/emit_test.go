package chat_test

import (
	"strconv"
	"strings"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// crowd connects ana, bob, cem and dan. All are in "lobby"; ana and bob are in
// "red", bob and cem are in "blue".
func crowd(t *testing.T, hub *chat.Hub) map[string]*client {
	t.Helper()
	all := map[string]*client{
		"ana": enter(t, hub, "ana", "lobby", "red"),
		"bob": enter(t, hub, "bob", "lobby", "red", "blue"),
		"cem": enter(t, hub, "cem", "lobby", "blue"),
		"dan": enter(t, hub, "dan", "lobby"),
	}
	for _, c := range all {
		c.taken()
	}
	return all
}

// "Emit forms, server side: to one socket; to all; to all but the sender
// (broadcast); to rooms (to, union, each socket once); except; to a socket id
// (everyone is in the room named by its own id)."
//
// "Target = (union of rooms, or all) − except − sender."
func TestEmitForms(t *testing.T) {
	for _, test := range []struct {
		name string
		emit func(ns *chat.Namespace, socket func(name string) *chat.Socket) error
		want string // who gets it, once each
	}{
		{"to one socket", func(ns *chat.Namespace, s func(string) *chat.Socket) error { return s("bob").Emit("hit", 1) }, "bob"},
		{"to all", func(ns *chat.Namespace, s func(string) *chat.Socket) error { return ns.All().Emit("hit", 1) }, "ana bob cem dan"},
		{"broadcast", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return s("ana").Broadcast().Emit("hit", 1)
		}, "bob cem dan"},
		{"to a room", func(ns *chat.Namespace, s func(string) *chat.Socket) error { return ns.To("red").Emit("hit", 1) }, "ana bob"},
		{"to a union", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("red", "blue").Emit("hit", 1)
		}, "ana bob cem"},
		{"to a union in steps", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("red").To("blue").To("red", "lobby").Emit("hit", 1)
		}, "ana bob cem dan"},
		{"from a socket to rooms", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return s("bob").To("red", "blue").Emit("hit", 1)
		}, "ana cem"},
		{"except", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.All().Except("red").Emit("hit", 1)
		}, "cem dan"},
		{"union except", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("red", "blue").Except("blue").Emit("hit", 1)
		}, "ana"},
		{"except a socket id", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("red").Except(s("bob").ID()).Emit("hit", 1)
		}, "ana"},
		{"broadcast except", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return s("dan").Broadcast().Except("red").Emit("hit", 1)
		}, "cem"},
		{"to socket ids", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To(s("cem").ID(), s("dan").ID(), "blue").Emit("hit", 1)
		}, "bob cem dan"},
		{"to an unknown room", func(ns *chat.Namespace, s func(string) *chat.Socket) error { return ns.To("nowhere").Emit("hit", 1) }, ""},
		{"to no rooms", func(ns *chat.Namespace, s func(string) *chat.Socket) error { return ns.To().Emit("hit", 1) }, ""},
		{"to a socket id that was", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("#0000000000000001").Emit("hit", 1)
		}, ""},
		{"volatile", func(ns *chat.Namespace, s func(string) *chat.Socket) error {
			return ns.To("red", "blue").Volatile().Except(s("cem").ID()).Emit("hit", 1)
		}, "ana bob"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sockets := make(map[string]*chat.Socket)
			hub := newHub(t, chat.Config{Hooks: chat.Hooks{Connect: func(s *chat.Socket) { sockets[s.Name()] = s }}})
			all := crowd(t, hub)
			if err := test.emit(hub.Namespace(""), func(name string) *chat.Socket { return sockets[name] }); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range []string{"ana", "bob", "cem", "dan"} {
				n := 0
				for _, f := range all[name].taken() {
					if strings.HasPrefix(f, "event ") && strings.Contains(f, " hit [1]") {
						n++
					}
				}
				if n > 1 {
					t.Errorf("%s got it %d times, want once", name, n)
				}
				if n > 0 {
					got = append(got, name)
				}
				all[name].sound()
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("it reached %q, want %q", s, test.want)
			}
		})
	}
}

// "Operators are immutable: each modifier returns a new one."
func TestOperatorsAreImmutable(t *testing.T) {
	hub := newHub(t, chat.Config{})
	all := crowd(t, hub)
	red := hub.Namespace("").To("red")
	wide := red.To("blue")
	narrow := wide.Except("blue")
	volatile := red.Volatile()
	_ = volatile.To("lobby").Timeout(1)
	for _, step := range []struct {
		op   chat.Operator
		want string
	}{
		{red, "ana bob"}, {wide, "ana bob cem"}, {narrow, "ana"}, {wide, "ana bob cem"}, {volatile, "ana bob"}, {red, "ana bob"},
	} {
		if err := step.op.Emit("hit"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"ana", "bob", "cem", "dan"} {
			if strings.Contains(strings.Join(all[name].taken(), "\n"), " hit ") {
				got = append(got, name)
			}
		}
		if s := strings.Join(got, " "); s != step.want {
			t.Errorf("it reached %q, want %q", s, step.want)
		}
	}
	// Two operators made from one must not share memory.
	base := hub.Namespace("").To("a", "b", "c")
	x, y := base.To("red"), base.To("blue")
	if err := x.Emit("hit"); err != nil {
		t.Fatal(err)
	}
	if got := all["cem"].taken(); len(got) != 0 {
		t.Errorf("cem, who is not in red, got %q", got)
	}
	_ = y
}

// "volatile (dropped when the member cannot take it now, never stored)"
func TestVolatile(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby")
	ana.taken()
	bob.taken()

	ana.emit("lobby", "typing", wire.FlagVolatile)
	bob.want("event lobby 0<0 ana typing [] [volatile]")

	// Bob is busy: an event is on its way to him.
	ana.say("lobby", "one")
	ana.emit("lobby", "typing", wire.FlagVolatile)
	bob.want(`event lobby 1<0 ana chat ["one"]`)
	if m := memberWith(t, hub, "bob"); m.Dropped != 1 {
		t.Errorf("dropped for bob: %d, want 1", m.Dropped)
	}

	// To its publisher it is acknowledged without a place in the log.
	id := ana.emit("lobby", "typing", wire.FlagVolatile|wire.FlagAck|wire.FlagBroadcast)
	if got := ana.taken("event"); len(got) != 1 || got[0] != "ack "+itoa(id)+" lobby 0" {
		t.Errorf("ana got %q", got)
	}
	bob.want("event lobby 0<0 ana typing [] [volatile+broadcast]")

	// Away, he misses it; it is not stored.
	bob.drop()
	ana.emit("lobby", "typing", wire.FlagVolatile)
	bob.resume()
	if got := bob.taken("connected", "cursor"); len(got) != 0 {
		t.Errorf("a volatile event waited for bob: %q", got)
	}
	if n := hub.Snapshot().Rooms[1]; n.Room != "lobby" || n.Head != 1 {
		t.Errorf("room %q has head %d, want lobby with 1", n.Room, n.Head)
	}
}

// A client's emit: to the room, itself included; with broadcast, without.
func TestClientEmit(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	ana.taken()
	bob.taken()

	ana.say("lobby", "hello")
	ana.want(`event lobby 1<0 ana chat ["hello"]`)
	bob.want(`event lobby 1<0 ana chat ["hello"]`)

	id := ana.emit("lobby", "chat", wire.FlagAck|wire.FlagBroadcast, "others")
	ana.want("ack "+itoa(id)+" lobby 2", "cursor lobby 1>2 head=2 hidden")
	bob.want(`event lobby 2<1 ana chat ["others"] [broadcast]`)

	// Raw bytes pass as they are.
	ana.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagBinary, Room: []byte("lobby"), Event: []byte("raw"), Args: []byte("\x00\xff")})
	bob.want("event lobby 3<2 ana raw \x00\xff [binary]")
	ana.taken()

	// A sender that the client writes into the envelope counts for nothing,
	// and neither do seq, prev and time.
	ana.send(&wire.Envelope{Kind: wire.KindEvent, Seq: 77, Prev: 66, Time: 55, Sender: []byte("bob"), Room: []byte("lobby"), Event: []byte("chat"), Args: []byte("[]")})
	bob.want("event lobby 4<3 ana chat []")
	ana.taken()

	// Not a member: refused, and the connection lives.
	id = ana.emit("red", "chat", wire.FlagAck)
	ana.want("ack " + itoa(id) + " failed not_in_room")
	id = ana.emit("red", "chat", 0)
	ana.want("error not_in_room @" + itoa(id))
	ana.ping()
}

// "Publishing twice is one message: (identity, message id) is remembered,
// bounded by time and count; a retry gets the original seq."
func TestPublishTwice(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby", "red"), enter(t, hub, "bob", "lobby")
	ana.taken()
	bob.taken()
	ana.say("lobby", "before")
	id := ana.emit("lobby", "chat", wire.FlagAck, "once")
	ana.say("lobby", "after")
	ana.taken()
	again := func(c *client, room string) {
		c.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck | wire.FlagRetry, ID: id, Room: []byte(room), Event: []byte("chat"), Args: []byte(`["once"]`)})
	}
	again(ana, "lobby")
	ana.want("ack " + itoa(id) + " lobby 2")
	bob.heard("lobby", "before", "once", "after")
	if n := hub.Snapshot().Totals; n.Duplicates != 1 || n.Published != 3 {
		t.Errorf("%d published, %d duplicates; want 3 and 1", n.Published, n.Duplicates)
	}
	// The same id in another room, or from somebody else, is another message.
	again(ana, "red")
	ana.want("ack "+itoa(id)+" red 1", `event red 1<0 ana chat ["once"]`)
	again(bob, "lobby")
	bob.heard("lobby", "before", "once", "after", "once")
}

// Reserved names: "connect, connect_error, disconnect, disconnecting,
// newListener, removeListener" are refused.
func TestReservedNames(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enter(t, hub, "ana", "lobby")
	ns := hub.Namespace("")
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		id := ana.emit("lobby", name, wire.FlagAck)
		ana.want("ack " + itoa(id) + " failed reserved_event")
		if got := ana.request(name); got != "failed reserved_event" {
			t.Errorf("request %s = %s", name, got)
		}
		if got := ana.request("direct", "ana", name); got != "failed reserved_event" {
			t.Errorf("direct %s = %s", name, got)
		}
		if err := ns.All().Emit(name); err == nil {
			t.Errorf("Emit(%q) = nil", name)
		}
		if err := ns.On(name, nil); err == nil {
			t.Errorf("On(%q) = nil", name)
		}
	}
	ana.ping()
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
