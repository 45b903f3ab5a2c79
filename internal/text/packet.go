package text

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const (
	// silence ends a member on UDP: there is no other way to know.
	silence = time.Minute
	// maxPeers caps the members on UDP: every source address may become one.
	maxPeers = 256
	// maxDatagram is the payload that lines are packed into; a line that is
	// longer gets a datagram of its own.
	maxDatagram = wire.MaxDatagram
)

// ServePacket serves people on conn until ctx ends, and returns nil after all
// of them have been told; conn is closed then. It refuses an address that is
// not a loopback one: there a source address proves nothing. It has two
// goroutines, however many members there are.
func (s *Server) ServePacket(ctx context.Context, conn net.PacketConn) error {
	defer conn.Close()
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsLoopback() {
		return fmt.Errorf("the text port over UDP is for loopback addresses: %v is none", a)
	}
	v := &packets{server: s, conn: conn, peers: make(map[string]*peer), more: make(chan struct{}, 1)}
	serving, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() { v.write(serving) })
	unblock := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	err := v.read(ctx)
	unblock()
	stop()
	writer.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// packets is one run of ServePacket.
type packets struct {
	server *Server
	conn   net.PacketConn
	more   chan struct{} // ready is not empty

	mu    sync.Mutex
	peers map[string]*peer // by source address
	ready []*peer
}

// A peer is a member on UDP.
type peer struct {
	v    *packets
	addr net.Addr
	m    *member

	// packets.mu guards these.
	heard   time.Time
	queued  bool
	closing bool
}

// Info describes the member to the hub.
func (p *peer) Info() chat.Info {
	return chat.Info{Transport: "text", Mode: "udp", Remote: p.addr.String()}
}

// Wake makes the writer look.
func (p *peer) Wake() {
	v := p.v
	v.mu.Lock()
	defer v.mu.Unlock()
	p.wake()
}

func (p *peer) wake() {
	v := p.v
	if p.queued {
		return
	}
	p.queued = true
	v.ready = append(v.ready, p)
	select {
	case v.more <- struct{}{}:
	default:
	}
}

// Close ends the member after what waits was shown.
func (p *peer) Close() {
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	p.closing = true
	p.wake()
}

// read feeds what arrives to the members.
func (v *packets) read(ctx context.Context) error {
	buf := make([]byte, wire.MaxUDPPayload)
	failures := 0
	for {
		n, addr, err := v.conn.ReadFrom(buf)
		if err != nil {
			if failures++; ctx.Err() != nil || errors.Is(err, net.ErrClosed) || failures > 100 {
				return err
			}
			// The peer of an earlier datagram is gone (ICMP), or the like.
			v.server.logger().Debug("reading a datagram", "err", err)
			continue
		}
		failures = 0
		p, fresh := v.peer(addr)
		if p == nil {
			continue
		}
		p.m.conn.Note(chat.NoteBytesIn, n)
		p.m.wake()
		var lines splitter
		lines.feed(buf[:n], p.m.line)
		if len(lines.line) > 0 || lines.over {
			lines.end(p.m.line)
		}
		if fresh && !p.m.present() {
			p.Close() // not even as a guest
		}
	}
}

// peer returns the member at addr, made if need be; nil if there are too many.
func (v *packets) peer(addr net.Addr) (p *peer, fresh bool) {
	key := addr.String()
	v.mu.Lock()
	if p = v.peers[key]; p != nil && !p.closing {
		p.heard = time.Now()
		v.mu.Unlock()
		return p, false
	}
	full := len(v.peers) >= maxPeers
	v.mu.Unlock()
	if p != nil {
		return nil, false // says goodbye just now
	}
	if full {
		v.conn.WriteTo([]byte("* no place left\n"), addr)
		return nil, false
	}
	m := newMember(v.server.Hub, v.server.Key)
	p = &peer{v: v, addr: addr, m: m, heard: time.Now()}
	m.wake, m.quit = p.Wake, p.Close
	// Nothing wakes the peer before the writer may ask for its frames: the
	// hub has nothing to say until the member connects.
	conn, err := v.server.Hub.Attach(p, m.nonce)
	if err != nil {
		v.conn.WriteTo([]byte("* no place left: "+visible(err.Error())+"\n"), addr)
		return nil, false
	}
	m.conn = conn
	v.mu.Lock()
	v.peers[key] = p
	v.mu.Unlock()
	return p, true
}

// write shows what the members have, and ends those that are silent.
func (v *packets) write(ctx context.Context) {
	tick := time.NewTicker(silence / 12)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			v.mu.Lock()
			for _, p := range v.peers {
				p.closing = true
				p.wake()
			}
			v.mu.Unlock()
			v.flush()
			return
		case <-v.more:
			v.flush()
		case now := <-tick.C:
			v.expire(now)
		}
	}
}

// expire says goodbye to members that have been silent for too long.
func (v *packets) expire(now time.Time) {
	var gone []*peer
	v.mu.Lock()
	for _, p := range v.peers {
		if now.Sub(p.heard) >= silence && !p.closing {
			gone = append(gone, p)
		}
	}
	v.mu.Unlock()
	for _, p := range gone {
		p.m.tell("nothing heard from you for %v: goodbye", silence)
		p.Close()
	}
}

// flush shows what there is for the members that are ready.
func (v *packets) flush() {
	var buf []byte
	var frames [][]byte
	for {
		v.mu.Lock()
		if len(v.ready) == 0 {
			v.mu.Unlock()
			return
		}
		p := v.ready[0]
		v.ready = v.ready[1:]
		p.queued = false
		closing := p.closing
		v.mu.Unlock()
		some := true
		for rounds := 0; some && (rounds < 4 || closing && rounds < 64); rounds++ {
			buf, frames, some = p.m.next(buf[:0], frames, showBatch)
			v.send(p, buf)
		}
		switch {
		case closing:
			p.m.conn.Detach("closed")
			v.mu.Lock()
			delete(v.peers, p.addr.String())
			v.mu.Unlock()
		case some:
			p.Wake() // the others first
		}
	}
}

// send packs lines into datagrams. What does not arrive is lost: that is UDP.
func (v *packets) send(p *peer, lines []byte) {
	for len(lines) > 0 {
		n := len(lines)
		if n > maxDatagram {
			n = strings.LastIndexByte(string(lines[:maxDatagram]), '\n') + 1
			if n == 0 {
				n = strings.IndexByte(string(lines), '\n') + 1
			}
		}
		sent, err := v.conn.WriteTo(lines[:n], p.addr)
		if err != nil {
			v.server.logger().Debug("sending a datagram", "remote", p.addr, "err", err)
			p.m.conn.Note(chat.NoteLost, 1)
		}
		p.m.conn.Note(chat.NoteBytesOut, sent)
		lines = lines[n:]
	}
}
