package packets

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"wirelab/internal/pcapng"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// sample returns n packets of different lengths, the last ones cut.
func sample(n int) []Packet {
	var all []Packet
	for i := range n {
		p := Packet{
			Number: i + 1,
			Time:   start.Add(time.Duration(i) * 1001 * time.Microsecond),
			Link:   LinkEthernet,
			Data:   bytes.Repeat([]byte{byte(i + 1)}, 1+i*37%300),
		}
		p.Length = len(p.Data)
		if i >= n-2 {
			p.Length += 1000
		}
		all = append(all, p)
	}
	return all
}

// writers are programs other than ours that write captures.
var writers = []struct {
	name  string
	unit  time.Duration
	write func(w io.Writer, all []Packet) error
}{
	{"pcap", time.Microsecond, func(w io.Writer, all []Packet) error { return classic(pcapgo.NewWriter(w), all) }},
	{"pcap, nanoseconds", time.Nanosecond, func(w io.Writer, all []Packet) error { return classic(pcapgo.NewWriterNanos(w), all) }},
	{"pcapng", time.Nanosecond, func(w io.Writer, all []Packet) error {
		ng, err := pcapgo.NewNgWriter(w, layers.LinkTypeEthernet)
		if err != nil {
			return err
		}
		for i := range all {
			if err := ng.WritePacket(info(&all[i]), all[i].Data); err != nil {
				return err
			}
		}
		return ng.Flush()
	}},
	{"pcap, big-endian", time.Microsecond, func(w io.Writer, all []Packet) error {
		b := binary.BigEndian.AppendUint32(nil, 0xa1b2c3d4)
		b = append(b, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1)
		for _, p := range all {
			for _, v := range []int{int(p.Time.Unix()), p.Time.Nanosecond() / 1000, len(p.Data), p.Length} {
				b = binary.BigEndian.AppendUint32(b, uint32(v))
			}
			b = append(b, p.Data...)
		}
		_, err := w.Write(b)
		return err
	}},
	{"pcapng, big-endian, milliseconds", time.Millisecond, func(w io.Writer, all []Packet) error {
		block := func(kind uint32, body []byte) []byte {
			for len(body)%4 > 0 {
				body = append(body, 0)
			}
			n := uint32(12 + len(body))
			b := binary.BigEndian.AppendUint32(nil, kind)
			b = append(binary.BigEndian.AppendUint32(b, n), body...)
			return binary.BigEndian.AppendUint32(b, n)
		}
		b := block(0x0A0D0D0A, append([]byte{0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...))
		b = append(b, block(1, []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 3, 0, 0, 0})...)
		b = append(b, block(0x40000bad, make([]byte, 100))...) // what nobody knows is passed over
		for _, p := range all {
			ticks := uint64(p.Time.UnixMilli())
			var body []byte
			for _, v := range []uint32{0, uint32(ticks >> 32), uint32(ticks), uint32(len(p.Data)), uint32(p.Length)} {
				body = binary.BigEndian.AppendUint32(body, v)
			}
			b = append(b, block(6, append(body, p.Data...))...)
		}
		_, err := w.Write(b)
		return err
	}},
}

func info(p *Packet) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: p.Time, CaptureLength: len(p.Data), Length: p.Length}
}

func classic(w *pcapgo.Writer, all []Packet) error {
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		return err
	}
	for i := range all {
		if err := w.WritePacket(info(&all[i]), all[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads until an error, which it returns unless it is io.EOF.
func readAll(in io.Reader) (all []Packet, err error) {
	r, err := NewReader(in)
	if err != nil {
		return nil, err
	}
	for {
		var p Packet
		if err := r.Read(&p); err != nil {
			if again := r.Read(&p); again != err {
				return all, fmt.Errorf("the error is %v at first and %v then", err, again)
			}
			if err == io.EOF {
				return all, nil
			}
			return all, err
		}
		c := p.Clone()
		c.Offset = 0
		all = append(all, c)
	}
}

func TestReadsWhatOthersWrite(t *testing.T) {
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			want := sample(50)
			var file bytes.Buffer
			if err := w.write(&file, want); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				want[i].Time = want[i].Time.Truncate(w.unit)
			}
			got, err := readAll(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			slow, err := readAll(iotest.OneByteReader(bytes.NewReader(file.Bytes())))
			if diff := cmp.Diff(got, slow); diff != "" || err != nil {
				t.Errorf("byte by byte it is another capture: %v\n%s", err, diff)
			}
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			z.Write(file.Bytes())
			z.Close()
			unpacked, err := readAll(&packed)
			if diff := cmp.Diff(got, unpacked); diff != "" || err != nil {
				t.Errorf("gzipped it is another capture: %v\n%s", err, diff)
			}
		})
	}
}

// "show what is there, then say at which byte it ends"
func TestTruncatedAtEachByte(t *testing.T) {
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			var file bytes.Buffer
			var ends []int // of each packet
			all := sample(8)
			for n := range len(all) + 1 {
				file.Reset()
				if err := w.write(&file, all[:n]); err != nil {
					t.Fatal(err)
				}
				ends = append(ends, file.Len())
			}
			for n := ends[0]; n <= file.Len(); n++ {
				got, err := readAll(bytes.NewReader(file.Bytes()[:n]))
				whole, edge := 0, false
				for i, end := range ends {
					if end <= n {
						whole, edge = i, end == n
					}
				}
				if len(got) != whole {
					t.Fatalf("of %d bytes %d packets were read, want %d", n, len(got), whole)
				}
				var cut *Truncated
				switch {
				case edge && err != nil:
					t.Fatalf("%d bytes end between packets: %v", n, err)
				case !edge && (!errors.As(err, &cut) || cut.At != int64(n) || cut.Block > cut.At || cut.Block < int64(ends[whole])):
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
		})
	}
}

