package ladder

import (
	"fmt"
	"strings"
	"time"
)

// A Bundle is a run of arrows that the picture counts and does not draw.
type Bundle struct {
	From, To time.Time // when the first and the last of them left
	Packets  []int     // all packets of the capture in it
	Second   []int     // those of the second capture
	First    int       // number of the first and
	Last     int       // of the last packet that left
	Ways     [2]Tally  // of those to the right, and to the left
	Notes    int       // chat messages and the like
	Lost     int
	Resent   int // retransmissions
}

// A Tally counts one direction.
type Tally struct {
	Data      int `json:"data"`  // segments with bytes
	Bytes     int `json:"bytes"` // of payload
	Acks      int `json:"acks"`  // segments without
	Datagrams int `json:"datagrams"`
	Other     int `json:"other"`
}

// add counts a.
func (b *Bundle) add(a *Arrow) {
	if b.From.IsZero() {
		b.From, b.First = a.Sent, a.Number
	}
	b.To, b.Last = a.Sent, a.Number
	b.Packets = append(b.Packets, a.Packets...)
	b.Second = append(b.Second, a.Second...)
	b.Notes += len(a.Notes)
	t := &b.Ways[0]
	if !rightward(a) {
		t = &b.Ways[1]
	}
	t.Bytes += a.Bytes
	switch a.Kind {
	case Data, Retransmission:
		t.Data++
	case Ack:
		t.Acks++
	case Datagram:
		t.Datagrams++
	default:
		t.Other++
	}
	if a.Lost {
		b.Lost++
	}
	if a.Kind == Retransmission {
		b.Resent++
	}
}

// text says what t counted, such as "37 data 52 kB, 31 acks".
func (t *Tally) text() string {
	var parts []string
	if t.Data > 0 {
		parts = append(parts, fmt.Sprintf("%d data %s", t.Data, size(t.Bytes)))
	}
	if t.Datagrams > 0 {
		parts = append(parts, fmt.Sprintf("%d datagrams %s", t.Datagrams, size(t.Bytes)))
	}
	if t.Acks > 0 {
		parts = append(parts, count(t.Acks, "ack"))
	}
	if t.Other > 0 {
		parts = append(parts, fmt.Sprintf("%d other", t.Other))
	}
	return strings.Join(parts, ", ")
}

// trouble says what was lost and sent again in b, or nothing.
func (b *Bundle) trouble() string {
	var parts []string
	if b.Lost > 0 {
		parts = append(parts, fmt.Sprintf("%s %d lost", lostSign, b.Lost))
	}
	if b.Resent > 0 {
		parts = append(parts, fmt.Sprintf("%s %d sent again", Retransmission.Sign(), b.Resent))
	}
	return strings.Join(parts, ", ")
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// size returns n bytes in words of at most three digits and a unit.
func size(n int) string {
	switch {
	case n < 1e4:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// Summarise returns l if its picture in a terminal has at most rows lines of
// arrows, else a ladder in which runs of like arrows are bundles. Losses,
// retransmissions, handshake and end stay arrows with as many of their
// neighbours as there is room for. Where even they are too many, neighbouring
// troubles become bundles too, which count them: l has always all of its packets,
// each in one arrow or in one bundle.
func (l *Ladder) Summarise(rows int) *Ladder {
	if len(l.rows()) <= rows {
		return l
	}
	keep := make([]bool, len(l.Arrows))
	// Neighbours on both sides of what matters, fewer and fewer.
	for _, around := range [...]int{8, 5, 3, 2, 1, 0} {
		for i := range keep {
			keep[i] = false
		}
		for i := range l.Arrows {
			if !l.Arrows[i].plain() || i == 0 || i == len(l.Arrows)-1 {
				for j := max(0, i-around); j <= min(len(keep)-1, i+around); j++ {
					keep[j] = true
				}
			}
		}
		if s := l.bundled(keep); len(s.rows()) <= rows {
			return l.opened(keep, rows)
		}
	}
	// The gaps between troubles that are shortest go first. What remains of
	// handshake and end stays to the last.
	s := l.bundled(keep)
	for join := 2; len(s.rows()) > rows && join < 2*len(keep)+2; join *= 2 {
		l.join(keep, join)
		s = l.bundled(keep)
	}
	return s
}

// opened returns l with what is not kept in bundles, but the smallest of them
// drawn as long as there is room.
func (l *Ladder) opened(keep []bool, rows int) *Ladder {
	s := l.bundled(keep)
	for most := 2; most <= rows; most++ {
		for i := 0; i < len(keep); i++ {
			if keep[i] {
				continue
			}
			end := i
			for end < len(keep) && !keep[end] {
				end++
			}
			if end-i == most && len(s.rows())+2*most <= rows+1 {
				for j := i; j < end; j++ {
					keep[j] = true
				}
				if t := l.bundled(keep); len(t.rows()) <= rows {
					s = t
				} else {
					for j := i; j < end; j++ {
						keep[j] = false
					}
				}
			}
			i = end
		}
	}
	return s
}

// join turns the troubles in windows of so many arrows into one bundle each;
// one that stands alone in its window stays. Handshakes, the first arrows and
// the end are no troubles.
func (l *Ladder) join(keep []bool, window int) {
	for at := 0; at < len(keep); at += window {
		end := min(at+window, len(keep))
		n := 0
		for i := at; i < end; i++ {
			if keep[i] && l.trouble(i) {
				n++
			}
		}
		if n < 2 {
			continue
		}
		for i := at; i < end; i++ {
			if l.trouble(i) {
				keep[i] = false
			}
		}
	}
}

// trouble reports whether arrow i may be counted among others if there is no
// room: it is neither at the begin nor at the end.
func (l *Ladder) trouble(i int) bool {
	switch l.Arrows[i].Kind {
	case Handshake, Fin, Rst:
		return i >= 64 && i < len(l.Arrows)-64
	}
	return i > 0 && i < len(l.Arrows)-1
}

// bundled returns l with what is not kept in bundles.
func (l *Ladder) bundled(keep []bool) *Ladder {
	s := *l
	s.Begin = l.begin()
	s.Arrows, s.Bundles = nil, append([]Bundle(nil), l.Bundles...)
	for i := 0; i < len(keep); {
		if keep[i] {
			s.Arrows = append(s.Arrows, l.Arrows[i])
			i++
			continue
		}
		end := i
		for end < len(keep) && !keep[end] {
			end++
		}
		if end-i < 2 { // a bundle would take as much room
			s.Arrows = append(s.Arrows, l.Arrows[i:end]...)
		} else {
			var b Bundle
			for j := i; j < end; j++ {
				b.add(&l.Arrows[j])
			}
			s.Bundles = append(s.Bundles, b)
		}
		i = end
	}
	return &s
}
