package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/trace"
	"wirelab/labs"
	"wirelab/labs/scenario"
)

// A WhatIf is a run, and the same run with one packet's fate changed.
type WhatIf struct {
	Rule    string   `json:"rule"`
	Fault   string   `json:"fault"`
	Seed    uint64   `json:"seed"`
	Changes []Change `json:"changes"` // one for each transport
}

// A Change is what the changed fate changed.
type Change struct {
	Transport string `json:"transport"`
	Before    Run    `json:"before"` // as chance would have it
	After     Run    `json:"after"`  // with the fate changed

	// Differ reports whether anything at all was another way: a packet that
	// arrives anyway cannot be spared.
	Differ bool          `json:"differ"`
	At     time.Duration `json:"at_ns"`         // the first instant at which they differ, since the workload began
	Was    string        `json:"was,omitempty"` // what happened then
	Is     string        `json:"is,omitempty"`  // and what happens now; empty: nothing more
}

// backward begins a rule for the packets that the receiver sends; without it a
// rule is for those that it is sent.
const backward = "back "

// ParseWhatIf reads a rule, such as "spare data 7" or "back drop ack 3".
func ParseWhatIf(text string) (rule string, back bool, err error) {
	rule, back = strings.CutPrefix(strings.TrimSpace(text), backward)
	r, err := impair.ParseRule(rule)
	if err != nil {
		return "", false, fmt.Errorf("what if %q: %w", text, err)
	}
	if r.Span() {
		return "", false, fmt.Errorf("what if %q: that is about a time, want one packet, such as %q", text, "spare data 7")
	}
	return r.String(), back, nil
}

// WhatIf plays one fault on each transport twice: once as it is, and once with
// the fate that rule names. All other fates are kept, packet by packet.
func (e *Engine) WhatIf(ctx context.Context, o Options, text string) (*WhatIf, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	rule, back, err := ParseWhatIf(text)
	if err != nil {
		return nil, err
	}
	faults, err := o.faults()
	if err != nil {
		return nil, err
	}
	if len(faults) != 1 {
		return nil, fmt.Errorf("%d faults to change a packet's fate under: want one", len(faults))
	}
	columns := o.transports()
	out := &WhatIf{Rule: text, Fault: faults[0].Name, Seed: o.Seed, Changes: make([]Change, len(columns))}
	err = e.each(ctx, &o, len(columns), func(i int) string { return string(columns[i]) }, func(ctx context.Context, i int) error {
		s := o.scenario(faults[0], columns[i], o.Seed)
		s.Packets, s.Fates = true, true
		before, err := e.history(ctx, s)
		if err != nil {
			return err
		}
		for i := range s.Members {
			if m := &s.Members[i]; m.Name == receiver {
				m.RepeatUp, m.RepeatDown = before.up, before.down
				if back {
					m.WhatIfUp = rule
				} else {
					m.WhatIfDown = rule
				}
			}
		}
		after, err := e.history(ctx, s)
		if err != nil {
			return err
		}
		c := &out.Changes[i]
		c.Transport = string(columns[i])
		c.Before, c.After = before.tally.finish(), after.tally.finish()
		c.compare(before, after)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// A history is everything that happened in a run.
type history struct {
	tally *tally
	up    []byte // fates, see impair.DecodeFates
	down  []byte
	begin time.Duration
	names []string // of the interfaces
	steps []step
}

// A step is one thing that happened: an event, or a packet seen somewhere.
type step struct {
	at   time.Duration
	key  string // equal if the same happened
	text string // for people
}

func (e *Engine) history(ctx context.Context, s *scenario.Scenario) (*history, error) {
	h := &history{tally: newTally(s.Seed)}
	_, err := e.labs.Play(ctx, s, labs.Output{Event: h.event, Record: h.record})
	return h, err
}

func (h *history) event(e *scenario.Event) error {
	h.tally.event(e)
	switch e.Kind {
	case scenario.EventFate:
		list := &h.down
		if e.Up {
			list = &h.up
		}
		var err error
		*list, err = e.Fate.AppendBinary(*list)
		return err
	case scenario.EventBegin:
		h.begin = e.T
	case scenario.EventEnd:
		return nil // sums, not happenings
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	h.steps = append(h.steps, step{e.T, string(b), e.Describe()})
	return nil
}

func (h *history) record(r *trace.Record) error {
	switch r.Kind {
	case trace.Interface:
		h.names = append(h.names, r.Interface.Name)
	case trace.Packet:
		p := &r.Packet
		var key bytes.Buffer
		fmt.Fprintf(&key, "%d %d %d %s ", p.Time.UnixNano(), p.Interface, p.Direction, p.Comment)
		key.Write(p.Data)
		where, what := sighting(h.names[p.Interface], p)
		h.steps = append(h.steps, step{labs.Since(p.Time), key.String(), where + ": " + what})
	}
	return nil
}

// compare finds the first step that differs.
func (c *Change) compare(before, after *history) {
	n := min(len(before.steps), len(after.steps))
	for i := range max(len(before.steps), len(after.steps)) {
		if i < n && before.steps[i].key == after.steps[i].key {
			continue
		}
		c.Differ = true
		at := time.Duration(-1)
		if i < len(before.steps) {
			at, c.Was = before.steps[i].at, before.steps[i].text
		}
		if i < len(after.steps) {
			if is := after.steps[i].at; at < 0 || is < at {
				at = is
			}
			c.Is = after.steps[i].text
		}
		c.At = at - before.begin
		return
	}
}
