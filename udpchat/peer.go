package udpchat

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const (
	turnSize = 64       // datagrams that one member sends before the next has its turn
	pullSize = 16 << 10 // bytes taken from the hub at once
)

// A peer is one member on the server's side: the hub's [chat.Transport]. It has
// no goroutine: the service's reader hands in what arrives, the service's
// sender gives it turns.
type peer struct {
	service *service
	conn    *chat.Conn
	info    chat.Info
	nonce   [wire.NonceSize]byte // the client's, of the handshake

	queued atomic.Bool // waits for a turn
	opened atomic.Bool // the hub has taken the Connect in
	more   atomic.Bool // Conn.Next may have something
	ending atomic.Bool // Close was called

	touched bool // the reader's: Conn.Flush is due

	// The sender's own.
	frames [][]byte // from Conn.Next
	store  [][]byte // the same, for the next call
	rest   []byte   // of the frame slice in hand
	end    time.Time
	due    time.Time // in the service's heap; zero: not
	place  int       // there

	mu     sync.Mutex
	sess   *session
	addr   net.Addr
	from   netip.AddrPort // addr, comparable
	newest uint64         // number that came
	accept []byte         // the envelope of the Accept, once there is one
	gone   bool
}

// Wake implements chat.Transport.
func (p *peer) Wake() {
	p.more.Store(true)
	p.service.schedule(p)
}

// Close implements chat.Transport.
func (p *peer) Close() {
	if !p.ending.Swap(true) {
		p.service.schedule(p)
	}
}

// Info implements chat.Transport.
func (p *peer) Info() chat.Info { return p.info }

// envelope returns the next envelope that the hub has for the peer, or nil.
func (p *peer) envelope() []byte {
	for {
		if len(p.rest) > 0 {
			e, rest, err := wire.SplitFrame(p.rest)
			if err != nil || e == nil {
				panic("udpchat: the hub gave no whole frame")
			}
			p.rest = rest
			return e
		}
		if len(p.frames) > 0 {
			p.rest, p.frames[0] = p.frames[0], nil
			p.frames = p.frames[1:]
			continue
		}
		// A Wake from here on counts again.
		if !p.more.Swap(false) {
			return nil
		}
		frames, some := p.conn.Next(p.store[:0], pullSize)
		p.frames, p.store = frames, frames
		if cap(p.store) > 256 {
			p.store = nil
		}
		if !some {
			return nil
		}
		p.more.Store(true)
	}
}

// A turn says what came of a peer's turn.
type turn uint8

const (
	dry   turn = iota // nothing to send until something happens, or time passes
	again             // there is more
	over              // the peer is finished
)

// fill puts the peer's next datagrams into the service's batch, at most
// turnSize, and as many as still fit.
func (p *peer) fill(now time.Time) (t turn, why string) {
	if !p.opened.Load() {
		return dry, ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return dry, ""
	}
	s, sock := p.sess, p.service.sock
	s.expire(now)
	if s.send.dead {
		return over, "no acknowledgement"
	}
	if p.ending.Load() {
		s.recv.hurry(now)
	}
	resent, bytes := s.send.resent, 0
	n := 0
	t = dry
	for {
		if n == turnSize || sock.full() {
			t = again
			break
		}
		if d, ok := s.next(now, sock.buffer()); ok {
			sock.add(p.addr, d.head, d.payload)
			bytes += len(d.head) + len(d.payload)
			n++
			continue
		}
		if s.full() {
			break
		}
		e := p.envelope()
		if e == nil {
			break
		}
		if p.accept == nil {
			p.greet(e)
			continue
		}
		s.push(now, e)
	}
	if n > 0 {
		c := &p.service.server.counters
		c.add(sent, n)
		p.conn.Note(chat.NoteBytesOut, bytes)
		if more := int(s.send.resent - resent); more > 0 {
			c.add(resentDatagrams, more)
			p.conn.Note(chat.NoteRetransmit, more)
		}
	}
	if t == dry && p.ending.Load() {
		if p.end.IsZero() {
			p.end = now.Add(p.service.linger)
		}
		if s.idle() || !now.Before(p.end) {
			return over, "closed"
		}
	}
	return t, ""
}

// greet makes the hub's first answer to the Connect the handshake's Accept.
// From here on the datagrams carry MACs if there is a key.
func (p *peer) greet(e []byte) {
	p.accept = append([]byte(nil), e...)
	if key := p.conn.MACKey(); key != nil {
		p.sess.protect(key, serverToClient, clientToServer)
	}
	p.sess.greet(wire.TypeAccept, p.nonce[:], p.accept)
}

// deadline returns when the peer wants its next turn without being woken.
func (p *peer) deadline() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return time.Time{}
	}
	return earliest(p.sess.deadline(), p.end)
}

// bye says goodbye when the hub has not.
func (p *peer) bye(now time.Time, reason string) {
	if p.ending.Swap(true) {
		return
	}
	e, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindBye, Args: wire.EncodeBody([]string{reason})})
	if err != nil {
		panic(err) // a constant reason fits
	}
	p.mu.Lock()
	if p.accept != nil {
		p.sess.send.push(now, e, wire.Fragment{})
	}
	p.mu.Unlock()
}
