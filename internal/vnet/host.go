package vnet

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"wirelab/internal/impair"
)

// What a HostConfig's zero fields mean.
const (
	DefaultMTU       = 1500
	DefaultTCPBuffer = 1 << 20   // bytes
	DefaultUDPBuffer = 208 << 10 // bytes: Linux's net.core.rmem_default
)

// A HostConfig describes a host and its access link. Name and Addrs are
// required.
type HostConfig struct {
	Name     string
	Addrs    []netip.Addr // IPv4 and IPv6
	Up, Down impair.Config
	MTU      int // bytes of an IP packet, 1,280 or more; if zero, DefaultMTU

	MinRTO, MaxRTO            time.Duration // if zero, 200 ms and 120 s; none is less than 8 ms
	NoSACK                    bool
	NoRACK                    bool // three duplicate ACKs instead (RFC 5681), and no tail loss probes (RFC 8985)
	Reno                      bool // NewReno (RFC 6582) instead of CUBIC
	Nagle                     bool // RFC 9293, section 3.7.4; not so by default
	ReceiveBuffer, SendBuffer int  // of a TCP socket, bytes; if zero, DefaultTCPBuffer at first, and the stack moderates it
	UDPReceiveBuffer          int  // of a UDP socket, bytes, 4,096 or more; if zero, DefaultUDPBuffer

	Quiet bool // Config.OnPacket is not told of this access link

	// Record is called with what chance does to each packet, Repeat has the
	// fates of an earlier run.
	Record func(Direction, impair.Recorded)
	Repeat [2][]impair.Recorded // by direction
}

// A Host is a machine with a stack and an access link. Its methods may be
// called from any goroutine.
type Host struct {
	net    *Network
	cfg    HostConfig
	number uint64 // of the host in its network

	// Guarded by net.mu.
	paths [2]*path
	nic   *nic // nil: the host is down
	flows map[uint64]conversation

	turn    sync.Mutex    // held by Stop and Resume, so that the sockets are left as the last of them says
	mu      sync.Mutex    // comes after turn
	life    *life         // nil: the host is down
	ended   chan struct{} // closed when the last life that was killed is over; nil: none was
	lives   uint64        // so far
	stopped chan struct{} // closed by Resume; nil: the program runs
	slow    time.Duration
	past    Stats // of lives before
}

// A life is a host between its start and its end.
type life struct {
	host  *Host
	stack *stack.Stack
	dead  chan struct{} // closed by Kill

	mu      sync.Mutex
	sockets map[*socket]uint64 // with their place in the order in which they were opened; nil: killed
	opened  uint64

	watched watched // TCP's endpoints, if somebody wants to see their state
}

func newHost(n *Network, cfg HostConfig) (*Host, error) {
	if cfg.Name == "" || len(cfg.Addrs) == 0 {
		return nil, errors.New("a host needs a name and an address")
	}
	cfg.Addrs = slices.Clone(cfg.Addrs)
	for i, a := range cfg.Addrs {
		a = a.Unmap()
		switch {
		case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Zone() != "":
			return nil, fmt.Errorf("address %v: want one of a host, without a zone", a)
		case slices.Contains(cfg.Addrs[:i], a):
			return nil, fmt.Errorf("address %v is there twice", a)
		}
		cfg.Addrs[i] = a
	}
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	if cfg.MTU < header.IPv6MinimumMTU || cfg.MTU > 65_535 {
		return nil, fmt.Errorf("mtu %d: want %d to 65535", cfg.MTU, header.IPv6MinimumMTU)
	}
	return &Host{net: n, cfg: cfg, flows: make(map[uint64]conversation)}, nil
}

// Name returns the host's name.
func (h *Host) Name() string { return h.cfg.Name }

// Addr returns the host's first address.
func (h *Host) Addr() netip.Addr { return h.cfg.Addrs[0] }

// Start starts a host that is down, with a fresh stack. The link is as it was.
func (h *Host) Start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != nil {
		return nil
	}
	l := &life{host: h, dead: make(chan struct{}), sockets: make(map[*socket]uint64)}
	h.lives++
	l.stack = stack.New(stack.Options{
		Clock:            newClock(),
		SecureRNG:        newRandom(h.net.cfg.Seed, h.number, h.lives),
		HandleLocal:      true, // what a host sends to itself does not see its link
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			l.tcp(), udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
	})
	c := &nic{life: l, mtu: uint32(h.cfg.MTU)}
	err := l.configure(c)
	if err == nil {
		err = h.connect(c)
	}
	if err != nil {
		l.stack.Destroy()
		return fmt.Errorf("host %q: %w", h.cfg.Name, err)
	}
	h.life = l
	return nil
}

// connect puts the cable into the card.
func (h *Host) connect(c *nic) error {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.closed {
		return errClosed
	}
	h.nic = c
	clear(h.flows)
	return nil
}

// random is what a stack draws from. It depends on nothing but the seed, the
// host and which of its lives it is: what other hosts do changes neither the
// ports of this one nor, by them, the fates of its packets.
type random struct {
	mu   sync.Mutex
	from *rand.ChaCha8
}

func newRandom(seed, host, life uint64) *random {
	var key [32]byte
	for i, v := range []uint64{seed, host, life} {
		binary.LittleEndian.PutUint64(key[8*i:], v)
	}
	return &random{from: rand.NewChaCha8(key)}
}

// Read implements io.Reader.
func (r *random) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from.Read(b)
}

// nicID is the number of each host's one card.
const nicID = 1

