package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/wire"
)

const (
	// maxNames caps the names that are kept so that each event need not make
	// its own copies of them.
	maxNames = 512
	// maxEarly caps the events of one room that wait for its CURSOR, and
	// maxEarlyRooms how many rooms have such, and maxEarlyBytes is for one.
	maxEarly      = 64
	maxEarlyBytes = 256 << 10
	maxEarlyRooms = 64
	// maxRooms and maxSpaces cap what a server may put a client into. One of
	// ours lets a session into 128 rooms at most, and into its own ones.
	maxRooms  = 1024
	maxSpaces = 256
)

// receive handles one envelope from the server. An error ends the link.
func (c *Client) receive(l *live, e *wire.Envelope) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	l.heard = now
	if err := c.bounded(l, e); err != nil {
		return err
	}
	switch e.Kind {
	case wire.KindEvent:
		c.event(l, e)
	case wire.KindCursor:
		return c.cursor(l, e)
	case wire.KindAck:
		ack := Ack{Room: c.intern(e.Room), Seq: e.Seq, Args: bytes.Clone(e.Args)}
		if e.Time != 0 {
			ack.Time = time.UnixMicro(e.Time)
		}
		var refusal *Refusal
		if e.Flags&wire.FlagFailed != 0 {
			refusal = failure(e.Args)
		}
		c.answered(e.ID, ack, refusal, now)
	case wire.KindError:
		return c.refused(l, e, now)
	case wire.KindConnected:
		return c.entered(l, e, now)
	case wire.KindPing:
		if len(l.control) <= maxControl {
			c.control(l, appendFrame(nil, &wire.Envelope{Kind: wire.KindPong, ID: e.ID}))
		}
	case wire.KindPong:
		switch {
		case e.ID == l.barrier && l.barrier != 0:
			l.barrier = 0
			c.signal()
			c.settle(l)
		case e.ID == c.pingID && !c.pingSent.IsZero():
			c.rtt = now.Sub(c.pingSent)
		}
	case wire.KindBye:
		return byeError(e.Args)
	default:
		return fmt.Errorf("the server sent %v, which is the client's to send", e.Kind)
	}
	return nil
}

// bounded refuses to go along with a server that makes this client know ever
// more rooms and namespaces. c.mu is held.
func (c *Client) bounded(l *live, e *wire.Envelope) error {
	switch e.Kind {
	case wire.KindEvent, wire.KindCursor, wire.KindError, wire.KindConnected:
	default:
		return nil
	}
	if len(c.spaces) >= maxSpaces && !slices.ContainsFunc(c.spaces, func(s *Space) bool { return s.name == string(e.Namespace) }) {
		return fmt.Errorf("the server put this client into more than %d namespaces", maxSpaces)
	}
	if len(c.rooms) < maxRooms || c.rooms[roomKey{string(e.Namespace), string(e.Room)}] != nil {
		return nil
	}
	for key, r := range c.rooms {
		if r.fresh && strings.HasPrefix(key.room, "#") { // an earlier socket's
			delete(l.early, r)
			c.forgetRoom(key)
		}
	}
	if len(c.rooms) >= maxRooms {
		return fmt.Errorf("the server put this client into more than %d rooms", maxRooms)
	}
	return nil
}

// keepEarly keeps an event that has overtaken its room's CURSOR, if there is
// room for it.
func (l *live) keepEarly(r *room, ev *Event) bool {
	waiting, size := l.early[r], len(ev.Args)
	for _, e := range waiting {
		size += len(e.Args)
	}
	if len(waiting) >= maxEarly || size > maxEarlyBytes || waiting == nil && len(l.early) >= maxEarlyRooms {
		return false
	}
	if l.early == nil {
		l.early = make(map[*room][]*Event)
	}
	l.early[r] = append(waiting, ev)
	return true
}

// event takes an event in. c.mu is held.
func (c *Client) event(l *live, e *wire.Envelope) {
	r := c.room(c.intern(e.Namespace), c.intern(e.Room))
	ev := &Event{
		Namespace: r.key.namespace, Room: r.key.room, Sender: c.intern(e.Sender), Event: c.intern(e.Event),
		Seq: e.Seq, Prev: e.Prev, ID: e.ID, Args: bytes.Clone(e.Args),
		Binary:    e.Flags&wire.FlagBinary != 0,
		Volatile:  e.Flags&wire.FlagVolatile != 0,
		Direct:    e.Flags&wire.FlagDirect != 0,
		AckWanted: e.Flags&wire.FlagAck != 0,
	}
	if e.Time != 0 {
		ev.Time = time.UnixMicro(e.Time)
	}
	if l.loose && r.fresh && ev.Seq != 0 && l.keepEarly(r, ev) {
		return // until the CURSOR says where the client stands
	}
	c.place(l, r, ev)
}

