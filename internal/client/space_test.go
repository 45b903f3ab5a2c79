package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

func TestJoinLeaveAndRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{Reconnect: true})
		do := func(fn func() error) <-chan error {
			c := make(chan error, 1)
			go func() { c <- fn() }()
			return c
		}
		c := do(func() error { return r.Join(t.Context(), "den") })
		e := p.expect(wire.KindEvent)
		if show(e) != `event /join ack ["den"]` {
			t.Errorf("sent %s", show(e))
		}
		p.cursor("den", 3, 3, wire.Position{Head: 3})
		p.ack(wire.Envelope{ID: e.ID}, 0)
		if err := <-c; err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(r.Rooms()); got != "[den lobby]" {
			t.Errorf("Rooms() = %s", got)
		}
		c = do(func() error { return r.Join(t.Context(), "@x") })
		p.fail(p.expect(wire.KindEvent), wire.Fault{Code: "bad_room", Message: "no"})
		if err := <-c; err == nil || err.Error() != "no" {
			t.Errorf("Join() = %v", err)
		}
		c = do(func() error { return r.Leave(t.Context(), "lobby") })
		e = p.expect(wire.KindEvent)
		if show(e) != `event /leave ack ["lobby"]` {
			t.Errorf("sent %s", show(e))
		}
		p.ack(wire.Envelope{ID: e.ID}, 0)
		if err := <-c; err != nil {
			t.Error(err)
		}
		c = do(func() error {
			raw, err := r.Request(t.Context(), "rooms")
			if string(raw) != `"ok"` {
				return fmt.Errorf("answer %s, %v", raw, err)
			}
			return err
		})
		p.ack(wire.Envelope{ID: p.expect(wire.KindEvent).ID}, 0)
		if err := <-c; err != nil {
			t.Error(err)
		}
		p.hang()
		p, body := r.srv.accept()
		if len(body.Rooms) != 1 || body.Rooms[0].Room != "den" || body.Rooms[0].Seq != 3 {
			t.Errorf("rooms = %+v, want the den alone", body.Rooms)
		}
		p.welcome(wire.Connected{}, wire.RoomCursor{Room: "den", Seq: 3})
		r.end()
	})
}

func TestJoinWaitsForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := online(t, Config{})
		r.Offline(0)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Join(ctx, "den"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Join() = %v", err)
		}
		c := make(chan error, 1)
		go func() { c <- r.Join(t.Context(), "den") }()
		synctest.Wait()
		r.Online()
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		p.ack(wire.Envelope{ID: p.expect(wire.KindEvent).ID}, 0)
		if err := <-c; err != nil {
			t.Error(err)
		}
		r.end()
	})
}

// A room that was left while offline is left when the session goes on.
func TestLeaveWhileOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby", "den"}, Queue: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{Session: "s1", Secret: "x"}, at(0), wire.RoomCursor{Room: "den"})
		r.Offline(0)
		synctest.Wait()
		if err := r.Leave(t.Context(), "den"); err != nil {
			t.Error(err)
		}
		r.Online()
		p, _ = r.srv.accept()
		p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{
			Name: "ana", Session: "s1", Secret: "y", Resumed: true, Rooms: []string{"den", "lobby"},
		})})
		p.cursor("den", 0, 0, wire.Position{})
		p.cursor("lobby", 0, 0, wire.Position{})
		if e := p.expect(wire.KindEvent); show(e) != `event /leave ack ["den"]` {
			t.Errorf("sent %s", show(e))
		}
		synctest.Wait()
		if got := fmt.Sprint(r.Rooms()); got != "[lobby]" {
			t.Errorf("Rooms() = %s, want [lobby]", got)
		}
		r.end()
	})
}

func TestNick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{Reconnect: true})
		c := make(chan error, 1)
		go func() { c <- r.Nick(t.Context(), "Ana") }()
		e := p.expect(wire.KindEvent)
		p.send(wire.Envelope{Kind: wire.KindAck, ID: e.ID, Args: []byte(`["Ana"]`)})
		if err := <-c; err != nil || r.Name() != "Ana" {
			t.Errorf("Nick() = %v, name %q", err, r.Name())
		}
		p.hang()
		_, body := r.srv.accept()
		if body.Name != "Ana" {
			t.Errorf("name = %q, want Ana", body.Name)
		}
		r.end()
	})
}

func connected(ns string, c wire.Connected, id uint64) wire.Envelope {
	return wire.Envelope{Kind: wire.KindConnected, ID: id, Namespace: []byte(ns), Args: wire.EncodeBody(c)}
}

func TestNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{Reconnect: true})
		type entered struct {
			*Space
			err error
		}
		enter := func(name string) <-chan entered {
			c := make(chan entered, 1)
			go func() {
				s, err := r.Enter(t.Context(), name)
				c <- entered{s, err}
			}()
			return c
		}
		// Two at once ask once: to connect twice would be a fault.
		first := enter("game")
		e := p.expect(wire.KindConnect)
		second := enter("game")
		p.quiet()
		if string(e.Namespace) != "game" || e.ID == 0 {
			t.Errorf("sent %+v", e)
		}
		p.send(connected("game", wire.Connected{Socket: "#g"}, e.ID))
		game := <-first
		if game.err != nil || game.Namespace() != "game" || game.Socket() != "#g" {
			t.Fatalf("Enter() = %+v", game)
		}
		if s := <-second; s.Space != game.Space {
			t.Errorf("Enter() again = %+v", s)
		}
		bad := enter("nowhere")
		e = p.expect(wire.KindConnect)
		p.send(wire.Envelope{Kind: wire.KindError, ID: e.ID, Args: wire.EncodeBody(wire.Fault{Code: "unknown_namespace", Message: "no namespace"})})
		var refusal *Refusal
		if s := <-bad; !errors.As(s.err, &refusal) {
			t.Errorf("Enter() = %+v, want the refusal", s)
		}
		game.Emit("lobby", "move", 1)
		if e := p.expect(wire.KindEvent); string(e.Namespace) != "game" || string(e.Room) != "lobby" {
			t.Errorf("sent %+v", e)
		}
		// Cursors of rooms of the same name in two namespaces are apart.
		p.send(wire.Envelope{Kind: wire.KindCursor, Namespace: []byte("game"), Room: []byte("lobby"), Seq: 70, Prev: 70, Args: wire.EncodeBody(wire.Position{Epoch: 5})})
		p.say("lobby", 1)
		p.send(wire.Envelope{Kind: wire.KindEvent, Namespace: []byte("game"), Room: []byte("lobby"), Seq: 71, Prev: 70, Args: []byte(`["g71"]`)})
		if got := r.texts() + r.told(StatusLost); got != "m1, g71" {
			t.Errorf("events = %s", got)
		}
		if r.events[1].Namespace != "game" {
			t.Errorf("namespace = %q", r.events[1].Namespace)
		}
		// After a reconnect the client enters again, with its rooms there.
		p.hang()
		p, body := r.srv.accept()
		if len(body.Rooms) != 1 {
			t.Errorf("rooms = %+v", body.Rooms)
		}
		p.send(connected("", wire.Connected{Name: "ana"}, 0))
		p.cursor("lobby", 1, 1, wire.Position{Head: 1})
		e = p.expect(wire.KindConnect)
		if err := wire.DecodeBody(e.Args, &body); err != nil || string(e.Namespace) != "game" || body.Rooms[0].Seq != 71 {
			t.Errorf("sent %s %+v", show(e), body)
		}
		p.expect(wire.KindPing)
		if r.Stats().Online {
			t.Error("online before it is in all namespaces")
		}
		p.send(connected("game", wire.Connected{Socket: "#h"}, e.ID))
		p.send(wire.Envelope{Kind: wire.KindCursor, Namespace: []byte("game"), Room: []byte("lobby"), Seq: 71, Prev: 71, Args: wire.EncodeBody(wire.Position{Epoch: 5})})
		synctest.Wait()
		if !r.Stats().Online || game.Socket() != "#h" {
			t.Errorf("online %t, socket %s", r.Stats().Online, game.Socket())
		}
		r.end()
	})
}

// A session that is resumed is put back into its namespaces by the server;
// the client asks only for what is missing after that.
func TestResumeBringsNamespacesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Queue: true, State: &State{Name: "ana", Session: "s1", Secret: "x", Rooms: []RoomState{
			{"", "lobby", Cursor{epoch, 1}}, {"game", "arena", Cursor{epoch, 2}}, {"work", "desk", Cursor{epoch, 3}},
		}}})
		p, body := r.srv.accept()
		if len(body.Rooms) != 3 {
			t.Errorf("rooms = %+v, want all three", body.Rooms)
		}
		p.send(connected("", wire.Connected{Name: "ana", Session: "s1", Secret: "y", Resumed: true, Rooms: []string{"lobby"}}, 0))
		p.cursor("lobby", 1, 1, wire.Position{Head: 1})
		p.send(connected("game", wire.Connected{Resumed: true, Rooms: []string{"arena"}}, 0))
		p.send(wire.Envelope{Kind: wire.KindCursor, Namespace: []byte("game"), Room: []byte("arena"), Seq: 2, Prev: 2, Args: wire.EncodeBody(wire.Position{Epoch: epoch})})
		e := p.expect(wire.KindPing)
		p.quiet()
		p.send(wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		e = p.expect(wire.KindConnect)
		if string(e.Namespace) != "work" {
			t.Errorf("sent %+v, want connect to work", e)
		}
		p.send(connected("work", wire.Connected{}, e.ID))
		e = p.expect(wire.KindEvent)
		if show(e) != `event /join ack ["desk"]` || string(e.Namespace) != "work" {
			t.Errorf("sent %s", show(e))
		}
		p.ack(wire.Envelope{ID: e.ID}, 0)
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		s, err := r.Enter(t.Context(), "game")
		if err != nil || fmt.Sprint(s.Rooms()) != "[arena]" {
			t.Errorf("Enter() = %v, %v", s, err)
		}
		p.quiet()
		r.end()
	})
}
