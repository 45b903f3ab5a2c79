package chat

import (
	"fmt"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// enter makes the socket in ns, answers the Connect, and puts the member into
// its rooms: those the session is in, then those it asks for.
func (c *Conn) enter(ns *Namespace, id uint64, answer *wire.Connected, ask []wire.RoomCursor, post *hooks) {
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.off || c.sess.conn != c {
		return
	}
	sock := &Socket{ns: ns, conn: c, id: randomID()}
	c.sockets = append(c.sockets, sock)
	ns.sockets[sock.id] = sock
	answer.Socket = sock.ID()
	s := c.sess
	claims := make(map[missed.Key]wire.RoomCursor, len(ask))
	for _, rc := range ask {
		if rc.Namespace == ns.name {
			claims[missed.Key{Namespace: rc.Namespace, Room: rc.Room}] = rc
		}
	}
	var back []*Member
	for _, m := range s.members {
		if m.room.ns == ns {
			back = append(back, m)
			if m.room.public() && !m.ended {
				answer.Rooms = append(answer.Rooms, m.room.name)
			}
		}
	}
	c.control(&wire.Envelope{Kind: wire.KindConnected, ID: id, Namespace: []byte(ns.name), Args: wire.EncodeBody(answer)})
	post.add(h.cfg.Hooks.CreateRoom, ns.name, sock.ID())
	post.addWho(h.cfg.Hooks.Join, ns.name, sock.ID(), s.Name())
	for _, m := range back {
		h.comeBack(m, c, claims[m.room.key], post)
		delete(claims, m.room.key)
	}
	h.enterRoom(ns.addRoom(""), c, wire.RoomCursor{}, post)
	if own := ns.rooms[s.ident.ownRoom()]; own != nil {
		h.enterRoom(own, c, wire.RoomCursor{}, post)
	}
	for _, rc := range ask {
		key := missed.Key{Namespace: rc.Namespace, Room: rc.Room}
		claim, open := claims[key]
		if !open || checkLabel("room", []byte(rc.Room)) != nil || !roomable(rc.Room) {
			continue
		}
		delete(claims, key)
		switch {
		case answer.Resumed && claim.Epoch == 0:
			// A wish from while it was away. Whoever resumes is put back into
			// what it was in, and asks for more.
		case answer.Resumed:
			h.tellEnded(ns, c, claim)
		case h.countRooms(s) >= h.cfg.MaxRooms:
			c.fault(h.tooManyRooms(rc.Room), []byte(ns.name), 0)
		default:
			room, f := ns.roomFor(rc.Room)
			if f != nil {
				c.fault(f, []byte(ns.name), 0)
				continue
			}
			h.enterRoom(room, c, claim, post)
		}
	}
	if h.cfg.Hooks.Connect != nil {
		post.then(func() { h.cfg.Hooks.Connect(sock) })
	}
	event := "member_joined"
	if answer.Resumed {
		event = "member_back"
	}
	for _, m := range s.members {
		if m.room.ns == ns && m.room.public() && !m.ended {
			h.notify(m.room, s.id, event, post, s.Name(), c.info.Transport, c.info.Mode)
		}
	}
}

// tellEnded tells a client that came back that it is no longer in a room.
func (h *Hub) tellEnded(ns *Namespace, c *Conn, claim wire.RoomCursor) {
	c.control(&wire.Envelope{
		Kind: wire.KindCursor, Namespace: []byte(ns.name), Room: []byte(claim.Room), Seq: claim.Seq, Prev: claim.Seq,
		Args: wire.EncodeBody(wire.Position{Epoch: claim.Epoch, Head: claim.Seq, Reason: "ended"}),
	})
}

// countRooms returns how many rooms s is in by its own wish. Hub.mu is held.
func (h *Hub) countRooms(s *Session) int {
	n := 0
	for _, m := range s.members {
		if m.room.public() && !m.ended {
			n++
		}
	}
	return n
}

func (h *Hub) tooManyRooms(room string) *wire.Fault {
	return &wire.Fault{Code: "too_many_rooms", Message: fmt.Sprintf("not joined to %q: in %d rooms already, at most %d", room, h.cfg.MaxRooms, h.cfg.MaxRooms)}
}

// roomable reports whether a client may make or join a room of that name:
// sockets' and identities' own rooms are not for others.
func roomable(name string) bool { return name != "" && name[0] != '@' && name[0] != '#' }

// enterRoom joins the connection's session to the room and starts its feed.
// The claim is where the client believes to stand: if the room's log is
// another one, the client is told that it missed what it cannot have.
func (h *Hub) enterRoom(r *Room, c *Conn, claim wire.RoomCursor, post *hooks) *Member {
	m, joined := r.join(c.sess, post)
	if !joined && m.feed != nil && m.feed.conn == c {
		return m
	}
	at := m.acked.Load()
	p := wire.Position{Epoch: wire.Epoch(r.log.Epoch()), Head: r.log.Head()}
	from := at
	if claim.Epoch != 0 {
		ok := claim.Epoch == p.Epoch
		p.Recovered = &ok
		if !ok {
			p.Reason = missed.ReasonEpoch.String()
		} else if claim.Seq < at {
			// It was here before, without a session that kept its place.
			from = claim.Seq
			p.Lost, p.Reason, *p.Recovered = at-from, "left", false
		}
	}
	c.frame(h.cursorFrame(r, from, at, &p))
	m.feed = r.start(m, c, at)
	return m
}

// comeBack starts m's feed where the client stopped consuming, and tells it
// what is gone and what it may see twice. Hub.mu is held.
func (h *Hub) comeBack(m *Member, c *Conn, claim wire.RoomCursor, post *hooks) {
	r, s := m.room, m.sess
	epoch := r.log.Epoch()
	p := wire.Position{Epoch: wire.Epoch(epoch), Head: r.log.Head()}
	recovered := true
	if m.epoch != epoch {
		// The log that the member was in is gone. Everything in this one is
		// still to come.
		if uint64(claim.Epoch) != epoch {
			recovered, p.Reason = false, missed.ReasonEpoch.String()
		}
		m.epoch, m.from = epoch, 0
		s.dirty.Store(true)
		m.acked.Store(0)
		m.sent.Store(0)
		if m.ended {
			m.until.Store(0) // it was about the other log
		}
	}
	at := m.acked.Load()
	switch {
	case claim.Epoch == 0:
	case uint64(claim.Epoch) != epoch && claim.Seq > 0:
		// The client does not know of this log yet, and something of the one
		// that it knows may have passed it by.
		recovered, p.Reason = false, missed.ReasonEpoch.String()
	case uint64(claim.Epoch) == epoch && claim.Seq > at && claim.Seq <= p.Head:
		// The client handled more than it could acknowledge.
		at = claim.Seq
		m.acked.Store(at)
		raise(&m.sent, at)
	}
	from := at
	if at+1 < r.log.First() { // else Read may wait for the disk
		if b, err := r.log.Read(at, m.until.Load(), s.id, 1); err == nil && b.Lost > 0 {
			recovered = false
			p.Lost, p.Reason = b.Lost, b.Reason.String()
			s.lost.Add(b.Lost)
			h.stats.lost.Add(b.Lost)
			m.trace.add(traceLost, at, b.Cursor)
			at = b.Cursor
			raise(&m.sent, at) // the client may acknowledge a loss, too
		}
	}
	p.Recovered = &recovered
	if sent := m.sent.Load(); sent > at {
		p.Redelivered = sent
		m.trace.add(traceAgain, at, sent)
	}
	if m.ended {
		p.Reason, p.Head = "ended", m.until.Load() // the end for this member
	}
	c.frame(h.cursorFrame(r, from, at, &p))
	if m.ended && m.acked.Load() >= m.until.Load() {
		h.finish(m, post)
		return
	}
	m.feed = r.start(m, c, at)
}
