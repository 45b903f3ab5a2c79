package vnet

import (
	"encoding/binary"
	"net/netip"

	"wirelab/internal/impair"
)

// A head is what a link has to know of a packet.
type head struct {
	from, to   netip.AddrPort
	size       int // bytes, from the IP header on
	protocol   uint8
	class      impair.Class
	flow, id   uint64
	seq, ack   uint32
	flags      uint8
	payload    int // bytes of it
	payloadAt  int // where it begins
	fragmented bool
}

// IP protocol numbers (IANA), and TCP's flags (RFC 9293, section 3.1).
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
	ipv6Fragment   = 44

	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

// parse reads the headers of an IP packet (RFC 791, RFC 8200).
func parse(b []byte) (head, bool) { return parseHead(b, len(b)) }

// parseHead is parse for the beginning of a packet of size bytes.
func parseHead(b []byte, size int) (h head, ok bool) {
	h.size = size
	at := 0
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		at = int(b[0]&15) * 4
		h.protocol = b[9]
		h.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
		h.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
		h.fragmented = binary.BigEndian.Uint16(b[6:])&0x3fff != 0
		h.id = uint64(binary.BigEndian.Uint16(b[6:]) & 0x1fff)
	case len(b) >= 40 && b[0]>>4 == 6:
		at = 40
		h.protocol = b[6]
		h.from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
		h.to = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
		if h.protocol == ipv6Fragment && len(b) >= 48 {
			h.protocol, h.fragmented = b[40], true
			h.id = uint64(binary.BigEndian.Uint16(b[42:]) >> 3)
			at = 48
		}
	default:
		return h, false
	}
	if at < 20 || at > len(b) {
		return h, false
	}
	first := !h.fragmented || h.id == 0
	rest := b[at:]
	ports := func() {
		h.from = netip.AddrPortFrom(h.from.Addr(), binary.BigEndian.Uint16(rest))
		h.to = netip.AddrPortFrom(h.to.Addr(), binary.BigEndian.Uint16(rest[2:]))
	}
	switch h.protocol {
	case protocolTCP:
		h.class = impair.TCP
		if first && len(rest) >= 20 {
			ports()
			h.seq, h.ack = binary.BigEndian.Uint32(rest[4:]), binary.BigEndian.Uint32(rest[8:])
			h.flags = rest[13]
			h.payloadAt = at + int(rest[12]>>4)*4
			h.payload = max(0, size-h.payloadAt)
			h.classify()
		}
	case protocolUDP:
		h.class = impair.UDP | impair.Data
		if first && len(rest) >= 8 {
			ports()
			h.payloadAt = at + 8
			h.payload = max(0, size-h.payloadAt)
		}
	case protocolICMP, protocolICMPv6:
		h.class = impair.ICMP
	}
	return h, true
}

// classify says what a TCP segment is.
func (h *head) classify() {
	for _, f := range []struct {
		flag  uint8
		class impair.Class
	}{{flagSYN, impair.SYN}, {flagFIN, impair.FIN}, {flagRST, impair.RST}} {
		if h.flags&f.flag != 0 {
			h.class |= f.class
		}
	}
	if h.payload > 0 {
		h.class |= impair.Data
	} else if h.flags&(flagSYN|flagFIN|flagRST) == 0 && h.flags&flagACK != 0 {
		h.class |= impair.Ack
	}
}

// end hashes one end of a conversation.
func end(a netip.AddrPort) uint64 {
	b := a.Addr().As16()
	return impair.Mix(impair.Mix(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])), uint64(a.Port()))
}

// A conversation is what a host remembers of a flow to name its packets in any
// run: TCP's initial sequence numbers are random.
type conversation struct {
	first, other uint32 // the first sequence numbers of this host and, plus one, of its peer
	known        bool   // first is
	heard        bool   // other is
	next         uint32 // after the highest sequence number that was sent
	resent       int    // segments that were sent again
}

// take takes in a segment that is sent, and reports whether it was sent before.
func (c *conversation) take(d *head) (again bool) {
	length := uint32(d.payload)
	if d.flags&flagSYN != 0 {
		length++
	}
	if d.flags&flagFIN != 0 {
		length++
	}
	if !c.known || d.flags&flagSYN != 0 && d.seq != c.first {
		*c = conversation{first: d.seq, known: true, next: d.seq}
	}
	if !c.heard && d.flags&flagACK != 0 {
		c.other, c.heard = d.ack, true
	}
	last := d.seq + length
	switch {
	case length == 0:
	case int32(last-c.next) > 0:
		c.next = last
	default:
		c.resent++
		return true
	}
	return false
}

// flowOf names one direction of a conversation.
func flowOf(from, to netip.AddrPort, protocol uint8) uint64 {
	return impair.Mix(impair.Mix(end(from), end(to)), uint64(protocol))
}

// identify names the packet: TCP's by what they say, relative to the
// connection's beginning; UDP's by what Config.Identify finds, or their length.
// It reports whether it is a TCP segment that was sent before.
func (h *Host) identify(k *packet) (again bool) {
	d := &k.head
	d.flow = flowOf(d.from, d.to, d.protocol)
	switch {
	case d.fragmented:
		d.id = impair.Mix(impair.Mix(uint64(d.size), d.id), 0x66726167)
	case d.protocol == protocolTCP:
		c := h.flows[d.flow]
		again = c.take(d)
		if len(h.flows) >= maxFlows {
			clear(h.flows)
		}
		h.flows[d.flow] = c
		ack := uint32(0)
		if d.flags&flagACK != 0 {
			ack = d.ack - c.other
		}
		d.id = impair.Mix(impair.Mix(uint64(d.seq-c.first)<<32|uint64(ack), uint64(d.payload)), uint64(d.flags))
	case d.protocol == protocolUDP:
		if fn := h.net.cfg.Identify; fn != nil {
			b := k.bytes()
			if id, ok := fn(b[d.payloadAt:]); ok {
				d.id = impair.Mix(id, 1)
				return false
			}
		}
		d.id = impair.Mix(uint64(d.payload), 2)
	default:
		d.id = impair.Mix(uint64(d.size), 3)
	}
	return again
}

// maxFlows bounds what a host remembers to name packets.
const maxFlows = 65_536
