package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirelab/internal/sim"
	"wirelab/labs/compare"
	"wirelab/labs/image"
	"wirelab/labs/image/imagetest"
)

// A stage plays no scenario: it says what it was asked, and gives figures that
// follow from that.
type stage struct {
	asked  compare.Options
	n      int
	rule   string
	during func(ctx context.Context, o compare.Options) error
	closed bool
}

func (s *stage) work(ctx context.Context, o compare.Options) error {
	s.asked = o
	if s.during != nil {
		return s.during(ctx, o)
	}
	return nil
}

func (s *stage) Compare(ctx context.Context, o compare.Options) (*compare.Matrix, error) {
	m := &compare.Matrix{Version: "1", Seed: o.Seed, Runs: o.Runs, Messages: o.Messages, Rate: o.Rate, Size: o.Size, Transports: []string{"udp", "tcp"}}
	for _, name := range []string{"none", "loss-10"} {
		row := compare.Row{Name: name, Title: "what " + name + " does"}
		for _, t := range m.Transports {
			c := compare.Cell{Fault: name, Transport: t}
			for n := range o.Runs {
				c.Runs = append(c.Runs, compare.Run{Seed: o.Seed + uint64(n), Sent: o.Messages, Delivered: o.Messages - 1, Lost: 1})
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	return m, s.work(ctx, o)
}

func (s *stage) Explain(ctx context.Context, o compare.Options, n int) (*compare.Explanation, error) {
	s.n = n
	return &compare.Explanation{Fault: o.Faults[0], Seed: o.Seed, Message: n, Stories: []compare.Story{{Transport: "udp", Outcome: "lost"}}}, s.work(ctx, o)
}

func (s *stage) WhatIf(ctx context.Context, o compare.Options, rule string) (*compare.WhatIf, error) {
	s.rule = rule
	return &compare.WhatIf{Rule: rule, Fault: o.Faults[0], Seed: o.Seed, Changes: []compare.Change{{Transport: "udp"}}}, s.work(ctx, o)
}

func (s *stage) Close() error {
	s.closed = true
	return nil
}

// compared runs a command line with this stage.
func (s *stage) compared(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	return compareWith(ctx, func(context.Context, *progress) (comparer, error) { return s, nil }, args...)
}

func compareWith(ctx context.Context, open func(context.Context, *progress) (comparer, error), args ...string) (code int, stdout, stderr string) {
	var out, errw bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errw}
	root := a.root()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "compare" {
			root.RemoveCommand(cmd)
		}
	}
	root.AddCommand(a.compareWith(open))
	root.SetArgs(append([]string{"compare"}, args...))
	root.SetOut(&out)
	root.SetErr(&errw)
	err := root.ExecuteContext(ctx)
	var f *failure
	switch {
	case err == nil:
	case errors.Is(err, errInterrupted):
		code = exitInterrupted
	case errors.As(err, &f):
		a.complain(f.err, f.hint)
		code = f.code
	default:
		a.complain(err, "")
		code = exitNo
		if !a.began {
			code = exitUsage
		}
	}
	return code, out.String(), errw.String()
}

// What makes no sense is refused before an engine is even opened, with the
// value and what would be right.
func TestCompareRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"--loss 120%", []string{`--loss "120%"`, "0% to 100%"}},
		{"--loss -1%", []string{`--loss "-1%"`, "0% to 100%"}},
		{"--loss much", []string{`--loss "much"`, "12%"}},
		{"--loss NaN%", []string{"NaN", "12%"}},
		{"--loss=gemodel 1%", []string{"gemodel", "12%"}},
		{"--fault flood", []string{`"flood"`, "loss-10", "--list"}},
		{"--transport sctp", []string{`"sctp"`, "tcp+queue"}},
		{"--metric speed", []string{`--metric "speed"`, "latency_p99"}},
		{"--messages 0", []string{"messages 0", "1 to"}},
		{"--messages many", []string{"many", "--messages"}},
		{"--rate 0", []string{"rate 0", "more than 0"}},
		{"--rate 0.001", []string{"25000 s", "3600"}},
		{"--size 3", []string{"size 3", "40"}},
		{"--runs 0", []string{"runs 0", "1 to 1000"}},
		{"--seed -1", []string{"-1", "--seed"}},
		{"--speed -2", []string{"speed -2", "0"}},
		{"--json --csv", []string{"--json and --csv"}},
		{"--json --metric lost", []string{"--metric"}},
		{"--explain 17", []string{"--explain 17", "--fault loss-10"}},
		{"--explain 17 --fault none --fault loss-1", []string{"--explain 17", "not 2"}},
		{"--explain 101 --fault none", []string{"--explain 101", "1 to 25"}},
		{"--explain -1 --fault none", []string{"--explain -1", "1 to 25"}},
		{"--explain 1 --fault none --csv", []string{"--explain 1", "--csv"}},
		{"--explain 1 --fault none --runs 2", []string{"--explain 1", "--runs"}},
		{"--explain 1 --fault none --html x.html", []string{"--explain 1", "--html"}},
		{"--what-if=spare data 7", []string{`--what-if "spare data 7"`, "--fault loss-10"}},
		{"--what-if=eat data 7 --fault none", []string{"eat data 7", "spare data 7"}},
		{"--what-if=down 2s..3s --fault none", []string{"down 2s..3s", "spare data 7"}},
		{"--what-if=spare data 7 --explain 1 --fault none", []string{"--explain and --what-if"}},
		{"--html " + t.TempDir(), []string{"--html", "than a file"}},
		{"--html " + file + "/x.html", []string{"--html", "x.html"}},
		{"--pcap " + file, []string{"--pcap", "folder"}},
		{"nonsense", []string{"nonsense"}},
	} {
		var args []string
		for _, word := range strings.Split(" "+tt.args, " --") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			switch name, value, found := strings.Cut(word, "="); {
			case found:
				args = append(args, "--"+name, value)
			case word == "nonsense":
				args = append(args, word)
			default:
				name, value, found := strings.Cut(word, " ")
				if args = append(args, "--"+name); found {
					args = append(args, value)
				}
			}
		}
		opened := false
		code, out, errw := compareWith(t.Context(), func(context.Context, *progress) (comparer, error) {
			opened = true
			return &stage{}, nil
		}, args...)
		if code != exitUsage || out != "" || opened {
			t.Errorf("compare %s: exit %d, stdout %q, ran: %v, want exit 2 and nothing else", tt.args, code, out, opened)
		}
		for _, want := range tt.want {
			if !strings.Contains(errw, want) {
				t.Errorf("compare %s says %q, want %q in it", tt.args, errw, want)
			}
		}
		if !strings.HasPrefix(errw, "wirelab: ") || strings.Count(errw, "\n") > 2 {
			t.Errorf("compare %s says %q, want one line and a hint", tt.args, errw)
		}
	}
}

