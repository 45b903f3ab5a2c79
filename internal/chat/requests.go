package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/wire"
)

// maxHistory is how many events one history request returns, and maxLook among
// how many it looks for some that the member may see.
const (
	maxHistory = 100
	maxLook    = 1000
)

// handleRequests installs what the chat itself answers. A program may put its
// own handlers in their place.
func (ns *Namespace) handleRequests() {
	ns.handlers["join"] = ns.join
	ns.handlers["leave"] = ns.leave
	ns.handlers["rooms"] = func(*Call) (any, error) { return ns.listRooms(), nil }
	ns.handlers["who"] = ns.who
	ns.handlers["nick"] = ns.nick
	ns.handlers["direct"] = ns.direct
	ns.handlers["history"] = ns.history
	ns.handlers["explain"] = ns.explain
	ns.handlers["stats"] = ns.stats
	ns.handlers["kick"] = ns.kickRequest
	ns.handlers["ban"] = ns.banRequest
}

// text returns argument i as a string.
func (c *Call) text(i int, what string) (string, error) {
	var s string
	if i >= len(c.Args) || json.Unmarshal(c.Args[i], &s) != nil {
		return "", &wire.Fault{Code: "bad_arguments", Message: fmt.Sprintf("%s: argument %d must be a string: the %s", c.Event, i+1, what)}
	}
	return s, nil
}

// number returns argument i, or def if it is not there.
func (c *Call) number(i int, what string, def uint64) (uint64, error) {
	if i >= len(c.Args) {
		return def, nil
	}
	var n uint64
	if json.Unmarshal(c.Args[i], &n) != nil {
		return 0, &wire.Fault{Code: "bad_arguments", Message: fmt.Sprintf("%s: argument %d must be a number: %s", c.Event, i+1, what)}
	}
	return n, nil
}

// A Joined is the answer to join.
type Joined struct {
	Room    string     `json:"room"`
	Epoch   wire.Epoch `json:"epoch"`
	Seq     uint64     `json:"seq"`
	Count   int        `json:"count"`   // members, present and away
	Members []Person   `json:"members"` // at most 200 of them
}

// A Person is one member as others see it.
type Person struct {
	Name      string    `json:"name"`
	Transport string    `json:"transport"`
	Mode      string    `json:"mode,omitempty"`
	Away      bool      `json:"away,omitempty"`
	Since     time.Time `json:"since"`
	Waiting   uint64    `json:"waiting,omitempty"` // events it has not consumed
}

func (ns *Namespace) join(call *Call) (any, error) {
	name, err := call.text(0, "room")
	if err != nil {
		return nil, err
	}
	if f := checkLabel("room", []byte(name)); f != nil {
		return nil, f
	}
	if !roomable(name) {
		return nil, &wire.Fault{Code: "bad_room", Message: "room " + quote(name) + ": @ and # begin rooms that belong to one member"}
	}
	h, c := ns.hub, call.Socket.conn
	var post hooks
	defer func() { post.run() }()
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := c.fenced(); f != nil {
		return nil, f
	}
	m := c.sess.member(ns.name, name)
	fresh := m == nil || m.ended
	if fresh && h.countRooms(c.sess) >= h.cfg.MaxRooms {
		return nil, h.tooManyRooms(name)
	}
	room, f := ns.roomFor(name)
	if f != nil {
		return nil, f
	}
	m = h.enterRoom(room, c, wire.RoomCursor{}, &post)
	if fresh {
		h.notify(m.room, c.sess.id, "member_joined", &post, c.sess.Name(), c.info.Transport, c.info.Mode)
	}
	call.durable = c.sess.keep
	return Joined{
		Room: name, Epoch: wire.Epoch(m.room.log.Epoch()), Seq: m.acked.Load(),
		Count: len(m.room.members), Members: m.room.people(),
	}, nil
}

// fenced says why the connection may change nothing: it has ended, or its
// session lives on another one. Hub.mu is held.
func (c *Conn) fenced() *wire.Fault {
	if c.off || c.sess.conn != c {
		return &wire.Fault{Code: "gone", Message: "the connection has ended"}
	}
	return nil
}

// people lists the members, present and away, by name. Of a crowd it lists
// some: what one join costs must not grow with those who joined before. Hub.mu
// is held.
func (r *Room) people() []Person {
	people := make([]Person, 0, min(len(r.members), maxPeople))
	for _, m := range r.members {
		if len(people) == maxPeople {
			break
		}
		s := m.sess
		head, acked := r.log.Head(), m.acked.Load()
		people = append(people, Person{
			Name: s.Name(), Transport: s.info.Transport, Mode: s.info.Mode, Away: s.conn == nil, Since: s.since,
			Waiting: head - min(head, acked),
		})
	}
	slices.SortFunc(people, func(a, b Person) int { return strings.Compare(a.Name, b.Name) })
	return people
}

// maxPeople is how many members an answer lists: it must fit wire.MaxArguments.
const maxPeople = 200

