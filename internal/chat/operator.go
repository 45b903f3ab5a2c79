package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// An Operator addresses an emit: the union of rooms, or all of the namespace,
// without the members of other rooms and without the sender. It is immutable:
// each modifier returns a new one, so one may be kept and built upon.
type Operator struct {
	ns       *Namespace
	rooms    []string // nil means all
	except   []string
	sender   *Socket
	volatile bool
	timeout  time.Duration
}

// To addresses the members of the rooms. A socket's id is a room too.
func (ns *Namespace) To(rooms ...string) Operator { return Operator{ns: ns}.To(rooms...) }

// All addresses everybody in the namespace.
func (ns *Namespace) All() Operator { return Operator{ns: ns} }

// Broadcast addresses everybody in the socket's namespace but the socket.
func (s *Socket) Broadcast() Operator { return Operator{ns: s.ns, sender: s} }

// To addresses the members of the rooms, each once, but the socket.
func (s *Socket) To(rooms ...string) Operator { return s.Broadcast().To(rooms...) }

// Emit emits to the socket alone.
func (s *Socket) Emit(event string, args ...any) error { return s.ns.To(s.ID()).Emit(event, args...) }

// To adds rooms to the union that is addressed. The union of no rooms is
// nobody.
func (o Operator) To(rooms ...string) Operator {
	o.rooms = append(append(make([]string, 0, len(o.rooms)+len(rooms)), o.rooms...), rooms...)
	return o
}

// Except leaves the members of the rooms out.
func (o Operator) Except(rooms ...string) Operator {
	o.except = append(slices.Clone(o.except), rooms...)
	return o
}

// Volatile lets the event be dropped for members who cannot take it at once.
// It is not stored.
func (o Operator) Volatile() Operator {
	o.volatile = true
	return o
}

// Timeout limits how long EmitAck waits. If it was not set, 10 s.
func (o Operator) Timeout(d time.Duration) Operator {
	o.timeout = d
	return o
}

// Emit publishes the event. It returns once the event has its place in the
// logs, which with a durable store is before it is on disk. An unknown room
// has no members: nothing happens.
func (o Operator) Emit(event string, args ...any) error {
	return o.emit(event, args, nil)
}

// EmitAck publishes the event and waits for the acknowledgements of those who
// are present. It returns one reply per socket, sorted by id, whatever came.
func (o Operator) EmitAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	timeout := o.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w, err := o.ns.hub.pending.open()
	if err != nil {
		return nil, err
	}
	if err := o.emit(event, args, w); err != nil {
		o.ns.hub.pending.close(w)
		return nil, err
	}
	return o.ns.hub.pending.wait(ctx, w), nil
}

// emit publishes into each room addressed. With a w, acknowledgements are
// wanted: it is told which sockets will give one.
func (o Operator) emit(event string, args []any, w *waiter) error {
	if f := checkLabel("event", []byte(event)); f != nil {
		return f
	}
	if reserved(event) {
		return &wire.Fault{Code: "reserved_event", Message: "event name " + quote(event) + " is reserved"}
	}
	if args == nil {
		args = []any{}
	}
	body, err := marshal(args)
	if err != nil {
		return fmt.Errorf("chat: arguments of %q: %w", event, err)
	}
	e := wire.Envelope{
		Kind: wire.KindEvent, Time: time.Now().UnixMicro(),
		Namespace: []byte(o.ns.name), Event: []byte(event), Args: body,
	}
	if w != nil {
		e.ID = w.id
		e.Flags |= wire.FlagAck
	}
	if o.volatile {
		e.Flags |= wire.FlagVolatile
	}
	if o.sender != nil {
		e.Sender = []byte(o.sender.Name())
		e.Flags |= wire.FlagBroadcast
	}
	if err := e.Check(); err != nil {
		return fmt.Errorf("chat: event %q: %w", event, err)
	}
	return o.publish(&e, w)
}

