package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// A diary is hooks that write down what they are told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	if lines == nil {
		lines = []string{}
	}
	return lines
}

// hooks writes socket ids as "#", for they are random.
func (d *diary) hooks() chat.Hooks {
	name := func(room string) string {
		if strings.HasPrefix(room, "#") {
			return "#"
		}
		return fmt.Sprintf("%q", room)
	}
	return chat.Hooks{
		CreateRoom: func(ns, room string) { d.add("create %s", name(room)) },
		DeleteRoom: func(ns, room string) { d.add("delete %s", name(room)) },
		Join:       func(ns, room, who string) { d.add("%s joins %s", who, name(room)) },
		Leave:      func(ns, room, who string) { d.add("%s leaves %s", who, name(room)) },
		Connect:    func(s *chat.Socket) { d.add("%s connects", s.Name()) },
		Disconnecting: func(s *chat.Socket, reason string) {
			d.add("%s disconnecting from %q: %s", s.Name(), s.Rooms(), reason)
		},
		Disconnect: func(s *chat.Socket, reason string) { d.add("%s disconnected from %q", s.Name(), s.Rooms()) },
	}
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	if lines == nil {
		lines = []string{}
	}
	if diff := cmp.Diff(lines, d.take()); diff != "" {
		t.Errorf("other hooks were called (-want +got):\n%s", diff)
	}
}

// "A socket joins the room of its own id by itself; joining twice is one
// membership; an empty room is deleted; [...] on disconnect it leaves all
// rooms by itself. Hooks: create, join, leave, delete room; connect,
// disconnecting (rooms still visible), disconnect(reason)."
func TestHooks(t *testing.T) {
	d := new(diary)
	hub := newHub(t, chat.Config{Hooks: d.hooks()})
	d.want(t)
	ana := enter(t, hub, "ana", "lobby")
	d.want(t, "create #", "ana joins #", `ana joins ""`, `ana joins "lobby"`, "ana connects")
	ana.request("join", "red")
	d.want(t, `create "red"`, `ana joins "red"`)
	ana.request("join", "red") // twice is one membership
	d.want(t)
	bob := enter(t, hub, "bob", "red")
	d.want(t, "create #", "bob joins #", `bob joins ""`, `bob joins "red"`, "bob connects")
	ana.request("leave", "red")
	d.want(t, `ana leaves "red"`)
	bob.request("leave", "red")
	d.want(t, `bob leaves "red"`, `delete "red"`)
	bob.request("join", "blue")
	d.take()
	bob.drop()
	d.want(t, `bob disconnecting from ["blue"]: connection lost`, "bob leaves #", "delete #",
		`bob leaves ""`, `bob leaves "blue"`, `delete "blue"`, `bob disconnected from []`)
	bob.drop() // once
	d.want(t)
	ana.send(&wire.Envelope{Kind: wire.KindBye, Args: []byte(`["so long"]`)})
	d.want(t, `ana disconnecting from ["lobby"]: client left: so long`, "ana leaves #", "delete #",
		`ana leaves ""`, `ana leaves "lobby"`, `ana disconnected from []`)

	// A kept session stays in its rooms while it is away.
	cem := enterKept(t, hub, "cem", "red")
	d.take()
	cem.drop()
	d.want(t, `cem disconnecting from ["red"]: connection lost`, "cem leaves #", "delete #", `cem disconnected from ["red"]`)
	cem.resume()
	d.want(t, "create #", "cem joins #", "cem connects")
	cem.resume() // while connected: the old connection ends first
	d.want(t, `cem disconnecting from ["red"]: resumed elsewhere`, "cem leaves #", "delete #",
		`cem disconnected from ["red"]`, "create #", "cem joins #", "cem connects")
	hub.Namespace("").Kick("red", "cem", "noise")
	d.want(t, `cem leaves "red"`, `delete "red"`)
	hub.Ban("cem", "more noise")
	d.want(t, `cem disconnecting from []: banned: more noise`, "cem leaves #", "delete #", `cem leaves ""`, "cem disconnected from []")
}

