package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/loss"
)

// flowsFlags are the words of packets flows.
type flowsFlags struct {
	sort   string
	top    int
	filter string
	json   bool
	width  int
	plain  bool
}

func newPacketsFlows(a *app) *cobra.Command {
	var f flowsFlags
	cmd := &cobra.Command{
		Use: "flows FILE", Short: "The conversations of a capture, one in a line", Args: cobra.ExactArgs(1),
		Long: `Show the conversations of a capture, one in a line.

  wirelab packets flows chat.pcapng
  wirelab packets flows --sort retransmissions --top 5 chat.pcapng
  tcpdump -w - port 9000 | wirelab packets flows -

A flow is what two ports say to each other (for what is neither TCP nor UDP, two
addresses). A is who opened it, or was seen first. A TCP connection that uses the
ports of a former one is a flow of its own. The columns that fit are shown:

  lost      packets that the link's own record says were lost
  resent    segments that tshark flags as retransmission
  share     of the segments that carry data
  RTT       the median time from data to its acknowledgement, where it was seen;
            of both directions the longer
  goodput   bytes of payload, each counted once, per second; / is between A and B
  flags     packets with any of tshark's TCP analysis flags
  chat gaps, twice, late
            datagrams of the chat that are missing by its own numbers, that came
            twice, and that came after a later one

A capture of a lab or of wirelab link sees each packet at three places. Each host
is a place of its own here, so that nothing is counted twice; the link between
them is left out.

More flows than 100,000 at a time are too many: those that were idle for longest
are left out of the table, and said to be. Exit code 1 says that the capture ends
too early or is damaged; what comes before is shown.`,
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsFlows(ctx, args[0], &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.sort, "sort", "bytes", "`order`: "+flow.Orders)
	fl.IntVar(&f.top, "top", 0, "only the first `number` of them; 0: all")
	fl.StringVar(&f.filter, "filter", "", "only packets that this `expression` of tcpdump's language takes")
	fl.BoolVar(&f.json, "json", false, "print JSON (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

// check says what is wrong about the words.
func (f *flowsFlags) check() error {
	switch {
	case !flow.Sort(nil, f.sort):
		return cannot("want "+flow.Orders, "--sort %s", f.sort)
	case f.top < 0 || f.width < 0:
		return cannot("want 0 or more", "--top %d --width %d", f.top, f.width)
	}
	return nil
}

func (a *app) packetsFlows(ctx context.Context, path string, f *flowsFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	filter, err := captureFilter(f.filter)
	if err != nil {
		return err
	}
	r, err := a.openCapture(path)
	if err != nil {
		return err
	}
	defer r.Close()
	report, err := a.analyse(ctx, []string{path}, &loss.Analysis{Filter: filter}, func(an *loss.Analysis) (*loss.Report, error) {
		return an.One(ctx, path, r)
	})
	if err != nil {
		return err
	}
	c := report.Captures[0]
	choice := loss.Choice{Sort: f.sort, Top: f.top}
	out := bufio.NewWriter(a.out)
	if f.json {
		err = c.FlowsJSON(out, choice)
	} else {
		err = report.Flows(out, a.columns(f.width), style.NewPalette(a.out, f.plain), choice)
	}
	return errors.Join(err, out.Flush(), captureError(c))
}

// columns is the width of the text: as asked for, or the terminal's.
func (a *app) columns(asked int) int {
	if asked > 0 {
		return asked
	}
	return style.Width(a.out)
}

// openCapture opens a capture, and says what helps if it is none.
func (a *app) openCapture(path string) (*packets.Reader, error) {
	r, err := packets.Open(path, a.in)
	if err != nil {
		return nil, notOpened(err)
	}
	return r, nil
}

// notOpened adds what helps to the error of a capture that could not be opened.
func notOpened(err error) error {
	hint := "a capture is a pcap or pcapng file, gzip too, or - for a pipe"
	var no *packets.NotCapture
	if errors.As(err, &no) && no.Hint != "" {
		hint = no.Hint
	}
	return cannot(hint, "%w", err)
}

// analyse lets run analyse captures, and shows how far it is.
func (a *app) analyse(ctx context.Context, paths []string, an *loss.Analysis, run func(*loss.Analysis) (*loss.Report, error)) (*loss.Report, error) {
	bar := startProgress(a.err)
	defer bar.stop()
	began := time.Now()
	sizes := make([]int64, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			sizes[i] = info.Size()
		}
	}
	an.Progress = func(capture int, bytes int64) {
		of := ""
		if bytes <= sizes[capture] { // else it is compressed
			of = " of " + flow.Size(sizes[capture])
		}
		bar.say(fmt.Sprintf("read %s%s of %s", flow.Size(bytes), of, paths[capture]), began)
	}
	report, err := run(an)
	if err != nil && ctx.Err() != nil {
		return nil, errInterrupted
	}
	return report, err
}

// captureError is why a capture could not be read to its end.
func captureError(all ...*loss.Capture) (err error) {
	for _, c := range all {
		if c.Err != nil {
			err = errors.Join(err, fmt.Errorf("read %s: %w", c.Name, c.Err))
		}
	}
	return err
}
