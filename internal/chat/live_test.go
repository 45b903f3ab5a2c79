package chat_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A survivor is a member with real goroutines: one that sends, and for each
// connection one that reads.
type survivor struct {
	*client
	seed uint64
	rand *rand.Rand

	mu   sync.Mutex // guards the client's state, and what follows
	now  *reading
	ends map[string]uint64 // rooms that it was removed from, and where they end
	errs []string
}

// A reading is one connection and the goroutine that reads from it.
type reading struct {
	s    *survivor
	conn *chat.Conn
	link *link
	draw *rand.Rand
	over chan struct{} // closed when nobody wants it any more
	done chan struct{} // closed when the goroutine has ended
	in   chan bool     // whether Connected came, once it is known

	// Guarded by s.mu: the newest event that was handed out after the next
	// connection was made, and what may be delivered twice on this one.
	after, again map[string]uint64
}

// dial connects: resumes, unless it is the first time. It returns the reading
// before, which goes on for now: its connection is still there.
func (s *survivor) dial(session string) (before *reading) {
	r := &reading{
		s: s, link: newLink(s.info), draw: rand.New(rand.NewPCG(s.seed, s.rand.Uint64())),
		over: make(chan struct{}), done: make(chan struct{}), in: make(chan bool, 1),
		after: make(map[string]uint64), again: make(map[string]uint64),
	}
	conn, err := s.hub.Attach(r.link, nil)
	if err != nil {
		panic(err)
	}
	r.conn = conn
	s.mu.Lock()
	before, s.now = s.now, r
	s.conn, s.link, s.broken = conn, r.link, nil
	body := wire.Connect{Name: s.name, Session: session}
	if session == wire.SessionResume {
		body = s.resumption()
	} else {
		body.Rooms = []wire.RoomCursor{{Room: "red"}, {Room: "blue"}}
	}
	s.socket[""] = ""
	s.mu.Unlock()
	go r.run()
	s.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(body)})
	if <-r.in {
		// Only now it has the secret, and may be heard.
		s.put(&wire.Envelope{Kind: wire.KindPing})
		s.conn.Flush()
	}
	return before
}

func (s *survivor) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, fmt.Sprintf("seed %d, %s: %s", s.seed, s.name, fmt.Sprintf(format, args...)))
}

// run takes what the hub has, until the connection breaks: by somebody else,
// or by itself between a Next and the write.
func (r *reading) run() {
	defer close(r.done)
	defer r.connected(false)
	for {
		select {
		case <-r.over:
			return
		case <-r.link.bell:
		}
		for {
			bufs, some := r.conn.Next(nil, 1+r.draw.IntN(4000))
			if !some {
				break
			}
			if r.draw.IntN(200) == 0 {
				r.conn.Detach("broken while writing")
				return
			}
			r.s.mu.Lock()
			for _, b := range bufs {
				for len(b) > 0 {
					envelope, rest, err := wire.SplitFrame(b)
					if err != nil || envelope == nil {
						panic(fmt.Sprint("no whole frames: ", err))
					}
					e, err := wire.Decode(envelope)
					if err != nil {
						panic(err)
					}
					r.take(&e)
					b = rest
				}
			}
			r.s.mu.Unlock()
		}
	}
}

func (r *reading) connected(yes bool) {
	select {
	case r.in <- yes:
	default:
	}
}

// take is what the client does with one envelope.
func (r *reading) take(e *wire.Envelope) {
	s, room := r.s, string(e.Room)
	if s.now != r { // there is another connection: what comes here is lost
		if e.Kind == wire.KindEvent {
			r.after[room] = max(r.after[room], e.Seq)
		}
		return
	}
	s.receive(e)
	switch e.Kind {
	case wire.KindConnected:
		r.connected(true)
	case wire.KindCursor:
		var p wire.Position
		s.decode(e, &p)
		if p.Recovered != nil && p.Reason != "ended" {
			r.again[room] = max(e.Seq, p.Redelivered)
		}
	case wire.KindError:
		var f wire.Fault
		s.decode(e, &f)
		if room == "" && f.Code != "not_in_room" && f.Code != "replaced" {
			s.errs = append(s.errs, "refused: "+f.Message)
			r.connected(false)
		}
	}
}