// The flags reach the engine as they are.
func TestCompareAsks(t *testing.T) {
	s := &stage{}
	code, out, errw := s.compared(t.Context(), "--loss", "12%", "--fault", "none,loss-12", "--transport", "tcp", "--transport", "udp",
		"--messages", "50", "--rate", "5", "--size", "80", "--seed", "9", "--runs", "3", "--speed", "2")
	if code != exitOK { // errw may have progress: the machine may be slow
		t.Fatalf("exit %d, %s", code, errw)
	}
	o := s.asked
	got := fmt.Sprintln(o.Loss, o.Faults, o.Transports, o.Messages, o.Rate, o.Size, o.Seed, o.Runs, o.Speed, o.PcapDir == "")
	if want := fmt.Sprintln(0.12, []string{"none", "loss-12"}, []string{"tcp", "udp"}, 50, 5.0, 80, 9, 3, 2.0, true); got != want {
		t.Errorf("the engine was asked %s, want %s", got, want)
	}
	again := "again: wirelab compare --seed 9 --runs 3 --messages 50 --rate 5 --size 80 --loss 12% --fault none"
	if !strings.Contains(strings.ReplaceAll(out, "\n       ", " "), again) {
		t.Errorf("the table does not end with %q:\n%s", again, out)
	}
	if !s.closed {
		t.Error("the engine was left open")
	}
}

