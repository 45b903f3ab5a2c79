package udpchat

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// newHub returns a hub in memory without rate limits.
func newHub(t testing.TB, cfg chat.Config) *chat.Hub {
	t.Helper()
	q, err := missed.Open(missed.Config{Store: missed.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Queue = q
	if cfg.Rate == 0 {
		cfg.Rate, cfg.IdentityRate = -1, -1
	}
	h, err := chat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close("the test is over")
		q.Close()
	})
	return h
}

// serve runs a server on conn until the test ends.
func serve(t testing.TB, s *Server, conn net.PacketConn) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, conn) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func listen(t testing.TB, address string) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// a member is a link that has connected.
type member struct {
	t    testing.TB
	link client.Link
	id   uint64
	body wire.Connected
}

// join connects a member and puts it into the room lobby.
func join(t testing.TB, d *Dialer, name string, body wire.Connect, tap client.Tap) *member {
	t.Helper()
	m, err := tryJoin(t, d, name, body, tap)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryJoin(t testing.TB, d *Dialer, name string, body wire.Connect, tap client.Tap) (*member, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	link, greeting, err := d.Dial(ctx, tap)
	if err != nil {
		return nil, err
	}
	m := &member{t: t, link: link}
	body.Name = name
	if body.Rooms == nil {
		body.Rooms = []wire.RoomCursor{{Room: "lobby"}}
	}
	nonce := []byte(fmt.Sprintf("%016x", len(name)))
	body.Nonce = hex.EncodeToString(nonce)
	if greeting.Key {
		body.Proof = hex.EncodeToString(wire.Prove(d.Key, wire.ProveClient, greeting.Nonce, nonce))
	}
	m.send(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(&body)})
	e, _, err := link.Receive()
	if err == nil && e.Kind != wire.KindConnected {
		err = fmt.Errorf("%v %s", e.Kind, e.Args)
	}
	if err != nil {
		link.Close()
		return nil, err
	}
	if err := json.Unmarshal(e.Args, &m.body); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	return m, nil
}

func (m *member) send(e *wire.Envelope) {
	m.t.Helper()
	frame, err := wire.AppendFrame(nil, e)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.link.Send(frame); err != nil {
		m.t.Fatalf("Send: %v", err)
	}
}

// say emits text in the lobby and returns the message id.
func (m *member) say(text string, flags wire.Flags) uint64 {
	m.t.Helper()
	m.id++
	args, _ := json.Marshal([]string{text})
	m.send(&wire.Envelope{Kind: wire.KindEvent, Flags: flags, ID: m.id, Room: []byte("lobby"), Event: []byte("say"), Args: args})
	return m.id
}

// wait receives until want is satisfied by an envelope, answering pings.
func (m *member) wait(what string, want func(e *wire.Envelope) bool) wire.Envelope {
	m.t.Helper()
	for {
		e, _, err := m.link.Receive()
		if err != nil {
			m.t.Fatalf("waiting for %s: %v", what, err)
		}
		m.pong(&e)
		if want(&e) {
			return e
		}
	}
}

// pong answers a ping, unless the link is closed meanwhile.
func (m *member) pong(e *wire.Envelope) {
	if e.Kind == wire.KindPing {
		frame, _ := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		m.link.Send(frame)
	}
}

// arrived returns how much came through the reliable channel.
func (m *member) arrived() uint64 {
	l := m.link.(*link)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sess.recv.next - 1
}

// idle receives until the link is closed.
func (m *member) idle() {
	for {
		e, _, err := m.link.Receive()
		if err != nil {
			return
		}
		m.pong(&e)
	}
}

// hears waits for an event say with that text, and returns it.
func (m *member) hears(text string) wire.Envelope {
	m.t.Helper()
	args, _ := json.Marshal([]string{text})
	return m.wait(text[:min(len(text), 20)], func(e *wire.Envelope) bool {
		return e.Kind == wire.KindEvent && string(e.Event) == "say" && string(e.Args) == string(args)
	})
}

func (m *member) bye() {
	m.send(&wire.Envelope{Kind: wire.KindBye, Args: []byte(`["done"]`)})
	m.link.Close()
}

func TestChat(t *testing.T) {
	for _, key := range []string{"", "sesame"} {
		for _, mode := range []Mode{Unreliable, Sequenced, StopAndWait, GoBackN, SelectiveRepeat, Queue} {
			for _, network := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
				t.Run(fmt.Sprintf("%v key=%q %s", mode, key, network), func(t *testing.T) {
					testChat(t, mode, key, network)
				})
			}
		}
	}
}

func testChat(t *testing.T, mode Mode, key, network string) {
	hub := newHub(t, chat.Config{Key: []byte(key)})
	conn, err := net.ListenPacket("udp", network)
	if err != nil {
		t.Skip(err)
	}
	server := &Server{Hub: hub}
	serve(t, server, conn)
	address := strings.Replace(conn.LocalAddr().String(), "[::]", "127.0.0.1", 1)
	d := &Dialer{Address: address, Mode: mode, Key: []byte(key)}
	ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)

	id := ana.say("hello", wire.FlagAck)
	ana.wait("ack", func(e *wire.Envelope) bool { return e.Kind == wire.KindAck && e.ID == id })
	if e := bob.hears("hello"); string(e.Sender) != "ana" {
		t.Errorf("sender = %q", e.Sender)
	}
	long := strings.Repeat("0123456789", 6000)
	ana.say(long, 0)
	bob.hears(long)
	bob.say("bye", 0)
	ana.hears("bye")
	ana.bye()
	bob.wait("ana to leave", func(e *wire.Envelope) bool {
		return strings.HasPrefix(string(e.Event), "member_") && strings.Contains(string(e.Args), "ana")
	})
	bob.bye()
	if s := server.Stats(); s.Refused+s.BadMACs+s.WrongAddresses+s.Malformed > 0 {
		t.Errorf("the server refused something: %+v", s)
	}
}
