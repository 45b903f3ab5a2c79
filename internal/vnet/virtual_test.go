package vnet_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"wirelab/internal/sim"
	"wirelab/internal/sim/wasip1"
)

// In virtual time a whole window leaves at one instant. Nothing of it is sent
// again but what was lost: as often as it was lost.
func TestVirtualTimeSendsOnlyLossesAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a guest")
	}
	wasm, err := wasip1.Build(t.Context(), "", "./testdata/burst")
	if err != nil {
		t.Fatal(err)
	}
	p, err := sim.Compile(t.Context(), wasm, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, tt := range []struct {
		up   string
		size int
		min  int // losses
	}{
		{"delay 20ms rate 100mbit", 1_000_000, 0},
		{"delay 20ms rate 10mbit drop data 5", 14_480, 1},
		{"delay 20ms rate 100mbit drop data 60", 500_000, 1},
		{"delay 20ms rate 100mbit loss 1%", 1_000_000, 3},
	} {
		var out bytes.Buffer
		_, err := p.Run(t.Context(), sim.Config{
			Seed: 1, Args: []string{tt.up, "delay 20ms", fmt.Sprint(tt.size)}, Stdout: &out, Limit: time.Hour,
		})
		if err != nil {
			t.Fatalf("%s: %v", tt.up, err)
		}
		var lost, resent int
		if _, err := fmt.Sscanf(out.String(), "lost %d resent %d", &lost, &resent); err != nil {
			t.Fatalf("%s: %q: %v", tt.up, out.String(), err)
		}
		if resent != lost || lost < tt.min {
			t.Errorf("%s: %d segments were lost and %d sent again; want as many, and %d at least", tt.up, lost, resent, tt.min)
		}
	}
}
