package chat

import (
	"slices"
	"strconv"
	"time"

	"wirelab/internal/wire"
)

// An identity is a public name and the sessions that carry it. It exists as
// long as one of them does, and while it exists nobody else may take a name
// that looks like it. Hub.mu guards it.
type identity struct {
	id       uint64 // names its own room, so that a new nick keeps it
	name     string
	skeleton string
	look     string
	sessions []*Session
	bucket   bucket
}

// ownRoom is the name of the room that direct messages to the identity go to.
func (i *identity) ownRoom() string { return "@" + wire.Hex16(i.id) }

// claim gives s the name, or says why not.
func (h *Hub) claim(s *Session, name string, id uint64, post *hooks) *wire.Fault {
	h.disown(h.holder(name), post)
	if i := h.holder(name); i != nil {
		f := &wire.Fault{Code: "name_taken", Message: "the name " + quote(name) + " is taken",
			Hint: "choose another, or come back with the session that owns it"}
		if i.name != name {
			f.Message = "the name " + quote(name) + " looks like " + quote(i.name) + ", which is taken"
		}
		if h.probe(i) {
			f.Hint += "; if it was yours a moment ago, try again in a few seconds"
			f.RetryMS = (probeTime + 2*time.Second).Milliseconds()
		}
		return f
	}
	i := &identity{id: id, name: name, sessions: []*Session{s}}
	h.enlist(i, name)
	s.ident = i
	s.name.Store(&name)
	return nil
}

// probeTime is how long the holder of a name that somebody else asks for has
// to show that it is still there.
const probeTime = 2 * time.Second

// probe asks the holders of a name whether they are still there, if none of
// them has a session to keep: a datagram member that lost its network cannot
// say goodbye, and its name shall not stay taken until the heartbeat finds out.
func (h *Hub) probe(i *identity) bool {
	now := time.Now().UnixNano()
	for _, s := range i.sessions {
		if s.keep || s.conn == nil {
			return false
		}
		if s.conn.probed.CompareAndSwap(0, now) {
			s.conn.control(&wire.Envelope{Kind: wire.KindPing, ID: uint64(now / 1000)})
		}
	}
	return true
}

// disown ends an identity whose holder has never been heard and is away: the
// answer to its Connect was lost, and it may be who asks for the name now.
func (h *Hub) disown(i *identity, post *hooks) {
	if i == nil {
		return
	}
	for _, s := range i.sessions {
		if s.heard || s.conn != nil {
			return
		}
	}
	for _, s := range slices.Clone(i.sessions) {
		h.endSession(s, "never heard", post)
	}
}

// release takes s out of its identity, and forgets an identity without sessions.
func (h *Hub) release(s *Session) {
	if s.ident == nil {
		return
	}
	i := s.ident
	i.sessions = slices.DeleteFunc(i.sessions, func(other *Session) bool { return other == s })
	if len(i.sessions) == 0 {
		h.strike(s.ident)
	}
}

// holder returns the identity whose name looks like this one, or nil.
func (h *Hub) holder(name string) *identity {
	if i := h.names[skeleton(name)]; i != nil {
		return i
	}
	look := look(name)
	if i := h.names[lookKey(look)]; i != nil {
		return i
	}
	if i := h.names[look]; i != nil && i.look == look {
		return i
	}
	return nil
}

// enlist gives i a name that nobody holds.
func (h *Hub) enlist(i *identity, name string) {
	i.name, i.skeleton, i.look = name, skeleton(name), look(name)
	h.names[i.skeleton] = i
	if i.look != i.skeleton {
		h.names[lookKey(i.look)] = i
	} else {
		i.look = i.skeleton // one string
	}
}

// strike takes i's name away.
func (h *Hub) strike(i *identity) {
	delete(h.names, i.skeleton)
	delete(h.names, lookKey(i.look))
}

// rename gives s's identity another name. Messages sent before keep the old.
func (h *Hub) rename(s *Session, name string) *wire.Fault {
	i := s.ident
	h.strike(i) // it may look like its own
	if other := h.holder(name); other != nil {
		h.enlist(i, i.name)
		why := " is taken"
		if other.name != name {
			why = " looks like " + quote(other.name) + ", which is taken"
		}
		return &wire.Fault{Code: "name_taken", Message: "the name " + quote(name) + why}
	}
	f := h.banned(name)
	if f == nil {
		f = h.reserved(name, s.info)
	}
	if f != nil {
		h.enlist(i, i.name)
		return f
	}
	h.enlist(i, name)
	for _, s := range i.sessions {
		s.name.Store(&name)
		h.save(s)
	}
	return nil
}

func banFault(name, why string) *wire.Fault {
	f := &wire.Fault{Code: "banned", Message: quote(name) + " is banned"}
	if why != "" {
		f.Message += ": " + why
	}
	return f
}

func quote(s string) string { return strconv.Quote(s) }
func itoa(n int) string     { return strconv.Itoa(n) }
