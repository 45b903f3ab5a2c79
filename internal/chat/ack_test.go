package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// ackID returns the id of the event with that name that waits for an answer.
func (c *client) ackID(event string) (id uint64) {
	c.t.Helper()
	c.pump()
	id, ok := c.asked[event]
	if !ok {
		c.t.Fatalf("%s was not asked to acknowledge %q: %q", c.name, event, c.frames)
	}
	return id
}

func (c *client) answer(id uint64, args ...any) {
	c.t.Helper()
	c.send(&wire.Envelope{Kind: wire.KindAck, ID: id, Args: encodeArgs(args)})
}

// replies runs EmitAck in a goroutine of its own; the result comes in words.
func replies(op chat.Operator, ctx context.Context, event string) <-chan []string {
	out := make(chan []string, 1)
	go func() {
		list, err := op.EmitAck(ctx, event, "?")
		words := []string{}
		if err != nil {
			words = append(words, err.Error())
		}
		for _, r := range list {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Name, r.Status, r.Args)))
		}
		slices.Sort(words)
		out <- words
	}()
	return out
}

// "a broadcast with acknowledgements from all, which returns per member {id,
// ok | timeout | gone}"
func TestEmitAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{})
		ana, bob, cem := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby"), enter(t, hub, "cem", "lobby")
		dan := enterKept(t, hub, "dan", "lobby")
		dan.drop() // who is away is not waited for
		began := time.Now()
		got := replies(hub.Namespace("").To("lobby").Timeout(3*time.Second), t.Context(), "vote")
		synctest.Wait()
		ana.answer(ana.ackID("vote"), "yes", 1)
		bob.drop()
		cem.ackID("vote") // and says nothing
		want := []string{"ana ok [\"yes\",1]", "bob gone", "cem timeout"}
		if words := <-got; !slices.Equal(words, want) {
			t.Errorf("EmitAck = %q, want %q", words, want)
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("it took %v, want the timeout of 3s", d)
		}
		// When all have answered, nobody waits for the timeout.
		began = time.Now()
		got = replies(hub.Namespace("").To("lobby").Except(cem.socket[""]), t.Context(), "again")
		synctest.Wait()
		ana.answer(ana.ackID("again"))
		if words, want := <-got, []string{"ana ok []"}; !slices.Equal(words, want) {
			t.Errorf("EmitAck = %q, want %q", words, want)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v, want no time", d)
		}
		// Nobody there: no wait.
		if list, err := hub.Namespace("").To("nowhere").EmitAck(t.Context(), "x"); len(list) != 0 || err != nil {
			t.Errorf("EmitAck to nobody = %v, %v", list, err)
		}
		// What cannot be emitted is not waited for.
		for _, event := range []string{"connect", "", strings.Repeat("x", wire.MaxName+1)} {
			if list, err := hub.Namespace("").To("lobby").EmitAck(t.Context(), event); err == nil {
				t.Errorf("EmitAck(%.20q) = %v, want an error", event, list)
			}
		}
		for _, op := range []chat.Operator{hub.Namespace("").To("lobby"), hub.Namespace("").To("lobby").Volatile()} {
			if err := op.Emit("long", strings.Repeat("x", wire.MaxArguments)); !errors.Is(err, wire.ErrSize) {
				t.Errorf("Emit of too much = %v, want one that wraps ErrSize", err)
			}
		}
		// Ten seconds, unless told otherwise; or until the context ends.
		began = time.Now()
		<-replies(hub.Namespace("").To("lobby"), t.Context(), "slow")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("without Timeout it took %v, want 10s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		<-replies(hub.Namespace("").To("lobby"), ctx, "slow")
		if d := time.Since(began); d != time.Second {
			t.Errorf("with a context of 1s it took %v", d)
		}
	})
}

// "An ack fires at most once; late or unknown acks are ignored and counted."
func TestAcksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{})
		ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
		got := replies(hub.Namespace("").To("lobby").Timeout(time.Second), t.Context(), "vote")
		synctest.Wait()
		id := ana.ackID("vote")
		ana.answer(id, "first")
		ana.answer(id, "second") // at most once
		ana.answer(12345)        // unknown
		// Not valid: ignored, and the member may still answer.
		bob.send(&wire.Envelope{Kind: wire.KindAck, ID: bob.ackID("vote"), Args: []byte("[no")})
		if n := faults(hub, "unknown_ack"); n != 3 {
			t.Errorf("%d acks were counted as unknown, want 3", n)
		}
		if words, want := <-got, []string{`ana ok ["first"]`, "bob timeout"}; !slices.Equal(words, want) {
			t.Errorf("EmitAck = %q, want %q", words, want)
		}
		bob.answer(bob.ackID("vote"), "late")
		if n := faults(hub, "unknown_ack"); n != 4 {
			t.Errorf("%d acks were counted as unknown, want 4", n)
		}
		// Somebody else's id does not help: who was not asked cannot answer.
		got = replies(hub.Namespace("").To(ana.socket[""]).Timeout(time.Second), t.Context(), "private")
		synctest.Wait()
		bob.answer(ana.ackID("private"), "I am ana")
		if words, want := <-got, []string{"ana timeout"}; !slices.Equal(words, want) {
			t.Errorf("EmitAck = %q, want %q", words, want)
		}
		ana.ping()
		bob.ping()
	})
}

