//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"wirelab/internal/wire"
)

// A udpFan is one round of the UDP fan-out benchmark, run in a process of its
// own: Members sockets that count datagrams, and a publisher, which is on TCP
// so that it is the sending of datagrams that is measured. The publisher keeps
// a window as in [fanout]; it is smaller than the members' receive buffers, so
// the network, which is this machine, has no reason to lose any.
type udpFan struct {
	Server  string // "bare" or "wirelab"
	Addr    netip.AddrPort
	Source  netip.Addr
	PID     int
	Room    string
	Members int
	Window  int // messages
	Size    int // of a datagram; bare only
	Warm    time.Duration
	Measure time.Duration
}

// udpResult is what a round measured.
type udpResult struct {
	fanoutResult
	Lost uint64 // in the whole round, by the gaps in the numbers
}

// A udpMember is one socket.
type udpMember struct {
	fd      int
	next    uint64 // number of the next message
	count   uint64
	lost    uint64
	session uint64 // wirelab: of the header
	number  uint64 // wirelab: of the last datagram sent
	ack     uint64 // wirelab: of the server's reliable channel
}

type udpLoad struct {
	udpFan
	members   []udpMember
	publisher *conn
	epoll     int
	in        *vector
	out       fanoutBatch
	unsent    []byte
	size      int // of a delivery's datagram
	published uint64
	slowest   uint64
	heard     time.Time
}

// fanoutBatch makes what the publisher writes.
type fanoutBatch func() []byte

func (f udpFan) run() (r udpResult, err error) {
	l := udpLoad{udpFan: f, in: newVector(256), size: f.Size}
	for i := range l.in.msgs {
		l.in.set(i, make([]byte, wire.MaxDatagram))
	}
	defer l.close()
	if err := l.connect(); err != nil {
		return r, err
	}
	if err := l.until(time.Now().Add(f.Warm)); err != nil {
		return r, err
	}
	cpu, err := cpuTime(f.PID)
	if err != nil {
		return r, err
	}
	own, at, had := ownCPUTime(), time.Now(), l.delivered()
	if err := l.until(at.Add(f.Measure)); err != nil {
		return r, err
	}
	r.Elapsed, r.Delivered, r.LoadCPU = time.Since(at), l.delivered()-had, ownCPUTime()-own
	after, err := cpuTime(f.PID)
	if err != nil {
		return r, err
	}
	r.ServerCPU, r.Published, r.Size = after-cpu, l.published, l.size
	for l.look(); l.slowest < l.published && time.Since(l.heard) < time.Second; l.look() {
		if err := l.receive(); err != nil {
			return r, err
		}
	}
	for i := range l.members {
		m := &l.members[i]
		r.Lost += m.lost + l.published - m.next
	}
	return r, nil
}

func (l *udpLoad) close() {
	for i := range l.members {
		m := &l.members[i]
		if m.session != 0 {
			m.send(wire.TypeData, 1, &wire.Envelope{Kind: wire.KindBye}, nil)
		}
		unix.Close(m.fd)
	}
	if l.publisher != nil {
		l.publisher.close()
	}
	unix.Close(l.epoll)
}

