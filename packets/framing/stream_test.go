package framing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"wirelab/internal/wire"
	"wirelab/packets"
)

var epoch = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// at is the instant n milliseconds after the epoch.
func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

// say returns a frame of the chat.
func say(t testing.TB, seq int, text string) []byte {
	t.Helper()
	b, err := wire.AppendFrame(nil, &wire.Envelope{
		Kind: wire.KindEvent, Seq: uint64(seq), ID: uint64(seq), Room: []byte("lobby"), Sender: []byte("ana"), Event: []byte("msg"),
		Args: fmt.Appendf(nil, "[%q]", text),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A sent is one segment of a stream that starts at sequence number base.
type sent struct{ at, n int }

// deliver adds the segments of stream in the order given, and returns the frames.
func deliver(s *Stream, stream []byte, base uint32, segments []sent) []Frame {
	var got []Frame
	got = append(got, s.Add(1, at(0), base-1, packets.SYN, nil, 0)...)
	for i, g := range segments {
		got = append(got, s.Add(i+2, at(i+1), base+uint32(g.at), packets.ACK, stream[g.at:g.at+g.n], g.n)...)
	}
	return append(got, s.Add(len(segments)+2, at(len(segments)+1), base+uint32(len(stream)), packets.FIN|packets.ACK, nil, 0)...)
}

// cutUp covers a stream of n bytes with segments, in any order and with copies
// that overlap.
func cutUp(r *rand.Rand, n, most int) []sent {
	var all []sent
	for i := 0; i < n; {
		k := min(1+r.IntN(most), n-i)
		all = append(all, sent{i, k})
		i += k
	}
	for range r.IntN(len(all) + 1) {
		i := r.IntN(n)
		all = append(all, sent{i, min(1+r.IntN(2*most), n-i)})
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// However TCP cuts a stream, reorders it and repeats parts, the frames are those
// that were sent.
func FuzzCutting(f *testing.F) {
	for _, how := range []byte{0, 1, 2, 3, 4, 5} {
		f.Add(how, uint64(1), uint32(0xfffffff0), uint16(40))
		f.Add(how, uint64(2), uint32(7), uint16(1))
		f.Add(how, uint64(3), uint32(1<<31-100), uint16(1460))
	}
	f.Fuzz(func(t *testing.T, how byte, seed uint64, base uint32, most uint16) {
		r := rand.New(rand.NewPCG(seed, 1))
		var want [][]byte
		names := []string{"auto", "length:2", "length:4le", "lines", "websocket", "length:1-1"}
		name := names[int(how)%len(names)]
		for i := range 1 + r.IntN(20) {
			body := []byte(strings.Repeat("x", r.IntN(200)))
			switch name {
			case "auto":
				want = append(want, say(t, i+1, string(body)))
			case "length:2":
				want = append(want, append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...))
			case "length:4le":
				want = append(want, append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
			case "length:1-1":
				want = append(want, append([]byte{byte(len(body) + 1)}, body...))
			case "lines":
				want = append(want, append(body, "\r\n"...))
			case "websocket":
				want = append(want, append(socketHeaderOf(1, true, len(body)), body...))
			}
		}
		stream := bytes.Join(want, nil)
		framing, err := ParseFraming(name)
		if err != nil {
			t.Fatal(err)
		}
		segments := cutUp(r, len(stream), int(most%1500)+1)
		s := Stream{Framing: framing}
		got := deliver(&s, stream, base, segments)
		got = append(got, s.End()...)
		compare(t, got, want)
		if s.ahead != 0 || len(s.chunks) != 0 || len(s.holes) != 0 {
			t.Errorf("%d bytes in %d chunks behind %d holes are left", s.ahead, len(s.chunks), len(s.holes))
		}
		for _, fr := range got {
			checkPieces(t, &fr, stream, segments)
		}
	})
}

func compare(t *testing.T, got []Frame, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	var pos uint64
	for i := range want {
		f := got[i]
		if !bytes.Equal(f.Bytes, want[i]) || f.Err != "" || f.Start != pos || f.End != pos+uint64(len(want[i])) {
			t.Fatalf("frame %d is %d–%d %q, error %q; want %d–%d %q", i, f.Start, f.End, f.Bytes, f.Err, pos, pos+uint64(len(want[i])), want[i])
		}
		pos = f.End
	}
}

// checkPieces checks that a frame's pieces are its bytes, each from where it says.
func checkPieces(t *testing.T, f *Frame, stream []byte, segments []sent) {
	t.Helper()
	pos := f.Start
	for _, p := range f.Pieces {
		g := segments[p.Number-2]
		if uint64(g.at+p.Offset) != p.At || p.Offset+p.Len > g.n || p.Len <= 0 {
			t.Fatalf("piece %+v is not in its segment %+v", p, g)
		}
		if p.Again {
			continue
		}
		if p.At != pos {
			t.Fatalf("piece at %d, want %d", p.At, pos)
		}
		pos += uint64(p.Len)
	}
	if pos != f.End {
		t.Fatalf("pieces end at %d, the frame at %d", pos, f.End)
	}
}

func socketHeaderOf(opcode byte, fin bool, n int) []byte {
	b := []byte{opcode, byte(n)}
	if fin {
		b[0] |= 0x80
	}
	switch {
	case n > 0xffff:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	case n > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return b
}

// Nothing that a capture may hold makes a stream fail or keep much.
func FuzzStream(f *testing.F) {
	f.Add("auto", []byte("\x00\x00\x00\x28GET / HTTP/1.1\r\n\r\n"))
	f.Add("websocket", []byte("\x81\x05\xff\xff\xff\xffhello hello hello"))
	f.Add("http", []byte("\x00\x10HTTP/1.1 200 OK\r\n\r\n"))
	f.Add("length:4", []byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add("chat", []byte("12345678901234567890"))
	f.Fuzz(func(t *testing.T, name string, script []byte) {
		framing, err := ParseFraming(name)
		if err != nil {
			return
		}
		m := memory{max: 1 << 20}
		s := Stream{Framing: framing, memory: &m}
		var pos uint64
		check := func(frames []Frame) {
			for _, fr := range frames {
				if fr.Start < pos || fr.End < fr.Start {
					t.Fatalf("frame %d–%d after %d", fr.Start, fr.End, pos)
				}
				if len(fr.Bytes) > MaxKept || uint64(len(fr.Bytes)) > fr.End-fr.Start {
					t.Fatalf("frame %d–%d has %d bytes", fr.Start, fr.End, len(fr.Bytes))
				}
				pos = fr.End
			}
		}
		for i := 0; len(script) > 4; i++ {
			seq := uint32(int32(int8(script[0]))) * uint32(script[1])
			control, n := script[2], int(script[3])
			script = script[4:]
			data := script[:min(n%64, len(script))]
			check(s.Add(i+1, at(i), seq, control, data, len(data)+n/128*(n%7)))
			if n%5 == 0 {
				check(s.Acked(i+1, at(i), seq))
			}
			script = script[min(len(script), n%16):]
		}
		check(s.End())
		if m.used != 0 {
			t.Errorf("%d bytes are still held", m.used)
		}
	})
}

// A frame that lay in a lost segment waits for it; those behind it, whole as they
// are, wait too: head-of-line blocking.
func TestHeadOfLine(t *testing.T) {
	one, two, three := say(t, 1, "one"), say(t, 2, "two"), say(t, 3, "three")
	s := Stream{}
	var got []Frame
	add := func(number, ms int, seq int, b []byte) {
		got = append(got, s.Add(number, at(ms), uint32(seq), packets.ACK, b, len(b))...)
	}
	s.Add(1, at(0), 999, packets.SYN, nil, 0)
	a, b := len(one), len(one)+len(two)
	add(2, 10, 1000, one)
	s.Lost(3, uint32(1000+a), len(two))
	add(4, 30, 1000+b, three[:20])
	add(5, 35, 1000+b+20, three[20:])
	add(6, 230, 1000+a, two)
	add(7, 240, 1000+b, three)
	if len(got) != 3 {
		t.Fatalf("%d frames, want 3", len(got))
	}
	if f := got[0]; f.Hole != nil || f.Waited != 0 {
		t.Errorf("the first frame waited %v", f.Waited)
	}
	f := got[1]
	if f.Hole == nil || !f.Own || f.Waited != 200*time.Millisecond || f.Hole.OpenedBy != 4 || f.Hole.FilledBy != 6 || fmt.Sprint(f.Hole.Lost) != "[3]" {
		t.Errorf("the second frame waited %v for %+v, own %v; want 200ms for packet 3, filled by 6", f.Waited, f.Hole, f.Own)
	}
	f = got[2]
	if f.Hole == nil || f.Own || f.Waited != 195*time.Millisecond || f.Number != 6 || f.Segments() != 2 {
		t.Errorf("the third frame waited %v for %+v in %d segments; want 195ms, 2", f.Waited, f.Hole, f.Segments())
	}
	if seg := s.Last(); seg.Again != len(three) || seg.New != 0 {
		t.Errorf("the copy brought %d new bytes and %d again", seg.New, seg.Again)
	}
	if len(s.copies) != 0 {
		t.Errorf("copies of frames that are done are kept")
	}
}

// Offsets name where frames begin in a segment.
func TestOffsets(t *testing.T) {
	one, two := say(t, 1, "one"), say(t, 2, "two")
	all := append(bytes.Clone(one), two...)
	s := Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	s.Add(2, at(1), 1, packets.ACK, all[:len(one)+3], len(one)+3)
	if o := s.Offsets(); fmt.Sprint(o.Begins) != fmt.Sprint([]int{0, len(one)}) || !o.Known || o.Framing != "chat" {
		t.Errorf("frames begin at %+v", o)
	}
	s.Add(3, at(2), uint32(1+len(one)+3), packets.ACK, two[3:], len(two)-3)
	if o := s.Offsets(); len(o.Begins) != 0 || !o.Known {
		t.Errorf("frames begin at %+v, want none", o)
	}
	s.Add(4, at(3), uint32(1+len(all)+10), packets.ACK, two, len(two))
	if o := s.Offsets(); o.Known {
		t.Errorf("behind a hole: %+v", o)
	}
}

// What a snap length cut is missing, and the frames after it are found.
func TestSnap(t *testing.T) {
	long := say(t, 1, strings.Repeat("long ", 100))
	s := Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	got := s.Add(2, at(1), 1, packets.ACK, long[:100], len(long))
	if len(got) != 1 || got[0].Missing != uint64(len(long)-100) || len(got[0].Bytes) != 100 || !strings.Contains(got[0].Err, "snap length") {
		t.Fatalf("got %+v", got)
	}
	// A boundary in what was cut is lost; the next header that is there is found.
	next := say(t, 2, "next")
	both := append(bytes.Clone(long), next...)
	got = s.Add(3, at(2), uint32(1+len(long)), packets.ACK, both[:60], len(both))
	if len(got) != 1 || got[0].Missing == 0 {
		t.Fatalf("got %+v", got)
	}
	got = s.Add(4, at(3), uint32(1+len(long)+len(both)), packets.ACK, next, len(next))
	if len(got) != 2 || got[0].Kind != "unreadable" || got[1].Summary != `event lobby ana: "next"` {
		t.Fatalf("got %+v", got)
	}
}

// The capture begins inside a frame.
func TestMiddle(t *testing.T) {
	one, two := say(t, 1, strings.Repeat("one", 50)), say(t, 2, "two")
	s := Stream{}
	got := s.Add(1, at(0), 5000, packets.ACK, one[70:], len(one)-70)
	got = append(got, s.Add(2, at(1), uint32(5000+len(one)-70), packets.ACK, two, len(two))...)
	if len(got) != 2 || got[0].Kind != "unreadable" || got[0].End != uint64(len(one)-70) || got[1].Kind != "event" {
		t.Fatalf("got %+v", got)
	}
	if s.Cutting() != "chat" || !strings.Contains(s.Because(), "after") {
		t.Errorf("cut by %s because %s", s.Cutting(), s.Because())
	}
}

// A hole that nobody fills costs no more than MaxAhead, and is given up.
func TestHoleIsBounded(t *testing.T) {
	s := Stream{Framing: Framing{how: "lines"}}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	line := []byte(strings.Repeat("x", 999) + "\n")
	var got []Frame
	for i := range 3 * MaxChunks {
		got = append(got, s.Add(i+2, at(i), uint32(1+1000*(i+1)), packets.ACK, line, len(line))...)
		if s.ahead > MaxAhead+1000 || len(s.chunks) > MaxChunks+1 {
			t.Fatalf("%d bytes in %d chunks are kept", s.ahead, len(s.chunks))
		}
	}
	if got[0].Kind != "unreadable" || got[0].Missing != 1000 || len(got) < 2*MaxChunks {
		t.Fatalf("%d frames, first %+v", len(got), got[0])
	}
	// With memory for less, it is given up earlier.
	m := memory{max: 10_000}
	s = Stream{Framing: Framing{how: "lines"}, memory: &m}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	for i := range 100 {
		s.Add(i+2, at(i), uint32(1+1000*(i+1)), packets.ACK, line, len(line))
		if m.used > 12_000 {
			t.Fatalf("%d bytes are kept", m.used)
		}
	}
}

// What the receiver has acknowledged will not come again.
func TestAckedHole(t *testing.T) {
	one, two := say(t, 1, "one"), say(t, 2, "two")
	s := Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	s.Add(2, at(1), 1, packets.ACK, one, len(one))
	if got := s.Add(3, at(2), uint32(1+len(one)+50), packets.ACK, two, len(two)); len(got) != 0 {
		t.Fatalf("got %+v", got)
	}
	if got := s.Acked(4, at(3), uint32(1+len(one))); len(got) != 0 {
		t.Fatalf("the hole is not acknowledged, got %+v", got)
	}
	got := s.Acked(5, at(4), uint32(1+len(one)+50+len(two)))
	if len(got) != 2 || got[0].Missing != 50 || got[1].Kind != "event" {
		t.Fatalf("got %+v", got)
	}
}

// What is behind a hole at the end is told, and what the stream ended in.
func TestEnd(t *testing.T) {
	one, two := say(t, 1, "one"), say(t, 2, "two")
	s := Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	s.Add(2, at(1), 1, packets.ACK, one[:30], 30)
	s.Add(3, at(2), uint32(1+len(one)), packets.ACK, two, len(two))
	got := s.End()
	if len(got) != 2 || !strings.Contains(got[0].Err, "never came") || !strings.Contains(got[1].Err, "never came") || got[1].Kind != "event" {
		t.Errorf("got %+v", got)
	}
	s = Stream{}
	s.Add(1, at(0), 0, packets.SYN, nil, 0)
	got = s.Add(2, at(1), 1, packets.FIN|packets.ACK, one[:30], 30)
	if len(got) != 1 || got[0].Err != fmt.Sprintf("the stream ended after 30 of its %d bytes", len(one)) {
		t.Errorf("got %+v", got)
	}
}
