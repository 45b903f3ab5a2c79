// Package labs runs scenarios: the real chat over a real TCP/IP stack and an
// emulated network, inside a guest whose clock is virtual.
package labs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"wirelab/internal/sim"
	"wirelab/internal/trace"
	"wirelab/labs/scenario"
)

// memory is what a guest may take. A run of the default comparison takes about
// a tenth of it.
const memory = 512 << 20

// env turns the guest's garbage collector off until it has much to collect.
// When it runs depends on every byte that was allocated, and when it runs the
// order changes in which goroutines that are ready take their turn: two runs that
// differ in one packet's fate would differ before it.
var env = []string{"GOGC=off", "GOMEMLIMIT=400MiB"}

// An Engine plays scenarios. Its methods may be called from any goroutine;
// several scenarios may play at a time.
type Engine struct {
	program *sim.Program
}

// Open prepares the compiled guest (package image has it) for this machine,
// which takes some seconds the first time; the result is kept in the user's
// cache folder. progress, which may be nil, is called while it takes long.
func Open(ctx context.Context, guest []byte, options sim.Options) (*Engine, error) {
	p, err := sim.Compile(ctx, guest, options)
	if err != nil {
		return nil, err
	}
	return &Engine{p}, nil
}

// Close frees what Open took. No scenario may be playing.
func (e *Engine) Close() error { return e.program.Close() }

// An Output says what to do with what a run tells.
type Output struct {
	Event   func(*scenario.Event) error // called with each event in order; may be nil
	Record  func(*trace.Record) error   // called with each other record; may be nil
	Events  io.Writer                   // gets the events as JSON lines; may be nil
	Packets io.Writer                   // gets a pcapng file; may be nil
	Speed   float64                     // of the virtual time against the real one; 0: as fast as it goes
}

// A Result is what a run was.
type Result struct {
	Virtual time.Duration // how long it was, in its own time
	Sums    trace.Sums    // SHA-256 of its events and of its capture
}

// Play plays a scenario. One seed gives the same bytes on every machine.
func (e *Engine) Play(ctx context.Context, s *scenario.Scenario, out Output) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	in, err := json.Marshal(s)
	if err != nil {
		return Result{}, err
	}
	rec := &trace.Recorder{Events: out.Events, Packets: out.Packets, Handle: func(r *trace.Record) error {
		if r.Kind != trace.Event {
			if out.Record != nil {
				return out.Record(r)
			}
			return nil
		}
		if out.Event == nil {
			return nil
		}
		var ev scenario.Event
		if err := json.Unmarshal(r.Event, &ev); err != nil {
			return fmt.Errorf("the guest's event %q: %w", r.Event, err)
		}
		return out.Event(&ev)
	}}
	res, err := e.program.Run(ctx, sim.Config{
		Seed: s.Seed, Start: Start, Stdin: bytes.NewReader(in), Stdout: rec,
		Speed: out.Speed, Limit: s.Bound(), Memory: memory, Env: env,
	})
	if cerr := rec.Close(); err == nil {
		err = cerr
	}
	return Result{Virtual: res.Virtual, Sums: rec.Sums()}, err
}

// Start is when every run begins, by its own clock.
var Start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Since returns how long after the beginning of its run a packet was seen.
func Since(t time.Time) time.Duration { return t.Sub(Start) }
