package chat_test

import (
	"slices"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// ownRoom is a room with that member alone in it: its socket's.
func (m *member) ownRoom(w *world) string {
	if m.away {
		return ""
	}
	return m.socket[""]
}

// read pulls once, takes some of the frames, and perhaps the rest is lost.
func (m *member) read(w *world) {
	m.link.woken.Store(false)
	bufs, some := m.conn.Next(nil, 1+w.rand.IntN(2000))
	if !some {
		return
	}
	if w.rand.IntN(8) > 0 {
		m.swallow(w, bufs, -1)
		return
	}
	n := w.rand.IntN(5)
	m.swallow(w, bufs, n)
	m.drop()
	m.away = true
	w.note("%s breaks after %d frames", m.name, n)
}

// swallow takes at most n frames, or all if n is negative, and checks each.
func (m *member) swallow(w *world, bufs [][]byte, n int) {
	for _, b := range bufs {
		for len(b) > 0 && n != 0 {
			envelope, rest, err := wire.SplitFrame(b)
			if err != nil || envelope == nil {
				w.fail("%s: no whole frames", m.name)
			}
			e, err := wire.Decode(envelope)
			if err != nil {
				w.fail("%s: %v", m.name, err)
			}
			m.check(w, &e)
			m.receive(&e)
			b = rest
			n--
		}
	}
}

// check compares a frame with the log.
func (m *member) check(w *world, e *wire.Envelope) {
	room := string(e.Room)
	if !slices.Contains(raceRooms, room) {
		return
	}
	log := w.logs[missed.Key{Room: room}]
	switch e.Kind {
	case wire.KindAck:
		em := m.pending[e.ID]
		if em == nil {
			// It was sent twice on one connection.
			_, out := m.out[room]
			if before, ok := m.done[e.ID]; !ok || before != e.Seq && !(out && e.Seq == 0) {
				w.fail("%s: %d was answered with %d before, and now with %d", m.name, e.ID, before, e.Seq)
			}
			return
		}
		delete(m.pending, e.ID)
		m.done[e.ID] = e.Seq
		if e.Flags&wire.FlagFailed != 0 {
			if _, out := m.out[room]; !out {
				w.fail("%s in %s: emit refused: %s", m.name, room, e.Args)
			}
		} else if s := log[e.Seq]; s == nil || s.text != em.text {
			w.fail("%s in %s: acknowledged as %d, which is %+v, not %q", m.name, room, e.Seq, s, em.text)
		}
	case wire.KindEvent:
		if e.Seq == 0 {
			return
		}
		s := log[e.Seq]
		if s == nil || s.text != string(e.Args[2:len(e.Args)-2]) {
			w.fail("%s in %s: event %d is %s, in the log it is %+v", m.name, room, e.Seq, e.Args, s)
		}
		if slices.Contains(s.hidden, m.name) {
			w.fail("%s in %s: event %d was hidden from it", m.name, room, e.Seq)
		}
		if end, out := m.out[room]; out && e.Seq > end {
			w.fail("%s in %s: event %d, though it was removed at %d", m.name, room, e.Seq, end)
		}
	case wire.KindCursor:
		var p wire.Position
		m.decode(e, &p)
		if e.Seq > p.Head {
			w.fail("%s in %s: cursor at %d, head %d", m.name, room, e.Seq, p.Head)
		}
		visible := uint64(0)
		for seq := e.Prev + 1; seq <= e.Seq; seq++ {
			if s := log[seq]; s == nil || !slices.Contains(s.hidden, m.name) {
				visible++
			}
		}
		// Which of the trimmed events were not for it, a restart forgets.
		if p.Lost != visible && !(w.restarts > 0 && p.Lost > visible && p.Lost <= e.Seq-e.Prev) {
			w.fail("%s in %s: cursor from %d to %d says %d lost (%s), the log has %d for it there", m.name, room, e.Prev, e.Seq, p.Lost, p.Reason, visible)
		}
		if l := w.queue.Lookup(missed.Key{Room: room}); p.Lost > 0 && l.First() <= e.Seq {
			w.fail("%s in %s: %d to %d reported as lost, but the log begins at %d", m.name, room, e.Prev+1, e.Seq, l.First())
		}
		if p.Reason == "epoch" {
			w.fail("%s in %s: another epoch", m.name, room)
		}
	}
}

// emitSafely publishes with an acknowledgement; what has none is sent again.
func (m *member) emitSafely(w *world, room string) {
	em := &emitted{room: room, text: w.text()}
	id := uint64(0)
	if len(m.pending) > 0 && w.rand.IntN(2) == 0 {
		var ids []uint64
		for id := range m.pending {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		id = ids[w.rand.IntN(len(ids))]
		em = m.pending[id]
		em.flags |= wire.FlagRetry
	} else {
		m.id++
		id = m.id
		m.pending[id] = em
		if w.rand.IntN(3) == 0 {
			em.flags |= wire.FlagBroadcast
		}
	}
	m.put(&wire.Envelope{Kind: wire.KindEvent, Flags: em.flags | wire.FlagAck, ID: id, Room: []byte(em.room), Event: []byte("chat"), Args: encodeArgs([]any{em.text})})
	m.conn.Flush()
	w.watch()
	w.note("%s publishes %q in %s, head %d", m.name, em.text, em.room, w.watcher.place(em.room).seq)
}

// comeBack resumes: after an absence or out of a live connection, with what it
// handled or without, and perhaps the answer is lost.
func (m *member) comeBack(w *world) {
	if !m.away && w.rand.IntN(3) > 0 {
		return
	}
	m.link = newLink(m.info)
	conn, err := w.hub.Attach(m.link, nil)
	if err != nil {
		w.fail("Attach: %v", err)
	}
	m.conn, m.broken, m.away, m.hub = conn, nil, false, w.hub
	body := m.resumption()
	if w.rand.IntN(3) == 0 {
		body.Rooms = nil
	}
	m.put(&wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(body)})
	if w.rand.IntN(4) == 0 {
		m.drop()
		m.away = true
		w.note("%s resumes, and the answer is lost", m.name)
		return
	}
	bufs, _ := conn.Next(nil, 1+w.rand.IntN(1000))
	m.swallow(w, bufs, -1)
	if m.socket[""] == "" {
		w.fail("%s: not resumed", m.name)
	}
	w.note("%s resumes with %d claims", m.name, len(body.Rooms))
	if w.rand.IntN(3) > 0 {
		m.put(&wire.Envelope{Kind: wire.KindPong}) // it has the secret
		m.conn.Flush()
	}
}

func (m *member) kicked(w *world, room string) {
	if _, out := m.out[room]; out {
		return
	}
	if err := w.hub.Namespace("").Kick(room, m.name, ""); err != nil {
		w.fail("Kick: %v", err)
	}
	m.out[room] = w.watcher.place(room).seq
	w.note("%s is kicked from %s at %d", m.name, room, m.out[room])
}

func (m *member) joinAgain(w *world, room string) {
	m.link.woken.Store(true)
	for m.link.woken.Swap(false) {
		for bufs, some := m.conn.Next(nil, 1000); some; bufs, some = m.conn.Next(nil, 1000) {
			m.swallow(w, bufs, -1)
		}
	}
	m.owed(w, room)
	delete(m.rooms, missed.Key{Room: room})
	delete(m.out, room)
	m.begun[room] = w.watcher.place(room).seq
	m.id++
	m.put(&wire.Envelope{Kind: wire.KindEvent, ID: m.id, Event: []byte("join"), Args: encodeArgs([]any{room})})
	m.conn.Flush()
	w.note("%s joins %s again at %d", m.name, room, m.begun[room])
}

// owed fails unless everything between the member's first and last event in
// the room was given to it, or reported.
func (m *member) owed(w *world, room string) {
	p := m.place(room)
	end, out := m.out[room]
	if !out {
		end = w.watcher.place(room).seq
	}
	if len(p.faults) > 0 {
		w.fail("%s in %s: %s", m.name, room, p.faults[0])
	}
	if p.seq != end && !(out && p.epoch == 0) {
		w.fail("%s in %s stands at %d, want %d (lost %d)", m.name, room, p.seq, end, p.lost)
	}
	if p.unmarked > 0 {
		w.fail("%s in %s: %d duplicates were not marked as redelivered", m.name, room, p.unmarked)
	}
	if !slices.IsSorted(p.seqs) {
		w.fail("%s in %s: out of order: %v", m.name, room, p.seqs)
	}
	if n := slices.Compact(slices.Clone(p.seqs)); len(n) != len(p.seqs) {
		w.fail("%s in %s: twice: %v", m.name, room, p.seqs)
	}
}
