package udpchat

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const (
	resetRate     = 100  // resets per second at most
	maxDoors      = 4096 // handshakes remembered; beyond, the oldest is forgotten
	maxPartDoors  = 64   // of those, the ones of which fragments are missing
	handshakeSize = wire.NonceSize + wire.CookieSize
)

// A door is a handshake whose cookie was good. It is remembered as long as the
// cookie could be used again, so that an Open that comes twice, for its answer
// was lost or somebody recorded it, does not make a second session.
type door struct {
	key   doorKey
	began time.Time
	parts assembler // of the Connect
	peer  *peer     // nil until the Connect is complete
}

type doorKey struct {
	from  netip.AddrPort
	nonce [wire.NonceSize]byte
}

// doors is the reader's list of them, oldest first.
type doors struct {
	known   map[doorKey]*door
	oldest  []*door
	partial int // of those known, the ones without peer
}

func newDoors() doors { return doors{known: make(map[doorKey]*door)} }

// forget drops what is older than any cookie, and one more if the list is full.
func (d *doors) forget(now time.Time) {
	for len(d.oldest) > 0 && (len(d.oldest) >= maxDoors || now.Sub(d.oldest[0].began) > cookieLife+time.Second) {
		first := d.oldest[0]
		d.oldest[0] = nil
		d.oldest = d.oldest[1:]
		delete(d.known, first.key)
		if first.peer == nil {
			d.partial--
		}
	}
}

// open returns the door for key. For one that comes in fragments it is nil if
// too many such wait already.
func (d *doors) open(now time.Time, key doorKey, whole bool) *door {
	if known := d.known[key]; known != nil {
		return known
	}
	d.forget(now)
	if !whole && d.partial >= maxPartDoors {
		return nil
	}
	n := &door{key: key, began: now}
	d.known[key] = n
	d.oldest = append(d.oldest, n)
	d.partial++
	return n
}

// shut forgets a door through which nobody came.
func (d *doors) shut(o *door) {
	delete(d.known, o.key)
	for i := len(d.oldest) - 1; i >= 0; i-- {
		if d.oldest[i] == o {
			d.oldest = append(d.oldest[:i], d.oldest[i+1:]...)
			break
		}
	}
	d.partial--
}

// datagram handles one datagram. b is good until it returns.
func (v *service) datagram(now time.Time, b []byte, addr net.Addr) {
	count := &v.server.counters
	from, ok := addrPort(addr)
	if !ok {
		count.add(malformed, 1)
		return
	}
	h, payload, err := wire.DecodeHeader(b)
	if err != nil || len(b) >= bufferFor(v.max) {
		count.add(malformed, 1)
		return
	}
	switch h.Type {
	case wire.TypeHello:
		v.hello(now, b, &h, payload, addr, from)
	case wire.TypeOpen:
		v.open(now, &h, payload, addr, from)
	case wire.TypeData, wire.TypeAck:
		v.data(now, b, &h, payload, addr, from)
	default:
		count.add(malformed, 1)
	}
}

// reply sends one small datagram at once. Losing it is no harm.
func (v *service) reply(to net.Addr, h *wire.Header, payload ...[]byte) {
	v.answer = wire.AppendHeader(v.answer[:0], h)
	for _, p := range payload {
		v.answer = append(v.answer, p...)
	}
	if v.sock.reply(to, v.answer) != nil {
		v.server.counters.add(refusedSends, 1)
	}
}

// hello answers with a cookie and keeps nothing. The answer is 100 bytes, the
// question at least 1,200: whoever lies about their address gains nothing.
func (v *service) hello(now time.Time, b []byte, h *wire.Header, payload []byte, addr net.Addr, from netip.AddrPort) {
	if len(b) < wire.MinHello {
		v.server.counters.add(shortHellos, 1)
		return
	}
	if h.Flags != 0 || h.Session != 0 {
		v.server.counters.add(malformed, 1)
		return
	}
	nonce := [wire.NonceSize]byte(payload)
	cookie := v.jar.bake(now, from, nonce)
	v.server.counters.add(hellos, 1)
	v.reply(addr, &wire.Header{Type: wire.TypeCookie}, nonce[:], cookie[:])
}

