package main

import (
	"context"
	"errors"
	"time"

	"wirelab/internal/tui"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/scenario"
	"wirelab/labs/sheet"
)

// onScreen works on labs in a screen of their own, until the learner quits. s.sheet
// may be nil: the list of labs comes first.
func (s *labSession) onScreen(ctx context.Context) error {
	all, err := s.app.allLabs()
	if err != nil {
		return err
	}
	start := ""
	if s.sheet != nil {
		start = s.sheet.Name
		all = withSheet(all, s.sheet)
	}
	opened := map[string]*attempt.Attempt{}
	err = tui.Lab(ctx, tui.LabConfig{
		Sheets: all, Start: start, Records: s.book.Records(),
		Open: func(sh *sheet.Sheet) *attempt.Attempt {
			att := attempt.New(sh, s.learner, s.book.record(sh.Name), time.Now())
			opened[sh.Name] = att
			return att
		},
		Play: func(ctx context.Context, v *sheet.Variant, tell func(tui.LabProgress)) (measure.Runs, error) {
			return s.player.playQuietly(ctx, v, tell)
		},
		Save:    s.book.keep,
		Learner: s.learner.Name, Notices: s.book.Notices, Command: "wirelab lab",
		In: s.app.in, Out: s.app.out,
	})
	if err != nil || s.out == "" {
		return err
	}
	for name, att := range opened {
		if att.Runs() == nil && name != start {
			continue
		}
		err = errors.Join(err, s.handIn(att))
	}
	return err
}

// withSheet returns the sheets with one of the learner's own in it, instead of
// the one of the same name.
func withSheet(all []*sheet.Sheet, own *sheet.Sheet) []*sheet.Sheet {
	for i, s := range all {
		if s.Name == own.Name {
			all[i] = own
			return all
		}
	}
	return append(all, own)
}

// playQuietly is play for a screen that says itself how far it is.
func (p *labPlayer) playQuietly(ctx context.Context, v *sheet.Variant, tell func(tui.LabProgress)) (measure.Runs, error) {
	if err := p.ready(ctx, silence()); err != nil {
		return nil, err
	}
	at := tui.LabProgress{Of: len(v.Sheet.Scenarios)}
	tell(at)
	return p.playAll(ctx, v, func(run string, done int, e *scenario.Event) error {
		at.Scenario, at.Done = run, done
		if e != nil {
			at.Virtual = e.T
		}
		tell(at)
		return nil
	})
}
