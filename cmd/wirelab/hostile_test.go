package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wirelab/internal/wire"
)

// What strangers send is answered, if at all, with what is wrong about it;
// healthy members talk on meanwhile.
func TestHostile(t *testing.T) {
	t.Parallel()
	server, addr := serve(t)
	pulse := feel(t, addr)
	before := resident(server.cmd.Process.Pid)
	for _, h := range []struct {
		name string
		fn   func(t *testing.T, addr string)
	}{
		{"bad frames", badFrames},
		{"random bytes", randomBytes},
		{"cut frames", cutFrames},
		{"half-open TCP", halfOpenTCP},
		{"half-open UDP", halfOpenUDP},
		{"random datagrams", randomDatagrams},
		{"stolen cookie", stolenCookie},
		{"flood", flood},
		{"flood without reading", blindFlood},
	} {
		ok := t.Run(h.name, func(t *testing.T) {
			h.fn(t, addr)
			pulse.beats(3)
		})
		if !ok || server.ended() {
			t.Fatalf("the server says:\n%s", &server.err)
		}
	}
	if after, most := resident(server.cmd.Process.Pid), int64(64<<20); after-before > most && !raceDetector {
		t.Errorf("the server has grown from %d to %d bytes of memory, want %d more at most", before, after, most)
	}
	pulse.end()
	server.signal(syscall.SIGTERM)
	server.exit(exitOK)
}

// refusal reads up to the server's ERROR and its end of the stream, and returns
// the fault.
func refusal(t *testing.T, c *raw) wire.Fault {
	t.Helper()
	var f wire.Fault
	for {
		e, err := c.next()
		switch {
		case err == nil && e.Kind == wire.KindError:
			if err := wire.DecodeBody(e.Args, &f); err != nil {
				t.Fatal(err)
			}
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			return f
		default:
			t.Fatalf("the server does not close: %v", err)
		}
	}
}

// frame returns an event's frame with its length replaced.
func frame(length uint32, change func(envelope []byte)) []byte {
	b, err := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("msg"), Args: []byte(`["x"]`)})
	if err != nil {
		panic(err)
	}
	if length > 0 {
		binary.BigEndian.PutUint32(b, length-1)
	}
	if change != nil {
		change(b[wire.LengthSize:])
	}
	return b
}

// Each bad frame is answered with what is wrong, value and limit, and the end.
func badFrames(t *testing.T, addr string) {
	for _, tt := range []struct {
		name   string
		member bool
		in     []byte
		want   string
	}{
		{"length 0", false, frame(0+1, nil), "frame length 0, want 40 to 65832"},
		{"length 39", false, frame(39+1, nil), "frame length 39, want 40 to 65832"},
		{"one too long", false, frame(wire.MaxEnvelope+1+1, nil), "frame length 65833, want 40 to 65832"},
		{"as long as can be said", false, frame(0xffffffff, nil), "frame length 4294967294"},
		{"version", false, frame(0, func(b []byte) { b[0] = 9 }), "version 9, want 1"},
		{"kind", true, frame(0, func(b []byte) { b[1] = 200 }), "kind 200"},
		{"flags", true, frame(0, func(b []byte) { b[2] = 0xff }), "flags 0xff00"},
		{"long name", true, frame(0, func(b []byte) { b[7] = 200 }), "truncated"},
		{"event before connect", false, frame(0, nil), "event before connect"},
		{"server's kind", true, frame(0, func(b []byte) { b[1] = byte(wire.KindConnected) }), "a client does not send connected"},
		{"length of a member", true, frame(1, nil), "frame length 0"},
	} {
		c := dialRaw(t, addr, "")
		if tt.member {
			c.enter("stranger", wire.SessionNone)
		}
		c.Write(tt.in)
		f := refusal(t, c)
		if !strings.Contains(f.Message, tt.want) {
			t.Errorf("%s: refused with %+v, want %q", tt.name, f, tt.want)
		}
		c.Close()
	}
}

