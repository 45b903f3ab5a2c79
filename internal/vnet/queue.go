package vnet

import "time"

// A delivery is a packet that leaves a path at an instant.
type delivery struct {
	at       time.Time
	sequence uint64
	path     *path
	packet   *packet
	bit      int  // flipped; −1: none
	swap     bool // two words are exchanged
}

func (d *delivery) before(o *delivery) bool {
	if c := d.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return d.sequence < o.sequence
}

// deliveries are a binary heap, ordered by (time, sequence). (Package
// container/heap would allocate for each.)
type deliveries []delivery

func (q *deliveries) push(d delivery) {
	*q = append(*q, d)
	s := *q
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(&s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

// pop takes the first out. There must be one.
func (q *deliveries) pop() delivery {
	s := *q
	first, last := s[0], len(s)-1
	s[0], s[last] = s[last], delivery{}
	s = s[:last]
	*q = s
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child].before(&s[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
