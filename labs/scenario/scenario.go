// Package scenario describes one run of the chat in an emulated network: the
// hosts, the links between them, what is said, and what goes wrong when. The
// guest program runs one; those who prepare runs write one. It is data: it
// imports neither the chat nor a network stack.
package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ServerHost is the name of the host that the chat server runs on.
const ServerHost = "server"

// Bounds of what one scenario may ask for. They keep a run within minutes of
// work and within the guest's memory.
const (
	MaxMembers  = 16
	MaxMessages = 100_000
	MaxSize     = 4096
	MaxRate     = 10_000 // messages per second
	MaxFaults   = 1000
	MaxTime     = 24 * time.Hour
)

// A Scenario is one run. All instants count from the moment when every member
// is connected: the workload begins there.
type Scenario struct {
	Seed    uint64   `json:"seed"`
	Server  Server   `json:"server"`
	Members []Member `json:"members"`
	Faults  []Fault  `json:"faults,omitempty"`
	Acts    []Act    `json:"acts,omitempty"`    // what members and the server do, besides Member.Messages
	Without Defence  `json:"without,omitempty"` // which one of the chat's defences is off; empty: none

	// Raw hosts have programs of their own; there may be hosts, members or both.
	Hosts    []Host    `json:"hosts,omitempty"`
	Programs []Program `json:"programs,omitempty"`

	// Quiet is how long the run goes on after the last message and the last
	// fault. It ends earlier when everything has arrived that could be sent
	// again; if zero, 100 s, more than every timeout of the chat. Without members
	// it is how long nothing may happen before it ends; if zero, RawQuiet.
	Quiet Duration `json:"quiet,omitempty"`
	// End is when a run with programs ends at the latest, since the workload
	// began; if zero, DefaultEnd.
	End Duration `json:"end,omitempty"`
	// Record lists the hosts whose access links are recorded, each as three
	// interfaces: the host, the link, the far end.
	Record []string `json:"record,omitempty"`
	// Packets sends the recorded packets out; else they are only counted.
	Packets bool `json:"packets,omitempty"`
	// States sends the TCP stacks' inner state out, at each segment received.
	States bool `json:"states,omitempty"`
	// Fates sends each recorded packet's fate out. With Member.RepeatUp and
	// RepeatDown a later run repeats them, packet by packet.
	Fates bool `json:"fates,omitempty"`
	// Explain is the number of the message whose story in the server's ledger
	// is sent out at the end; 0: none.
	Explain int `json:"explain,omitempty"`
	// Watch sends out how many bytes wait in the server's program for each
	// member's TCP connection, whenever that has changed.
	Watch bool `json:"watch,omitempty"`
}

// A Server is the chat server's configuration.
type Server struct {
	Data      bool `json:"data,omitempty"`       // events are on a disk, which outlives the process
	KeepCount int  `json:"keep_count,omitempty"` // events that a room keeps; if zero, the chat's default
	Refuse    bool `json:"refuse,omitempty"`     // when full, refuse the publisher instead of dropping the oldest
	TCPBuffer int  `json:"tcp_buffer,omitempty"` // bytes of a socket's send and receive buffer; if zero, the stack's

	Namespaces []string `json:"namespaces,omitempty"` // besides the default one
}

// A Duration is written as Go writes it, such as "1.5s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Read reads a scenario as JSON and validates it.
func Read(r io.Reader) (*Scenario, error) {
	var s Scenario
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &s, nil
}

// Validate reports what makes no sense, and what would.
func (s *Scenario) Validate() error {
	if n := len(s.Members); n == 0 && len(s.Hosts) == 0 || n > MaxMembers {
		return fmt.Errorf("scenario: %d members, want 1 to %d, or hosts", n, MaxMembers)
	}
	var hosts []string
	if len(s.Members) > 0 {
		hosts = append(hosts, ServerHost)
	}
	for i := range s.Members {
		m := &s.Members[i]
		if err := m.validate(); err != nil {
			return err
		}
		if slices.Contains(hosts, m.Name) {
			return fmt.Errorf("scenario: two hosts are named %q", m.Name)
		}
		hosts = append(hosts, m.Name)
	}
	hosts, err := s.rawHosts(hosts)
	if err != nil {
		return err
	}
	if s.Server.KeepCount < 0 {
		return fmt.Errorf("scenario: the server keeps %d events, want 0 (its default) or more", s.Server.KeepCount)
	}
	if s.Quiet < 0 || time.Duration(s.Quiet) > MaxTime {
		return fmt.Errorf("scenario: quiet for %v, want 0 to %v", time.Duration(s.Quiet), MaxTime)
	}
	if s.End < 0 || time.Duration(s.End) > MaxTime {
		return fmt.Errorf("scenario: end at %v, want 0s to %v", time.Duration(s.End), MaxTime)
	}
	for i, name := range s.Record {
		known := slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return h == ServerHost })
		if !slices.Contains(known, name) {
			return fmt.Errorf("scenario: record %q: no such member or host, want one of %s", name, strings.Join(known, ", "))
		}
		if slices.Contains(s.Record[:i], name) {
			return fmt.Errorf("scenario: record %q: it is there twice", name)
		}
	}
	if len(s.Faults) > MaxFaults {
		return fmt.Errorf("scenario: %d faults, want at most %d", len(s.Faults), MaxFaults)
	}
	for i := range s.Faults {
		if err := s.Faults[i].validate(hosts); err != nil {
			return err
		}
	}
	return s.validateActs()
}

// Bound returns a limit on the run's length that a sound run never reaches.
func (s *Scenario) Bound() time.Duration {
	last := time.Duration(0)
	for i := range s.Faults {
		last = max(last, s.Faults[i].At)
	}
	for i := range s.Acts {
		last = max(last, s.Acts[i].last())
	}
	for i := range s.Members {
		last = max(last, s.Members[i].last())
	}
	if len(s.Programs) > 0 {
		last = max(last, s.Latest())
	}
	return last + time.Duration(len(s.Members))*connectSpan + max(time.Duration(s.Quiet), WholeTime) + connectSpan
}

// Latest returns when a run with programs ends at the latest.
func (s *Scenario) Latest() time.Duration {
	if s.End == 0 {
		return DefaultEnd
	}
	return time.Duration(s.End)
}

const (
	// WholeTime is how long a run goes on after its last act if Quiet does not
	// say: more than the chat's every timeout and its longest wait before it
	// comes back.
	WholeTime = 100 * time.Second
	// connectSpan is longer than a member may take to connect.
	connectSpan = 2 * time.Minute
)
