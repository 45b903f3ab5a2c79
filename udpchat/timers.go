package udpchat

import (
	"container/heap"
	"time"
)

// timers is a heap of peers by when they want a turn. A peer that turns out to
// have nothing to do when its time comes just has no turn: so a later instant
// than the one in the heap, and none at all, need not be entered.
type timers struct{ heap peerHeap }

// set makes p's turn come at the instant or before. Zero: never.
func (t *timers) set(p *peer, at time.Time) {
	switch {
	case at.IsZero():
	case p.due.IsZero():
		p.due = at
		heap.Push(&t.heap, p)
	case at.Before(p.due):
		p.due = at
		heap.Fix(&t.heap, p.place)
	}
}

// remove takes p out.
func (t *timers) remove(p *peer) {
	if !p.due.IsZero() {
		heap.Remove(&t.heap, p.place)
	}
}

// pop takes one out whose time has come at now, or returns nil.
func (t *timers) pop(now time.Time) *peer {
	if len(t.heap) == 0 || t.heap[0].due.After(now) {
		return nil
	}
	return heap.Pop(&t.heap).(*peer)
}

// first returns when the next time comes; zero: never.
func (t *timers) first() time.Time {
	if len(t.heap) == 0 {
		return time.Time{}
	}
	return t.heap[0].due
}

type peerHeap []*peer

func (h peerHeap) Len() int           { return len(h) }
func (h peerHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h peerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *peerHeap) Push(x any) {
	p := x.(*peer)
	p.place = len(*h)
	*h = append(*h, p)
}

func (h *peerHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.due = time.Time{}
	return p
}
