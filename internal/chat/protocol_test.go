package chat_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// "Bad frame, event before connect, double connect, no connect in time: an
// error frame that names the fault, then close."
func TestProtocolFaults(t *testing.T) {
	event := func(args string) *wire.Envelope {
		return &wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("chat"), Args: []byte(args)}
	}
	for _, test := range []struct {
		name string
		do   func(c *client)
		code string
	}{
		{"bad frame", func(c *client) { c.broken = c.conn.Fault(fmt.Errorf("wire: version 7, want 1: %w", wire.ErrVersion)) }, "bad_frame"},
		{"event before connect", func(c *client) { c.put(event(`[]`)) }, "not_connected"},
		{"ping before connect", func(c *client) { c.put(&wire.Envelope{Kind: wire.KindPing}) }, "not_connected"},
		{"consumed before connect", func(c *client) { c.put(&wire.Envelope{Kind: wire.KindConsumed}) }, "not_connected"},
		{"double connect", func(c *client) { c.connect("none"); c.tryConnect(wire.Connect{Name: "bob"}) }, "double_connect"},
		{"connect that is no JSON", func(c *client) { c.put(&wire.Envelope{Kind: wire.KindConnect, Args: []byte("{")}) }, "bad_connect"},
		{"connect that is an array", func(c *client) { c.put(&wire.Envelope{Kind: wire.KindConnect, Args: []byte("[1]")}) }, "bad_connect"},
		{"connect with a huge epoch", func(c *client) {
			c.put(&wire.Envelope{Kind: wire.KindConnect, Args: []byte(`{"rooms":[{"epoch":"` + strings.Repeat("\\u0001", 10_000) + `"}]}`)})
		}, "bad_connect"},
		{"connected from a client", func(c *client) { c.connect("none"); c.put(&wire.Envelope{Kind: wire.KindConnected}) }, "bad_kind"},
		{"cursor from a client", func(c *client) { c.connect("none"); c.put(&wire.Envelope{Kind: wire.KindCursor}) }, "bad_kind"},
		{"challenge from a client", func(c *client) { c.connect("none"); c.put(&wire.Envelope{Kind: wire.KindChallenge}) }, "bad_kind"},
		{"error from a client", func(c *client) { c.connect("none"); c.put(&wire.Envelope{Kind: wire.KindError}) }, "bad_kind"},
		{"consumed more than was sent", func(c *client) {
			c.connect("none", "lobby")
			c.put(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 1, Args: epochBody(c.place("lobby").epoch)})
		}, "bad_consumed"},
		{"consumed with another body", func(c *client) {
			c.connect("none", "lobby")
			c.put(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Args: []byte(`[1]`)})
		}, "bad_consumed"},
		{"too many refused connects", func(c *client) {
			for range 20 {
				c.tryConnect(wire.Connect{Name: ""})
			}
		}, "bad_name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			hub := newHub(t, chat.Config{})
			c := dial(t, hub, "ana")
			test.do(c)
			c.pump()
			if c.broken == nil {
				t.Error("Receive = nil, want an error")
			}
			if n := len(c.frames); n == 0 || c.frames[n-1] != "error "+test.code {
				t.Errorf("the last frame is not error %s: %q", test.code, c.frames)
			}
			c.frames = nil
			c.put(&wire.Envelope{Kind: wire.KindPing})
			c.want() // nothing is taken in afterwards
			c.drop()
			if n := faults(hub, test.code); n == 0 {
				t.Errorf("%s was not counted", test.code)
			}
			if s := hub.Snapshot(); s.HalfOpen != 0 || len(s.Members) != 0 {
				t.Errorf("%d half-open, %d members are left", s.HalfOpen, len(s.Members))
			}
		})
	}
}

// What was published before a fault in the same batch is delivered; after the
// fault the offender gets no more events.
func TestFaultMidBatch(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	ana.taken()
	bob.taken()
	ana.put(&wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("chat"), Args: []byte(`["last words"]`)})
	ana.put(&wire.Envelope{Kind: wire.KindCursor})
	bob.heard("lobby", "last words")
	ana.want("error bad_kind")
}

