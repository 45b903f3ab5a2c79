// Package measure turns a run into Go values that a lab's expressions are about:
// packets, events, TCP states, sums. It also reads, evaluates and checks these
// expressions, and reads and writes quantities with their units.
//
// All values are in base units: seconds, bytes, bits per second, and 1 for counts
// and shares. Instants are seconds since the workload began; what came before is
// negative.
package measure

import (
	"time"

	"wirelab/internal/trace"
	"wirelab/labs/scenario"
)

// A Run is what one scenario did. It does not change once it was made: any
// number of goroutines may read it.
type Run struct {
	Scenario *scenario.Scenario
	Lines    []byte        // the events, as JSON lines
	Capture  []byte        // the packets, as a pcapng file
	Virtual  time.Duration // how long the run was, in its own time
	Sums     trace.Sums    // SHA-256 of events and capture

	Began   float64 // when the workload began, in seconds since the run did
	Packets []Packet
	Events  []Event
	States  []State
	Totals  Totals

	list *listing
}

// Runs are the runs of one sheet by the name of their scenario; the main one has
// the name "".
type Runs map[string]*Run

// A Packet is one packet that a host sent into a recorded link, and what became
// of it.
type Packet struct {
	N       int     `expr:"n"`       // its place among the packets, from 1
	T       float64 `expr:"t"`       // when it was sent
	Arrived float64 `expr:"arrived"` // when the link's other end had it; −1: it never did
	Host    string  `expr:"host"`    // whose link it was
	Up      bool    `expr:"up"`      // away from that host
	From    string  `expr:"from"`    // host, or its address if it has no name
	To      string  `expr:"to"`
	Proto   string  `expr:"proto"` // tcp, udp, icmp, or a number
	Sport   int     `expr:"sport"`
	Dport   int     `expr:"dport"`
	Size    int     `expr:"size"`   // bytes of the IP packet
	Len     int     `expr:"len"`    // bytes of payload, of TCP or UDP if it has such a header
	Seq     int     `expr:"seq"`    // relative to the connection's first, as Wireshark shows it
	Ack     int     `expr:"ack"`    //
	Window  int     `expr:"window"` // bytes, scaled
	Syn     bool    `expr:"syn"`
	Fin     bool    `expr:"fin"`
	Rst     bool    `expr:"rst"`
	IsAck   bool    `expr:"isack"`
	MSS     int     `expr:"mss"`  // option of a SYN; 0: none
	TTL     int     `expr:"ttl"`  //
	Lost    bool    `expr:"lost"` // it did not reach the program's host
	Fate    string  `expr:"fate"` // what became of it, in words; empty: nothing special
	Again   bool    `expr:"again"`
	Copies  int     `expr:"copies"`  // how often it arrived; 0: it never did
	Frag    int     `expr:"frag"`    // offset of a fragment in its datagram
	More    bool    `expr:"more"`    // more fragments follow
	Payload string  `expr:"payload"` // bytes, as they are

	Number int    `expr:"number"` // of it in the capture, where it was sent, from 1
	Data   []byte `expr:"-"`      // the IP packet
}

// An Event is one line of the run's event stream (see labs/EVENTS.md).
type Event struct {
	T         float64 `expr:"t"`
	Kind      string  `expr:"ev"`
	Host      string  `expr:"host"`
	Life      int     `expr:"life"`
	From      string  `expr:"from"`
	N         int     `expr:"n"`
	Size      int     `expr:"size"`
	Seq       int     `expr:"seq"`
	Prev      int     `expr:"prev"`
	Again     bool    `expr:"again"`
	Tries     int     `expr:"tries"`
	Count     int     `expr:"count"`
	Text      string  `expr:"text"`
	Room      string  `expr:"room"`     // of the chat; empty: the whole namespace
	Namespace string  `expr:"ns"`       // empty: the default one
	Direct    bool    `expr:"direct"`   // for this member alone
	Volatile  bool    `expr:"volatile"` // not stored
	Form      string  `expr:"form"`     // of an emit
	To        string  `expr:"to"`       // of an emit: whom it was said to, in the scenario's words
	Sock      string  `expr:"sock"`     // the name that the scenario's text gives the socket
	Do        string  `expr:"do"`       // what happened to it
	Local     string  `expr:"local"`    // that socket's address and port
	Remote    string  `expr:"remote"`   // and its peer's
	Total     int     `expr:"total"`    // bytes that passed the socket this way so far
}

// A State is one end of a TCP connection at an instant.
type State struct {
	T        float64 `expr:"t"`
	Host     string  `expr:"host"`
	Local    string  `expr:"local"`
	Remote   string  `expr:"remote"`
	Cwnd     int     `expr:"cwnd"`     // segments
	Ssthresh int     `expr:"ssthresh"` // segments; −1: not set yet
	Flight   int     `expr:"flight"`   // segments
	SRTT     float64 `expr:"srtt"`     // seconds
	RTTVar   float64 `expr:"rttvar"`
	RTO      float64 `expr:"rto"`
	Recovery string  `expr:"recovery"`
}

// Totals are counts over the whole run.
type Totals struct {
	Packets         int            `expr:"packets"`
	WireBytes       int            `expr:"wire_bytes"`
	AllBytes        int            `expr:"all_bytes"`
	Retransmissions int            `expr:"retransmissions"`
	Drops           map[string]int `expr:"drops"`
}
