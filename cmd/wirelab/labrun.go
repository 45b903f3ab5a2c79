package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/image"
	"wirelab/labs/measure"
	"wirelab/labs/scenario"
	"wirelab/labs/sheet"
)

// labRunFlags are the words of lab run.
type labRunFlags struct {
	learnerFlags
	answers string
	speed   float64
	plain   bool
	json    bool
	out     string
}

func newLabRun(a *app, open labOpener) *cobra.Command {
	var f labRunFlags
	cmd := &cobra.Command{
		Use: "run [NAME|FILE.txtar]", Short: "Work on a lab", Args: cobra.MaximumNArgs(1),
		Long: `Work on a lab: predict, run, see, explain, check, turn the knob.

  wirelab lab run handshake
  wirelab lab run handshake --name ana
  wirelab lab run handshake --answers mine.txt
  wirelab lab run handshake --out handin

It goes on where you stopped. On a terminal it has a screen of its own, with all
labs if you name none; with --plain, or if one end is no terminal, it asks in
lines: text goes to stdout, what it asks to stderr. A line is an answer, Enter goes on, and these are
commands:

` + labCommandsHelp + `
Without --name you get the numbers that everybody gets. A name gives your own,
the same on every machine, and is kept for the next time, as the class key is.

--answers reads the answers from a file (- is standard input) and asks nothing.
A line is 'step = answer', of a blank 'step.blank = answer', of the knob 'knob =
value'; lines that begin with # are comments. Of a choice the answer is the
text, as far as no other begins alike, or the letter that lab show --name has.
The verdict is about this file alone; what was answered before does not count.
Exit code 1 says that an answer is wrong or missing.

--out writes what your teacher needs to mark it (wirelab lab grade) into a
folder: a file NAME-LAB.zip.

--speed plays the run slowly, with a line for each event: 1 as fast as it would
be, 0.1 in slow motion.`,
	}
	cmd.RunE = a.do(func(ctx context.Context, args []string) error {
		err := a.labRun(ctx, cmd, args, &f, open)
		if err != nil && ctx.Err() != nil {
			return errInterrupted
		}
		return err
	})
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.answers, "answers", "", "answers in a `file` instead of questions; - is standard input")
	fl.Float64Var(&f.speed, "speed", 0, "virtual time against real time: 1 is live, 0.1 slow motion, 0 as fast as it goes")
	fl.BoolVar(&f.plain, "plain", false, "lines instead of a screen; no colours")
	fl.BoolVar(&f.json, "json", false, "with --answers: print the verdict as JSON")
	fl.StringVar(&f.out, "out", "", "write a bundle to hand in to this `folder`")
	return cmd
}

// A labSession is what all ways to work on a lab share.
type labSession struct {
	app     *app
	sheet   *sheet.Sheet // nil: on a screen, the list comes first
	word    string       // how it was named
	learner attempt.Learner
	book    *notebook
	player  *labPlayer
	out     string // folder for the bundle; empty: none
	palette *style.Palette
	width   int
}

func (a *app) labRun(ctx context.Context, cmd *cobra.Command, args []string, f *labRunFlags, open labOpener) (err error) {
	screen := f.answers == "" && !f.plain && style.IsTerminal(a.in) && style.IsTerminal(a.out)
	switch {
	case len(args) == 0 && !screen:
		return cannot("wirelab lab list shows them; on a terminal it asks which", "lab run wants the name of a lab")
	case !(f.speed >= 0 && f.speed <= 1000):
		return cannot("want 0 to 1000, such as 1 or 0.1", "--speed %v", f.speed)
	case f.json && f.answers == "":
		return cannot("add --answers FILE, or see wirelab lab status --json", "--json: this is a conversation")
	}
	var s *sheet.Sheet
	word := ""
	if len(args) == 1 {
		word = args[0]
		if s, err = findLab(args[0]); err != nil {
			return err
		}
		if s.Kind == sheet.Build {
			return cannot("wirelab lab show "+quoted(word)+" has the text, wirelab lab check "+quoted(word)+" -- PROGRAM checks what you wrote",
				"lab %s has you write a program: there is nothing to run here", s.Name)
		}
	}
	var given *answers
	if f.answers != "" {
		if given, err = readAnswers(f.answers, a.in, s); err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := os.MkdirAll(f.out, 0o777); err != nil {
			return cannot("want a folder that you may write to", "--out %q: %w", f.out, rootPath(err))
		}
	}
	book := a.openNotebook()
	learner, err := f.apply(cmd, book)
	if err != nil {
		return err
	}
	player := &labPlayer{open: open, to: a, speed: f.speed}
	defer func() { err = errors.Join(err, player.close()) }()
	session := &labSession{
		app: a, sheet: s, word: word, learner: learner, book: book, player: player, out: f.out,
		palette: style.NewPalette(a.out, f.plain), width: style.Width(a.out),
	}
	switch {
	case given != nil:
		return session.judge(ctx, given, f.json)
	case screen:
		return session.onScreen(ctx)
	}
	return session.converse(ctx)
}

