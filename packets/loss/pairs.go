package loss

import (
	"encoding/binary"

	"wirelab/packets"
)

// maxPairs is how many pairs of hosts are told apart by where they were seen. A
// pair beyond is taken for one that was seen at both ends.
const maxPairs = 1 << 17

// pairs has, by pair of hosts, at which ends something between them was seen: bit
// 0 where it left, bit 1 where it arrived.
type pairs map[uint32]uint8

func (q pairs) see(pair uint32, bit uint8) {
	if was, ok := q[pair]; was&bit == 0 && (ok || len(q) < maxPairs) {
		q[pair] = was | bit
	}
}

func (q pairs) both(pair uint32) bool {
	was, ok := q[pair]
	return was == 3 || !ok
}

// pairOf names two hosts, whichever of them sends. Two pairs may have the same
// name by chance, one in four thousand million.
func pairOf(h *packets.Headers) uint32 {
	if !h.Src.IsValid() {
		return 0
	}
	a, b := h.Src.As16(), h.Dst.As16()
	x := (binary.BigEndian.Uint64(a[:])*31 + binary.BigEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	y := (binary.BigEndian.Uint64(b[:])*31 + binary.BigEndian.Uint64(b[8:])) * 0x9e3779b97f4a7c15
	sum := (x ^ x>>29) + (y ^ y>>29)
	return uint32(sum>>32) | 1
}
