package sim

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
)

// What a run has if its Config says nothing.
const (
	DefaultLimit  = 24 * time.Hour
	DefaultMemory = 512 << 20
)

// A Config says how a guest runs.
type Config struct {
	Seed   uint64    // of the guest's random bytes
	Start  time.Time // what the guest's clock shows first; if zero, 2026-01-01 00:00 UTC
	Args   []string  // what follows the program's name
	Env    []string  // "key=value"; nothing comes from the host's environment
	Stdin  io.Reader // if nil, empty; while a read of it blocks, the run stands still
	Stdout io.Writer // if nil, nobody; an error ends the run
	Stderr io.Writer // if nil, nobody; an error is ignored, Error holds the text

	// Speed is virtual seconds per real one: 1 is real time, 0.1 slow motion. If
	// zero, nothing is waited for. It does not change what the guest sees.
	Speed float64

	Limit  time.Duration // of virtual time; if zero, DefaultLimit
	Memory int64         // most bytes of the guest's memory; if zero, DefaultMemory
}

// A Result says what a run took, also one that failed.
type Result struct {
	Virtual time.Duration // virtual time that passed
	Real    time.Duration // real time that passed
	Memory  int64         // bytes of the guest's memory at the end
	Sleeps  int           // how often virtual time jumped
}

// Run runs the program from its start to its end. It returns a nil error if the
// guest ended with exit code 0; else an *Error, or what is wrong with c.
//
// When ctx ends, the guest is ended with ctx's cause the next time that it asks
// its host for the time, for sleep or for random bytes, or writes something. A Go
// program does so all the time, at each collection of its garbage at the latest.
// A loop that neither allocates nor reads the clock nor lets its goroutine wait
// is not ended. (A check in every loop, which the compiler could add, makes guests
// half as fast.)
func (p *Program) Run(ctx context.Context, c Config) (Result, error) {
	if err := c.check(); err != nil {
		return Result{}, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.engine == nil {
		return Result{}, ErrClosed
	}
	r := newRun(ctx, c)
	if ctx.Err() != nil {
		r.cause = context.Cause(ctx)
		return r.result(nil)
	}
	defer context.AfterFunc(ctx, func() { r.cancelled.Store(true) })()
	return r.result(r.instantiate(p.engine))
}

// check says what makes no sense in c, and fills in what is zero.
func (c *Config) check() error {
	if c.Start.IsZero() {
		c.Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.Limit == 0 {
		c.Limit = DefaultLimit
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	switch {
	case !(c.Speed >= 0) || math.IsInf(c.Speed, 0):
		return fmt.Errorf("sim: speed %v, want 0 (at once) or more", c.Speed)
	case c.Limit < 0:
		return fmt.Errorf("sim: limit %v, want more than 0", c.Limit)
	case c.Memory < 0:
		return fmt.Errorf("sim: memory of %d bytes, want more than 0", c.Memory)
	case c.Start.Before(time.Unix(0, 0)) || c.Start.After(time.Unix(0, math.MaxInt64).Add(-c.Limit)):
		return fmt.Errorf("sim: start at %v, want 1970 or later and %v before 2262", c.Start, c.Limit)
	}
	for _, v := range c.Env {
		if k, _, ok := strings.Cut(v, "="); !ok || k == "" {
			return fmt.Errorf("sim: environment %q, want key=value", v)
		}
	}
	for _, v := range slices.Concat(c.Args, c.Env) {
		if strings.Contains(v, "\x00") {
			return fmt.Errorf("sim: argument or environment %q has a NUL character", v)
		}
	}
	return nil
}

// A run is one guest. Only the goroutine of Run uses it, but for cancelled.
type run struct {
	Config
	ctx       context.Context
	cancelled atomic.Bool
	clock     clock
	memory    memory
	stderr    excerpt
	began     time.Time // real
	cause     error     // why the host ended the guest; nil if it did not
}

func newRun(ctx context.Context, c Config) *run {
	r := &run{Config: c, ctx: ctx, memory: memory{limit: c.Memory}, began: time.Now()}
	r.clock.start = c.Start.UnixNano()
	return r
}

// instantiate starts the guest and returns when it has ended.
func (r *run) instantiate(e *engine) error {
	for _, m := range e.module.ExportedMemories() {
		if int64(m.Min())<<16 > r.Memory {
			r.memory.refused = true
			return fmt.Errorf("needs %d bytes to begin with", int64(m.Min())<<16)
		}
	}
	module := wazero.NewModuleConfig().
		WithName(""). // many at once
		WithArgs(append([]string{"guest"}, r.Args...)...).
		WithNanotime(r.nanotime, 1).
		WithWalltime(r.walltime, 1).
		WithNanosleep(r.nanosleep).
		WithOsyield(r.yield).
		WithRandSource(r.random()).
		WithStdout(stdout{r}).
		WithStderr(stderr{r})
	if r.Stdin != nil {
		// Hidden, for wazero treats a file in a way of its own and would wait for it
		// in real time.
		module = module.WithStdin(struct{ io.Reader }{r.Stdin})
	}
	for _, v := range r.Env {
		k, v, _ := strings.Cut(v, "=")
		module = module.WithEnv(k, v)
	}
	m, err := e.runtime.InstantiateModule(r.memory.bind(r.ctx), e.module, module)
	if m != nil {
		m.Close(context.Background())
	}
	return err
}
