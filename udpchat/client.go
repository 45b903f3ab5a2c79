package udpchat

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
	Traffic = client.Traffic // a datagram as it was on the wire
	Refusal = client.Refusal // the server's no
)

// NewClient returns a client of the server at address (host:port), whose
// events travel as mode says. Nothing happens before its Run. A cfg.Dial that
// is set is kept: a [Dialer]'s, for what else there is to choose.
func NewClient(address string, mode Mode, cfg Config) *Client {
	if cfg.Dial == nil {
		cfg.Dial = (&Dialer{Address: address, Mode: mode, Key: []byte(cfg.Key)}).Dial
	}
	return client.New(cfg)
}
