package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/catalogue"
	"wirelab/labs/check"
	"wirelab/labs/sheet"
	"wirelab/labs/verify"
)

// verifyFlags are the words of lab verify.
type verifyFlags struct {
	variants int
	json     bool
}

func newLabVerify(a *app, open labOpener) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify [LAB|FILE|FOLDER]...", Short: "Prove that labs are sound",
		Long: `Prove that labs are sound, so that no learner meets a question whose right
answer is refused, or a run that says otherwise than its theory.

  wirelab lab verify                 every lab that is inside this program
  wirelab lab verify mine.txtar      a lab of your own
  wirelab lab verify labs/           every .txtar in a folder

A lab to observe is read, and played with the numbers of many learners. Its
measured figures must be where its formula puts them; the right answers must
pass; the listed wrong ones, nothing at all, twice and half the right number and
a round trip more or less must not; every text must fill in and every view draw;
a run that is repeated must be the same to the last bit; and the ends of its knob
must play. A lab to build has its reference programs checked, which must pass
every stage, and its wrong programs, which must fail at the stage and for the
reason that they name.

What is wrong is said as FILE:LINE: WHAT. Exit code 0: all are sound.`,
		RunE: a.do(func(ctx context.Context, args []string) error {
			err := a.labVerify(ctx, &f, args, open)
			if err != nil && ctx.Err() != nil {
				return errInterrupted
			}
			return err
		}),
	}
	cmd.Flags().IntVar(&f.variants, "variants", verify.DefaultVariants, "learners whose numbers are played, 1 to 1000")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// A verified lab is one line of the table.
type verified struct {
	File     string          `json:"file"`
	Lab      string          `json:"lab"`
	Kind     sheet.Kind      `json:"kind,omitempty"`
	Sound    bool            `json:"sound"`
	Variants int             `json:"variants,omitempty"`
	Figures  int             `json:"figures,omitempty"`
	Slowest  float64         `json:"slowest_s,omitempty"` // seconds
	Programs int             `json:"programs,omitempty"`  // that were checked
	Problems []verifyProblem `json:"problems"`

	sheet *sheet.Sheet
}

type verifyProblem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	What    string `json:"what"`
	Variant string `json:"variant,omitempty"`
}

func (a *app) labVerify(ctx context.Context, f *verifyFlags, args []string, open labOpener) error {
	if f.variants < 1 || f.variants > 1000 {
		return cannot("", "--variants %d: want 1 to 1000", f.variants)
	}
	all, err := readSheets(args)
	if err != nil {
		return err
	}
	p := startProgress(a.err)
	defer p.stop()
	if err := a.verifyObserved(ctx, all, f.variants, p, open); err != nil {
		return err
	}
	if err := a.verifyBuilt(ctx, all, p); err != nil {
		return err
	}
	p.stop()
	if err := a.printVerified(all, f.json); err != nil {
		return err
	}
	bad := 0
	for _, v := range all {
		if !v.Sound {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d labs are not sound", bad, len(all))
	}
	return nil
}

// verifyObserved plays the labs to observe.
func (a *app) verifyObserved(ctx context.Context, all []*verified, variants int, p *progress, open labOpener) error {
	var sheets []*sheet.Sheet
	var lines []*verified
	for _, v := range all {
		if v.sheet != nil && v.Kind == sheet.Observe {
			sheets = append(sheets, v.sheet)
			lines = append(lines, v)
		}
	}
	if len(sheets) == 0 {
		return nil
	}
	e, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer e.Close()
	reports, err := verify.Sheets(ctx, e, sheets, verify.Options{Variants: variants, Progress: func(done, total int) {
		p.running(done, total, "learners' numbers")
	}})
	if err != nil {
		return err
	}
	for i, r := range reports {
		v := lines[i]
		v.Sound, v.Variants, v.Figures, v.Slowest = r.Sound(), r.Variants, r.Figures, r.Slowest.Round(time.Millisecond).Seconds()
		for _, x := range r.Problems {
			v.Problems = append(v.Problems, verifyProblem{Line: x.Line, What: x.What, Variant: x.Variant})
		}
	}
	return nil
}

// verifyBuilt checks the programs that come with the labs to build, lab after
// lab: their verdicts are about time.
func (a *app) verifyBuilt(ctx context.Context, all []*verified, p *progress) error {
	for _, v := range all {
		if v.sheet == nil || v.Kind != sheet.Build {
			continue
		}
		lab, done := check.LabOf(v.sheet), 0
		skipped := make(map[string]bool)
		proofs, err := check.Verify(ctx, lab, check.VerifyOptions{Done: func(check.Proof) {
			done++
			p.running(done, len(lab.Programs), "programs of "+v.Lab)
		}})
		if err != nil {
			return err
		}
		for _, proof := range proofs {
			switch {
			case proof.Skipped != "":
				skipped[proof.Skipped] = true
			case proof.Wrong != "":
				v.Problems = append(v.Problems, verifyProblem{Line: proof.Program.Line, What: proof.Program.String() + ": " + proof.Wrong})
			case proof.Once != "":
				p.warn(fmt.Errorf("%s: %v: once in three checks: %s", v.Lab, proof.Program, proof.Once))
				v.Programs++
			default:
				v.Programs++
			}
		}
		for why := range skipped {
			p.warn(fmt.Errorf("%s: programs were not checked: %s", v.Lab, why))
		}
		v.Sound = len(v.Problems) == 0
	}
	return nil
}

// readSheets reads the labs that the words name: all of the catalogue if there
// are none. A file that cannot be read is an error, one with mistakes a line.
func readSheets(args []string) ([]*verified, error) {
	if len(args) == 0 {
		sheets, err := catalogue.All()
		if err != nil {
			return nil, err
		}
		var all []*verified
		for _, s := range sheets {
			all = append(all, &verified{File: s.Name + ".txtar", Lab: s.Name, Kind: s.Kind, sheet: s, Problems: []verifyProblem{}})
		}
		return all, nil
	}
	var all []*verified
	for _, word := range args {
		info, err := os.Stat(word)
		switch {
		case err == nil && info.IsDir():
			n := len(all)
			err := filepath.WalkDir(word, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() || !strings.HasSuffix(path, ".txtar") {
					return err
				}
				v, err := readSheet(path)
				all = append(all, v)
				return err
			})
			if err != nil {
				return nil, cannot("want a folder that can be read", "%w", err)
			}
			if len(all) == n {
				return nil, cannot("a lab is a file NAME.txtar; wirelab lab new NAME writes one", "no .txtar file in %q", word)
			}
		case err == nil:
			v, err := readSheet(word)
			if err != nil {
				return nil, cannot("want a file that can be read", "%w", err)
			}
			all = append(all, v)
		case errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(word, ".txtar"):
			s, err := findLab(word)
			if err != nil {
				return nil, err
			}
			all = append(all, &verified{File: s.Name + ".txtar", Lab: s.Name, Kind: s.Kind, sheet: s, Problems: []verifyProblem{}})
		default:
			return nil, cannot("want the name of a lab, a file or a folder", "%w", err)
		}
	}
	return all, nil
}

