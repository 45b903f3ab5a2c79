package pcapng

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// at is 0x18869FA5_1DD5B415 nanoseconds after 1970.
var at = time.Unix(0, 0x18869FA51DD5B415)

// The blocks of sections 4.1 to 4.3, field by field.
const (
	wantSection = "0a0d0d0a" + "2c000000" + // type, length 44
		"4d3c2b1a" + "0100" + "0000" + // little-endian, version 1.0
		"ffffffffffffffff" + // length of the section not given
		"0400" + "0700" + "776972656c616200" + // shb_userappl: wirelab
		"00000000" + "2c000000"
	wantInterface = "01000000" + "34000000" +
		"6500" + "0000" + "00000400" + // LINKTYPE_RAW, reserved, snap length 262144
		"0200" + "0400" + "6c696e6b" + // if_name: link
		"0300" + "0600" + "6120776972650000" + // if_description: a wire
		"0900" + "0100" + "09000000" + // if_tsresol: 10^-9
		"00000000" + "34000000"
	wantPacket = "06000000" + "48000000" +
		"00000000" + "a59f8618" + "15b4d51d" + // interface, high and low half of the time
		"05000000" + "dc050000" + "4500001400000000" + // 5 bytes of 1500
		"0100" + "0400" + "6c6f7374" + // opt_comment: lost
		"0200" + "0400" + "02000000" + // epb_flags: outbound
		"0400" + "0800" + "0300000000000000" + // epb_dropcount
		"00000000" + "48000000"
	wantBare = "06000000" + "24000000" +
		"00000000" + "00000000" + "00000000" +
		"01000000" + "01000000" + "60000000" +
		"24000000"
)

// blocks records each Write.
type blocks [][]byte

func (b *blocks) Write(p []byte) (int, error) {
	*b = append(*b, bytes.Clone(p))
	return len(p), nil
}

func TestBlocksAreAsSpecified(t *testing.T) {
	var got blocks
	w, err := NewWriter(&got)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Describe(Interface{Name: "link", Description: "a wire"}); n != 0 || err != nil {
		t.Fatalf("Describe = %d, %v, want 0", n, err)
	}
	for _, p := range []Packet{
		{Time: at, Direction: Out, Drops: 3, Comment: "lost", Data: []byte{0x45, 0, 0, 0x14, 0}, Length: 1500},
		{Time: time.Unix(0, 0), Data: []byte{0x60}},
	} {
		if err := w.Write(&p); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{wantSection, wantInterface, wantPacket, wantBare}
	if len(got) != len(want) {
		t.Fatalf("%d writes, want one for each of %d blocks", len(got), len(want))
	}
	for i := range want {
		if s := hex.EncodeToString(got[i]); s != want[i] {
			t.Errorf("block %d =\n%s, want\n%s", i, s, want[i])
		}
	}
}

func TestInterfacesAreNumberedInOrder(t *testing.T) {
	w, err := NewWriter(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for want := range 3 {
		if got, err := w.Describe(Interface{}); got != want || err != nil {
			t.Errorf("Describe = %d, %v, want %d", got, err, want)
		}
	}
}

func TestWhatNoFileCanHoldIsRefused(t *testing.T) {
	ok := Packet{Time: at, Data: []byte{0x45}}
	for _, tt := range []struct {
		name string
		in   func(p *Packet)
		want string
	}{
		{"interface", func(p *Packet) { p.Interface = 1 }, "interface 1 of 1"},
		{"interface", func(p *Packet) { p.Interface = -1 }, "interface -1"},
		{"too long", func(p *Packet) { p.Data = make([]byte, MaxPacket+1) }, "262145 bytes"},
		{"length", func(p *Packet) { p.Data, p.Length = make([]byte, 9), 8 }, "length 8"},
		{"length", func(p *Packet) { p.Length = math.MaxUint32 + 1 }, "length 4294967296"},
		{"length", func(p *Packet) { p.Length = -1 }, "length -1"},
		{"direction", func(p *Packet) { p.Direction = 3 }, "direction 3"},
		{"time", func(p *Packet) { p.Time = time.Unix(-1, 999999999) }, "outside 1970"},
		{"time", func(p *Packet) { p.Time = time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC) }, "outside 1970"},
		{"comment", func(p *Packet) { p.Comment = "\xff" }, "not UTF-8"},
		{"comment", func(p *Packet) { p.Comment = strings.Repeat("x", MaxText+1) }, "65533 bytes"},
	} {
		var got bytes.Buffer
		w, err := NewWriter(&got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Describe(Interface{}); err != nil {
			t.Fatal(err)
		}
		size := got.Len()
		p := ok
		tt.in(&p)
		if err := w.Write(&p); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Write = %v, want %q", tt.name, err, tt.want)
		} else if errors.Is(err, ErrInterface) != (tt.name == "interface") {
			t.Errorf("%s: Write = %v, is ErrInterface: %v", tt.name, err, errors.Is(err, ErrInterface))
		}
		if got.Len() != size {
			t.Errorf("%s: a refused packet left %d bytes", tt.name, got.Len()-size)
		}
		if err := w.Write(&ok); err != nil {
			t.Errorf("%s: the packet after it: %v", tt.name, err)
		}
	}
	w, err := NewWriter(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []Interface{{Name: "\xff"}, {Description: "\xff"}, {Name: strings.Repeat("x", MaxText+1)}} {
		if _, err := w.Describe(i); err == nil {
			t.Errorf("Describe(%.20q, %q) went well", i.Name, i.Description)
		}
	}
	if n, err := w.Describe(Interface{}); n != 0 || err != nil {
		t.Errorf("the interface after refused ones = %d, %v, want 0", n, err)
	}
}

// full takes n writes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, io.ErrShortBuffer
	}
	return len(p), nil
}

