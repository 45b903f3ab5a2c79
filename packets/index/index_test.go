package index

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"wirelab/internal/pcapng"
	"wirelab/packets"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// classic writes a pcap file as gopacket does.
func classic(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	if err := w.WriteFileHeader(100, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b := bytes.Repeat([]byte{byte(i)}, 14+i%80)
		ci := gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * time.Millisecond), CaptureLength: len(b), Length: len(b) + i%2*1000}
		if err := w.WritePacket(ci, b); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// section writes a pcapng section in which interfaces come between packets.
func section(t testing.TB, first, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcapng.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if i%7 == 0 {
			if _, err := w.Describe(pcapng.Interface{Name: fmt.Sprintf("if%d", first+i)}); err != nil {
				t.Fatal(err)
			}
		}
		p := pcapng.Packet{Interface: i / 7, Time: start.Add(time.Duration(first+i) * time.Microsecond), Data: bytes.Repeat([]byte{0x45, byte(i)}, 1+i%50)}
		if i%3 == 0 {
			p.Comment = fmt.Sprintf("lost: %d", i)
		}
		if err := w.Write(&p); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// swapped is a big-endian section of one interface and one packet.
func swapped() []byte {
	be := binary.BigEndian
	b := []byte{0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 28}
	for _, v := range []uint32{1, 20, 101 << 16, 0, 20} {
		b = be.AppendUint32(b, v)
	}
	for _, v := range []uint32{6, 36, 0, 1, 2, 4, 4, 0x45000004, 36} {
		b = be.AppendUint32(b, v)
	}
	return b
}

// captures are files of every shape that an index has to deal with.
func captures(t testing.TB) map[string][]byte {
	unknown := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0x0bad), 16)
	unknown = append(unknown, 1, 2, 3, 4, 16, 0, 0, 0)
	two := append(append(append(section(t, 0, 20), unknown...), swapped()...), section(t, 100, 20)...)
	return map[string][]byte{"pcap": classic(t, 50), "pcapng": section(t, 0, 60), "sections": two, "empty": section(t, 0, 0)}
}

// sequential is what packets.Reader says: the oracle.
func sequential(t testing.TB, b []byte) (all []packets.Packet, faces []packets.Interface, err error) {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	var p packets.Packet
	for {
		if err := r.Read(&p); err != nil {
			return all, r.Interfaces(), err
		}
		all = append(all, p.Clone())
	}
}

func written(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// Whatever the order in which packets are read again, and however many at once,
// they are those that a Reader reads one after the other.
func TestPacketsAreTheReaders(t *testing.T) {
	for name, b := range captures(t) {
		want, faces, _ := sequential(t, b)
		for how, open := range map[string]func() (*Index, error){
			"file":  func() (*Index, error) { return Open(written(t, b), nil) },
			"gzip":  func() (*Index, error) { return Open(written(t, zipped(t, b)), nil) },
			"stdin": func() (*Index, error) { return Open("-", bytes.NewReader(b)) },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				x, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer x.Close()
				if err := x.Build(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := x.State()
				if len(s.Entries) != len(want) || !s.Done || x.InMemory() != (how != "file") {
					t.Fatalf("%d entries, done %v, in memory %v; want %d", len(s.Entries), s.Done, x.InMemory(), len(want))
				}
				if diff := cmp.Diff(names(faces), names(s.Interfaces)); diff != "" && name != "empty" {
					t.Errorf("interfaces (-want +got):\n%s", diff)
				}
				for i := len(want) - 1; i >= 0; i -= 3 {
					for _, n := range []int{1, 3, len(want) - i} {
						if n > len(want)-i {
							continue
						}
						got, err := x.Packets(i, n)
						if err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(want[i:i+n], got); diff != "" {
							t.Fatalf("Packets(%d, %d) (-want +got):\n%s", i, n, diff)
						}
					}
				}
				var scanned []packets.Packet
				if err := x.Scan(t.Context(), func(i int, p *packets.Packet) bool {
					if i != len(scanned) {
						t.Errorf("Scan gives packet %d after %d", i, len(scanned))
					}
					scanned = append(scanned, p.Clone())
					return true
				}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, scanned); diff != "" {
					t.Errorf("Scan (-want +got):\n%s", diff)
				}
				for _, i := range []int{-1, len(want)} {
					if _, err := x.Packet(i); err == nil {
						t.Errorf("Packet(%d) has no error", i)
					}
				}
			})
		}
	}
}

