package tcp_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"wirelab/packets/tcp"
)

const ms = int64(time.Millisecond)

// A step is a segment of a table and what is wanted of it.
type step struct {
	dir  int
	s    tcp.Segment
	want tcp.Result
}

func check(t *testing.T, steps []step) {
	t.Helper()
	var c tcp.Conversation
	for i, x := range steps {
		x.s.Scale = -1
		if got := c.Add(x.dir, &x.s); got != x.want {
			t.Errorf("segment %d: got\n%+v, want\n%+v", i, got, x.want)
		}
	}
}

// What the analysis says besides the flags.
func TestResult(t *testing.T) {
	const none = time.Duration(-1)
	check(t, []step{
		{0, tcp.Segment{Time: ms, Seq: 1000, Control: tcp.SYN, Window: 9}, tcp.Result{InFlight: 1, InitialRTT: none, RTT: none}},
		{1, tcp.Segment{Time: 11 * ms, Seq: 5000, Ack: 1001, Control: tcp.SYN | tcp.ACK, Window: 9},
			tcp.Result{RelAck: 1, InFlight: 1, InitialRTT: none, RTT: 10 * time.Millisecond}},
		{0, tcp.Segment{Time: 21 * ms, Seq: 1001, Ack: 5001, Control: tcp.ACK, Window: 9},
			tcp.Result{RelSeq: 1, RelAck: 1, InitialRTT: 20 * time.Millisecond, RTT: 10 * time.Millisecond}},
		{0, tcp.Segment{Time: 22 * ms, Seq: 1001, Ack: 5001, Control: tcp.ACK, Len: 100, Window: 9},
			tcp.Result{RelSeq: 1, RelAck: 1, InFlight: 100, InitialRTT: none, RTT: none}},
		{0, tcp.Segment{Time: 24 * ms, Seq: 1101, Ack: 5001, Control: tcp.ACK, Len: 100, Window: 9},
			tcp.Result{RelSeq: 101, RelAck: 1, InFlight: 200, InitialRTT: none, RTT: none}},
		// Both are acknowledged: the sample is the latter's.
		{1, tcp.Segment{Time: 34 * ms, Seq: 5001, Ack: 1201, Control: tcp.ACK, Window: 9},
			tcp.Result{RelSeq: 1, RelAck: 201, InitialRTT: none, RTT: 10 * time.Millisecond}},
		{1, tcp.Segment{Time: 35 * ms, Seq: 5001, Ack: 1201, Control: tcp.ACK, Window: 9},
			tcp.Result{Flags: tcp.DuplicateAck, Number: 1, RelSeq: 1, RelAck: 201, InitialRTT: none, RTT: none}},
		{1, tcp.Segment{Time: 36 * ms, Seq: 5001, Ack: 1201, Control: tcp.ACK, Window: 9},
			tcp.Result{Flags: tcp.DuplicateAck, Number: 2, RelSeq: 1, RelAck: 201, InitialRTT: none, RTT: none}},
		// Half a segment is acknowledged, and then the whole.
		{0, tcp.Segment{Time: 40 * ms, Seq: 1201, Ack: 5001, Control: tcp.ACK, Len: 100, Window: 9},
			tcp.Result{RelSeq: 201, RelAck: 1, InFlight: 100, InitialRTT: none, RTT: none}},
		{1, tcp.Segment{Time: 41 * ms, Seq: 5001, Ack: 1251, Control: tcp.ACK, Window: 9},
			tcp.Result{RelSeq: 1, RelAck: 251, InitialRTT: none, RTT: none}},
		{1, tcp.Segment{Time: 45 * ms, Seq: 5001, Ack: 1301, Control: tcp.ACK, Window: 9},
			tcp.Result{RelSeq: 1, RelAck: 301, InitialRTT: none, RTT: 5 * time.Millisecond}},
		// Another connection: nothing of the former counts.
		{1, tcp.Segment{Time: 60 * ms, Seq: 77, Control: tcp.SYN, Window: 9},
			tcp.Result{Flags: tcp.ReusedPorts, New: true, InFlight: 1, InitialRTT: none, RTT: none}},
		{0, tcp.Segment{Time: 61 * ms, Seq: 88, Ack: 78, Control: tcp.SYN | tcp.ACK, Window: 9},
			tcp.Result{RelAck: 1, InFlight: 1, InitialRTT: none, RTT: time.Millisecond}},
	})
}

