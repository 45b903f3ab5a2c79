package flow

import (
	"encoding/binary"
	"math/bits"

	"wirelab/packets"
)

// A key names a flow, the lower endpoint first.
type key struct {
	low, high [2]uint64 // addresses; IPv4 has the upper word 0
	rest      uint64    // ports of low and high, interface (16 bits), protocol, version
}

// of sets k from h, and reports whether the sender is the lower endpoint.
func (k *key) of(h *packets.Headers, iface int) (fromLow bool) {
	var src, dst [2]uint64
	if h.Version == 4 {
		a, b := h.Src.As4(), h.Dst.As4()
		src[1] = uint64(binary.BigEndian.Uint32(a[:]))
		dst[1] = uint64(binary.BigEndian.Uint32(b[:]))
	} else {
		a, b := h.Src.As16(), h.Dst.As16()
		src = [2]uint64{binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])}
		dst = [2]uint64{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
	}
	var sport, dport uint64
	if h.TCP || h.UDP {
		sport, dport = uint64(h.SrcPort), uint64(h.DstPort)
	}
	fromLow = true
	switch {
	case src[0] != dst[0]:
		fromLow = src[0] < dst[0]
	case src[1] != dst[1]:
		fromLow = src[1] < dst[1]
	case sport != dport:
		fromLow = sport < dport
	}
	if !fromLow {
		src, dst, sport, dport = dst, src, dport, sport
	}
	k.low, k.high = src, dst
	k.rest = sport<<48 | dport<<32 | uint64(uint16(iface))<<16 | uint64(h.Protocol)<<8 | uint64(h.Version)
	return fromLow
}

// hash mixes k with a seed, so that who makes the packets cannot make them meet
// in one place.
func (k *key) hash(seed *[2]uint64) uint32 {
	h := mix(k.low[1]<<32^k.high[1]^seed[0], k.rest^seed[1])
	if k.low[0]|k.high[0] != 0 {
		h = mix(h^k.low[0], k.low[1]^seed[0])
		h = mix(h^k.high[0], k.high[1]^seed[1])
	}
	return uint32(h ^ h>>32)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// A table finds flows by key. It is open-addressed with linear probing, at most
// half full.
type table struct {
	slots []slot
	n     int
}

// A slot refers to Tracker.flows by place plus 1; 0 is empty.
type slot struct{ hash, flow uint32 }

// find returns the place of a flow plus 1, or 0.
func (t *table) find(flows []*Flow, k *key, hash uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.flow == 0 {
			return 0
		}
		if s.hash == hash && flows[s.flow-1].key == *k {
			return s.flow
		}
	}
}

// put adds a flow that is not there.
func (t *table) put(hash, flow uint32) {
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		t.slots, t.n = make([]slot, max(64, 2*len(old))), 0
		for _, s := range old {
			if s.flow != 0 {
				t.put(s.hash, s.flow)
			}
		}
	}
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].flow != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot{hash, flow}
	t.n++
}

// remove takes a flow out and moves up those that stand behind it.
func (t *table) remove(hash, flow uint32) {
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].flow != flow {
		i = (i + 1) & mask
	}
	t.n--
	for j := i; ; {
		j = (j + 1) & mask
		s := t.slots[j]
		if s.flow == 0 {
			break
		}
		if home := s.hash & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i], i = s, j
		}
	}
	t.slots[i] = slot{}
}