func TestErrorOfTheWriterStays(t *testing.T) {
	none := full(0)
	if _, err := NewWriter(&none); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("NewWriter = %v, want %v", err, io.ErrShortBuffer)
	}
	two := full(2)
	w, err := NewWriter(&two)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Describe(Interface{}); err != nil {
		t.Fatal(err)
	}
	p := Packet{Time: at, Data: []byte{0x45}}
	for range 2 {
		if err := w.Write(&p); !errors.Is(err, io.ErrShortBuffer) {
			t.Errorf("Write = %v, want %v", err, io.ErrShortBuffer)
		}
		two = 9
	}
	if _, err := w.Describe(Interface{}); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("Describe = %v, want %v", err, io.ErrShortBuffer)
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	w, err := NewWriter(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Describe(Interface{}); err != nil {
		t.Fatal(err)
	}
	p := Packet{Time: at, Comment: "lost", Direction: In, Drops: 1, Data: make([]byte, 1500)}
	if n := testing.AllocsPerRun(100, func() {
		if err := w.Write(&p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Write allocates %v times, want 0", n)
	}
}

func ExampleWriter() {
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := w.Describe(Interface{Name: "link", Description: "between alice and bob"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = w.Write(&Packet{
		Interface: link,
		Time:      time.Unix(1767225600, 0),
		Direction: Out,
		Comment:   "lost: random",
		Data:      []byte{0x45, 0, 0, 20},
		Length:    20,
	})
	fmt.Println(file.Len(), err)
	fmt.Print(hex.Dump(file.Bytes()[112:]))
	// Output:
	// 176 <nil>
	// 00000000  06 00 00 00 40 00 00 00  00 00 00 00 51 72 86 18  |....@.......Qr..|
	// 00000010  00 00 fa ed 04 00 00 00  14 00 00 00 45 00 00 14  |............E...|
	// 00000020  01 00 0c 00 6c 6f 73 74  3a 20 72 61 6e 64 6f 6d  |....lost: random|
	// 00000030  02 00 04 00 02 00 00 00  00 00 00 00 40 00 00 00  |............@...|
}
