package impair

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a program, not Parse, can ask for.
func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		in   Config
		want string // of the error; empty: none
	}{
		{"ideal", Config{}, ""},
		{"the most", Config{Delay: MaxDelay, Jitter: MaxDelay, DelayCorrelation: 1, Distribution: ParetoNormal, Duplicate: 1, Corrupt: 1, Reorder: 1, Gap: MaxCount,
			Rate: maxRate, Overhead: MaxOverhead, Limit: MaxCount, MTU: MaxMTU, Loss: Loss{Model: Random, P: 1, Correlation: 1}}, ""},
		{"the least", Config{Rate: minRate, Limit: 1, MTU: MinMTU}, ""},
		{"delay", Config{Delay: -1}, "delay -1ns: want 0s"},
		{"long delay", Config{Delay: MaxDelay + 1}, "delay 1h0m0.000000001s"},
		{"jitter", Config{Jitter: -1}, "jitter -1ns"},
		{"distribution", Config{Jitter: 1, Distribution: 9}, "distribution 9: unknown"},
		{"NaN", Config{Corrupt: math.NaN()}, "corrupt NaN: want 0% to 100%"},
		{"infinite", Config{Duplicate: math.Inf(1)}, "duplicate"},
		{"more than all", Config{Loss: Loss{Model: Random, P: 1.2}}, "loss 120%"},
		{"less than nothing", Config{Loss: Loss{Model: Random, Correlation: -0.1}}, "loss correlation -10%"},
		{"gemodel", Config{Loss: Loss{Model: Gilbert, LossBad: 2}}, "loss gemodel 1-h 200%"},
		{"other models' fields", Config{Loss: Loss{Model: Random, P13: 7, LossBad: 7}}, ""},
		{"model", Config{Loss: Loss{Model: 9}}, "loss model 9"},
		{"p13 and p14", Config{Loss: Loss{Model: States, P13: 0.6, P14: 0.6}}, "p13 60% and p14 60%"},
		{"p31 and p32", Config{Loss: Loss{Model: States, P31: 0.6, P32: 0.6}}, "p31 60% and p32 60%"},
		{"reorder", Config{Reorder: 0.25}, "reorder 25% without a delay"},
		{"gap", Config{Delay: 1, Gap: 3}, "gap 3 without reorder"},
		{"gap below 0", Config{Delay: 1, Reorder: 1, Gap: -3}, "gap -3"},
		{"correlation", Config{Delay: 1, DelayCorrelation: 0.5}, "without jitter"},
		{"rate", Config{Rate: 7}, "rate 7bit"},
		{"rate below 0", Config{Rate: -8}, "rate -8bit"},
		{"overhead", Config{Overhead: -1}, "overhead -1"},
		{"limit", Config{Limit: -1}, "limit -1"},
		{"mtu", Config{MTU: 67}, "mtu 67: want 68"},
		{"deed", Config{Script: []Rule{{Do: 9, First: 1, Last: 1}}}, "deed 9"},
		{"two classes", Config{Script: []Rule{{Do: Drop, Class: TCP | Data, First: 1, Last: 1}}}, "want one class"},
	}
	for _, tt := range tests {
		err := tt.in.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: Validate() = %v, want %q", tt.name, err, tt.want)
		}
		if _, made := New(tt.in, 1, start); (made == nil) != (err == nil) {
			t.Errorf("%s: New: %v, Validate: %v", tt.name, made, err)
		}
	}
}

