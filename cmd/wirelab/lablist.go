package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

func newLabList(a *app) *cobra.Command {
	var asJSON, plain bool
	cmd := &cobra.Command{
		Use: "list", Short: "The labs by theme, and how far you are", Args: cobra.NoArgs,
		Long: `List the labs by theme: how many minutes each takes, which come before it, and
how far you are. The order is that of the course; no lab is closed.

  ✓  done, with the points      …  begun
  ↷  skipped                    ·  not begun

--json has a line of its own for each lab: name, title, theme, kind, minutes,
after, progress (of lab status).`,
		RunE: a.do(func(context.Context, []string) error { return a.labList(asJSON, plain) }),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	cmd.Flags().BoolVar(&plain, "plain", false, "no colours")
	return cmd
}

// A labLine is a lab in lists, as --json has it.
type labLine struct {
	Name     string      `json:"name"`
	Title    string      `json:"title"`
	Theme    sheet.Theme `json:"theme"`
	Kind     sheet.Kind  `json:"kind"`
	Minutes  int         `json:"minutes"`
	After    []string    `json:"after"`
	Progress labProgress `json:"progress"`
}

// labProgress is how far a learner is in a lab.
type labProgress struct {
	State   string        `json:"state"` // new, begun, done or skipped
	Place   attempt.Place `json:"place,omitempty"`
	Stop    string        `json:"stop,omitempty"` // the step or view
	Points  float64       `json:"points"`
	Of      float64       `json:"of"`
	Stages  int           `json:"stages,omitempty"` // of a lab to build: passed
	Changed *time.Time    `json:"changed,omitempty"`
}

// progressOf sums a record up; r may be nil.
func progressOf(s *sheet.Sheet, r *attempt.Record) labProgress {
	p := labProgress{State: "new", Of: float64(len(s.Stages))}
	for _, st := range s.Steps {
		p.Of += st.Points
	}
	if r == nil {
		return p
	}
	p.Place, p.Stop, p.Points, p.Stages = r.Place, r.Stop, r.Points, r.Stages
	p.State, p.Changed = "begun", &r.Changed
	switch {
	case r.Skipped:
		p.State = "skipped"
	case !r.Ended.IsZero():
		p.State = "done"
	}
	return p
}

// sign and words say it in a line.
func (p labProgress) words(kind sheet.Kind) (sign, words string) {
	points := fmt.Sprintf("%s of %s points", number(p.Points), number(p.Of))
	if kind == sheet.Build {
		points = fmt.Sprintf("%d of %s stages", p.Stages, number(p.Of))
	}
	switch p.State {
	case "done":
		return "✓", "done, " + points
	case "skipped":
		return "↷", "skipped"
	case "begun":
		if kind == sheet.Build {
			return "…", points
		}
		return "…", "begun, at " + placeWords(p.Place)
	}
	return "·", ""
}

// placeWords names a place in a sentence.
func placeWords(p attempt.Place) string {
	switch p {
	case attempt.Reading:
		return "the text"
	case attempt.Predicting:
		return "the predictions"
	case attempt.Running:
		return "the run"
	case attempt.Looking:
		return "the pictures"
	case attempt.Asking:
		return "the questions"
	case attempt.Explaining:
		return "the explanation"
	case attempt.Turning:
		return "the knob"
	case attempt.Done:
		return "the end"
	}
	return "the beginning"
}

// number writes points: 3, 2.5.
func number(f float64) string { return fmt.Sprintf("%.4g", f) }

func (a *app) labList(asJSON, plain bool) error {
	all, err := a.allLabs()
	if err != nil {
		return err
	}
	n := a.openNotebook()
	records := n.Records()
	out := bufio.NewWriter(a.out)
	if asJSON {
		for _, s := range all {
			after := s.After
			if after == nil {
				after = []string{}
			}
			line := labLine{s.Name, s.Title, s.Theme, s.Kind, s.Minutes, after, progressOf(s, records[s.Name])}
			if err := writeJSON(out, line, ""); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	printLabs(out, all, records, style.Width(a.out), style.NewPalette(a.out, plain))
	fmt.Fprintln(out)
	for _, line := range view.Prose("wirelab lab run NAME works on one, lab show NAME prints it, lab status tells how far you are.", style.Width(a.out)) {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// printLabs prints labs by theme, in lines of at most width cells.
func printLabs(out io.Writer, all []*sheet.Sheet, records map[string]*attempt.Record, width int, palette *style.Palette) {
	names := 0
	for _, s := range all {
		names = max(names, cells.Width(cells.Visible(s.Name)))
	}
	names = min(names, max(width/3, 8))
	for _, theme := range sheet.Themes() {
		head := false
		for _, s := range all {
			if s.Theme != theme {
				continue
			}
			if !head {
				fmt.Fprintf(out, "\n%s\n", palette.Accent.Render(string(theme)))
				head = true
			}
			p := progressOf(s, records[s.Name])
			sign, words := p.words(s.Kind)
			left := fmt.Sprintf("  %s %s %3d min  ", sign, cells.Pad(cells.Visible(s.Name), names), s.Minutes)
			room := max(width-cells.Width(left), 12)
			more := []string{s.Title}
			if len(s.After) > 0 {
				more = append(more, "after "+strings.Join(s.After, ", "))
			}
			if words != "" {
				more = append(more, words)
			}
			for _, text := range more {
				for _, line := range cells.Wrap(cells.Visible(text), room, room) {
					fmt.Fprintln(out, paint(palette, p.State, text == s.Title, strings.TrimRight(left+line, " ")))
					left = strings.Repeat(" ", cells.Width(left))
				}
			}
		}
	}
}

// paint colours a line of the list: what is not the title is dim.
func paint(palette *style.Palette, state string, title bool, line string) string {
	switch {
	case !title:
		return palette.Dim.Render(line)
	case state == "done":
		return palette.Grade(0).Render(line)
	}
	return line
}
