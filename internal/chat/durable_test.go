package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// "an acknowledged event survives [...] power loss (fsync before the ack, one
// for a whole batch)": nobody sees it, and its publisher is not answered,
// before the commit is done.
func TestAckAfterCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		hub := newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour})
		ana, bob := enter(t, hub, "ana", "lobby"), enter(t, hub, "bob", "lobby")
		ana.taken()
		bob.taken()
		store.hold()
		var ids []uint64
		for i := range 5 {
			ids = append(ids, ana.emit("lobby", "chat", wire.FlagAck, i))
		}
		synctest.Wait()
		ana.want()
		bob.want()
		store.release()
		synctest.Wait()
		var acks, events []string
		for _, f := range ana.taken() {
			if strings.HasPrefix(f, "ack") {
				acks = append(acks, f)
			} else {
				events = append(events, f)
			}
		}
		for i, id := range ids {
			if want := fmt.Sprintf("ack %d lobby %d", id, i+1); i >= len(acks) || acks[i] != want {
				t.Errorf("acks %q, want %s at %d", acks, want, i)
			}
		}
		if n := len(bob.taken()); n != 5 || len(events) != 5 {
			t.Errorf("bob got %d events, ana %d, want 5", n, len(events))
		}
		if c := hub.Snapshot().Totals.Commits; c > 3 {
			t.Errorf("%d commits for 5 events: not in batches", c)
		}
	})
}

// The same for what changes a session: Connected with a new secret, joins,
// leaves and kicks are answered when they are stored.
func TestRequestAfterCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		hub := newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour, Operators: []string{"ana"}})
		ana, bob := enterKept(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby")
		ana.taken()
		for _, args := range []string{`join ["red"]`, `leave ["red"]`, `nick ["Ana"]`, `direct ["bob","x"]`, `nick ["ana"]`, `kick ["lobby","bob"]`, `ban ["eve"]`} {
			event, args, _ := strings.Cut(args, " ")
			store.hold()
			ana.id++
			ana.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, ID: ana.id, Event: []byte(event), Args: []byte(args)})
			synctest.Wait()
			for _, f := range ana.taken() {
				if strings.HasPrefix(f, "ack") {
					t.Errorf("%s was answered before it was stored: %s", event, f)
				}
			}
			store.release()
			synctest.Wait()
			if got := strings.Join(ana.taken("event", "cursor"), ";"); !strings.HasPrefix(got, fmt.Sprintf("ack %d [", ana.id)) {
				t.Errorf("%s: %s", event, got)
			}
		}
		// A resume: the reader waits, nothing is taken in before.
		bob.drop()
		bob.attach()
		store.hold()
		go bob.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(bob.resumption())})
		synctest.Wait()
		bob.want()
		store.release()
		synctest.Wait()
		if got := bob.taken(); len(got) == 0 || !strings.HasPrefix(got[0], "connected bob") {
			t.Errorf("got %q", got)
		}
	})
}

