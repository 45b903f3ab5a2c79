package chat

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Session is an identity on one device. It owns the cursors. Every
// connection has one: a client that asked for none gets one that dies with
// the connection. Hub.mu guards the fields, but for the atomic ones.
type Session struct {
	hub   *Hub
	id    uint64
	keep  bool // survives its connection; never changes
	over  bool // yet not this one
	heard bool // the client has shown that it knows the secret
	ident *identity
	name  atomic.Pointer[string] // the identity's, readable without the hub's lock

	// secret is the SHA-256 of what opens the session. After a resume the
	// secret before stays good until the client is heard on the new
	// connection: else a lost Connected would lock the client out for ever.
	secret, before [sha256.Size]byte
	hasBefore      bool

	conn      *Conn         // nil while away
	members   []*Member     // sorted by the room's key
	elsewhere []savedMember // in namespaces that this server does not have now
	spaces    []string      // namespaces to be in after a resume
	since     time.Time     // connected, or away
	info      Info          // of the latest connection
	dirty     atomic.Bool   // a cursor moved since the last save

	lost, delivered, dropped atomic.Uint64
	retransmit               atomic.Uint64
}

// member returns s's membership of the room, or nil. Hub.mu is held.
func (s *Session) member(namespace, room string) *Member {
	for _, m := range s.members {
		if m.room.name == room && m.room.key.Namespace == namespace {
			return m
		}
	}
	return nil
}

// add puts a membership among the others. Hub.mu is held.
func (s *Session) add(m *Member) {
	at, _ := slices.BinarySearchFunc(s.members, m.room.key, func(m *Member, k missed.Key) int { return m.room.key.Compare(k) })
	s.members = slices.Insert(s.members, at, m)
}

// remove takes a membership out, and reports whether it was there. Hub.mu is held.
func (s *Session) remove(m *Member) bool {
	at := slices.Index(s.members, m)
	if at < 0 {
		return false
	}
	// A copy: others may be going through it.
	s.members = slices.Concat(s.members[:at], s.members[at+1:])
	return true
}

// addSpace notes that s is in a namespace. Hub.mu is held.
func (s *Session) addSpace(namespace string) {
	if at, there := slices.BinarySearch(s.spaces, namespace); !there {
		s.spaces = slices.Insert(s.spaces, at, namespace)
	}
}

// stopFeeds ends what c reads for s. Hub.mu is held.
func (s *Session) stopFeeds(c *Conn) {
	for _, m := range s.members {
		if m.feed != nil && m.feed.conn == c {
			m.halt()
		}
	}
}

// Name returns the identity's name.
func (s *Session) Name() string { return *s.name.Load() }

// unheardTTL is how long a session is kept for a client that has never shown
// that it got the secret.
const unheardTTL = time.Minute

// expired reports whether s has been away for too long.
func (s *Session) expired(now time.Time) bool {
	ttl := s.hub.cfg.SessionTTL
	if !s.heard {
		ttl = min(ttl, unheardTTL)
	}
	return s.conn == nil && now.Sub(s.since) >= ttl
}

// newSecret replaces the secret and returns the new one, in the clear.
func (s *Session) newSecret() []byte {
	secret := random(wire.SecretSize)
	s.before, s.hasBefore = s.secret, true
	s.secret = sha256.Sum256(secret)
	return secret
}

// opens reports whether secret opens the session: as the latest one, or as the
// one before. Both comparisons are always made, in constant time.
func (s *Session) opens(secret []byte) (now, former bool) {
	sum := sha256.Sum256(secret)
	a := subtle.ConstantTimeCompare(sum[:], s.secret[:])
	b := subtle.ConstantTimeCompare(sum[:], s.before[:])
	return a == 1, b == 1 && a == 0 && s.hasBefore
}

// confirm ends the old secret's life: the client has the new one.
func (s *Session) confirm() {
	s.heard = true
	if s.hasBefore {
		s.hasBefore = false
		s.before = [sha256.Size]byte{}
		s.hub.save(s)
	}
}

// savedSession is a session's durable record.
type savedSession struct {
	Name     string        `json:"name"`
	Identity uint64        `json:"identity"`
	Secret   []byte        `json:"secret"`
	Before   []byte        `json:"before,omitempty"`
	Away     time.Time     `json:"away"`
	Present  bool          `json:"present,omitempty"` // not away: found so at start, the server did not end in good order
	Spaces   []string      `json:"spaces,omitempty"`
	Info     Info          `json:"info"`
	Members  []savedMember `json:"members"`
}

type savedMember struct {
	Namespace string `json:"ns,omitempty"`
	Room      string `json:"room"`
	Epoch     uint64 `json:"epoch"`
	From      uint64 `json:"from,omitempty"`
	Acked     uint64 `json:"acked"`
	Sent      uint64 `json:"sent,omitempty"`
	Until     uint64 `json:"until,omitempty"`
	Ended     bool   `json:"ended,omitempty"`
}

const (
	tableSessions = "session"
	tableBans     = "ban"
)

