package tcpchat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// The tests here run client and hub over a network in memory and in virtual time.

func virtually(t *testing.T, cfg chat.Config, fn func(t *testing.T, s *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, servePipes(t, cfg, missed.Config{})) })
}

// got returns what the member has received so far, as texts.
func (m *member) got() string {
	synctest.Wait()
	var all []string
	for {
		select {
		case e := <-m.events:
			if e.Volatile {
				continue
			}
			s, _ := e.Text()
			if e.Redelivered {
				s = "again " + s
			}
			all = append(all, s)
		default:
			return strings.Join(all, " ")
		}
	}
}

// lost returns the losses that the member was told of.
func (m *member) lost() string {
	synctest.Wait()
	var all []string
	for {
		select {
		case st := <-m.status:
			if st.Kind == client.StatusLost {
				all = append(all, fmt.Sprintf("%d %s", st.Lost, st.Reason))
			}
		default:
			return strings.Join(all, ", ")
		}
	}
}

func (m *member) emit(texts ...string) {
	m.t.Helper()
	for _, s := range texts {
		if _, err := m.EmitRetry(m.soon(), "lobby", "msg", s); err != nil {
			m.t.Fatalf("EmitRetry(%q) = %v", s, err)
		}
	}
}

var lobby = []string{"lobby"}

// With a session the events that passed meanwhile come, once and in order;
// without, the number of those that are gone.
func TestAway(t *testing.T) {
	for _, tt := range []struct {
		name  string
		queue bool
		away  func(m *member)
		want  string
		lost  string
	}{
		{"session, goodbye", true, func(m *member) { m.Offline(time.Minute) }, "c d", ""},
		{"session, cut", true, func(m *member) { m.Cut(time.Minute) }, "c d", ""},
		{"no session, goodbye", false, func(m *member) { m.Offline(time.Minute) }, "", "2 left"},
		{"no session, cut", false, func(m *member) { m.Cut(time.Minute) }, "", "2 left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtually(t, chat.Config{}, func(t *testing.T, s *server) {
				ana := s.member(Config{Name: "ana", Rooms: lobby})
				bob := s.member(Config{Name: "bob", Rooms: lobby, Queue: tt.queue, Reconnect: true})
				ana.emit("a", "b")
				if got := bob.got(); got != "a b" {
					t.Errorf("got %q", got)
				}
				tt.away(bob)
				synctest.Wait()
				ana.emit("c", "d")
				if got := bob.got(); got != "" {
					t.Errorf("got %q while away", got)
				}
				time.Sleep(time.Minute + time.Second)
				ana.emit("e")
				if got, want := bob.got(), strings.TrimSpace(tt.want+" e"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if got := bob.lost(); got != tt.lost {
					t.Errorf("lost %q, want %q", got, tt.lost)
				}
			})
		})
	}
}

// A program that ends and starts again with the saved state goes on where it
// was; with what it had handled but not reported flagged, if the state is old.
func TestStateSurvivesTheProgram(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		ana := s.member(Config{Name: "ana", Rooms: lobby})
		var mu sync.Mutex
		var state State
		cfg := Config{Name: "bob", Rooms: lobby, Queue: true, SaveState: func(st State) {
			mu.Lock()
			defer mu.Unlock()
			state = st
		}}
		bob := s.member(cfg)
		ana.emit("a")
		bob.got()
		bob.Close()
		ana.emit("b", "c")
		cfg.State = &state
		bob = s.member(cfg)
		if got := bob.got(); got != "b c" {
			t.Errorf("got %q, want b c", got)
		}
		if state.Name != "bob" || state.Session == "" || len(state.Secret) != 64 {
			t.Errorf("state = %+v", state)
		}
	})
}

// An old secret is worth nothing after the new one was used; the name stays
// with the session that owns it.
func TestStolenState(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		var states []State
		cfg := Config{Name: "bob", Rooms: lobby, Queue: true, Reconnect: true, SaveState: func(st State) { states = append(states, st) }}
		bob := s.member(cfg)
		synctest.Wait()
		stolen := states[0]
		bob.Cut(time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		thief := NewClient("", Config{Dial: (&Dialer{Net: s.dial}).Dial, Name: "bob", State: &stolen, Queue: true})
		var refusal *Refusal
		if err := thief.Run(t.Context()); !errors.As(err, &refusal) || refusal.Code != "name_taken" {
			t.Errorf("Run() with a used secret = %v, want name_taken", err)
		}
		bob.emit("still me")
	})
}

// A resume fences the older connection off, and that one does not come back
// to fight for the session.
func TestResumeElsewhere(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		var state State
		cfg := Config{Name: "bob", Rooms: lobby, Queue: true, Reconnect: true, SaveState: func(st State) { state = st }}
		first := s.member(cfg)
		synctest.Wait()
		cfg.State, cfg.SaveState = &state, nil
		second := s.member(cfg)
		var refusal *Refusal
		if err := <-first.err; !errors.As(err, &refusal) || refusal.Code != "replaced" {
			t.Errorf("first: Run() = %v, want replaced", err)
		}
		second.emit("hello")
	})
}

// A server that was started again without its data has another epoch.
func TestServerStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servePipes(t, chat.Config{}, missed.Config{})
		var mu sync.Mutex
		dial := s.dial
		bob := s.member(Config{Name: "bob", Rooms: lobby, Queue: true, Reconnect: true, Dial: (&Dialer{
			Net: func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				return dial(ctx, network, address)
			},
		}).Dial})
		bob.emit("a")
		bob.got()
		again := servePipes(t, chat.Config{}, missed.Config{})
		mu.Lock()
		dial = again.dial
		mu.Unlock()
		s.hub.Close("again")
		time.Sleep(10 * time.Second)
		bob.emit("b")
		if got := bob.got(); got != "b" {
			t.Errorf("got %q, want b", got)
		}
		if got := bob.lost(); got != "0 epoch, 0 epoch" { // of the lobby, and of everybody's room
			t.Errorf("lost %q, want the epochs", got)
		}
	})
}

