package missed

import (
	"bytes"
	"testing"

	"wirelab/internal/wire"
)

func chatEvent(size int) *wire.Envelope {
	args := append([]byte(`["`), bytes.Repeat([]byte("x"), size-4)...)
	return &wire.Envelope{
		Kind: wire.KindEvent, Room: []byte("lobby"), Sender: []byte("ana"), Event: []byte("say"),
		Args: append(args, `"]`...),
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name string
		id   bool
		mark *Mark
	}{
		{"plain", false, nil},
		{"with id", true, nil},
		{"with id, but the sender", true, &Mark{Except: []uint64{7}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			q, err := Open(Config{Store: NewMemory()})
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			l := q.Log(Key{Room: "lobby"})
			e := chatEvent(100)
			b.ReportAllocs()
			b.SetBytes(int64(e.Size()))
			for i := 0; b.Loop(); i++ {
				e.Time = 1700000000000000 + int64(i)
				if c.id {
					e.ID = uint64(i) + 1
				}
				if _, _, err := l.Append(e, c.mark); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads a log of 100,000 events from the start on, in pieces as a
// connection writes them.
func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name string
		mark *Mark
	}{
		{"plain", nil},
		{"but the sender", &Mark{Except: []uint64{7}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			q, err := Open(Config{Store: NewMemory()})
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			l := q.Log(Key{Room: "lobby"})
			e := chatEvent(100)
			for range 100_000 {
				if _, _, err := l.Append(e, c.mark); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			var after, events uint64
			for b.Loop() {
				batch, err := l.Read(after, 0, 1, 64<<10)
				if err != nil || batch.Cursor == after {
					b.Fatal(batch, err)
				}
				events += batch.Cursor - after
				if after = batch.Cursor; after == l.Head() {
					after = 0
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
