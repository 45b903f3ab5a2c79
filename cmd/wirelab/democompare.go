package main

import (
	"context"
	"errors"
	"fmt"

	"wirelab/internal/style"
	"wirelab/labs/compare"
	"wirelab/labs/image"
)

// demoFaults are what the demo compares under: one failure of the network, one
// of it that lasts, one of a peer and one of the server.
var demoFaults = []string{"loss-30", "partition-long", "receiver-killed", "server-killed-data"}

// demoCompare is the demo's last part: what each transport delivers under some
// faults, in virtual time.
func (a *app) demoCompare(ctx context.Context) (err error) {
	(&demo{out: a.out}).head("When something fails, in virtual time: minutes in seconds")
	p := startProgress(a.err)
	defer p.stop()
	engine, err := a.openLabs(ctx, p)
	if errors.Is(err, image.ErrMissing) {
		fmt.Fprintln(a.out, "  left out:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	o := compare.Defaults()
	o.Messages, o.Faults, o.Progress = 20, demoFaults, p.running
	m, err := engine.Compare(ctx, o)
	if err != nil {
		return err
	}
	p.stop()
	if _, err = fmt.Fprint(a.out, m.Table(compare.View{
		Width: style.Width(a.out), Palette: style.NewPalette(a.out, false),
		Command: "wirelab compare --messages 20 --fault loss-30 --fault partition-long --fault receiver-killed --fault server-killed-data",
	})); err != nil {
		return err
	}
	return a.demoLadder(ctx, engine)
}
