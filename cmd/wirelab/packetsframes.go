package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/framing"
)

// framesFlags are the words of packets frames.
type framesFlags struct {
	framing  string
	flow     int
	from, to time.Duration
	count    int
	svg      string
	json     bool
	width    int
	plain    bool
}

func newPacketsFrames(a *app) *cobra.Command {
	var f framesFlags
	cmd := &cobra.Command{
		Use: "frames FILE", Short: "Where messages begin and end inside TCP's stream", Args: cobra.ExactArgs(1),
		Long: `Show where messages begin and end inside TCP's stream, and what brought them.

  wirelab packets frames chat.pcapng
  wirelab packets frames --flow 2 --from 1.5s --to 3s chat.pcapng
  wirelab packets frames --framing length:2 other.pcap
  tcpdump -i lo -w - port 9000 | wirelab packets frames -

TCP is a stream of bytes and knows no messages. The row of segments shows what
packets brought, the row of frames what the program at the other end made of
it; the same column is the same byte, and ┊ in a frame is where it was cut. It
is not drawn to scale. A frame that waited for lost bytes says for how long and
for which: its own, or only ones before it, which is head-of-line blocking.

Over UDP each datagram is a message; envelopes that the chat cut into several,
and datagrams that IP cut, are put together.

--framing says how a stream is cut:
  auto        by its first bytes: the chat's frames, HTTP/1 and WebSocket after
              an upgrade, lines of text, or nothing
  chat        the chat's own frames
  lines       lines, ended by LF or CR LF
  http        HTTP/1 heads and bodies, and WebSocket after an upgrade
  websocket   WebSocket (RFC 6455), from the start or after an upgrade
  length:N    a length of N bytes (1, 2, 4, 8), big-endian, and as many bytes;
              length:Nle is little-endian. With -K at the end the length counts
              K bytes too many (length:4-4: itself, too), with +K too few
  none        nothing

Of a capture of a lab or of wirelab link only what arrived is put together, at
the host where it did; what the link lost is drawn as lost. Any other capture is
taken as it is: at the sender there are copies but no holes.

Exit code 1 says that the capture ends too early or is damaged; what comes before
is shown.`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.packetsFrames(args[0], &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.framing, "framing", "auto", "`how` streams are cut: "+framing.Framings)
	fl.IntVar(&f.flow, "flow", 0, "only this flow, by `number` (default all)")
	fl.DurationVar(&f.from, "from", 0, "only frames from so long after the first packet on")
	fl.DurationVar(&f.to, "to", 0, "only frames up to so long after the first packet (default all)")
	fl.IntVar(&f.count, "count", 40, "`number` of frames of a direction that are shown; 0: all")
	fl.StringVar(&f.svg, "svg", "", "write a picture (SVG) to this `file` instead; - is standard output")
	fl.BoolVar(&f.json, "json", false, "print JSON lines: frame, stream, capture (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

func (a *app) packetsFrames(path string, f *framesFlags) (err error) {
	how, err := framing.ParseFraming(f.framing)
	switch {
	case err != nil:
		return cannot("wirelab packets frames --help tells them", "%w", err)
	case f.from < 0 || f.to < 0 || f.to > 0 && f.to < f.from:
		return cannot("both count from the first packet, such as --from 1.5s --to 3s", "--from %v --to %v", f.from, f.to)
	case f.count < 0 || f.flow < 0 || f.width < 0:
		return cannot("want 0 or more", "--count %d --flow %d --width %d", f.count, f.flow, f.width)
	case f.json && f.svg != "":
		return cannot("choose one", "--json and --svg together")
	}
	r, err := packets.Open(path, a.in)
	if err != nil {
		hint := "a capture is a pcap or pcapng file, gzip too, or - for a pipe"
		var no *packets.NotCapture
		if errors.As(err, &no) && no.Hint != "" {
			hint = no.Hint
		}
		return cannot(hint, "%w", err)
	}
	defer r.Close()
	cfg := framing.Config{Framing: how, Flow: f.flow, From: f.from, To: f.to, Count: f.count}
	if f.json {
		out := bufio.NewWriter(a.out)
		defer func() { err = errors.Join(err, out.Flush()) }()
		return framing.JSON(out, r, cfg)
	}
	report, err := framing.Read(r, cfg)
	if f.svg == "" {
		width := f.width
		if width == 0 {
			width = style.Width(a.out)
		}
		return errors.Join(report.Text(a.out, width, style.NewPalette(a.out, f.plain)), err)
	}
	if f.svg == "-" {
		return errors.Join(report.SVG(a.out), err)
	}
	file, e := os.Create(f.svg)
	if e != nil {
		return cannot("--svg wants a file that can be written", "cannot write %s: %w", f.svg, rootPath(e))
	}
	return errors.Join(report.SVG(file), file.Close(), err)
}
