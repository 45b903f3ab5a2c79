package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/pcapng"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/filter"
	"wirelab/packets/live"
	"wirelab/packets/show"
)

// captureFlags are the words of packets capture.
type captureFlags struct {
	iface, filter, out string
	count, snap        int
	duration           time.Duration
	list, quiet        bool
	width              int
	plain              bool
}

func newPacketsCapture(a *app) *cobra.Command {
	var f captureFlags
	cmd := &cobra.Command{
		Use: "capture", Short: "Capture from a network card, live (Linux)", Args: cobra.NoArgs,
		Long: `Capture the packets of a network interface as they pass, and list them.

  wirelab packets capture --interface lo --filter 'tcp port 9000'
  wirelab packets capture --interface eth0 --out eth0.pcapng --duration 10s
  wirelab packets capture --interface lo --out - | wirelab packets show -
  wirelab packets capture --list

It needs Linux and the right to it, CAP_NET_RAW: run it with sudo, or give the
program the right once, with sudo setcap cap_net_raw+ep. Elsewhere tcpdump can
capture for it (tcpdump -w - | wirelab packets show -), and a lab's capture
(wirelab compare --pcap) or the link's (wirelab link --record) needs no rights.

--filter takes a part of tcpdump's language: wirelab packets filter shows which.
--out writes a pcapng file with the kernel's nanoseconds; it is whole whenever
the capture ends, by --count, --duration or Ctrl+C. At the end the counters are
told: what was captured, and what the kernel had no room for.`,
		RunE: a.do(func(ctx context.Context, _ []string) error { return a.packetsCapture(ctx, &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.iface, "interface", "", "`name` of the interface; --list shows which there are")
	fl.StringVar(&f.filter, "filter", "", "only packets that this `expression` of tcpdump's language takes")
	fl.StringVar(&f.out, "out", "", "write a pcapng `file`; - is standard output, without the list")
	fl.IntVar(&f.count, "count", 0, "end after so many packets")
	fl.DurationVar(&f.duration, "duration", 0, "end after so long")
	fl.IntVar(&f.snap, "snap", 0, "keep so many `bytes` of a packet (default all)")
	fl.BoolVar(&f.list, "list", false, "list the interfaces instead")
	fl.BoolVar(&f.quiet, "quiet", false, "no list of packets")
	fl.IntVar(&f.width, "width", 0, "`columns` of the list (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

func (f *captureFlags) check() error {
	switch {
	case f.iface == "" && !f.list:
		return cannot("wirelab packets capture --list shows which there are", "--interface is missing: which one?")
	case f.count < 0 || f.duration < 0:
		return cannot("want 0 or more", "--count %d, --duration %v", f.count, f.duration)
	case f.snap < 0 || f.snap > live.MaxSnap:
		return cannot(fmt.Sprintf("want 1 to %d; 0 keeps all", live.MaxSnap), "--snap %d", f.snap)
	}
	return nil
}

func (a *app) packetsCapture(ctx context.Context, f *captureFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if f.list {
		all, err := live.Interfaces()
		for _, i := range all {
			fmt.Fprintln(a.out, style.Visible(i.String()))
		}
		return err
	}
	h, err := live.Open(live.Config{Interface: f.iface, Filter: f.filter, SnapLen: f.snap})
	var why *live.Error
	var word *filter.Error
	switch {
	case errors.As(err, &why):
		return cannot(why.Hint, "%w", err)
	case errors.As(err, &word):
		return cannot("wirelab packets filter shows what it takes", "--filter: %w", err)
	case err != nil:
		return cannot("", "%w", err)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	c := &capturing{link: packets.LinkType(h.Link()), list: show.List{Width: a.columns(f.width), Palette: style.NewPalette(a.out, f.plain)}}
	done := func() error { return nil }
	switch f.out {
	case "":
	case "-":
		c.file = &blockFile{w: a.out}
	default:
		file, err := os.Create(f.out)
		if err != nil {
			return cannot("want a file that you may write", "--out: %w", err)
		}
		c.file, done = &blockFile{w: file, cut: file.Truncate}, file.Close
	}
	if !f.quiet && f.out != "-" {
		c.screen = a.out
	}
	if err := c.begin(f.iface); err != nil {
		return errors.Join(err, done())
	}
	fmt.Fprintf(a.err, "wirelab: capturing on %s; Ctrl+C ends\n", style.Visible(f.iface))
	limited := ctx
	if f.duration > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	if err = c.run(limited, h, f.count); !errors.Is(err, errOut) {
		err = errors.Join(err, c.flush())
	}
	err = errors.Join(err, done())
	received, dropped, serr := h.Stats()
	if serr == nil {
		fmt.Fprintf(a.err, "wirelab: %d captured, %d dropped by the kernel for want of room, of %d that it received\n", c.n, dropped, received)
	}
	return errors.Join(err, serr)
}

// A capturing is what becomes of the packets.
type capturing struct {
	link   packets.LinkType
	file   *blockFile // nil: none
	pcap   *pcapng.Writer
	screen io.Writer // nil: none
	list   show.List
	track  show.Tracker
	n      int
}

// begin writes the file's header.
func (c *capturing) begin(name string) (err error) {
	if c.file == nil {
		return nil
	}
	if c.pcap, err = pcapng.NewWriter(c.file); err != nil {
		return err
	}
	if _, err = c.pcap.Describe(pcapng.Interface{Name: name, LinkType: uint16(c.link)}); err != nil {
		return err
	}
	return c.flush()
}

// errOut begins what is wrong with the file.
var errOut = errors.New("--out")

// flushEvery is how long what was captured waits for its file.
const flushEvery = 200 * time.Millisecond

// run takes packets until ctx ends, count are there, or something fails. The end
// of ctx is no error: it is how a capture ends.
func (c *capturing) run(ctx context.Context, h *live.Handle, count int) error {
	for count == 0 || c.n < count {
		data, at, length, out, err := c.next(ctx, h)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, errOut):
			return err
		case err != nil:
			return fmt.Errorf("capture: %w", err)
		}
		c.n++
		if err := c.take(data, at, length, out); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a packet. Nothing waits for its file longer than flushEvery,
// whether packets come slowly or fast.
func (c *capturing) next(ctx context.Context, h *live.Handle) (data []byte, at time.Time, length int, out bool, err error) {
	if c.file != nil && c.file.waiting() {
		soon, cancel := context.WithDeadline(ctx, c.file.since.Add(flushEvery))
		defer cancel()
		data, at, length, out, err = h.Next(soon)
		if err == nil || soon.Err() == nil || ctx.Err() != nil {
			return data, at, length, out, err
		}
		if err := c.flush(); err != nil {
			return nil, at, 0, false, err
		}
	}
	return h.Next(ctx)
}

// take lists and files a packet.
func (c *capturing) take(data []byte, at time.Time, length int, out bool) error {
	if c.screen != nil {
		p := packets.Packet{Number: c.n, Time: at, Link: c.link, Data: data, Length: length}
		var h packets.Headers
		h.Decode(&p)
		e := c.track.Add(&p, &h)
		if _, err := fmt.Fprintln(c.screen, c.list.Line(&e)); err != nil && !broken(err) {
			return err
		} else if err != nil {
			c.screen = nil // nobody looks any more
		}
	}
	if c.pcap == nil {
		return nil
	}
	p := pcapng.Packet{Time: at, Data: data, Length: length}
	if out {
		p.Direction = pcapng.Out
	}
	if err := c.pcap.Write(&p); err != nil {
		return fmt.Errorf("%w: %w", errOut, err)
	}
	return nil
}

// flush writes what the file waits for.
func (c *capturing) flush() error {
	if c.file == nil {
		return nil
	}
	if err := c.file.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errOut, err)
	}
	return nil
}