func (l *udpLoad) connect() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	order := bareOrder{Size: l.Size}
	for i := range l.Members {
		fd, at, err := openUDP(l.Source, l.Addr)
		if err != nil {
			return err
		}
		l.members = append(l.members, udpMember{fd: fd})
		order.Members = append(order.Members, at)
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	if l.publisher, err = dial(l.Addr, netip.AddrPortFrom(l.Source, 0)); err != nil {
		return err
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.publisher.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if l.Server == "bare" {
		line, err := json.Marshal(order)
		if err != nil {
			return err
		}
		l.out = func() []byte { return binary.BigEndian.AppendUint32(nil, bareRun) }
		return l.publisher.write(append(line, '\n'))
	}
	p := wirelabProtocol{}
	if err := p.join(l.publisher, l.Room, "publisher"); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	for i := range l.members {
		if err := l.members[i].join(l.in, l.Room, fmt.Sprintf("member-%d", i)); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
	}
	l.size = 0 // the first delivery tells
	b := load{fanout: fanout{Room: l.Room}, protocol: p}
	b.makeBatch(bareRun)
	l.out = b.nextBatch
	return nil
}

// openUDP returns a socket at source that hears from server only, and where it is.
func openUDP(source netip.Addr, server netip.AddrPort) (int, netip.AddrPort, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, netip.AddrPort{}, fmt.Errorf("socket: %w", err)
	}
	wait := unix.NsecToTimeval(int64(2 * time.Second))
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()}),
		unix.Connect(fd, &unix.SockaddrInet4{Addr: server.Addr().As4(), Port: int(server.Port())}),
	)
	if err == nil {
		var at unix.Sockaddr
		if at, err = unix.Getsockname(fd); err == nil {
			return fd, netip.AddrPortFrom(source, uint16(at.(*unix.SockaddrInet4).Port)), nil
		}
	}
	unix.Close(fd)
	return 0, netip.AddrPort{}, fmt.Errorf("socket to %v: %w", server, err)
}

// join makes m a member of room: hello, cookie, open, accept.
func (m *udpMember) join(in *vector, room, name string) error {
	nonce := []byte("0123456789abcdef")
	hello := make([]byte, wire.MinHello-wire.DatagramHeader)
	copy(hello, nonce)
	cookie, err := m.exchange(in, wire.TypeHello, hello, wire.TypeCookie)
	if err != nil {
		return err
	}
	connect, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindConnect, Args: wire.EncodeBody(wire.Connect{
		Name: name, Nonce: fmt.Sprintf("%x", nonce), Session: wire.SessionNone, Mode: "unreliable",
		Rooms: []wire.RoomCursor{{Room: room}},
	})})
	if err != nil {
		return err
	}
	answer, err := m.exchange(in, wire.TypeOpen, append(cookie, connect...), wire.TypeAccept)
	if err != nil {
		return err
	}
	e, err := wire.Decode(answer[wire.NonceSize:])
	if err == nil && e.Kind != wire.KindConnected {
		err = fmt.Errorf("refused: %s", e.Args)
	}
	// The room's cursor comes next, on the reliable channel.
	for err == nil && string(e.Room) != room {
		var b []byte
		if b, err = m.wait(in); err == nil {
			e, err = m.control(b)
		}
	}
	return err
}

// exchange sends a datagram of one type until one of the other type answers,
// and returns a copy of what that carries.
func (m *udpMember) exchange(in *vector, ask wire.DatagramType, payload []byte, want wire.DatagramType) ([]byte, error) {
	for range 5 {
		if err := m.send(ask, 0, nil, payload); err != nil {
			return nil, err
		}
		for {
			b, err := m.wait(in)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				return nil, err
			}
			h, payload, err := wire.DecodeHeader(b)
			if err != nil {
				return nil, err
			}
			if h.Type == want {
				m.session = h.Session
				return append([]byte(nil), payload...), nil
			}
		}
	}
	return nil, fmt.Errorf("no %v after five times %v", want, ask)
}

func (m *udpMember) wait(in *vector) ([]byte, error) {
	for {
		n, err := unix.Read(m.fd, in.bufs[0])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		return in.bufs[0][:n], nil
	}
}

// send sends one datagram with payload, or e if that is not nil.
func (m *udpMember) send(t wire.DatagramType, reliable uint64, e *wire.Envelope, payload []byte) error {
	m.number++
	h := wire.Header{Type: t, Session: m.session, Number: m.number, Reliable: reliable, Ack: m.ack}
	if reliable != 0 {
		h.Flags = wire.DatagramReliable
	}
	b := append(wire.AppendHeader(nil, &h), payload...)
	var err error
	if e != nil {
		if b, err = wire.AppendEnvelope(b, e); err != nil {
			return err
		}
	}
	_, err = unix.Write(m.fd, b)
	return err
}

