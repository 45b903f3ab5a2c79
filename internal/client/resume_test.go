package client

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

const secret1, secret2 = "5ec1", "5ec2"

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}, Queue: true, Reconnect: true})
		p, body := r.srv.accept()
		if body.Session != wire.SessionNew {
			t.Errorf("session = %q, want new", body.Session)
		}
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(4))
		p.say("lobby", 5)
		p.say("lobby", 6)
		synctest.Wait()
		p.hang()
		p, body = r.srv.accept()
		if body.Session != wire.SessionResume || body.ID != "s1" || body.Secret != secret1 {
			t.Errorf("Connect = %+v", body)
		}
		if want := (wire.RoomCursor{Room: "lobby", Epoch: epoch, Seq: 6}); len(body.Rooms) != 1 || body.Rooms[0] != want {
			t.Errorf("rooms = %+v, want %+v", body.Rooms, want)
		}
		// The server heard of 5, had sent up to 6, and up to 8 waits.
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{
			Name: "ana", Socket: "#2", Session: "s1", Secret: secret2, Resumed: true, Rooms: []string{"lobby"}, PingMS: 1000, TimeoutMS: 1000,
		})})
		yes := true
		p.cursor("lobby", 5, 5, wire.Position{Head: 8, Redelivered: 7, Recovered: &yes})
		for seq := uint64(6); seq <= 8; seq++ {
			p.say("lobby", seq)
		}
		if got, want := r.texts(), "m5, m6, again m7, m8"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		if got, want := r.told(StatusRoom, StatusLost), "room lobby at 4 missed 0; room lobby at 6 missed 2"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		time.Sleep(consumedEvery)
		states := r.saved()
		if last := states[len(states)-1]; last.Secret != secret2 || last.Session != "s1" || last.Name != "ana" || last.Server != "server" || last.Rooms[0].Seq != 8 {
			t.Errorf("state = %+v", last)
		}
		r.end()
	})
}

// A program that starts again goes on from the state that it saved.
func TestResumeFromState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, State: &State{
			Name: "ana", Session: "s1", Secret: secret1,
			Rooms: []RoomState{{Room: "lobby", Cursor: Cursor{epoch, 17}}, {Room: "@77", Cursor: Cursor{epoch, 3}}},
		}})
		p, body := r.srv.accept()
		want := []wire.RoomCursor{{Room: "lobby", Epoch: epoch, Seq: 17}, {Room: "@77", Epoch: epoch, Seq: 3}}
		if body.Session != wire.SessionResume || body.Secret != secret1 || fmt.Sprint(body.Rooms) != fmt.Sprint(want) {
			t.Errorf("Connect = %+v", body)
		}
		p.welcome(wire.Connected{Session: "s1", Secret: secret2, Resumed: true, Rooms: []string{"lobby"}}, at(17))
		if got, want := r.Rooms(), "[lobby]"; fmt.Sprint(got) != want {
			t.Errorf("Rooms() = %v, want %s", got, want)
		}
		p.say("lobby", 18)
		if got := r.texts() + r.told(StatusLost); got != "m18" {
			t.Errorf("got %s, want m18", got)
		}
		r.end()
	})
}

// The new secret is saved before the client's first word: after that the old
// one is worth nothing.
func TestSecretIsSavedBeforeTheFirstWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saving, saved := make(chan State), make(chan struct{})
		r := start(t, Config{Queue: true, Rooms: []string{"lobby"}, SaveState: func(s State) {
			saving <- s
			<-saved
		}})
		p, _ := r.srv.accept()
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Session: "s1", Secret: secret1})})
		p.cursor("lobby", 0, 0, wire.Position{})
		if s := <-saving; s.Secret != secret1 {
			t.Errorf("saved %+v", s)
		}
		p.quiet()
		if r.Stats().Online {
			t.Error("online before the secret is saved")
		}
		close(saved)
		e := p.expect(wire.KindPing)
		synctest.Wait()
		if r.Stats().Online {
			t.Error("online before the server was heard to have heard it")
		}
		p.send(wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		go func() {
			for range saving {
			}
		}()
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		r.end()
		close(saving)
	})
}

// A session that the server does not know any more: the client says so, starts
// a new one and is told what it lost.
func TestUnknownSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, State: &State{
			Name: "ana", Session: "s1", Secret: secret1, Rooms: []RoomState{{Room: "lobby", Cursor: Cursor{epoch, 17}}},
		}})
		p, _ := r.srv.accept()
		p.send(wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: "bad_session", Message: "no such session"})})
		p, body := r.srv.accept()
		if body.Session != wire.SessionNew || len(body.Rooms) != 1 || body.Rooms[0].Seq != 17 {
			t.Errorf("Connect = %+v", body)
		}
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Session: "s2", Secret: secret2, PingMS: 1000, TimeoutMS: 1000})})
		no := false
		p.cursor("lobby", 20, 20, wire.Position{Epoch: 0xbeef, Head: 20, Reason: "epoch", Recovered: &no})
		if got, want := r.told(StatusNotice, StatusLost), "notice: no such session; lost lobby 0 epoch"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		r.end()
		states := r.saved()
		if last := states[len(states)-1]; last.Session != "s2" || last.Rooms[0].Epoch != 0xbeef || last.Rooms[0].Seq != 20 {
			t.Errorf("state = %+v", last)
		}
	})
}

