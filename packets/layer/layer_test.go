package layer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wirelab/internal/style"
	"wirelab/internal/wire"
	"wirelab/packets"
)

// partition fails unless every byte of n is in exactly one field, in order, and
// every child lies in its parent.
func partition(t *testing.T, n int, layers []Layer) {
	t.Helper()
	at := 0
	for _, l := range layers {
		if l.Off != at {
			t.Fatalf("%s begins at %d, want %d", l.Name, l.Off, at)
		}
		if l.HeaderLen < 0 || l.HeaderLen > l.Len || l.Off+l.Len > n {
			t.Fatalf("%s: header %d, length %d at %d of %d bytes", l.Name, l.HeaderLen, l.Len, l.Off, n)
		}
		if l.OSI < 2 || l.OSI > 7 || l.TCPIP == "" || l.Name == "" || l.Abbrev == "" {
			t.Fatalf("layer without a place: %+v", l)
		}
		clean(t, l.Summary)
		for _, f := range l.Fields {
			if f.Off != at || f.Len < 0 {
				t.Fatalf("%s: %s at %d, %d bytes; want it at %d", l.Name, f.Name, f.Off, f.Len, at)
			}
			at += f.Len
			family(t, f)
		}
		if at > l.Off+l.Len {
			t.Fatalf("%s: fields up to %d, it ends at %d", l.Name, at, l.Off+l.Len)
		}
	}
	if at != n {
		t.Fatalf("fields up to byte %d of %d", at, n)
	}
}

func family(t *testing.T, f Field) {
	t.Helper()
	for _, s := range []string{f.Name, f.Value, f.Note} {
		clean(t, s)
	}
	at := f.Off
	for _, c := range f.Children {
		if c.Off < f.Off || c.Len < 0 || c.Off+c.Len > f.Off+f.Len || c.Bits == "" && c.Off < at {
			t.Fatalf("%s: child %s at %d, %d bytes, is not in %d, %d bytes", f.Name, c.Name, c.Off, c.Len, f.Off, f.Len)
		}
		if c.Bits == "" {
			at = c.Off + c.Len
		} else if bits := strings.ReplaceAll(c.Bits, " ", ""); len(bits) != 8*c.Len {
			t.Fatalf("%s: bits %q for %d bytes", c.Name, c.Bits, c.Len)
		}
		family(t, c)
	}
}

func clean(t *testing.T, s string) {
	t.Helper()
	if v := style.Visible(s); v != s {
		t.Fatalf("text %q is not visible, want %q", s, v)
	}
}

// seeds are packets of every kind that is taken apart.
func seeds(t testing.TB) []packets.Packet {
	var all []packets.Packet
	for _, s := range []struct {
		link packets.LinkType
		hex  string
	}{
		{1, "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202" + strings.Repeat("00", 18)},
		{1, "020000000002 020000000001 8100 a064 8100 0005 0800 " + ip4(17, "1451 0035 0024 0000", "0001 0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001")},
		{1, "020000000002 020000000001 0026" + strings.Repeat("aa", 46)},
		{113, "0000 0001 0006 020000000001 0000 0800" + ip4(1, "0800 0000 0001 0002", "61626364")},
		{276, "0800 0000 00000002 0001 04 06 020000000001 0000" + ip4(1, "0301 0000 00000000", "4500001c 00000000 40110000 c0000201 c0000202 1388 0009 0008 0000")},
		{0, "02000000" + ip4(6, tcpHex("", 0x12), "")},
		{101, ip4(6, tcpHex("020405b4 0402 080a 00000001 00000002 01 030307", 0x02), "")},
		{101, ip4(6, tcpHex("0101050a 00000001 00000005", 0x10), "")},
		{101, ip4(6, tcpHex("0000ffff", 0x18), hex.EncodeToString([]byte("GET /chat HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\nbody")))},
		{101, ip4(6, tcpHex("", 0x18), frames(t))},
		{101, "6abcdef0 0018 00 40 20010db8000000000000000000000001 20010db8000000000000000000000002 2c 00 0104 00000000 11 00 0000 00000007 1388 0009 0008 0000"},
		{101, "60000000 0020 3a ff 20010db8000000000000000000000001 20010db8000000000000000000000002 87 00 0000 00000000 20010db8000000000000000000000002 01 01 020000000001"},
		{101, ip4(17, "14e9 14e9 00ff 0000", "0001 8580 0001 0002 0001 0001 03777777 07 6578616d706c65 03 636f6d 00 0001 0001 c00c 0005 0001 0000003c 0004 01 61 c010 c02d 0001 0001 00000001 0004 c0000201 c010 000f 0001 00000001 0006 000a 026d78 c010 00 0029 1000 00000000 0000")},
		{101, ip4(17, "1388 2328 00ff 0000", hex.EncodeToString(wire.AppendHeader(nil, &wire.Header{Type: wire.TypeAck, Ack: 7})))},
		{12, "00112233"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(s.hex, " ", ""))
		if err != nil {
			t.Fatal(err, s.hex)
		}
		all = append(all, packets.Packet{Number: len(all) + 1, Link: s.link, Data: b, Length: len(b)})
	}
	return all
}

