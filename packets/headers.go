package packets

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// IP protocol numbers.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
)

// Bits of Headers.Control, those of TCP's header (RFC 9293, section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Headers is what the analysis needs of a packet, from the link's header to
// TCP's or UDP's. Offsets count from the start of Packet.Data; an absent part
// has offset −1. A packet that is cut (by a snap length) is decoded as far as
// its bytes go, and the lengths come from its headers.
type Headers struct {
	Problem string // what could not be decoded, in words; empty if nothing

	EtherType uint16     // 0 where the link has none
	Ether     bool       // the addresses follow
	EtherDst  [6]byte    //
	EtherSrc  [6]byte    //
	VLANs     int        // tags
	VLAN      [2]uint16  // the ids of the first two
	Version   uint8      // 4 or 6; 0 is no IP
	Src, Dst  netip.Addr // invalid if there is no IP
	TTL       uint8      // or hop limit
	Traffic   uint8      // DSCP and ECN
	ID        uint32     // of the datagram, for its fragments
	DF, MF    bool
	Fragment  int   // offset of the fragment in bytes
	Protocol  uint8 // of the payload, after extension headers
	IPLength  int   // bytes of the IP packet by its header
	Network   int   // offset of the IP header
	Transport int   // offset of TCP's or UDP's header; −1 if it is not there
	Body      int   // offset of what follows TCP's or UDP's header, else IP's

	SrcPort, DstPort uint16
	TCP              bool // the TCP fields count
	UDP              bool
	Seq, Ack         uint32
	Control          uint8
	Window           uint16 // as in the header, not scaled
	Options          Options

	// PayloadLen is what the IP (for UDP, the datagram's) length leaves for the
	// payload; Payload is as much of it as was kept.
	PayloadLen int
	Payload    []byte
}

// Options are the TCP options that were found.
type Options struct {
	MSS      uint16 // 0 is none
	Scale    int8   // shift of the window (RFC 7323, section 2), at most 14; −1 is none
	SACKOK   bool
	Stamps   bool // TSVal and TSEcr count
	TSVal    uint32
	TSEcr    uint32
	SACKs    int          // blocks in SACK
	SACK     [4][2]uint32 // first and after-last sequence number (RFC 2018)
	Problem  string
	Received bool // all bytes of the options were kept
}

// IsFragment reports whether the packet is part of a larger datagram.
func (h *Headers) IsFragment() bool { return h.MF || h.Fragment > 0 }

// Decode reads the headers of p into h, which it overwrites. It never fails:
// what cannot be read is told in Problem, and what comes before it is there. It
// allocates only for a Problem. Payload aliases p.Data.
//
// It is our own and not gopacket's because that one gives up at what a snap
// length cuts or an offload leaves out, and an analysis must not.
func (h *Headers) Decode(p *Packet) {
	*h = Headers{Network: -1, Transport: -1, Body: -1, Options: Options{Scale: -1}}
	b := p.Data
	var at int
	switch p.Link {
	case LinkEthernet:
		at = h.ether(b)
	case LinkRaw, LinkIPv4, LinkIPv6:
	case LinkNull, LinkLoop:
		if len(b) < 4 {
			h.Problem = "cut inside the loopback header"
			return
		}
		at = 4
	case LinkSLL:
		if len(b) < 16 {
			h.Problem = "cut inside the cooked header"
			return
		}
		h.EtherType, at = binary.BigEndian.Uint16(b[14:]), 16
		at = h.tags(b, at)
	case LinkSLL2:
		if len(b) < 20 {
			h.Problem = "cut inside the cooked header"
			return
		}
		h.EtherType, at = binary.BigEndian.Uint16(b), 20
		at = h.tags(b, at)
	default:
		h.Problem = p.Link.String() + ": not decoded"
		return
	}
	if h.Problem != "" {
		return
	}
	h.Body = at
	h.Payload, h.PayloadLen = b[min(at, len(b)):], p.Length-at
	switch h.EtherType {
	case 0: // the link does not say: the version does
		if len(b) <= at {
			h.Problem = "no bytes of an IP header"
			return
		}
		switch b[at] >> 4 {
		case 4:
			h.ipv4(b, at, p.Length)
		case 6:
			h.ipv6(b, at, p.Length)
		default:
			h.Problem = fmt.Sprintf("IP version %d, want 4 or 6", b[at]>>4)
		}
	case 0x0800:
		h.ipv4(b, at, p.Length)
	case 0x86dd:
		h.ipv6(b, at, p.Length)
	}
}

