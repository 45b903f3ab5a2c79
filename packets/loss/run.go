package loss

import (
	"context"
	"errors"
	"io"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
	"wirelab/packets/tcp"
)

// often is after how many packets progress is told, less one.
const often = 1<<12 - 1

// An Analysis says what to find out, and whom to tell on the way.
type Analysis struct {
	Flows  int                                   // see flow.Config
	Window time.Duration                         // see Config
	Filter func(p *packets.Packet) (bool, error) // which packets count; if nil, all

	OnFlag    func(f *Flagged)               // each flagged packet, in order; may be nil
	OnPassage func(p *Passage, v []Verdict)  // each passage and what is found about it; may be nil
	OnLater   func(p *Passage, v Verdict)    // what is found about a passage afterwards; may be nil
	Progress  func(capture int, bytes int64) // now and then; may be nil

	verdicts []Verdict
	current  *Passage
}

// One analyses one capture. The error is the context's or the filter's; one of the
// capture itself is in the report.
func (a *Analysis) One(ctx context.Context, name string, in *packets.Reader) (*Report, error) {
	s := a.source(name, in, 0)
	r := &Report{Captures: []*Capture{&s.Capture}}
	m := a.matcher(r, Config{Window: a.Window, Link: true})
	for {
		ok, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		role, link, dir := s.points.Of(s.Interfaces, &s.p)
		s.track(role != Passed, role != NoRole)
		if role != NoRole {
			m.Add(s.sighting(role, link, dir))
		}
	}
	m.Flush()
	r.Judge.Flush()
	for i, e := range s.points.Links() {
		for dir, ends := range [][2]string{{e.Near, e.Far}, {e.Far, e.Near}} {
			w := r.way(i, dir)
			w.From, w.To = ends[0], ends[1]
		}
	}
	return r, nil
}

// Two analyses two captures, which are aligned already, in the order of time.
func (a *Analysis) Two(ctx context.Context, names [2]string, in [2]*packets.Reader, how *Alignment) (*Report, error) {
	var s [2]*source
	r := &Report{Align: how}
	var ok [2]bool
	for i := range s {
		s[i] = a.source(names[i], in[i], i)
		r.Captures = append(r.Captures, &s[i].Capture)
		var err error
		if ok[i], err = s[i].next(ctx); err != nil {
			return nil, err
		}
	}
	s[1].shift = -how.Offset
	m := a.matcher(r, Config{Window: a.Window, Payload: how.Payload})
	for ok[0] || ok[1] {
		i := 0
		if ok[0] && ok[1] {
			i = first(&s, how)
		} else if ok[1] {
			i = 1
		}
		s[i].track(true, true)
		if s[i].h.Version != 0 {
			if role, dir := how.Of(i, &s[i].p, &s[i].h); role != NoRole {
				m.Add(s[i].sighting(role, 0, dir))
			} else if !checks(&s[i].p, &s[i].h) { // an address may be changed
				m.Add(s[i].sighting(Arrived, 0, 1-i))
			} else {
				r.Homeless++
			}
		}
		var err error
		if ok[i], err = s[i].next(ctx); err != nil {
			return nil, err
		}
	}
	m.Flush()
	r.Judge.Flush()
	for dir := range 2 {
		w := r.way(0, dir)
		w.From, w.To = names[dir], names[1-dir]
	}
	return r, nil
}

// first returns which of two packets is the earlier: of the same time, the one
// that leaves.
func first(s *[2]*source, how *Alignment) int {
	switch s[0].time().Compare(s[1].time()) {
	case 1:
		return 1
	case 0:
		if role, _ := how.Of(1, &s[1].p, &s[1].h); role == Left {
			return 1
		}
	}
	return 0
}

// matcher returns a Matcher that reports to r.
func (a *Analysis) matcher(r *Report, c Config) *Matcher {
	r.Judge.Say = func(p *Passage, v Verdict) {
		if p == a.current {
			a.verdicts = append(a.verdicts, v)
		} else if a.OnLater != nil {
			a.OnLater(p, v)
		}
	}
	return NewMatcher(c, func(p *Passage) {
		a.current, a.verdicts = p, a.verdicts[:0]
		capture := 0
		if !c.Link {
			capture = p.Dir
		}
		r.take(p, capture)
		r.Judge.Add(p)
		if a.OnPassage != nil {
			a.OnPassage(p, a.verdicts)
		}
		a.current = nil
	})
}

// A source is a capture that is being read.
type source struct {
	Capture
	a     *Analysis
	in    *packets.Reader
	index int
	shift time.Duration // of its clock
	p     packets.Packet
	h     packets.Headers
	flags tcp.Flags
	flow  int
	dir   int // in it
	see   Sighting
}

func (a *Analysis) source(name string, in *packets.Reader, index int) *source {
	return &source{
		Capture: Capture{Name: name, Format: in.Format(), Tracker: flow.NewTracker(flow.Config{Flows: a.Flows})},
		a:       a, in: in, index: index,
	}
}

// next reads on to a packet that counts. It returns false at the end.
func (s *source) next(ctx context.Context) (bool, error) {
	for {
		if s.Packets&often == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if s.a.Progress != nil {
				s.a.Progress(s.index, s.p.Offset)
			}
		}
		if err := s.in.Read(&s.p); err != nil {
			if !errors.Is(err, io.EOF) {
				s.Err = err
			}
			s.Interfaces = s.in.Interfaces()
			return false, nil
		}
		s.Interfaces = s.in.Interfaces()
		s.Packets++
		if s.a.Filter != nil {
			ok, err := s.a.Filter(&s.p)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
		}
		s.Passed++
		s.h.Decode(&s.p)
		return true, nil
	}
}

// time is when the packet was seen, by the first capture's clock.
func (s *source) time() time.Time { return s.p.Time.Add(s.shift) }

// track counts the packet in its flow. On a link between two hosts the flags are
// those of where it was sent once more, and not told.
func (s *source) track(tell, linked bool) {
	f, dir, r := s.Tracker.Add(&s.p, &s.h)
	s.flags, s.flow, s.dir = r.Flags, 0, dir
	if f == nil {
		return
	}
	s.flow = f.Number
	if tell && r.Flags != 0 && s.a.OnFlag != nil {
		s.a.OnFlag(&Flagged{Capture: s.index, Number: s.p.Number, Time: s.p.Time, Flow: f, Dir: dir, Flags: r.Flags, At: s.At(s.p.Interface), Linked: linked})
	}
}

func (s *source) sighting(role Role, link, dir int) *Sighting {
	s.see = Sighting{Role: role, Link: link, Dir: dir, Number: s.p.Number, Time: s.time(), Packet: &s.p, Headers: &s.h, Flags: s.flags, Flow: s.flow, FlowDir: s.dir}
	if role == Passed {
		s.see.Flags, s.see.Flow = 0, 0
	}
	return &s.see
}
