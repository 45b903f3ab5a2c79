package client

import (
	"context"
	"time"

	"wirelab/internal/wire"
)

// A Link is one live connection to a server, made by a transport. The client
// calls Receive from one goroutine, the other methods from any.
type Link interface {
	// Send sends one stream frame, length prefix included; a transport that
	// needs no prefix cuts it off. It may block while the network takes
	// nothing, until Close. It does not keep frame.
	Send(frame []byte) error
	// Receive returns the next envelope and the bytes it came in. Both are
	// good until the next call. After Close it returns an error.
	Receive() (wire.Envelope, []byte, error)
	// Close ends the link; what was sent before is still delivered if the
	// network lets it. It may block for a moment and is idempotent.
	Close() error
	// Stats tells what the transport knows of the link.
	Stats() LinkStats
}

// A BatchLink is a Link that can send several frames with one system call.
type BatchLink interface {
	Link
	// SendBatch is Send for several stream frames, one after the other.
	SendBatch(frames []byte) error
}

// LinkStats is what a transport knows of a link.
type LinkStats struct {
	Transport   string        // "tcp", "udp"
	Mode        string        // of UDP: "unreliable", "sequenced", "stop-and-wait", "go-back-n", "selective-repeat", "queue"; else empty
	Local       string        // address
	Remote      string        // address
	RTT         time.Duration // 0: the transport does not measure it
	Retransmits uint64        // datagrams sent again; TCP keeps its own to itself
	Lost        uint64        // datagrams known to be lost
}

// A Greeting is what the server said before the client's first word.
type Greeting struct {
	Nonce  []byte // the server's, for the proofs
	Key    bool   // the server wants a join key
	Server string // the server's name and version, for people
}

// A Dial makes one connection and returns once the server's greeting is here.
// The client calls it for every attempt. tap may be nil.
type Dial func(ctx context.Context, tap Tap) (Link, Greeting, error)

// A Tap is shown every frame or datagram that is sent or received. It is
// called from the goroutine that moves the bytes and must not block.
type Tap func(Traffic)

// Traffic is one frame or datagram as it was on the wire.
type Traffic struct {
	Time     time.Time
	Out      bool   // sent, not received
	Datagram bool   // Bytes is a UDP payload; else a stream frame with its length prefix
	Bytes    []byte // a copy, the tap's to keep
	Note     string // what is special: "retransmission", "duplicate", "bad MAC"; mostly empty
}
