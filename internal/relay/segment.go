package relay

import "encoding/binary"

// A segment is what the tap reads of a TCP packet.
type segment struct {
	source, dest uint16
	seq          uint32
	length       uint32 // of its sequence space: payload, SYN and FIN
	syn          bool
}

// IP protocol numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// parseSegment reads an IPv4 or IPv6 packet (RFC 791, section 3.1; RFC 8200,
// section 3; RFC 9293, section 3.1). It reports false for what is no TCP
// segment or is cut short. The stacks here send no extension headers.
func parseSegment(b []byte) (s segment, ok bool) {
	head, end := 0, len(b)
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		if b[9] != protoTCP || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return s, false
		}
		head, end = int(b[0]&15)*4, min(end, int(binary.BigEndian.Uint16(b[2:])))
	case len(b) >= 40 && b[0]>>4 == 6:
		if b[6] != protoTCP {
			return s, false
		}
		head, end = 40, min(end, 40+int(binary.BigEndian.Uint16(b[4:])))
	default:
		return s, false
	}
	if head < 20 || end < head+20 {
		return s, false
	}
	t := b[head:end]
	data := int(t[12]>>4) * 4
	if data < 20 || data > len(t) {
		return s, false
	}
	const fin, syn = 1, 2
	s = segment{
		source: binary.BigEndian.Uint16(t), dest: binary.BigEndian.Uint16(t[2:]),
		seq: binary.BigEndian.Uint32(t[4:]), length: uint32(len(t) - data),
	}
	if t[13]&fin != 0 {
		s.length++
	}
	if t[13]&syn != 0 {
		s.syn = true
		s.length++
	}
	return s, true
}

// A sender is one direction of a TCP connection as its packets show it.
type sender struct {
	known   bool
	first   uint32 // the sequence number of its SYN
	next    uint32 // the first sequence number that was not sent yet
	resent  uint64 // segments that brought nothing new
	lost    uint64 // segments that the link did not carry
	control Control
}

// sent takes in a segment and reports whether it was sent before. A segment
// that holds old and new bytes counts as new.
func (s *sender) sent(g segment) (again bool) {
	if g.syn && (!s.known || s.first != g.seq) {
		*s = sender{known: true, first: g.seq, next: g.seq + g.length}
		return false
	}
	end := g.seq + g.length
	switch {
	case g.length == 0:
	case int32(end-s.next) > 0:
		s.next = end
	default:
		s.resent++
		return true
	}
	return false
}