func names(all []packets.Interface) (list []string) {
	for _, i := range all {
		list = append(list, i.Name)
	}
	return list
}

func TestEntryIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Entry{}); n != 40 {
		t.Errorf("an entry has %d bytes, want the 40 that the documentation says", n)
	}
}

// A file that ends inside a packet has those before it, and says where it ends.
func TestTruncated(t *testing.T) {
	b := section(t, 0, 30)
	want, _, _ := sequential(t, b[:len(b)-3])
	x, err := Open(written(t, b[:len(b)-3]), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var cut *packets.Truncated
	if err := x.Build(t.Context()); !errors.As(err, &cut) || cut.At != int64(len(b)-3) {
		t.Errorf("Build: %v, want the end at byte %d", err, len(b)-3)
	}
	if s := x.State(); len(s.Entries) != 29 || len(want) != 29 || s.Err == nil {
		t.Errorf("%d entries and %v, want 29 and an error", len(s.Entries), s.Err)
	}
	if got, err := x.Packet(28); err != nil || !cmp.Equal(got, want[28]) {
		t.Errorf("the last packet: %v, %v", got, err)
	}
}

// Memory has an end, and what is left out is told.
func TestMemoryEnds(t *testing.T) {
	b := section(t, 0, 60)
	x, err := New(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	x.memory = 10 * 300
	if err := x.Build(t.Context()); !errors.Is(err, ErrMemory) {
		t.Errorf("Build: %v, want that memory ended", err)
	}
	if n := len(x.State().Entries); n < 10 || n > 18 {
		t.Errorf("%d packets of 160 to 260 bytes are kept in 3000 bytes", n)
	}
}

// A pipe is shown as it comes, and may be looked at while it does.
func TestPipe(t *testing.T) {
	b := classic(t, 3)
	r, w := io.Pipe()
	go w.Write(b[:24])
	x, err := Open("-", r)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- x.Build(context.Background()) }()
	w.Write(b[24:])
	w.CloseWithError(io.ErrUnexpectedEOF)
	if <-done; len(x.State().Entries) != 3 {
		t.Errorf("%d packets, want 3", len(x.State().Entries))
	}
	if !x.Waits() {
		t.Error("a pipe does not wait")
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	x, err := New(bytes.NewReader(classic(t, 3)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := x.Build(ctx); !errors.Is(err, context.Canceled) || !x.State().Done {
		t.Errorf("Build: %v, want that it was cancelled", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, path := range map[string]string{
		"folder": t.TempDir(), "nothing": filepath.Join(t.TempDir(), "none"), "empty": written(t, nil), "text": written(t, []byte("hello, this is no capture at all")),
	} {
		if x, err := Open(path, nil); err == nil {
			x.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever the file is, each packet that a Reader finds can be read again, from
// anywhere, and is the same.
func FuzzPacketsAreTheReaders(f *testing.F) {
	for _, b := range captures(f) {
		f.Add(b, uint16(3))
		f.Add(b[:len(b)-5], uint16(7))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		if len(b) > 1<<16 || len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b {
			return
		}
		path := filepath.Join(dir, "capture")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(path, nil)
		want, _, end := sequential(t, b)
		if err != nil {
			if len(want) > 0 {
				t.Fatalf("Open: %v, but there are %d packets", err, len(want))
			}
			return
		}
		defer x.Close()
		err = x.Build(context.Background())
		if (err == nil) != errors.Is(end, io.EOF) || len(x.State().Entries) != len(want) {
			t.Fatalf("Build: %v with %d packets, the reader %v with %d", err, len(x.State().Entries), end, len(want))
		}
		if len(want) == 0 {
			return
		}
		i := int(at) % len(want)
		got, err := x.Packets(i, len(want)-i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i:], got); diff != "" {
			t.Errorf("packets from %d on (-want +got):\n%s", i, diff)
		}
	})
}
