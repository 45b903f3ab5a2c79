package ladder

import (
	"errors"
	"fmt"
	"io"
	"time"

	"wirelab/packets"
)

// A Choice says what of a capture is drawn.
type Choice struct {
	Flow     int           // number of the conversation, from 1; 0 is the one with most to see
	From, To time.Duration // since its first packet; To 0 is the end
	First    int           // number of the first packet and
	Last     int           // of the last; 0 is all
	Flat     bool          // no estimated slants
}

// Check returns what is wrong with c.
func (c *Choice) Check() error {
	switch {
	case c.Flow < 0:
		return fmt.Errorf("flow %d, want 1 or more", c.Flow)
	case c.From < 0 || c.To < 0:
		return fmt.Errorf("time before the first packet: from %v to %v", c.From, c.To)
	case c.To > 0 && c.To <= c.From:
		return fmt.Errorf("from %v to %v: want a later end", c.From, c.To)
	case c.First < 0 || c.Last < 0 || c.Last > 0 && c.Last < c.First:
		return fmt.Errorf("packets %d to %d: want the smaller number first", c.First, c.Last)
	}
	return nil
}

// Cut returns l with the arrows that c chooses: an arrow is in it if it was on
// its way between From and To.
func (l *Ladder) Cut(c Choice) *Ladder {
	if c.From == 0 && c.To == 0 && c.First == 0 && c.Last == 0 {
		return l
	}
	s := *l
	s.Begin = l.begin()
	s.Arrows, s.Samples = nil, nil
	from, to := s.Begin.Add(c.From), s.Begin.Add(c.To)
	inside := func(begin, end time.Time) bool {
		return !end.Before(from) && (c.To == 0 || !begin.After(to))
	}
	for i := range l.Arrows {
		a := &l.Arrows[i]
		if inside(a.Sent, a.end()) && a.Number >= c.First && (c.Last == 0 || a.Number <= c.Last) {
			s.Arrows = append(s.Arrows, *a)
		}
	}
	for _, x := range l.Samples {
		if inside(x.Time, x.Time) && (len(s.Arrows) > 0 && !x.Time.Before(s.Arrows[0].Sent) && !x.Time.After(s.Arrows[len(s.Arrows)-1].end())) {
			s.Samples = append(s.Samples, x)
		}
	}
	if left := len(l.Arrows) - len(s.Arrows); left > 0 {
		s.About = append(s.About[:len(s.About):len(s.About)], fmt.Sprintf("%d of %d packets are shown.", len(s.Arrows), len(l.Arrows)))
	}
	if l.RTT > 0 && (!inside(l.RTTStart, l.RTTStart) || len(s.Arrows) == 0 || s.Arrows[0].Sent.After(l.RTTStart) ||
		s.Arrows[len(s.Arrows)-1].Sent.Before(l.RTTEnd)) {
		s.RTTStart, s.RTTEnd = time.Time{}, time.Time{} // the ruler's place is not shown
	}
	return &s
}

// Read takes the packets of b's conversation from r, capture number file. An
// error of the capture's end comes after all that could be read was taken.
func (b *Builder) Read(r *packets.Reader, file int) error {
	var p packets.Packet
	for {
		if err := r.Read(&p); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		b.Add(&p, r.Interfaces(), file)
	}
}