func (ns *Namespace) leave(call *Call) (any, error) {
	name, err := call.text(0, "room")
	if err != nil {
		return nil, err
	}
	h, c := ns.hub, call.Socket.conn
	var post hooks
	defer func() { post.run() }()
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := c.fenced(); f != nil {
		return nil, f
	}
	m := c.sess.member(ns.name, name)
	if m == nil || !m.room.public() {
		return nil, &wire.Fault{Code: "not_in_room", Message: "not a member of " + quote(name)}
	}
	if !m.ended {
		h.notify(m.room, c.sess.id, "member_left", &post, c.sess.Name(), "left")
	}
	h.leave(m, "left", &post)
	h.save(c.sess)
	call.durable = c.sess.keep
	return name, nil
}

// A RoomInfo is one room in the answer to rooms.
type RoomInfo struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
	Away    int    `json:"away"`
	Head    uint64 `json:"head"`
}

func (ns *Namespace) listRooms() []RoomInfo {
	names := ns.Rooms() // sorted, with the hub not locked: there may be many
	ns.hub.mu.Lock()
	defer ns.hub.mu.Unlock()
	rooms, size := []RoomInfo{}, 0
	for _, name := range names {
		r := ns.rooms[name]
		if r == nil {
			continue
		}
		// JSON may need six bytes for one of a name.
		if size += 6*len(name) + 100; size > wire.MaxArguments {
			break
		}
		v := r.view()
		rooms = append(rooms, RoomInfo{Room: name, Members: v.Members, Away: v.Away, Head: v.Head})
	}
	return rooms
}

func (ns *Namespace) who(call *Call) (any, error) {
	r, unlock, err := ns.memberOf(call)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return r.people(), nil
}

// memberOf returns the room that argument 0 names, if the caller is in it. On
// success the hub is locked until unlock is called.
func (ns *Namespace) memberOf(call *Call) (r *Room, unlock func(), err error) {
	name, err := call.text(0, "room")
	if err != nil {
		return nil, nil, err
	}
	ns.hub.mu.Lock()
	m := call.Socket.conn.sess.member(ns.name, name)
	if m == nil || m.ended {
		ns.hub.mu.Unlock()
		return nil, nil, &wire.Fault{Code: "not_in_room", Message: "not a member of " + quote(name), Hint: "join the room first"}
	}
	return m.room, ns.hub.mu.Unlock, nil
}

func (ns *Namespace) nick(call *Call) (any, error) {
	name, err := call.text(0, "new name")
	if err != nil {
		return nil, err
	}
	name, f := cleanName(name)
	if f != nil {
		return nil, f
	}
	h, c := ns.hub, call.Socket.conn
	s := c.sess
	if f := h.admits(name, c.info); f != nil {
		return nil, f
	}
	var post hooks
	defer func() { post.run() }()
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := c.fenced(); f != nil {
		return nil, f
	}
	old := s.Name()
	if f := h.rename(s, name); f != nil {
		return nil, f
	}
	for _, m := range s.members {
		if m.room.public() && !m.ended {
			h.notify(m.room, s.id, "member_renamed", &post, old, name)
		}
	}
	call.durable = s.keep
	return name, nil
}

// direct publishes an event in the own room of the person named: a log like
// any other, so that it waits for them while they are away.
func (ns *Namespace) direct(call *Call) (any, error) {
	name, err := call.text(0, "name")
	if err != nil {
		return nil, err
	}
	event, err := call.text(1, "event")
	if err != nil {
		return nil, err
	}
	if f := checkLabel("event", []byte(event)); f != nil {
		return nil, f
	}
	if reserved(event) {
		return nil, &wire.Fault{Code: "reserved_event", Message: "event name " + quote(event) + " is reserved"}
	}
	h := ns.hub
	h.mu.Lock()
	who, f := h.find(name)
	if f != nil {
		h.mu.Unlock()
		return nil, f
	}
	r := h.openIdentity(ns, who)
	to := who.name
	h.mu.Unlock()
	if r == nil {
		return nil, &wire.Fault{Code: "no_member", Message: quote(to) + " is not in this namespace"}
	}
	args, err := marshal(append([]json.RawMessage{}, call.Args[2:]...))
	if err != nil {
		return nil, err
	}
	e := wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagDirect, ID: call.id, Time: time.Now().UnixMicro(),
		Namespace: []byte(ns.name), Room: []byte(r.name), Sender: []byte(call.Socket.Name()), Event: []byte(event),
		Args: args,
	}
	err = r.publish(&e, nil, func(_ uint64, err error) {
		if err != nil {
			err = storeFault(err)
		}
		call.Answer(to, err)
	})
	if err != nil {
		return nil, storeFault(err)
	}
	r.wake()
	return nil, ErrLater
}

