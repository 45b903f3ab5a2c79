package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

func newLabStatus(a *app) *cobra.Command {
	var asJSON, plain bool
	cmd := &cobra.Command{
		Use: "status [NAME|FILE.txtar]", Short: "How far you are, lab by lab or step by step", Args: cobra.MaximumNArgs(1),
		Long: `Show how far you are: in all labs that you began, or step by step in one.

  wirelab lab status
  wirelab lab status handshake

--json has one object: learner (name, class), points, of, labs; a lab has name,
title, progress (state, place, points, of) and steps (name, kind, status, tries,
hints). Of the lab that is named what was answered is there, too.`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.labStatus(args, asJSON, plain) }),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&plain, "plain", false, "no colours")
	return cmd
}

// A labStatus is what --json says.
type labStatus struct {
	Learner attempt.Learner `json:"learner"`
	Points  float64         `json:"points"`
	Of      float64         `json:"of"`
	Labs    []labState      `json:"labs"`
}

type labState struct {
	Name     string      `json:"name"`
	Title    string      `json:"title"`
	Progress labProgress `json:"progress"`
	Steps    []stepState `json:"steps,omitempty"`
}

type stepState struct {
	Name   string         `json:"name"`
	Kind   sheet.StepKind `json:"kind"`
	Status attempt.Status `json:"status"`
	Tries  int            `json:"tries"`
	Hints  int            `json:"hints"`
	Given  []string       `json:"given,omitempty"` // as it was understood
}

func (a *app) labStatus(args []string, asJSON, plain bool) error {
	n := a.openNotebook()
	records := n.Records()
	var all []*sheet.Sheet
	if len(args) == 1 {
		s, err := findLab(args[0])
		if err != nil {
			return err
		}
		all = []*sheet.Sheet{s}
	} else {
		var err error
		if all, err = a.allLabs(); err != nil {
			return err
		}
	}
	st := labStatus{Learner: n.Learner(), Labs: []labState{}}
	for _, s := range all {
		p := progressOf(s, records[s.Name])
		st.Of += p.Of
		st.Points += p.Points
		if p.State == "new" && len(args) == 0 {
			continue
		}
		st.Labs = append(st.Labs, labState{s.Name, s.Title, p, stepStates(s, records[s.Name], len(args) == 1)})
	}
	out := bufio.NewWriter(a.out)
	if asJSON {
		return errors.Join(writeJSON(out, st, "  "), out.Flush())
	}
	width, palette := style.Width(a.out), style.NewPalette(a.out, plain)
	if len(args) == 1 {
		printLabState(out, all[0], &st.Labs[0], args[0], width, palette)
		return out.Flush()
	}
	fmt.Fprintf(out, "%s: %s of %s points\n", learnerWords(st.Learner), number(st.Points), number(st.Of))
	own := maps.Clone(records)
	for _, s := range all {
		delete(own, s.Name)
	}
	begun := slices.DeleteFunc(all, func(s *sheet.Sheet) bool { return records[s.Name] == nil })
	if len(begun)+len(own) == 0 {
		fmt.Fprintf(out, "\nnothing begun yet: wirelab lab list shows what there is\n")
		return out.Flush()
	}
	printLabs(out, begun, records, width, palette)
	printOwn(out, own, width, palette)
	if name := latest(begun, records); name != "" {
		fmt.Fprintf(out, "\n%s\n", palette.Dim.Render("wirelab lab run "+name+" goes on"))
	}
	return out.Flush()
}

// printOwn writes a line for each lab that is not in the catalogue: a file of the
// learner's own, or a lab of another version.
func printOwn(out io.Writer, own map[string]*attempt.Record, width int, palette *style.Palette) {
	if len(own) > 0 {
		fmt.Fprintf(out, "\n%s\n", palette.Accent.Render("Others"))
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		r := own[name]
		p := progressOf(&sheet.Sheet{}, r)
		p.Of = r.Of
		sign, words := p.words(sheet.Observe)
		printItem(out, "  "+sign+" ", name+": "+words, width)
	}
}

// latest returns the lab that was begun and worked on last; empty: none is open.
func latest(begun []*sheet.Sheet, records map[string]*attempt.Record) string {
	name, when := "", time.Time{}
	for _, s := range begun {
		r := records[s.Name]
		if progressOf(s, r).State == "begun" && r.Changed.After(when) {
			name, when = s.Name, r.Changed
		}
	}
	return name
}

// stepStates says how far each step is, and with given what was answered.
func stepStates(s *sheet.Sheet, r *attempt.Record, given bool) []stepState {
	var all []stepState
	for _, st := range s.Steps {
		state := stepState{Name: st.Name, Kind: st.Kind, Status: attempt.Open}
		if r != nil && r.Steps[st.Name] != nil {
			w := r.Steps[st.Name]
			state.Status, state.Tries, state.Hints = w.Status, len(w.Tries), w.Hints
			for _, t := range w.Tries {
				if given {
					state.Given = append(state.Given, t.Given)
				}
			}
		}
		all = append(all, state)
	}
	return all
}

// printLabState writes one lab step by step.
func printLabState(out io.Writer, s *sheet.Sheet, l *labState, word string, width int, palette *style.Palette) {
	sign, words := l.Progress.words(s.Kind)
	if words == "" {
		words = "not begun"
	}
	for _, line := range view.Prose(fmt.Sprintf("%s: %s %s", s.Title, sign, words), width) {
		fmt.Fprintln(out, palette.Accent.Render(line))
	}
	if s.Kind == sheet.Build {
		for _, st := range s.Stages {
			sign := "·"
			if st.Number <= l.Progress.Stages {
				sign = "✓"
			}
			printItem(out, fmt.Sprintf("%s %2d. ", sign, st.Number), st.Title, width)
		}
		return
	}
	table := &view.Table{Heads: []string{"step", "what", "how far", "tries", "hints", "answered"}, Right: []bool{false, false, false, true, true, false}}
	for _, st := range l.Steps {
		words, ink := view.Words(st.Status)
		last := ""
		if len(st.Given) > 0 {
			last = st.Given[len(st.Given)-1]
			if st.Kind == sheet.Predict {
				last = st.Given[0]
			}
		}
		table.Rows = append(table.Rows, []view.Cell{
			{Text: st.Name}, {Text: string(st.Kind)}, {Text: words, Ink: ink}, {Text: count(st.Tries)}, {Text: count(st.Hints)}, {Text: last},
		})
	}
	for _, line := range table.Text(width, palette) {
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	fmt.Fprintf(out, "\n%s\n", palette.Dim.Render(cells.Visible("wirelab lab run "+quoted(word))))
}

// count writes a number of a table; nothing for none.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
