package impair

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// A packet takes bytes·8/R seconds, to the nanosecond that has begun.
func TestTransmission(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	rates := []int64{minRate, 100, 1_000_000, 10_000_000, 1_000_000_000, maxRate}
	for range 10_000 {
		bytes, rate := r.IntN(MaxMTU+MaxOverhead+1), rates[r.IntN(len(rates))]
		if r.IntN(2) == 0 {
			rate = minRate + r.Int64N(maxRate-minRate)
		}
		want := new(big.Int).Mul(big.NewInt(int64(bytes)), big.NewInt(8_000_000_000))
		want.Quo(want, big.NewInt(rate))
		if got := transmission(bytes, rate); int64(got) != want.Int64() {
			t.Fatalf("seed %d: transmission(%d, %d) = %d, want %d", seed, bytes, rate, got, want)
		}
	}
}

// departure = max(now + delay, last departure) + (bytes+overhead)·8/R, for
// packets of any size at any instant.
func TestDeparturesOfARate(t *testing.T) {
	r := rand.New(rand.NewPCG(40, 0))
	l := link(t, "delay 10ms rate 3mbit overhead 18 limit 100000", 40)
	now, last := start, start
	for i := range 2000 {
		size := 20 + r.IntN(1481)
		now = now.Add(time.Duration(r.Int64N(int64(4 * time.Millisecond))))
		want := now.Add(10 * time.Millisecond)
		if last.After(want) {
			want = last
		}
		want = want.Add(time.Duration(int64(size+18) * 8 * 1000 / 3))
		if got := l.Plan(now, Packet{Size: size, Flow: 1}).Arrivals[0].At; !got.Equal(want) {
			t.Fatalf("packet %d arrives after %v, want %v", i+1, got.Sub(start), want.Sub(start))
		}
		last = want
	}
}

// The queue is on the way: at one instant a limit of n takes n packets, delayed
// or not, and drops the others; what was on the way when the link changes stays.
func TestLimitCountsDelayedPackets(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
	}{
		{"delay 10ms", DefaultLimit}, {"delay 10ms limit 7", 7}, {"delay 10ms duplicate 100% limit 8", 4}, {"rate 1mbit limit 1", 1}, {"delay 10ms duplicate 100% limit 7", 4},
	} {
		l := link(t, tt.text, 41)
		for i, o := range plan(l, tt.n+20, 0) {
			want := Carried
			if i >= tt.n {
				want = LostFull
			}
			if o.Cause != want || (len(o.Arrivals) == 0) != (want == LostFull) || o.Note != "" && want == LostFull {
				t.Fatalf("%s: packet %d: %+v, want %v", tt.text, i+1, o, want)
			}
		}
	}
	l := link(t, "delay 10ms duplicate 100% limit 7", 42)
	all := plan(l, 4, 0)
	if n := len(all[3].Arrivals); n != 1 || all[3].Note != "duplicated, no room for the copy" {
		t.Errorf("the last that fits: %+v, want one copy and the reason", all[3])
	}
	for _, tt := range []struct {
		at   time.Duration
		want int
	}{{0, 7}, {10*time.Millisecond - 1, 7}, {10 * time.Millisecond, 0}} {
		if n := l.Held(start.Add(tt.at)); n != tt.want {
			t.Errorf("holds %d at %v, want %d", n, tt.at, tt.want)
		}
	}
}

// The copy follows its packet through the queue, without what is wrong with it.
func TestCopy(t *testing.T) {
	l := link(t, "delay 10ms rate 1mbit duplicate 100% corrupt 100%", 43)
	o := l.Plan(start, Packet{Size: 1000, Flow: 1})
	if len(o.Arrivals) != 2 {
		t.Fatalf("%+v, want two copies", o)
	}
	for i, a := range o.Arrivals {
		if want := time.Duration(10+8*(i+1)) * time.Millisecond; a.At.Sub(start) != want || (a.Bit >= 0) != (i == 0) {
			t.Errorf("copy %d: bit %d after %v, want it after %v and the first alone corrupted", i+1, a.Bit, a.At.Sub(start), want)
		}
	}
	if want := fmt.Sprintf("duplicated, bit %d flipped", o.Arrivals[0].Bit); o.Note != want {
		t.Errorf("note %q, want %q", o.Note, want)
	}
}

// A packet that leaves at once overtakes those that wait for the rate, and does
// not wait itself.
func TestEarlyOvertakesTheQueue(t *testing.T) {
	l := link(t, "delay 10ms rate 1mbit reorder 100% gap 3", 44)
	for i, want := range []time.Duration{18, 26, 8, 34, 42, 8} { // 8 ms each
		if got := l.Plan(start, Packet{Size: 1000, Flow: 1}).Arrivals[0].At.Sub(start); got != want*time.Millisecond {
			t.Errorf("packet %d arrives after %v, want %v", i+1, got, want*time.Millisecond)
		}
	}
}

// A link that changes sends nothing past what is on the way already, and what it
// holds it holds still.
func TestSetKeepsWhatIsOnTheWay(t *testing.T) {
	l := link(t, "delay 100ms rate 1mbit limit 3", 45)
	plan(l, 3, 0)
	c, err := Parse("rate 10mbit limit 3")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set(c); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		now, want time.Duration // 0: no room
	}{{50, 0}, {107, 0}, {108, 1248}, {109, 0}, {116, 1256}} { // in ms; in tenths of one
		o := l.Plan(start.Add(tt.now*time.Millisecond), Packet{Size: 1000, Flow: 1})
		if tt.want == 0 {
			if o.Cause != LostFull {
				t.Errorf("after %d ms: %+v, want no room", tt.now, o)
			}
			continue
		}
		if at := o.Arrivals[0].At.Sub(start); at != tt.want*time.Millisecond/10 {
			t.Errorf("after %d ms: arrives after %v, want %v", tt.now, at, tt.want*time.Millisecond/10)
		}
	}
}

// FuzzPlan: whatever the link, a packet arrives up to twice and not before it is
// sent, or there is a cause; a flipped bit is one of its own; the link holds no
// more than its limit.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{"delay 20ms 30ms 25% distribution paretonormal loss 10% duplicate 10%", "rate 8bit overhead 65535 limit 3", "loss state 10% 20% 30% 40% 5% corrupt 50% mtu 100",
		"delay 1h 1h reorder 30% gap 3 rate 10mbit", "delay 1..9 1h duplicate 10..20 spare 21..30 loss 100% down 1s..2s"} {
		f.Add(s, uint64(1), uint16(1000), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64, size uint16, class uint8) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		l, err := New(c, seed, start)
		if err != nil {
			t.Fatal(err)
		}
		limit := c.Limit
		if limit == 0 {
			limit = DefaultLimit
		}
		for i := range 50 {
			now := start.Add(time.Duration(i) * time.Duration(size) * time.Microsecond)
			o := l.Plan(now, Packet{Size: int(size), Class: Class(class), Flow: seed % 3, ID: uint64(i % 7)})
			if n := len(o.Arrivals); n > 2 || (n == 0) != (o.Cause != Carried) || o.Ordinal != uint64(i+1) {
				t.Fatalf("%q: packet %d: %+v", text, i+1, o)
			}
			for _, a := range o.Arrivals {
				if a.At.Before(now) || a.Bit < -1 || a.Bit >= 8*int(size) {
					t.Fatalf("%q: packet %d, sent after %v: %+v", text, i+1, now.Sub(start), o)
				}
			}
			if n := l.Held(now); n > limit {
				t.Fatalf("%q: holds %d of %d", text, n, limit)
			}
		}
	})
}
