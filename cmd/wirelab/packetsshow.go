package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/layer"
	"wirelab/packets/show"
)

// showFlags are the words of packets show.
type showFlags struct {
	packet      int
	layers, hex bool
	filter      string
	count       int
	json        bool
	from, to    time.Duration
	width       int
	plain       bool
}

func newPacketsShow(a *app) *cobra.Command {
	var f showFlags
	cmd := &cobra.Command{
		Use: "show FILE", Short: "The packets of a capture, and what each layer put into one", Args: cobra.ExactArgs(1),
		Long: `Show the packets of a capture, one in a line, and what is in one of them.

  wirelab packets show chat.pcapng
  wirelab packets show chat.pcapng --packet 21 --layers --hex
  wirelab packets show chat.pcapng --filter 'tcp port 9000' --from 1s --to 2s
  tcpdump -i lo -w - port 9000 | wirelab packets show -

A line has the number, seconds after the first packet, the interface, source and
destination, the innermost protocol, the bytes, and what the packet says. What
the capture remarks comes in (round) brackets: in a capture of a lab or of
wirelab link, what the link lost. ‹These› are the TCP analysis flags, with
tshark's names; they are guesses. Sequence numbers count from the connection's
first.

--packet N --layers draws that packet: what each layer puts before the message,
OSI's seven layers beside TCP/IP's four, and every field with its bytes and bits.
--hex prints the bytes, each layer's in its colour. Both without --packet draw
every packet that is shown; --count N stops after so many.

Exit code 1 says that the capture ends too early or is damaged, or that there is
no packet N; what comes before is shown.`,
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsShow(ctx, args[0], &f) }),
	}
	fl := cmd.Flags()
	fl.IntVar(&f.packet, "packet", 0, "only the packet of this `number`, from 1")
	fl.BoolVar(&f.layers, "layers", false, "draw the packet's layers with all fields")
	fl.BoolVar(&f.hex, "hex", false, "print the packet's bytes")
	fl.StringVar(&f.filter, "filter", "", "only packets that this `expression` of tcpdump's language takes")
	fl.IntVar(&f.count, "count", 0, "stop after so many `packets`; 0: all")
	fl.DurationVar(&f.from, "from", 0, "only packets from so long after the first one on")
	fl.DurationVar(&f.to, "to", 0, "only packets up to so long after the first one (default all)")
	fl.BoolVar(&f.json, "json", false, "print a line of JSON for each packet (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

// check says what is wrong about the words.
func (f *showFlags) check() error {
	switch {
	case f.packet < 0 || f.count < 0 || f.width < 0:
		return cannot("want 0 or more", "--packet %d --count %d --width %d", f.packet, f.count, f.width)
	case f.from < 0 || f.to < 0 || f.to > 0 && f.to < f.from:
		return cannot("both count from the first packet, such as --from 1.5s --to 3s", "--from %v --to %v", f.from, f.to)
	case f.packet > 0 && (f.count > 0 || f.filter != "" || f.from > 0 || f.to > 0):
		return cannot("leave the others out", "--packet %d names one packet: --count, --filter, --from and --to do not go with it", f.packet)
	}
	return nil
}

func (a *app) packetsShow(ctx context.Context, path string, f *showFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	filter, err := captureFilter(f.filter)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.out, 32<<10)
	source := *a
	source.in = &livePipe{ctx: ctx, r: a.in, before: out.Flush}
	r, err := source.openCapture(path)
	if err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	defer r.Close()
	p := &printer{flags: f, out: out, live: style.IsTerminal(a.out), filter: filter}
	p.list = show.List{Width: a.columns(f.width), Palette: style.NewPalette(a.out, f.plain)}
	p.picture = show.Picture{Width: p.list.Width, Palette: p.list.Palette}
	err = p.run(ctx, r)
	if ferr := out.Flush(); ferr != nil && (err == nil || !broken(err)) {
		err = errors.Join(ferr, err)
	}
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case broken(err): // who reads has seen enough
		return nil
	case err != nil && p.reading:
		return fmt.Errorf("read %s: %w", path, err)
	}
	return err
}

