// Package client is the engine of a chat client: it connects, comes back,
// resumes, keeps order, drops duplicates and tells of every hole. It opens no
// socket: a transport hands it a [Dial].
//
// What an emit is worth depends on how it is made. Emit and Volatile are at
// most once. EmitRetry is at least once, and as the server knows a message id
// that it has seen, effectively once. What arrives is, with a session
// (Config.Queue), at least once within the server's retention, and as the
// client drops what it has seen, effectively once: OnEvent sees an event
// again only if this process ended before SaveState was called for it, and
// then with Redelivered set. Anything lost is reported as [StatusLost].
//
// Order is total within a room. Between rooms there is none.
//
// A running client has four goroutines: Run itself with all timers, one that
// makes the callbacks, and per connection a reader and a writer. Run waits for
// all of them. Every queue is bounded: emits by Config.OfflineLimit and 8 MiB,
// awaited answers by 4,096, events that wait for OnEvent by 1,024 and 4 MiB;
// then the client stops reading, and the rest waits in the server's log.
package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config says who a client is and what it does. Dial and Name are required.
type Config struct {
	Dial      Dial
	Name      string
	Namespace string   // empty is the default namespace
	Rooms     []string // joined at once, and again after every reconnect
	Key       string   // the join key; if set, a server that does not know it is refused

	// Queue asks for a session: the server keeps what this client misses and
	// sends it when it comes back. State, if not nil, resumes one.
	Queue bool
	State *State
	// SaveState is called with what must be remembered to resume: after every
	// connect, and before the server is told that events were handled.
	SaveState func(State)

	// OnEvent handles an event. For one with AckWanted its result is the
	// answer, marshalled as JSON; nil answers "ok". It may emit and wait for
	// answers, but while it runs no other callback does.
	OnEvent func(Event) any
	// OnStatus is told of every change. It, OnEvent and SaveState are called
	// from one goroutine, in order. They must not call Close, nor wait for
	// Run to end.
	OnStatus func(Status)
	Tap      Tap

	Reconnect    bool          // come back after a lost connection; else Run ends with it
	AckTimeout   time.Duration // if zero, 10 s
	OfflineLimit int           // emits that wait for the connection at most; if zero, 1000
	Logger       *slog.Logger  // if nil, nothing is logged
}

// A Client is a member of a chat server. Its methods may be called from any
// goroutine; those of [Space] act in the namespace of the Config.
type Client struct {
	*Space
	cfg Config
	log *slog.Logger

	wake chan struct{} // something to do for Run
	work chan struct{} // something to do for the dispatcher
	stop context.CancelCauseFunc
	done chan struct{} // closed when Run has returned

	mu      sync.Mutex
	roomy   sync.Cond     // the dispatcher or the writer took something
	changed chan struct{} // closed at the next change of state; nil: nobody waits
	running bool
	closed  bool // Close was called
	over    bool // Run ends: nothing is taken any more
	forget  bool // the goodbye ends the session
	discard bool // what was not handled yet is not handed over any more
	err     error

	name, session, secret, server, remote string
	rooms                                 map[roomKey]*room
	roomOrder                             []*room // sorted; nil: to be made again
	names                                 map[string]string
	spaces                                []*Space

	live      *live
	attempt   int       // to connect, since the last connection
	failures  int       // connections that did not hold, or were not made, in a row
	met       bool      // connected once at least
	lostAt    time.Time // when the last connection ended
	notBefore time.Time // the next attempt
	heartbeat time.Duration
	absence   *absence

	firstID, nextID uint64
	out             []emit
	outBytes        int
	retries         []*Pending // the first is in flight if inFlight
	inFlight        bool
	hold            time.Time // no emit before: the server asked for it
	acks            map[uint64]*Pending
	nextAck         time.Time // when to look at acks' deadlines

	queue          []item
	unhandled      int
	unhandledBytes int
	unsaved        bool // something was handled, or the secret changed
	flushSoon      bool
	flushed        chan struct{} // somebody waits for a flush
	flushedAt      time.Time

	asked    time.Time // Stats was called
	pingID   uint64
	pingSent time.Time
	rtt      time.Duration
	stats    Stats
}

// An absence is time that the client is offline on purpose.
type absence struct {
	until time.Time // zero: until Online
	cut   bool      // without a goodbye
}