// "Karn's algorithm: RTT samples MUST NOT be made using segments that were
// retransmitted (and thus for which it is ambiguous whether the reply was for the
// first instance of the packet or a later instance)" (RFC 6298, section 3). What
// was in flight with it had to wait for it, and is no sample, either.
func TestKarn(t *testing.T) {
	var c tcp.Conversation
	add := func(at int64, dir int, seq, ack uint32, n int) time.Duration {
		return c.Add(dir, &tcp.Segment{Time: at * ms, Seq: seq, Ack: ack, Len: n, Control: tcp.ACK, Window: 9, Scale: -1}).RTT
	}
	add(0, 0, 1, 1, 10)
	add(1, 0, 11, 1, 10)
	add(500, 0, 1, 1, 10) // again
	for ack := uint32(11); ack <= 21; ack += 10 {
		if got := add(510, 1, 1, ack, 0); got >= 0 {
			t.Errorf("ACK %d after a retransmission: RTT %v, want none", ack, got)
		}
	}
	add(600, 0, 21, 1, 10)
	if got := add(607, 1, 1, 31, 0); got != 7*time.Millisecond {
		t.Errorf("RTT %v of what was sent once, want 7ms", got)
	}
}

// The byte of a probe is sent again when there is room: the acknowledgement may be
// of either. And a number without the ACK bit acknowledges nothing (RFC 9293,
// section 3.1).
func TestNoSample(t *testing.T) {
	for _, x := range []struct {
		name    string
		probe   bool
		control uint8
		want    time.Duration
	}{
		{"sent once", false, tcp.ACK, time.Millisecond},
		{"after a probe", true, tcp.ACK, -1},
		{"no ACK", false, tcp.PSH, -1},
	} {
		var c tcp.Conversation
		add := func(at int64, dir int, s tcp.Segment) tcp.Result {
			s.Time, s.Scale = at*ms, -1
			return c.Add(dir, &s)
		}
		add(0, 1, tcp.Segment{Seq: 1, Ack: 5, Control: tcp.ACK, Window: 0})
		add(1, 0, tcp.Segment{Seq: 5, Ack: 1, Control: tcp.ACK, Window: 9})
		if x.probe {
			if r := add(2, 0, tcp.Segment{Seq: 5, Ack: 1, Len: 1, Control: tcp.ACK, Window: 9}); r.Flags != tcp.ZeroWindowProbe {
				t.Fatalf("a probe has flags %q", r.Flags)
			}
		}
		add(3, 1, tcp.Segment{Seq: 1, Ack: 5, Control: tcp.ACK, Window: 9})
		add(4, 0, tcp.Segment{Seq: 5, Ack: 1, Len: 1, Control: tcp.ACK, Window: 9})
		if r := add(5, 1, tcp.Segment{Seq: 1, Ack: 6, Control: x.control, Window: 9}); r.RTT != x.want {
			t.Errorf("%s: RTT %v, want %v", x.name, r.RTT, x.want)
		}
	}
}

// However many segments are in flight, a few are measured; RFC 6298, section 3,
// wants one at least in each round trip.
func TestManyInFlight(t *testing.T) {
	var c tcp.Conversation
	for i := range uint32(1000) {
		c.Add(0, &tcp.Segment{Time: int64(i), Seq: 1 + i*10, Ack: 1, Len: 10, Control: tcp.ACK, Scale: -1})
	}
	samples := 0
	for i := range uint32(1000) {
		r := c.Add(1, &tcp.Segment{Time: int64(5000 + i), Seq: 1, Ack: 11 + i*10, Control: tcp.ACK, Window: 9, Scale: -1})
		if r.RTT >= 0 {
			if samples++; samples != int(i)+1 {
				t.Fatalf("segment %d is measured: want the first ones", i)
			}
			if r.RTT != 5000 {
				t.Fatalf("RTT %v of segment %d, want 5µs", r.RTT, i)
			}
		}
		if want := 10 * (999 - i); c.Add(0, &tcp.Segment{Time: 9000, Seq: 10001, Ack: 1, Control: tcp.ACK, Scale: -1}).InFlight != want {
			t.Fatalf("after segment %d not %d bytes in flight", i, want)
		}
	}
	if samples != 16 {
		t.Errorf("%d samples of a round trip with 1000 segments, want 16", samples)
	}
	if size := unsafe.Sizeof(c); size > 600 {
		t.Errorf("a conversation holds %d bytes, at most 600 are promised", size)
	}
}