// readSheet reads one file. Its mistakes are in what it returns.
func readSheet(path string) (*verified, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".txtar")
	v := &verified{File: path, Lab: name, Problems: []verifyProblem{}}
	s, err := sheet.Parse(name, data)
	if err == nil {
		v.sheet, v.Kind = s, s.Kind
		return v, nil
	}
	for _, m := range sheet.Mistakes(err) {
		v.Problems = append(v.Problems, verifyProblem{Line: m.Line, Column: m.Column, What: m.What})
	}
	if len(v.Problems) == 0 {
		v.Problems = append(v.Problems, verifyProblem{What: err.Error()})
	}
	return v, nil
}

// printVerified prints a line for each lab, and below it what is wrong with it.
func (a *app) printVerified(all []*verified, asJSON bool) error {
	if asJSON {
		b, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			_, err = a.out.Write(append(b, '\n'))
		}
		return err
	}
	palette, total := style.NewPalette(a.out, false), style.Width(a.out)
	width := 0
	for _, v := range all {
		width = max(width, cells.Width(v.Lab))
	}
	for _, v := range all {
		sign, word := palette.Grade(0).Render("✓"), "sound"
		if !v.Sound {
			sign, word = palette.Error.Render("✗"), "not sound"
		}
		line := fmt.Sprintf("%s %s  %s", sign, cells.Pad(v.Lab, width), word)
		if v.Variants > 0 && v.Sound {
			line += fmt.Sprintf("; %d learners, %d figures as in theory, a run takes %.1f s at most", v.Variants, v.Figures, v.Slowest)
		}
		if v.Programs > 0 && v.Sound {
			line += fmt.Sprintf("; %d programs pass or fail as they have to", v.Programs)
		}
		if _, err := fmt.Fprintln(a.out, line); err != nil {
			return err
		}
		for _, x := range v.Problems {
			place := v.File
			if x.Line > 0 {
				place += fmt.Sprintf(":%d", x.Line)
				if x.Column > 0 {
					place += fmt.Sprintf(":%d", x.Column)
				}
			}
			text := place + ": " + x.What
			if x.Variant != "" {
				text += "; seen with " + x.Variant
			}
			indent := "  "
			for _, line := range cells.Wrap(style.Visible(text), total-2, total-6) {
				if _, err := fmt.Fprintln(a.out, indent+line); err != nil {
					return err
				}
				indent = "      "
			}
		}
	}
	return nil
}
