package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/wire"
)

// connect makes a link and gets through the handshake.
func (c *Client) connect(ctx context.Context) (*live, error) {
	dialing, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	link, greeting, err := c.cfg.Dial(dialing, c.cfg.Tap)
	if err != nil {
		return nil, err
	}
	// Receive knows no context: the link is closed under it.
	closed := make(chan struct{})
	stop := context.AfterFunc(dialing, func() {
		link.Close()
		close(closed)
	})
	l := &live{link: link, kick: make(chan struct{}, 1), ended: make(chan struct{}), drained: make(chan struct{})}
	answer, err := c.shake(l, &greeting)
	if !stop() {
		<-closed
		if ctx.Err() == nil {
			err = fmt.Errorf("the server did not answer within %v", setupTime)
		}
	}
	if err != nil {
		link.Close()
		return nil, err
	}
	c.begin(l, answer, &greeting)
	return l, nil
}

// shake sends CONNECT and returns the answer.
func (c *Client) shake(l *live, greeting *Greeting) (*wire.Connected, error) {
	if greeting.Key && c.cfg.Key == "" {
		return nil, &Refusal{Code: "key_required", Message: "this server wants a join key", Hint: "ask whoever runs the server for the key, and give it with --key"}
	}
	nonce := make([]byte, wire.NonceSize)
	rand.Read(nonce) // never fails
	c.mu.Lock()
	body := wire.Connect{Name: c.name, Nonce: hex.EncodeToString(nonce), Mode: l.link.Stats().Mode, Session: wire.SessionNone}
	switch {
	case c.session != "":
		body.Session, body.ID, body.Secret = wire.SessionResume, c.session, c.secret
	case c.cfg.Queue:
		body.Session = wire.SessionNew
	}
	resume := body.Session == wire.SessionResume
	for _, r := range c.rooms {
		r.fresh = true
	}
	for _, s := range c.spaces {
		s.in, s.asked = false, false
		if s == c.Space || resume {
			body.Rooms = append(body.Rooms, c.claims(s)...)
		}
	}
	c.mu.Unlock()
	if c.cfg.Key != "" {
		body.Proof = hex.EncodeToString(wire.Prove([]byte(c.cfg.Key), wire.ProveClient, greeting.Nonce, nonce))
	}
	frame, err := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindConnect, Namespace: []byte(c.cfg.Namespace), Args: wire.EncodeBody(body)})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := l.link.Send(frame); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	for {
		e, _, err := l.link.Receive()
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		switch e.Kind {
		case wire.KindConnected:
			var answer wire.Connected
			if err := wire.DecodeBody(e.Args, &answer); err != nil {
				return nil, fmt.Errorf("connect: %w", err)
			}
			proof, _ := hex.DecodeString(answer.Proof)
			if c.cfg.Key != "" && !hmac.Equal(proof, wire.Prove([]byte(c.cfg.Key), wire.ProveServer, nonce, greeting.Nonce)) {
				return nil, &Refusal{Code: "bad_server", Message: "the server did not prove that it knows the join key",
					Hint: "check the address; if the server was started without a key, leave --key out"}
			}
			if len(answer.Rooms) > maxRooms {
				return nil, fmt.Errorf("connect: the server put this client into %d rooms, at most %d", len(answer.Rooms), maxRooms)
			}
			return &answer, nil
		case wire.KindError:
			return nil, fault(e.Args)
		case wire.KindPing:
			if err := l.link.Send(appendFrame(nil, &wire.Envelope{Kind: wire.KindPong, ID: e.ID})); err != nil {
				return nil, fmt.Errorf("connect: %w", err)
			}
		case wire.KindBye:
			return nil, byeError(e.Args)
		default:
			return nil, fmt.Errorf("connect: the server sent %v before connected", e.Kind)
		}
	}
}