// "after disconnect no join is possible"
func TestNoJoinAfterDisconnect(t *testing.T) {
	var hub *chat.Hub
	var sock *chat.Socket
	var ana *client
	hub = newHub(t, chat.Config{Hooks: chat.Hooks{
		Connect: func(s *chat.Socket) { sock = s },
		Disconnecting: func(s *chat.Socket, _ string) {
			// The hub is not locked: a hook may use it, but not to join.
			ana.put(&wire.Envelope{Kind: wire.KindEvent, Event: []byte("join"), Args: []byte(`["red"]`)})
		},
	}})
	ana = enter(t, hub, "ana", "lobby")
	ana.drop()
	ana.put(&wire.Envelope{Kind: wire.KindEvent, Event: []byte("join"), Args: []byte(`["red"]`)})
	if ana.broken == nil {
		t.Error("Receive after Detach = nil, want an error")
	}
	if got := hub.Namespace("").Rooms(); !slices.Equal(got, []string{"lobby"}) {
		t.Errorf("rooms are %q, want the lobby alone", got)
	}
	for _, r := range hub.Snapshot().Rooms {
		if r.Members+r.Away != 0 {
			t.Errorf("%d members in %q", r.Members+r.Away, r.Room)
		}
	}
	if err := sock.Emit("x"); err != nil {
		t.Errorf("Emit to a socket that was = %v, want nil: nobody is there", err)
	}
}

// The requests about rooms: what they answer and refuse.
func TestRoomRequests(t *testing.T) {
	hub := newHub(t, chat.Config{MaxRooms: 3})
	ana, bob := enter(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby")
	var joined chat.Joined
	ana.ask(&joined, "join", "red")
	if joined.Room != "red" || joined.Seq != 0 || joined.Count != 1 || len(joined.Members) != 1 || joined.Members[0].Name != "ana" {
		t.Errorf("join = %+v", joined)
	}
	ana.want("cursor red 0>0 head=0")
	ana.say("red", "one")
	ana.want(`event red 1<0 ana chat ["one"]`)
	bob.ask(&joined, "join", "red")
	if joined.Seq != 1 || joined.Count != 2 || len(joined.Members) != 2 {
		t.Errorf("join = %+v", joined)
	}
	bob.want("cursor red 1>1 head=1") // nothing from before it joined
	for _, test := range []struct{ event, args, want string }{
		{"join", `[]`, "failed bad_arguments"},
		{"join", `[7]`, "failed bad_arguments"},
		{"join", `[""]`, "failed bad_room"},
		{"join", `["@0000000000000001"]`, "failed bad_room"},
		{"join", `["#0000000000000001"]`, "failed bad_room"},
		{"join", `["` + strings.Repeat("x", wire.MaxName+1) + `"]`, "failed bad_room"},
		{"join", `["` + strings.Repeat("x", wire.MaxArguments-4) + `"]`, "failed bad_room"},
		{"leave", `["nowhere"]`, "failed not_in_room"},
		{"leave", `[""]`, "failed not_in_room"},
		{"leave", `["` + ana.socket[""] + `"]`, "failed not_in_room"},
		{"who", `["nowhere"]`, "failed not_in_room"},
		{"history", `["nowhere"]`, "failed not_in_room"},
		{"explain", `["nowhere",1]`, "failed not_in_room"},
		{"explain", `["red"]`, "failed bad_arguments"},
		{"explain", `["red",9]`, "failed no_event"},
		{"explain", `["red","12ab"]`, "failed no_event"},
		{"explain", `["red","` + strings.Repeat("<", 60_000) + `"]`, "failed no_event"},
		{"direct", `["nobody","x"]`, "failed no_member"},
		{"direct", `["` + strings.Repeat("\U0010ffff", 10_000) + `","x"]`, "failed no_member"},
		{"direct", `["bob"]`, "failed bad_arguments"},
		{"kick", `["red","bob"]`, "failed not_operator"},
		{"ban", `["bob"]`, "failed not_operator"},
		{"nick", `["bob"]`, "failed name_taken"},
		{"nick", `["` + strings.Repeat("<", 60_000) + `"]`, "failed bad_name"},
	} {
		ana.id++
		ana.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: ana.id, Event: []byte(test.event), Args: []byte(test.args)})
		ana.want("ack " + itoa(ana.id) + " " + test.want)
	}
	// "rooms per socket: a cap, an error that says limit and value"
	ana.ask(&joined, "join", "three")
	if got := ana.request("join", "four"); got != "failed too_many_rooms" {
		t.Errorf("the fourth room: %s", got)
	}
	ana.request("join", "red") // is in it already
	ana.request("leave", "three")
	ana.ask(&joined, "join", "four")

	var rooms []chat.RoomInfo
	ana.ask(&rooms, "rooms")
	want := []chat.RoomInfo{{Room: "four", Members: 1}, {Room: "lobby", Members: 2}, {Room: "red", Members: 2, Head: 1}}
	if diff := cmp.Diff(want, rooms); diff != "" {
		t.Errorf("rooms (-want +got):\n%s", diff)
	}
	bob.drop()
	ana.say("red", "two")
	var people []chat.Person
	ana.ask(&people, "who", "red")
	if len(people) != 2 || people[0].Name != "ana" || people[1].Name != "bob" || !people[1].Away || people[1].Waiting != 1 {
		t.Errorf("who = %+v", people)
	}
}

