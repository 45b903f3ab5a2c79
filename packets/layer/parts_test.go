package layer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"wirelab/internal/wire"
	"wirelab/packets"
)

// raw returns a packet of hex, without a link's header.
func raw(t *testing.T, s string) *packets.Packet {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return &packets.Packet{Number: 1, Link: packets.LinkRaw, Data: b, Length: len(b)}
}

func names(layers []Layer) string {
	var s []string
	for _, l := range layers {
		s = append(s, fmt.Sprintf("%s@%d+%d/%d", l.Name, l.Off, l.HeaderLen, l.Len))
	}
	return strings.Join(s, " ")
}

// The frames of a segment are layers beside each other, and each has the fields
// that wire has, moved by where it begins.
func TestFramesOfASegment(t *testing.T) {
	p := raw(t, ip4(6, tcpHex("", 0x18), frames(t)))
	layers := Tree(p, nil, nil)
	partition(t, len(p.Data), layers)
	payload := p.Data[40:]
	at := 0
	var kinds []string
	for _, l := range layers[2:] {
		if l.Off != 40+at {
			t.Fatalf("%s begins at %d, want %d", l.Name, l.Off, 40+at)
		}
		kinds = append(kinds, l.Name)
		size := min(4+int(binary.BigEndian.Uint32(payload[at:])), len(payload)-at)
		want := wire.DissectFrame(payload[at : at+size])
		for i, f := range l.Fields {
			if w := want[i]; f.Off != l.Off+w.Off || f.Len != w.Len || w.Name != wire.Malformed && (f.Name != w.Name || f.Value != w.Value) {
				t.Errorf("field %d of %s is %+v, wire has %+v", i, l.Name, f, w)
			}
		}
		at += size
	}
	if got, want := strings.Join(kinds, ", "), "Chat frame, Chat frame, Chat frame (first part)"; got != want {
		t.Errorf("layers %s, want %s", got, want)
	}
	if got, want := layers[2].Summary, "event lobby ana: hello"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	if got, want := layers[3].Summary, "event lobby ana: it's 3:00 ☕, x"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	if l := layers[2]; l.Off+l.HeaderLen+len(`["hello"]`) != l.Off+l.Len {
		t.Errorf("header of %d bytes in %d, want all but the arguments", l.HeaderLen, l.Len)
	}
}

// What the context says goes before what a payload looks like.
func TestSpans(t *testing.T) {
	b, _ := hex.DecodeString(frames(t))
	n := 4 + int(binary.BigEndian.Uint32(b))
	for _, tt := range []struct {
		name  string
		from  int
		spans []Span
		want  string
	}{
		{"a middle part alone", 10, []Span{{Off: 0, Len: 20, Before: 10, After: 5}},
			"Chat frame (middle part)@40+0/20 Data@60+0/1000"},
		{"the last part, then a frame", 10, []Span{{Off: 0, Len: n - 10, Before: 10}, {Off: n - 10, Len: 1 << 20}},
			"Chat frame (last part)@40+0/%d Chat frame"},
		{"a gap before the first", 0, []Span{{Off: 0, Len: n}, {Off: n + 7, Len: 3, Before: 7, After: 60}},
			"Chat frame@40+55/%d Data@"},
		{"spans that make no sense", 0, []Span{{Off: -4, Len: 9}, {Off: 1 << 30, Len: 5}, {Off: 3, Len: -1}},
			"Data@40+0/"},
	} {
		p := raw(t, ip4(6, tcpHex("", 0x18), hex.EncodeToString(b[tt.from:])))
		layers := Tree(p, nil, &Context{Protocol: "chat", Spans: tt.spans})
		partition(t, len(p.Data), layers)
		want := tt.want
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, map[bool]int{true: n, false: n - 10}[tt.from == 0])
		}
		want, _, _ = strings.Cut(want, "1000")
		if got := names(layers[2:]); !strings.HasPrefix(got, want) {
			t.Errorf("%s: layers %s, want %s…", tt.name, got, want)
		}
	}
}

