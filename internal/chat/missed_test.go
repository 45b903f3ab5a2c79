package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// "The missed-message queue keeps an event until the client that missed it
// comes back and consumes it": three away, five messages, in order, once.
func TestMissedMessages(t *testing.T) {
	hub := newHub(t, chat.Config{})
	pub := enter(t, hub, "pub", "lobby")
	kept, plain := enterKept(t, hub, "kept", "lobby"), enter(t, hub, "plain", "lobby")
	pub.say("lobby", "before")
	kept.pump()
	plain.pump()
	kept.consume("lobby")
	kept.drop()
	plain.drop()
	for i := range 5 {
		pub.say("lobby", fmt.Sprint(i))
	}
	kept.resume()
	want := []string{"connected kept [\"lobby\"] resumed", "cursor . 0>0 head=0 recovered=true", "cursor lobby 1>1 head=6 recovered=true"}
	for i := range 5 {
		want = append(want, fmt.Sprintf(`event lobby %d<%d pub chat ["%d"]`, i+2, i+1, i))
	}
	kept.want(want...)
	kept.heard("lobby", "before", "0", "1", "2", "3", "4")
	// Without a session nothing waits; but it is told how much it missed.
	plain.attach()
	plain.tryConnect(wire.Connect{Name: "plain", Rooms: []wire.RoomCursor{
		{Room: "lobby", Epoch: wire.Epoch(plain.place("lobby").epoch), Seq: plain.place("lobby").seq},
	}})
	plain.want("connected plain []", "cursor . 0>0 head=0", "cursor lobby 1>6 head=6 lost=5 reason=left recovered=false")
	plain.heard("lobby", "before")
}

// "Unacked is delivered again, marked as redelivered. The client drops what it
// has seen." Acks are cumulative and explicit.
func TestRedelivery(t *testing.T) {
	hub := newHub(t, chat.Config{})
	pub, ana := enter(t, hub, "pub", "lobby"), enterKept(t, hub, "ana", "lobby")
	for i := range 4 {
		pub.say("lobby", fmt.Sprint(i))
	}
	ana.pump()
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 1})
	ana.drop()
	pub.say("lobby", "4")
	// A client that forgot what it handled: its claim is empty.
	ana.attach()
	body := ana.resumption()
	body.Rooms = nil
	ana.tryConnect(body)
	ana.want("connected ana [\"lobby\"] resumed", "cursor . 0>0 head=0 recovered=true", "cursor lobby 1>1 head=5 again=4 recovered=true",
		`event lobby 2<1 pub chat ["1"]`, `event lobby 3<2 pub chat ["2"]`, `event lobby 4<3 pub chat ["3"]`, `event lobby 5<4 pub chat ["4"]`)
	if p := ana.place("lobby"); p.again != 3 {
		t.Errorf("%d duplicates were dropped, want 3", p.again)
	}
	ana.heard("lobby", "0", "1", "2", "3", "4")
	// One that handled more than it could acknowledge says so, and is not
	// sent it again; but it cannot claim what there is not.
	ana.resume()
	ana.want("connected ana [\"lobby\"] resumed", "cursor . 0>0 head=0 recovered=true", "cursor lobby 5>5 head=5 recovered=true")
	ana.drop()
	pub.say("lobby", "5")
	ana.attach()
	body = ana.resumption()
	for i := range body.Rooms {
		body.Rooms[i].Seq = 99
	}
	ana.tryConnect(body)
	ana.heard("lobby", "0", "1", "2", "3", "4", "5")
	// An acknowledgement of what was acknowledged, or of less, changes nothing.
	ana.consume("lobby")
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 2})
	ana.resume()
	ana.want("connected ana [\"lobby\"] resumed", "cursor . 0>0 head=0 recovered=true", "cursor lobby 6>6 head=6 recovered=true")
	// What it says about a room that it is not in, or a log that was: nothing.
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("red"), Seq: 2})
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 99, Args: epochBody(1)})
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 99})
	ana.ping()
}

