package measure

import (
	"context"

	"wirelab/labs"
	"wirelab/labs/scenario"
)

// Play plays s and returns what it told. It turns on in a copy of s what
// measuring needs: packets.
func Play(ctx context.Context, e *labs.Engine, s *scenario.Scenario) (*Run, error) {
	return nil, nil
}

// Read builds a run from what an earlier one left: its events as JSON lines and
// its capture.
func Read(s *scenario.Scenario, lines, capture []byte) (*Run, error) {
	return nil, nil
}
