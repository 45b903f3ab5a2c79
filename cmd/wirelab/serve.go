package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/chat"
	"wirelab/internal/missed"
	"wirelab/internal/repl"
	"wirelab/internal/style"
	"wirelab/internal/tui"
	"wirelab/internal/wire"
	"wirelab/udpchat"
)

const defaultAddress = "127.0.0.1:9000"

// serveFlags are the words of serve.
type serveFlags struct {
	listen, tcp, udp, text string
	data, key, room        string
	namespaces, operators  []string
	count                  int
	size, total            string
	age, ttl               time.Duration
	full                   string
	rate                   float64
	burst, datagram        int
	maxConns               int
	plain                  bool
}

func (a *app) serveCommand(use, short string, t transports) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		Long: short + `.

Events are kept in rooms, each a log; members who come back get what they
missed. With --data they survive the server, too: an event is acknowledged only
once it is on disk.

In a terminal this shows a live view for the projector; otherwise, or with
--plain, it logs to stderr who comes and goes; with --verbose rooms, too. It
listens on this machine only, unless told otherwise; beyond it a join key is
required. The key never crosses the network.
Protected are: who may join, and over UDP every datagram against forgery.
Not protected: nothing is encrypted, so whoever can listen can read.`,
		RunE: a.do(func(ctx context.Context, _ []string) error { return a.serve(ctx, &f, t) }),
	}
	fl := cmd.Flags()
	listens := map[transports]string{{tcp: true}: "TCP", {udp: true}: "UDP"}[t]
	fl.StringVar(&f.listen, "listen", defaultAddress, "`address` for "+cmp.Or(listens, "TCP and UDP")+" (port 0: any free one)")
	if t.tcp && t.udp {
		fl.StringVar(&f.tcp, "tcp", "", "`address` for TCP if it differs; \"off\" for none")
		fl.StringVar(&f.udp, "udp", "", "`address` for UDP if it differs; \"off\" for none")
	}
	fl.StringVar(&f.text, "text", "", "`address` of a plain line port, TCP and UDP, for nc and telnet")
	fl.StringVar(&f.data, "data", "", "`folder` to keep events and sessions in; without it they end with the server")
	fl.StringVar(&f.key, "key", "", "join `key` that members must know (or WIRELAB_KEY)")
	fl.StringVar(&f.room, "room", "lobby", "`name` of the room that always exists")
	fl.StringSliceVar(&f.namespaces, "namespace", nil, "a further `namespace`; may be repeated")
	fl.StringSliceVar(&f.operators, "operator", nil, "`name` of somebody who may /kick and /ban, from this machine only; may be repeated")
	fl.IntVar(&f.count, "keep-count", 100_000, "events that a room keeps (-1: no limit)")
	fl.StringVar(&f.size, "keep-bytes", "32MiB", "`bytes` that a room keeps (-1: no limit)")
	fl.DurationVar(&f.age, "keep-age", 24*time.Hour, "how long a room keeps an event (-1s: no limit)")
	fl.StringVar(&f.total, "keep-total", "256MiB", "`bytes` that all rooms keep together (-1: no limit)")
	fl.StringVar(&f.full, "when-full", "drop-oldest", "`policy` of a full room: drop-oldest, or refuse new events")
	fl.DurationVar(&f.ttl, "session-ttl", 24*time.Hour, "how long a member who is away is waited for")
	fl.Float64Var(&f.rate, "rate", 50, "events per second that one connection may emit (-1: no limit)")
	fl.IntVar(&f.burst, "burst", 100, "events that one connection may emit at once, beyond --rate")
	fl.IntVar(&f.maxConns, "max-connections", 100_000, "connections at once")
	if t.udp {
		fl.IntVar(&f.datagram, "datagram", wire.MaxDatagram, "`bytes` of a UDP payload at most")
	}
	fl.BoolVar(&f.plain, "plain", false, "no live view: log to stderr")
	return cmd
}

