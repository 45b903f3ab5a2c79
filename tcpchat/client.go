// Package tcpchat is chat over TCP: [Server] for members on a net.Listener, and
// [Client] for a Go program that is a member. (The port for people who have
// nothing but nc or telnet is package text: it needs what makes text safe for a
// terminal, which the labs' guest has no use for.)
//
// TCP is a byte stream: frames (package wire, SPEC.md) are cut by their length
// prefix. The server writes a room's log to each member as it is: what one
// write carries to a thousand members are the same bytes of memory.
//
//	c := tcpchat.NewClient("127.0.0.1:9000", tcpchat.Config{
//		Name: "ana", Rooms: []string{"lobby"}, Reconnect: true,
//		OnEvent: func(e tcpchat.Event) any {
//			text, _ := e.Text()
//			fmt.Println(e.Sender, text)
//			return nil
//		},
//	})
//	go c.Run(ctx)
//	defer c.Close()
//	if err := c.Ready(ctx); err != nil { … }
//	c.Emit("lobby", "msg", "hello")
package tcpchat

import "wirelab/internal/client"

// The client's engine is the same over TCP and UDP; these are its types.
type (
	Client  = client.Client  // a member of a server
	Config  = client.Config  // who it is and what it does
	Space   = client.Space   // its presence in one namespace
	Event   = client.Event   // what was delivered
	Message = client.Message // what is emitted
	Ack     = client.Ack     // the server's answer to that
	Pending = client.Pending // an answer to wait for
	Status  = client.Status  // a change of the connection, or a loss
	State   = client.State   // what resumes a session
	Stats   = client.Stats   // counters
	Traffic = client.Traffic // a frame as it was on the wire
	Refusal = client.Refusal // the server's no
)

// What an emit fails with, besides a *Refusal.
var (
	ErrClosed       = client.ErrClosed
	ErrOffline      = client.ErrOffline
	ErrDisconnected = client.ErrDisconnected
	ErrTimeout      = client.ErrTimeout
	ErrFull         = client.ErrFull
)

// NewClient returns a client of the server at address (host:port). Nothing
// happens before its Run. A cfg.Dial that is set is kept.
func NewClient(address string, cfg Config) *Client {
	if cfg.Dial == nil {
		cfg.Dial = (&Dialer{Address: address}).Dial
	}
	return client.New(cfg)
}
