package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/check"
	"wirelab/labs/sheet"
	"wirelab/packets/flow"
	"wirelab/packets/ladder"
)

// labCheckFlags are the words of lab check.
type labCheckFlags struct {
	learnerFlags
	stage int
	seed  uint64
	watch bool
	hints bool
	json  bool
	plain bool
	out   string
}

func newLabCheck(a *app) *cobra.Command {
	var f labCheckFlags
	cmd := &cobra.Command{
		Use: "check LAB -- PROGRAM [ARGS...]", Short: "Check the program that you wrote for a lab",
		Long: `Check a program that you wrote for a lab of the theme Build, in any language:
start it, talk to it over loopback as the stages of the lab say, and say the
first thing that is wrong.

  wirelab lab check echo-tcp -- python3 main.py
  wirelab lab check echo-tcp --watch -- python3 main.py
  wirelab lab check stop-and-wait-udp --stage 3 -- ./program
  wirelab lab check mine.txtar -- ./program

The program listens on 127.0.0.1, on the port that the environment variable PORT
names; DATA is a folder of its own. It is started afresh for each stage, and ends
by being killed, with all that it has started. Each stage asks for what those
before it asked for, too: the first that fails ends it. Waiting for an answer
ends after 2 s, unless the stage says otherwise.

Where a stage has random faults, lost, doubled and late datagrams, they follow
from --seed: the same seed has the same faults. A failure under them is repeated,
and shrunk to the fewest faults under which it still fails.

--watch checks again whenever a file beside the program is saved. What you passed
counts for wirelab lab list and status. --out writes what your teacher needs into
a folder: a file NAME-LAB.zip.

--json prints one object: lab, seed, kind, passed, of, took_s, stages (number,
title, kind, took_s, trials) and failure: stage, kind, what, statement, line, want,
got (base64), at, waited_s, faults, failing, tried, hints, output, ladder
(packets/JSON.md).

Exit code 0: all stages passed; 1: one failed; 2: it could not be judged, which
says nothing about the program.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.RunE = a.do(func(ctx context.Context, args []string) error {
		err := a.labCheck(ctx, cmd, args, &f)
		if err != nil && ctx.Err() != nil {
			return errInterrupted
		}
		return err
	})
	f.add(cmd)
	fl := cmd.Flags()
	fl.IntVar(&f.stage, "stage", 0, "check the stages up to this `number` (default all)")
	fl.Uint64Var(&f.seed, "seed", 1, "of random faults")
	fl.BoolVar(&f.watch, "watch", false, "check again at each save")
	fl.BoolVar(&f.hints, "hints", false, "all hints of a stage, not only the first")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	fl.StringVar(&f.out, "out", "", "write a bundle to hand in to this `folder`")
	return cmd
}

func (a *app) labCheck(ctx context.Context, cmd *cobra.Command, args []string, f *labCheckFlags) error {
	const form = "want wirelab lab check LAB -- PROGRAM ARGS, such as wirelab lab check echo-tcp -- python3 main.py"
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0:
		return cannot(form, "which lab?")
	case dash > 1 || dash < 0 && len(args) > 1:
		return cannot(form, "%q is one word too many before --", args[1])
	case len(args) == 1:
		return cannot(form, "check which program?")
	}
	s, err := findLab(args[0])
	if err != nil {
		return err
	}
	switch {
	case s.Kind != sheet.Build:
		return cannot("wirelab lab run "+s.Name+" works on it", "lab %s has no program to write: there is nothing to check", s.Name)
	case f.stage < 0 || f.stage > len(s.Stages):
		return cannot("", "--stage %d: lab %s has the stages 1 to %d", f.stage, s.Name, len(s.Stages))
	case f.out != "":
		if err := os.MkdirAll(f.out, 0o777); err != nil {
			return cannot("want a folder that you may write to", "--out %q: %w", f.out, rootPath(err))
		}
	}
	book := a.openNotebook()
	learner, err := f.apply(cmd, book)
	if err != nil {
		return err
	}
	c := &labChecking{app: a, sheet: s, name: args[0], program: args[1:], flags: f, book: book, learner: learner}
	if f.watch {
		return c.watch(ctx)
	}
	r, err := c.once(ctx)
	if err != nil {
		return err
	}
	return c.verdict(r)
}

// A labChecking is one program under check.
type labChecking struct {
	app     *app
	sheet   *sheet.Sheet
	name    string // of the lab, as it was called
	program []string
	flags   *labCheckFlags
	book    *notebook
	learner attempt.Learner
}

// once checks the program, shows the result, and keeps it.
func (c *labChecking) once(ctx context.Context) (*check.Result, error) {
	// Each stage has a progress of its own, which is gone when its line is written.
	var p *progress
	defer func() {
		if p != nil {
			p.stop()
		}
	}()
	palette := style.NewPalette(c.app.out, c.flags.plain)
	stages := len(c.sheet.Stages)
	if c.flags.stage > 0 {
		stages = c.flags.stage
	}
	if !c.flags.json {
		fmt.Fprintf(c.app.out, "%s: %s\n\n", cells.Visible(c.sheet.Title), flow.Plural(int64(stages), "stage"))
	}
	title := 0
	for _, st := range c.sheet.Stages {
		title = max(title, cells.Width(cells.Visible(st.Title)))
	}
	r, err := check.Check(ctx, check.Config{
		Lab: c.sheet.Name, Stages: check.StagesOf(c.sheet), Last: c.flags.stage, Args: c.program, Seed: c.flags.seed,
		Event: func(e check.Event) {
			switch e.Doing {
			case check.StageBegins:
				p = startProgress(c.app.err)
				p.say(fmt.Sprintf("stage %d of %d, %s", e.Stage.Number, stages, e.Stage.Title), time.Now())
			case check.Trying:
				p.say(fmt.Sprintf("stage %d of %d, %s: %d of %d fault scripts", e.Stage.Number, stages, e.Stage.Title, e.Done, e.Trials), time.Now())
			case check.Shrinking:
				p.say(fmt.Sprintf("stage %d of %d, %s: it fails; looking for the fewest faults, try %d", e.Stage.Number, stages, e.Stage.Title, e.Done), time.Now())
			case check.StageDone:
				if p.stop(); !c.flags.json {
					c.line(palette, e.Result, title)
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if c.flags.json {
		err = c.printJSON(r)
	} else {
		err = c.print(palette, r, title)
	}
	if err != nil {
		return nil, err
	}
	return r, c.keep(r)
}

// line writes one stage of the table.
func (c *labChecking) line(p *style.Palette, s *check.StageResult, title int) {
	sign, ink := "✗", p.Grade(3)
	took := fmt.Sprintf("%5.1f s", s.Took.Seconds())
	switch s.Kind {
	case check.Passed:
		sign, ink = "✓", p.Grade(0)
	case check.NotRun:
		sign, ink, took = "·", p.Dim, ""
	case check.Unjudged:
		sign, ink = "?", p.Grade(2)
	}
	words := string(s.Kind)
	if s.Trials > 0 {
		words += fmt.Sprintf(", also under %d fault scripts", s.Trials)
	}
	line := fmt.Sprintf("  %s %2d  %s  %7s  %s", sign, s.Number, cells.Pad(cells.Visible(s.Title), title), took, words)
	fmt.Fprintln(c.app.out, ink.Render(cells.Cut(strings.TrimRight(line, " "), max(style.Width(c.app.out), 60))))
}

// print writes what is left to say after the table.
func (c *labChecking) print(p *style.Palette, r *check.Result, title int) error {
	out := bufio.NewWriter(c.app.out)
	for i := range r.Stages {
		if r.Stages[i].Kind == check.NotRun {
			c.line(p, &r.Stages[i], title)
		}
	}
	width := min(max(style.Width(c.app.out), 60), 120)
	if s, f := r.Failure(); f != nil {
		fmt.Fprintf(out, "\nstage %d, %s\n", s.Number, cells.Visible(s.Title))
		show := *f
		if !c.flags.hints && len(show.Hints) > 1 {
			show.Hints = append(show.Hints[:1:1], fmt.Sprintf("--hints has %d more", len(f.Hints)-1))
		}
		if err := show.Write(out, width, p); err != nil {
			return err
		}
		if f.Ladder != nil {
			fmt.Fprintln(out)
			if err := f.Ladder.Summarise(40).Text(out, ladder.Options{Width: width, Palette: p, Rows: 40}); err != nil {
				return err
			}
		}
		if f.Kind == check.Unjudged {
			fmt.Fprintln(out, "\n  this says nothing about the program; try again")
		} else {
			fmt.Fprintf(out, "\n  again: %s\n", cells.Visible(c.again(s.Number)))
		}
	}
	fmt.Fprintf(out, "\n%d of %d stages passed\n", r.Passed(), len(r.Stages))
	return out.Flush()
}

// again is the command that checks up to a stage once more.
func (c *labChecking) again(stage int) string {
	words := []string{"wirelab", "lab", "check", quoted(c.name), "--stage", fmt.Sprint(stage)}
	if c.flags.seed != 1 {
		words = append(words, "--seed", fmt.Sprint(c.flags.seed))
	}
	words = append(words, "--")
	for _, w := range c.program {
		words = append(words, quoted(w))
	}
	return strings.Join(words, " ")
}

// keep keeps the result in the learner's notebook, and in a bundle.
func (c *labChecking) keep(r *check.Result) error {
	if r.Kind() == check.Unjudged {
		return nil
	}
	record := c.book.record(c.sheet.Name)
	if record == nil {
		record = &attempt.Record{Lab: c.sheet.Name}
	}
	record.Pass(r.Passed(), len(c.sheet.Stages), time.Now())
	c.book.save(record)
	if c.flags.out == "" {
		return nil
	}
	verdict := "passed"
	if s, f := r.Failure(); f != nil {
		verdict = fmt.Sprintf("stage %d, %s: %v", s.Number, s.Title, f)
	}
	m := bundle.OfCheck(c.sheet, c.learner, bundle.Made{Wirelab: version()}, bundle.Check{
		Command: c.program, Seed: r.Seed, Stages: len(c.sheet.Stages), Passed: r.Passed(), Verdict: verdict,
	})
	path := filepath.Join(c.flags.out, bundle.Name(c.learner.Name, c.sheet.Name))
	file, err := newFile(path)
	if err != nil {
		return cannot("want a folder that you may write to", "--out %q: %w", c.flags.out, rootPath(err))
	}
	defer file.discard()
	if err := bundle.Write(file, m, nil); err != nil {
		return err
	}
	if err := file.keep(); err != nil {
		return err
	}
	fmt.Fprintf(c.app.err, "wirelab: to hand in: %s\n", style.Visible(path))
	return nil
}

// verdict turns a result into what the command ends with.
func (c *labChecking) verdict(r *check.Result) error {
	switch k := r.Kind(); {
	case k == check.Passed:
		return nil
	case k == check.Unjudged:
		s, f := r.Failure()
		return cannot("it says nothing about the program; try again", "stage %d could not be judged: %s", s.Number, f.What)
	default:
		s, _ := r.Failure()
		return fmt.Errorf("stage %d of %s failed: %s", s.Number, c.sheet.Name, k)
	}
}

// The shapes of JSON.
type (
	checkJSON struct {
		Lab     string        `json:"lab"`
		Seed    uint64        `json:"seed"`
		Kind    check.Kind    `json:"kind"`
		Passed  int           `json:"passed"`
		Of      int           `json:"of"`
		Took    float64       `json:"took_s"`
		Stages  []checkStage  `json:"stages"`
		Failure *checkFailure `json:"failure"`
	}
	checkStage struct {
		Number int        `json:"number"`
		Title  string     `json:"title"`
		Kind   check.Kind `json:"kind"`
		Took   float64    `json:"took_s"`
		Trials int        `json:"trials,omitempty"`
	}
	checkFailure struct {
		Stage     int             `json:"stage"`
		Kind      check.Kind      `json:"kind"`
		What      string          `json:"what"`
		Statement string          `json:"statement,omitempty"`
		Line      int             `json:"line,omitempty"`
		Want      []byte          `json:"want,omitempty"`
		WantText  string          `json:"want_text,omitempty"`
		Got       []byte          `json:"got,omitempty"`
		At        int             `json:"at"`
		Waited    float64         `json:"waited_s"`
		Faults    []string        `json:"faults,omitempty"`
		Failing   int             `json:"failing,omitempty"`
		Tried     int             `json:"tried,omitempty"`
		Hints     []string        `json:"hints"`
		Notes     []string        `json:"notes,omitempty"`
		Output    string          `json:"output"`
		Ladder    json.RawMessage `json:"ladder,omitempty"`
	}
)

// printJSON writes the result as one object and a line break.
func (c *labChecking) printJSON(r *check.Result) error {
	j := checkJSON{Lab: r.Lab, Seed: r.Seed, Kind: r.Kind(), Passed: r.Passed(), Of: len(r.Stages), Took: r.Took.Seconds()}
	for _, s := range r.Stages {
		j.Stages = append(j.Stages, checkStage{s.Number, s.Title, s.Kind, s.Took.Seconds(), s.Trials})
	}
	if s, f := r.Failure(); f != nil {
		v := &checkFailure{Stage: s.Number, Kind: f.Kind, What: f.What, Statement: f.Text, Line: f.Line, Want: f.Want, WantText: f.WantText, Got: f.Got, At: f.At,
			Waited: f.Waited.Seconds(), Failing: f.Failing, Tried: f.Tried, Hints: append([]string{}, f.Hints...), Notes: f.Notes, Output: string(f.Output)}
		for _, x := range f.Faults {
			v.Faults = append(v.Faults, x.String())
		}
		if f.Ladder != nil {
			var b strings.Builder
			if err := f.Ladder.JSON(&b); err != nil {
				return err
			}
			v.Ladder = json.RawMessage(b.String())
		}
		j.Failure = v
	}
	e := json.NewEncoder(c.app.out)
	e.SetEscapeHTML(false)
	return e.Encode(&j)
}
