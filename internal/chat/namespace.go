package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Namespace is a separate world over the same connections: it has its own
// sockets, rooms and handlers.
type Namespace struct {
	hub  *Hub
	name string

	rooms   map[string]*Room   // Hub.mu; "" is everybody in the namespace
	sockets map[uint64]*Socket // by socket id; Hub.mu

	handlerMu sync.RWMutex
	handlers  map[string]Handler
}

// A Handler answers an event that a client emitted to the server. What it
// returns goes back in the acknowledgement, if one was asked for; a
// [*wire.Fault] as the error reaches the client as it is.
type Handler func(c *Call) (result any, err error)

// A Call is an event that a client emitted to the server.
type Call struct {
	Socket *Socket
	Event  string
	Args   []json.RawMessage

	id      uint64 // the emit's message id
	wants   bool   // an acknowledgement
	durable bool   // the answer waits until what the handler did is stored
}

func newNamespace(h *Hub, name string) *Namespace {
	ns := &Namespace{
		hub: h, name: name,
		rooms: make(map[string]*Room), sockets: make(map[uint64]*Socket),
		handlers: make(map[string]Handler),
	}
	ns.handleRequests()
	return ns
}

// Name returns the namespace's name; the default one's is "".
func (ns *Namespace) Name() string { return ns.name }

// On makes fn answer the event. The latest fn for an event counts. Reserved
// names are refused.
func (ns *Namespace) On(event string, fn Handler) error {
	if reserved(event) {
		return &wire.Fault{Code: "reserved_event", Message: "event name " + quote(event) + " is reserved"}
	}
	ns.handlerMu.Lock()
	defer ns.handlerMu.Unlock()
	ns.handlers[event] = fn
	return nil
}

func (ns *Namespace) handler(event []byte) Handler {
	ns.handlerMu.RLock()
	defer ns.handlerMu.RUnlock()
	return ns.handlers[string(event)]
}

// addRoom returns the room, made if need be. Hub.mu is held, or the hub is
// not in use yet.
func (ns *Namespace) addRoom(name string) *Room {
	if r := ns.rooms[name]; r != nil {
		return r
	}
	key := missed.Key{Namespace: ns.name, Room: name}
	r := &Room{ns: ns, name: name, key: key, log: ns.hub.queue.Log(key), members: make(map[uint64]*Member)}
	r.log.SetOwner(r)
	ns.rooms[name] = r
	if r.public() {
		ns.hub.publicRooms++
	}
	return r
}

// roomFor returns the room that a client asks for, made if need be and there
// are not too many. Hub.mu is held.
func (ns *Namespace) roomFor(name string) (*Room, *wire.Fault) {
	if h := ns.hub; ns.rooms[name] == nil && h.publicRooms >= h.cfg.MaxAllRooms {
		return nil, &wire.Fault{Code: "too_many_rooms", Message: fmt.Sprintf("no room %q is made: the server has %d rooms, at most %d", name, h.publicRooms, h.cfg.MaxAllRooms),
			Hint: "join one that there is"}
	}
	return ns.addRoom(name), nil
}

// dropOrphans forgets stored rooms that nobody is in any longer. Those of
// namespaces that this server does not have now are left alone.
func (h *Hub) dropOrphans() {
	for _, key := range h.queue.Keys() {
		ns := h.namespaces[key.Namespace]
		if ns != nil && ns.rooms[key.Room] == nil {
			h.queue.Drop(key)
		}
	}
}

// Rooms returns the names of the namespace's rooms, sorted, without the
// sockets' and identities' own.
func (ns *Namespace) Rooms() []string {
	var names []string
	ns.hub.mu.Lock()
	for name, r := range ns.rooms {
		if r.public() {
			names = append(names, name)
		}
	}
	ns.hub.mu.Unlock()
	slices.Sort(names)
	return names
}

// public reports whether the room is one that people made: not that of the
// whole namespace, of an identity or of a socket.
func (r *Room) public() bool { return r.name != "" && r.name[0] != '@' && r.name[0] != '#' }

