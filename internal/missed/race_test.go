package missed

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wirelab/internal/wire"
)

// TestEveryoneAtOnce publishes, reads, trims, drops and fails from many
// goroutines, and then asks: did every reader get what was acknowledged, in
// order, once, or hear that it is lost?
func TestEveryoneAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"memory", Config{Store: NewMemory(), Limits: Limits{Count: 500}}},
		{"memory, total", Config{Store: NewMemory(), TotalBytes: 100_000}},
		{"durable", Config{Store: newFake(), Limits: Limits{Count: 500}, HotBytes: 10_000}},
		{"durable, total", Config{Store: newFake(), TotalBytes: 100_000, HotBytes: 1}},
		{"durable, keeps all", Config{Store: newFake(), HotBytes: 1}},
	} {
		t.Run(c.name, func(t *testing.T) { everyoneAtOnce(t, c.cfg) })
	}
}

func everyoneAtOnce(t *testing.T, cfg Config) {
	const publishers, perPublisher, rooms = 6, 400, 3
	q := open(t, cfg)
	fake, _ := cfg.Store.(*fakeStore)
	log := func(i int) *Log { return q.Log(Key{Room: fmt.Sprint("room ", i%rooms)}) }

	type ack struct {
		room    int
		seq, id uint64
	}
	var mu sync.Mutex
	var acks []ack
	news := sync.NewCond(&mu) // of acks and finished
	finished := false
	var outcomes, work, extras sync.WaitGroup
	// The others do their part once per few outcomes.
	stop := make(chan struct{})
	beats := make([]chan struct{}, 0, 4)
	until := func(fn func(i int)) {
		beat := make(chan struct{}, 1)
		beats = append(beats, beat)
		extras.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-beat:
					fn(i)
				case <-stop:
					return
				}
			}
		})
	}
	if fake != nil {
		until(func(i int) {
			fake.set(func(f *fakeStore) {
				f.fail = nil
				if i%3 == 0 {
					f.fail = errDisk
				}
			})
		})
	}
	until(func(i int) { q.Expire(time.Now()) })
	until(func(i int) { q.Stats(); q.Keys(); q.Put("t", fmt.Sprint(i%5), []byte("v")) })
	until(func(i int) {
		k := Key{Room: "comes and goes"}
		outcomes.Add(1)
		if _, _, err := q.Log(k).AppendThen(say("1"), nil, func(uint64, error) { outcomes.Done() }); err != nil {
			outcomes.Done()
		}
		if i%7 == 0 {
			q.Drop(k)
		}
	})

	// Viewers 0 to 5 are the publishers, whose own events with a mark they
	// do not see; 9 sees all.
	var readers sync.WaitGroup
	got := make(map[string]map[uint64]uint64) // by viewer and room: seq to id, or lost
	const lost = 1 << 63
	for _, viewer := range []uint64{0, 9} {
		for room := range rooms {
			seen := make(map[uint64]uint64)
			got[fmt.Sprint(viewer, room)] = seen
			readers.Go(func() {
				l := log(room)
				for after, last := uint64(0), false; ; {
					b, err := l.Read(after, 0, viewer, 2000)
					if err != nil {
						t.Errorf("read: %v", err)
						return
					}
					if b.Cursor == after {
						if last {
							return
						}
						mu.Lock()
						for !finished && l.Head() == after {
							news.Wait()
						}
						last = finished
						mu.Unlock()
						continue
					}
					if b.Reason != 0 || b.Hidden {
						for seq := after + 1; seq <= b.Cursor; seq++ {
							seen[seq] = lost
						}
					}
					rest := b.Frames
					for seq := after + 1; len(rest) > 0; seq++ {
						envelope, next, err := wire.SplitFrame(rest)
						e, err2 := wire.Decode(envelope)
						if err != nil || err2 != nil || e.Seq != seq || seq > b.Cursor {
							t.Errorf("room %d: event %d = %+v, %v, %v", room, seq, e, err, err2)
							return
						}
						if viewer == 0 && e.ID <= perPublisher && (e.ID-1)%3 == 0 {
							t.Errorf("viewer 0 sees event %d", e.ID)
						}
						seen[seq] = e.ID
						rest = next
					}
					after = b.Cursor
				}
			})
		}
	}
	for p := range publishers {
		work.Go(func() {
			for i := range perPublisher {
				room := i % rooms
				id := uint64(p*perPublisher + i + 1)
				for { // until it is stored, as a client does
					done := make(chan error, 1)
					outcomes.Add(1)
					e := say(strings.Repeat("x", i%150))
					e.ID = id
					var m *Mark
					if i%3 == 0 {
						m = &Mark{Except: []uint64{uint64(p)}}
					}
					seq, _, err := log(room).AppendThen(e, m, func(got uint64, err error) {
						defer outcomes.Done()
						mu.Lock()
						if err == nil {
							acks = append(acks, ack{room, got, id})
						}
						mu.Unlock()
						news.Broadcast()
						done <- err
						for _, beat := range beats {
							select {
							case beat <- struct{}{}:
							default:
							}
						}
					})
					if err != nil {
						t.Errorf("append %d: %v", seq, err)
						outcomes.Done()
						return
					}
					err = <-done
					if err == nil {
						break
					}
					if !errors.Is(err, ErrStore) {
						t.Errorf("outcome of %d: %v", id, err)
						return
					}
				}
			}
		})
	}
	work.Wait()
	close(stop)
	extras.Wait()
	if fake != nil {
		fake.set(func(f *fakeStore) { f.fail = nil })
		settle(q) // a commit that the disk refused before may still be under way
	}
	if err := settle(q); err != nil {
		t.Error(err)
	}
	outcomes.Wait()
	mu.Lock()
	finished = true
	mu.Unlock()
	news.Broadcast()
	readers.Wait()

	ids := make(map[uint64]ack)
	for _, a := range acks {
		if other, twice := ids[a.id]; twice && other != a {
			t.Errorf("id %d was stored as %+v and as %+v", a.id, a, other)
		}
		ids[a.id] = a
		for _, viewer := range []uint64{0, 9} {
			if id, ok := got[fmt.Sprint(viewer, a.room)][a.seq]; !ok || id != a.id && id != lost {
				t.Errorf("viewer %d, room %d: event %d is id %d, acknowledged as %d", viewer, a.room, a.seq, id, a.id)
			}
		}
	}
	if len(ids) != publishers*perPublisher {
		t.Errorf("%d events were acknowledged, want %d", len(ids), publishers*perPublisher)
	}
	for room := range rooms {
		if head, n := log(room).Head(), publishers*((perPublisher+rooms-1-room)/rooms); head != uint64(n) {
			t.Errorf("room %d has %d events, want %d: a duplicate was stored", room, head, n)
		}
	}
	if s := q.Stats(); s.Pending != 0 {
		t.Errorf("%d bytes wait for nothing", s.Pending)
	}
}
