package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"wirelab/internal/wire"
)

const (
	firstDelay   = time.Second // before the first attempt to come back; doubles up to
	lastDelay    = 5 * time.Second
	settled      = 5 * time.Second // a connection that held so long was a good one
	setupTime    = 10 * time.Second
	farewellTime = 2 * time.Second // for what still has to be sent before leaving
	closeTime    = 300 * time.Millisecond
	pingEvery    = 5 * time.Second // while somebody asks for Stats
	askedLately  = 12 * time.Second
)

// A live is one connection. Client.mu guards its fields.
type live struct {
	link    Link
	work    sync.WaitGroup // reader and writer
	kick    chan struct{}  // something to write
	ended   chan struct{}  // closed when dead is set
	drained chan struct{}  // closed when everything was sent before leaving

	dead    bool // the link is of no use any more, because of err
	err     error
	reason  *Refusal // what the server said before
	resumed bool
	reorder bool      // the transport may change the order of events
	loose   bool      // events may overtake control frames
	since   time.Time // connected, or ungated
	heard   time.Time
	stuck   bool // the reader waits for the callbacks

	gated    bool            // nothing is sent before SaveState has the new secret
	barrier  uint64          // id of the PING after which everything before it has come; 0: it has
	open     bool            // in all spaces and rooms: emits may go
	setup    int             // answers that are awaited before that
	entering map[string]bool // namespaces that Enter asks for
	leaving  bool            // send everything, then BYE, then nothing
	left     bool            // BYE was handed to the writer
	control  []byte          // encoded control frames, to be sent before emits
	batch    int             // emits without an answer in what the writer has now

	early map[*room][]*Event // that came before their room\'s CURSOR
}

// errAway ends a connection that the client leaves on purpose.
var errAway = errors.New("offline on purpose")

