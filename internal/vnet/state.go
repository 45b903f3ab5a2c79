package vnet

import (
	"math"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A State is the inner state of one end of a TCP connection at an instant.
type State struct {
	Time          time.Time
	Host          string
	Local, Remote netip.AddrPort

	Cwnd        int // segments
	Ssthresh    int // segments; −1: not set yet
	Outstanding int // segments sent and not acknowledged
	SackedOut   int // of them, acknowledged selectively
	DupAcks     int
	SRTT        time.Duration
	RTTVar      time.Duration
	RTO         time.Duration
	Recovery    string // "open", "recovery" (fast or SACK recovery)

	// CUBIC's window at the last loss, and how long it takes to come back to it
	// (RFC 9438, section 4.2); zero before the first loss.
	WMax float64       // segments
	K    time.Duration // since the loss
}

// tcp returns what makes the stack's TCP.
func (l *life) tcp() stack.TransportProtocolFactory {
	report := l.host.net.cfg.OnState
	if report == nil {
		return tcp.NewProtocolCUBIC
	}
	return tcp.NewProtocolProbe(func(s *tcp.TCPEndpointState) {
		id := s.ID
		out := State{
			Time: time.Now(), Host: l.host.cfg.Name,
			Local:  addrPort(id.LocalAddress, id.LocalPort),
			Remote: addrPort(id.RemoteAddress, id.RemotePort),
			Cwnd:   s.Sender.SndCwnd, Ssthresh: threshold(s.Sender.Ssthresh),
			Outstanding: s.Sender.Outstanding, SackedOut: s.Sender.SackedOut, DupAcks: s.Sender.DupAckCount,
			SRTT: s.Sender.RTTState.SRTT, RTTVar: s.Sender.RTTState.RTTVar, RTO: s.Sender.RTO,
			Recovery: "open",
			WMax:     s.Sender.Cubic.WMax,
		}
		if s.Sender.FastRecovery.Active {
			out.Recovery = "recovery"
		}
		if out.WMax > 0 {
			out.K = time.Duration(s.Sender.Cubic.K * float64(time.Second))
		}
		report(&out)
	})
}

// threshold makes the stack's huge number for "not set" −1.
func threshold(n int) int {
	if n >= math.MaxInt32 {
		return -1
	}
	return n
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(ip, port)
}

// Stats are counts of a host over all its lives.
type Stats struct {
	SegmentsSent, SegmentsReceived uint64 // TCP
	Retransmits                    uint64 // TCP segments sent again
	FastRetransmits                uint64 // of those, after duplicate acknowledgements
	Timeouts                       uint64 // RTOs
	DatagramsSent                  uint64 // UDP
	DatagramsReceived              uint64 // UDP
	BadChecksums                   uint64 // of IP, TCP and UDP: dropped
	BufferFull                     uint64 // UDP datagrams that a socket's buffer had no room for
	UnknownPort                    uint64 // UDP datagrams to a port that nobody has
}

func (s *Stats) add(o Stats) {
	s.SegmentsSent += o.SegmentsSent
	s.SegmentsReceived += o.SegmentsReceived
	s.Retransmits += o.Retransmits
	s.FastRetransmits += o.FastRetransmits
	s.Timeouts += o.Timeouts
	s.DatagramsSent += o.DatagramsSent
	s.DatagramsReceived += o.DatagramsReceived
	s.BadChecksums += o.BadChecksums
	s.BufferFull += o.BufferFull
	s.UnknownPort += o.UnknownPort
}

func (l *life) stats() Stats {
	s := l.stack.Stats()
	return Stats{
		SegmentsSent: s.TCP.SegmentsSent.Value(), SegmentsReceived: s.TCP.ValidSegmentsReceived.Value(),
		Retransmits: s.TCP.Retransmits.Value(), FastRetransmits: s.TCP.FastRetransmit.Value(), Timeouts: s.TCP.Timeouts.Value(),
		DatagramsSent: s.UDP.PacketsSent.Value(), DatagramsReceived: s.UDP.PacketsReceived.Value(),
		BadChecksums: s.TCP.ChecksumErrors.Value() + s.UDP.ChecksumErrors.Value() + s.IP.MalformedPacketsReceived.Value(),
		BufferFull:   s.UDP.ReceiveBufferErrors.Value(), UnknownPort: s.UDP.UnknownPortErrors.Value(),
	}
}

// Stats returns the counts until now.
func (h *Host) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := h.past
	if h.life != nil {
		sum.add(h.life.stats())
	}
	return sum
}
