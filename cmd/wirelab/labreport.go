package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/catalogue"
	"wirelab/labs/grade"
	"wirelab/labs/report"
	"wirelab/labs/sheet"
)

// labReportFlags are the words of lab report.
type labReportFlags struct {
	learnerFlags
	labs []string
	out  string
}

func newLabReport(a *app, open labOpener) *cobra.Command {
	var f labReportFlags
	cmd := &cobra.Command{
		Use: "report [FILE.zip|FOLDER...]", Short: "Write what you did as one HTML page",
		Long: `Write what you did as one HTML page, to keep, print or hand in: of each lab the
aims, your predictions beside theory and what was measured, the ladders and plots
of your run, your answers, the knob and the explanation. It needs no network.

  wirelab lab report
  wirelab lab report --lab handshake --lab rto --out mine.html
  wirelab lab report handed-in/ana-rto.zip --class net1

The runs are played again for it. What you have not answered yet it does not give
away. With bundles (wirelab lab run --out) it is about these instead of what you
did on this machine; they have to be of one learner.`,
	}
	cmd.RunE = a.do(func(ctx context.Context, args []string) error {
		err := a.labReport(ctx, cmd, args, &f, open)
		if err != nil && ctx.Err() != nil {
			return errInterrupted
		}
		return err
	})
	fl := cmd.Flags()
	fl.StringVar(&f.name, "name", "", "`whose` work (default who worked last)")
	fl.StringVar(&f.class, "class", "", "class `key` of that work")
	fl.StringSliceVar(&f.labs, "lab", nil, "`name` of a lab, or its file; may be repeated (default all that were begun)")
	fl.StringVar(&f.out, "out", "", "the `file` to write (default NAME-report.html)")
	return cmd
}

// labReport writes the page. Nothing is written before all of it is there.
func (a *app) labReport(ctx context.Context, cmd *cobra.Command, args []string, f *labReportFlags, open labOpener) (err error) {
	player := &labPlayer{open: open, to: a}
	defer func() {
		if cerr := player.close(); err == nil {
			err = cerr
		}
	}()
	var labs []report.Lab
	var learner attempt.Learner
	if len(args) > 0 {
		learner, labs, err = a.reportBundles(ctx, cmd, args, f, player)
	} else {
		learner, labs, err = a.reportNotebook(ctx, cmd, f, player)
	}
	if err != nil {
		return err
	}
	if f.out == "" {
		f.out = strings.TrimSuffix(bundle.Name(learner.Name, "report"), ".zip") + ".html"
	}
	page, err := newFile(f.out)
	if err != nil {
		return cannot("want a file in a folder that you may write to", "--out %q: %w", f.out, rootPath(err))
	}
	defer page.discard()
	r := report.Report{Learner: learner.Name, Program: "wirelab " + version(), Date: time.Now(), Labs: labs}
	if err := r.Write(page); err != nil {
		return err
	}
	if err := page.keep(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.err, "wirelab: the report: %s\n", style.Visible(f.out))
	return err
}

// reportNotebook takes what was done on this machine.
func (a *app) reportNotebook(ctx context.Context, cmd *cobra.Command, f *labReportFlags, player *labPlayer) (attempt.Learner, []report.Lab, error) {
	n := a.openNotebook()
	l := n.Learner()
	if cmd.Flags().Changed("name") {
		l.Name = strings.TrimSpace(f.name)
	}
	if cmd.Flags().Changed("class") {
		l.Class = strings.TrimSpace(f.class)
	}
	records := n.RecordsOf(l)
	sheets, err := reportSheets(f.labs, func(lab string) bool { r := records[lab]; return r != nil && !r.Skipped })
	if err != nil {
		return l, nil, err
	}
	var labs []report.Lab
	for _, s := range sheets {
		r := records[s.Name]
		if r == nil {
			return l, nil, cannot("wirelab lab run "+s.Name+" begins it", "--lab %s: %s did nothing in it", s.Name, learnerWords(l))
		}
		if s.Kind == sheet.Build {
			labs = append(labs, report.Lab{Sheet: s, Passed: r.Stages})
			continue
		}
		att := attempt.New(s, l, r, time.Now())
		if att.Stale() {
			runs, err := player.play(ctx, att.Variant)
			if err != nil {
				return l, nil, err
			}
			if err := att.Played(runs, time.Now()); err != nil {
				return l, nil, err
			}
		}
		labs = append(labs, report.Lab{Attempt: att})
	}
	if len(labs) == 0 {
		return l, nil, cannot("wirelab lab list shows what there is; --name says whose work is meant", "%s began no lab here", learnerWords(l))
	}
	return l, labs, nil
}

