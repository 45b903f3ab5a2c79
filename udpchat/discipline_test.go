package udpchat

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// takes is what a receiver does with parcel number: what it releases, how, and
// what it says at once.
type takes struct {
	number   uint64
	released []uint64
	verdict  verdict
	answers  bool   // at once
	ack      uint64 // and what it then is
	bits     uint64
	reject   uint64 // 0: none
}

// TestEarly is a table for each discipline of what its receiver does with what
// comes out of order.
func TestEarly(t *testing.T) {
	tests := []struct {
		mode Mode
		in   []takes
	}{
		// Kurose and Ross, section 3.4.1, rdt3.0: the receiver acknowledges what it
		// waits for, and again what it had.
		{StopAndWait, []takes{
			{1, []uint64{1}, accepted, true, 1, 0, 0},
			{1, nil, duplicate, true, 1, 0, 0},
			{3, nil, refused, false, 1, 0, 0}, // no such sender
			{2, []uint64{2}, accepted, true, 2, 0, 0},
		}},
		// Section 3.4.3: "In all other cases, the receiver discards the packet";
		// cumulative acknowledgements only. ISO/IEC 13239: one REJ for a gap.
		{GoBackN, []takes{
			{1, []uint64{1}, accepted, true, 1, 0, 0},
			{3, nil, early, true, 1, 0, 2},
			{4, nil, early, false, 1, 0, 0},
			{1, nil, duplicate, true, 1, 0, 0},
			{2 + maxARQWindow, nil, early, false, 1, 0, 0},
			{3 + maxARQWindow, nil, refused, false, 1, 0, 0},
			{2, []uint64{2}, accepted, true, 2, 0, 0},
			{4, nil, early, true, 2, 0, 3}, // 3 was not kept
			{3, []uint64{3}, accepted, true, 3, 0, 0},
		}},
		// Section 3.4.4: what is out of order is kept and acknowledged, also again.
		{SelectiveRepeat, []takes{
			{1, []uint64{1}, accepted, true, 1, 0, 0},
			{3, nil, accepted, true, 1, 0b1, 0},
			{5, nil, accepted, true, 1, 0b101, 0},
			{3, nil, duplicate, true, 1, 0b101, 0},
			{2 + maxARQWindow, nil, accepted, true, 1, 0b101, 0}, // the bits end before
			{3 + maxARQWindow, nil, refused, false, 1, 0b101, 0},
			{2, []uint64{2, 3}, accepted, true, 3, 0b1, 0},
			{4, []uint64{4, 5}, accepted, true, 5, 0, 0},
		}},
	}
	for _, tt := range tests {
		r := newReceiver(tt.mode, ARQ{EachAck: tt.mode != StopAndWait}) // it does anyway
		for _, in := range tt.in {
			got, v := r.take(epoch, nil, parcel{number: in.number, payload: []byte{byte(in.number)}})
			var released []uint64
			for _, p := range got {
				if p.payload[0] != byte(p.number) {
					t.Errorf("%v: parcel %d carries %x", tt.mode, p.number, p.payload)
				}
				released = append(released, p.number)
			}
			out := takes{number: in.number, released: released, verdict: v, answers: r.due(epoch)}
			if r.reject {
				out.reject, r.reject = r.next, false
			}
			out.ack, out.bits = r.acknowledge()
			if !sameTakes(out, in) {
				t.Errorf("%v: take(%d) = %+v, want %+v", tt.mode, in.number, out, in)
			}
		}
	}
}

func sameTakes(a, b takes) bool {
	if len(a.released) != len(b.released) {
		return false
	}
	for i := range a.released {
		if a.released[i] != b.released[i] {
			return false
		}
	}
	a.released, b.released = nil, nil
	return a.number == b.number && a.verdict == b.verdict && a.answers == b.answers && a.ack == b.ack && a.bits == b.bits && a.reject == b.reject
}

// TestFarBits: what was kept beyond what the bits can name is named as soon as
// they can.
func TestFarBits(t *testing.T) {
	r := newReceiver(SelectiveRepeat, ARQ{})
	for n := uint64(2); n <= 100; n++ {
		r.take(epoch, nil, parcel{number: n})
	}
	if _, bits := r.acknowledge(); bits != ^uint64(0) {
		t.Errorf("bits = %x, want all 64", bits)
	}
	r = newReceiver(SelectiveRepeat, ARQ{})
	r.take(epoch, nil, parcel{number: 100})
	for n := uint64(1); n <= 40; n++ {
		r.take(epoch, nil, parcel{number: n})
	}
	if ack, bits := r.acknowledge(); ack != 40 || bits != 1<<(100-42) {
		t.Errorf("acknowledge() = %d, %x, want 40 and the bit of 100", ack, bits)
	}
}