// What our own writer says of a packet comes back.
func TestReadsComments(t *testing.T) {
	var file bytes.Buffer
	w, err := pcapng.NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ana", "link", "server"} {
		if _, err := w.Describe(pcapng.Interface{Name: name, Description: "of " + name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(&pcapng.Packet{Interface: 1, Time: start, Comment: "lost: random", Drops: 7, ID: 9, Direction: pcapng.Out, Data: []byte{0x45, 1, 2}, Length: 40}); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var p Packet
	if err := r.Read(&p); err != nil {
		t.Fatal(err)
	}
	p.Offset = 0
	want := Packet{Number: 1, Time: start, Interface: 1, Link: LinkRaw, Direction: Out, Drops: 7, ID: 9, Comment: "lost: random", Data: []byte{0x45, 1, 2}, Length: 40}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if in := r.Interfaces(); len(in) != 3 || in[1].Name != "link" || in[2].Description != "of server" {
		t.Errorf("interfaces %+v", in)
	}
}

// Two captures in one file are a capture (cat a.pcapng b.pcapng).
func TestSectionsHaveInterfacesOfTheirOwn(t *testing.T) {
	var file bytes.Buffer
	for _, name := range []string{"first", "second"} {
		w, err := pcapng.NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		w.Describe(pcapng.Interface{Name: name})
		w.Write(&pcapng.Packet{Time: start, Data: []byte(name)})
	}
	r, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} {
		var p Packet
		if err := r.Read(&p); err != nil {
			t.Fatal(err)
		}
		if got := r.Interfaces()[p.Interface].Name; got != want || string(p.Data) != want {
			t.Errorf("packet %q is of interface %q, want %q", p.Data, got, want)
		}
	}
}

func TestDamaged(t *testing.T) {
	var file bytes.Buffer
	w, _ := pcapng.NewWriter(&file)
	w.Describe(pcapng.Interface{Name: "a"})
	header := file.Len()
	w.Write(&pcapng.Packet{Time: start, Data: make([]byte, 8)})
	for _, c := range []struct {
		name string
		at   int // from the packet's block on
		put  uint32
		want string
	}{
		{"no multiple of 4", 4, 41, "a block of 41 bytes"},
		{"too short", 4, 8, "a block of 8 bytes"},
		{"too long", 4, 1 << 30, "at most 16777216"},
		{"lengths that differ", file.Len() - header - 4, 44, "ends with the length 44"},
		{"no such interface", 8, 1, "packet 1 is of interface 1, but only 1 are described"},
		{"more than the block has", 20, 900, "packet 1 claims 900 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(file.Bytes())
			binary.LittleEndian.PutUint32(b[header+c.at:], c.put)
			_, err := readAll(bytes.NewReader(b))
			var bad *Damaged
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestNotACapture(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "an empty file"},
		{"\x89PNG\r\n\x1a\n0000000000000000000000", "a PNG picture"},
		{"{\"kind\":\"run\"}\n", "JSON"},
		{"Dear Sir,\nwith this letter", "text"},
		{"<!doctype html>", "HTML or XML"},
		{"\x28\xb5\x2f\xfd0000", "a file compressed by zstd"},
		{"\x1f\x8bnot gzip at all", "a damaged gzip file"},
		{"\x00\x01\x02", "too short"},
		{strings.Repeat("\x00\x01\x02", 100), "nothing that is known here"},
	} {
		_, err := readAll(strings.NewReader(c.in))
		var no *NotCapture
		if !errors.As(err, &no) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.10q: error %v, want %q", c.in, err, c.want)
		}
	}
	if _, err := Open(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A live pipe is shown as it comes: Read waits for no more than its packet.
func TestReadWaitsForOnePacketOnly(t *testing.T) {
	for _, w := range writers {
		if strings.Contains(w.name, "big-endian") {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			all := sample(3)
			var file bytes.Buffer
			if err := w.write(&file, all[:1]); err != nil {
				t.Fatal(err)
			}
			// After the first packet the pipe gives nothing more, for ever.
			r, err := NewReader(io.MultiReader(&file, stuck{t}))
			if err != nil {
				t.Fatal(err)
			}
			var p Packet
			if err := r.Read(&p); err != nil || !bytes.Equal(p.Data, all[0].Data) {
				t.Errorf("Read() = %v, %x", err, p.Data)
			}
		})
	}
}

// A stuck reader must not be asked.
type stuck struct{ t *testing.T }

func (s stuck) Read([]byte) (int, error) {
	s.t.Error("the reader waits for more than a packet")
	return 0, io.EOF
}

func FuzzReader(f *testing.F) {
	for _, w := range writers {
		var file bytes.Buffer
		if err := w.write(&file, sample(5)); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, e1 := readAll(bytes.NewReader(b))
		split, e2 := readAll(iotest.HalfReader(bytes.NewReader(b)))
		if diff := cmp.Diff(whole, split); diff != "" || fmt.Sprint(e1) != fmt.Sprint(e2) {
			t.Errorf("how it comes changes what it is: %v, %v\n%s", e1, e2, diff)
		}
		for i, p := range whole {
			if p.Number != i+1 || p.Length < len(p.Data) || len(p.Data) > len(b) && b[0] != 0x1f {
				t.Errorf("packet %d: number %d, %d of %d bytes", i, p.Number, len(p.Data), p.Length)
			}
		}
	})
}
