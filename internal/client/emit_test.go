package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

// online is a client that is in the lobby, and the server's end of it.
func online(t *testing.T, cfg Config) (*rig, *peer) {
	t.Helper()
	cfg.Rooms = []string{"lobby"}
	r := start(t, cfg)
	p, _ := r.srv.accept()
	p.welcome(wire.Connected{PingMS: 3600_000, TimeoutMS: 3600_000}, at(0))
	return r, p
}

// result is what an emit came to.
type result struct {
	Ack
	err error
}

func emitAck(r *rig, m Message) <-chan result {
	m.Room, m.Event = "lobby", "msg"
	c := make(chan result, 1)
	go func() {
		ack, err := r.Send(context.Background(), m)
		c <- result{ack, err}
	}()
	return c
}

func TestEmitForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		for _, m := range []Message{
			{Args: []any{"<a> & b", 1}},
			{Volatile: true},
			{Broadcast: true, Args: []any{nil}},
			{Binary: true, Raw: []byte{0, 1, 2}},
			{Raw: []byte(`[{"x":1}]`)},
		} {
			m.Room, m.Event = "lobby", "msg"
			if _, err := r.Send(t.Context(), m); err != nil {
				t.Errorf("Send(%+v) = %v", m, err)
			}
		}
		want := []string{
			`event lobby/msg ["<a> & b",1]`,
			`event lobby/msg volatile []`,
			`event lobby/msg broadcast [null]`,
			"event lobby/msg binary \x00\x01\x02",
			`event lobby/msg [{"x":1}]`,
		}
		if got := p.drain(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		for _, m := range []Message{
			{Room: strings.Repeat("r", 65), Event: "msg"},
			{Room: "lobby", Event: "msg", Args: []any{func() {}}},
			{Room: "lobby", Event: "msg", Raw: []byte(`{}`)},
			{Room: "lobby", Event: "msg", Raw: []byte(`[`)},
			{Room: "lobby", Event: "msg", Args: []any{strings.Repeat("x", wire.MaxArguments)}},
		} {
			if _, err := r.Send(t.Context(), m); err == nil {
				t.Errorf("Send(%.60v) = nil, want an error", m)
			}
		}
		p.quiet()
		r.end()
	})
}

// Message ids begin anywhere, are never 0, and count up.
func TestMessageIDs(t *testing.T) {
	c := New(Config{})
	c.firstID, c.nextID = ^uint64(0)-1, ^uint64(0)-1
	var got []uint64
	for range 3 {
		got = append(got, c.takeID())
	}
	if want := fmt.Sprint([]uint64{^uint64(0) - 1, ^uint64(0), 1}); fmt.Sprint(got) != want {
		t.Errorf("ids = %v, want %v", got, want)
	}
	for id, want := range map[uint64]bool{^uint64(0) - 2: false, ^uint64(0) - 1: true, 1: true, 2: false} {
		if got := c.ours(id); got != want {
			t.Errorf("ours(%x) = %t, want %t", id, got, want)
		}
	}
	if a, b := New(Config{}).firstID, New(Config{}).firstID; a == b || a == 0 {
		t.Errorf("first ids %x and %x", a, b)
	}
}

func TestEmitAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		c := emitAck(r, Message{Ack: true, Args: []any{"hi"}})
		e := p.expect(wire.KindEvent)
		if e.Flags != wire.FlagAck || e.ID == 0 {
			t.Errorf("sent %s, id %d", show(e), e.ID)
		}
		time.Sleep(20 * time.Millisecond)
		p.ack(e, 9)
		got := <-c
		if got.err != nil || got.Seq != 9 || got.ID != e.ID || got.RTT != 20*time.Millisecond || got.Tries != 1 || string(got.Result()) != `"ok"` || got.Room != "lobby" {
			t.Errorf("answer = %+v", got)
		}
		p.ack(e, 9)                     // twice
		p.ack(wire.Envelope{ID: 12}, 9) // to nothing
		synctest.Wait()
		if st := r.Stats(); st.Acks != 1 || st.LateAcks != 1 || st.UnknownAcks != 1 {
			t.Errorf("acks %d, late %d, unknown %d, want 1 each", st.Acks, st.LateAcks, st.UnknownAcks)
		}
		r.end()
	})
}

func TestAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{AckTimeout: 3 * time.Second})
		began := time.Now()
		slow := emitAck(r, Message{Ack: true})
		e := p.expect(wire.KindEvent)
		time.Sleep(time.Second)
		quick := emitAck(r, Message{Ack: true, Timeout: time.Second})
		p.expect(wire.KindEvent)
		if got := <-quick; !errors.Is(got.err, ErrTimeout) || time.Since(began) != 2*time.Second {
			t.Errorf("answer = %v after %v, want a timeout after 2s", got.err, time.Since(began))
		}
		if got := <-slow; !errors.Is(got.err, ErrTimeout) || time.Since(began) != 3*time.Second {
			t.Errorf("answer = %v after %v, want a timeout after 3s", got.err, time.Since(began))
		}
		p.ack(e, 1)
		synctest.Wait()
		if st := r.Stats(); st.AckTimeouts != 2 || st.LateAcks != 1 || st.PendingAcks != 0 {
			t.Errorf("stats = %+v", st)
		}
		r.end()
	})
}

func TestAckIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		c := emitAck(r, Message{Ack: true})
		p.fail(p.expect(wire.KindEvent), wire.Fault{Code: "not_in_room", Message: "not a member", Hint: "join"})
		var refusal *Refusal
		if got := <-c; !errors.As(got.err, &refusal) || refusal.Code != "not_in_room" || refusal.Hint != "join" {
			t.Errorf("answer = %+v", got)
		}
		// The same for an emit that wants no answer, in an error frame.
		r.Emit("lobby", "msg")
		e := p.expect(wire.KindEvent)
		p.send(wire.Envelope{Kind: wire.KindError, ID: e.ID, Args: wire.EncodeBody(wire.Fault{Code: "x", Message: "no"})})
		if got, want := r.told(StatusNotice), "notice: no"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		r.end()
	})
}

// "On disconnect a waiting ack fails at once."
func TestDisconnectFailsWaitingAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{Reconnect: true})
		c := emitAck(r, Message{Ack: true})
		p.expect(wire.KindEvent)
		began := time.Now()
		p.hang()
		if got := <-c; !errors.Is(got.err, ErrDisconnected) || time.Since(began) != 0 {
			t.Errorf("answer = %v after %v", got.err, time.Since(began))
		}
		r.end()
	})
}

// Emits made while offline are kept, bounded, in order.
func TestOfflineBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{OfflineLimit: 3})
		r.Offline(0)
		synctest.Wait()
		p.drain()
		r.Emit("lobby", "msg", 1)
		acked := emitAck(r, Message{Ack: true, Args: []any{2}})
		synctest.Wait()
		timed := emitAck(r, Message{Ack: true, Timeout: time.Second, Args: []any{3}})
		synctest.Wait()
		if err := r.Emit("lobby", "msg", 4); !errors.Is(err, ErrFull) {
			t.Errorf("Emit() = %v, want ErrFull", err)
		}
		if got := <-timed; !errors.Is(got.err, ErrTimeout) {
			t.Errorf("answer = %v, want a timeout", got.err)
		}
		// What has timed out is not sent any more, and leaves its place.
		if err := r.Emit("lobby", "msg", 5); err != nil {
			t.Errorf("Emit() = %v", err)
		}
		r.Online()
		p, _ = r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		for _, want := range []string{`event lobby/msg [1]`, `event lobby/msg ack [2]`, `event lobby/msg [5]`} {
			e := p.next()
			if show(e) != want {
				t.Errorf("sent %s, want %s", show(e), want)
			}
			if e.Flags == wire.FlagAck {
				p.ack(e, 1)
			}
		}
		if got := <-acked; got.err != nil {
			t.Errorf("answer = %v", got.err)
		}
		r.end()
	})
}

