package soak

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

var (
	first  = flag.Uint64("first", 1, "the first seed")
	seeds  = flag.Int("seeds", 200, "how many seeds to play")
	one    = flag.Uint64("seed", 0, "play this seed alone, and print its events")
	faults = flag.String("faults", "", "with -seed: this fault script instead of the seed's own")
)

func TestMain(m *testing.M) { leak.Main(m) }

// engine returns an engine with the guest of this tree.
func engine(t testing.TB) *labs.Engine {
	t.Helper()
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// check plays s and returns the rules that it breaks. A run that does not come
// to its end breaks one, too.
func check(ctx context.Context, e *labs.Engine, s *scenario.Scenario, events io.Writer) []Violation {
	c := NewChecker(s)
	_, err := e.Play(ctx, s, labs.Output{Events: events, Event: func(ev *scenario.Event) error {
		c.Event(ev)
		return nil
	}})
	if err != nil {
		return []Violation{{Rule: "the run ends", At: c.last, What: err.Error()}}
	}
	return c.Finish()
}

// The chat's own invariants hold under every fault script.
func TestInvariants(t *testing.T) {
	e := engine(t)
	if *one != 0 {
		replay(t, e)
		return
	}
	n := *seeds
	if testing.Short() || imagetest.Raced {
		n = min(n, 20)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next = *first
		done int
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				mu.Unlock()
				if seed >= *first+uint64(n) || t.Context().Err() != nil {
					return
				}
				s := Draw(seed)
				if found := check(t.Context(), e, s, nil); len(found) > 0 {
					report(t, e, s, found)
				}
				mu.Lock()
				if done++; n > 1000 && done%1000 == 0 {
					t.Logf("%d of %d seeds", done, n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// report shrinks what failed and says how to see it again.
func report(t *testing.T, e *labs.Engine, s *scenario.Scenario, found []Violation) {
	rule := found[0].Rule
	small := Shrink(s, func(try *scenario.Scenario) bool {
		for _, v := range check(t.Context(), e, try, nil) {
			if v.Rule == rule {
				return true
			}
		}
		return false
	})
	var b strings.Builder
	for _, v := range check(t.Context(), e, small, nil) {
		fmt.Fprintf(&b, "  %v\n", v)
	}
	t.Errorf("seed %d breaks a rule:\n%s  with the faults %q\nreplay: go test ./labs/soak -run TestInvariants -v -seed %d -faults %q",
		s.Seed, b.String(), scenario.FaultText(small.Faults), s.Seed, scenario.FaultText(small.Faults))
}

// replay plays one seed and prints what happens.
func replay(t *testing.T, e *labs.Engine) {
	s := Draw(*one)
	if *faults != "" {
		all, err := scenario.ParseFaults(*faults)
		if err != nil {
			t.Fatal(err)
		}
		s.Faults = all
	}
	for _, m := range s.Members {
		t.Logf("%+v", m)
	}
	t.Logf("server %+v, faults %s", s.Server, scenario.FaultText(s.Faults))
	for _, v := range check(t.Context(), e, s, t.Output()) {
		t.Error(v)
	}
}
