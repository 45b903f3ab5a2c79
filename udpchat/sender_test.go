package udpchat

import (
	"testing"
	"time"

	"wirelab/internal/wire"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// a bench drives a sender by hand.
type bench struct {
	t *testing.T
	sender
	now time.Time
}

func newBench(t *testing.T, mode Mode, arq ARQ, parcels int) *bench {
	b := &bench{t: t, sender: newSender(mode, arq), now: epoch}
	for range parcels {
		b.push(b.now, []byte{0}, wire.Fragment{})
	}
	return b
}

// polled returns the numbers that poll gives now; those sent again negative.
func (b *bench) polled() []int {
	var all []int
	for {
		p, again := b.poll(b.now)
		if p == nil {
			return all
		}
		n := int(p.number)
		if again {
			n = -n
		}
		all = append(all, n)
	}
}

func (b *bench) want(what string, want ...int) {
	b.t.Helper()
	got := b.polled()
	if len(got) != len(want) {
		b.t.Fatalf("%s: sent %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			b.t.Fatalf("%s: sent %v, want %v", what, got, want)
		}
	}
}

func (b *bench) acked(ack, bits uint64) {
	b.t.Helper()
	if _, err := b.ack(b.now, ack, bits, true); err != nil {
		b.t.Fatalf("ack(%d, %b): %v", ack, bits, err)
	}
}

func (b *bench) pass(d time.Duration) bool {
	b.now = b.now.Add(d)
	return b.expire(b.now)
}

// TestKarn: "RTT samples MUST NOT be made using segments that were
// retransmitted" (RFC 6298, section 3).
func TestKarn(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 1)
	b.want("first", 1)
	if b.pass(time.Second-1) || !b.pass(1) {
		t.Fatal("the first timeout is not after one second")
	}
	b.want("timeout", -1)
	b.now = b.now.Add(10 * ms)
	b.acked(1, 0)
	if b.rtt.sampled {
		t.Error("a parcel that was sent twice gave a sample")
	}
	if got := b.rtt.timeout(); got != 2*time.Second {
		t.Errorf("RTO = %v, want it to stay backed off at 2s until there is a sample", got)
	}
	b.push(b.now, nil, wire.Fragment{})
	b.want("fresh", 2)
	b.now = b.now.Add(80 * ms)
	b.acked(2, 0)
	if got := b.rtt.timeout(); got != 240*ms {
		t.Errorf("RTO = %v, want 240ms from a sample of 80ms", got)
	}
}

// TestTimer follows RFC 6298, section 5.
func TestTimer(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 3)
	if !b.deadline().IsZero() {
		t.Error("the timer runs before anything was sent")
	}
	// (5.1) "Every time a packet containing data is sent (including a
	// retransmission), if the timer is not running, start it running so that
	// it will expire after RTO seconds".
	b.want("all", 1, 2, 3)
	if got := b.deadline(); got != epoch.Add(time.Second) {
		t.Errorf("5.1: timer at %v", got.Sub(epoch))
	}
	// (5.3) "When an ACK is received that acknowledges new data, restart the
	// retransmission timer so that it will expire after RTO seconds".
	b.now = b.now.Add(100 * ms)
	b.acked(1, 0)
	if got := b.deadline(); got != b.now.Add(300*ms) {
		t.Errorf("5.3: timer at %v, want in 300ms", got.Sub(b.now))
	}
	at := b.deadline()
	b.now = b.now.Add(100 * ms)
	b.acked(1, 0) // nothing new
	if got := b.deadline(); got != at {
		t.Error("5.3: an ack of nothing new restarted the timer")
	}
	// (5.4) to (5.6): retransmit the earliest, double, restart.
	b.now = at
	if !b.expire(b.now) {
		t.Fatal("5.4: no timeout")
	}
	b.want("5.4", -2)
	if got := b.deadline(); got != b.now.Add(600*ms) {
		t.Errorf("5.5, 5.6: timer at %v, want in 600ms", got.Sub(b.now))
	}
	// (5.2) "When all outstanding data has been acknowledged, turn off the
	// retransmission timer."
	b.acked(3, 0)
	if !b.deadline().IsZero() || !b.idle() {
		t.Error("5.2: the timer runs although all is acknowledged")
	}
}

func TestGiveUp(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 1)
	b.polled()
	var sent int
	for !b.dead {
		b.now = b.deadline()
		b.expire(b.now)
		sent += len(b.polled())
		if sent > 20 {
			t.Fatal("never gives up")
		}
	}
	if took := b.now.Sub(epoch); took < maxSilence || took > maxSilence+maxBackoff || sent < 8 {
		t.Errorf("gave up after %v and %d retransmissions", took, sent)
	}
}

func TestFastResend(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 20)
	b.want("initial window", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	b.now = b.now.Add(50 * ms)
	b.acked(0, 0b1) // 2, not 1
	b.acked(0, 0b11)
	if b.lost != 0 {
		t.Fatal("taken for lost after two later acks")
	}
	b.polled()
	b.acked(0, 0b111)
	got := b.polled()
	if len(got) != 1 || got[0] != -1 {
		t.Fatalf("after three later acks sent %v, want 1 again and nothing else: the window was halved", got)
	}
	if b.cwnd >= 10 {
		t.Errorf("window = %v, want half of what was in flight", b.cwnd)
	}
	// The later ones are counted anew for the retransmission.
	b.acked(0, 0b11111)
	if b.lost != 0 {
		t.Error("the retransmission was taken for lost by acks of what was sent before it")
	}
}

