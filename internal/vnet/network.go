// Package vnet is hosts on gVisor's TCP/IP stack, joined by links through a
// switch. Programs on a host use net.Listener, net.Conn and net.PacketConn and
// cannot tell it from a real one.
//
//	ana ──up──▶ ┌────────┐ ──down──▶ server
//	ana ◀─down─ │ switch │ ◀──up──── server
//	            └────────┘
//
// Each host has an access link of two directions; what happens on each is decided
// by package impair. The switch forwards by destination address and takes no
// time. Every packet can be seen at three points of each direction: as it was
// sent, in the link with what became of it, and as it was received.
//
// Deliveries are in one queue, ordered by (time, sequence), and are made by one
// goroutine: packets that arrive at one instant arrive in the order in which they
// were sent. In a WebAssembly guest, whose clock and randomness are its host's, a
// run is the same whenever it is repeated.
//
// The stack is gVisor's with CUBIC, selective acknowledgements (RFC 2018) and
// RACK (RFC 8985); it has an initial RTO of 1 s, a minimum of 200 ms unless told
// otherwise, does not delay acknowledgements, and has no ECN. A UDP datagram
// larger than the MTU is sent in fragments.
package vnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/log"

	"wirelab/internal/impair"
)

// MaxPending is how many packets may be on their way in a network. More are lost
// as if the link were full.
const MaxPending = 1 << 16

// ErrKilled is what the calls of a program return whose host was killed.
var ErrKilled = errors.New("the host is down")

// A Config says what a network tells. No hook may call the network.
type Config struct {
	// Seed decides what chance does on the links, and what the stacks draw: ports,
	// initial sequence numbers.
	Seed uint64

	// OnPacket is called with each packet at each point, one call at a time, in
	// order; if nil, nobody looks, which is faster.
	OnPacket func(*Packet)
	// OnState is called with a TCP connection's inner state, after each segment
	// that it received and after it sent one again. Calls may come at the same
	// time from several goroutines.
	OnState func(*State)
	// Identify names a UDP datagram by its payload, so that it has the same
	// name in another run; see impair.Packet.ID. If nil or not ok, datagrams are
	// named by their length and how many of that length there were.
	Identify func(payload []byte) (id uint64, ok bool)
}

// A Network is hosts around a switch. Its methods may be called from any
// goroutine.
type Network struct {
	cfg   Config
	start time.Time
	work  sync.WaitGroup // the loop
	wake  chan struct{}
	quit  chan struct{}

	mu       sync.Mutex // guards all below, and each host's paths
	closed   bool
	hosts    []*Host
	numbers  uint64 // of hosts so far
	byAddr   map[netip.Addr]*Host
	queue    deliveries
	sequence uint64
	resent   []resent
	packets  uint64 // that hosts have sent
}

// New returns a network without hosts. Close it to end its goroutine.
func New(cfg Config) *Network {
	// What the stack has to say is not for the program's terminal.
	log.SetTarget(mute{})
	n := &Network{
		cfg: cfg, start: time.Now(), byAddr: make(map[netip.Addr]*Host),
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	n.work.Go(n.deliver)
	return n
}

// mute is where the stack's log goes.
type mute struct{}

// Emit implements log.Emitter.
func (mute) Emit(int, log.Level, time.Time, string, ...any) {}

// Close kills all hosts and waits until nothing runs any more but what the
// programs themselves started.
func (n *Network) Close() error {
	n.mu.Lock()
	first, hosts := !n.closed, n.hosts
	n.closed = true
	n.mu.Unlock()
	for _, h := range hosts {
		h.Kill()
	}
	if first {
		close(n.quit)
	}
	n.work.Wait()
	return nil
}

// AddHost adds a host and starts it.
func (n *Network) AddHost(cfg HostConfig) (*Host, error) {
	fail := func(err error) (*Host, error) { return nil, fmt.Errorf("host %q: %w", cfg.Name, err) }
	h, err := newHost(n, cfg)
	if err != nil {
		return fail(err)
	}
	if err := n.join(h); err != nil {
		return fail(err)
	}
	if err := h.Start(); err != nil {
		n.leave(h)
		return nil, err
	}
	return h, nil
}

// join gives a host its place at the switch.
func (n *Network) join(h *Host) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errClosed
	}
	for _, a := range h.cfg.Addrs {
		if other := n.byAddr[a]; other != nil {
			return fmt.Errorf("host %q has the address %v", other.cfg.Name, a)
		}
	}
	h.number = n.numbers
	for i, c := range [2]impair.Config{Up: h.cfg.Up, Down: h.cfg.Down} {
		d := Direction(i)
		// The seed of a direction depends on nothing but which it is.
		link, err := impair.New(c, n.cfg.Seed^(2*h.number+uint64(d)+1)*0x9e3779b97f4a7c15, n.start)
		if err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
		h.paths[d] = &path{host: h, direction: d, link: link, quiet: h.cfg.Quiet || n.cfg.OnPacket == nil, ideal: ideal(&c)}
		if rec := h.cfg.Record; rec != nil {
			link.Record(func(r impair.Recorded) { rec(d, r) })
		}
		link.Repeat(h.cfg.Repeat[d])
	}
	n.numbers++
	n.hosts = append(n.hosts, h)
	for _, a := range h.cfg.Addrs {
		n.byAddr[a] = h
	}
	return nil
}

// leave takes a host's place away.
func (n *Network) leave(h *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts = slices.DeleteFunc(slices.Clone(n.hosts), func(o *Host) bool { return o == h })
	for _, a := range h.cfg.Addrs {
		delete(n.byAddr, a)
	}
}

var errClosed = errors.New("the network is closed")

// schedule puts a delivery into the queue. n.mu is held.
func (n *Network) schedule(d delivery) {
	n.sequence++
	d.sequence = n.sequence
	n.queue.push(d)
}

// rouse makes the delivering goroutine look at the queue.
func (n *Network) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// batch is how many packets are taken out of the queue at once.
const batch = 64

// deliver takes packets out of the queue when their time has come. It is the
// only goroutine that hands packets to hosts.
func (n *Network) deliver() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due []arrival
	var again []resent
	for {
		n.mu.Lock()
		now := time.Now()
		due = due[:0]
		for len(n.queue) > 0 && len(due) < batch && !n.queue[0].at.After(now) {
			d := n.queue.pop()
			if a, ok := d.path.leave(now, &d); ok {
				due = append(due, a)
			}
		}
		again, n.resent = n.resent, again[:0]
		wait := time.Hour
		if len(n.queue) > 0 {
			wait = n.queue[0].at.Sub(now)
		}
		n.mu.Unlock()
		for i := range due {
			due[i].hand()
			due[i] = arrival{}
		}
		for i := range again {
			again[i].life.poll(again[i].flow)
			again[i] = resent{}
		}
		if len(due) > 0 || wait <= 0 {
			select {
			case <-n.quit:
				return
			default:
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-n.wake:
		case <-timer.C:
		case <-n.quit:
			return
		}
	}
}