// control takes a datagram that is no delivery, and acknowledges it.
func (m *udpMember) control(b []byte) (e wire.Envelope, err error) {
	h, payload, err := wire.DecodeHeader(b)
	if err != nil || h.Type != wire.TypeData {
		return e, err
	}
	if e, err = wire.Decode(payload); err != nil {
		return e, err
	}
	if e.Kind == wire.KindError || e.Kind == wire.KindBye {
		return e, fmt.Errorf("the server says %v: %s", e.Kind, e.Args)
	}
	if h.Flags&wire.DatagramReliable != 0 {
		if h.Reliable == m.ack+1 {
			m.ack++
		}
		err = m.send(wire.TypeAck, 0, nil, nil)
	}
	return e, err
}

func (l *udpLoad) delivered() (n uint64) {
	for i := range l.members {
		n += l.members[i].count
	}
	return n
}

func (l *udpLoad) look() {
	l.slowest = l.members[0].next
	for i := range l.members {
		l.slowest = min(l.slowest, l.members[i].next)
	}
}

// until publishes and counts until the deadline.
func (l *udpLoad) until(deadline time.Time) error {
	l.heard = time.Now()
	for {
		if err := l.publish(); err != nil {
			return err
		}
		if err := l.receive(); err != nil {
			return err
		}
		now := time.Now()
		if now.After(deadline) {
			return nil
		}
		if silent := now.Sub(l.heard); silent > stalled {
			return fmt.Errorf("no datagram for %v", stalled)
		} else if silent > 100*time.Millisecond {
			// The end of a window was lost: the gap will be counted when the
			// next message comes.
			l.slowest = l.published
		}
	}
}

func (l *udpLoad) publish() error {
	for {
		if len(l.unsent) == 0 {
			if l.published+bareRun > l.slowest+uint64(l.Window) {
				if l.look(); l.published+bareRun > l.slowest+uint64(l.Window) {
					return nil
				}
			}
			l.unsent = l.out()
			l.published += bareRun
		}
		n, err := unix.SendmsgN(l.publisher.fd, l.unsent, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN || err == unix.EINTR {
			return nil
		}
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if l.unsent = l.unsent[n:]; len(l.unsent) > 0 {
			return nil
		}
	}
}

// receive takes what has come, waiting a little if nothing has.
func (l *udpLoad) receive() error {
	var events [128]unix.EpollEvent
	n, err := unix.EpollWait(l.epoll, events[:], 10)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, event := range events[:max(n, 0)] {
		if event.Fd < 0 {
			if _, err := l.publisher.discard(4 << 20); err != nil {
				return fmt.Errorf("publisher: %w", err)
			}
			continue
		}
		m := &l.members[event.Fd]
		n, err := l.in.receive(m.fd)
		if err != nil {
			return fmt.Errorf("member %d: %w", event.Fd, err)
		}
		for i := range n {
			if err := l.take(m, l.in.datagram(i)); err != nil {
				return fmt.Errorf("member %d: %w", event.Fd, err)
			}
		}
		if n > 0 {
			l.heard = time.Now()
		}
	}
	return nil
}

// take counts one datagram.
func (l *udpLoad) take(m *udpMember, b []byte) error {
	if l.size == 0 && len(b) > payloadSize {
		if _, err := getNumber(b[len(b)-payloadSize:]); err == nil {
			l.size = len(b)
		}
	}
	if len(b) != l.size {
		_, err := m.control(b)
		return err
	}
	number, err := getNumber(b[len(b)-payloadSize:])
	switch {
	case err != nil:
		return err
	case number < m.next:
		return fmt.Errorf("message %d came after %d", number, m.next-1)
	}
	m.lost += number - m.next
	m.next = number + 1
	m.count++
	return nil
}