// "disk full [...]: the publisher gets an error; the server keeps serving what
// it can; nothing acknowledged is lost."
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		queue := store.open(t, missed.Config{HotBytes: 1})
		hub := newHub(t, chat.Config{Queue: queue, PingInterval: time.Hour})
		ana, bob := enterKept(t, hub, "ana", "lobby"), enterKept(t, hub, "bob", "lobby")
		ana.taken()
		emit := func(text string) string {
			id := ana.emit("lobby", "chat", wire.FlagAck, text)
			synctest.Wait()
			for _, f := range ana.taken() {
				if rest, ok := strings.CutPrefix(f, fmt.Sprintf("ack %d ", id)); ok {
					return rest
				}
			}
			return "no answer"
		}
		if got := emit("one"); got != "lobby 1" {
			t.Fatalf("emit = %s", got)
		}
		store.set(errDisk, nil)
		if got := emit("refused"); got != "failed store" {
			t.Errorf("emit to a full disk = %s", got)
		}
		id := ana.emit("", "join", wire.FlagAck, "red")
		synctest.Wait()
		if got := ana.taken("event", "cursor"); len(got) != 1 || got[0] != fmt.Sprintf("ack %d failed store", id) {
			t.Errorf("join: %q", got)
		}
		ana.ping()
		// Nobody can resume, for the new secret cannot be stored; the old one
		// stays good.
		bob.drop()
		bob.attach()
		bob.tryConnect(bob.resumption())
		bob.want("error store")
		if bob.fault.RetryMS == 0 {
			t.Error("store: the client is not told to try again")
		}
		// The disk has room again.
		store.set(nil, nil)
		if got := emit("two"); got != "lobby 2" {
			t.Errorf("emit = %s", got)
		}
		bob.resume()
		synctest.Wait()
		bob.heard("lobby", "one", "two")
		bob.ping()

		// What is on the disk cannot be read: who needs it waits, and goes on
		// when it can be read again, without anything new being said.
		bob.drop()
		long := strings.Repeat("x", 5000) // more than a room keeps in memory
		for range 3 {
			emit(long)
		}
		store.set(nil, errDisk)
		bob.resume()
		bob.heard("lobby", "one", "two")
		bob.ping()
		if faults(hub, "store") == 0 {
			t.Error("the failure was not counted")
		}
		store.set(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		bob.heard("lobby", "one", "two", long, long, long)
	})
}

// A commit that fails takes nothing along that was acknowledged, and a retry
// of what was refused is a new message.
func TestRetryAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		hub := newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour})
		ana := enter(t, hub, "ana", "lobby")
		ana.taken()
		store.set(errDisk, nil)
		id := ana.emit("lobby", "chat", wire.FlagAck, "x")
		synctest.Wait()
		ana.want("ack " + itoa(id) + " failed store")
		store.set(nil, nil)
		for range 2 {
			ana.send(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck | wire.FlagRetry, ID: id, Room: []byte("lobby"), Event: []byte("chat"), Args: []byte(`["x"]`)})
			synctest.Wait()
			if got := ana.taken("event"); len(got) != 1 || got[0] != "ack "+itoa(id)+" lobby 1" {
				t.Errorf("the retry got %q", got)
			}
		}
		ana.heard("lobby", "x")
	})
}

// Who has heard that it is in a room is in it after a crash, also if nothing
// was said there: the room is stored before the client hears of it.
func TestCrashAfterConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		hub := newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour})
		bob := enterKept(t, hub, "bob", "lobby", "red")
		// No second has passed: what was put aside for later is not stored.
		bob.hub = newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour})
		bob.attach()
		bob.resume()
		if got := fmt.Sprint(bob.connected.Rooms); got != "[lobby red]" {
			t.Errorf("after a crash bob is in %s", got)
		}
		bob.say("red", "here")
		synctest.Wait()
		bob.heard("red", "here")

		// Both crash. What bob may have had before is marked when it comes
		// again, although the server's note of it was not stored.
		bob.place("red").seq = 0
		bob.hub = newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour})
		bob.attach()
		bob.resume()
		if p := bob.place("red"); p.seq != 1 || p.marked != 1 {
			t.Errorf("after another crash: got up to %d, marked up to %d, want 1 and 1", p.seq, p.marked)
		}
	})
}

// A room that is empty at a start of the server gets its epoch then. Whoever
// is away meanwhile comes back after one more start, and misses nothing.
func TestEpochOfAnEmptyRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newDisk()
		again := func() *chat.Hub { return newHub(t, chat.Config{Queue: store.open(t), PingInterval: time.Hour}) }
		bob := enterKept(t, again(), "bob", "lobby")
		ana := enter(t, again(), "ana", "lobby")
		ana.say("lobby", "while bob is away")
		synctest.Wait()
		bob.hub = again()
		bob.attach()
		bob.resume()
		synctest.Wait()
		bob.heard("lobby", "while bob is away")
		if p := bob.place("lobby"); len(p.reasons) > 0 {
			t.Errorf("bob was told of a loss: %q", p.reasons)
		}
	})
}
