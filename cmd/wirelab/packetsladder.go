package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/ladder"
)

// ladderFlags are the words of packets ladder.
type ladderFlags struct {
	flow          int
	from, to      time.Duration
	packets, svg  string
	all, flat     bool
	mermaid, json bool
	width         int
	plain         bool
}

func newPacketsLadder(a *app) *cobra.Command {
	var f ladderFlags
	cmd := &cobra.Command{
		Use: "ladder FILE [FILE2]", Short: "Draw the time–sequence diagram of a conversation", Args: cobra.RangeArgs(1, 2),
		Long: `Draw the time–sequence diagram of one conversation: a line for each end, time
running down, an arrow for each packet from when it left to when it arrived.

  wirelab packets ladder chat.pcapng
  wirelab packets ladder --from 500ms --to 1s --all chat.pcapng
  wirelab packets ladder --svg ladder.svg chat.pcapng
  wirelab packets ladder client.pcap server.pcap

The conversation with most to see is taken: losses first, then bytes. --flow
takes another, by the number that packets flows gives it. Of a long one, runs of
packets without anything special become one line; losses, what was sent again,
the handshake and the end stay. --all draws each packet.

A capture of a lab or of wirelab link has both ends and the link: a slant is the
real delay, ✗ is where a packet was lost and why. Two captures, taken at the two
ends at the same time, have both ends, too, and their clocks are brought together
if they disagree. One
capture of one place does not know when a packet was at the other end: half a
round trip is assumed there, and said; --flat draws level arrows.

The window of a sender (cwnd, ssthresh) stands beside, where the capture has it.

Exit code 1 says that the capture ends too early or is damaged; what comes before
is drawn.`,
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsLadder(ctx, args, &f) }),
	}
	fl := cmd.Flags()
	fl.IntVar(&f.flow, "flow", 0, "this conversation, by `number` (default the one with most to see)")
	fl.DurationVar(&f.from, "from", 0, "only from so long after its first packet on")
	fl.DurationVar(&f.to, "to", 0, "only up to so long after its first packet")
	fl.StringVar(&f.packets, "packets", "", "only packets with these numbers: `A-B`")
	fl.BoolVar(&f.all, "all", false, "each packet, however many there are")
	fl.BoolVar(&f.flat, "flat", false, "no slants where the time of arrival is not known")
	fl.StringVar(&f.svg, "svg", "", "write a picture (SVG) to this `file` instead; - is standard output")
	fl.BoolVar(&f.mermaid, "mermaid", false, "print a sequence diagram for mermaid instead")
	fl.BoolVar(&f.json, "json", false, "print JSON (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

// choice reads what is to be drawn.
func (f *ladderFlags) choice() (ladder.Choice, error) {
	c := ladder.Choice{Flow: f.flow, From: f.from, To: f.to, Flat: f.flat}
	if f.packets != "" {
		first, last, ok := strings.Cut(f.packets, "-")
		var e1, e2 error
		c.First, e1 = strconv.Atoi(first)
		c.Last, e2 = strconv.Atoi(last)
		if !ok || e1 != nil || e2 != nil || c.First < 1 || c.Last < 1 {
			return c, cannot("want two numbers such as 10-40", "--packets %q", f.packets)
		}
	}
	if err := c.Check(); err != nil {
		return c, cannot("wirelab packets ladder --help shows what there is", "%w", err)
	}
	forms := 0
	for _, set := range []bool{f.svg != "", f.mermaid, f.json} {
		if set {
			forms++
		}
	}
	if forms > 1 {
		return c, cannot("choose one", "--svg, --mermaid and --json are different outputs")
	}
	return c, nil
}

func (a *app) packetsLadder(ctx context.Context, paths []string, f *ladderFlags) error {
	c, err := f.choice()
	if err != nil {
		return err
	}
	if len(paths) == 2 && slices.Contains(paths, "-") {
		return cannot("write the pipe to a file first", "of two captures none can be standard input")
	}
	l, end, err := a.ladderOf(ctx, paths, c)
	if err != nil {
		return err
	}
	l = l.Cut(c)
	if len(l.Arrows) == 0 {
		return errors.Join(&failure{err: fmt.Errorf("no packet of the conversation is in what was chosen"), hint: "without --from, --to and --packets all are", code: exitNo}, end)
	}
	rows := 60
	if !f.all && !f.json {
		l = l.Summarise(rows)
	}
	return errors.Join(a.drawLadder(l, f, rows), end)
}

// drawLadder writes l in the form that was asked for.
func (a *app) drawLadder(l *ladder.Ladder, f *ladderFlags, rows int) (err error) {
	if f.svg != "" && f.svg != "-" {
		file, err := os.Create(f.svg)
		if err != nil {
			return cannot("want a file that you may write", "--svg: %w", err)
		}
		return errors.Join(l.SVG(file), file.Close())
	}
	out := bufio.NewWriter(a.out)
	switch {
	case f.svg != "":
		err = l.SVG(out)
	case f.mermaid:
		err = l.Mermaid(out)
	case f.json:
		err = l.JSON(out)
	default:
		err = l.Text(out, ladder.Options{Width: a.columns(f.width), Palette: style.NewPalette(a.out, f.plain), Rows: rows})
	}
	return errors.Join(err, out.Flush())
}

// ladderOf reads the captures twice: first for the conversations, of which one
// is chosen, then for its packets. end is why a capture could not be read to its
// end.
func (a *app) ladderOf(ctx context.Context, paths []string, c ladder.Choice) (l *ladder.Ladder, end, err error) {
	var opens []func() (*packets.Reader, error)
	for _, path := range paths {
		open, done, err := a.twice(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		defer done()
		opens = append(opens, open)
	}
	r, err := opens[0]()
	if err != nil {
		return nil, nil, err
	}
	flows, _, err := ladder.Flows(r)
	r.Close()
	if early := endsEarly(err); err != nil && !early {
		return nil, nil, fmt.Errorf("read %s: %w", paths[0], err)
	}
	chosen, err := a.chooseFlow(paths[0], flows, c.Flow)
	if err != nil {
		return nil, nil, err
	}
	b := ladder.NewBuilder(flows[chosen].Key)
	b.Flat, b.Pair = c.Flat, len(paths) == 2
	for i, path := range paths {
		r, err := opens[i]()
		if err != nil {
			return nil, nil, err
		}
		if err := b.Read(r, i); err != nil {
			if !endsEarly(err) {
				r.Close()
				return nil, nil, fmt.Errorf("read %s: %w", path, err)
			}
			end = errors.Join(end, fmt.Errorf("read %s: %w", path, err))
		}
		r.Close()
	}
	return b.Ladder(), end, nil
}

func endsEarly(err error) bool {
	var cut *packets.Truncated
	var bad *packets.Damaged
	return errors.As(err, &cut) || errors.As(err, &bad)
}

// chooseFlow returns the place of the conversation with that number, or of the
// one with most to see, and then says which there are besides.
func (a *app) chooseFlow(path string, flows []ladder.Flow, number int) (int, error) {
	if len(flows) == 0 {
		return 0, &failure{err: fmt.Errorf("%s has no conversation over TCP or UDP", path), hint: "wirelab packets show FILE shows what there is", code: exitNo}
	}
	if number > 0 {
		i := slices.IndexFunc(flows, func(f ladder.Flow) bool { return f.Is(number) })
		if i < 0 {
			return 0, cannot("wirelab packets flows FILE shows which there are", "--flow %d: %s has no TCP or UDP conversation of that number", number, path)
		}
		return i, nil
	}
	best := ladder.Best(flows)
	if n := len(flows); n > 1 {
		fmt.Fprintf(a.err, "wirelab: flow %d of %s; wirelab packets flows lists them, --flow takes another\n", flows[best].Number, flow.Plural(int64(n), "conversation"))
	}
	return best, nil
}
