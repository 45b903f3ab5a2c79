package udpchat

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

const (
	maxQueued = 512             // envelopes that Send takes ahead of the network
	maxInbox  = 4096            // envelopes that wait for Receive
	inboxSize = 4 << 20         // bytes of them
	linkBatch = 32              // datagrams built under one lock
	doubtful  = 3 * time.Second // that a Reset without MAC must go uncontradicted
)

// ErrReset means that the server does not know the session: it was started
// again, or gave the session up.
var ErrReset = errors.New("the server does not know this session")

// ErrSilent means that nothing was acknowledged for too long.
var ErrSilent = errors.New("the server does not answer")

// A link is the client's end of a session. One goroutine reads the socket and
// never waits for anything else; one writes it.
type link struct {
	conn   net.Conn
	tap    client.Tap
	key    []byte
	linger time.Duration
	local  bool // the server is on this machine
	buf    []byte
	nonce  [wire.NonceSize]byte
	cookie []byte
	wake   chan struct{} // for the writer
	gone   sync.WaitGroup

	mu      sync.Mutex
	space   sync.Cond // Send waits for queue to shrink
	news    sync.Cond // Receive waits for inbox to grow
	sess    *session
	open    bool         // the Accept is here
	connect []byte       // the envelope of the Open; nil before Send
	asked   int          // Opens sent
	askAt   time.Time    // the next
	giveUp  time.Time    // no Accept until then is an error
	check   *wire.Sealer // for the Accept, where there is a key
	macKey  []byte
	parts   assembler // of the Accept
	queue   [][]byte  // envelopes to be sent
	inbox   [][]byte  // envelopes that came
	size    int       // bytes of inbox
	newest  uint64    // number that came
	came    uint64    // how many did
	doubt   time.Time // a Reset without MAC came: true if nothing else comes until then
	spilled uint64    // events dropped because nobody received
	closing bool
	closeBy time.Time
	err     error // why the link is down

	taken [][]byte // Receive's own: inbox before
}

func newLink(d *Dialer, conn net.Conn, max int, tap client.Tap) *link {
	l := &link{conn: conn, tap: tap, key: d.Key, linger: d.Linger, buf: make([]byte, bufferFor(max)), wake: make(chan struct{}, 1)}
	var remote netip.Addr
	if ap, ok := addrPort(conn.RemoteAddr()); ok {
		remote = ap.Addr()
	}
	l.local = remote.IsLoopback()
	if l.linger == 0 {
		l.linger = time.Second
	}
	l.sess = newSession(d.Mode, max, paceFor(d.Rate, remote), d.ARQ)
	l.space.L, l.news.L = &l.mu, &l.mu
	return l
}

func (l *link) start() {
	l.gone.Go(l.reader)
	l.gone.Go(l.writer)
}

// Send implements [client.Link]. It blocks while much waits to be sent.
func (l *link) Send(frame []byte) error { return l.SendBatch(frame) }

// SendBatch implements [client.BatchLink].
func (l *link) SendBatch(frames []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(frames) > 0 {
		e, rest, err := wire.SplitFrame(frames)
		if err != nil {
			return err
		}
		if e == nil {
			return fmt.Errorf("udpchat: send: %w", wire.ErrShort)
		}
		frames = rest
		for len(l.queue) >= maxQueued && l.err == nil && !l.closing {
			l.rouse()
			l.space.Wait()
		}
		if l.err != nil {
			return l.err
		}
		if l.closing {
			return net.ErrClosed
		}
		if l.connect == nil {
			if err := l.begin(e); err != nil {
				return err
			}
			continue
		}
		l.queue = append(l.queue, append([]byte(nil), e...))
	}
	l.rouse()
	return nil
}

// begin starts the second half of the handshake with the Connect envelope.
func (l *link) begin(connect []byte) error {
	e, err := wire.Decode(connect)
	if err != nil {
		return err
	}
	if e.Kind != wire.KindConnect {
		return fmt.Errorf("udpchat: send %v before connect", e.Kind)
	}
	var body wire.Connect
	if err := wire.DecodeBody(e.Args, &body); err != nil {
		return err
	}
	if body.Mode != l.sess.mode.String() {
		// The caller may leave the transport's mode to the transport.
		body.Mode = l.sess.mode.String()
		e.Args = wire.EncodeBody(&body)
	}
	if nonce, ok := wire.DecodeHex(body.Nonce, wire.NonceSize); ok && len(l.key) > 0 && needsKey(l.cookie) {
		l.macKey = wire.Prove(l.key, wire.ProveMAC, serverNonce(l.cookie), nonce)
		other := &session{}
		other.protect(l.macKey, clientToServer, serverToClient)
		l.check = other.check
	}
	l.connect, err = wire.AppendEnvelope(nil, &e)
	l.askAt = time.Now()
	l.giveUp = l.askAt.Add(handshakeTimeout)
	return err
}

