package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// chatEvent is what a room's log holds most of: 100 bytes of arguments.
func chatEvent() *Envelope {
	return &Envelope{
		Kind: KindEvent, Seq: 18, Prev: 17, ID: 0xfeed, Time: 1_798_761_600_123_456,
		Room: []byte("lobby"), Sender: []byte("ana"), Event: []byte("chat"), Args: []byte(`["` + strings.Repeat("x", 96) + `"]`),
	}
}

func TestCheck(t *testing.T) {
	long := func(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }
	for _, tt := range []struct {
		name string
		e    Envelope
		is   error
		want string
	}{
		{"all at their caps", Envelope{Kind: KindBye, Flags: flagsEnd - 1, Namespace: long(64), Room: long(64), Sender: long(64), Event: long(64), Args: long(MaxArguments)}, nil, ""},
		{"one at its cap", Envelope{Kind: KindBye, Sender: long(64)}, nil, ""},
		{"no kind", Envelope{}, ErrKind, "wire: kind 0: unknown kind"},
		{"kind", Envelope{Kind: kindEnd}, ErrKind, "wire: kind 12: unknown kind"},
		{"flags", Envelope{Kind: KindBye, Flags: flagsEnd}, ErrFlags, "wire: flags 0x80: unknown flags"},
		{"namespace", Envelope{Kind: KindBye, Namespace: long(65)}, ErrSize, "wire: namespace of 65 bytes, at most 64: size out of range"},
		{"room", Envelope{Kind: KindBye, Room: long(300)}, ErrSize, "wire: room of 300 bytes, at most 64: size out of range"},
		{"sender", Envelope{Kind: KindBye, Sender: long(65)}, ErrSize, "wire: sender of 65 bytes, at most 64: size out of range"},
		{"event", Envelope{Kind: KindBye, Event: long(128)}, ErrSize, "wire: event name of 128 bytes, at most 64: size out of range"},
		{"arguments", Envelope{Kind: KindBye, Args: long(MaxArguments + 1)}, ErrSize, "wire: arguments of 65537 bytes, at most 65536: size out of range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.e.Check()
			if !errors.Is(err, tt.is) || err != nil && err.Error() != tt.want {
				t.Errorf("Check() = %v, want %q", err, tt.want)
			}
			before := []byte("before")
			for name, appended := range map[string]func([]byte, *Envelope) ([]byte, error){"AppendFrame": AppendFrame, "AppendEnvelope": AppendEnvelope} {
				b, err := appended(before, &tt.e)
				if (err == nil) != (tt.is == nil) || err != nil && string(b) != "before" || !bytes.HasPrefix(b, before) {
					t.Errorf("%s: %d bytes and %v", name, len(b), err)
				}
			}
		})
	}
}

// Arguments over the cap hide behind short names: the length alone allows them.
func TestDecodeRefusesLongArguments(t *testing.T) {
	b := append([]byte{Version, byte(KindEvent), 38: 0, 39: 0}, make([]byte, MaxArguments+1)...)
	if _, err := Decode(b); !errors.Is(err, ErrSize) {
		t.Errorf("Decode of %d bytes: %v, want %v", len(b), err, ErrSize)
	}
	if _, err := Decode(make([]byte, MaxEnvelope+1)); !errors.Is(err, ErrSize) {
		t.Errorf("Decode of %d bytes: %v, want %v", MaxEnvelope+1, err, ErrSize)
	}
}

func TestNoHalfFilledValueEscapes(t *testing.T) {
	e := chatEvent()
	b, err := AppendEnvelope(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	b[1] = 99
	if got, err := Decode(b); err == nil || got.Seq != 0 || got.Room != nil {
		t.Errorf("Decode = %+v and %v, want nothing and an error", got, err)
	}
	h := AppendHeader(nil, &Header{Type: TypeData, Flags: DatagramFragment, Session: 7})
	if got, payload, err := DecodeHeader(h); err == nil || got != (Header{}) || payload != nil {
		t.Errorf("DecodeHeader = %+v and %v, want nothing and an error", got, err)
	}
}

// What aliases the input must not be able to grow into what follows it.
func TestDecodedSlicesEndWhereTheyEnd(t *testing.T) {
	b, err := AppendFrame(nil, chatEvent())
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, "next"...)
	raw, rest, err := SplitFrame(b)
	if err != nil || string(rest) != "next" {
		t.Fatalf("SplitFrame: rest %q and %v", rest, err)
	}
	e, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(b)
	for _, s := range [][]byte{raw, e.Namespace, e.Room, e.Sender, e.Event, e.Args} {
		_ = append(s, '!')
	}
	if !bytes.Equal(before, b) {
		t.Errorf("append to a decoded field changed the input:\n%q\n%q", before, b)
	}
}