func TestKickAndBan(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		ana := s.member(Config{Name: "ana", Rooms: lobby})
		bob := s.member(Config{Name: "bob", Rooms: lobby, Queue: true, Reconnect: true})
		if err := s.hub.Namespace("").Kick("lobby", "bob", "enough"); err != nil {
			t.Fatal(err)
		}
		ana.emit("a")
		if got := bob.got(); got != "" || len(bob.Rooms()) != 0 {
			t.Errorf("got %q, in %v", got, bob.Rooms())
		}
		bob.Cut(time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(bob.Rooms()) != 0 {
			t.Errorf("back in %v after a kick", bob.Rooms())
		}
		if err := s.hub.Ban("bob", "really"); err != nil {
			t.Fatal(err)
		}
		var refusal *Refusal
		if err := <-bob.err; !errors.As(err, &refusal) || refusal.Code != "banned" {
			t.Errorf("Run() = %v, want banned", err)
		}
		err := NewClient("", Config{Dial: (&Dialer{Net: s.dial}).Dial, Name: "bob"}).Run(t.Context())
		if !errors.As(err, &refusal) || refusal.Code != "banned" {
			t.Errorf("Run() = %v, want banned", err)
		}
	})
}

func TestNamespacesOverOneConnection(t *testing.T) {
	virtually(t, chat.Config{Namespaces: []string{"game"}}, func(t *testing.T, s *server) {
		ana := s.member(Config{Name: "ana", Rooms: lobby})
		bob := s.member(Config{Name: "bob", Rooms: lobby, Queue: true, Reconnect: true})
		var spaces []*Space
		for _, m := range []*member{ana, bob} {
			game, err := m.Enter(m.soon(), "game")
			if err != nil {
				t.Fatal(err)
			}
			if err := game.Join(m.soon(), "arena"); err != nil {
				t.Fatal(err)
			}
			spaces = append(spaces, game)
		}
		if _, err := spaces[0].EmitAck(ana.soon(), "arena", "move", "e4"); err != nil {
			t.Fatal(err)
		}
		if got := bob.got(); got != "e4" {
			t.Errorf("got %q, want e4", got)
		}
		bob.Cut(time.Minute)
		synctest.Wait()
		if _, err := spaces[0].EmitAck(ana.soon(), "arena", "move", "e5"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got := bob.got(); got != "e5" {
			t.Errorf("got %q after the absence, want e5", got)
		}
		if _, err := spaces[1].EmitAck(bob.soon(), "arena", "move", "d4"); err != nil {
			t.Error(err)
		}
		if _, err := ana.Enter(ana.soon(), "nowhere"); err == nil {
			t.Error("Enter(nowhere) = nil, want a refusal")
		}
		ana.emit("the connection lives on")
	})
}

// The server asks for an answer and gets what OnEvent returns.
func TestServerAsks(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		s.member(Config{Name: "ana", Rooms: lobby})
		replies, err := s.hub.Namespace("").To("lobby").EmitAck(t.Context(), "ready?")
		if err != nil || len(replies) != 1 || replies[0].Status != chat.ReplyOK || string(replies[0].Args) != `["ok"]` {
			t.Errorf("replies = %+v, %v", replies, err)
		}
	})
}

// Heartbeats keep an idle connection.
func TestIdleForHours(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		ana := s.member(Config{Name: "ana", Rooms: lobby})
		time.Sleep(3 * time.Hour)
		ana.emit("still here")
		if n := ana.Stats().Connects; n != 1 {
			t.Errorf("connected %d times, want once", n)
		}
	})
}

// A flood is slowed down to what the server allows; nothing with retries is lost.
func TestRateLimitIsHonoured(t *testing.T) {
	virtually(t, chat.Config{Rate: 20, Burst: 5}, func(t *testing.T, s *server) {
		ana := s.member(Config{Name: "ana", Rooms: lobby})
		var want []string
		began := time.Now()
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
		}
		ana.emit(want...)
		if got := ana.got(); got != strings.Join(want, " ") {
			t.Errorf("got %q, want 0 to 99", got)
		}
		if d := time.Since(began); d < 4*time.Second || d > 10*time.Second {
			t.Errorf("100 events took %v at 20/s, want about 5s", d)
		}
	})
}

// The tap is shown exactly the bytes of the stream, frame by frame.
func TestTap(t *testing.T) {
	virtually(t, chat.Config{}, func(t *testing.T, s *server) {
		var mu sync.Mutex
		var in, out []string
		ana := s.member(Config{Name: "ana", Rooms: lobby, Tap: func(tr Traffic) {
			envelope, rest, err := wire.SplitFrame(tr.Bytes)
			if err != nil || len(rest) != 0 || tr.Datagram || tr.Time.IsZero() {
				t.Errorf("not one frame: %x", tr.Bytes)
				return
			}
			e, err := wire.Decode(envelope)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if tr.Out {
				out = append(out, e.Kind.String())
			} else {
				in = append(in, e.Kind.String())
			}
		}})
		ana.emit("a")
		ana.Close()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if got, want := strings.Join(out, " "), "connect ping event bye"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		if got, want := strings.Join(in, " "), "challenge connected cursor cursor pong"; !strings.HasPrefix(got, want) || !strings.Contains(got, "ack") {
			t.Errorf("received %s, want %s… and an ack", got, want)
		}
	})
}
