package main

import (
	"encoding/binary"

	"wirelab/internal/impair"
	"wirelab/internal/wire"
)

// A segment is what the guest has to know of an IP packet: enough to tell what
// was sent before, and to name a packet again in another run.
type segment struct {
	protocol uint8
	flow     [36]byte // addresses and ports, as they stand in the packet
	seq      uint32   // of TCP
	syn, fin bool
	payload  []byte
}

// IP protocol numbers (IANA).
const (
	protocolTCP = 6
	protocolUDP = 17
)

// parse reads an IP packet (RFC 791, RFC 8200). It returns false for what is
// neither TCP nor UDP, or only a fragment of it.
func parse(b []byte) (s segment, ok bool) {
	var rest []byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		head, size := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if head < 20 || size < head || size > len(b) || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return s, false
		}
		s.protocol, rest = b[9], b[head:size]
		copy(s.flow[:], b[12:20])
	case len(b) >= 40 && b[0]>>4 == 6:
		size := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if size > len(b) {
			return s, false
		}
		s.protocol, rest = b[6], b[40:size]
		copy(s.flow[:], b[8:40])
	default:
		return s, false
	}
	switch {
	case s.protocol == protocolTCP && len(rest) >= 20:
		head := int(rest[12]>>4) * 4
		if head < 20 || head > len(rest) {
			return s, false
		}
		s.seq = binary.BigEndian.Uint32(rest[4:])
		s.fin, s.syn = rest[13]&1 != 0, rest[13]&2 != 0
		s.payload = rest[head:]
	case s.protocol == protocolUDP && len(rest) >= 8:
		s.payload = rest[8:]
	default:
		return s, false
	}
	copy(s.flow[32:], rest[:4])
	return s, true
}

// resent counts segments and datagrams that were sent before, as somebody can
// who sees all that the hosts send.
type resent struct {
	count int
	next  map[[36]byte]uint32 // of TCP: the highest sequence number sent, and one
	seen  map[parcel]struct{} // of the chat over UDP: what must not come twice
}

// A parcel names what a datagram of the chat carries. A retransmission has the
// same one.
type parcel struct {
	kind    wire.DatagramType
	session uint64
	flow    [36]byte
	number  uint64               // in the reliable channel
	nonce   [wire.NonceSize]byte // of a handshake
}

func newResent() resent {
	return resent{next: make(map[[36]byte]uint32), seen: make(map[parcel]struct{})}
}

// take counts a packet that a host sent.
func (r *resent) take(s *segment) {
	if s.protocol == protocolTCP {
		r.takeTCP(s)
		return
	}
	h, payload, err := wire.DecodeHeader(s.payload)
	if err != nil {
		return
	}
	p := parcel{kind: h.Type, session: h.Session, flow: s.flow}
	switch {
	case h.Type == wire.TypeData && h.Flags&wire.DatagramReliable != 0:
		p.number = h.Reliable
	case (h.Type == wire.TypeHello || h.Type == wire.TypeOpen || h.Type == wire.TypeCookie || h.Type == wire.TypeAccept) && len(payload) >= wire.NonceSize:
		p.nonce = [wire.NonceSize]byte(payload)
		p.number = uint64(h.Fragment.Index)
	default:
		return
	}
	if _, ok := r.seen[p]; ok {
		r.count++
		return
	}
	r.seen[p] = struct{}{}
}

func (r *resent) takeTCP(s *segment) {
	end := s.seq + uint32(len(s.payload))
	if s.syn {
		end++
	}
	if s.fin {
		end++
	}
	if end == s.seq {
		return // a pure acknowledgement, or a reset
	}
	next, ok := r.next[s.flow]
	switch {
	case ok && s.syn && s.seq != next-1:
		// The ports are used again: another connection.
	case ok && int32(s.seq-next) < 0:
		r.count++
		if int32(end-next) <= 0 {
			return
		}
	}
	r.next[s.flow] = end
}

// identify names a datagram of the chat by what it is, so that it has the same
// name in a run in which something before it went otherwise: the datagram's
// own number counts everything that was sent before.
func identify(payload []byte) (id uint64, ok bool) {
	h, body, err := wire.DecodeHeader(payload)
	if err != nil {
		return 0, false
	}
	sum := impair.Mix(uint64(h.Type), uint64(h.Flags))
	switch {
	case h.Flags&wire.DatagramReliable != 0:
		return impair.Mix(sum, h.Reliable), true
	case h.Type == wire.TypeAck:
		return impair.Mix(impair.Mix(sum, h.Ack), h.AckBits), true
	}
	// An event that is sent once has no number of its own that outlives a
	// change: its length, and how many of that length there were, have to do.
	return impair.Mix(sum, uint64(len(body))), true
}
