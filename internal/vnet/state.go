package vnet

import (
	"maps"
	"math"
	"net/netip"
	"sync"
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

	MSS         int // bytes of payload that a segment has at most
	Cwnd        int // segments
	Ssthresh    int // segments; −1: not set yet
	Outstanding int // segments sent and not acknowledged
	SackedOut   int // of them, acknowledged selectively
	DupAcks     int
	SRTT        time.Duration
	RTTVar      time.Duration
	RTO         time.Duration
	Recovery    string // "open"; "recovery" (fast or SACK recovery); "loss": a timeout is repaired
	Retransmits int    // segments that were sent again so far

	// Sequence numbers, from the connection's beginning: the SYN has 0, the first
	// byte 1. SndNxt is the first that was not sent yet.
	SndUna, SndNxt, RcvNxt uint32

	// CUBIC's window at the last loss, and how long it takes to come back to it
	// (RFC 9438, section 4.2); zero before the first loss.
	WMax float64       // segments
	K    time.Duration // since the loss
}

// watched are the TCP endpoints of a host's life, by flow: what tells their
// state when a timer has fired.
type watched struct {
	mu   sync.Mutex
	ends map[uint64]*watchedEnd
	many int // at so many, look for those that have ended
}

// A watchedEnd is one end of a connection, and what is known of it.
type watchedEnd struct {
	endpoint tcpip.Endpoint
	state    State // when it last received a segment
	loss     bool  // a timeout is repaired
}

// watch makes the state of ep known after retransmissions, too.
func (l *life) watch(ep tcpip.Endpoint) {
	if l.host.net.cfg.OnState == nil {
		return
	}
	local, err := ep.GetLocalAddress()
	if err != nil {
		return
	}
	remote, err := ep.GetRemoteAddress()
	if err != nil {
		return
	}
	flow := flowOf(addrPort(local.Addr, local.Port), addrPort(remote.Addr, remote.Port), protocolTCP)
	w := &l.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = make(map[uint64]*watchedEnd)
	}
	if e := w.ends[flow]; e == nil || e.endpoint != ep {
		w.ends[flow] = &watchedEnd{endpoint: ep}
	}
	if len(w.ends) <= w.many {
		return
	}
	maps.DeleteFunc(w.ends, func(_ uint64, e *watchedEnd) bool {
		s := tcp.EndpointState(e.endpoint.State())
		return s == tcp.StateClose || s == tcp.StateError
	})
	w.many = max(64, 2*len(w.ends))
}

// resent says that a host sent a segment of a flow again.
type resent struct {
	life *life
	flow uint64
}

// poll tells the state of a connection that sent a segment again: a timer may
// have fired, which the stack's probe does not see.
func (l *life) poll(flow uint64) {
	w := &l.watched
	w.mu.Lock()
	e := w.ends[flow]
	w.mu.Unlock()
	if e == nil {
		return
	}
	var info tcpip.TCPInfoOption
	if err := e.endpoint.GetSockOpt(&info); err != nil || info.SndCwnd == 0 {
		return
	}
	w.mu.Lock()
	out := e.state
	e.loss = info.CcState == tcpip.RTORecovery
	w.mu.Unlock()
	if out.Host == "" {
		return // it has not received a segment yet
	}
	out.take(&info)
	out.Retransmits = l.host.conversation(flow).resent
	l.host.net.cfg.OnState(&out)
}

// take fills in what the stack says when it is asked.
func (s *State) take(info *tcpip.TCPInfoOption) {
	s.Time = time.Now()
	s.Cwnd, s.Ssthresh = int(info.SndCwnd), -1
	if info.SndSsthresh < math.MaxInt32 {
		s.Ssthresh = int(info.SndSsthresh)
	}
	s.SRTT, s.RTTVar, s.RTO = info.RTT, info.RTTVar, info.RTO
	switch info.CcState {
	case tcpip.RTORecovery:
		s.Recovery = "loss"
	case tcpip.FastRecovery, tcpip.SACKRecovery:
		s.Recovery = "recovery"
	default:
		s.Recovery = "open"
	}
}

// ReportState tells the state of the connection now, with MSS 0. Before the first
// segment with data nobody else tells it: what the handshake has measured.
func (c *Conn) ReportState() {
	report := c.life.host.net.cfg.OnState
	var info tcpip.TCPInfoOption
	if report == nil || c.endpoint.GetSockOpt(&info) != nil || info.SndCwnd == 0 {
		return
	}
	local, err := c.endpoint.GetLocalAddress()
	if err != nil {
		return
	}
	remote, err := c.endpoint.GetRemoteAddress()
	if err != nil {
		return
	}
	s := State{Host: c.life.host.cfg.Name, Local: addrPort(local.Addr, local.Port), Remote: addrPort(remote.Addr, remote.Port)}
	s.take(&info)
	report(&s)
}

// conversation returns what is known of a flow.
func (h *Host) conversation(flow uint64) conversation {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.flows[flow]
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
			MSS:    s.Sender.MaxPayloadSize,
			Cwnd:   s.Sender.SndCwnd, Ssthresh: threshold(s.Sender.Ssthresh),
			Outstanding: s.Sender.Outstanding, SackedOut: s.Sender.SackedOut, DupAcks: s.Sender.DupAckCount,
			SRTT: s.Sender.RTTState.SRTT, RTTVar: s.Sender.RTTState.RTTVar, RTO: s.Sender.RTO,
			Recovery: "open",
			WMax:     s.Sender.Cubic.WMax,
		}
		if out.WMax > 0 {
			out.K = time.Duration(s.Sender.Cubic.K * float64(time.Second))
		}
		flow := flowOf(out.Local, out.Remote, protocolTCP)
		c := l.host.conversation(flow)
		out.Retransmits = c.resent
		out.SndUna, out.SndNxt = uint32(s.Sender.SndUna)-c.first, uint32(s.Sender.SndNxt)-c.first
		out.RcvNxt = uint32(s.Receiver.RcvNxt) - c.other + 1
		w := &l.watched
		w.mu.Lock()
		if e := w.ends[flow]; e != nil {
			// The stack is done with a timeout when all that was sent before it
			// is acknowledged.
			e.loss = e.loss && !s.Sender.FastRecovery.Last.LessThan(s.Sender.SndUna)
			if e.loss {
				out.Recovery = "loss"
			}
			if s.Sender.FastRecovery.Active {
				out.Recovery = "recovery"
			}
			e.state = out
		}
		w.mu.Unlock()
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
