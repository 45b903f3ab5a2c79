package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/packets"
)

var errFull = errors.New("no space")

// fullAt is a file on a disk with room for so many bytes.
type fullAt struct {
	*os.File
	room int
}

func (f *fullAt) Write(b []byte) (int, error) {
	n, err := f.File.Write(b[:min(len(b), f.room)])
	f.room -= n
	if err == nil && n < len(b) {
		err = errFull
	}
	return n, err
}

// However much fits the disk, the file ends with a whole packet, and no packet
// that fits is missing.
func TestBlockFileOnFullDisk(t *testing.T) {
	const header, block = 84, 32 + 100 // section and interface; what Write adds to 100 bytes
	for _, flushed := range []int{1, 3, 100} {
		for room := header; room < header+4*block; room += 6 {
			path := filepath.Join(t.TempDir(), "full.pcapng")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			f := &blockFile{w: &fullAt{file, room}, cut: file.Truncate}
			w, err := pcapng.NewWriter(f)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Describe(pcapng.Interface{Name: "lo", LinkType: 1}); err != nil {
				t.Fatal(err)
			}
			if err := f.Flush(); err != nil {
				t.Fatalf("the header of %d bytes: %v", f.done, err)
			}
			var failed error
			for i := 0; i < 10 && failed == nil; i++ {
				failed = w.Write(&pcapng.Packet{Time: time.Unix(int64(i), 0), Data: bytes.Repeat([]byte{byte(i)}, 100)})
				if failed == nil && (i+1)%flushed == 0 {
					failed = f.Flush()
				}
			}
			if failed == nil {
				failed = f.Flush()
			}
			if !errors.Is(failed, errFull) || !errors.Is(f.Flush(), errFull) {
				t.Errorf("room %d: %v, want %v for good", room, failed, errFull)
			}
			file.Close()
			r, err := packets.Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			var p packets.Packet
			n := 0
			for err = r.Read(&p); err == nil; err = r.Read(&p) {
				n++
			}
			r.Close()
			if want := (room - header) / block; n != want || err != io.EOF {
				t.Errorf("room %d, flushed every %d: %d packets, then %v, want %d and EOF", room, flushed, n, err, want)
			}
		}
	}
}
