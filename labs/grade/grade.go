// Package grade marks a folder of bundles. Of what a bundle says it believes the
// learner's name and the answers, and nothing else: the numbers come from the
// name and the class key again, the runs are played again, and each answer is
// marked by them as if it were given now. Where a bundle says otherwise, a
// [Finding] names it.
//
// A program that was built cannot be run again from a bundle: its marks are the
// checker's as the bundle tells them, and a finding says so.
//
// The same bundles give the same result, whatever the number of CPUs.
package grade

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"wirelab/internal/cells"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// Options say how to mark.
type Options struct {
	Class string // the class key; empty: there is none
	Guest string // SHA-256 of the WebAssembly that Play runs

	// Sheet returns a lab's sheet. It is called once for each lab.
	Sheet func(lab string) (*sheet.Sheet, error)
	// Play plays a variant's runs. Several goroutines call it.
	Play func(context.Context, *sheet.Variant) (measure.Runs, error)

	Weights       map[string]float64 // of labs in the total; 1 for those not named
	PredictCredit float64            // share of a prediction's points if it was wrong
	HintCost      float64            // share of a step's points that each hint costs

	Jobs     int                                // that run at a time; if zero, as many as there are CPUs
	Progress func(done, total int, what string) // may be nil; called by one goroutine at a time
}

// DefaultPredictCredit is what a wrong prediction is worth to the learner, too:
// comparing it with the run is how one learns.
const DefaultPredictCredit = 0.5

// Validate reports what makes no sense.
func (o *Options) Validate() error {
	for lab, w := range o.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("weight %v of lab %q: want 0 or more", w, lab)
		}
	}
	for _, s := range []struct {
		name  string
		value float64
	}{{"credit of a wrong prediction", o.PredictCredit}, {"cost of a hint", o.HintCost}} {
		if !(s.value >= 0 && s.value <= 1) {
			return fmt.Errorf("%s %v: want a share from 0%% to 100%%", s.name, s.value)
		}
	}
	return nil
}

// weight returns a lab's weight.
func (o *Options) weight(lab string) float64 {
	if w, ok := o.Weights[lab]; ok {
		return w
	}
	return 1
}

// A Result is what a folder's bundles are worth.
type Result struct {
	Labs     []Lab     `json:"labs"`     // those that somebody handed in, by name
	Learners []Learner `json:"learners"` // by name
	Bundles  []*Mark   `json:"bundles"`  // one for each file, by path
}

// A Lab is a column of the table.
type Lab struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Of     float64 `json:"of"` // points that there are
	Weight float64 `json:"weight"`
}

// A Learner is a row of the table.
type Learner struct {
	Name   string  `json:"name"`
	Marks  []*Mark `json:"-"`      // by lab, in the order of Result.Labs; nil: not handed in
	Points float64 `json:"points"` // of all labs, with their weights
	Of     float64 `json:"of"`
}

// Share returns the part of all points that the learner has, 0 to 1.
func (l *Learner) Share() float64 {
	if l.Of == 0 {
		return 0
	}
	return l.Points / l.Of
}

// Faults returns how many bundles are named for a fault.
func (r *Result) Faults() int {
	n := 0
	for _, m := range r.Bundles {
		if m.Faulty() {
			n++
		}
	}
	return n
}

// Grade marks the bundles in files. The error is ctx's, or that nothing could be
// begun: what is wrong with one bundle is in its Mark.
func Grade(ctx context.Context, files []string, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("grade: %w", err)
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	g := &grader{Options: o, sheets: make(map[string]*found)}
	files = slices.Compact(slices.Sorted(slices.Values(files)))
	g.works = make([]*work, len(files))
	g.expect(len(files))
	if err := g.each(ctx, len(files), func(i int) {
		g.works[i] = g.open(files[i])
		g.done(files[i], g.works[i].variant == nil) // what cannot be played is done
	}); err != nil {
		return nil, err
	}
	g.assign()
	groups := g.group()
	if err := g.each(ctx, len(groups), func(i int) { g.play(ctx, groups[i]) }); err != nil {
		return nil, err
	}
	g.compare()
	return g.result(), nil
}

// A grader marks one folder.
type grader struct {
	Options
	works []*work

	mu     sync.Mutex
	sheets map[string]*found
	marked int // files that are done
	total  int
}

