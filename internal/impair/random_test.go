package impair

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The first outputs of splitmix64 from state 0, as its authors' C code has them:
// Mix adds its constant, then b times the golden ratio.
func TestMix(t *testing.T) {
	zero := ^uint64(0x632be59bd9b4e019) + 1
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := Mix(zero, uint64(i+1)); got != want {
			t.Errorf("output %d = %x, want %x", i+1, got, want)
		}
	}
}

// share of the n packets that pass.
func count(n int, pass func(int) bool) float64 {
	sum := 0.0
	for i := range n {
		if pass(i) {
			sum++
		}
	}
	return sum
}

// The distributions by their quantiles: the share of delays below one is known.
// Those of Pareto are those of (y−3/2)·4/3, where y has shape 3: P(y ≤ v) = 1−v⁻³.
func TestQuantiles(t *testing.T) {
	normal := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	pareto := func(x float64) float64 { return 1 - math.Pow(1.5+0.75*x, -3) }
	tests := []struct {
		name string
		x    float64 // in units of the jitter
		want float64
	}{
		{"uniform", -0.5, 0.25}, {"uniform", 0, 0.5}, {"uniform", 0.9, 0.95},
		{"normal", -2, normal(-2)}, {"normal", -1, normal(-1)}, {"normal", 0, 0.5}, {"normal", 1, normal(1)}, {"normal", 2, normal(2)},
		{"pareto", -0.5, pareto(-0.5)}, {"pareto", 0, pareto(0)}, {"pareto", 1, pareto(1)}, {"pareto", 3, pareto(3)}, {"pareto", 3.99, pareto(3.99)},
		// Both of one draw: where normal has its quantile, so has Pareto.
		{"paretonormal", math.Cbrt(2) - 1.5, 0.5},
		{"paretonormal", 0.25 + math.Cbrt(1/normal(-1)) - 1.5, normal(1)},
		{"paretonormal", -0.25 + math.Cbrt(1/normal(1)) - 1.5, normal(-1)},
	}
	x := make(map[string][]float64)
	for _, name := range distributionNames {
		x[name] = shifts(t, "distribution "+name, many)
		if lo, hi := slices.Min(x[name]), slices.Max(x[name]); lo < -tail || hi > tail {
			t.Errorf("%s is from %v to %v, want it cut at %v", name, lo, hi, tail)
		}
	}
	for _, tt := range tests {
		got := count(many, func(i int) bool { return x[tt.name][i] <= tt.x }) / many
		within(t, fmt.Sprintf("the share of %s below %.3f", tt.name, tt.x), got, tt.want, math.Sqrt(tt.want*(1-tt.want)/many))
	}
	if lo := slices.Min(x["pareto"]); lo < -2.0/3-1e-6 || lo > -0.66 {
		t.Errorf("the least of pareto is %v, want (1-3/2)·4/3 = -2/3", lo)
	}
	// Pareto's mean is 0, but for what is cut off above v = 9/2: of min(y, v) it
	// is 3/2 − v⁻²/2, and the mean square 3 − 2/v.
	const v = 4.5
	mean := 1.5 - 1/(2*v*v)
	deviation := math.Sqrt(3-2/v-mean*mean) * 4 / 3
	m, _ := moments(x["pareto"])
	within(t, "the mean of pareto", m, (mean-1.5)*4/3, deviation/math.Sqrt(many))
}

// A delay that varies by more than itself is no less than none.
func TestNobodyArrivesBeforeItIsSent(t *testing.T) {
	at := 0
	for i, o := range plan(link(t, "delay 2ms 10ms", 24), 1000, time.Second) {
		switch d := o.Arrivals[0].At.Sub(start.Add(time.Duration(i) * time.Second)); {
		case d < 0:
			t.Fatalf("packet %d arrives %v before it is sent", i+1, -d)
		case d == 0:
			at++
		}
	}
	within(t, "the number without delay", float64(at), 400, math.Sqrt(1000*0.4*0.6)) // of −8 to 12
}

