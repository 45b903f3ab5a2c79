package udpchat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// A desk is a service without goroutines and without network: it is handed
// datagrams, and notes what it answers.
type desk struct {
	*service
	now  time.Time
	sent map[netip.AddrPort][][]byte
}

// deskConn is the desk's net.PacketConn.
type deskConn struct{ *desk }

func (c deskConn) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, net.ErrClosed }
func (c deskConn) WriteTo(b []byte, to net.Addr) (int, error) {
	ap, _ := addrPort(to)
	c.sent[ap] = append(c.sent[ap], slices.Clone(b))
	return len(b), nil
}
func (c deskConn) Close() error                     { return nil }
func (c deskConn) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c deskConn) SetDeadline(time.Time) error      { return nil }
func (c deskConn) SetReadDeadline(time.Time) error  { return nil }
func (c deskConn) SetWriteDeadline(time.Time) error { return nil }

func newDesk(t testing.TB, hub *chat.Hub) *desk {
	d := &desk{now: time.Now(), sent: make(map[netip.AddrPort][][]byte)}
	v, err := newService(&Server{Hub: hub}, deskConn{d})
	if err != nil {
		t.Fatal(err)
	}
	d.service = v
	t.Cleanup(func() {
		v.opening.Wait()
		v.detachAll()
	})
	return d
}

// take hands a datagram in, gives turns, and returns what went back to the
// sender.
func (d *desk) take(from netip.AddrPort, b []byte) [][]byte {
	before := len(d.sent[from])
	d.datagram(d.now, b, net.UDPAddrFromAddrPort(from))
	for _, p := range d.touched {
		p.touched = false
		p.conn.Flush()
	}
	d.touched = d.touched[:0]
	d.opening.Wait()
	d.turns()
	return d.sent[from][before:]
}

func (d *desk) turns() {
	for {
		d.mu.Lock()
		ready := d.ready
		d.ready = nil
		d.mu.Unlock()
		if len(ready) == 0 {
			d.flush()
			return
		}
		for _, p := range ready {
			p.queued.Store(false)
			d.serve(p, d.now)
		}
	}
}

func helloFrom(nonce byte) []byte {
	b := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeHello, Number: 1})
	b = append(b, nonce)
	return append(b, make([]byte, wire.MinHello-len(b))...)
}

// openWith returns an Open for the answer to the hello.
func openWith(cookie []byte, connect []byte) []byte {
	b := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeOpen, Number: 2})
	b = append(b, cookie[wire.DatagramHeader:]...)
	return append(b, connect...)
}

func connectAs(name string) []byte {
	b, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{
		Name: name, Nonce: strings.Repeat("00", wire.NonceSize), Mode: "queue", Rooms: []wire.RoomCursor{{Room: "lobby"}},
	})})
	if err != nil {
		panic(err)
	}
	return b
}

// TestHalfOpen: a thousand hellos from a thousand addresses leave nothing
// behind, and each is answered with less than it was.
func TestHalfOpen(t *testing.T) {
	d := newDesk(t, newHub(t, chat.Config{}))
	for i := range 1000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 7)
		out := d.take(from, helloFrom(byte(i)))
		if len(out) != 1 || len(out[0]) >= wire.MinHello {
			t.Fatalf("answer to a hello: %d datagrams, %x", len(out), out)
		}
		if out := d.take(from, helloFrom(0)[:wire.MinHello-1]); len(out) != 0 {
			t.Fatalf("a hello of %d bytes was answered", wire.MinHello-1)
		}
	}
	if len(d.peers)+len(d.doors.known)+len(d.doors.oldest)+len(d.ready) != 0 {
		t.Errorf("kept %d peers, %d handshakes", len(d.peers), len(d.doors.known))
	}
	if s := d.server.Stats(); s.Hellos != 1000 || s.ShortHellos != 1000 {
		t.Errorf("stats = %+v", s)
	}
}

// TestOpenTwice: the same Open again gets the same Accept and no second session.
func TestOpenTwice(t *testing.T) {
	d := newDesk(t, newHub(t, chat.Config{}))
	from := netip.MustParseAddrPort("192.0.2.1:7")
	open := openWith(d.take(from, helloFrom(1))[0], connectAs("ana"))
	first := d.take(from, open)
	if len(first) == 0 {
		t.Fatal("no answer to an open")
	}
	again := d.take(from, open)
	if len(again) != 1 || len(d.peers) != 1 {
		t.Fatalf("answered with %d datagrams, %d sessions", len(again), len(d.peers))
	}
	const body = wire.DatagramHeader
	if string(first[0][body:]) != string(again[0][body:]) || string(first[0][4:12]) != string(again[0][4:12]) {
		t.Errorf("another answer:\n%x\n%x", first[0], again[0])
	}
	if a, b := binary.BigEndian.Uint64(first[0][12:]), binary.BigEndian.Uint64(again[0][12:]); a == b {
		t.Error("the packet number was used twice")
	}
	// From another address the cookie is worth nothing.
	if out := d.take(netip.MustParseAddrPort("192.0.2.2:7"), open); len(out) != 0 || len(d.peers) != 1 {
		t.Error("a cookie is good for another address")
	}
	// Nor later, even if everything else was forgotten.
	d.now = d.now.Add(cookieLife + 2*time.Second)
	d.take(from, helloFrom(2))
	if out := d.take(from, open); len(out) != 0 || len(d.peers) != 1 {
		t.Error("a cookie is good for ever")
	}
}