// A payload is taken for the chat's or for HTTP only if its start is that.
func TestGuessesAreStrict(t *testing.T) {
	frame, _ := hex.DecodeString(frames(t))
	change := func(at int, c byte) []byte {
		b := append([]byte(nil), frame...)
		b[at] = c
		return b
	}
	for _, tt := range []struct {
		in   []byte
		want string
	}{
		{frame, "chat"}, {frame[:11], ""}, {frame[1:], ""},
		{change(0, 1), ""}, {change(4, 2), ""}, {change(5, 0), ""}, {change(5, 99), ""}, {change(6, 0x80), ""}, {change(8, 65), ""}, {change(3, 39), ""},
		{[]byte("GET / HTTP/1.1\r\n"), "http"}, {[]byte("HTTP/1.1 200 OK\r\n"), "http"}, {[]byte("GET /a"), "http"},
		{[]byte("GET it done\r\n"), ""}, {[]byte("HELLO world\r\n"), ""}, {[]byte("get / HTTP/1.1\r\n"), ""}, {nil, ""},
		{wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAck}), "chat"},
		{wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAck})[:43], ""},
	} {
		if got := Known(tt.in); got != tt.want {
			t.Errorf("Known(%.20q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// A checksum that the sender left to its network card is not called wrong.
func TestPartialChecksums(t *testing.T) {
	right := summed(ip4(6, tcpHex("", 0x10), "0102"))
	set := func(sum uint16, link packets.LinkType, data string) string {
		p := raw(t, data)
		p.Link = link
		if link == packets.LinkNull {
			p.Data = append([]byte{2, 0, 0, 0}, p.Data...)
		}
		binary.BigEndian.PutUint16(p.Data[len(p.Data)-6:], sum)
		p.Length = len(p.Data)
		return find(Tree(p, nil, nil), "tcp/checksum")[0].Note
	}
	b, _ := hex.DecodeString(right)
	good := binary.BigEndian.Uint16(b[36:])
	pseudo := ^rfc1071(append(append([]byte{}, b[12:20]...), 0, 6, 0, 22))
	for _, tt := range []struct {
		name string
		sum  uint16
		link packets.LinkType
		data string
		want string
	}{
		{"right", good, packets.LinkRaw, right, "correct"},
		{"wrong", good + 1, packets.LinkRaw, right, fmt.Sprintf("wrong: 0x%04x would be right", good)},
		{"the pseudo-header's sum", pseudo, packets.LinkRaw, right, "not checked: partial (offload)"},
		{"on loopback", good + 1, packets.LinkNull, right, "not checked: partial (offload), within the host"},
	} {
		if got := set(tt.sum, tt.link, tt.data); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	cut := raw(t, right)
	cut.Data = cut.Data[:41]
	if got, want := find(Tree(cut, nil, nil), "tcp/checksum")[0].Note, "not checked: not all bytes were kept"; got != want {
		t.Errorf("cut: %q, want %q", got, want)
	}
}

// Names of DNS that point to themselves, forward or without end are damaged,
// and cost no more than others.
func TestDamagedNames(t *testing.T) {
	for _, name := range []string{"c00c", "c0ff", "03616263c00c", "80", "3f61", "c00e c00c"} {
		p := raw(t, ip4(17, "0035 a000 0060 0000", "0001 8180 0001 0000 0000 0000 "+name+" 0001 0001"))
		layers := Tree(p, nil, nil)
		partition(t, len(p.Data), layers)
		if q := find(layers, "dns/question"); len(q) != 1 || q[0].Note != "cut, or damaged" {
			t.Errorf("%s: question %+v, want a damaged one", name, q)
		}
	}
}

// The sizes of RFC 6455, section 5.2, and what can be no frame.
func TestWebSocketSize(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
	}{
		{"", 0}, {"81", 0}, {"8105", 7}, {"8185", 11}, {"827e", 0}, {"827e0100", 260}, {"82fe0100", 264}, {"827f0000000000010000", 65546},
		{"89007f", 2}, {"897e0080", -1}, {"0900", -1}, {"a100", -1}, {"c100", 2}, {"8300", -1}, {"8b00", -1}, {"817e007d", -1}, {"817f0000000000000001", -1},
		{"817fffffffffffffffff", -1},
	} {
		b, _ := hex.DecodeString(tt.in)
		if got := WebSocketSize(b); got != tt.want {
			t.Errorf("WebSocketSize(%s) = %d, want %d", tt.in, got, tt.want)
		}
	}
}

// A masked payload is shown unmasked: the example of RFC 6455, section 5.7.
func TestUnmasked(t *testing.T) {
	p := raw(t, ip4(6, tcpHex("", 0x18), "818537fa213d7f9f4d5158"))
	f := find(Tree(p, nil, &Context{Protocol: "websocket"}), "ws/payload")
	if len(f) != 1 || f[0].Value != "Hello" {
		t.Errorf("payload %+v, want Hello", f)
	}
	if hex.EncodeToString(p.Data[len(p.Data)-5:]) != "7f9f4d5158" {
		t.Error("the packet's bytes were changed")
	}
}

// Relative numbers and the scaled window come from the context.
func TestBase(t *testing.T) {
	p := raw(t, ip4(6, tcpHex("", 0x10), ""))
	layers := Tree(p, nil, &Context{Base: &Base{Seq: 0xffffffff, Ack: 255, Scale: 3}})
	for path, want := range map[string]string{
		"tcp/sequence number": "relative: 2", "tcp/acknowledgment number": "relative: 0", "tcp/window": "scaled by 2^3: 524280 bytes",
	} {
		if got := find(layers, path)[0].Note; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
