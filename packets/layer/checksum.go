package layer

import (
	"fmt"

	"wirelab/packets"
)

// A sum is one's complement addition under way (RFC 1071): 16-bit words in the
// upper 16 bits and carries above them.
func add16(sum uint32, b []byte) uint32 {
	for len(b) >= 2 {
		sum += uint32(b[0])<<8 | uint32(b[1])
		if sum > 0xffff {
			sum = sum&0xffff + 1
		}
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum&0xffff + sum>>16
}

// checksum returns what the checksum field should hold; parts are the covered
// bytes without it, each but the last of an even number of bytes.
func checksum(sum uint32, parts [2][]byte) uint16 {
	return ^uint16(add16(add16(sum, parts[0]), parts[1]))
}

// without returns b without the two bytes at off.
func without(b []byte, off int) [2][]byte { return [2][]byte{b[:off], b[off+2:]} }

// judge says whether a checksum is right. pseudo is what a sender writes that
// leaves the rest to its network card: the sum of the pseudo-header alone.
func (d *dissection) judge(got, want, pseudo uint16, transport bool) string {
	switch {
	case got == want, got == 0xffff && want == 0, got == 0 && want == 0xffff:
		return "correct"
	case transport && got == pseudo:
		return "not checked: partial (offload)"
	case transport && d.local():
		return "not checked: partial (offload), within the host"
	}
	return fmt.Sprintf("wrong: 0x%04x would be right", want)
}

// local reports whether the packet stays within its host.
func (d *dissection) local() bool {
	return d.p.Link == packets.LinkNull || d.p.Link == packets.LinkLoop ||
		d.h.Src.IsLoopback() || d.h.Dst.IsLoopback() || d.h.Src.IsValid() && d.h.Src == d.h.Dst
}

// pseudo returns the sum of the pseudo-header for n bytes of protocol (RFC 9293,
// section 3.1; RFC 8200, section 8.1).
func (d *dissection) pseudo(protocol uint8, n int) uint32 {
	sum := add16(0, d.h.Src.AsSlice())
	sum = add16(sum, d.h.Dst.AsSlice())
	return add16(sum, []byte{0, protocol, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// verify says whether the checksum at off of a transport segment, the bytes
// from begin on, is right.
func (d *dissection) verify(protocol uint8, begin, length, off int, withPseudo bool) string {
	switch {
	case d.h.IsFragment():
		return "not checked: the packet is a fragment"
	case !d.whole || length < off+2 || begin+length > d.end:
		return "not checked: not all bytes were kept"
	}
	b := d.b[begin : begin+length]
	var sum uint32
	if withPseudo {
		sum = d.pseudo(protocol, length)
	}
	return d.judge(u16(b[off:]), checksum(sum, without(b, off)), uint16(sum), withPseudo)
}
