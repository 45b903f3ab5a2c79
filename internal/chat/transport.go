package chat

import "time"

// A Transport is how the hub reaches one connection. The hub never writes: it
// wakes the transport, which pulls with [Conn.Next] when it can write.
//
// Wake and Close may be called with locks of the hub held: they must not call
// it, other than from a goroutine of their own.
type Transport interface {
	// Wake says that Conn.Next has something. The transport makes some
	// goroutine of its own call Next until it gives nothing. Wake never
	// blocks and may be called from any goroutine.
	Wake()
	// Close ends the connection: once Next gives nothing more, or a bounded
	// time has passed, the transport closes it and calls Conn.Detach. Close
	// never blocks; later calls do nothing.
	Close()
	// Info says what the connection is. It is cheap and constant.
	Info() Info
}

// Info describes a connection to people.
type Info struct {
	Transport string // "tcp", "udp" or "text"
	Mode      string // of UDP: "unreliable", "sequenced", "stop-and-wait", "go-back-n", "selective-repeat" or "queue"; of text: "tcp" or "udp"
	Remote    string // the peer's address
}

// A Note is something that a transport saw on the network and the hub counts.
type Note uint8

// The notes.
const (
	NoteRetransmit Note = iota // datagrams sent again
	NoteLost                   // datagrams given up or reported lost
	NoteDropped                // datagrams that came in and were refused
	NoteBytesIn
	NoteBytesOut
	noteEnd
)

// Note adds n to the connection's count of k. Any goroutine may call it.
func (c *Conn) Note(k Note, n int) { c.notes[k].Add(uint64(n)) }

// Heard says that the peer is alive: a datagram that is surely its own came,
// even if what it says has to wait for an earlier one. Receive does the same.
// Any goroutine may call it.
func (c *Conn) Heard(now time.Time) { c.heard.Store(now.UnixNano()) }

// SetRTT tells the connection's smoothed round-trip time. Any goroutine may
// call it.
func (c *Conn) SetRTT(d time.Duration) { c.rtt.Store(int64(d)) }

// RTT returns what SetRTT or the hub's own heartbeat measured last, 0 if
// nothing yet.
func (c *Conn) RTT() time.Duration { return time.Duration(c.rtt.Load()) }
