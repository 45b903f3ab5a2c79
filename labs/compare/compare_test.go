package compare

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

// open returns an engine with the guest of this tree. It is compiled once for
// all tests.
var open = sync.OnceValues(func() (*labs.Engine, error) {
	wasm, err := imagetest.Build()
	if err != nil {
		return nil, err
	}
	return labs.Open(context.Background(), wasm, sim.Options{})
})

func engine(t testing.TB) *Engine {
	t.Helper()
	l, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return NewEngine(l)
}

// options returns a small comparison.
func options(messages int, faults ...string) Options {
	o := Defaults()
	o.Messages, o.Faults = messages, faults
	return o
}

func compared(t *testing.T, o Options) *Matrix {
	t.Helper()
	m, err := engine(t).Compare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run returns the cell's only run.
func (m *Matrix) run(t *testing.T, fault string, tr scenario.Transport) Run {
	t.Helper()
	for _, row := range m.Rows {
		for _, c := range row.Cells {
			if c.Fault == fault && c.Transport == string(tr) {
				return c.Runs[0]
			}
		}
	}
	t.Fatalf("no cell %s, %s", fault, tr)
	return Run{}
}

// whole skips a test that plays many runs when the race detector is on: it does
// not see into the guest, and what is around it runs in the other tests, too.
func whole(t *testing.T) {
	if imagetest.Raced {
		t.Skip("many runs, of which the race detector sees nothing")
	}
}

// Two comparisons with one seed are the same, to the last bit; another seed is
// another workload.
func TestOneSeedIsOneResult(t *testing.T) {
	o := options(20, "loss-10", "server-killed-data")
	first, second := compared(t, o), compared(t, o)
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("the second time it differs:\n%s", d)
	}
	o.Seed = 2
	other := compared(t, o)
	if a, b := first.run(t, "loss-10", scenario.TCP), other.run(t, "loss-10", scenario.TCP); a.Events == b.Events || a.TextBytes == b.TextBytes {
		t.Errorf("seeds 1 and 2 give one and the same run")
	}
}

// No figure is a constant: another workload changes each cell as it must.
func TestWorkloadChangesEveryCell(t *testing.T) {
	whole(t)
	small, large := compared(t, options(20)), compared(t, options(40))
	for i, row := range small.Rows {
		for j := range row.Cells {
			a, b := row.Cells[j].Runs[0], large.Rows[i].Cells[j].Runs[0]
			where := row.Name + " over " + row.Cells[j].Transport
			if a.Sent != 20 || b.Sent != 40 {
				t.Errorf("%s: sent %d and %d, want 20 and 40", where, a.Sent, b.Sent)
			}
			if a.Delivered+a.Lost != a.Sent || b.Delivered+b.Lost != b.Sent {
				t.Errorf("%s: delivered and lost do not make up what was sent: %+v, %+v", where, a, b)
			}
			if a.WireBytes >= b.WireBytes {
				t.Errorf("%s: %d bytes on the wire for 20 messages, %d for 40: want more", where, a.WireBytes, b.WireBytes)
			}
			if b.Delivered > a.Delivered == (b.TextBytes <= a.TextBytes) {
				t.Errorf("%s: %d bytes of text of %d messages, %d of %d", where, a.TextBytes, a.Delivered, b.TextBytes, b.Delivered)
			}
			if a.Events == b.Events {
				t.Errorf("%s: the same events", where)
			}
		}
	}
	big := options(20, "none")
	big.Size = 400
	for _, tr := range scenario.Transports() {
		a, b := small.run(t, "none", tr), compared(t, big).run(t, "none", tr)
		if a.TextBytes >= b.TextBytes || a.WireBytes >= b.WireBytes {
			t.Errorf("%s: messages of 400 bytes: %d of text and %d on the wire, of 200: %d and %d", tr, b.TextBytes, b.WireBytes, a.TextBytes, a.WireBytes)
		}
		// 5 ms and 20 ms of propagation, and 0.8 µs for each byte on each link.
		least, most := 25*time.Millisecond+2*160*800*time.Nanosecond, 27*time.Millisecond
		if a.Latency.P50 < least || a.Latency.P50 > most {
			t.Errorf("%s: median latency %v without a fault, want %v to %v", tr, a.Latency.P50, least, most)
		}
		if d := b.Latency.P50 - a.Latency.P50; d < 250*time.Microsecond || d > 400*time.Microsecond {
			t.Errorf("%s: 200 bytes more take %v longer, want 0.8 µs a byte on each of two links, 320 µs", tr, d)
		}
	}
}

