// Package pcapng writes capture files (draft-ietf-opsawg-pcapng). The bytes
// depend on what is written and on nothing else: no host, no user, no clock. It
// also runs inside wasm. A file is one section:
//
//	+----------------+------------------------+-----------------------+
//	| section header | interface descriptions | enhanced packets, ... |
//	+----------------+------------------------+-----------------------+
//
// An interface may also be described between packets; it must be before its
// first one. Every block has the shape of section 3.1, here little-endian:
//
//	 0      4        8                   n-4     n
//	+------+--------+-------------------+--------+
//	| type | length | body, options     | length |   n is a multiple of 4
//	+------+--------+-------------------+--------+
package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// LinkTypeRaw says that a packet begins with its IPv4 or IPv6 header
// (LINKTYPE_RAW).
const LinkTypeRaw = 101

// MaxPacket is the most bytes of a packet that a block holds: what tcpdump and
// Wireshark read, and more than an IP packet can have.
const MaxPacket = 262144

// MaxText is the most bytes of a name, a description or a comment: an option's
// length has 16 bits (section 3.5), less the padding.
const MaxText = math.MaxUint16 - 3

// Block types (section 4) and options (sections 3.5, 4.1, 4.2, 4.3).
const (
	sectionHeader        = 0x0A0D0D0A
	interfaceDescription = 0x00000001
	enhancedPacket       = 0x00000006

	byteOrderMagic = 0x1A2B3C4D

	optComment     = 1
	shbUserAppl    = 4
	ifName         = 2
	ifDescription  = 3
	ifTsresol      = 9
	epbFlags       = 2
	epbDropCount   = 4
	epbPacketID    = 5
	tsresolNano    = 9
	unknownSection = math.MaxUint64 // section length -1: not given
)

// ErrInterface means a packet of an interface that was not described.
var ErrInterface = errors.New("interface was not described")

// A Direction says which way a packet passed its interface: bits 0 and 1 of
// epb_flags (section 4.3.1).
type Direction uint8

const (
	NoDirection Direction = iota // not known, or none
	In                           // received by the interface
	Out                          // sent by it
)

// String returns "", "in" or "out".
func (d Direction) String() string {
	switch d {
	case In:
		return "in"
	case Out:
		return "out"
	}
	return ""
}

// An Interface is where packets were seen.
type Interface struct {
	Name        string // if_name, for example "link"
	Description string // if_description, for people; left out if empty
	LinkType    uint16 // what a packet begins with; if zero, LinkTypeRaw
}

// A Packet is what was seen at one interface at one instant.
type Packet struct {
	Interface int       // number, as Describe returned it
	Time      time.Time // at or after 1970; nanoseconds are kept
	Direction Direction // epb_flags; left out if NoDirection
	ID        uint64    // epb_packetid: the same of one packet at several interfaces; left out if 0
	Drops     uint64    // epb_dropcount: packets lost since this interface's packet before; left out if 0
	Comment   string    // opt_comment, UTF-8; left out if empty
	Data      []byte    // the bytes that were kept
	Length    int       // bytes the packet had; if zero, len(Data)
}

// A Writer writes one file. Each block reaches the writer below in exactly one
// call, so a buffer there can keep blocks whole. After an error every call
// returns it. A Writer is not safe for concurrent use.
type Writer struct {
	w          io.Writer
	buf        []byte
	interfaces int
	err        error
}

// NewWriter writes the section's header to w.
func NewWriter(w io.Writer) (*Writer, error) {
	pw := &Writer{w: w}
	pw.begin(sectionHeader)
	pw.u32(byteOrderMagic)
	pw.u16(1) // major version
	pw.u16(0) // minor version
	pw.u64(unknownSection)
	pw.option(shbUserAppl, "wirelab")
	pw.u32(0) // opt_endofopt
	return pw, pw.end()
}

// Describe declares an interface and returns its number; the first has 0.
func (w *Writer) Describe(i Interface) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if err := i.Check(); err != nil {
		return 0, err
	}
	if i.LinkType == 0 {
		i.LinkType = LinkTypeRaw
	}
	w.begin(interfaceDescription)
	w.u16(i.LinkType)
	w.u16(0) // reserved
	w.u32(MaxPacket)
	w.option(ifName, i.Name)
	w.option(ifDescription, i.Description)
	w.u16(ifTsresol)
	w.u16(1)
	w.u32(tsresolNano) // one byte of value, three of padding
	w.u32(0)
	if err := w.end(); err != nil {
		return 0, err
	}
	w.interfaces++
	return w.interfaces - 1, nil
}

