package check

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/style"
	"wirelab/labs/check/script"
	"wirelab/packets/ladder"
)

const random = "transport: udp\nlimit: 20s\nlink: delay 2ms\nfaults: random 12"

// A program that takes a repeated DATA for a new one fails by one fault alone:
// an ACK of its that is lost, or a DATA that arrives twice.
func TestShrink(t *testing.T) {
	var doing []Doing
	s := stage(t, random, "open a\narq a exchange stop-and-wait 6")
	r, err := Check(t.Context(), Config{Stages: []*script.Stage{s}, Args: []string{os.Args[0], "program", "arq", "stop-and-wait", "delivers-twice"}, Seed: 3, Event: func(e Event) { doing = append(doing, e.Doing) }})
	if err != nil {
		t.Fatal(err)
	}
	_, f := r.Failure()
	if f == nil || f.Kind != WrongBytes || !f.Random || f.Tried != repeats || f.Failing != repeats {
		t.Fatalf("Check = %+v, want wrong bytes, each time", f)
	}
	if len(f.Faults) != 1 {
		t.Fatalf("faults %s, want one", FaultText(f.Faults))
	}
	x := f.Faults[0]
	if !(x.Up && x.Rule.Do == impair.Duplicate || !x.Up && x.Rule.Do != impair.Duplicate) {
		t.Errorf("%v: no DATA comes to the program again by that", x)
	}
	if x.Rule.First > 3 {
		t.Errorf("%v: want it at the beginning", x)
	}
	for _, d := range []Doing{StageBegins, Trying, Shrinking, StageDone} {
		if !slices.Contains(doing, d) {
			t.Errorf("nobody was told %q", d)
		}
	}
	var b strings.Builder
	p := style.NewPalette(&b, true)
	if err := f.Write(&b, 80, p); err != nil {
		t.Fatal(err)
	}
	if err := f.Ladder.Text(&b, ladder.Options{Width: 80, Palette: p}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"it fails each time: 5 of 5", "faults      datagram", "DATA 0", "checker", "program"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

// A program that keeps the rules passes under every script.
func TestTrialsPass(t *testing.T) {
	for _, tt := range []struct{ mode, head string }{{"stop-and-wait", random}, {"selective-repeat", random + "\nreorder: yes"}} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			r, f := judge(t, stage(t, tt.head, "open a\narq a exchange "+tt.mode+" 8"), "arq", tt.mode, "none")
			if f != nil || r.Stages[0].Trials != 12 {
				t.Errorf("%v, %+v: %v", r.Kind(), r.Stages[0], f)
			}
			if f != nil {
				f.Ladder.Text(t.Output(), ladder.Options{Width: 80, Palette: style.NewPalette(t.Output(), true)})
			}
		})
	}
}

// One that fails at every other start is said to fail sometimes.
func TestFlaky(t *testing.T) {
	s := stage(t, "transport: udp\nfaults: random 4 duplicate", "open a\narq a exchange stop-and-wait 3")
	for seed := range uint64(20) {
		r, err := Check(t.Context(), Config{Stages: []*script.Stage{s}, Args: []string{os.Args[0], "program", "arq", "stop-and-wait", "sometimes"}, Dir: t.TempDir(), Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		_, f := r.Failure()
		if f == nil || !f.Random {
			continue // no script of this seed met a start that fails
		}
		if f.Failing < 1 || f.Failing >= f.Tried || f.Tried != repeats {
			t.Errorf("seed %d: %d of %d failed, want some of 5", seed, f.Failing, f.Tried)
		}
		var b strings.Builder
		f.Write(&b, 80, style.NewPalette(&b, true))
		if want := fmt.Sprintf("it fails sometimes: %d of 5", f.Failing); !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
		return
	}
	t.Error("it passed with every seed")
}

// Faults follow from the seed, are valid for a link, and of the kinds that the
// stage asks for.
func TestDrawFaults(t *testing.T) {
	f := script.Faults{Trials: 1, Drop: true, Delay: true, Late: 40 * time.Millisecond}
	seen := map[impair.Deed]int{}
	for trial := range 500 {
		all := drawFaults(f, 9, 2, trial, 7, 5)
		if again := drawFaults(f, 9, 2, trial, 7, 5); !reflect.DeepEqual(all, again) {
			t.Fatalf("trial %d: %v, then %v", trial, all, again)
		}
		if len(all) == 0 || len(all) > maxFaults {
			t.Errorf("trial %d: %d faults", trial, len(all))
		}
		for _, up := range []bool{true, false} {
			c := impair.Config{Script: rules(all, up)}
			if err := c.Validate(); err != nil {
				t.Errorf("trial %d: %v", trial, err)
			}
		}
		for _, x := range all {
			seen[x.Rule.Do]++
			if x.Rule.Do == impair.Delay && (x.Rule.By < 10*time.Millisecond || x.Rule.By > 40*time.Millisecond) {
				t.Errorf("trial %d: %v", trial, x)
			}
		}
	}
	if seen[impair.Drop] == 0 || seen[impair.Delay] == 0 || seen[impair.Duplicate] > 0 {
		t.Errorf("kinds %v, want drop and delay alone", seen)
	}
}

func TestSoonest(t *testing.T) {
	fault := func(up bool, n uint64) Fault {
		return Fault{Up: up, Rule: impair.Rule{Do: impair.Drop, First: n, Last: n}}
	}
	// It fails if the first of one direction and any even one of the other is lost.
	got := soonest([]Fault{fault(true, 9), fault(false, 8), fault(true, 12)}, func(l []Fault) bool {
		return l[1].Rule.First%2 == 0 && l[0].Rule.First >= 2 && l[2].Rule.First >= 5
	})
	if want := []Fault{fault(true, 2), fault(false, 2), fault(true, 12)}; !reflect.DeepEqual(got, want) {
		t.Errorf("soonest = %v, want %v", got, want)
	}
}
