package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/impair"
	"wirelab/internal/sim"
	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/compare"
	"wirelab/labs/image"
	"wirelab/labs/scenario"
)

// A comparer is what the command needs of an engine.
type comparer interface {
	Compare(context.Context, compare.Options) (*compare.Matrix, error)
	Explain(ctx context.Context, o compare.Options, n int) (*compare.Explanation, error)
	WhatIf(ctx context.Context, o compare.Options, rule string) (*compare.WhatIf, error)
	Close() error
}

// compareFlags are the words of compare.
type compareFlags struct {
	faults, transports []string
	metrics            []string
	loss               string
	runs, messages     int
	rate               float64
	size               int
	seed               uint64
	speed              float64
	json, csv, list    bool
	html, pcap         string
	explain            int
	whatIf             string
}

func (a *app) compareCommand() *cobra.Command { return a.compareWith(a.openLabs) }

// compareWith is compareCommand with another way to an engine.
func (a *app) compareWith(open func(context.Context, *progress) (comparer, error)) *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use: "compare", Short: "Measure what UDP, TCP and the missed-message queue deliver under each fault", Args: cobra.NoArgs,
		Long: `Measure what UDP, TCP and the missed-message queue deliver when the network, a
peer or the server fails.

  wirelab compare
  wirelab compare --fault partition-long
  wirelab compare --loss 25% --runs 20
  wirelab compare --fault loss-10 --explain 17
  wirelab compare --fault loss-10 --what-if 'spare data 7'

One program says messages to another through a chat server: the real chat, over
a real TCP/IP stack and an emulated network, in virtual time. Nothing that is
shown is calculated or claimed: each figure was counted in such a run. The same
flags give the same bytes, on every machine.

Each column is a way to carry the messages: udp sends each once; udp+arq repeats
what was not acknowledged (selective repeat) and tcp does, too, while the
connection lasts; udp+queue and tcp+queue keep the messages for a member who is
away. Each row is a fault; --list says what they do.

The signs say what the runs showed, which is no promise:

  ✓  effectively once, in order: each was delivered once, in the order of sending
  ~  at least once, or out of order: none lost; some twice, or after a later one
  !  at most once, reported loss: some are missing; receiver or sender was told
  ✗  at most once, silent loss: some are missing, and nobody was told

With one --fault there is a line for each transport, with all metrics that fit:
` + metricNames() + `
--json has all of it: seed, runs, rows and in each row the cells. A cell has what
the runs together showed ("shown": text, sign, lost, unreported, duplicated,
reordered), its "figures" (of each metric median, min, max, and how many runs
have it; null if none) and its "runs" as they were counted, with the SHA-256 of
all their events. --csv has a line for each fault, transport and seed; times are
in seconds.

--explain follows one message: where its packets went, what became of them, and
what the server's ledger says. --what-if repeats a run with the fate of one
packet changed ('spare data 7', 'drop data 3', 'back drop ack 3' for one that
the receiver sends) and all other fates kept, and shows where both runs differ.`,
		RunE: a.do(func(ctx context.Context, _ []string) error {
			err := a.compare(ctx, &f, open)
			if err != nil && ctx.Err() != nil {
				return errInterrupted
			}
			return err
		}),
	}
	d := compare.Defaults()
	fl := cmd.Flags()
	fl.StringSliceVar(&f.faults, "fault", nil, "`name` of a fault; may be repeated (default all)")
	fl.StringSliceVar(&f.transports, "transport", nil, "`name` of a transport, one of "+scenario.Transports().String()+"; may be repeated (default all)")
	fl.StringVar(&f.loss, "loss", "", "one row of so much loss instead of the three, such as 12%")
	fl.IntVar(&f.messages, "messages", d.Messages, "messages that are sent")
	fl.Float64Var(&f.rate, "rate", d.Rate, "messages per second, on average")
	fl.IntVar(&f.size, "size", d.Size, "`bytes` of text in a message, on average")
	fl.Uint64Var(&f.seed, "seed", d.Seed, "seed of all chance in the first run")
	fl.IntVar(&f.runs, "runs", d.Runs, "runs of each cell, each with the next seed: median and range")
	fl.StringSliceVar(&f.metrics, "metric", nil, "`name` of a metric to show instead of those that fit; may be repeated")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.csv, "csv", false, "print CSV, a line for each run")
	fl.StringVar(&f.html, "html", "", "write a report with charts into this `file`, too")
	fl.StringVar(&f.pcap, "pcap", "", "write each run's packets into this `folder`, as pcapng, too")
	fl.IntVar(&f.explain, "explain", 0, "tell the story of this message, by `number`, on each transport (wants one --fault)")
	fl.StringVar(&f.whatIf, "what-if", "", "change one packet's fate by a `rule` such as 'spare data 7', and show both runs (wants one --fault)")
	fl.Float64Var(&f.speed, "speed", 0, "virtual time against real time: 1 is live, 0.1 slow motion, 0 as fast as it goes")
	fl.BoolVar(&f.list, "list", false, "list the faults")
	return cmd
}

