package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/sheet"
	"wirelab/labs/view"
)

func newLabShow(a *app) *cobra.Command {
	var asJSON, plain bool
	var starter string
	var who learnerFlags
	cmd := &cobra.Command{
		Use: "show NAME|FILE.txtar", Short: "The text of a lab, without the answers", Args: cobra.ExactArgs(1),
		Long: `Show a lab's text: what it is about, what will be asked, and where to read on.
Answers, hints and solutions are not in it.

  wirelab lab show handshake
  wirelab lab show handshake --name ana
  wirelab lab show echo-tcp --starter mine

--starter writes the programs that a lab of the theme Build begins with, in Go and
in Python, into a folder. A file that is there stays as it is.

--json has one object: name, title, theme, kind, minutes, after, aims,
background, steps (name, kind, ask, unit, options, points), stages, reading.`,
	}
	cmd.RunE = a.do(func(_ context.Context, args []string) error {
		s, err := findLab(args[0])
		if err != nil {
			return err
		}
		l, _, err := who.learner(cmd, a.openNotebook())
		if err != nil {
			return err
		}
		if starter != "" {
			return a.writeStarters(s, starter)
		}
		page := newLabPage(s, s.Variant(l.Class, l.Name))
		page.word = args[0]
		out := bufio.NewWriter(a.out)
		if asJSON {
			err = writeJSON(out, page, "  ")
		} else {
			page.print(out, style.Width(a.out), style.NewPalette(a.out, plain))
		}
		if ferr := out.Flush(); err == nil {
			err = ferr
		}
		return err
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&plain, "plain", false, "no colours")
	cmd.Flags().StringVar(&starter, "starter", "", "write the programs to begin with into this `folder`")
	who.add(cmd)
	return cmd
}

// writeStarters writes a build lab's starter programs, one in a folder for each
// language. It never writes over a file.
func (a *app) writeStarters(s *sheet.Sheet, dir string) error {
	if len(s.Starters) == 0 {
		return cannot("wirelab lab list has the labs of the theme Build", "lab %s has no program to begin with", s.Name)
	}
	for _, p := range s.Starters {
		path := filepath.Join(dir, p.Language, p.File)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return cannot("want a folder that you may write to", "--starter %q: %w", dir, rootPath(err))
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			return cannot("choose another folder, or remove the file", "%s is there already", path)
		}
		if err != nil {
			return cannot("want a folder that you may write to", "--starter %q: %w", dir, rootPath(err))
		}
		_, err = f.WriteString(p.Source)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(a.out, path)
	}
	return nil
}

// A labPage is what a learner may see of a lab at any time.
type labPage struct {
	Name       string         `json:"name"`
	Title      string         `json:"title"`
	Theme      sheet.Theme    `json:"theme"`
	Kind       sheet.Kind     `json:"kind"`
	Minutes    int            `json:"minutes"`
	After      []string       `json:"after"`
	Aims       []string       `json:"aims"`
	Background string         `json:"background"`
	Steps      []labPageStep  `json:"steps,omitempty"`
	Stages     []labPageStage `json:"stages,omitempty"`
	Reading    []labReading   `json:"reading"`

	word string // how the lab was named
}

type labPageStep struct {
	Name    string         `json:"name"`
	Kind    sheet.StepKind `json:"kind"`
	Ask     string         `json:"ask"`
	Unit    string         `json:"unit,omitempty"`
	Options []string       `json:"options,omitempty"`
	Points  float64        `json:"points"`
}

type labPageStage struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
}

type labReading struct {
	Source string `json:"source"`
	What   string `json:"what"`
}

