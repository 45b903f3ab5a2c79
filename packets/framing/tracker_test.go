package framing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"wirelab/internal/wire"
	"wirelab/packets"
)

// A network makes packets and hands them to a Tracker.
type network struct {
	t      *testing.T
	tr     Tracker
	number int
	got    []Message
}

// ip adds an IPv4 packet from host a to host b.
func (n *network) ip(a, b byte, protocol byte, id, fragment uint16, payload []byte) {
	n.number++
	ip := make([]byte, 20, 20+len(payload))
	ip[0], ip[8], ip[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(ip[4:], id)
	binary.BigEndian.PutUint16(ip[6:], fragment)
	copy(ip[12:], []byte{10, 0, 0, a})
	copy(ip[16:], []byte{10, 0, 0, b})
	ip = append(ip, payload...)
	p := packets.Packet{Number: n.number, Time: at(n.number), Link: packets.LinkRaw, Data: ip, Length: len(ip)}
	var h packets.Headers
	h.Decode(&p)
	if h.Problem != "" {
		n.t.Fatal(h.Problem)
	}
	n.got = append(n.got, n.tr.Add(&p, &h)...)
}

func udpOf(sport, dport uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
	return append(append(b, 0, 0), data...)
}

func tcpOf(sport, dport uint16, seq uint32, control byte, data []byte) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint32(b[4:], seq)
	b[12], b[13] = 5<<4, control
	return append(b, data...)
}

// dgram returns a datagram of the chat with data.
func dgram(h wire.Header, data []byte) []byte {
	h.Type = wire.TypeData
	return append(wire.AppendHeader(nil, &h), data...)
}

