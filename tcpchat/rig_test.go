package tcpchat

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
)

// A server is a hub behind a listener.
type server struct {
	t     *testing.T
	hub   *chat.Hub
	queue *missed.Queue
	addr  string
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	stop  func() // ends Serve without a goodbye
}

// serveHub serves on a real loopback socket.
func serveHub(t *testing.T, cfg chat.Config) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, cfg, missed.Config{}, &Server{})
}

func serveOn(t *testing.T, ln net.Listener, cfg chat.Config, qcfg missed.Config, srv *Server) *server {
	t.Helper()
	s := &server{t: t, addr: ln.Addr().String()}
	if qcfg.Store == nil {
		qcfg.Store = missed.NewMemory()
	}
	var err error
	if s.queue, err = missed.Open(qcfg); err != nil {
		t.Fatal(err)
	}
	cfg.Queue = s.queue
	if s.hub, err = chat.New(cfg); err != nil {
		t.Fatal(err)
	}
	srv.Hub = s.hub
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
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

// A pipeListener is a network in memory: with synctest its time is virtual.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// servePipes serves in memory.
func servePipes(t *testing.T, cfg chat.Config, qcfg missed.Config) *server {
	t.Helper()
	l := newPipes()
	s := serveOn(t, l, cfg, qcfg, &Server{})
	s.dial = l.dial
	return s
}

// A member is a client and what it received.
type member struct {
	*Client
	t      *testing.T
	events chan Event
	status chan Status
	err    chan error // what Run returned
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
	if cfg.Dial == nil {
		cfg.Dial = (&Dialer{Address: s.addr, Net: s.dial}).Dial
	}
	m.Client = NewClient(s.addr, cfg)
	m.err = make(chan error, 1)
	go func() { m.err <- m.Run(context.Background()) }()
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
