package sheet

import "wirelab/labs/measure"

// A ViewKind is how a run is shown.
type ViewKind string

// The kinds of views.
const (
	Ladder ViewKind = "ladder" // see packets/ladder
	Plot   ViewKind = "plot"   // see packets/plot, or of the sheet's own points
	Table  ViewKind = "table"
	Layers ViewKind = "layers" // one packet, layer by layer
	Hex    ViewKind = "hex"    // one packet's bytes
	Bars   ViewKind = "bars"
)

// A View is one picture of a run. Which fields count depends on Kind. Expressions
// are evaluated in Variant.Scope(view.Run, runs).
type View struct {
	Name    string
	Kind    ViewKind
	Run     string
	Caption Template
	Line    int

	// Of ladder and plot.
	Link     string              // host whose link it is; empty: the first that is recorded
	Flow     int                 // from 1; 0: not said
	From, To *measure.Expression // seconds since the workload began; nil: from the begin, to the end
	Packets  int                 // of a ladder at most; 0: not said

	// Of plot: one that package plot has ("sequence", "throughput", "rtt",
	// "window"), or Series.
	Plot   string
	X, Y   Axis
	Series []Series

	// Of table.
	Rows    *measure.Expression // a list
	Columns []Column
	Limit   int // rows; 0: not said

	// Of bars.
	Bars []Bar

	// Of layers and hex.
	Packet *measure.Expression
}

// An Axis is what a plot's axis is labelled with.
type Axis struct {
	Label string
	Unit  measure.Unit
}

// A Series is some points of a plot.
type Series struct {
	Name   string
	Points *measure.Expression // a list of [x, y], in base units
	Line   int
}

// A Column is one column of a table. Cells is a list with a value for each row.
type Column struct {
	Head  string
	Cells *measure.Expression
	Unit  measure.Unit
	Line  int
}

// A Bar is one bar.
type Bar struct {
	Label Template
	Value *measure.Expression
	Unit  measure.Unit
	Line  int
}