// open takes a Connect that comes with a good cookie.
func (v *service) open(now time.Time, h *wire.Header, payload []byte, addr net.Addr, from netip.AddrPort) {
	count := &v.server.counters
	if h.Session != 0 || h.Flags&^wire.DatagramFragment != 0 || len(payload) <= handshakeSize {
		count.add(malformed, 1)
		return
	}
	key := doorKey{from, [wire.NonceSize]byte(payload)}
	cookie := payload[wire.NonceSize:handshakeSize]
	payload = payload[handshakeSize:]
	if !v.jar.check(now, from, key.nonce, cookie) {
		count.add(badCookies, 1)
		return
	}
	d := v.doors.open(now, key, h.Flags == 0)
	if d == nil {
		count.add(refusedDatagrams, 1)
		return
	}
	if d.peer != nil {
		if h.Flags == 0 || h.Fragment.Index == 0 {
			v.acceptAgain(now, d.peer, addr)
		}
		return
	}
	if h.Flags&wire.DatagramFragment != 0 {
		whole, verdict := d.parts.add(now, h.Fragment, payload)
		if verdict == refused {
			count.add(refusedDatagrams, 1)
		}
		if whole == nil {
			return
		}
		payload = whole
	} else {
		payload = append([]byte(nil), payload...)
	}
	e, err := wire.Decode(payload)
	if err != nil || e.Kind != wire.KindConnect {
		count.add(malformed, 1)
		v.doors.shut(d)
		return
	}
	count.add(opens, 1)
	v.enter(d, &e, append([]byte(nil), serverNonce(cookie)...), addr, from)
}

// enter makes a session for the Connect e, whose bytes are its own.
func (v *service) enter(d *door, e *wire.Envelope, nonce []byte, addr net.Addr, from netip.AddrPort) {
	var body wire.Connect
	err := wire.DecodeBody(e.Args, &body) // the hub tells the client about an error here
	mode, badMode := ParseMode(body.Mode)
	p := &peer{
		service: v, nonce: d.key.nonce, addr: addr, from: from,
		info: chat.Info{Transport: "udp", Mode: mode.String(), Remote: from.String()},
		sess: newSession(mode, v.max, paceFor(v.server.Rate, from.Addr()), v.server.ARQ),
	}
	conn, full := v.hub.Attach(p, nonce)
	v.mu.Lock()
	leaving := v.state != serving
	v.mu.Unlock()
	if full != nil || leaving {
		if conn != nil {
			conn.Detach("the server stops")
		}
		v.doors.shut(d)
		v.refuse(addr, d.key.nonce, "the server takes no more connections at the moment")
		return
	}
	p.conn = conn
	d.peer = p
	v.doors.partial--
	d.parts = assembler{}
	v.mu.Lock()
	for p.sess.id == 0 || v.peers[p.sess.id] != nil {
		p.sess.id = randomID()
	}
	v.peers[p.sess.id] = p
	v.mu.Unlock()
	v.server.sessions.Add(1)
	v.log.Debug("udp session", "remote", p.info.Remote, "mode", mode)

	// Taking the Connect in may wait for a disk, and there is one reader for
	// everybody. The member's own datagrams are let in after that.
	v.opening.Go(func() {
		switch {
		case err == nil && badMode != nil:
			conn.Fault(&wire.Fault{Code: "bad_mode", Message: badMode.Error()})
			p.Close()
		case conn.Receive(e) != nil:
			p.Close()
		}
		conn.Flush()
		p.opened.Store(true)
		p.Wake()
	})
}

// refuse answers an Open with an error and no session.
func (v *service) refuse(addr net.Addr, nonce [wire.NonceSize]byte, why string) {
	e, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(&wire.Fault{
		Code: "busy", Message: why, Hint: "try again later", RetryMS: 1000,
	})})
	if err != nil {
		panic(err) // a constant text fits
	}
	v.reply(addr, &wire.Header{Type: wire.TypeAccept}, nonce[:], e)
}

