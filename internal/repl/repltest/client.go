// Package repltest has a chat client that a test drives: it has no server, and
// does what the test says.
package repltest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/repl"
)

// A Client is a [repl.Client] without a server. Set the fields before it is
// used. The zero value is in no room.
type Client struct {
	User    string
	Space   string
	Member  []string // the rooms
	Figures client.Stats

	// Answer answers requests; if nil, all are refused.
	Answer func(event string, args []any) (any, error)
	// Manual leaves acknowledgements to Acknowledge; else each emit that asks
	// for one has it at once, and comes back as an event.
	Manual bool
	Limit  int // emits that may wait for theirs; 0: no limit

	// JoinAfter, if not nil, keeps Join waiting until it is closed.
	JoinAfter chan struct{}

	mu       sync.Mutex
	handlers repl.Handlers
	log      []string
	seq      uint64
	nextID   uint64
	open     map[uint64]*pending
	end      chan struct{}
	err      error
	ended    bool
}

// Connect is a [repl.Connect] that returns c.
func (c *Client) Connect(h repl.Handlers) repl.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers = h
	return c
}

// Calls returns what the client was told to call.
func (c *Client) Calls() repl.Handlers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handlers
}

// Log returns what was asked of the client so far, a line each.
func (c *Client) Log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

func (c *Client) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

// Ready returns at once: a client without a server is never on its way.
func (c *Client) Ready(context.Context) error { return nil }

// Run waits for the end.
func (c *Client) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ending():
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	}
}

func (c *Client) ending() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = make(chan struct{})
	}
	return c.end
}

// End makes Run return err.
func (c *Client) End(err error) {
	end := c.ending()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended, c.err = true, err
		close(end)
		for _, p := range c.open {
			p.resolve(client.Ack{}, client.ErrClosed)
		}
	}
}

// Close ends Run well.
func (c *Client) Close() error {
	c.End(nil)
	return nil
}

// Namespace returns c.Space.
func (c *Client) Namespace() string { return c.Space }

// Rooms returns c.Member.
func (c *Client) Rooms() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.Member)
}

// Name returns c.User.
func (c *Client) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.User
}

// Stats returns c.Figures with the name.
func (c *Client) Stats() client.Stats {
	st := c.Figures
	st.Name = c.Name()
	return st
}

// Nick changes the name.
func (c *Client) Nick(_ context.Context, name string) error {
	c.note("nick %s", name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.User = name
	return nil
}

// Offline, Cut and Online are logged.
func (c *Client) Offline(d time.Duration) { c.note("offline %v", d) }

// Cut is logged.
func (c *Client) Cut(d time.Duration) { c.note("cut %v", d) }

// Online is logged.
func (c *Client) Online() { c.note("online") }

// Enter returns a space in which c does what it does everywhere.
func (c *Client) Enter(_ context.Context, namespace string) (repl.Space, error) {
	c.note("enter %s", namespace)
	return &space{c, namespace}, nil
}

type space struct {
	*Client
	name string
}

func (s *space) Namespace() string { return s.name }
func (s *space) Rooms() []string   { return nil }

// Join adds the room.
func (c *Client) Join(ctx context.Context, room string) error {
	c.note("join %s", room)
	if c.JoinAfter != nil {
		select {
		case <-c.JoinAfter:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.Member, room) {
		c.Member = append(c.Member, room)
	}
	return nil
}

// Leave takes it away.
func (c *Client) Leave(_ context.Context, room string) error {
	c.note("leave %s", room)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Member = slices.DeleteFunc(c.Member, func(r string) bool { return r == room })
	return nil
}

// Request asks c.Answer.
func (c *Client) Request(_ context.Context, event string, args ...any) (json.RawMessage, error) {
	c.note("request %s %v", event, args)
	if c.Answer == nil {
		return nil, &client.Refusal{Code: "no_handler", Message: "nobody answers " + event}
	}
	v, err := c.Answer(event, args)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// Post logs the message and hands out the ids 1, 2 and so on.
func (c *Client) Post(m client.Message) (repl.Pending, error) {
	args := m.Raw
	if args == nil {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.Args); err != nil {
			return nil, err
		}
		args = bytes.TrimSpace(b.Bytes())
	}
	c.mu.Lock()
	full := c.Limit > 0 && len(c.open) >= c.Limit
	c.mu.Unlock()
	if full {
		return nil, client.ErrFull
	}
	c.note("emit %q %s %s ack=%t retries=%d volatile=%t", m.Room, m.Event, args, m.Ack, m.Retries, m.Volatile)
	c.mu.Lock()
	c.nextID++
	p := &pending{id: c.nextID, done: make(chan struct{})}
	if c.open == nil {
		c.open = make(map[uint64]*pending)
	}
	wanted, manual := m.Ack || m.Retries != 0, c.Manual
	if wanted {
		c.open[p.id] = p
	}
	c.mu.Unlock()
	switch {
	case !wanted:
		p.resolve(client.Ack{}, nil)
	case !manual:
		seq := c.Acknowledge(p.id, nil)
		if event := c.Calls().Event; event != nil && m.Room != "" {
			event(client.Event{
				Room: m.Room, Sender: c.Name(), Event: m.Event, Seq: seq, Prev: seq - 1, ID: p.id, Time: time.Now(), Args: args, Own: true,
			})
		}
	}
	return p, nil
}

// Acknowledge answers the emit with that id, if it waits, and returns the
// sequence number that it gave it.
func (c *Client) Acknowledge(id uint64, err error) (seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.open[id]
	if p == nil {
		return 0
	}
	delete(c.open, id)
	if err != nil {
		p.resolve(client.Ack{}, err)
		return 0
	}
	c.seq++
	p.resolve(client.Ack{ID: id, Seq: c.seq, RTT: 3 * time.Millisecond, Tries: 1}, nil)
	return c.seq
}

type pending struct {
	id   uint64
	done chan struct{}
	ack  client.Ack
	err  error
}

func (p *pending) resolve(ack client.Ack, err error) {
	p.ack, p.err = ack, err
	close(p.done)
}

func (p *pending) ID() uint64            { return p.id }
func (p *pending) Done() <-chan struct{} { return p.done }

func (p *pending) Wait(ctx context.Context) (client.Ack, error) {
	select {
	case <-p.done:
		return p.ack, p.err
	case <-ctx.Done():
		return client.Ack{}, ctx.Err()
	}
}
