package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/show"
)

// layersFlags are the words of packets layers.
type layersFlags struct {
	json, plain bool
	width       int
}

func newPacketsLayers(a *app) *cobra.Command {
	var f layersFlags
	cmd := &cobra.Command{
		Use: "layers [FILE]", Short: "The reference card: OSI's and TCP/IP's layers, with one real message", Args: cobra.MaximumNArgs(1),
		Long: `Print the reference card of the layers: what each is for, what its unit and its
address are called, and what examples there are; then what each adds to one real
message, in bytes and as a share of the packet.

  wirelab packets layers
  wirelab packets layers chat.pcapng

The message is the first event of the chat in FILE, else the first payload of TCP
or UDP. Without FILE it is one that was recorded in a lab.`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.packetsLayers(args, &f) }),
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.json, "json", false, "print JSON (packets/JSON.md)")
	fl.IntVar(&f.width, "width", 0, "`columns` of the text (default those of the terminal)")
	fl.BoolVar(&f.plain, "plain", false, "no colours")
	return cmd
}

func (a *app) packetsLayers(args []string, f *layersFlags) error {
	if f.width < 0 {
		return cannot("want 0 or more", "--width %d", f.width)
	}
	var name string
	var r *packets.Reader
	var err error
	if len(args) > 0 {
		name = args[0]
		r, err = a.openCapture(name)
	} else {
		r, err = packets.NewReader(show.BuiltIn())
	}
	if err != nil {
		return err
	}
	defer r.Close()
	card, err := show.NewCard(name, r)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if f.json {
		b, err := card.JSON()
		if err == nil {
			_, err = a.out.Write(b)
		}
		return err
	}
	lines := card.Text(show.Picture{Width: a.columns(f.width), Palette: style.NewPalette(a.out, f.plain)})
	_, err = fmt.Fprintln(a.out, strings.Join(lines, "\n"))
	return err
}
