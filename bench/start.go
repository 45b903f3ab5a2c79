//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"time"
)

// start measures how long the program takes to say what it can, beside a
// program that does nothing: what both share is the price of a new process.
func (b *bench) start() ([]row, error) {
	const runs = 21
	var reference, ours []float64
	for range runs {
		t, err := timed("/bin/true")
		if err != nil {
			return nil, err
		}
		reference = append(reference, t)
		if t, err = timed(b.Wirelab, "--help"); err != nil {
			return nil, err
		}
		ours = append(ours, t)
	}
	return []row{{What: "wirelab --help", Unit: "ms", Reference: "/bin/true", Base: median(reference), Value: median(ours), Bar: bar{Most: 30}}}, nil
}

// timed returns the milliseconds from starting a program to its end.
func timed(name string, args ...string) (float64, error) {
	cmd, log := command(name, args...)
	at := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%v: %w%s", exec.Command(name, args...).Args, err, log)
	}
	return float64(time.Since(at).Microseconds()) / 1000, nil
}
