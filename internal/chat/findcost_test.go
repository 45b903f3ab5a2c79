package chat_test

import (
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// To ask for an event by its message id is dear, and counts so.
func TestFindCost(t *testing.T) {
	hub := newHub(t, chat.Config{Rate: 0.001, Burst: 100})
	ana := dial(t, hub, "ana")
	ana.connect(wire.SessionNone, "lobby")
	for i := range 10 {
		if got := ana.request("explain", "lobby", "abcdef"); got != "failed no_event" {
			t.Fatalf("%d. explain: %s", i+1, got)
		}
	}
	if got := ana.request("explain", "lobby", "abcdef"); got != "failed rate" {
		t.Errorf("explain: %s", got)
	}
}
