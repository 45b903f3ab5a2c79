package relay

import (
	"net/netip"
	"time"

	"wirelab/internal/impair"
)

// A Snapshot is what a relay has done up to an instant, and what it does.
type Snapshot struct {
	Time       time.Time
	Started    time.Time
	Up         Side // from the client to the server
	Down       Side // from the server to the client
	Conns      []Conn
	Connecting int // TCP connections that the far side has not answered yet
	Flows      int // UDP flows that are open
	Totals     Totals
	Herald     bool // clients are told by ICMP that the server's port is closed

	Recorded uint64 // packets filed, each up to three times
}

// A Side is one direction of the link. Packets are counted at the network
// layer: bytes from the IP header on.
type Side struct {
	Config   impair.Config // what the link does to packets now
	Sent     Volume        // entered the link
	Received Volume        // left it at the far end
	Lost     Losses        // were not carried
	Refused  uint64        // arrived, but the host had no room for them

	Duplicated uint64
	Corrupted  uint64 // a bit was flipped
	Reordered  uint64 // arrived after a packet that was sent later
	Resent     uint64 // TCP segments that were sent before
	Payload    uint64 // bytes of TCP streams and datagrams handed to the program at the far end
}

// A Volume is an amount of packets.
type Volume struct{ Packets, Bytes uint64 }

// Losses counts packets by the cause of their loss.
type Losses [causes]uint64

// Total is all that was lost.
func (l *Losses) Total() (n uint64) {
	for _, c := range l {
		n += c
	}
	return n
}

const causes = impair.LostTooBig + 1

// Causes are the ways to lose a packet, in the order in which they are shown.
func Causes() []impair.Cause {
	var all []impair.Cause
	for c := impair.Cause(1); c < causes; c++ {
		all = append(all, c)
	}
	return all
}

// Totals count what became of connections and datagrams.
type Totals struct {
	Accepted    uint64 // TCP connections of the client program
	Closed      uint64 // ended by FIN from both sides
	Reset       uint64 // ended by RST from either
	Refused     uint64 // the server program did not take them
	Failed      uint64 // did not get through the link, or the client gave up
	Overflow    uint64 // reset at once: too many at a time
	Cut         uint64 // were open when Serve ended
	Flows       uint64 // UDP flows
	Unreachable uint64 // datagrams that the server program's port refused
}

// A Total is one of the counts.
type Total struct {
	Name  string // for programs: "refused"
	What  string // for people: "refused by the server"
	Bad   bool   // anything but zero is worth a look
	Count uint64
}

// List returns the counts in the order in which they are shown.
func (t *Totals) List() []Total {
	return []Total{
		{"accepted", "accepted", false, t.Accepted},
		{"closed", "closed", false, t.Closed},
		{"reset", "reset", true, t.Reset},
		{"refused", "refused by the server", true, t.Refused},
		{"failed", "failed", true, t.Failed},
		{"overflow", "over the limit", true, t.Overflow},
		{"cut", "open at the end", false, t.Cut},
		{"udp_flows", "UDP flows", false, t.Flows},
		{"udp_refused", "datagrams refused", true, t.Unreachable},
	}
}

// A Conn is a TCP connection that is open on either side.
type Conn struct {
	Client netip.AddrPort // the client program's end
	Port   uint16         // the client's port on the emulated link
	Opened time.Time
	Phase  string // Open, ClientDone, ServerDone or Closing
	Up     Half
	Down   Half
}

// A Half is one direction of a connection.
type Half struct {
	Taken  uint64 // bytes read from the program that sends
	Handed uint64 // bytes written to the program that receives
	Resent uint64 // segments
	Lost   uint64 // segments
	Sender Control
}

// A Control is the state of a sender's congestion control, of the emulated
// host's stack. Known is false before its first segment was answered.
type Control struct {
	Known       bool
	Cwnd        int // segments
	Ssthresh    int // segments; -1: infinite
	Outstanding int // segments
	SRTT        time.Duration
	RTTVar      time.Duration
	RTO         time.Duration
	Recovery    string
}
