package client

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

// A hole that the server did not explain is reported, never silent.
func TestGapIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(4))
		p.say("lobby", 5)
		p.say("lobby", 9)
		if got, want := r.told(StatusLost), "lost lobby 3 gap"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		if got, want := r.texts(), "m5, m9"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		if st := r.Stats(); st.Lost != 3 || st.Rooms[0].Lost != 3 {
			t.Errorf("Lost = %d, %d in the room, want 3", st.Lost, st.Rooms[0].Lost)
		}
		r.end()
	})
}

// Sparse numbers are no gap: prev says what came before.
func TestSparseNumbersAreNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(4))
		p.send(wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Seq: 100, Prev: 4, Args: []byte(`["m100"]`)})
		p.send(wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Seq: 300, Prev: 100, Args: []byte(`["m300"]`)})
		if got, want := r.texts()+r.told(StatusLost), "m100, m300"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		r.end()
	})
}

func TestCursorExplainsHoles(t *testing.T) {
	for _, tt := range []struct {
		name string
		pos  wire.Position
		prev uint64
		want string
	}{
		{"hidden", wire.Position{Hidden: true}, 5, ""},
		{"overflow", wire.Position{Lost: 3, Reason: "overflow"}, 5, "lost lobby 3 overflow"},
		{"expired, some hidden", wire.Position{Lost: 2, Reason: "expired"}, 5, "lost lobby 2 expired"},
		{"hidden after a hole", wire.Position{Hidden: true}, 7, "lost lobby 2 gap"},
		{"nothing said", wire.Position{}, 5, "lost lobby 3 gap"},
		{"another epoch", wire.Position{Epoch: 0xf, Reason: "epoch"}, 0, "lost lobby 0 epoch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, Config{Rooms: []string{"lobby"}})
				p, _ := r.srv.accept()
				p.welcome(wire.Connected{}, at(4))
				p.say("lobby", 5)
				p.cursor("lobby", tt.prev, 8, tt.pos)
				p.say("lobby", 9)
				if got := r.told(StatusLost); got != tt.want {
					t.Errorf("statuses = %s, want %s", got, tt.want)
				}
				if got, want := r.texts(), "m5, m9"; got != want {
					t.Errorf("events = %s, want %s", got, want)
				}
				r.end()
			})
		})
	}
}

// A loss is told in its place among the events.
func TestLossIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		srv := newServer(t)
		r := startOn(srv, Config{Rooms: []string{"lobby"}, OnEvent: func(e Event) any {
			order = append(order, fmt.Sprint(e.Seq))
			return nil
		}, OnStatus: func(s Status) {
			if s.Kind == StatusLost {
				order = append(order, "lost")
			}
		}})
		p, _ := srv.accept()
		p.welcome(wire.Connected{}, at(0))
		p.say("lobby", 1)
		p.say("lobby", 3)
		p.say("lobby", 4)
		synctest.Wait()
		if got, want := strings.Join(order, " "), "1 lost 3 4"; got != want {
			t.Errorf("order = %s, want %s", got, want)
		}
		r.end()
	})
}

func TestDuplicatesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(4))
		for _, seq := range []uint64{5, 5, 6, 4, 5, 7} {
			p.say("lobby", seq)
		}
		if got, want := r.texts(), "m5, m6, m7"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		if n := r.Stats().Duplicates; n != 3 {
			t.Errorf("Duplicates = %d, want 3", n)
		}
		r.end()
	})
}

// Unreliable UDP may change the order: what comes late is handed over once,
// and was counted as lost before.
func TestUnreliableReordering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		srv.mode = "unreliable"
		r := startOn(srv, Config{Rooms: []string{"lobby"}})
		p, body := srv.accept()
		if body.Mode != "unreliable" {
			t.Errorf("mode = %q", body.Mode)
		}
		p.welcome(wire.Connected{}, at(4))
		for _, seq := range []uint64{5, 8, 6, 6, 5, 8, 90, 7, 89} {
			p.say("lobby", seq)
		}
		if got, want := r.texts(), "m5, m8, m6, m90, m89"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		st := r.Stats()
		if st.Duplicates != 4 || st.Late != 2 || st.Lost != 2+81 {
			t.Errorf("duplicates %d, late %d, lost %d, want 4, 2, 83", st.Duplicates, st.Late, st.Lost)
		}
		r.end()
	})
}

// There an event may also overtake the CURSOR of its room.
func TestEventsBeforeTheirCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		srv.mode = "sequenced"
		r := startOn(srv, Config{Rooms: []string{"lobby"}, Reconnect: true})
		p, _ := srv.accept()
		p.welcome(wire.Connected{}, at(4))
		p.say("lobby", 5)
		r.texts()
		p.hang()
		p, _ = srv.accept()
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana"})})
		p.say("lobby", 10)
		p.say("lobby", 12)
		p.cursor("lobby", 9, 9, wire.Position{Head: 9, Lost: 4, Reason: "left"})
		if got, want := r.texts(), "m5, m10, m12"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		if got, want := r.told(StatusLost), "lost lobby 4 left; lost lobby 1 gap"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		r.end()
	})
}

func TestVolatileEventsHaveNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}, Queue: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(4))
		for range 2 {
			p.send(wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagVolatile, Room: []byte("lobby"), Event: []byte("typing"), Args: []byte(`["v"]`)})
		}
		if got, want := r.texts()+r.told(StatusLost), "v, v"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		time.Sleep(time.Second)
		p.quiet()
		r.end()
	})
}

// Consumed is sent after OnEvent has returned, and the state was saved before.
func TestConsumedAfterHandlingAndSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		var p *peer
		saving := true
		r := startOn(srv, Config{Rooms: []string{"lobby"}, Queue: true, SaveState: func(s State) {
			if saving && len(s.Rooms) > 0 && s.Rooms[0].Seq > 4 {
				p.quiet() // not told before this returns
			}
		}})
		r.block = make(chan struct{})
		p, _ = srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(4))
		time.Sleep(time.Second)
		p.say("lobby", 5)
		p.quiet()
		saving = false // p.quiet waits for the bubble, which waits for SaveState
		close(r.block)
		e := p.expect(wire.KindConsumed)
		if e.Seq != 5 || string(e.Room) != "lobby" || string(e.Args) != `{"epoch":"000000000000e90c"}` {
			t.Errorf("consumed = %+v %s", e, e.Args)
		}
		r.end()
	})
}

// At most one Consumed for a room per 50 ms or 64 events; the last one names
// everything, and also what a cursor jumped over.
func TestConsumedIsCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}, Queue: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(0))
		time.Sleep(time.Second)
		p.say("lobby", 1)
		if got, want := strings.Join(p.drain(), ", "), "consumed lobby/ #1"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		for seq := uint64(2); seq <= 10; seq++ {
			p.say("lobby", seq)
			time.Sleep(time.Millisecond)
		}
		p.quiet()
		time.Sleep(50 * time.Millisecond)
		if got, want := strings.Join(p.drain(), ", "), "consumed lobby/ #10"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		for seq := uint64(11); seq <= 210; seq++ {
			p.say("lobby", seq)
		}
		time.Sleep(time.Second)
		if got, want := strings.Join(p.drain(), ", "), "consumed lobby/ #74, consumed lobby/ #138, consumed lobby/ #202, consumed lobby/ #210"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		p.cursor("lobby", 210, 500, wire.Position{Hidden: true})
		time.Sleep(time.Second)
		if got, want := strings.Join(p.drain(), ", "), "consumed lobby/ #500"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		p.say("lobby", 501)
		p.say("lobby", 502)
		synctest.Wait()
		r.end() // before the 50 ms are over
		if got := strings.Join(p.drain(), ", "); !strings.HasSuffix(got, "consumed lobby/ #502, bye") {
			t.Errorf("sent %s, want the last consumed and bye", got)
		}
	})
}

// Without a session the server keeps no place for the client: no Consumed, no state.
func TestNoSessionNoConsumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		p.say("lobby", 1)
		time.Sleep(time.Second)
		r.end()
		for _, s := range p.drain() {
			if strings.HasPrefix(s, "consumed") {
				t.Errorf("sent %s", s)
			}
		}
		if n := len(r.saved()); n != 0 {
			t.Errorf("SaveState was called %d times", n)
		}
	})
}

func TestRemovedFromARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby", "den"}, Reconnect: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(4), wire.RoomCursor{Room: "den"})
		p.send(wire.Envelope{Kind: wire.KindError, Room: []byte("den"), Seq: 1, Args: wire.EncodeBody(wire.Fault{Code: "removed", Message: "removed from den"})})
		if got, want := r.told(StatusLeft), "left den: removed from den"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		p.hang()
		p, body := r.srv.accept()
		if len(body.Rooms) != 1 || body.Rooms[0].Room != "lobby" {
			t.Errorf("rooms = %+v, want the lobby alone", body.Rooms)
		}
		p.welcome(wire.Connected{}, at(4))
		r.end()
	})
}

// A slow OnEvent stops the reading, not the heartbeat's patience: what is not
// read yet waits in the server's log.
func TestSlowHandlerStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		r.block = make(chan struct{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		for seq := uint64(1); seq <= 3000; seq++ {
			p.say("lobby", seq)
		}
		synctest.Wait()
		if n := r.Stats().Unhandled; n != maxUnhandled {
			t.Errorf("%d events wait for OnEvent, want %d", n, maxUnhandled)
		}
		time.Sleep(time.Hour)
		close(r.block)
		synctest.Wait()
		if n := len(r.events); n != 3000 {
			t.Errorf("%d events handled, want 3000", n)
		}
		r.end()
	})
}

func TestAnswersEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		ask := wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: 7, Room: []byte("lobby"), Seq: 1, Event: []byte("ready?"), Args: []byte(`[]`)}
		p.send(ask)
		if e := p.expect(wire.KindAck); e.ID != 7 || string(e.Args) != `["ok"]` {
			t.Errorf("answer = %s, id %d", show(e), e.ID)
		}
		r.mu.Lock()
		r.answer = map[string]int{"a<b": 1}
		r.mu.Unlock()
		ask.Seq, ask.Prev = 2, 1
		p.send(ask)
		if e := p.expect(wire.KindAck); string(e.Args) != `[{"a<b":1}]` {
			t.Errorf("answer = %s", show(e))
		}
		if !r.events[0].AckWanted {
			t.Error("AckWanted is not set")
		}
		r.end()
	})
}