// Refusals of one event: an error that names what was wrong; the connection
// lives on.
func TestRefusedEvents(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enter(t, hub, "ana", "lobby")
	deep := strings.Repeat("[", wire.MaxNesting+1) + strings.Repeat("]", wire.MaxNesting+1)
	for _, test := range []struct {
		name string
		e    wire.Envelope
		want string
	}{
		{"no event name", wire.Envelope{Room: []byte("lobby")}, "bad_event"},
		{"event name not UTF-8", wire.Envelope{Room: []byte("lobby"), Event: []byte("\xff")}, "bad_event"},
		{"arguments no array", wire.Envelope{Room: []byte("lobby"), Event: []byte("x"), Args: []byte(`{}`)}, "bad_arguments"},
		{"arguments not UTF-8", wire.Envelope{Room: []byte("lobby"), Event: []byte("x"), Args: []byte("[\"\xff\"]")}, "bad_arguments"},
		{"arguments too deep", wire.Envelope{Room: []byte("lobby"), Event: []byte("x"), Args: []byte(deep)}, "bad_arguments"},
		{"another member's room", wire.Envelope{Room: []byte("@0000000000000001"), Event: []byte("x")}, "not_in_room"},
		{"a namespace that it is not in", wire.Envelope{Namespace: []byte("n"), Room: []byte("lobby"), Event: []byte("x")}, "not_in_room"},
	} {
		test.e.Kind, test.e.Flags, test.e.ID = wire.KindEvent, wire.FlagAck, 5
		ana.send(&test.e)
		got := ana.taken()
		if len(got) != 1 || !strings.HasSuffix(got[0], "ack 5 failed "+test.want) {
			t.Errorf("%s: got %q, want %s", test.name, got, test.want)
		}
	}
	ana.ping()
	if n := hub.Snapshot().Totals; n.Refused != 7 || n.Published != 0 {
		t.Errorf("%d refused, %d published", n.Refused, n.Published)
	}
}

// "No connect in time: an error frame [...], then close." Half-open
// connections are capped, and make room again.
func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{ConnectTimeout: 5 * time.Second, MaxHalfOpen: 3, MaxConns: 4})
		half := []*client{dial(t, hub, "a"), dial(t, hub, "b"), dial(t, hub, "c")}
		if _, err := hub.Attach(newLink(chat.Info{}), nil); err == nil || !strings.Contains(err.Error(), "at most 3") {
			t.Errorf("the fourth Attach = %v, want an error that names the limit", err)
		}
		half[0].connect(wire.SessionNone)
		time.Sleep(4 * time.Second)
		late := dial(t, hub, "d")
		half[2].drop()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		half[1].want("error connect_timeout")
		if !half[1].link.closed.Load() {
			t.Error("the connection was not closed")
		}
		half[0].ping()
		if s := hub.Snapshot(); s.HalfOpen != 1 {
			t.Errorf("%d half-open, want 1", s.HalfOpen)
		}
		late.connect(wire.SessionNone)
	})
}

// "Heartbeat from the server; either side declares death after interval +
// timeout."
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second})
		ana, bob := enter(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby")
		ana.taken()
		bob.taken()
		for range 6 {
			time.Sleep(10*time.Second + time.Millisecond)
			ana.want("ping")
			ana.send(&wire.Envelope{Kind: wire.KindPong, ID: uint64(time.Now().Add(-30 * time.Millisecond).UnixMicro())})
			if bob.link.closed.Load() {
				break
			}
		}
		if d := time.Since(memberWith(t, hub, "bob").Since); d > 10*time.Second {
			t.Errorf("bob, silent, was declared dead %v ago: too early", d)
		}
		if !memberWith(t, hub, "bob").Away {
			t.Error("bob, silent for a minute, is not away")
		}
		bob.want("ping", "error ping_timeout")
		if m := memberWith(t, hub, "ana"); m.Away || m.RTT != 30*time.Millisecond {
			t.Errorf("ana: away %v, RTT %v", m.Away, m.RTT)
		}
		bob.resume()
		bob.taken()
		for range 4 { // no frame gets through, but the transport hears it
			time.Sleep(10 * time.Second)
			bob.conn.Heard(time.Now())
		}
		if memberWith(t, hub, "bob").Away {
			t.Error("bob, whom the transport hears, was declared dead")
		}
	})
}

