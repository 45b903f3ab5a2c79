package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/bundle"
	"wirelab/labs/catalogue"
	"wirelab/labs/grade"
	"wirelab/labs/image"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// labGradeFlags are the words of lab grade.
type labGradeFlags struct {
	class, labs       string
	weights           []string
	credit, hint      string
	csv, junit, scope string
	json              bool
	jobs              int
}

func newLabGrade(a *app, open labOpener) *cobra.Command {
	var f labGradeFlags
	cmd := &cobra.Command{
		Use: "grade FOLDER|FILE.zip...", Short: "Mark what a class handed in", Args: cobra.MinimumNArgs(1),
		Long: `Mark the bundles of a class: what 'wirelab lab run --out' and 'wirelab lab
check --out' wrote. Of a folder all .zip files are marked, in its folders, too.

  wirelab lab grade handed-in --class net1
  wirelab lab grade handed-in --class net1 --csv marks.csv
  wirelab lab grade handed-in --weight rto=2 --hint-cost 10%

Nothing that a bundle claims is believed but its learner's name and the answers:
the numbers come from the name and the class key, the runs are played again, and
every answer is marked anew. A bundle is named for a fault (!) if

  unreadable      it is no bundle, or a broken one
  unmarkable      no such lab is here
  altered         it was changed, or claims points that its answers do not have
  differs         its runs are not those that its numbers give
  other variant   its numbers are not those of its learner's name
  neighbour       answers are wrong for its own numbers and right for another
                  learner's (two of them, or all that are wrong)
  copy            it is the same file as another, byte for byte

Only a note (·) is: no name in it, made with another version of the lab or of the
network (it is marked from the new run), not finished, handed in more than once
(the best counts), and that the marks of a lab to build are the checker's as the
bundle tells them, since the program is not in it.

A step that is right has its points, a wrong prediction --predict-credit of them,
a text with blanks the share of those that are right, a solution that was looked
at none. A lab that others handed in counts as 0 of its points for who did not.

--csv has a line for each learner and lab, --junit a suite for each bundle.
--gradescope writes Gradescope's results.json for one learner, or if it names a
folder a file for each; what a bundle is named for only teachers see there.

Exit code 0: all bundles are marked, and none is named for a fault; 1: some are.`,
	}
	cmd.RunE = a.do(func(ctx context.Context, args []string) error {
		err := a.labGrade(ctx, args, &f, open)
		if err != nil && ctx.Err() != nil {
			return errInterrupted
		}
		return err
	})
	fl := cmd.Flags()
	fl.StringVar(&f.class, "class", "", "the class `key` that the learners used")
	fl.StringVar(&f.labs, "labs", "", "labs of your own, NAME.txtar, in this `folder`; others are those of the course")
	fl.StringSliceVar(&f.weights, "weight", nil, "weight of a lab in the total, as `LAB=2`; may be repeated (default 1)")
	fl.StringVar(&f.credit, "predict-credit", "50%", "`share` of its points that a wrong prediction has")
	fl.StringVar(&f.hint, "hint-cost", "0%", "`share` of a step's points that each hint costs")
	fl.StringVar(&f.csv, "csv", "", "write CSV into this `file`, too")
	fl.StringVar(&f.junit, "junit", "", "write a JUnit report into this `file`, too")
	fl.StringVar(&f.scope, "gradescope", "", "write Gradescope's JSON into this `file` (one learner, .json) or folder (many), too")
	fl.BoolVar(&f.json, "json", false, "print JSON instead of the table")
	fl.IntVar(&f.jobs, "jobs", 0, "bundles that are marked at a time; 0: as many as there are CPUs")
	return cmd
}

// labGrade does what the flags say. Nothing is played before all of them make
// sense.
func (a *app) labGrade(ctx context.Context, args []string, f *labGradeFlags, open labOpener) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	files, err := grade.Files(args...)
	if err != nil {
		return cannot("want a folder with bundles, or bundles: wirelab lab run NAME --out FOLDER writes one", "%w", err)
	}
	outputs, err := f.outputs()
	if err != nil {
		return err
	}
	defer outputs.discard()

	p := startProgress(a.err)
	defer p.stop()
	player := &gradePlayer{open: open, progress: p}
	defer player.close()
	o.Guest, o.Play = guestSum(), player.play
	began := time.Now()
	o.Progress = func(done, total int, _ string) { p.say(fmt.Sprintf("%d of %d bundles", done, total), began) }
	r, err := grade.Grade(ctx, files, o)
	if player.err != nil {
		return player.err
	}
	if err != nil {
		return err
	}
	if err := outputs.write(r, time.Now()); err != nil {
		return err
	}
	p.stop()
	if f.json {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			return err
		}
		_, err = a.out.Write(b.Bytes())
	} else {
		_, err = fmt.Fprint(a.out, r.Table(grade.View{Width: style.Width(a.out), Palette: style.NewPalette(a.out, false)}))
	}
	if err != nil {
		return err
	}
	if n := r.Faults(); n > 0 {
		return fmt.Errorf("%d of %d bundles are named for a fault", n, len(r.Bundles))
	}
	return nil
}

