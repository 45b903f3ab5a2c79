package chat_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// try resumes with other credentials and returns what came.
func (c *client) try(session, secret string) string {
	c.t.Helper()
	c.attach()
	c.tryConnect(wire.Connect{Name: c.name, Session: wire.SessionResume, ID: session, Secret: secret})
	return strings.Join(c.taken(), "; ")
}

// "The resume secret has 128 bits or more, is stored hashed, compared in
// constant time, used once and replaced at every resume; a resume fences the
// older connection off. The name alone opens nothing."
func TestResumeSecret(t *testing.T) {
	store := newDisk()
	hub := newHub(t, chat.Config{Queue: store.open(t)})
	ana := enterKept(t, hub, "ana", "lobby")
	if n := len(ana.secret) / 2 * 8; n < 128 {
		t.Errorf("the secret has %d bits", n)
	}
	first := ana.secret
	ana.drop()
	eve := dial(t, hub, "ana")

	// The name alone, a wrong secret, a wrong session.
	eve.tryConnect(wire.Connect{Name: "ana", Session: wire.SessionNew})
	eve.want("error name_taken")
	for _, test := range []struct{ name, session, secret, want string }{
		{"no secret", ana.session, "", "error bad_secret"},
		{"wrong", ana.session, strings.Repeat("00", wire.SecretSize), "error bad_secret"},
		{"too short", ana.session, first[:len(first)-2], "error bad_secret"},
		{"no hex", ana.session, strings.Repeat("zz", wire.SecretSize), "error bad_secret"},
		{"no session", "", first, "error bad_session"},
		{"another session", "00000000000000ff", first, "error bad_session"},
		{"no session id", "what?" + strings.Repeat("x", 10_000), first, "error bad_session"},
	} {
		if got := eve.try(test.session, test.secret); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	// Stored hashed: neither the text nor the bytes.
	stored := 0
	store.Load(func(r missed.Record) error {
		if r.Entry != nil && r.Entry.Table == "session" {
			stored++
			raw, _ := hex.DecodeString(first)
			if v := string(r.Entry.Value); strings.Contains(v, first) || strings.Contains(v, base64.StdEncoding.EncodeToString(raw)) {
				t.Errorf("the secret is in the store: %s", v)
			}
		}
		return nil
	})
	if stored != 1 {
		t.Errorf("%d sessions in the store, want 1", stored)
	}
	// The right one opens, and is replaced.
	ana.resume()
	ana.ping()
	if ana.secret == first {
		t.Error("the secret was not replaced")
	}
	ana.drop()
	if got := eve.try(ana.session, first); got != "error bad_secret" {
		t.Errorf("a reused secret: got %s", got)
	}
	ana.resume()
}

// A session that was not kept cannot be resumed.
func TestNothingToResume(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enter(t, hub, "ana")
	if ana.session != "" || ana.secret != "" {
		t.Errorf("without a session it was given %q, %q", ana.session, ana.secret)
	}
	bob := enterKept(t, hub, "bob")
	bob.send(&wire.Envelope{Kind: wire.KindBye, Event: []byte("forget")})
	if got := bob.try(bob.session, bob.secret); got != "error bad_session" {
		t.Errorf("a forgotten session: got %s", got)
	}
	bob.connect(wire.SessionNew) // the name is free
}

// A lost Connected locks nobody out: until the client is heard on the new
// connection the secret before is good, once more.
func TestLostConnected(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enterKept(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	first := ana.secret
	ana.drop()
	bob.say("lobby", "one")
	for range 3 {
		// CONNECTED is lost: it never learns the second secret.
		ana.attach()
		ana.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(ana.resumption())})
		ana.drop()
	}
	ana.resume()
	ana.heard("lobby", "one")
	second := ana.secret
	ana.ping() // it has the new one
	ana.drop()
	if got := ana.try(ana.session, first); got != "error bad_secret" {
		t.Errorf("the first secret after the second was confirmed: got %s", got)
	}
	if got := ana.try(ana.session, second); !strings.HasPrefix(got, "connected ana") {
		t.Errorf("the second secret: got %s", got)
	}
}