// The heartbeat is 25 s on TCP and 10 s on UDP, and the client is told.
func TestPingInterval(t *testing.T) {
	hub := newHub(t, chat.Config{})
	for _, test := range []struct {
		transport string
		want      int64
	}{{"tcp", 25_000}, {"udp", 10_000}} {
		c := dial(t, hub, test.transport)
		c.drop()
		c.info.Transport = test.transport
		c.attach()
		c.connect(wire.SessionNone)
		if c.connected.PingMS != test.want || c.connected.TimeoutMS != 20_000 {
			t.Errorf("%s: ping_ms %d, timeout_ms %d", test.transport, c.connected.PingMS, c.connected.TimeoutMS)
		}
	}
}

// A name whose holder does not answer is free soon after somebody asks for it.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{})
		ana := enter(t, hub, "ana")
		other := dial(t, hub, "ana")
		try := func() string {
			other.tryConnect(wire.Connect{Name: "ana"})
			return strings.Join(other.taken(), "; ")
		}
		if got := try(); got != "error name_taken" {
			t.Fatalf("got %s", got)
		}
		ana.want("ping")
		ana.send(&wire.Envelope{Kind: wire.KindPong})
		time.Sleep(4 * time.Second)
		if got := try(); got != "error name_taken" {
			t.Errorf("the holder answers, and the other got %s", got)
		}
		time.Sleep(4 * time.Second)
		if got := try(); !strings.HasPrefix(got, "connected ana") {
			t.Errorf("the holder is silent, and the other got %s", got)
		}
		ana.want("ping", "error ping_timeout")
	})
}

// "token buckets per connection and per identity; the answer names the limit"
func TestRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{Rate: 10, Burst: 5})
		ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
		flood := func(c *client, n int) (refused int) {
			c.taken()
			for range n {
				c.say("lobby", "spam")
			}
			for _, f := range c.taken() {
				if strings.HasPrefix(f, "error rate @") {
					refused++
				}
			}
			return refused
		}
		if n := flood(ana, 20); n != 15 {
			t.Errorf("of 20 at once %d were refused, want 15: a burst of 5", n)
		}
		if f := ana.fault; !strings.Contains(f.Message, "10 events/s for one connection (burst 5)") || f.RetryMS != 100 {
			t.Errorf("the answer is %+v, want the limit named, and when to try again", f)
		}
		if n := flood(bob, 5); n != 0 {
			t.Errorf("another member: %d were refused", n)
		}
		time.Sleep(300 * time.Millisecond)
		if n := flood(ana, 5); n != 2 {
			t.Errorf("after 300 ms %d of 5 were refused, want 2", n)
		}
		// Requests and pings are events, too; a ping that is too much is told.
		time.Sleep(time.Second)
		for range 5 {
			ana.ping()
		}
		ana.send(&wire.Envelope{Kind: wire.KindPing, ID: 1})
		ana.want("error rate")
		if n := faults(hub, "rate"); n != 18 {
			t.Errorf("%d refusals were counted, want 18", n)
		}
	})
}

// The identity's bucket is shared by all connections that it has one after the
// other; without Rate it still holds.
func TestIdentityRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{Rate: -1, IdentityRate: 1, Burst: 3})
		ana := enterKept(t, hub, "ana", "lobby")
		ana.taken()
		for range 4 {
			ana.say("lobby", "x") // with the ping, 5 of 6
		}
		ana.resume()
		ana.taken()
		ana.say("lobby", "x")
		id := ana.say("lobby", "x")
		if got := ana.taken("event"); len(got) != 1 || got[0] != "error rate @"+itoa(id) {
			t.Errorf("got %q", got)
		}
		if !strings.Contains(ana.fault.Message, "for one identity (burst 6)") {
			t.Errorf("the answer is %+v", ana.fault)
		}
		free := newHub(t, chat.Config{Rate: 5, IdentityRate: -1, Burst: 3})
		bob := enter(t, free, "bob", "lobby")
		bob.taken()
		for range 3 {
			bob.say("lobby", "x")
		}
		if got := bob.taken("event"); len(got) != 0 {
			t.Errorf("without a limit per identity: %q", got)
		}
	})
}

