package check

import (
	"fmt"
	"time"

	"wirelab/labs/check/script"
	"wirelab/packets/ladder"
)

// maxArrows bounds a picture: a longer conversation shows its end.
const maxArrows = 400

// draw returns the picture of a conversation, nil if nothing passed.
func draw(stage *script.Stage, o outcome, faults []Fault) *ladder.Ladder {
	if o.log == nil {
		return nil
	}
	all := o.log.last(maxArrows)
	if len(all) == 0 {
		return nil
	}
	names := map[string]bool{}
	for _, e := range all {
		names[e.Name] = true
	}
	delete(names, "")
	l := &ladder.Ladder{
		Title:     fmt.Sprintf("stage %d, %s", stage.Number, stage.Title),
		Lifelines: []string{"checker", "program"},
		Begin:     o.log.began,
	}
	if o.log.dropped > 0 || len(all) == maxArrows {
		l.About = append(l.About, "the end of a longer conversation")
	}
	if stage.Faults.Trials > 0 && faults != nil {
		l.About = append(l.About, "the smallest faults found: "+FaultText(faults))
	}
	at := func(d time.Duration) time.Time { return o.log.began.Add(d) }
	for i, e := range all {
		a := ladder.Arrow{Number: i + 1, Packets: []int{i + 1}, From: 1, Sent: at(e.At), Bytes: e.Size, LostAt: -1, Label: label(&e, len(names) > 1)}
		if e.Up {
			a.From, a.To = 0, 1
		}
		a.Kind = kindOf(&e)
		switch {
		case !e.Over:
			a.Arrived = a.Sent
		case len(e.Arrived) > 0:
			a.Arrived = at(e.Arrived[0])
		case e.Lost != "":
			a.Lost, a.Why = true, e.Lost
		}
		l.Arrows = append(l.Arrows, a)
		for _, again := range e.Arrived[min(1, len(e.Arrived)):] {
			b := a
			b.Kind, b.Arrived = ladder.Duplicate, at(again)
			l.Arrows = append(l.Arrows, b)
		}
	}
	l.Sort()
	return l
}

func kindOf(e *Exchange) ladder.Kind {
	switch e.Do {
	case "connect":
		return ladder.Handshake
	case "FIN":
		return ladder.Fin
	case "RST":
		return ladder.Rst
	case "":
	default:
		return ladder.Other
	}
	switch {
	case !e.Over:
		return ladder.Data
	case e.Again:
		return ladder.Retransmission
	}
	return ladder.Datagram
}

// label says in a few words what passed.
func label(e *Exchange, named bool) string {
	text := e.Do
	if e.Do == "" {
		text = quoteOf(e.Data, e.Size, 24)
		if plainText(e.Data) && e.Size <= 24 {
			text = string(e.Data)
		}
	}
	if named && e.Name != "" {
		text = e.Name + ": " + text
	}
	return text
}
