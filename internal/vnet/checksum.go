package vnet

import "encoding/binary"

// broken returns why a stack drops a packet of which a bit was flipped, as far
// as its headers and checksums tell; empty if they are in order. (IPv6 has no
// checksum of its header: a flipped hop limit goes unnoticed, RFC 8200.)
func broken(b []byte) string {
	const malformed, wrong, unknown = "malformed header", "bad checksum", "unknown protocol"
	h, ok := parse(b)
	if !ok {
		return malformed
	}
	var rest []byte
	pseudo := uint32(h.protocol)
	if b[0]>>4 == 4 {
		at, size := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if onesSum(0, b[:at]) != 0xffff {
			return wrong
		}
		if size < at || size > len(b) {
			return malformed
		}
		rest = b[at:size]
		pseudo = uint32(onesSum(pseudo, b[12:20]))
	} else {
		if size := 40 + int(binary.BigEndian.Uint16(b[4:])); size > len(b) {
			return malformed
		} else {
			rest = b[40:size]
		}
		pseudo = uint32(onesSum(pseudo, b[8:40]))
	}
	if h.fragmented {
		return "" // the checksum is that of the whole
	}
	pseudo += uint32(len(rest))
	switch h.protocol {
	case protocolTCP:
		if len(rest) < 20 {
			return malformed
		}
	case protocolUDP:
		if len(rest) < 8 || int(binary.BigEndian.Uint16(rest[4:])) > len(rest) {
			return malformed
		}
	case protocolICMP:
		pseudo = 0
	case protocolICMPv6:
	default:
		return unknown
	}
	if onesSum(pseudo, rest) != 0xffff {
		return wrong
	}
	return ""
}

// onesSum is the ones' complement sum of 16-bit words (RFC 1071).
func onesSum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
