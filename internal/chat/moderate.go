package chat

import (
	"slices"

	"wirelab/internal/wire"
)

// find returns the sessions of the identity of that name. Hub.mu is held.
func (h *Hub) find(name string) (*identity, *wire.Fault) {
	i := h.names[skeleton(name)]
	if i == nil {
		return nil, &wire.Fault{Code: "no_member", Message: "nobody is called " + quote(name)}
	}
	return i, nil
}

// Kick removes a person from a room, present or away. What was published
// before is still theirs; of what comes after they get nothing. It reports
// whether there was somebody to remove.
func (ns *Namespace) Kick(room, name, reason string) error {
	h := ns.hub
	var post hooks
	defer func() { post.run() }()
	h.mu.Lock()
	defer h.mu.Unlock()
	r := ns.rooms[room]
	if r == nil || !r.public() {
		return &wire.Fault{Code: "no_room", Message: "no room " + quote(room)}
	}
	who, f := h.find(name)
	if f != nil {
		return f
	}
	kicked := false
	for _, s := range who.sessions {
		m := r.members[s.id]
		if m == nil {
			continue
		}
		kicked = true
		h.kick(m, reason, &post)
	}
	if !kicked {
		return &wire.Fault{Code: "no_member", Message: quote(name) + " is not in " + quote(room)}
	}
	return nil
}

// kick ends a membership at this instant. Hub.mu is held.
func (h *Hub) kick(m *Member, reason string, post *hooks) {
	s, r := m.sess, m.room
	// No feed reads while the end is set: after it, none reads beyond it.
	c, cursor := s.conn, uint64(stopped)
	if m.feed != nil {
		cursor = m.feed.stop()
	}
	head, acked := r.log.Head(), m.acked.Load()
	m.ended = true
	m.until.Store(head)
	if acked >= head { // with head 0, too, which as an end would mean none
		h.finish(m, post)
	} else {
		m.drain = true
		r.draining++
		if cursor != stopped {
			m.feed = r.start(m, c, cursor)
		}
	}
	if c != nil {
		c.frame(encode(&wire.Envelope{
			Kind: wire.KindError, Namespace: []byte(r.key.Namespace), Room: []byte(r.name), Seq: head,
			Args: faultBody(&wire.Fault{Code: "removed", Message: "removed from " + quote(r.name) + because(reason)}),
		}))
	}
	h.notify(r, s.id, "member_left", post, s.Name(), "kicked"+because(reason))
	h.vacate(m, "kicked"+because(reason), post)
	if s.keep {
		h.save(s)
	}
}

// Ban ends every session of the person and refuses the name, and names that
// look like it, from now on. What waited for them is gone.
func (h *Hub) Ban(name, reason string) error {
	name, f := cleanName(name)
	if f != nil {
		return f
	}
	reason = clip(reason)
	var post hooks
	var conns []*Conn
	h.mu.Lock()
	for _, key := range [...]string{skeleton(name), lookKey(look(name))} {
		h.bans[key] = reason
		h.queue.Put(tableBans, key, wire.EncodeBody(reason))
	}
	if i := h.holder(name); i != nil {
		for _, s := range slices.Clone(i.sessions) {
			s.over = true
			h.queue.Put(tableSessions, wire.Hex16(s.id), nil)
			if s.conn == nil {
				h.notifyAll(s, "member_left", "banned"+because(reason), &post)
				h.endSession(s, "banned", &post)
				continue
			}
			conns = append(conns, s.conn)
			s.stopFeeds(s.conn)
		}
	}
	h.mu.Unlock()
	post.run()
	for _, c := range conns {
		c.Fault(banFault(name, reason))
		c.Detach("banned" + because(reason))
		c.end()
	}
	return nil
}

// Unban lets the name in again.
func (h *Hub) Unban(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range [...]string{skeleton(name), lookKey(look(name))} {
		delete(h.bans, key)
		h.queue.Put(tableBans, key, nil)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + clip(reason)
}

// mayModerate reports whether the name is one of Config.Operators.
func (h *Hub) mayModerate(name string) bool { return slices.Contains(h.cfg.Operators, name) }