// Stop-and-wait has one in flight, whatever ARQ.Window says, and sends it again
// after the RTO and not before.
func TestStopAndWait(t *testing.T) {
	b := newBench(t, StopAndWait, ARQ{Window: 9}, 3)
	b.want("one", 1)
	if b.pass(time.Second - 1) {
		t.Error("lost before the RTO")
	}
	b.pass(1)
	b.want("again after the RTO", -1)
	b.acked(1, 0)
	b.want("the next", 2)
	b.reject(b.now, 2)
	b.want("nothing that stop-and-wait knows")
}

// Go-back-N sends all again from the one that is missing, once for each reject,
// and not for one that is late.
func TestGoBackN(t *testing.T) {
	b := newBench(t, GoBackN, ARQ{}, 12)
	b.want("the window", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	b.now = b.now.Add(50 * ms)
	b.acked(2, 0)
	b.reject(b.now, 3)
	// Half of the eight in flight (RFC 5681).
	b.want("back", -3, -4, -5, -6)
	b.reject(b.now, 3)
	b.reject(b.now, 2)
	b.want("nothing more for the same gap, or an old one")
	at := b.deadline()
	if want := b.now.Add(b.rto()); at != want {
		t.Errorf("the timer is for %v, want %v: it is the repair's", at, want)
	}
	b.now = b.now.Add(50 * ms)
	b.acked(3, 0)
	b.want("one came", -7)
	b.reject(b.now, 4)
	if b.cwnd != 3.5 {
		t.Errorf("the window is %v, want half of the seven since: that loss came after the first was answered", b.cwnd)
	}
	// The timer finds what no reject tells of.
	b.polled()
	b.now = b.deadline()
	b.expire(b.now)
	b.want("after the RTO from one", -4)
	b.reject(b.now, 4)
	b.want("the reject of before the timeout")
	b.reject(b.now, 100)
	b.want("the reject of what was never sent")
}

// TestReject: a reject goes out at once and by itself, although there is data to
// send; it says where to go back to; and it is not said when the gap is closed
// before.
func TestReject(t *testing.T) {
	pair := func() (a, b *session, sent [][]byte) {
		a, b = newSession(GoBackN, wire.MaxDatagram, 1, ARQ{}), newSession(GoBackN, wire.MaxDatagram, 1, ARQ{})
		b.push(epoch, message(wire.KindPing, 0, 1, "", 0))
		for i := range uint64(3) {
			a.push(epoch, message(wire.KindPing, 0, i+1, "", 0))
		}
		for d, ok := a.next(epoch, nil); ok; d, ok = a.next(epoch, nil) {
			sent = append(sent, append(d.head, d.payload...))
		}
		return a, b, sent
	}
	hear := func(s *session, b []byte) error {
		h, payload, err := wire.DecodeHeader(b)
		if err == nil {
			_, err = s.receive(epoch, nil, &h, payload)
		}
		return err
	}
	a, b, sent := pair()
	if len(sent) != 3 {
		t.Fatalf("%d datagrams, want 3", len(sent))
	}
	for _, d := range sent[1:] {
		if err := hear(b, d); err != errEarly {
			t.Errorf("receive of an early datagram: %v, want %v", err, errEarly)
		}
	}
	d, ok := b.next(epoch, nil)
	h, _, err := wire.DecodeHeader(d.head)
	if !ok || err != nil || h.Type != wire.TypeAck || h.Ack != 0 || h.Reliable != 1 || len(d.payload) > 0 {
		t.Fatalf("next = %+v, %v, %v, want a reject of 1", h, ok, err)
	}
	if note := noteOut(&h, false, nil); note != "reject: again from 1 on" {
		t.Errorf("its note is %q", note)
	}
	if d, _ := b.next(epoch, nil); len(d.payload) == 0 {
		t.Error("no data after the reject")
	}
	if err := hear(a, d.head); err != nil {
		t.Fatal(err)
	}
	var again int
	for d, ok := a.next(epoch, nil); ok; d, ok = a.next(epoch, nil) {
		if !d.again {
			t.Error("something new before all was sent again")
		}
		again++
	}
	// Half of three in flight, but two at least (RFC 5681).
	if again != 2 || a.send.resent != 2 {
		t.Errorf("%d sent again, counted %d, want 2", again, a.send.resent)
	}

	_, b, sent = pair()
	hear(b, sent[1])
	hear(b, sent[0])
	for d, ok := b.next(epoch.Add(time.Second), nil); ok; d, ok = b.next(epoch.Add(time.Second), nil) {
		if h, _, _ := wire.DecodeHeader(d.head); h.Type == wire.TypeAck && h.Reliable != 0 {
			t.Errorf("a reject of %d, which is here", h.Reliable)
		}
	}
}

// Selective repeat sends again what ARQ.DupAcks later ones have overtaken, and
// nothing else.
func TestDupAcks(t *testing.T) {
	for _, dup := range []int{0, 1, 2, 5} {
		want := dup
		if dup == 0 {
			want = 3
		}
		b := newBench(t, SelectiveRepeat, ARQ{DupAcks: dup, Fixed: true, Window: 20}, 8)
		b.polled()
		for i := range 7 {
			b.acked(0, 1<<(i+1)-1)
			if got := b.polled(); (len(got) == 1 && got[0] == -1) != (i+1 == want) {
				t.Errorf("DupAcks %d: after %d later ones sent %v", dup, i+1, got)
			}
		}
	}
}

// A fixed window stays, whatever is lost; one that is not answers.
func TestFixed(t *testing.T) {
	for _, mode := range []Mode{GoBackN, SelectiveRepeat} {
		for _, fixed := range []bool{false, true} {
			b := newBench(t, mode, ARQ{Window: 30, Fixed: fixed}, 60)
			first := len(b.polled())
			b.now = b.deadline()
			b.expire(b.now)
			again := len(b.polled())
			if fixed && (first != 30 || again != 30) || !fixed && (first != initialWindow || again != 1) {
				t.Errorf("%v, fixed %v: %d at first, %d after a timeout", mode, fixed, first, again)
			}
		}
	}
}

// RFC 8085, section 3.1.1: a sender backs its timer off, and so does one with an
// RTO of its own, unless it is fixed.
func TestFixedRTO(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		b := newBench(t, StopAndWait, ARQ{RTO: 300 * ms, Fixed: fixed}, 1)
		b.polled()
		for i, want := range []time.Duration{300 * ms, 600 * ms, 1200 * ms} {
			if fixed {
				want = 300 * ms
			}
			if got := b.deadline().Sub(b.now); got != want {
				t.Errorf("fixed %v: timeout %d after %v, want %v", fixed, i+1, got, want)
			}
			b.now = b.deadline()
			b.expire(b.now)
			b.polled()
		}
	}
}

