package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// A pcapFormat reads the classic format: a file header of 24 bytes, then for each
// packet a header of 16 and its bytes, in the byte order of the writer.
type pcapFormat struct {
	order binary.ByteOrder
	unit  int64 // nanoseconds of the fraction's unit
	link  LinkType
	begun bool
}

func newPcap(r *Reader, head []byte) (*pcapFormat, error) {
	f := &pcapFormat{order: binary.LittleEndian, unit: 1e3}
	switch binary.LittleEndian.Uint32(head) {
	case 0xd4c3b2a1:
		f.order = binary.BigEndian
	case 0xa1b23c4d:
		f.unit = 1
	case 0x4d3cb2a1:
		f.order, f.unit = binary.BigEndian, 1
	}
	if major, minor := f.order.Uint16(head[4:]), f.order.Uint16(head[6:]); major != 2 {
		return nil, &Damaged{At: 4, Why: fmt.Sprintf("pcap version %d.%d, want 2.x", major, minor)}
	}
	// The upper bits tell about frame check sequences.
	f.link = LinkType(f.order.Uint32(head[20:]) & 0xffff)
	r.seen = []Interface{{Link: f.link, Snap: f.order.Uint32(head[16:])}}
	return f, nil
}

func (f *pcapFormat) name() string { return "pcap" }

func (f *pcapFormat) next(r *Reader, p *Packet) error {
	if !f.begun {
		f.begun = true
		r.w.skip(24)
	}
	h, err := r.w.peek(16)
	if err != nil {
		if len(h) == 0 && errors.Is(err, io.EOF) {
			return io.EOF
		}
		return r.cut(h, err, fmt.Sprintf("the header of packet %d", r.number+1))
	}
	seconds, fraction := f.order.Uint32(h), f.order.Uint32(h[4:])
	kept, length := f.order.Uint32(h[8:]), f.order.Uint32(h[12:])
	if kept > maxBlock {
		return &Damaged{At: r.w.off + 8, Why: fmt.Sprintf("packet %d claims %d bytes, at most %d", r.number+1, kept, maxBlock)}
	}
	b, err := r.w.peek(16 + int(kept))
	if err != nil {
		return r.cut(b, err, fmt.Sprintf("packet %d", r.number+1))
	}
	*p = Packet{
		Offset: r.w.off,
		Time:   time.Unix(int64(seconds), int64(fraction)*f.unit).UTC(),
		Link:   f.link,
		Data:   b[16:],
		Length: int(max(length, kept)),
	}
	r.w.skip(16 + int(kept))
	return nil
}