// What stands after "again:" is a command line that asks for the same.
func TestCompareAgain(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--seed", "18446744073709551615"}, {"--fault", "loss-10", "--what-if", "back drop ack 3"},
		{"--fault", "loss-10", "--explain", "7", "--messages", "9"}, {"--metric", "lost", "--loss", "0.5%", "--fault", "loss-0.5", "--transport", "udp+arq"},
	} {
		first, second := &stage{}, &stage{}
		_, out, errw := first.compared(t.Context(), args...)
		_, again, found := strings.Cut(out, "again: wirelab compare")
		if !found {
			t.Fatalf("compare %q: %s%s", args, out, errw)
		}
		words := shellWords(t, strings.ReplaceAll(again, "\n", " "))
		code, out2, errw := second.compared(t.Context(), words...)
		if code != exitOK || out2 != out {
			t.Errorf("compare %q says %q, and that: exit %d, %s\n%s\nwant\n%s", args, words, code, errw, out2, out)
		}
		first.asked.Progress, second.asked.Progress = nil, nil
		if a, b := fmt.Sprint(first.asked, first.n, first.rule), fmt.Sprint(second.asked, second.n, second.rule); a != b {
			t.Errorf("compare %q asks %s, and what it says to be the same: %s", args, a, b)
		}
	}
}

// shellWords splits a line as a shell does that knows single quotes.
func shellWords(t *testing.T, line string) (words []string) {
	t.Helper()
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, strings.Join(strings.Fields(part), " "))
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

func TestQuoted(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"loss-10", "loss-10"}, {"12%", "12%"}, {"spare data 7", "'spare data 7'"}, {"", "''"}, {"it's", `'it'\''s'`}, {"$(x)", "'$(x)'"},
	} {
		if got := quoted(tt.in); got != tt.want {
			t.Errorf("quoted(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

// stdout is data only, in the form that was asked for.
func TestCompareForms(t *testing.T) {
	_, out, _ := (&stage{}).compared(t.Context(), "--json")
	var doc struct {
		Seed    int
		Command string
		Rows    []struct {
			Cells []struct{ Shown struct{ Text string } }
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Seed != 1 || doc.Command != "wirelab compare --seed 1" || doc.Rows[1].Cells[1].Shown.Text == "" {
		t.Errorf("--json: %v, %+v", err, doc)
	}
	_, out, _ = (&stage{}).compared(t.Context(), "--csv", "--runs", "2")
	if lines, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil || len(lines) != 1+2*2*2 {
		t.Errorf("--csv: %v, %d lines, want 9", err, len(lines))
	}
	for _, args := range [][]string{{"--explain", "3"}, {"--what-if", "drop data 3"}} {
		_, out, _ = (&stage{}).compared(t.Context(), append(args, "--fault", "none", "--json")...)
		if !json.Valid([]byte(out)) || !strings.Contains(out, `"none"`) {
			t.Errorf("%s --json: %s", args, out)
		}
	}
	_, out, _ = (&stage{}).compared(t.Context(), "--list")
	for _, f := range compare.Faults() {
		if !strings.Contains(out, f.Name+" ") {
			t.Errorf("--list does not have %s:\n%s", f.Name, out)
		}
	}
	for line := range strings.Lines(out) {
		if len([]rune(line)) > 81 {
			t.Errorf("--list: a line of more than 80 columns: %q", line)
		}
	}
	_, out, _ = (&stage{}).compared(t.Context(), "--list", "--json")
	if !json.Valid([]byte(out)) {
		t.Errorf("--list --json: %s", out)
	}
}

// entries returns the names of what is in a folder.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// record writes a file where the engine is told to write captures.
func record(_ context.Context, o compare.Options) error {
	if o.PcapDir == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(o.PcapDir, "none.udp.seed1.pcapng"), []byte("packets"), 0o666)
}

func TestCompareWritesFiles(t *testing.T) {
	dir := t.TempDir()
	html, pcap := filepath.Join(dir, "report.html"), filepath.Join(dir, "pcap")
	if err := os.WriteFile(html, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		code, out, errw := (&stage{during: record}).compared(t.Context(), "--html", html, "--pcap", pcap)
		if code != exitOK || errw != "" || !strings.Contains(out, "again: wirelab compare --seed 1\n") {
			t.Fatalf("exit %d, %s%s", code, out, errw)
		}
		if b, err := os.ReadFile(html); err != nil || !bytes.HasPrefix(b, []byte("<!doctype html>")) || !bytes.HasSuffix(b, []byte("</html>\n")) {
			t.Errorf("the report: %v, %d bytes", err, len(b))
		}
		if got := entries(t, dir); got != "pcap report.html" {
			t.Errorf("in the folder: %s", got)
		}
		if got := entries(t, pcap); got != "none.udp.seed1.pcapng" {
			t.Errorf("in --pcap: %s", got)
		}
	}
}

// An interrupt ends it with 130, without a line on stdout or half a file.
func TestCompareInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stage{during: func(ctx context.Context, o compare.Options) error {
		record(ctx, o)
		cancel()
		return ctx.Err()
	}}
	code, out, errw := s.compared(ctx, "--html", filepath.Join(dir, "report.html"), "--pcap", filepath.Join(dir, "pcap"))
	if code != exitInterrupted || out != "" || errw != "" {
		t.Errorf("exit %d, stdout %q, stderr %q, want 130 and nothing", code, out, errw)
	}
	if got := entries(t, dir); got != "" {
		t.Errorf("left over: %s", got)
	}
	if !s.closed {
		t.Error("the engine was left open")
	}
}

// When a run fails, what was recorded until then stays; a report does not begin.
func TestCompareFails(t *testing.T) {
	dir := t.TempDir()
	s := &stage{during: func(ctx context.Context, o compare.Options) error {
		record(ctx, o)
		return errors.New("none over udp, seed 1: the guest says \x1b[2J: no space left")
	}}
	code, out, errw := s.compared(t.Context(), "--html", filepath.Join(dir, "report.html"), "--pcap", filepath.Join(dir, "pcap"))
	if code != exitNo || out != "" || errw != "wirelab: none over udp, seed 1: the guest says ␛[2J: no space left\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, errw)
	}
	if got := entries(t, dir) + " " + entries(t, filepath.Join(dir, "pcap")); got != "pcap none.udp.seed1.pcapng" {
		t.Errorf("left over: %s", got)
	}
}

// A program without the guest says so in a line.
func TestCompareWithoutGuest(t *testing.T) {
	if _, err := image.Guest(); err == nil {
		t.Skip("the guest is built in")
	}
	a := &app{}
	code, out, errw := compareWith(t.Context(), a.openLabs)
	if code != exitUsage || out != "" || strings.Count(errw, "\n") != 1 || !strings.Contains(errw, "make build") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, errw)
	}
}

