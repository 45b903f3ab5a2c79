package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// event takes an event from the client: into a room, or to the server.
// The cheap checks come first. Refusals are answered and leave the
// connection open.
func (c *Conn) event(e *wire.Envelope) error {
	if f := c.limited(); f != nil {
		return c.refuse(e, f)
	}
	if f := checkLabel("event", e.Event); f != nil {
		return c.refuse(e, f)
	}
	if reserved(string(e.Event)) {
		return c.refuse(e, &wire.Fault{Code: "reserved_event", Message: "event name " + quote(string(e.Event)) + " is reserved"})
	}
	if e.Flags&wire.FlagBinary == 0 {
		if err := wire.CheckArgs(e.Args); err != nil {
			return c.refuse(e, &wire.Fault{Code: "bad_arguments", Message: err.Error(), Hint: "arguments are one JSON array"})
		}
	}
	if len(e.Room) == 0 {
		d := *e // so that no other envelope is moved to the heap
		return apart(func() error { return c.request(&d) })
	}
	f := c.feed(e.Namespace, e.Room)
	if f == nil || f.m.until.Load() != 0 {
		return c.refuse(e, &wire.Fault{Code: "not_in_room", Message: "not a member of " + quote(string(e.Room)), Hint: "join the room first"})
	}
	return c.publish(e, f)
}

// publish appends the event to the room's log. An acknowledgement waits until
// the event is stored, in the store's sense of the word.
func (c *Conn) publish(e *wire.Envelope, f *feed) error {
	room := f.m.room
	if name := c.sess.name.Load(); name != c.name {
		c.name, c.sender = name, []byte(*name)
	}
	var mark *missed.Mark
	if e.Flags&wire.FlagBroadcast != 0 {
		if c.others == nil {
			c.others = &missed.Mark{Except: []uint64{c.sess.id}}
		}
		mark = c.others
	}
	// The envelope is the transport's to read, and changing it saves making
	// one: what the client may not choose is overwritten.
	flags, at := e.Flags, c.now.UnixMicro()
	e.Flags &= wire.FlagVolatile | wire.FlagBroadcast | wire.FlagBinary
	e.Seq, e.Prev, e.Time, e.Sender = 0, 0, at, c.sender
	if flags&wire.FlagVolatile != 0 {
		room.sendVolatile(encode(e), mark)
		if flags&wire.FlagAck != 0 {
			c.control(&wire.Envelope{Kind: wire.KindAck, ID: e.ID, Namespace: e.Namespace, Room: e.Room, Time: at})
		}
		return nil
	}
	var done func(uint64, error)
	if flags&wire.FlagAck != 0 {
		done = c.acknowledge(room, e.ID, at)
	}
	if err := room.publish(e, mark, done); err != nil {
		e.Flags = flags
		return c.refuse(e, storeFault(err))
	}
	if n := len(c.dirty); n == 0 || c.dirty[n-1] != room {
		c.dirty = append(c.dirty, room)
	}
	return nil
}

// acknowledge returns what tells the client that its event is stored, or why
// it is not.
func (c *Conn) acknowledge(r *Room, id uint64, at int64) func(seq uint64, err error) {
	return func(seq uint64, err error) {
		ack := wire.Envelope{Kind: wire.KindAck, ID: id, Time: at, Namespace: []byte(r.key.Namespace), Room: []byte(r.name)}
		if err != nil {
			f := storeFault(err)
			c.hub.faults.add(f.Code)
			c.hub.stats.refused.Add(1)
			c.failed(&ack, f)
			return
		}
		ack.Seq = seq
		c.control(&ack)
	}
}

func storeFault(err error) *wire.Fault {
	switch {
	case errors.Is(err, missed.ErrFull):
		return &wire.Fault{Code: "full", Message: err.Error(), Hint: "the room's queue is full and refuses new events", RetryMS: 1000}
	case errors.Is(err, missed.ErrDropped):
		return &wire.Fault{Code: "no_room", Message: err.Error()}
	default:
		return &wire.Fault{Code: "store", Message: err.Error(), RetryMS: 1000}
	}
}

// refuse answers an emit that was not taken: in its acknowledgement if it
// wanted one, else in an error frame.
func (c *Conn) refuse(e *wire.Envelope, f *wire.Fault) error {
	c.hub.faults.add(f.Code)
	c.hub.stats.refused.Add(1)
	if e.Flags&wire.FlagAck == 0 {
		c.fault(f, e.Namespace, e.ID)
		return nil
	}
	c.failed(&wire.Envelope{Kind: wire.KindAck, ID: e.ID, Namespace: e.Namespace, Room: e.Room}, f)
	return nil
}

