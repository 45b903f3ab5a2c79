package verify

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/catalogue"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/sheet"
)

func TestMain(m *testing.M) { leak.Main(m) }

func engine(t testing.TB) *labs.Engine {
	t.Helper()
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	e, err := labs.Open(context.Background(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// Every lab to observe is sound: its figures are where the formulas put them, for
// twenty learners and at both ends of its knob.
func TestCatalogue(t *testing.T) {
	e := engine(t)
	all, err := catalogue.All()
	if err != nil {
		t.Fatal(err)
	}
	var sheets []*sheet.Sheet
	for _, s := range all {
		if s.Kind == sheet.Observe {
			sheets = append(sheets, s)
		}
	}
	variants := DefaultVariants
	if testing.Short() {
		variants = 3
	}
	begin := time.Now()
	reports, err := Sheets(t.Context(), e, sheets, Options{Variants: variants})
	if err != nil {
		t.Fatal(err)
	}
	figures := 0
	for _, r := range reports {
		for _, p := range r.Problems {
			t.Errorf("%s.txtar:%d: %v", r.Lab, p.Line, p)
		}
		figures += r.Figures
		t.Logf("%-20s %d figures, slowest run %v, virtual time %v", r.Lab, r.Figures, r.Slowest.Round(time.Millisecond), r.Virtual.Round(time.Second))
	}
	t.Logf("%d labs, %d figures in %v", len(reports), figures, time.Since(begin).Round(time.Second))
}

// What is wrong with a lab is found, whatever it is: each change makes a sound
// lab unsound in one way.
func TestUnsound(t *testing.T) {
	e := engine(t)
	b, err := os.ReadFile("../catalogue/handshake.txtar")
	if err != nil {
		t.Fatal(err)
	}
	sound := string(b)
	tests := []struct {
		name, old, new string
		want           string // of a problem
	}{
		{"sound", "", "", ""},
		{"out by a factor of two", "unit: ms\nanswer: rtt\n", "unit: ms\nanswer: 2*rtt\n", "step connect: theory says"},
		{"out by a round trip", "answer: 2*rtt\n", "answer: 3*rtt\n", "step answer: theory says"},
		{"a tolerance that takes half of it", "answer: 2*rtt\n", "answer: 2*rtt\ntolerance: 60%\n", "its tolerance is too wide"},
		{"a spread that refutes nothing", "answer: 2*rtt\n", "answer: 2*rtt\nspread: 2*rtt\n", "does not refute theory"},
		{"a wrong answer that is right", "wrong: rtt/2 |", "wrong: rtt |", "passes"},
		{"two wrong answers that are one", "wrong: 1.5*rtt | Then ana's", "wrong: rtt/2 | Then ana's", "meets another explanation"},
		{"a check that is not true", "check: count(packets, .rst) == 0", "check: count(packets, .rst) > 0", "is not true of the run"},
		{"no hint", "hint: Which of the three segments is the last one that ana has to wait for?\nhint: The SYN goes there, the SYN-ACK comes back.\n", "", ""},
		{"a text that cannot be filled in", "source: RFC 9293, section 3.4\n", "source: RFC 9293, section 3.4\nhint: {packets[99].t | ms}\n", "cannot be filled in"},
		{"a figure of nothing", `measured: first(did("ana", "answered")).t`, `measured: first(did("ana", "sang")).t`, "cannot be measured"},
		{"everybody has the same", "rtt   = pick 20ms 30ms 40ms 60ms 80ms 100ms 120ms\nsize  = range 100B 900B 50B\nk     = pick 3 4\nlimit = pick 10s 12s 16s 20s 25s",
			"rtt   = 20ms\nsize  = 100B\nk     = 3\nlimit = 10s", "every learner has the same answers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(sound, tt.old, tt.new, 1)
			if text == sound && tt.old != "" {
				t.Fatalf("the handshake has no %q any more: mend the test", tt.old)
			}
			s, err := sheet.Parse("handshake", []byte(text))
			if err != nil {
				if tt.want == "" && tt.name != "sound" {
					return // refused when it was read
				}
				t.Fatal(err)
			}
			reports, err := Sheets(t.Context(), e, []*sheet.Sheet{s}, Options{Variants: 2})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, p := range reports[0].Problems {
				all = append(all, p.String())
			}
			said := strings.Join(all, "\n")
			if tt.name == "sound" {
				if said != "" {
					t.Errorf("a sound lab is not: %s", said)
				}
				if reports[0].Figures == 0 {
					t.Error("no figure was compared")
				}
				return
			}
			if said == "" || !strings.Contains(said, tt.want) {
				t.Errorf("found %q, want %q", said, tt.want)
			}
		})
	}
}

// Sheets ends soon when its context does, and says why.
func TestCancelled(t *testing.T) {
	e := engine(t)
	s, err := catalogue.Find("handshake")
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = Sheets(ctx, e, []*sheet.Sheet{s}, Options{Variants: 50, Progress: func(done, _ int) {
		if done == 2 {
			cancel(why)
		}
	}})
	if !errors.Is(err, why) {
		t.Errorf("Sheets(cancelled) = %v, want %v", err, why)
	}
}
