package chat_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// "Coming back races with live traffic: read the log up to the head, then go
// on live, without gap or duplicate."
//
// "The invariants — no unreported gap, no duplicate handed to the application,
// order within a room, bounded memory — are checked by the tests on every run,
// over thousands of seeded fault scripts."

// A world is a hub and its members under a script of random faults. Everything
// happens in one goroutine, so a seed replays.
type world struct {
	t        *testing.T
	seed     uint64
	rand     *rand.Rand
	hub      *chat.Hub
	queue    *missed.Queue
	disk     *disk // nil with a store in memory
	limits   missed.Config
	watcher  *client // in all rooms, reads everything at once
	members  []*member
	logs     map[missed.Key]map[uint64]*said // what the watcher saw
	texts    int
	restarts int
	steps    []string
}

// said is one event in a log.
type said struct {
	text   string
	hidden []string // names of those who may not see it
}

// A member is a client with a kept session, and what must be true of it.
type member struct {
	*client
	away    bool
	pending map[uint64]*emitted // without an answer yet, by message id
	done    map[uint64]uint64   // answers, by message id: 0 is refused
	out     map[string]uint64   // rooms that it was removed from, and the head then
	begun   map[string]uint64   // where it joined
}

type emitted struct {
	room, text string
	flags      wire.Flags
}

var raceRooms = []string{"red", "blue"}

func newWorld(t *testing.T, seed uint64, durable bool) *world {
	w := &world{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), logs: make(map[missed.Key]map[uint64]*said)}
	w.limits = missed.Config{Limits: missed.Limits{Count: 3 + w.rand.IntN(60), Bytes: 200 + w.rand.Int64N(40_000)}, HotBytes: 500}
	if durable {
		w.disk = newDisk()
	}
	w.start()
	w.watcher = enter(t, w.hub, "watcher", raceRooms...)
	w.watcher.quiet, w.watcher.tap = true, w.saw
	for i := range 3 {
		name := fmt.Sprint("m", i)
		m := &member{client: enterKept(t, w.hub, name, raceRooms...), pending: make(map[uint64]*emitted), done: make(map[uint64]uint64),
			out: make(map[string]uint64), begun: make(map[string]uint64)}
		m.quiet = true
		for _, r := range raceRooms {
			m.begun[r] = m.place(r).seq
		}
		w.members = append(w.members, m)
	}
	return w
}

