package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/loss"
)

// lossFlags are the words of packets loss.
type lossFlags struct {
	flowsFlags
	list   string
	offset string
	window time.Duration
}

func newPacketsLoss(a *app) *cobra.Command {
	var f lossFlags
	cmd := &cobra.Command{
		Use: "loss FILE [FILE2]", Short: "What was lost, sent again, late or twice, and which flags are wrong about it", Args: cobra.RangeArgs(1, 2),
		Long: `Say what was lost, sent again, late or twice, and where a flag is wrong about it.

  wirelab packets loss chat.pcapng
  wirelab packets loss sender.pcap receiver.pcap
  wirelab packets loss --list chat.pcapng | less -S
  wirelab packets loss --list=flags eth0.pcap

With one capture of one place there are, for each flow, the flags that tshark 4.0
sets (tcp.analysis.*, the same names), round trips, throughput, the share of
segments sent again and, for the chat over UDP, the gaps in its own datagram
numbers. These flags are guesses: one place does not see what the net did.

A capture of a lab or of wirelab link --record has both ends and the link, so
that it is known what was lost and why, how long each packet took, what the net
doubled or changed, and which flags are wrong. Two captures, taken at both ends
of a path at the same time, show nearly as much: a packet that left one end and
did not come to the other is lost. Packets are known again by their addresses,
ports, identification, numbers, length and payload, so there must be no address
translation between.

The clocks of two captures may differ. Which end is which, and by how much, is
estimated from packets that are in both. If it is possible that nothing arrived
before it left, they are taken for one clock; --offset symmetric instead takes
the quickest ways there and back to be equal, and --offset 1.5ms is how much the
clock of FILE2 is ahead. Two captures are read twice: they must be files.

--list prints a line for each packet instead, its columns separated by tabs:
  flags     each flagged packet: number, time (s since 1970), place, flags. Of
            a capture of one place this is the default
  packets   each packet that was sent: its number where it left, on the link and
            where it arrived, when it left, one-way delay in seconds, what became
            of it, what it is, its flags at both ends, what is wrong about them

Exit code 1 says that a capture ends too early or is damaged (what comes before
is shown), or that two captures have nothing in common.`,
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsLoss(ctx, args, &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.list, "list", "", "print a line for each packet: `what`, flags or packets (--list=flags)")
	fl.Lookup("list").NoOptDefVal = "auto"
	fl.StringVar(&f.offset, "offset", "auto", "how far FILE2's clock is ahead: `time`, symmetric or auto")
	fl.DurationVar(&f.window, "window", 0, "how long a packet is waited for (default 10s; with a link 10m)")
	fl.StringVar(&f.sort, "sort", "bytes", "`order` of the flows: "+flow.Orders)
	fl.IntVar(&f.top, "top", 10, "only the first `number` of flows; 0: all")
	fl.StringVar(&f.filter, "filter", "", "only packets that this `expression` of tcpdump's language takes")
	fl.BoolVar(&f.json, "json", false, "print JSON; with --list a line for each packet, then the report (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

// clocks reads --offset.
func (f *lossFlags) clocks() (given *time.Duration, symmetric bool, err error) {
	switch f.offset {
	case "auto":
		return nil, false, nil
	case "symmetric":
		return nil, true, nil
	}
	d, err := time.ParseDuration(f.offset)
	if err != nil {
		return nil, false, cannot("want a time such as 1.5ms or -2s, symmetric or auto", "--offset %s", f.offset)
	}
	return &d, false, nil
}

func (a *app) packetsLoss(ctx context.Context, paths []string, f *lossFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	given, symmetric, err := f.clocks()
	switch {
	case err != nil:
		return err
	case f.list != "" && f.list != "auto" && f.list != "flags" && f.list != "packets":
		return cannot("want --list, --list=flags or --list=packets", "--list=%s", f.list)
	case f.window < 0:
		return cannot("want 0 or more", "--window %v", f.window)
	case len(paths) == 2 && (paths[0] == "-" || paths[1] == "-"):
		return cannot("write the pipe to a file first", "two captures are read twice, and standard input cannot be")
	case len(paths) == 1 && f.offset != "auto":
		return cannot("it is how far the clock of a second capture is ahead", "--offset with one capture")
	}
	filter, err := captureFilter(f.filter)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	an := &loss.Analysis{Filter: filter, Window: f.window}
	if f.list != "" {
		f.listing(an, out, len(paths))
	}
	report, err := a.analyse(ctx, paths, an, func(an *loss.Analysis) (*loss.Report, error) {
		if len(paths) == 1 {
			r, err := a.openCapture(paths[0])
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return an.One(ctx, paths[0], r)
		}
		return a.lossOfTwo(ctx, paths, an, given, symmetric)
	})
	if err != nil {
		return errors.Join(out.Flush(), err)
	}
	choice := loss.Choice{Sort: f.sort, Top: f.top}
	switch {
	case f.json:
		err = report.JSON(out, choice, f.list == "")
	case f.list == "":
		err = report.Text(out, a.columns(f.width), style.NewPalette(a.out, f.plain), choice)
	}
	return errors.Join(err, out.Flush(), captureError(report.Captures...))
}

// listing lets an print a line for each packet.
func (f *lossFlags) listing(an *loss.Analysis, out *bufio.Writer, files int) {
	if f.list == "packets" || f.list == "auto" {
		an.OnPassage = func(p *loss.Passage, found []loss.Verdict) {
			if f.json {
				out.Write(p.JSON(found))
			} else {
				fmt.Fprintln(out, p.Line(found))
			}
		}
	}
	if f.list == "flags" || f.list == "auto" && files == 1 {
		an.OnFlag = func(g *loss.Flagged) {
			if f.list == "auto" && g.Linked {
				return // the list of packets has it
			}
			if f.json {
				out.Write(g.JSON())
			} else {
				fmt.Fprintln(out, g.Line())
			}
		}
	}
}

// lossOfTwo brings two captures together.
func (a *app) lossOfTwo(ctx context.Context, paths []string, an *loss.Analysis, given *time.Duration, symmetric bool) (*loss.Report, error) {
	open := func() (in [2]*packets.Reader, end func(), err error) {
		end = func() {
			for _, r := range in {
				if r != nil {
					r.Close()
				}
			}
		}
		for i, path := range paths {
			if in[i], err = a.openCapture(path); err != nil {
				end()
				return in, nil, err
			}
		}
		return in, end, nil
	}
	in, end, err := open()
	if err != nil {
		return nil, err
	}
	how, err := loss.Align(in[0], in[1], given, symmetric)
	end()
	if err != nil {
		return nil, err
	}
	if in, end, err = open(); err != nil {
		return nil, err
	}
	defer end()
	return an.Two(ctx, [2]string{paths[0], paths[1]}, in, how)
}