func (l *life) configure(c *nic) error {
	s, cfg := l.stack, &l.host.cfg
	if err := s.CreateNIC(nicID, c); err != nil {
		return errors.New(err.String())
	}
	for _, a := range cfg.Addrs {
		p := tcpip.ProtocolAddress{Protocol: protocolOf(a), AddressWithPrefix: tcpip.AddrFromSlice(a.AsSlice()).WithPrefix()}
		if err := s.AddProtocolAddress(nicID, p, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("address %v: %s", a, err)
		}
	}
	s.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nicID}, {Destination: header.IPv6EmptySubnet, NIC: nicID},
	})
	control := tcpip.CongestionControlOption("cubic")
	if cfg.Reno {
		control = "reno"
	}
	sack := tcpip.TCPSACKEnabled(!cfg.NoSACK)
	options := []tcpip.SettableTransportProtocolOption{&control, &sack}
	if cfg.NoRACK {
		none := tcpip.TCPRecovery(0)
		options = append(options, &none)
	}
	if cfg.Nagle {
		nagle := tcpip.TCPDelayEnabled(true)
		options = append(options, &nagle)
	}
	if cfg.MinRTO > 0 {
		o := tcpip.TCPMinRTOOption(cfg.MinRTO)
		options = append(options, &o)
	}
	if cfg.MaxRTO > 0 {
		o := tcpip.TCPMaxRTOOption(cfg.MaxRTO)
		options = append(options, &o)
	}
	if n := cfg.ReceiveBuffer; n > 0 {
		// A size that was asked for is kept: no moderation.
		fixed := tcpip.TCPModerateReceiveBufferOption(false)
		options = append(options, &tcpip.TCPReceiveBufferSizeRangeOption{Min: 1, Default: n, Max: max(n, tcp.MaxBufferSize)}, &fixed)
	}
	if n := cfg.SendBuffer; n > 0 {
		options = append(options, &tcpip.TCPSendBufferSizeRangeOption{Min: 1, Default: n, Max: n})
	}
	for _, o := range options {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("option %T: %s", o, err)
		}
	}
	n := cfg.UDPReceiveBuffer
	if n == 0 {
		n = DefaultUDPBuffer
	}
	if err := s.SetOption(tcpip.ReceiveBufferSizeOption{Min: stack.MinBufferSize, Default: n, Max: max(n, 8<<20)}); err != nil {
		return fmt.Errorf("udp receive buffer of %d bytes: %s", n, err)
	}
	return nil
}

func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// Kill takes the host's power away: nothing leaves it any more, no FIN and no
// RST; what is on its way to it is lost; every call of its program returns
// ErrKilled. It returns when nothing runs in its stack any more.
func (h *Host) Kill() {
	h.mu.Lock()
	l, before := h.life, h.ended
	if l == nil {
		h.mu.Unlock()
		if before != nil {
			<-before
		}
		return
	}
	ended := make(chan struct{})
	defer close(ended)
	h.life, h.ended = nil, ended
	if h.stopped != nil {
		close(h.stopped)
		h.stopped = nil
	}
	close(l.dead)
	h.net.mu.Lock()
	h.nic = nil
	h.net.mu.Unlock()
	h.past.add(l.stats()) // not what the stack says to nobody while it ends
	h.mu.Unlock()
	for _, s := range l.open(true) {
		s.kill()
	}
	l.stack.Destroy()
	if before != nil {
		<-before
	}
}

// alive returns the host's present life.
func (h *Host) alive() (*life, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life == nil {
		return nil, fmt.Errorf("host %q: %w", h.cfg.Name, ErrKilled)
	}
	return h.life, nil
}

// Stop stops the host's program, as SIGSTOP does: its calls do not go on. The
// stack below lives: it acknowledges what comes until its buffers are full.
func (h *Host) Stop() {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	l := h.life
	if l == nil || h.stopped != nil {
		h.mu.Unlock()
		return
	}
	h.stopped = make(chan struct{})
	h.mu.Unlock()
	for _, s := range l.open(false) {
		s.nudge()
	}
}

// Resume lets the program go on.
func (h *Host) Resume() {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	l, stopped := h.life, h.stopped
	h.stopped = nil
	h.mu.Unlock()
	if stopped == nil {
		return
	}
	if l != nil {
		for _, s := range l.open(false) {
			s.restore()
		}
	}
	close(stopped)
}

// open returns the program's sockets, in the order in which they were opened,
// and, if it is their last, takes them away and lets no more be opened.
func (l *life) open(last bool) []*socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := l.sockets
	if last {
		l.sockets = nil
	}
	return slices.SortedFunc(maps.Keys(place), func(a, b *socket) int { return cmp.Compare(place[a], place[b]) })
}

// Stopped reports whether the program is stopped.
func (h *Host) Stopped() bool { return h.pause() != nil }

// Running waits while the program is stopped, or until ctx ends: for what a
// program does besides its calls to the network.
func (h *Host) Running(ctx context.Context) {
	for ch := h.pause(); ch != nil; ch = h.pause() {
		select {
		case <-ch:
		case <-ctx.Done():
			return
		}
	}
}

func (h *Host) pause() chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopped
}

// Slow makes each read of the program wait for d before it reads, as one does
// that gets too little of the processor. With 0 it is as fast as ever.
func (h *Host) Slow(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = d
}

// SetLink changes the access link from now on. What is on its way is not
// touched.
func (h *Host) SetLink(up, down impair.Config) error {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if err := down.Validate(); err != nil {
		return fmt.Errorf("host %q: down: %w", h.cfg.Name, err)
	}
	if err := h.paths[Up].link.Set(up); err != nil {
		return fmt.Errorf("host %q: up: %w", h.cfg.Name, err)
	}
	h.paths[Up].ideal = ideal(&up)
	h.paths[Down].ideal = ideal(&down)
	return h.paths[Down].link.Set(down)
}