// begin starts the lab, or goes on with it.
func (s *labSession) begin() *attempt.Attempt {
	return attempt.New(s.sheet, s.learner, s.book.Record(s.sheet.Name), time.Now())
}

// handIn writes the bundle, if there is to be one and the run was played.
func (s *labSession) handIn(att *attempt.Attempt) error {
	if s.out == "" {
		return nil
	}
	if att.Runs() == nil {
		fmt.Fprintf(s.app.err, "wirelab: nothing to hand in yet: the run was not played\n")
		return nil
	}
	guest, err := image.Guest()
	if err != nil && !errors.Is(err, image.ErrMissing) { // a test plays another one
		return err
	}
	made := bundle.Made{Wirelab: version(), Guest: fmt.Sprintf("%x", sha256.Sum256(guest))}
	path := filepath.Join(s.out, bundle.Name(s.learner.Name, att.Sheet.Name))
	f, err := newFile(path)
	if err != nil {
		return cannot("want a folder that you may write to", "--out %q: %w", s.out, rootPath(err))
	}
	defer f.discard()
	m, files := bundle.Of(att, made)
	if err := bundle.Write(f, m, files); err != nil {
		return err
	}
	if err := f.keep(); err != nil {
		return err
	}
	fmt.Fprintf(s.app.err, "wirelab: to hand in: %s\n", style.Visible(path))
	return nil
}

// A labPlayer plays the runs of a lab. It opens the engine when it is first
// needed: who reads needs none.
type labPlayer struct {
	open   labOpener
	to     *app
	speed  float64
	engine *labs.Engine
	show   func(run string, e *scenario.Event) error // at a speed; may be nil
}

// ready opens the engine.
func (p *labPlayer) ready(ctx context.Context, progress *progress) error {
	defer progress.stop()
	if p.engine != nil {
		return nil
	}
	engine, err := p.open(ctx, progress)
	if err == nil {
		p.engine = engine
	}
	return err
}

// silence is a progress that nobody sees.
func silence() *progress { return startProgress(io.Discard) }

// play plays all scenarios of a variant, with progress on stderr.
func (p *labPlayer) play(ctx context.Context, v *sheet.Variant) (measure.Runs, error) {
	if err := p.ready(ctx, startProgress(p.to.err)); err != nil {
		return nil, err
	}
	if p.speed > 0 { // the events say how far it is
		return p.playAll(ctx, v, func(run string, _ int, e *scenario.Event) error {
			if p.show == nil || e == nil {
				return nil
			}
			return p.show(run, e)
		})
	}
	progress := startProgress(p.to.err)
	defer progress.stop()
	progress.running(0, 0, "")
	return p.playAll(ctx, v, nil)
}

// playAll plays all scenarios. With a speed, each is begun by a call of tell, and
// each event of it, too; done is how many were played before.
func (p *labPlayer) playAll(ctx context.Context, v *sheet.Variant, tell func(run string, done int, e *scenario.Event) error) (measure.Runs, error) {
	if p.speed == 0 || tell == nil {
		return v.Play(ctx, p.engine)
	}
	runs := measure.Runs{}
	for i, sc := range v.Sheet.Scenarios {
		s, err := v.Scenario(sc.Name)
		if err != nil {
			return nil, err
		}
		if err := tell(sc.Name, i, nil); err != nil {
			return nil, err
		}
		run, err := measure.PlayAt(ctx, p.engine, s, p.speed, func(e *scenario.Event) error { return tell(sc.Name, i, e) })
		if err != nil {
			return nil, err
		}
		runs[sc.Name] = run
	}
	return runs, nil
}

// close frees the engine, if there is one.
func (p *labPlayer) close() error {
	if p.engine == nil {
		return nil
	}
	return p.engine.Close()
}
