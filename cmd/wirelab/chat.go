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
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/style"
	"wirelab/internal/tui"
	"wirelab/internal/wire"
	"wirelab/tcpchat"
	"wirelab/udpchat"
)

// chatFlags are the words of tcp chat and udp chat.
type chatFlags struct {
	connect, name, namespace, key string
	rooms                         []string
	mode                          string
	noSession                     bool
	session                       string
	noReconnect                   bool
	plain, json, echo, xray       bool
	linger, timeout               time.Duration
	datagram                      int
}

func (a *app) chatCommand(t transports) *cobra.Command {
	var f chatFlags
	over, what := "TCP", `With a session, which is the default, the server keeps what you miss while you
are away and sends it when you come back: also to the next run with the same
name. With --no-session this is plain TCP: what passes while you are away is
gone.`
	if t.udp {
		over, what = "UDP", `The mode says what becomes of a datagram that the network loses:
  unreliable         it stays lost; order is as the network leaves it
  sequenced          it stays lost, and so does what was overtaken
  stop-and-wait      it is sent again when no acknowledgement comes; one at a
                     time is under way, so each message costs a round trip
  go-back-n          up to 64 are under way; the receiver takes only the next
                     one, so it is sent again with all that were sent after it
  selective-repeat   up to 64 are under way; the receiver keeps what came early,
                     so only what is missing is sent again
  queue              selective-repeat with a session: what you miss while you
                     are away is kept, and comes when you are back
From stop-and-wait on, everything comes once and in order as long as the
connection lasts. What is said when it does not is gone, but for queue.`
	}
	cmd := &cobra.Command{
		Use: "chat", Short: "Join a chat server over " + over, Args: cobra.NoArgs,
		Long: "Join a chat server over " + over + ".\n\n" + what + `

In a terminal this is a full screen: /help shows the commands, Ctrl+X the bytes.
Otherwise, or with --plain, it is one line in, one line out, for scripts.`,
		RunE: a.do(func(ctx context.Context, _ []string) error { return a.chat(ctx, &f, t) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.connect, "connect", defaultAddress, "`address` of the server")
	fl.StringVar(&f.name, "name", loginName(), "your `name` in the chat")
	fl.StringSliceVar(&f.rooms, "room", []string{"lobby"}, "`room` to be in; may be repeated")
	fl.StringVar(&f.namespace, "namespace", "", "`namespace` to be in")
	fl.StringVar(&f.key, "key", "", "the server's join `key` (or WIRELAB_KEY)")
	if t.udp {
		fl.StringVar(&f.mode, "mode", "unreliable", "`mode` in which datagrams travel: see above")
		fl.IntVar(&f.datagram, "datagram", wire.MaxDatagram, "`bytes` of a UDP payload at most")
	} else {
		fl.BoolVar(&f.noSession, "no-session", false, "plain TCP: no missed messages")
	}
	fl.StringVar(&f.session, "session", "", "`file` that remembers the session (default: one for each name and server)")
	fl.BoolVar(&f.noReconnect, "no-reconnect", false, "end when the connection is lost")
	fl.BoolVar(&f.plain, "plain", false, "lines instead of a full screen")
	fl.BoolVar(&f.json, "json", false, "print events as JSON lines")
	fl.BoolVar(&f.echo, "echo", false, "with --plain: show your own messages, too, when they come back")
	fl.BoolVar(&f.xray, "xray", false, "begin with the bytes shown")
	fl.DurationVar(&f.linger, "linger", 0, "with --plain: keep receiving for that long after the end of input (-1s: until interrupted)")
	fl.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for the first connection and for answers")
	return cmd
}

// loginName is the name that people get without --name.
func loginName() string {
	if u, err := user.Current(); err == nil {
		name := u.Username
		if i := strings.LastIndexByte(name, '\\'); i >= 0 {
			name = name[i+1:]
		}
		if name != "" {
			return name
		}
	}
	return "guest"
}

func (a *app) chat(ctx context.Context, f *chatFlags, t transports) error {
	log := a.logger()
	full := !f.plain && !f.json && style.IsTerminal(a.in) && style.IsTerminal(a.out)
	if full {
		log = slog.New(slog.DiscardHandler) // the screen shows what happens
	} else if !a.verbose {
		log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	cfg := client.Config{
		Name: f.name, Namespace: f.namespace, Rooms: f.rooms, Key: cmp.Or(f.key, os.Getenv("WIRELAB_KEY")),
		Reconnect: !f.noReconnect, AckTimeout: f.timeout, Logger: log, Queue: t.tcp && !f.noSession,
	}
	unreliable := false
	if t.udp {
		mode, err := udpchat.ParseMode(f.mode)
		if err != nil {
			return cannot("--mode "+udpchat.ModeNames(), "--mode %q: no such mode", f.mode)
		}
		if f.datagram < udpchat.MinDatagram || f.datagram > wire.MaxUDPPayload {
			return cannot(fmt.Sprintf("want %d to %d bytes", udpchat.MinDatagram, wire.MaxUDPPayload), "--datagram %d", f.datagram)
		}
		cfg.Dial = (&udpchat.Dialer{Address: f.connect, Mode: mode, Key: []byte(cfg.Key), MaxDatagram: f.datagram}).Dial
		cfg.Queue = mode == udpchat.Queue
		unreliable = !mode.Reliable()
	} else {
		cfg.Dial = (&tcpchat.Dialer{Address: f.connect}).Dial
	}
	if _, err := isLoopback(f.connect); err != nil {
		return cannot("an address is HOST:PORT, such as "+defaultAddress, "--connect %q: %w", f.connect, err)
	}
	if cfg.Queue {
		file, err := openSession(f.session, f.connect, f.name)
		if err != nil {
			return err
		}
		defer file.close()
		cfg.State = file.state
		cfg.SaveState = func(s client.State) {
			if err := file.save(s); err != nil {
				log.Error("the session was not saved: what is missed may not be found again", "file", file.path, "err", err)
			}
		}
	}
	if len(f.rooms) == 0 {
		return cannot("--room lobby", "no room to be in")
	}
	connect := repl.Over(cfg)
	var err error
	if full {
		err = tui.Chat(ctx, tui.ChatConfig{
			Connect: connect, Room: f.rooms[0], Unreliable: unreliable, XRay: f.xray, In: a.in, Out: a.out,
			Title: "wirelab " + f.connect,
		})
	} else {
		err = repl.Plain(ctx, a.in, a.out, a.err, connect, repl.Options{
			Room: f.rooms[0], JSON: f.json, Unreliable: unreliable, Echo: f.echo, Linger: f.linger,
		})
	}
	return a.chatEnd(ctx, err, f)
}

// chatEnd turns the reason why a chat ended into the program's own.
func (a *app) chatEnd(ctx context.Context, err error, flags *chatFlags) error {
	var no *client.Refusal
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return errInterrupted
	case errors.As(err, &no):
		return &failure{err: fmt.Errorf("%s: %w", flags.connect, errors.New(style.Visible(no.Error()))), hint: style.Visible(no.Hint), code: exitNo}
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the server closed the connection", flags.connect)
	}
	f := &failure{err: err, code: exitNo}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		f.hint = "is a server running there? wirelab serve --listen " + flags.connect + " starts one"
	}
	return f
}
