package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wirelab/internal/style"
	"wirelab/labs/compare"
	"wirelab/labs/scenario"
	"wirelab/packets/ladder"
)

// demoLadder draws one short run over TCP that loses packets.
func (a *app) demoLadder(ctx context.Context, engine comparer) (err error) {
	d := &demo{out: a.out}
	d.head("The packets of one run: what was lost, and what TCP did about it")
	dir, err := os.MkdirTemp("", "wirelab-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o := compare.Defaults()
	o.Messages, o.Faults, o.Transports, o.PcapDir = 8, []string{"loss-10"}, []scenario.Transport{scenario.TCP}, dir
	if _, err := engine.Compare(ctx, o); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pcapng"))
	if err != nil || len(files) != 1 {
		return errors.Join(err, fmt.Errorf("the run left %d captures, want 1", len(files)))
	}
	l, end, err := a.ladderOf(ctx, files, ladder.Choice{})
	if err = errors.Join(err, end); err != nil {
		return err
	}
	const rows = 30
	if err := l.Summarise(rows).Text(a.out, ladder.Options{Width: style.Width(a.out), Palette: style.NewPalette(a.out, false)}); err != nil {
		return err
	}
	d.say("")
	d.say("again, with all packets:  wirelab compare --messages 8 --fault loss-10 --transport tcp --pcap DIR")
	d.say("                          wirelab packets ladder --all DIR/%s", filepath.Base(files[0]))
	return nil
}
