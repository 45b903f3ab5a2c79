package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

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
	sockets []*Socket // by namespace
	off     bool      // detached

	heard  atomic.Int64 // when the peer was last heard, in ns since 1970
	pinged atomic.Int64
	probed atomic.Int64 // when it was asked whether it is still there; 0: not
	rtt    atomic.Int64 // ns
	notes  [noteEnd]atomic.Uint64
	ended  atomic.Bool // is being closed: nothing more is taken in

	// The reading goroutine's own.
	now    time.Time    // of the batch in hand; zero between batches
	dirty  []*Room      // published to since the last Flush
	latest [2]*feed     // of the rooms named last, the newest first
	bucket bucket       // of events
	sender []byte       // the session's name, in the bytes of
	name   *string      // this
	others *missed.Mark // everyone but this session; nil until needed
	tries  int          // refused Connects
	fresh  bool         // Connected was sent and the client not heard since

	mu          sync.Mutex
	queue       [][]byte // control frames that wait; before any event
	bytes       int      // of queue
	first, last *feed    // the list of those that have something to read
	goodbye     []byte   // comes when nothing else is left
	mute        bool     // no more events
	awake       bool     // the transport was told and has not yet come back empty
	held        bool     // nothing is handed out for now
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
	if f.queued || c.mute {
		c.mu.Unlock()
		return
	}
	c.line(f)
	c.rouse()
}