// options turns the words into what is to be marked how.
func (f *labGradeFlags) options() (grade.Options, error) {
	o := grade.Options{Class: f.class, Jobs: f.jobs, Weights: make(map[string]float64), Sheet: f.sheet}
	if f.jobs < 0 {
		return o, cannot("want 0 or more", "--jobs %d", f.jobs)
	}
	for _, s := range []struct {
		flag, word string
		to         *float64
	}{{"--predict-credit", f.credit, &o.PredictCredit}, {"--hint-cost", f.hint, &o.HintCost}} {
		v, err := parseShare(s.word)
		if err != nil {
			return o, cannot("want a share from 0% to 100%, such as 25%", "%s %q", s.flag, s.word)
		}
		*s.to = v
	}
	for _, word := range f.weights {
		lab, text, ok := strings.Cut(word, "=")
		w, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || lab == "" {
			return o, cannot("want a lab and its weight, such as rto=2", "--weight %q", word)
		}
		o.Weights[lab] = w
	}
	if f.labs != "" {
		if info, err := os.Stat(f.labs); err != nil || !info.IsDir() {
			return o, cannot("want a folder with labs, NAME.txtar", "--labs %q: no such folder", f.labs)
		}
	}
	for lab := range o.Weights {
		if _, err := f.sheet(lab); err != nil {
			return o, cannot("want the name of a lab and its weight, such as rto=2", "--weight: %w", err)
		}
	}
	if err := o.Validate(); err != nil {
		return o, cannot("want a weight of 0 or more", "%w", err)
	}
	return o, nil
}

// sheet returns a teacher's own lab, or else one of the course.
func (f *labGradeFlags) sheet(lab string) (*sheet.Sheet, error) {
	if f.labs != "" {
		path := filepath.Join(f.labs, lab+".txtar")
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return findLab(path)
		}
	}
	return catalogue.Find(lab)
}

// parseShare reads "25%" or "0.25".
func parseShare(word string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(word), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		v /= 100
	}
	if err == nil && !(v >= 0 && v <= 1) {
		err = strconv.ErrRange
	}
	return v, err
}

// guestSum returns the SHA-256 of the guest inside this program; empty if it has
// none.
func guestSum() string {
	guest, err := image.Guest()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(guest))
}

// A gradePlayer plays runs for several goroutines. It opens the engine when the
// first asks: a folder of programs needs none.
type gradePlayer struct {
	open     labOpener
	progress *progress

	once   sync.Once
	engine *labs.Engine
	err    error // that there is no engine
}

func (g *gradePlayer) play(ctx context.Context, v *sheet.Variant) (measure.Runs, error) {
	g.once.Do(func() { g.engine, g.err = g.open(ctx, g.progress) })
	if g.err != nil {
		return nil, g.err
	}
	return v.Play(ctx, g.engine)
}

func (g *gradePlayer) close() {
	if g.engine != nil {
		g.engine.Close()
	}
}

// gradeOutputs are the files that the flags ask for. A nil one is not wanted.
type gradeOutputs struct {
	csv, junit, one *file
	many            *folder
	scope           string // the flag's word
}

// outputs begins the files, so that one that cannot be written shows now.
func (f *labGradeFlags) outputs() (o *gradeOutputs, err error) {
	o = &gradeOutputs{scope: f.scope}
	defer func() {
		if err != nil {
			o.discard()
		}
	}()
	const hint = "want a file in a folder that you may write to"
	if o.csv, err = newFile(f.csv); err != nil {
		return o, cannot(hint, "--csv %q: %w", f.csv, err)
	}
	if o.junit, err = newFile(f.junit); err != nil {
		return o, cannot(hint, "--junit %q: %w", f.junit, err)
	}
	if info, serr := os.Stat(f.scope); strings.EqualFold(filepath.Ext(f.scope), ".json") && (serr != nil || !info.IsDir()) {
		o.one, err = newFile(f.scope)
	} else {
		o.many, err = newFolder(f.scope)
	}
	if err != nil {
		return o, cannot("want a file that ends in .json for one learner, else a folder", "--gradescope %q: %w", f.scope, err)
	}
	return o, nil
}

func (o *gradeOutputs) discard() {
	o.csv.discard()
	o.junit.discard()
	o.one.discard()
	o.many.discard()
}

// write fills the files and keeps them.
func (o *gradeOutputs) write(r *grade.Result, now time.Time) error {
	if o.csv != nil {
		if err := r.WriteCSV(o.csv); err != nil {
			return err
		}
	}
	if o.junit != nil {
		if err := r.WriteJUnit(o.junit, now); err != nil {
			return err
		}
	}
	if o.one != nil {
		if n := len(r.Learners); n != 1 {
			return cannot("name a folder: each learner has a file in it", "--gradescope %q: there are %d learners", o.scope, n)
		}
		if err := r.WriteGradescope(o.one, &r.Learners[0]); err != nil {
			return err
		}
	}
	if o.many != nil {
		if err := o.each(r); err != nil {
			return err
		}
	}
	return errors.Join(o.csv.keep(), o.junit.keep(), o.one.keep(), o.many.keep())
}

// each writes a file for each learner. Two whose names make the same file name
// get a number.
func (o *gradeOutputs) each(r *grade.Result) error {
	used := make(map[string]int)
	for i := range r.Learners {
		l := &r.Learners[i]
		name := strings.TrimSuffix(bundle.Name(l.Name, "results"), ".zip")
		if used[name]++; used[name] > 1 {
			name += fmt.Sprintf("-%d", used[name])
		}
		var b bytes.Buffer
		if err := r.WriteGradescope(&b, l); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(o.many.path(), name+".json"), b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}
