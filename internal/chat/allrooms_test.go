package chat_test

import (
	"fmt"
	"slices"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// However many members make rooms, the server does not drown in them.
func TestAllRooms(t *testing.T) {
	hub := newHub(t, chat.Config{MaxAllRooms: 4}) // the lobby is one
	ana, bob := dial(t, hub, "ana"), dial(t, hub, "bob")
	ana.connect(wire.SessionNone, "lobby", "a", "b", "c", "d")
	if ana.fault.Code != "too_many_rooms" {
		t.Errorf("the fifth room: %v", ana.fault)
	}
	if got := hub.Namespace("").Rooms(); !slices.Equal(got, []string{"a", "b", "c", "lobby"}) {
		t.Errorf("rooms %q", got)
	}
	bob.connect(wire.SessionNone, "a")
	if got := bob.request("join", "d"); got != "failed too_many_rooms" {
		t.Errorf("join = %s", got)
	}
	// What others made is open, and what is left makes room.
	bob.request("join", "b")
	for range 3 {
		ana.request("leave", "c")
		if got := bob.request("join", "d"); got == "failed too_many_rooms" {
			t.Errorf("after one was left: %s", got)
		}
		bob.request("leave", "d")
		ana.request("join", "c")
	}
	if got := hub.Namespace("").Rooms(); len(got) != 4 {
		t.Errorf("rooms %s", fmt.Sprint(got))
	}
}