// openIdentity returns the identity's own room, with all its sessions in it;
// nil if none of them is in the namespace. Hub.mu is held.
func (h *Hub) openIdentity(ns *Namespace, who *identity) *Room {
	var in []*Session
	for _, s := range who.sessions {
		if slices.Contains(s.spaces, ns.name) {
			in = append(in, s)
		}
	}
	if in == nil {
		return nil
	}
	r := ns.addRoom(who.ownRoom())
	var quiet hooks
	for _, s := range in {
		switch {
		case r.members[s.id] != nil:
		case s.conn != nil && s.conn.socket(ns.name) != nil:
			h.openOwn(r, s.conn)
		default:
			r.join(s, &quiet)
		}
	}
	return r
}

// A Past is one event in the answer to history.
type Past struct {
	Seq    uint64          `json:"seq"`
	ID     string          `json:"id,omitempty"`
	Time   time.Time       `json:"time"`
	Sender string          `json:"sender,omitempty"`
	Event  string          `json:"event"`
	Args   json.RawMessage `json:"args,omitempty"`
}

func (ns *Namespace) history(call *Call) (any, error) {
	n, err := call.number(1, "how many", 20)
	if err != nil {
		return nil, err
	}
	r, unlock, err := ns.memberOf(call)
	if err != nil {
		return nil, err
	}
	unlock()
	n = min(n, maxHistory)
	viewer := call.Socket.conn.sess.id
	past, size := []Past{}, 0
	head := r.log.Head()
	for seq := head; seq >= r.log.First() && seq > 0 && head-seq < maxLook && uint64(len(past)) < n; seq-- {
		e, mark, ok := r.log.Event(seq)
		if !ok {
			break
		}
		if !mark.Allows(viewer) {
			continue
		}
		p := Past{Seq: seq, Time: time.UnixMicro(e.Time), Sender: string(e.Sender), Event: string(e.Event)}
		if e.ID != 0 {
			p.ID = wire.Hex16(e.ID)
		}
		if e.Flags&wire.FlagBinary == 0 {
			p.Args = slices.Clone(e.Args)
		}
		// The answer must fit one envelope, with what JSON adds.
		if size += len(p.Sender) + 6*len(p.Event) + len(p.Args) + 200; size > wire.MaxArguments {
			break
		}
		past = append(past, p)
	}
	slices.Reverse(past)
	return past, nil
}

// explain takes [room, seq], or [room, "message id in hex"].
func (ns *Namespace) explain(call *Call) (any, error) {
	if len(call.Args) < 2 {
		return nil, &wire.Fault{Code: "bad_arguments", Message: "explain: want a room and a sequence number or message id"}
	}
	r, unlock, err := ns.memberOf(call)
	if err != nil {
		return nil, err
	}
	unlock()
	var seq uint64
	var text string
	switch {
	case json.Unmarshal(call.Args[1], &seq) == nil:
	case json.Unmarshal(call.Args[1], &text) == nil:
		// To look through the log may take the disk, and the others of a
		// transport with one reader wait meanwhile.
		for range findCost {
			if f := call.Socket.conn.limited(); f != nil {
				return nil, f
			}
		}
		id, err := strconv.ParseUint(text, 16, 64)
		ok := false
		if err == nil {
			seq, ok = r.find(id)
		}
		if !ok {
			return nil, &wire.Fault{Code: "no_event", Message: "no event with message id " + quote(text) + " in " + quote(r.name)}
		}
	default:
		return nil, &wire.Fault{Code: "bad_arguments", Message: "explain: want a sequence number or a message id in hex"}
	}
	sess := call.Socket.conn.sess
	e, mark, ok := r.log.Event(seq)
	if ok && !mark.Allows(sess.id) && string(e.Sender) != sess.Name() {
		return nil, &wire.Fault{Code: "no_event", Message: fmt.Sprintf("event %d in %q is not for you", seq, r.name)}
	}
	return ns.tell(r.name, seq, maxFates)
}

// findCost is how many events it counts as, besides one, to ask for an event by
// its message id.
const findCost = 9

// maxFates is how many members' fates an answer tells: it must fit
// wire.MaxArguments.
const maxFates = 120

func (ns *Namespace) stats(call *Call) (any, error) {
	h := ns.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	return call.Socket.conn.sess.view(), nil
}

func (ns *Namespace) kickRequest(call *Call) (any, error) {
	if !ns.hub.mayModerate(call.Socket.Name()) {
		return nil, &wire.Fault{Code: "not_operator", Message: "only operators may kick"}
	}
	room, err := call.text(0, "room")
	if err != nil {
		return nil, err
	}
	name, err := call.text(1, "name")
	if err != nil {
		return nil, err
	}
	reason, _ := call.text(2, "reason")
	call.durable = true
	return name, ns.Kick(room, name, reason)
}

func (ns *Namespace) banRequest(call *Call) (any, error) {
	if !ns.hub.mayModerate(call.Socket.Name()) {
		return nil, &wire.Fault{Code: "not_operator", Message: "only operators may ban"}
	}
	name, err := call.text(0, "name")
	if err != nil {
		return nil, err
	}
	reason, _ := call.text(1, "reason")
	call.durable = true
	return name, ns.hub.Ban(name, reason)
}
