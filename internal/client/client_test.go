package client

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

var lobby = wire.RoomCursor{Room: "lobby"}

func at(seq uint64) wire.RoomCursor { return wire.RoomCursor{Room: "lobby", Seq: seq} }

func TestConnectsAndHandlesEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby"}})
		p, body := r.srv.accept()
		if body.Name != "ana" || body.Session != wire.SessionNone || len(body.Rooms) != 1 || body.Rooms[0].Room != "lobby" {
			t.Errorf("Connect = %+v", body)
		}
		p.welcome(wire.Connected{}, at(4))
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.say("lobby", 5)
		p.say("lobby", 6)
		if got, want := r.texts(), "m5, m6"; got != want {
			t.Errorf("events = %s, want %s", got, want)
		}
		if got, want := r.told(), "connecting; connected; room lobby at 4 missed 0"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		e := r.events[0]
		if e.Sender != "bob" || e.Event != "message" || e.Seq != 5 || e.Prev != 4 || e.ID != 1005 || e.Time.UnixMicro() != 1_700_000_000_000_000 || e.Own {
			t.Errorf("event = %+v", e)
		}
		r.end()
		p.expect(wire.KindBye)
		if got, want := r.told(), "closed"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
	})
}

func TestJoinsWhatTheServerDidNotPutItInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Rooms: []string{"lobby", "@x"}})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{}, lobby)
		if err := r.Emit("lobby", "message", "early"); err != nil {
			t.Error(err)
		}
		e := p.expect(wire.KindEvent)
		if got, want := show(e), `event /join ack ["@x"]`; got != want {
			t.Fatalf("client sent %s, want %s", got, want)
		}
		p.quiet() // until it is in its rooms
		p.fail(e, wire.Fault{Code: "bad_room", Message: "no such room for you"})
		if got, want := show(p.next()), `event lobby/message ["early"]`; got != want {
			t.Errorf("client sent %s, want %s", got, want)
		}
		if got, want := r.told(StatusNotice), "notice @x: no such room for you"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		r.end()
	})
}

func TestProvesTheKeyBothWays(t *testing.T) {
	key := []byte("secret")
	for _, tt := range []struct {
		name  string
		proof string // of the server
		want  string
	}{
		{"good", "good", ""},
		{"none", "", "the server did not prove that it knows the join key"},
		{"wrong", strings.Repeat("00", 32), "the server did not prove that it knows the join key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t)
				srv.greeting.Key = true
				r := startOn(srv, Config{Key: "secret"})
				p, body := srv.accept()
				nonce, ok := wire.DecodeHex(body.Nonce, wire.NonceSize)
				if want := hex.EncodeToString(wire.Prove(key, wire.ProveClient, srv.greeting.Nonce, nonce)); !ok || body.Proof != want {
					t.Errorf("proof = %s, want %s", body.Proof, want)
				}
				proof := tt.proof
				if proof == "good" {
					proof = hex.EncodeToString(wire.Prove(key, wire.ProveServer, nonce, srv.greeting.Nonce))
				}
				if tt.want == "" {
					p.welcome(wire.Connected{Proof: proof})
					r.end()
					return
				}
				p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Proof: proof})})
				var refusal *Refusal
				if err := r.ended(); !errors.As(err, &refusal) || err.Error() != tt.want || refusal.Hint == "" {
					t.Errorf("Run() = %v, want %s with a hint", err, tt.want)
				}
			})
		})
	}
}

func TestKeyRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		srv.greeting.Key = true
		r := startOn(srv, Config{Reconnect: true})
		var refusal *Refusal
		if err := r.ended(); !errors.As(err, &refusal) || refusal.Code != "key_required" || refusal.Hint == "" {
			t.Errorf("Run() = %v", err)
		}
	})
}

