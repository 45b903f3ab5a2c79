package chat

import "time"

// A Snapshot is the state of a hub at one moment, for people to look at. The
// rooms and members in it are sorted by name.
type Snapshot struct {
	Time     time.Time         `json:"time"`
	Uptime   time.Duration     `json:"uptime_ns"`
	Rooms    []RoomView        `json:"rooms"`
	Members  []MemberView      `json:"members"`
	HalfOpen int               `json:"half_open"` // connections that have not connected yet
	Totals   Totals            `json:"totals"`
	Faults   map[string]uint64 `json:"faults,omitempty"` // protocol faults and refusals by code
}

// Totals count since the hub began.
type Totals struct {
	Published  uint64 `json:"published"`  // events appended to a log
	Delivered  uint64 `json:"delivered"`  // event × member handed to a transport
	Volatile   uint64 `json:"volatile"`   // volatile event × member handed to a transport
	Dropped    uint64 `json:"dropped"`    // volatile event × member dropped
	Duplicates uint64 `json:"duplicates"` // publishes of a message id that was known
	Lost       uint64 `json:"lost"`       // event × member that a member was told it lost
	Refused    uint64 `json:"refused"`    // emits refused: limits, rights, a full queue
	Retransmit uint64 `json:"retransmit"` // datagrams sent again
	BytesIn    uint64 `json:"bytes_in"`
	BytesOut   uint64 `json:"bytes_out"`
	Stored     uint64 `json:"stored"`  // events in all logs now
	Held       int64  `json:"held"`    // bytes in all logs now
	Commits    uint64 `json:"commits"` // batches made durable
}

// A RoomView is one room.
type RoomView struct {
	Namespace string `json:"namespace"`
	Room      string `json:"room"`
	Epoch     string `json:"epoch"`
	First     uint64 `json:"first"`
	Head      uint64 `json:"head"`
	Bytes     int64  `json:"bytes"`
	Members   int    `json:"members"` // live
	Away      int    `json:"away"`    // sessions without a connection
}

// A MemberView is one session, or a connection without one.
type MemberView struct {
	Name       string        `json:"name"`
	Session    string        `json:"session,omitempty"` // public id; empty without a session
	Transport  string        `json:"transport"`         // "tcp", "udp", "text"; as it was last while away
	Mode       string        `json:"mode"`
	Remote     string        `json:"remote,omitempty"`
	Away       bool          `json:"away"`
	Since      time.Time     `json:"since"` // connected, or away
	RTT        time.Duration `json:"rtt_ns"`
	Cursors    []CursorView  `json:"cursors"`
	Lost       uint64        `json:"lost"`
	Retransmit uint64        `json:"retransmit"`
	Dropped    uint64        `json:"dropped"` // volatile events that it could not take
	Delivered  uint64        `json:"delivered"`
	BytesIn    uint64        `json:"bytes_in"`
	BytesOut   uint64        `json:"bytes_out"`
}

// A CursorView is a member's place in one room.
type CursorView struct {
	Namespace string `json:"namespace"`
	Room      string `json:"room"`
	Head      uint64 `json:"head"`
	Sent      uint64 `json:"sent"`     // handed to the transport up to here
	Consumed  uint64 `json:"consumed"` // acknowledged up to here; without a session the same as Sent
	Waiting   uint64 `json:"waiting"`  // Head − Consumed: the lag, or what waits for one who is away
}