// broken reports whether nobody reads what is written any more.
func broken(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// A printer writes the packets that the flags ask for.
type printer struct {
	flags   *showFlags
	out     *bufio.Writer
	live    bool // each line is wanted at once
	filter  func(*packets.Packet) (bool, error)
	list    show.List
	picture show.Picture
	reading bool // the error is of the capture
	json    []byte
}

// flushAfter is how long a line waits for others to be written with it.
const flushAfter = 100 * time.Millisecond

// run goes through the capture. All packets are taken in, also those that are
// not shown: what is said of one depends on those before.
func (p *printer) run(ctx context.Context, r *packets.Reader) error {
	f := p.flags
	t := show.Tracker{Interfaces: r.Interfaces}
	var packet packets.Packet
	var h packets.Headers
	shown := 0
	flushed := time.Now()
	for ctx.Err() == nil {
		if err := r.Read(&packet); errors.Is(err, io.EOF) {
			if f.packet > 0 {
				return fmt.Errorf("no packet %d: the capture has %d", f.packet, packet.Number)
			}
			return nil
		} else if err != nil {
			p.reading = true
			return err
		}
		h.Decode(&packet)
		e := t.Add(&packet, &h)
		if f.to > 0 && e.Since > f.to && p.filter == nil && !p.live && f.packet == 0 {
			// Clocks may go backwards; those of a capture do so a little.
			if e.Since > f.to+time.Second {
				return nil
			}
			continue
		}
		want, err := p.wants(&packet, &e)
		if err != nil {
			return err
		}
		if !want {
			if p.out.Buffered() > 0 && time.Since(flushed) > flushAfter {
				if err := p.out.Flush(); err != nil {
					return err
				}
				flushed = time.Now()
			}
			continue
		}
		if err := p.print(&packet, &h, &e); err != nil {
			return err
		}
		if p.live || time.Since(flushed) > flushAfter {
			if err := p.out.Flush(); err != nil {
				return err
			}
			flushed = time.Now()
		}
		if shown++; shown == f.count || f.packet > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// wants reports whether a packet is to be shown.
func (p *printer) wants(packet *packets.Packet, e *show.Entry) (bool, error) {
	f := p.flags
	if f.packet > 0 {
		return packet.Number == f.packet, nil
	}
	if e.Since < f.from || f.to > 0 && e.Since > f.to {
		return false, nil
	}
	if p.filter == nil {
		return true, nil
	}
	return p.filter(packet)
}

// print writes a packet as the flags ask for it.
func (p *printer) print(packet *packets.Packet, h *packets.Headers, e *show.Entry) error {
	f := p.flags
	var layers []layer.Layer
	if f.layers || f.hex {
		layers = layer.Tree(packet, h, &e.Context)
	}
	if f.json {
		var tree []layer.Layer
		if f.layers {
			tree = layers
		}
		var data []byte
		if f.hex {
			data = packet.Data
		}
		b, err := show.AppendJSON(p.json[:0], e, tree, data)
		if err != nil {
			return err
		}
		p.json = b
		_, err = p.out.Write(b)
		return err
	}
	if !f.layers && !f.hex {
		_, err := p.out.WriteString(p.list.Line(e) + "\n")
		return err
	}
	lines := append(p.picture.Head(e), "")
	if f.layers {
		lines = append(append(lines, p.picture.Tree(layers, packet.Data)...), "")
	}
	if f.hex {
		lines = append(append(lines, p.picture.Hex(layers, packet.Data)...), "")
	}
	if f.packet > 0 { // nothing follows
		lines = lines[:len(lines)-1]
	}
	_, err := p.out.WriteString(strings.Join(lines, "\n") + "\n")
	return err
}

// A livePipe is standard input. It has what was printed so far written before
// it waits for more, and stops waiting when ctx ends.
type livePipe struct {
	ctx    context.Context
	r      io.Reader
	before func() error
	buf    []byte
	got    chan pipeRead // of a read under way
}

type pipeRead struct {
	n   int
	err error
}

// Read reads from the pipe. A read that waits when ctx ends goes on waiting by
// itself: nothing can stop it but the program's end, which follows.
func (p *livePipe) Read(b []byte) (int, error) {
	if err := p.before(); err != nil {
		return 0, err
	}
	if _, ok := p.r.(*os.File); !ok {
		return p.r.Read(b)
	}
	if p.got == nil {
		p.got = make(chan pipeRead, 1)
		p.buf = make([]byte, 64<<10)
	}
	into := p.buf[:min(len(b), len(p.buf))]
	go func() {
		n, err := p.r.Read(into)
		p.got <- pipeRead{n, err}
	}()
	select {
	case r := <-p.got:
		return copy(b, into[:r.n]), r.err
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
}
