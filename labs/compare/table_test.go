package compare

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/lipgloss"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"wirelab/internal/style"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-update rewrites it) differs:\n%s", path, d)
	}
}

// sample makes up a comparison as a run of the engine might give it: a model of
// it by hand, so that the tests of what is shown need no engine.
func sample(runs int) *Matrix {
	m := &Matrix{
		Version: "1", Seed: 7, Runs: runs, Messages: 100, Rate: 10, Size: 200, Link: "delay 20ms",
		Transports: []string{"udp", "udp+arq", "tcp", "udp+queue", "tcp+queue"},
	}
	for i, f := range Faults() {
		row := Row{Name: f.Name, Title: f.Title}
		for j, t := range m.Transports {
			c := Cell{Fault: f.Name, Transport: t}
			for n := range runs {
				r := rand.New(rand.NewPCG(uint64(n), uint64(i*8+j)))
				c.Runs = append(c.Runs, sampleRun(r, 7+uint64(n), f.Name, t))
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func sampleRun(r *rand.Rand, seed uint64, fault, transport string) Run {
	const n = 100
	run := Run{Seed: seed, Sent: n, Delivered: n, Virtual: 12 * time.Second, Events: strings.Repeat("e", 64)}
	lose := func(part float64, why string) {
		k := int(part*n) + r.IntN(5)
		run.Delivered = max(0, n-k)
		run.Why = append(run.Why, Reason{why, k})
	}
	slow := 1.0
	queue := strings.HasSuffix(transport, "queue")
	switch {
	case strings.HasPrefix(fault, "loss-"):
		var p float64
		fmt.Sscanf(fault, "loss-%g", &p)
		if transport == "udp" {
			lose(p/100, "link: random loss")
		} else {
			slow = 1 + p
			run.Retransmissions = int(3*p) + r.IntN(9)
		}
	case fault == "bursts" && transport == "udp":
		lose(0.1, "link: loss in a burst")
	case fault == "reordering" && transport == "udp":
		run.OutOfOrder = 18 + r.IntN(5)
	case fault == "duplication":
		run.Retransmissions = r.IntN(3)
	case fault == "corruption" && transport == "udp":
		lose(0.05, "host: wrong checksum")
	case strings.HasPrefix(fault, "partition") || strings.HasSuffix(fault, "-killed"):
		if queue && fault != "server-killed" {
			slow = 300
			run.Retransmissions = 20 + r.IntN(5)
		} else if transport == "tcp" && fault == "partition-short" {
			slow = 80
			run.Retransmissions = 6
		} else {
			lose(0.3, "link: down")
		}
	case fault == "queue-overflow":
		lose(0.6, "link: down")
		if queue {
			run.Reported = n - run.Delivered
			run.Why = append(run.Why, Reason{"receiver was told: overflow", run.Reported})
		}
	case fault == "slow-reader":
		slow = 900
		if transport == "udp" {
			lose(1, "host: the socket's buffer is full")
			run.Delivered = 0
		}
	}
	run.Lost = run.Sent - run.Delivered
	if run.Delivered > 0 {
		base := 25*time.Millisecond + time.Duration(r.IntN(900))*time.Microsecond
		run.Latency = Latency{P50: base, P99: time.Duration(float64(base) * slow), Max: time.Duration(float64(base) * slow * 1.3)}
		run.TextBytes = int64(200 * run.Delivered)
		run.WireBytes = run.TextBytes*3/2 + int64(run.Retransmissions*300) + int64(r.IntN(900))
	} else {
		run.WireBytes = 21000
	}
	return run
}

// only returns the matrix with one of its rows.
func (m *Matrix) only(fault string) *Matrix {
	some := *m
	some.Rows = nil
	for _, row := range m.Rows {
		if row.Name == fault {
			some.Rows = append(some.Rows, row)
		}
	}
	return &some
}

func TestTableGolden(t *testing.T) {
	p99, _ := FindMetric("latency_p99")
	for _, tt := range []struct {
		name string
		m    *Matrix
		v    View
	}{
		{"overview.80.txt", sample(1), View{Width: 80, Command: "wirelab compare --seed 7"}},
		{"overview.120.txt", sample(1), View{Width: 120, Command: "wirelab compare --seed 7"}},
		{"overview.200.txt", sample(1), View{Width: 200, Command: "wirelab compare --seed 7"}},
		{"runs.80.txt", sample(5), View{Width: 80, Command: "wirelab compare --seed 7 --runs 5"}},
		{"runs.120.txt", sample(5), View{Width: 120, Command: "wirelab compare --seed 7 --runs 5"}},
		{"runs.200.txt", sample(5), View{Width: 200, Command: "wirelab compare --seed 7 --runs 5"}},
		{"metric.80.txt", sample(1), View{Width: 80, Metrics: []Metric{p99}, Command: "wirelab compare --seed 7 --metric latency_p99"}},
		{"fault.80.txt", sample(1).only("queue-overflow"), View{Width: 80, Command: "wirelab compare --seed 7 --fault queue-overflow"}},
		{"fault.120.txt", sample(1).only("queue-overflow"), View{Width: 120, Command: "wirelab compare --seed 7 --fault queue-overflow"}},
		{"fault-runs.80.txt", sample(5).only("loss-30"), View{Width: 80, Command: "wirelab compare --seed 7 --runs 5 --fault loss-30"}},
	} {
		golden(t, tt.name, tt.m.Table(tt.v))
	}
}

// hostile are names as they could come from anywhere.
var hostile = []string{
	"", "a", "udp", strings.Repeat("long-", 60), "\x1b[2J\x1b]0;title\a", "two\nlines\r\n", "\u202egnol", "日本語のとても長い名前です。どこまでも続く",
	"e\u0301\u0301\u0301", "👩‍🚀👩‍🚀👩‍🚀👩‍🚀", "tab\tbed", "\xff\xfe", "%s%d", "<script>alert(1)</script>", "=1+1", "a,b;c\"d'", strings.Repeat("x ", 100),
}

// randomMatrix has names, sizes and figures of every kind.
func randomMatrix(r *rand.Rand) *Matrix {
	word := func() string { return hostile[r.IntN(len(hostile))] }
	count := func() int { return []int{0, 1, 7, 100, 99_999, 1 << 40}[r.IntN(6)] }
	delay := func() time.Duration { return time.Duration(r.Int64N(int64(1) << r.IntN(50))) }
	m := &Matrix{Version: "1", Seed: r.Uint64(), Runs: 1 + r.IntN(4), Messages: count(), Rate: r.Float64() * 1e4, Size: count(), Link: word()}
	for range r.IntN(9) {
		m.Transports = append(m.Transports, fmt.Sprint(word(), len(m.Transports)))
	}
	for range r.IntN(6) {
		row := Row{Name: word(), Title: word()}
		for _, t := range m.Transports {
			c := Cell{Fault: row.Name, Transport: t}
			for range r.IntN(m.Runs + 1) {
				run := Run{
					Seed: r.Uint64(), Sent: count(), Delivered: count(), Lost: count(), Reported: count(), Refused: count(),
					Duplicates: count(), OutOfOrder: count(), Latency: Latency{delay(), delay(), delay()},
					WireBytes: int64(count()), TextBytes: int64(count()), Retransmissions: count(), Virtual: delay(),
				}
				for range r.IntN(3) {
					run.Why = append(run.Why, Reason{word(), count()})
				}
				c.Runs = append(c.Runs, run)
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// coloured returns a palette that does use colours.
func coloured() *style.Palette {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.TrueColor)
	return style.PaletteOf(r)
}

// Nothing is ever wider than the terminal, with whatever names and figures,
// and nothing but the colours moves its cursor.
func TestTableFitsTheWidth(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	check := func(m *Matrix, width int, p *style.Palette) {
		t.Helper()
		v := View{Width: width, Palette: p, Command: "wirelab compare " + hostile[r.IntN(len(hostile))]}
		if r.IntN(3) == 0 {
			v.Metrics = Metrics()[r.IntN(4):][:1+r.IntN(8)]
		}
		text := m.Table(v)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if got := lipgloss.Width(line); got > width {
				t.Fatalf("seed %d: a line of %d columns at width %d:\n%s", seed, got, width, text)
			}
			for _, c := range line {
				if !unicode.IsGraphic(c) && (c != '\x1b' || p == nil) {
					t.Fatalf("seed %d: %U in %q", seed, c, line)
				}
			}
		}
	}
	for range 100 {
		m := randomMatrix(r)
		for _, width := range []int{20, 40, 80, 100, 120, 200} {
			check(m, width, nil)
		}
		check(m, 80, coloured())
	}
	for _, runs := range []int{1, 5} {
		for width := 20; width < 260; width += 11 {
			check(sample(runs), width, nil)
			check(sample(runs).only("loss-10"), width, nil)
		}
	}
}

// From 80 columns on nothing of a usual comparison is cut off.
func TestTableCutsNothing(t *testing.T) {
	for _, runs := range []int{1, 5} {
		for _, width := range []int{80, 100, 120, 160, 200} {
			for _, m := range []*Matrix{sample(runs), sample(runs).only("loss-10")} {
				if text := m.Table(View{Width: width}); strings.Contains(text, "…") {
					t.Errorf("something is cut off at width %d:\n%s", width, text)
				}
			}
		}
	}
}

// On a low terminal the blank lines go, and the default comparison fits below
// its column heads, with the prompt.
func TestTableFitsTheHeight(t *testing.T) {
	v := View{Width: 80, Height: 24, Command: "wirelab compare --seed 7"}
	lines := strings.Split(sample(1).Table(v), "\n")
	i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "fault ") })
	if rest := len(lines) - i; i < 0 || rest > v.Height {
		t.Errorf("%d lines from the heads to the prompt, want at most %d:\n%s", rest, v.Height, strings.Join(lines, "\n"))
	}
	v.Height = 50
	if high := sample(1).Table(v); !strings.Contains(high, "\n\n") {
		t.Errorf("no blank line though there is room:\n%s", high)
	}
}

func ExampleMatrix_Table() {
	m := &Matrix{Seed: 1, Runs: 1, Messages: 10, Rate: 5, Size: 200, Transports: []string{"udp", "tcp+queue"}, Rows: []Row{
		{Name: "none", Title: "nothing goes wrong", Cells: []Cell{
			{Fault: "none", Transport: "udp", Runs: []Run{{Seed: 1, Sent: 10, Delivered: 10}}},
			{Fault: "none", Transport: "tcp+queue", Runs: []Run{{Seed: 1, Sent: 10, Delivered: 10}}},
		}},
		{Name: "partition-long", Title: "no packet passes for 60 s", Cells: []Cell{
			{Fault: "partition-long", Transport: "udp", Runs: []Run{{Seed: 1, Sent: 10, Delivered: 4, Lost: 6}}},
			{Fault: "partition-long", Transport: "tcp+queue", Runs: []Run{{Seed: 1, Sent: 10, Delivered: 10}}},
		}},
	}}
	fmt.Print(m.Table(View{Width: 40, Command: "wirelab compare --seed 1"}))
	// Output:
	// delivered/sent of 10 messages of about
	// 200 bytes, 5/s; seed 1
	//
	// fault           udp        tcp+queue
	// ────────────────────────────────────
	// none            ✓ 10/10    ✓ 10/10
	// partition-long  ✗  4/10    ✓ 10/10
	//
	// ✓ effectively once, in order: each was
	//   delivered once, in the order of
	//   sending
	// ✗ at most once, silent loss: some are
	//   missing, and nobody was told
	// What the runs showed, no promise.
	// again: wirelab compare --seed 1
}

// Without colour everything is still there: the signs and words are the same.
func TestColourSaysNothingByItself(t *testing.T) {
	for _, m := range []*Matrix{sample(1), sample(3), sample(1).only("queue-overflow")} {
		v := View{Width: 120}
		plain := m.Table(v)
		v.Palette = coloured()
		colour := m.Table(v)
		if colour == plain {
			t.Fatal("no colour on a terminal with colours")
		}
		if got := stripped(colour); got != plain {
			t.Errorf("without its colours the table is another one:\n%s", cmp.Diff(plain, got))
		}
	}
}

// stripped returns s without SGR sequences.
func stripped(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}
