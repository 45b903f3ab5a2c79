package udpchat

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"time"

	"wirelab/internal/wire"
)

// A session is what both ends of a UDP connection have in common once they
// know each other: numbering, the reliable channel, pacing, MACs, replay
// window, fragments. It holds no clock, starts no goroutine and does no I/O.
// It is not safe for concurrent use.
type session struct {
	id   uint64 // of the header
	mode Mode
	max  int // bytes of a datagram

	number uint64 // of the last datagram sent
	cut    uint32 // envelopes cut so far
	send   sender
	recv   receiver
	pace   pacer
	seal   *wire.Sealer // nil: no MAC
	check  *wire.Sealer
	replay wire.Replay

	once  []handshake // datagrams outside of both channels, sent first
	loose loose       // the envelope that is being sent without reliability

	ordered assembler // of the reliable channel
	loosely assembler
	newest  order
	parcels []parcel // reused
}

// A handshake is a datagram that is neither data nor ack.
type handshake struct {
	kind     wire.DatagramType
	fragment wire.Fragment
	payload  []byte
}

type loose struct {
	envelope []byte // nil: none
	count    int    // pieces
	index    int    // the next of them
	of       uint32
}

func newSession(mode Mode, max, rate int, arq ARQ) *session {
	return &session{
		mode: mode, max: max, pace: newPacer(rate),
		send: newSender(mode, arq), recv: newReceiver(mode, arq),
		loosely: assembler{life: partialLife},
	}
}

// What the two directions' keys are derived for.
const (
	clientToServer = "client to server"
	serverToClient = "server to client"
)

// protect makes every datagram from now on carry a MAC. The directions have
// keys of their own, so that nothing can be sent back to where it came from.
func (s *session) protect(key []byte, send, receive string) {
	derive := func(direction string) *wire.Sealer {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(direction))
		return wire.NewSealer(mac.Sum(nil))
	}
	s.seal, s.check = derive(send), derive(receive)
}

// room returns how many bytes of an envelope, or of fragment header and
// fragment, fit into a datagram.
func (s *session) room() int {
	if s.seal != nil {
		return s.max - wire.DatagramHeader - wire.MACSize
	}
	return s.max - wire.DatagramHeader
}

// full reports whether push has to wait: an envelope is under way already, or
// the reliable channel's window is shut and enough waits for it.
func (s *session) full() bool { return s.loose.envelope != nil || s.send.waiting() >= maxWaiting }

// push hands in the next envelope. Its bytes are kept by reference and never
// written to. It must not be called while full.
func (s *session) push(now time.Time, envelope []byte) {
	room := s.room()
	count := pieces(len(envelope), room)
	if count > 1 {
		s.cut++
	}
	if !s.mode.reliable(envelope) {
		s.loose = loose{envelope: envelope, count: count, of: s.cut}
		return
	}
	if count == 1 {
		s.send.push(now, envelope, wire.Fragment{})
		return
	}
	for i := range count {
		s.send.push(now, piece(envelope, i, room), wire.Fragment{Of: s.cut, Index: uint16(i), Count: uint16(count)})
	}
}

// greet queues the datagrams of one handshake message: prefix, then the
// envelope or as much of it as fits, in each.
func (s *session) greet(kind wire.DatagramType, prefix, envelope []byte) {
	s.once = append(s.once, cutHandshake(kind, prefix, envelope, s.room())...)
}

func cutHandshake(kind wire.DatagramType, prefix, envelope []byte, room int) []handshake {
	room -= len(prefix)
	count := pieces(len(envelope), room)
	if count == 1 {
		return []handshake{{kind: kind, payload: append(prefix[:len(prefix):len(prefix)], envelope...)}}
	}
	var all []handshake
	for i := range count {
		all = append(all, handshake{kind, wire.Fragment{Index: uint16(i), Count: uint16(count)},
			append(prefix[:len(prefix):len(prefix)], piece(envelope, i, room)...)})
	}
	return all
}

// A dispatch is one datagram to send: head, then payload, which is shared and
// never written to.
type dispatch struct {
	head, payload []byte
	again         bool // a retransmission
}

// next returns the next datagram to send at now, if any. Its head is appended
// to buf.
func (s *session) next(now time.Time, buf []byte) (d dispatch, ok bool) {
	h := wire.Header{Session: s.id}
	switch {
	case len(s.once) > 0:
		first := &s.once[0]
		h.Type, h.Fragment, d.payload = first.kind, first.fragment, first.payload
		if s.once = s.once[1:]; len(s.once) == 0 {
			s.once = nil
		}
	case s.loose.index > 0: // fragments have consecutive numbers
		s.nextLoose(&h, &d)
	case s.recv.reject:
		// By itself and before anything else: data would go on being thrown
		// away while it waits.
		h.Type, h.Reliable = wire.TypeAck, s.recv.next
		s.recv.reject = false
	default:
		if p, again := s.send.poll(now); p != nil {
			h.Type, h.Flags = wire.TypeData, wire.DatagramReliable
			h.Reliable, h.Fragment = p.number, p.fragment
			d.payload, d.again = p.payload, again
		} else if s.loose.envelope != nil && s.pace.ready(now) {
			s.pace.take(now, s.loose.count)
			s.nextLoose(&h, &d)
		} else if s.recv.due(now) {
			h.Type = wire.TypeAck
		} else {
			return d, false
		}
	}
	if h.Fragment.Count > 0 {
		h.Flags |= wire.DatagramFragment
	}
	if s.seal != nil && h.Type != wire.TypeOpen {
		h.Flags |= wire.DatagramMAC
	}
	s.number++
	h.Number = s.number
	h.Ack, h.AckBits = s.recv.acknowledge()
	d.head = wire.AppendHeader(buf, &h)
	if h.Flags&wire.DatagramMAC != 0 {
		d.head = append(d.head, d.payload...)
		s.seal.Seal(d.head[len(buf):])
		d.payload = nil
	}
	return d, true
}

