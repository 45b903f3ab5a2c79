package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
)

// files returns what a recording of the records must leave.
func files(t *testing.T, all []Record) (events, packets []byte) {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range all {
		switch rec.Kind {
		case Event:
			events = append(append(events, rec.Event...), '\n')
		case Interface:
			_, err = w.Describe(rec.Interface)
		case Packet:
			err = w.Write(&rec.Packet)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return events, b.Bytes()
}

func TestRecorderFilesTheStream(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	stream, want := random(t, r, 300)
	wantEvents, wantPackets := files(t, want)
	sums := Sums{Events: sha256.Sum256(wantEvents), Packets: sha256.Sum256(wantPackets)}
	for _, tt := range []struct {
		name            string
		events, packets bool
		piece           int // at most
	}{
		{"both", true, true, len(stream)},
		{"both, in pieces", true, true, 5000},
		{"both, by bytes", true, true, 1},
		{"events", true, false, 70000},
		{"packets", false, true, 70000},
		{"none", false, false, 70000},
	} {
		var events, packets bytes.Buffer
		var got []Record
		rec := Recorder{Handle: func(rec *Record) error {
			got = append(got, clone(rec))
			return nil
		}}
		if tt.events {
			rec.Events = &events
		}
		if tt.packets {
			rec.Packets = &packets
		}
		for rest := stream; len(rest) > 0; {
			n := min(1+r.IntN(tt.piece), len(rest))
			if n, err := rec.Write(rest[:n]); err != nil {
				t.Fatalf("seed %d, %s: Write = %d, %v", seed, tt.name, n, err)
			}
			rest = rest[n:]
		}
		for range 2 {
			if err := rec.Close(); err != nil {
				t.Errorf("seed %d, %s: Close = %v", seed, tt.name, err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d, %s: handled %d records, want the %d that were written", seed, tt.name, len(got), len(want))
		}
		if tt.events && !bytes.Equal(events.Bytes(), wantEvents) {
			t.Errorf("seed %d, %s: other events", seed, tt.name)
		}
		if tt.packets && !bytes.Equal(packets.Bytes(), wantPackets) {
			t.Errorf("seed %d, %s: other packets", seed, tt.name)
		}
		if rec.Sums() != sums {
			t.Errorf("seed %d, %s: sums %x, want %x", seed, tt.name, rec.Sums(), sums)
		}
		if _, err := rec.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: Write after Close = %v, want %v", tt.name, err, io.ErrClosedPipe)
		}
	}
}

// A guest that wrote nothing leaves a capture that one can open.
func TestRecorderOfNothing(t *testing.T) {
	_, want := files(t, nil)
	var packets bytes.Buffer
	r := Recorder{Packets: &packets}
	if err := r.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Close = %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if !bytes.Equal(packets.Bytes(), want) {
		t.Errorf("packets = %x, want %x", packets.Bytes(), want)
	}
}

func TestFlushShowsWhatCame(t *testing.T) {
	var events bytes.Buffer
	r := Recorder{Events: &events}
	if _, err := r.Write(unhex(t, wantMagic+wantEvent+wantInterface[:10])); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil || events.String() != "{\"a\":1}\n" {
		t.Errorf("after Flush = %v: events %q, want the one that came", err, events.String())
	}
}

func TestErrorOfHandleEndsTheRecording(t *testing.T) {
	enough := errors.New("enough")
	var events bytes.Buffer
	r := Recorder{Events: &events, Handle: func(rec *Record) error { return enough }}
	stream := unhex(t, wantMagic+wantEvent+wantEvent)
	if _, err := r.Write(stream); err != enough {
		t.Errorf("Write = %v, want %v", err, enough)
	}
	if _, err := r.Write(stream); err != enough {
		t.Errorf("second Write = %v, want %v", err, enough)
	}
	if err := r.Close(); err != enough {
		t.Errorf("Close = %v, want %v", err, enough)
	}
	if events.String() != "{\"a\":1}\n" {
		t.Errorf("events %q, want the one that was handled", events.String())
	}
}

// disk is a file on a disk with room for so many bytes.
type disk struct {
	*os.File
	room int
}

var errFull = errors.New("no space left")

func (d *disk) Write(p []byte) (int, error) {
	if len(p) <= d.room {
		d.room -= len(p)
		return d.File.Write(p)
	}
	n, err := d.File.Write(p[:d.room])
	d.room = 0
	return n, errors.Join(errFull, err)
}

// wholeBlocks returns the length of all blocks in b if they fill it exactly.
func wholeBlocks(b []byte) bool {
	for len(b) >= 12 {
		n := int(binary.LittleEndian.Uint32(b[4:]))
		if n < 12 || n > len(b) || int(binary.LittleEndian.Uint32(b[n-4:])) != n {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}

// However full the disk: the recording ends with its error, and the file holds
// whole pieces, as many as fit.
func TestFullDiskLeavesReadableFiles(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	stream, all := random(t, r, 200)
	wantEvents, wantPackets := files(t, all)
	dir := t.TempDir()
	for range 100 {
		for _, tt := range []struct {
			name  string
			want  []byte
			whole func([]byte) bool
		}{
			{"events", wantEvents, func(b []byte) bool { return len(b) == 0 || b[len(b)-1] == '\n' }},
			{"packets", wantPackets, wholeBlocks},
		} {
			f, err := os.Create(filepath.Join(dir, tt.name))
			if err != nil {
				t.Fatal(err)
			}
			d := &disk{f, r.IntN(len(tt.want))}
			room := d.room
			rec := Recorder{Events: d}
			if tt.name == "packets" {
				rec = Recorder{Packets: d}
			}
			_, err = rec.Write(stream)
			if again := rec.Close(); !errors.Is(again, errFull) || err != nil && again != err {
				t.Errorf("seed %d: %s with room for %d: Write %v, Close %v, want %v", seed, tt.name, room, err, again, errFull)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(tt.want, got) || !tt.whole(got) {
				t.Errorf("seed %d: %s with room for %d: %d bytes that are not whole", seed, tt.name, room, len(got))
			}
			// The next piece would not have fitted.
			if next := nextPiece(tt.name, tt.want, len(got)); next <= room {
				t.Errorf("seed %d: %s with room for %d: kept %d, though up to %d fits", seed, tt.name, room, len(got), next)
			}
		}
	}
}

// nextPiece returns where the piece ends that begins at n.
func nextPiece(name string, b []byte, n int) int {
	if name == "events" {
		return n + bytes.IndexByte(b[n:], '\n') + 1
	}
	return n + int(binary.LittleEndian.Uint32(b[n+4:]))
}

// A pipe cannot be cut; the error is the same.
func TestFullPipe(t *testing.T) {
	r := Recorder{Events: writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil })}
	if _, err := r.Write(unhex(t, wantMagic+wantEvent)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close = %v, want %v", err, io.ErrShortWrite)
	}
}

func BenchmarkRecorder(b *testing.B) {
	var stream bytes.Buffer
	w := NewWriter(&stream)
	w.Describe(pcapng.Interface{Name: "link"})
	for range 1000 {
		w.Packet(&pcapng.Packet{Time: at, Data: make([]byte, 1500)})
	}
	w.Close()
	b.SetBytes(int64(stream.Len()))
	for b.Loop() {
		r := Recorder{Packets: io.Discard}
		if _, err := r.Write(stream.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleRecorder() {
	// In the guest, on its standard output:
	var stdout bytes.Buffer
	w := NewWriter(&stdout)
	link, _ := w.Describe(pcapng.Interface{Name: "link", Description: "between alice and bob"})
	w.Event([]byte(`{"event":"say","who":"alice"}`))
	w.Packet(&pcapng.Packet{Interface: link, Time: time.Unix(1767225600, 0), Comment: "lost: random", Data: []byte{0x45}})
	w.Close()

	// On the host:
	var events strings.Builder
	r := Recorder{Events: &events, Handle: func(rec *Record) error {
		if rec.Kind == Packet {
			fmt.Println(rec.Packet.Time.UTC(), rec.Packet.Comment)
		}
		return nil
	}}
	stdout.WriteTo(&r)
	fmt.Println(r.Close())
	fmt.Print(events.String())
	fmt.Printf("%.4x\n", r.Sums().Events)
	// Output:
	// 2026-01-01 00:00:00 +0000 UTC lost: random
	// <nil>
	// {"event":"say","who":"alice"}
	// 08fddde6
}