// "A gap or another epoch is reported [...]: lost: n. Never a silent hole."
// Overflow while away: the exact count, not counting what was not for it.
func TestOverflowWhileAway(t *testing.T) {
	hub := newHub(t, chat.Config{}, missed.Config{Limits: missed.Limits{Count: 10}})
	pub, ana := enter(t, hub, "pub", "lobby"), enterKept(t, hub, "ana", "lobby", "red")
	ana.drop()
	for i := range 30 {
		pub.say("lobby", fmt.Sprint(i))
	}
	// Of those that are trimmed, two are hidden from ana.
	for range 2 {
		hub.Namespace("").To("lobby").Except("red").Emit("hidden")
	}
	for i := range 10 {
		pub.say("lobby", fmt.Sprint(30+i))
	}
	ana.resume()
	frames := ana.taken()
	if got, want := frames[2], "cursor lobby 0>32 head=42 lost=30 reason=overflow recovered=false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var texts []string
	for i := range 10 {
		texts = append(texts, fmt.Sprint(30+i))
	}
	ana.heard("lobby", texts...)
	if p := ana.place("lobby"); p.lost != 30 {
		t.Errorf("told of %d lost, want 30", p.lost)
	}
	if m := memberWith(t, hub, "ana"); m.Lost != 30 {
		t.Errorf("the snapshot has %d lost, want 30", m.Lost)
	}
	if n := hub.Snapshot().Totals.Lost; n != 30 {
		t.Errorf("the totals have %d lost, want 30", n)
	}
}

// A member that is present and reads slowly is told the same, in its place.
func TestOverflowWhileSlow(t *testing.T) {
	hub := newHub(t, chat.Config{}, missed.Config{Limits: missed.Limits{Count: 10}})
	pub, ana := enter(t, hub, "pub", "lobby"), enter(t, hub, "ana", "lobby")
	ana.taken()
	for i := range 5 {
		pub.say("lobby", fmt.Sprint(i))
	}
	ana.batch = 1
	bufs, _ := ana.conn.Next(nil, 1)
	ana.take(bufs)
	for i := range 20 {
		pub.say("lobby", fmt.Sprint(5+i))
	}
	frames := ana.taken()
	if got, want := frames[1], "cursor lobby 1>15 head=25 lost=14 reason=overflow"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p := ana.place("lobby"); p.lost != 14 || len(p.got) != 11 {
		t.Errorf("got %d and was told of %d lost, want 11 and 14", len(p.got), p.lost)
	}
	ana.sound()
}

// Older than the age limit: lost, and the reason is another.
func TestExpiryWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: time.Hour}, missed.Config{Limits: missed.Limits{Age: time.Minute}})
		pub, ana := enter(t, hub, "pub", "lobby"), enterKept(t, hub, "ana", "lobby")
		ana.drop()
		pub.say("lobby", "old")
		pub.say("lobby", "old")
		time.Sleep(30 * time.Second)
		pub.say("lobby", "new")
		time.Sleep(45 * time.Second)
		synctest.Wait()
		ana.resume()
		if got, want := ana.taken()[2], "cursor lobby 0>2 head=3 lost=2 reason=expired recovered=false"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		ana.heard("lobby", "new")
	})
}

// "refuse the publisher with an error. Never acknowledge what was not stored."
func TestRefuseNew(t *testing.T) {
	hub := newHub(t, chat.Config{}, missed.Config{Limits: missed.Limits{Count: 2}, Policy: missed.RefuseNew})
	ana := enter(t, hub, "ana", "lobby")
	ana.taken()
	ana.say("lobby", "1")
	ana.say("lobby", "2")
	id := ana.emit("lobby", "chat", wire.FlagAck, "3")
	if got := ana.taken("event"); len(got) != 1 || got[0] != "ack "+itoa(id)+" failed full" {
		t.Errorf("got %q", got)
	}
	ana.heard("lobby", "1", "2")
	if err := hub.Namespace("").To("lobby").Emit("x"); err == nil || !strings.Contains(err.Error(), "at most 2") {
		t.Errorf("Emit = %v, want an error that names the limit", err)
	}
	if n := hub.Snapshot().Totals; n.Refused != 2 || n.Published != 2 {
		t.Errorf("%d refused, %d published, want 2 and 2", n.Refused, n.Published)
	}
}