func (n *network) want(want ...string) {
	n.t.Helper()
	var got []string
	for _, m := range n.got {
		s := fmt.Sprintf("flow %d/%d %s %s", m.Flow.Number, m.Dir, m.Kind, m.Summary)
		if m.Err != "" {
			s += " !" + m.Err
		}
		for _, l := range story(&m) {
			s += " (" + l + ")"
		}
		got = append(got, s)
	}
	n.got = nil
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		n.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A datagram is a message. Envelopes that were cut are put together, and the
// parts that are missing at the end are told.
func TestDatagrams(t *testing.T) {
	n := &network{t: t}
	env := say(t, 1, "hello")[wire.LengthSize:]
	send := func(h wire.Header, data []byte) { n.ip(1, 2, 17, 0, 0, udpOf(4000, 9000, dgram(h, data))) }
	send(wire.Header{Number: 1, Flags: wire.DatagramReliable, Reliable: 1}, env)
	send(wire.Header{Number: 1, Flags: wire.DatagramReliable, Reliable: 1}, env)
	send(wire.Header{Number: 2, Flags: wire.DatagramReliable, Reliable: 1}, env)
	n.want(`flow 1/0 event event lobby ana: "hello"`,
		`flow 1/0 event event lobby ana: "hello" (↺ the same datagram as #1: delivered twice)`,
		`flow 1/0 event event lobby ana: "hello" (↺ reliable 1 again: #1 brought it before)`)
	part := func(number uint64, i uint16) wire.Header {
		return wire.Header{Number: number, Flags: wire.DatagramFragment, Fragment: wire.Fragment{Of: 7, Index: i, Count: 3}}
	}
	send(part(5, 2), env[50:])
	send(part(3, 0), env[:30])
	send(part(4, 1), env[30:50])
	n.want(`flow 1/0 part part 3 of 3 of envelope 7: 10 bytes`, `flow 1/0 part part 1 of 3 of envelope 7: 30 bytes`, `flow 1/0 part part 2 of 3 of envelope 7: 20 bytes`,
		`flow 1/0 event event lobby ana: "hello" (put together from 3 datagrams: 2 ms from the first to the last)`)
	send(part(6, 1), env[30:50])
	n.got = nil
	n.got = n.tr.End()
	n.want(`flow 1/0 part 1 of 3 parts of envelope 7 !2 parts never came, first 1`)
	if n.tr.memory.used != 0 {
		t.Errorf("%d bytes are still held", n.tr.memory.used)
	}
}

// IP cuts a datagram (RFC 791, section 3.2); fragments come in any order, and
// twice.
func TestIPFragments(t *testing.T) {
	n := &network{t: t}
	u := udpOf(53, 4000, []byte(strings.Repeat("abcdefgh", 30)))
	const more = 0x2000
	n.ip(1, 2, 17, 9, 160/8, u[160:])
	n.ip(1, 2, 17, 9, more|80/8, u[80:160])
	n.ip(1, 2, 17, 9, more|80/8, u[80:160])
	n.ip(1, 2, 17, 8, more, u[:80]) // of another
	n.ip(1, 2, 17, 9, more, u[:80])
	if len(n.got) != 1 || string(n.got[0].Bytes) != strings.Repeat("abcdefgh", 30) {
		t.Fatalf("got %+v", n.got)
	}
	m := n.got[0]
	if m.Datagram.IPParts != 3 || m.Segments() != 3 || m.Pieces[0].Offset != 8 || m.Pieces[1].At != 72 {
		t.Errorf("pieces %+v", m.Pieces)
	}
	n.got = n.tr.End()
	if len(n.got) != 1 || !strings.Contains(n.got[0].Err, "never came") {
		t.Errorf("at the end: %+v", n.got)
	}
	if n.tr.memory.used != 0 {
		t.Errorf("%d bytes are still held", n.tr.memory.used)
	}
}

// A SYN with another number on the ports of a connection begins a new one.
func TestPortsAgain(t *testing.T) {
	n := &network{t: t}
	one := say(t, 1, "one")
	for i := range uint32(2) {
		base := 1000 + i*500000
		n.ip(1, 2, 6, 0, 0, tcpOf(4000, 9000, base, packets.SYN, nil))
		n.ip(1, 2, 6, 0, 0, tcpOf(4000, 9000, base, packets.SYN, nil)) // sent again: the same
		n.ip(1, 2, 6, 0, 0, tcpOf(4000, 9000, base+1, packets.ACK, one))
	}
	n.want(`flow 1/0 event event lobby ana: "one"`, `flow 2/0 event event lobby ana: "one"`)
}

// What a Tracker holds is bounded, however many flows there are.
func TestManyFlows(t *testing.T) {
	const most, flows = 64, 20_000
	n := &network{t: t, tr: Tracker{MaxFlows: most, MaxMemory: 100_000}}
	half := say(t, 1, strings.Repeat("x", 4000))[:3000]
	for i := range flows {
		n.number++
		h := packets.Headers{
			Version: 4, Src: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Dst: netip.AddrFrom4([4]byte{10, 9, 9, 9}),
			SrcPort: 5000, DstPort: 9000, TCP: true, Protocol: 6, Control: packets.ACK, Seq: 1, Payload: half, PayloadLen: len(half),
		}
		p := packets.Packet{Number: n.number, Time: at(i)}
		n.got = append(n.got[:0], n.tr.Add(&p, &h)...)
		h.Seq = 10000 // behind a hole
		n.got = append(n.got, n.tr.Add(&p, &h)...)
		if len(n.tr.flows) > most || n.tr.order.Len() > most || n.tr.memory.used > 110_000 {
			t.Fatalf("%d flows hold %d bytes", len(n.tr.flows), n.tr.memory.used)
		}
	}
	if n.tr.Left != flows-most || n.tr.Flows() != flows {
		t.Errorf("%d of %d flows ended early, want %d of %d", n.tr.Left, n.tr.Flows(), flows-most, flows)
	}
	n.tr.End()
	if n.tr.memory.used != 0 || len(n.tr.flows) != 0 {
		t.Errorf("%d bytes of %d flows are still held", n.tr.memory.used, len(n.tr.flows))
	}
}

// HTTP/1 and WebSocket after the upgrade, as RFC 6455 (sections 1.2 and 5.7) has
// them.
func TestWebSocket(t *testing.T) {
	client := "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	server := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	// Section 5.7: a masked "Hello"; a fragmented one; a ping; its masked pong;
	// 256 bytes; 64 KiB.
	masked := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	long := "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("\x00", 65536)
	huge := "\x82\x7f\x00\x00\x00\x00\x00\x02\x00\x00" + strings.Repeat("\x00", 2*65536)
	for _, c := range []struct {
		stream string
		want   []string
	}{
		{client + masked + "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", []string{
			"http request GET /chat HTTP/1.1, upgrade to WebSocket", `websocket text "Hello" (masked)`, `websocket pong "Hello" (masked)`}},
		{server + "\x01\x03Hel\x80\x02lo\x89\x05Hello\x82\x7e\x01\x00" + strings.Repeat("\x00", 256) + long + huge + "\x88\x05\x03\xe8bye", []string{
			"http response HTTP/1.1 101 Switching Protocols, upgrade to WebSocket",
			`websocket text "Hel", goes on`, `websocket continuation 2 bytes: "lo"`, `websocket ping "Hello"`,
			"websocket binary 256 bytes: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 …",
			"websocket binary 65536 bytes: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 …",
			"websocket binary 131072 bytes: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 …",
			`websocket close 1000 "bye"`}},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end", []string{
			"http response HTTP/1.1 200 OK, chunked", `http chunk "5␍␊hello␍␊"`, "http chunk the last",
			"http response HTTP/1.1 204 No Content", "http response HTTP/1.0 200 OK, until the end", `http body 10 bytes: "to the end"`}},
		{"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n", []string{
			"http request POST / HTTP/1.1, 3 bytes of body", "http request GET / HTTP/1.1"}},
		{"* hello\r\nescape \x1b[2J\r\n", []string{`lines line "* hello"`, `lines line "escape ␛[2J"`}},
	} {
		for _, most := range []int{1 << 16, 7} {
			s := Stream{}
			var segments []sent
			for i := 0; i < len(c.stream); i += most {
				segments = append(segments, sent{i, min(most, len(c.stream)-i)})
			}
			var got []string
			for _, f := range deliver(&s, []byte(c.stream), 77, segments) {
				got = append(got, f.Framing+" "+f.Kind+" "+f.Summary+f.Err)
				if f.Err == "" && len(f.Bytes) < int(min(f.End-f.Start, MaxKept)) {
					t.Errorf("%s: %d bytes of %d", f.Summary, len(f.Bytes), f.End-f.Start)
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("in segments of %d got\n%s\nwant\n%s", most, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		}
	}
}

func TestParseFraming(t *testing.T) {
	for _, s := range []string{"auto", "chat", "lines", "http", "websocket", "none", "length:1", "length:4le", "length:2+3", "length:8le-8"} {
		f, err := ParseFraming(s)
		if err != nil || f.String() != s {
			t.Errorf("%s reads as %v, %v", s, f, err)
		}
	}
	for _, s := range []string{"x", "length", "length:", "length:3", "length:4be", "length:4+", "length:4 4", "length:4+9999999999999999999"} {
		if f, err := ParseFraming(s); err == nil {
			t.Errorf("%q reads as %v", s, f)
		}
	}
}

// Hostile text is shown as marks, in summaries and pictures.
func TestHostile(t *testing.T) {
	b, err := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindEvent, Room: []byte("\x1b[2J"), Sender: []byte("a\u202eb"), Event: []byte("<x>&"), Args: []byte("[\"</text>\x07\"]")})
	if err != nil {
		t.Fatal(err)
	}
	s := Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	got := s.Add(2, at(1), 1, packets.ACK, b, len(b))
	if len(got) != 1 || strings.ContainsAny(got[0].Summary, "\x1b\x07\u202e") {
		t.Fatalf("got %+v", got)
	}
	d := &Direction{Flow: &Flow{Number: 1, Protocol: 6, Streams: [2]*Stream{&s, {}}}, Kept: []Message{{Frame: got[0]}}, Frames: 1}
	var svg bytes.Buffer
	if err := (&Report{Directions: []*Direction{d}}).SVG(&svg); err != nil || bytes.Contains(svg.Bytes(), []byte("<x>")) || bytes.Contains(svg.Bytes(), []byte("</text>\x07")) {
		t.Errorf("the picture holds what is not escaped: %v", err)
	}
}