// TestSpoofed: who knows a session's id but sits elsewhere can do nothing to it.
func TestSpoofed(t *testing.T) {
	for _, key := range []string{"", "sesame"} {
		d := newDesk(t, newHub(t, chat.Config{Key: []byte(key)}))
		from, thief := netip.MustParseAddrPort("192.0.2.1:7"), netip.MustParseAddrPort("192.0.2.66:7")
		cookie := d.take(from, helloFrom(1))[0]
		var body wire.Connect
		e, _ := wire.Decode(connectAs("ana"))
		wire.DecodeBody(e.Args, &body)
		nonce := make([]byte, wire.NonceSize)
		body.Proof = fmt.Sprintf("%x", wire.Prove([]byte(key), wire.ProveClient, serverNonce(cookie[wire.DatagramHeader+wire.NonceSize:]), nonce))
		e.Args = wire.EncodeBody(body)
		connect, _ := wire.AppendEnvelope(nil, &e)
		accept := d.take(from, openWith(cookie, connect))
		if len(d.peers) != 1 || len(accept) == 0 {
			t.Fatal("no session")
		}
		id := binary.BigEndian.Uint64(accept[0][4:])
		p := d.peers[id]
		for number := range uint64(300) {
			for _, flags := range []wire.DatagramFlags{0, wire.DatagramReliable, wire.DatagramMAC | wire.DatagramReliable} {
				h := &wire.Header{Type: wire.TypeData, Flags: flags, Session: id, Number: number + 1<<40, Reliable: number, Ack: 1}
				bye, _ := wire.AppendEnvelope(wire.AppendHeader(nil, h), &wire.Envelope{Kind: wire.KindBye})
				if out := d.take(thief, bye); len(out) != 0 {
					t.Fatalf("the thief was answered: %x", out)
				}
				if key != "" { // even from the right address, without the MAC
					d.take(from, bye)
				}
			}
		}
		if p.gone || p.from != from || p.sess.recv.next != 1 || p.newest != 0 {
			t.Errorf("key %q: the session changed", key)
		}
	}
}

// TestUnknownSession: a reset is no larger than the question, and there are
// not many of them.
func TestUnknownSession(t *testing.T) {
	d := newDesk(t, newHub(t, chat.Config{}))
	from := netip.MustParseAddrPort("192.0.2.1:7")
	question := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAck, Session: 42, Number: 1})
	answers := 0
	for range 1000 {
		for _, out := range d.take(from, question) {
			answers++
			h, _, err := wire.DecodeHeader(out)
			if len(out) > len(question) || err != nil || h.Type != wire.TypeReset || h.Session != 42 {
				t.Fatalf("answer %x to %x", out, question)
			}
		}
	}
	if answers == 0 || answers > paceBurst {
		t.Errorf("%d resets at once, want 1 to %d", answers, paceBurst)
	}
}

