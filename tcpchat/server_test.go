package tcpchat

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
)

// A server is a hub behind a real loopback socket.
type server struct {
	t     *testing.T
	hub   *chat.Hub
	queue *missed.Queue
	addr  string
}

func serveHub(t *testing.T, cfg chat.Config) *server {
	t.Helper()
	s := &server{t: t}
	var err error
	if s.queue, err = missed.Open(missed.Config{Store: missed.NewMemory()}); err != nil {
		t.Fatal(err)
	}
	cfg.Queue = s.queue
	if s.hub, err = chat.New(cfg); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- (&Server{Hub: s.hub}).Serve(ctx, ln) }()
	t.Cleanup(func() {
		s.hub.Close("the test is over")
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		s.queue.Close()
	})
	return s
}

// A member is a client and what it received.
type member struct {
	*Client
	t      *testing.T
	events chan Event
	status chan Status
}

func (s *server) member(cfg Config) *member {
	s.t.Helper()
	m := &member{t: s.t, events: make(chan Event, 10_000), status: make(chan Status, 1000)}
	cfg.OnEvent = func(e Event) any {
		m.events <- e
		return nil
	}
	cfg.OnStatus = func(st Status) {
		select {
		case m.status <- st:
		default:
		}
	}
	m.Client = NewClient(s.addr, cfg)
	go m.Run(context.Background())
	s.t.Cleanup(func() { m.Close() })
	if err := m.Ready(m.soon()); err != nil {
		s.t.Fatalf("%s: Ready() = %v", cfg.Name, err)
	}
	return m
}

func (m *member) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	m.t.Cleanup(cancel)
	return ctx
}

// next returns the next stored event's text.
func (m *member) next() string {
	m.t.Helper()
	for {
		select {
		case e := <-m.events:
			if e.Volatile {
				continue // who came and went
			}
			s, _ := e.Text()
			return fmt.Sprintf("%s: %s", e.Sender, s)
		case <-m.soon().Done():
			m.t.Fatal("nothing arrives")
		}
	}
}

func TestChatOverTCP(t *testing.T) {
	s := serveHub(t, chat.Config{Key: []byte("open sesame")})
	ana := s.member(Config{Name: "ana", Rooms: []string{"lobby"}, Key: "open sesame"})
	bob := s.member(Config{Name: "bob", Rooms: []string{"lobby"}, Key: "open sesame"})
	ack, err := ana.EmitAck(ana.soon(), "lobby", "msg", "hello")
	if err != nil || ack.Seq != 1 || ack.Room != "lobby" {
		t.Fatalf("EmitAck() = %+v, %v", ack, err)
	}
	if err := bob.Emit("lobby", "msg", "hi"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{ana, bob} {
		for _, want := range []string{"ana: hello", "bob: hi"} {
			if got := m.next(); got != want {
				t.Errorf("%s got %q, want %q", m.Name(), got, want)
			}
		}
	}
	if _, err := ana.Request(ana.soon(), "who", "lobby"); err != nil {
		t.Error(err)
	}
}
