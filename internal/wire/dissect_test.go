package wire

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// find returns the value of the field called name.
func find(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestDissectValues(t *testing.T) {
	envelope := func(e Envelope) []Field {
		e.Kind = max(e.Kind, 1)
		b, err := AppendEnvelope(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		return DissectEnvelope(b)
	}
	for _, tt := range []struct {
		name   string
		fields []Field
		field  string
		want   string
	}{
		{"JSON as it is", envelope(Envelope{Args: []byte(`["a\n \"b\" é"]`)}), "arguments", `["a\n \"b\" é"]`},
		{"JSON with what is not printable", envelope(Envelope{Args: []byte("[\"a\u009b\u202e\"]")}), "arguments", `"[\"a\u009b\u202e\"]"`},
		{"not JSON", envelope(Envelope{Kind: KindEvent, Args: []byte("hi\x1b[2J")}), "arguments", `"hi\x1b[2J" (invalid arguments: 'h' instead of '[', for arguments are an array at byte 0)`},
		{"not UTF-8", envelope(Envelope{Kind: KindEvent, Args: []byte("[\"\xff\"]")}), "arguments", `"[\"\xff\"]" (invalid arguments: invalid UTF-8 at byte 2)`},
		{"binary", envelope(Envelope{Kind: KindEvent, Flags: FlagBinary, Args: []byte("\x00\xff")}), "arguments", "00ff"},
		{"long", envelope(Envelope{Args: []byte("[" + strings.Repeat("1,", 1000) + "1]")}), "arguments", ("[" + strings.Repeat("1,", 1000))[:maxShown] + "… (2003 bytes)"},
		{"long, cut between letters", envelope(Envelope{Args: []byte("[" + strings.Repeat("é", 1000))}), "arguments", "[" + strings.Repeat("é", maxShown/2-1) + "… (2001 bytes)"},
		{"name", envelope(Envelope{Room: []byte("a\x1b\"")}), "room", `"a\x1b\""`},
		{"no time", envelope(Envelope{}), "time", "none"},
		{"time before 1970", envelope(Envelope{Time: -1}), "time", "1969-12-31T23:59:59.999999Z"},
		{"no such field", envelope(Envelope{}), "room", ""},
		{"after the frame", DissectFrame(append([]byte{0, 0, 0, 40, Version, byte(KindPing), 43: 0}, "xy"...)), Rest, "2 bytes after the frame"},
		{"ack with more", DissectDatagram(append(AppendHeader(nil, &Header{Type: TypeAck}), 1)), Rest, "1 bytes after the header"},
		{"short hello", DissectDatagram(append(AppendHeader(nil, &Header{Type: TypeHello}), make([]byte, 20)...)), Malformed, "hello of 64 bytes, at least 1200: truncated"},
		{"padded with something", DissectDatagram(append(AppendHeader(nil, &Header{Type: TypeHello}), strings.Repeat("x", 20)...)), "padding", "4 bytes, not all zero"},
		{"hello without nonce", DissectDatagram(append(AppendHeader(nil, &Header{Type: TypeHello}), 1)), Malformed, "hello of 45 bytes: truncated"},
		{"data without envelope", DissectDatagram(AppendHeader(nil, &Header{Type: TypeData})), Malformed, "envelope of 0 bytes, at least 40: truncated"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := find(tt.fields, tt.field); got != tt.want {
				t.Errorf("%s = %s, want %s", tt.field, got, tt.want)
			}
		})
	}
}

func FuzzDissectCoversEveryByte(f *testing.F) {
	_, all := readVectors(f)
	for _, v := range all {
		f.Add(v.bytes)
		f.Add(v.bytes[:len(v.bytes)*2/3])
	}
	f.Add(AppendHeader(nil, &Header{Type: TypeData, Flags: DatagramFragment, Fragment: Fragment{Count: 2}})) // an empty part
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, fields := range map[string][]Field{"DissectFrame": DissectFrame(b), "DissectEnvelope": DissectEnvelope(b), "DissectDatagram": DissectDatagram(b)} {
			off := 0
			for _, f := range fields {
				if f.Off != off || f.Len < 0 || f.Name == "" || f.Group == "" || f.Len == 0 && f.Name != Malformed {
					t.Fatalf("%s(%x): field %+v, want one at %d", name, b, f, off)
				}
				if i := strings.IndexFunc(f.Value, unicode.IsControl); i >= 0 {
					t.Errorf("%s(%x): %s has a control character: %q", name, b, f.Name, f.Value)
				}
				off += f.Len
			}
			if off != len(b) || len(fields) == 0 {
				t.Errorf("%s(%x): %d fields cover %d bytes of %d", name, b, len(fields), off, len(b))
			}
		}
		if raw, rest, err := SplitFrame(b); err == nil && raw != nil && len(rest) == 0 {
			_, err := Decode(raw)
			if malformed := find(DissectFrame(b), Malformed) != ""; malformed != (err != nil) {
				t.Errorf("DissectFrame(%x) finds it malformed: %t, Decode says %v", b, malformed, err)
			}
		}
	})
}

func ExampleDissectFrame() {
	frame := "\x00\x00\x00\x3a\x01\x05\x00\x01\x00\x05\x00\x04" + strings.Repeat("\x00", 23) + "\x02" + strings.Repeat("\x00", 8) + `lobbychat["hello"]`
	for _, f := range DissectFrame([]byte(frame)) {
		fmt.Printf("%2d %-8s %-16s %-18x %s\n", f.Off, f.Group, f.Name, frame[f.Off:f.Off+f.Len], f.Value)
	}
	// Output:
	//  0 frame    length           0000003a           58 bytes follow
	//  4 envelope version          01                 1
	//  5 envelope kind             05                 event
	//  6 envelope flags            0001               ack
	//  8 envelope namespace length 00                 0
	//  9 envelope room length      05                 5
	// 10 envelope sender length    00                 0
	// 11 envelope event length     04                 4
	// 12 envelope seq              0000000000000000   0
	// 20 envelope prev             0000000000000000   0
	// 28 envelope id               0000000000000002   0000000000000002
	// 36 envelope time             0000000000000000   none
	// 44 envelope room             6c6f626279         "lobby"
	// 49 envelope event            63686174           "chat"
	// 53 envelope arguments        5b2268656c6c6f225d ["hello"]
}

func ExampleDissectDatagram() {
	b := AppendHeader(nil, &Header{Type: TypeAck, Session: 0x1122334455667788, Number: 8, Ack: 9, AckBits: 0b101})
	for _, f := range DissectDatagram(b) {
		fmt.Printf("%2d %-8s %-16x %s\n", f.Off, f.Name, b[f.Off:f.Off+f.Len], f.Value)
	}
	// Output:
	//  0 magic    57               "W"
	//  1 version  01               1
	//  2 type     06               ack
	//  3 flags    00               none
	//  4 session  1122334455667788 1122334455667788
	// 12 number   0000000000000008 8
	// 20 reliable 0000000000000000 0
	// 28 ack      0000000000000009 9
	// 36 ackbits  0000000000000005 ack+2, ack+4
}
