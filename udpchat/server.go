// Package udpchat is chat over UDP (RFC 768): what TCP gives for nothing, done
// by hand where it can be seen.
//
// A client says hello and gets a cookie, for which the server keeps nothing;
// it opens a session with the cookie, and from then on both ends exchange
// datagrams (package wire) that carry an envelope or a fragment of one. Control
// goes through a reliable channel: numbered, acknowledged, sent again when
// lost, in order, congestion-controlled. Events go through it too, or are sent
// once, as the session's [Mode] says.
//
// How that channel sends again is the mode's, too: one datagram at a time, going
// back N, or selectively. [ARQ] tunes it.
//
// The protocol is in pure parts that hold no clock and do no I/O: session,
// sender and receiver with their discipline, congestion, assembler, jar, pacer.
// [Server] and [Dialer] move datagrams between those and a net.PacketConn or
// net.Conn.
//
// A server has two goroutines however many members it has: one reads, one
// sends. A client's link has the same two.
package udpchat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

// A Server lets members chat over UDP. Hub is required; do not change the
// fields while it serves.
type Server struct {
	Hub    *chat.Hub
	Logger *slog.Logger // if nil, nothing is logged

	MaxDatagram int           // bytes of a UDP payload; if zero, wire.MaxDatagram; at least MinDatagram
	Rate        int           // events per second that are sent once, to one member; if zero, 50,000 to this machine and 1,000 elsewhere
	ARQ         ARQ           // how this end of the modes stop-and-wait, go-back-n and selective-repeat sends again
	Linger      time.Duration // a goodbye is repeated for that long; if zero, 2 s

	sessions atomic.Int64
	counters counters
}

