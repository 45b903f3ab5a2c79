package measure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/labs"
	"wirelab/labs/scenario"
)

// A stage writes a capture as the guest does: three interfaces for each link.
type stage struct {
	t   *testing.T
	buf bytes.Buffer
	w   *pcapng.Writer
	ids bool // packets have numbers
}

func newStage(t *testing.T, ids bool, hosts ...string) *stage {
	s := &stage{t: t, ids: ids}
	var err error
	if s.w, err = pcapng.NewWriter(&s.buf); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		for _, name := range []string{h, "link " + h, "net " + h} {
			if _, err := s.w.Describe(pcapng.Interface{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// see writes a packet at a vantage point (near, link, far) of a link.
func (s *stage) see(ms int, link, role int, out bool, id uint64, comment string, data []byte) {
	p := pcapng.Packet{Interface: link*perLink + role, Time: labs.Start.Add(time.Duration(ms) * time.Millisecond), Direction: pcapng.In, Comment: comment, Data: data}
	if out {
		p.Direction = pcapng.Out
	}
	if s.ids {
		p.ID = id
	}
	if err := s.w.Write(&p); err != nil {
		s.t.Fatal(err)
	}
}

// up writes a packet that goes from the host at one instant and arrives 20 ms
// later, unless fate begins with "lost".
func (s *stage) up(ms, link int, id uint64, fate string, data []byte) {
	s.see(ms, link, near, true, id, "", data)
	s.see(ms, link, 1, true, id, fate, data)
	if !strings.HasPrefix(fate, "lost") {
		s.see(ms+20, link, far, false, id, "", data)
	}
}

func (s *stage) down(ms, link int, id uint64, fate string, data []byte) {
	s.see(ms, link, far, true, id, "", data)
	s.see(ms, link, 1, false, id, fate, data)
	if !strings.HasPrefix(fate, "lost") {
		s.see(ms+20, link, near, false, id, "", data)
	}
}

func (s *stage) packets() []Packet {
	s.t.Helper()
	list, err := decode(&scenario.Scenario{Hosts: []scenario.Host{{Name: "ana"}, {Name: "bo"}}}, s.buf.Bytes())
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// ip makes an IPv4 packet from host number a to b (RFC 791, section 3.1).
func ip(a, b, protocol byte, fragment uint16, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, a, 192, 0, 2, b}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(h[6:], fragment)
	return append(h, payload...)
}

// segment makes a TCP segment (RFC 9293, section 3.1).
func segment(a, b byte, seq, ack uint32, control byte, window uint16, options []byte, payload string) []byte {
	h := make([]byte, 20, 60)
	binary.BigEndian.PutUint16(h, 5000)
	binary.BigEndian.PutUint16(h[2:], 7000)
	if a > b {
		binary.BigEndian.PutUint16(h, 7000)
		binary.BigEndian.PutUint16(h[2:], 5000)
	}
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], ack)
	h[12] = byte(20+len(options)) / 4 << 4
	h[13] = control
	binary.BigEndian.PutUint16(h[14:], window)
	return ip(a, b, 6, 0, append(append(h, options...), payload...))
}

func datagram(a, b byte, payload string) []byte {
	h := make([]byte, 8)
	binary.BigEndian.PutUint16(h, 5000)
	binary.BigEndian.PutUint16(h[2:], 7000)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return ip(a, b, 17, 0, append(h, payload...))
}

const (
	syn    = 2
	ack    = 16
	fin    = 1
	rst    = 4
	scaled = "\x02\x04\x05\xb4\x03\x03\x07\x00" // MSS 1460, window scale 7
)

// A connection is shown as Wireshark shows it: relative numbers, scaled windows,
// what was sent again.
func TestSegments(t *testing.T) {
	s := newStage(t, true, "ana")
	isn, other := uint32(0xfffffffe), uint32(77) // the numbers pass 2^32 soon
	s.up(0, 0, 1, "", segment(1, 2, isn, 0, syn, 29200, []byte(scaled), ""))
	s.down(20, 0, 2, "", segment(2, 1, other, isn+1, syn|ack, 28960, []byte(scaled), ""))
	s.up(40, 0, 3, "", segment(1, 2, isn+1, other+1, ack, 229, nil, ""))
	s.up(40, 0, 4, "lost: random", segment(1, 2, isn+1, other+1, ack, 229, nil, "hello"))
	s.up(41, 0, 5, "", segment(1, 2, isn+6, other+1, ack, 229, nil, " bo"))
	s.down(61, 0, 6, "", segment(2, 1, other+1, isn+1, ack, 227, nil, ""))
	s.up(90, 0, 7, "", segment(1, 2, isn+1, other+1, ack, 229, nil, "hello"))
	s.up(120, 0, 8, "", segment(1, 2, isn+9, other+1, ack|fin, 229, nil, ""))
	s.up(340, 0, 9, "", segment(1, 2, isn+9, other+1, ack|fin, 229, nil, ""))
	s.down(360, 0, 10, "", segment(2, 1, other+1, 0, rst, 0, nil, ""))
	want := []string{
		"1 0→0.02 ana>bo tcp 5000>7000 size 48 len 0 seq 0 ack 0 win 29200 mss 1460 syn",
		"2 0.02→0.04 bo>ana tcp 7000>5000 size 48 len 0 seq 0 ack 1 win 28960 mss 1460 syn ack",
		"3 0.04→0.06 ana>bo tcp 5000>7000 size 40 len 0 seq 1 ack 1 win 29312 mss 0 ack",
		"4 0.04→-1 ana>bo tcp 5000>7000 size 45 len 5 seq 1 ack 1 win 29312 mss 0 ack lost (lost: random)",
		"5 0.041→0.061 ana>bo tcp 5000>7000 size 43 len 3 seq 6 ack 1 win 29312 mss 0 ack",
		"6 0.061→0.081 bo>ana tcp 7000>5000 size 40 len 0 seq 1 ack 1 win 29056 mss 0 ack",
		"7 0.09→0.11 ana>bo tcp 5000>7000 size 45 len 5 seq 1 ack 1 win 29312 mss 0 ack again",
		"8 0.12→0.14 ana>bo tcp 5000>7000 size 40 len 0 seq 9 ack 1 win 29312 mss 0 ack fin",
		"9 0.34→0.36 ana>bo tcp 5000>7000 size 40 len 0 seq 9 ack 1 win 29312 mss 0 ack fin again",
		"10 0.36→0.38 bo>ana tcp 7000>5000 size 40 len 0 seq 1 ack 0 win 0 mss 0 rst",
	}
	list := s.packets()
	for i := range list {
		if got := line(&list[i]); i >= len(want) || got != want[i] {
			t.Errorf("packet %d:\n got %s\nwant %s", i+1, got, want[min(i, len(want)-1)])
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d packets, want %d", len(list), len(want))
	}
	if p := &list[4]; p.Payload != " bo" || string(p.Data[40:]) != " bo" || !p.Up || p.Host != "ana" || p.Number != 12 {
		t.Errorf("packet 5 has payload %q, data %q, number %d", p.Payload, p.Data, p.Number)
	}
}

// A connection whose beginning was not recorded counts from 1, as in Wireshark.
func TestSegmentsWithoutHandshake(t *testing.T) {
	s := newStage(t, true, "ana")
	s.up(0, 0, 1, "", segment(1, 2, 5000, 900, ack, 229, nil, "hello"))
	s.down(20, 0, 2, "", segment(2, 1, 900, 5005, ack, 227, nil, ""))
	want := []string{
		"1 0→0.02 ana>bo tcp 5000>7000 size 45 len 5 seq 1 ack 1 win 229 mss 0 ack",
		"2 0.02→0.04 bo>ana tcp 7000>5000 size 40 len 0 seq 1 ack 6 win 227 mss 0 ack",
	}
	for i, p := range s.packets() {
		if got := line(&p); got != want[i] {
			t.Errorf("packet %d:\n got %s\nwant %s", i+1, got, want[i])
		}
	}
}

func line(p *Packet) string {
	text := fmt.Sprintf("%d %v→%v %s>%s %s %d>%d size %d len %d seq %d ack %d win %d mss %d", p.N, p.T, p.Arrived, p.From, p.To, p.Proto, p.Sport, p.Dport, p.Size, p.Len, p.Seq, p.Ack, p.Window, p.MSS)
	for _, f := range []struct {
		set  bool
		word string
	}{{p.Syn, "syn"}, {p.IsAck, "ack"}, {p.Fin, "fin"}, {p.Rst, "rst"}, {p.Again, "again"}, {p.Lost, "lost (" + p.Fate + ")"}} {
		if f.set {
			text += " " + f.word
		}
	}
	return text
}

// Packets that look alike are told apart, by number or by their order.
func TestJoin(t *testing.T) {
	for _, ids := range []bool{true, false} {
		s := newStage(t, ids, "ana", "bo")
		same := datagram(1, 2, "x")
		s.up(0, 0, 1, "lost: random", same)
		s.up(1, 0, 2, "", same)
		s.up(2, 0, 3, "delayed", same)
		s.see(30, 0, far, false, 3, "", same) // it comes twice
		s.down(31, 1, 2, "lost: queue", same) // the second link, towards bo
		s.down(32, 1, 3, "", same)
		thrown := datagram(2, 1, "y")
		s.see(50, 1, near, true, 4, "", thrown)
		s.see(50, 1, 1, true, 4, "", thrown)
		s.see(70, 1, far, false, 4, "no host has its address", thrown)
		s.see(90, 1, near, true, 5, "", thrown) // on its way when the run ended
		s.see(90, 1, 1, true, 5, "", thrown)
		list := s.packets()
		type fate struct {
			host    string
			arrived float64
			lost    bool
			copies  int
			fate    string
		}
		want := []fate{
			{"ana", -1, true, 0, "lost: random"}, {"ana", 0.021, false, 1, ""}, {"ana", 0.022, false, 2, "delayed"},
			{"bo", -1, true, 0, "lost: queue"}, {"bo", 0.052, false, 1, ""},
			{"bo", -1, true, 0, "no host has its address"}, {"bo", -1, false, 0, ""},
		}
		for i := range want {
			if i >= len(list) {
				t.Fatalf("ids %v: %d packets, want %d", ids, len(list), len(want))
			}
			p := list[i]
			if got := (fate{p.Host, p.Arrived, p.Lost, p.Copies, p.Fate}); got != want[i] {
				t.Errorf("ids %v: packet %d = %+v, want %+v", ids, i+1, got, want[i])
			}
		}
		r := &Run{Scenario: &scenario.Scenario{Record: []string{"ana", "bo"}}, Packets: list}
		v := r.view()
		if n := len(v.Sent("ana")); n != 3 {
			t.Errorf("ids %v: ana sent %d, want the 3 on its own link", ids, n)
		}
		if n := len(v.Received("bo")); n != 1 {
			t.Errorf("ids %v: bo received %d, want the 1 on its own link", ids, n)
		}
		if n := len(v.Between("ana", "bo")); n != 5 {
			t.Errorf("ids %v: between them %d, want 3 and 2", ids, n)
		}
	}
}

// A bit that was flipped on the way does not hide a packet that has a number.
func TestJoinFlipped(t *testing.T) {
	s := newStage(t, true, "ana")
	a, b := datagram(1, 2, "a"), datagram(1, 2, "b")
	s.see(0, 0, near, true, 1, "", a)
	s.see(0, 0, 1, true, 1, "corrupted", a)
	s.see(20, 0, far, false, 1, "", b)
	if p := s.packets()[0]; p.Arrived != 0.02 || p.Fate != "corrupted" {
		t.Errorf("a flipped packet = %+v, want one that arrived at 0.02", p)
	}
}

// Later fragments have no ports (RFC 791, section 3.2).
func TestFragments(t *testing.T) {
	s := newStage(t, true, "ana")
	whole := datagram(1, 2, strings.Repeat("z", 2000))[20:]
	s.up(0, 0, 1, "", ip(1, 2, 17, 0x2000, whole[:1480]))
	s.up(0, 0, 2, "", ip(1, 2, 17, 1480/8, whole[1480:]))
	list := s.packets()
	if p := list[0]; p.Sport != 5000 || p.Frag != 0 || !p.More || p.Size != 1500 || p.Len != 1472 {
		t.Errorf("first fragment = %+v", p)
	}
	if p := list[1]; p.Sport != 0 || p.Frag != 1480 || p.More || p.Size != 20+528 || p.Len != 528 || p.Proto != "udp" {
		t.Errorf("second fragment = %+v", p)
	}
}

// Ten thousand packets are decoded in milliseconds.
func BenchmarkDecode(b *testing.B) {
	t := &testing.T{}
	s := newStage(t, true, "ana")
	for i := range 10_000 {
		s.up(i, 0, uint64(i+1), "", segment(1, 2, uint32(i*1000), 1, ack, 229, nil, strings.Repeat("x", 1000)))
	}
	for b.Loop() {
		if _, err := decode(nil, s.buf.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
