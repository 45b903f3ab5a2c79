package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const vectorFile = "testdata/vectors.txtar"

var update = flag.Bool("update", false, "write the layout and comments of "+vectorFile+" anew; its bytes stay")

// A vector is one example: the bytes, and what they mean by another hand than
// the codec's.
type vector struct {
	name  string // such as frame/event or datagram/bad/short
	hex   string // as it stands in the file
	bytes []byte
	want  map[string]string
}

func (v *vector) number(t *testing.T, key string, base int) uint64 {
	t.Helper()
	if v.want[key] == "" {
		return 0
	}
	n, err := strconv.ParseUint(v.want[key], base, 64)
	if err != nil {
		t.Fatalf("%s: %s: %v", v.name, key, err)
	}
	return n
}

// number finds the names, joined by +, among String() of the numbers or, with
// shift, of the single bits.
func number[T interface {
	~uint8 | ~uint16
	String() string
}](t *testing.T, name string, shift bool) (sum T) {
	t.Helper()
	for _, part := range strings.Split(name, "+") {
		found := part == ""
		for i := range 16 {
			n := T(i)
			if shift {
				n = T(1) << i
			}
			if part != "" && n.String() == part {
				sum |= n
				found = true
			}
		}
		if !found {
			t.Fatalf("%q names nothing", part)
		}
	}
	return sum
}

// envelope builds what the keys with the prefix say.
func (v *vector) envelope(t *testing.T, prefix string) *Envelope {
	t.Helper()
	text := func(key string) []byte { return []byte(v.want[prefix+key]) }
	e := &Envelope{
		Kind: number[Kind](t, v.want[prefix+"kind"], false), Flags: number[Flags](t, v.want[prefix+"flags"], true),
		Seq: v.number(t, prefix+"seq", 10), Prev: v.number(t, prefix+"prev", 10), ID: v.number(t, prefix+"id", 10), Time: int64(v.number(t, prefix+"time", 10)),
		Namespace: text("namespace"), Room: text("room"), Sender: text("sender"), Event: text("event"), Args: text("args"),
	}
	if s, ok := v.want[prefix+"args-hex"]; ok {
		e.Args = unhex(t, s)
	}
	return e
}

// unhex reads hex digits with white space, comments from # on, and 00*N for N
// zero bytes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			if n, ok := strings.CutPrefix(word, "00*"); ok {
				count, err := strconv.Atoi(n)
				if err != nil {
					t.Fatalf("%q: %v", word, err)
				}
				out = append(out, make([]byte, count)...)
				continue
			}
			b, err := hex.DecodeString(word)
			if err != nil {
				t.Fatalf("%q: %v", word, err)
			}
			out = append(out, b...)
		}
	}
	return out
}

// layout writes the bytes of a dissected input in hex, a field a line, at most
// 16 bytes a line.
func layout(b []byte, fields []Field) string {
	var s strings.Builder
	for _, f := range fields {
		part := b[f.Off : f.Off+f.Len]
		label := f.Name + ": "
		if f.Name == "padding" {
			fmt.Fprintf(&s, "%-33s # %s%s\n", "00*"+strconv.Itoa(f.Len), label, f.Value)
			continue
		}
		// Long printable text stands beside its bytes.
		beside := f.Name == "arguments" && len(part) > 16 && !strings.HasSuffix(f.Value, ")") && strings.IndexFunc(f.Value, func(r rune) bool { return r > '~' }) < 0
		for i := 0; i == 0 || i < len(part); i += 16 {
			row := part[i:min(i+16, len(part))]
			comment := ""
			switch {
			case beside:
				comment = " # " + label + string(row)
				label = strings.Repeat(" ", len(label))
			case i == 0:
				comment = " # " + label + f.Value
			}
			s.WriteString(strings.TrimRight(fmt.Sprintf("%-33s%s", hex.EncodeToString(row), comment), " ") + "\n")
		}
	}
	return s.String()
}

