// Package check judges programs that learners wrote for the build labs, in any
// language, from outside: it starts the program, talks to it over loopback sockets
// through an emulated link, byte for byte as a stage's script says (package
// script), and says the first thing that is wrong.
//
// A program gets in its environment
//
//	PORT             where it has to listen, on 127.0.0.1
//	DATA             a folder of its own; empty at the beginning of a stage
//	WIRELAB_STAGE    the number of the stage
//
// It is started afresh for each stage, and for each trial under random faults.
// Stages are played in order, and the first that fails ends it. Whatever happens,
// nothing of the program runs on when Check returns (package process).
//
// A datagram goes through package impair in both directions, in real time; a
// connection goes straight to the program, or, where the stage has a link,
// through package relay. The checker shares no codec with what it checks.
//
// "Could not judge" is not "failed": it is said when the checker itself had no
// port, no memory, no time. Its own clock is watched: a verdict about time that
// was found while this machine was too busy is not taken, but asked for again.
package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wirelab/labs/check/script"
)

// A Config says what to check.
type Config struct {
	Lab    string // its name, for people
	Stages []*script.Stage
	Last   int      // check the stages up to this number; if zero, all
	Args   []string // the program and its arguments
	Dir    string   // where it runs; if empty, here
	Seed   uint64   // of random faults and random bytes

	Parallel int           // trials at a time; if zero, 8
	Ready    time.Duration // for the program to listen; if zero, 5s

	slots chan struct{} // bounds conversations at a time, over several checks; nil: not bounded

	Event func(Event) // if not nil, told what is going on; from one goroutine at a time
}

// An Event is a moment of a check.
type Event struct {
	Stage  *script.Stage
	Doing  Doing
	Done   int // trials, or what shrinking has tried
	Trials int
	Result *StageResult // of StageDone
}

// Doing is what a check is doing.
type Doing string

// What it does.
const (
	StageBegins Doing = "begins"
	Trying      Doing = "trying random faults"
	Shrinking   Doing = "looking for the smallest faults"
	StageDone   Doing = "done"
)

// A checker is one check under way.
type checker struct {
	cfg Config
	lag *lag
}

// Check judges a program. The error is that of ctx; whatever else happens is in
// the result.
func Check(ctx context.Context, cfg Config) (*Result, error) {
	if len(cfg.Args) == 0 {
		return nil, errors.New("no program to check")
	}
	cfg.Args = direct(ctx, cfg.Args, cfg.Dir)
	c := &checker{cfg: cfg, lag: newLag()}
	defer c.lag.close()
	r := &Result{Lab: cfg.Lab, Seed: cfg.Seed}
	began := time.Now()
	failed := false
	for _, stage := range cfg.Stages {
		if cfg.Last > 0 && stage.Number > cfg.Last {
			break
		}
		if failed {
			r.Stages = append(r.Stages, StageResult{Number: stage.Number, Title: stage.Title, Kind: NotRun})
			continue
		}
		c.event(Event{Stage: stage, Doing: StageBegins})
		s := c.stage(ctx, stage)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.event(Event{Stage: stage, Doing: StageDone, Result: &s})
		r.Stages = append(r.Stages, s)
		failed = s.Kind != Passed
	}
	r.Took = time.Since(began)
	return r, nil
}

func (c *checker) event(e Event) {
	if c.cfg.Event != nil {
		c.cfg.Event(e)
	}
}

// busyTries is how often a verdict about time is asked for again when this
// machine was too busy.
const busyTries = 3

// busyPause is how long the machine gets in between.
const busyPause = 300 * time.Millisecond

// stage judges one stage.
func (c *checker) stage(ctx context.Context, stage *script.Stage) StageResult {
	began := time.Now()
	r := StageResult{Number: stage.Number, Title: stage.Title, Kind: Passed}
	o := c.judge(ctx, stage, nil)
	if o.fault == nil && o.failure == nil && stage.Faults.Trials > 0 {
		o = c.trials(ctx, stage, o)
		if o.failure == nil && o.fault == nil {
			r.Trials = stage.Faults.Trials
		}
	} else if o.failure != nil && stage.Transport == script.UDP {
		o.failure.Ladder = draw(stage, o, nil)
	}
	r.Took = time.Since(began)
	switch {
	case o.fault != nil:
		r.Kind = Unjudged
		r.Failure = &Failure{Kind: Unjudged, What: o.fault.Error()}
	case o.failure != nil:
		r.Kind, r.Failure = o.failure.Kind, o.failure
	}
	return r
}

// judge plays a stage under faults, and again if what it found may be due to
// this machine.
func (c *checker) judge(ctx context.Context, stage *script.Stage, faults []Fault) outcome {
	var worst time.Duration
	for try := range busyTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return outcome{fault: ctx.Err()}
			case <-time.After(busyPause):
			}
		}
		o := c.converse(ctx, stage, faults)
		if o.fault != nil || o.failure == nil {
			return o
		}
		if worst = max(c.lag.worst(o.began, o.ended), o.starved); worst <= tolerated(stage, o.failure) {
			return o
		}
	}
	return outcome{fault: fmt.Errorf("this machine was too busy: something that had to happen at once happened %v later", round(worst))}
}

// tolerated is how late our own timers may have been for a verdict to be taken.
func tolerated(stage *script.Stage, f *Failure) time.Duration {
	switch {
	case f.slack > 0:
		return max(f.slack, lagTick)
	case stage.Transport == script.UDP && (f.Kind == WrongBytes || f.Kind == TooEarly || f.Kind == BreaksRule):
		// A program that resends does so when we are too slow, too.
		return 100 * time.Millisecond
	}
	switch f.Kind {
	case TooLate, NeverAnswers, NotClosed, Refuses, NotListening:
		return 300 * time.Millisecond
	}
	return time.Hour // not about time
}
