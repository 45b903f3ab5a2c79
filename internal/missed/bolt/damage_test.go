package bolt

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

var seedFlag = flag.Uint64("seed", 0, "replay the random tests with this seed; if zero, a random one")

var triesFlag = flag.Int("tries", 150, "how many damaged files are tried")

func seeds(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -run '%s$' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A sample is a file and what is in it.
type sample struct {
	file    []byte
	rooms   map[missed.Key]*sampleRoom
	entries map[string]string
}

type sampleRoom struct {
	epoch, first, head uint64
	frames             map[uint64][]byte
}

func makeSample(t testing.TB, r *rand.Rand) *sample {
	path := filepath.Join(t.TempDir(), "missed.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := missed.Open(missed.Config{Store: s, HotBytes: 1, Limits: missed.Limits{Count: 600}})
	if err != nil {
		t.Fatal(err)
	}
	x := &sample{rooms: make(map[missed.Key]*sampleRoom), entries: make(map[string]string)}
	for i := range 40 {
		for room := range 6 {
			k := missed.Key{Namespace: strings.Repeat("n", room%2), Room: fmt.Sprintf("room %d", room)}
			l := q.Log(k)
			if x.rooms[k] == nil {
				x.rooms[k] = &sampleRoom{epoch: l.Epoch(), frames: make(map[uint64][]byte)}
			}
			n := r.IntN(1 + 8*room*room)
			for range n {
				e := &wire.Envelope{
					Kind: wire.KindEvent, Namespace: []byte(k.Namespace), Room: []byte(k.Room), Sender: []byte("ana"),
					Event: []byte("say"), Args: bytes.Repeat([]byte{'x'}, r.IntN(100)), ID: r.Uint64(),
				}
				var m *missed.Mark
				if r.IntN(5) == 0 {
					m = &missed.Mark{Except: []uint64{7}}
				}
				seq, _, err := l.Append(e, m)
				if err != nil {
					t.Fatal(err)
				}
				x.rooms[k].frames[seq], _ = wire.AppendFrame(nil, e)
			}
		}
		x.entries[fmt.Sprint(i)] = strings.Repeat("v", r.IntN(300))
		q.Put("table", fmt.Sprint(i), []byte(x.entries[fmt.Sprint(i)]))
		settle(t, q)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	for k, room := range x.rooms {
		room.first, room.head = q.Lookup(k).First(), q.Lookup(k).Head()
	}
	if x.file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return x
}

// settle waits until all that was appended is stored.
func settle(t testing.TB, q *missed.Queue) {
	t.Helper()
	done := make(chan error)
	q.After(func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// try opens a changed copy of the file and checks that it gives what was stored
// or says what is missing. It reports whether the file could be opened, and
// whether something was missing.
func (x *sample) try(t *testing.T, path string, file []byte) (opened, missing bool) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&told, nil))
	s, err := Open(path, Options{Logger: logger})
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Hint() == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open() = %v, want an *Error in one line with a hint", err)
		}
		return false, true
	}
	q, err := missed.Open(missed.Config{Store: s, Logger: logger})
	if err != nil {
		t.Errorf("Open() of the queue = %v", err)
		s.Close()
		return false, true
	}
	defer func() {
		if err := q.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}()
	for k, room := range x.rooms {
		l := q.Lookup(k)
		if l == nil {
			missing = missing || room.head > 0
			continue
		}
		if l.Epoch() == room.epoch {
			if l.Head() != room.head || l.First() < room.first {
				t.Errorf("room %v: events %d to %d, stored %d to %d, in the same epoch", k, l.First(), l.Head(), room.first, room.head)
			}
		} else {
			missing = true
		}
		for after := uint64(0); after < l.Head(); {
			b, err := l.Read(after, 0, 1, 1<<20)
			if err != nil || b.Cursor <= after {
				t.Errorf("room %v: Read(%d) = %+v, %v", k, after, b, err)
				break
			}
			if b.Reason == missed.ReasonDamaged {
				missing = true
			}
			rest := b.Frames
			for seq := b.First; len(rest) > 0; seq++ {
				want := room.frames[seq]
				if want == nil || !bytes.HasPrefix(rest, want) {
					t.Errorf("room %v: event %d is not what was stored", k, seq)
					break
				}
				rest = rest[len(want):]
			}
			after = b.Cursor
		}
		// It can go on.
		head := l.Head()
		if seq, _, err := l.Append(&wire.Envelope{Kind: wire.KindEvent}, nil); err != nil || seq != head+1 {
			t.Errorf("room %v: append = %d, %v", k, seq, err)
		}
	}
	entries := 0
	q.Each("table", func(key string, value []byte) error {
		entries++
		if want, ok := x.entries[key]; !ok || want != string(value) {
			t.Errorf("entry %q = %q, stored %q", key, value, want)
		}
		return nil
	})
	missing = missing || entries != len(x.entries)
	settle(t, q)
	if missing && told.Len() == 0 {
		t.Error("something is missing and nothing was logged")
	}
	return true, missing
}

