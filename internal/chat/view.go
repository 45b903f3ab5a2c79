package chat

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"wirelab/internal/wire"
)

// counters are the hub's totals.
type counters struct {
	published, delivered, volatile, dropped atomic.Uint64
	duplicates, lost, refused               atomic.Uint64
	retransmit, bytesIn, bytesOut           atomic.Uint64
}

// add takes over what a connection that ends has counted.
func (t *counters) add(c *Conn) {
	t.retransmit.Add(c.notes[NoteRetransmit].Load())
	t.bytesIn.Add(c.notes[NoteBytesIn].Load())
	t.bytesOut.Add(c.notes[NoteBytesOut].Load())
}

// Snapshot returns the state of the hub for people to look at. It stops
// joining and leaving for a moment, not publishing or delivering.
func (h *Hub) Snapshot() Snapshot {
	now := time.Now()
	q := h.queue.Stats()
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Snapshot{
		Time: now, Uptime: now.Sub(h.began), HalfOpen: h.halfOpen, Faults: h.faults.all(),
		Totals: Totals{
			Published: h.stats.published.Load(), Delivered: h.stats.delivered.Load(),
			Volatile: h.stats.volatile.Load(), Dropped: h.stats.dropped.Load(),
			Duplicates: h.stats.duplicates.Load(), Lost: h.stats.lost.Load(), Refused: h.stats.refused.Load(),
			Retransmit: h.stats.retransmit.Load(), BytesIn: h.stats.bytesIn.Load(), BytesOut: h.stats.bytesOut.Load(),
			Stored: uint64(q.Events), Held: q.Bytes, Commits: q.Commits,
		},
	}
	for c := range h.conns {
		s.Totals.Retransmit += c.notes[NoteRetransmit].Load()
		s.Totals.BytesIn += c.notes[NoteBytesIn].Load()
		s.Totals.BytesOut += c.notes[NoteBytesOut].Load()
	}
	for _, ns := range h.namespaces {
		for _, r := range ns.rooms {
			if r.name != "" && r.name[0] == '#' {
				continue
			}
			s.Rooms = append(s.Rooms, r.view())
		}
	}
	slices.SortFunc(s.Rooms, func(a, b RoomView) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Room, b.Room))
	})
	for _, sess := range h.sessions {
		s.Members = append(s.Members, sess.view())
	}
	slices.SortFunc(s.Members, func(a, b MemberView) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Session, b.Session))
	})
	return s
}

func (r *Room) view() RoomView {
	v := RoomView{
		Namespace: r.key.Namespace, Room: r.name, Epoch: wire.Hex16(r.log.Epoch()),
		First: r.log.First(), Head: r.log.Head(), Bytes: r.log.Bytes(),
	}
	for _, m := range r.members {
		if m.sess.conn != nil {
			v.Members++
		} else {
			v.Away++
		}
	}
	return v
}

func (s *Session) view() MemberView {
	v := MemberView{
		Name: s.Name(), Transport: s.info.Transport, Mode: s.info.Mode, Remote: s.info.Remote,
		Away: s.conn == nil, Since: s.since,
		Lost: s.lost.Load(), Dropped: s.dropped.Load(), Delivered: s.delivered.Load(), Retransmit: s.retransmit.Load(),
	}
	if s.keep {
		v.Session = wire.Hex16(s.id)
	}
	if c := s.conn; c != nil {
		v.RTT = c.RTT()
		v.Retransmit += c.notes[NoteRetransmit].Load()
		v.BytesIn, v.BytesOut = c.notes[NoteBytesIn].Load(), c.notes[NoteBytesOut].Load()
	}
	for _, m := range s.members {
		key := m.room.key
		if key.Room == "" || key.Room[0] == '#' {
			continue
		}
		head, acked := m.room.log.Head(), m.acked.Load()
		if until := m.until.Load(); until != 0 {
			head = min(head, until)
		}
		v.Cursors = append(v.Cursors, CursorView{
			Namespace: key.Namespace, Room: key.Room, Head: head, Sent: m.sent.Load(), Consumed: acked,
			Waiting: head - min(acked, head),
		})
	}
	return v
}
