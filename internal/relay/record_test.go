package relay

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"testing"
	"testing/synctest"
	"time"

	"wirelab/internal/pcapng"
)

// errFull is what a disk says that is full.
var errFull = errors.New("no space left")

// A disk is a file of which only so many bytes can be written.
type disk struct {
	*os.File
	room int
}

func (d *disk) Write(b []byte) (int, error) {
	if len(b) <= d.room {
		d.room -= len(b)
		return d.File.Write(b)
	}
	n, _ := d.File.Write(b[:d.room])
	d.room = 0
	return n, errFull
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// wholeBlocks checks that b is a sequence of whole pcapng blocks (each length stands
// at both ends; draft-ietf-opsawg-pcapng, section 3.1), and counts the packets.
func wholeBlocks(t *testing.T, b []byte) (packets int) {
	t.Helper()
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < 12 {
			t.Fatalf("%d bytes after the last block", len(rest))
		}
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		if n < 12 || n > len(rest) || int(binary.LittleEndian.Uint32(rest[n-4:])) != n {
			t.Fatalf("the block at %d of %d is not whole: length %d", at, len(b), n)
		}
		if binary.LittleEndian.Uint32(rest) == 6 {
			packets++
		}
		at += n
	}
	return packets
}

func filed(n int) *pcapng.Packet {
	return &pcapng.Packet{Interface: atLink, Time: time.Unix(1, int64(n)), Comment: "lost: random", Data: make([]byte, 100+n%7)}
}

func recording(t *testing.T, w io.Writer) *capture {
	t.Helper()
	c, err := newCapture(w, "a link")
	if err != nil {
		t.Fatal(err)
	}
	go c.run()
	return c
}

func TestCaptureHasAll(t *testing.T) {
	f := tempFile(t)
	c := recording(t, f)
	for n := range 10_000 {
		c.add(filed(n))
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(f.Name())
	if got := wholeBlocks(t, b); got != 10_000 || c.packets.Load() != 10_000 {
		t.Errorf("%d packets in the file, %d counted, want 10000", got, c.packets.Load())
	}
	if err := c.close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// A full disk is told, once, and leaves whole blocks behind.
func TestCaptureDiskFull(t *testing.T) {
	for room := 700; room < 2500; room += 41 {
		f := tempFile(t)
		c := recording(t, &disk{f, room})
		for n := range 50 {
			c.add(filed(n))
		}
		err := c.close()
		if !errors.Is(err, errFull) {
			t.Fatalf("room for %d bytes: close = %v, want %v", room, err, errFull)
		}
		await(t, "word of the failure", c.failed)
		c.add(filed(1)) // which goes nowhere
		b, _ := os.ReadFile(f.Name())
		if wholeBlocks(t, b); len(b) > room || len(b) < room-200 {
			t.Errorf("room for %d bytes: the file has %d", room, len(b))
		}
	}
}

// A gate is a disk that takes nothing until it opens.
type gate struct {
	open    chan struct{}
	mu      sync.Mutex
	written int
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	first := g.written == 0 // the head, written by newCapture
	g.written += len(b)
	g.mu.Unlock()
	if !first {
		<-g.open
	}
	return len(b), nil
}

// A slow disk costs time, not packets, and no more memory than said.
func TestCaptureWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		c := recording(t, g)
		const packets = 400
		big := &pcapng.Packet{Interface: atClient, Time: time.Unix(1, 0), Data: make([]byte, pcapng.MaxPacket)}
		added := make(chan int, packets)
		go func() {
			defer close(added)
			for n := range packets {
				c.add(big)
				added <- n
			}
		}()
		synctest.Wait()
		// What is being written, and what waits: both have their bound.
		c.mu.Lock()
		pending := len(c.now.bytes)
		c.mu.Unlock()
		if most := pendingSize / pcapng.MaxPacket; pending > pendingSize || len(added) < most-1 || len(added) > 2*most {
			t.Errorf("%d packets were taken, %d bytes wait, at most %d may", len(added), pending, pendingSize)
		}
		close(g.open)
		synctest.Wait()
		if err := c.close(); err != nil || c.packets.Load() != packets {
			t.Errorf("%d packets filed, %v, want %d", c.packets.Load(), err, packets)
		}
	})
}
