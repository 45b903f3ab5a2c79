package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/internal/tui"
	"wirelab/packets/index"
)

func newPacketsBrowse(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "browse FILE", Short: "Look around in a capture: packets, layers, bytes", Args: cobra.ExactArgs(1),
		Long: `Look around in a capture, in three panes that go together: the list of packets,
the layers of the chosen one, and its bytes. A field that is chosen has its bytes
marked by [ ]; a byte that is chosen has its field marked.

  wirelab packets browse chat.pcapng

Keys: tab to another pane, / to filter by an expression of tcpdump's, such as
"tcp port 9000", or by ~TEXT in the lines of the list, n to the next packet with a flag of the
TCP analysis or a loss, f to follow a conversation as text, l to see it as a
ladder, : to go to a number, ? for all keys, q to quit.

The file is read through once in the background, and what was read can be looked
at meanwhile. 40 bytes of each packet are kept; packets are read again when they
come into view. What is compressed, or comes from a pipe (FILE -), is kept in
memory, as far as 256 MiB go: of more only the beginning is shown, which it says.`,
		RunE: a.do(func(ctx context.Context, args []string) error { return a.packetsBrowse(ctx, args[0]) }),
	}
}

func (a *app) packetsBrowse(ctx context.Context, path string) (err error) {
	hint := "for text that can be piped: wirelab packets show " + style.Visible(path)
	if !style.IsTerminal(a.out) || path != "-" && !style.IsTerminal(a.in) {
		return cannot(hint, "packets browse needs a terminal, for the keys and for the screen")
	}
	keys := a.in
	if path == "-" {
		// Standard input is the capture's: the keys come from the terminal itself.
		tty, err := os.Open("/dev/tty")
		if err != nil {
			return cannot(hint, "packets browse finds no terminal for the keys: %w", err)
		}
		defer tty.Close()
		keys = tty
	}
	x, err := index.Open(path, a.in)
	if err != nil {
		return notOpened(err)
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	return tui.Browse(ctx, tui.BrowseConfig{Index: x, File: path, Compile: compileFilter, In: keys, Out: a.out})
}
