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
// otherwise, acknowledges each segment, and has no ECN.
package vnet

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"wirelab/internal/impair"
)

// MaxPending is how many packets may be on their way in a network. More are lost
// as if the link were full.
const MaxPending = 1 << 16

// ErrKilled is what the calls of a program return whose host was killed.
var ErrKilled = errors.New("the host is down")

// A Config says what a network tells. No hook may call the network.
type Config struct {
	Seed uint64

	// OnPacket is called with each packet at each point, one call at a time, in
	// order; if nil, nobody looks, which is faster.
	OnPacket func(*Packet)
	// OnState is called with a TCP connection's inner state, after each segment
	// that it received. (What a timer changes shows at the next.) Calls may come
	// at the same time from several goroutines.
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
	work  sync.WaitGroup // the loop, and the ends of killed hosts
	wake  chan struct{}
	quit  chan struct{}

	mu       sync.Mutex // guards all below, and each host's paths
	closed   bool
	hosts    []*Host
	byAddr   map[netip.Addr]*Host
	queue    deliveries
	sequence uint64
}

// New returns a network without hosts. Close it to end its goroutine.
func New(cfg Config) *Network {
	n := &Network{
		cfg: cfg, start: time.Now(), byAddr: make(map[netip.Addr]*Host),
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	n.work.Go(n.deliver)
	return n
}

// Close kills all hosts and waits until nothing runs any more.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	hosts := n.hosts
	n.mu.Unlock()
	for _, h := range hosts {
		h.Kill()
	}
	close(n.quit)
	n.work.Wait()
	return nil
}

// AddHost adds a host and starts it.
func (n *Network) AddHost(cfg HostConfig) (*Host, error) {
	h, err := newHost(n, cfg)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", cfg.Name, err)
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, fmt.Errorf("host %q: the network is closed", cfg.Name)
	}
	for _, a := range cfg.Addrs {
		if other := n.byAddr[a]; other != nil {
			n.mu.Unlock()
			return nil, fmt.Errorf("host %q: host %q has the address %v", cfg.Name, other.cfg.Name, a)
		}
	}
	for _, a := range cfg.Addrs {
		n.byAddr[a] = h
	}
	number := uint64(len(n.hosts))
	n.hosts = append(n.hosts, h)
	for i, c := range [2]impair.Config{Up: cfg.Up, Down: cfg.Down} {
		d := Direction(i)
		// The seed of a direction depends on nothing but which it is.
		link, err := impair.New(c, n.cfg.Seed^(2*number+uint64(d)+1)*0x9e3779b97f4a7c15, n.start)
		if err != nil {
			n.mu.Unlock()
			return nil, fmt.Errorf("host %q: %v: %w", cfg.Name, d, err)
		}
		h.paths[d] = &path{host: h, direction: d, link: link, quiet: cfg.Quiet || n.cfg.OnPacket == nil, ideal: ideal(&c)}
		if rec := cfg.Record; rec != nil {
			link.Record(func(r impair.Recorded) { rec(d, r) })
		}
		link.Repeat(cfg.Repeat[d])
	}
	n.mu.Unlock()
	return h, h.Start()
}

// A delivery is a packet that leaves a path at an instant.
type delivery struct {
	at       time.Time
	sequence uint64
	path     *path
	packet   *packet
	bit      int // flipped; −1: none
}

// deliveries are a heap, ordered by (time, sequence).
type deliveries []delivery

func (q deliveries) Len() int { return len(q) }
func (q deliveries) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].sequence < q[j].sequence
}
func (q deliveries) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *deliveries) Push(x any)   { *q = append(*q, x.(delivery)) }
func (q *deliveries) Pop() any {
	old := *q
	d := old[len(old)-1]
	old[len(old)-1] = delivery{}
	*q = old[:len(old)-1]
	return d
}

// schedule puts a delivery into the queue. n.mu is held.
func (n *Network) schedule(d delivery) {
	n.sequence++
	d.sequence = n.sequence
	heap.Push(&n.queue, d)
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
	for {
		due = due[:0]
		n.mu.Lock()
		now := time.Now()
		for len(n.queue) > 0 && len(due) < batch && !n.queue[0].at.After(now) {
			d := heap.Pop(&n.queue).(delivery)
			if a, ok := d.path.leave(now, &d); ok {
				due = append(due, a)
			}
		}
		wait := time.Hour
		if len(n.queue) > 0 {
			wait = n.queue[0].at.Sub(now)
		}
		n.mu.Unlock()
		for i := range due {
			due[i].hand()
			due[i] = arrival{}
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