// ether reads an Ethernet header and returns where its payload begins.
func (h *Headers) ether(b []byte) int {
	if len(b) < 14 {
		h.Problem = "cut inside the Ethernet header"
		return 0
	}
	h.Ether = true
	copy(h.EtherDst[:], b)
	copy(h.EtherSrc[:], b[6:])
	h.EtherType = binary.BigEndian.Uint16(b[12:])
	if h.EtherType < 0x0600 { // a length: IEEE 802.3
		h.Problem = "an IEEE 802.3 frame: not decoded"
		return 14
	}
	return h.tags(b, 14)
}

// tags reads VLAN tags (IEEE 802.1Q, 802.1ad) from at on.
func (h *Headers) tags(b []byte, at int) int {
	for h.EtherType == 0x8100 || h.EtherType == 0x88a8 || h.EtherType == 0x9100 {
		if len(b) < at+4 {
			h.Problem = "cut inside a VLAN tag"
			return at
		}
		if h.VLANs < len(h.VLAN) {
			h.VLAN[h.VLANs] = binary.BigEndian.Uint16(b[at:]) & 0x0fff
		}
		h.VLANs++
		h.EtherType = binary.BigEndian.Uint16(b[at+2:])
		at += 4
	}
	return at
}

func (h *Headers) ipv4(b []byte, at, length int) {
	h.Network = at
	ip := b[at:]
	if len(ip) < 20 {
		h.Problem = "cut inside the IPv4 header"
		return
	}
	n := int(ip[0]&0x0f) * 4
	if ip[0]>>4 != 4 || n < 20 {
		h.Problem = fmt.Sprintf("IPv4 header: version %d of %d bytes, want 4 and at least 20", ip[0]>>4, n)
		return
	}
	h.Version = 4
	h.Src = netip.AddrFrom4([4]byte(ip[12:16]))
	h.Dst = netip.AddrFrom4([4]byte(ip[16:20]))
	h.Traffic, h.TTL, h.Protocol = ip[1], ip[8], ip[9]
	h.ID = uint32(binary.BigEndian.Uint16(ip[4:]))
	flags := binary.BigEndian.Uint16(ip[6:])
	h.DF, h.MF, h.Fragment = flags&0x4000 != 0, flags&0x2000 != 0, int(flags&0x1fff)*8
	h.IPLength = int(binary.BigEndian.Uint16(ip[2:]))
	if h.IPLength == 0 { // the network card was to cut it: the length is the capture's
		h.IPLength = length - at
	}
	if h.IPLength < n {
		h.Problem = fmt.Sprintf("IPv4 length %d is less than its header's %d", h.IPLength, n)
		return
	}
	h.transport(b, at+n, min(at+h.IPLength, length))
}

func (h *Headers) ipv6(b []byte, at, length int) {
	h.Network = at
	ip := b[at:]
	if len(ip) < 40 {
		h.Problem = "cut inside the IPv6 header"
		return
	}
	if ip[0]>>4 != 6 {
		h.Problem = fmt.Sprintf("IPv6 header: version %d, want 6", ip[0]>>4)
		return
	}
	h.Version = 6
	h.Src = netip.AddrFrom16([16]byte(ip[8:24]))
	h.Dst = netip.AddrFrom16([16]byte(ip[24:40]))
	h.Traffic, h.TTL = ip[0]<<4|ip[1]>>4, ip[7]
	h.IPLength = 40 + int(binary.BigEndian.Uint16(ip[4:]))
	if h.IPLength == 40 && ip[6] != 59 { // a jumbogram, or the network card was to cut it
		h.IPLength = length - at
	}
	end := min(at+h.IPLength, length)
	next, at := ip[6], at+40
	for range 16 { // extension headers (RFC 8200, section 4)
		h.Protocol = next
		switch next {
		case 0, 43, 60: // hop-by-hop, routing, destination
			if len(b) < at+8 {
				h.Body, h.Problem = min(at, len(b)), "cut inside an IPv6 extension header"
				return
			}
			next, at = b[at], at+8+int(b[at+1])*8
			continue
		case 44: // fragment
			if len(b) < at+8 {
				h.Body, h.Problem = min(at, len(b)), "cut inside an IPv6 fragment header"
				return
			}
			flags := binary.BigEndian.Uint16(b[at+2:])
			h.MF, h.Fragment = flags&1 != 0, int(flags&^7)
			h.ID = binary.BigEndian.Uint32(b[at+4:])
			next, at = b[at], at+8
			if h.Fragment > 0 {
				h.Protocol = next
				break
			}
			continue
		}
		break
	}
	h.transport(b, at, end)
}

