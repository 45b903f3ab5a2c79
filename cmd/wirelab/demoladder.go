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
	"wirelab/packets"
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
	l, err := readLadder(files[0])
	if err != nil {
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

// readLadder returns the ladder of the conversation of a capture that has the
// most to see.
func readLadder(path string) (*ladder.Ladder, error) {
	r, err := packets.Open(path, nil)
	if err != nil {
		return nil, err
	}
	flows, _, err := ladder.Flows(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if len(flows) == 0 {
		return nil, fmt.Errorf("%s: no conversation", path)
	}
	if r, err = packets.Open(path, nil); err != nil {
		return nil, err
	}
	b := ladder.NewBuilder(flows[ladder.Best(flows)].Key)
	if err := errors.Join(b.Read(r, 0), r.Close()); err != nil {
		return nil, err
	}
	return b.Ladder(), nil
}