// reportSheets returns the labs that words name, or those of the course that were
// begun.
func reportSheets(words []string, begun func(lab string) bool) ([]*sheet.Sheet, error) {
	var some []*sheet.Sheet
	if len(words) > 0 {
		for _, word := range words {
			s, err := findLab(word)
			if err != nil {
				return nil, err
			}
			some = append(some, s)
		}
		return some, nil
	}
	all, err := catalogue.All() // those that are right come with an error, too
	if len(all) == 0 && err != nil {
		return nil, err
	}
	for _, s := range all {
		if begun(s.Name) {
			some = append(some, s)
		}
	}
	return some, nil
}

// reportBundles takes what bundles say of one learner.
func (a *app) reportBundles(ctx context.Context, cmd *cobra.Command, args []string, f *labReportFlags, player *labPlayer) (attempt.Learner, []report.Lab, error) {
	l := attempt.Learner{Class: strings.TrimSpace(f.class)}
	if !cmd.Flags().Changed("class") {
		l.Class = a.openNotebook().Learner().Class
	}
	files, err := grade.Files(args...)
	if err != nil {
		return l, nil, cannot("want bundles: wirelab lab run NAME --out FOLDER writes one", "%w", err)
	}
	only := make(map[string]*sheet.Sheet)
	for _, word := range f.labs {
		s, err := findLab(word)
		if err != nil {
			return l, nil, err
		}
		only[s.Name] = s
	}
	var labs []report.Lab
	first := true
	for _, file := range files {
		b, err := bundle.Open(file)
		if err != nil {
			return l, nil, cannot("leave it out, or have it handed in again", "%s: %w", file, err)
		}
		if cmd.Flags().Changed("name") && !(attempt.Learner{Name: b.Learner}).Same(attempt.Learner{Name: f.name}) || len(only) > 0 && only[b.Lab] == nil {
			continue
		}
		if first {
			l.Name, first = strings.TrimSpace(b.Learner), false
		}
		if other := (attempt.Learner{Name: b.Learner, Class: l.Class}); !other.Same(l) {
			return l, nil, cannot("--name says whose work is meant", "the bundles are of %s and of %s", learnerWords(l), learnerWords(other))
		}
		s := only[b.Lab]
		if s == nil {
			if s, err = findLab(b.Lab); err != nil {
				return l, nil, err
			}
		}
		lab, err := a.reportBundle(ctx, b, s, l, player)
		if err != nil {
			return l, nil, fmt.Errorf("%s: %w", file, err)
		}
		labs = append(labs, lab)
	}
	if len(labs) == 0 {
		return l, nil, cannot("leave --name or --lab out", "none of the %d bundles is meant", len(files))
	}
	return l, labs, nil
}

// reportBundle gives a bundle's answers again.
func (a *app) reportBundle(ctx context.Context, b *bundle.Bundle, s *sheet.Sheet, l attempt.Learner, player *labPlayer) (report.Lab, error) {
	if string(s.Kind) != string(b.Kind) {
		return report.Lab{}, fmt.Errorf("it is of a lab to %s, and %s is one to %s", b.Kind, s.Name, s.Kind)
	}
	if b.Check != nil {
		return report.Lab{Sheet: s, Passed: min(b.Check.Passed, len(s.Stages)), Verdict: b.Check.Verdict}, nil
	}
	v := s.Variant(l.Class, l.Name)
	if bundle.VariantID(v.Seed, v.Values) != b.Variant {
		fmt.Fprintf(a.err, "wirelab: %s: its numbers are not those of %s with this class key; the report has those\n", s.Name, learnerWords(l))
	}
	runs, err := player.play(ctx, v)
	if err != nil {
		return report.Lab{}, err
	}
	att, err := b.Redo(s, l, runs)
	return report.Lab{Attempt: att}, err
}