// "On disconnect a waiting ack fails at once." The same when the hub closes,
// and when the session is resumed elsewhere.
func TestAckOfTheGone(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(hub *chat.Hub, c *client)
	}{
		{"disconnect", func(_ *chat.Hub, c *client) { c.drop() }},
		{"goodbye", func(_ *chat.Hub, c *client) { c.send(&wire.Envelope{Kind: wire.KindBye}) }},
		{"resumed elsewhere", func(_ *chat.Hub, c *client) { c.resume() }},
		{"banned", func(hub *chat.Hub, c *client) { hub.Ban(c.name, "") }},
		{"closed", func(hub *chat.Hub, c *client) { hub.Close("closing") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub := newHub(t, chat.Config{})
				ana := enterKept(t, hub, "ana", "lobby")
				began := time.Now()
				got := replies(hub.Namespace("").To("lobby"), t.Context(), "vote")
				synctest.Wait()
				test.end(hub, ana)
				if words, want := <-got, []string{"ana gone"}; !slices.Equal(words, want) {
					t.Errorf("EmitAck = %q, want %q", words, want)
				}
				if d := time.Since(began); d != 0 {
					t.Errorf("it took %v, want no time", d)
				}
			})
		})
	}
}

// The acknowledgements awaited from one connection are capped.
func TestPendingCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{MaxPending: 2})
		enter(t, hub, "ana", "lobby")
		op := hub.Namespace("").To("lobby").Timeout(time.Second)
		a, b := replies(op, t.Context(), "a"), replies(op, t.Context(), "b")
		synctest.Wait()
		if words := <-replies(op, t.Context(), "c"); len(words) != 1 || words[0] != `ana gone "more than 2 acknowledgements are open"` {
			t.Errorf("the third EmitAck = %q", words)
		}
		<-a
		<-b
		if words, want := <-replies(op, t.Context(), "d"), []string{"ana timeout"}; !slices.Equal(words, want) {
			t.Errorf("EmitAck after they are done = %q, want %q", words, want)
		}
	})
}

// A client's emit with acknowledgement is answered by the handler: once, with
// what it returns, now or later.
func TestHandlerAnswers(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ns := hub.Namespace("")
	var later *chat.Call
	for name, fn := range map[string]chat.Handler{
		"add": func(c *chat.Call) (any, error) {
			var a, b int
			if len(c.Args) != 2 || json.Unmarshal(c.Args[0], &a) != nil || json.Unmarshal(c.Args[1], &b) != nil {
				return nil, errors.New("two numbers, please")
			}
			return a + b, nil
		},
		"who am I": func(c *chat.Call) (any, error) { return c.Socket.Name(), nil },
		"later":    func(c *chat.Call) (any, error) { later = c; return nil, chat.ErrLater },
		"deny":     func(*chat.Call) (any, error) { return nil, &wire.Fault{Code: "denied", Message: "no"} },
		"huge":     func(*chat.Call) (any, error) { return strings.Repeat("x", wire.MaxArguments), nil },
		"markup":   func(*chat.Call) (any, error) { return "<b>&", nil },
		"odd":      func(*chat.Call) (any, error) { return func() {}, nil },
	} {
		if err := ns.On(name, fn); err != nil {
			t.Fatal(err)
		}
	}
	ana := enter(t, hub, "ana")
	for _, test := range []struct {
		event string
		args  []any
		want  string
	}{
		{"add", []any{2, 3}, "[5]"},
		{"add", nil, "failed failed"},
		{"who am I", nil, `["ana"]`},
		{"deny", nil, "failed denied"},
		{"huge", nil, "failed too_large"},
		{"odd", nil, "failed failed"},
		{"markup", nil, `["<b>&"]`},
		{"nothing", nil, "failed no_handler"},
		{"later", nil, "no answer"},
	} {
		if got := ana.request(test.event, test.args...); got != test.want {
			t.Errorf("%s = %s, want %s", test.event, got, test.want)
		}
	}
	ana.taken()
	later.Answer("now", nil)
	ana.want(fmt.Sprintf(`ack %d ["now"]`, ana.id))
	// Without FlagAck the result goes nowhere, and an error to the client.
	ana.emit("", "add", 0, 1, 2)
	ana.want()
	id := ana.emit("", "deny", 0)
	ana.want("error denied @" + itoa(id))
	ana.ping()
}