// transport reads TCP's or UDP's header at at; the IP packet ends at end.
func (h *Headers) transport(b []byte, at, end int) {
	h.payload(b, at, end)
	if h.Fragment > 0 {
		return // a later fragment has no header of its own
	}
	switch h.Protocol {
	case ProtocolTCP:
		h.tcp(b, at, end)
	case ProtocolUDP:
		h.udp(b, at, end)
	}
}

// payload sets the payload to what lies from at to end.
func (h *Headers) payload(b []byte, at, end int) {
	h.Body = min(at, len(b))
	h.PayloadLen = max(end-at, 0)
	h.Payload = b[h.Body:max(h.Body, min(end, len(b)))]
}

func (h *Headers) tcp(b []byte, at, end int) {
	if len(b) < at+20 || end < at+20 {
		h.Problem = "cut inside the TCP header"
		return
	}
	t := b[at:]
	n := int(t[12]>>4) * 4
	if n < 20 || at+n > end {
		h.Problem = fmt.Sprintf("TCP header of %d bytes, want 20 to %d", n, end-at)
		return
	}
	h.TCP, h.Transport = true, at
	h.SrcPort, h.DstPort = binary.BigEndian.Uint16(t), binary.BigEndian.Uint16(t[2:])
	h.Seq, h.Ack = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:])
	h.Control, h.Window = t[13], binary.BigEndian.Uint16(t[14:])
	h.payload(b, at+n, end)
	h.Options.Received = len(t) >= n
	if n > 20 {
		h.Options.read(t[20:min(n, len(t))])
	}
}

func (h *Headers) udp(b []byte, at, end int) {
	if len(b) < at+8 || end < at+8 {
		h.Problem = "cut inside the UDP header"
		return
	}
	u := b[at:]
	h.UDP, h.Transport = true, at
	h.SrcPort, h.DstPort = binary.BigEndian.Uint16(u), binary.BigEndian.Uint16(u[2:])
	n := int(binary.BigEndian.Uint16(u[4:]))
	if n == 0 && h.Version == 6 { // a jumbogram
		n = end - at
	}
	if n < 8 || at+n > end && !h.MF {
		h.Problem = fmt.Sprintf("UDP length %d, want 8 to %d", n, end-at)
		n = end - at
	}
	h.payload(b, at+8, min(at+n, end))
}

// read reads TCP options (RFC 9293, section 3.2).
func (o *Options) read(b []byte) {
	for len(b) > 0 {
		switch b[0] {
		case 0:
			return
		case 1:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			if o.Received {
				o.Problem = "a TCP option runs over the end of the header"
			}
			return
		}
		v := b[2:b[1]]
		switch {
		case b[0] == 2 && len(v) == 2:
			o.MSS = binary.BigEndian.Uint16(v)
		case b[0] == 3 && len(v) == 1:
			o.Scale = int8(min(v[0], 14)) // more counts as 14 (RFC 7323, section 2.3)
		case b[0] == 4 && len(v) == 0:
			o.SACKOK = true
		case b[0] == 5 && len(v)%8 == 0:
			for o.SACKs = 0; o.SACKs < len(o.SACK) && len(v) > 0; o.SACKs++ {
				o.SACK[o.SACKs] = [2]uint32{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
				v = v[8:]
			}
		case b[0] == 8 && len(v) == 8:
			o.Stamps, o.TSVal, o.TSEcr = true, binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		}
		b = b[b[1]:]
	}
}