// save writes s's record with the queue's next batch.
func (h *Hub) save(s *Session) {
	if !s.keep || s.over {
		return
	}
	r := savedSession{
		Name: s.ident.name, Identity: s.ident.id, Secret: s.secret[:], Away: s.since,
		Present: s.conn != nil, Info: s.info, Spaces: s.spaces,
	}
	if s.hasBefore {
		r.Before = s.before[:]
	}
	for _, m := range s.members {
		k := m.room.key
		if k.Room != "" && k.Room[0] == '#' {
			continue // a socket's own room ends with its connection
		}
		r.Members = append(r.Members, savedMember{
			Namespace: k.Namespace, Room: k.Room, Epoch: m.epoch, From: m.from,
			Acked: m.acked.Load(), Sent: m.sent.Load(), Until: m.until.Load(), Ended: m.ended,
		})
	}
	r.Members = append(r.Members, s.elsewhere...)
	b, err := json.Marshal(r)
	if err != nil {
		panic("chat: a session must be encodable: " + err.Error())
	}
	h.queue.Put(tableSessions, wire.Hex16(s.id), b)
}

// restore reads sessions and bans from the queue.
func (h *Hub) restore() error {
	err := h.queue.Each(tableBans, func(key string, value []byte) error {
		var reason string
		if err := json.Unmarshal(value, &reason); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		h.bans[key] = reason
		return nil
	})
	if err != nil {
		return fmt.Errorf("chat: bans: %w", err)
	}
	now := time.Now()
	stored := make(map[missed.Key]bool)
	for _, key := range h.queue.Keys() {
		stored[key] = true
	}
	err = h.queue.Each(tableSessions, func(key string, value []byte) error {
		var r savedSession
		var id wire.Epoch
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("chat: session %s: %w", key, err)
		}
		if err := id.UnmarshalText([]byte(key)); err != nil {
			return fmt.Errorf("chat: session %q: %w", key, err)
		}
		if now.Sub(r.Away) >= h.cfg.SessionTTL || len(r.Secret) != sha256.Size {
			h.queue.Put(tableSessions, key, nil)
			return nil
		}
		h.restoreSession(uint64(id), &r, now, stored)
		return nil
	})
	if err != nil {
		return fmt.Errorf("chat: sessions: %w", err)
	}
	return nil
}

func (h *Hub) restoreSession(id uint64, r *savedSession, now time.Time, stored map[missed.Key]bool) {
	s := &Session{
		hub: h, id: id, keep: true, heard: true, since: r.Away, info: r.Info,
	}
	if s.since.IsZero() {
		s.since = now
	}
	copy(s.secret[:], r.Secret)
	s.hasBefore = copy(s.before[:], r.Before) == sha256.Size
	if i := h.names[skeleton(r.Name)]; i != nil && i.id == r.Identity {
		i.sessions = append(i.sessions, s)
		s.ident = i
		s.name.Store(&i.name)
	} else if f := h.claim(s, r.Name, r.Identity, &hooks{}); f != nil {
		h.log.Warn("a stored session's name is taken", "name", r.Name, "session", wire.Hex16(id))
		h.queue.Put(tableSessions, wire.Hex16(id), nil)
		return
	}
	for _, ns := range r.Spaces {
		if h.namespaces[ns] != nil {
			s.addSpace(ns)
		}
	}
	h.sessions[id] = s
	renewed := false
	for _, sm := range r.Members {
		switch ns := h.namespaces[sm.Namespace]; {
		case ns == nil:
			s.elsewhere = append(s.elsewhere, sm)
		case !sm.Ended || sm.Acked < sm.Until:
			m := h.restoreMember(ns, s, &sm, stored)
			renewed = renewed || m.epoch != sm.Epoch
			if r.Present && m.epoch == m.room.log.Epoch() {
				raise(&m.sent, m.room.log.Head()) // it may have had everything
			}
		}
	}
	if renewed {
		h.save(s) // at the latest with the first event of the room
	}
}

func (h *Hub) restoreMember(ns *Namespace, s *Session, sm *savedMember, stored map[missed.Key]bool) *Member {
	room := ns.addRoom(sm.Room)
	m := &Member{room: room, sess: s, from: sm.From, ended: sm.Ended, epoch: sm.Epoch}
	m.acked.Store(sm.Acked)
	m.sent.Store(sm.Sent)
	m.until.Store(sm.Until)
	if !stored[room.key] && h.queue.Durable() && sm.Sent == 0 {
		// The room had no event yet, so its log was never stored: the new one
		// is the same to everybody.
		m.epoch = room.log.Epoch()
	}
	s.add(m)
	if m.ended {
		m.drain = true
		room.draining++
	} else {
		room.members[s.id] = m
	}
	return m
}

// endSession forgets s: nothing waits for it any longer and its name is free.
func (h *Hub) endSession(s *Session, reason string, post *hooks) {
	if h.sessions[s.id] != s {
		return
	}
	for _, m := range slices.Clone(s.members) {
		h.leave(m, reason, post)
	}
	delete(h.sessions, s.id)
	h.release(s)
	if s.keep {
		h.queue.Put(tableSessions, wire.Hex16(s.id), nil)
	}
}
