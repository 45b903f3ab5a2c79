package plot

import (
	"encoding/json"
	"io"
	"math"

	"wirelab/internal/cells"
)

// A document is a plot as JSON. packets/JSON.md says what the fields mean.
type document struct {
	Kind      Kind             `json:"kind"`
	Flow      documentFlow     `json:"flow"`
	Direction string           `json:"direction"`
	Title     string           `json:"title"`
	X         documentAxis     `json:"x"`
	Y         documentAxis     `json:"y"`
	Series    []documentSeries `json:"series"`
	Notes     []string         `json:"notes"`
}

type documentFlow struct {
	Number    int    `json:"number"`
	Protocol  string `json:"protocol"`
	A         string `json:"a"`
	B         string `json:"b"`
	Interface string `json:"interface"`
	First     int64  `json:"first_ns"`
}

type documentAxis struct {
	Label string `json:"label"`
	Unit  string `json:"unit"`
}

type documentSeries struct {
	Name   string       `json:"name"`
	Sign   string       `json:"sign"`
	Style  string       `json:"style"`
	Points [][]*float64 `json:"points"`
}

// String returns the name that JSON has.
func (s Style) String() string {
	return [...]string{"line", "steps", "dashes", "dots", "ticks", "marks"}[s%6]
}

// JSON writes p, a plot of t, as JSON.
func (t *Target) JSON(w io.Writer, p *Plot) error {
	d := document{
		Kind: t.Kind,
		Flow: documentFlow{t.number, Protocol(t.Flow.Protocol), t.Flow.A.String(), t.Flow.B.String(),
			cells.Visible(t.Interface), int64(t.Flow.First)},
		Direction: [...]string{"a", "b"}[t.Dir&1],
		Title:     cells.Visible(p.Title),
		X:         documentAxis{p.X.Label, p.X.Unit.String()},
		Y:         documentAxis{p.Y.Label, p.Y.Unit.String()},
		Series:    []documentSeries{},
		Notes:     append([]string{}, p.Notes...),
	}
	for i := range p.Series {
		s := &p.Series[i]
		o := documentSeries{Name: s.Name, Sign: s.Sign, Style: s.Style.String(), Points: make([][]*float64, 0, len(s.Points))}
		for _, q := range s.Points {
			point := []*float64{value(q.X), value(q.Y)}
			if s.Style.ranged() {
				point = []*float64{value(q.X), value(q.Low), value(q.Y)}
			}
			o.Points = append(o.Points, point)
		}
		d.Series = append(d.Series, o)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// value is v without what a sum of decimals adds to it, or null.
func value(v float64) *float64 {
	if !finite(v) {
		return nil
	}
	if r := math.Round(v*1e9) / 1e9; finite(r) {
		v = r
	}
	return &v
}
