package measure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"wirelab/labs/scenario"
)

// A listing has what expressions ask a run for, made at the first question.
type listing struct {
	once sync.Once
	view *view
}

// add takes one event of the stream.
func (r *Run) add(e *scenario.Event) {
	t := e.T.Seconds()
	switch e.Kind {
	case scenario.EventBegin:
		r.Began = t
	case scenario.EventTCP:
		if e.TCP != nil {
			r.States = append(r.States, State{
				T: t, Host: e.Host, Local: e.TCP.Local, Remote: e.TCP.Remote,
				Cwnd: e.TCP.Cwnd, Ssthresh: e.TCP.Ssthresh, Flight: e.TCP.Flight,
				SRTT: e.TCP.SRTT.Seconds(), RTTVar: e.TCP.RTTVar.Seconds(), RTO: e.TCP.RTO.Seconds(), Recovery: e.TCP.Recovery,
			})
		}
		return
	case scenario.EventEnd:
		if e.Totals != nil {
			r.Totals = Totals{
				Packets: e.Totals.Packets, WireBytes: int(e.Totals.WireBytes), AllBytes: int(e.Totals.AllBytes),
				Retransmissions: e.Totals.Retransmissions, Drops: e.Totals.Drops,
			}
		}
	case scenario.EventFate, scenario.EventLedger:
		return
	}
	r.Events = append(r.Events, Event{
		T: t, Kind: string(e.Kind), Host: e.Host, Life: e.Life, From: e.From, N: e.N, Size: e.Size,
		Seq: int(e.Seq), Prev: int(e.Prev), Again: e.Again, Tries: e.Tries, Count: int(e.Count), Text: e.Text,
		Room: e.Room, Namespace: e.Namespace, Direct: e.Direct, Volatile: e.Volatile, Form: string(e.Form), To: e.To,
		Sock: e.Sock, Do: e.Do, Local: e.Local, Remote: e.Remote, Total: int(e.Total),
	})
}

// finish reads the capture, and makes all instants count from the workload's
// beginning.
func (r *Run) finish() error {
	var err error
	if r.Packets, err = decode(r.Scenario, r.Capture); err != nil {
		return err
	}
	for i := range r.Packets {
		p := &r.Packets[i]
		p.T -= r.Began
		if p.Arrived >= 0 {
			p.Arrived -= r.Began
		}
	}
	for i := range r.Events {
		r.Events[i].T -= r.Began
	}
	for i := range r.States {
		r.States[i].T -= r.Began
	}
	r.list = new(listing)
	return nil
}

// Read builds a run from what an earlier one left: its events as JSON lines and
// its capture. The sums are of these.
func Read(s *scenario.Scenario, lines, capture []byte) (*Run, error) {
	r := &Run{Scenario: s, Lines: lines, Capture: capture}
	d := json.NewDecoder(bytes.NewReader(lines))
	for n := 1; ; n++ {
		var e scenario.Event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", n, err)
		}
		r.Virtual = e.T
		r.add(&e)
	}
	r.sum()
	return r, r.finish()
}

// view returns the run as expressions see it.
func (r *Run) view() *view {
	if r.list == nil {
		return r.survey()
	}
	r.list.once.Do(func() { r.list.view = r.survey() })
	return r.list.view
}

func pointers[T any](all []T) []*T {
	list := make([]*T, len(all))
	for i := range all {
		list[i] = &all[i]
	}
	return list
}

func filter[T any](all []*T, keep func(*T) bool) []*T {
	out := []*T{}
	for _, e := range all {
		if keep(e) {
			out = append(out, e)
		}
	}
	return out
}

func (r *Run) survey() *view {
	v := &view{Packets: pointers(r.Packets), Events: pointers(r.Events), Began: r.Began, Totals: &r.Totals}
	states := pointers(r.States)
	var recorded []string
	if r.Scenario != nil {
		recorded = r.Scenario.Record
	}
	// A packet between two recorded links is there twice: the end that is asked
	// about has the say.
	own := func(p *Packet, host string) bool { return p.Host == host || !slices.Contains(recorded, host) }
	v.Sent = func(host string) []*Packet {
		return filter(v.Packets, func(p *Packet) bool { return p.From == host && own(p, host) })
	}
	v.Received = func(host string) []*Packet {
		return filter(v.Packets, func(p *Packet) bool { return p.To == host && own(p, host) && p.Copies > 0 })
	}
	v.Between = func(a, b string) []*Packet {
		return filter(v.Packets, func(p *Packet) bool {
			return (p.From == a && p.To == b || p.From == b && p.To == a) && own(p, p.From)
		})
	}
	v.Did = func(host, do string) []*Event {
		return filter(v.Events, func(e *Event) bool {
			return e.Kind == string(scenario.EventSock) && e.Host == host && e.Do == do
		})
	}
	of := func(kind scenario.EventKind) func(string) []*Event {
		return func(host string) []*Event {
			return filter(v.Events, func(e *Event) bool { return e.Kind == string(kind) && e.Host == host })
		}
	}
	v.Emitted, v.Acked = of(scenario.EventEmit), of(scenario.EventAcked)
	// What the server itself tells, such as who has come, is no message.
	v.Delivered = func(host string) []*Event {
		return filter(of(scenario.EventDeliver)(host), func(e *Event) bool { return e.N > 0 })
	}
	v.States = func(host ...string) []*State {
		if len(host) == 0 {
			return states
		}
		return filter(states, func(s *State) bool { return slices.Contains(host, s.Host) })
	}
	return v
}
