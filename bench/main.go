//go:build linux

// Command bench measures wirelab beside references that run in the same
// minutes on the same machine, and prints the ratios. It is a module of its
// own, so that the program does not depend on a NATS server.
//
// Absolute numbers say something about the machine; the ratios are what is
// promised. Every server is a process of its own, all traffic is on loopback,
// and every run counts what arrived: a lost or doubled message fails it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// A bench is one run of the program.
type bench struct {
	Wirelab  string        // path of the wirelab binary
	Rounds   int           // of each server in each setting
	Duration time.Duration // measured interval of a round
	Dir      string        // for data; the disk under test
	Capture  int64         // bytes of the large capture
	Log      io.Writer     // progress

	rooms   int  // used so far: each round has a new one
	sources byte // the last source address used, in 127.0.1.0/24
}

// parts are what can be measured, in the order of the report.
var parts = []struct {
	name string
	run  func(*bench) ([]row, error)
}{
	{"tcp", (*bench).tcp},
	{"udp", (*bench).udp},
	{"idle", (*bench).idle},
	{"start", (*bench).start},
	{"durable", (*bench).durable},
	{"catchup", (*bench).catchup},
	{"relay", (*bench).relay},
	{"packets", (*bench).packets},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 when everything was measured, also what misses its bar; 1 when
// a server did not do what it must, and 2 when the benchmark could not run.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) >= 2 && args[0] == "role" {
		if err := play(args[1], args[2:]); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
		return 0
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	b := bench{Log: stderr, Capture: 1e9}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	part := flags.String("part", strings.Join(names, ","), "what to measure, separated by commas")
	asJSON := flags.Bool("json", false, "print the rows as JSON")
	quick := flags.Bool("quick", false, "fewer and shorter rounds: a look, not a result")
	flags.IntVar(&b.Rounds, "rounds", 5, "rounds of each server in each setting")
	flags.DurationVar(&b.Duration, "duration", 1500*time.Millisecond, "measured interval of a round, at most 5s")
	flags.StringVar(&b.Wirelab, "wirelab", "", "the wirelab binary (default: built from this source)")
	flags.StringVar(&b.Dir, "data", "", "folder on the disk to measure (default: a temporary one)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *quick {
		b.Rounds, b.Duration, b.Capture = 1, 500*time.Millisecond, 1e8
	}
	if b.Duration > 5*time.Second || b.Duration <= 0 || b.Rounds < 1 {
		// A round must be over before the server's first ping.
		fmt.Fprintln(stderr, "bench: --duration must be up to 5s, --rounds at least 1")
		return 2
	}
	rows, err := b.run(strings.Split(*part, ","))
	if *asJSON {
		out := json.NewEncoder(stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		out.Encode(rows)
	} else {
		printTable(stdout, rows)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// run measures the parts with the names given and returns what it has, also
// when a part fails.
func (b *bench) run(names []string) (rows []row, err error) {
	rows = []row{}
	tmp, err := os.MkdirTemp(b.Dir, "wirelab-bench-")
	if err != nil {
		return rows, err
	}
	defer os.RemoveAll(tmp)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		os.RemoveAll(tmp)
		os.Exit(130) // the servers end with this process
	}()
	b.Dir = tmp
	if b.Wirelab == "" {
		if b.Wirelab, err = buildWirelab(tmp); err != nil {
			return rows, err
		}
	}
	var failed []error
	for _, name := range names {
		known := false
		for _, p := range parts {
			if p.name != name {
				continue
			}
			known = true
			at, before := time.Now(), readMachine()
			got, err := p.run(b)
			rows = append(rows, got...)
			b.progress("%s: took %.0f s; other programs used %.0f %% of the CPUs", name, time.Since(at).Seconds(), 100*readMachine().others(before))
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", name, err))
			}
		}
		if !known {
			failed = append(failed, fmt.Errorf("no part %q", name))
		}
	}
	return rows, errors.Join(failed...)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.Log, format+"\n", args...)
}