// join makes s a member of the room from its head on. Hub.mu is held. It
// reports whether s was not a member before.
func (r *Room) join(s *Session, post *hooks) (*Member, bool) {
	former := s.member(r.key.Namespace, r.name)
	if former != nil && !former.ended {
		return former, false
	}
	h := r.ns.hub
	if len(r.members) == 0 && r.draining == 0 && !r.pinned {
		post.add(h.cfg.Hooks.CreateRoom, r.ns.name, r.name)
	}
	head := r.log.Head()
	m := &Member{room: r, sess: s, from: head, epoch: r.log.Epoch()}
	m.acked.Store(head)
	m.sent.Store(head)
	m.trace.joined = time.Now()
	r.members[s.id] = m
	if former != nil {
		former.halt()
		s.remove(former)
		if former.drain {
			former.drain = false
			r.draining--
		}
	}
	s.add(m)
	post.addWho(h.cfg.Hooks.Join, r.ns.name, r.name, s.Name())
	if s.keep {
		h.save(s)
	}
	return m, true
}

// leave takes m out of its room, and deletes the room when it was the last.
// Hub.mu is held.
func (h *Hub) leave(m *Member, reason string, post *hooks) {
	if h.finish(m, post) {
		h.vacate(m, reason, post)
	}
}

// finish takes m out of its session: it reads no more. It reports whether m was
// still there. Hub.mu is held.
func (h *Hub) finish(m *Member, post *hooks) bool {
	s, r := m.sess, m.room
	if !s.remove(m) {
		return false
	}
	m.halt()
	s.dirty.Store(true)
	if m.drain {
		m.drain = false
		r.draining--
		h.reap(r, post)
	}
	return true
}

// vacate frees m's place in the room itself. Hub.mu is held.
func (h *Hub) vacate(m *Member, reason string, post *hooks) {
	s, r := m.sess, m.room
	if r.members[s.id] != m {
		return
	}
	delete(r.members, s.id)
	m.left = time.Now()
	m.trace.end = reason
	if r.past = append(r.past, m); len(r.past) > maxPast {
		r.past = slices.Delete(r.past, 0, 1)
	}
	post.addWho(h.cfg.Hooks.Leave, r.ns.name, r.name, s.Name())
	h.reap(r, post)
}

// reap deletes a room that nobody is in and nobody still reads. Hub.mu is held.
func (h *Hub) reap(r *Room, post *hooks) {
	if len(r.members) > 0 || r.draining > 0 || r.pinned || r.ns.rooms[r.name] != r {
		return
	}
	delete(r.ns.rooms, r.name)
	if r.public() {
		h.publicRooms--
	}
	h.queue.Drop(r.key)
	post.add(h.cfg.Hooks.DeleteRoom, r.ns.name, r.name)
}

// Hooks are called after the fact from the goroutine that caused it, in the
// order in which it did, with no lock held: they may call the hub. What two
// goroutines cause at a time may be told in either order. Any may be nil. The
// hub's own rooms, the lobby and "", are neither made nor deleted.
type Hooks struct {
	CreateRoom func(namespace, room string)
	DeleteRoom func(namespace, room string)
	Join       func(namespace, room, name string)
	Leave      func(namespace, room, name string)
	Connect    func(s *Socket)
	// Disconnecting is called while the socket still is in its rooms.
	Disconnecting func(s *Socket, reason string)
	Disconnect    func(s *Socket, reason string)
}

// hooks collects calls while the hub is locked; run makes them afterwards.
type hooks struct{ calls []func() }

func (p *hooks) add(fn func(namespace, room string), namespace, room string) {
	if fn != nil {
		p.calls = append(p.calls, func() { fn(namespace, room) })
	}
}

func (p *hooks) addWho(fn func(namespace, room, name string), namespace, room, name string) {
	if fn != nil {
		p.calls = append(p.calls, func() { fn(namespace, room, name) })
	}
}

func (p *hooks) then(fn func()) { p.calls = append(p.calls, fn) }

func (p *hooks) run() {
	for _, call := range p.calls {
		call()
	}
	p.calls = nil
}
