package chat

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"wirelab/internal/wire"
)

// The delivery ledger knows, for each message × member, what became of it. It
// does not write a line per pair: a cursor that moves over a range says the
// same for all of it. A member's trace keeps the moves with their instants,
// bounded; what is older than the trace is still told by the cursors, without
// the instant.

// A traceKind is what happened to a range of events.
type traceKind uint8

const (
	traceSent  traceKind = iota // handed to the transport
	traceAcked                  // acknowledged by the client after it handled them
	traceLost                   // trimmed before they could be sent
	traceAgain                  // may be delivered again: the client came back without having acknowledged them
)

// maxTrace caps a member's moves.
const maxTrace = 64

type move struct {
	kind     traceKind
	from, to uint64 // the events after from, up to to
	at       time.Time
}

// A trace is a bounded record of one member's moves.
type trace struct {
	mu     sync.Mutex
	moves  []move
	joined time.Time
	end    string // why the member left
}

// add notes a move. The oldest are forgotten first; the lost ranges stay
// longer, for a report of loss must not go missing.
func (t *trace) add(kind traceKind, from, to uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if n := len(t.moves); n > 0 {
		// Moves that follow each other within 10 ms are one move.
		last := &t.moves[n-1]
		if last.kind == kind && last.to == from && now.Sub(last.at) < 10*time.Millisecond {
			last.to = to
			return
		}
	}
	if len(t.moves) == maxTrace {
		i := slices.IndexFunc(t.moves, func(m move) bool { return m.kind != traceLost })
		t.moves = slices.Delete(t.moves, max(i, 0), max(i, 0)+1)
	}
	t.moves = append(t.moves, move{kind, from, to, now})
}

// find returns the first, or for traceSent the first and the last, move of
// that kind over seq.
func (t *trace) find(kind traceKind, seq uint64) (first, last move, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.moves {
		if m.kind == kind && m.from < seq && seq <= m.to {
			if n == 0 {
				first = m
			}
			last = m
			n++
		}
	}
	return first, last, n
}

// A Story tells what became of one event.
type Story struct {
	Namespace string    `json:"namespace,omitempty"`
	Room      string    `json:"room"`
	Seq       uint64    `json:"seq"`
	ID        string    `json:"id,omitempty"`
	Sender    string    `json:"sender,omitempty"`
	Event     string    `json:"event,omitempty"`
	Stored    time.Time `json:"stored,omitzero"`
	Trimmed   bool      `json:"trimmed,omitempty"` // no longer in the log
	Members   []Fate    `json:"members"`
	More      int       `json:"more,omitempty"` // members that are not listed
}

// A Fate is what became of an event for one member.
type Fate struct {
	Name      string    `json:"name"`
	Transport string    `json:"transport,omitempty"`
	Status    string    `json:"status"`        // waiting, sent, acked, lost, hidden, outside
	Why       string    `json:"why,omitempty"` // in a few words
	Sent      time.Time `json:"sent,omitzero"`
	Acked     time.Time `json:"acked,omitzero"`
	Times     int       `json:"times,omitempty"` // how often it was handed to the transport, where known
}

// Explain tells what became of the event with that sequence number.
func (ns *Namespace) Explain(room string, seq uint64) (*Story, error) {
	return ns.tell(room, seq, math.MaxInt)
}

// tell is Explain for at most so many members: those who left are left out
// first.
func (ns *Namespace) tell(room string, seq uint64, most int) (*Story, error) {
	h := ns.hub
	h.mu.Lock()
	r := ns.rooms[room]
	h.mu.Unlock()
	if r == nil {
		return nil, &wire.Fault{Code: "no_room", Message: "no room " + quote(room)}
	}
	if head := r.log.Head(); seq == 0 || seq > head {
		return nil, &wire.Fault{Code: "no_event", Message: fmt.Sprintf("no event %d in %q: it has 1 to %d", seq, room, head)}
	}
	st := &Story{Namespace: ns.name, Room: room, Seq: seq}
	e, mark, ok := r.log.Event(seq) // may wait for the disk: the hub is not locked
	if ok {
		st.Sender, st.Event, st.Stored = string(e.Sender), string(e.Event), time.UnixMicro(e.Time)
		if e.ID != 0 {
			st.ID = wire.Hex16(e.ID)
		}
	}
	st.Trimmed = !ok
	h.mu.Lock()
	for _, m := range r.members {
		if len(st.Members) == most {
			break
		}
		st.Members = append(st.Members, m.fate(seq, !mark.Allows(m.sess.id)))
	}
	st.More = len(r.members) - len(st.Members)
	for _, m := range r.past {
		until := m.until.Load()
		switch {
		case seq <= m.from, until != 0 && seq > until, ok && m.left.Before(st.Stored):
			// It came later or had gone: it has no part in this story.
		case len(st.Members) == most:
			st.More++
		default:
			st.Members = append(st.Members, m.fate(seq, !mark.Allows(m.sess.id)))
		}
	}
	h.mu.Unlock()
	slices.SortStableFunc(st.Members, func(a, b Fate) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Sent.Compare(b.Sent))
	})
	return st, nil
}

// fate tells one member's part.
func (m *Member) fate(seq uint64, hidden bool) Fate {
	s := m.sess
	f := Fate{Name: s.Name(), Transport: s.info.Transport}
	if s.info.Mode != "" {
		f.Transport += "/" + s.info.Mode
	}
	until := m.until.Load()
	first, last, times := m.trace.find(traceSent, seq)
	lost, _, wasLost := m.trace.find(traceLost, seq)
	acked, _, _ := m.trace.find(traceAcked, seq)
	switch {
	case seq <= m.from:
		f.Status, f.Why = "outside", "joined later"
	case hidden:
		f.Status, f.Why = "hidden", "not addressed to this member"
	case until != 0 && seq > until:
		f.Status, f.Why = "outside", "removed from the room before"
	case wasLost > 0:
		f.Status, f.Why = "lost", "trimmed from the log before it could be sent, told at "+lost.at.Format("15:04:05.000")
	case s.keep && seq <= m.acked.Load():
		f.Status = "acked"
	case seq <= m.sent.Load():
		f.Status = "sent"
		f.Why = "handed to the " + f.Transport + " transport; "
		if s.keep {
			f.Why += "not acknowledged yet"
		} else {
			f.Why += "without a session nobody knows whether it was handled"
		}
	case !m.left.IsZero() && !m.drain:
		f.Status, f.Why = "outside", "left before it could be sent"
		if m.trace.end != "" {
			f.Why += ": " + m.trace.end
		}
	case s.conn == nil:
		f.Status, f.Why = "waiting", "away since "+s.since.Format("15:04:05")
	default:
		f.Status, f.Why = "waiting", fmt.Sprintf("the member reads slowly: %d events before it", seq-m.sent.Load()-1)
	}
	if times > 0 {
		f.Sent = first.at
		f.Times = times
		if times > 1 {
			f.Why = fmt.Sprintf("delivered again at %s, after an absence", last.at.Format("15:04:05.000"))
		}
	}
	f.Acked = acked.at
	return f
}

// find returns the sequence number of the newest event with that message id.
func (r *Room) find(id uint64) (uint64, bool) {
	for seq := r.log.Head(); seq >= r.log.First() && seq > 0; seq-- {
		if e, _, ok := r.log.Event(seq); ok && e.ID == id {
			return seq, true
		}
		if r.log.Head()-seq > maxFind {
			break
		}
	}
	return 0, false
}

// maxFind is how far back a message id is looked for.
const maxFind = 10_000
