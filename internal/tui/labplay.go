package tui

import (
	"context"
	"sync/atomic"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

// A labRun is a run under way.
type labRun struct {
	number   int
	quiet    bool           // only its figures are needed: the learner reads on
	variant  *sheet.Variant // of a turned knob; nil: the learner's own
	stop     func()
	progress LabProgress
	began    time.Time
	ticks    int
	look     func() tea.Msg // how far it is
}

// tick looks at the run in a moment.
func (r *labRun) tick() tea.Cmd {
	return tea.Tick(labRefresh, func(time.Time) tea.Msg { return r.look() })
}

// A labTurn is what came of turning the knob.
type labTurn struct {
	was, is       string // such as "rtt = 40 ms"
	before, after []attempt.Pair
	pictures      []*labview.Picture
}

// play plays the learner's variant, or another one if the knob was turned.
func (m *labModel) play(turned *sheet.Variant) tea.Cmd {
	m.halt()
	m.runs++
	ctx, stop := context.WithCancel(m.ctx)
	run := &labRun{number: m.runs, variant: turned, stop: stop, began: m.cfg.Now()}
	m.run = run
	variant := turned
	if variant == nil {
		variant = m.attempt.Variant
	}
	var latest atomic.Pointer[LabProgress]
	latest.Store(&LabProgress{})
	number, do, playing := run.number, m.cfg.Play, m.playing
	playing.Add(1)
	played := func() tea.Msg {
		defer playing.Done()
		defer stop()
		runs, err := do(ctx, variant, func(p LabProgress) { latest.Store(&p) })
		if err != nil {
			return labRanMsg{number: number, err: err}
		}
		pictures, _ := labview.All(variant, runs) // one that fails says so itself
		return labRanMsg{number, runs, pictures, nil}
	}
	run.look = func() tea.Msg { return labTickMsg{number, *latest.Load()} }
	return tea.Batch(played, run.tick())
}

// halt ends the run under way.
func (m *labModel) halt() {
	if m.run != nil {
		m.run.stop()
		m.run = nil
	}
}

// again plays the run once more, or for the first time.
func (m *labModel) again() tea.Cmd {
	if !m.attempt.Ran() && !m.attempt.Ready() {
		m.warn("first predict, or skip the predictions with s")
		return nil
	}
	return m.play(nil)
}

// turn plays what was typed for the knob.
func (m *labModel) turn() tea.Cmd {
	if m.turned != nil && m.input.value() == "" {
		return m.next()
	}
	v, err := m.attempt.Turn(m.input.value())
	if err != nil {
		m.said, m.wrong = err.Error(), true
		return nil
	}
	m.said = ""
	return m.play(v)
}

// ran takes in what a run gave.
func (m *labModel) ran(msg labRanMsg) tea.Cmd {
	if m.run == nil || msg.number != m.run.number {
		return nil
	}
	run := m.run
	m.run = nil
	if msg.err != nil {
		m.warn("the run failed: " + msg.err.Error())
		return nil
	}
	if run.variant != nil {
		return m.seeTurn(run.variant, msg)
	}
	again := m.attempt.Ran()
	if err := m.attempt.Played(msg.runs, m.cfg.Now()); err != nil {
		m.warn("the run cannot be measured: " + err.Error())
		return nil
	}
	m.pictures = msg.pictures
	if again && !run.quiet {
		m.tell("run again: the same seed gave the same run")
	}
	return m.changed()
}

// seeTurn takes in what a run with the knob turned gave.
func (m *labModel) seeTurn(v *sheet.Variant, msg labRanMsg) tea.Cmd {
	before := m.attempt.Before()
	turn, err := m.attempt.Turned(v, msg.runs, m.cfg.Now())
	if err != nil {
		m.warn("the run cannot be measured: " + err.Error())
		return nil
	}
	name := m.sheet.Knob.Variable
	m.turned = &labTurn{
		was: name + " = " + m.valueOf(m.attempt.Variant, name), is: name + " = " + turn.Text,
		before: before, after: turn.Pairs, pictures: msg.pictures,
	}
	m.input.set("")
	return m.changed()
}

// valueOf writes a variable of a variant.
func (m *labModel) valueOf(v *sheet.Variant, name string) string {
	for _, x := range m.sheet.Variables {
		if x.Name == name {
			return measure.Quantity{Value: v.Values[name], Unit: x.Unit}.String()
		}
	}
	return ""
}
