package impair

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func link(t testing.TB, text string, seed uint64) *Link {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(c, seed, start)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// plan sends n packets of 1,000 bytes, one each gap, and returns what became of
// them.
func plan(l *Link, n int, gap time.Duration) []Outcome {
	all := make([]Outcome, n)
	for i := range all {
		o := l.Plan(start.Add(time.Duration(i)*gap), Packet{Size: 1000, Class: UDP | Data, Flow: 1})
		o.Arrivals = slices.Clone(o.Arrivals)
		all[i] = o
	}
	return all
}

func lost(all []Outcome) (n int) {
	for _, o := range all {
		if len(o.Arrivals) == 0 {
			n++
		}
	}
	return n
}

// within fails unless got lies within four standard errors of want.
func within(t *testing.T, what string, got, want, sigma float64) {
	t.Helper()
	if math.Abs(got-want) > 4*sigma {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, 4*sigma)
	}
}

const many = 100_000

// Each packet by itself: n·p, with a standard deviation of √(n·p·(1−p)).
func TestRates(t *testing.T) {
	for _, p := range []float64{0.01, 0.1, 0.5} {
		sigma := math.Sqrt(many * p * (1 - p))
		l := link(t, "delay 1ms limit 1000000", 1)
		l.cfg.Loss = Loss{Model: Random, P: p}
		within(t, "the number of lost packets", float64(lost(plan(l, many, time.Millisecond))), many*p, sigma)
		l = link(t, "delay 1ms", 2)
		l.cfg.Duplicate, l.cfg.Corrupt = p, p
		twice, wrong := 0, 0
		var bits float64
		for _, o := range plan(l, many, time.Millisecond) {
			if len(o.Arrivals) == 2 {
				twice++
			}
			if b := o.Arrivals[0].Bit; b >= 0 {
				wrong++
				bits += float64(b)
				if b >= 8000 {
					t.Fatalf("bit %d of 8000 was flipped", b)
				}
			}
		}
		within(t, "the number of duplicates", float64(twice), many*p, sigma)
		within(t, "the number of corrupted packets", float64(wrong), many*p, sigma)
		within(t, "the mean flipped bit", bits/float64(wrong), 3999.5, 8000/math.Sqrt(12*float64(wrong)))
	}
}

// Gilbert–Elliott: (p(1−h)+r(1−k))/(p+r) are lost, in bursts of 1/r on average
// where bad loses all and good nothing.
func TestGilbertElliott(t *testing.T) {
	l := link(t, "loss gemodel 1% 25%", 3)
	all := plan(l, 4*many, time.Millisecond)
	bursts := 0
	for i := range all {
		if all[i].Cause == LostBurst && (i == 0 || all[i-1].Cause != LostBurst) {
			bursts++
		}
	}
	n := float64(lost(all))
	// The variance of the mean of a chain whose correlation falls by 1−p−r = 0.74
	// a step is (1+0.74)/(1−0.74) times that of independent draws.
	rate := l.cfg.Loss.Rate()
	if want := 0.01 / 0.26; math.Abs(rate-want) > 1e-12 {
		t.Fatalf("Rate() = %v, want p/(p+r) = %v", rate, want)
	}
	within(t, "the loss rate", n/float64(len(all)), rate, math.Sqrt(rate*(1-rate)/float64(len(all))*1.74/0.26))
	// Bursts are geometric with mean 4 and variance (1−r)/r² = 12.
	within(t, "the mean burst", n/float64(bursts), 4, math.Sqrt(12/float64(bursts)))

	l = link(t, "loss gemodel 10% 30% 60% 5%", 4)
	all = plan(l, 4*many, time.Millisecond)
	rate = (0.1*0.6 + 0.3*0.05) / 0.4
	within(t, "the loss rate", float64(lost(all))/float64(len(all)), rate, math.Sqrt(rate*(1-rate)/float64(len(all))*1.6/0.4))
	// A loss and the step after it are draws of their own: where both states are
	// left half of the time and bad loses half, two in a row are 1/2·1/2·1/2·1/2.
	all = plan(link(t, "loss gemodel 50% 50% 50%", 4), many, time.Millisecond)
	two := count(many-1, func(i int) bool { return len(all[i].Arrivals) == 0 && len(all[i+1].Arrivals) == 0 })
	within(t, "the number of losses in a row", two, many/16.0, math.Sqrt(3*many/16.0))
}

