package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"wirelab/internal/sim"
	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/catalogue"
	"wirelab/labs/image"
	"wirelab/labs/sheet"
)

// labCommand groups the commands of the course.
func (a *app) labCommand() *cobra.Command { return a.labWith(openLabEngine) }

// A labOpener makes what plays the runs of labs.
type labOpener func(context.Context, *progress) (*labs.Engine, error)

// labWith is labCommand with another way to an engine.
func (a *app) labWith(open labOpener) *cobra.Command {
	cmd := &cobra.Command{
		Use: "lab", Short: "The course: predict, run, see, explain, check", Args: cobra.NoArgs,
		Long: `The course: small labs about what TCP, UDP and the chat do, each some ten
minutes, with no network and no root.

  wirelab lab list                   the labs, by theme, and how far you are
  wirelab lab run handshake          work on one
  wirelab lab run handshake --name ana
                                     the same with numbers of your own
  wirelab lab status                 how far you are, step by step
  wirelab lab report                 your work as one page

Each goes the same way round:

  read      what it is about
  predict   a number with its unit, from theory; the first answer that makes
            sense is locked, and judged after the run
  run       the real TCP/IP stack over an emulated network, in virtual time
  see       the ladder, the table, the plot of your own run
  explain   questions about your run, and about why; as often as you like
  check     theory beside what was measured, and beside what you said
  turn      one variable, and run it again

Hints come one by one, the solution when a step is done or given up. A prediction
that was wrong has half of its points: comparing is how one learns. What you did
is kept in labs.json in wirelab's configuration folder ($WIRELAB_LABS names
another file), so that you can stop at any time and go on later.

With --name, and a class key if your teacher gives you one, the numbers are your
own: the same on every machine, and others than your neighbour's.

Labs of the theme Build have you write a program, in any language: lab check says
what it does wrong. Teachers have lab grade, lab new and lab verify.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newLabCheck(a),
		newLabGrade(a, open),
		newLabList(a),
		newLabNew(a),
		newLabReport(a, open),
		newLabReset(a),
		newLabRun(a, open),
		newLabShow(a),
		newLabSkip(a),
		newLabStatus(a),
		newLabVerify(a, open),
	)
	return cmd
}

// openLabEngine makes an engine of the guest that is inside this program.
func openLabEngine(ctx context.Context, p *progress) (*labs.Engine, error) {
	guest, err := image.Guest()
	if errors.Is(err, image.ErrMissing) {
		return nil, cannot("", "%w", err)
	}
	if err != nil {
		return nil, err
	}
	return labs.Open(ctx, guest, sim.Options{Progress: p.compiling, Warn: p.warn})
}

// allLabs returns the catalogue in the order of the course. Of a lab that is not
// sound it says so and goes on with the others.
func (a *app) allLabs() ([]*sheet.Sheet, error) {
	all, err := catalogue.All()
	if err != nil && len(all) > 0 {
		a.complain(err, "")
		return all, nil
	}
	return all, err
}

// maxSheet is how many bytes of a lab's file are read.
const maxSheet = 4 << 20

// findLab returns a lab of the catalogue by its name, or reads one from a file
// whose name ends in .txtar.
func findLab(word string) (*sheet.Sheet, error) {
	name, isFile := strings.CutSuffix(filepath.Base(word), ".txtar")
	if !isFile {
		s, err := catalogue.Find(word)
		if err != nil {
			return nil, cannot("wirelab lab list shows what there is; a file of your own ends in .txtar", "%w", err)
		}
		return s, nil
	}
	f, err := os.Open(word)
	if err != nil {
		return nil, cannot("want the name of a lab, or a file that can be read", "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSheet+1))
	switch {
	case err != nil:
		return nil, cannot("", "%w", err)
	case len(data) > maxSheet:
		return nil, cannot("a lab is a text of some pages", "%s: more than %d MiB", word, maxSheet>>20)
	}
	s, err := sheet.Parse(name, data)
	if err != nil {
		return nil, cannot("wirelab lab verify "+quoted(word)+" says more; labs/AUTHORING.md has the form", "%w", err)
	}
	return s, nil
}

// A notebook is the learner's, with a word to the reader when it is not kept.
type notebook struct {
	*attempt.Notebook
	mu    sync.Mutex // a screen keeps beside what it shows
	to    io.Writer
	said  int  // notices that were shown
	mourn bool // the reader knows that nothing is written
}

// openNotebook reads the learner's notebook. If there is none to be had the work
// goes on without.
func (a *app) openNotebook() *notebook {
	path, err := attempt.DefaultPath()
	n := &notebook{to: a.err}
	if err != nil {
		n.lament(err)
	}
	n.Notebook, err = attempt.OpenNotebook(path, time.Now())
	n.tell()
	n.lament(err)
	return n
}

// tell shows the notices that are new.
func (n *notebook) tell() {
	for ; n.said < len(n.Notices); n.said++ {
		fmt.Fprintf(n.to, "wirelab: %s\n", style.Lines(n.Notices[n.said], ""))
	}
}

// lament says once that work is not kept.
func (n *notebook) lament(err error) {
	if err == nil || n.mourn {
		return
	}
	n.mourn = true
	fmt.Fprintf(n.to, "wirelab: what you do now is not kept: %s\nhint: WIRELAB_LABS=FILE names another place\n", style.Lines(err.Error(), ""))
}

// keep keeps a record.
func (n *notebook) keep(r *attempt.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Save(r, time.Now())
}

// record returns what the learner did in a lab; nil: nothing.
func (n *notebook) record(lab string) *attempt.Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Record(lab)
}

// save keeps a record, as far as it can.
func (n *notebook) save(r *attempt.Record) {
	n.lament(n.keep(r))
	n.tell()
}

// learnerFlags say who works.
type learnerFlags struct{ name, class string }

func (f *learnerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "", "`who` works: gives numbers of one's own; '' for the common ones")
	cmd.Flags().StringVar(&f.class, "class", "", "class `key` that the teacher gives, for names")
}

// maxName bounds a learner's name and class key, in bytes.
const maxName = 200

// learner returns who works by the flags, and who did before.
func (f *learnerFlags) learner(cmd *cobra.Command, n *notebook) (now, was attempt.Learner, err error) {
	was = n.Learner()
	now = was
	for _, w := range []struct {
		flag, word string
		to         *string
	}{{"name", f.name, &now.Name}, {"class", f.class, &now.Class}} {
		if !cmd.Flags().Changed(w.flag) {
			continue
		}
		if len(w.word) > maxName || !utf8.ValidString(w.word) || style.Visible(w.word) != w.word {
			return now, was, cannot(fmt.Sprintf("want at most %d bytes of plain text", maxName), "--%s %q", w.flag, w.word)
		}
		*w.to = strings.TrimSpace(w.word)
	}
	return now, was, nil
}

// apply makes the learner of the flags the one who works, and returns them. What
// was done under another name is kept.
func (f *learnerFlags) apply(cmd *cobra.Command, n *notebook) (attempt.Learner, error) {
	l, was, err := f.learner(cmd, n)
	if err != nil || l == was {
		return l, err
	}
	n.lament(n.SetLearner(l, time.Now()))
	n.tell()
	if !l.Same(was) && len(n.RecordsOf(was)) > 0 {
		fmt.Fprintf(n.to, "wirelab: now for %s; what was done for %s is kept, and --name %s goes on with it\n",
			learnerWords(l), learnerWords(was), quoted(was.Name))
	}
	return l, nil
}

// writeJSON writes v, in several lines with indent. What is not ASCII is escaped:
// a lab may be a stranger's, and people look at this in a terminal.
func writeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(append(ascii(bytes.TrimSpace(b.Bytes())), '\n'))
	return err
}

// learnerWords says who works.
func learnerWords(l attempt.Learner) string {
	if l.Name == "" {
		return "everybody (no name)"
	}
	return style.Visible(l.Name)
}