// failed sends ack as a failure.
func (c *Conn) failed(ack *wire.Envelope, f *wire.Fault) {
	ack.Flags |= wire.FlagFailed
	ack.Seq = 0
	ack.Args = wire.EncodeBody([]*wire.Fault{clipped(f)})
	c.control(ack)
}

// request hands an event without a room to the namespace's handler.
func (c *Conn) request(e *wire.Envelope) error {
	c.hub.mu.Lock()
	sock := c.socket(string(e.Namespace))
	c.hub.mu.Unlock()
	if sock == nil {
		return c.refuse(e, &wire.Fault{Code: "not_connected", Message: "not connected to namespace " + quote(string(e.Namespace))})
	}
	handler := sock.ns.handler(e.Event)
	if handler == nil {
		return c.refuse(e, &wire.Fault{Code: "no_handler", Message: "the server does not know " + quote(string(e.Event)),
			Hint: "an event for a room names the room"})
	}
	var args []json.RawMessage
	if e.Flags&wire.FlagBinary == 0 && len(e.Args) > 0 {
		if err := json.Unmarshal(e.Args, &args); err != nil {
			return c.refuse(e, &wire.Fault{Code: "bad_arguments", Message: err.Error()})
		}
	}
	call := &Call{Socket: sock, Event: string(e.Event), Args: args, id: e.ID, wants: e.Flags&wire.FlagAck != 0}
	result, err := handler(call)
	switch {
	case errors.Is(err, ErrLater):
	case err == nil && call.durable:
		c.hub.queue.After(func(err error) {
			if err != nil {
				err = storeFault(err)
			}
			call.Answer(result, err)
		})
	default:
		call.Answer(result, err)
	}
	return nil
}

// marshal is json.Marshal without the escapes that are only for HTML: they
// would make a text longer than its writer sent it.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ErrLater is what a handler returns that will call [Call.Answer] by itself.
var ErrLater = errors.New("chat: the answer comes later")

// Answer sends the acknowledgement, if the client wants one, or the error. A
// handler calls it only after it returned ErrLater, from any goroutine, once.
func (call *Call) Answer(result any, err error) {
	c := call.Socket.conn
	e := wire.Envelope{ID: call.id, Namespace: []byte(call.Socket.ns.name)}
	if call.wants {
		e.Flags = wire.FlagAck
	}
	if err != nil {
		var f *wire.Fault
		if !errors.As(err, &f) {
			f = &wire.Fault{Code: "failed", Message: err.Error()}
		}
		c.refuse(&e, f)
		return
	}
	if !call.wants {
		return
	}
	b, err := marshal([]any{result})
	if err != nil {
		c.refuse(&e, &wire.Fault{Code: "failed", Message: "the answer cannot be encoded: " + err.Error()})
		return
	}
	if len(b) > wire.MaxArguments {
		c.refuse(&e, &wire.Fault{Code: "too_large", Message: fmt.Sprintf("the answer has %d bytes, at most %d", len(b), wire.MaxArguments)})
		return
	}
	c.control(&wire.Envelope{Kind: wire.KindAck, ID: e.ID, Namespace: e.Namespace, Time: time.Now().UnixMicro(), Args: b})
}

// notify tells the present members of a room what became of another: a
// volatile event from the server. Crowded rooms are spared: everybody coming
// would tell everybody else.
func (h *Hub) notify(r *Room, about uint64, event string, post *hooks, args ...string) {
	if len(r.members) > maxNotify || len(r.members) < 2 {
		return
	}
	frame := encode(&wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagVolatile, Time: time.Now().UnixMicro(),
		Namespace: []byte(r.key.Namespace), Room: []byte(r.name), Event: []byte(event), Args: wire.EncodeBody(args),
	})
	post.then(func() { r.sendNotice(frame, about) })
}

// maxNotify is the number of members up to which a room hears who comes and goes.
const maxNotify = 100

// notifyAll does so in every public room of s.
func (h *Hub) notifyAll(s *Session, event, reason string, post *hooks) {
	if !utf8.ValidString(reason) {
		reason = "left"
	}
	reason = clip(reason)
	for _, m := range s.members {
		if m.room.public() && !m.ended {
			h.notify(m.room, s.id, event, post, s.Name(), reason)
		}
	}
}

// sendNotice queues the frame for every present member but one.
func (r *Room) sendNotice(frame []byte, but uint64) {
	r.mu.Lock()
	conns := make([]*Conn, 0, len(r.feeds))
	for _, f := range r.feeds {
		if f.m.sess.id != but && f.m.until.Load() == 0 && !f.gone() {
			conns = append(conns, f.conn)
		}
	}
	r.mu.Unlock()
	for _, c := range conns {
		// A member that reads slowly must not lose its connection to notices.
		if !c.spare(frame, r.ns.hub.cfg.MaxControl/4) {
			r.ns.hub.stats.dropped.Add(1)
		}
	}
}
