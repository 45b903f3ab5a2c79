package chat_test

import (
	"fmt"
	"testing"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// An event that is published and delivered allocates nothing but the log's own
// chunks, of which one holds a thousand.
func TestNoAllocationPerEvent(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	hub := newHub(t, chat.Config{}, missed.Config{Limits: missed.Limits{Count: 20_000}})
	pub := enter(t, hub, "pub", "lobby")
	all := []*client{pub}
	for i := range 20 {
		all = append(all, enter(t, hub, fmt.Sprint("m", i), "lobby"))
	}
	const events = 64
	e := hundred(0)
	var dst [][]byte
	got := testing.AllocsPerRun(500, func() {
		for range events {
			c := e
			if err := pub.conn.Receive(&c); err != nil {
				t.Fatal(err)
			}
		}
		pub.conn.Flush()
		for _, m := range all {
			for some := true; some; {
				dst, some = m.conn.Next(dst[:0], 256<<10)
			}
		}
	})
	if got > events/10 {
		t.Errorf("%d events to %d members: %v allocations", events, len(all), got)
	}
}

// What a member costs who comes into a crowd does not grow with the crowd.
func TestJoiningACrowd(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	hub := newHub(t, chat.Config{MaxHalfOpen: 5000})
	n := 0
	join := func(count int) float64 {
		return testing.AllocsPerRun(count, func() {
			l := newLink(chat.Info{})
			c, err := hub.Attach(l, nil)
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, e := range []wire.Envelope{
				{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{Name: fmt.Sprint("m", n), Rooms: []wire.RoomCursor{{Room: "lobby"}}})},
				{Kind: wire.KindEvent, Event: []byte("join"), Args: []byte(`["red"]`)},
				{Kind: wire.KindEvent, Flags: wire.FlagAck, Event: []byte("who"), Args: []byte(`["red"]`)},
			} {
				if err := c.Receive(&e); err != nil {
					t.Fatal(err)
				}
			}
			c.Flush()
		})
	}
	join(300) // the lists of people are full now, and notices are over
	few := join(100)
	join(2000)
	if many := join(100); many > 1.2*few {
		t.Errorf("to join 2,500 others costs %.0f allocations, to join 300 %.0f", many, few)
	}
}

// A member that is idle takes at most 3 KiB of the hub.
func TestIdleMemory(t *testing.T) {
	if underRace || testing.Short() {
		t.Skip("measures the heap")
	}
	for _, session := range []string{wire.SessionNone, wire.SessionNew} {
		if bytes, took := idle(t, 3000, session); bytes > 3<<10 {
			t.Errorf("session %s: %.0f bytes a member, at most 3 KiB (%v to join)", session, bytes, took)
		}
	}
}