// Serve serves members on conn until ctx ends, then says goodbye to those that
// are left, closes conn and returns nil. It returns earlier, with the error,
// when conn fails. Any net.PacketConn will do. A *net.UDPConn on Linux is read
// and written in batches and taken over for that: only ctx ends it, not its
// Close.
func (s *Server) Serve(ctx context.Context, conn net.PacketConn) error {
	v, err := newService(s, conn)
	if err != nil {
		conn.Close()
		return err
	}
	var wg sync.WaitGroup
	stop := context.AfterFunc(ctx, v.drain)
	wg.Go(v.send)
	err = v.receive()
	stop()
	v.end()
	wg.Wait()
	v.opening.Wait()
	v.sock.close()
	v.sock.release()
	v.detachAll()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A service is one run of Serve.
type service struct {
	server *Server
	hub    *chat.Hub
	log    *slog.Logger
	sock   *socket
	max    int
	linger time.Duration

	// The reader's own.
	jar      *jar
	resets   pacer
	doors    doors
	arrivals []arrival
	touched  []*peer
	answer   []byte

	opening sync.WaitGroup

	mu    sync.Mutex
	peers map[uint64]*peer
	ready []*peer // wait for a turn
	state state

	wake   chan struct{} // for the sender: there is something in ready, or another state
	timers timers        // the sender's own
}

type state uint8

const (
	serving state = iota
	draining
	ended
)

func newService(s *Server, conn net.PacketConn) (*service, error) {
	v := &service{
		server: s, hub: s.Hub, log: s.Logger, max: s.MaxDatagram, linger: s.Linger,
		jar:    newJar(time.Now(), s.Hub.NeedsKey()),
		resets: newPacer(resetRate),
		peers:  make(map[uint64]*peer),
		doors:  newDoors(),
		wake:   make(chan struct{}, 1),
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if v.max, err = datagramSize(s.MaxDatagram); err != nil {
		return nil, err
	}
	if err = s.ARQ.check(); err != nil {
		return nil, err
	}
	if v.linger == 0 {
		v.linger = 2 * time.Second
	}
	v.sock, err = newSocket(conn, v.max)
	return v, err
}

// datagramSize returns the size to use for the one configured.
func datagramSize(n int) (int, error) {
	if n == 0 {
		return wire.MaxDatagram, nil
	}
	if n < MinDatagram || n > wire.MaxUDPPayload {
		return 0, fmt.Errorf("udpchat: datagrams of %d bytes, want %d to %d", n, MinDatagram, wire.MaxUDPPayload)
	}
	return n, nil
}

// paceFor returns how many datagrams per second go to a peer at most.
func paceFor(configured int, to netip.Addr) int {
	switch {
	case configured > 0:
		return configured
	case to.IsLoopback():
		return loopbackRate
	}
	return networkRate
}

// schedule gives p a turn.
func (v *service) schedule(p *peer) {
	if p.queued.Swap(true) {
		return
	}
	v.mu.Lock()
	v.ready = append(v.ready, p)
	v.mu.Unlock()
	v.rouse()
}

func (v *service) rouse() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// drain makes the sender say goodbye to everybody and end.
func (v *service) drain() {
	v.mu.Lock()
	v.state = max(v.state, draining)
	v.mu.Unlock()
	v.rouse()
}

// end makes the sender return.
func (v *service) end() {
	v.mu.Lock()
	v.state = ended
	v.mu.Unlock()
	v.rouse()
}

// send is the sending goroutine: it gives turns to those who are ready, and to
// those whose time has come. With nothing to do it sleeps.
func (v *service) send() {
	var (
		list  []*peer
		timer = time.NewTimer(0)
		left  bool // the goodbyes are on their way
		turns int  // rounds since the last flush
	)
	defer timer.Stop()
	for {
		v.mu.Lock()
		list, v.ready = v.ready, list[:0]
		state := v.state
		var all []*peer
		if state == draining && !left {
			for _, p := range v.peers {
				all = append(all, p)
			}
		}
		alone := len(v.peers) == 0
		v.mu.Unlock()

		now := time.Now()
		if state == draining {
			left = true
			for _, p := range all {
				p.bye(now, "the server stops")
				v.schedule(p)
			}
			if alone {
				v.sock.flush()
				v.sock.close() // the reader ends
				state = ended
			}
		}
		if state == ended {
			return
		}
		for i, p := range list {
			list[i] = nil
			p.queued.Store(false)
			v.serve(p, now)
		}
		for p := v.timers.pop(now); p != nil; p = v.timers.pop(now) {
			v.serve(p, now)
		}
		if turns++; len(list) > 0 && turns < 4 {
			continue // whoever became ready meanwhile shares the batch
		}
		turns = 0
		v.flush()
		if len(list) > 0 {
			continue
		}
		v.sock.forget()
		if at := v.timers.first(); !at.IsZero() {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-v.wake:
		case <-timer.C:
		}
	}
}

// serve gives p its turn.
func (v *service) serve(p *peer, now time.Time) {
	t, why := p.fill(now)
	if v.sock.full() {
		v.flush()
	}
	switch t {
	case again:
		v.schedule(p)
	case dry:
		v.timers.set(p, p.deadline())
	case over:
		v.timers.remove(p)
		v.remove(p, why)
	}
}

func (v *service) flush() {
	failed := v.sock.failed
	v.sock.flush() // a closed socket ends the reader, which ends us
	if n := v.sock.failed - failed; n > 0 {
		v.server.counters.add(refusedSends, int(n))
	}
}

// remove forgets p.
func (v *service) remove(p *peer, why string) {
	v.mu.Lock()
	delete(v.peers, p.sess.id)
	v.mu.Unlock()
	p.mu.Lock()
	known := !p.gone
	p.gone = true
	p.frames, p.store, p.rest = nil, nil, nil
	p.sess.clear() // the handshake's door may keep the rest for a while
	p.mu.Unlock()
	if known {
		v.server.sessions.Add(-1)
		v.rouse() // it may be the last that a stopping server waits for
		v.log.Debug("udp session ended", "remote", p.info.Remote, "reason", why)
		p.conn.Detach(why)
	}
}

// detachAll ends what is left when both goroutines are gone.
func (v *service) detachAll() {
	v.mu.Lock()
	var all []*peer
	for _, p := range v.peers {
		all = append(all, p)
	}
	v.mu.Unlock()
	for _, p := range all {
		v.remove(p, "the server stopped")
	}
}

// receive is the reading goroutine.
func (v *service) receive() error {
	failures := 0
	for {
		n, err := v.sock.receive()
		if err != nil {
			if failures++; errors.Is(err, net.ErrClosed) || failures > maxFailures {
				return fmt.Errorf("udpchat: receive: %w", err)
			}
			continue // some systems report here what became of what was sent
		}
		failures = 0
		now := time.Now()
		v.server.counters.add(received, n)
		for i := range n {
			b, from := v.sock.datagram(i)
			v.datagram(now, b, from)
		}
		for i, p := range v.touched {
			p.touched = false
			p.conn.Flush()
			v.touched[i] = nil
		}
		v.touched = v.touched[:0]
	}
}

// maxFailures is how many times in a row reading may fail.
const maxFailures = 100
