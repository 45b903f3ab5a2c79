package compare

import (
	"fmt"
	"math"
	"slices"

	"wirelab/labs/scenario"
)

// Options say what to compare. Zero fields have no default here: start from
// Defaults.
type Options struct {
	Seed     uint64
	Runs     int     // for each cell, with seeds from Seed on
	Messages int     // that the sender says
	Rate     float64 // of them per second, on average
	Size     int     // bytes of text in each, about

	Faults     []string             // names; empty: all
	Transports []scenario.Transport // empty: all
	Loss       float64              // one row of so much loss, in [0, 1], instead of the three; negative: the three

	PcapDir  string                             // a folder for the captures; empty: none
	Speed    float64                            // of the virtual time against the real one; 0: as fast as it goes
	Workers  int                                // runs at a time; if zero, one for each CPU
	Progress func(done, total int, what string) // called from one goroutine at a time; may be nil
}

// Defaults returns what `wirelab compare` does when nothing is said.
func Defaults() Options {
	return Options{Seed: 1, Runs: 1, Messages: 25, Rate: 10, Size: 200, Loss: -1}
}

// Bounds of Options: a run stays within minutes.
const (
	MaxRuns = 1000
	MaxLoad = 3600 // seconds that a workload may take
)

// Validate reports what makes no sense, with the value and what would.
func (o *Options) Validate() error {
	switch {
	case o.Runs < 1 || o.Runs > MaxRuns:
		return fmt.Errorf("runs %d: want 1 to %d", o.Runs, MaxRuns)
	case o.Messages < 1 || o.Messages > scenario.MaxMessages:
		return fmt.Errorf("messages %d: want 1 to %d", o.Messages, scenario.MaxMessages)
	case !(o.Rate > 0) || o.Rate > scenario.MaxRate:
		return fmt.Errorf("rate %v: want more than 0 and at most %d messages per second", o.Rate, scenario.MaxRate)
	case float64(o.Messages)/o.Rate > MaxLoad:
		return fmt.Errorf("%d messages at %v per second take %.0f s: want at most %d s", o.Messages, o.Rate, float64(o.Messages)/o.Rate, MaxLoad)
	case o.Size < scenario.MinSize || o.Size > scenario.MaxSize:
		return fmt.Errorf("size %d: want %d to %d bytes", o.Size, scenario.MinSize, scenario.MaxSize)
	case math.IsNaN(o.Loss) || o.Loss > 1:
		return fmt.Errorf("loss %v%%: want 0%% to 100%%", o.Loss*100)
	case math.IsNaN(o.Speed) || o.Speed < 0 || o.Speed > 1e6:
		return fmt.Errorf("speed %v: want 0 (as fast as it goes) or the factor against real time, such as 1", o.Speed)
	case o.Workers < 0:
		return fmt.Errorf("%d runs at a time: want 0 (one for each CPU) or more", o.Workers)
	}
	for _, t := range o.Transports {
		if !slices.Contains(scenario.Transports(), t) {
			return fmt.Errorf("transport %q: unknown, want one of %s", t, scenario.Transports())
		}
	}
	_, err := o.faults()
	return err
}

// transports returns the columns that o asks for, in the order of all.
func (o *Options) transports() []scenario.Transport {
	if len(o.Transports) == 0 {
		return scenario.Transports()
	}
	var some []scenario.Transport
	for _, t := range scenario.Transports() {
		if slices.Contains(o.Transports, t) {
			some = append(some, t)
		}
	}
	return some
}