// A rate spaces what leaves.
func TestRate(t *testing.T) {
	b := newBench(t, SelectiveRepeat, ARQ{Rate: 100}, 3)
	for i := range 3 {
		b.want("one", i+1)
		if at := b.deadline(); i < 2 && at != b.now.Add(10*ms) {
			t.Fatalf("deadline after parcel %d is in %v, want when the next may leave", i+1, at.Sub(b.now))
		}
		b.now = b.now.Add(10*ms - 1)
		b.want("too early")
		b.now = b.now.Add(1)
	}
}

func TestBadARQ(t *testing.T) {
	tests := []struct {
		in   ARQ
		want string
	}{
		{ARQ{Window: -1}, "-1 datagrams, want 1 to 128"},
		{ARQ{Window: 129}, "129 datagrams, want 1 to 128"},
		{ARQ{DupAcks: -1}, "-1 later datagrams"},
		{ARQ{RTO: -time.Second}, "an RTO of -1s"},
		{ARQ{RTO: time.Microsecond}, "want 1ms or more"},
		{ARQ{Rate: -5}, "-5 datagrams per second"},
		{ARQ{Rate: 2_000_000_000}, "want 1 to 1000000000"},
	}
	for _, tt := range tests {
		d := &Dialer{Address: "127.0.0.1:1", ARQ: tt.in, Net: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a socket was opened")
			return nil, net.ErrClosed
		}}
		if _, _, err := d.Dial(t.Context(), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Dial with %+v = %v, want an error with %q", tt.in, err, tt.want)
		}
		conn := listen(t, "127.0.0.1:0")
		if err := (&Server{Hub: newHub(t, chat.Config{}), ARQ: tt.in}).Serve(t.Context(), conn); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Serve with %+v = %v, want an error with %q", tt.in, err, tt.want)
		}
	}
	for _, arq := range []ARQ{{}, Textbook(1, 0, 0), Textbook(128, 1, 1), Textbook(35, bookFrame, bookTrip), Textbook(1, time.Hour, time.Hour)} {
		if err := arq.check(); err != nil {
			t.Errorf("check of %+v: %v", arq, err)
		}
	}
}