// Retries: one in flight, order kept, the same id, flagged; over reconnects.
func TestEmitRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{Reconnect: true, AckTimeout: time.Second})
		var all []<-chan result
		for i := range 3 {
			all = append(all, emitAck(r, Message{Retries: -1, Args: []any{i}}))
			synctest.Wait()
		}
		first := p.expect(wire.KindEvent)
		p.quiet() // one in flight
		if show(first) != `event lobby/msg ack [0]` {
			t.Errorf("sent %s", show(first))
		}
		time.Sleep(time.Second) // no answer in time
		second := p.expect(wire.KindEvent)
		if show(second) != `event lobby/msg ack+retry [0]` || second.ID != first.ID {
			t.Errorf("sent %s, id %x after %x", show(second), second.ID, first.ID)
		}
		p.hang()
		p, _ = r.srv.accept()
		p.welcome(wire.Connected{}, at(0))
		third := p.expect(wire.KindEvent)
		if show(third) != `event lobby/msg ack+retry [0]` || third.ID != first.ID {
			t.Errorf("sent %s, id %x after %x", show(third), third.ID, first.ID)
		}
		p.ack(third, 1)
		if got := <-all[0]; got.err != nil || got.Seq != 1 || got.Tries != 3 {
			t.Errorf("answer = %+v", got)
		}
		e := p.expect(wire.KindEvent)
		if show(e) != `event lobby/msg ack [1]` || e.ID != first.ID+1 {
			t.Errorf("sent %s, id %x", show(e), e.ID)
		}
		p.fail(e, wire.Fault{Code: "no", Message: "no"})
		var refusal *Refusal
		if got := <-all[1]; !errors.As(got.err, &refusal) {
			t.Errorf("answer = %+v, want the refusal", got)
		}
		p.ack(p.expect(wire.KindEvent), 2)
		if got := <-all[2]; got.err != nil || got.Tries != 1 {
			t.Errorf("answer = %+v", got)
		}
		if n := r.Stats().Retries; n != 2 {
			t.Errorf("Retries = %d, want 2", n)
		}
		r.end()
	})
}

func TestRetriesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{AckTimeout: time.Second})
		c := emitAck(r, Message{Retries: 2})
		began := time.Now()
		if got := <-c; !errors.Is(got.err, ErrTimeout) || time.Since(began) != 3*time.Second {
			t.Errorf("answer = %v after %v, want a timeout after 3s", got.err, time.Since(began))
		}
		if got := len(p.drain()); got != 3 {
			t.Errorf("%d tries, want 3", got)
		}
		r.end()
	})
}

// An answer to an earlier try counts: the id is the same.
func TestLateAnswerToARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{AckTimeout: time.Second})
		c := emitAck(r, Message{Retries: -1})
		e := p.expect(wire.KindEvent)
		time.Sleep(1500 * time.Millisecond)
		p.ack(e, 5)
		if got := <-c; got.err != nil || got.Seq != 5 {
			t.Errorf("answer = %+v", got)
		}
		p.expect(wire.KindEvent)
		p.ack(e, 5)
		synctest.Wait()
		if st := r.Stats(); st.LateAcks != 1 {
			t.Errorf("late acks %d, want 1", st.LateAcks)
		}
		r.end()
	})
}

// A rate limit is honoured: nothing is emitted before the time that the server
// names, and what has retries is tried again then.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		c := emitAck(r, Message{Retries: 1})
		e := p.expect(wire.KindEvent)
		for range 5 { // more often than Retries: these are no timeouts
			p.fail(e, wire.Fault{Code: "rate", Message: "too fast", RetryMS: 400})
			began := time.Now()
			synctest.Wait()
			r.Emit("lobby", "msg", "later")
			e2 := p.expect(wire.KindEvent)
			if show(e2) != `event lobby/msg ["later"]` {
				t.Errorf("sent %s", show(e2))
			}
			e = p.expect(wire.KindEvent)
			if d := time.Since(began); d != 400*time.Millisecond || e.Flags&wire.FlagRetry == 0 {
				t.Errorf("again after %v: %s", d, show(e))
			}
		}
		p.ack(e, 1)
		if got := <-c; got.err != nil {
			t.Errorf("answer = %v", got.err)
		}
		once := emitAck(r, Message{Ack: true})
		p.fail(p.expect(wire.KindEvent), wire.Fault{Code: "rate", Message: "too fast", RetryMS: 400})
		var refusal *Refusal
		if got := <-once; !errors.As(got.err, &refusal) || refusal.RetryAfter != 400*time.Millisecond {
			t.Errorf("answer = %+v", got)
		}
		r.end()
	})
}

func TestPostAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		a, err := r.Post(Message{Room: "lobby", Event: "msg", Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Post(Message{Room: "lobby", Event: "msg", Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := r.Post(Message{Room: "lobby", Event: "msg"})
		if err != nil {
			t.Fatal(err)
		}
		<-plain.Done()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait() = %v", err)
		}
		a.Cancel()
		a.Cancel()
		if _, err := a.Wait(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait() = %v", err)
		}
		synctest.Wait()
		sent := p.drain()
		if len(sent) != 3 {
			t.Errorf("sent %q, want the three", sent)
		}
		p.ack(wire.Envelope{ID: b.ID()}, 4)
		if ack, err := b.Wait(t.Context()); err != nil || ack.Seq != 4 {
			t.Errorf("Wait() = %+v, %v", ack, err)
		}
		r.end()
	})
}

// A connection that takes nothing makes Emit wait and Post fail; Close does
// not wait for it for long.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{OfflineLimit: 10})
		for len(p.in) < cap(p.in) { // the network is full
			p.in <- nil
		}
		done := make(chan error)
		n := 0
		go func() {
			for range 30 {
				if err := r.Emit("lobby", "msg"); err != nil {
					done <- err
					return
				}
				n++
			}
			done <- nil
		}()
		synctest.Wait()
		if n < 10 || n > 20 { // up to 10 are with the writer
			t.Errorf("%d emits were taken, want 10 to 20", n)
		}
		if _, err := r.Post(Message{Room: "lobby", Event: "msg"}); !errors.Is(err, ErrFull) {
			t.Errorf("Post() = %v, want ErrFull", err)
		}
		for range cap(p.in) {
			if b := <-p.in; b != nil {
				break
			}
		}
		go func() {
			for range p.in {
			}
		}()
		if err := <-done; err != nil {
			t.Errorf("Emit() = %v", err)
		}
		r.end()
		close(p.in)
	})
}

func TestCloseDoesNotWaitForAStuckNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		for len(p.in) < cap(p.in) {
			p.in <- nil
		}
		c := emitAck(r, Message{Ack: true})
		synctest.Wait()
		began := time.Now()
		r.end()
		if d := time.Since(began); d > farewellTime {
			t.Errorf("Close took %v, want at most %v", d, farewellTime)
		}
		if got := <-c; !errors.Is(got.err, ErrClosed) && !errors.Is(got.err, ErrDisconnected) {
			t.Errorf("answer = %v", got.err)
		}
	})
}

// What was emitted before Close is sent before the goodbye.
func TestCloseSendsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		for i := range 100 {
			r.Emit("lobby", "msg", i)
		}
		r.end()
		sent := p.drain()
		if len(sent) != 101 || sent[100] != "bye" || sent[99] != "event lobby/msg [99]" {
			t.Errorf("sent %d frames, the last two %q", len(sent), sent[max(0, len(sent)-2):])
		}
	})
}

func TestForgetEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := online(t, Config{})
		r.Forget()
		<-r.err
		if got := strings.Join(p.drain(), ", "); got != "bye /forget" {
			t.Errorf("sent %s", got)
		}
	})
}

// A callback may emit and wait; nothing locks up, also not at Close.
func TestEmitInsideACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		var r *rig
		var got result
		r = startOn(srv, Config{Rooms: []string{"lobby"}, OnEvent: func(e Event) any {
			got.Ack, got.err = r.EmitAck(context.Background(), "lobby", "echo", "x")
			return nil
		}})
		p, _ := srv.accept()
		p.welcome(wire.Connected{}, at(0))
		p.say("lobby", 1)
		p.ack(p.expect(wire.KindEvent), 2)
		synctest.Wait()
		if got.err != nil || got.Seq != 2 {
			t.Errorf("answer = %+v", got)
		}
		p.say("lobby", 2)
		p.expect(wire.KindEvent)
		began := time.Now()
		r.end()
		if !errors.Is(got.err, ErrClosed) && !errors.Is(got.err, ErrDisconnected) || time.Since(began) > farewellTime {
			t.Errorf("answer = %v, Close took %v", got.err, time.Since(began))
		}
	})
}