// The four states lose as their stationary distribution says.
func TestFourStates(t *testing.T) {
	for i, text := range []string{"loss state 1% 20% 10% 50% 0.5%", "loss state 5% 95%", "loss state 3% 30% 0% 100% 2%"} {
		l := link(t, text, uint64(i))
		all := plan(l, 4*many, time.Millisecond)
		rate := l.cfg.Loss.Rate()
		// Correlation in these chains dies out within ten packets or so.
		within(t, text+": the loss rate", float64(lost(all))/float64(len(all)), rate, math.Sqrt(rate*(1-rate)/float64(len(all))*10))
	}
}

// shifts returns by how much each packet's delay differs from 100 ms, in units
// of the jitter of 10 ms.
func shifts(t *testing.T, text string, n int) []float64 {
	t.Helper()
	l := link(t, "delay 100ms 10ms "+text+" limit 1000000", 5)
	all := make([]float64, n)
	for i, o := range plan(l, n, time.Second) {
		at := start.Add(time.Duration(i)*time.Second + 100*time.Millisecond)
		all[i] = float64(o.Arrivals[0].At.Sub(at)) / float64(10*time.Millisecond)
	}
	return all
}

func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

// Uniform jitter is in [T−σ, T+σ), its deviation σ/√3; normal jitter has mean 0
// and deviation σ; Pareto's mean is 0.
func TestJitter(t *testing.T) {
	u := shifts(t, "", many)
	if lo, hi := slices.Min(u), slices.Max(u); lo < -1 || lo > -0.999 || hi >= 1 || hi < 0.999 {
		t.Errorf("uniform jitter from %v to %v, want -1 to 1", lo, hi)
	}
	for _, tt := range []struct {
		text            string
		mean, deviation float64
	}{
		{"", 0, 1 / math.Sqrt(3)},
		{"distribution normal", 0, 1},
	} {
		m, d := moments(shifts(t, tt.text, many))
		within(t, "the mean of "+tt.text, m, tt.mean, tt.deviation/math.Sqrt(many))
		within(t, "the deviation of "+tt.text, d, tt.deviation, tt.deviation/math.Sqrt(2*many)*1.5)
	}
	// Its tail is cut at 4, which takes some hundredths of the mean away.
	if m, _ := moments(shifts(t, "distribution pareto", many)); m < -0.06 || m > 0.01 {
		t.Errorf("the mean of pareto is %v, want about 0", m)
	}
}

// xₙ = (1−ρ)·u + ρ·xₙ₋₁ has a correlation of ρ from one packet to the next.
func TestCorrelation(t *testing.T) {
	l := link(t, "delay 100ms 10ms 60%", 6)
	var x []float64
	l.Record(func(r Recorded) { x = append(x, r.Shift) })
	plan(l, many, time.Second)
	m, d := moments(x)
	sum := 0.0
	for i := 1; i < len(x); i++ {
		sum += (x[i] - m) * (x[i-1] - m)
	}
	within(t, "the correlation", sum/float64(len(x)-1)/(d*d), 0.6, 1/math.Sqrt(many))
}

// With gap 5 and reorder 100 % each fifth packet leaves at once.
func TestGap(t *testing.T) {
	l := link(t, "delay 10ms reorder 100% gap 5", 7)
	for i, o := range plan(l, 50, time.Second) {
		early := o.Arrivals[0].At.Equal(start.Add(time.Duration(i) * time.Second))
		if want := i%5 == 4; early != want {
			t.Errorf("packet %d leaves at once: %v, want %v", i+1, early, want)
		}
	}
}

// departure = max(now + delay, last departure) + bytes/R, overhead counted; with
// a rate, jitter does not reorder.
func TestRate(t *testing.T) {
	l := link(t, "delay 10ms rate 1mbit overhead 250", 8)
	for i, o := range plan(l, 5, 0) {
		want := start.Add(10*time.Millisecond + time.Duration(i+1)*10*time.Millisecond) // 1,250 bytes
		if at := o.Arrivals[0].At; !at.Equal(want) {
			t.Errorf("packet %d arrives after %v, want %v", i+1, at.Sub(start), want.Sub(start))
		}
	}
	last := start
	for i, o := range plan(link(t, "delay 50ms 40ms rate 10mbit", 9), 1000, time.Millisecond) {
		if at := o.Arrivals[0].At; at.Before(last) {
			t.Fatalf("packet %d overtakes", i+1)
		} else {
			last = at
		}
	}
}