// config checks the words and turns them into a server's configuration.
func (f *serveFlags) config(a *app, t transports) (serverConfig, error) {
	cfg := serverConfig{text: f.text, data: f.data, datagram: f.datagram, log: a.logger()}
	pick := func(word string, on bool) string {
		if word == "off" || !on {
			return ""
		}
		return cmp.Or(word, f.listen)
	}
	cfg.tcp, cfg.udp = pick(f.tcp, t.tcp), pick(f.udp, t.udp)
	if cfg.tcp == "" && cfg.udp == "" {
		return cfg, cannot("leave one of them on", "with --tcp off and --udp off there is nothing to serve")
	}
	switch f.full {
	case "drop-oldest":
	case "refuse":
		cfg.policy = missed.RefuseNew
	default:
		return cfg, cannot("--when-full drop-oldest, or refuse", "--when-full %q: no such policy", f.full)
	}
	size, err := parseBytes("--keep-bytes", f.size)
	if err != nil {
		return cfg, err
	}
	if cfg.total, err = parseBytes("--keep-total", f.total); err != nil {
		return cfg, err
	}
	cfg.limits = missed.Limits{Count: f.count, Bytes: size, Age: f.age}
	for _, n := range []struct {
		flag string
		bad  bool
		got  any
		want string
	}{
		{"--keep-count", f.count == 0, f.count, "at least 1, or -1 for no limit"},
		{"--keep-age", f.age == 0, f.age, "more than 0, or -1s for no limit"},
		{"--rate", f.rate == 0, f.rate, "more than 0, or -1 for no limit"},
		{"--burst", f.burst < 1, f.burst, "at least 1"},
		{"--session-ttl", f.ttl <= 0, f.ttl, "more than 0"},
		{"--max-connections", f.maxConns < 1, f.maxConns, "at least 1"},
		{"--datagram", t.udp && (f.datagram < udpchat.MinDatagram || f.datagram > wire.MaxUDPPayload), f.datagram, fmt.Sprintf("%d to %d bytes", udpchat.MinDatagram, wire.MaxUDPPayload)},
	} {
		if n.bad {
			return cfg, cannot("want "+n.want, "%s %v", n.flag, n.got)
		}
	}
	cfg.hub = chat.Config{
		Key: []byte(cmp.Or(f.key, os.Getenv("WIRELAB_KEY"))), Namespaces: f.namespaces, Lobby: f.room,
		Server: "wirelab " + version(), Operators: f.operators,
		SessionTTL: f.ttl, Rate: f.rate, Burst: f.burst, MaxConns: f.maxConns,
	}
	return cfg, nil
}

// logged returns hooks that log who comes and goes; rooms with --verbose.
func logged(log *slog.Logger) chat.Hooks {
	room := func(what string) func(namespace, room, name string) {
		return func(namespace, room, name string) {
			if !repl.Private(room) {
				log.Debug(what, "name", name, "room", repl.Place{Namespace: namespace, Room: room}.String())
			}
		}
	}
	return chat.Hooks{
		Connect: func(s *chat.Socket) {
			info := s.Info()
			log.Info("connected", "name", s.Name(), "over", repl.Link(info.Transport, info.Mode), "remote", info.Remote)
		},
		Disconnect: func(s *chat.Socket, reason string) { log.Info("disconnected", "name", s.Name(), "reason", reason) },
		Join:       room("joined"),
		Leave:      room("left"),
	}
}

func (a *app) serve(ctx context.Context, f *serveFlags, t transports) error {
	cfg, err := f.config(a, t)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// The path of an event allocates next to nothing, so collecting twice
		// as often costs no speed; ten thousand idle members cost 2 KiB less
		// each.
		debug.SetGCPercent(50)
	}
	view := !f.plain && style.IsTerminal(a.in) && style.IsTerminal(a.out)
	ring := &logRing{}
	if view {
		// The view owns the screen: what is logged is shown when it ends.
		cfg.log = ring.logger(a.verbose)
	}
	cfg.hub.Hooks = logged(cfg.log)
	s, err := openServer(cfg)
	if err != nil {
		return err
	}
	if !view {
		for _, addr := range s.addresses() {
			cfg.log.Info("listening", "on", addr)
		}
		if cfg.data != "" {
			cfg.log.Info("events are kept on disk", "folder", cfg.data)
		}
		err := s.run(ctx)
		if err != nil {
			return err // which is told like any other
		}
		cfg.log.Info("ended")
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() {
		defer stop()
		done <- s.run(ctx)
	}()
	var notes []string
	if len(cfg.hub.Key) > 0 {
		notes = append(notes, "join key required")
	}
	if cfg.data != "" {
		notes = append(notes, "data: "+cfg.data)
	}
	err = tui.Serve(ctx, tui.ServeConfig{
		Title: "wirelab " + version(), Addresses: s.addresses(), Notes: notes,
		Snapshot: s.hub.Snapshot, In: a.in, Out: a.out,
	})
	if ctx.Err() != nil {
		err = nil // it ends as a server ends
	}
	stop()
	err = errors.Join(err, <-done)
	for _, line := range ring.lines() {
		fmt.Fprintln(a.err, line)
	}
	return err
}

// parseBytes reads a size such as 64MiB, 10kB or 1000.
func parseBytes(flag, s string) (int64, error) {
	units := []struct {
		name string
		n    int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}
	number, unit := strings.TrimSpace(s), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.n
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil, n < -1, n == 0, n > 0 && n > (1<<62)/unit:
		return 0, cannot("want a size such as 64MiB, 500kB or 1000, or -1 for no limit", "%s %q", flag, s)
	}
	return n * unit, nil
}