func (w *world) start() {
	if w.disk != nil {
		w.queue = w.disk.open(w.t, w.limits)
	} else {
		w.limits.Store = missed.NewMemory()
		q, err := missed.Open(w.limits)
		if err != nil {
			w.t.Fatal(err)
		}
		w.queue = q
	}
	hub, err := chat.New(chat.Config{Queue: w.queue, Rate: -1, PingInterval: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub = hub
}

func (w *world) stop() {
	w.hub.Close("stop")
	w.queue.Close()
}

func (w *world) note(format string, args ...any) {
	w.steps = append(w.steps, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s\nlast steps:\n  %s", w.seed, fmt.Sprintf(format, args...), strings.Join(w.steps[max(0, len(w.steps)-60):], "\n  "))
}

// watch takes in what was published, as it stands in the logs.
func (w *world) watch() {
	if w.disk != nil {
		w.disk.settle(w.t, w.queue)
	}
	w.watcher.pump()
	if p := w.watcher.place("red"); p.lost != 0 || len(p.faults) > 0 {
		w.fail("the watcher itself lost events: %+v", p)
	}
}

// saw notes an event that the watcher got.
func (w *world) saw(e *wire.Envelope) {
	if e.Kind != wire.KindEvent || e.Seq == 0 {
		return
	}
	key := missed.Key{Room: string(e.Room)}
	if w.logs[key] == nil {
		w.logs[key] = make(map[uint64]*said)
	}
	s := &said{text: string(e.Args[2 : len(e.Args)-2])}
	if e.Flags&wire.FlagBroadcast != 0 {
		s.hidden = []string{string(e.Sender)}
	}
	if who, ok := strings.CutPrefix(s.text, "not for "); ok {
		s.hidden = []string{strings.Fields(who)[0]}
	}
	w.logs[key][e.Seq] = s
}

func (w *world) text() string { w.texts++; return fmt.Sprint("t", w.texts) }

func (w *world) step() {
	m := w.members[w.rand.IntN(len(w.members))]
	room := raceRooms[w.rand.IntN(len(raceRooms))]
	switch n := w.rand.IntN(100); {
	case n < 30: // somebody publishes
		for range 1 + w.rand.IntN(4) {
			w.watcher.emit(room, "chat", 0, w.text()+strings.Repeat("x", w.rand.IntN(300)))
			w.watch()
		}
		w.note("watcher publishes in %s, head %d", room, w.watcher.place(room).seq)
	case n < 35: // not for everyone
		text := fmt.Sprintf("not for %s %s", m.name, w.text())
		who := m.ownRoom(w)
		if who == "" {
			return
		}
		if err := w.hub.Namespace("").To(room).Except(who).Emit("chat", text); err != nil {
			w.fail("Emit: %v", err)
		}
		w.watch()
		w.note("hidden from %s in %s, head %d", m.name, room, w.watcher.place(room).seq)
	case n < 45: // a member publishes, perhaps again
		if m.away {
			return
		}
		m.emitSafely(w, room)
	case n < 70: // a member reads, and perhaps the connection breaks on the way
		if m.away {
			return
		}
		m.read(w)
	case n < 80: // acknowledges some
		if m.away {
			return
		}
		p := m.place(room)
		if seq := p.seq - min(p.seq, w.rand.Uint64N(4)); p.epoch != 0 {
			m.put(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte(room), Seq: seq, Args: epochBody(p.epoch)})
			m.conn.Flush()
			w.note("%s consumed %s %d", m.name, room, seq)
		}
	case n < 84:
		if !m.away {
			m.drop()
			m.away = true
			w.note("%s drops", m.name)
		}
	case n < 94:
		m.comeBack(w)
	case n < 96:
		m.kicked(w, room)
	case n < 99:
		if _, out := m.out[room]; out && !m.away {
			m.joinAgain(w, room)
		}
	default:
		if w.disk != nil {
			w.restart()
		}
	}
	if m.broken != nil && !m.away {
		w.fail("%s: Receive = %v", m.name, m.broken)
	}
}

// restart stops the server and starts it again on the same disk.
func (w *world) restart() {
	w.note("the server restarts")
	w.restarts++
	w.watch()
	claims := w.watcher.resumption().Rooms
	w.stop()
	for _, m := range w.members {
		m.away = true
	}
	w.start()
	for _, m := range w.members {
		m.hub = w.hub
	}
	w.watcher.hub = w.hub
	w.watcher.attach()
	w.watcher.tryConnect(wire.Connect{Name: "watcher", Rooms: claims})
	w.watch()
	for _, rc := range claims {
		if p := w.watcher.place(rc.Room); slices.Contains(raceRooms, rc.Room) && (p.seq != rc.Seq || p.epoch != uint64(rc.Epoch) && p.seq > 0) {
			w.fail("%s: the log stood at %d and is at %d after the restart", rc.Room, rc.Seq, p.seq)
		}
	}
}

// finish brings everybody back and checks that nothing is missing.
func (w *world) finish() {
	for _, m := range w.members {
		m.away = true
		m.drop()
		m.attach()
		m.tryConnect(m.resumption())
		if m.socket[""] == "" {
			w.fail("%s: not resumed at the end: %q", m.name, m.fault.Code)
		}
		for i := 0; i < 3; i++ { // what has no answer is sent again
			for id, em := range m.pending {
				m.put(&wire.Envelope{Kind: wire.KindEvent, Flags: em.flags | wire.FlagAck | wire.FlagRetry, ID: id, Room: []byte(em.room), Event: []byte("chat"), Args: encodeArgs([]any{em.text})})
				m.conn.Flush()
				w.watch()
			}
			m.link.woken.Store(true)
			for m.link.woken.Swap(false) {
				for bufs, some := m.conn.Next(nil, 1000); some; bufs, some = m.conn.Next(nil, 1000) {
					m.swallow(w, bufs, -1)
				}
			}
		}
		if len(m.pending) > 0 {
			w.fail("%s: %d emits without an answer", m.name, len(m.pending))
		}
	}
	for _, m := range w.members {
		m.pump()
		for _, room := range raceRooms {
			m.owed(w, room)
		}
	}
	for key, log := range w.logs {
		l := w.queue.Lookup(key)
		seen := make(map[string]uint64)
		for seq, s := range log {
			// A server that starts again knows the message ids of what it kept.
			if other, twice := seen[s.text]; twice && (w.restarts == 0 || min(seq, other) >= l.First()) {
				w.fail("%v: %q is both %d and %d", key, s.text, seq, other)
			}
			seen[s.text] = seq
		}
		if l.Count() > w.limits.Limits.Count {
			w.fail("%v: %d events are kept, at most %d", key, l.Count(), w.limits.Limits.Count)
		}
	}
}

// seeds is how many of n scripts are run.
func seeds(n int) uint64 {
	if underRace || testing.Short() {
		n /= 10
	}
	return uint64(n)
}

func TestResumeRace(t *testing.T) { run(t, 0, seeds(3000), false) }

func TestResumeRaceDurable(t *testing.T) { run(t, 1_000_000, seeds(600), true) }

func run(t *testing.T, first, n uint64, durable bool) {
	for seed := range n {
		w := newWorld(t, first+seed, durable)
		for range 150 {
			w.step()
		}
		w.finish()
		w.stop()
	}
}