func (s *session) nextLoose(h *wire.Header, d *dispatch) {
	l := &s.loose
	h.Type, d.payload = wire.TypeData, l.envelope
	if l.count > 1 {
		h.Fragment = wire.Fragment{Of: l.of, Index: uint16(l.index), Count: uint16(l.count)}
		d.payload = piece(l.envelope, l.index, s.room())
	}
	if l.index++; l.index == l.count {
		s.loose = loose{}
	}
}

// An arrival is one envelope that a datagram completed, decoded, and its
// bytes. Both alias the datagram or a buffer of the session's.
type arrival struct {
	envelope wire.Envelope
	raw      []byte
	broken   error // set instead of envelope: the reliable channel carried what is none
}

// Why a datagram was not let through.
var (
	errMAC       = errors.New("wrong MAC")
	errReplay    = errors.New("duplicate")
	errAddress   = errors.New("from another address")
	errWindow    = errors.New("outside the window")
	errFragments = errors.New("fragments do not fit")
	errEnvelope  = errors.New("not an envelope")
	errEarly     = errors.New("out of order: go-back-N takes the next one only")
	errOlder     = errors.New("older than the newest")
	errType      = errors.New("unexpected type")
	errTooLong   = errors.New("longer than the buffer")
)

// authentic reports whether datagram b with header h came from the peer and
// has not come before; if so, it will not be again.
func (s *session) authentic(b []byte, h *wire.Header) error {
	if h.Number == 0 || !s.replay.Check(h.Number) {
		return errReplay
	}
	if s.check != nil {
		if !s.check.Verify(b) {
			return errMAC
		}
	} else if h.Flags&wire.DatagramMAC != 0 {
		return errMAC
	}
	s.replay.Mark(h.Number)
	return nil
}

// receive takes an authentic datagram of type Data or Ack in and appends to dst
// what it completed. An error says why nothing, or not everything, came of it;
// the session goes on.
func (s *session) receive(now time.Time, dst []arrival, h *wire.Header, payload []byte) ([]arrival, error) {
	if h.Type != wire.TypeData && h.Type != wire.TypeAck {
		return dst, errType
	}
	// A receiver of go-back-N is silent after its reject, so what it says next in
	// passing may be about something that arrived long before.
	prompt := s.mode != GoBackN || h.Type == wire.TypeAck && h.Reliable == 0
	if _, err := s.send.ack(now, h.Ack, h.AckBits, prompt); err != nil {
		return dst, err
	}
	if h.Type == wire.TypeAck {
		s.send.reject(now, h.Reliable)
		return dst, nil
	}
	if h.Flags&wire.DatagramReliable == 0 {
		return s.receiveLoose(now, dst, h, payload)
	}
	var v verdict
	s.parcels, v = s.recv.take(now, s.parcels[:0], parcel{h.Reliable, h.Fragment, payload})
	for i := range s.parcels {
		p := &s.parcels[i]
		a := arrival{raw: p.payload}
		if p.fragment.Count > 0 {
			var v verdict
			if a.raw, v = s.ordered.add(now, p.fragment, p.payload); v == accepted && a.raw == nil {
				continue
			} else if v != accepted {
				a.broken = errFragments
			}
		}
		if a.broken == nil {
			a.envelope, a.broken = wire.Decode(a.raw)
		}
		dst = append(dst, a)
		*p = parcel{}
	}
	switch v {
	case duplicate:
		return dst, errReplay
	case refused:
		return dst, errWindow
	case early:
		return dst, errEarly
	}
	return dst, nil
}

func (s *session) receiveLoose(now time.Time, dst []arrival, h *wire.Header, payload []byte) ([]arrival, error) {
	first := h.Number
	if h.Flags&wire.DatagramFragment != 0 {
		var v verdict
		if first -= uint64(h.Fragment.Index); first > h.Number {
			return dst, errFragments
		}
		if payload, v = s.loosely.add(now, h.Fragment, payload); v != accepted {
			return dst, errFragments
		}
		if payload == nil {
			return dst, nil
		}
	}
	e, err := wire.Decode(payload)
	if err != nil || e.Kind != wire.KindEvent {
		return dst, errEnvelope
	}
	if s.mode == Sequenced && !s.newest.pass(&e, first) {
		return dst, errOlder
	}
	return append(dst, arrival{envelope: e, raw: payload}), nil
}

// expire does what is due at now.
func (s *session) expire(now time.Time) {
	s.send.expire(now)
	s.loosely.expire(now)
}

// deadline returns when next or expire has something to do that time alone
// brings; zero: never.
func (s *session) deadline() time.Time {
	d := earliest(s.send.deadline(), s.recv.ackAt)
	d = earliest(d, s.loosely.deadline())
	if s.loose.envelope != nil {
		d = earliest(d, s.pace.refilled())
	}
	return d
}

// earliest returns the earlier of two instants, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// clear lets go of everything that the channels hold.
func (s *session) clear() {
	s.send, s.recv = newSender(s.mode, ARQ{}), newReceiver(s.mode, ARQ{})
	s.loose, s.ordered, s.loosely, s.newest, s.parcels = loose{}, assembler{}, assembler{}, nil, nil
}

// idle reports whether nothing waits to be sent or acknowledged.
func (s *session) idle() bool {
	return s.send.idle() && s.loose.envelope == nil && len(s.once) == 0
}