// A peer that does not read its control frames is closed when they reach the
// cap; events do not count, for they wait in the log.
func TestControlCap(t *testing.T) {
	hub := newHub(t, chat.Config{MaxControl: 4 << 10}, missed.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	for range 1000 {
		bob.say("lobby", strings.Repeat("x", 100))
	}
	if ana.link.closed.Load() {
		t.Fatal("a member that does not read events was closed")
	}
	n := 0
	for ; n < 1000 && !ana.link.closed.Load(); n++ {
		ana.put(&wire.Envelope{Kind: wire.KindPing})
	}
	if !ana.link.closed.Load() || n > 4<<10/44 {
		t.Errorf("closed after %d pongs of 44 bytes: %v, want at 4 KiB", n, ana.link.closed.Load())
	}
	if faults(hub, "control") != 1 {
		t.Error("it was not counted")
	}
	bob.ping()
}

// The join key: both sides prove that they know it; it is tried once.
func TestJoinKey(t *testing.T) {
	key := []byte("correct horse")
	hub := newHub(t, chat.Config{Key: key})
	if !hub.NeedsKey() {
		t.Error("NeedsKey = false")
	}
	nonce := []byte("0123456789abcdef")
	body := func(c *client, key []byte) wire.Connect {
		return wire.Connect{Name: c.name, Nonce: hex.EncodeToString(nonce),
			Proof: hex.EncodeToString(wire.Prove(key, wire.ProveClient, c.nonce, nonce))}
	}
	ana := dial(t, hub, "ana")
	ana.tryConnect(body(ana, key))
	ana.want("connected ana []", "cursor . 0>0 head=0")
	if want := hex.EncodeToString(wire.Prove(key, wire.ProveServer, nonce, ana.nonce)); ana.connected.Proof != want {
		t.Errorf("the server's proof is %s, want %s", ana.connected.Proof, want)
	}
	if string(ana.conn.MACKey()) != string(wire.Prove(key, wire.ProveMAC, ana.nonce, nonce)) {
		t.Error("another MAC key")
	}
	for _, test := range []struct {
		name string
		body func(c *client) wire.Connect
	}{
		{"wrong key", func(c *client) wire.Connect { return body(c, []byte("wrong")) }},
		{"no proof", func(c *client) wire.Connect { return wire.Connect{Name: "bob"} }},
		{"no nonce", func(c *client) wire.Connect { b := body(c, key); b.Nonce = ""; return b }},
		{"another connection's proof", func(c *client) wire.Connect { return body(ana, key) }},
		{"the server's proof sent back", func(c *client) wire.Connect {
			return wire.Connect{Name: "bob", Nonce: hex.EncodeToString(nonce), Proof: ana.connected.Proof}
		}},
	} {
		c := dial(t, hub, "bob")
		c.tryConnect(test.body(c))
		c.want("error bad_key")
		if c.broken == nil {
			t.Errorf("%s: the connection lives on", test.name)
		}
	}
}

// "Close tells members": they get what is in their rooms, then the reason.
func TestClose(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enter(t, hub, "ana", "lobby")
	ana.taken()
	half := dial(t, hub, "half")
	hub.Namespace("").To("lobby").Emit("last")
	hub.Close("maintenance")
	ana.want("event lobby 1<0 . last []", `bye ["maintenance"]`)
	half.want(`bye ["maintenance"]`)
	if !ana.link.closed.Load() || !half.link.closed.Load() {
		t.Error("the connections were not closed")
	}
	if err := hub.Namespace("").All().Emit("x"); !errors.Is(err, chat.ErrClosed) {
		t.Errorf("Emit = %v, want ErrClosed", err)
	}
	if _, err := hub.Namespace("").All().EmitAck(t.Context(), "x"); !errors.Is(err, chat.ErrClosed) {
		t.Errorf("EmitAck = %v, want ErrClosed", err)
	}
	if _, err := hub.Attach(newLink(chat.Info{}), nil); !errors.Is(err, chat.ErrClosed) {
		t.Errorf("Attach = %v, want ErrClosed", err)
	}
	hub.Close("again")
	ana.drop()
}
