package client

import (
	"slices"
	"time"

	"wirelab/internal/wire"
)

const (
	// maxUnhandled caps the events that wait for OnEvent; beyond it, or
	// beyond maxUnhandledBytes, the client stops reading, and what follows
	// stays in the server's log.
	maxUnhandled      = 1024
	maxUnhandledBytes = 4 << 20
	// The server is told what was handled at most this often for one room,
	// or after so many events.
	consumedEvery = 50 * time.Millisecond
	consumedAfter = 64
)

// An item is one thing for the callbacks, in order.
type item struct {
	event  *Event
	status *Status
	live   *live // where an answer to the event goes

	// After the item, everything in room up to seq was handled.
	room       *room
	epoch, seq uint64
}

func (i *item) size() int {
	if i.event == nil {
		return 0
	}
	return 256 + len(i.event.Args)
}

// push queues an item for the callbacks. For the reader (l is set) it waits
// while too many wait. c.mu is held, and given up while waiting.
func (c *Client) push(l *live, it item) {
	for l != nil && !l.dead && !c.over && (c.unhandled >= maxUnhandled || c.unhandledBytes >= maxUnhandledBytes) {
		l.stuck = true
		c.roomy.Wait()
	}
	if l != nil && l.stuck {
		l.stuck = false
		l.heard = time.Now()
	}
	if c.discard && it.status == nil {
		return
	}
	c.queue = append(c.queue, it)
	c.unhandled++
	c.unhandledBytes += it.size()
	select {
	case c.work <- struct{}{}:
	default:
	}
}

// report queues a status. Those of attempts to connect are dropped while the
// callbacks are far behind. c.mu is held.
func (c *Client) report(st Status) {
	if c.cfg.OnStatus == nil {
		return
	}
	if c.unhandled >= 2*maxUnhandled && (st.Kind == StatusConnecting || st.Kind == StatusDisconnected || st.Kind == StatusNotice) {
		return
	}
	st.Time = time.Now()
	c.push(nil, item{status: &st})
}

// dispatch is the goroutine of all callbacks. It ends when c.over is set and
// nothing waits.
func (c *Client) dispatch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var batch []item
	for {
		c.mu.Lock()
		batch, c.queue = c.queue, batch[:0]
		over := c.over
		c.flushSoon = c.flushSoon || over // what is handled last is saved, too
		c.mu.Unlock()
		for i := range batch {
			c.handle(&batch[i])
		}
		clear(batch)
		wait := c.flush()
		if len(batch) > 0 {
			continue
		}
		if over {
			return
		}
		timer.Reset(wait)
		select {
		case <-c.work:
		case <-timer.C:
		}
	}
}

// handle makes the callback for one item.
func (c *Client) handle(it *item) {
	c.mu.Lock()
	// What is discarded comes again with the next resume: neither it nor what
	// follows it was handled.
	handled := !c.discard
	c.mu.Unlock()
	switch {
	case it.status != nil:
		if c.cfg.OnStatus != nil {
			c.cfg.OnStatus(*it.status)
		}
	case it.event != nil && handled:
		var answer any
		if c.cfg.OnEvent != nil {
			answer = c.cfg.OnEvent(*it.event)
		}
		if it.event.AckWanted {
			c.answer(it, answer)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unhandled--
	c.unhandledBytes -= it.size()
	c.roomy.Broadcast()
	if handled && it.event != nil {
		c.stats.Handled++
	}
	if r := it.room; handled && r != nil && it.seq > r.handled && it.epoch == r.epoch {
		r.handled = it.seq
		if r.handled-r.consumed >= consumedAfter {
			c.flushSoon = true
		}
		c.unsaved = true
	}
	if c.flushSoon || c.flushed != nil {
		c.mu.Unlock()
		c.flush()
		c.mu.Lock()
	}
}

// answer sends the ACK for an event that wanted one.
func (c *Client) answer(it *item, answer any) {
	if answer == nil {
		answer = "ok"
	}
	e := it.event
	args, err := encodeArgs([]any{answer})
	if err != nil || len(args) > wire.MaxArguments {
		c.log.Error("the answer to an event cannot be encoded", "event", e.Event, "err", err, "bytes", len(args))
		args = []byte(`["ok"]`)
	}
	frame, err := wire.AppendFrame(nil, &wire.Envelope{
		Kind: wire.KindAck, ID: e.ID, Seq: e.Seq, Namespace: []byte(e.Namespace), Room: []byte(e.Room),
		Event: []byte(e.Event), Args: args,
	})
	if err != nil {
		c.log.Error("the answer to an event cannot be sent", "event", e.Event, "err", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for it.live == c.live && len(it.live.control) > maxControl && !it.live.dead && !c.over {
		c.roomy.Wait()
	}
	c.control(it.live, frame)
}

// flush saves the state and tells the server what was handled, if it is time.
// It returns when to look again.
func (c *Client) flush() time.Duration {
	const never = time.Hour
	c.mu.Lock()
	asked := c.flushed
	if asked == nil {
		wait := consumedEvery - time.Since(c.flushedAt)
		if !c.unsaved || wait > 0 && !c.flushSoon {
			unsaved := c.unsaved
			c.mu.Unlock()
			if unsaved {
				return wait
			}
			return never
		}
	}
	unsaved := c.unsaved
	c.flushSoon, c.flushed, c.unsaved = false, nil, false
	c.flushedAt = time.Now()
	st := c.state()
	c.mu.Unlock()
	if unsaved && st.Session != "" {
		if c.cfg.SaveState != nil {
			c.cfg.SaveState(st) // before the server forgets what this client handled
		}
		c.mu.Lock()
		if l := c.live; l != nil && l.gated && st.Secret == c.secret {
			l.gated, l.since = false, time.Now()
			c.hurry(l.kick)
			c.settle(l)
		}
		c.consume()
		c.mu.Unlock()
	}
	if asked != nil {
		close(asked)
	}
	return never
}

// consume tells the server what was handled in each room. c.mu is held.
func (c *Client) consume() {
	l := c.live
	if l == nil || l.dead {
		return
	}
	var frames []byte
	for _, r := range c.sortedRooms() {
		if r.handled == r.consumed || !r.known {
			continue
		}
		r.consumed = r.handled
		frames = appendFrame(frames, &wire.Envelope{
			Kind: wire.KindConsumed, Namespace: []byte(r.key.namespace), Room: []byte(r.key.room), Seq: r.handled,
			Args: wire.EncodeBody(struct {
				Epoch wire.Epoch `json:"epoch"`
			}{wire.Epoch(r.epoch)}),
		})
	}
	if frames != nil {
		c.control(l, frames)
	}
}

// state is what must be remembered now. c.mu is held.
func (c *Client) state() State {
	st := State{Name: c.name, Namespace: c.cfg.Namespace, Session: c.session, Secret: c.secret, Server: c.remote}
	for _, r := range c.sortedRooms() {
		if r.known && (!public(r.key.room) || c.space(r.key.namespace).rooms[r.key.room]) {
			st.Rooms = append(st.Rooms, RoomState{r.key.namespace, r.key.room, Cursor{r.epoch, r.handled}})
		}
	}
	return st
}

func (c *Client) sortedRooms() []*room {
	if c.roomOrder == nil {
		for _, r := range c.rooms {
			c.roomOrder = append(c.roomOrder, r)
		}
		slices.SortFunc(c.roomOrder, func(a, b *room) int { return a.key.compare(b.key) })
	}
	return c.roomOrder
}
