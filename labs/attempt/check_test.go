package attempt

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wirelab/labs/measure"
)

// The check holds theory against the run by the spread, and the learner against
// theory by the tolerance: neither stands for the other.
func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		late   float64 // seconds
		answer string
		agrees bool
		status Status
	}{
		{"both", 0.002, "40 ms", true, Right},
		{"the run is too far off", 0.004, "40 ms", false, Right},
		{"who says what the run gave by chance is wrong", 0.002, "42 ms", true, Wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			s := lab(t, asked)
			a := New(s, Learner{}, nil, c.now())
			_, err := a.AnswerStep(s.Step("rtt"), tt.answer, c.now())
			must(t, err)
			a.SkipStep(s.Step("sends"), c.now())
			must(t, a.Played(played(a.Variant, tt.late), c.now()))
			got := a.Checks()[0]
			if got.Agrees != tt.agrees || got.Status != tt.status || got.Given != tt.answer {
				t.Errorf("agrees %v, status %s, given %q", got.Agrees, got.Status, got.Given)
			}
			if got.Expected.String() != "40 ms" || got.Tolerance != "2 %" || got.Spread != "3 ms" {
				t.Errorf("expected %s, tolerance %s, spread %s", got.Expected, got.Tolerance, got.Spread)
			}
			if n := len(a.Checks()); n != 5 { // two predictions, a question, two blanks
				t.Errorf("%d lines, want 5", n)
			}
		})
	}
}

func TestTheKnob(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{}, nil, c.now())
	a.SkipStep(s.Step("rtt"), c.now())
	a.SkipStep(s.Step("sends"), c.now())
	must(t, a.Played(played(a.Variant, 0), c.now()))
	for _, input := range []string{"", "x", "0.5 ms", "201 ms", "5 bytes", "-1 ms", "NaN ms"} {
		_, err := a.Turn(input)
		if bad := (*measure.Unreadable)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "200 ms") {
			t.Errorf("Turn(%q) = %v, want an *Unreadable that says what there is", input, err)
		}
	}
	for _, tt := range []struct{ input, text, rtt string }{{"1 ms", "1 ms", "2 ms"}, {"0.2 s", "200 ms", "400 ms"}} {
		v, err := a.Turn(tt.input)
		must(t, err)
		turn, err := a.Turned(v, played(v, 0), c.now())
		must(t, err)
		want := []Pair{{"rtt", tt.rtt, tt.rtt, true}, {"sends", "4 packets", "4 packets", true}}
		if diff := cmp.Diff(want, turn.Pairs); diff != "" || turn.Text != tt.text {
			t.Errorf("turned to %s: %s, (-want +got):\n%s", tt.input, turn.Text, diff)
		}
	}
	if n := len(a.Record().Turns); n != 2 {
		t.Errorf("%d turns are noted, want 2", n)
	}
	if diff := cmp.Diff([]Pair{{"rtt", "40 ms", "40 ms", true}, {"sends", "4 packets", "4 packets", true}}, a.Before()); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
}
