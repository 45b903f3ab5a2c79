package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Conn is one connection as the hub sees it. Receive and Flush belong to the
// transport's reading goroutine, Next to its writing one.
type Conn struct {
	hub    *Hub
	t      Transport
	info   Info
	opened time.Time
	nonce  []byte
	macKey []byte

	// Hub.mu guards these; the reading goroutine, which alone sets sess,
	// reads it without.
	sess    *Session
	sockets map[string]*Socket // by namespace
	feeds   map[missed.Key]*feed
	off     bool // detached

	heard  atomic.Int64 // when the peer was last heard, in ns since 1970
	pinged atomic.Int64
	probed atomic.Int64 // when it was asked whether it is still there; 0: not
	rtt    atomic.Int64 // ns
	notes  [noteEnd]atomic.Uint64
	ended  atomic.Bool // is being closed: nothing more is taken in

	// The reading goroutine's own.
	now    time.Time // of the batch in hand; zero between batches
	dirty  []*Room   // published to since the last Flush
	latest *feed     // of the room published to last
	limit  *rate.Limiter
	fresh  bool // Connected was sent and the client not heard since

	mu    sync.Mutex
	queue [][]byte // control frames that wait; before any event
	bytes int      // of queue
	ready []*feed  // that have something to read
	awake bool     // the transport was told and has not yet come back empty
}

// pingInterval is how often the peer is pinged.
func (c *Conn) pingInterval() time.Duration {
	switch {
	case c.hub.cfg.PingInterval != 0:
		return c.hub.cfg.PingInterval
	case c.info.Transport == "udp":
		return 10 * time.Second
	}
	return 25 * time.Second
}

// push gives the connection a feed to read from.
func (c *Conn) push(f *feed) {
	c.mu.Lock()
	if f.queued {
		c.mu.Unlock()
		return
	}
	f.queued = true
	c.ready = append(c.ready, f)
	c.rouse()
}

// rouse wakes the transport if it sleeps. c.mu is held; rouse releases it.
func (c *Conn) rouse() {
	sleeping := !c.awake
	c.awake = true
	c.mu.Unlock()
	if sleeping {
		c.t.Wake()
	}
}

// control queues a control frame. A peer that lets too many of them pile up
// does not read, or floods: it is closed.
func (c *Conn) control(e *wire.Envelope) { c.frame(encode(e)) }

func (c *Conn) frame(frame []byte) {
	c.mu.Lock()
	if c.bytes+len(frame) > c.hub.cfg.MaxControl {
		c.mu.Unlock()
		if c.ended.CompareAndSwap(false, true) {
			c.hub.log.Warn("control frames pile up: closing", "remote", c.info.Remote, "limit", c.hub.cfg.MaxControl)
			c.t.Close()
		}
		return
	}
	c.queue = append(c.queue, frame)
	c.bytes += len(frame)
	c.rouse()
}

// offer queues a volatile frame if nothing else waits on the connection.
func (c *Conn) offer(frame []byte) bool {
	c.mu.Lock()
	if c.awake || c.ended.Load() {
		c.mu.Unlock()
		return false
	}
	c.queue = append(c.queue, frame)
	c.bytes += len(frame)
	c.rouse()
	return true
}

// Next appends slices of whole stream frames to dst, about max bytes in all
// but at least one frame, and reports whether there were any. Control frames
// come first, then what the rooms' logs hold after the member's cursors, room
// by room. The slices are shared with other members: never write to them.
// After false, the hub calls Transport.Wake when there is more.
func (c *Conn) Next(dst [][]byte, max int) ([][]byte, bool) {
	before, n := len(dst), 0
	c.mu.Lock()
	for {
		if len(c.queue) > 0 {
			dst = append(dst, c.queue...)
			n += c.bytes
			clear(c.queue)
			c.queue, c.bytes = c.queue[:0], 0
			if cap(c.queue) > 64 {
				c.queue = nil
			}
		}
		if n >= max || len(c.ready) == 0 {
			break
		}
		f := c.ready[0]
		c.ready[0] = nil
		if c.ready = c.ready[1:]; len(c.ready) == 0 {
			c.ready = nil
		}
		f.queued = false
		c.mu.Unlock()
		var more bool
		dst, n, more = f.pull(dst, n, max)
		c.mu.Lock()
		if more && !f.queued && !f.gone.Load() {
			f.queued = true
			c.ready = append(c.ready, f)
		}
	}
	some := len(dst) > before
	if !some {
		c.awake = false
	}
	c.mu.Unlock()
	return dst, some
}

