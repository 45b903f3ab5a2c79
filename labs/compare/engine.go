// Package compare measures what UDP, TCP and the missed-message queue each
// deliver when the network, a peer or the server fails. Each cell is a run of
// the real chat in an emulated network, in virtual time; every figure is
// counted from what happened in it.
package compare

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"wirelab/labs"
	"wirelab/labs/scenario"
)

// An Engine compares. It plays its runs on a labs.Engine, which stays the
// caller's.
type Engine struct {
	labs *labs.Engine
}

// NewEngine returns an engine that plays on l.
func NewEngine(l *labs.Engine) *Engine { return &Engine{l} }

// Compare plays each fault on each transport, o.Runs times.
func (e *Engine) Compare(ctx context.Context, o Options) (*Matrix, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	faults, err := o.faults()
	if err != nil {
		return nil, err
	}
	columns := o.transports()
	m := &Matrix{
		Version: "1", Seed: o.Seed, Runs: o.Runs, Messages: o.Messages, Rate: o.Rate, Size: o.Size,
		Link: receiverLink,
	}
	for _, t := range columns {
		m.Transports = append(m.Transports, string(t))
	}
	for _, f := range faults {
		row := Row{Name: f.Name, Title: f.Title}
		for _, t := range columns {
			row.Cells = append(row.Cells, Cell{Fault: f.Name, Transport: string(t), Runs: make([]Run, o.Runs)})
		}
		m.Rows = append(m.Rows, row)
	}
	if o.PcapDir != "" {
		if err := os.MkdirAll(o.PcapDir, 0o777); err != nil {
			return nil, err
		}
	}
	perRow := len(columns) * o.Runs
	cell := func(i int) (f Fault, c *Cell, run int) {
		row, column := i/perRow, i%perRow/o.Runs
		return faults[row], &m.Rows[row].Cells[column], i % o.Runs
	}
	name := func(i int) string {
		_, c, _ := cell(i)
		return c.Fault + " over " + c.Transport
	}
	err = e.each(ctx, &o, len(faults)*perRow, name, func(ctx context.Context, i int) error {
		f, c, run := cell(i)
		seed := o.Seed + uint64(run)
		r, err := e.run(ctx, &o, f, scenario.Transport(c.Transport), seed)
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", name(i), seed, err)
		}
		c.Runs[run] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// run plays one cell once.
func (e *Engine) run(ctx context.Context, o *Options, f Fault, t scenario.Transport, seed uint64) (r Run, err error) {
	s := o.scenario(f, t, seed)
	tally := newTally(seed)
	out := labs.Output{Speed: o.Speed, Event: func(ev *scenario.Event) error {
		tally.event(ev)
		return nil
	}}
	if o.PcapDir != "" {
		s.Packets = true
		file, err := os.Create(filepath.Join(o.PcapDir, fmt.Sprintf("%s.%s.seed%d.pcapng", f.Name, t, seed)))
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out.Packets = file
	}
	res, err := e.labs.Play(ctx, s, out)
	if err != nil {
		return r, err
	}
	r = tally.finish()
	r.Events = hex.EncodeToString(res.Sums.Events[:])
	if s.Packets {
		r.Packets = hex.EncodeToString(res.Sums.Packets[:])
	}
	return r, nil
}

// each does n pieces of work, as many at a time as there are workers, and
// reports progress. The first error ends the rest.
func (e *Engine) each(ctx context.Context, o *Options, n int, name func(i int) string, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next int
		done int
	)
	work := func() {
		for {
			mu.Lock()
			i := next
			next++
			mu.Unlock()
			if i >= n || ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			done++
			if o.Progress != nil {
				o.Progress(done, n, name(i))
			}
			mu.Unlock()
		}
	}
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range min(workers, n) {
		wg.Go(work)
	}
	wg.Wait()
	return context.Cause(ctx)
}
