package tcpchat

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

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

// raw is a connection that is not a client.
func (s *server) raw() net.Conn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	return nc
}

// rest reads frames up to the end of the stream: their kinds, and codes of errors.
func rest(t *testing.T, nc net.Conn) string {
	t.Helper()
	r := wire.NewReader(nc)
	var all []string
	for {
		e, _, err := r.Next()
		if err == io.EOF {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		word := e.Kind.String()
		if e.Kind == wire.KindError {
			var f wire.Fault
			if err := wire.DecodeBody(e.Args, &f); err != nil {
				t.Fatal(err)
			}
			word += ":" + f.Code
		}
		all = append(all, word)
	}
}

func frame(t *testing.T, e wire.Envelope) []byte {
	t.Helper()
	b, err := wire.AppendFrame(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A fault is named in a frame, which arrives although more bytes are unread,
// and then the stream ends.
func TestFaultsAreNamedThenClosed(t *testing.T) {
	s := serveHub(t, chat.Config{ConnectTimeout: time.Nanosecond})
	ping := frame(t, wire.Envelope{Kind: wire.KindPing})
	short := binary.BigEndian.AppendUint32(nil, 3)
	long := binary.BigEndian.AppendUint32(nil, wire.MaxEnvelope+1)
	version := append([]byte(nil), ping...)
	version[wire.LengthSize] = 9
	garbage, _ := hex.DecodeString("474554202f20485454502f312e310d0a0d0a") // GET / HTTP/1.1
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"length too small", short, "challenge error:bad_frame"},
		{"length too large", long, "challenge error:bad_frame"},
		{"a web browser", garbage, "challenge error:bad_frame"},
		{"version", version, "challenge error:bad_frame"},
		{"event before connect", ping, "challenge error:not_connected"},
		{"the server's kind", frame(t, wire.Envelope{Kind: wire.KindCursor}), "challenge error:not_connected"},
		{"slow handshake", nil, "challenge error:connect_timeout"},
		{"slow frame", ping[:7], "challenge error:connect_timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nc := s.raw()
			if _, err := nc.Write(tt.in); err != nil {
				t.Fatal(err)
			}
			if tt.in != nil && len(tt.in) != 7 {
				nc.Write(make([]byte, 10_000))
			}
			if got := rest(t, nc); got != tt.want {
				t.Errorf("server sent %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTooManyHalfOpen(t *testing.T) {
	s := serveHub(t, chat.Config{MaxHalfOpen: 3})
	for range 3 {
		nc := s.raw()
		if e, _, err := wire.NewReader(nc).Next(); err != nil || e.Kind != wire.KindChallenge {
			t.Fatalf("got %v, %v", e.Kind, err)
		}
	}
	if got := rest(t, s.raw()); got != "error:busy" {
		t.Errorf("server sent %q, want error:busy", got)
	}
	var refusal *Refusal
	if err := NewClient(s.addr, Config{Name: "ana"}).Run(t.Context()); !errors.As(err, &refusal) || refusal.Code != "busy" || refusal.RetryAfter == 0 {
		t.Errorf("Run() = %v, want busy", err)
	}
}

// Random bytes end their own connection and nothing else.
func TestRandomBytes(t *testing.T) {
	s := serveHub(t, chat.Config{})
	ana := s.member(Config{Name: "ana", Rooms: []string{"lobby"}})
	x := uint64(1)
	for range 20 {
		b := make([]byte, 5000)
		for j := range b {
			x = x*6364136223846793005 + 1442695040888963407
			b[j] = byte(x >> 56)
		}
		binary.BigEndian.PutUint32(b, uint32(wire.MinEnvelope+x%2000))
		b[4], b[5], b[6], b[7] = wire.Version, byte(x>>8)%12, 0, byte(x>>16)&127
		nc := s.raw()
		nc.Write(b)
		rest(t, nc)
	}
	if _, err := ana.EmitAck(ana.soon(), "lobby", "msg", "still here"); err != nil {
		t.Error(err)
	}
}

// Whoever stops reading delays nobody. He is cut off after WriteTimeout.
func TestStoppedReader(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, ln, chat.Config{Rate: -1}, missed.Config{Limits: missed.Limits{Bytes: 4 << 20}}, &Server{WriteTimeout: time.Second})
	ana := s.member(Config{Name: "ana"})
	bob := s.member(Config{Name: "bob", Rooms: []string{"lobby"}})
	stuck := s.raw()
	stuck.(*net.TCPConn).SetReadBuffer(4096) // it is full soon
	stuck.Write(frame(t, wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{Name: "stuck", Rooms: []wire.RoomCursor{{Room: "lobby"}}})}))
	if err := ana.Join(ana.soon(), "lobby"); err != nil {
		t.Fatal(err)
	}
	// More than the sockets' buffers and the log can hold.
	text := strings.Repeat("x", 60_000)
	for i := 0; ; i++ {
		ack, err := ana.EmitAck(ana.soon(), "lobby", "msg", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := bob.next(); len(got) != len("ana: ")+len(text) {
			t.Fatalf("bob got %.30q", got)
		}
		gone := true
		for _, m := range s.hub.Snapshot().Members {
			gone = gone && m.Name != "stuck"
		}
		if gone && ack.Seq > 100 {
			break
		}
		if i > 20_000 {
			t.Fatal("the stopped reader is still there")
		}
	}
	if held := s.queue.Stats().Bytes; held > 5<<20 {
		t.Errorf("the logs hold %d bytes, at most about 4 MiB", held)
	}
}

// Who reads on in time is told what was lost meanwhile.
func TestSlowReaderLearnsWhatItLost(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, ln, chat.Config{Rate: -1}, missed.Config{Limits: missed.Limits{Count: 10}}, &Server{})
	ana := s.member(Config{Name: "ana", Rooms: []string{"lobby"}})
	slow := s.raw()
	slow.(*net.TCPConn).SetReadBuffer(64 << 10)
	slow.Write(frame(t, wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{Name: "slow", Rooms: []wire.RoomCursor{{Room: "lobby"}}})}))
	r := wire.NewReader(slow)
	for kind := wire.Kind(0); kind != wire.KindCursor; {
		e, _, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Room) == "lobby" {
			kind = e.Kind
		}
	}
	text := strings.Repeat("x", 60_000)
	const n = 200 // 12 MB: more than the sockets' buffers hold
	for range n {
		if _, err := ana.EmitAck(ana.soon(), "lobby", "msg", text); err != nil {
			t.Fatal(err)
		}
	}
	var seq, got, lost uint64
	for seq < n {
		e, _, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case string(e.Room) != "lobby" || e.Flags&wire.FlagVolatile != 0:
		case e.Kind == wire.KindEvent:
			if e.Seq != seq+1 {
				t.Fatalf("event %d after %d", e.Seq, seq)
			}
			seq = e.Seq
			got++
		case e.Kind == wire.KindCursor:
			var p wire.Position
			if err := wire.DecodeBody(e.Args, &p); err != nil {
				t.Fatal(err)
			}
			if e.Prev != seq || p.Lost != e.Seq-e.Prev || p.Reason != "overflow" {
				t.Errorf("cursor from %d to %d after %d: %+v", e.Prev, e.Seq, seq, p)
			}
			seq = e.Seq
			lost += p.Lost
		}
	}
	if lost == 0 || got+lost != n {
		t.Errorf("got %d, lost %d, want %d together and some lost", got, lost, n)
	}
}