// TestWindow: slow start doubles the window each round trip, up to what an ack
// can name; a timeout starts it from one.
func TestWindow(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 300)
	var rounds []int
	for range 5 {
		got := b.polled()
		rounds = append(rounds, len(got))
		b.now = b.now.Add(50 * ms)
		b.acked(uint64(got[len(got)-1]), 0)
	}
	for i, want := range []int{10, 20, 40, 64, 64} {
		if rounds[i] != want {
			t.Fatalf("datagrams in each round trip: %v, want 10, 20, 40, 64, 64", rounds)
		}
	}
	b.polled()
	b.now = b.deadline()
	b.expire(b.now)
	first := int(b.base)
	b.want("after a timeout", -first)
	b.now = b.now.Add(50 * ms)
	b.acked(b.base, 0)
	b.want("slow start", -first-1, -first-2)
}

// TestAppLimited: a window that did not hold anything back does not grow.
func TestAppLimited(t *testing.T) {
	b := newBench(t, Queue, ARQ{}, 0)
	for range 100 {
		b.push(b.now, nil, wire.Fragment{})
		b.polled()
		b.now = b.now.Add(10 * ms)
		b.acked(b.next-1, 0)
	}
	if b.cwnd != initialWindow {
		t.Errorf("window = %v after a hundred single datagrams, want %v", b.cwnd, initialWindow)
	}
}

// TestFalseAcks: what was never sent cannot be acknowledged, and nothing by
// itself where acknowledgements are cumulative.
func TestFalseAcks(t *testing.T) {
	for mode := StopAndWait; mode < modeEnd; mode++ {
		for _, test := range []struct {
			ack, bits uint64
			want      error // where there are ackbits
		}{
			{3, 0, errAck}, {1 << 63, 0, errAck}, {^uint64(0), ^uint64(0), errAck}, {0, 0b10, errAck}, {1, 0b1, errAck}, {2, 1 << 63, errAck},
			{0, 0b1, nil},
		} {
			b := newBench(t, mode, ARQ{}, 5)
			b.cwnd = 2
			sent := 2
			if mode == StopAndWait {
				sent = 1
			}
			if got := b.polled(); len(got) != sent {
				t.Fatalf("%v: sent %v, want %d", mode, got, sent)
			}
			want := test.want
			if want == nil && (mode == StopAndWait || mode == GoBackN) {
				want = errBits
				if mode == StopAndWait {
					want = errAck // of 2, which was not sent
				}
			}
			fresh, err := b.ack(b.now, test.ack, test.bits, true)
			if err != want || err != nil && (fresh > 0 || b.base != 1 || b.out != sent) {
				t.Errorf("%v: ack(%d, %b) of numbers up to %d = %d, %v, want %v", mode, test.ack, test.bits, sent, fresh, err, want)
			}
		}
	}
}

func TestReceiver(t *testing.T) {
	r := newReceiver(Queue, ARQ{})
	now := epoch
	take := func(n uint64, want verdict, release ...uint64) {
		t.Helper()
		got, v := r.take(now, nil, parcel{number: n, payload: []byte{byte(n)}})
		if v != want || len(got) != len(release) {
			t.Fatalf("take(%d) = %v, %v; want %v, %v", n, got, v, release, want)
		}
		for i, p := range got {
			if p.number != release[i] || p.payload[0] != byte(release[i]) {
				t.Fatalf("take(%d) released %d (%v), want %d", n, p.number, p.payload, release[i])
			}
		}
	}
	take(1, accepted, 1)
	if r.due(now) || !r.due(now.Add(ackDelay)) {
		t.Error("the ack of one datagram is not delayed by ackDelay")
	}
	take(2, accepted, 2)
	if !r.due(now) {
		t.Error("the second datagram is not acknowledged at once")
	}
	if ack, bits := r.acknowledge(); ack != 2 || bits != 0 || r.due(now) {
		t.Errorf("acknowledge() = %d, %b", ack, bits)
	}
	// RFC 5681, section 4.2: "Out-of-order data segments SHOULD be
	// acknowledged immediately".
	take(4, accepted)
	take(66, accepted)
	if ack, bits := r.acknowledge(); ack != 2 || bits != 1|1<<62 {
		t.Errorf("acknowledge() = %d, %b", ack, bits)
	}
	take(67, accepted) // the last that the bits can name
	take(68, refused)
	take(^uint64(0), refused)
	take(4, duplicate)
	if !r.due(now) {
		t.Error("a duplicate is not acknowledged at once")
	}
	take(2, duplicate)
	take(0, duplicate)
	take(3, accepted, 3, 4)
	if ack, bits := r.acknowledge(); ack != 4 || bits != 1<<60|1<<61 {
		t.Errorf("acknowledge() = %d, %b", ack, bits)
	}
	for n := uint64(5); n < 65; n++ {
		take(n, accepted, n)
	}
	take(65, accepted, 65, 66, 67)
}
