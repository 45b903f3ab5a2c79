// Package chat is the hub: namespaces, rooms, sessions, identities, emits,
// acknowledgements and the delivery ledger. It knows no socket: transports
// attach connections, hand in what arrives and pull what is to be sent.
//
// A room is a log of encoded frames and a member is a cursor into it. To
// publish is one append; to deliver is to read on from the cursor. Live
// members, slow members and members who come back after an absence are served
// by the same loop, [Conn.Next].
//
// Order is total within a room. Between rooms there is none.
//
// All methods may be called from any goroutine unless they say otherwise.
package chat

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"wirelab/internal/missed"
	"wirelab/internal/wire"
)

// A Config says how a hub behaves. The zero value of each field but Queue has
// a meaning, which its comment gives.
type Config struct {
	Queue      *missed.Queue // required: where events and sessions are kept
	Key        []byte        // join key; empty lets everybody in
	Namespaces []string      // besides the default one, ""
	Lobby      string        // a room that always exists; if empty, "lobby"
	Server     string        // named in the challenge; if empty, "wirelab"
	Hooks      Hooks
	Logger     *slog.Logger // if nil, nothing is logged

	// Admit is asked at every connect, resume and change of name. An error
	// refuses, and its text is shown to the client. If nil, everybody not
	// banned is admitted.
	Admit func(name string, info Info) error
	// Operators lists names that may kick and ban; only connections from the
	// server's own machine may take them. If empty, nobody may kick or ban from
	// the outside; the program still can.
	Operators []string

	ConnectTimeout time.Duration // until the first Connect; if zero, 10 s
	PingInterval   time.Duration // if zero, 25 s on TCP and 10 s on UDP
	PingTimeout    time.Duration // silence after a ping is death; if zero, 20 s
	SessionTTL     time.Duration // an absent session is kept for; if zero, 24 h

	Rate         float64 // events per second and connection; if zero, 50; negative: no limit
	Burst        int     // events at once; if zero, 100
	IdentityRate float64 // events per second and identity, over all its connections; if zero, twice Rate
	MaxHalfOpen  int     // connections before Connect; if zero, 256
	MaxConns     int     // if zero, 100,000
	MaxSessions  int     // absent and present; if zero, 100,000; beyond it the host with most absent ones loses the oldest
	MaxRooms     int     // rooms that one session may be in, at most 128; if zero, 64
	MaxAllRooms  int     // rooms that clients may make, over all namespaces; if zero, 10,000
	MaxPending   int     // acknowledgements awaited from one connection; if zero, 1,024
	MaxControl   int     // bytes of control frames waiting for one connection; if zero, 1 MiB
}