func TestServerSaysGoodbye(t *testing.T) {
	s := serveHub(t, chat.Config{})
	ana := s.member(Config{Name: "ana"})
	s.hub.Close("maintenance")
	if err := <-ana.err; err == nil || !strings.Contains(err.Error(), "maintenance") {
		t.Errorf("Run() = %v, want the server's reason", err)
	}
}

// When only Serve ends, the connections end with it.
func TestServeEndsItsConnections(t *testing.T) {
	s := serveHub(t, chat.Config{})
	ana := s.member(Config{Name: "ana"})
	s.stop()
	if err := <-ana.err; err == nil {
		t.Error("Run() = nil, want an error")
	}
}

// A listener that fails for a while, and then for good.
type failing struct {
	net.Listener
	temporary int
	final     error
}

type tooMany struct{}

func (tooMany) Error() string   { return "too many open files" }
func (tooMany) Temporary() bool { return true }

func (l *failing) Accept() (net.Conn, error) {
	if l.temporary--; l.temporary >= 0 {
		return nil, &net.OpError{Op: "accept", Err: tooMany{}}
	}
	return nil, l.final
}

func TestAcceptFailures(t *testing.T) {
	final := errors.New("the network is gone")
	l := &failing{Listener: newPipes(), temporary: 4, final: final}
	began := time.Now()
	if err := (&Server{}).Serve(t.Context(), l); err != final {
		t.Errorf("Serve() = %v, want %v", err, final)
	}
	if d := time.Since(began); d < 75*time.Millisecond { // 5 + 10 + 20 + 40
		t.Errorf("four temporary failures took %v, want 75ms at least", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Server{}).Serve(ctx, newPipes()); err != nil {
		t.Errorf("Serve() with an ended context = %v, want nil", err)
	}
}