// Another epoch: the server lost its logs, and the sessions know of another.
func TestEpochChange(t *testing.T) {
	store := missed.NewMemory()
	open := func() *missed.Queue {
		q, err := missed.Open(missed.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
	hub := newHub(t, chat.Config{Queue: open()})
	ana := enterKept(t, hub, "ana", "lobby")
	enter(t, hub, "bob", "lobby").say("lobby", "lost with the server")
	ana.pump()
	hub.Close("crash")
	ana.drop()

	hub = newHub(t, chat.Config{Queue: open()})
	ana.hub = hub
	bob := enter(t, hub, "bob", "lobby")
	bob.say("lobby", "since the start")
	ana.resume()
	// Everything in the new log was published while ana was a member.
	if got, want := ana.taken()[2], "cursor lobby 0>0 head=1 reason=epoch recovered=false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ana.heard("lobby", "lost with the server", "since the start")
	ana.consume("lobby")
	ana.resume()
	if got, want := ana.taken()[2], "cursor lobby 1>1 head=1 recovered=true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ana.heard("lobby", "lost with the server", "since the start")
}

// A client whose cursor is in an older log of the room than its membership.
func TestEpochOfTheClaim(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enterKept(t, hub, "ana", "red"), enter(t, hub, "bob")
	ana.say("red", "old log")
	ana.pump()
	claim := *ana.place("red")
	ana.request("leave", "red") // the room is deleted
	ana.request("join", "red")
	bob.request("join", "red")
	ana.drop()
	bob.say("red", "new log")
	*ana.place("red") = claim // as if the connection had broken before the answer to join
	ana.resume()
	if got, want := ana.taken()[2], "cursor red 0>0 head=1 reason=epoch recovered=false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ana.heard("red", "old log", "new log")
	// A late acknowledgement about the old log is not a fault.
	ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("red"), Seq: 50, Args: epochBody(claim.epoch)})
	ana.ping()
}

// A durable server starts again: events, sessions, cursors and bans are there,
// and rooms in which nothing was ever said are not reported as lost.
func TestRestart(t *testing.T) {
	store := newDisk()
	queue := store.open(t)
	hub := newHub(t, chat.Config{Queue: queue})
	ana, bob := enterKept(t, hub, "ana", "lobby", "red", "idle"), enterKept(t, hub, "bob", "lobby")
	bob.say("lobby", "one")
	store.settle(t, queue)
	ana.pump()
	ana.consume("lobby")
	ana.drop()
	bob.say("lobby", "two")
	bob.request("direct", "ana", "note", "three")
	if err := hub.Ban("eve", ""); err != nil {
		t.Fatal(err)
	}
	hub.Namespace("").Kick("red", "ana", "") // nothing was said there
	hub.Close("restart")
	queue.Close()

	queue = store.open(t)
	hub = newHub(t, chat.Config{Queue: queue})
	ana.hub, bob.hub = hub, hub
	eve := dial(t, hub, "eve")
	eve.tryConnect(wire.Connect{Name: "eve"})
	eve.want("error banned")
	eve.tryConnect(wire.Connect{Name: "ana"})
	eve.want("error name_taken")
	ana.resume()
	frames := ana.taken()
	for _, f := range frames {
		if strings.Contains(f, "reason=epoch") {
			t.Errorf("reported as lost: %s", f)
		}
	}
	ana.heard("lobby", "one", "two")
	if !slices.ContainsFunc(frames, func(f string) bool { return strings.HasSuffix(f, ` bob note ["three"] [direct]`) }) {
		t.Errorf("the direct message is not there: %q", frames)
	}
	if slices.Contains(ana.connected.Rooms, "red") {
		t.Error("put back into a room that it was kicked from")
	}
	bob.resume()
	bob.heard("lobby", "one", "two")
	// The same message again, by a publisher that was not acknowledged.
	bob.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck | wire.FlagRetry, ID: 2, Room: []byte("lobby"), Event: []byte("chat"), Args: []byte(`["two"]`)})
	store.settle(t, queue)
	if got := bob.taken("connected", "cursor", "event", "challenge"); len(got) != 1 || got[0] != "ack 2 lobby 2" {
		t.Errorf("the retry got %q, want the original place", got)
	}
}

// "Events that not everyone may see": the chain of seq and prev is whole for
// everybody, through cursors that say that something was hidden.
func TestHiddenEvents(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby", "red")
	ana.taken()
	bob.taken()
	ns := hub.Namespace("")
	ana.say("lobby", "1")
	ns.To("lobby").Except("red").Emit("chat", "2")
	ns.To("lobby").Except("red").Emit("chat", "3")
	ana.say("lobby", "4")
	ana.emit("lobby", "chat", wire.FlagBroadcast, "5")
	ana.want(`event lobby 1<0 ana chat ["1"]`, `event lobby 2<1 . chat ["2"]`, `event lobby 3<2 . chat ["3"]`, `event lobby 4<3 ana chat ["4"]`,
		"cursor lobby 4>5 head=5 hidden")
	bob.want(`event lobby 1<0 ana chat ["1"]`, "cursor lobby 1>3 head=5 hidden", `event lobby 4<3 ana chat ["4"]`, `event lobby 5<4 ana chat ["5"] [broadcast]`)
	bob.drop()
	ns.To("lobby").Except("red").Emit("chat", "6")
	bob.resume()
	if p := bob.place("lobby"); p.seq != 6 || p.hidden != 3 || p.lost != 0 {
		t.Errorf("bob stands at %d with %d hidden and %d lost, want 6, 3, 0", p.seq, p.hidden, p.lost)
	}
	bob.heard("lobby", "1", "4", "5")
	ana.heard("lobby", "1", "2", "3", "4", "6")
}

