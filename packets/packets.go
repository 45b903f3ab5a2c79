// Package packets reads captures: pcap and pcapng files, also compressed by
// gzip, and live pipes, one packet at a time and never whole. The packages below
// it decode, analyse and draw what it reads:
//
//	tcp, flow, loss      what happened: flags, round trips, losses
//	layer, show          what is in one packet
//	framing              where messages begin and end
//	ladder, plot         pictures of a conversation
//	filter, live         what to capture, and capturing
//	dissector            the chat protocol for Wireshark
//
// Formats: pcapng is draft-ietf-opsawg-pcapng, pcap draft-ietf-opsawg-pcap.
package packets

import (
	"fmt"
	"time"
)

// A Packet is what was seen at one interface at one instant.
type Packet struct {
	Number    int       // place in the capture, from 1
	Offset    int64     // where its block begins in the (decompressed) file, in bytes
	Time      time.Time // in UTC, to the nanosecond where the file has it
	Interface int       // place in Reader.Interfaces
	Link      LinkType  // what Data begins with
	Direction Direction // which way it passed the interface, if the file says so
	ID        uint64    // the same of one packet at several interfaces, if the file says so; 0: it does not
	Drops     uint64    // packets lost since this interface's packet before, if the file says so
	Comment   string    // of the file about this packet; hostile text like all else
	Data      []byte    // the bytes that were kept; good until the next Read
	Length    int       // bytes that the packet had
}

// Clone returns p with data of its own.
func (p *Packet) Clone() Packet {
	c := *p
	c.Data = append([]byte(nil), p.Data...)
	return c
}

// A Direction says which way a packet passed its interface.
type Direction uint8

// The directions, as pcapng numbers them (epb_flags, section 4.3.1).
const (
	NoDirection Direction = iota
	In
	Out
)

// String returns "", "in" or "out".
func (d Direction) String() string {
	return [...]string{"", "in", "out"}[d%3]
}

// An Interface is where packets were seen.
type Interface struct {
	Name        string // if_name; empty in a pcap file
	Description string
	Link        LinkType
	Snap        uint32 // bytes kept of a packet at most; 0 is no limit
	Drops       uint64 // packets that the interface's statistics call lost
	HasStats    bool   // there were statistics
	resolution  resolution
}

// A LinkType says what a packet's bytes begin with (the LINKTYPE_ numbers).
type LinkType uint16

// The link types that can be decoded.
const (
	LinkNull     LinkType = 0   // BSD loopback: 4 bytes of address family
	LinkEthernet LinkType = 1   // Ethernet II
	LinkRaw      LinkType = 101 // an IPv4 or IPv6 header
	LinkLoop     LinkType = 108 // OpenBSD loopback
	LinkSLL      LinkType = 113 // Linux "any", 16 bytes
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276 // Linux "any", 20 bytes
)

// String returns the name in words, or "link type N".
func (l LinkType) String() string {
	switch l {
	case LinkNull, LinkLoop:
		return "loopback"
	case LinkEthernet:
		return "Ethernet"
	case LinkRaw:
		return "raw IP"
	case LinkSLL:
		return "Linux cooked"
	case LinkSLL2:
		return "Linux cooked v2"
	case LinkIPv4:
		return "raw IPv4"
	case LinkIPv6:
		return "raw IPv6"
	}
	if name := foreign[l]; name != "" {
		return fmt.Sprintf("link type %d (%s)", l, name)
	}
	return fmt.Sprintf("link type %d", l)
}

// Known reports whether packets of l can be decoded.
func (l LinkType) Known() bool {
	switch l {
	case LinkNull, LinkEthernet, LinkRaw, LinkLoop, LinkSLL, LinkIPv4, LinkIPv6, LinkSLL2:
		return true
	}
	return false
}

// foreign names link types that people meet and that are not decoded.
var foreign = map[LinkType]string{
	9: "PPP", 51: "PPPoE", 105: "802.11", 127: "802.11 with radiotap", 187: "Bluetooth HCI",
	189: "USB", 195: "802.15.4", 201: "Bluetooth HCI", 220: "USB", 227: "CAN", 249: "USB", 251: "Bluetooth LE",
}

// Truncated is the error of a capture that ends inside a block. Everything
// before it was read.
type Truncated struct {
	At    int64  // where the file ends, in bytes from its (decompressed) start
	Block int64  // where the block that is cut begins
	What  string // what is cut, for example "packet 17"
}

func (e *Truncated) Error() string {
	return fmt.Sprintf("the capture ends at byte %d, inside %s, which began at byte %d", e.At, e.What, e.Block)
}

// Damaged is the error of a capture that cannot be read on from a byte.
type Damaged struct {
	At  int64
	Why string
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("the capture is damaged at byte %d: %s", e.At, e.Why)
}

// NotCapture is the error for a file that is none.
type NotCapture struct {
	Looks string // what it looks like instead, for example "a PNG picture"
	Hint  string // what to do, or empty
}

func (e *NotCapture) Error() string {
	return "not a capture: it looks like " + e.Looks
}