// FuzzServerNeverAnswersMore: whatever comes, the server does not panic, and
// an address that has not shown a good cookie gets no more bytes than it sent.
func FuzzServerNeverAnswersMore(f *testing.F) {
	hub := newHub(f, chat.Config{ConnectTimeout: time.Hour, MaxHalfOpen: 1 << 30})
	f.Add([]byte{0}, helloFrom(1))
	f.Add([]byte{1, 2}, connectAs("ana"))
	f.Add([]byte{1, 3, 3, 4, 5, 5, 5}, connectAs("ana"))
	f.Add([]byte{1, 2, 4, 4, 3, 0}, wire.AppendHeader(nil, &wire.Header{Type: wire.TypeData, Session: 1}))
	f.Fuzz(func(t *testing.T, script, b []byte) {
		d := newDesk(t, hub)
		known, stranger := netip.MustParseAddrPort("192.0.2.1:7"), netip.MustParseAddrPort("192.0.2.2:7")
		cookie := d.take(known, helloFrom(1))[0]
		in, out := 0, 0
		id, number := uint64(0), uint64(10)
		for _, op := range script[:min(len(script), 20)] {
			switch op % 6 {
			case 0: // as it is, from somebody unknown
				in += len(b)
				for _, answer := range d.take(stranger, b) {
					out += len(answer)
				}
			case 1: // an Open with a good cookie and a good Connect
				d.take(known, openWith(cookie, connectAs(fmt.Sprint("u", op))))
				for known := range d.peers {
					id = known
				}
			case 2: // an Open with a good cookie
				d.take(known, openWith(cookie, b))
			case 3: // data of the session
				number++
				h := wire.Header{Type: wire.TypeData, Session: id, Number: number, Flags: wire.DatagramFlags(op>>3) & wire.DatagramReliable, Reliable: uint64(op >> 4)}
				d.take(known, append(wire.AppendHeader(nil, &h), b...))
			case 4: // anything with the session's id in it
				c := slices.Clone(b)
				if len(c) >= 20 {
					binary.BigEndian.PutUint64(c[4:], id)
					number++
					binary.BigEndian.PutUint64(c[12:], number)
				}
				d.take(known, c)
			case 5: // time passes
				d.now = d.now.Add(time.Duration(op) * 20 * ms)
				for p := d.timers.pop(d.now); p != nil; p = d.timers.pop(d.now) {
					d.serve(p, d.now)
				}
				d.turns()
			}
		}
		if out > in {
			t.Fatalf("%d bytes in, %d bytes out", in, out)
		}
		if len(d.doors.known) > 1 {
			t.Fatalf("%d handshakes known, want at most 1", len(d.doors.known))
		}
	})
}

// FuzzClientSurvives: whatever comes, a client does not panic, and what it keeps
// is bounded.
func FuzzClientSurvives(f *testing.F) {
	accept := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAccept, Session: 7, Number: 1})
	accept = append(accept, make([]byte, wire.NonceSize)...)
	accept = append(accept, connectAs("x")...)
	f.Add(accept, []byte{1, 2, 3})
	f.Add(wire.AppendHeader(nil, &wire.Header{Type: wire.TypeReset, Session: 7}), accept)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		n := newNetwork(1)
		conn, _ := n.dial(t.Context(), "udp", serverAt)
		l := newLink(&Dialer{Mode: Sequenced}, conn, wire.MaxDatagram, nil)
		l.connect = []byte{0}
		now := epoch
		for i, b := range [][]byte{first, second, first, second, first} {
			now = now.Add(time.Second)
			if len(b) > wire.DatagramHeader {
				b = slices.Clone(b)
				binary.BigEndian.PutUint64(b[12:], uint64(i)+1)
			}
			h, payload, err := wire.DecodeHeader(b)
			if err != nil {
				continue
			}
			arrivals, _ := l.take(now, nil, b, &h, payload)
			for i := range arrivals {
				l.keep(&arrivals[i])
			}
			l.gather(now, make([]dispatch, 0, 4), make([][]byte, 4))
		}
		if l.size > 5*len(first)+5*len(second)+wire.MaxEnvelope {
			t.Fatalf("%d bytes kept of %d", l.size, 5*len(first)+5*len(second))
		}
	})
}

// TestWrongKey: the refusal comes at once, and says what is wrong.
func TestWrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		serve(t, &Server{Hub: newHub(t, chat.Config{Key: []byte("sesame")})}, n.listen(serverAt))
		start := time.Now()
		for _, key := range []string{"", "barley"} {
			_, err := tryJoin(t, &Dialer{Address: serverAt, Net: n.dial, Key: []byte(key)}, "ana", wire.Connect{}, nil)
			if err == nil || !strings.Contains(err.Error(), "bad_key") {
				t.Errorf("key %q: %v", key, err)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("refused after %v", took)
		}
	})
}

// TestNoServer: nobody listens, or nothing answers.
func TestNoServer(t *testing.T) {
	t.Run("port closed", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("other systems may not say that a port is closed")
		}
		conn := listen(t, "127.0.0.1:0")
		address := conn.LocalAddr().String()
		conn.Close()
		_, _, err := (&Dialer{Address: address}).Dial(t.Context(), nil)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial = %v, want connection refused", err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(1)
			start := time.Now()
			_, _, err := (&Dialer{Address: serverAt, Net: n.dial}).Dial(t.Context(), nil)
			if err == nil || time.Since(start) != handshakeTimeout {
				t.Errorf("Dial = %v after %v", err, time.Since(start))
			}
		})
	})
}

