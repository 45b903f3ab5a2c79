package packets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Block types and options of pcapng that are read; others are passed over.
const (
	blockSection    = 0x0A0D0D0A
	blockInterface  = 1
	blockOldPacket  = 2 // obsolete, still in old files
	blockSimple     = 3
	blockStatistics = 5
	blockPacket     = 6

	optComment    = 1
	optName       = 2
	optDetail     = 3
	optResolution = 9
	optShift      = 14
	optFlags      = 2
	optDropCount  = 4
	optPacketID   = 5
	optIfDrop     = 5
)

// maxInterfaces is how many interfaces a file may describe.
const maxInterfaces = 4096

// An ngFormat reads sections of blocks. Interfaces of all sections are numbered
// through.
type ngFormat struct {
	order binary.ByteOrder
	base  int // of this section's interfaces in Reader.seen
}

func (f *ngFormat) name() string { return "pcapng" }

func (f *ngFormat) next(r *Reader, p *Packet) error {
	for {
		h, err := r.w.peek(12)
		if err != nil {
			if len(h) == 0 && errors.Is(err, io.EOF) {
				return io.EOF
			}
			return r.cut(h, err, "a block header")
		}
		if f.order == nil || isSection(h) {
			if err := f.section(r, h); err != nil {
				return err
			}
			continue
		}
		kind, n := f.order.Uint32(h), f.order.Uint32(h[4:])
		if n < 12 || n%4 != 0 {
			return &Damaged{At: r.w.off + 4, Why: fmt.Sprintf("a block of %d bytes, want a multiple of 4 from 12 on", n)}
		}
		if n > maxBlock {
			if packetBlock(kind) || kind == blockInterface {
				return &Damaged{At: r.w.off + 4, Why: fmt.Sprintf("a block of %d bytes, at most %d", n, maxBlock)}
			}
			start := r.w.off
			if err := r.w.discard(int(n)); err != nil {
				return &Truncated{At: r.w.off, Block: start, What: "a block that is passed over"}
			}
			continue
		}
		b, err := r.w.peek(int(n))
		if err != nil {
			what := "a block of no packet"
			if packetBlock(kind) {
				what = fmt.Sprintf("packet %d", r.number+1)
			}
			return r.cut(b, err, what)
		}
		if again := f.order.Uint32(b[n-4:]); again != n {
			return &Damaged{At: r.w.off + int64(n) - 4, Why: fmt.Sprintf("a block of %d bytes ends with the length %d", n, again)}
		}
		*p = Packet{Offset: r.w.off}
		found, err := f.block(r, kind, b[8:n-4], p)
		if err != nil {
			return err
		}
		r.w.skip(int(n))
		if found {
			return nil
		}
	}
}

func packetBlock(kind uint32) bool {
	return kind == blockPacket || kind == blockSimple || kind == blockOldPacket
}

func isSection(h []byte) bool { return binary.LittleEndian.Uint32(h) == blockSection }

// section begins a section, which has its own byte order and interfaces.
func (f *ngFormat) section(r *Reader, h []byte) error {
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.LittleEndian.Uint32(h[8:]) {
	case 0x1A2B3C4D:
	case 0x4D3C2B1A:
		order = binary.BigEndian
	default:
		return &Damaged{At: r.w.off + 8, Why: fmt.Sprintf("byte-order magic % x, want 1a 2b 3c 4d either way round", h[8:12])}
	}
	n := order.Uint32(h[4:])
	if n < 28 || n%4 != 0 || n > maxBlock {
		return &Damaged{At: r.w.off + 4, Why: fmt.Sprintf("a section header of %d bytes, want 28 or more", n)}
	}
	b, err := r.w.peek(int(n))
	if err != nil {
		return r.cut(b, err, "a section header")
	}
	if major := order.Uint16(b[12:]); major != 1 {
		return &Damaged{At: r.w.off + 12, Why: fmt.Sprintf("pcapng version %d, want 1", major)}
	}
	f.order, f.base = order, len(r.seen)
	r.w.skip(int(n))
	return nil
}

