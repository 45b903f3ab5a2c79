package udpchat

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"wirelab/internal/wire"
)

func TestAssembler(t *testing.T) {
	for _, size := range []int{100, 1000, wire.MaxEnvelope} {
		for _, room := range []int{MinDatagram - wire.DatagramHeader - wire.MACSize, 1156} {
			whole := make([]byte, size)
			for i := range whole {
				whole[i] = byte(i * 7)
			}
			count := pieces(size, room)
			if count == 1 {
				if size > room {
					t.Errorf("pieces(%d, %d) = 1", size, room)
				}
				continue
			}
			if count > wire.MaxFragments {
				t.Fatalf("pieces(%d, %d) = %d, at most %d", size, room, count, wire.MaxFragments)
			}
			var a assembler
			for k := range count {
				i := (k*7 + 3) % count // 7 and count need not be coprime: the rest comes below
				a.add(epoch, wire.Fragment{Of: 1, Index: uint16(i), Count: uint16(count)}, piece(whole, i, room))
			}
			var got []byte
			for i := range count {
				if b, _ := a.add(epoch, wire.Fragment{Of: 2, Index: uint16(count - 1 - i), Count: uint16(count)}, piece(whole, count-1-i, room)); b != nil {
					got = b
				}
			}
			if !bytes.Equal(got, whole) {
				t.Errorf("%d bytes in %d fragments come out as %d bytes", size, count, len(got))
			}
		}
	}
}

func TestAssemblerForgets(t *testing.T) {
	a := assembler{life: partialLife}
	f := wire.Fragment{Of: 1, Count: 2}
	a.add(epoch, f, []byte("half"))
	if got := a.deadline(); got != epoch.Add(partialLife) {
		t.Errorf("deadline = %v", got.Sub(epoch))
	}
	a.expire(epoch.Add(partialLife))
	if len(a.partials) != 0 || a.bytes != 0 || !a.deadline().IsZero() {
		t.Error("a part is kept for ever")
	}
	// Without an end the reliable channel's parts wait as long as it takes.
	b := assembler{}
	b.add(epoch, f, []byte("half"))
	f.Index = 1
	if got, _ := b.add(epoch.Add(time.Hour), f, []byte("way")); string(got) != "halfway" {
		t.Errorf("got %q", got)
	}
}

// FuzzAssemblerKeepsItsCaps: whatever fragments come, what is kept stays
// within bounds in number, bytes and time, and what comes out is no larger
// than an envelope.
func FuzzAssemblerKeepsItsCaps(f *testing.F) {
	f.Add([]byte{1, 0, 2, 100, 0, 1, 1, 2, 100, 0})
	f.Add(bytes.Repeat([]byte{5, 1, 255, 255, 3}, 60))
	f.Fuzz(func(t *testing.T, script []byte) {
		a := assembler{life: partialLife}
		now := epoch
		payload := make([]byte, 4*255)
		for len(script) >= 5 {
			fr := wire.Fragment{Of: uint32(script[0]), Index: uint16(script[1]), Count: uint16(script[2])}
			size := 4 * int(script[3])
			now = now.Add(time.Duration(script[4]) * 10 * ms)
			script = script[5:]
			if fr.Count < 2 || fr.Index >= fr.Count {
				continue // the decoder refuses it
			}
			binary.BigEndian.PutUint32(payload, fr.Of)
			whole, _ := a.add(now, fr, payload[:size])
			if len(whole) > wire.MaxEnvelope {
				t.Fatalf("an envelope of %d bytes", len(whole))
			}
			kept := 0
			for _, p := range a.partials {
				sum := 0
				for _, part := range p.parts {
					sum += len(part)
				}
				if sum != p.bytes || p.have > len(p.parts) {
					t.Fatalf("%d bytes counted, %d there", p.bytes, sum)
				}
				kept += sum
				if now.Sub(p.began) >= partialLife {
					t.Fatalf("a part is %v old", now.Sub(p.began))
				}
			}
			if kept != a.bytes || kept > maxPartialBytes || len(a.partials) > maxPartials {
				t.Fatalf("%d bytes in %d parts, counted %d", kept, len(a.partials), a.bytes)
			}
		}
	})
}