// end ends a reading, the former of next.
func (r *reading) end(next *reading) {
	close(r.over)
	<-r.done
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for room, seq := range r.after {
		if again, known := next.again[room]; known && seq > again {
			r.s.errs = append(r.s.errs, fmt.Sprintf("seed %d, %s: event %d in %s was handed to the connection before, and only up to %d may be so",
				r.s.seed, r.s.name, seq, room, again))
		}
	}
}

// removed notes where a room ends for the member.
func (s *survivor) removed(e *wire.Envelope) {
	room := string(e.Room)
	switch e.Kind {
	case wire.KindError:
		if strings.Contains(string(e.Args), `"removed"`) {
			s.ends[room] = e.Seq
		}
	case wire.KindCursor:
		var p wire.Position
		s.decode(e, &p)
		if _, known := s.ends[room]; p.Reason == "ended" && !known {
			s.ends[room] = p.Head
		}
	case wire.KindEvent:
		if end, out := s.ends[room]; out && e.Seq > end {
			s.errs = append(s.errs, fmt.Sprintf("event %d in %s, from which it was removed at %d", e.Seq, room, end))
		}
	}
}

// live does n random things.
func (s *survivor) live(n int) {
	for s.dial(wire.SessionNew); s.session == ""; s.dial(wire.SessionNew) {
		// Broken before it was connected.
	}
	for range n {
		s.mu.Lock()
		room := raceRooms[s.rand.IntN(2)]
		place := *s.place(room)
		end, out := s.ends[room]
		s.mu.Unlock()
		switch {
		case s.rand.IntN(12) == 0:
			s.conn.Detach("gone") // what was on its way is lost
			s.comeBack()
		case s.rand.IntN(40) == 0 || s.broken != nil:
			s.comeBack() // the old connection is still there
		case out && place.seq >= end:
			// Read to its end, and acknowledged: in again.
			s.put(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte(room), Seq: place.seq, Args: epochBody(place.epoch)})
			s.mu.Lock()
			delete(s.rooms, missed.Key{Room: room})
			delete(s.ends, room)
			delete(s.now.again, room)
			s.mu.Unlock()
			s.put(&wire.Envelope{Kind: wire.KindEvent, Event: []byte("join"), Args: encodeArgs([]any{room})})
		case s.rand.IntN(3) == 0 && place.epoch != 0:
			s.put(&wire.Envelope{Kind: wire.KindConsumed, Room: []byte(room), Seq: place.seq, Args: epochBody(place.epoch)})
		default:
			s.put(&wire.Envelope{Kind: wire.KindEvent, Flags: wire.Flags(s.rand.IntN(2)) * wire.FlagBroadcast, Room: []byte(room), Event: []byte("chat"), Args: []byte("[]")})
		}
		s.conn.Flush()
		runtime.Gosched()
	}
}

// comeBack resumes, while the connection before is perhaps still read from.
func (s *survivor) comeBack() {
	if s.link.closed.Load() || s.rand.IntN(2) == 0 {
		s.conn.Detach("closed")
	}
	before := s.dial(wire.SessionResume)
	before.end(s.now)
}

// The same race with real goroutines, for the race detector: members that
// publish, acknowledge, break and come back, publishers and somebody who
// kicks.
func TestLive(t *testing.T) {
	for seed := range uint64(40) {
		live(t, seed, seed%3 == 2)
	}
}

