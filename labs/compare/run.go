package compare

import (
	"fmt"
	"time"
)

// A Run is what one run of one cell measured. Each figure was counted from the
// run's events; none is derived from what the fault was meant to do.
type Run struct {
	Seed uint64 `json:"seed"`

	Sent       int `json:"sent"`         // messages that the sending program emitted
	Delivered  int `json:"delivered"`    // different ones that were handed to the receiving program
	Lost       int `json:"lost"`         // the rest
	Reported   int `json:"reported"`     // losses that the receiving program was told of; never more than Lost
	Refused    int `json:"refused"`      // messages that the sending program was told were not taken
	Duplicates int `json:"duplicates"`   // hand-overs beyond the first of a message
	OutOfOrder int `json:"out_of_order"` // messages handed over after one that was sent later (RFC 4737, section 3.3)

	Latency Latency `json:"latency"` // from emit to hand-over, of those delivered

	WireBytes       int64 `json:"wire_bytes"`      // IP bytes that entered the receiver's link, both ways, from the first message to the last hand-over or message
	TextBytes       int64 `json:"text_bytes"`      // bytes of text handed over, each message once
	Retransmissions int   `json:"retransmissions"` // segments or datagrams sent again, by all hosts

	Virtual time.Duration `json:"virtual_ns"` // how long the run was, in its own time
	Why     []Reason      `json:"why,omitempty"`

	Events  string `json:"events_sha256"`  // of the event stream
	Packets string `json:"packets_sha256"` // of the capture; empty if packets were not recorded
}

// A Latency is a distribution of delays. All are zero if nothing was delivered.
type Latency struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// A Reason is something that was seen to cost messages or packets, and how often.
type Reason struct {
	What  string `json:"what"` // such as "link: random loss", "reported: overflow"
	Count int    `json:"count"`
}

// BytesPerByte returns the bytes on the wire for each byte of text delivered;
// ok is false if nothing was delivered.
func (r *Run) BytesPerByte() (v float64, ok bool) {
	if r.TextBytes == 0 {
		return 0, false
	}
	return float64(r.WireBytes) / float64(r.TextBytes), true
}

// A Guarantee is what one or several runs showed. It is no promise: a run
// without a fault shows more than its transport guarantees.
type Guarantee struct {
	Lost       bool // some message was lost
	Unreported bool // and neither the receiver nor the sender was told
	Duplicated bool
	Reordered  bool
}

// Guarantee returns what r showed.
func (r *Run) Guarantee() Guarantee {
	return Guarantee{
		Lost: r.Lost > 0, Unreported: r.Lost > r.Reported+r.Refused,
		Duplicated: r.Duplicates > 0, Reordered: r.OutOfOrder > 0,
	}
}

// And returns what g and h showed together: the weaker of each.
func (g Guarantee) And(h Guarantee) Guarantee {
	return Guarantee{g.Lost || h.Lost, g.Unreported || h.Unreported, g.Duplicated || h.Duplicated, g.Reordered || h.Reordered}
}

// Delivery names the guarantee in the chat's own words.
func (g Guarantee) Delivery() string {
	switch {
	case g.Lost && g.Duplicated:
		return "neither" // neither at most once nor at least once
	case g.Lost:
		return "at most once"
	case g.Duplicated:
		return "at least once"
	}
	return "effectively once"
}

// String returns the whole of it, such as "at most once, in order, loss reported".
func (g Guarantee) String() string {
	text := g.Delivery()
	if g.Reordered {
		text += ", out of order"
	} else {
		text += ", in order"
	}
	switch {
	case g.Unreported:
		text += ", silent loss"
	case g.Lost:
		text += ", reported loss"
	}
	return text
}

// Sign returns one character for each guarantee, so that a table can be read
// without colour.
func (g Guarantee) Sign() string {
	switch {
	case g.Lost && g.Unreported:
		return "✗"
	case g.Lost:
		return "!"
	case g.Duplicated || g.Reordered:
		return "~"
	}
	return "✓"
}

// A Cell is one fault on one transport: a run for each seed.
type Cell struct {
	Fault     string `json:"fault"`
	Transport string `json:"transport"`
	Runs      []Run  `json:"runs"`
}

// Guarantee returns what all the cell's runs together showed.
func (c *Cell) Guarantee() Guarantee {
	var g Guarantee
	for i := range c.Runs {
		g = g.And(c.Runs[i].Guarantee())
	}
	return g
}

// A Row is one fault and what it is, for people.
type Row struct {
	Name  string `json:"name"`  // such as "loss-10"
	Title string `json:"title"` // what happens, in a line
	Cells []Cell `json:"cells"` // in the order of Matrix.Transports
}

// A Matrix is a whole comparison.
type Matrix struct {
	Version    string   `json:"version"` // of the output: 1
	Seed       uint64   `json:"seed"`    // of the first run; the others follow it
	Runs       int      `json:"runs"`
	Messages   int      `json:"messages"`
	Rate       float64  `json:"rate"` // messages per second
	Size       int      `json:"size"` // bytes of a message's text, about
	Link       string   `json:"link"` // the receiver's access link where the fault is none
	Transports []string `json:"transports"`
	Rows       []Row    `json:"rows"`
}

// A Spread is a figure over several runs.
type Spread struct {
	Median, Min, Max float64
	N                int // runs in which the figure exists; with 0 the others mean nothing
}

// String returns the median, and the range where there is one.
func (s Spread) String() string {
	switch {
	case s.N == 0:
		return "–"
	case s.Min == s.Max:
		return fmt.Sprintf("%g", s.Median)
	}
	return fmt.Sprintf("%g (%g–%g)", s.Median, s.Min, s.Max)
}