func TestSplitFrameWaitsForMore(t *testing.T) {
	b, err := AppendFrame(nil, chatEvent())
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if got, rest, err := SplitFrame(b[:n]); got != nil || len(rest) != n || err != nil {
			t.Fatalf("SplitFrame of %d bytes = %d, %d, %v; want nil and all the rest", n, len(got), len(rest), err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{KindEvent.String(), "event"}, {KindBye.String(), "bye"}, {Kind(0).String(), "kind 0"}, {Kind(200).String(), "kind 200"},
		{Flags(0).String(), "none"}, {(FlagAck | FlagDirect).String(), "ack+direct"}, {(FlagFailed | 0x8000).String(), "failed+0x8000"}, {Flags(0x80).String(), "0x80"},
		{TypeReset.String(), "reset"}, {DatagramType(8).String(), "type 8"},
		{DatagramFlags(7).String(), "mac+fragment+reliable"}, {DatagramFlags(0xf0).String(), "0xf0"},
	} {
		if tt.got != tt.want {
			t.Errorf("String() = %q, want %q", tt.got, tt.want)
		}
	}
}

func TestAllocations(t *testing.T) {
	e := chatEvent()
	frame, err := AppendFrame(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	room := make([]byte, 0, 4096)
	for _, tt := range []struct {
		name string
		want float64
		do   func()
	}{
		{"AppendFrame to nothing", 1, func() { _, _ = AppendFrame(nil, e) }},
		{"AppendFrame to a buffer with room", 0, func() { _, _ = AppendFrame(room, e) }},
		{"Decode", 0, func() { _, _ = Decode(frame[LengthSize:]) }},
		{"SplitFrame", 0, func() { _, _, _ = SplitFrame(frame) }},
	} {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.want {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.want)
		}
	}
}

// Appending frame after frame must not copy all that is there each time.
func TestAppendFrameGrowsByDoubling(t *testing.T) {
	e := chatEvent()
	if got := testing.AllocsPerRun(10, func() {
		var b []byte
		for range 1000 {
			b, _ = AppendFrame(b, e)
		}
	}); got > 40 {
		t.Errorf("%v allocations for 1000 frames, want few", got)
	}
}

func FuzzDecodeThenEncodeIsIdentity(f *testing.F) {
	_, all := readVectors(f)
	for _, v := range all {
		f.Add(v.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if raw, rest, err := SplitFrame(b); err == nil && raw != nil {
			if e, err := Decode(raw); err == nil {
				got, err := AppendFrame(nil, &e)
				if want := b[:len(b)-len(rest)]; err != nil || !bytes.Equal(got, want) {
					t.Errorf("frame %x decoded and encoded = %x and %v", want, got, err)
				}
			}
		}
		if e, err := Decode(b); err == nil {
			if got, err := AppendEnvelope(nil, &e); err != nil || !bytes.Equal(got, b) {
				t.Errorf("envelope %x decoded and encoded = %x and %v", b, got, err)
			}
			if len(b) != e.Size() {
				t.Errorf("Size() = %d, want %d", e.Size(), len(b))
			}
		}
		if h, payload, err := DecodeHeader(b); err == nil {
			if got := append(AppendHeader(nil, &h), payload...); !bytes.Equal(got, b) {
				t.Errorf("datagram %x decoded and encoded = %x", b, got)
			}
		}
	})
}

func FuzzNoInputPanicsOrExceedsItsCap(f *testing.F) {
	_, all := readVectors(f)
	for _, v := range all {
		f.Add(v.bytes)
	}
	sealer := NewSealer([]byte("key"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err == nil {
			for name, field := range map[string][]byte{"namespace": e.Namespace, "room": e.Room, "sender": e.Sender, "event": e.Event} {
				if len(field) > MaxName {
					t.Errorf("%s of %d bytes", name, len(field))
				}
			}
			if len(e.Args) > MaxArguments || len(b) > MaxEnvelope || !e.Kind.Valid() || e.Flags >= flagsEnd {
				t.Errorf("Decode took %+v", e)
			}
		}
		h, payload, err := DecodeHeader(b)
		if err == nil && (h.Fragment.Count > MaxFragments || h.Fragment.Index > 0 && h.Fragment.Index >= h.Fragment.Count || len(payload)+h.Overhead() != len(b) || !h.Type.Valid()) {
			t.Errorf("DecodeHeader took %+v with %d bytes of payload", h, len(payload))
		}
		if sealer.Verify(b) {
			t.Errorf("Verify took %x", b)
		}
		r := NewReader(bytes.NewReader(b))
		for {
			r.Buffered()
			_, raw, err := r.Next()
			if len(raw) > MaxFrame || len(r.buf) > max(largeBuffer, MaxFrame) || len(r.buf) > smallBuffer && len(b) < smallBuffer {
				t.Errorf("frame of %d bytes in a buffer of %d from %d", len(raw), len(r.buf), len(b))
			}
			if err != nil {
				break
			}
		}
		if len(b) >= LengthSize {
			n := binary.BigEndian.Uint32(b)
			if _, _, err := SplitFrame(b); (err != nil) != (n < MinEnvelope || n > MaxEnvelope) {
				t.Errorf("SplitFrame with length %d: %v", n, err)
			}
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	e := chatEvent()
	buf := make([]byte, 0, MaxFrame)
	b.SetBytes(int64(LengthSize + e.Size()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendFrame(buf, e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw, err := AppendEnvelope(nil, chatEvent())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSplitFrame(b *testing.B) {
	frame, err := AppendFrame(nil, chatEvent())
	if err != nil {
		b.Fatal(err)
	}
	log := bytes.Repeat(frame, 1000)
	rest := log
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if len(rest) == 0 {
			rest = log
		}
		if _, rest, err = SplitFrame(rest); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleAppendFrame() {
	b, err := AppendFrame(nil, &Envelope{Kind: KindPing, ID: 7})
	fmt.Printf("%x %v\n", b, err)
	// Output: 0000002801090000000000000000000000000000000000000000000000000000000000070000000000000000 <nil>
}

func ExampleDecode() {
	frame := "\x00\x00\x00\x3a\x01\x05\x00\x01\x00\x05\x00\x04" + strings.Repeat("\x00", 23) + "\x02" + strings.Repeat("\x00", 8) + `lobbychat["hello"]`
	e, err := Decode([]byte(frame)[LengthSize:])
	fmt.Println(e.Kind, e.Flags, e.ID, string(e.Room), string(e.Event), string(e.Args), err)
	// Output: event ack 2 lobby chat ["hello"] <nil>
}

func ExampleReader() {
	ping, _ := AppendFrame(nil, &Envelope{Kind: KindPing, ID: 7})
	bye, _ := AppendFrame(nil, &Envelope{Kind: KindBye, Args: []byte(`["done"]`)})
	r := NewReader(bytes.NewReader(append(ping, bye...)))
	for {
		e, raw, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %x\n", e.Kind, raw)
	}
	// Output:
	// ping 0000002801090000000000000000000000000000000000000000000000000000000000070000000000000000
	// bye 00000030010b00000000000000000000000000000000000000000000000000000000000000000000000000005b22646f6e65225d
	// EOF
}

func ExampleSplitFrame() {
	ping, _ := AppendFrame(nil, &Envelope{Kind: KindPing, ID: 7})
	envelope, rest, err := SplitFrame(append(ping, 0, 0))
	fmt.Printf("%x | %x | %v\n", envelope, rest, err)
	// Output: 01090000000000000000000000000000000000000000000000000000000000070000000000000000 | 0000 | <nil>
}

func ExampleCheckArgs() {
	fmt.Println(CheckArgs([]byte(`["hello",1,{"a":null}]`)))
	fmt.Println(CheckArgs([]byte(`["hello",]`)))
	// Output:
	// <nil>
	// wire: invalid arguments: ']' instead of a value at byte 9
}
