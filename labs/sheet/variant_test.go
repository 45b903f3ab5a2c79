package sheet

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/internal/impair"
	"wirelab/labs/measure"
)

// example returns the worked example.
func example(tb testing.TB) *Sheet {
	tb.Helper()
	s, err := Parse("handshake", []byte(handshake(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// These numbers are a promise: a learner has the same ones on every machine and
// in every version.
func TestVariantIsTheSameEverywhere(t *testing.T) {
	s := example(t)
	tests := []struct {
		class, name string
		want        string
	}{
		{"", "", "3647440991 rtt=0.03 size=700 k=3 limit=16"},
		{"2030", "Ana", "1771674232 rtt=0.06 size=350 k=3 limit=10"},
		{"2030", "Bo", "1888845759 rtt=0.12 size=350 k=4 limit=16"},
	}
	for _, tt := range tests {
		v := s.Variant(tt.class, tt.name)
		got := fmt.Sprintf("%d rtt=%g size=%g k=%g limit=%g", v.Seed, v.Values["rtt"], v.Values["size"], v.Values["k"], v.Values["limit"])
		if got != tt.want {
			t.Errorf("Variant(%q, %q) = %s, want %s", tt.class, tt.name, got, tt.want)
		}
	}
}

// A name counts as the same however it is typed.
func TestVariantOfAName(t *testing.T) {
	s := example(t)
	want := s.Variant("2030", "Ana Müller").Seed
	for _, name := range []string{" Ana Müller ", "ana müller", "ANA MÜLLER", "Ana Mu\u0308ller"} {
		if got := s.Variant("2030", name).Seed; got != want {
			t.Errorf("Variant(%q).Seed = %d, want %d as for Ana Müller", name, got, want)
		}
	}
	if s.Variant("2031", "Ana Müller").Seed == want {
		t.Error("another class has the same seed")
	}
	if s.Variant("2030", "").Seed != s.Variant("2031", " ").Seed {
		t.Error("the common variant depends on the class")
	}
}

// Neighbours differ: of a hundred learners nearly all have a seed of their own,
// every value is drawn, and none far more often than chance allows.
func TestVariantsDiffer(t *testing.T) {
	s := example(t)
	seeds := make(map[uint64]bool)
	count := make(map[float64]int)
	const learners = 700
	for i := range learners {
		v := s.Variant("class", fmt.Sprintf("learner %d", i))
		seeds[v.Seed] = true
		count[v.Values["rtt"]]++
	}
	if len(seeds) != learners {
		t.Errorf("%d learners have %d seeds", learners, len(seeds))
	}
	// Binomial with p = 1/7: mean 100, σ = 9.3.
	for _, rtt := range s.Variable("rtt").Pick {
		if n := count[rtt]; n < 60 || n > 140 {
			t.Errorf("rtt = %v was drawn %d times of %d, want about 100", rtt, n, learners)
		}
	}
}

func TestWith(t *testing.T) {
	text := strings.Replace(handshake(t), "-- scenario --", "oneway = rtt/2 | ms\nrate = 8*size/oneway | kbit/s\n-- scenario --", 1)
	s, err := Parse("handshake", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Variant("", "Ana")
	w, err := v.With("rtt", 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if w.Values["rtt"] != 0.5 || w.Values["oneway"] != 0.25 || w.Values["size"] != v.Values["size"] || w.Values["rate"] != 8*v.Values["size"]/0.25 || w.Seed != v.Seed {
		t.Errorf("With(rtt, 0.5) = %v seed %d, want only rtt and what depends on it changed of %v seed %d", w.Values, w.Seed, v.Values, v.Seed)
	}
	if v.Values["rtt"] == 0.5 || v.Turned() || !w.Turned() {
		t.Error("With has changed the variant that it was called on")
	}
	sc, err := w.Scenario("")
	if err != nil || sc.Hosts[0].Up != "delay 250ms" {
		t.Errorf("the turned scenario has the link %q, %v, want delay 250ms", sc.Hosts[0].Up, err)
	}
	if _, err := v.With("rtx", 1); err == nil || !strings.Contains(err.Error(), "rtx") {
		t.Errorf("With(rtx) = %v, want an error", err)
	}
}

// The scenario has the variant's numbers and seed, and runs of one sheet differ in
// what their texts differ in.
func TestScenario(t *testing.T) {
	s := example(t)
	v := s.Variant("", "Ana")
	main, err := v.Scenario("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := impair.Parse(main.Hosts[0].Up)
	if want := time.Duration(math.Round(v.Values["rtt"] / 2 * 1e9)); err != nil || c.Delay != want {
		t.Errorf("ana's link is %q, want delay %v", main.Hosts[0].Up, want)
	}
	if main.Seed != v.Seed || len(main.Faults) != 0 {
		t.Errorf("seed %d and faults %v, want %d and none", main.Seed, main.Faults, v.Seed)
	}
	silence, err := v.Scenario("silence")
	if err != nil || len(silence.Faults) != 1 {
		t.Errorf("the second run has the faults %v, %v, want one", silence.Faults, err)
	}
	if _, err := v.Scenario("silent"); err == nil {
		t.Error("a scenario that is not there: want an error")
	}
}

func TestText(t *testing.T) {
	s := example(t)
	v, err := s.Variant("", "").With("rtt", 0.04)
	if err != nil {
		t.Fatal(err)
	}
	p := &parser{units: map[string]measure.Unit{"rtt": s.Variable("rtt").Unit, "size": s.Variable("size").Unit}}
	names := measure.Names{Variables: []string{"rtt", "size"}, Run: true}
	for in, want := range map[string]string{
		"{rtt}": "40 ms", "{rtt | s}": "0.04 s", "{rtt/2 | ms}": "20 ms", "{rtt/2}": "0.02", "{{rtt}}": "{rtt}", "a {{ b }} c": "a { b } c",
		"{rtt > 1 ? \"long\" : \"short\"}": "short", "{map([1, 2], {# * 2})[1]}": "4", `{"}"}`: "}", "{5*percent | %}": "5 %", "no } harm": "no } harm",
	} {
		tmpl := p.template(in, 1, 1, names)
		if got := v.Text(tmpl); got != want || len(p.mistakes) > 0 {
			t.Errorf("Text(%q) = %q, %v, want %q", in, got, p.mistakes, want)
		}
	}
	tmpl := p.template("{rtt} and {first(packets).t | ms}", 1, 1, names)
	if got := v.Text(tmpl); got != "40 ms and ?" || !tmpl.Run() {
		t.Errorf("a text about a run before it = %q, Run %v, want \"40 ms and ?\", true", got, tmpl.Run())
	}
	var bad *measure.EvalError
	if _, err := v.TextOf(tmpl, "", nil); !errors.As(err, &bad) {
		t.Errorf("TextOf without a run = %v, want an *EvalError", err)
	}
	runs := measure.Runs{"": {Packets: []measure.Packet{{T: 0.02}}}}
	if got, err := v.TextOf(tmpl, "", runs); err != nil || got != "40 ms and 20 ms" {
		t.Errorf("TextOf = %q, %v, want 40 ms and 20 ms", got, err)
	}
}

// The order of options differs between learners and holds all of them.
func TestChoices(t *testing.T) {
	s := example(t)
	st := s.Step("both")
	orders := make(map[string]int)
	for i := range 240 {
		v := s.Variant("", fmt.Sprint("learner ", i))
		shown, err := st.Choices(v, nil)
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for k, o := range shown {
			order = append(order, o.Option)
			if o.Letter != string(rune('a'+k)) {
				t.Errorf("option %d has the letter %q", k, o.Letter)
			}
		}
		orders[fmt.Sprint(order)]++
		if slices.Sort(order); !slices.Equal(order, []int{0, 1, 2, 3}) {
			t.Fatalf("options %v, want each once", order)
		}
	}
	if len(orders) != 24 { // 4!
		t.Errorf("240 learners saw %d orders, want all 24", len(orders))
	}
}