func (c *Config) setDefaults() {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	dur := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	if c.Lobby == "" {
		c.Lobby = "lobby"
	}
	if c.Server == "" {
		c.Server = "wirelab"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rate == 0 {
		c.Rate = 50
	}
	if c.IdentityRate == 0 {
		c.IdentityRate = 2 * c.Rate
	}
	dur(&c.ConnectTimeout, 10*time.Second)
	dur(&c.PingTimeout, 20*time.Second)
	dur(&c.SessionTTL, 24*time.Hour)
	def(&c.Burst, 100)
	def(&c.MaxHalfOpen, 256)
	def(&c.MaxConns, 100_000)
	def(&c.MaxSessions, 100_000)
	def(&c.MaxRooms, 64)
	def(&c.MaxAllRooms, 10_000)
	def(&c.MaxPending, 1024)
	def(&c.MaxControl, 1<<20)
}

// mostRooms is the most that Config.MaxRooms may say: a list of as many names,
// each byte of which JSON may escape in six, fits wire.MaxArguments.
const mostRooms = 128

// ErrClosed is returned by the methods of a closed hub.
var ErrClosed = errors.New("chat: the hub is closed")

// A Hub connects members to rooms. Make one with [New].
type Hub struct {
	cfg   Config
	queue *missed.Queue
	log   *slog.Logger
	began time.Time
	stats counters

	perConn, perIdentity rate

	faults tally

	// mu guards everything below and all membership: who is in which room,
	// which connection a session has. It is not taken to publish or deliver.
	// Order of locks: mu, then Room.mu, then the log's own, then Conn.mu.
	mu          sync.Mutex
	closed      bool
	namespaces  map[string]*Namespace
	conns       map[*Conn]struct{}
	publicRooms int
	halfOpen    int
	opening     []*Conn // the half-open ones, oldest first, and some that no longer are
	sessions    map[uint64]*Session
	names       map[string]*identity // by skeleton, and by lookKey
	bans        map[string]string    // skeleton and lookKey to reason
	pending     pendingAcks

	stop   chan struct{}
	ticker sync.WaitGroup
}

// New returns a hub on cfg.Queue, with the rooms and sessions that the queue
// has kept. Close it to end its one goroutine; the queue stays the caller's.
func New(cfg Config) (*Hub, error) {
	if cfg.Queue == nil {
		return nil, errors.New("chat: Config.Queue is required")
	}
	cfg.setDefaults()
	h := &Hub{
		cfg:        cfg,
		queue:      cfg.Queue,
		log:        cfg.Logger,
		began:      time.Now(),
		namespaces: make(map[string]*Namespace),
		conns:      make(map[*Conn]struct{}),
		sessions:   make(map[uint64]*Session),
		names:      make(map[string]*identity),
		bans:       make(map[string]string),
		stop:       make(chan struct{}),
	}
	h.pending.init(&h.faults)
	h.perConn = newRate(cfg.Rate, cfg.Burst)
	h.perIdentity = newRate(cfg.IdentityRate, 2*cfg.Burst)
	if cfg.MaxRooms > mostRooms {
		return nil, fmt.Errorf("chat: Config.MaxRooms is %d, at most %d: their names must fit one envelope", cfg.MaxRooms, mostRooms)
	}
	for _, name := range append([]string{""}, cfg.Namespaces...) {
		if len(name) > wire.MaxName {
			return nil, fmt.Errorf("chat: namespace of %d bytes, at most %d", len(name), wire.MaxName)
		}
		h.namespaces[name] = newNamespace(h, name)
	}
	h.queue.OnVisible(h.visible)
	if err := h.restore(); err != nil {
		return nil, err
	}
	for _, ns := range h.namespaces {
		ns.addRoom("").pinned = true
		ns.addRoom(cfg.Lobby).pinned = true
	}
	h.dropOrphans()
	h.ticker.Add(1)
	go h.tick()
	return h, nil
}

// Namespace returns the namespace of that name, or nil if there is none. The
// default namespace is "".
func (h *Hub) Namespace(name string) *Namespace {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.namespaces[name]
}

// Lobby returns the name of the room that always exists.
func (h *Hub) Lobby() string { return h.cfg.Lobby }

// Attach takes a new connection in. The client has to connect within
// Config.ConnectTimeout. Without a nonce the hub makes one and sends it as a
// challenge; a transport whose handshake has a nonce already hands that in.
// An error means that there are too many connections: close this one. Where it
// is the half-open ones that are too many, one of them may go instead.
func (h *Hub) Attach(t Transport, nonce []byte) (*Conn, error) {
	c := &Conn{hub: h, t: t, info: t.Info(), opened: time.Now()}
	h.mu.Lock()
	var out *Conn
	if h.halfOpen >= h.cfg.MaxHalfOpen && !h.closed {
		out = h.crowdOut(c)
	}
	switch {
	case h.closed:
		h.mu.Unlock()
		return nil, ErrClosed
	case h.halfOpen >= h.cfg.MaxHalfOpen && out == nil:
		h.faults.add("half_open")
		h.mu.Unlock()
		return nil, fmt.Errorf("chat: %d connections have not connected yet, at most %d", h.halfOpen, h.cfg.MaxHalfOpen)
	case len(h.conns) >= h.cfg.MaxConns && out == nil:
		h.faults.add("connections")
		h.mu.Unlock()
		return nil, fmt.Errorf("chat: %d connections, at most %d", len(h.conns), h.cfg.MaxConns)
	}
	h.halfOpen++
	h.conns[c] = struct{}{}
	h.waits(c)
	h.mu.Unlock()
	if out != nil {
		h.turnOut(out)
	}
	c.heard.Store(c.opened.UnixNano())
	c.nonce = nonce
	if nonce == nil {
		apart(c.challenge)
	}
	return c, nil
}

// challenge makes a nonce and queues it.
func (c *Conn) challenge() error {
	cfg := &c.hub.cfg
	c.nonce = random(wire.NonceSize)
	c.control(&wire.Envelope{Kind: wire.KindChallenge, Args: wire.EncodeBody(wire.Challenge{
		Nonce: fmt.Sprintf("%x", c.nonce), Key: len(cfg.Key) > 0, Server: cfg.Server,
	})})
	return nil
}

// NeedsKey reports whether clients must know the join key.
func (h *Hub) NeedsKey() bool { return len(h.cfg.Key) > 0 }

// visible is told by the queue that a durable commit moved a log's head.
func (h *Hub) visible(l *missed.Log) {
	if r, _ := l.Owner().(*Room); r != nil {
		r.wake()
	}
}

// Close tells every member why, closes the connections and ends the hub's
// goroutine. Sessions are saved; the queue stays open.
func (h *Hub) Close(reason string) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	conns := make([]*Conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	for _, s := range h.sessions {
		h.save(s)
	}
	h.mu.Unlock()
	close(h.stop)
	h.ticker.Wait()
	h.pending.failAll()
	for _, c := range conns {
		c.bye(reason)
	}
}

// tick is the hub's only goroutine: heartbeats, deadlines, expiry.
func (h *Hub) tick() {
	defer h.ticker.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-t.C:
			h.beat(now)
			h.queue.Expire(now)
		}
	}
}

