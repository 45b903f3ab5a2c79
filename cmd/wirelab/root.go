package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
)

// Exit codes.
const (
	exitOK          = 0
	exitNo          = 1   // it ran, and the answer is no
	exitUsage       = 2   // the words were wrong, or it could not run
	exitTimeout     = 124 // time ran out
	exitInterrupted = 130 // SIGINT or SIGTERM
)

// A failure is an error with a hint for the reader and an exit code.
type failure struct {
	err  error
	hint string
	code int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// cannot says that the command could not run, with a hint.
func cannot(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), hint: hint, code: exitUsage}
}

// An app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	verbose  bool
	began    bool // a command's own work began: the words were right
}

// run executes one command line and returns the exit code. stdout is data,
// stderr is talk.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	ctx, stop := untilSignal()
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	var f *failure
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &f):
		a.complain(f.err, f.hint)
		return f.code
	case !a.began:
		a.complain(err, usageHint(err, args))
		return exitUsage
	}
	a.complain(err, "")
	return exitNo
}

// untilSignal returns a context that SIGINT or SIGTERM ends. A second one ends
// the program: who asks twice does not want to wait for goodbyes. What was
// acknowledged is on disk by then.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case <-signals:
				if ctx.Err() != nil {
					os.Exit(exitInterrupted)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// errInterrupted ends a command that SIGINT or SIGTERM stopped.
var errInterrupted = errors.New("interrupted")

// complain writes what went wrong. A server's own words may be in it: nothing
// of them moves the cursor or begins a line.
func (a *app) complain(err error, hint string) {
	fmt.Fprintf(a.err, "wirelab: %s\n", style.Lines(err.Error(), ""))
	if hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", style.Lines(hint, ""))
	}
}

func usageHint(err error, args []string) string {
	var words []string
	for _, w := range args {
		if strings.HasPrefix(w, "-") {
			break
		}
		words = append(words, w)
	}
	if strings.Contains(err.Error(), "unknown command") {
		words = nil
	}
	return strings.Join(append([]string{"wirelab"}, append(words, "--help")...), " ") + " shows what there is"
}

// do wraps a command's work, so that an error in it is told from wrong words.
func (a *app) do(fn func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return fn(cmd.Context(), args)
	}
}

// logger writes structured logs to stderr.
func (a *app) logger() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "wirelab",
		Short: "See what TCP and UDP do to a message",
		Long: `Wirelab lets you see what TCP and UDP do to a message: chat in a terminal over
either, in the same rooms, look at every byte on the way, and get what you
missed while you were away.

  wirelab serve                      start a chat server, TCP and UDP together
  wirelab tcp chat --name ana        join it over TCP
  wirelab udp chat --name bo         join it over UDP
  wirelab compare                    what UDP, TCP and the queue deliver when
                                     something fails, measured
  wirelab link                       a bad network between two real programs
  wirelab lab                        the course: predict, run, see, explain
  wirelab packets                    what was on the wire, from any capture
  wirelab demo                       a tour in half a minute, no terminal needed`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("wirelab {{.Version}}\n")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log more, on stderr")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.serveCommand("serve", "Run one chat server on TCP and UDP together", transports{tcp: true, udp: true}),
		a.groupCommand("tcp", "Chat over TCP alone", transports{tcp: true}),
		a.groupCommand("udp", "Chat over UDP alone", transports{udp: true}),
		a.linkCommand(),
		a.compareCommand(),
		a.labCommand(),
		a.packetsCommand(),
		a.demoCommand(),
		a.versionCommand(),
		a.manCommand(),
	)
	return root
}

// transports says which of the two a command is for.
type transports struct{ tcp, udp bool }

func (a *app) groupCommand(name, short string, t transports) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.serveCommand("serve", "Run a chat server over "+strings.ToUpper(name), t), a.chatCommand(t))
	return cmd
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: a.do(func(context.Context, []string) error {
			_, err := fmt.Fprintln(a.out, "wirelab", version())
			return err
		}),
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) > 12 {
			return "dev-" + s.Value[:12]
		}
	}
	if info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