// A new session whose Connected was lost is nobody's: its name is free for who
// asks for it. But if Connected did arrive, the session is there.
func TestLostFirstConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: time.Hour})
		ana := dial(t, hub, "ana")
		connect := func() {
			ana.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{Name: "ana", Session: wire.SessionNew})})
		}
		connect()
		ana.drop()
		ana.attach()
		ana.connect(wire.SessionNew)
		if n := len(hub.Snapshot().Members); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		ana.drop() // it has the secret, and the server does not know
		ana.resume()
		ana.ping()
		ana.drop()
		ana.attach()
		connect()
		ana.want("error name_taken") // now the server knows
		// What is never heard is not kept for long.
		bob := dial(t, hub, "bob")
		bob.connect(wire.SessionNew)
		bob.drop()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := bob.try(bob.session, bob.secret); got != "error bad_session" {
			t.Errorf("two minutes later: %s", got)
		}
		ana.resume()
	})
}

// "a resume fences the older connection off"
func TestFencing(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enterKept(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	old := *ana // the same client, on its first connection
	old.rooms, old.frames = nil, nil
	old.rooms = map[missed.Key]*place{}
	bob.say("lobby", "one")
	ana.resume() // the first connection is half dead: nobody noticed
	bob.say("lobby", "two")

	old.want("error replaced") // and no event
	if !old.link.closed.Load() {
		t.Error("the old connection was not closed")
	}
	old.put(&wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("chat"), Args: []byte(`["from the past"]`)})
	if old.broken == nil {
		t.Error("the old connection was taken something from")
	}
	old.drop() // changes nothing for the new one
	ana.pump()
	bob.pump()
	bob.emit("lobby", "typing", wire.FlagVolatile)
	if n := hub.Snapshot().Totals; n.Dropped != 0 {
		t.Errorf("%d volatile events were dropped: the old connection still reads", n.Dropped)
	}
	ana.heard("lobby", "one", "two")
	ana.ping()
	if m := memberWith(t, hub, "ana"); m.Away {
		t.Error("ana is away")
	}
}

// The stolen secret: whoever comes first has it, the other is told, and only
// one of them is in at any time.
func TestStolenSecret(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana := enterKept(t, hub, "ana", "lobby")
	eve := dial(t, hub, "ana")
	got := eve.try(ana.session, ana.secret)
	if !strings.HasPrefix(got, "connected ana") {
		t.Fatalf("got %s", got)
	}
	eve.ping()
	ana.want("error replaced")
	ana.attach()
	ana.tryConnect(ana.resumption())
	ana.want("error bad_secret") // so that its user learns of it
	if n := len(hub.Snapshot().Members); n != 1 {
		t.Errorf("%d members, want 1", n)
	}
}

// An absent session is forgotten after its time: it leaves its rooms, its name
// is free and its rooms are deleted.
func TestSessionTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		hub := newHub(t, chat.Config{SessionTTL: time.Minute, PingInterval: time.Hour, Hooks: d.hooks()})
		ana, bob := enterKept(t, hub, "ana", "lobby", "red"), enter(t, hub, "bob", "lobby")
		ana.drop()
		d.take()
		bob.taken()
		time.Sleep(59 * time.Second)
		ana.resume()
		ana.ping()
		time.Sleep(2 * time.Minute) // present, it stays
		ana.drop()
		d.take()
		bob.taken()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		d.want(t, `ana leaves ""`, `ana leaves "lobby"`, `ana leaves "red"`, `delete "red"`)
		if got := ana.try(ana.session, ana.secret); got != "error bad_session" {
			t.Errorf("got %s, want bad_session", got)
		}
		enter(t, hub, "ana")
	})
}