// ip4 returns an IPv4 packet as hex.
func ip4(protocol int, header, payload string) string {
	body := strings.ReplaceAll(header+payload, " ", "")
	b, _ := hex.DecodeString(fmt.Sprintf("4500%04x0000400040%02x0000c0000201c0000202", 20+len(body)/2, protocol))
	sum := checksum(0, without(b, 10))
	binary.BigEndian.PutUint16(b[10:], sum)
	return hex.EncodeToString(b) + body
}

// tcpHex returns a TCP header as hex; its checksum is 0.
func tcpHex(options string, control int) string {
	options = strings.ReplaceAll(options, " ", "")
	return fmt.Sprintf("1f90d43100000001000000ff%x0%02xffff00000000", 5+len(options)/8, control) + options
}

// frames returns two chat frames and the beginning of a third, as hex.
func frames(t testing.TB) string {
	var b []byte
	for _, said := range []string{`["hello"]`, `["it's 3:00 ☕","x"]`, `["cut"]`} {
		var err error
		b, err = wire.AppendFrame(b, &wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, Seq: 1, ID: 7,
			Room: []byte("lobby"), Sender: []byte("ana"), Event: []byte("msg"), Args: []byte(said)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(b[:len(b)-20])
}

var contexts = []*Context{nil, {}, {Protocol: "chat"}, {Protocol: "http"}, {Protocol: "websocket"}, {Protocol: "dns"}, {Protocol: "data"},
	{Protocol: "chat", Spans: []Span{{Off: 3, Len: 20, Before: 5}, {Off: 30, Len: 1000, After: 3}, {Off: -1, Len: 4}, {Off: 25, Len: 0}}},
	{Protocol: "websocket", Spans: []Span{{Off: 0, Len: 7, Before: 1, After: 9}, {Off: 7, Len: 9}}, Base: &Base{Seq: 5, Ack: 9, Scale: 7}},
}

// Every byte is in one field, whatever the bytes are: each seed whole, cut at
// every byte, and with bytes changed.
func TestEveryByteIsInOneField(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, p := range seeds(t) {
		for n := range len(p.Data) + 1 {
			cut := p
			cut.Data = p.Data[:n]
			for _, ctx := range contexts {
				partition(t, n, Tree(&cut, nil, ctx))
			}
		}
		for range 500 {
			q := p.Clone()
			for range 1 + r.IntN(8) {
				q.Data[r.IntN(len(q.Data))] = byte(r.Uint32())
			}
			partition(t, len(q.Data), Tree(&q, nil, contexts[r.IntN(len(contexts))]))
		}
	}
}

// FuzzTree: every byte is in exactly one field, and the tree of a packet is not
// much larger than it.
func FuzzTree(f *testing.F) {
	for _, p := range seeds(f) {
		f.Add(uint16(p.Link), p.Data, uint8(0))
	}
	f.Fuzz(func(t *testing.T, link uint16, b []byte, ctx uint8) {
		p := packets.Packet{Link: packets.LinkType(link), Data: b, Length: len(b)}
		layers := Tree(&p, nil, contexts[int(ctx)%len(contexts)])
		partition(t, len(b), layers)
		if n := count(layers); n > 40*len(b)+64 {
			t.Fatalf("%d fields of %d bytes", n, len(b))
		}
	})
}

func count(layers []Layer) (n int) {
	var all func(f []Field)
	all = func(f []Field) {
		n += len(f)
		for _, c := range f {
			all(c.Children)
		}
	}
	for _, l := range layers {
		all(l.Fields)
	}
	return n
}
