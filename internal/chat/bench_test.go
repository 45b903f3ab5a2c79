package chat_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// hundred is an event whose arguments have 100 bytes.
func hundred(flags wire.Flags) wire.Envelope {
	return wire.Envelope{
		Kind: wire.KindEvent, Flags: flags, Room: []byte("lobby"), Event: []byte("chat"),
		Args: []byte(`["` + strings.Repeat("x", 96) + `"]`),
	}
}

// BenchmarkPublish is what an event costs from Receive to its place in the log.
func BenchmarkPublish(b *testing.B) {
	for _, test := range []struct {
		name  string
		flags wire.Flags
		id    bool
	}{{"plain", 0, false}, {"id", 0, true}, {"ack", wire.FlagAck, true}, {"broadcast", wire.FlagBroadcast, false}} {
		b.Run(test.name, func(b *testing.B) {
			hub := newHub(b, chat.Config{})
			pub := enter(b, hub, "pub", "lobby")
			e := hundred(test.flags)
			var dst [][]byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := e // Receive may change it
				if test.id {
					c.ID = uint64(i + 1)
				}
				if err := pub.conn.Receive(&c); err != nil {
					b.Fatal(err)
				}
				if i%64 == 63 {
					pub.conn.Flush()
					for some := true; some; {
						dst, some = pub.conn.Next(dst[:0], 1<<20)
					}
				}
			}
		})
	}
}

// BenchmarkFanout is what a delivery costs: one publisher, batches of 16
// events, and members who read at once.
func BenchmarkFanout(b *testing.B) {
	const batch = 16
	for _, members := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			hub := newHub(b, chat.Config{})
			pub := enter(b, hub, "pub", "lobby")
			var all []*client
			for i := range members {
				c := enter(b, hub, fmt.Sprint("m", i), "lobby")
				c.pump()
				all = append(all, c)
			}
			e := hundred(0)
			var dst [][]byte
			var some bool
			bytes := 0
			var ms0, ms1 runtime.MemStats
			runtime.ReadMemStats(&ms0)
			b.ReportAllocs()
			for b.Loop() {
				for range batch {
					c := e
					if err := pub.conn.Receive(&c); err != nil {
						b.Fatal(err)
					}
				}
				pub.conn.Flush()
				for _, m := range all {
					if !m.link.woken.Swap(false) {
						continue
					}
					for some = true; some; {
						dst, some = m.conn.Next(dst[:0], 256<<10)
						for _, s := range dst {
							bytes += len(s)
						}
					}
				}
				for some = true; some; {
					dst, some = pub.conn.Next(dst[:0], 256<<10)
				}
			}
			runtime.ReadMemStats(&ms1)
			deliveries := float64(b.N) * batch * float64(members)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
			b.ReportMetric(deliveries/b.Elapsed().Seconds()/1e6, "M/s")
			b.ReportMetric(float64(ms1.Mallocs-ms0.Mallocs)/(float64(b.N)*batch), "allocs/event")
			if want := float64(bytes) / deliveries; want < 100 {
				b.Fatalf("%.1f bytes a delivery", want)
			}
		})
	}
}

// idle connects n members, all in one room, and returns what they take of the
// heap each, and how long it took.
func idle(t testing.TB, n int, session string) (bytes float64, took time.Duration) {
	hub := newHub(t, chat.Config{MaxHalfOpen: n, MaxConns: n, Rate: 50})
	links := make([]link, n)
	heap := func() uint64 {
		var ms runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&ms)
		return ms.HeapAlloc + ms.StackInuse
	}
	conns := make([]*chat.Conn, 0, n)
	var dst [][]byte
	before := heap()
	began := time.Now()
	for i := range n {
		c, err := hub.Attach(&links[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		body := wire.EncodeBody(wire.Connect{Name: fmt.Sprintf("member%05d", i), Session: session, Rooms: []wire.RoomCursor{{Room: "lobby"}}})
		for _, e := range []wire.Envelope{
			{Kind: wire.KindConnect, Args: body}, {Kind: wire.KindPing, ID: 1},
		} {
			if err := c.Receive(&e); err != nil {
				t.Fatal(err)
			}
			c.Flush()
		}
		for some := true; some; {
			dst, some = c.Next(dst[:0], 64<<10)
		}
		conns = append(conns, c)
	}
	took = time.Since(began)
	bytes = float64(heap()-before) / float64(n)
	runtime.KeepAlive(conns)
	if m := hub.Snapshot().Rooms[1]; m.Members != n {
		t.Fatalf("%d members in %q, want %d", m.Members, m.Room, n)
	}
	return bytes, took
}

// BenchmarkIdleMember is what an idle member takes of the hub, and what it
// costs to come in.
func BenchmarkIdleMember(b *testing.B) {
	for _, session := range []string{wire.SessionNone, wire.SessionNew} {
		b.Run(session, func(b *testing.B) {
			for b.Loop() {
				bytes, took := idle(b, 10_000, session)
				b.ReportMetric(bytes, "B/member")
				b.ReportMetric(float64(took.Microseconds())/10_000, "µs/join")
			}
		})
	}
}
