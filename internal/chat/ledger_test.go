package chat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// "For each message × member: stored, sent, received, acked, duplicate
// dropped, lost (where and why)."
func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: time.Hour}, missed.Config{Limits: missed.Limits{Count: 20}})
		ns := hub.Namespace("")
		pub := enter(t, hub, "pub", "red")
		kept, slow, plain := enterKept(t, hub, "kept", "red"), enter(t, hub, "slow", "red"), enter(t, hub, "plain", "red")
		gone, kicked, away := enter(t, hub, "gone", "red"), enter(t, hub, "kicked", "red"), enterKept(t, hub, "away", "red", "blue")
		slow.info.Mode = "unreliable"
		away.drop()
		taken := time.Now()
		id := pub.say("red", "one")
		pub.pump()
		plain.pump()
		kept.pump()
		gone.drop() // before it read anything
		ns.Kick("red", "kicked", "noise")
		time.Sleep(time.Second)
		kept.consume("red")
		late := enter(t, hub, "late", "red")
		late.pump()

		fates := func(seq uint64) map[string]string {
			t.Helper()
			st, err := ns.Explain("red", seq)
			if err != nil {
				t.Fatal(err)
			}
			m := make(map[string]string)
			for _, f := range st.Members {
				s := f.Status
				if !f.Sent.IsZero() {
					s += fmt.Sprintf(" sent+%v", f.Sent.Sub(taken))
				}
				if !f.Acked.IsZero() {
					s += fmt.Sprintf(" acked+%v", f.Acked.Sub(taken))
				}
				if f.Times > 1 {
					s += fmt.Sprintf(" ×%d", f.Times)
				}
				m[f.Name] = s
			}
			return m
		}
		st, err := ns.Explain("red", 1)
		if err != nil {
			t.Fatal(err)
		}
		st.Members = nil
		want := &chat.Story{Room: "red", Seq: 1, ID: wire.Hex16(id), Sender: "pub", Event: "chat", Stored: taken.Local()}
		if diff := cmp.Diff(want, st); diff != "" {
			t.Errorf("the story (-want +got):\n%s", diff)
		}
		check := func(seq uint64, want map[string]string) {
			t.Helper()
			if diff := cmp.Diff(want, fates(seq)); diff != "" {
				t.Errorf("event %d (-want +got):\n%s", seq, diff)
			}
		}
		first := map[string]string{
			"pub": "sent sent+0s", "kept": "acked sent+0s acked+1s", "slow": "waiting", "plain": "sent sent+0s",
			"gone": "outside", "kicked": "waiting", "away": "waiting", "late": "outside",
		}
		check(1, first)
		kicked.pump() // it still gets what was before the kick
		first["kicked"] = "sent sent+1s"
		check(1, first)

		// An event that is not for all, one after the kick.
		ns.To("red").Except("blue").Emit("chat", "two")
		pub.pump()
		check(2, map[string]string{
			"pub": "sent sent+1s", "kept": "waiting", "slow": "waiting", "plain": "waiting",
			"away": "hidden", "late": "waiting", // nothing of who had gone before
		})
		// Delivered again after an absence.
		kept.pump()
		kept.drop()
		time.Sleep(time.Second)
		kept.attach()
		body := kept.resumption()
		body.Rooms = nil
		kept.tryConnect(body)
		if got := fates(2)["kept"]; got != "sent sent+1s ×2" {
			t.Errorf("kept: %s", got)
		}
		// Trimmed before it was sent.
		for range 30 {
			pub.say("red", "more")
		}
		away.resume()
		if got := fates(1)["away"]; got != "lost" {
			t.Errorf("away, after its return: %s", got)
		}
		if st, _ := ns.Explain("red", 1); !st.Trimmed || st.Sender != "" {
			t.Errorf("a trimmed event: %+v", st)
		}
		if got := fates(32)["away"]; got != "sent sent+2s" {
			t.Errorf("away, the last event: %s", got)
		}
	})
}

// explain in a chat: by number and by message id; a member is not told of what
// it must not see, but the sender is.
func TestExplainRequest(t *testing.T) {
	hub := newHub(t, chat.Config{})
	ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby", "red")
	id := ana.emit("lobby", "chat", wire.FlagBroadcast, "x")
	hub.Namespace("").To("lobby").Except("red").Emit("secret")
	bob.pump()
	var a, b, c chat.Story
	ana.ask(&a, "explain", "lobby", 1)
	bob.ask(&b, "explain", "lobby", 1)
	ana.ask(&c, "explain", "lobby", wire.Hex16(id))
	if a.Sender != "ana" || len(a.Members) != 2 || a.Members[0].Status != "hidden" {
		t.Errorf("explain = %+v", a)
	}
	for _, other := range []chat.Story{b, c} {
		if diff := cmp.Diff(a, other); diff != "" {
			t.Errorf("two ways to the same event (-first +second):\n%s", diff)
		}
	}
	if got := bob.request("explain", "lobby", 2); got != "failed no_event" {
		t.Errorf("explain of a hidden event = %s", got)
	}
	for i := range 300 {
		enter(t, hub, fmt.Sprint("guest", i), "lobby")
	}
	ana.say("lobby", "to a crowd")
	ana.ask(&a, "explain", "lobby", 3)
	if len(a.Members)+a.More != 302 || a.More == 0 {
		t.Errorf("%d fates and %d more, want 302 in all", len(a.Members), a.More)
	}
}