// line puts f at the end of the ready ones. c.mu is held.
func (c *Conn) line(f *feed) {
	f.queued = true
	if c.last == nil {
		c.first = f
	} else {
		c.last.next = f
	}
	c.last = f
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
			c.hub.faults.add("control")
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
func (c *Conn) offer(frame []byte) bool { return c.spare(frame, 0) }

// spare queues a frame that may be dropped: it is if the connection has more
// than room bytes waiting, or, with no room at all, anything.
func (c *Conn) spare(frame []byte, room int) bool {
	c.mu.Lock()
	if c.awake && c.bytes >= room || c.mute || c.ended.Load() {
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
	if max < 1 {
		max = 1
	}
	c.mu.Lock()
	if c.held {
		c.awake = false
		c.mu.Unlock()
		return dst, false
	}
	for {
		if len(c.queue) > 0 {
			dst = append(dst, c.queue...)
			n += c.bytes
			clear(c.queue)
			c.queue, c.bytes = c.queue[:0], 0
		}
		f := c.first
		if f == nil || n >= max && len(dst) > before {
			break
		}
		if c.first = f.next; c.first == nil {
			c.last = nil
		}
		f.next, f.queued = nil, false
		if c.mute {
			continue
		}
		c.mu.Unlock()
		var more bool
		dst, n, more = f.pull(dst, n, max)
		c.mu.Lock()
		if more && !f.queued && !f.gone() {
			c.line(f)
		}
	}
	if c.goodbye != nil && len(dst) == before {
		dst = append(dst, c.goodbye)
		c.goodbye = nil
	}
	some := len(dst) > before
	if !some {
		c.awake = false
		c.queue = nil // who sleeps needs no room for frames
	}
	c.mu.Unlock()
	return dst, some
}

// Receive takes one envelope from the peer; it copies what it keeps, and may
// change e. An error means that the peer broke the protocol: it has been told,
// and the transport sends what Next still gives, then closes.
func (c *Conn) Receive(e *wire.Envelope) error {
	err := c.receive(e)
	if err != nil {
		c.Flush() // what came before the fault counts
	}
	return err
}

func (c *Conn) receive(e *wire.Envelope) error {
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
		if f := c.limited(); f != nil {
			c.hub.faults.add(f.Code)
			c.fault(f, nil, 0)
			return nil
		}
		c.control(&wire.Envelope{Kind: wire.KindPong, ID: e.ID})
		return nil
	case wire.KindPong:
		if d := time.Since(time.UnixMicro(int64(e.ID))); d >= 0 && d < time.Minute {
			c.SetRTT(d)
		}
		return nil
	case wire.KindConnect:
		d := *e // so that no other envelope is moved to the heap
		return apart(func() error { return c.connect(&d) })
	case wire.KindBye:
		c.leaving(e)
		return nil
	}
	return c.broken("bad_kind", "a client does not send "+e.Kind.String(), "")
}

// apart runs fn on a goroutine of its own and waits. Connecting and answering
// requests goes deep (JSON, handlers), and a stack that grew for it stays grown
// for as long as the reading goroutine then idles: 8 KiB instead of 2 for each
// of ten thousand members.
func apart(fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return <-done
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

// end closes the connection once what waits has been sent.
func (c *Conn) end() {
	c.ended.Store(true)
	c.t.Close()
}

// bye ends the connection. The peer is told why, after what its rooms hold.
func (c *Conn) bye(reason string) {
	frame := encode(&wire.Envelope{Kind: wire.KindBye, Args: wire.EncodeBody([]string{clip(reason)})})
	c.mu.Lock()
	c.goodbye = frame
	c.rouse()
	c.end()
}

// leaving is the peer's goodbye. With the event "forget" its session ends too.
func (c *Conn) leaving(e *wire.Envelope) {
	if s := c.sess; s != nil && string(e.Event) == "forget" {
		c.hub.mu.Lock()
		if s.conn == c {
			s.over = true
		}
		c.hub.mu.Unlock()
	}
	reason := "client left"
	var args []string
	if json.Unmarshal(e.Args, &args) == nil && len(args) > 0 && args[0] != "" {
		reason += ": " + clip(args[0])
	}
	c.Flush()
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
	epoch, ok := epochOf(e.Args)
	if !ok {
		return c.broken("bad_consumed", "the body of consumed must be empty or name the epoch", "")
	}
	if epoch != 0 && epoch != m.room.log.Epoch() {
		return nil // about a log that this room had before
	}
	if sent := m.sent.Load(); e.Seq > sent {
		if epoch == 0 {
			c.hub.faults.add("bad_consumed")
			return nil // the same, perhaps
		}
		return c.broken("bad_consumed", fmt.Sprintf("consumed %d in %q, but only %d was sent", e.Seq, e.Room, sent), "")
	}
	before := m.acked.Load()
	if m.sess.keep && raise(&m.acked, e.Seq) {
		m.trace.add(traceAcked, before, e.Seq)
		m.sess.dirty.Store(true)
		if until := m.until.Load(); until != 0 && e.Seq >= until {
			c.hub.drained(m)
		}
	}
	return nil
}

// epochOf reads the body of Consumed: empty, or {"epoch":"16 hex digits"}.
func epochOf(args []byte) (epoch uint64, ok bool) {
	if len(args) == 0 {
		return 0, true
	}
	var body struct {
		Epoch wire.Epoch `json:"epoch"`
	}
	const front, back = `{"epoch":"`, `"}`
	if s := string(args); len(s) == len(front)+16+len(back) && s[:len(front)] == front && s[len(s)-len(back):] == back {
		// As every client of ours writes it.
		if n, err := strconv.ParseUint(s[len(front):len(front)+16], 16, 64); err == nil {
			return n, true
		}
	}
	if err := json.Unmarshal(args, &body); err != nil {
		return 0, false
	}
	return uint64(body.Epoch), true
}

// drained forgets a removed member that has read, and if it can, acknowledged
// everything up to its end.
func (h *Hub) drained(m *Member) {
	var post hooks
	h.mu.Lock()
	if m.ended && (!m.sess.keep || m.acked.Load() >= m.until.Load()) {
		h.finish(m, &post)
	}
	h.mu.Unlock()
	post.run()
}

// feed returns the connection's feed in a room, nil if it is not a member.
func (c *Conn) feed(namespace, room []byte) *feed {
	for i, f := range c.latest {
		if f != nil && string(room) == f.m.room.name && string(namespace) == f.m.room.key.Namespace && !f.gone() {
			if i > 0 {
				c.latest[0], c.latest[1] = f, c.latest[0]
			}
			return f
		}
	}
	c.hub.mu.Lock()
	var f *feed
	if m := c.sess.member(string(namespace), string(room)); m != nil {
		f = m.feed
	}
	c.hub.mu.Unlock()
	if f == nil || f.conn != c || f.gone() {
		return nil
	}
	c.latest[0], c.latest[1] = f, c.latest[0]
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
	sockets := slices.Clone(c.sockets)
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
	s.stopFeeds(c)
	for _, sock := range c.sockets {
		h.dropSocket(sock, post)
	}
	c.sockets = nil
	if s.conn != c {
		return // fenced off: the session lives on another connection
	}
	s.conn = nil
	s.since = time.Now()
	s.retransmit.Add(c.notes[NoteRetransmit].Load())
	if !s.keep || s.over {
		h.notifyAll(s, "member_left", reason, post)
		h.endSession(s, reason, post)
		return
	}
	h.notifyAll(s, "member_away", reason, post)
	h.save(s)
}
