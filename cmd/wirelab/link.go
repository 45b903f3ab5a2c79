package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/impair"
	"wirelab/internal/relay"
	"wirelab/internal/style"
	"wirelab/internal/tui"
)

const defaultLink = "127.0.0.1:9100"

// linkFlags are the words of link.
type linkFlags struct {
	listen, connect string
	udp, both       bool
	expose          bool
	impairFlags
	seed     uint64
	mtu      int
	record   string
	duration time.Duration
	conns    int
	plain    bool
	json     bool
}

func (a *app) linkCommand() *cobra.Command {
	var f linkFlags
	cmd := &cobra.Command{
		Use: "link", Short: "Put an emulated link between two real programs", Args: cobra.NoArgs,
		Long: `Put an emulated link between two real programs on this machine.

  wirelab link --listen 127.0.0.1:9100 --connect 127.0.0.1:9000 --loss 10% --delay 40ms

What a client sends to --listen goes on to the server at --connect, over a link
that loses, delays and limits packets as the flags say. The programs need not
know, nobody needs to be root, and it is the same on every system: each TCP
connection ends here and is carried between two hosts with a TCP/IP stack of
their own, in real time, so that losses, retransmissions and head-of-line
blocking are real. Datagrams (--udp) stay datagrams.

A delay is for one direction: --delay 40ms makes a round trip of 80ms.

What is not as on a real link: the acknowledgements of the programs' kernels
are not end to end. A client's kernel is told that bytes arrived, and that it is
connected, by the kernel of this machine; they cross the link after that. If the
server refuses, the client is reset as soon as word of it has come back over the
link. FIN and RST pass through as what they are. That a datagram's port is
closed is passed on where the system lets this program send ICMP: on Linux and
macOS to root.

In a terminal this shows a live view, in which keys change the link; otherwise,
or with --plain, a line each second on stderr. At the end, after --duration or
an interrupt, it prints a summary.

A recording holds every packet at three points: as it left the client's host
or reached it, in the link with what became of it, and at the server's host.
If the disk is too slow for that, the link waits: a packet is never left out.`,
		RunE: a.do(func(ctx context.Context, _ []string) error { return a.link(ctx, &f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.listen, "listen", defaultLink, "`address` that the client program calls (port 0: any free one)")
	fl.StringVar(&f.connect, "connect", defaultAddress, "`address` of the server program")
	fl.BoolVar(&f.udp, "udp", false, "carry UDP instead of TCP")
	fl.BoolVar(&f.both, "both", false, "carry TCP and UDP")
	fl.BoolVar(&f.expose, "expose", false, "let --listen be an address that other machines reach: whoever calls it is passed on to --connect")
	f.impairFlags.add(fl)
	fl.Uint64Var(&f.seed, "seed", 1, "`number` that the link's random decisions come from")
	fl.IntVar(&f.mtu, "mtu", 1500, "`bytes` of a packet that the link's hosts send at most; larger ones are faster")
	fl.StringVar(&f.record, "record", "", "`file` for a capture (pcapng) of what happens on the link")
	fl.DurationVar(&f.duration, "duration", 0, "end after so long; 0: when interrupted")
	fl.IntVar(&f.conns, "max-connections", 1024, "`number` of TCP connections, and of UDP flows, at once")
	fl.BoolVar(&f.plain, "plain", false, "no live view: a line each second, on stderr")
	fl.BoolVar(&f.json, "json", false, "print the summary as JSON; no live view")
	return cmd
}

// check refuses words that make no sense, before anything is bound.
func (f *linkFlags) check() (up, down impair.Config, err error) {
	if up, down, err = f.impairFlags.configs(); err != nil {
		return up, down, err
	}
	for _, n := range []struct {
		flag string
		bad  bool
		got  any
		want string
	}{
		{"--mtu", f.mtu < relay.MinMTU || f.mtu > relay.MaxMTU, f.mtu, fmt.Sprintf("%d to %d bytes", relay.MinMTU, relay.MaxMTU)},
		{"--duration", f.duration < 0, f.duration, "more than 0, or 0 for no end"},
		{"--max-connections", f.conns < 1, f.conns, "at least 1"},
	} {
		if n.bad {
			return up, down, cannot("want "+n.want, "%s %v", n.flag, n.got)
		}
	}
	if f.udp && f.both {
		return up, down, cannot("--udp is UDP alone, --both is TCP and UDP", "--udp and --both together")
	}
	const shape = "an address is HOST:PORT, such as 127.0.0.1:9000"
	local, err := isLoopback(f.listen)
	switch {
	case err != nil:
		return up, down, cannot(shape, "--listen %q: %w", f.listen, err)
	case !local && !f.expose:
		return up, down, cannot("listen on 127.0.0.1, or say --expose if everybody who reaches it may call "+f.connect,
			"--listen %s is not a loopback address, and a link asks nobody for a key", f.listen)
	}
	if _, err := isLoopback(f.connect); err != nil {
		return up, down, cannot(shape, "--connect %q: %w", f.connect, err)
	}
	host, port, _ := net.SplitHostPort(f.connect)
	switch {
	case host == "":
		return up, down, cannot(shape, "--connect %q: no host", f.connect)
	case port == "0":
		return up, down, cannot(shape, "--connect %q: port 0 is nobody's", f.connect)
	case sameAddress(f.listen, f.connect):
		return up, down, cannot("the server and the link want an address each", "--connect %s is --listen, too: the link would call itself", f.connect)
	}
	return up, down, nil
}

// sameAddress reports whether who calls connect reaches listen. Names have been
// found to be good before.
func sameAddress(listen, connect string) bool {
	l, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return false
	}
	c, err := net.ResolveTCPAddr("tcp", connect)
	if err != nil {
		return false
	}
	here := l.IP.Equal(c.IP) || (l.IP == nil || l.IP.IsUnspecified()) && c.IP.IsLoopback()
	return l.Port == c.Port && l.Port != 0 && here
}

// open binds the address and the file, and makes the relay.
func (f *linkFlags) open(up, down impair.Config, log *slog.Logger) (r *relay.Relay, path string, done closers, err error) {
	defer func() {
		if err != nil {
			done.close()
		}
	}()
	cfg := relay.Config{
		Connect: f.connect, Up: up, Down: down, Seed: f.seed, MTU: f.mtu, MaxConns: f.conns, MaxFlows: f.conns, Log: log,
	}
	var tcp, udp string
	if !f.udp {
		tcp = f.listen
	}
	if f.udp || f.both {
		udp = f.listen
	}
	l, u, err := listenBoth("tcp", tcp, "udp", udp)
	if err != nil {
		hint := "choose another address with --listen"
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "another program has that port: " + hint
		}
		return nil, "", nil, cannot(hint, "%w", err)
	}
	path = linkPath(l, u, f.connect)
	if l != nil {
		cfg.TCP, done = l, append(done, l.Close)
	}
	if u != nil {
		cfg.UDP, done = u.(*net.UDPConn), append(done, u.Close)
	}
	if f.record != "" {
		file, err := os.Create(f.record)
		if err != nil {
			return nil, "", done, cannot("--record wants a file that can be written", "cannot record to %s: %w", f.record, rootPath(err))
		}
		cfg.Record, done = file, append(done, file.Close)
	}
	r, err = relay.New(cfg)
	return r, path, done, err
}

// linkPath says who is joined to whom: "tcp+udp 127.0.0.1:9100 → 127.0.0.1:9000".
func linkPath(l net.Listener, u net.PacketConn, connect string) string {
	switch {
	case u == nil:
		return fmt.Sprintf("tcp %v → %s", l.Addr(), connect)
	case l == nil:
		return fmt.Sprintf("udp %v → %s", u.LocalAddr(), connect)
	case l.Addr().String() == u.LocalAddr().String():
		return fmt.Sprintf("tcp+udp %v → %s", l.Addr(), connect)
	}
	return fmt.Sprintf("tcp %v udp %v → %s", l.Addr(), u.LocalAddr(), connect)
}

// rootPath drops the operation and file name that os has put in front.
func rootPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (a *app) link(ctx context.Context, f *linkFlags) (err error) {
	up, down, err := f.check()
	if err != nil {
		return err
	}
	view := !f.plain && !f.json && style.IsTerminal(a.in) && style.IsTerminal(a.out)
	log, ring := a.logger(), &logRing{}
	if view {
		// The view owns the screen: what is logged is shown when it ends.
		log = ring.logger(a.verbose)
	}
	r, path, opened, err := f.open(up, down, log)
	if err != nil {
		return err
	}
	defer func() {
		// The relay has closed its sockets; the file is what counts.
		for i := len(opened) - 1; i >= 0; i-- {
			if e := opened[i](); err == nil && e != nil && !errors.Is(e, net.ErrClosed) {
				err = e
			}
		}
	}()
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		defer stop()
		served <- r.Serve(ctx)
	}()
	for _, w := range warnings(up, down) {
		log.Warn(w)
	}
	if view {
		var notes []string
		if f.record != "" {
			notes = append(notes, "● "+filepath.Base(f.record))
		}
		err = tui.Link(ctx, tui.LinkConfig{Snapshot: r.Snapshot, Set: r.Set, Path: path, Notes: notes, In: a.in, Out: a.out})
		if ctx.Err() != nil {
			err = nil // it ends as a server ends
		}
		stop()
	} else {
		fmt.Fprintf(a.err, "wirelab: link %s; up: %s; down: %s\n", style.Visible(path), ideal(up), ideal(down))
		liveLines(ctx, a.err, r.Snapshot)
	}
	err = errors.Join(err, <-served)
	for _, line := range ring.lines() {
		fmt.Fprintln(a.err, line)
	}
	return errors.Join(err, f.summarise(a.out, r.Snapshot()))
}

// ideal is how a link that does nothing is called.
func ideal(c impair.Config) string { return cmp.Or(c.String(), "ideal") }

// liveLines writes a line each second in which packets passed, until ctx ends.
func liveLines(ctx context.Context, w io.Writer, snapshot func() relay.Snapshot) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	before := snapshot()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := snapshot()
		if line := liveLine(&before, &now); line != "" {
			fmt.Fprintln(w, line)
		}
		before = now
	}
}