func readVectors(t testing.TB) (*txtar.Archive, []vector) {
	t.Helper()
	archive, err := txtar.ParseFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for i := 0; i+1 < len(archive.Files); i += 2 {
		h, w := archive.Files[i], archive.Files[i+1]
		v := vector{name: strings.TrimSuffix(h.Name, ".hex"), hex: string(h.Data), want: map[string]string{}}
		if h.Name != v.name+".hex" || w.Name != v.name+".want" {
			t.Fatalf("%s: %s and %s should be one .hex and its .want", vectorFile, h.Name, w.Name)
		}
		v.bytes = unhex(t, v.hex)
		for line := range strings.Lines(string(w.Data)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if key == "envelope" {
				sub, rest, _ := strings.Cut(value, " ")
				key, value = key+" "+sub, rest
			}
			v.want[key] = value
		}
		all = append(all, v)
	}
	return archive, all
}

func TestVectors(t *testing.T) {
	archive, all := readVectors(t)
	kinds, types := map[Kind]bool{}, map[DatagramType]bool{}
	for i, v := range all {
		t.Run(v.name, func(t *testing.T) {
			var fields []Field
			var err error
			if strings.HasPrefix(v.name, "frame/") {
				fields = DissectFrame(v.bytes)
				err = checkFrameVector(t, &v)
				if err == nil {
					kinds[Kind(v.bytes[5])] = true
				}
			} else {
				fields = DissectDatagram(v.bytes)
				err = checkDatagramVector(t, &v)
				if err == nil {
					types[DatagramType(v.bytes[2])] = true
				}
			}
			if bad := path.Base(path.Dir(v.name)) == "bad"; bad != (err != nil) {
				t.Errorf("error %v, want one: %t", err, bad)
			} else if bad && !strings.HasSuffix(err.Error(), v.want["error"]) {
				t.Errorf("error %q, want %q", err, v.want["error"])
			}
			if malformed := fields[len(fields)-1].Name == Malformed; malformed != (err != nil) {
				t.Errorf("decoding says %v, dissecting ends with %+v", err, fields[len(fields)-1])
			}
			want := layout(v.bytes, fields)
			if *update {
				archive.Files[2*i].Data = []byte(want)
			} else if diff := cmp.Diff(want, v.hex); diff != "" {
				t.Errorf("layout differs, go test -update writes it anew (-want +file):\n%s", diff)
			}
		})
	}
	for k := Kind(1); k < kindEnd; k++ {
		if !kinds[k] {
			t.Errorf("no good vector of kind %s", k)
		}
	}
	for typ := DatagramType(1); typ < typeEnd; typ++ {
		if !types[typ] {
			t.Errorf("no good vector of type %s", typ)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(vectorFile, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkFrameVector decodes v, compares, encodes again, and returns the
// decoder's error.
func checkFrameVector(t *testing.T, v *vector) error {
	b, rest, err := SplitFrame(v.bytes)
	if err != nil {
		return err
	}
	if b == nil {
		return fmt.Errorf("frame of %d bytes: %w", len(v.bytes), ErrShort)
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes after the frame", len(rest))
	}
	got, err := Decode(b)
	if err != nil {
		return err
	}
	want := v.envelope(t, "")
	if diff := cmp.Diff(plain(want), plain(&got)); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if b, err := AppendFrame(nil, want); err != nil || !bytes.Equal(b, v.bytes) {
		t.Errorf("encoded %x and %v, want %x", b, err, v.bytes)
	}
	return nil
}

func checkDatagramVector(t *testing.T, v *vector) error {
	got, payload, err := DecodeHeader(v.bytes)
	if err != nil {
		return err
	}
	want := Header{
		Type: number[DatagramType](t, v.want["type"], false), Flags: number[DatagramFlags](t, v.want["flags"], true),
		Session: v.number(t, "session", 16), Number: v.number(t, "number", 10), Reliable: v.number(t, "reliable", 10),
		Ack: v.number(t, "ack", 10), AckBits: v.number(t, "ackbits", 16), MAC: got.MAC,
	}
	if s := v.want["fragment"]; s != "" {
		f := &want.Fragment
		if _, err := fmt.Sscan(s, &f.Of, &f.Index, &f.Count); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if b := append(AppendHeader(nil, &want), payload...); !bytes.Equal(b, v.bytes) {
		t.Errorf("encoded %x, want %x", b, v.bytes)
	}
	if n := want.Overhead(); n != len(v.bytes)-len(payload) {
		t.Errorf("Overhead() = %d, want %d", n, len(v.bytes)-len(payload))
	}
	if key, ok := v.want["key"]; ok {
		s := NewSealer(unhex(t, key))
		if got, want := s.Verify(v.bytes), v.want["mac"] == "right"; got != want {
			t.Errorf("Verify = %t, want %t", got, want)
		}
		sealed := bytes.Clone(v.bytes)
		s.Seal(sealed)
		if same := bytes.Equal(sealed, v.bytes); same != (v.want["mac"] == "right") {
			t.Errorf("Seal gives the same bytes: %t", same)
		}
	}
	for _, part := range []struct {
		key  string
		size int
	}{{"nonce", NonceSize}, {"cookie", CookieSize}} {
		if s, ok := v.want[part.key]; ok {
			if b := payload[:part.size]; hex.EncodeToString(b) != s {
				t.Errorf("%s = %x, want %s", part.key, b, s)
			}
			payload = payload[part.size:]
		}
	}
	if _, ok := v.want["envelope kind"]; ok {
		e, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain(v.envelope(t, "envelope ")), plain(&e)); diff != "" {
			t.Errorf("envelope (-want +got):\n%s", diff)
		}
	}
	return nil
}

// plain is e with strings, so that nil and empty are equal.
func plain(e *Envelope) any {
	return struct {
		Kind                                 Kind
		Flags                                Flags
		Seq, Prev, ID                        uint64
		Time                                 int64
		Namespace, Room, Sender, Event, Args string
	}{e.Kind, e.Flags, e.Seq, e.Prev, e.ID, e.Time, string(e.Namespace), string(e.Room), string(e.Sender), string(e.Event), string(e.Args)}
}

// The two fragments of the vectors are one envelope, cut.
func TestFragmentVectorsJoin(t *testing.T) {
	_, all := readVectors(t)
	var whole []byte
	var event []byte
	for _, v := range all {
		switch v.name {
		case "datagram/fragment-first", "datagram/fragment-last":
			_, payload, err := DecodeHeader(v.bytes)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, payload...)
		case "frame/event":
			event = v.bytes[LengthSize:]
		}
	}
	if !bytes.Equal(whole, event) || event == nil {
		t.Errorf("joined %x, want %x", whole, event)
	}
}

// The proofs and the MACs' keys in the vectors come from this join key.
func TestVectorSecrets(t *testing.T) {
	_, all := readVectors(t)
	byName := map[string]vector{}
	for _, v := range all {
		byName[v.name] = v
	}
	key := []byte("correct horse")
	client := unhex(t, "101112131415161718191a1b1c1d1e1f")
	challenge := unhex(t, "000102030405060708090a0b0c0d0e0f")
	cookie := unhex(t, byName["datagram/key-cookie"].want["cookie"])[8:][:NonceSize]
	for _, tt := range []struct {
		vector, args string
		proof        []byte
	}{
		{"frame/key-connect", "args", Prove(key, ProveClient, challenge, client)},
		{"frame/key-connected", "args", Prove(key, ProveServer, client, challenge)},
		{"datagram/key-open", "envelope args", Prove(key, ProveClient, cookie, client)},
		{"datagram/key-accept", "envelope args", Prove(key, ProveServer, client, cookie)},
	} {
		if got, want := byName[tt.vector].want[tt.args], hex.EncodeToString(tt.proof); !strings.Contains(got, want) {
			t.Errorf("%s has %q, want the proof %s", tt.vector, got, want)
		}
	}
	fromClient, fromServer := NewSealers(Prove(key, ProveMAC, cookie, client))
	for _, tt := range []struct {
		vector string
		client bool
	}{{"datagram/mac", true}, {"datagram/fragment-last", true}, {"datagram/key-accept", false}, {"datagram/mac-ack", false}} {
		b := byName[tt.vector].bytes
		if fromClient.Verify(b) != tt.client || fromServer.Verify(b) == tt.client {
			t.Errorf("%s verifies as the client's: %t, as the server's: %t", tt.vector, fromClient.Verify(b), fromServer.Verify(b))
		}
	}
}
