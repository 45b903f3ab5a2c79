package udpchat

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"wirelab/internal/wire"
)

// The link of the books: L = 1,500 bytes at R = 10 Mb/s, and a round trip of
// 40 ms. So a = (RTT/2)/(L/R) = 16.7.
const (
	frameTime = 1200 * time.Microsecond // L/R
	oneWay    = 20 * time.Millisecond
	bookA     = float64(oneWay) / float64(frameTime)
)

// utilisation sends so many parcels over a link that loses a share p of them,
// and no acknowledgements, which take no time to send. It returns the share of
// the time that the link carried a parcel for the first time.
func utilisation(t *testing.T, mode Mode, arq ARQ, p float64, parcels int, seed uint64) float64 {
	t.Helper()
	type event struct {
		at        time.Time
		number    uint64 // of the parcel; 0: an acknowledgement
		ack, bits uint64
	}
	var (
		s      = newSender(mode, arq)
		r      = newReceiver(mode, arq)
		chance = rand.New(rand.NewPCG(seed, 1))
		now    = epoch
		idle   = epoch // when the transmitter is
		data   []event // on the way, in order
		acks   []event
		next   = uint64(1) // to be released by the receiver
		widest int
	)
	for s.end <= uint64(parcels) {
		s.push(now, nil, wire.Fragment{})
	}
	for turns := 0; int(next) <= parcels; turns++ {
		if turns > 1000*parcels {
			t.Fatalf("%v: time stands still at %v with %d of %d parcels", mode, now.Sub(epoch), next-1, parcels)
		}
		for parcel, _ := s.poll(now); parcel != nil; parcel, _ = s.poll(now) {
			idle = later(idle, now).Add(frameTime)
			widest = max(widest, s.out)
			if chance.Float64() >= p {
				data = append(data, event{at: idle.Add(oneWay), number: parcel.number})
			}
		}
		at := s.deadline()
		for _, q := range [][]event{data, acks} {
			if len(q) > 0 {
				at = earliest(at, q[0].at)
			}
		}
		if at.IsZero() || now.Sub(epoch) > 24*time.Hour {
			t.Fatalf("%v: nothing happens any more with %d of %d parcels", mode, next-1, parcels)
		}
		now = later(now, at)
		switch {
		case len(data) > 0 && !data[0].at.After(now):
			got, _ := r.take(now, nil, parcel{number: data[0].number})
			for _, g := range got {
				if g.number != next {
					t.Fatalf("%v: parcel %d is released, want %d", mode, g.number, next)
				}
				next++
			}
			if r.due(now) {
				ack, bits := r.acknowledge()
				acks = append(acks, event{at: now.Add(oneWay), ack: ack, bits: bits})
			}
			data = data[1:]
		case len(acks) > 0 && !acks[0].at.After(now):
			fresh, err := s.ack(now, acks[0].ack, acks[0].bits)
			if err != nil {
				t.Fatal(err)
			}
			if fresh == 0 {
				s.repeated()
			}
			acks = acks[1:]
		default:
			s.expire(now)
		}
	}
	if widest > s.arq.Window {
		t.Errorf("%v: %d parcels were in flight, the window is %d", mode, widest, s.arq.Window)
	}
	return float64(parcels) * float64(frameTime) / float64(now.Sub(epoch))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// about fails unless got is within 5 % of want.
func about(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got/want-1) > 0.05 {
		t.Errorf("%s: utilisation %.2f %%, the formula says %.2f %%", what, got*100, want*100)
	} else {
		t.Logf("%s: utilisation %.2f %%, the formula says %.2f %%", what, got*100, want*100)
	}
}

// ideal is a timeout that runs out when the acknowledgement is due.
const ideal = 2*oneWay + frameTime + time.Microsecond

// Stop-and-wait: U = (L/R)/(RTT + L/R) = 2.91 %, and with loss (1−p) of that,
// if the timeout is the time after which the acknowledgement would be there.
func TestStopAndWaitUtilisation(t *testing.T) {
	arq := ARQ{Fixed: true, EachAck: true, RTO: ideal}
	u := 1 / (1 + 2*bookA)
	if math.Abs(u-0.0291) > 0.00005 {
		t.Fatalf("U = %v, the book says 2.91 %%", u)
	}
	for _, p := range []float64{0, 0.01, 0.05, 0.2} {
		about(t, "stop-and-wait", utilisation(t, StopAndWait, arq, p, 4000, 1), u*(1-p))
	}
}

// A window of W fills min(1, W/(1+2a)) of the link: from W = 35 on, all of it.
func TestWindowUtilisation(t *testing.T) {
	for _, mode := range []Mode{GoBackN, SelectiveRepeat} {
		for _, w := range []int{1, 2, 5, 10, 20, 30, 34, 35, 40} {
			arq := ARQ{Window: w, Fixed: true, EachAck: true, RTO: time.Second}
			about(t, mode.String(), utilisation(t, mode, arq, 0, 4000, 1), min(1, float64(w)/(1+2*bookA)))
		}
	}
}

