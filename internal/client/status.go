package client

import (
	"fmt"
	"time"
)

// A StatusKind says what happened to the connection, or to a room.
type StatusKind uint8

// The kinds. The fields of [Status] that are set are named with each.
const (
	StatusConnecting   StatusKind = 1 + iota // Attempt
	StatusConnected                          // Name, Socket, Session, Resumed, Server, Link
	StatusDisconnected                       // Err; Retry: when the next attempt is made
	StatusOffline                            // on purpose; Retry: for how long, 0 until Online
	StatusRefused                            // Err is a *Refusal; the client ends
	StatusClosed                             // the last one; Err, nil after Close
	StatusRoom                               // where the client stands: Room, Cursor, Head, Missed, Redelivered, Recovered
	StatusLeft                               // Room; Err is a *Refusal if the server removed the client
	StatusLost                               // Room, Lost, Reason; never silent
	StatusNotice                             // Err is a *Refusal: of an emit that wanted no answer, or a room that was not joined again
)

var statusNames = [...]string{"", "connecting", "connected", "disconnected", "offline", "refused", "closed", "room", "left", "lost", "notice"}

// String returns the kind's name in lower case, or "status N".
func (k StatusKind) String() string {
	if k == 0 || int(k) >= len(statusNames) {
		return fmt.Sprintf("status %d", uint8(k))
	}
	return statusNames[k]
}

// The reasons of a loss. The first five are the server's words.
const (
	LostEpoch    = "epoch"    // the room's log is another one; how many were lost is not known (Lost may be 0)
	LostExpired  = "expired"  // older than the server keeps
	LostOverflow = "overflow" // more than the server keeps
	LostLeft     = "left"     // sent while this client, without a session, was not there; some may not have been for it
	LostDamaged  = "damaged"  // the server's store could not be read
	LostGap      = "gap"      // did not arrive, and the server did not say why: unreliable UDP, or a defect
)

// A Status is a change of the connection or of a room's cursor.
type Status struct {
	Kind      StatusKind
	Time      time.Time
	Namespace string
	Room      string

	Name    string // the identity's, as the server wrote it
	Socket  string // this connection's id
	Session string // empty without one
	Server  string // the server's name and version
	Resumed bool   // the session goes on
	Link    LinkStats
	Attempt int // from 1, counted since the last connection; 0 of a disconnect: that connection broke
	Retry   time.Duration
	Err     error

	Cursor      Cursor
	Head        uint64 // the room's newest
	Missed      uint64 // how many events wait for this client, at most: some may not be for it
	Redelivered uint64 // events up to here were sent before
	Recovered   bool   // everything since the client's cursor follows
	Lost        uint64 // how many events, as far as known
	Reason      string // of the loss
}

// Stats is a snapshot of a client's counters. They count since New.
type Stats struct {
	Online    bool // connected, rooms joined
	Since     time.Time
	Server    string
	Name      string
	Socket    string
	Session   string
	RTT       time.Duration // measured by PING while somebody asks for Stats; 0: not yet
	Heartbeat time.Duration // the server is dead when silent for so long
	Link      LinkStats
	Rooms     []RoomStats // sorted by namespace and room

	Sent            uint64 // emits handed to the transport, retries included
	Received        uint64 // events
	Handled         uint64 // events for which OnEvent returned
	Duplicates      uint64 // events dropped because they were seen
	Redelivered     uint64 // events handed over with Redelivered
	Late            uint64 // events that came after a loss was reported (unreliable UDP)
	Lost            uint64 // events, over all rooms
	Acks            uint64 // answers that somebody waited for
	LateAcks        uint64 // answers that came too late, or twice
	UnknownAcks     uint64 // answers to nothing this client sent
	AckTimeouts     uint64
	Retries         uint64
	VolatileDropped uint64
	SendLost        uint64 // emits without retries that the connection took along when it broke
	Connects        uint64 // successful ones
	Waiting         int    // emits that wait for the connection
	PendingAcks     int
	Unhandled       int // events that wait for OnEvent
}

// RoomStats is how a client stands in one room.
type RoomStats struct {
	Namespace, Room string
	Epoch           uint64
	Received        uint64 // the newest seq that arrived
	Handled         uint64 // the newest seq for which OnEvent returned
	Consumed        uint64 // what the server was told of that
	Head            uint64 // the newest seq that the client knows of
	Lost            uint64
}

// Stats returns a snapshot. Who asks now and then makes the client measure the
// round-trip time.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	st := c.stats
	now := time.Now()
	if now.Sub(c.asked) >= pingEvery {
		c.poke()
	}
	c.asked = now
	l := c.live
	st.Online = c.online()
	st.Server, st.Name, st.Session = c.server, c.name, c.session
	st.RTT, st.Heartbeat = c.rtt, c.heartbeat
	st.Waiting, st.PendingAcks, st.Unhandled = len(c.out)+len(c.retries), len(c.acks), c.unhandled
	for _, r := range c.sortedRooms() {
		if r.known {
			st.Rooms = append(st.Rooms, RoomStats{
				Namespace: r.key.namespace, Room: r.key.room, Epoch: r.epoch,
				Received: r.seq, Handled: r.handled, Consumed: r.consumed, Head: r.head, Lost: r.lost,
			})
		}
	}
	if l != nil {
		st.Socket = c.Space.socket
	}
	c.mu.Unlock()
	if l != nil {
		st.Link = l.link.Stats()
	}
	return st
}
