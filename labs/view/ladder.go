package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	"wirelab/packets"
	"wirelab/packets/ladder"
)

// ladderRows is how many lines of arrows a ladder has that the sheet does not
// cut: of a longer one, runs of like packets become one line.
const ladderRows = 60

// A rungs is a ladder as a view.
type rungs struct{ l *ladder.Ladder }

func (r *rungs) text(width, _ int, palette *style.Palette) []string {
	var b bytes.Buffer
	if err := r.l.Text(&b, ladder.Options{Width: width, Palette: palette, Rows: ladderRows}); err != nil {
		return []string{err.Error()} // a Buffer takes everything
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

func (r *rungs) svg() bool                { return true }
func (r *rungs) markup(w io.Writer) error { return r.l.SVG(w) }

// ladderOf draws a conversation of a recorded link.
func ladderOf(v *sheet.View, run *measure.Run, from, to *float64) (drawing, error) {
	where, list, err := conversations(run, v.Link)
	if err != nil {
		return nil, err
	}
	worth, err := troubles(run)
	if err != nil {
		return nil, err
	}
	c, err := choose(list, v.Flow, worth)
	if err != nil {
		return nil, err
	}
	if !c.drawable() {
		return nil, fmt.Errorf("flow %d has no ports: want one of TCP or UDP", v.Flow)
	}
	first, last := c.span()
	b := ladder.NewBuilder(c.key(where))
	err = each(run, func(p *packets.Packet, all []packets.Interface) {
		// Another connection of the same ports has another time.
		if at := p.Time.UnixNano(); where.has(p.Interface) && at >= first && at <= last {
			b.Add(p, all, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	l := b.Ladder()
	l.Begin = began(run)
	if len(l.Lifelines) == 3 {
		l.Lifelines[2] = peer(run, where, c, l.Lifelines[2])
	}
	l.Title = title(c, l)
	l = cut(l, from, to, v.Packets)
	if len(l.Arrows) == 0 {
		return nil, fmt.Errorf("no packet of the conversation is between from and to; it has packets from %s to %s",
			seconds(time.Duration(first), run), seconds(time.Duration(last), run))
	}
	if v.Packets == 0 {
		l = l.Summarise(ladderRows)
	}
	return &rungs{l}, nil
}

// began is when the workload began.
func began(run *measure.Run) time.Time {
	return labs.Start.Add(time.Duration(run.Began * float64(time.Second)))
}

// seconds writes an instant, given since 1970, as time since the workload began.
func seconds(at time.Duration, run *measure.Run) string {
	return fmt.Sprintf("%.3fs", (at - time.Duration(began(run).UnixNano())).Seconds())
}

// troubles returns how much there is to see of a conversation: losses first,
// then segments sent again, then bytes.
func troubles(run *measure.Run) (func(*conversation) int64, error) {
	r, err := open(run)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	flows, _, err := ladder.Flows(r)
	if err != nil {
		return nil, err
	}
	return func(c *conversation) int64 {
		if !c.drawable() {
			return -1
		}
		f := c.flow()
		worth := min(f.Bytes(), 1<<30)
		for i := range flows {
			if k := flows[i].Key; k.Protocol == f.Protocol && (k.A == f.A && k.B == f.B || k.A == f.B && k.B == f.A) {
				worth += int64(min(flows[i].Lost, 1<<10))<<46 + int64(min(flows[i].Resent, 1<<14))<<31
				break
			}
		}
		return worth
	}, nil
}

// peer returns the name of the machine that the link's host talked to.
func peer(run *measure.Run, where *place, c *conversation, other string) string {
	k := c.key(where)
	for i := range run.Packets {
		p := &run.Packets[i]
		if p.Host != where.host {
			continue
		}
		near, far := p.Sport, p.Dport
		name := p.To
		if !p.Up {
			near, far, name = far, near, p.From
		}
		if near == int(k.A.Port()) && far == int(k.B.Port()) && name != "" {
			return name
		}
	}
	return other
}

// title names the conversation, who spoke first before the other.
func title(c *conversation, l *ladder.Ladder) string {
	f := c.flow()
	s := ladder.Key{Protocol: f.Protocol, A: f.A, B: f.B}.String() + ", " + plural(len(l.Arrows), "packet")
	if n := l.Lost(); n > 0 {
		s += fmt.Sprintf(", %d lost", n)
	}
	return s
}

// cut returns l from an instant to another, both in seconds since l.Begin, and at
// most so many packets of it; nil and 0 are no limit.
func cut(l *ladder.Ladder, from, to *float64, most int) *ladder.Ladder {
	if from != nil || to != nil {
		choice := ladder.Choice{From: -1 << 62, To: 1 << 62}
		if from != nil {
			choice.From = duration(*from)
		}
		if to != nil {
			choice.To = duration(*to)
		}
		if choice.To == 0 { // which is no limit there
			choice.To = -1
		}
		l = l.Cut(choice)
	}
	if most <= 0 || len(l.Arrows) <= most {
		return l
	}
	// By their numbers: which came first in the capture.
	all := len(l.Arrows)
	s := *l
	s.Arrows = l.Arrows[:most:most]
	end := s.Arrows[most-1].Sent
	for _, a := range s.Arrows {
		if a.Arrived.After(end) {
			end = a.Arrived
		}
	}
	s.Samples = nil
	for _, x := range l.Samples {
		if !x.Time.After(end) {
			s.Samples = append(s.Samples, x)
		}
	}
	if s.RTTEnd.After(end) {
		s.RTTStart, s.RTTEnd = time.Time{}, time.Time{} // the ruler's place is not shown
	}
	s.About = append(s.About[:len(s.About):len(s.About)], fmt.Sprintf("The first %d of %d packets are shown.", most, all))
	return &s
}

// duration is so many seconds, within what a picture can be about.
func duration(s float64) time.Duration {
	const most = 1e9 // seconds
	return time.Duration(min(max(s, -most), most) * float64(time.Second))
}
