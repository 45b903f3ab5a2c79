package udpchat

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
)

const (
	sendBatch    = 128     // datagrams that one system call sends at most
	receiveBatch = 32      // and takes in
	largestFrame = 9216    // a receive buffer holds at least a jumbo frame
	headRoom     = 128     // a head without MAC is smaller
	socketBuffer = 4 << 20 // asked of the kernel; it may give less
	clientBuffer = 1 << 20 // the same for a client
)

// A batch sends and receives many datagrams with one system call.
type batch interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

// A socket moves datagrams in batches: with one system call for many where
// the system has that (Linux) and the conn is the system's, one by one
// elsewhere. One goroutine may receive and reply, and another send.
type socket struct {
	conn net.PacketConn
	own  *descriptor // conn, where datagrams go in batches; else nil

	in     []ipv4.Message
	single [1]ipv4.Message // for reply

	out     []ipv4.Message
	heads   [][]byte // the buffers of out's heads
	pending int      // of out
	failed  uint64   // datagrams that the system refused to send
}

func newSocket(conn net.PacketConn, max int) (*socket, error) {
	s := &socket{conn: conn}
	n, m := 1, 1
	if udp, ok := conn.(*net.UDPConn); ok {
		// Best effort: bursts to and from many members are larger than what
		// systems give a socket by default.
		udp.SetReadBuffer(socketBuffer)
		udp.SetWriteBuffer(socketBuffer)
		own, err := takeOver(udp)
		switch {
		case err == nil:
			s.own, s.conn = own, own
			n, m = receiveBatch, sendBatch
		case !errors.Is(err, errors.ErrUnsupported):
			return nil, err
		}
	}
	s.in = make([]ipv4.Message, n)
	for i := range s.in {
		s.in[i].Buffers = [][]byte{make([]byte, bufferFor(max))}
	}
	s.single[0].Buffers = make([][]byte, 1)
	s.out = make([]ipv4.Message, m)
	s.heads = make([][]byte, m)
	for i := range s.out {
		s.heads[i] = make([]byte, 0, headRoom)
		s.out[i].Buffers = make([][]byte, 2)
	}
	return s, nil
}

// close makes receive, send and reply fail.
func (s *socket) close() { s.conn.Close() }

// release ends the socket, which nobody uses any more.
func (s *socket) release() {
	if s.own != nil {
		s.own.release()
	}
}

// bufferFor returns the size of a receive buffer where datagrams have at most
// max bytes. One that fills it was cut by the system.
func bufferFor(max int) int {
	if max < largestFrame {
		max = largestFrame
	}
	return max + 1
}

// receive blocks until there is at least one datagram and returns how many.
func (s *socket) receive() (int, error) {
	if s.own != nil {
		return s.own.ReadBatch(s.in, waitForOne)
	}
	m := &s.in[0]
	var err error
	m.N, m.Addr, err = s.conn.ReadFrom(m.Buffers[0])
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// datagram returns what the last receive put into place i.
func (s *socket) datagram(i int) ([]byte, net.Addr) {
	m := &s.in[i]
	return m.Buffers[0][:m.N], m.Addr
}

// buffer returns an empty buffer for the head of the next datagram.
func (s *socket) buffer() []byte { return s.heads[s.pending][:0] }

// full reports whether flush must come before the next add.
func (s *socket) full() bool { return s.pending == len(s.out) }

// add puts a datagram, whose head is in the last buffer, into the batch.
func (s *socket) add(to net.Addr, head, payload []byte) {
	m := &s.out[s.pending]
	s.heads[s.pending] = head
	m.Buffers = m.Buffers[:2]
	m.Buffers[0], m.Buffers[1] = head, payload
	if len(payload) == 0 {
		m.Buffers = m.Buffers[:1]
	}
	m.Addr = to
	s.pending++
}

// flush sends what add gathered. A datagram that the system refuses (no route,
// too long) is lost like any other; only a closed socket is an error.
func (s *socket) flush() error {
	ms := s.out[:s.pending]
	s.pending = 0
	for len(ms) > 0 {
		n, err := s.write(ms)
		ms = ms[max(n, 0):] // sendmmsg's −1 comes through
		if err == nil && n > 0 {
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		s.failed++
		ms = ms[1:]
	}
	return nil
}

func (s *socket) write(ms []ipv4.Message) (int, error) {
	if s.own != nil {
		return s.own.WriteBatch(ms, 0)
	}
	for i := range ms {
		b := ms[i].Buffers[0]
		if len(ms[i].Buffers) > 1 {
			b = append(b, ms[i].Buffers[1]...)
			s.heads[i] = b[:0]
		}
		if _, err := s.conn.WriteTo(b, ms[i].Addr); err != nil {
			return i, err
		}
	}
	return len(ms), nil
}

// reply sends one datagram at once, for the goroutine that receives.
func (s *socket) reply(to net.Addr, b []byte) error {
	if s.own == nil {
		_, err := s.conn.WriteTo(b, to)
		return err
	}
	s.single[0].Buffers[0], s.single[0].Addr = b, to
	_, err := s.own.WriteBatch(s.single[:], 0)
	return err
}

// forget lets go of the payloads that the last flush sent, which may be a
// room's log that has been trimmed since.
func (s *socket) forget() {
	for i := range s.out {
		s.out[i].Buffers[:2][1] = nil
	}
}

// addrPort returns a in comparable form; IPv4 in IPv6 is IPv4.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
	}
	if a == nil {
		return netip.AddrPort{}, false
	}
	ap, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), err == nil
}