// publish appends the event to the logs of the rooms. The hub stays locked
// meanwhile, so that nobody joins, leaves or changes rooms in between: the
// recipients, and the sockets that owe an answer, are fixed at one instant.
func (o Operator) publish(e *wire.Envelope, w *waiter) error {
	h := o.ns.hub
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	rooms, marks := o.resolve()
	if w != nil {
		w.expect(o.answerers(rooms, marks))
	}
	var err error
	for i, r := range rooms {
		e.Room = []byte(r.name)
		if o.volatile {
			r.sendVolatile(encode(e), marks[i])
			continue
		}
		e.Seq, e.Prev = 0, 0
		if err = r.publish(e, marks[i], nil); err != nil {
			h.stats.refused.Add(1)
			rooms = rooms[:i]
			break
		}
	}
	h.mu.Unlock()
	for _, r := range rooms {
		r.wake()
	}
	return err
}

// answerers returns the sockets of those who are present and may see the
// event. Hub.mu is held.
func (o Operator) answerers(rooms []*Room, marks []*missed.Mark) []*Socket {
	var sockets []*Socket
	for i, r := range rooms {
		for id, m := range r.members {
			if c := m.sess.conn; c != nil && marks[i].Allows(id) && c.socket(o.ns.name) != nil {
				sockets = append(sockets, c.socket(o.ns.name))
			}
		}
	}
	return sockets
}

// resolve returns the rooms addressed and who may not see the event in each.
// Recipients are fixed here, at the instant of publishing: somebody in two of
// the rooms sees it in the first. Hub.mu is held.
func (o Operator) resolve() ([]*Room, []*missed.Mark) {
	names := o.rooms
	if names == nil {
		names = []string{""}
	}
	var rooms []*Room
	for _, name := range names {
		if r := o.ns.room(name); r != nil && !slices.Contains(rooms, r) {
			rooms = append(rooms, r)
		}
	}
	out := make(map[uint64]bool)
	if o.sender != nil {
		out[o.sender.conn.sess.id] = true
	}
	for _, name := range o.except {
		if r := o.ns.room(name); r != nil {
			for id := range r.members {
				out[id] = true
			}
		}
	}
	marks := make([]*missed.Mark, len(rooms))
	for i, r := range rooms {
		var except []uint64
		for id := range out {
			if r.members[id] != nil {
				except = append(except, id)
			}
		}
		if except != nil {
			slices.Sort(except)
			marks[i] = &missed.Mark{Except: except}
		}
		if i < len(rooms)-1 {
			for id := range r.members {
				out[id] = true
			}
		}
	}
	return rooms, marks
}

// room returns the room, or nil. A socket's own room is made when it is first
// addressed: ten thousand idle members need none. Hub.mu is held.
func (ns *Namespace) room(name string) *Room {
	if r := ns.rooms[name]; r != nil || name == "" || name[0] != '#' {
		return r
	}
	var id wire.Epoch
	if id.UnmarshalText([]byte(name[1:])) != nil {
		return nil
	}
	sock := ns.sockets[uint64(id)]
	if sock == nil || sock.ID() != name {
		return nil
	}
	r := ns.addRoom(name)
	ns.hub.openOwn(r, sock.conn)
	return r
}

// openOwn makes the connection's session the member of a room of its own.
func (h *Hub) openOwn(r *Room, c *Conn) {
	// The hooks were told when the socket came to be.
	var quiet hooks
	m, _ := r.join(c.sess, &quiet)
	if m.feed == nil || m.feed.conn != c {
		p := wire.Position{Epoch: wire.Epoch(r.log.Epoch()), Head: r.log.Head()}
		at := m.acked.Load()
		c.frame(h.cursorFrame(r, at, at, &p))
		m.feed = r.start(m, c, at)
	}
}

// dropSocket ends a socket and its own room. Hub.mu is held.
func (h *Hub) dropSocket(s *Socket, post *hooks) {
	delete(s.ns.sockets, s.id)
	name := s.ID()
	if r := s.ns.rooms[name]; r != nil {
		if m := s.conn.sess.member(s.ns.name, name); m != nil {
			var quiet hooks
			h.leave(m, "disconnected", &quiet)
		}
	}
	post.addWho(h.cfg.Hooks.Leave, s.ns.name, name, s.Name())
	post.add(h.cfg.Hooks.DeleteRoom, s.ns.name, name)
}