// A refusal ends the client, with the server's words; it is no reason to ask
// again and again.
func TestRefusalEndsRun(t *testing.T) {
	for _, code := range []string{"name_taken", "bad_name", "banned", "bad_key", "not_admitted"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, Config{Reconnect: true})
				p, _ := r.srv.accept()
				p.send(wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: code, Message: "no", Hint: "go away"})})
				var refusal *Refusal
				if err := r.ended(); !errors.As(err, &refusal) || refusal.Code != code || refusal.Hint != "go away" {
					t.Errorf("Run() = %#v", err)
				}
				if got, want := r.told(), "connecting; refused: no; closed: no"; got != want {
					t.Errorf("statuses = %s, want %s", got, want)
				}
				if err := r.Ready(t.Context()); !errors.As(err, &refusal) {
					t.Errorf("Ready() = %v, want the refusal", err)
				}
				if err := r.Emit("lobby", "message"); !errors.Is(err, ErrClosed) {
					t.Errorf("Emit() = %v, want ErrClosed", err)
				}
			})
		})
	}
}

func TestBannedWhileConnectedEndsRun(t *testing.T) {
	for _, code := range []string{"banned", "replaced"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, Config{Reconnect: true})
				p, _ := r.srv.accept()
				p.welcome(wire.Connected{})
				p.send(wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: code, Message: "out"})})
				p.hang()
				var refusal *Refusal
				if err := r.ended(); !errors.As(err, &refusal) || refusal.Code != code {
					t.Errorf("Run() = %v", err)
				}
			})
		})
	}
}

func TestOtherFaultsAreComeBackFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Reconnect: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		p.send(wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: "ping_timeout", Message: "nothing heard"})})
		p.hang()
		p, _ = r.srv.accept()
		p.welcome(wire.Connected{})
		if got, want := r.told(StatusDisconnected), "disconnected: closed by the server: nothing heard"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		p.send(wire.Envelope{Kind: wire.KindBye, Args: []byte(`["upgrade"]`)})
		p, _ = r.srv.accept()
		p.welcome(wire.Connected{})
		if got, want := r.told(StatusDisconnected), "disconnected: the server said goodbye: upgrade"; got != want {
			t.Errorf("statuses = %s, want %s", got, want)
		}
		r.end()
	})
}

func TestFirstAttemptThatFailsEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		srv.refuse = errors.New("connection refused")
		if err := startOn(srv, Config{Reconnect: true}).ended(); err != srv.refuse {
			t.Errorf("Run() = %v, want %v", err, srv.refuse)
		}
	})
}

func TestWithoutReconnectALostConnectionEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		p.hang()
		if err := r.ended(); err == nil || !strings.Contains(err.Error(), "connection lost: EOF") {
			t.Errorf("Run() = %v, want connection lost", err)
		}
	})
}

// 1 s doubling to 5 s, half of it by chance, and anew after a good connection.
func TestReconnectDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Reconnect: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		time.Sleep(settled)
		for round := range 2 {
			p.hang()
			synctest.Wait()
			for i, want := range []time.Duration{1, 2, 4, 5, 5, 5} {
				want *= time.Second
				began := time.Now()
				p, _ = r.srv.accept()
				if d := time.Since(began); d < want/2 || d > want {
					t.Errorf("round %d, attempt %d after %v, want %v to %v", round, i+1, d, want/2, want)
				}
				if i < 5 {
					p.hang()
					synctest.Wait()
				}
			}
			p.welcome(wire.Connected{})
			time.Sleep(settled)
		}
		r.end()
	})
}

func TestOnlineCutsTheWaitShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{Reconnect: true})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		p.hang()
		synctest.Wait()
		began := time.Now()
		r.Online()
		p, _ = r.srv.accept()
		if d := time.Since(began); d != 0 {
			t.Errorf("came back after %v, want at once", d)
		}
		p.welcome(wire.Connected{})
		r.end()
	})
}

// The server declares a silent client dead after interval + timeout, and so
// does the client.
func TestSilenceIsDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{PingMS: 3000, TimeoutMS: 2000})
		began := time.Now()
		time.Sleep(4 * time.Second)
		p.send(wire.Envelope{Kind: wire.KindPing, ID: 77})
		if e := p.expect(wire.KindPong); e.ID != 77 {
			t.Errorf("pong %d, want 77", e.ID)
		}
		if err := r.ended(); err == nil || !strings.Contains(err.Error(), "silent for 5s") {
			t.Errorf("Run() = %v", err)
		}
		if d := time.Since(began); d != 9*time.Second {
			t.Errorf("ended after %v, want 9s", d)
		}
	})
}