// randomLine is a bad line with a bad configuration.
func randomLine(seed uint64) line {
	r := rand.New(rand.NewPCG(seed, 7))
	arq := func() ARQ {
		a := ARQ{Window: r.IntN(maxARQWindow + 1), Fixed: r.IntN(2) == 0, DupAcks: r.IntN(5), EachAck: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			a.RTO = time.Duration(20+r.IntN(300)) * ms
		}
		if r.IntN(3) == 0 {
			a.Rate = 100 + r.IntN(1000)
		}
		return a
	}
	return line{
		mode: StopAndWait + Mode(r.IntN(int(modeEnd-StopAndWait))), sending: arq(), taking: arq(), seed: seed,
		frame: time.Duration(r.IntN(2000)) * time.Microsecond, delay: time.Duration(r.IntN(100)) * ms,
		loss: r.Float64() * .4, ackLoss: r.Float64() * .4, twice: r.Float64() * .4, jitter: time.Duration(r.IntN(50)) * ms,
	}
}

// TestDisciplines: over lines that lose, double and reorder both ways, whatever
// the two ends' configurations, each parcel is released once and in order, the
// window is never exceeded, and there is an end. (line.run checks that.)
func TestDisciplines(t *testing.T) {
	for seed := range uint64(150) {
		l := randomLine(seed)
		if _, _, err := l.run(200); err != nil {
			t.Fatalf("seed %d: %v, %+v: %v", seed, l.mode, l, err)
		}
	}
}

func FuzzDisciplines(f *testing.F) {
	f.Add(uint64(1), byte(0), byte(10))
	f.Add(uint64(2), byte(1), byte(0))
	f.Add(uint64(3), byte(2), byte(200))
	f.Fuzz(func(t *testing.T, seed uint64, mode, window byte) {
		l := randomLine(seed)
		l.mode = StopAndWait + Mode(mode)%(modeEnd-StopAndWait)
		l.sending.Window = int(window) % (maxARQWindow + 1)
		if _, _, err := l.run(60); err != nil {
			t.Fatalf("seed %d: %v, %+v: %v", seed, l.mode, l, err)
		}
	})
}

// FuzzAck: whatever the peer claims, what a sender has in flight and what it
// counts stay true, and it never takes an acknowledgement of what it did not
// send.
func FuzzAck(f *testing.F) {
	f.Add(byte(GoBackN), []byte{1, 0, 2, 2, 9})
	f.Add(byte(SelectiveRepeat), []byte{0, 7, 0, 0, 255, 3})
	f.Fuzz(func(t *testing.T, mode byte, claims []byte) {
		b := newBench(t, StopAndWait+Mode(mode)%(modeEnd-StopAndWait), ARQ{Window: 20}, 0)
		for len(claims) >= 3 {
			ack, bits, reject := uint64(claims[0]), uint64(claims[1])<<(claims[2]%57), uint64(claims[2])
			claims = claims[3:]
			b.push(b.now, nil, wire.Fragment{})
			b.polled()
			b.now = b.now.Add(10 * ms)
			next := b.next
			if _, err := b.ack(b.now, ack, bits, true); err == nil && ack >= next {
				t.Fatalf("ack(%d, %x) is taken, %d was never sent", ack, bits, next)
			}
			b.reject(b.now, reject)
			b.expire(b.now)
			out, lost := 0, 0
			for n := b.base; n < b.next; n++ {
				switch f := b.at(n); {
				case f.acked:
				case f.lost:
					lost++
				default:
					out++
				}
			}
			if out != b.out || lost != b.lost || b.out > 20 || b.base > b.next || b.next > b.end {
				t.Fatalf("out %d, lost %d, want %d, %d; base %d, next %d, end %d", b.out, b.lost, out, lost, b.base, b.next, b.end)
			}
		}
	})
}
