package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// A DatagramType says what a UDP datagram is for.
type DatagramType uint8

// The types. C is the client, S the server.
const (
	TypeHello  DatagramType = 1 + iota // C→S: 16 bytes of client nonce, then padding up to MinHello
	TypeCookie                         // S→C: the client's nonce, then the cookie; smaller than the hello
	TypeOpen                           // C→S: nonce, cookie, then a Connect envelope
	TypeAccept                         // S→C: the client's nonce, then the Connected (or Error) envelope; the header has the session id
	TypeData                           // both: one envelope, or a fragment of one
	TypeAck                            // both: nothing but the header's ack fields
	TypeReset                          // S→C: this session id means nothing here (any more)
	typeEnd
)

var typeNames = [...]string{"", "hello", "cookie", "open", "accept", "data", "ack", "reset"}

// String returns the type's name in lower case, or "type N".
func (t DatagramType) String() string {
	if !t.Valid() {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return typeNames[t]
}

// Valid reports whether t is a type of this version.
func (t DatagramType) Valid() bool { return t != 0 && t < typeEnd }

// DatagramFlags are the modifiers of a datagram, one bit each.
type DatagramFlags uint8

// The flags. Bits that are not named here must be zero.
const (
	DatagramMAC      DatagramFlags = 1 << iota // MACSize bytes of MAC follow the header
	DatagramFragment                           // FragmentSize bytes of fragment header come before the payload
	DatagramReliable                           // Reliable counts: acknowledged, sent again when lost, kept in order
	datagramFlagsEnd
)

var datagramFlagNames = [...]string{"mac", "fragment", "reliable"}

// String returns the names of the set flags, joined by "+", or "none".
func (f DatagramFlags) String() string { return flagString(uint16(f), datagramFlagNames[:]) }

// Sizes in bytes of a datagram's parts, and its caps.
const (
	DatagramHeader = 44    // the fixed header
	MACSize        = 16    // HMAC-SHA-256 (RFC 2104), cut to 128 bits
	FragmentSize   = 8     // the fragment header
	MaxDatagram    = 1200  // a UDP payload unless told otherwise: fits the path MTU nearly everywhere (RFC 8085, section 3.2; RFC 9000, section 14)
	MaxUDPPayload  = 65507 // what UDP over IPv4 can carry at all: 65,535 − 20 − 8
	MinHello       = 1200  // a smaller hello is dropped, so that no answer is larger than its question
	NonceSize      = 16
	CookieSize     = 40  // 8 of time, 32 of HMAC-SHA-256
	MaxFragments   = 256 // of one envelope
	AckWindow      = 64  // reliable numbers after Ack that AckBits can name
	ReplayWindow   = 256 // packet numbers behind the newest that are still taken, each once
)

// magic starts every datagram: "W", then the version and the type.
const magic = 'W'

// A Header goes before the envelope in each UDP datagram:
//
//	 0    1     2      3      4         12       20         28    36        44
//	+----+-----+------+-------+---------+--------+----------+-----+---------+
//	| W  | ver | type | flags | session | number | reliable | ack | ackbits |
//	+----+-----+------+-------+---------+--------+----------+-----+---------+
//	| MAC (16, with DatagramMAC) | fragment (8, with DatagramFragment) | payload |
//	+----------------------------+-------------------------------------+---------+
//
// The MAC covers the whole datagram with the MAC's own bytes left out.
type Header struct {
	Type     DatagramType
	Flags    DatagramFlags
	Session  uint64 // 0 before Accept
	Number   uint64 // counts every datagram of this direction from 1; never used twice, also not for a retransmission
	Reliable uint64 // with DatagramReliable: place in the reliable channel of this direction, from 1; a retransmission keeps it; in a TypeAck of go-back-n: Ack+1, if what came after it is thrown away
	Ack      uint64 // every reliable number up to here arrived
	AckBits  uint64 // bit i set: reliable number Ack+2+i arrived too (Ack+1 is the first that did not)
	MAC      [MACSize]byte

	Fragment Fragment // with DatagramFragment
}

// A Fragment says which part of which envelope the payload is.
type Fragment struct {
	Of    uint32 // counts the cut envelopes of this direction
	Index uint16 // from 0
	Count uint16 // 2 to MaxFragments
}

// Overhead returns the number of bytes before the payload.
func (h *Header) Overhead() int {
	n := DatagramHeader
	if h.Flags&DatagramMAC != 0 {
		n += MACSize
	}
	if h.Flags&DatagramFragment != 0 {
		n += FragmentSize
	}
	return n
}

// AppendHeader appends h to dst. The MAC, if any, is written as it stands in
// h; [Sealer.Seal] fills it in afterwards.
func AppendHeader(dst []byte, h *Header) []byte {
	dst = append(dst, magic, Version, byte(h.Type), byte(h.Flags))
	dst = binary.BigEndian.AppendUint64(dst, h.Session)
	dst = binary.BigEndian.AppendUint64(dst, h.Number)
	dst = binary.BigEndian.AppendUint64(dst, h.Reliable)
	dst = binary.BigEndian.AppendUint64(dst, h.Ack)
	dst = binary.BigEndian.AppendUint64(dst, h.AckBits)
	if h.Flags&DatagramMAC != 0 {
		dst = append(dst, h.MAC[:]...)
	}
	if h.Flags&DatagramFragment != 0 {
		dst = binary.BigEndian.AppendUint32(dst, h.Fragment.Of)
		dst = binary.BigEndian.AppendUint16(dst, h.Fragment.Index)
		dst = binary.BigEndian.AppendUint16(dst, h.Fragment.Count)
	}
	return dst
}

// DecodeHeader reads the header of datagram b and returns the payload, which
// aliases b. After an error h is the zero Header. It does not check the MAC:
// see [Sealer.Verify].
func DecodeHeader(b []byte) (h Header, payload []byte, err error) {
	if len(b) < DatagramHeader {
		return Header{}, nil, fmt.Errorf("wire: datagram of %d bytes, at least %d: %w", len(b), DatagramHeader, ErrShort)
	}
	if b[0] != magic || b[1] != Version {
		return Header{}, nil, fmt.Errorf("wire: datagram starts %02x %02x, want %02x %02x: %w", b[0], b[1], magic, Version, ErrVersion)
	}
	h.Type, h.Flags = DatagramType(b[2]), DatagramFlags(b[3])
	if !h.Type.Valid() {
		return Header{}, nil, fmt.Errorf("wire: datagram type %d: %w", h.Type, ErrKind)
	}
	if h.Flags >= datagramFlagsEnd {
		return Header{}, nil, fmt.Errorf("wire: datagram flags %#x: %w", uint8(h.Flags), ErrFlags)
	}
	if over := h.Overhead(); len(b) < over {
		return Header{}, nil, fmt.Errorf("wire: datagram of %d bytes, its header needs %d: %w", len(b), over, ErrShort)
	}
	h.Session = binary.BigEndian.Uint64(b[4:])
	h.Number = binary.BigEndian.Uint64(b[12:])
	h.Reliable = binary.BigEndian.Uint64(b[20:])
	h.Ack = binary.BigEndian.Uint64(b[28:])
	h.AckBits = binary.BigEndian.Uint64(b[36:])
	rest := b[DatagramHeader:]
	if h.Flags&DatagramMAC != 0 {
		rest = rest[copy(h.MAC[:], rest):]
	}
	if h.Flags&DatagramFragment != 0 {
		f := &h.Fragment
		f.Of = binary.BigEndian.Uint32(rest)
		f.Index = binary.BigEndian.Uint16(rest[4:])
		f.Count = binary.BigEndian.Uint16(rest[6:])
		if f.Count < 2 || f.Count > MaxFragments || f.Index >= f.Count {
			return Header{}, nil, fmt.Errorf("wire: fragment index %d, count %d: want a count of 2 to %d and an index below it: %w", f.Index, f.Count, MaxFragments, ErrSize)
		}
		rest = rest[FragmentSize:]
	}
	return h, rest, nil
}

// A Sealer makes and checks the MACs of one direction. Use it from one
// goroutine at a time.
type Sealer struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// NewSealer returns a Sealer for key, which both ends derive alike.
func NewSealer(key []byte) *Sealer { return &Sealer{mac: hmac.New(sha256.New, key)} }

// NewSealers returns the Sealers of a session's two directions: client is for
// what the client sends. Each has a key of its own, derived from the session's,
// so that a datagram sent back to where it came from does not pass.
func NewSealers(key []byte) (client, server *Sealer) {
	return NewSealer(Prove(key, proveFromClient, nil, nil)), NewSealer(Prove(key, proveFromServer, nil, nil))
}

// What the keys of NewSealers are derived for.
const (
	proveFromClient = "client to server"
	proveFromServer = "server to client"
)

func (s *Sealer) compute(b []byte) []byte {
	s.mac.Reset()
	s.mac.Write(b[:DatagramHeader])
	s.mac.Write(b[DatagramHeader+MACSize:])
	return s.mac.Sum(s.sum[:0])[:MACSize]
}

// Seal writes the MAC into datagram b, whose header has DatagramMAC set.
func (s *Sealer) Seal(b []byte) {
	copy(b[DatagramHeader:DatagramHeader+MACSize], s.compute(b))
}

// Verify reports, in constant time, whether datagram b carries the right MAC.
// Without DatagramMAC it is false.
func (s *Sealer) Verify(b []byte) bool {
	if len(b) < DatagramHeader+MACSize || DatagramFlags(b[3])&DatagramMAC == 0 {
		return false
	}
	return hmac.Equal(s.compute(b), b[DatagramHeader:DatagramHeader+MACSize])
}