func newLabPage(s *sheet.Sheet, v *sheet.Variant) labPage {
	p := labPage{
		Name: s.Name, Title: s.Title, Theme: s.Theme, Kind: s.Kind, Minutes: s.Minutes,
		After: append([]string{}, s.After...), Aims: append([]string{}, s.Aims...), Background: v.Text(s.Background),
	}
	for _, st := range s.Steps {
		step := labPageStep{Name: st.Name, Kind: st.Kind, Ask: v.Text(st.Ask), Points: st.Points}
		if st.Kind != sheet.Fill && len(st.Blanks) == 1 && !st.Blanks[0].Unit.IsText() {
			step.Unit = st.Blanks[0].Unit.Name
		}
		// Options that speak of the run are shown after it.
		if shown, err := st.Choices(v, nil); err == nil && st.Kind == sheet.Choice {
			for _, o := range shown {
				step.Options = append(step.Options, o.Text)
			}
		}
		p.Steps = append(p.Steps, step)
	}
	for _, st := range s.Stages {
		p.Stages = append(p.Stages, labPageStage{st.Number, st.Title})
	}
	for _, r := range s.Reading {
		p.Reading = append(p.Reading, labReading{r.Source, r.What})
	}
	return p
}

// print writes the page in lines of at most width cells.
func (p *labPage) print(out io.Writer, width int, palette *style.Palette) {
	p.head(out, width, palette)
	printProse(out, p.Background, "", width)
	if len(p.Steps) > 0 {
		fmt.Fprintf(out, "\n%s\n", palette.Accent.Render("What is asked"))
	}
	for i, st := range p.Steps {
		what := map[sheet.StepKind]string{
			sheet.Predict: "predict", sheet.Question: "after the run", sheet.Choice: "choose", sheet.Fill: "fill in",
		}[st.Kind]
		if st.Unit != "" {
			what += ", in " + st.Unit
		}
		fmt.Fprintf(out, "\n%d. %s %s\n", i+1, cells.Visible(st.Name), palette.Dim.Render("("+cells.Visible(what)+")"))
		printProse(out, st.Ask, "   ", width)
		for j, o := range st.Options {
			printItem(out, "   "+string(rune('a'+j))+") ", o, width)
		}
	}
	if len(p.Stages) > 0 {
		fmt.Fprintf(out, "\n%s\n", palette.Accent.Render("Stages"))
	}
	for _, st := range p.Stages {
		printItem(out, fmt.Sprintf("%3d. ", st.Number), st.Title, width)
	}
	p.reading(out, width, palette)
	next := "wirelab lab run " + quoted(p.word)
	if p.Kind == sheet.Build {
		next = "wirelab lab check " + quoted(p.word) + " -- PROGRAM"
	}
	fmt.Fprintf(out, "\n%s\n", palette.Dim.Render(cells.Visible(next)))
}

// head writes title and aims.
func (p *labPage) head(out io.Writer, width int, palette *style.Palette) {
	for _, line := range view.Prose(p.Title, width) {
		fmt.Fprintln(out, palette.Accent.Render(line))
	}
	about := fmt.Sprintf("%s · about %d minutes", p.Theme, p.Minutes)
	if len(p.After) > 0 {
		about += " · after " + strings.Join(p.After, ", ")
	}
	for _, line := range view.Prose(about, width) {
		fmt.Fprintln(out, palette.Dim.Render(line))
	}
	fmt.Fprintln(out)
	for _, aim := range p.Aims {
		printItem(out, "- ", aim, width)
	}
	fmt.Fprintln(out)
}

// reading writes where to read on.
func (p *labPage) reading(out io.Writer, width int, palette *style.Palette) {
	if len(p.Reading) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", palette.Accent.Render("Further reading"))
	for _, r := range p.Reading {
		printItem(out, "- ", r.Source+": "+r.What, width)
	}
}

// printProse writes text with an indent.
func printProse(out io.Writer, text, indent string, width int) {
	for _, line := range view.Prose(text, width-len(indent)) {
		fmt.Fprintln(out, strings.TrimRight(indent+line, " "))
	}
}

// printItem writes text behind a mark that stands out to the left.
func printItem(out io.Writer, mark, text string, width int) {
	left := cells.Width(mark)
	room := max(width-left, 1)
	for _, line := range view.Prose(text, room) {
		fmt.Fprintln(out, mark+line)
		mark = strings.Repeat(" ", left)
	}
}
