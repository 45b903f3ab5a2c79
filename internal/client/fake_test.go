package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/wire"
)

// A fakeServer is a server that does what the test says, line by line. Its
// links are channels in memory: with synctest all its time is virtual.
type fakeServer struct {
	t        *testing.T
	dials    chan *peer
	refuse   error // what a dial fails with
	greeting Greeting
	mode     string
}

func newServer(t *testing.T) *fakeServer {
	return &fakeServer{t: t, dials: make(chan *peer, 16), greeting: Greeting{Nonce: []byte("0123456789abcdef"), Server: "fake"}}
}

func (s *fakeServer) dial(ctx context.Context, tap Tap) (Link, Greeting, error) {
	if s.refuse != nil {
		return nil, Greeting{}, s.refuse
	}
	p := &peer{t: s.t, server: s, in: make(chan []byte, 8192), out: make(chan []byte, 8192), done: make(chan struct{})}
	s.dials <- p
	return p.link(), s.greeting, nil
}

// A peer is the server's end of one connection.
type peer struct {
	t      *testing.T
	server *fakeServer
	in     chan []byte // from the client
	out    chan []byte // to the client
	once   sync.Once
	done   chan struct{}
}

type fakeLink struct{ *peer }

func (p *peer) link() Link { return fakeLink{p} }

func (l fakeLink) Send(frame []byte) error {
	select {
	case <-l.done:
		return io.ErrClosedPipe
	default:
	}
	select {
	case l.in <- slices.Clone(frame):
		if wire.Kind(frame[wire.LengthSize+1]) == wire.KindBye {
			l.hang() // as a server does after a goodbye
		}
		return nil
	case <-l.done:
		return io.ErrClosedPipe
	}
}

func (l fakeLink) Receive() (wire.Envelope, []byte, error) {
	select {
	case b := <-l.out:
		return decode(b)
	default:
	}
	select {
	case b := <-l.out:
		return decode(b)
	case <-l.done:
		return wire.Envelope{}, nil, io.EOF
	}
}

func decode(b []byte) (wire.Envelope, []byte, error) {
	e, err := wire.Decode(b[wire.LengthSize:])
	return e, b, err
}

func (l fakeLink) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l fakeLink) Stats() LinkStats {
	return LinkStats{Transport: "fake", Mode: l.server.mode, Remote: "server"}
}

// hang closes the connection from the server's side.
func (p *peer) hang() { p.once.Do(func() { close(p.done) }) }

func (p *peer) send(e wire.Envelope) {
	p.t.Helper()
	b, err := wire.AppendFrame(nil, &e)
	if err != nil {
		p.t.Fatal(err)
	}
	p.out <- b
}

// next returns the client's next envelope.
func (p *peer) next() wire.Envelope {
	p.t.Helper()
	select {
	case b := <-p.in:
		e, _, err := decode(b)
		if err != nil {
			p.t.Fatal(err)
		}
		return e
	case <-time.After(time.Hour):
		p.t.Fatal("the client sends nothing")
	}
	panic("unreachable")
}

// expect returns the client's next envelope, which must be of that kind.
func (p *peer) expect(kind wire.Kind) wire.Envelope {
	p.t.Helper()
	e := p.next()
	if e.Kind != kind {
		p.t.Fatalf("client sent %v, want %v", show(e), kind)
	}
	return e
}

// quiet fails if the client has sent something, after what it does now.
func (p *peer) quiet() {
	p.t.Helper()
	synctest.Wait()
	select {
	case b := <-p.in:
		e, _, _ := decode(b)
		p.t.Fatalf("client sent %v, want nothing", show(e))
	default:
	}
}

// drain throws away what the client has sent, and returns it in words.
func (p *peer) drain() []string {
	synctest.Wait()
	var all []string
	for {
		select {
		case b := <-p.in:
			e, _, _ := decode(b)
			all = append(all, show(e))
		default:
			return all
		}
	}
}

// show spells an envelope for messages and comparisons, without its id.
func show(e wire.Envelope) string {
	s := e.Kind.String()
	if len(e.Room) > 0 || len(e.Event) > 0 {
		s += fmt.Sprintf(" %s/%s", e.Room, e.Event)
	}
	if e.Seq != 0 {
		s += fmt.Sprintf(" #%d", e.Seq)
	}
	if e.Flags != 0 {
		s += " " + e.Flags.String()
	}
	if len(e.Args) > 0 && e.Kind != wire.KindConnect && e.Kind != wire.KindConsumed {
		s += " " + string(e.Args)
	}
	return s
}

// accept takes the next connection and returns the client's Connect.
func (s *fakeServer) accept() (*peer, wire.Connect) {
	s.t.Helper()
	select {
	case p := <-s.dials:
		e := p.expect(wire.KindConnect)
		var body wire.Connect
		if err := wire.DecodeBody(e.Args, &body); err != nil {
			s.t.Fatal(err)
		}
		return p, body
	case <-time.After(time.Hour):
		s.t.Fatal("the client does not dial")
	}
	panic("unreachable")
}