// beat does what is due at now.
func (h *Hub) beat(now time.Time) {
	type ending struct {
		c      *Conn
		code   string
		reason string
	}
	var end []ending
	var ping []*Conn
	var post hooks
	h.mu.Lock()
	for c := range h.conns {
		interval := c.pingInterval()
		switch {
		case c.sess == nil:
			if now.Sub(c.opened) >= h.cfg.ConnectTimeout && !c.ended.Load() {
				end = append(end, ending{c, "connect_timeout", fmt.Sprintf("no connect within %v", h.cfg.ConnectTimeout)})
			}
		case c.unanswered(now):
			if !c.ended.Load() {
				end = append(end, ending{c, "ping_timeout", fmt.Sprintf("no answer within %v, and somebody asked for the name", probeTime)})
			}
		case now.UnixNano()-c.heard.Load() >= int64(interval+h.cfg.PingTimeout):
			if !c.ended.Load() {
				end = append(end, ending{c, "ping_timeout", fmt.Sprintf("nothing heard for %v", interval+h.cfg.PingTimeout)})
			}
		case now.UnixNano()-c.pinged.Load() >= int64(interval):
			ping = append(ping, c)
		}
	}
	for _, s := range h.sessions {
		if s.expired(now) {
			h.endSession(s, "away for too long", &post)
		} else if s.dirty.Swap(false) {
			h.save(s)
		}
	}
	rooms := h.failingRooms()
	h.mu.Unlock()
	post.run()
	for _, r := range rooms {
		r.tryAgain()
	}
	for _, e := range end {
		e.c.Fault(&wire.Fault{Code: e.code, Message: e.reason})
		e.c.end()
		e.c.Detach(e.reason)
	}
	for _, c := range ping {
		c.pinged.Store(now.UnixNano())
		c.control(&wire.Envelope{Kind: wire.KindPing, ID: uint64(now.UnixMicro())})
	}
}

// failingRooms returns those whose log could not be read. Hub.mu is held.
func (h *Hub) failingRooms() []*Room {
	var rooms []*Room
	for _, ns := range h.namespaces {
		for _, r := range ns.rooms {
			if r.failing.Load() {
				rooms = append(rooms, r)
			}
		}
	}
	return rooms
}

// unanswered reports whether a probe of the connection went without an answer.
func (c *Conn) unanswered(now time.Time) bool {
	probed := c.probed.Load()
	if probed != 0 && c.heard.Load() >= probed {
		c.probed.Store(0)
		return false
	}
	return probed != 0 && now.UnixNano()-probed >= int64(probeTime)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// randomID returns a random number that is not 0.
func randomID() uint64 {
	for {
		if n := binary.BigEndian.Uint64(random(8)); n != 0 {
			return n
		}
	}
}