// stay connects, and comes back until there is no sense in it any more.
func (c *Client) stay(ctx context.Context) error {
	for {
		if !c.rest(ctx) {
			return context.Cause(ctx)
		}
		c.mu.Lock()
		c.attempt++
		c.report(Status{Kind: StatusConnecting, Attempt: c.attempt})
		c.mu.Unlock()
		l, err := c.connect(ctx)
		if err == nil {
			err = c.attend(ctx, l)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !c.comeBack(err) {
			return err
		}
	}
}

// comeBack says whether to connect again after err, and sets when.
func (c *Client) comeBack(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.absence != nil || err == errAway {
		c.failures, c.notBefore = 0, time.Time{}
		return true
	}
	c.failures++
	delay := lastDelay
	if c.failures <= 3 {
		delay = min(lastDelay, firstDelay<<(c.failures-1))
	}
	// Half of it is chance: members that were cut off together do not come
	// back together.
	delay = delay/2 + rand.N(delay/2)
	again := c.cfg.Reconnect && c.met
	var r *Refusal
	if errors.As(err, &r) {
		switch {
		case (r.Code == "bad_session" || r.Code == "bad_secret") && c.session != "":
			// The server tells in each room's cursor what this client can
			// no longer have.
			c.session, c.secret = "", ""
			c.report(Status{Kind: StatusNotice, Err: r})
			c.notBefore = time.Time{}
			return true
		case r.Code == "name_taken":
			// It may be this client's own former connection, which the server
			// has not found dead yet.
			again = again && c.session == "" && time.Since(c.lostAt) < c.ghost(r)
			delay = max(delay, r.RetryAfter)
		case r.RetryAfter > 0 || slices.Contains([]string{"closing", "store"}, r.Code):
			delay = max(delay, r.RetryAfter)
		default:
			again = false
		}
	}
	if again {
		c.notBefore = time.Now().Add(delay)
		c.report(Status{Kind: StatusDisconnected, Attempt: c.attempt, Err: err, Retry: delay})
	}
	return again
}

// ghost is how long after the end of a connection the server may still hold it
// for alive: until its heartbeat ends or, if it says when to ask again as it
// has probed the holder, until it must know.
func (c *Client) ghost(r *Refusal) time.Duration {
	const slack = 2 * time.Second
	if r.RetryAfter > 0 {
		return min(c.heartbeat, 3*r.RetryAfter) + slack
	}
	return c.heartbeat + slack
}

// rest waits until it is time for the next attempt, and returns false if ctx
// ended before. It is Run's loop while there is no connection.
func (c *Client) rest(ctx context.Context) bool {
	var said *absence
	for {
		c.mu.Lock()
		now := time.Now()
		c.expire(now)
		next := c.notBefore
		if a := c.absence; a != nil && !a.until.IsZero() && !now.Before(a.until) {
			c.absence, c.notBefore = nil, time.Time{}
		}
		a := c.absence
		if a == nil && !now.Before(c.notBefore) {
			c.mu.Unlock()
			return ctx.Err() == nil
		}
		if a != nil {
			next = a.until
			if a != said {
				said = a
				st := Status{Kind: StatusOffline}
				if !a.until.IsZero() {
					st.Retry = a.until.Sub(now)
				}
				c.report(st)
			}
		}
		next = earlier(next, c.nextAck)
		c.mu.Unlock()
		if !c.sleep(ctx, next, nil) {
			return false
		}
	}
}

// attend is Run's loop while there is a connection. It returns why that ended,
// after the connection's goroutines did.
func (c *Client) attend(ctx context.Context, l *live) error {
	err := c.watch(ctx, l)
	if ctx.Err() != nil || err == errAway {
		c.farewell(ctx, l)
	}
	c.fail(l, err)
	if e := l.link.Close(); e != nil {
		c.log.Debug("closing the link", "err", e)
	}
	l.work.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = nil
	c.lostLink(l)
	c.lostAt = time.Now()
	if time.Since(l.since) >= settled {
		c.failures = 0
	}
	c.signal()
	return err
}

// watch returns why the connection should end, or has ended.
func (c *Client) watch(ctx context.Context, l *live) error {
	for {
		c.mu.Lock()
		now := time.Now()
		c.expire(now)
		silence := now.Sub(l.heard)
		switch {
		case l.dead:
			err := l.err
			if l.reason != nil && !l.reason.final() {
				err = fmt.Errorf("closed by the server: %s", l.reason.Message)
			}
			c.mu.Unlock()
			return err
		case c.absence != nil:
			c.mu.Unlock()
			return errAway
		case !l.open && !l.gated && now.Sub(l.since) >= setupTime:
			c.mu.Unlock()
			return fmt.Errorf("the server did not let the client into its rooms within %v", setupTime)
		case !l.stuck && silence >= c.heartbeat:
			c.mu.Unlock()
			return fmt.Errorf("the server was silent for %v", silence.Round(time.Millisecond))
		}
		next := earlier(c.nextAck, l.heard.Add(c.heartbeat))
		if l.stuck {
			next = earlier(c.nextAck, now.Add(c.heartbeat))
		}
		if !l.open {
			next = earlier(next, l.since.Add(setupTime))
		}
		if now.Before(c.hold) {
			next = earlier(next, c.hold)
		} else if !c.hold.IsZero() {
			c.hold = time.Time{}
			c.kick()
		}
		if now.Sub(c.asked) < askedLately {
			if now.Sub(c.pingSent) >= pingEvery {
				c.pingID++
				c.pingSent = now
				c.control(l, appendFrame(nil, &wire.Envelope{Kind: wire.KindPing, ID: c.pingID}))
			}
			next = earlier(next, c.pingSent.Add(pingEvery))
		}
		c.mu.Unlock()
		if !c.sleep(ctx, next, l.ended) {
			return context.Cause(ctx)
		}
	}
}

// sleep waits until next (zero: without end), a poke, or ended. It returns
// false if ctx ended.
func (c *Client) sleep(ctx context.Context, next time.Time, ended <-chan struct{}) bool {
	var timer <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-c.wake:
	case <-ended:
	case <-timer:
	}
	return ctx.Err() == nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// farewell tells the server what was handled, sends what waits and says
// goodbye, within farewellTime. With Cut it does nothing.
func (c *Client) farewell(ctx context.Context, l *live) {
	c.mu.Lock()
	if l.dead || c.absence != nil && c.absence.cut && ctx.Err() == nil {
		c.mu.Unlock()
		return
	}
	if ctx.Err() != nil {
		c.discard = true
	}
	flushed := make(chan struct{})
	c.flushed = flushed
	c.mu.Unlock()
	c.hurry(c.work)

	t := time.NewTimer(farewellTime)
	defer t.Stop()
	half := time.NewTimer(farewellTime / 2) // a callback may be at work for long
	defer half.Stop()
	select {
	case <-flushed:
	case <-half.C:
	case <-l.ended:
	}
	c.mu.Lock()
	l.leaving = true
	c.kick()
	c.signal()
	c.mu.Unlock()
	select {
	case <-l.drained:
	case <-l.ended:
		return
	case <-t.C:
		return
	}
	// The server closes after the goodbye. To wait for that lets the reader
	// take what still comes: a socket that is closed with unread bytes resets
	// the connection, and the goodbye may be lost with it.
	last := time.NewTimer(closeTime)
	defer last.Stop()
	select {
	case <-l.ended:
	case <-last.C:
	}
}

// fail marks the link as useless and wakes everybody who waits for it.
func (c *Client) fail(l *live, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.dead {
		return
	}
	l.dead, l.err = true, err
	close(l.ended)
	c.roomy.Broadcast()
	c.signal()
}

// read is the link's reading goroutine.
func (c *Client) read(l *live) {
	for {
		e, _, err := l.link.Receive()
		if err != nil {
			c.fail(l, fmt.Errorf("connection lost: %w", err))
			return
		}
		if err := c.receive(l, &e); err != nil {
			c.fail(l, err)
			return
		}
	}
}

// write is the link's writing goroutine.
func (c *Client) write(l *live) {
	var buf []byte
	for {
		c.mu.Lock()
		if l.dead {
			c.mu.Unlock()
			return
		}
		buf = c.take(l, buf[:0], time.Now())
		last := l.left
		c.roomy.Broadcast()
		c.mu.Unlock()
		if len(buf) > 0 {
			if err := send(l.link, buf); err != nil {
				c.mu.Lock()
				c.stats.SendLost += uint64(l.batch)
				c.mu.Unlock()
				c.fail(l, fmt.Errorf("connection lost: %w", err))
				return
			}
		}
		switch {
		case last:
			close(l.drained)
			return
		case len(buf) == 0:
			select {
			case <-l.kick:
			case <-l.ended:
			}
		case cap(buf) > 4*writeBatch:
			buf = nil
		}
	}
}

// send hands frames to the link, at once if it can take several.
func send(link Link, frames []byte) error {
	if b, ok := link.(BatchLink); ok {
		return b.SendBatch(frames)
	}
	for len(frames) > 0 {
		envelope, rest, err := wire.SplitFrame(frames)
		if err != nil || envelope == nil {
			panic(fmt.Sprint("client: made a frame that is none: ", err))
		}
		if err := link.Send(frames[:len(frames)-len(rest)]); err != nil {
			return err
		}
		frames = rest
	}
	return nil
}

// control queues control frames on l if that is still the link. c.mu is held.
func (c *Client) control(l *live, frames []byte) {
	if l == nil || l != c.live || l.dead || l.left {
		return
	}
	l.control = append(l.control, frames...)
	c.hurry(l.kick)
}

// kick makes the writer look. c.mu is held.
func (c *Client) kick() {
	if c.live != nil {
		c.hurry(c.live.kick)
	}
}