// Receive implements [client.Link].
func (l *link) Receive() (wire.Envelope, []byte, error) {
	if len(l.taken) == 0 {
		l.mu.Lock()
		for len(l.inbox) == 0 && l.err == nil {
			l.news.Wait()
		}
		l.taken, l.inbox, l.size = l.inbox, nil, 0
		err := l.err
		l.mu.Unlock()
		if len(l.taken) == 0 {
			return wire.Envelope{}, nil, err
		}
	}
	raw := l.taken[0]
	l.taken[0] = nil
	l.taken = l.taken[1:]
	e, err := wire.Decode(raw)
	return e, raw, err
}

// Close implements [client.Link]: it waits, for a moment, until the server has
// everything that Send took.
func (l *link) Close() error {
	l.mu.Lock()
	if !l.closing {
		l.closing = true
		l.closeBy = time.Now().Add(l.linger)
		l.space.Broadcast()
		l.rouse()
	}
	l.mu.Unlock()
	l.gone.Wait()
	return nil
}

// Stats implements [client.Link].
func (l *link) Stats() client.LinkStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return client.LinkStats{
		Transport: "udp", Mode: l.sess.mode.String(),
		Local: l.conn.LocalAddr().String(), Remote: l.conn.RemoteAddr().String(),
		RTT:         l.sess.send.rtt.smoothed,
		Retransmits: l.sess.send.resent,
		// The server numbers its datagrams without a hole.
		Lost: l.newest - l.came + l.spilled,
	}
}

func (l *link) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// down ends the link for the reason err. l.mu is held.
func (l *link) down(err error) {
	if l.err == nil {
		l.err = err
	}
	l.queue = nil
	l.space.Broadcast()
	l.news.Broadcast()
	l.rouse()
}

// writer sends what is due, until the link is down or closed and done.
func (l *link) writer() {
	defer l.conn.Close() // ends the reader
	timer := time.NewTimer(0)
	defer timer.Stop()
	heads := make([][]byte, linkBatch)
	for i := range heads {
		heads[i] = make([]byte, 0, wire.MaxDatagram)
	}
	batch := make([]dispatch, 0, linkBatch)
	for {
		l.mu.Lock()
		now := time.Now()
		batch = l.gather(now, batch[:0], heads)
		down := l.err != nil
		at := l.deadline()
		l.mu.Unlock()
		for i := range batch {
			if err := l.write(batch[i]); err != nil && l.fatal(err) {
				l.mu.Lock()
				l.down(err)
				l.mu.Unlock()
			}
			heads[i] = batch[i].head[:0]
			batch[i] = dispatch{}
		}
		if down {
			return
		}
		if len(batch) > 0 {
			continue
		}
		if at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// gather appends the datagrams to send at now.
func (l *link) gather(now time.Time, batch []dispatch, heads [][]byte) []dispatch {
	if l.err != nil {
		return batch
	}
	s := l.sess
	s.expire(now)
	switch {
	case s.send.dead:
		l.down(ErrSilent)
		return batch
	case !l.doubt.IsZero() && !now.Before(l.doubt):
		l.down(ErrReset)
		return batch
	case !l.open && l.connect != nil && !now.Before(l.giveUp):
		l.down(fmt.Errorf("no answer to connect within %v", handshakeTimeout))
		return batch
	case !l.open && l.connect != nil && !now.Before(l.askAt):
		s.greet(wire.TypeOpen, append(l.nonce[:], l.cookie...), l.connect)
		l.askAt = now.Add(firstRetry << l.asked)
		l.asked++
	}
	if l.closing {
		s.recv.hurry(now) // the server waits for it
	}
	waited := len(l.queue) >= maxQueued
	for len(batch) < cap(batch) {
		if d, ok := s.next(now, heads[len(batch)][:0]); ok {
			batch = append(batch, d)
			continue
		}
		if !l.open || s.full() || len(l.queue) == 0 {
			break
		}
		s.push(now, l.queue[0])
		l.queue[0] = nil
		l.queue = l.queue[1:]
	}
	if waited {
		l.space.Broadcast()
	}
	if l.closing && len(batch) == 0 {
		if !l.open || s.idle() && len(l.queue) == 0 || !now.Before(l.closeBy) {
			l.down(net.ErrClosed)
		}
	}
	return batch
}

// deadline returns when the writer has something to do even if nobody wakes it.
func (l *link) deadline() time.Time {
	at := earliest(l.sess.deadline(), l.doubt)
	if !l.open {
		at = earliest(at, earliest(l.askAt, l.giveUp))
	}
	if l.closing {
		at = earliest(at, l.closeBy)
	}
	return at
}

// fatal reports whether an error of the socket ends the link. Elsewhere than
// on this machine anybody can say that a port is closed.
func (l *link) fatal(err error) bool { return l.local && portClosed(err) }

// write sends one datagram and shows it.
func (l *link) write(d dispatch) error {
	b := d.head
	if len(d.payload) > 0 {
		b = append(b, d.payload...)
	}
	_, err := l.conn.Write(b)
	if l.tap != nil {
		h, _, _ := wire.DecodeHeader(b)
		l.show(b, true, noteOut(&h, d.again, err))
	}
	return err
}
