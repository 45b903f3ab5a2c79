package repl

import (
	"context"
	"encoding/json"
	"time"

	"wirelab/internal/client"
)

// A Client is what a session needs of a chat client. [Over] makes one of a
// [client.Config]; tests make their own.
type Client interface {
	Space
	// Run is [client.Client.Run].
	Run(ctx context.Context) error
	// Ready is [client.Client.Ready].
	Ready(ctx context.Context) error
	Close() error
	// Enter connects to a further namespace.
	Enter(ctx context.Context, namespace string) (Space, error)
	Nick(ctx context.Context, name string) error
	Name() string
	Offline(d time.Duration)
	Cut(d time.Duration)
	Online()
	Stats() client.Stats
}

// A Space is a client's presence in one namespace.
type Space interface {
	Namespace() string
	Rooms() []string
	// Post queues m and returns at once; the order of posts is kept.
	Post(m client.Message) (Pending, error)
	Join(ctx context.Context, room string) error
	Leave(ctx context.Context, room string) error
	// Request asks the server and returns its answer.
	Request(ctx context.Context, event string, args ...any) (json.RawMessage, error)
}

// A Pending is an emit whose answer is awaited.
type Pending interface {
	ID() uint64
	Done() <-chan struct{}
	Wait(ctx context.Context) (client.Ack, error)
}

// Handlers are what a client calls. They are as [client.Config] says.
type Handlers struct {
	Event  func(client.Event) any
	Status func(client.Status)
	Tap    client.Tap // nil: not wanted
}

// A Connect makes a client that calls h. The client does nothing before Run.
type Connect func(h Handlers) Client

// Over returns a Connect for cfg, whose OnEvent, OnStatus and Tap it sets; a
// Tap that is there is called, too.
func Over(cfg client.Config) Connect {
	return func(h Handlers) Client {
		cfg := cfg
		cfg.OnEvent, cfg.OnStatus = h.Event, h.Status
		switch first := cfg.Tap; {
		case first == nil:
			cfg.Tap = h.Tap
		case h.Tap != nil:
			cfg.Tap = func(t client.Traffic) { first(t); h.Tap(t) }
		}
		c := client.New(cfg)
		return over{space{c.Space}, c}
	}
}

// over is a client.Client as a Client.
type over struct {
	space
	c *client.Client
}

func (o over) Run(ctx context.Context) error               { return o.c.Run(ctx) }
func (o over) Ready(ctx context.Context) error             { return o.c.Ready(ctx) }
func (o over) Close() error                                { return o.c.Close() }
func (o over) Nick(ctx context.Context, name string) error { return o.c.Nick(ctx, name) }
func (o over) Name() string                                { return o.c.Name() }
func (o over) Offline(d time.Duration)                     { o.c.Offline(d) }
func (o over) Cut(d time.Duration)                         { o.c.Cut(d) }
func (o over) Online()                                     { o.c.Online() }
func (o over) Stats() client.Stats                         { return o.c.Stats() }

func (o over) Enter(ctx context.Context, namespace string) (Space, error) {
	s, err := o.c.Enter(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return space{s}, nil
}

type space struct{ *client.Space }

func (s space) Post(m client.Message) (Pending, error) {
	p, err := s.Space.Post(m)
	if err != nil {
		return nil, err
	}
	return p, nil
}
