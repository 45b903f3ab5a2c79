package chat_test

import (
	"fmt"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// entrant connects a member from an address, and reports the code of a refusal.
func entrant(t *testing.T, hub *chat.Hub, remote, name, session string) (*client, string) {
	t.Helper()
	c := &client{
		t: t, hub: hub, name: name, batch: 64 << 10, info: chat.Info{Transport: "tcp", Remote: remote},
		rooms: make(map[missed.Key]*place), socket: make(map[string]string), asked: make(map[string]uint64),
	}
	c.attach()
	c.tryConnect(wire.Connect{Name: name, Session: session})
	if c.socket[""] != "" {
		c.ping()
	}
	return c, c.fault.Code
}

// One host makes sessions and leaves, again and again: others still get in,
// and what waits for them is not what goes.
func TestSessionsOfOneHostDoNotLockOthersOut(t *testing.T) {
	hub := newHub(t, chat.Config{MaxSessions: 50}, missed.Config{})
	honest, code := entrant(t, hub, "10.0.0.1:1000", "honest", wire.SessionNew)
	if code != "" {
		t.Fatal(code)
	}
	honest.conn.Detach("away")
	for i := range 500 {
		c, code := entrant(t, hub, fmt.Sprintf("10.6.6.6:%d", 1000+i), fmt.Sprintf("squatter%d", i), wire.SessionNew)
		if code != "" {
			t.Fatalf("connection %d: %s", i, code)
		}
		c.conn.Detach("away")
	}
	if _, code := entrant(t, hub, "10.0.0.2:1000", "newcomer", wire.SessionNone); code != "" {
		t.Errorf("a newcomer is refused: %s", code)
	}
	for _, m := range hub.Snapshot().Members {
		if m.Name == "honest" {
			return
		}
	}
	t.Error("the session of another host was ended")
}

// An operator's name is for the server's own machine.
func TestOperatorsNamesAreReserved(t *testing.T) {
	hub := newHub(t, chat.Config{Operators: []string{"teacher"}}, missed.Config{})
	for _, tt := range []struct{ remote, name, want string }{
		{"10.0.0.1:1000", "teacher", "reserved_name"},
		{"10.0.0.1:1000", "Teacher", "reserved_name"},
		{"10.0.0.1:1000", "pupil", ""},
		{"127.0.0.1:1000", "teacher", ""},
		{"[::ffff:127.0.0.1]:1000", "te\u0430cher", "name_taken"},
	} {
		if _, code := entrant(t, hub, tt.remote, tt.name, wire.SessionNone); code != tt.want {
			t.Errorf("%s from %s: %q, want %q", tt.name, tt.remote, code, tt.want)
		}
	}
}
