package measure

import (
	"bytes"
	"context"
	"crypto/sha256"

	"wirelab/internal/trace"
	"wirelab/labs"
	"wirelab/labs/scenario"
)

// Play plays s and returns what it told. It has the packets recorded, whatever s
// says.
func Play(ctx context.Context, e *labs.Engine, s *scenario.Scenario) (*Run, error) {
	return PlayAt(ctx, e, s, 0, nil)
}

// PlayAt is Play at a speed of the virtual time against the real one; 0 is as
// fast as it goes. show, which may be nil, is called with each event as it
// happens.
func PlayAt(ctx context.Context, e *labs.Engine, s *scenario.Scenario, speed float64, show func(*scenario.Event) error) (*Run, error) {
	whole := *s
	whole.Packets = true
	r := &Run{Scenario: &whole}
	var lines, capture bytes.Buffer
	res, err := e.Play(ctx, &whole, labs.Output{
		Events: &lines, Packets: &capture, Speed: speed,
		Event: func(ev *scenario.Event) error {
			r.add(ev)
			if show != nil {
				return show(ev)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	r.Lines, r.Capture = lines.Bytes(), capture.Bytes()
	r.Virtual, r.Sums = res.Virtual, res.Sums
	return r, r.finish()
}

// sum computes the sums of what was read.
func (r *Run) sum() {
	r.Sums = trace.Sums{Events: sha256.Sum256(r.Lines), Packets: sha256.Sum256(r.Capture)}
}
