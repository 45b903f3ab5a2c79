// Package client is the engine of a chat client. It opens no socket: a
// transport gives it a [Dial].
package client

import (
	"context"
	"encoding/json"
	"log/slog"
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
	// answer, marshalled as JSON; nil answers "ok".
	OnEvent  func(Event) any
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
}

// New returns a client. Nothing happens before Run.
func New(cfg Config) *Client { panic("soon") }

// Run connects and stays until ctx ends, Close is called, the server refuses
// (a [*Refusal]) or, without Reconnect, the connection is lost.
func (c *Client) Run(ctx context.Context) error { panic("soon") }

// Ready waits until the client is connected and in its rooms, or Run ended.
func (c *Client) Ready(ctx context.Context) error { panic("soon") }

// Close ends Run and waits for it.
func (c *Client) Close() error { panic("soon") }

// Offline says goodbye to the server and stays away for d, or until Online if d is 0.
func (c *Client) Offline(d time.Duration) { panic("soon") }

// Cut drops the connection without a goodbye, as a broken cable does, and
// stays away for d, or until Online if d is 0.
func (c *Client) Cut(d time.Duration) { panic("soon") }

// Online ends Offline and Cut, and cuts a wait before the next attempt short.
func (c *Client) Online() { panic("soon") }

// Enter connects to a further namespace over the same connection.
func (c *Client) Enter(ctx context.Context, namespace string) (*Space, error) { panic("soon") }

// Nick changes the client's name.
func (c *Client) Nick(ctx context.Context, name string) error { panic("soon") }

// Name returns the client's name, as the server wrote it.
func (c *Client) Name() string { panic("soon") }

// Stats returns a snapshot.
func (c *Client) Stats() Stats { panic("soon") }

// A Space is a client's presence in one namespace.
type Space struct{}

// Namespace returns its name.
func (s *Space) Namespace() string { panic("soon") }

// Rooms returns the rooms the client is in, or will be once it is connected, sorted.
func (s *Space) Rooms() []string { panic("soon") }

// Emit sends an event into a room. It is kept while there is no connection.
func (s *Space) Emit(room, event string, args ...any) error { panic("soon") }

// Volatile sends an event now or never.
func (s *Space) Volatile(room, event string, args ...any) error { panic("soon") }

// EmitAck sends an event once and waits for the server's answer.
func (s *Space) EmitAck(ctx context.Context, room, event string, args ...any) (Ack, error) {
	panic("soon")
}

// EmitRetry sends an event again and again, under one message id, until the server answers.
func (s *Space) EmitRetry(ctx context.Context, room, event string, args ...any) (Ack, error) {
	panic("soon")
}

// Send sends m; with Ack or Retries it waits for the answer.
func (s *Space) Send(ctx context.Context, m Message) (Ack, error) { panic("soon") }

// Post is Send that never blocks; the answer comes to the Pending.
func (s *Space) Post(m Message) (*Pending, error) { panic("soon") }

// Join enters a room.
func (s *Space) Join(ctx context.Context, room string) error { panic("soon") }

// Leave leaves a room.
func (s *Space) Leave(ctx context.Context, room string) error { panic("soon") }

// Request asks the server: "rooms", "who", "stats"… It returns the answer's first element.
func (s *Space) Request(ctx context.Context, event string, args ...any) (json.RawMessage, error) {
	panic("soon")
}

// A Pending is an emit whose answer is awaited.
type Pending struct{}

// ID returns the message id.
func (p *Pending) ID() uint64 { panic("soon") }

// Done is closed when the answer is here, or it is certain that none comes.
func (p *Pending) Done() <-chan struct{} { panic("soon") }

// Wait waits for the answer, or ctx.
func (p *Pending) Wait(ctx context.Context) (Ack, error) { panic("soon") }

// Cancel gives the answer up. What was sent is not taken back.
func (p *Pending) Cancel() { panic("soon") }
