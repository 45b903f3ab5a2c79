package chat

import (
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

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

// socket returns the connection's socket in the namespace, or nil. Hub.mu is held.
func (c *Conn) socket(namespace string) *Socket {
	for _, s := range c.sockets {
		if s.ns.name == namespace {
			return s
		}
	}
	return nil
}

// Rooms returns the names of the rooms that the socket is in, sorted, without
// those that are its own.
func (s *Socket) Rooms() []string {
	s.ns.hub.mu.Lock()
	defer s.ns.hub.mu.Unlock()
	rooms := []string{}
	for _, m := range s.conn.sess.members {
		if m.room.ns == s.ns && m.room.public() && !m.ended {
			rooms = append(rooms, m.room.name)
		}
	}
	return rooms
}

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
	s.addSpace(ns.name)
	h.save(s)
	h.mu.Unlock()

	answer := wire.Connected{
		Name: s.Name(), PingMS: c.pingInterval().Milliseconds(), TimeoutMS: h.cfg.PingTimeout.Milliseconds(),
		Resumed: body.Session == wire.SessionResume, Proof: proof,
	}
	if s.keep {
		answer.Session, answer.Secret = wire.Hex16(s.id), hex.EncodeToString(secret)
		c.fresh = true
	}
	h.mu.Lock()
	spaces := slices.Clone(s.spaces)
	h.mu.Unlock()
	if s.keep {
		// A new secret must be on disk before the client hears of it, and so
		// must be the rooms that the session is in.
		c.hold()
	}
	c.enter(ns, e.ID, &answer, body.Rooms, &post)
	for _, other := range spaces {
		if other != ns.name {
			c.enter(h.Namespace(other), 0, &wire.Connected{Name: s.Name(), Resumed: answer.Resumed}, body.Rooms, &post)
		}
	}
	err := c.stored(s)
	post.run()
	if err != nil {
		c.Fault(&wire.Fault{Code: "store", Message: "the session could not be stored: " + err.Error(), RetryMS: 1000})
		c.Detach("the session could not be stored")
	}
	return err
}

// hold keeps everything from the transport until stored has returned.
func (c *Conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

// stored waits until s, with its rooms, is on disk, and lets the client hear of
// it, or of nothing. The connection's reader waits for that: nothing may be
// taken in before.
func (c *Conn) stored(s *Session) error {
	if !s.keep {
		return nil
	}
	done := make(chan error, 1)
	c.hub.queue.After(func(err error) { done <- err })
	err := <-done
	c.mu.Lock()
	if err != nil {
		clear(c.queue)
		c.queue, c.bytes, c.mute = c.queue[:0], 0, true
	}
	c.held = false
	c.rouse()
	return err
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
	there := c.socket(ns.name) != nil
	c.sess.addSpace(ns.name)
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
	if f := h.reserved(name, c.info); f != nil {
		return nil, nil, f
	}
	if len(h.sessions) >= h.cfg.MaxSessions && !h.forgetSome(post) {
		return nil, nil, &wire.Fault{Code: "too_many_sessions", Message: fmt.Sprintf("%d sessions, at most %d", len(h.sessions), h.cfg.MaxSessions)}
	}
	s := &Session{
		hub: h, id: randomID(), keep: body.Session == wire.SessionNew, conn: c, since: time.Now(), info: c.info,
	}
	if f := h.claim(s, name, randomID(), post); f != nil {
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
		s.stopFeeds(old)
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
	if len(h.bans) == 0 {
		return nil
	}
	for _, key := range [...]string{skeleton(name), lookKey(look(name))} {
		if why, banned := h.bans[key]; banned {
			return banFault(name, why)
		}
	}
	return nil
}