// Plain UDP loses what the link loses: with independent loss p, (1−p)·N arrive,
// with a standard deviation of √(N·p·(1−p)).
func TestUDPLosesWhatTheLinkLoses(t *testing.T) {
	whole(t)
	for _, p := range []float64{0.05, 0.2, 0.5} {
		o := options(400, "")
		o.Faults, o.Loss, o.Rate = nil, p, 40
		o.Transports = []scenario.Transport{scenario.UDP}
		o.Faults = []string{loss(p * 100).Name}
		r := compared(t, o).Rows[0].Cells[0].Runs[0]
		n := float64(r.Sent)
		if want, sigma := n*(1-p), math.Sqrt(n*p*(1-p)); math.Abs(float64(r.Delivered)-want) > 4*sigma {
			t.Errorf("loss %v: %d of %v delivered, want %v ± %.1f", p, r.Delivered, n, want, 4*sigma)
		}
	}
}

// The guarantees of delivery.md: what each transport must not do under any of
// the faults.
func TestGuarantees(t *testing.T) {
	whole(t)
	m := compared(t, options(30))
	for _, row := range m.Rows {
		for _, c := range row.Cells {
			r := c.Runs[0]
			where := row.Name + " over " + c.Transport
			tr := scenario.Transport(c.Transport)
			if r.Duplicates > 0 {
				t.Errorf("%s: %d messages were handed over twice: the chat drops duplicates on each transport", where, r.Duplicates)
			}
			if r.OutOfOrder > 0 && tr != scenario.UDP {
				t.Errorf("%s: %d out of order", where, r.OutOfOrder)
			}
			lossy := row.Name == "queue-overflow" || row.Name == "server-killed"
			if tr.Queue() && r.Lost > 0 && !lossy {
				t.Errorf("%s: %d lost", where, r.Lost)
			}
			if tr.Queue() && r.Guarantee().Unreported {
				t.Errorf("%s: of %d lost, %d were reported", where, r.Lost, r.Reported)
			}
		}
	}
	for _, tr := range scenario.Transports() {
		r := m.run(t, "queue-overflow", tr)
		if tr.Queue() && (r.Lost == 0 || !strings.Contains(reasons(r), "overflow")) {
			t.Errorf("queue-overflow over %s: lost %d, %s: want a reported overflow", tr, r.Lost, reasons(r))
		}
		if r := m.run(t, "partition-long", tr); !tr.Queue() && r.Lost == 0 {
			t.Errorf("partition-long over %s: nothing lost", tr)
		}
	}
	if r := m.run(t, "reordering", scenario.UDP); r.OutOfOrder == 0 {
		t.Error("reordering over udp: everything in order")
	}
}

func reasons(r Run) string {
	b, _ := json.Marshal(r.Why)
	return string(b)
}