// "Somebody kicked or banned while away gets nothing from after that instant
// and is not put back into the room; admission is checked again at every
// resume."
func TestBanWhileAway(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enterKept(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	ana.drop()
	bob.say("lobby", "one")
	if err := hub.Ban("ana", "spam"); err != nil {
		t.Fatal(err)
	}
	bob.say("lobby", "two")
	if got := ana.try(ana.session, ana.secret); got != "error bad_session" {
		t.Errorf("got %s", got)
	}
	ana.tryConnect(wire.Connect{Name: "ana", Session: wire.SessionNew})
	ana.want("error banned")
	ana.heard("lobby")
	// Not even after the ban is over.
	hub.Unban("ana")
	if got := ana.try(ana.session, ana.secret); got != "error bad_session" {
		t.Errorf("after Unban: got %s", got)
	}
}

// The same for a kick: what was published before is delivered, nothing after.
func TestKickWhileAway(t *testing.T) {
	for _, test := range []struct {
		name     string
		consumed bool // everything before the kick
		again    int  // resumes before it acknowledges
	}{{"behind", false, 0}, {"behind, twice", false, 1}, {"caught up", true, 0}} {
		t.Run(test.name, func(t *testing.T) {
			d := new(diary)
			hub := newHub(t, chat.Config{Hooks: d.hooks()})
			ana, bob := enterKept(t, hub, "ana", "red"), enter(t, hub, "bob", "red")
			bob.say("red", "one")
			if test.consumed {
				ana.pump()
				ana.consume("red")
			}
			ana.drop()
			if err := hub.Namespace("").Kick("red", "ana", "noise"); err != nil {
				t.Fatal(err)
			}
			bob.say("red", "two")
			bob.request("leave", "red") // the last one leaves: what ana is owed stays
			for range test.again + 1 {
				ana.resume()
				if got := ana.taken("event"); got[0] != "connected ana [] resumed" || !strings.Contains(strings.Join(got, ";"), "cursor red") ||
					!strings.Contains(strings.Join(got, ";"), "reason=ended") {
					t.Errorf("at the resume: %q", got)
				}
			}
			ana.heard("red", "one")
			if got := ana.emit("red", "chat", wire.FlagAck, "hello?"); got == 0 || ana.taken()[0] != "ack "+itoa(got)+" failed not_in_room" {
				t.Error("ana may still emit into the room")
			}
			ana.consume("red")
			if got := hub.Namespace("").Rooms(); len(got) != 1 {
				t.Errorf("rooms %q, want the lobby alone", got)
			}
			if m := memberWith(t, hub, "ana"); len(m.Cursors) != 0 {
				t.Errorf("ana still has cursors %+v", m.Cursors)
			}
			ana.resume()
			if got := strings.Join(ana.taken(), "; "); strings.Contains(got, "connected ana [\"") || !strings.HasSuffix(got, "reason=ended") {
				t.Errorf("put back into the room: %s", got)
			}
			ana.heard("red", "one")
			ana.request("join", "red") // by its own wish it may
			if got := hub.Namespace("").Rooms(); len(got) != 2 {
				t.Errorf("rooms %q, want two", got)
			}
		})
	}
}

// Kicked while present: the same. Nothing after the kick, even if the reader
// was in the middle of what came before.
func TestKickWhilePresent(t *testing.T) {
	for _, keep := range []string{wire.SessionNone, wire.SessionNew} {
		t.Run(keep, func(t *testing.T) {
			hub := newHub(t, chat.Config{})
			ana := dial(t, hub, "ana")
			ana.batch = 1
			ana.connect(keep, "red")
			bob := enter(t, hub, "bob", "red")
			ana.taken()
			for _, s := range []string{"one", "two", "three"} {
				bob.say("red", s)
			}
			bufs, _ := ana.conn.Next(nil, 1)
			ana.take(bufs)
			hub.Namespace("").Kick("red", "ana", "")
			bob.say("red", "four")
			bob.request("leave", "red")
			ana.heard("red", "one", "two", "three")
			if got := ana.taken("event", "connected"); len(got) != 1 || got[0] != "error removed red" {
				t.Errorf("got %q", got)
			}
			if keep == wire.SessionNew {
				if n := len(hub.Namespace("").Rooms()); n != 2 {
					t.Errorf("%d rooms: what was not acknowledged is gone", n)
				}
				ana.consume("red")
			}
			if got := hub.Namespace("").Rooms(); len(got) != 1 {
				t.Errorf("rooms %q, want the lobby alone", got)
			}
		})
	}
}
