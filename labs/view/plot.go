package view

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"wirelab/internal/style"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/packets"
	"wirelab/packets/plot"
)

// A graph is a plot as a view.
type graph struct{ p *plot.Plot }

func (g *graph) text(width, height int, palette *style.Palette) []string {
	return strings.Split(strings.TrimRight(g.p.Text(width, height, palette), "\n"), "\n")
}

func (g *graph) svg() bool                { return true }
func (g *graph) markup(w io.Writer) error { return g.p.SVG(w) }

// flowPlot draws what package plot makes of a conversation of a recorded link.
// Its times count from when the workload began, as everywhere in a lab.
func flowPlot(v *sheet.View, run *measure.Run, from, to *float64) (drawing, error) {
	where, list, err := conversations(run, v.Link)
	if err != nil {
		return nil, err
	}
	c, err := choose(list, v.Flow, func(c *conversation) int64 {
		if c.flow().Protocol != packets.ProtocolTCP && (v.Plot != string(plot.Throughput) || c.flow().Protocol != packets.ProtocolUDP) {
			return -1
		}
		return c.flow().Bytes()
	})
	if err != nil {
		return nil, err
	}
	choice := plot.Choice{Kind: plot.Kind(v.Plot)}
	seen := c.flow()
	dir := 0
	if seen.Sides[1].Payload > seen.Sides[0].Payload {
		dir = 1
	}
	sender := seen.A
	if dir == 1 {
		sender = seen.B
	}
	if c.far != nil && !where.addresses[sender.Addr()] {
		seen = c.far
	}
	choice.Flow, choice.Direction = seen.Number, "a"
	if sender != seen.A {
		choice.Direction = "b"
	}
	// What is before the flow's first packet is no choice of package plot.
	begin := began(run).UnixNano()
	lead := time.Duration(int64(seen.First) - begin)
	if from != nil {
		choice.From = max(duration(*from)-lead, 0)
	}
	if to != nil {
		if choice.To = duration(*to) - lead; choice.To <= choice.From {
			return nil, fmt.Errorf("nothing of the flow is between from and to: it begins at %s", seconds(seen.First, run))
		}
	}
	p, err := plotted(run, choice)
	if err != nil {
		return nil, err
	}
	shift(p, lead.Seconds())
	return &graph{p}, nil
}

// plotted reads the run's capture twice, as package plot wants it.
func plotted(run *measure.Run, choice plot.Choice) (*plot.Plot, error) {
	r, err := open(run)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	target, err := plot.Choose(r, choice)
	if err != nil {
		return nil, err
	}
	again, err := open(run)
	if err != nil {
		return nil, err
	}
	defer again.Close()
	return target.Plot(again)
}

// shift moves all of p along the time.
func shift(p *plot.Plot, by float64) {
	p.X.Label = "time"
	if p.X.Min != p.X.Max {
		p.X.Min += by
		p.X.Max += by
	}
	for i := range p.Series {
		points := p.Series[i].Points
		for k := range points {
			points[k].X += by
		}
	}
}

// ownPlot draws the sheet's own series.
func ownPlot(v *sheet.View, scope *measure.Scope, from, to *float64) (drawing, error) {
	x, xScale := axis(v.X)
	y, yScale := axis(v.Y)
	y.Zero = true
	p := &plot.Plot{X: x, Y: y, Empty: "the run has no such points"}
	for i := range v.Series {
		s := &v.Series[i]
		list, err := s.Points.List(scope)
		if err != nil {
			return nil, fmt.Errorf("series %s: %w", s.Name, err)
		}
		// Values that are told from time to time hold until the next.
		out := plot.Series{Name: s.Name, Sign: sign(s.Name, i), Style: plot.Line, Ink: i}
		if len(list) == 1 {
			out.Style = plot.Marks
		}
		for n, item := range list {
			px, py, err := pair(item)
			if err != nil {
				return nil, fmt.Errorf("series %s, point %d: %w", s.Name, n+1, err)
			}
			if from != nil && px < *from || to != nil && px > *to {
				continue
			}
			px, py = px/xScale, py/yScale
			point := plot.Point{X: px, Y: py, Low: py}
			out.Add(point)
		}
		p.Series = append(p.Series, out)
	}
	p.Title = v.Y.Label + " over " + v.X.Label
	return &graph{p}, nil
}

// axis returns a plot's axis and what values are to be divided by.
func axis(a sheet.Axis) (plot.Axis, float64) {
	out := plot.Axis{Label: a.Label}
	switch a.Unit.Dim {
	case measure.Time:
		out.Unit = plot.Seconds
		return out, 1
	case measure.Size:
		out.Unit = plot.Bytes
		return out, 1
	case measure.Rate:
		out.Unit = plot.BitsPerSecond
		return out, 1
	}
	if a.Unit.Name != "" {
		out.Label = strings.TrimSpace(out.Label + ", " + a.Unit.Name)
	}
	scale := a.Unit.Scale
	if scale == 0 {
		scale = 1
	}
	return out, scale
}

// sign returns the letter that tells a series from the others.
func sign(name string, i int) string {
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return string(r)
		}
	}
	return string(rune('a' + i%26))
}

// pair reads [x, y].
func pair(item any) (x, y float64, err error) {
	list, ok := item.([]any)
	if !ok {
		if f, isFloats := item.([]float64); isFloats {
			for _, v := range f {
				list = append(list, v)
			}
		}
	}
	if len(list) != 2 {
		return 0, 0, fmt.Errorf("%v, want [x, y]", item)
	}
	x, okX := number(list[0])
	y, okY := number(list[1])
	if !okX || !okY {
		return 0, 0, errors.New("x and y must be numbers")
	}
	return x, y, nil
}

// number returns a value of an expression as a number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case nil:
		return math.NaN(), true // there is none: a gap
	}
	return 0, false
}