// Each of the 80 bits of a packet is flipped as often as another: χ² with 79
// degrees of freedom has mean 79 and variance 158.
func TestEachBitIsFlipped(t *testing.T) {
	l := link(t, "corrupt 100%", 25)
	var n [80]float64
	for range many {
		o := l.Plan(start, Packet{Size: 10, Flow: 1})
		n[o.Arrivals[0].Bit]++
	}
	chi := 0.0
	for _, k := range n {
		chi += (k - many/80.0) * (k - many/80.0) / (many / 80.0)
	}
	within(t, "χ²", chi, 79, math.Sqrt(158))
	if o := l.Plan(start, Packet{Flow: 1}); o.Arrivals[0].Bit != -1 {
		t.Errorf("bit %d of an empty packet is flipped", o.Arrivals[0].Bit)
	}
}

// What befalls a packet does not depend on what else befalls it, on the packet
// before, or on that of the neighbouring seed or flow: all of two happen to a
// packet with the product of both.
func TestDrawsAreIndependent(t *testing.T) {
	const p = 0.3
	see := func(seed, flow uint64) []Fate {
		l := link(t, "delay 1ms 1ms loss 30% corrupt 30% reorder 30%", seed)
		all := make([]Fate, 0, many)
		l.Record(func(r Recorded) { all = append(all, r.Fate) })
		for id := range uint64(many) {
			l.Plan(start, Packet{Size: 100, Flow: flow, ID: id + 1})
		}
		return all
	}
	a, seeds, flows := see(26, 1), see(27, 1), see(26, 2)
	lost := func(f Fate) bool { return f.Lost != Carried }
	late := func(f Fate) bool { return f.Shift > 1-2*p }
	corrupt := func(f Fate) bool { return f.Corrupt }
	for _, tt := range []struct {
		what string
		x    func(Fate) bool
		b    []Fate
		y    func(Fate) bool
		lag  int
	}{
		{"lost and corrupt", lost, a, corrupt, 0}, {"lost and late", lost, a, late, 0}, {"corrupt and late", corrupt, a, late, 0},
		{"lost one after the other", lost, a, lost, 1}, {"late one after the other", late, a, late, 1}, {"corrupt after lost", lost, a, corrupt, 1},
		{"lost with the next seed", lost, seeds, lost, 0}, {"lost in the next flow", lost, flows, lost, 0}, {"late in the next flow", late, flows, late, 1},
	} {
		n := float64(many - tt.lag)
		got := count(many-tt.lag, func(i int) bool { return tt.x(a[i]) && tt.y(tt.b[i+tt.lag]) }) / n
		// A lag adds the covariance of neighbours: 2·p³·(1−p).
		within(t, "the share "+tt.what, got, p*p, math.Sqrt((p*p*(1-p*p)+2*p*p*p*(1-p))/n))
	}
	early := count(many, func(i int) bool { return a[i].Early }) / many
	within(t, "the share that leaves at once", early, (1-p)*p, math.Sqrt(0.21*0.79/many)) // of those that are not lost
}

// x = (1−ρ)·u + ρ·x' is symmetric about 1/2: of a probability of a half it is a
// half that happens, whatever ρ, and in longer runs.
func TestCorrelatedHalf(t *testing.T) {
	for _, rho := range []float64{0.25, 0.75} {
		for _, tt := range []struct {
			text string
			is   func(Fate) bool
		}{
			{"loss 50%", func(f Fate) bool { return f.Lost == LostRandom }},
			{"duplicate 50%", func(f Fate) bool { return f.Duplicate }},
			{"corrupt 50%", func(f Fate) bool { return f.Corrupt }},
			{"delay 1ms reorder 50%", func(f Fate) bool { return f.Early }},
		} {
			text := fmt.Sprintf("%s %g%%", tt.text, rho*100)
			l := link(t, text, 28)
			var x []bool
			l.Record(func(r Recorded) { x = append(x, tt.is(r.Fate)) })
			plan(l, many, time.Second)
			// Variables that are correlated by at most ρᵏ at a distance of k.
			sigma := math.Sqrt(0.25 / many * (1 + rho) / (1 - rho))
			within(t, "the share of "+text, count(many, func(i int) bool { return x[i] })/many, 0.5, sigma)
			if same := count(many-1, func(i int) bool { return x[i] == x[i+1] }) / many; same < 0.5+rho/5 {
				t.Errorf("%s: %v are as the one before, want far more than half", text, same)
			}
		}
	}
}