// "A member's own room is a log too, so a direct message needs no other
// mechanism": it waits for who is away.
func TestDirect(t *testing.T) {
	hub := newHub(t, chat.Config{Namespaces: []string{"game"}})
	ana, bob := enterKept(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
	cem := enter(t, hub, "cem", "lobby")
	ana.taken()
	cem.taken()
	if got := bob.request("direct", "Ana", "note", "<1>"); got != `["ana"]` {
		t.Errorf("direct = %s", got)
	}
	own := ana.taken()
	if len(own) != 2 || !strings.HasPrefix(own[0], "cursor @") || !strings.HasSuffix(own[1], ` 1<0 bob note ["<1>"] [direct]`) {
		t.Errorf("ana got %q", own)
	}
	ana.drop()
	bob.request("direct", "ana", "note", "2")
	bob.request("direct", "cem", "note")
	ana.resume()
	if got := ana.taken("connected", "cursor"); len(got) != 1 || !strings.HasSuffix(got[0], `["2"] [direct]`) {
		t.Errorf("ana, back, got %q", got)
	}
	if got := cem.taken("event lobby"); len(got) != 2 || !strings.HasSuffix(got[1], " bob note [] [direct]") {
		t.Errorf("cem got %q", got)
	}
	ana.sound()
	cem.sound()
	// Nobody is in the other namespace: nothing is kept for nobody.
	bob.connectTo("game")
	if got := bob.requestIn("game", "direct", "ana", "note"); got != "no answer" {
		t.Errorf("direct = %s", got)
	}
	if got := bob.taken(); got[len(got)-1] != "/game ack "+itoa(bob.id)+" failed no_member" {
		t.Errorf("got %q", got)
	}
	for _, r := range hub.Snapshot().Rooms {
		if r.Namespace == "game" && strings.HasPrefix(r.Room, "@") {
			t.Errorf("a room %q of nobody", r.Room)
		}
	}
}

// History: what is in the log and for the member, the newest, oldest first.
func TestHistory(t *testing.T) {
	hub := newHub(t, chat.Config{}, missed.Config{Limits: missed.Limits{Count: 200}})
	ana, bob := enter(t, hub, "ana", "lobby", "red"), enter(t, hub, "bob", "lobby")
	for i := range 300 {
		if i%3 == 0 {
			hub.Namespace("").To("lobby").Except("red").Emit("hidden")
		} else {
			bob.say("lobby", fmt.Sprint(i))
		}
	}
	ask := func(c *client, args ...any) (seqs []uint64) {
		var past []chat.Past
		c.ask(&past, "history", args...)
		for _, p := range past {
			seqs = append(seqs, p.Seq)
		}
		return seqs
	}
	if got, want := ask(ana, "lobby", 5), []uint64{294, 296, 297, 299, 300}; !slices.Equal(got, want) {
		t.Errorf("history = %v, want %v", got, want)
	}
	if got, want := ask(bob, "lobby", 3), []uint64{298, 299, 300}; !slices.Equal(got, want) {
		t.Errorf("history = %v, want %v", got, want)
	}
	if got := ask(bob, "lobby"); len(got) != 20 {
		t.Errorf("%d events without a number, want 20", len(got))
	}
	if got := ask(bob, "lobby", 100_000); len(got) != 100 {
		t.Errorf("%d events at most, want 100", len(got))
	}
	bob.say("lobby", strings.Repeat("<", 60_000))
	bob.say("lobby", strings.Repeat("<", 60_000))
	if got := ask(bob, "lobby", 10); len(got) != 1 {
		t.Errorf("%d events, want as many as fit: 1", len(got))
	}
	var past []chat.Past
	ana.say("lobby", "last")
	ana.ask(&past, "history", "lobby", 1)
	want := []chat.Past{{Seq: 303, ID: wire.Hex16(ana.id - 1), Time: past[0].Time, Sender: "ana", Event: "chat", Args: []byte(`["last"]`)}}
	if diff := cmp.Diff(want, past); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}
