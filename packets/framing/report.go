package framing

import (
	"errors"
	"io"
	"slices"
	"time"

	"wirelab/packets"
	"wirelab/packets/flow"
)

// A Config says what of a capture a Report is to tell.
type Config struct {
	Framing  Framing
	Flow     int           // only this one, by its number at any place; if zero, all
	From, To time.Duration // only frames that were under way then, after the capture's first packet; if To is zero, to the end
	Count    int           // frames of a direction that are kept; if zero, all
	MaxFlows int           // see Tracker

	// Each is called for each message that is wanted, also beyond Count. An
	// error of it ends the reading.
	Each func(m *Message, begin time.Time) error
}

// A Report is what a capture's messages are, a Direction for each that has some.
type Report struct {
	Begin      time.Time // of the first packet
	Packets    int
	Flows      int // that began
	Left       int // flows that ended early because there were too many
	Directions []*Direction
}

// A Direction is one way of one conversation. The counts are of all that is
// wanted, the lists of as much as Config.Count.
type Direction struct {
	Flow     *Flow
	Dir      int
	Frames   int
	Bytes    uint64 // in frames
	Cut      int    // frames that came in two packets or more
	Shared   int    // packets that brought two frames or more
	Late     int    // frames that waited
	Blocked  int    // of them, those that were whole: head-of-line blocking
	Waited   time.Duration
	Again    int    // bytes that came once more, or datagrams that did
	Missing  uint64 // bytes that the capture does not have
	Bad      int    // frames with an error
	Segments int    // with data

	Kept   []Message
	Copies []Segment // that brought nothing new
	Lost   []Segment // that the link lost

	last  int // packet of the newest piece
	parts int // frames that it brought
}

// maxListed is how many copies and losses of a direction are kept.
const maxListed = 4096

type side struct {
	flow, dir int
}

// A collector makes a Report.
type collector struct {
	cfg    Config
	report *Report
	sides  map[side]*Direction
}

// Read reads all of a capture. With an error of the reader, such as that of a
// file that ends too early, the Report tells what came before it.
func Read(r *packets.Reader, cfg Config) (*Report, error) {
	c := &collector{cfg: cfg, report: &Report{}, sides: make(map[side]*Direction)}
	t := &Tracker{Framing: cfg.Framing, MaxFlows: cfg.MaxFlows, Interfaces: r.Interfaces, Segment: c.segment, Numbers: flow.NewTracker(flow.Config{})}
	var (
		p   packets.Packet
		h   packets.Headers
		err error
	)
	for err == nil {
		if err = r.Read(&p); err != nil {
			break
		}
		if c.report.Packets == 0 {
			c.report.Begin = p.Time
		}
		c.report.Packets++
		h.Decode(&p)
		err = c.add(t.Add(&p, &h))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	c.report.Flows, c.report.Left = t.Flows(), t.Left
	err = errors.Join(err, c.add(t.End()))
	slices.SortStableFunc(c.report.Directions, func(a, b *Direction) int {
		if a.Flow.Number != b.Flow.Number {
			return a.Flow.Number - b.Flow.Number
		}
		return a.Dir - b.Dir
	})
	return c.report, err
}

func (c *collector) wanted(f *Flow) bool { return c.cfg.Flow == 0 || f.Is(c.cfg.Flow) }

func (c *collector) within(from, to time.Time) bool {
	return to.Sub(c.report.Begin) >= c.cfg.From && (c.cfg.To == 0 || from.Sub(c.report.Begin) <= c.cfg.To)
}

func (c *collector) side(f *Flow, dir int) *Direction {
	key := side{f.Number, dir}
	d := c.sides[key]
	if d == nil {
		d = &Direction{Flow: f, Dir: dir}
		c.sides[key] = d
		c.report.Directions = append(c.report.Directions, d)
	}
	return d
}

// segment takes in what the Tracker tells of segments.
func (c *collector) segment(f *Flow, dir int, s Segment, lost bool) {
	if !c.wanted(f) || !c.within(s.Time, s.Time) {
		return
	}
	d := c.side(f, dir)
	list := &d.Copies
	if lost {
		list = &d.Lost
	} else {
		d.Segments++
		d.Again += s.Again
		if s.New > 0 {
			return
		}
	}
	if len(*list) < maxListed {
		*list = append(*list, s)
	}
}

func (c *collector) add(messages []Message) error {
	for i := range messages {
		m := &messages[i]
		if !c.wanted(m.Flow) || !c.within(m.First, m.Complete) {
			continue
		}
		d := c.side(m.Flow, m.Dir)
		d.count(m)
		if c.cfg.Each != nil {
			if err := c.cfg.Each(m, c.report.Begin); err != nil {
				return err
			}
		}
		if c.cfg.Count == 0 || len(d.Kept) < c.cfg.Count {
			k := *m
			k.Bytes = nil // the pictures need none
			d.Kept = append(d.Kept, k)
		}
	}
	return nil
}

// count adds a message up.
func (d *Direction) count(m *Message) {
	d.Frames++
	d.Bytes += m.End - m.Start
	if m.Segments() > 1 {
		d.Cut++
	}
	if m.Hole != nil {
		d.Late++
		if !m.Own {
			d.Blocked++
		}
		d.Waited = max(d.Waited, m.Waited)
	}
	d.Missing += m.Missing
	if m.Err != "" {
		d.Bad++
	}
	if g := m.Datagram; g != nil {
		if g.Parts == 0 {
			d.Segments++
		}
		if g.Of != 0 {
			d.Again++
		}
		return
	}
	for _, p := range m.Pieces {
		switch {
		case p.Again:
		case p.Number != d.last:
			d.last, d.parts = p.Number, 1
		default:
			if d.parts++; d.parts == 2 {
				d.Shared++
			}
		}
	}
}
