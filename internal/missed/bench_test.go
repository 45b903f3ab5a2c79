package missed

import (
	"bytes"
	"fmt"
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

func BenchmarkEmptyLogs(b *testing.B) {
	q, _ := Open(Config{Store: NewMemory()})
	defer q.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.Log(Key{Room: fmt.Sprintf("room %d", i)})
	}
}
