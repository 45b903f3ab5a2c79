package udpchat

import (
	"errors"
	"net"
	"time"

	"wirelab/internal/wire"
)

// reader takes datagrams in until the socket is closed.
func (l *link) reader() {
	var arrivals []arrival
	failures := 0
	for {
		n, err := l.conn.Read(l.buf)
		if err != nil {
			if failures++; errors.Is(err, net.ErrClosed) || l.fatal(err) || failures > maxFailures {
				l.mu.Lock()
				l.down(err)
				l.mu.Unlock()
				return
			}
			continue
		}
		failures = 0
		b := l.buf[:n]
		h, payload, err := wire.DecodeHeader(b)
		if n == len(l.buf) {
			err = errTooLong
		}
		if err == nil {
			l.mu.Lock()
			arrivals, err = l.take(time.Now(), arrivals[:0], b, &h, payload)
			for i := range arrivals {
				l.keep(&arrivals[i])
				arrivals[i] = arrival{}
			}
			l.mu.Unlock()
			l.rouse()
		}
		l.show(b, false, noteIn(&h, err))
	}
}

// take handles one datagram. An error says why nothing came of it.
func (l *link) take(now time.Time, dst []arrival, b []byte, h *wire.Header, payload []byte) ([]arrival, error) {
	s := l.sess
	switch {
	case h.Type == wire.TypeReset && l.open && h.Session == s.id:
		return dst, l.reset(now)
	case h.Type == wire.TypeAccept && !l.open:
		return l.accept(now, dst, b, h, payload)
	case !l.open || h.Session != s.id:
		return dst, errType
	}
	if err := s.authentic(b, h); err != nil {
		return dst, err
	}
	l.note(h.Number)
	l.doubt = time.Time{}
	if h.Type == wire.TypeAccept {
		return dst, errReplay
	}
	if h.Flags&wire.DatagramReliable != 0 && (len(l.inbox) >= maxInbox || l.size >= inboxSize) {
		// Nobody receives. What is not acknowledged is sent again.
		_, err := s.send.ack(now, h.Ack, h.AckBits, false)
		return dst, errors.Join(err, errWindow)
	}
	return s.receive(now, dst, h, payload)
}

// reset takes a Reset in. A session with MACs cannot believe it: a server that
// does not know the session has no key for it, so anybody could have sent it.
// But if the server then leaves unanswered what it must acknowledge, it was
// true.
func (l *link) reset(now time.Time) error {
	switch {
	case l.sess.seal == nil:
		l.down(ErrReset)
	case !l.sess.send.idle() && l.doubt.IsZero():
		l.doubt = now.Add(doubtful)
	default:
		return errMAC
	}
	return nil
}

// note counts an authentic datagram's number.
func (l *link) note(number uint64) {
	l.came++
	l.newest = max(l.newest, number)
}

// accept takes the answer to the Open in.
func (l *link) accept(now time.Time, dst []arrival, b []byte, h *wire.Header, payload []byte) ([]arrival, error) {
	if l.connect == nil || len(payload) < wire.NonceSize || [wire.NonceSize]byte(payload) != l.nonce {
		return dst, errType
	}
	sealed := h.Flags&wire.DatagramMAC != 0
	if sealed && (l.check == nil || !l.check.Verify(b)) {
		return dst, errMAC
	}
	if !l.sess.replay.Check(h.Number) && h.Session != 0 {
		return dst, errReplay
	}
	payload = payload[wire.NonceSize:]
	if h.Flags&wire.DatagramFragment != 0 {
		whole, v := l.parts.add(now, h.Fragment, payload)
		if v != accepted {
			return dst, errFragments
		}
		l.sess.replay.Mark(h.Number)
		l.note(h.Number)
		if whole == nil {
			return dst, nil
		}
		payload = whole
	} else if h.Session != 0 {
		l.sess.replay.Mark(h.Number)
		l.note(h.Number)
	}
	e, err := wire.Decode(payload)
	if err != nil {
		return dst, errEnvelope
	}
	if l.check != nil && !sealed && e.Kind != wire.KindError {
		return dst, errMAC // a server that has the key says so with one
	}
	l.open = true
	l.connect, l.cookie = []byte{}, nil
	l.sess.id = h.Session
	if sealed {
		l.sess.protect(l.macKey, clientToServer, serverToClient)
	}
	return append(dst, arrival{envelope: e, raw: payload}), nil
}

// keep puts a copy of an envelope into the inbox.
func (l *link) keep(a *arrival) {
	if a.broken != nil {
		// A hole in what must have none: the connection is of no use any more.
		l.down(a.broken)
		return
	}
	raw := a.raw
	if len(l.inbox) >= maxInbox || l.size >= inboxSize {
		if raw[1] == byte(wire.KindEvent) && !l.sess.mode.reliable(raw) {
			l.spilled++
			return
		}
	}
	l.inbox = append(l.inbox, append([]byte(nil), raw...))
	l.size += len(raw)
	if len(l.inbox) == 1 {
		l.news.Signal()
	}
}