// A link that holds three drops the fourth, and takes one again when one has
// departed.
func TestLimit(t *testing.T) {
	l := link(t, "rate 1mbit limit 3", 10)
	all := plan(l, 5, 0) // 8 ms each
	for i, want := range []Cause{Carried, Carried, Carried, LostFull, LostFull} {
		if all[i].Cause != want {
			t.Errorf("packet %d: %v, want %v", i+1, all[i].Cause, want)
		}
	}
	if n := l.Held(start.Add(8 * time.Millisecond)); n != 2 {
		t.Errorf("holds %d after 8 ms, want 2", n)
	}
	if o := l.Plan(start.Add(8*time.Millisecond), Packet{Size: 1000, Flow: 1}); o.Cause != Carried {
		t.Errorf("when one has departed: %v", o.Cause)
	}
}

func TestMTUAndDown(t *testing.T) {
	l := link(t, "mtu 500 down 2s..3s", 11)
	for _, tt := range []struct {
		at   time.Duration
		size int
		want Cause
	}{
		{0, 500, Carried}, {0, 501, LostTooBig}, {2 * time.Second, 100, LostDown}, {3*time.Second - 1, 100, LostDown}, {3 * time.Second, 100, Carried},
	} {
		if o := l.Plan(start.Add(tt.at), Packet{Size: tt.size, Flow: 1}); o.Cause != tt.want {
			t.Errorf("%d bytes at %v: %v, want %v", tt.size, tt.at, o.Cause, tt.want)
		}
	}
}

// Rules count the packets of their class.
func TestRules(t *testing.T) {
	l := link(t, "delay 1ms drop data 2 duplicate ack 1 corrupt udp 1 delay syn 1 80ms drop 6..7", 12)
	data, ack := Packet{Size: 100, Class: TCP | Data, Flow: 1}, Packet{Size: 40, Class: TCP | Ack, Flow: 1}
	udp, syn := Packet{Size: 100, Class: UDP | Data, Flow: 2}, Packet{Size: 40, Class: TCP | SYN, Flow: 1}
	for i, tt := range []struct {
		p      Packet
		copies int
		check  func(Outcome) bool
	}{
		{syn, 1, func(o Outcome) bool { return o.Arrivals[0].At.Equal(start.Add(81 * time.Millisecond)) }},
		{data, 1, func(o Outcome) bool { return o.Arrivals[0].Bit < 0 }},
		{ack, 2, func(o Outcome) bool { return true }},
		{data, 0, func(o Outcome) bool { return o.Cause == LostScript }},
		{udp, 1, func(o Outcome) bool { return o.Arrivals[0].Bit >= 0 }},
		{ack, 0, func(o Outcome) bool { return o.Cause == LostScript }},
		{ack, 0, func(o Outcome) bool { return o.Cause == LostScript }},
		{ack, 1, func(o Outcome) bool { return true }},
	} {
		if o := l.Plan(start, tt.p); len(o.Arrivals) != tt.copies || !tt.check(o) {
			t.Errorf("packet %d: %+v, want %d copies", i+1, o, tt.copies)
		}
	}
}

// netem counts a copy up and a loss down: a packet that is both duplicated and
// lost arrives once.
func TestDuplicateComesBeforeLoss(t *testing.T) {
	for i, o := range plan(link(t, "duplicate 100% loss 100%", 13), 100, time.Second) {
		if len(o.Arrivals) != 1 {
			t.Fatalf("packet %d arrives %d times, want once", i+1, len(o.Arrivals))
		}
	}
}