func TestOfflineSaysGoodbyeAndCutDoesNot(t *testing.T) {
	for _, cut := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, Config{Rooms: []string{"lobby"}})
			p, _ := r.srv.accept()
			p.welcome(wire.Connected{}, lobby)
			began := time.Now()
			if cut {
				r.Cut(time.Minute)
			} else {
				r.Offline(time.Minute)
			}
			synctest.Wait()
			select {
			case <-p.done:
			default:
				t.Error("the link is still there")
			}
			got := strings.Join(p.drain(), "; ")
			if want := map[bool]string{false: "bye", true: ""}[cut]; got != want {
				t.Errorf("cut %t: client sent %q, want %q", cut, got, want)
			}
			if err := r.Emit("lobby", "message", "kept"); err != nil {
				t.Error(err)
			}
			if err := r.Volatile("lobby", "message", "dropped"); !errors.Is(err, ErrOffline) {
				t.Errorf("Volatile() = %v, want ErrOffline", err)
			}
			if _, err := r.Request(t.Context(), "rooms"); !errors.Is(err, ErrOffline) {
				t.Errorf("Request() = %v, want ErrOffline", err)
			}
			p, _ = r.srv.accept()
			if d := time.Since(began); d != time.Minute {
				t.Errorf("came back after %v, want 1m", d)
			}
			p.welcome(wire.Connected{}, lobby)
			if got, want := show(p.next()), `event lobby/message ["kept"]`; got != want {
				t.Errorf("client sent %s, want %s", got, want)
			}
			if n := r.Stats().VolatileDropped; n != 1 {
				t.Errorf("VolatileDropped = %d, want 1", n)
			}
			if got := r.told(StatusOffline, StatusDisconnected); got != "offline" {
				t.Errorf("statuses = %s, want offline", got)
			}
			r.end()
		})
	}
}

func TestOfflineUntilOnline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		r.Offline(0)
		time.Sleep(24 * time.Hour)
		if len(r.srv.dials) != 0 {
			t.Error("dialled while offline")
		}
		r.Online()
		p, _ = r.srv.accept()
		p.welcome(wire.Connected{})
		r.Offline(0)
		synctest.Wait()
		r.end() // also while offline
	})
}

func TestMeasuresRTTWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		p.quiet()
		r.Stats()
		e := p.expect(wire.KindPing)
		time.Sleep(30 * time.Millisecond)
		p.send(wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		synctest.Wait()
		if d := r.Stats().RTT; d != 30*time.Millisecond {
			t.Errorf("RTT = %v, want 30ms", d)
		}
		time.Sleep(11 * time.Second)
		if got := len(p.drain()); got != 2 {
			t.Errorf("%d pings in the 11 s after, want 2", got)
		}
		time.Sleep(11 * time.Second)
		p.quiet()
		r.end()
	})
}

func TestCloseIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		c.Close()
		c.Close()
		if err := c.Run(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Run() after Close = %v, want ErrClosed", err)
		}
		r := start(t, Config{})
		p, _ := r.srv.accept()
		p.welcome(wire.Connected{})
		go r.Close()
		r.end()
		r.Close()
	})
}

func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		c := New(Config{Dial: srv.dial, Name: "ana"})
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		p, _ := srv.accept()
		p.welcome(wire.Connected{})
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run() = %v, want context.Canceled", err)
		}
		p.expect(wire.KindBye)
	})
}

// A server that takes the connection and says nothing holds nobody up.
func TestHandshakeHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Config{})
		r.srv.accept()
		if err := r.ended(); err == nil || !strings.Contains(err.Error(), "did not answer within 10s") {
			t.Errorf("Run() = %v", err)
		}
	})
}