func live(t *testing.T, seed uint64, durable bool) {
	draw := rand.New(rand.NewPCG(seed, 2))
	cfg := chat.Config{PingInterval: time.Hour}
	limits := missed.Config{Limits: missed.Limits{Count: 20 + draw.IntN(300)}}
	if durable {
		cfg.Queue = newDisk().open(t, limits)
	}
	hub := newHub(t, cfg, limits)
	var all []*survivor
	for i := range 4 {
		name := fmt.Sprint("m", i)
		all = append(all, &survivor{
			seed: seed, rand: rand.New(rand.NewPCG(seed, uint64(10+i))), ends: make(map[string]uint64),
			client: &client{t: t, hub: hub, name: name, quiet: true, info: chat.Info{Transport: "tcp"}, rooms: make(map[missed.Key]*place),
				socket: make(map[string]string), asked: make(map[string]uint64)},
		})
	}
	var work sync.WaitGroup
	for _, s := range all {
		s.tap = s.removed
		work.Go(func() { s.live(150) })
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	ns := hub.Namespace("")
	others.Go(func() { // the server publishes, and removes people
		draw := rand.New(rand.NewPCG(seed, 3))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			room := raceRooms[draw.IntN(2)]
			switch draw.IntN(30) {
			case 0:
				ns.Kick(room, fmt.Sprint("m", draw.IntN(4)), "")
			case 1:
				hub.Snapshot()
			case 2:
				ns.Explain(room, 1+draw.Uint64N(100))
			case 3:
				ns.To("red", "blue").Volatile().Emit("now")
			default:
				ns.To("red", "blue").Emit("chat", n)
			}
			runtime.Gosched()
		}
	})
	work.Wait()
	close(stop)
	others.Wait()
	for _, s := range all {
		close(s.now.over)
		<-s.now.done
		s.conn.Detach("the end")
		if durable {
			// Everything is committed before the last look.
			done := make(chan error)
			cfg.Queue.After(func(err error) { done <- err })
			<-done
		}
		s.now = nil
		s.attach()
		s.tryConnect(s.resumption())
		s.pump()
		if s.socket[""] == "" {
			s.fail("not resumed: %s", s.fault.Code)
		}
		for _, room := range raceRooms {
			p := s.place(room)
			for _, f := range p.faults {
				s.fail("%s: %s", room, f)
			}
			if p.unmarked > 0 {
				s.fail("%s: %d duplicates were not marked", room, p.unmarked)
			}
			for i, seq := range p.seqs {
				if i > 0 && seq <= p.seqs[i-1] {
					s.fail("%s: %d after %d", room, seq, p.seqs[i-1])
				}
			}
			if _, out := s.ends[room]; !out && p.epoch != 0 && p.seq != p.head {
				s.fail("%s: it stands at %d, the head is %d", room, p.seq, p.head)
			}
		}
		for _, e := range s.errs {
			t.Error(e)
		}
	}
	for _, m := range hub.Snapshot().Members {
		for _, c := range m.Cursors {
			if c.Sent > c.Head || c.Consumed > c.Sent {
				t.Errorf("seed %d: %s in %s consumed %d of %d sent of %d", seed, m.Name, c.Room, c.Consumed, c.Sent, c.Head)
			}
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// A reader that parks while an event comes must not miss it: each round
// publishes two, of which the second meets the readers on their way to sleep,
// and then waits until all have both.
func TestNoLostWake(t *testing.T) {
	hub := newHub(t, chat.Config{})
	pub := enter(t, hub, "pub", "lobby")
	const readers = 8
	rounds := 4000
	if underRace {
		rounds = 1000
	}
	got := make(chan uint64, 2*readers)
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range readers {
		c := enter(t, hub, fmt.Sprint("m", i), "lobby")
		c.pump()
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-c.link.bell:
				}
				for bufs, some := c.conn.Next(nil, 1<<20); some; bufs, some = c.conn.Next(nil, 1<<20) {
					for _, b := range bufs {
						for len(b) > 0 {
							envelope, rest, _ := wire.SplitFrame(b)
							if e, _ := wire.Decode(envelope); e.Seq > 0 && e.Kind == wire.KindEvent {
								got <- e.Seq
							}
							b = rest
						}
					}
				}
			}
		})
	}
	defer work.Wait()
	defer close(stop)
	late := time.NewTimer(10 * time.Second)
	for n := range uint64(rounds) {
		for range 2 {
			e := wire.Envelope{Kind: wire.KindEvent, Room: []byte("lobby"), Event: []byte("chat")}
			if err := pub.conn.Receive(&e); err != nil {
				t.Fatal(err)
			}
			pub.conn.Flush()
			for began, d := time.Now(), time.Duration(n%40)*500*time.Nanosecond; time.Since(began) < d; {
			}
		}
		late.Reset(10 * time.Second)
		for i := range 2 * readers {
			select {
			case <-got:
			case <-late.C:
				t.Fatalf("round %d: only %d of %d deliveries came", n, i, 2*readers)
			}
		}
	}
}