// New returns a client. Nothing happens before Run.
func New(cfg Config) *Client {
	cfg.AckTimeout = cmp.Or(cfg.AckTimeout, 10*time.Second)
	cfg.OfflineLimit = cmp.Or(cfg.OfflineLimit, 1000)
	c := &Client{
		cfg: cfg, log: cfg.Logger,
		wake: make(chan struct{}, 1), work: make(chan struct{}, 1), done: make(chan struct{}),
		name:  cfg.Name,
		rooms: make(map[roomKey]*room), acks: make(map[uint64]*Pending), names: make(map[string]string),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.roomy.L = &c.mu
	var seed [8]byte
	rand.Read(seed[:]) // never fails
	c.firstID = max(binary.BigEndian.Uint64(seed[:]), 1)
	c.nextID = c.firstID
	c.Space = &Space{c: c, name: cfg.Namespace, rooms: make(map[string]bool)}
	c.spaces = []*Space{c.Space}
	for _, r := range cfg.Rooms {
		c.Space.rooms[r] = true
	}
	if cfg.State != nil {
		c.restore(cfg.State)
	}
	return c
}

// restore takes over what SaveState was given.
func (c *Client) restore(st *State) {
	c.session, c.secret = st.Session, st.Secret
	c.name = cmp.Or(c.name, st.Name)
	for _, rs := range st.Rooms {
		r := c.room(rs.Namespace, rs.Room)
		r.place(rs.Epoch, rs.Seq)
		c.space(rs.Namespace).known(rs.Room)
	}
}

// Run connects and stays until ctx ends or Close is called, the server refuses
// (a [*Refusal]) or, without Reconnect, the connection is lost. A first
// attempt that fails ends it, too. It returns nil after Close and else the
// reason. Run works once.
func (c *Client) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.mu.Lock()
	if c.running || c.closed {
		defer c.mu.Unlock()
		if c.closed {
			return ErrClosed
		}
		return errors.New("client: Run was called twice")
	}
	c.running, c.stop = true, stop
	c.mu.Unlock()

	var callbacks sync.WaitGroup
	callbacks.Go(c.dispatch)
	err := c.stay(ctx)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == ErrClosed {
		err = nil
	}

	c.mu.Lock()
	c.err = err
	c.end()
	st := Status{Kind: StatusClosed, Err: err}
	if r := (*Refusal)(nil); errors.As(err, &r) {
		c.report(Status{Kind: StatusRefused, Err: err})
	}
	c.report(st)
	c.over = true
	c.roomy.Broadcast()
	c.signal()
	c.mu.Unlock()
	c.hurry(c.work)
	callbacks.Wait()
	close(c.done)
	return err
}

// end gives up everything that waits. c.mu is held.
func (c *Client) end() {
	c.discard = true
	for _, p := range c.acks {
		c.resolve(p, Ack{}, ErrClosed)
	}
	for len(c.retries) > 0 {
		c.resolve(c.retries[0], Ack{}, ErrClosed)
	}
	c.out, c.outBytes = nil, 0
}

// Forget ends the session on the server, which frees the name and what waits,
// and closes the client.
func (c *Client) Forget() error {
	c.mu.Lock()
	c.forget = true
	c.mu.Unlock()
	return c.Close()
}

// Close says goodbye, ends Run and waits for it. Emits that can be sent are
// sent before; answers that are awaited fail with [ErrClosed]. Events that
// were not handled yet come again at the next resume. It is not for callbacks.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	running, stop := c.running, c.stop
	if !running {
		c.over = true
		c.end()
		c.signal()
	}
	c.mu.Unlock()
	if running {
		stop(ErrClosed)
		<-c.done
	}
	return nil
}

// Ready waits until the client is connected and in its rooms and, with a
// session, until it is certain that the server keeps what is missed from now
// on. It returns Run's error if that ended first.
func (c *Client) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		switch {
		case c.online():
			c.mu.Unlock()
			return nil
		case c.over:
			err := cmp.Or(c.err, ErrClosed)
			c.mu.Unlock()
			return err
		}
		changed := c.changes()
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reachable reports whether the server can be asked something. c.mu is held.
func (c *Client) reachable() bool {
	l := c.live
	return l != nil && !l.dead && !l.leaving
}

// online reports whether emits go out. c.mu is held.
func (c *Client) online() bool { return c.reachable() && c.live.open }

// Offline says goodbye to the server and stays away for d, or until Online if
// d is 0. Emits are kept meanwhile.
func (c *Client) Offline(d time.Duration) { c.goAway(d, false) }

// Cut drops the connection without a goodbye, as a broken cable does, and
// stays away for d, or until Online if d is 0. Events that were handled but
// not reported to the server yet are delivered again and dropped here.
func (c *Client) Cut(d time.Duration) { c.goAway(d, true) }

func (c *Client) goAway(d time.Duration, cut bool) {
	a := &absence{cut: cut}
	if d > 0 {
		a.until = time.Now().Add(d)
	}
	c.mu.Lock()
	c.absence = a
	c.mu.Unlock()
	c.poke()
}

// Online ends Offline and Cut, and cuts a wait before the next attempt short.
func (c *Client) Online() {
	c.mu.Lock()
	c.absence, c.notBefore, c.failures = nil, time.Time{}, 0
	c.mu.Unlock()
	c.poke()
}

// Name returns the client's name, as the server wrote it.
func (c *Client) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// changes returns a channel that is closed at the next change. c.mu is held.
func (c *Client) changes() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// signal tells those who wait for a change. c.mu is held.
func (c *Client) signal() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// poke makes Run look at its timers and at what was asked of it.
func (c *Client) poke() { c.hurry(c.wake) }

func (c *Client) hurry(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
