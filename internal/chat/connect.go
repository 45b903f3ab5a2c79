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

// connect handles KindConnect. Refusals of the name, the key and so on leave
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
		return c.broken(f.Code, f.Message, f.Hint)
	}
	refuse := func(f *wire.Fault) error {
		h.count(f.Code)
		c.fault(f, e.ID)
		return nil
	}
	if len(body.Rooms) > h.cfg.MaxRooms {
		return refuse(&wire.Fault{Code: "too_many_rooms", Message: fmt.Sprintf("%d rooms, at most %d", len(body.Rooms), h.cfg.MaxRooms)})
	}
	ns := h.Namespace(string(e.Namespace))
	if ns == nil {
		return refuse(unknownNamespace(e.Namespace))
	}
	var post hooks
	h.mu.Lock()
	if h.closed || c.off {
		h.mu.Unlock()
		return c.broken("closing", "the server is closing", "")
	}
	s, secret, f := h.admit(c, &body, &post)
	if f != nil {
		h.mu.Unlock()
		return refuse(f)
	}
	c.sess = s
	h.halfOpen--
	c.limit = newLimiter(h.cfg.Rate, h.cfg.Burst)
	c.pinged.Store(time.Now().UnixNano())
	s.spaces[ns.name] = true
	h.save(s)
	h.mu.Unlock()

	// A new secret must be on disk before the client hears of it, and the
	// old connection's goodbye must have gone out. The connection's reader
	// waits for that: nothing may be taken in before.
	if err := c.stored(s); err != nil {
		h.mu.Lock()
		h.detach(c, "store failed", &post)
		h.mu.Unlock()
		post.run()
		return c.broken("store", "the session could not be stored: "+err.Error(), "")
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
	ns := h.Namespace(string(e.Namespace))
	if ns == nil {
		h.count("unknown_namespace")
		c.fault(unknownNamespace(e.Namespace), e.ID)
		return nil
	}
	var body wire.Connect
	if err := wire.DecodeBody(e.Args, &body); err != nil {
		return c.broken("bad_connect", err.Error(), "")
	}
	h.mu.Lock()
	_, there := c.sockets[ns.name]
	c.sess.spaces[ns.name] = true
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

// admit finds or makes the session that a Connect asks for. Hub.mu is held.
func (h *Hub) admit(c *Conn, body *wire.Connect, post *hooks) (*Session, []byte, *wire.Fault) {
	if body.Session == wire.SessionResume {
		return h.resume(c, body, post)
	}
	keep := body.Session == wire.SessionNew
	if !keep && body.Session != wire.SessionNone && body.Session != "" {
		return nil, nil, &wire.Fault{Code: "bad_connect", Message: "session " + quote(body.Session) + ": want none, new or resume"}
	}
	name, f := cleanName(body.Name)
	if f != nil {
		return nil, nil, f
	}
	if f := h.admits(name, c.info); f != nil {
		return nil, nil, f
	}
	if len(h.sessions) >= h.cfg.MaxSessions {
		return nil, nil, &wire.Fault{Code: "too_many_sessions", Message: fmt.Sprintf("%d sessions, at most %d", len(h.sessions), h.cfg.MaxSessions)}
	}
	s := &Session{
		hub: h, id: randomID(), keep: keep, conn: c, since: time.Now(), info: c.info,
		members: make(map[missed.Key]*Member, 2), spaces: make(map[string]bool, 1),
	}
	if f := h.claim(s, name, randomID()); f != nil {
		return nil, nil, f
	}
	h.sessions[s.id] = s
	var secret []byte
	if keep {
		secret = s.newSecret()
		s.hasBefore = false
	}
	return s, secret, nil
}

// resume gives a kept session to a new connection and fences the old one off.
func (h *Hub) resume(c *Conn, body *wire.Connect, post *hooks) (*Session, []byte, *wire.Fault) {
	var id wire.Epoch
	var s *Session
	if id.UnmarshalText([]byte(body.ID)) == nil {
		s = h.sessions[uint64(id)]
	}
	if s == nil || !s.keep {
		return nil, nil, &wire.Fault{Code: "bad_session", Message: "no such session: it ended, expired, or the server was started again without --data",
			Hint: "connect with a new session"}
	}
	secret, ok := wire.DecodeHex(body.Secret, wire.SecretSize)
	if !ok || !s.opens(secret) {
		return nil, nil, &wire.Fault{Code: "bad_secret", Message: "the resume secret is wrong, or was used before", Hint: "connect with a new session"}
	}
	if f := h.admits(s.ident.name, c.info); f != nil {
		return nil, nil, f
	}
	if old := s.conn; old != nil {
		post.then(func() {
			old.Fault(&wire.Fault{Code: "replaced", Message: "the session was resumed on another connection"})
			old.end()
			old.Detach("resumed elsewhere")
		})
		for _, f := range old.feeds {
			f.stop()
		}
	}
	s.conn, s.since, s.info = c, time.Now(), c.info
	return s, s.newSecret(), nil
}

// admits asks the bans and Config.Admit. Hub.mu is held.
func (h *Hub) admits(name string, info Info) *wire.Fault {
	if why, banned := h.bans[skeleton(name)]; banned {
		return banFault(name, why)
	}
	if h.cfg.Admit != nil {
		if err := h.cfg.Admit(name, info); err != nil {
			return &wire.Fault{Code: "not_admitted", Message: err.Error()}
		}
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
			back = append(back, s.members[key])
			if s.members[key].room.public() {
				answer.Rooms = append(answer.Rooms, key.Room)
			}
		}
	}
	c.control(&wire.Envelope{Kind: wire.KindConnected, ID: id, Namespace: []byte(ns.name), Args: wire.EncodeBody(answer)})
	post.add(h.cfg.Hooks.CreateRoom, ns.name, sock.ID())
	post.addWho(h.cfg.Hooks.Join, ns.name, sock.ID(), s.Name())
	for _, m := range back {
		h.comeBack(m, c, claims[m.room.key])
		delete(claims, m.room.key)
	}
	h.enterRoom(ns.addRoom(""), c, wire.RoomCursor{}, post)
	if own := ns.rooms[s.ident.ownRoom()]; own != nil {
		h.enterRoom(own, c, wire.RoomCursor{}, post)
	}
	for _, rc := range ask {
		key := missed.Key{Namespace: rc.Namespace, Room: rc.Room}
		if claim, ok := claims[key]; ok && checkLabel("room", []byte(rc.Room)) == nil && ns.addRoomable(rc.Room) {
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

// addRoomable reports whether a client may make or join a room of that name:
// sockets' and identities' own rooms are not for others.
func (ns *Namespace) addRoomable(name string) bool {
	return name != "" && name[0] != '@' && name[0] != '#'
}

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
// what is gone and what it may see twice.
func (h *Hub) comeBack(m *Member, c *Conn, claim wire.RoomCursor) {
	r, s := m.room, m.sess
	epoch := r.log.Epoch()
	p := wire.Position{Epoch: wire.Epoch(epoch), Head: r.log.Head()}
	recovered := true
	at := m.acked.Load()
	switch {
	case m.epoch != epoch || (claim.Epoch != 0 && uint64(claim.Epoch) != epoch):
		recovered, p.Reason = false, missed.ReasonEpoch.String()
		m.epoch = epoch
		at = r.log.Head()
		m.acked.Store(at)
		m.sent.Store(at)
	case uint64(claim.Epoch) == epoch && claim.Seq > at && claim.Seq <= p.Head:
		// The client handled more than it could acknowledge.
		at = claim.Seq
		m.acked.Store(at)
		raise(&m.sent, at)
	}
	from := at
	if b, err := r.log.Read(at, m.until.Load(), s.id, 1); err == nil && b.Lost > 0 {
		recovered = false
		p.Lost, p.Reason = b.Lost, b.Reason.String()
		s.lost.Add(b.Lost)
		h.stats.lost.Add(b.Lost)
		m.trace.add(traceLost, at, b.Cursor)
		at = b.Cursor
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
		delete(s.members, r.key)
		return
	}
	c.feeds[r.key] = r.start(m, c, at)
}