// A found is what was found by a lab's name.
type found struct {
	once  sync.Once
	sheet *sheet.Sheet
	err   error
}

// A work is one file on its way.
type work struct {
	mark    *Mark
	bundle  *bundle.Bundle // nil: it cannot be read
	sheet   *sheet.Sheet   // nil: it cannot be marked
	variant *sheet.Variant // nil: there is nothing to play
	trusted bool           // variant, sheet and guest are ours: a run that differs was changed
	truths  []truth
	wrongs  []wrong
}

// each calls do with 0 to n−1, by as many goroutines as there may be jobs. It
// returns ctx's error if that ended first.
func (g *grader) each(ctx context.Context, n int, do func(i int)) error {
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(g.Jobs, n) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	return ctx.Err()
}

func (g *grader) expect(total int) {
	g.total = total
	if g.Progress != nil {
		g.Progress(0, total, "")
	}
}

// done tells of one more file that is marked.
func (g *grader) done(what string, really bool) {
	if !really {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marked++
	if g.Progress != nil {
		g.Progress(g.marked, g.total, what)
	}
}

// find returns a lab's sheet.
func (g *grader) find(lab string) (*sheet.Sheet, error) {
	g.mu.Lock()
	f := g.sheets[lab]
	if f == nil {
		f = new(found)
		g.sheets[lab] = f
	}
	g.mu.Unlock()
	f.once.Do(func() { f.sheet, f.err = g.Sheet(lab) })
	return f.sheet, f.err
}

// open reads a bundle, and finds its sheet and variant.
func (g *grader) open(file string) *work {
	w := &work{mark: &Mark{File: file}}
	b, err := bundle.Open(file)
	if err != nil {
		w.mark.name(Unreadable, "%v", err)
		return w
	}
	w.bundle = b
	m := w.mark
	m.Learner, m.Lab, m.Sum = cells.Visible(strings.TrimSpace(b.Learner)), b.Lab, b.File
	if m.Learner == "" {
		m.name(Nameless, "no learner's name is in it: it has the numbers that everybody gets without one")
	}
	for _, what := range b.Altered {
		m.name(Altered, "%s", what)
	}
	s, err := g.find(b.Lab)
	switch {
	case err != nil:
		m.name(Unmarkable, "%v", err)
		return w
	case s == nil:
		m.name(Unmarkable, "no lab is named %s", b.Lab)
		return w
	case string(s.Kind) != string(b.Kind):
		m.name(Unmarkable, "it is of a lab to %s, and %s is one to %s", b.Kind, b.Lab, s.Kind)
		return w
	}
	w.sheet, m.Title = s, s.Title
	w.trusted = true
	if s.Sum != b.Sheet {
		w.trusted = false
		m.name(OtherSheet, "made with another version of the lab's text (%.8s, here %.8s); marked by this one", b.Sheet, s.Sum)
	}
	if b.Kind == bundle.Build {
		g.markBuild(w)
		return w
	}
	w.variant = s.Variant(g.Class, b.Learner)
	if b.Guest != g.Guest {
		w.trusted = false
		m.name(OtherGuest, "made with another version of the simulated network (%.8s, here %.8s); marked from the run of this one", b.Guest, g.Guest)
	}
	return w
}

// learner returns who handed a bundle in.
func (g *grader) learner(w *work) attempt.Learner {
	return attempt.Learner{Name: w.bundle.Learner, Class: g.Class}
}

// assign checks that each bundle has the numbers of its learner's name.
func (g *grader) assign() {
	own := make(map[string][]*work) // by lab and variant
	for _, w := range g.works {
		if w.variant != nil {
			id := w.sheet.Name + " " + bundle.VariantID(w.variant.Seed, w.variant.Values)
			own[id] = append(own[id], w)
		}
	}
	for _, w := range g.works {
		if w.variant == nil {
			continue
		}
		b, m := w.bundle, w.mark
		if b.Variant == bundle.VariantID(w.variant.Seed, w.variant.Values) || !w.trusted && b.Seed == w.variant.Seed {
			continue
		}
		w.trusted = false
		for _, other := range own[w.sheet.Name+" "+b.Variant] {
			if other.bundle.Learner != "" && !g.learner(other).Same(g.learner(w)) {
				m.name(OtherVariant, "it has the numbers of %s, not those of %s", quoted(other.mark.Learner), quoted(m.Learner))
				break
			}
		}
		if m.has(OtherVariant) {
			continue
		}
		switch class := bundle.ClassSum(g.Class); {
		case b.Learner != "" && b.Class == "" && class != "":
			m.name(OtherVariant, "made without the class key: its numbers are not those of %s in this class", quoted(m.Learner))
		case b.Learner != "" && b.Class != class && class == "":
			m.name(OtherVariant, "made with a class key, and none was given here (--class)")
		case b.Learner != "" && b.Class != class:
			m.name(OtherVariant, "made with another class key than the one given here (--class)")
		default:
			m.name(OtherVariant, "its numbers are not those of %s", quoted(m.Learner))
		}
	}
}

// group returns the works that can be played, together if they have the same
// runs.
func (g *grader) group() [][]*work {
	at := make(map[string]int)
	var groups [][]*work
	for _, w := range g.works {
		if w.variant == nil {
			continue
		}
		id := w.sheet.Name + " " + bundle.VariantID(w.variant.Seed, w.variant.Values)
		if i, ok := at[id]; ok {
			groups[i] = append(groups[i], w)
			continue
		}
		at[id] = len(groups)
		groups = append(groups, []*work{w})
	}
	return groups
}

// play plays the runs of a group, and marks it.
func (g *grader) play(ctx context.Context, group []*work) {
	runs, err := g.Play(ctx, group[0].variant)
	for _, w := range group {
		if err == nil {
			g.verify(w, runs)
			err = g.markObserved(w, runs)
		}
		if err != nil && ctx.Err() == nil {
			w.sheet = nil
			w.mark.name(Unmarkable, "the lab cannot be played: %v", err)
		}
		g.done(w.mark.File, true)
	}
}

// result puts the table together.
func (g *grader) result() *Result {
	r := new(Result)
	labs := make(map[string]*sheet.Sheet)
	for _, w := range g.works {
		r.Bundles = append(r.Bundles, w.mark)
		if w.sheet != nil {
			labs[w.sheet.Name] = w.sheet
		}
	}
	for name, s := range labs {
		lab := Lab{Name: name, Title: s.Title, Weight: g.weight(name)}
		for _, st := range s.Steps {
			lab.Of += st.Points
		}
		if s.Kind == sheet.Build {
			lab.Of = float64(len(s.Stages))
		}
		r.Labs = append(r.Labs, lab)
	}
	slices.SortFunc(r.Labs, func(a, b Lab) int { return cmp.Compare(a.Name, b.Name) })
	g.rows(r)
	return r
}

// rows adds the learners.
func (g *grader) rows(r *Result) {
	type row struct {
		learner attempt.Learner
		file    string // of one without a name
		marks   []*Mark
	}
	var rows []*row
	for _, w := range g.works {
		if w.sheet == nil {
			continue
		}
		l := g.learner(w)
		file := ""
		if w.mark.Learner == "" {
			file = w.mark.File // two without a name may be two people
		}
		i := slices.IndexFunc(rows, func(r *row) bool { return r.learner.Same(l) && r.file == file })
		if i < 0 {
			i = len(rows)
			rows = append(rows, &row{l, file, make([]*Mark, len(r.Labs))})
		}
		at := slices.IndexFunc(r.Labs, func(lab Lab) bool { return lab.Name == w.mark.Lab })
		old := rows[i].marks[at]
		switch {
		case old == nil:
			rows[i].marks[at] = w.mark
		case w.mark.Points > old.Points:
			rows[i].marks[at] = w.mark
			old.name(Again, "%s is better and counts", w.mark.File)
		default:
			w.mark.name(Again, "%s counts", old.File)
		}
	}
	for _, row := range rows {
		l := Learner{Name: cells.Visible(strings.TrimSpace(row.learner.Name)), Marks: row.marks}
		if row.file != "" {
			l.Name = "(no name) " + filepath.Base(row.file)
		}
		for i, lab := range r.Labs {
			l.Of += lab.Weight * lab.Of
			if m := row.marks[i]; m != nil {
				m.Counts = true
				l.Points += lab.Weight * m.Points
			}
		}
		r.Learners = append(r.Learners, l)
	}
	slices.SortStableFunc(r.Learners, func(a, b Learner) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name))
	})
}
