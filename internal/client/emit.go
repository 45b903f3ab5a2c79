package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wirelab/internal/wire"
)

const (
	// maxOutBytes caps the frames that wait for the connection, whatever
	// Config.OfflineLimit says.
	maxOutBytes = 8 << 20
	// maxPending caps the answers that are awaited at a time.
	maxPending = 4096
	// maxControl caps the bytes of control frames that wait for a link that
	// takes nothing. Beyond it the dispatcher waits, and pings stay unanswered.
	maxControl = 1 << 20
	// writeBatch is about how many bytes go to the link at once.
	writeBatch = 64 << 10
)

// A Pending is an emit whose answer is awaited.
type Pending struct {
	c     *Client
	id    uint64
	frame []byte
	retry bool // ask again until answered
	left  int  // tries left after the current one; negative: no end

	timeout time.Duration
	done    chan struct{}
	ack     Ack
	err     error

	// Client.mu guards these.
	resolved bool
	queued   bool      // waits to be sent
	live     *live     // the link it was sent on
	sent     time.Time // the last try
	deadline time.Time // zero: none
	tries    int
	then     func(Ack, error) // called with Client.mu held
}

// An emit is a frame that waits for the connection.
type emit struct {
	frame []byte
	p     *Pending // nil: nobody waits for an answer
}

// ID returns the message id.
func (p *Pending) ID() uint64 { return p.id }

// Done is closed when the answer is here, or it is certain that none comes.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait waits for the answer, or ctx. It does not give the answer up.
func (p *Pending) Wait(ctx context.Context) (Ack, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		select {
		case <-p.done:
		default:
			return Ack{}, ctx.Err()
		}
	}
	return p.ack, p.err
}

// Cancel gives the answer up. What was not sent yet is not sent any more; what
// was sent is not taken back.
func (p *Pending) Cancel() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.resolve(p, Ack{}, context.Canceled)
}

// resolve ends p, once. The answer is dropped if p has ended before. c.mu is held.
func (c *Client) resolve(p *Pending, ack Ack, err error) {
	if p.resolved {
		return
	}
	p.resolved = true
	delete(c.acks, p.id)
	switch {
	case p.retry:
		c.dropRetry(p)
	case p.queued:
		c.dropEmit(p)
	}
	p.queued = false
	p.ack, p.err = ack, err
	if p.then != nil {
		p.then(ack, err)
	}
	close(p.done)
}

func (c *Client) dropEmit(p *Pending) {
	for i := range c.out {
		if c.out[i].p == p {
			c.outBytes -= len(c.out[i].frame)
			c.out = append(c.out[:i], c.out[i+1:]...)
			c.signal()
			return
		}
	}
}

func (c *Client) dropRetry(p *Pending) {
	for i, q := range c.retries {
		if q == p {
			c.outBytes -= len(p.frame)
			c.retries = append(c.retries[:i], c.retries[i+1:]...)
			if i == 0 {
				c.inFlight = false
				c.kick() // the next one's turn
			}
			c.signal()
			return
		}
	}
}