func TestFlippedBytes(t *testing.T) {
	r := seeds(t)
	x := makeSample(t, r)
	path := filepath.Join(t.TempDir(), "missed.db")
	if opened, missing := x.try(t, path, x.file); !opened || missing {
		t.Fatalf("the file as it was: opened %v, missing %v", opened, missing)
	}
	tries := *triesFlag
	var opened, missing int
	for i := range tries {
		at := r.IntN(len(x.file))
		if i%2 == 0 { // page headers and elements, where it hurts
			at = at&^4095 + r.IntN(200)
		}
		file := bytes.Clone(x.file)
		file[at] ^= byte(1 + r.IntN(255))
		o, m := x.try(t, path, file)
		if o {
			opened++
		}
		if m {
			missing++
		}
		if t.Failed() {
			t.Fatalf("byte %d of %d, page %d, was %#x, is %#x", at, len(file), at>>12, x.file[at], file[at])
		}
	}
	t.Logf("%d files of %d bytes: %d opened, %d with something missing", tries, len(x.file), opened, missing)
	if opened == 0 || opened == tries || missing == 0 {
		t.Error("the test does not reach all cases")
	}
}

func TestTruncated(t *testing.T) {
	r := seeds(t)
	x := makeSample(t, r)
	path := filepath.Join(t.TempDir(), "missed.db")
	sizes := []int{1, 63, 64, 80, 4095, 4096, 4097, 8192, 8193, 12288, len(x.file) - 1}
	for range *triesFlag / 4 {
		sizes = append(sizes, 1+r.IntN(len(x.file)-1))
	}
	for _, size := range sizes {
		x.try(t, path, x.file[:size])
		// The same with zeros, as a file system may leave it.
		x.try(t, path, append(bytes.Clone(x.file[:size]), make([]byte, len(x.file)-size)...))
		if t.Failed() {
			t.Fatalf("cut to %d of %d bytes", size, len(x.file))
		}
	}
}

func TestOverwritten(t *testing.T) {
	r := seeds(t)
	x := makeSample(t, r)
	path := filepath.Join(t.TempDir(), "missed.db")
	pages := len(x.file) / 4096
	tries := *triesFlag / 2
	for range tries {
		file := bytes.Clone(x.file)
		from, to, n := r.IntN(pages)*4096, r.IntN(pages)*4096, 512<<r.IntN(5)
		switch r.IntN(3) {
		case 0:
			copy(file[to:min(to+n, len(file))], x.file[from:])
		case 1:
			clear(file[to:min(to+n, len(file))])
		default:
			for i := to; i < min(to+n, len(file)); i++ {
				file[i] = byte(r.Uint32())
			}
		}
		x.try(t, path, file)
		if t.Failed() {
			t.Fatalf("%d bytes at %d, from %d", n, to, from)
		}
	}
}