// A link begins with a past: of (1−ρ)·u + ρ·x', with x' uniform too, the share
// below p is p²/(2ρ(1−ρ)) for p up to 1−ρ.
func TestFirstPacketIsAsOthers(t *testing.T) {
	const n, p, rho = 20_000, 0.1, 0.9
	first := count(n, func(i int) bool { return lost(plan(link(t, "loss 10% 90%", uint64(i)), 1, 0)) == 1 })
	want := p * p / (2 * rho * (1 - rho))
	within(t, "the share of first packets that is lost", first/n, want, math.Sqrt(want*(1-want)/n))
}

// So for whatever is correlated: of a half it is a half of all links whose first
// packet it befalls.
func TestFirstPacketOfAHalf(t *testing.T) {
	const n = 5000
	for _, tt := range []struct {
		text string
		is   func(Fate) bool
	}{
		{"loss 50% 90%", func(f Fate) bool { return f.Lost != Carried }},
		{"duplicate 50% 90%", func(f Fate) bool { return f.Duplicate }},
		{"corrupt 50% 90%", func(f Fate) bool { return f.Corrupt }},
		{"delay 1ms reorder 50% 90%", func(f Fate) bool { return f.Early }},
		{"delay 2ms 1ms 90%", func(f Fate) bool { return f.Shift < 0 }},
	} {
		first := count(n, func(i int) (is bool) {
			l := link(t, tt.text, uint64(i))
			l.Record(func(r Recorded) { is = tt.is(r.Fate) })
			plan(l, 1, 0)
			return is
		})
		within(t, "the share of first packets of "+tt.text, first/n, 0.5, math.Sqrt(0.25/n))
	}
}

// A packet leaves at once after gap−1 that did not, and then with probability p:
// one in gap−1+1/p, by the renewal theorem with variance n·σ²/μ³.
func TestReorderRate(t *testing.T) {
	for _, tt := range []struct {
		p   float64
		gap int
	}{{0.25, 0}, {0.25, 1}, {0.25, 5}, {0.5, 3}} {
		l := link(t, fmt.Sprintf("delay 1ms reorder %g%% gap %d", tt.p*100, tt.gap), 29)
		all := plan(l, many, time.Second)
		early := count(many, func(i int) bool { return all[i].Arrivals[0].At.Equal(start.Add(time.Duration(i) * time.Second)) })
		mu := float64(max(tt.gap, 1)-1) + 1/tt.p
		within(t, fmt.Sprintf("of reorder %v gap %d", tt.p, tt.gap), early, many/mu, math.Sqrt(many*(1-tt.p)/(tt.p*tt.p)/(mu*mu*mu)))
	}
}

// The heap gives back what it was given, in order.
func TestDepartures(t *testing.T) {
	r := rand.New(rand.NewPCG(30, 0))
	var h departures
	var want []time.Time
	now := start
	for range 5000 {
		at := now.Add(time.Duration(r.IntN(200)))
		h.add(at)
		want = append(want, at)
		now = now.Add(time.Duration(r.IntN(3)))
		h.pass(now)
		want = slices.DeleteFunc(want, func(at time.Time) bool { return !at.After(now) })
		if len(h) != len(want) {
			t.Fatalf("holds %d at %v, want %d", len(h), now.Sub(start), len(want))
		}
	}
}
