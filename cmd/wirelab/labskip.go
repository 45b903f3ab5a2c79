package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
)

func newLabSkip(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "skip NAME|FILE.txtar [STEP]", Short: "Leave a lab, or a step of it, out", Args: cobra.RangeArgs(1, 2),
		Long: `Leave a lab out, or one step of it. It has no points then. Both can be done later
all the same: wirelab lab run goes on with them. Only a prediction cannot be made
any more once the run was seen.

  wirelab lab skip layers
  wirelab lab skip handshake silence`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.labSkip(args) }),
	}
}

func (a *app) labSkip(args []string) error {
	s, err := findLab(args[0])
	if err != nil {
		return err
	}
	n := a.openNotebook()
	old := n.Record(s.Name)
	now := time.Now()
	if len(args) == 1 {
		r := &attempt.Record{Lab: s.Name, Place: attempt.Reading, Began: now}
		if old != nil {
			r = old
		}
		if !r.Ended.IsZero() {
			return fmt.Errorf("lab %s is done: there is nothing to skip", s.Name)
		}
		r.Skipped, r.Changed = true, now
		if err := n.Save(r, now); err != nil {
			return fmt.Errorf("not kept: %w", err)
		}
		_, err = fmt.Fprintln(a.out, "skipped:", s.Name)
		return err
	}
	st := s.Step(args[1])
	if st == nil {
		var names []string
		for _, st := range s.Steps {
			names = append(names, st.Name)
		}
		hint := "the steps are " + strings.Join(names, ", ")
		if s.Kind == sheet.Build {
			hint = "a lab to build has stages, which are checked in order"
		}
		return cannot(hint, "lab %s has no step %q", s.Name, args[1])
	}
	att := attempt.New(s, n.Learner(), old, now)
	if status := att.Work(st).Status; status != attempt.Open && status != attempt.Skipped {
		return fmt.Errorf("step %s is %s: there is nothing to skip", st.Name, status)
	}
	att.SkipStep(st, now)
	if err := n.Save(att.Record(), now); err != nil {
		return fmt.Errorf("not kept: %w", err)
	}
	_, err = fmt.Fprintln(a.out, "skipped:", s.Name, st.Name)
	return err
}
