package client

import (
	"cmp"

	"wirelab/internal/wire"
)

type roomKey struct{ namespace, room string }

// A room is what the client knows of one room's log. The reader moves seq, the
// dispatcher moves handled behind it. Client.mu guards it.
type room struct {
	key   roomKey
	known bool   // epoch and seq mean something
	epoch uint64 // 0 as long as no CURSOR told it
	seq   uint64 // the newest that arrived, or was explained
	seen  uint64 // bit i: seq-1-i arrived or was explained; only unreliable links look
	head  uint64 // the newest that the client knows of
	again uint64 // events up to here were delivered before
	fresh bool   // no CURSOR came over this link yet

	handled  uint64 // OnEvent returned for everything up to here
	consumed uint64 // the server was told so
	lost     uint64
}

// A verdict is what becomes of an event.
type verdict uint8

const (
	deliver   verdict = iota
	duplicate         // seen before: dropped
	late              // was reported lost, and came after all
)

// event takes an event's place in and says what becomes of it, and how many
// before it are missing unexplained. reorder is set on links that may change
// the order; on the others everything behind seq was seen.
func (r *room) event(seq, prev uint64, reorder bool) (v verdict, gap uint64) {
	switch {
	case seq == 0: // volatile: outside the log
		return deliver, 0
	case !r.known:
		r.place(r.epoch, min(prev, seq-1))
	}
	if seq <= r.seq {
		back := r.seq - seq - 1
		if reorder && seq < r.seq && back < 64 && r.seen&(1<<back) == 0 {
			r.seen |= 1 << back
			return late, 0
		}
		return duplicate, 0
	}
	// Missing are the numbers after r.seq up to prev. Those between prev and
	// seq do not exist: they count as seen, and so does r.seq itself.
	prev = min(max(prev, r.seq), seq-1)
	step := seq - r.seq
	r.seen = r.seen<<step | 1<<(step-1) | (1<<(seq-1-prev) - 1)
	gap, r.seq, r.head = prev-r.seq, seq, max(r.head, seq)
	r.lost += gap
	return deliver, gap
}

// place puts the cursor at seq in the log named by epoch.
func (r *room) place(epoch, seq uint64) {
	r.known = true
	r.epoch, r.seq, r.seen = epoch, seq, ^uint64(0)
	r.handled, r.consumed = seq, seq
}

// move follows a CURSOR from prev to seq. It returns what was lost, and why:
// what the server said, and any hole that it did not explain. resumed says
// that the server continues a session, so that it answers for holes.
func (r *room) move(seq, prev uint64, p *wire.Position, resumed bool) (lost uint64, reason string) {
	first := r.fresh
	r.fresh = false
	epoch := uint64(p.Epoch)
	if epoch != r.epoch {
		r.head = p.Head
	}
	r.head = max(r.head, p.Head, seq)
	if p.Redelivered != 0 {
		r.again = p.Redelivered
	}
	switch {
	case !r.known:
		r.place(epoch, seq)
		r.lost += p.Lost
		return p.Lost, p.Reason
	case r.epoch == 0:
		r.epoch = epoch
	case epoch != r.epoch && r.seq == 0 && p.Recovered != nil && *p.Recovered:
		// The log known here never had an event, so it was not stored.
		r.place(epoch, seq)
		r.again = p.Redelivered
		return 0, ""
	case epoch != r.epoch:
		r.place(epoch, seq)
		r.again = p.Redelivered
		r.lost += p.Lost
		return p.Lost, LostEpoch
	}
	if seq <= r.seq {
		// Behind what is here: the events up to r.seq come again and are
		// dropped, and what the server lost there is not lost here.
		return 0, ""
	}
	hole := seq - r.seq
	switch {
	case p.Lost > 0:
		lost, reason = min(hole, p.Lost), p.Reason
		if prev > r.seq {
			lost = min(hole, p.Lost+prev-r.seq)
		}
	case p.Hidden || p.Recovered != nil && *p.Recovered:
		if prev > r.seq {
			lost, reason = prev-r.seq, LostGap
		}
	case first && !resumed:
		lost, reason = hole, LostLeft
	default:
		lost, reason = hole, cmp.Or(p.Reason, LostGap)
	}
	r.seq, r.seen = seq, ^uint64(0)
	r.lost += lost
	return lost, reason
}
