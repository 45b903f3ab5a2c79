package bolt

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// chatEvent makes an event whose frame has about 155 bytes.
func chatEvent() *wire.Envelope {
	return &wire.Envelope{
		Kind: wire.KindEvent, Room: []byte("lobby"), Sender: []byte("ana"), Event: []byte("say"),
		Args: append(append([]byte(`["`), bytes.Repeat([]byte("x"), 96)...), `"]`...),
	}
}

func openBench(b *testing.B, path string, s missed.Store) *missed.Queue {
	b.Helper()
	var err error
	if s == nil {
		if s, err = Open(path, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	q, err := missed.Open(missed.Config{Store: s})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { q.Close() })
	return q
}

// catchUp reads a log from the start to its head, again and again, and returns
// events per second.
func catchUp(b *testing.B, l *missed.Log) float64 {
	b.Helper()
	events := uint64(0)
	written := make([]byte, 64<<10) // a copy, in place of what a socket would do
	start := time.Now()
	for b.Loop() {
		for after := uint64(0); after < l.Head(); {
			batch, err := l.Read(after, 0, 1, 64<<10)
			if err != nil || batch.Frames == nil {
				b.Fatalf("Read(%d) = %+v, %v", after, batch, err)
			}
			copy(written, batch.Frames)
			events += batch.Cursor - after
			after = batch.Cursor
		}
	}
	return float64(events) / time.Since(start).Seconds()
}

// BenchmarkCatchUpDisk is a member who comes back after the server was started
// again: 20,000 events from the file, stored one by one, as people type, or
// many at once. The ratio is to the same from memory.
func BenchmarkCatchUpDisk(b *testing.B) {
	const events = 20_000
	lobby := missed.Key{Room: "lobby"}
	fill := func(b *testing.B, q *missed.Queue, batch int) {
		for i := range events {
			if _, _, err := q.Log(lobby).Append(chatEvent(), nil); err != nil {
				b.Fatal(err)
			}
			if i%batch == batch-1 {
				done := make(chan error, 1)
				q.After(func(err error) { done <- err })
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	var memory float64
	b.Run("memory", func(b *testing.B) {
		q := openBench(b, "", missed.NewMemory())
		fill(b, q, events)
		memory = catchUp(b, q.Log(lobby))
		b.ReportMetric(memory, "events/s")
	})
	for _, batch := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("disk, stored by %d", batch), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "missed.db")
			q := openBench(b, path, nil)
			fill(b, q, batch)
			q.Close()
			q = openBench(b, path, nil)
			disk := catchUp(b, q.Log(lobby))
			b.ReportMetric(disk, "events/s")
			b.ReportMetric(disk/memory, "of-memory")
		})
	}
}

// syncRate returns how often per second 4 KiB can be written and synced to a
// file in dir: what the disk gives.
func syncRate(b *testing.B, dir string) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for i := range int64(256) { // as in a store, the file has its size already
		if _, err := f.WriteAt(page, i*4096); err != nil {
			b.Fatal(err)
		}
	}
	f.Sync()
	start := time.Now()
	n := 0
	for ; time.Since(start) < 500*time.Millisecond; n++ {
		if _, err := f.WriteAt(page, int64(n%256)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkCommit has publishers who each wait for the acknowledgement of one
// event before the next. One commit costs two waits for the disk.
func BenchmarkCommit(b *testing.B) {
	for _, publishers := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d publishers", publishers), func(b *testing.B) {
			dir := b.TempDir()
			raw := syncRate(b, dir)
			q := openBench(b, filepath.Join(dir, "missed.db"), nil)
			l := q.Log(missed.Key{Room: "lobby"})
			var wg sync.WaitGroup
			b.ResetTimer()
			for p := range publishers {
				wg.Go(func() {
					done := make(chan error, 1)
					e := chatEvent()
					for range b.N/publishers + min(1, max(0, b.N%publishers-p)) {
						e.Time = 0
						if _, _, err := l.AppendThen(e, nil, func(_ uint64, err error) { done <- err }); err != nil {
							b.Error(err)
							return
						}
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			acked := float64(b.N) / b.Elapsed().Seconds()
			s := q.Stats()
			b.ReportMetric(acked, "acked/s")
			b.ReportMetric(raw, "raw-fsync/s")
			b.ReportMetric(acked/raw, "acked/raw-fsync")
			b.ReportMetric(float64(s.Stored)/float64(s.Commits), "events/commit")
		})
	}
}

// BenchmarkOpen opens a file with 100,000 events.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "missed.db")
	q := openBench(b, path, nil)
	e := chatEvent()
	for i := range 100_000 {
		e.ID = uint64(i + 1)
		if _, _, err := q.Log(missed.Key{Room: "lobby"}).Append(e, nil); err != nil {
			b.Fatal(err)
		}
	}
	q.Close()
	for b.Loop() {
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		q, err := missed.Open(missed.Config{Store: s})
		if err != nil {
			b.Fatal(err)
		}
		q.Close()
	}
}