// Receive takes one envelope from the peer; it copies what it keeps. An error
// means that the peer broke the protocol: it has been told, and the transport
// sends what Next still gives, then closes.
func (c *Conn) Receive(e *wire.Envelope) error {
	if c.now.IsZero() {
		c.now = time.Now()
		c.heard.Store(c.now.UnixNano())
	}
	if c.ended.Load() {
		return errors.New("chat: the connection is being closed")
	}
	if c.sess == nil && e.Kind != wire.KindConnect && e.Kind != wire.KindBye {
		return c.broken("not_connected", e.Kind.String()+" before connect", "send connect first")
	}
	if c.fresh && e.Kind != wire.KindConnect {
		c.fresh = false
		c.hub.mu.Lock()
		c.sess.confirm()
		c.hub.mu.Unlock()
	}
	switch e.Kind {
	case wire.KindEvent:
		return c.event(e)
	case wire.KindConsumed:
		return c.consumed(e)
	case wire.KindAck:
		c.hub.pending.answer(c, e)
		return nil
	case wire.KindPing:
		c.control(&wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		return nil
	case wire.KindPong:
		if d := time.Since(time.UnixMicro(int64(e.ID))); d >= 0 && d < time.Minute {
			c.SetRTT(d)
		}
		return nil
	case wire.KindConnect:
		return c.connect(e)
	case wire.KindBye:
		c.leaving(e)
		return nil
	}
	return c.broken("bad_kind", "a client does not send "+e.Kind.String(), "")
}

// Flush ends a batch of Receive: it wakes the members of the rooms that the
// batch published to. Call it when no further frame is at hand.
func (c *Conn) Flush() {
	for i, r := range c.dirty {
		r.wake()
		c.dirty[i] = nil
	}
	c.dirty = c.dirty[:0]
	c.now = time.Time{}
}

// broken queues the error that names the protocol fault and returns it.
func (c *Conn) broken(code, message, hint string) error {
	f := &wire.Fault{Code: code, Message: message, Hint: hint}
	c.Fault(f)
	return f
}

// Fault tells the peer what was wrong and takes nothing more from it. A
// transport calls it for bytes that do not decode, then closes after Next has
// given everything. An err that is a [*wire.Fault] is told as it is.
func (c *Conn) Fault(err error) {
	var f *wire.Fault
	if !errors.As(err, &f) {
		f = &wire.Fault{Code: "bad_frame", Message: err.Error()}
	}
	if c.ended.CompareAndSwap(false, true) {
		c.hub.count(f.Code)
		c.fault(f, 0)
	}
}

// fault queues an error frame.
func (c *Conn) fault(f *wire.Fault, id uint64) {
	c.control(&wire.Envelope{Kind: wire.KindError, ID: id, Args: wire.EncodeBody(f)})
}

// end closes the connection once what waits has been sent.
func (c *Conn) end() {
	c.ended.Store(true)
	c.t.Close()
}

// bye tells the peer why the connection ends, and ends it.
func (c *Conn) bye(reason string) {
	c.control(&wire.Envelope{Kind: wire.KindBye, Args: wire.EncodeBody([]string{reason})})
	c.end()
}

// leaving is the peer's goodbye. With the event "forget" its session ends too.
func (c *Conn) leaving(e *wire.Envelope) {
	if c.sess != nil && string(e.Event) == "forget" {
		c.hub.mu.Lock()
		c.sess.keep = false
		c.hub.queue.Put(tableSessions, wire.Hex16(c.sess.id), nil)
		c.hub.mu.Unlock()
	}
	reason := "client left"
	var args []string
	if json.Unmarshal(e.Args, &args) == nil && len(args) > 0 && args[0] != "" {
		reason += ": " + args[0]
	}
	c.Detach(reason)
	c.end()
}

// consumed moves the member's durable cursor: it handled everything up to Seq.
func (c *Conn) consumed(e *wire.Envelope) error {
	f := c.feed(e.Namespace, e.Room)
	if f == nil {
		return nil // it left meanwhile
	}
	m := f.m
	if sent := m.sent.Load(); e.Seq > sent {
		return c.broken("bad_consumed", fmt.Sprintf("consumed %d in %q, but only %d was sent", e.Seq, e.Room, sent), "")
	}
	before := m.acked.Load()
	if m.sess.keep && raise(&m.acked, e.Seq) {
		m.trace.add(traceAcked, before, e.Seq)
		m.sess.dirty.Store(true)
		if until := m.until.Load(); until != 0 && e.Seq >= until {
			c.hub.mu.Lock()
			if m.sess.members[m.room.key] == m {
				delete(m.sess.members, m.room.key)
			}
			c.hub.mu.Unlock()
		}
	}
	return nil
}

// feed returns the connection's feed in a room, nil if it is not a member.
func (c *Conn) feed(namespace, room []byte) *feed {
	if f := c.latest; f != nil && !f.gone.Load() && string(room) == f.m.room.name && string(namespace) == f.m.room.key.Namespace {
		return f
	}
	c.hub.mu.Lock()
	f := c.feeds[missed.Key{Namespace: string(namespace), Room: string(room)}]
	c.hub.mu.Unlock()
	if f != nil {
		c.latest = f
	}
	return f
}

// MACKey returns the key from which both ends derive the MACs of a UDP
// session, or nil where the server has no join key. It is set once Receive
// has taken a good Connect.
func (c *Conn) MACKey() []byte { return c.macKey }

// Session returns the connection's session, nil before Connect.
func (c *Conn) Session() *Session {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return c.sess
}

// Detach says that the connection is gone. Its session stays, if it is one to
// keep; the member leaves all rooms otherwise. Later calls do nothing.
func (c *Conn) Detach(reason string) {
	h := c.hub
	c.ended.Store(true)
	h.mu.Lock()
	if c.off {
		h.mu.Unlock()
		return
	}
	c.off = true
	var sockets []*Socket
	for _, ns := range sortedKeys(c.sockets) {
		sockets = append(sockets, c.sockets[ns])
	}
	h.mu.Unlock()
	for _, s := range sockets {
		if h.cfg.Hooks.Disconnecting != nil {
			h.cfg.Hooks.Disconnecting(s, reason)
		}
	}
	var post hooks
	h.mu.Lock()
	h.detach(c, reason, &post)
	for _, s := range sockets {
		if h.cfg.Hooks.Disconnect != nil {
			post.then(func() { h.cfg.Hooks.Disconnect(s, reason) })
		}
	}
	h.mu.Unlock()
	h.pending.gone(c)
	post.run()
}

// detach takes c out of the hub. Hub.mu is held.
func (h *Hub) detach(c *Conn, reason string, post *hooks) {
	if _, ok := h.conns[c]; !ok {
		return
	}
	delete(h.conns, c)
	h.stats.add(c)
	s := c.sess
	if s == nil {
		h.halfOpen--
		return
	}
	for _, f := range c.feeds {
		f.stop()
	}
	for name, sock := range c.sockets {
		h.dropSocket(sock, post)
		delete(c.sockets, name)
	}
	if s.conn != c {
		return // fenced off: the session lives on another connection
	}
	s.conn = nil
	s.since = time.Now()
	s.retransmit.Add(c.notes[NoteRetransmit].Load())
	if !s.keep {
		h.notifyAll(s, "member_left", reason, post)
		h.endSession(s, post)
		return
	}
	h.notifyAll(s, "member_away", reason, post)
	h.save(s)
}
