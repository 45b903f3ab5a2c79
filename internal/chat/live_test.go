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

	mu     sync.Mutex // guards the client's state
	reader sync.WaitGroup
	over   chan struct{} // closed when the connection is
	in     chan bool     // whether Connected came, once it is known
	ends   map[string]uint64
	errs   []string
}

// dial connects: resumes, unless it is the first time.
func (s *survivor) dial(session string) {
	s.link = newLink(s.info)
	conn, err := s.hub.Attach(s.link, nil)
	if err != nil {
		s.fail("Attach: %v", err)
		return
	}
	s.mu.Lock()
	s.conn, s.broken = conn, nil
	body := wire.Connect{Name: s.name, Session: session}
	if session == wire.SessionResume {
		body = s.resumption()
	} else {
		body.Rooms = []wire.RoomCursor{{Room: "red"}, {Room: "blue"}}
	}
	s.socket[""] = ""
	s.over, s.in = make(chan struct{}), make(chan bool, 1)
	s.mu.Unlock()
	draw := rand.New(rand.NewPCG(s.seed, s.rand.Uint64()))
	s.reader.Go(func() {
		s.read(conn, draw, s.over, s.in)
		select {
		case s.in <- false:
		default:
		}
	})
	s.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(body)})
	if <-s.in {
		// Only now it has the secret, and may be heard.
		s.put(&wire.Envelope{Kind: wire.KindPing})
		s.conn.Flush()
	}
}

func (s *survivor) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, fmt.Sprintf("seed %d, %s: %s", s.seed, s.name, fmt.Sprintf(format, args...)))
}

// read takes what the hub has, until the connection breaks: by somebody else,
// or by itself between a Next and the write.
func (s *survivor) read(conn *chat.Conn, draw *rand.Rand, over chan struct{}, in chan bool) {
	for {
		select {
		case <-over:
			return
		case <-s.link.bell:
		}
		for {
			bufs, some := conn.Next(nil, 1+draw.IntN(4000))
			if !some {
				break
			}
			if draw.IntN(200) == 0 {
				conn.Detach("broken while writing")
				return
			}
			s.mu.Lock()
			for _, b := range bufs {
				for len(b) > 0 {
					envelope, rest, err := wire.SplitFrame(b)
					if err != nil || envelope == nil {
						s.errs = append(s.errs, fmt.Sprintf("no whole frames: %v", err))
						s.mu.Unlock()
						return
					}
					e, err := wire.Decode(envelope)
					if err != nil {
						s.errs = append(s.errs, err.Error())
					}
					s.receive(&e)
					if e.Kind == wire.KindConnected {
						in <- true
					}
					if e.Kind == wire.KindError && len(e.Room) == 0 && !strings.Contains(string(e.Args), `"not_in_room"`) && !strings.Contains(string(e.Args), `"replaced"`) {
						s.errs = append(s.errs, "refused: "+string(e.Args))
						select {
						case in <- false:
						default:
						}
					}
					b = rest
				}
			}
			s.mu.Unlock()
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
		close(s.over) // broken before it was connected
		s.reader.Wait()
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

func (s *survivor) comeBack() {
	close(s.over)
	s.reader.Wait()
	if s.link.closed.Load() || s.rand.IntN(2) == 0 {
		s.conn.Detach("closed")
	}
	s.dial(wire.SessionResume)
}

// The same race with real goroutines, for the race detector: members that
// publish, acknowledge, break and come back, publishers and somebody who
// kicks.
func TestLive(t *testing.T) {
	for seed := range seeds(60) {
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
		close(s.over)
		s.reader.Wait()
		s.conn.Detach("the end")
		if durable {
			// Everything is committed before the last look.
			done := make(chan error)
			cfg.Queue.After(func(err error) { done <- err })
			<-done
		}
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
