package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/impair"
)

// Bounds of what raw hosts may ask for.
const (
	MaxHosts      = 16
	MaxPrograms   = 64
	MaxStatements = 256      // of one program
	MaxBuffer     = 64 << 20 // bytes
	MaxTimes      = 100_000  // of one statement
	MaxVolume     = 64 << 20 // bytes that one statement sends
	MinMTU        = 1280     // bytes of an IP packet (RFC 8200, section 5)
	MaxMTU        = 65_535   //
	MaxFrames     = 20_000   // of one ARQ transfer
	MaxWindow     = 10_000   // frames
	DefaultEnd    = 10 * time.Minute
	// RawQuiet is how long nothing may happen in a scenario of raw hosts before
	// it ends, if Quiet does not say.
	RawQuiet = 5 * time.Second
)

// A Host is a machine with an access link and programs of its own, without the
// chat. What is zero is as the stack has it; see vnet.HostConfig.
type Host struct {
	Name string `json:"name"`
	Up   string `json:"up,omitempty"`   // its access link, from the host; see impair.Parse
	Down string `json:"down,omitempty"` // and towards it

	MTU           int      `json:"mtu,omitempty"`            // bytes of an IP packet
	ReceiveBuffer int      `json:"receive_buffer,omitempty"` // bytes, of a TCP socket
	SendBuffer    int      `json:"send_buffer,omitempty"`    // bytes, of a TCP socket
	UDPBuffer     int      `json:"udp_buffer,omitempty"`     // bytes received that a UDP socket holds
	MinRTO        Duration `json:"min_rto,omitempty"`        // of TCP
	MaxRTO        Duration `json:"max_rto,omitempty"`
	NoSACK        bool     `json:"no_sack,omitempty"`     // no selective acknowledgements (RFC 2018)
	NoRACK        bool     `json:"no_rack,omitempty"`     // neither RACK nor tail loss probes (RFC 8985)
	Reno          bool     `json:"reno,omitempty"`        // NewReno (RFC 6582) instead of CUBIC
	Nagle         bool     `json:"nagle,omitempty"`       // small segments wait (RFC 9293, section 3.7.4)
	DelayedACK    bool     `json:"delayed_ack,omitempty"` // acknowledgements wait (RFC 9293, section 3.8.6.3)
}

// A Program is what a host does, one statement after the other.
type Program struct {
	Host string      `json:"host"`
	At   Duration    `json:"at,omitempty"` // when it starts, since the workload began
	Do   []Statement `json:"do"`
}

func (h *Host) validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("scenario: host %q: %w", h.Name, fmt.Errorf(format, args...))
	}
	if err := checkName(h.Name); err != nil {
		return fail("%w", err)
	}
	for _, l := range []struct{ way, text string }{{"up", h.Up}, {"down", h.Down}} {
		if _, err := impair.Parse(l.text); err != nil {
			return fail("link %s: %w", l.way, err)
		}
	}
	if h.MTU != 0 && (h.MTU < MinMTU || h.MTU > MaxMTU) {
		return fail("mtu of %d bytes, want %d to %d", h.MTU, MinMTU, MaxMTU)
	}
	for _, b := range []struct {
		name string
		n    int
		min  int
	}{{"receive-buffer", h.ReceiveBuffer, 1}, {"send-buffer", h.SendBuffer, 1}, {"udp-buffer", h.UDPBuffer, 4096}} {
		if b.n != 0 && (b.n < b.min || b.n > MaxBuffer) {
			return fail("%s of %d bytes, want %d to %d", b.name, b.n, b.min, MaxBuffer)
		}
	}
	for _, d := range []struct {
		name string
		d    Duration
	}{{"min-rto", h.MinRTO}, {"max-rto", h.MaxRTO}} {
		if d.d != 0 && (time.Duration(d.d) < minRTO || time.Duration(d.d) > maxRTO) {
			return fail("%s of %v, want %v to %v", d.name, time.Duration(d.d), minRTO, maxRTO)
		}
	}
	return nil
}

// What a retransmission timeout may be set to.
const (
	minRTO = 8 * time.Millisecond
	maxRTO = 120 * time.Second
)

// checkName says what a host's name may be. It is part of texts of words, and of
// events.
func checkName(name string) error {
	if name == "" || len(name) > 32 || strings.ContainsAny(name, " ;:\"#\t\n\r") {
		return fmt.Errorf("a name has 1 to 32 bytes and no space, colon, semicolon, quote or #")
	}
	return nil
}

// rawHosts validates the hosts and programs, and returns hosts with theirs.
func (s *Scenario) rawHosts(hosts []string) ([]string, error) {
	if n := len(s.Hosts); n > MaxHosts {
		return nil, fmt.Errorf("scenario: %d hosts, want at most %d", n, MaxHosts)
	}
	if n := len(s.Programs); n > MaxPrograms {
		return nil, fmt.Errorf("scenario: %d programs, want at most %d", n, MaxPrograms)
	}
	for i := range s.Hosts {
		h := &s.Hosts[i]
		if err := h.validate(); err != nil {
			return nil, err
		}
		if slices.Contains(hosts, h.Name) {
			return nil, fmt.Errorf("scenario: two hosts are named %q", h.Name)
		}
		hosts = append(hosts, h.Name)
	}
	sockets := make(map[string]map[string]bool)
	for i := range s.Hosts {
		sockets[s.Hosts[i].Name] = make(map[string]bool)
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		if sockets[p.Host] == nil {
			return nil, fmt.Errorf("scenario: run %s: no host is named so, want one of %s", p.Host, hostNames(s.Hosts))
		}
		if len(p.Do) > MaxStatements {
			return nil, fmt.Errorf("scenario: run %s: %d statements, want at most %d", p.Host, len(p.Do), MaxStatements)
		}
		if p.At < 0 || time.Duration(p.At) > MaxTime {
			return nil, fmt.Errorf("scenario: run %s at %v, want 0s to %v", p.Host, time.Duration(p.At), MaxTime)
		}
		for j := range p.Do {
			if name := p.Do[j].opens(); name != "" {
				sockets[p.Host][name] = true
			}
		}
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		for j := range p.Do {
			if err := p.Do[j].validate(hosts, sockets[p.Host]); err != nil {
				return nil, fmt.Errorf("scenario: run %s: %w", p.Host, err)
			}
		}
	}
	return hosts, nil
}

func hostNames(hosts []Host) string {
	names := make([]string, len(hosts))
	for i := range hosts {
		names[i] = hosts[i].Name
	}
	if len(names) == 0 {
		return "none: there is no host"
	}
	return strings.Join(names, ", ")
}
