package loss

import (
	"strings"

	"wirelab/packets"
)

// Points knows the places of a capture. One of a lab or of `wirelab link` has
// three interfaces for each recorded link: the host's, then "link" (or "link ana"
// if there are several), then the server's.
type Points struct {
	known []point
	links []Ends
}

// Ends names both ends of a link.
type Ends struct{ Near, Far string }

type point struct {
	link int // −1 is none
	at   int // 0 near, 1 the link, 2 far
}

// learn looks at the interfaces as far as they are known by now.
func (q *Points) learn(all []packets.Interface) {
	if len(q.known) == len(all) {
		return
	}
	q.known, q.links = make([]point, len(all)), nil
	for i := range q.known {
		q.known[i].link = -1
	}
	for i := 1; i+1 < len(all); i++ {
		if all[i].Name == "link" || strings.HasPrefix(all[i].Name, "link ") {
			for k := range 3 {
				q.known[i-1+k] = point{len(q.links), k}
			}
			q.links = append(q.links, Ends{all[i-1].Name, all[i+1].Name})
			i += 2
		}
	}
}

// Links returns the ends of the links that are known by now.
func (q *Points) Links() []Ends { return q.links }

// IsLink reports whether interface i is a link and no host.
func (q *Points) IsLink(all []packets.Interface, i int) bool {
	q.learn(all)
	return i >= 0 && i < len(q.known) && q.known[i].link >= 0 && q.known[i].at == 1
}

// Of returns what p is at its interface; NoRole if that is not part of a link.
// The direction of what is seen on the link itself is not always in the capture:
// there dir is −1 then.
func (q *Points) Of(all []packets.Interface, p *packets.Packet) (role Role, link, dir int) {
	q.learn(all)
	if p.Interface >= len(q.known) || q.known[p.Interface].link < 0 {
		return NoRole, 0, 0
	}
	k := q.known[p.Interface]
	switch {
	case k.at == 1:
		dir = -1
		switch p.Direction {
		case packets.Out:
			dir = 0
		case packets.In:
			dir = 1
		}
		return Passed, k.link, dir
	case p.Direction == packets.NoDirection:
		return NoRole, 0, 0
	}
	role, dir = Left, k.at/2
	if p.Direction == packets.In {
		role, dir = Arrived, 1-dir
	}
	return role, k.link, dir
}