// Go-back-N: each loss costs the frame and all that were sent until it was
// found, so (1−p)/(1+2ap): 74.2 % at 1 %, 35.6 % at 5 %. The timeout, for a
// retransmission that is lost, too, is half as long again as a round trip: what
// waits in front of the link must not make it run out.
func TestGoBackNThroughput(t *testing.T) {
	arq := ARQ{Window: 36, Fixed: true, EachAck: true, RTO: 3 * oneWay}
	for p, book := range map[float64]float64{0.01: 0.742, 0.05: 0.356} {
		want := (1 - p) / (1 + 2*bookA*p)
		if math.Abs(want-book) > 0.001 {
			t.Fatalf("the formula gives %v at %v, the book says %v", want, p, book)
		}
		about(t, "go-back-n", utilisation(t, GoBackN, arq, p, 30_000, 1), want)
	}
}

// Selective repeat: each loss costs one frame, so 1−p. The formula has a window
// that never stands still, so one that covers a loss, its finding and its repair:
// more than twice 1+2a. Without pacing the rest of so wide a window would wait in
// front of the link, and each repair behind it.
func TestSelectiveRepeatThroughput(t *testing.T) {
	arq := ARQ{Window: maxARQWindow, Fixed: true, DupAcks: 1, EachAck: true, RTO: 5 * oneWay, Rate: int(time.Second / frameTime)}
	for _, p := range []float64{0.01, 0.05} {
		about(t, "selective-repeat", utilisation(t, SelectiveRepeat, arq, p, 30_000, 1), 1-p)
	}
}

// Over any link each discipline hands over each parcel once and in order, stays
// within its window, and comes to its end. (utilisation checks that.)
func TestDisciplinesDeliver(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		arq := ARQ{Window: 1 + r.IntN(maxARQWindow), Fixed: r.IntN(2) == 0, DupAcks: r.IntN(4), EachAck: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			arq.Rate = 100 + r.IntN(1000)
		}
		for _, mode := range []Mode{StopAndWait, GoBackN, SelectiveRepeat} {
			utilisation(t, mode, arq, r.Float64()*0.4, 300, seed)
		}
	}
}

// A rate spaces what leaves.
func TestRate(t *testing.T) {
	s := newSender(SelectiveRepeat, ARQ{Rate: 100})
	for range 3 {
		s.push(epoch, nil, wire.Fragment{})
	}
	for i := range 3 {
		now := epoch.Add(time.Duration(i) * 10 * time.Millisecond)
		if p, _ := s.poll(now); p == nil || p.number != uint64(i+1) {
			t.Fatalf("poll at %v = %v, want parcel %d", now.Sub(epoch), p, i+1)
		}
		if p, _ := s.poll(now); p != nil {
			t.Fatalf("poll at %v = %d, too early", now.Sub(epoch), p.number)
		}
		if at := s.deadline(); i < 2 && !at.Equal(now.Add(10*time.Millisecond)) {
			t.Fatalf("deadline after parcel %d is %v, want when the next may leave", i+1, at.Sub(epoch))
		}
	}
}

// Go-back-N takes what is in order and nothing else, and says once for each gap
// that something is missing; then the sender sends everything again from there,
// once.
func TestGoBackN(t *testing.T) {
	r := newReceiver(GoBackN, ARQ{})
	if got, v := r.take(epoch, nil, parcel{number: 2}); v != early || got != nil || !r.due(epoch) {
		t.Errorf("take(2) before 1 = %v, %v, want %v and an ack at once", got, v, early)
	}
	r.acknowledge()
	if r.take(epoch, nil, parcel{number: 3}); r.due(epoch) {
		t.Error("the second early one of a gap is answered, too")
	}
	if got, _ := r.take(epoch, nil, parcel{number: 1}); len(got) != 1 {
		t.Errorf("take(1) released %d parcels, want 1: the early one was not kept", len(got))
	}
	b := &bench{t: t, sender: newSender(GoBackN, ARQ{}), now: epoch}
	for range 8 {
		b.push(b.now, nil, wire.Fragment{})
	}
	b.want("the window", 1, 2, 3, 4, 5, 6, 7, 8)
	b.now = b.now.Add(50 * ms)
	b.acked(2, 0)
	b.repeated()
	b.want("back to the first that is missing", -3, -4, -5)
	for range 5 {
		b.repeated()
	}
	b.now = b.now.Add(50 * ms)
	b.acked(5, 0)
	b.want("once for one loss", -6, -7, -8)
}

// Stop-and-wait has one in flight, whatever the window says.
func TestStopAndWait(t *testing.T) {
	b := &bench{t: t, sender: newSender(StopAndWait, ARQ{Window: 9}), now: epoch}
	for range 3 {
		b.push(b.now, nil, wire.Fragment{})
	}
	b.want("one", 1)
	b.now = b.deadline()
	b.expire(b.now)
	b.want("again after the RTO", -1)
	b.acked(1, 0)
	b.want("the next", 2)
}

func TestBadARQ(t *testing.T) {
	tests := []struct {
		arq  ARQ
		want string
	}{
		{ARQ{Window: -1}, "-1 datagrams, want 1 to 128"},
		{ARQ{Window: 129}, "129 datagrams, want 1 to 128"},
		{ARQ{DupAcks: -1}, "-1 later acks"},
		{ARQ{RTO: -time.Second}, "-1s"},
		{ARQ{Rate: -5}, "-5 datagrams per second"},
	}
	for _, tt := range tests {
		d := &Dialer{Address: "127.0.0.1:1", ARQ: tt.arq, Net: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a socket was opened")
			return nil, net.ErrClosed
		}}
		if _, _, err := d.Dial(t.Context(), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Dial with %+v = %v, want an error with %q", tt.arq, err, tt.want)
		}
	}
}
