package loss

import (
	"encoding/binary"
	"hash/maphash"

	"wirelab/packets"
)

// An identity is what a packet is known again by: a hash of each of its parts.
// Of a packet in which one bit was changed two of three stay.
type identity struct{ network, transport, payload uint64 }

func (i identity) whole() uint64 {
	const odd = 0x9e3779b97f4a7c15
	return (i.network*odd^i.transport)*odd ^ i.payload
}

// near reports whether one part at most is different.
func (i identity) near(o identity) bool {
	same := 0
	for _, is := range [...]bool{i.network == o.network, i.transport == o.transport, i.payload == o.payload} {
		if is {
			same++
		}
	}
	return same >= 2
}

// identify returns the identity of a packet. At most limit bytes of the payload
// count, all if it is 0.
func identify(seed maphash.Seed, p *packets.Packet, h *packets.Headers, limit int) identity {
	if h.Version == 0 || h.Network < 0 {
		return identity{network: maphash.Bytes(seed, p.Data), transport: 1, payload: 1}
	}
	// The parts begin where they would if no bit were changed, and not where a
	// changed header says.
	ip := p.Data[h.Network:]
	ip = ip[:min(len(ip), max(h.IPLength, 0))]
	var b [60]byte
	n := copy(b[:], ipAddresses(ip, h.Version))
	binary.BigEndian.PutUint32(b[n:], h.ID)
	binary.BigEndian.PutUint16(b[n+4:], uint16(h.Fragment))
	b[n+6] = h.Protocol
	id := identity{network: maphash.Bytes(seed, b[:n+7])}
	body := ip[min(networkBody(ip, h), len(ip)):]
	fixed, sum := 0, 0 // of the transport header
	switch h.Protocol {
	case packets.ProtocolTCP:
		fixed, sum = 20, 16
	case packets.ProtocolUDP:
		fixed, sum = 8, 6
	}
	n = copy(b[:min(fixed, len(b))], body)
	if n > sum+1 {
		b[sum], b[sum+1] = 0, 0
	}
	id.transport = maphash.Bytes(seed, b[:n])
	rest := body[n:]
	if h.TCP && h.Control&packets.SYN != 0 { // a router may change the MSS
		rest = h.Payload
	}
	if limit > 0 && len(rest) > limit {
		rest = rest[:limit]
	}
	id.payload = maphash.Bytes(seed, rest) ^ uint64(h.IPLength)
	return id
}

// networkBody returns where the IP header of ip ends.
func networkBody(ip []byte, h *packets.Headers) int {
	switch {
	case h.Version == 4 && len(ip) > 0:
		return int(ip[0]&15) * 4
	case h.Transport >= 0:
		return h.Transport - h.Network
	}
	return 40
}

// ipAddresses returns the bytes of both addresses.
func ipAddresses(ip []byte, version uint8) []byte {
	from, to := 12, 20
	if version == 6 {
		from, to = 8, 40
	}
	return ip[min(from, len(ip)):min(to, len(ip))]
}

// flipped returns a hash of b with a bit changed, counted from the first.
func flipped(seed maphash.Seed, b []byte, bit int) uint64 {
	if bit < 0 || bit >= 8*len(b) {
		return 0
	}
	b[bit/8] ^= 0x80 >> (bit % 8)
	sum := maphash.Bytes(seed, b)
	b[bit/8] ^= 0x80 >> (bit % 8)
	return sum
}

// checks reports whether the checksums of p are right, as far as they are there
// and whole.
func checks(p *packets.Packet, h *packets.Headers) bool {
	if h.Network < 0 {
		return true
	}
	ip := p.Data[h.Network:]
	if h.Version == 4 {
		n := int(ip[0]&15) * 4
		if len(ip) < n || ones(0, ip[:n]) != 0xffff {
			return false
		}
	}
	if h.Problem != "" {
		return false
	}
	if h.Transport < 0 || h.IsFragment() || len(h.Payload) < h.PayloadLen || !h.TCP && !h.UDP {
		return true
	}
	segment := p.Data[h.Transport : h.Body+h.PayloadLen]
	if h.UDP && segment[6] == 0 && segment[7] == 0 {
		return true // there is none
	}
	sum := ones(uint32(h.Protocol)+uint32(len(segment)), ipAddresses(ip, h.Version))
	return ones(uint32(sum), segment) == 0xffff
}

// ones is the ones' complement sum of RFC 1071.
func ones(sum uint32, b []byte) uint16 {
	for len(b) > 1 {
		sum += uint32(b[0])<<8 | uint32(b[1])
		if sum > 0xffff {
			sum = sum&0xffff + sum>>16
		}
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
