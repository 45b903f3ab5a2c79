package filter

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Ethertypes and IP protocols that the language names.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeRARP = 0x8035
	typeIPv6 = 0x86dd

	protoTCP      = 6
	protoUDP      = 17
	protoFragment = 44
	protoSCTP     = 132
)

// A link says where the headers are. Offsets are bytes from the packet's start.
type link struct {
	number  uint16
	payload uint32 // where the network's header begins
	kind    uint32 // where the Ethertype is; unused where there is none
	tags    int    // VLAN tags that the expression has passed
}

// linkOf returns the link of a LINKTYPE_ number.
func linkOf(number uint16) (link, error) {
	switch number {
	case 0, 108:
		return link{number: number, payload: 4}, nil
	case 1:
		return link{number: number, payload: 14, kind: 12}, nil
	case 101, 228, 229:
		return link{number: number}, nil
	case 113:
		return link{number: number, payload: 16, kind: 14}, nil
	case 276:
		return link{number: number, payload: 20}, nil
	}
	return link{}, fmt.Errorf("filter: link type %d, want 0, 1, 101, 108, 113, 228, 229 or 276", number)
}

func (l link) ethernet() bool { return l.number == 1 }

// is tests for a protocol by its Ethertype.
func (l link) is(etherType uint32) *node {
	switch l.number {
	case 0, 108:
		// The address family is in the order of the machine that captured, and
		// IPv6 has a number of its own in each system: AF_INET6 of Linux, NetBSD,
		// FreeBSD and Darwin.
		var families []uint32
		switch etherType {
		case typeIPv4:
			families = []uint32{2}
		case typeIPv6:
			families = []uint32{10, 24, 28, 30}
		default:
			return &node{kind: never}
		}
		var out *node
		for _, f := range families {
			n := or(compare(0, 4, f<<24), compare(0, 4, f))
			if out == nil {
				out = n
			} else {
				out = or(out, n)
			}
		}
		return out
	case 101:
		switch etherType {
		case typeIPv4:
			return masked(0, 1, 0xf0, 0x40)
		case typeIPv6:
			return masked(0, 1, 0xf0, 0x60)
		}
		return &node{kind: never}
	case 228, 229:
		if l.number == 228 && etherType == typeIPv4 || l.number == 229 && etherType == typeIPv6 {
			return &node{kind: always}
		}
		return &node{kind: never}
	}
	return compare(l.kind, 2, etherType)
}

// compare tests size bytes at an offset.
func compare(at uint32, size uint8, want uint32) *node {
	return relate(at, size, bpf.JumpEqual, want)
}

// relate tests size bytes at an offset against k.
func relate(at uint32, size uint8, by bpf.JumpTest, k uint32) *node {
	return &node{
		kind: test,
		code: []instruction{{op: loadAbsolute, size: size, k: at}},
		jump: instruction{op: jumpK, test: by, k: k},
	}
}

// masked tests the bits of mask in size bytes at an offset. They are read even
// where no bit counts, as in net 0.0.0.0/0: they must be there.
func masked(at uint32, size uint8, mask, want uint32) *node {
	n := compare(at, size, want)
	if mask != 1<<(8*size)-1 {
		n.code = append(n.code, instruction{op: operateK, alu: bpf.ALUOpAnd, k: mask})
	}
	return n
}
