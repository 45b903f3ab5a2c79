package chat

import (
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Socket is one live connection in one namespace. Its id is random and ends
// with it.
type Socket struct {
	ns   *Namespace
	conn *Conn
	id   uint64
}

// ID returns the socket's id, which is also the name of its own room.
func (s *Socket) ID() string { return "#" + wire.Hex16(s.id) }

// Name returns the identity's name.
func (s *Socket) Name() string { return s.conn.sess.Name() }

// Namespace returns where the socket is.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Info describes the connection.
func (s *Socket) Info() Info { return s.conn.info }

// maxTries is how many refused Connects one connection may send.
const maxTries = 10

// connect handles KindConnect. Refusals of the name, the room and so on leave
// the connection open: the client may try again until the connect timeout.
func (c *Conn) connect(e *wire.Envelope) error {
	h := c.hub
	if c.sess != nil {
		return c.connectSpace(e)
	}
	var body wire.Connect
	if err := wire.DecodeBody(e.Args, &body); err != nil {
		return c.broken("bad_connect", err.Error(), "")
	}
	proof, f := c.prove(&body)
	if f != nil {
		// A wrong key is not to be tried often: one try a connection.
		return c.Fault(f)
	}
	refuse := func(f *wire.Fault) error {
		if c.tries++; c.tries >= maxTries {
			return c.Fault(f)
		}
		h.faults.add(f.Code)
		c.fault(f, e.Namespace, e.ID)
		return nil
	}
	if len(body.Rooms) > h.cfg.MaxRooms {
		return refuse(&wire.Fault{Code: "too_many_rooms", Message: fmt.Sprintf("%d rooms, at most %d", len(body.Rooms), h.cfg.MaxRooms)})
	}
	ns := h.Namespace(string(e.Namespace))
	if ns == nil {
		return refuse(unknownNamespace(e.Namespace))
	}
	name, f := h.applicant(&body)
	if f == nil {
		f = h.admits(name, c.info)
	}
	if f != nil {
		return refuse(f)
	}
	var post hooks
	h.mu.Lock()
	if h.closed || c.off {
		h.mu.Unlock()
		return c.broken("closing", "the server is closing", "")
	}
	s, secret, f := h.admit(c, &body, name, &post)
	if f != nil {
		h.mu.Unlock()
		return refuse(f)
	}
	c.sess = s
	h.halfOpen--
	c.pinged.Store(time.Now().UnixNano())
	s.spaces[ns.name] = true
	h.save(s)
	h.mu.Unlock()

	// A new secret must be on disk before the client hears of it. The
	// connection's reader waits for that: nothing may be taken in before.
	if err := c.stored(s); err != nil {
		post.run()
		c.Detach("the session could not be stored")
		return c.Fault(&wire.Fault{Code: "store", Message: "the session could not be stored: " + err.Error(), RetryMS: 1000})
	}
	answer := wire.Connected{
		Name: s.Name(), PingMS: c.pingInterval().Milliseconds(), TimeoutMS: h.cfg.PingTimeout.Milliseconds(),
		Resumed: body.Session == wire.SessionResume, Proof: proof,
	}
	if s.keep {
		answer.Session, answer.Secret = wire.Hex16(s.id), hex.EncodeToString(secret)
		c.fresh = true
	}
	h.mu.Lock()
	spaces := sortedKeys(s.spaces)
	h.mu.Unlock()
	c.enter(ns, e.ID, &answer, body.Rooms, &post)
	for _, other := range spaces {
		if other != ns.name {
			c.enter(h.Namespace(other), 0, &wire.Connected{Name: s.Name(), Resumed: answer.Resumed}, body.Rooms, &post)
		}
	}
	post.run()
	return nil
}

// stored waits until s is on disk. A session that is not kept has no need to.
func (c *Conn) stored(s *Session) error {
	if !s.keep {
		return nil
	}
	done := make(chan error, 1)
	c.hub.queue.After(func(err error) { done <- err })
	return <-done
}

// connectSpace is a Connect for a further namespace.
func (c *Conn) connectSpace(e *wire.Envelope) error {
	h := c.hub
	refuse := func(f *wire.Fault) error {
		h.faults.add(f.Code)
		c.fault(f, e.Namespace, e.ID)
		return nil
	}
	if f := c.limited(); f != nil {
		return refuse(f)
	}
	ns := h.Namespace(string(e.Namespace))
	if ns == nil {
		return refuse(unknownNamespace(e.Namespace))
	}
	var body wire.Connect
	if err := wire.DecodeBody(e.Args, &body); err != nil {
		return c.broken("bad_connect", err.Error(), "")
	}
	h.mu.Lock()
	_, there := c.sockets[ns.name]
	c.sess.spaces[ns.name] = true
	c.sess.dirty.Store(true)
	h.mu.Unlock()
	if there {
		return c.broken("double_connect", "already connected to namespace "+quote(ns.name), "")
	}
	var post hooks
	c.enter(ns, e.ID, &wire.Connected{Name: c.sess.Name()}, body.Rooms, &post)
	post.run()
	return nil
}

func unknownNamespace(name []byte) *wire.Fault {
	return &wire.Fault{Code: "unknown_namespace", Message: "no namespace " + quote(string(name))}
}

// prove checks the client's proof of the join key and returns the server's own.
func (c *Conn) prove(body *wire.Connect) (string, *wire.Fault) {
	key := c.hub.cfg.Key
	if len(key) == 0 {
		return "", nil
	}
	nonce, ok := wire.DecodeHex(body.Nonce, wire.NonceSize)
	if !ok {
		return "", &wire.Fault{Code: "bad_key", Message: "this server wants a join key, and the proof has no nonce", Hint: "give the key with --key"}
	}
	proof, _ := hex.DecodeString(body.Proof)
	if !hmac.Equal(proof, wire.Prove(key, wire.ProveClient, c.nonce, nonce)) {
		return "", &wire.Fault{Code: "bad_key", Message: "the join key is wrong", Hint: "ask whoever runs the server for the key, and give it with --key"}
	}
	c.macKey = wire.Prove(key, wire.ProveMAC, c.nonce, nonce)
	return hex.EncodeToString(wire.Prove(key, wire.ProveServer, nonce, c.nonce)), nil
}

// applicant returns the name that a Connect wants to come in under.
func (h *Hub) applicant(body *wire.Connect) (string, *wire.Fault) {
	switch body.Session {
	case wire.SessionNone, wire.SessionNew, "":
		return cleanName(body.Name)
	case wire.SessionResume:
		h.mu.Lock()
		defer h.mu.Unlock()
		s, _, f := h.unlock(body)
		if f != nil {
			return "", f
		}
		return s.ident.name, nil
	}
	return "", &wire.Fault{Code: "bad_connect", Message: "session " + quote(body.Session) + ": want none, new or resume"}
}

// unlock returns the session that a Connect's secret opens, and whether that
// is the secret before the latest. Hub.mu is held.
func (h *Hub) unlock(body *wire.Connect) (s *Session, former bool, f *wire.Fault) {
	var id wire.Epoch
	if id.UnmarshalText([]byte(body.ID)) == nil {
		s = h.sessions[uint64(id)]
	}
	if s == nil || !s.keep || s.over {
		return nil, false, &wire.Fault{Code: "bad_session", Message: "no such session: it ended, expired, or the server was started again without --data",
			Hint: "connect with a new session"}
	}
	secret, ok := wire.DecodeHex(body.Secret, wire.SecretSize)
	now, former := s.opens(secret)
	if !ok || !now && !former {
		return nil, false, &wire.Fault{Code: "bad_secret", Message: "the resume secret is wrong, or was used before", Hint: "connect with a new session"}
	}
	return s, former, nil
}

// admit finds or makes the session that a Connect asks for. Hub.mu is held.
func (h *Hub) admit(c *Conn, body *wire.Connect, name string, post *hooks) (*Session, []byte, *wire.Fault) {
	if body.Session == wire.SessionResume {
		return h.resume(c, body, name, post)
	}
	if f := h.banned(name); f != nil {
		return nil, nil, f
	}
	if len(h.sessions) >= h.cfg.MaxSessions {
		return nil, nil, &wire.Fault{Code: "too_many_sessions", Message: fmt.Sprintf("%d sessions, at most %d", len(h.sessions), h.cfg.MaxSessions)}
	}
	s := &Session{
		hub: h, id: randomID(), keep: body.Session == wire.SessionNew, conn: c, since: time.Now(), info: c.info,
		members: make(map[missed.Key]*Member, 2), spaces: make(map[string]bool, 1),
	}
	if f := h.claim(s, name, randomID()); f != nil {
		return nil, nil, f
	}
	h.sessions[s.id] = s
	var secret []byte
	if s.keep {
		secret = s.newSecret()
		s.hasBefore = false
	}
	return s, secret, nil
}

// resume gives a kept session to a new connection and fences the old one off.
func (h *Hub) resume(c *Conn, body *wire.Connect, name string, post *hooks) (*Session, []byte, *wire.Fault) {
	s, former, f := h.unlock(body)
	if f != nil {
		return nil, nil, f
	}
	if s.ident.name != name {
		return nil, nil, &wire.Fault{Code: "busy", Message: "the session has just got another name", RetryMS: 100}
	}
	if f := h.banned(name); f != nil {
		return nil, nil, f
	}
	if former {
		// The client never heard of the latest one: it goes on from this.
		s.secret = s.before
	}
	if old := s.conn; old != nil {
		for _, f := range old.feeds {
			f.stop()
		}
		old.Fault(&wire.Fault{Code: "replaced", Message: "the session was resumed on another connection"})
		post.then(func() {
			old.end()
			old.Detach("resumed elsewhere")
		})
	}
	s.conn, s.since, s.info = c, time.Now(), c.info
	return s, s.newSecret(), nil
}

// admits asks the bans and Config.Admit, which may take its time: no lock is
// held.
func (h *Hub) admits(name string, info Info) *wire.Fault {
	h.mu.Lock()
	f := h.banned(name)
	h.mu.Unlock()
	if f != nil || h.cfg.Admit == nil {
		return f
	}
	if err := h.cfg.Admit(name, info); err != nil {
		return &wire.Fault{Code: "not_admitted", Message: err.Error()}
	}
	return nil
}

// banned asks the bans. Hub.mu is held.
func (h *Hub) banned(name string) *wire.Fault {
	if why, banned := h.bans[skeleton(name)]; banned {
		return banFault(name, why)
	}
	return nil
}

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
	if c.sockets == nil {
		c.sockets = make(map[string]*Socket, 1)
	}
	if c.feeds == nil {
		c.feeds = make(map[missed.Key]*feed, 2)
	}
	c.sockets[ns.name] = sock
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
	for _, key := range sortedMembers(s) {
		if key.Namespace == ns.name {
			m := s.members[key]
			back = append(back, m)
			if m.room.public() && !m.ended {
				answer.Rooms = append(answer.Rooms, key.Room)
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
			h.enterRoom(ns.addRoom(rc.Room), c, claim, post)
		}
	}
	if h.cfg.Hooks.Connect != nil {
		post.then(func() { h.cfg.Hooks.Connect(sock) })
	}
	event := "member_joined"
	if answer.Resumed {
		event = "member_back"
	}
	for _, key := range sortedMembers(s) {
		if m := s.members[key]; key.Namespace == ns.name && m.room.public() {
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
	if !joined && c.feeds[r.key] != nil {
		return m
	}
	at := m.acked.Load()
	p := wire.Position{Epoch: wire.Epoch(r.log.Epoch()), Head: r.log.Head()}
	if claim.Epoch != 0 {
		ok := claim.Epoch == p.Epoch
		p.Recovered = &ok
		if !ok {
			p.Reason = missed.ReasonEpoch.String()
		} else if claim.Seq < at {
			// It was here before, without a session that kept its place.
			p.Lost, p.Reason, *p.Recovered = at-claim.Seq, "left", false
		}
	}
	c.frame(h.cursorFrame(r, at, at, &p))
	if f := c.feeds[r.key]; f != nil {
		f.stop()
	}
	c.feeds[r.key] = r.start(m, c, at)
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
		}
	}
	p.Recovered = &recovered
	if sent := m.sent.Load(); sent > at {
		p.Redelivered = sent
		m.trace.add(traceAgain, at, sent)
	}
	if m.ended {
		p.Reason = "ended"
	}
	c.frame(h.cursorFrame(r, from, at, &p))
	if m.ended && at >= m.until.Load() {
		h.finish(m, post)
		return
	}
	c.feeds[r.key] = r.start(m, c, at)
}