// block reads one block's body, and reports whether it was a packet.
func (f *ngFormat) block(r *Reader, kind uint32, b []byte, p *Packet) (bool, error) {
	short := func(want int) error {
		return &Damaged{At: r.w.off, Why: fmt.Sprintf("a block of type %d has %d bytes, want at least %d", kind, len(b), want)}
	}
	switch kind {
	case blockInterface:
		if len(b) < 8 {
			return false, short(8)
		}
		return false, f.describe(r, b)
	case blockStatistics:
		if len(b) < 12 {
			return false, short(12)
		}
		if i := f.base + int(f.order.Uint32(b)); i < len(r.seen) {
			s := &r.seen[i]
			s.HasStats = true
			f.options(b[12:], func(code uint16, v []byte) {
				if code == optIfDrop && len(v) == 8 {
					s.Drops = f.order.Uint64(v)
				}
			})
		}
		return false, nil
	case blockSimple:
		if len(b) < 4 {
			return false, short(4)
		}
		if err := f.at(r, p, 0); err != nil {
			return false, err
		}
		n := f.order.Uint32(b)
		kept := int(min(int64(n), int64(len(b)-4)))
		if snap := r.seen[p.Interface].Snap; snap > 0 {
			kept = int(min(int64(kept), int64(snap)))
		}
		p.Data, p.Length = b[4:4+kept], int(n)
		return true, nil
	case blockPacket, blockOldPacket:
		if len(b) < 20 {
			return false, short(20)
		}
		number := f.order.Uint32(b)
		if kind == blockOldPacket {
			number = uint32(f.order.Uint16(b))
			if drops := f.order.Uint16(b[2:]); drops != 0xffff {
				p.Drops = uint64(drops)
			}
		}
		if err := f.at(r, p, number); err != nil {
			return false, err
		}
		ticks := uint64(f.order.Uint32(b[4:]))<<32 | uint64(f.order.Uint32(b[8:]))
		kept, length := f.order.Uint32(b[12:]), f.order.Uint32(b[16:])
		if int64(kept) > int64(len(b)-20) {
			return false, &Damaged{At: r.w.off + 20, Why: fmt.Sprintf("packet %d claims %d bytes in a block that has room for %d", r.number+1, kept, len(b)-20)}
		}
		p.Time = r.seen[p.Interface].resolution.time(ticks)
		p.Data, p.Length = b[20:20+kept], int(max(length, kept))
		f.options(b[20+(int(kept)+3)&^3:], func(code uint16, v []byte) {
			switch {
			case code == optComment && p.Comment == "":
				p.Comment = string(v)
			case code == optComment:
				p.Comment += "; " + string(v)
			case code == optFlags && len(v) == 4:
				p.Direction = Direction(f.order.Uint32(v) & 3 % 3)
			case code == optDropCount && len(v) == 8 && kind == blockPacket:
				p.Drops = f.order.Uint64(v)
			case code == optPacketID && len(v) == 8 && kind == blockPacket:
				p.ID = f.order.Uint64(v)
			}
		})
		return true, nil
	}
	return false, nil
}

// at sets where p was seen.
func (f *ngFormat) at(r *Reader, p *Packet, number uint32) error {
	if int64(f.base)+int64(number) >= int64(len(r.seen)) {
		return &Damaged{At: r.w.off, Why: fmt.Sprintf("packet %d is of interface %d, but only %d are described", r.number+1, number, len(r.seen)-f.base)}
	}
	p.Interface = f.base + int(number)
	p.Link = r.seen[p.Interface].Link
	return nil
}

// describe reads an interface description.
func (f *ngFormat) describe(r *Reader, b []byte) error {
	if len(r.seen) == maxInterfaces {
		return &Damaged{At: r.w.off, Why: fmt.Sprintf("more than %d interfaces", maxInterfaces)}
	}
	i := Interface{
		Link:       LinkType(f.order.Uint16(b)),
		Snap:       f.order.Uint32(b[4:]),
		resolution: resolution{perSecond: 1e6},
	}
	var bad error
	f.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == optName:
			i.Name = string(bytes.TrimRight(v, "\x00"))
		case code == optDetail:
			i.Description = string(bytes.TrimRight(v, "\x00"))
		case code == optResolution && len(v) == 1:
			var ok bool
			if i.resolution.perSecond, ok = perSecond(v[0]); !ok {
				bad = &Damaged{At: r.w.off, Why: fmt.Sprintf("clock resolution %#02x of interface %d: out of range", v[0], len(r.seen))}
			}
		case code == optShift && len(v) == 8:
			i.resolution.offset = int64(f.order.Uint64(v))
		}
	})
	r.seen = append(r.seen, i)
	return bad
}

// perSecond returns the ticks per second of if_tsresol: a negative power of 10,
// or of 2 with the highest bit.
func perSecond(b byte) (uint64, bool) {
	n := b & 0x7f
	if b&0x80 != 0 {
		return 1 << n, n < 63
	}
	ticks := uint64(1)
	for range n {
		if n > 18 {
			return 1, false
		}
		ticks *= 10
	}
	return ticks, true
}

// options calls each for every option in b. It ends quietly at what is no
// option: they only add to what a packet is.
func (f *ngFormat) options(b []byte, each func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		if code == 0 || 4+n > len(b) {
			return
		}
		each(code, b[4:4+n])
		b = b[min(len(b), 4+(n+3)&^3):]
	}
}
