// Play plays a scenario in its text form and prints what happens, for those who
// write labs:
//
//	go run ./labs/play [-pcap FILE] [-seed N] [-json] [-states] [-n RUNS] FILE
//
// FILE is a scenario, or - for stdin; times count from the beginning of the
// workload. Without -states the lines of TCP's inner state are left out.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/sim"
	"wirelab/internal/sim/wasip1"
	"wirelab/labs"
	"wirelab/labs/scenario"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("play", flag.ContinueOnError)
	flags.SetOutput(errs)
	p := player{out: out, errs: errs}
	flags.StringVar(&p.pcap, "pcap", "", "write a capture to this file")
	flags.Uint64Var(&p.seed, "seed", 1, "the seed, if the scenario has none")
	flags.BoolVar(&p.json, "json", false, "print the events as JSON lines")
	flags.BoolVar(&p.states, "states", false, "print TCP's inner state, too")
	flags.IntVar(&p.runs, "n", 1, "play it so often, and say how long each took")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(errs, "play: want one scenario's file")
		return 2
	}
	text, err := read(flags.Arg(0), in)
	if err == nil {
		err = p.play(ctx, text)
	}
	if err != nil {
		fmt.Fprintln(errs, "play:", err)
		return 1
	}
	return 0
}

func read(path string, in io.Reader) (string, error) {
	if path == "-" {
		b, err := io.ReadAll(in)
		return string(b), err
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

type player struct {
	out, errs    io.Writer
	pcap         string
	seed         uint64
	json, states bool
	runs         int
}

func (p *player) play(ctx context.Context, text string) error {
	s, err := scenario.ParseText(text)
	if err != nil {
		return err
	}
	if s.Seed == 0 {
		s.Seed = p.seed
	}
	wasm, err := wasip1.Build(ctx, "", "wirelab/labs/guest")
	if err != nil {
		return err
	}
	e, err := labs.Open(ctx, wasm, sim.Options{})
	if err != nil {
		return err
	}
	defer e.Close()
	var begin time.Duration
	output := labs.Output{Event: func(ev *scenario.Event) error {
		if ev.Kind == scenario.EventBegin {
			begin = ev.T
		}
		return p.print(ev, begin)
	}}
	if p.pcap != "" {
		f, err := os.Create(p.pcap)
		if err != nil {
			return err
		}
		defer f.Close()
		output.Packets = f
	}
	for i := range p.runs {
		if i == 1 {
			output = labs.Output{}
		}
		before := time.Now()
		res, err := e.Play(ctx, s, output)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.errs, "%v of virtual time in %v\n", res.Virtual.Round(time.Millisecond), time.Since(before).Round(time.Millisecond))
	}
	return nil
}

func (p *player) print(ev *scenario.Event, begin time.Duration) error {
	if ev.Kind == scenario.EventTCP && !p.states {
		return nil
	}
	if p.json {
		b, err := json.Marshal(ev)
		fmt.Fprintf(p.out, "%s\n", b)
		return err
	}
	text := ev.Describe()
	switch ev.Kind {
	case scenario.EventTCP:
		text = fmt.Sprintf("%s: cwnd %d ssthresh %d flight %d srtt %v rto %v %s", ev.Host, ev.TCP.Cwnd, ev.TCP.Ssthresh, ev.TCP.Flight, ev.TCP.SRTT, ev.TCP.RTO, ev.TCP.Recovery)
	case scenario.EventEnd:
		text = fmt.Sprintf("end: %d packets, %d bytes, %d sent again, dropped %v", ev.Totals.Packets, ev.Totals.AllBytes, ev.Totals.Retransmissions, ev.Totals.Drops)
	}
	_, err := fmt.Fprintf(p.out, "%12.6f  %s\n", (ev.T - begin).Seconds(), cells.Visible(text))
	return err
}