// claims lists the rooms of s that the client wants to be in, and those that
// it is in by itself, with what it handled. c.mu is held.
func (c *Client) claims(s *Space) []wire.RoomCursor {
	var list []wire.RoomCursor
	for _, name := range s.sortedRooms() {
		rc := wire.RoomCursor{Namespace: s.name, Room: name}
		if r := c.rooms[roomKey{s.name, name}]; r != nil && r.known {
			rc.Epoch, rc.Seq = wire.Epoch(r.epoch), r.handled
		}
		list = append(list, rc)
	}
	for _, r := range c.sortedRooms() {
		if r.key.namespace == s.name && r.known && !public(r.key.room) && c.session != "" {
			list = append(list, wire.RoomCursor{Namespace: s.name, Room: r.key.room, Epoch: wire.Epoch(r.epoch), Seq: r.handled})
		}
	}
	return list
}

// public reports whether a room is one that people join: not everybody's of a
// namespace (""), nor the own one of an identity (@) or a socket (#).
func public(room string) bool { return room != "" && room[0] != '@' && room[0] != '#' }

// begin takes the answer to CONNECT over and starts the link's goroutines.
func (c *Client) begin(l *live, answer *wire.Connected, greeting *Greeting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	stats := l.link.Stats()
	l.since, l.heard = now, now
	l.resumed = answer.Resumed
	l.reorder = stats.Mode == "unreliable"
	l.loose = l.reorder || stats.Mode == "sequenced"
	c.heartbeat = believable(answer.PingMS) + believable(answer.TimeoutMS)
	if c.heartbeat <= 0 {
		c.heartbeat = 45 * time.Second
	}
	c.name, c.session, c.secret = answer.Name, answer.Session, answer.Secret
	c.server, c.remote = greeting.Server, stats.Remote
	c.live, c.met, c.attempt = l, true, 0
	c.pingSent = time.Time{}
	c.stats.Connects++
	c.stats.Since = now
	for _, r := range c.rooms {
		r.consumed = r.handled // CONNECT said so
	}
	l.gated = c.session != "" && c.cfg.SaveState != nil
	c.unsaved, c.flushSoon = true, true
	c.Space.connected(answer)
	c.report(Status{
		Kind: StatusConnected, Namespace: c.cfg.Namespace, Name: c.name, Socket: answer.Socket, Session: c.session,
		Server: c.server, Resumed: l.resumed, Link: stats,
	})
	if !l.resumed {
		// A session that goes on is put back into its namespaces by the
		// server; to connect to one twice would be a fault.
		for _, s := range c.spaces[1:] {
			s.asked = true
			c.enter(l, s, nil)
		}
	}
	c.pingID++
	l.barrier = c.pingID
	c.control(l, appendFrame(nil, &wire.Envelope{Kind: wire.KindPing, ID: l.barrier}))
	c.hurry(c.work)
	l.work.Go(func() { c.read(l) })
	l.work.Go(func() { c.write(l) })
	c.settle(l)
}

// enter asks for a further namespace. c.mu is held.
func (c *Client) enter(l *live, s *Space, then func(Ack, error)) *Pending {
	l.setup++
	return c.ask(l, &wire.Envelope{
		Kind: wire.KindConnect, Namespace: []byte(s.name), Args: wire.EncodeBody(wire.Connect{Rooms: c.claims(s)}),
	}, func(ack Ack, err error) {
		l.setup--
		if then != nil {
			then(ack, err)
		} else if r := (*Refusal)(nil); errors.As(err, &r) {
			// Not let in any more: the space stays, and its emits are refused.
			c.report(Status{Kind: StatusNotice, Namespace: s.name, Err: r})
		}
		c.settle(l)
	})
}

// ask sends a control envelope that is answered. c.mu is held.
func (c *Client) ask(l *live, e *wire.Envelope, then func(Ack, error)) *Pending {
	e.ID = c.takeID()
	now := time.Now()
	p := &Pending{
		c: c, id: e.ID, done: make(chan struct{}), timeout: c.cfg.AckTimeout, then: then,
		live: l, sent: now, tries: 1, deadline: now.Add(c.cfg.AckTimeout),
	}
	frame, err := wire.AppendFrame(nil, e)
	if err != nil {
		c.resolve(p, Ack{}, err)
		return p
	}
	if len(c.acks) >= 2*maxPending {
		c.resolve(p, Ack{}, fmt.Errorf("%d answers are awaited, at most %d: %w", len(c.acks), 2*maxPending, ErrFull))
		return p
	}
	c.await(p)
	c.control(l, frame)
	return p
}

// settle opens the link for emits once the client is in all its rooms. When
// everything that the server says by itself has come (the barrier) and rooms
// are still missing, it asks for them. c.mu is held.
func (c *Client) settle(l *live) {
	if l.open || l.dead || l != c.live || l.gated {
		return
	}
	// The server drops a new session whose client was never heard: it may not
	// even know the secret. Only its answer to the barrier makes it certain
	// that what is missed from now on is kept.
	complete := l.setup == 0 && (l.barrier == 0 || l.resumed || c.session == "")
	var missing []roomKey
	for _, s := range c.spaces {
		if !s.in {
			if l.resumed && l.barrier == 0 && !s.asked {
				s.asked = true
				c.enter(l, s, nil)
			}
			complete = complete && s.asked && l.barrier == 0 && l.setup == 0
			continue
		}
		for _, name := range s.sortedRooms() {
			if r := c.rooms[roomKey{s.name, name}]; r == nil || r.fresh {
				missing = append(missing, roomKey{s.name, name})
			}
		}
	}
	if l.barrier == 0 && l.setup == 0 {
		for _, key := range missing {
			c.rejoin(l, key)
		}
	}
	if !complete || len(missing) > 0 {
		return
	}
	l.open = true
	c.hurry(l.kick)
	c.signal()
}

// rejoin asks for a room that the server did not put the client into. c.mu is held.
func (c *Client) rejoin(l *live, key roomKey) {
	l.setup++
	args, _ := encodeArgs([]any{key.room})
	c.ask(l, &wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagAck, Namespace: []byte(key.namespace), Event: []byte("join"), Args: args,
	}, func(_ Ack, err error) {
		l.setup--
		var r *Refusal
		if errors.As(err, &r) {
			delete(c.space(key.namespace).rooms, key.room)
			c.report(Status{Kind: StatusNotice, Namespace: key.namespace, Room: key.room, Err: r})
		}
		// In, though no CURSOR came: it must not be asked for again.
		c.room(key.namespace, key.room).fresh = false
		c.settle(l)
	})
}

// fault reads the body of an ERROR.
func fault(args []byte) *Refusal {
	var f wire.Fault
	if err := wire.DecodeBody(args, &f); err != nil || f.Code == "" && f.Message == "" {
		return &Refusal{Code: "unknown", Message: "the server refused without a reason"}
	}
	return &Refusal{Code: f.Code, Message: f.Message, Hint: f.Hint, RetryAfter: believable(f.RetryMS)}
}

// final reports whether the server wants this client to stay away. Other
// errors end a connection, too, but it may come back.
func (r *Refusal) final() bool {
	return slices.Contains([]string{"banned", "kicked", "replaced"}, r.Code)
}

// errBye is what a connection ends with after the server's BYE.
var errBye = errors.New("the server said goodbye")

func byeError(args []byte) error {
	e := Event{Args: args}
	var reason string
	if e.Decode(&reason) != nil || strings.TrimSpace(reason) == "" {
		return errBye
	}
	return fmt.Errorf("%w: %s", errBye, reason)
}

// believable is a server's milliseconds as a duration, cut to what makes sense
// for a heartbeat or a wait: a server could keep a client away for ever.
func believable(ms int64) time.Duration {
	const most = time.Hour
	return time.Duration(min(max(ms, 0), most.Milliseconds())) * time.Millisecond
}