// Random bytes end the connection, whoever sends them.
func randomBytes(t *testing.T, addr string) {
	r := seeded(t)
	for i := range 200 {
		c := dialRaw(t, addr, "")
		if i%2 == 1 {
			c.enter(fmt.Sprintf("stranger %d", i), wire.SessionNone)
		}
		b := make([]byte, 100+r.IntN(5000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if i%3 == 0 {
			binary.BigEndian.PutUint32(b, uint32(40+r.IntN(50))) // a good length
		}
		c.Write(b)
		refusal(t, c)
		c.Close()
	}
}

// A stream may end anywhere in a frame, by a close or by a reset.
func cutFrames(t *testing.T, addr string) {
	b := frame(0, nil)
	for n := range b {
		c := dialRaw(t, addr, "")
		if n%2 == 1 {
			c.enter(fmt.Sprintf("cut %d", n), wire.SessionNone)
		}
		if n%4 < 2 {
			c.Conn.(*net.TCPConn).SetLinger(0) // a reset
		}
		c.Write(b[:n])
		c.Close()
	}
}

// A thousand connections that never say who they are: another host comes in at
// once, and the strangers' host soon.
func halfOpenTCP(t *testing.T, addr string) {
	from := "127.0.0.2"
	if c, err := tryRaw(t, addr, from); err != nil {
		from = "" // a system with one loopback address
	} else {
		c.Close()
	}
	var strangers []net.Conn
	turnedAway := 0
	for range 1000 {
		c, err := tryRaw(t, addr, from)
		if err != nil {
			turnedAway++
			if !strings.Contains(err.Error(), "have not connected yet, at most 256") {
				t.Fatalf("turned away with %v", err)
			}
			continue
		}
		strangers = append(strangers, c.Conn)
	}
	if turnedAway == 0 {
		t.Error("all of 1,000 half-open connections have a place")
	}
	if from != "" {
		c := dialRaw(t, addr, "")
		c.enter("newcomer", wire.SessionNone)
		c.Close()
	}
	for {
		c, err := tryRaw(t, addr, from)
		if err == nil {
			c.enter("neighbour", wire.SessionNone)
			c.Close()
			break
		}
	}
	for _, c := range strangers {
		c.Close()
	}
}

// A stranger is a UDP socket that counts what it sends and what comes back.
type stranger struct {
	t *testing.T
	*net.UDPConn
	sent, got int
	answers   [][]byte
	hellos    uint64
}

// strangerAt makes one on a loopback address of its own, where the system has
// more than one.
func strangerAt(t *testing.T, addr, from string) *stranger {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, to)
	if err != nil {
		c, err = net.DialUDP("udp", nil, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &stranger{t: t, UDPConn: c}
}

// sends writes one datagram.
func (s *stranger) sends(b []byte) {
	s.t.Helper()
	if _, err := s.Write(b); err != nil && !errors.Is(err, syscall.EMSGSIZE) {
		s.t.Fatal(err)
	}
	s.sent += len(b)
}

// hello returns a hello that no other is like.
func (s *stranger) hello() []byte {
	s.hellos++
	b := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeHello, Number: s.hellos})
	b = binary.BigEndian.AppendUint64(b, s.hellos)
	return append(b, make([]byte, wire.MinHello-len(b))...)
}

// settle waits until the server has handled everything that was sent: it
// answers a hello after that. It counts everything that came back, without that
// answer, which it returns.
func (s *stranger) settle() (cookie []byte) {
	s.t.Helper()
	b := s.hello()
	buf := make([]byte, 1<<16)
	for try := 0; try < 100; try++ {
		if _, err := s.Write(b); err != nil {
			s.t.Fatal(err)
		}
		s.SetReadDeadline(time.Now().Add(patience / 100))
		for {
			n, err := s.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break // lost in a full buffer: say it again
			}
			if err != nil {
				s.t.Fatal(err)
			}
			h, payload, err := wire.DecodeHeader(buf[:n])
			if err == nil && h.Type == wire.TypeCookie && binary.BigEndian.Uint64(payload) == s.hellos {
				if n >= len(b) {
					s.t.Errorf("a hello of %d bytes is answered with %d", len(b), n)
				}
				return append([]byte(nil), payload...)
			}
			s.got += n
			s.answers = append(s.answers, append([]byte(nil), buf[:n]...))
		}
	}
	s.t.Fatal("no answer to a hello")
	return nil
}

// A thousand sources say hello and nothing more: each gets one answer, smaller
// than its question, and a member who comes then is let in.
func halfOpenUDP(t *testing.T, addr string) {
	for i := range 1000 {
		s := strangerAt(t, addr, fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250))
		s.settle()
		if s.got != 0 {
			t.Errorf("%d bytes too many", s.got)
		}
		s.Close()
	}
	joinUDP(t, addr, "late").Close()
}

// Datagrams of any kind from sources that are not validated never get back more
// than they brought.
func randomDatagrams(t *testing.T, addr string) {
	r := seeded(t)
	for i := range 50 {
		s := strangerAt(t, addr, fmt.Sprintf("127.2.0.%d", 1+i))
		for range 40 {
			b := randomDatagram(r)
			sent, got := s.sent, s.got
			s.sends(b)
			s.settle()
			if s.got-got > s.sent-sent {
				t.Errorf("%d bytes are answered with %d: %x", s.sent-sent, s.got-got, b[:min(len(b), 64)])
			}
		}
		s.Close()
	}
}

func randomDatagram(r *rand.Rand) []byte {
	size := []int{0, 1, 43, 44, 45, 100, 1199, 1200, 1500, 9000}[r.IntN(10)]
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if size < wire.DatagramHeader || r.IntN(5) == 0 {
		return b
	}
	// Sensible up to here or there.
	b[0], b[1], b[2], b[3] = 'W', wire.Version, byte(1+r.IntN(8)), byte(r.IntN(8))
	if r.IntN(2) == 0 {
		clear(b[4:12])
	}
	return b
}