// A packet's fate is its own: neither other flows nor other instants, nor a
// packet less, change it.
func TestFateIsThePacketsOwn(t *testing.T) {
	const text = "delay 20ms 5ms loss 20% duplicate 10% corrupt 10%"
	type outcome struct {
		copies, bit int
		delay       time.Duration
	}
	see := func(others bool, gap time.Duration, without uint64) map[uint64]outcome {
		l := link(t, text, 14)
		all := make(map[uint64]outcome)
		for id := uint64(1); id <= 2000; id++ {
			now := start.Add(time.Duration(id) * gap)
			if others {
				l.Plan(now, Packet{Size: 60, Flow: 9, ID: id * 3})
			}
			if id == without {
				continue
			}
			o := l.Plan(now, Packet{Size: 1000, Flow: 1, ID: id})
			r := outcome{copies: len(o.Arrivals)}
			if r.copies > 0 {
				r.bit, r.delay = o.Arrivals[0].Bit, o.Arrivals[0].At.Sub(now)
			}
			all[id] = r
		}
		return all
	}
	want := see(false, time.Second, 0)
	for _, got := range []map[uint64]outcome{see(true, time.Second, 0), see(false, 3*time.Millisecond, 0), see(true, time.Millisecond, 7)} {
		for id, g := range got {
			if g != want[id] {
				t.Fatalf("packet %d: %+v, want %+v", id, g, want[id])
			}
		}
	}
	if l := link(t, text, 15); slices.EqualFunc(plan(l, 100, time.Second), plan(link(t, text, 14), 100, time.Second), func(a, b Outcome) bool { return len(a.Arrivals) == len(b.Arrivals) }) {
		t.Error("another seed has the same fates")
	}
}

// A second run with the fates of the first, whatever its seed, is the first; a
// rule changes its packet and no other, also where losses have memory.
func TestRepeat(t *testing.T) {
	const text = "delay 20ms 5ms loss gemodel 5% 30% duplicate 10%"
	var fates []Recorded
	l := link(t, text, 16)
	l.Record(func(r Recorded) { fates = append(fates, r) })
	first := plan(l, 500, time.Second)
	i := slices.IndexFunc(first, func(o Outcome) bool { return o.Cause == LostBurst })
	again := link(t, text, 99)
	if err := again.cfg.AddRule(fmt.Sprintf("spare %d", i+1)); err != nil {
		t.Fatal(err)
	}
	if err := again.Set(again.cfg); err != nil {
		t.Fatal(err)
	}
	again.Repeat(fates)
	for j, o := range plan(again, 500, time.Second) {
		if j == i {
			if len(o.Arrivals) == 0 || o.Note == "" {
				t.Errorf("packet %d is not spared: %+v", j+1, o)
			}
			continue
		}
		if len(o.Arrivals) != len(first[j].Arrivals) || len(o.Arrivals) > 0 && !o.Arrivals[0].At.Equal(first[j].Arrivals[0].At) {
			t.Errorf("packet %d: %+v, the first time %+v", j+1, o, first[j])
		}
	}
}

// Changing a link that runs keeps what its rules have counted.
func TestSetKeepsCounts(t *testing.T) {
	l := link(t, "drop data 5", 17)
	plan(l, 3, time.Second)
	c, _ := Parse("delay 1ms drop data 5")
	if err := l.Set(c); err != nil {
		t.Fatal(err)
	}
	if all := plan(l, 2, time.Second); all[0].Cause != Carried || all[1].Cause != LostScript {
		t.Errorf("the fourth and fifth packet: %v and %v, want the fifth dropped", all[0].Cause, all[1].Cause)
	}
	if err := l.Set(Config{Delay: -1}); err == nil {
		t.Error("a negative delay was taken")
	}
}

// What is out of the ordinary may cost a note.
func TestPlanDoesNotAllocate(t *testing.T) {
	for _, text := range []string{
		"", "delay 20ms 5ms loss 10% rate 10gbit", "delay 20ms 5ms 25% distribution paretonormal loss gemodel 1% 25% limit 1000 mtu 1500",
		"delay 20ms reorder 25% 50% gap 5 loss state 1% 50% 20% 50%", "rate 8kbit limit 3 drop data 7 drop 9..1000 down 0s..100ms",
	} {
		l := link(t, text, 18)
		now := start
		one := func() {
			now = now.Add(time.Millisecond)
			l.Plan(now, Packet{Size: 1000, Class: UDP | Data, Flow: 1, ID: 7})
		}
		for range 100 {
			one()
		}
		if n := testing.AllocsPerRun(1000, one); n > 0 {
			t.Errorf("%q: Plan makes %v allocations", text, n)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, text := range []string{"delay 20ms", "delay 20ms 5ms loss 1% rate 10gbit", "delay 20ms 5ms 25% distribution pareto loss gemodel 1% 25% drop data 3"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			l := link(b, text, 19)
			now := start
			for b.Loop() {
				now = now.Add(100 * time.Microsecond)
				l.Plan(now, Packet{Size: 1000, Class: UDP | Data, Flow: 1, ID: 7})
			}
		})
	}
}