// metricNames lists them for --help, in lines of 80 columns.
func metricNames() string {
	var b strings.Builder
	for _, m := range compare.Metrics() {
		fmt.Fprintf(&b, "  %-16s %s\n", m.Name, m.Meaning())
	}
	return b.String()
}

// openLabs makes an engine of the guest that is inside this program.
func (a *app) openLabs(ctx context.Context, p *progress) (comparer, error) {
	guest, err := image.Guest()
	if errors.Is(err, image.ErrMissing) {
		return nil, cannot("", "%w", err)
	}
	if err != nil {
		return nil, err
	}
	return openGuest(ctx, guest, sim.Options{Progress: p.compiling, Warn: p.warn})
}

func openGuest(ctx context.Context, guest []byte, o sim.Options) (comparer, error) {
	l, err := labs.Open(ctx, guest, o)
	if err != nil {
		return nil, err
	}
	return labEngine{compare.NewEngine(l), l}, nil
}

// A labEngine is a comparison's engine with what it plays on.
type labEngine struct {
	*compare.Engine
	labs *labs.Engine
}

func (e labEngine) Close() error { return e.labs.Close() }

// compare does what the flags say. Nothing runs before all of them make sense,
// and nothing is written before all has run.
func (a *app) compare(ctx context.Context, f *compareFlags, open func(context.Context, *progress) (comparer, error)) (err error) {
	o, view, err := f.check()
	if err != nil {
		return err
	}
	view.Width, view.Height, view.Palette = style.Width(a.out), style.Height(a.out), style.NewPalette(a.out, false)
	if f.list {
		return a.listFaults(f.json)
	}
	report, err := newFile(f.html)
	if err != nil {
		return cannot("want a file in a folder that you may write to", "--html %q: %w", f.html, err)
	}
	defer report.discard()
	captures, err := newFolder(f.pcap)
	if err != nil {
		return cannot("want a folder that you may write to", "--pcap %q: %w", f.pcap, err)
	}
	defer captures.discard()
	o.PcapDir = captures.path()

	p := startProgress(a.err)
	defer p.stop()
	engine, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	o.Progress = p.running
	p.running(0, 0, "")
	out, err := f.run(ctx, engine, o, view, report)
	if ctx.Err() != nil {
		return errInterrupted
	}
	// What was recorded until something failed is worth a look.
	if kerr := captures.keep(); err == nil {
		err = kerr
	}
	if err != nil {
		return err
	}
	if err := report.keep(); err != nil {
		return err
	}
	p.stop()
	_, err = a.out.Write(out)
	return err
}

// run asks the engine, and returns what is for stdout. The report, if there is
// to be one, is written but not kept.
func (f *compareFlags) run(ctx context.Context, e comparer, o compare.Options, view compare.View, report *file) ([]byte, error) {
	var out bytes.Buffer
	switch {
	case f.explain > 0:
		x, err := e.Explain(ctx, o, f.explain)
		if err != nil {
			return nil, err
		}
		if f.json {
			err = x.WriteJSON(&out)
		} else {
			out.WriteString(x.Text(view))
		}
		return out.Bytes(), err
	case f.whatIf != "":
		x, err := e.WhatIf(ctx, o, f.whatIf)
		if err != nil {
			return nil, err
		}
		if f.json {
			err = x.WriteJSON(&out)
		} else {
			out.WriteString(x.Text(view))
		}
		return out.Bytes(), err
	}
	m, err := e.Compare(ctx, o)
	if err != nil {
		return nil, err
	}
	if report != nil {
		if err := m.WriteHTML(report, "wirelab "+version(), view.Command); err != nil {
			return nil, err
		}
	}
	switch {
	case f.json:
		err = m.WriteJSON(&out, view.Command)
	case f.csv:
		err = m.WriteCSV(&out)
	default:
		out.WriteString(m.Table(view))
	}
	return out.Bytes(), err
}