const epoch = 0xe90c

// welcome answers a Connect and puts the client into the rooms, each at seq.
func (p *peer) welcome(c wire.Connected, rooms ...wire.RoomCursor) {
	p.t.Helper()
	c.Name, c.Socket = "ana", "#1"
	if c.PingMS == 0 {
		c.PingMS, c.TimeoutMS = 10_000, 20_000
	}
	p.send(wire.Envelope{Kind: wire.KindConnected, Args: wire.EncodeBody(c)})
	for _, r := range rooms {
		p.cursor(r.Room, r.Seq, r.Seq, wire.Position{Head: r.Seq})
	}
	// The barrier: the client's first word.
	e := p.expect(wire.KindPing)
	p.send(wire.Envelope{Kind: wire.KindPong, ID: e.ID})
	synctest.Wait()
}

func (p *peer) cursor(room string, prev, seq uint64, pos wire.Position) {
	p.t.Helper()
	if pos.Epoch == 0 {
		pos.Epoch = epoch
	}
	p.send(wire.Envelope{Kind: wire.KindCursor, Room: []byte(room), Prev: prev, Seq: seq, Args: wire.EncodeBody(pos)})
}

// say delivers a message.
func (p *peer) say(room string, seq uint64) {
	p.t.Helper()
	p.send(wire.Envelope{
		Kind: wire.KindEvent, Room: []byte(room), Seq: seq, Prev: seq - 1, ID: 1000 + seq, Time: 1_700_000_000_000_000,
		Sender: []byte("bob"), Event: []byte("message"), Args: fmt.Appendf(nil, `["m%d"]`, seq),
	})
}

func (p *peer) ack(e wire.Envelope, seq uint64) {
	p.t.Helper()
	p.send(wire.Envelope{Kind: wire.KindAck, ID: e.ID, Room: e.Room, Seq: seq, Time: 1_700_000_000_000_000, Args: []byte(`["ok"]`)})
}

func (p *peer) fail(e wire.Envelope, f wire.Fault) {
	p.t.Helper()
	p.send(wire.Envelope{Kind: wire.KindAck, Flags: wire.FlagFailed, ID: e.ID, Room: e.Room, Args: wire.EncodeBody([]wire.Fault{f})})
}

// A rig is a running client and what its callbacks were told.
type rig struct {
	*Client
	t   *testing.T
	srv *fakeServer
	err chan error

	mu     sync.Mutex
	events []Event
	status []Status
	states []State
	block  chan struct{} // if not nil, OnEvent waits for it
	answer any
}

// start runs a client of a fake server.
func start(t *testing.T, cfg Config) *rig { return startOn(newServer(t), cfg) }

func startOn(srv *fakeServer, cfg Config) *rig {
	r := &rig{t: srv.t, srv: srv, err: make(chan error, 1)}
	if cfg.Name == "" {
		cfg.Name = "ana"
	}
	cfg.Dial = srv.dial
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(e Event) any {
			r.mu.Lock()
			r.events = append(r.events, e)
			block, answer := r.block, r.answer
			r.mu.Unlock()
			if block != nil {
				<-block
			}
			return answer
		}
	}
	told := cfg.OnStatus
	cfg.OnStatus = func(s Status) {
		if told != nil {
			told(s)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.status = append(r.status, s)
	}
	if cfg.SaveState == nil {
		cfg.SaveState = func(s State) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.states = append(r.states, s)
		}
	}
	r.Client = New(cfg)
	go func() { r.err <- r.Run(context.Background()) }()
	return r
}

// texts returns the texts of the events handled so far, "again " before the
// redelivered ones.
func (r *rig) texts() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.events {
		s, _ := e.Text()
		if e.Redelivered {
			s = "again " + s
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// told returns the statuses of the given kinds, in words, and forgets all.
func (r *rig) told(kinds ...StatusKind) string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, s := range r.status {
		if len(kinds) > 0 && !slices.Contains(kinds, s.Kind) {
			continue
		}
		w := s.Kind.String()
		if s.Room != "" {
			w += " " + s.Room
		}
		if s.Kind == StatusLost {
			w += fmt.Sprintf(" %d %s", s.Lost, s.Reason)
		}
		if s.Kind == StatusRoom {
			w += fmt.Sprintf(" at %d missed %d", s.Cursor.Seq, s.Missed)
		}
		if s.Err != nil {
			w += ": " + s.Err.Error()
		}
		all = append(all, w)
	}
	r.status = nil
	return strings.Join(all, "; ")
}

func (r *rig) saved() []State {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.states)
}

// end closes the client and expects Run to return nil.
func (r *rig) end() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Errorf("Close() = %v", err)
	}
	if err := <-r.err; err != nil {
		r.t.Errorf("Run() = %v, want nil", err)
	}
}

// ended waits for Run's error.
func (r *rig) ended() error {
	r.t.Helper()
	select {
	case err := <-r.err:
		return err
	case <-time.After(time.Hour):
		r.t.Fatal("Run does not end")
	}
	return errors.New("unreachable")
}
