package pcapng

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A file is what read found.
type file struct {
	app        string
	interfaces []Interface
	packets    []Packet
}

// read is a second implementation of the format, written from the specification
// and strict: it accepts no block that it does not know and no padding but zero.
func read(b []byte) (f file, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("read: %v", r)
		}
	}()
	need := func(ok bool, what string) {
		if !ok {
			panic(what)
		}
	}
	u16, u32, u64 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	for first := true; len(b) > 0; first = false {
		n := u32(b[4:])
		need(n >= 12 && n%4 == 0 && int(n) <= len(b), "block length")
		need(u32(b[n-4:]) == n, "second block length")
		kind, body := u32(b), b[8:n-4]
		b = b[n:]
		need(first == (kind == 0x0A0D0D0A), "section header first")
		options := func(from int, each func(code uint16, value []byte)) {
			for o := body[from:]; len(o) > 0; {
				code, n := u16(o), int(u16(o[2:]))
				if code == 0 {
					need(n == 0 && len(o) == 4, "end of options")
					return
				}
				padded := (n + 3) &^ 3
				need(strings.Trim(string(o[4+n:4+padded]), "\x00") == "", "padding")
				each(code, o[4:4+n])
				o = o[4+padded:]
				need(len(o) >= 4, "options without end")
			}
		}
		switch kind {
		case 0x0A0D0D0A:
			need(u32(body) == 0x1A2B3C4D && u16(body[4:]) == 1 && u16(body[6:]) == 0, "section")
			need(u64(body[8:]) == math.MaxUint64, "section length")
			options(16, func(code uint16, v []byte) {
				need(code == 4, "option of the section")
				f.app = string(v)
			})
		case 1:
			i := Interface{LinkType: u16(body)}
			resolution := 6
			options(8, func(code uint16, v []byte) {
				switch code {
				case 2:
					i.Name = string(v)
				case 3:
					i.Description = string(v)
				case 9:
					resolution = int(v[0])
				default:
					panic("option of an interface")
				}
			})
			need(resolution == 9, "resolution")
			f.interfaces = append(f.interfaces, i)
		case 6:
			captured := int(u32(body[12:]))
			p := Packet{
				Interface: int(u32(body)),
				Time:      time.Unix(0, int64(u32(body[4:]))<<32|int64(u32(body[8:]))),
				Data:      body[20 : 20+captured],
				Length:    int(u32(body[16:])),
			}
			need(p.Interface < len(f.interfaces), "interface")
			padded := (captured + 3) &^ 3
			need(strings.Trim(string(body[20+captured:20+padded]), "\x00") == "", "padding of the data")
			options(20+padded, func(code uint16, v []byte) {
				switch code {
				case 1:
					p.Comment = string(v)
				case 2:
					need(len(v) == 4 && u32(v) <= 2, "flags")
					p.Direction = Direction(v[0])
				case 4:
					p.Drops = u64(v)
				case 5:
					p.ID = u64(v)
				default:
					panic("option of a packet")
				}
			})
			f.packets = append(f.packets, p)
		default:
			panic("unknown block")
		}
	}
	return f, nil
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	text := func() string {
		const letters = "aü€😀 \n\x00-"
		s := []rune{}
		for range r.IntN(9) {
			s = append(s, []rune(letters)[r.IntN(len([]rune(letters)))])
		}
		return string(s)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := file{app: "wirelab"}
	for range 2000 {
		if len(want.interfaces) == 0 || r.IntN(100) == 0 {
			i := Interface{Name: text(), Description: text(), LinkType: uint16(1 + r.IntN(300))}
			if _, err := w.Describe(i); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			want.interfaces = append(want.interfaces, i)
			continue
		}
		p := Packet{
			Interface: r.IntN(len(want.interfaces)),
			Time:      time.Unix(0, r.Int64N(math.MaxInt64-2e9)),
			Direction: Direction(r.IntN(3)),
			Drops:     uint64(r.IntN(3)) * r.Uint64(),
			ID:        uint64(r.IntN(3)) * r.Uint64(),
			Comment:   text(),
			Data:      make([]byte, r.IntN(70)),
		}
		for i := range p.Data {
			p.Data[i] = byte(r.Uint32())
		}
		p.Length = len(p.Data) + r.IntN(2)*r.IntN(1000)
		if err := w.Write(&p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want.packets = append(want.packets, p)
	}
	got, err := read(b.Bytes())
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("seed %d: read something else than was written", seed)
	}
}

func FuzzWhatIsWrittenIsRead(f *testing.F) {
	f.Add("link", "a wire", "lost", []byte{0x45}, int64(1), uint64(0), 0, byte(1))
	f.Add("", "", "", []byte{}, int64(math.MaxInt64), uint64(1)<<63, 70000, byte(0))
	f.Fuzz(func(t *testing.T, name, description, comment string, data []byte, ns int64, drops uint64, length int, direction byte) {
		var b bytes.Buffer
		w, err := NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		i := Interface{Name: name, Description: description, LinkType: LinkTypeRaw}
		if _, err := w.Describe(i); err != nil {
			return
		}
		p := Packet{Time: time.Unix(0, ns), Direction: Direction(direction), Drops: drops, Comment: comment, Data: data, Length: length}
		want := file{app: "wirelab", interfaces: []Interface{i}}
		if w.Write(&p) == nil {
			if p.Length == 0 {
				p.Length = len(data)
			}
			want.packets = []Packet{p}
		}
		got, err := read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if len(got.packets) == 1 && len(data) == 0 {
			got.packets[0].Data = data // nil or empty
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, want %+v", got, want)
		}
	})
}
