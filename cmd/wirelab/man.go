package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand prints the manual page, from the same texts as --help.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Args: cobra.NoArgs,
		Long: "Print the manual page in roff. To read it: wirelab man | man -l -",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.began = true
			return writeMan(a.out, cmd.Root())
		},
	}
}

// roff escapes what roff would take for its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func writeMan(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	b.WriteString(".TH WIRELAB 1\n.SH NAME\nwirelab \\- " + roff(root.Short) + "\n.SH DESCRIPTION\n.nf\n" + roff(root.Long) + "\n.fi\n.SH COMMANDS\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Hidden || sub.Name() == "help" {
				continue
			}
			if sub.HasSubCommands() {
				walk(sub)
				continue
			}
			fmt.Fprintf(&b, ".SS %s\n", roff(sub.UseLine()))
			text := sub.Long
			if text == "" {
				text = sub.Short + "."
			}
			b.WriteString(".nf\n" + roff(text) + "\n.fi\n")
			sub.LocalFlags().VisitAll(func(f *pflag.Flag) {
				name, usage := pflag.UnquoteUsage(f)
				fmt.Fprintf(&b, ".TP\n\\-\\-%s %s\n%s", roff(f.Name), roff(name), roff(usage))
				if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
					fmt.Fprintf(&b, " (default %s)", roff(f.DefValue))
				}
				b.WriteByte('\n')
			})
		}
	}
	walk(root)
	b.WriteString(".SH EXIT STATUS\n0 yes, 1 it ran and the answer is no, 2 usage or it could not run, 124 timeout, 130 interrupted.\n" +
		".SH ENVIRONMENT\nWIRELAB_KEY: the join key. NO_COLOR: no colour.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