// encodeArgs returns args as a JSON array. Unlike json.Marshal it leaves <, >
// and & as they are: people read this in the x-ray pane.
func encodeArgs(args []any) ([]byte, error) {
	if len(args) == 0 {
		return []byte("[]"), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(args); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// frame encodes m as it is sent from namespace ns.
func (m *Message) frame(ns string, id uint64) ([]byte, error) {
	args := m.Raw
	if args == nil && !m.Binary {
		var err error
		if args, err = encodeArgs(m.Args); err != nil {
			return nil, fmt.Errorf("emit %q: %w", m.Event, err)
		}
	}
	if !m.Binary {
		if err := wire.CheckArgs(args); err != nil {
			return nil, fmt.Errorf("emit %q: %w", m.Event, err)
		}
	}
	e := wire.Envelope{
		Kind: wire.KindEvent, ID: id, Namespace: []byte(ns), Room: []byte(m.Room),
		Event: []byte(m.Event), Args: args,
	}
	set := func(on bool, f wire.Flags) {
		if on {
			e.Flags |= f
		}
	}
	set(m.Ack || m.Retries != 0, wire.FlagAck)
	set(m.Volatile, wire.FlagVolatile)
	set(m.Binary, wire.FlagBinary)
	set(m.Broadcast, wire.FlagBroadcast)
	b, err := wire.AppendFrame(nil, &e)
	if err != nil {
		return nil, fmt.Errorf("emit %q: %w", m.Event, err)
	}
	return b, nil
}

// addFlag sets a flag in an encoded stream frame.
func addFlag(frame []byte, f wire.Flags) {
	const at = wire.LengthSize + 2
	binary.BigEndian.PutUint16(frame[at:], binary.BigEndian.Uint16(frame[at:])|uint16(f))
}

// takeID returns the next message id. c.mu is held.
func (c *Client) takeID() uint64 {
	id := c.nextID
	if c.nextID++; c.nextID == 0 {
		c.nextID = 1
	}
	return id
}

// ours reports whether the client gave the id to something. c.mu is held.
func (c *Client) ours(id uint64) bool { return id-c.firstID < c.nextID-c.firstID }

// post queues m. c.mu is held.
func (c *Client) post(s *Space, m *Message) (*Pending, error) {
	if c.over {
		return nil, ErrClosed
	}
	if m.Volatile && !c.online() {
		c.stats.VolatileDropped++
		return nil, fmt.Errorf("volatile %q dropped: %w", m.Event, ErrOffline)
	}
	wait := m.Ack || m.Retries != 0
	switch {
	case len(c.out)+len(c.retries) >= c.cfg.OfflineLimit:
		return nil, fmt.Errorf("%d emits wait for the connection, at most %d: %w", len(c.out)+len(c.retries), c.cfg.OfflineLimit, ErrFull)
	case c.outBytes >= maxOutBytes:
		return nil, fmt.Errorf("emits of %d bytes wait for the connection, at most %d: %w", c.outBytes, maxOutBytes, ErrFull)
	case wait && len(c.acks) >= maxPending:
		return nil, fmt.Errorf("%d answers are awaited, at most %d: %w", len(c.acks), maxPending, ErrFull)
	}
	id := c.takeID()
	frame, err := m.frame(s.name, id)
	if err != nil {
		return nil, err
	}
	p := &Pending{c: c, id: id, done: make(chan struct{}), timeout: m.Timeout, retry: m.Retries != 0, left: m.Retries}
	if p.timeout == 0 {
		p.timeout = c.cfg.AckTimeout
	}
	c.outBytes += len(frame)
	switch {
	case p.retry:
		p.queued, p.frame = true, frame
		c.retries = append(c.retries, p)
	case wait:
		p.queued = true
		p.deadline = time.Now().Add(p.timeout)
		c.await(p)
		c.out = append(c.out, emit{frame, p})
	default:
		p.resolved = true
		close(p.done)
		c.out = append(c.out, emit{frame, nil})
	}
	c.kick()
	return p, nil
}

// await registers p for its answer and its deadline. c.mu is held.
func (c *Client) await(p *Pending) {
	c.acks[p.id] = p
	if c.nextAck.IsZero() || p.deadline.Before(c.nextAck) {
		c.nextAck = p.deadline
		c.poke()
	}
}

// take moves what can be sent now to buf: control frames first, then emits in
// order, then the one emit with retries whose turn it is. c.mu is held.
func (c *Client) take(l *live, buf []byte, now time.Time) []byte {
	l.batch = 0
	if l.gated {
		return buf
	}
	buf = append(buf, l.control...)
	l.control = l.control[:0]
	if cap(l.control) > writeBatch {
		l.control = nil
	}
	idle := true
	if l.open && !now.Before(c.hold) {
		n := 0
		for n < len(c.out) && len(buf) < writeBatch {
			e := &c.out[n]
			buf = append(buf, e.frame...)
			c.outBytes -= len(e.frame)
			if e.p != nil {
				e.p.queued, e.p.live, e.p.sent, e.p.tries = false, l, now, 1
			} else {
				l.batch++
			}
			n++
		}
		c.stats.Sent += uint64(n)
		if n > 0 {
			rest := copy(c.out, c.out[n:])
			clear(c.out[rest:])
			c.out = c.out[:rest]
			c.signal()
		}
		if !c.inFlight && len(c.retries) > 0 && !l.leaving {
			buf = c.takeRetry(l, buf, now)
		}
		idle = len(c.out) == 0
	}
	if l.leaving && !l.left && (idle || !l.open) {
		l.left = true
		bye := wire.Envelope{Kind: wire.KindBye}
		if c.forget {
			bye.Event = []byte("forget")
		}
		buf = appendFrame(buf, &bye)
	}
	return buf
}

func (c *Client) takeRetry(l *live, buf []byte, now time.Time) []byte {
	p := c.retries[0]
	c.inFlight = true
	if p.tries > 0 {
		addFlag(p.frame, wire.FlagRetry)
		c.stats.Retries++
	}
	p.tries++
	p.queued, p.live, p.sent, p.deadline = false, l, now, now.Add(p.timeout)
	c.await(p)
	c.stats.Sent++
	return append(buf, p.frame...)
}

// again queues the emit in flight for another try. An answer to an earlier one
// still counts, so it stays in c.acks. c.mu is held.
func (c *Client) again(p *Pending) {
	p.queued, p.live, p.deadline = true, nil, time.Time{}
	c.inFlight = false
	c.kick()
}

// expire ends, or tries again, what was not answered by now. c.mu is held.
func (c *Client) expire(now time.Time) {
	if c.nextAck.IsZero() || now.Before(c.nextAck) {
		return
	}
	c.nextAck = time.Time{}
	for _, p := range c.acks {
		if p.deadline.IsZero() {
			continue
		}
		if now.Before(p.deadline) {
			if c.nextAck.IsZero() || p.deadline.Before(c.nextAck) {
				c.nextAck = p.deadline
			}
			continue
		}
		c.stats.AckTimeouts++
		if p.retry && p.left != 0 {
			p.left--
			c.again(p)
			continue
		}
		c.resolve(p, Ack{}, fmt.Errorf("%w (%v, message %x)", ErrTimeout, p.timeout, p.id))
	}
}

// lostLink fails what was sent over l and can no longer be answered; emits with
// retries wait for the next link. c.mu is held.
func (c *Client) lostLink(l *live) {
	for _, p := range c.acks {
		if p.live != l {
			continue
		}
		if p.retry {
			c.again(p)
			continue
		}
		c.resolve(p, Ack{}, ErrDisconnected)
	}
}

// answered handles an ACK, or an ERROR for an emit. c.mu is held.
func (c *Client) answered(id uint64, ack Ack, refusal *Refusal, now time.Time) {
	if refusal != nil && refusal.RetryAfter > 0 {
		if until := now.Add(refusal.RetryAfter); until.After(c.hold) {
			c.hold = until
			c.poke()
		}
	}
	p := c.acks[id]
	if p == nil || p.tries == 0 {
		switch {
		case refusal != nil && c.ours(id):
			// An emit that wanted no answer, or no longer waits for one.
			c.report(Status{Kind: StatusNotice, Room: ack.Room, Err: refusal})
		case c.ours(id):
			c.stats.LateAcks++
		default:
			c.stats.UnknownAcks++
		}
		return
	}
	if refusal != nil {
		if p.retry && refusal.RetryAfter > 0 {
			c.again(p)
			return
		}
		c.resolve(p, Ack{}, refusal)
		return
	}
	c.stats.Acks++
	ack.ID, ack.RTT, ack.Tries = id, now.Sub(p.sent), p.tries
	c.resolve(p, ack, nil)
}

// send posts m and waits: for room in the queue as long as the connection takes
// what is in it, and for the answer if m wants one.
func (c *Client) send(ctx context.Context, s *Space, m *Message) (Ack, error) {
	var p *Pending
	for {
		c.mu.Lock()
		var err error
		p, err = c.post(s, m)
		if err == nil {
			c.mu.Unlock()
			break
		}
		if !errors.Is(err, ErrFull) || !c.online() {
			c.mu.Unlock()
			return Ack{}, err
		}
		changed := c.changes()
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Ack{}, ctx.Err()
		}
	}
	if !m.Ack && m.Retries == 0 {
		return Ack{ID: p.id}, nil
	}
	ack, err := p.Wait(ctx)
	if err != nil {
		p.Cancel()
	}
	return ack, err
}

// appendFrame is wire.AppendFrame for envelopes that fit by construction.
func appendFrame(dst []byte, e *wire.Envelope) []byte {
	b, err := wire.AppendFrame(dst, e)
	if err != nil {
		panic("client: " + err.Error())
	}
	return b
}