// A cookie is good for the address that it was made for, and the bytes of a
// session only come from where it began.
func stolenCookie(t *testing.T, addr string) {
	owner, thief := strangerAt(t, addr, "127.3.0.1"), strangerAt(t, addr, "127.3.0.2")
	cookie := owner.settle()
	connect, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{
		Name: "owner", Mode: "queue", Rooms: []wire.RoomCursor{{Room: "lobby"}},
	})})
	if err != nil {
		t.Fatal(err)
	}
	open := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeOpen, Number: 1})
	open = append(append(open, cookie...), connect...)
	thief.sends(open)
	thief.settle()
	if thief.got != 0 {
		t.Errorf("a stolen cookie is answered: %x", thief.answers)
	}
	owner.sends(open)
	var session uint64
	for session == 0 {
		owner.settle()
		for _, b := range owner.answers {
			if h, _, err := wire.DecodeHeader(b); err == nil && h.Type == wire.TypeAccept {
				session = h.Session
			}
		}
	}
	thief.sends(sessionData(t, session, 2, 1, wire.Envelope{Kind: wire.KindPing, ID: 6}))
	thief.settle()
	// Had the server taken that, it would drop this one as a duplicate.
	owner.sends(sessionData(t, session, 3, 1, wire.Envelope{Kind: wire.KindPing, ID: 7}))
	for limit := time.Now().Add(patience); !slices.ContainsFunc(owner.answers, isPong); {
		if owner.settle(); time.Now().After(limit) {
			t.Fatalf("the session's owner gets no answer: %x", owner.answers)
		}
	}
	thief.settle()
	if thief.got != 0 {
		t.Errorf("a stolen session is answered: %x", thief.answers)
	}
	owner.sends(sessionData(t, session, 4, 2, wire.Envelope{Kind: wire.KindBye}))
}

// sessionData returns a datagram of a session that has no MACs.
func sessionData(t *testing.T, session, number, reliable uint64, e wire.Envelope) []byte {
	t.Helper()
	b, err := wire.AppendEnvelope(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	return append(wire.AppendHeader(nil, &wire.Header{
		Type: wire.TypeData, Flags: wire.DatagramReliable, Session: session, Number: number, Reliable: reliable,
	}), b...)
}

// isPong reports whether a datagram is the answer to the ping numbered 7.
func isPong(b []byte) bool {
	_, payload, err := wire.DecodeHeader(b)
	if err != nil {
		return false
	}
	e, err := wire.Decode(payload)
	return err == nil && e.Kind == wire.KindPong && e.ID == 7
}

// A member that floods is told the limit, event by event, and stays.
func flood(t *testing.T, addr string) {
	const events = 5000
	c := dialRaw(t, addr, "")
	c.enter("flooder", wire.SessionNone)
	var b []byte
	for i := range events {
		var err error
		if b, err = wire.AppendFrame(b, &wire.Envelope{
			Kind: wire.KindEvent, Flags: wire.FlagAck, ID: uint64(i + 1), Room: []byte("lobby"), Event: []byte("noise"), Args: []byte(`[1]`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	go c.Write(b)
	taken, refused := 0, 0
	for taken+refused < events {
		e := c.until(wire.KindAck)
		if e.Flags&wire.FlagFailed == 0 {
			taken++
			continue
		}
		refused++
		var faults []wire.Fault
		if err := json.Unmarshal(e.Args, &faults); err != nil || len(faults) != 1 || faults[0].Code != "rate" || faults[0].RetryMS == 0 ||
			!strings.Contains(faults[0].Message, "more than 50 events/s for one connection (burst 100)") {
			t.Fatalf("refused with %s, %v", e.Args, err)
		}
	}
	if taken < 100 || taken > 100+50*int(patience/time.Second) {
		t.Errorf("%d of %d events at once were taken, want about 100", taken, events)
	}
	c.send(wire.Envelope{Kind: wire.KindPing, ID: 1})
	// It is a member still, once its tokens are back.
	for {
		e, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == wire.KindPong {
			break
		}
		if e.Kind == wire.KindError {
			c.send(wire.Envelope{Kind: wire.KindPing, ID: 1})
		}
	}
}

// One that floods and does not read its answers is closed: they are not kept
// for ever.
func blindFlood(t *testing.T, addr string) {
	c := dialRaw(t, addr, "")
	c.enter("blind", wire.SessionNone)
	var b []byte
	for range 1000 {
		b = append(b, frame(0, nil)...)
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	for n := 0; ; n += len(b) {
		if _, err := c.Write(b); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("after %d bytes the server neither takes nor closes", n)
			}
			return
		}
		if n > 1<<30 {
			t.Fatal("1 GiB of refused events, and no end")
		}
	}
}