// acceptAgain repeats the answer to an Open that came again, even if the
// answer was an error and the session is over.
func (v *service) acceptAgain(now time.Time, p *peer, addr net.Addr) {
	p.mu.Lock()
	var all [][]byte
	if p.accept != nil && len(p.sess.once) == 0 {
		p.sess.greet(wire.TypeAccept, p.nonce[:], p.accept)
		for len(p.sess.once) > 0 {
			d, _ := p.sess.next(now, nil)
			all = append(all, append(d.head, d.payload...))
		}
	}
	p.mu.Unlock()
	for _, b := range all {
		if v.sock.reply(addr, b) != nil {
			v.server.counters.add(refusedSends, 1)
		}
	}
}

// data handles a datagram of a session.
func (v *service) data(now time.Time, b []byte, h *wire.Header, payload []byte, addr net.Addr, from netip.AddrPort) {
	count := &v.server.counters
	v.mu.Lock()
	p := v.peers[h.Session]
	v.mu.Unlock()
	if p == nil {
		count.add(unknownSessions, 1)
		if h.Session != 0 && v.resets.ready(now) {
			v.resets.take(now, 1)
			v.reply(addr, &wire.Header{Type: wire.TypeReset, Session: h.Session}) // 44 bytes, as few as any question has
		}
		return
	}
	if !p.opened.Load() {
		count.add(refusedDatagrams, 1)
		return
	}
	p.mu.Lock()
	s := p.sess
	err := p.admit(b, h, addr, from)
	if err != nil {
		p.mu.Unlock()
		count.add(counterOf(err), 1)
		p.conn.Note(chat.NoteDropped, 1)
		return
	}
	busy := !s.send.idle()
	v.arrivals, err = s.receive(now, v.arrivals[:0], h, payload)
	turn := busy || !s.recv.ackAt.IsZero()
	rtt := s.send.rtt.smoothed
	p.mu.Unlock()

	p.conn.Note(chat.NoteBytesIn, len(b))
	// A ping may wait in the channel behind much else; what acknowledges
	// that lives.
	p.conn.Heard(now)
	if err != nil {
		count.add(counterOf(err), 1)
		p.conn.Note(chat.NoteDropped, 1)
	}
	if rtt > 0 {
		p.conn.SetRTT(rtt)
	}
	for i := range v.arrivals {
		v.deliver(p, &v.arrivals[i])
		v.arrivals[i] = arrival{}
	}
	if turn {
		v.schedule(p)
	}
}

// admit reports whether the datagram is p's. With MACs a good one that is newer
// than all before moves the peer to the port that it came from (a NAT gave it
// another); without them nothing from elsewhere is believed. Nobody moves to
// another host: who has the key could lie about the source, and make the server
// send a room's events to somebody who never asked (RFC 9000, section 9.3).
func (p *peer) admit(b []byte, h *wire.Header, addr net.Addr, from netip.AddrPort) error {
	if p.gone || p.accept == nil {
		return errType
	}
	if from != p.from && (p.sess.check == nil || from.Addr() != p.from.Addr()) {
		return errAddress
	}
	if err := p.sess.authentic(b, h); err != nil {
		return err
	}
	if h.Number > p.newest {
		p.newest = h.Number
		if from != p.from {
			p.addr, p.from = addr, from
		}
	}
	return nil
}

// deliver hands one envelope to the hub.
func (v *service) deliver(p *peer, a *arrival) {
	if p.ending.Load() {
		return
	}
	if !p.touched {
		p.touched = true
		v.touched = append(v.touched, p)
	}
	if a.broken != nil {
		p.conn.Fault(&wire.Fault{Code: "bad_frame", Message: a.broken.Error()})
		p.Close()
	} else if p.conn.Receive(&a.envelope) != nil {
		p.Close()
	}
}

func counterOf(err error) counter {
	switch err {
	case errMAC:
		return badMACs
	case errReplay:
		return replays
	case errAddress:
		return wrongAddresses
	}
	return refusedDatagrams
}

func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}