// What a member's trace remembers is bounded, and the losses stay longest.
func TestTraceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: time.Hour}, missed.Config{Limits: missed.Limits{Count: 2}})
		pub, ana := enter(t, hub, "pub", "lobby"), enter(t, hub, "ana", "lobby")
		for range 3 {
			pub.say("lobby", "x")
		}
		ana.pump()
		for range 500 {
			time.Sleep(20 * time.Millisecond)
			pub.say("lobby", "x")
			ana.pump()
		}
		st, err := hub.Namespace("").Explain("lobby", 1)
		if err != nil || st.Members[0].Status != "lost" {
			t.Errorf("after 500 more events: %+v, %v", st, err)
		}
		// The cursor still tells of what the trace has forgotten.
		if st, _ := hub.Namespace("").Explain("lobby", 10); st.Members[0].Status != "sent" || st.Members[0].Times != 0 {
			t.Errorf("event 10: %+v", st.Members[0])
		}
	})
}

// The snapshot's numbers.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, chat.Config{PingInterval: time.Hour, Namespaces: []string{"game"}})
		pub := enter(t, hub, "pub", "lobby")
		ana, bob := enterKept(t, hub, "ana", "lobby", "red"), enter(t, hub, "bob", "lobby")
		dial(t, hub, "half")
		ana.conn.SetRTT(7 * time.Millisecond)
		ana.conn.Note(chat.NoteRetransmit, 3)
		ana.conn.Note(chat.NoteBytesIn, 100)
		for range 4 {
			pub.say("lobby", "x")
		}
		ana.pump()
		ana.send(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte("lobby"), Seq: 3})
		ana.drop()
		time.Sleep(3 * time.Second)
		pub.say("lobby", "y")
		pub.emit("lobby", "typing", wire.FlagVolatile)
		pub.emit("nowhere", "x", 0)
		_ = bob
		s := hub.Snapshot()
		if s.Uptime != 3*time.Second || s.HalfOpen != 1 {
			t.Errorf("uptime %v, %d half-open; want 3s and 1", s.Uptime, s.HalfOpen)
		}
		if diff := cmp.Diff(map[string]uint64{"not_in_room": 1}, s.Faults); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		var rooms []string
		for _, r := range s.Rooms {
			rooms = append(rooms, fmt.Sprintf("/%s %q %d to %d: %d here, %d away", r.Namespace, r.Room, r.First, r.Head, r.Members, r.Away))
		}
		want := []string{`/ "" 1 to 0: 2 here, 1 away`, `/ "lobby" 1 to 5: 2 here, 1 away`, `/ "red" 1 to 0: 0 here, 1 away`,
			`/game "" 1 to 0: 0 here, 0 away`, `/game "lobby" 1 to 0: 0 here, 0 away`}
		if diff := cmp.Diff(want, rooms); diff != "" {
			t.Errorf("rooms (-want +got):\n%s", diff)
		}
		var members []string
		for _, m := range s.Members {
			line := fmt.Sprintf("%s away=%v delivered=%d dropped=%d retransmit=%d rtt=%v", m.Name, m.Away, m.Delivered, m.Dropped, m.Retransmit, m.RTT)
			for _, c := range m.Cursors {
				line += fmt.Sprintf(" %s:%d/%d/%d+%d", c.Room, c.Consumed, c.Sent, c.Head, c.Waiting)
			}
			members = append(members, line)
		}
		want = []string{
			"ana away=true delivered=4 dropped=0 retransmit=3 rtt=0s lobby:3/4/5+2 red:0/0/0+0",
			"bob away=false delivered=0 dropped=1 retransmit=0 rtt=0s lobby:0/0/5+5",
			"pub away=false delivered=5 dropped=0 retransmit=0 rtt=0s lobby:5/5/5+0",
		}
		if diff := cmp.Diff(want, members); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		totals := s.Totals
		totals.Held = 0
		if diff := cmp.Diff(chat.Totals{Published: 5, Delivered: 9, Volatile: 1, Dropped: 1, Refused: 1, Retransmit: 3, BytesIn: 100, Stored: 5}, totals); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		if b, err := json.Marshal(s); err != nil || !strings.Contains(string(b), `"waiting":2`) {
			t.Errorf("as JSON: %s, %v", b, err)
		}
		var mine chat.MemberView
		pub.ask(&mine, "stats")
		if mine.Name != "pub" || mine.Delivered != 5 || len(mine.Cursors) != 1 {
			t.Errorf("stats = %+v", mine)
		}
	})
}
