package udpchat

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// A network joins conns in memory. It loses, doubles and delays datagrams as
// told. With a delay it belongs into a synctest bubble.
type network struct {
	mu     sync.Mutex
	rand   *rand.Rand
	loss   float64
	twice  float64
	delay  time.Duration
	jitter time.Duration
	ports  map[netip.AddrPort]*port
	next   uint16
	spy    func(from, to netip.AddrPort, b []byte) // sees what is sent; b is its own
}

func newNetwork(seed uint64) *network {
	return &network{rand: rand.New(rand.NewPCG(seed, 1)), ports: make(map[netip.AddrPort]*port), next: 1000}
}

// set changes what the network does from now on.
func (n *network) set(loss, twice float64, delay, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss, n.twice, n.delay, n.jitter = loss, twice, delay, jitter
}

// listen returns a conn at address, or at a free one of 10.0.0.2.
func (n *network) listen(address string) *port {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	at := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), n.next)
	if address != "" {
		at = netip.MustParseAddrPort(address)
	}
	p := &port{network: n, at: at, queue: make(chan parcelInTransit, 4096), closed: make(chan struct{}), expired: make(chan struct{})}
	n.ports[at] = p
	return p
}

// dial is for Dialer.Net.
func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	return &connected{n.listen(""), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))}, nil
}

func (n *network) send(from, to netip.AddrPort, b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b = append([]byte(nil), b...)
	if n.spy != nil {
		n.spy(from, to, b)
	}
	p := n.ports[to]
	if p == nil || n.rand.Float64() < n.loss {
		return
	}
	copies := 1
	if n.rand.Float64() < n.twice {
		copies = 2
	}
	for range copies {
		arrive := func() {
			select {
			case p.queue <- parcelInTransit{from, b}:
			default: // the socket's buffer is full
			}
		}
		if n.delay+n.jitter == 0 {
			arrive()
			continue
		}
		time.AfterFunc(n.delay+time.Duration(n.rand.Int64N(int64(n.jitter)+1)), arrive)
	}
}

type parcelInTransit struct {
	from netip.AddrPort
	b    []byte
}

// A port is a net.PacketConn.
type port struct {
	network *network
	queue   chan parcelInTransit
	once    sync.Once
	closed  chan struct{}

	mu      sync.Mutex
	at      netip.AddrPort
	mute    bool
	expired chan struct{} // closed when the read deadline passes
	timer   *time.Timer
}

// move gives the port another address, as a NAT does.
func (p *port) move() {
	n := p.network
	n.mu.Lock()
	defer n.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(n.ports, p.at)
	n.next++
	p.at = netip.AddrPortFrom(p.at.Addr(), n.next)
	n.ports[p.at] = p
}

// kill makes everything that is sent from the port vanish.
func (p *port) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

func (p *port) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	expired := p.expired
	p.mu.Unlock()
	select {
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case in := <-p.queue:
		return copy(b, in.b), net.UDPAddrFromAddrPort(in.from), nil
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *port) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-p.closed:
		return 0, net.ErrClosed
	default:
	}
	ap, ok := addrPort(to)
	if !ok {
		return 0, errors.New("no such address")
	}
	p.mu.Lock()
	at, mute := p.at, p.mute
	p.mu.Unlock()
	if !mute {
		p.network.send(at, ap, b)
	}
	return len(b), nil
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *port) LocalAddr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return net.UDPAddrFromAddrPort(p.at)
}

func (p *port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	select {
	case <-p.expired:
		p.expired = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return nil
	}
	expired := p.expired
	if d := time.Until(t); d > 0 {
		p.timer = time.AfterFunc(d, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			select {
			case <-expired:
			default:
				if p.expired == expired {
					close(expired)
				}
			}
		})
	} else {
		close(expired)
	}
	return nil
}

func (p *port) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *port) SetWriteDeadline(time.Time) error { return nil }

// A connected port is a net.Conn.
type connected struct {
	*port
	remote *net.UDPAddr
}

func (c *connected) Read(b []byte) (int, error) {
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil || from.String() == c.remote.String() {
			return n, err
		}
	}
}
func (c *connected) Write(b []byte) (int, error) { return c.WriteTo(b, c.remote) }
func (c *connected) RemoteAddr() net.Addr        { return c.remote }

// TestNetwork checks the network itself.
func TestNetwork(t *testing.T) {
	n := newNetwork(1)
	a, b := n.listen("10.0.0.1:9"), n.listen("")
	b.WriteTo([]byte("hi"), a.LocalAddr())
	buf := make([]byte, 10)
	if got, from, err := a.ReadFrom(buf); err != nil || string(buf[:got]) != "hi" || from.String() != b.LocalAddr().String() {
		t.Fatalf("ReadFrom = %q, %v, %v", buf[:got], from, err)
	}
	a.SetReadDeadline(time.Now().Add(ms))
	if _, _, err := a.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	a.SetReadDeadline(time.Time{})
	b.WriteTo([]byte("again"), a.LocalAddr())
	if _, _, err := a.ReadFrom(buf); err != nil {
		t.Fatal(err)
	}
}
