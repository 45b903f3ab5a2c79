package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/plot"
)

// plotFlags are the flags of packets plot.
type plotFlags struct {
	kind          string
	choice        plot.Choice
	svg           string
	json          bool
	width, height int
}

func newPacketsPlot(a *app) *cobra.Command {
	var f plotFlags
	cmd := &cobra.Command{
		Use:   "plot FILE",
		Short: "Draw sequence numbers, throughput, round trips or windows of a flow over time",
		Long: `Draw one flow of a capture over time, in the terminal or as SVG.

  wirelab packets plot chat.pcapng
  wirelab packets plot chat.pcapng --kind throughput --svg rate.svg
  wirelab packets plot chat.pcapng --flow 3 --direction b --from 2s --to 5s

Kinds:
  sequence    the sequence numbers of what was sent, as tcptrace draws them, with
              the line of what was acknowledged, the end of the receiver's window,
              what was sent again (R), SACK blocks (s) and, where the capture
              tells it, what was lost (✕)
  throughput  bits per second: all IP bytes that were sent, and the payload, each
              byte once, that arrived
  rtt         the time from data to the acknowledgement that ends where it ended;
              none of what was sent again
  window      bytes in flight, the receiver's window, and the sender's congestion
              window where the capture has it

FILE is pcap or pcapng, gzip too; - is standard input, which is kept in a
temporary file, because it is read twice: first to find the flow, then for its
packets. Without --flow it is the flow with most bytes, without --direction the
way with more payload. Times count from the flow's first packet.

In a capture with three places of each packet (a lab, or wirelab link --record)
the flow is seen where it is sent. --flow, a number that wirelab packets flows
shows, takes that place.`,
		Args: cobra.ExactArgs(1),
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsPlot(ctx, args[0], &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.kind, "kind", string(plot.Sequence), "`what` to draw: sequence, throughput, rtt or window")
	fl.IntVar(&f.choice.Flow, "flow", 0, "`number` of the flow; 0: the one with most bytes")
	fl.StringVar(&f.choice.Direction, "direction", "", "what `end` sends: a, who opened the flow, or b (default: who sent more)")
	fl.DurationVar(&f.choice.From, "from", 0, "begin this `time` after the flow's first packet")
	fl.DurationVar(&f.choice.To, "to", 0, "end this `time` after the flow's first packet; 0: at its end")
	fl.DurationVar(&f.choice.Bin, "bin", 0, "`interval` of --kind throughput (default: about a hundredth of the time)")
	fl.StringVar(&f.svg, "svg", "", "write a picture to this `file`, - for stdout")
	fl.BoolVar(&f.json, "json", false, "print the points as JSON")
	fl.IntVar(&f.width, "width", 0, "`columns` of the picture (default: the terminal's, or 80)")
	fl.IntVar(&f.height, "height", 0, "`lines` of the picture (default: the terminal's, or 24)")
	return cmd
}

func (a *app) packetsPlot(ctx context.Context, path string, f *plotFlags) error {
	f.choice.Kind = plot.Kind(f.kind)
	if err := f.choice.Check(); err != nil {
		return cannot("wirelab packets plot --help shows what there is", "%w", err)
	}
	if f.json && f.svg == "-" {
		return cannot("one of them can go to standard output", "--json and --svg -")
	}
	open, done, err := a.twice(ctx, path)
	if err != nil {
		return err
	}
	defer done()
	target, p, end := plotOf(open, f.choice)
	if p == nil {
		return end
	}
	switch {
	case f.json:
		err = target.JSON(a.out, p)
	case f.svg == "-":
		err = p.SVG(a.out)
	case f.svg == "":
		width, height := f.width, f.height
		if width == 0 {
			width = style.Width(a.out)
		}
		if height == 0 {
			// The last line is for the prompt.
			if height = style.Height(a.out) - 1; height < 1 {
				height = 24
			}
		}
		_, err = io.WriteString(a.out, p.Text(width, height, style.NewPalette(a.out, false)))
	}
	if err == nil && f.svg != "" && f.svg != "-" {
		var b bytes.Buffer
		if err = p.SVG(&b); err == nil {
			err = os.WriteFile(f.svg, b.Bytes(), 0o666)
		}
	}
	return errors.Join(err, end)
}

// plotOf makes a plot from a capture that open opens. An error of the capture's
// end comes with the plot.
func plotOf(open func() (*packets.Reader, error), c plot.Choice) (*plot.Target, *plot.Plot, error) {
	r, err := open()
	if err != nil {
		return nil, nil, err
	}
	target, err := plot.Choose(r, c)
	r.Close()
	if target == nil {
		return nil, nil, err
	}
	if r, err = open(); err != nil {
		return nil, nil, err
	}
	defer r.Close()
	p, err := target.Plot(r)
	return target, p, err
}

// twice returns what opens the capture at path as often as it is called. Standard
// input, which is "-", is copied to a temporary file, until it or ctx ends; done
// removes that.
func (a *app) twice(ctx context.Context, path string) (open func() (*packets.Reader, error), done func(), err error) {
	if path != "-" {
		return func() (*packets.Reader, error) { return a.openCapture(path) }, func() {}, nil
	}
	file, err := os.CreateTemp("", "wirelab-plot-")
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		file.Close()
		os.Remove(file.Name())
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, a.in)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // what came so far is plotted
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("read standard input: %w", err)
	}
	return func() (*packets.Reader, error) {
		f, err := os.Open(file.Name()) // closed when the process ends
		if err != nil {
			return nil, err
		}
		again := app{in: f}
		return again.openCapture("-")
	}, done, nil
}