// place gives an event its place in the room and queues it for OnEvent. c.mu
// is held.
func (c *Client) place(l *live, r *room, ev *Event) {
	verdict, gap := r.event(ev.Seq, ev.Prev, l.reorder)
	if gap > 0 {
		c.lose(l, r, gap, LostGap)
	}
	switch verdict {
	case duplicate:
		c.stats.Duplicates++
		return
	case late:
		c.stats.Late++
	}
	c.stats.Received++
	ev.Own = ev.Sender != "" && ev.Sender == c.name
	if ev.Redelivered = ev.Seq != 0 && ev.Seq <= r.again; ev.Redelivered {
		c.stats.Redelivered++
	}
	c.push(l, item{event: ev, live: l, room: r, epoch: r.epoch, seq: ev.Seq})
}

// lose reports events that will not come. c.mu is held.
func (c *Client) lose(l *live, r *room, n uint64, reason string) {
	c.stats.Lost += n
	c.tell(l, r, Status{Kind: StatusLost, Lost: n, Reason: reason})
}

// tell queues a status about r, in order with its events. c.mu is held.
func (c *Client) tell(l *live, r *room, st Status) {
	st.Time, st.Namespace, st.Room = time.Now(), r.key.namespace, r.key.room
	st.Cursor, st.Head = Cursor{r.epoch, r.seq}, r.head
	c.push(l, item{status: &st, room: r, epoch: r.epoch, seq: r.seq})
}

// cursor follows a CURSOR. c.mu is held.
func (c *Client) cursor(l *live, e *wire.Envelope) error {
	var p wire.Position
	if err := wire.DecodeBody(e.Args, &p); err != nil {
		return fmt.Errorf("the server sent a cursor that cannot be read: %w", err)
	}
	r := c.room(c.intern(e.Namespace), c.intern(e.Room))
	first := r.fresh
	lost, reason := r.move(e.Seq, e.Prev, &p, l.resumed)
	if lost > 0 || reason == LostEpoch {
		c.lose(l, r, lost, reason)
	}
	if !first {
		// A jump over what is not for this client counts as handled, too.
		c.push(l, item{room: r, epoch: r.epoch, seq: r.seq})
		return nil
	}
	c.space(r.key.namespace).known(r.key.room)
	c.unsaved = true // the room is new, or its epoch may be
	st := Status{Kind: StatusRoom, Redelivered: r.again, Reason: p.Reason, Recovered: p.Recovered != nil && *p.Recovered}
	if r.head > r.seq {
		st.Missed = r.head - r.seq
	}
	c.tell(l, r, st)
	if p.Reason == "ended" {
		c.left(l, r, &Refusal{Code: "removed", Message: "removed from the room while away"})
	}
	early := l.early[r]
	delete(l.early, r)
	for _, ev := range early {
		c.place(l, r, ev)
	}
	c.settle(l)
	return nil
}

// left notes that the server took the client out of r. c.mu is held.
func (c *Client) left(l *live, r *room, why *Refusal) {
	delete(c.space(r.key.namespace).rooms, r.key.room)
	c.tell(l, r, Status{Kind: StatusLeft, Err: why})
	c.unsaved = true
}

// refused handles an ERROR: about an emit, a room, or the connection. c.mu is held.
func (c *Client) refused(l *live, e *wire.Envelope, now time.Time) error {
	refusal := fault(e.Args)
	switch {
	case e.ID != 0:
		c.answered(e.ID, Ack{Room: c.intern(e.Room)}, refusal, now)
	case refusal.Code == "removed" && len(e.Room) > 0:
		c.left(l, c.room(c.intern(e.Namespace), c.intern(e.Room)), refusal)
		c.settle(l)
	default:
		l.reason = refusal
		if refusal.final() {
			return refusal
		}
		c.report(Status{Kind: StatusNotice, Err: refusal})
	}
	return nil
}

// entered handles CONNECTED for a further namespace: the answer to enter, or
// one that the session was in before. c.mu is held.
func (c *Client) entered(l *live, e *wire.Envelope, now time.Time) error {
	var answer wire.Connected
	if err := wire.DecodeBody(e.Args, &answer); err != nil {
		return fmt.Errorf("the server sent a connected that cannot be read: %w", err)
	}
	if len(answer.Rooms) > maxRooms {
		return fmt.Errorf("the server put this client into %d rooms, at most %d", len(answer.Rooms), maxRooms)
	}
	s := c.space(c.intern(e.Namespace))
	if s == c.Space {
		return errors.New("the server said connected twice")
	}
	s.connected(&answer)
	if p := c.acks[e.ID]; p != nil {
		c.answered(e.ID, Ack{}, nil, now)
	}
	c.settle(l)
	return nil
}

// failure reads the arguments of a failed ACK: an array of one fault.
func failure(args []byte) *Refusal {
	a := Ack{Args: args}
	return fault(a.Result())
}

// intern returns b as a string, the same one for the same bytes. It is the
// reader's.
func (c *Client) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := c.names[string(b)]; ok {
		return s
	}
	if len(c.names) >= maxNames {
		clear(c.names)
	}
	s := string(b)
	c.names[s] = s
	return s
}