// What String writes Parse reads, to the last bit of each share.
func TestTextRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	share := func() float64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return float64(r.IntN(1001)) / 1000
		}
		return r.Float64()
	}
	for range 2000 {
		c := Config{
			Delay: time.Duration(r.Int64N(int64(MaxDelay))) + 1, Jitter: time.Duration(r.Int64N(int64(time.Second))) + 1, DelayCorrelation: share(),
			Distribution: Distribution(r.IntN(int(distributionEnd))), Duplicate: share(), DuplicateCorrelation: share(), Corrupt: share(), CorruptCorrelation: share(),
			Reorder: share(), ReorderCorrelation: share(), Rate: minRate + r.Int64N(1_000_000_000), Overhead: r.IntN(100), Limit: r.IntN(100), MTU: MinMTU + r.IntN(1000),
			Script: []Rule{{Do: Delay, First: 3, Last: 4, By: time.Duration(r.IntN(1000) + 1)}, {Do: Deed(r.IntN(3)), Class: 1 << r.IntN(8), First: 1, Last: 9}},
		}
		if c.Reorder > 0 {
			c.Gap = r.IntN(9)
		}
		switch LossModel(r.IntN(int(modelEnd))) {
		case Random:
			c.Loss = Loss{Model: Random, P: r.Float64(), Correlation: share()}
		case States:
			c.Loss = Loss{Model: States, P13: share() / 2, P31: share() / 2, P32: share() / 2, P23: share(), P14: share() / 2}
		case Gilbert:
			c.Loss = Loss{Model: Gilbert, GoodToBad: share(), BadToGood: share(), LossBad: share(), LossGood: share()}
		}
		got, err := Parse(c.String())
		if err != nil || !cmp.Equal(got, c) {
			t.Fatalf("seed %d: Parse(%q) = %+v, %v, want %+v", seed, c.String(), got, err, c)
		}
	}
}

// The long-run rate of the four states, from their transition matrix by itself:
// π ← π·P until it settles, of which states 3 and 4 lose.
func TestRateOfFourStates(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 0))
	all := []Loss{
		{P13: 0.02, P31: 0.98, P23: 1}, {P14: 0.1}, {P13: 0.1, P32: 1, P23: 0.5}, {P13: 0.1, P32: 0.5}, {P13: 0.1}, {P13: 0.1, P31: 0.5, P32: 0.5}, {},
	}
	for range 200 {
		a, b := r.Float64(), r.Float64()
		all = append(all, Loss{P13: a * r.Float64(), P14: 1 - a, P31: b * r.Float64(), P32: 1 - b, P23: r.Float64()})
	}
	for _, l := range all {
		l.Model = States
		m := [4][4]float64{
			{1 - l.P13 - l.P14, 0, l.P13, l.P14},
			{0, 1 - l.P23, l.P23, 0},
			{l.P31, l.P32, 1 - l.P31 - l.P32, 0},
			{1, 0, 0, 0},
		}
		// Twice as many steps each time, and half of each is to stay: no period.
		for i := range m {
			for j := range m[i] {
				m[i][j] /= 2
			}
			m[i][i] += 0.5
		}
		for range 60 {
			var square [4][4]float64
			for i := range 4 {
				sum := 0.0
				for j := range 4 {
					for k := range 4 {
						square[i][j] += m[i][k] * m[k][j]
					}
					sum += square[i][j]
				}
				for j := range 4 {
					square[i][j] /= sum
				}
			}
			m = square
		}
		if got, want := l.Rate(), m[0][2]+m[0][3]; math.Abs(got-want) > 1e-6 {
			t.Errorf("Rate() of %+v = %v, want %v", l, got, want)
		}
	}
}

func TestRateOfOtherModels(t *testing.T) {
	for _, tt := range []struct {
		in   Loss
		want float64
	}{
		{Loss{}, 0},
		{Loss{Model: Random, P: 0.3}, 0.3},
		{Loss{Model: Gilbert, LossBad: 1, LossGood: 0.1}, 0.1}, // it stays good
		{Loss{Model: Gilbert, GoodToBad: 0.1, LossBad: 0.6, LossGood: 0.1}, 0.6},
		{Loss{Model: Gilbert, GoodToBad: 0.1, BadToGood: 0.3, LossBad: 0.6, LossGood: 0.05}, (0.1*0.6 + 0.3*0.05) / 0.4},
	} {
		if got := tt.in.Rate(); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("Rate() of %+v = %v, want %v", tt.in, got, tt.want)
		}
	}
}