// The cap on rooms holds for those asked for in Connect, too.
func TestRoomCapAtConnect(t *testing.T) {
	hub := newHub(t, chat.Config{MaxRooms: 2, Namespaces: []string{"two"}})
	ana := dial(t, hub, "ana")
	ana.tryConnect(wire.Connect{Name: "ana", Rooms: []wire.RoomCursor{{Room: "a"}, {Room: "b"}, {Room: "c"}}})
	ana.want("error too_many_rooms")
	ana.connect(wire.SessionNone, "a", "b")
	ana.send(&wire.Envelope{Kind: wire.KindConnect, Namespace: []byte("two"), Args: wire.EncodeBody(wire.Connect{
		Rooms: []wire.RoomCursor{{Namespace: "two", Room: "c"}, {Namespace: "two", Room: "d"}},
	})})
	ana.want(`/two connected ana []`, "/two cursor . 0>0 head=0", "/two error too_many_rooms", "/two error too_many_rooms")
}

// Those who are in a room hear who comes and goes; the one it is about does not.
func TestNotices(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enter(t, hub, "ana", "lobby")
	ana.taken()
	notices := func() []string {
		var list []string
		for _, f := range ana.taken() {
			_, f, _ = strings.Cut(f, " . ")
			list = append(list, strings.TrimSuffix(f, " [volatile]"))
		}
		return list
	}
	bob := enterKept(t, hub, "bob", "lobby")
	bob.drop()
	bob.resume()
	bob.request("nick", "bobby")
	bob.request("leave", "lobby")
	bob.request("join", "lobby")
	hub.Namespace("").Kick("lobby", "bobby", "why not")
	cem := enter(t, hub, "cem", "lobby")
	cem.send(&wire.Envelope{Kind: wire.KindBye, Args: []byte(`["home"]`)})
	want := []string{
		`member_joined ["bob","tcp",""]`, `member_away ["bob","connection lost"]`, `member_back ["bob","tcp",""]`,
		`member_renamed ["bob","bobby"]`, `member_left ["bobby","left"]`, `member_joined ["bobby","tcp",""]`,
		`member_left ["bobby","kicked: why not"]`, `member_joined ["cem","tcp",""]`, `member_left ["cem","client left: home"]`,
	}
	if diff := cmp.Diff(want, notices()); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	// Not even a goodbye of 60,000 characters that JSON has to escape is more
	// than a frame can hold.
	dan := enter(t, hub, "dan", "lobby")
	dan.send(&wire.Envelope{Kind: wire.KindBye, Args: []byte(`["` + strings.Repeat("<", 60_000) + `"]`)})
	if got := notices(); len(got) != 2 || len(got[1]) > 3000 {
		t.Errorf("notices %.100q", got)
	}
}

// A member that reads slowly does not lose its connection to notices, and
// hears of events for others all the same.
func TestNoticesAreDropped(t *testing.T) {
	hub := newHub(t, chat.Config{MaxControl: 8 << 10})
	ana := enter(t, hub, "ana", "lobby")
	for i := range 200 {
		enter(t, hub, fmt.Sprint("guest", i), "lobby").drop()
	}
	if ana.link.closed.Load() {
		t.Fatal("a slow member was closed because of notices")
	}
	if n := len(ana.taken()); n < 10 || n > 100 {
		t.Errorf("%d notices were kept for a slow member, want about 2 KiB of them", n)
	}
}