// Sparing one lost packet of plain UDP delivers one message more, and nothing
// else changes for the others; the first difference is that packet.
func TestWhatIfSparesOnePacket(t *testing.T) {
	whole(t)
	o := options(40, "loss-30")
	o.Transports = []scenario.Transport{scenario.UDP}
	spared := 0
	for n := 5; n < 15; n++ {
		w, err := engine(t).WhatIf(t.Context(), o, "spare data "+string(rune('0'+n/10))+string(rune('0'+n%10)))
		if err != nil {
			t.Fatal(err)
		}
		c := w.Changes[0]
		if !c.Differ {
			if c.Before.Events != c.After.Events {
				t.Errorf("data %d: no difference, and other events", n)
			}
			continue
		}
		if !strings.HasSuffix(c.Was, "from the server to bo: lost: random") || !strings.Contains(c.Is, "to bo: spared") {
			t.Errorf("data %d: first difference: was %q, is %q: want a packet that was lost and is spared", n, c.Was, c.Is)
		}
		if c.After.Delivered < c.Before.Delivered || c.After.Delivered > c.Before.Delivered+1 {
			t.Errorf("data %d: %d delivered, before %d", n, c.After.Delivered, c.Before.Delivered)
		}
		spared++
	}
	if spared == 0 {
		t.Error("none of ten packets was lost at 30 %")
	}
}

// A message that the link loses has a story in which that is said, on UDP as the
// end, on TCP before it is sent again.
func TestExplain(t *testing.T) {
	whole(t)
	o := options(30, "loss-30")
	o.Transports = []scenario.Transport{scenario.UDP, scenario.TCPQueue}
	lost := 0
	for n := 1; n <= 6; n++ {
		x, err := engine(t).Explain(t.Context(), o, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range x.Stories {
			handed, gone, told := 0, 0, map[string]bool{}
			for _, l := range s.Lines {
				if l.Where == receiver && strings.HasPrefix(l.What, "handed") {
					handed++
				}
				if l.Where == "link" && strings.Contains(l.What, "to bo: lost: random") {
					gone++
				}
				if strings.HasPrefix(l.What, "the ledger says") && told[l.What] {
					t.Errorf("message %d over %s: twice: %s", n, s.Transport, l.What)
				}
				told[l.What] = true
			}
			if want := map[bool]string{true: "delivered once", false: "lost"}[handed == 1]; s.Outcome != want || handed > 1 {
				t.Errorf("message %d over %s: %q, and handed over %d times", n, s.Transport, s.Outcome, handed)
			}
			if i == 0 && (handed == 0) != (gone > 0) {
				t.Errorf("message %d over udp: handed over %d times, and lost %d times on the link", n, handed, gone)
			}
			if i == 1 && handed != 1 {
				t.Errorf("message %d over tcp+queue was not delivered", n)
			}
			lost += gone
		}
	}
	if lost == 0 {
		t.Error("no packet of six messages was lost at 30 %")
	}
	if _, err := engine(t).Explain(t.Context(), o, 31); err == nil || !strings.Contains(err.Error(), "message 31: want 1 to 30") {
		t.Errorf("Explain of message 31 = %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	tests := []struct {
		name string
		turn func(*Options)
		want []string
	}{
		{"loss", func(o *Options) { o.Loss = 1.2 }, []string{"120", "100%"}},
		{"messages", func(o *Options) { o.Messages = 0 }, []string{"messages 0", "1 to"}},
		{"rate", func(o *Options) { o.Rate = math.NaN() }, []string{"NaN", "more than 0"}},
		{"long", func(o *Options) { o.Rate = 0.001 }, []string{"25000 s", "3600"}},
		{"size", func(o *Options) { o.Size = 7 }, []string{"size 7", "40 to 4096"}},
		{"runs", func(o *Options) { o.Runs = 0 }, []string{"runs 0", "1 to 1000"}},
		{"fault", func(o *Options) { o.Faults = []string{"flood"} }, []string{`"flood"`, "none, loss-1"}},
		{"transport", func(o *Options) { o.Transports = []scenario.Transport{"sctp"} }, []string{`"sctp"`, "tcp+queue"}},
		{"speed", func(o *Options) { o.Speed = -1 }, []string{"-1"}},
	}
	for _, tt := range tests {
		o := Defaults()
		tt.turn(&o)
		err := o.Validate()
		if err == nil {
			t.Errorf("%s: Validate() = nil, want an error", tt.name)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: Validate() = %q, want %q in it", tt.name, err, w)
			}
		}
	}
}