// kept is an engine that outlives a command.
type kept struct{ comparer }

func (kept) Close() error { return nil }

// The whole, with the guest of this tree: the same flags give the same bytes,
// and each form says the same.
func TestCompareForReal(t *testing.T) {
	if raceDetector {
		t.Skip("the guest takes a minute to compile under the race detector")
	}
	guest, err := imagetest.Build()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := openGuest(t.Context(), guest, sim.Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	open := func(context.Context, *progress) (comparer, error) { return kept{engine}, nil }
	ask := func(args ...string) string {
		t.Helper()
		code, out, errw := compareWith(t.Context(), open, append([]string{"--messages", "10", "--fault", "loss-30", "--seed", "3"}, args...)...)
		if code != exitOK {
			t.Fatalf("%q: exit %d: %s", args, code, errw)
		}
		return out
	}
	two := []string{"--fault", "none", "--transport", "udp,tcp+queue"}
	pcap := filepath.Join(t.TempDir(), "pcap")
	first := ask(append(two, "--pcap", pcap)...)
	if got := entries(t, pcap); got != "loss-30.tcp+queue.seed3.pcapng loss-30.udp.seed3.pcapng none.tcp+queue.seed3.pcapng none.udp.seed3.pcapng" {
		t.Errorf("in --pcap: %s", got)
	}
	if second := ask(two...); second != first || !strings.Contains(first, "✓ 10/10") {
		t.Errorf("the second time it is\n%s\nthe first time\n%s", second, first)
	}
	if story := ask("--explain", "4"); !strings.Contains(story, "emits message 4") {
		t.Errorf("--explain: %s", story)
	}
	if change := ask("--what-if", "drop data 4", "--transport", "udp"); !strings.Contains(change, "they first differ at") {
		t.Errorf("--what-if: %s", change)
	}
}