func TestNames(t *testing.T) {
	var all tcp.Flags
	for i, name := range tcp.Names() {
		f, err := tcp.ParseFlag(name)
		if err != nil || f != 1<<i || f.String() != name || !slices.Equal(f.Names(), []string{name}) {
			t.Errorf("ParseFlag(%q) = %d %q, %v", name, f, f, err)
		}
		if all.Has(f) {
			t.Errorf("%s twice", name)
		}
		all |= f
	}
	if len(tcp.Names()) != 15 || all != 1<<15-1 {
		t.Errorf("%d flags, want 15", len(tcp.Names()))
	}
	if got := (tcp.FastRetransmission | tcp.Retransmission).String(); got != "fast_retransmission+retransmission" {
		t.Errorf("two flags are %q", got)
	}
	if got := tcp.Flags(0).String(); got != "" {
		t.Errorf("no flag is %q", got)
	}
	if _, err := tcp.ParseFlag("retransmissions"); err == nil {
		t.Error("an unknown name is parsed")
	}
}

// Whatever is added, there is no panic, and the result makes sense.
func FuzzAdd(f *testing.F) {
	for seed := range uint64(20) {
		g := &soup{rand: rand.New(rand.NewPCG(seed, 0))}
		g.begin()
		var b []byte
		for range 30 {
			dir, s := g.segment()
			b = binary.BigEndian.AppendUint32(b, s.Seq)
			b = binary.BigEndian.AppendUint32(b, s.Ack)
			b = binary.BigEndian.AppendUint64(b, uint64(s.Time))
			b = binary.BigEndian.AppendUint16(b, s.Window)
			b = append(b, byte(s.Len), s.Control, byte(s.Scale), byte(dir))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c tcp.Conversation
		for ; len(b) >= 22; b = b[22:] {
			s := tcp.Segment{
				Seq: binary.BigEndian.Uint32(b), Ack: binary.BigEndian.Uint32(b[4:]), Time: int64(binary.BigEndian.Uint64(b[8:])),
				Window: binary.BigEndian.Uint16(b[16:]), Len: int(b[18]), Control: b[19], Scale: int8(b[20]), Cut: b[21]&2 != 0,
			}
			copied, before := c, s
			r := c.Add(int(b[21]), &s)
			if r2 := copied.Add(int(b[21]), &s); r2 != r || s != before {
				t.Fatalf("the same segment again, in a copy: %+v, then %+v", r, r2)
			}
			f := r.Flags | r.Silent
			switch {
			case f >= 1<<15:
				t.Fatalf("flags %b", f)
			case r.Flags != 0 && r.Silent != 0:
				t.Fatalf("flags both said and not: %+v", r)
			case f.Has(tcp.DuplicateAck) != (r.Number > 0):
				t.Fatalf("duplicate ACK number %d: %v", r.Number, f)
			case (f.Has(tcp.FastRetransmission) || f.Has(tcp.SpuriousRetransmission)) && !f.Has(tcp.Retransmission):
				t.Fatalf("fast or spurious, and no retransmission: %v", f)
			case f.Has(tcp.OutOfOrder | tcp.Retransmission), f.Has(tcp.WindowUpdate | tcp.DuplicateAck):
				t.Fatalf("flags that exclude each other: %v", f)
			case r.RTT < -1 || r.InitialRTT < -1 || r.InFlight >= 1<<31:
				t.Fatalf("%+v", r)
			}
		}
	})
}

// BenchmarkAdd is a download of which one segment in a hundred is lost: the cost
// for one segment, read from memory.
func BenchmarkAdd(b *testing.B) {
	segments, dirs := download()
	var c tcp.Conversation
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Add(dirs[i], &segments[i])
		if i++; i == len(segments) {
			i = 0
		}
	}
}

// BenchmarkAddMany is the same in 10,000 conversations in turn: caches miss.
func BenchmarkAddMany(b *testing.B) {
	segments, dirs := download()
	all := make([]tcp.Conversation, 10_000)
	b.ReportAllocs()
	i, j := 0, 0
	for b.Loop() {
		all[j].Add(dirs[i], &segments[i])
		if j++; j == len(all) {
			j = 0
			if i++; i == len(segments) {
				i = 0
			}
		}
	}
}

func download() (segments []tcp.Segment, dirs []int) {
	r := rand.New(rand.NewPCG(1, 1))
	var now int64
	seq, ack := uint32(1), uint32(1)
	add := func(dir int, s tcp.Segment) {
		now += 10_000
		s.Time, s.Control, s.Window, s.Scale = now, tcp.ACK, 1000, -1
		segments, dirs = append(segments, s), append(dirs, dir)
	}
	for range 10_000 {
		if r.IntN(100) == 0 && seq > 14480 {
			add(0, tcp.Segment{Seq: seq - 14480, Ack: 1, Len: 1448})
			continue
		}
		add(0, tcp.Segment{Seq: seq, Ack: 1, Len: 1448})
		seq += 1448
		if r.IntN(2) == 0 {
			ack = seq
			add(1, tcp.Segment{Seq: 1, Ack: ack})
		}
	}
	return segments, dirs
}