// TestRestart: the server is started again. The client knows at once; with
// MACs, where anybody could have told it that, after a short while.
func TestRestart(t *testing.T) {
	for _, test := range []struct {
		key  string
		most time.Duration
	}{{"", ms}, {"sesame", doubtful}} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(1)
			cfg := chat.Config{Key: []byte(test.key)}
			first := n.listen(serverAt)
			serve(t, &Server{Hub: newHub(t, cfg)}, first)
			m := join(t, &Dialer{Address: serverAt, Net: n.dial, Mode: Queue, Key: cfg.Key}, "ana", wire.Connect{}, nil)
			first.kill()
			serve(t, &Server{Hub: newHub(t, cfg)}, n.listen(serverAt)) // takes the address over
			start := time.Now()
			m.say("hello?", 0)
			for {
				if _, _, err := m.link.Receive(); err != nil {
					if !errors.Is(err, ErrReset) {
						t.Errorf("key %q: Receive = %v, want ErrReset", test.key, err)
					}
					break
				}
			}
			if took := time.Since(start); took > test.most {
				t.Errorf("key %q: known after %v", test.key, took)
			}
		})
	}
}

// TestForgedReset: with MACs a Reset that somebody made up ends nothing.
func TestForgedReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		server := n.listen(serverAt)
		serve(t, &Server{Hub: newHub(t, chat.Config{Key: []byte("sesame")})}, server)
		d := &Dialer{Address: serverAt, Net: n.dial, Mode: Queue, Key: []byte("sesame")}
		m := join(t, d, "ana", wire.Connect{}, nil)
		go m.idle()
		l := m.link.(*link)
		for i := range 20 {
			m.say("still here", 0)
			forged := wire.AppendHeader(nil, &wire.Header{Type: wire.TypeReset, Session: l.sess.id, Number: uint64(i)})
			server.WriteTo(forged, l.conn.LocalAddr())
			time.Sleep(time.Second)
		}
		l.mu.Lock()
		if l.err != nil {
			t.Errorf("the link is down: %v", l.err)
		}
		l.mu.Unlock()
		l.Close()
	})
}

// TestSlowReader: a member that does not receive delays nobody, and what the
// server keeps for it is bounded.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(1)
		n.set(0, 0, ms, 0)
		server := &Server{Hub: newHub(t, chat.Config{})}
		serve(t, server, n.listen(serverAt))
		d := &Dialer{Address: serverAt, Net: n.dial, Mode: Queue}
		ana, bob := join(t, d, "ana", wire.Connect{}, nil), join(t, d, "bob", wire.Connect{}, nil)
		slow := join(t, d, "eve", wire.Connect{}, nil) // never receives
		go ana.idle()
		long := strings.Repeat("x", 10_000)
		for i := range 600 {
			start := time.Now()
			text := fmt.Sprint(i, long)
			ana.say(text, 0)
			bob.hears(text)
			if took := time.Since(start); took > time.Second {
				t.Fatalf("message %d took %v", i, took)
			}
		}
		l := slow.link.(*link)
		l.mu.Lock()
		if l.size > inboxSize+maxPartialBytes || len(l.inbox) > maxInbox+wire.AckWindow {
			t.Errorf("the client keeps %d envelopes, %d bytes", len(l.inbox), l.size)
		}
		l.mu.Unlock()
		for _, m := range []*member{ana, bob, slow} {
			m.link.Close()
		}
	})
}

// TestTap: the tap sees every datagram, and what is special about it.
func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(5)
		n.set(.2, .1, 5*ms, 0)
		serve(t, &Server{Hub: newHub(t, chat.Config{})}, n.listen(serverAt))
		var mu sync.Mutex
		notes := make(map[string]int)
		tap := func(tr client.Traffic) {
			mu.Lock()
			defer mu.Unlock()
			h, _, err := wire.DecodeHeader(tr.Bytes)
			if err != nil || !tr.Datagram || tr.Time.IsZero() {
				t.Errorf("tap saw %x: %v", tr.Bytes, err)
			}
			notes[fmt.Sprint(tr.Out, " ", h.Type)]++
			for note := range strings.SplitSeq(tr.Note, ", ") {
				notes[fmt.Sprint(tr.Out, " ", note)]++
			}
		}
		m := join(t, &Dialer{Address: serverAt, Net: n.dial, Mode: Queue}, "ana", wire.Connect{}, tap)
		for i := range 30 {
			text := fmt.Sprint(i, strings.Repeat("x", 2000))
			m.say(text, wire.FlagAck)
			m.hears(text)
		}
		m.link.Close()
		for _, want := range []string{"true hello", "false cookie", "true open", "false accept", "true data", "false data", "true ack only",
			"true retransmission", "false duplicate", "true fragment 2 of 2", "false fragment 1 of 2"} {
			if notes[want] == 0 {
				t.Errorf("never saw %q in %v", want, notes)
			}
		}
	})
}
