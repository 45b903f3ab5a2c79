// Guest is the program that runs inside: it reads a scenario, plays it with the
// real chat over emulated hosts and links, and writes what happened as a trace.
// It knows no virtual time: it sleeps and asks for the time as any program does.
// Compiled for WebAssembly and run by package sim, minutes pass in no time and
// one seed gives the same bytes everywhere; started by itself it runs in real
// time.
package main

import (
	"fmt"
	"io"
	"os"

	"wirelab/labs/scenario"
)

func main() { os.Exit(run(os.Stdin, os.Stdout, os.Stderr)) }

// run plays the scenario that it reads from in. It returns 2 if the scenario
// makes no sense, 1 if it could not be played.
func run(in io.Reader, out, errs io.Writer) int {
	s, err := scenario.Read(in)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	w, err := newWorld(s, out)
	if err == nil {
		err = w.play()
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}
