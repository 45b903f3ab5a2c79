package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
)

func newLabReset(a *app) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use: "reset [NAME|FILE.txtar]...", Short: "Forget what you did in a lab, and begin anew",
		Long: `Forget what you did in a lab, so that it begins anew. It asks first; --yes does
not. Nothing brings it back.

  wirelab lab reset handshake
  wirelab lab reset --all --yes

It is about the learner who worked last (wirelab lab status says who).`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.labReset(args, all, yes) }),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all labs")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) labReset(names []string, all, yes bool) error {
	switch {
	case all && len(names) > 0:
		return cannot("leave one out", "--all and the name of a lab")
	case !all && len(names) == 0:
		return cannot("want the name of a lab, or --all", "reset what?")
	}
	n := a.openNotebook()
	records := n.Records()
	if all {
		names = slices.Sorted(maps.Keys(records))
	}
	names = slices.Clone(names)
	for i, name := range names {
		if records[name] != nil {
			continue
		}
		s, err := findLab(name)
		if err != nil {
			return err
		}
		names[i] = s.Name
	}
	names = slices.DeleteFunc(names, func(name string) bool { return records[name] == nil })
	if len(names) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing to forget: no work there")
		return err
	}
	words := style.Visible(strings.Join(names, ", "))
	if !yes {
		fmt.Fprintf(a.err, "forget what %s did in %s? [y/N] ", learnerWords(n.Learner()), words)
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
		default:
			fmt.Fprintln(a.err)
			return fmt.Errorf("nothing was forgotten; --yes does not ask")
		}
	}
	if err := n.Reset(time.Now(), names...); err != nil {
		return fmt.Errorf("not forgotten: %w", err)
	}
	_, err := fmt.Fprintln(a.out, "forgotten: "+words)
	return err
}
