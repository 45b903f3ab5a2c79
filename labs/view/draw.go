package view

import (
	"errors"
	"fmt"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// Draw works out a view of a sheet. The error names the view and its line.
func Draw(v *sheet.View, variant *sheet.Variant, runs measure.Runs) (*Picture, error) {
	fail := func(err error) (*Picture, error) { return nil, fmt.Errorf("view %s, line %d: %w", v.Name, v.Line, err) }
	run := runs[v.Run]
	if run == nil {
		return fail(fmt.Errorf("run %q was not played", v.Run))
	}
	caption, err := variant.TextOf(v.Caption, v.Run, runs)
	if err != nil {
		return fail(fmt.Errorf("caption: %w", err))
	}
	scope := variant.Scope(v.Run, runs)
	from, err := instant("from", v.From, scope)
	if err != nil {
		return fail(err)
	}
	to, err := instant("to", v.To, scope)
	if err != nil {
		return fail(err)
	}
	if from != nil && to != nil && *to <= *from {
		return fail(fmt.Errorf("from %g s to %g s: want a later end", *from, *to))
	}
	p := &Picture{Name: v.Name, Kind: string(v.Kind), Caption: visible(caption)}
	switch v.Kind {
	case sheet.Ladder:
		p.drawing, err = ladderOf(v, run, from, to)
	case sheet.Plot:
		if v.Plot != "" {
			p.drawing, err = flowPlot(v, run, from, to)
		} else {
			p.drawing, err = ownPlot(v, scope, from, to)
		}
	case sheet.Table:
		p.drawing, err = tableOf(v, scope)
	case sheet.Bars:
		p.drawing, err = barsOf(v, variant, runs, scope)
	case sheet.Layers, sheet.Hex:
		p.drawing, err = packetOf(v, run, scope)
	default:
		err = fmt.Errorf("kind %q, want ladder, plot, table, bars, layers or hex", v.Kind)
	}
	if err != nil {
		return fail(err)
	}
	return p, nil
}

// All works out all views of a sheet, in its order. In place of one that cannot
// be drawn is a picture that says why; the error joins these reasons.
func All(variant *sheet.Variant, runs measure.Runs) ([]*Picture, error) {
	var list []*Picture
	var errs []error
	for _, v := range variant.Sheet.Views {
		p, err := Draw(v, variant, runs)
		if err != nil {
			errs = append(errs, err)
			p = &Picture{Name: v.Name, Kind: string(v.Kind), drawing: &Table{Empty: "This cannot be drawn: " + err.Error()}}
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

// instant returns the value of an expression; nil if there is none.
func instant(what string, e *measure.Expression, scope *measure.Scope) (*float64, error) {
	if e == nil {
		return nil, nil
	}
	v, err := e.Number(scope)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if v != v {
		return nil, fmt.Errorf("%s: it is no number", what)
	}
	return &v, nil
}
