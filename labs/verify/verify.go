// Package verify proves a lab's sheet sound, so that no learner meets a question
// whose right answer is refused or whose run says otherwise than its theory:
//
//   - its parts are there: predictions, hints, solutions, sources, pictures;
//   - for many learners' variants it plays, and each figure that was measured is
//     where theory puts it, within the step's own spread;
//   - the right answers pass, as exact as they are and as they are shown; the
//     listed wrong ones fail and meet their own explanation; theory that is out by
//     a factor of two or by a round trip is refused by the answer and by the run;
//   - no step passes unanswered;
//   - every text can be filled in and every view drawn;
//   - one variant played twice is the same to the last bit;
//   - the knob's ends play, and theory holds there, too.
//
// The oracle is the sheet's formula with its source, never the stack.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"wirelab/labs"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// DefaultVariants is how many learners' variants are played if Options do not
// say.
const DefaultVariants = 20

// Options say how thorough to be.
type Options struct {
	Variants int // learners' variants to play; if zero, DefaultVariants
	Parallel int // runs at a time; if zero, the number of processors

	// Progress, if not nil, is called after each variant of a sheet. Calls come one
	// at a time.
	Progress func(done, total int)
}

// A Problem is one thing that is wrong with a sheet.
type Problem struct {
	Line    int    // in the sheet; 0: of the sheet as a whole
	Variant string // whose numbers it was seen with; empty: whatever they are
	What    string
}

// String returns the problem as one line, without the file's name.
func (p Problem) String() string {
	if p.Variant == "" {
		return p.What
	}
	return p.What + " (" + p.Variant + ")"
}

// A Report is what is known of a sheet now.
type Report struct {
	Lab      string
	Problems []Problem     // in the order of lines; none: it is sound
	Variants int           // that were played
	Figures  int           // measured figures that were compared with theory
	Slowest  time.Duration // real time of the slowest variant's runs
	Virtual  time.Duration // virtual time of all runs
}

// Sound reports whether nothing was found.
func (r *Report) Sound() bool { return len(r.Problems) == 0 }

// Sheets verifies labs to observe, side by side. The reports have the order of
// the sheets. The error is that of the context.
func Sheets(ctx context.Context, e *labs.Engine, sheets []*sheet.Sheet, o Options) ([]*Report, error) {
	if o.Variants <= 0 {
		o.Variants = DefaultVariants
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	total := 0
	found := make([]*findings, len(sheets))
	var tasks []func()
	for i, s := range sheets {
		f := &findings{sheet: s, seen: make(map[string]bool)}
		found[i] = f
		f.structure()
		for n := range o.Variants {
			tasks = append(tasks, func() { f.variant(ctx, e, s.Variant("verify", fmt.Sprintf("learner %d", n+1)), n == 0) })
		}
		if s.Knob != nil {
			tasks = append(tasks,
				func() { f.turned(ctx, e, s.Knob.From) },
				func() { f.turned(ctx, e, s.Knob.To) })
		}
	}
	total = len(tasks)
	var (
		mu   sync.Mutex
		done int
		wg   sync.WaitGroup
		next = make(chan func())
	)
	for range o.Parallel {
		wg.Go(func() {
			for task := range next {
				task()
				mu.Lock()
				done++
				if o.Progress != nil {
					o.Progress(done, total)
				}
				mu.Unlock()
			}
		})
	}
	for _, task := range tasks {
		if ctx.Err() != nil {
			break
		}
		next <- task
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	reports := make([]*Report, len(found))
	for i, f := range found {
		reports[i] = f.report(o.Variants)
	}
	return reports, nil
}

// findings is what is found of a sheet while its variants play.
type findings struct {
	sheet *sheet.Sheet

	mu       sync.Mutex
	problems []Problem
	seen     map[string]bool     // problems that were told, without their variant
	answers  map[string]struct{} // of number steps, over all variants
	figures  int
	slowest  time.Duration
	virtual  time.Duration
}

// add notes a problem, once for all variants that have it. key tells problems
// apart.
func (f *findings) add(line int, v *sheet.Variant, key, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if key = fmt.Sprint(line, key); f.seen[key] {
		return
	}
	f.seen[key] = true
	p := Problem{Line: line, What: fmt.Sprintf(format, args...)}
	if v != nil {
		p.Variant = describe(v)
	}
	f.problems = append(f.problems, p)
}

// describe names a variant by its numbers.
func describe(v *sheet.Variant) string {
	var parts []string
	for _, x := range v.Sheet.Variables {
		q := measure.Quantity{Value: v.Values[x.Name], Unit: x.Unit}
		parts = append(parts, x.Name+" = "+q.String())
	}
	return strings.Join(append(parts, fmt.Sprintf("seed %d", v.Seed)), ", ")
}

func (f *findings) report(variants int) *Report {
	if len(f.answers) == 1 && variants > 1 {
		f.add(0, nil, "same", "every learner has the same answers: let a variable differ that a predicted number depends on")
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Report{
		Lab: f.sheet.Name, Problems: f.problems, Variants: variants,
		Figures: f.figures, Slowest: f.slowest, Virtual: f.virtual,
	}
}

// play plays a variant's scenarios and notes how long that took.
func (f *findings) play(ctx context.Context, e *labs.Engine, v *sheet.Variant) (measure.Runs, bool) {
	begin := time.Now()
	runs, err := v.Play(ctx, e)
	took := time.Since(begin)
	if ctx.Err() != nil {
		return nil, false
	}
	if err != nil {
		line := 0
		for _, m := range sheet.Mistakes(err) {
			line = m.Line
		}
		f.add(line, v, "play", "it does not play: %v", err)
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slowest = max(f.slowest, took)
	for _, r := range runs {
		f.virtual += r.Virtual
	}
	return runs, true
}

// variant plays one learner's variant and looks at everything in it.
func (f *findings) variant(ctx context.Context, e *labs.Engine, v *sheet.Variant, twice bool) {
	runs, ok := f.play(ctx, e, v)
	if !ok {
		return
	}
	if twice {
		f.again(ctx, e, v, runs)
	}
	var answers []string
	for _, st := range f.sheet.Steps {
		f.texts(v, st, runs)
		f.check(v, st, runs)
		if st.Kind == sheet.Choice {
			f.choice(v, st, runs)
			continue
		}
		for part := range st.Parts() {
			answers = append(answers, f.blank(v, st, part, runs))
		}
	}
	f.sheetTexts(v, runs)
	f.views(v, runs)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil {
		f.answers = make(map[string]struct{})
	}
	f.answers[strings.Join(answers, "\x00")] = struct{}{}
}

// again plays a variant once more: the same events, the same capture.
func (f *findings) again(ctx context.Context, e *labs.Engine, v *sheet.Variant, before measure.Runs) {
	after, ok := f.play(ctx, e, v)
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name].Sums != after[name].Sums {
			f.add(f.sheet.Scenario(name).Line, v, "again", "scenario %q played twice gives two different runs", name)
		}
	}
}

// turned plays the common variant with the knob at one of its ends.
func (f *findings) turned(ctx context.Context, e *labs.Engine, value float64) {
	knob := f.sheet.Knob
	v, err := f.sheet.Variant("", "").With(knob.Variable, value)
	if err != nil {
		f.add(knob.Line, nil, "knob", "the knob cannot be turned: %v", err)
		return
	}
	runs, ok := f.play(ctx, e, v)
	if !ok {
		return
	}
	for _, st := range f.sheet.Steps {
		if st.Kind == sheet.Predict {
			for part := range st.Parts() {
				f.figure(v, st, part, runs)
			}
		}
	}
}