// Without a session, what passed meanwhile is gone, and the client is told.
func TestComingBackWithoutASession(t *testing.T) {
	for _, said := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, Config{Rooms: []string{"lobby"}, Reconnect: true})
			p, _ := r.srv.accept()
			p.welcome(wire.Connected{}, at(4))
			p.say("lobby", 5)
			r.texts()
			p.hang()
			p, body := r.srv.accept()
			if body.Session != wire.SessionNone || body.Rooms[0].Seq != 5 {
				t.Errorf("Connect = %+v", body)
			}
			pos := wire.Position{Head: 9}
			if said { // by the server
				no := false
				pos.Lost, pos.Reason, pos.Recovered = 4, "left", &no
			}
			p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana"})})
			p.cursor("lobby", 9, 9, pos)
			p.say("lobby", 10)
			if got, want := r.told(StatusLost), "lost lobby 4 left"; got != want {
				t.Errorf("statuses = %s, want %s", got, want)
			}
			if got, want := r.texts(), "m5, m10"; got != want {
				t.Errorf("events = %s, want %s", got, want)
			}
			r.end()
		})
	}
}

// While its own dead connection still holds the name, a client without a
// session waits until the server must have found out.
func TestOwnGhostHoldsTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Reconnect: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}) // 30 s of heartbeat
		p.hang()
		began := time.Now()
		refusals := 0
		for {
			var ok bool
			select {
			case p := <-r.srv.dials:
				p.expect(wire.KindConnect)
				p.send(wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: "name_taken", Message: "taken"})})
				refusals++
				ok = true
			case err := <-r.err:
				if err == nil || err.Error() != "taken" {
					t.Errorf("Run() = %v, want taken", err)
				}
			}
			if !ok {
				break
			}
		}
		if d := time.Since(began); d < 30*time.Second || d > 40*time.Second || refusals < 6 {
			t.Errorf("gave up after %v and %d refusals, want 30 to 40 s", d, refusals)
		}
	})
}

// The server does not store the log of a room where nothing was said: after its
// restart the room has another epoch, and nothing is lost.
func TestAnotherEpochOfAnEmptyRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, State: &State{
			Name: "ana", Session: "s1", Secret: secret1, Rooms: []RoomState{{Room: "lobby", Cursor: Cursor{epoch, 0}}},
		}})
		p, _ := r.srv.accept()
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{
			Name: "ana", Session: "s1", Secret: secret2, Resumed: true, Rooms: []string{"lobby"}, PingMS: 1000, TimeoutMS: 1000,
		})})
		yes := true
		p.cursor("lobby", 0, 0, wire.Position{Epoch: 0xbeef, Head: 1, Recovered: &yes})
		p.say("lobby", 1)
		if got, want := r.texts()+"; "+r.told(StatusLost), "m1; "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		r.end()
		states := r.saved()
		if last := states[len(states)-1].Rooms[0]; last.Epoch != 0xbeef || last.Seq != 1 {
			t.Errorf("state = %+v", last)
		}
	})
}

// What was handled is saved before Run returns, also without a connection.
func TestCloseSavesWhatWasHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, Reconnect: true, Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(4))
		p.say("lobby", 5)
		if got := r.texts(); got != "m5" {
			t.Errorf("got %s, want m5", got)
		}
		p.hang()
		synctest.Wait()
		r.end()
		if states := fmt.Sprint(r.saved()); !strings.HasSuffix(states, fmt.Sprintf("{%d 5}}]}]", epoch)) {
			t.Errorf("saved %s, want 5 at last", states)
		}
	})
}

// What Close keeps from being handled comes again: a jump behind it does not
// count as handled either.
func TestCloseSavesNoMoreThanWasHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, Rooms: []string{"lobby"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: secret1}, at(4))
		r.mu.Lock()
		r.block = make(chan struct{})
		r.mu.Unlock()
		p.say("lobby", 5)
		p.say("lobby", 6)
		p.cursor("lobby", 6, 9, wire.Position{Hidden: true})
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		synctest.Wait()
		close(r.block)
		if err := <-closed; err != nil {
			t.Errorf("Close() = %v", err)
		}
		<-r.err
		if states := fmt.Sprint(r.saved()); !strings.HasSuffix(states, fmt.Sprintf("{%d 5}}]}]", epoch)) {
			t.Errorf("saved %s, want 5 at last", states)
		}
	})
}
