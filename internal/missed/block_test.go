package missed

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wirelab/internal/wire"
)

func testBlock(k Key, first uint64, sizes []byte) Block {
	b := Block{Key: k, First: first, Last: first + uint64(len(sizes)) - 1}
	for i, size := range sizes {
		seq := first + uint64(i)
		b.Frames, _ = wire.AppendFrame(b.Frames, &wire.Envelope{
			Kind: wire.KindEvent, Seq: seq, Prev: seq - 1, Time: int64(seq), Args: bytes.Repeat([]byte("x"), int(size)),
		})
		switch size % 4 {
		case 1:
			b.Marks = append(b.Marks, NewMarked(seq, Mark{Except: []uint64{uint64(size), seq + 1000}}))
		case 2:
			b.Marks = append(b.Marks, NewMarked(seq, Mark{Only: []uint64{}}))
		case 3:
			b.Marks = append(b.Marks, NewMarked(seq, Mark{Only: []uint64{uint64(size)}, Except: []uint64{1}}))
		}
	}
	return b
}

func TestBlockInPieces(t *testing.T) {
	whole := testBlock(Key{Room: "a"}, 100, []byte{0, 1, 2, 3, 4, 5, 6, 7, 200, 201, 202, 203})
	for most := 0; most < len(whole.Frames)+100; most += 7 {
		var frames []byte
		var marks []Marked
		rest := whole
		for {
			piece := rest.Head(most)
			if n := piece.Last + 1 - piece.First; n > 1 && len(piece.Frames) > most {
				t.Fatalf("Head(%d) = %d events in %d bytes", most, n, len(piece.Frames))
			}
			frames = append(frames, piece.Frames...)
			marks = append(marks, piece.Marks...)
			if piece.Last == whole.Last {
				break
			}
			rest = rest.From(piece.Last + 1)
		}
		if !bytes.Equal(frames, whole.Frames) {
			t.Fatalf("pieces of %d bytes are not the whole", most)
		}
		if diff := cmp.Diff(whole.Marks, marks); diff != "" {
			t.Fatalf("pieces of %d bytes: marks (-want +got):\n%s", most, diff)
		}
	}
}

// Every byte of an encoded block matters.
func TestBlockChecks(t *testing.T) {
	k := Key{Namespace: "n", Room: "a"}
	b := testBlock(k, 7, []byte{0, 1, 2, 3, 40})
	p := AppendBlock(nil, &b)
	if _, err := DecodeBlock(k, 7, p); err != nil {
		t.Fatal(err)
	}
	for i := range p {
		bad := slices.Clone(p)
		bad[i] ^= 0x10
		if _, err := DecodeBlock(k, 7, bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("DecodeBlock with byte %d changed = %v, want ErrDamaged", i, err)
		}
		if _, err := DecodeBlock(k, 7, p[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("DecodeBlock of %d bytes = %v, want ErrDamaged", i, err)
		}
	}
	for _, c := range []struct {
		key   Key
		first uint64
	}{{Key{Room: "a"}, 7}, {Key{Namespace: "na"}, 7}, {k, 8}, {k, 0}} {
		if _, err := DecodeBlock(c.key, c.first, p); !errors.Is(err, ErrDamaged) {
			t.Errorf("DecodeBlock in the place %v, %d = %v, want ErrDamaged", c.key, c.first, err)
		}
	}
}

// A check that is right does not make a block right.
func TestBlockLies(t *testing.T) {
	k := Key{Room: "a"}
	for _, c := range []struct {
		name   string
		change func(p []byte) []byte
	}{
		{"one event less", func(p []byte) []byte { p[7]--; return p }},
		{"no event", func(p []byte) []byte { p[7] = 0; return p }},
		{"frame too long", func(p []byte) []byte { p[len(p)-60+3-wire.LengthSize]++; return p }},
		{"mark past the end", func(p []byte) []byte { p[blockHeader+3] = 9; return p }},
		{"mark with too many viewers", func(p []byte) []byte { p[blockHeader+11] = 200; return p }},
	} {
		b := testBlock(k, 7, []byte{1, 4, 4, 20})
		p := c.change(AppendBlock(nil, &b))
		check := checkBlock(k, 7, p)
		copy(p, []byte{byte(check >> 24), byte(check >> 16), byte(check >> 8), byte(check)})
		if got, err := DecodeBlock(k, 7, p); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: DecodeBlock() = events %d to %d, %v, want ErrDamaged", c.name, got.First, got.Last, err)
		}
	}
}

func FuzzBlockRoundTrip(f *testing.F) {
	f.Add("", "lobby", uint64(1), []byte{0})
	f.Add("n", "r", uint64(1<<40), []byte{0, 1, 2, 3, 255, 254, 253})
	f.Fuzz(func(t *testing.T, namespace, room string, first uint64, sizes []byte) {
		if len(namespace) > wire.MaxName || len(room) > wire.MaxName || len(sizes) == 0 || first == 0 || first > 1<<60 {
			return
		}
		want := testBlock(Key{namespace, room}, first, sizes)
		p := AppendBlock([]byte("before"), &want)
		got, err := DecodeBlock(want.Key, first, p[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for i := range want.Marks {
			if (want.Marks[i].Mark().Only == nil) != (got.Marks[i].Mark().Only == nil) {
				t.Errorf("mark %d: nobody became everybody", i)
			}
		}
		span, err := BlockSpan(want.Key, first, p[len("before"):])
		if err != nil || span.Last != want.Last || span.FirstTime != int64(first) || span.LastTime != int64(want.Last) || span.Marked != (want.Marks != nil) {
			t.Errorf("BlockSpan() = %+v, %v", span, err)
		}
	})
}

// Whatever the bytes, also with a check that is right: no panic, no large
// allocation, and a block that is taken is in order.
func FuzzBlockNeverPanics(f *testing.F) {
	b := testBlock(Key{Room: "a"}, 1, []byte{0, 1, 2, 3})
	f.Add(AppendBlock(nil, &b), uint64(1))
	f.Add([]byte("short"), uint64(0))
	f.Fuzz(func(t *testing.T, p []byte, first uint64) {
		k := Key{Room: "a"}
		if len(p) >= blockHeader {
			check := checkBlock(k, first, p)
			p = append([]byte{byte(check >> 24), byte(check >> 16), byte(check >> 8), byte(check)}, p[4:]...)
		}
		b, err := DecodeBlock(k, first, p)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("DecodeBlock() = %v, want ErrDamaged", err)
			}
			return
		}
		if b.First != first || b.Last < b.First {
			t.Errorf("events %d to %d", b.First, b.Last)
		}
		for n := b.First; ; n++ {
			one := b.From(n).Head(0)
			if one.First != n || one.Last != n || frameSize(one.Frames) != len(one.Frames) {
				t.Fatalf("event %d = events %d to %d, %d bytes", n, one.First, one.Last, len(one.Frames))
			}
			if n == b.Last {
				return
			}
		}
	})
}