// Write adds a packet. It does not keep p or its data, and allocates nothing
// once its buffer has grown. What cannot be written (an unknown interface, a
// comment that is not UTF-8, an instant before 1970) is refused and leaves the
// file as it was.
func (w *Writer) Write(p *Packet) error {
	if w.err != nil {
		return w.err
	}
	if p.Interface < 0 || p.Interface >= w.interfaces {
		return fmt.Errorf("pcapng: packet of interface %d of %d: %w", p.Interface, w.interfaces, ErrInterface)
	}
	if err := p.Check(); err != nil {
		return err
	}
	length := p.Length
	if length == 0 {
		length = len(p.Data)
	}
	w.begin(enhancedPacket)
	w.u32(uint32(p.Interface))
	ns := uint64(p.Time.UnixNano())
	w.u32(uint32(ns >> 32))
	w.u32(uint32(ns))
	w.u32(uint32(len(p.Data)))
	w.u32(uint32(length))
	w.buf = append(w.buf, p.Data...)
	w.pad()
	options := false
	if p.Comment != "" {
		w.option(optComment, p.Comment)
		options = true
	}
	if p.Direction != NoDirection {
		w.u16(epbFlags)
		w.u16(4)
		w.u32(uint32(p.Direction))
		options = true
	}
	if p.Drops != 0 {
		w.u16(epbDropCount)
		w.u16(8)
		w.u64(p.Drops)
		options = true
	}
	if p.ID != 0 {
		w.u16(epbPacketID)
		w.u16(8)
		w.u64(p.ID)
		options = true
	}
	if options {
		w.u32(0)
	}
	return w.end()
}

// Check returns why no file can hold p, whatever its interfaces.
func (p *Packet) Check() error {
	if len(p.Data) > MaxPacket {
		return fmt.Errorf("pcapng: packet of %d bytes, at most %d", len(p.Data), MaxPacket)
	}
	if p.Length != 0 && (p.Length < len(p.Data) || int64(p.Length) > math.MaxUint32) {
		return fmt.Errorf("pcapng: original length %d of a packet of which %d bytes were kept", p.Length, len(p.Data))
	}
	if p.Direction > Out {
		return fmt.Errorf("pcapng: direction %d, at most %d", p.Direction, Out)
	}
	if p.Time.Unix() < 0 || p.Time.Unix() > math.MaxInt64/int64(time.Second)-1 {
		return fmt.Errorf("pcapng: instant %v is outside 1970 to 2262", p.Time)
	}
	return text("comment", p.Comment)
}

// text returns why s cannot be an option's value.
func text(what, s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("pcapng: %s of %d bytes, at most %d", what, len(s), MaxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("pcapng: %s %q is not UTF-8", what, s)
	}
	return nil
}

// Check returns why no file can hold i.
func (i *Interface) Check() error {
	if err := text("interface name", i.Name); err != nil {
		return err
	}
	return text("interface description", i.Description)
}

// begin starts a block; end fills in its length and writes it.
func (w *Writer) begin(kind uint32) {
	w.buf = w.buf[:0]
	w.u32(kind)
	w.u32(0)
}

func (w *Writer) end() error {
	n := uint32(len(w.buf) + 4)
	w.u32(n)
	binary.LittleEndian.PutUint32(w.buf[4:], n)
	_, w.err = w.w.Write(w.buf)
	return w.err
}

// option appends a text option, unless it is empty.
func (w *Writer) option(code uint16, value string) {
	if value == "" {
		return
	}
	w.u16(code)
	w.u16(uint16(len(value)))
	w.buf = append(w.buf, value...)
	w.pad()
}

// pad fills up to a multiple of four bytes, as values and data need it.
func (w *Writer) pad() {
	for len(w.buf)%4 != 0 {
		w.buf = append(w.buf, 0)
	}
}

func (w *Writer) u16(v uint16) { w.buf = binary.LittleEndian.AppendUint16(w.buf, v) }
func (w *Writer) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *Writer) u64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }
