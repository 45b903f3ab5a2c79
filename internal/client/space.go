package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"wirelab/internal/wire"
)

// A Space is a client's presence in one namespace. Its methods may be called
// from any goroutine.
type Space struct {
	c    *Client
	name string

	// Client.mu guards these.
	rooms  map[string]bool // to be in; also after a reconnect
	left   map[string]bool // left while there was no connection: to be left when there is
	socket string
	in     bool // the server let the client in, on this connection
	asked  bool // it was asked to
}

// Namespace returns the namespace's name, empty for the default one.
func (s *Space) Namespace() string { return s.name }

// Socket returns the id of the present connection in the namespace, empty if
// there is none.
func (s *Space) Socket() string {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.in || s.c.live == nil {
		return ""
	}
	return s.socket
}

// Rooms returns the rooms the client is in, or will be once it is connected,
// sorted.
func (s *Space) Rooms() []string {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.sortedRooms()
}

func (s *Space) sortedRooms() []string {
	names := make([]string, 0, len(s.rooms))
	for name := range s.rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Emit sends an event into a room, at most once. While there is no connection
// it is kept, up to Config.OfflineLimit; beyond that it returns [ErrFull]. On a
// slow connection it waits until there is room.
func (s *Space) Emit(room, event string, args ...any) error {
	_, err := s.c.send(context.Background(), s, &Message{Room: room, Event: event, Args: args})
	return err
}

// Volatile sends an event now or never: without a connection it is dropped,
// counted, and reported with [ErrOffline].
func (s *Space) Volatile(room, event string, args ...any) error {
	_, err := s.c.send(context.Background(), s, &Message{Room: room, Event: event, Args: args, Volatile: true})
	return err
}

// EmitAck sends an event, at most once, and waits for the server's answer, for
// Config.AckTimeout at most. If the connection is lost, it fails at once.
func (s *Space) EmitAck(ctx context.Context, room, event string, args ...any) (Ack, error) {
	return s.c.send(ctx, s, &Message{Room: room, Event: event, Args: args, Ack: true})
}

// EmitRetry sends an event, again and again under one message id, until the
// server answers or ctx ends. Only one is under way at a time, so the order
// among them is kept. The server knows the id: one event comes of it.
func (s *Space) EmitRetry(ctx context.Context, room, event string, args ...any) (Ack, error) {
	return s.c.send(ctx, s, &Message{Room: room, Event: event, Args: args, Retries: -1})
}

// Send sends m; with Ack or Retries it waits for the answer.
func (s *Space) Send(ctx context.Context, m Message) (Ack, error) { return s.c.send(ctx, s, &m) }

// Post is Send that never waits: for room it returns [ErrFull], and the answer
// comes to the Pending, which is done at once if m wants none.
func (s *Space) Post(m Message) (*Pending, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.post(s, &m)
}

// Join enters a room, now and after every reconnect. Without a connection it
// waits for one, or for ctx.
func (s *Space) Join(ctx context.Context, room string) error {
	if room == "" || len(room) > wire.MaxName {
		return fmt.Errorf("join: room name of %d bytes, want 1 to %d", len(room), wire.MaxName)
	}
	s.c.mu.Lock()
	delete(s.left, room)
	s.c.mu.Unlock()
	for {
		if err := s.c.Ready(ctx); err != nil {
			return err
		}
		_, err := s.Request(ctx, "join", room)
		if errors.Is(err, ErrOffline) || errors.Is(err, ErrDisconnected) {
			continue
		}
		if err != nil {
			return err
		}
		s.c.mu.Lock()
		s.rooms[room] = true
		s.c.room(s.name, room).fresh = false
		s.c.mu.Unlock()
		return nil
	}
}

// Leave leaves a room. Without a connection the room is left once there is one.
func (s *Space) Leave(ctx context.Context, room string) error {
	c := s.c
	c.mu.Lock()
	delete(s.rooms, room)
	if !c.reachable() && !c.over {
		if s.left == nil {
			s.left = make(map[string]bool)
		}
		s.left[room] = true
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	_, err := s.Request(ctx, "leave", room)
	if err == nil {
		c.mu.Lock()
		c.forgetRoom(roomKey{s.name, room})
		c.unsaved = true
		c.hurry(c.work)
		c.mu.Unlock()
	}
	return err
}

// Request asks the server something: "rooms", "who", "history"… It returns the
// answer's first element. Without a connection it fails at once with
// [ErrOffline].
func (s *Space) Request(ctx context.Context, event string, args ...any) (json.RawMessage, error) {
	b, err := encodeArgs(args)
	if err != nil {
		return nil, fmt.Errorf("request %q: %w", event, err)
	}
	c := s.c
	c.mu.Lock()
	if !c.reachable() {
		err := ErrOffline
		if c.over {
			err = ErrClosed
		}
		c.mu.Unlock()
		return nil, err
	}
	p := c.ask(c.live, &wire.Envelope{Kind: wire.KindEvent, Flags: wire.FlagAck, Namespace: []byte(s.name), Event: []byte(event), Args: b}, nil)
	c.mu.Unlock()
	ack, err := p.Wait(ctx)
	if err != nil {
		p.Cancel()
		return nil, err
	}
	return ack.Result(), nil
}

// Enter connects to a further namespace over the same connection, now and
// after every reconnect. Without a connection it waits for one, or for ctx.
func (c *Client) Enter(ctx context.Context, namespace string) (*Space, error) {
	for {
		if err := c.Ready(ctx); err != nil {
			return nil, err
		}
		c.mu.Lock()
		for _, s := range c.spaces {
			if s.name == namespace && s.in {
				c.mu.Unlock()
				return s, nil
			}
		}
		l := c.live
		if !c.online() {
			c.mu.Unlock()
			continue
		}
		if l.barrier != 0 || l.entering[namespace] {
			// The server may say it by itself, or another call asks: to
			// connect twice would be a fault.
			changed := c.changes()
			c.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		if l.entering == nil {
			l.entering = make(map[string]bool)
		}
		l.entering[namespace] = true
		// It becomes one of the client's spaces when CONNECTED comes.
		s := &Space{c: c, name: namespace, rooms: make(map[string]bool)}
		p := c.enter(l, s, func(Ack, error) {
			delete(l.entering, namespace)
			c.signal()
		})
		c.mu.Unlock()
		if _, err := p.Wait(ctx); errors.Is(err, ErrDisconnected) {
			continue
		} else if err != nil {
			return nil, err
		}
	}
}

// Nick changes the client's name.
func (c *Client) Nick(ctx context.Context, name string) error {
	result, err := c.Request(ctx, "nick", name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if json.Unmarshal(result, &c.name) != nil {
		c.name = name
	}
	c.unsaved, c.flushSoon = true, true
	c.hurry(c.work)
	return nil
}

// connected notes that the server let the client in.
func (s *Space) connected(answer *wire.Connected) {
	s.in, s.socket = true, answer.Socket
	c := s.c
	for _, name := range answer.Rooms {
		if !s.left[name] {
			s.rooms[name] = true
		}
	}
	for name := range s.left {
		if !slices.Contains(answer.Rooms, name) {
			delete(s.left, name)
			c.forgetRoom(roomKey{s.name, name})
			continue
		}
		args, _ := encodeArgs([]any{name})
		c.ask(c.live, &wire.Envelope{
			Kind: wire.KindEvent, Flags: wire.FlagAck, Namespace: []byte(s.name), Event: []byte("leave"), Args: args,
		}, func(Ack, error) {
			delete(s.left, name)
			c.forgetRoom(roomKey{s.name, name})
		})
	}
}

// known notes that the client is in a room, unless it has left it.
func (s *Space) known(room string) {
	if public(room) && !s.left[room] {
		s.rooms[room] = true
	}
}

// space returns the space of that name, made if need be. c.mu is held.
func (c *Client) space(namespace string) *Space {
	for _, s := range c.spaces {
		if s.name == namespace {
			return s
		}
	}
	s := &Space{c: c, name: namespace, rooms: make(map[string]bool)}
	c.spaces = append(c.spaces, s)
	return s
}

// room returns what is known of a room, made if need be. c.mu is held.
func (c *Client) room(namespace, name string) *room {
	key := roomKey{namespace, name}
	r := c.rooms[key]
	if r == nil {
		r = &room{key: key, fresh: true}
		c.rooms[key] = r
		c.roomOrder = nil
	}
	return r
}

func (c *Client) forgetRoom(key roomKey) {
	delete(c.rooms, key)
	c.roomOrder = nil
}

func (k roomKey) compare(o roomKey) int {
	return cmp.Or(cmp.Compare(k.namespace, o.namespace), cmp.Compare(k.room, o.room))
}
