package check

import (
	"context"
	"slices"
	"sync"
	"time"

	"wirelab/internal/shrink"
	"wirelab/labs/check/script"
)

// Bounds of looking into a failure under random faults.
const (
	shrinkTime  = 20 * time.Second
	shrinkTries = 60
	repeats     = 5 // of one script of faults, to see whether it always fails
	parallel    = 8 // trials at a time, if the configuration says nothing
)

// trials plays the stage under random faults, and looks into the first script
// under which it fails. clean is the run without faults.
func (c *checker) trials(ctx context.Context, stage *script.Stage, clean outcome) outcome {
	n := stage.Faults.Trials
	scripts := make([][]Fault, n)
	for i := range scripts {
		scripts[i] = drawFaults(stage.Faults, c.cfg.Seed, stage.Number, i, clean.ups, clean.downs)
	}
	outcomes := make([]outcome, n)
	var (
		mu    sync.Mutex
		first = n // the first that failed
		done  int
	)
	c.each(n, func(i int) {
		mu.Lock()
		skip := first < i
		mu.Unlock()
		if skip || ctx.Err() != nil {
			return
		}
		o := c.judge(ctx, stage, scripts[i])
		mu.Lock()
		defer mu.Unlock()
		outcomes[i] = o
		if o.failure != nil || o.fault != nil {
			first = min(first, i)
		}
		done++
		c.event(Event{Stage: stage, Doing: Trying, Done: done, Trials: n})
	})
	switch {
	case ctx.Err() != nil:
		return outcome{fault: ctx.Err()}
	case first == n:
		return clean
	case outcomes[first].fault != nil:
		return outcomes[first]
	}
	o := c.shrink(ctx, stage, scripts[first], outcomes[first])
	if o.failure != nil {
		o.failure.Random, o.failure.Trials = true, first+1
	}
	return o
}

// each calls fn with 0 to n−1, several at a time.
func (c *checker) each(n int, fn func(i int)) {
	most := c.cfg.Parallel
	if most <= 0 {
		most = parallel
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(most, n) {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// repeat plays one script of faults several times, and returns the outcomes
// that failed, and how many were judged.
func (c *checker) repeat(ctx context.Context, stage *script.Stage, faults []Fault, times int) (failing []outcome, judged int) {
	all := make([]outcome, times)
	c.each(times, func(i int) { all[i] = c.judge(ctx, stage, faults) })
	for _, o := range all {
		if o.fault == nil {
			judged++
		}
		if o.failure != nil {
			failing = append(failing, o)
		}
	}
	return failing, judged
}

// shrink finds the smallest script of faults under which the stage still fails,
// and the failure under it. A program that fails only sometimes is asked several
// times about each.
func (c *checker) shrink(ctx context.Context, stage *script.Stage, faults []Fault, found outcome) outcome {
	end := time.Now().Add(shrinkTime)
	tried := 0
	failing, judged := c.repeat(ctx, stage, faults, repeats)
	times := 1
	if len(failing) < judged {
		times = repeats
	}
	best := found
	if len(failing) > 0 {
		best = failing[0]
	}
	still := func(some []Fault) bool {
		if tried >= shrinkTries || time.Now().After(end) || ctx.Err() != nil {
			return false
		}
		tried++
		c.event(Event{Stage: stage, Doing: Shrinking, Done: tried, Trials: len(some)})
		bad, _ := c.repeat(ctx, stage, some, times)
		if len(bad) == 0 {
			return false
		}
		best, judged = bad[0], -1
		return true
	}
	small := soonest(shrink.List(faults, still), still)
	if judged != repeats {
		failing, judged = c.repeat(ctx, stage, small, repeats)
		if len(failing) > 0 {
			best = failing[0]
		}
	}
	if ctx.Err() != nil {
		return outcome{fault: ctx.Err()}
	}
	f := *best.failure
	f.Faults, f.Tried, f.Failing = slices.Clone(small), judged, len(failing)
	f.Ladder = draw(stage, best, small)
	best.failure = &f
	return best
}

// soonest moves faults to the beginning, as far as it still fails: the picture
// gets shorter.
func soonest(faults []Fault, still func([]Fault) bool) []Fault {
	for i := range faults {
		for n := uint64(1); n <= 3 && n < faults[i].Rule.First; n++ {
			try := slices.Clone(faults)
			try[i].Rule.First, try[i].Rule.Last = n, n
			taken := slices.ContainsFunc(faults, func(f Fault) bool { return f.Up == try[i].Up && f.Rule.First == n })
			if !taken && still(try) {
				faults = try
				break
			}
		}
	}
	return faults
}