// check turns the words into what is to be run and shown, or says which of them
// makes no sense.
func (f *compareFlags) check() (o compare.Options, view compare.View, err error) {
	o = compare.Defaults()
	o.Seed, o.Runs, o.Messages, o.Rate, o.Size, o.Speed, o.Faults = f.seed, f.runs, f.messages, f.rate, f.size, f.speed, f.faults
	for _, t := range f.transports {
		o.Transports = append(o.Transports, scenario.Transport(t))
	}
	if f.loss != "" {
		var c impair.Config
		if err := c.Set("loss", f.loss); err != nil {
			return o, view, cannot("want a share of the packets from 0% to 100%, such as 12%", "--loss %q: %w", f.loss, err)
		}
		if c.Loss.Model > impair.Random || c.Loss.Correlation != 0 {
			return o, view, cannot("want a share of the packets from 0% to 100%, such as 12%", "--loss %q: that is more than a share", f.loss)
		}
		o.Loss = c.Loss.P
	}
	if err := o.Validate(); err != nil {
		return o, view, cannot("wirelab compare --help shows what there is, --list the faults", "%w", err)
	}
	for _, name := range f.metrics {
		m, ok := compare.FindMetric(name)
		if !ok {
			var names []string
			for _, m := range compare.Metrics() {
				names = append(names, m.Name)
			}
			return o, view, cannot("want one of "+strings.Join(names, ", "), "--metric %q: no such metric", name)
		}
		view.Metrics = append(view.Metrics, m)
	}
	view.Command = f.again()
	return o, view, f.checkForms(&o)
}

// checkForms reports flags that do not go together.
func (f *compareFlags) checkForms(o *compare.Options) error {
	if f.json && f.csv {
		return cannot("leave one out", "--json and --csv: both are for stdout")
	}
	if len(f.metrics) > 0 && (f.json || f.csv) {
		return cannot("leave --metric out", "--metric is for the table: --json and --csv have all of them")
	}
	one := ""
	switch {
	case f.explain != 0 && f.whatIf != "":
		return cannot("leave one out", "--explain and --what-if: each shows runs of its own")
	case f.explain != 0:
		one = fmt.Sprintf("--explain %d", f.explain)
		if f.explain < 1 || f.explain > o.Messages {
			return cannot(fmt.Sprintf("want the number of a message, 1 to %d", o.Messages), "%s", one)
		}
	case f.whatIf != "":
		one = fmt.Sprintf("--what-if %q", f.whatIf)
		if _, _, err := compare.ParseWhatIf(f.whatIf); err != nil {
			return cannot("want a rule for one packet, such as 'spare data 7' or 'drop data 3'", "%w", err)
		}
	default:
		return nil
	}
	faults := slices.Compact(slices.Sorted(slices.Values(f.faults)))
	if len(faults) != 1 {
		return cannot("add one, such as --fault loss-10", "%s: want one --fault, not %d", one, len(faults))
	}
	for _, n := range []struct {
		flag string
		set  bool
	}{
		{"--csv", f.csv}, {"--html", f.html != ""}, {"--pcap", f.pcap != ""}, {"--metric", len(f.metrics) > 0}, {"--runs", f.runs > 1},
	} {
		if n.set {
			return cannot("leave "+n.flag+" out", "%s does not go with %s", one, n.flag)
		}
	}
	return nil
}

// again returns the command line that shows the same again.
func (f *compareFlags) again() string {
	d := compare.Defaults()
	words := []string{"wirelab", "compare", "--seed", fmt.Sprint(f.seed)}
	add := func(flag string, set bool, v any) {
		if set {
			words = append(words, flag, quoted(fmt.Sprint(v)))
		}
	}
	add("--runs", f.runs != d.Runs, f.runs)
	add("--messages", f.messages != d.Messages, f.messages)
	add("--rate", f.rate != d.Rate, f.rate)
	add("--size", f.size != d.Size, f.size)
	add("--loss", f.loss != "", f.loss)
	for _, name := range f.faults {
		add("--fault", true, name)
	}
	for _, name := range f.transports {
		add("--transport", true, name)
	}
	for _, name := range f.metrics {
		add("--metric", true, name)
	}
	add("--explain", f.explain != 0, f.explain)
	add("--what-if", f.whatIf != "", f.whatIf)
	return strings.Join(words, " ")
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:%+=,-]+$`)

// quoted returns word as a shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// listFaults prints the faults and what they do.
func (a *app) listFaults(asJSON bool) error {
	type fault struct {
		Name  string `json:"name"`
		Title string `json:"title"`
	}
	var all []fault
	width := 0
	for _, f := range compare.Faults() {
		all = append(all, fault{f.Name, f.Title})
		width = max(width, len(f.Name))
	}
	if asJSON {
		b, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			_, err = a.out.Write(append(b, '\n'))
		}
		return err
	}
	total := style.Width(a.out)
	for _, f := range all {
		head := cells.Pad(f.Name, width) + "  "
		for _, line := range cells.Wrap(f.Title, total-width-2, total-width-2) {
			if _, err := io.WriteString(a.out, head+line+"\n"); err != nil {
				return err
			}
			head = strings.Repeat(" ", width+2)
		}
	}
	return nil
}
