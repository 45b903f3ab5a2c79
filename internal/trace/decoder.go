package trace

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"wirelab/internal/pcapng"
)

// A Record is one record of a stream. Only what its kind names is set.
type Record struct {
	Kind      Kind
	Event     []byte           // Event: the JSON object
	Interface pcapng.Interface // Interface: what was described; Packet.Interface is its number
	Packet    pcapng.Packet    // Packet
}

// A decoder takes records off the front of buffers. It trusts nothing.
type decoder struct {
	started    bool
	ended      bool
	interfaces int
	records    uint64
}

// next decodes the record at the start of b into rec, which points into b, and
// returns how many bytes it has. n = 0 without an error means that b holds no
// whole record yet. The end of the stream sets d.ended and rec.Kind to end.
func (d *decoder) next(b []byte, rec *Record) (n int, err error) {
	start := 0
	if !d.started {
		if head := b[:min(len(b), len(magic))]; string(head) != magic[:len(head)] {
			return 0, fmt.Errorf("trace: does not begin with %s: %w", magic, ErrFormat)
		}
		if len(b) < len(magic) {
			return 0, nil
		}
		start = len(magic)
	}
	if d.ended && len(b) > 0 {
		return 0, fmt.Errorf("trace: bytes after the end: %w", ErrFormat)
	}
	if len(b) < start+frameSize {
		return 0, nil
	}
	size := binary.BigEndian.Uint32(b[start:])
	if size > MaxBody {
		return 0, d.bad("length %d, at most %d", size, MaxBody)
	}
	n = start + frameSize + int(size)
	if len(b) < n {
		return 0, nil
	}
	*rec = Record{Kind: Kind(b[start+4])}
	if err := d.body(b[start+frameSize:n], rec); err != nil {
		return 0, err
	}
	d.started = true
	d.records++
	return n, nil
}

// bad describes what is wrong with the record that is being decoded.
func (d *decoder) bad(format string, args ...any) error {
	return fmt.Errorf("trace: record %d: %s: %w", d.records+1, fmt.Sprintf(format, args...), ErrFormat)
}

func (d *decoder) body(b []byte, rec *Record) error {
	switch rec.Kind {
	case Event:
		if len(b) == 0 || b[0] != '{' || bytes.IndexByte(b, '\n') >= 0 || !utf8.Valid(b) || !json.Valid(b) {
			return d.bad("event %.60q is not one JSON object on one line", b)
		}
		rec.Event = b
		return nil
	case Interface:
		return d.describe(b, rec)
	case Packet:
		return d.packet(b, rec)
	case end:
		if len(b) != 8 {
			return d.bad("end of %d bytes, want 8", len(b))
		}
		if n := binary.BigEndian.Uint64(b); n != d.records {
			return d.bad("end after %d records says %d", d.records, n)
		}
		d.ended = true
		return nil
	}
	return d.bad("unknown kind %d", rec.Kind)
}

func (d *decoder) describe(b []byte, rec *Record) error {
	if len(b) < 4 {
		return d.bad("interface of %d bytes", len(b))
	}
	if d.interfaces == MaxInterfaces {
		return d.bad("more than %d interfaces", MaxInterfaces)
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-4 {
		return d.bad("name of %d bytes in %d", n, len(b)-4)
	}
	i := pcapng.Interface{
		LinkType:    binary.BigEndian.Uint16(b),
		Name:        string(b[4 : 4+n]),
		Description: string(b[4+n:]),
	}
	if err := i.Check(); err != nil {
		return d.bad("%v", err)
	}
	rec.Interface = i
	rec.Packet.Interface = d.interfaces
	d.interfaces++
	return nil
}

func (d *decoder) packet(b []byte, rec *Record) error {
	if len(b) < packetFixed {
		return d.bad("packet of %d bytes", len(b))
	}
	n := int(binary.BigEndian.Uint16(b[31:]))
	if n > len(b)-packetFixed {
		return d.bad("comment of %d bytes in %d", n, len(b)-packetFixed)
	}
	p := pcapng.Packet{
		Time:      time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC(),
		Interface: int(binary.BigEndian.Uint16(b[8:])),
		Direction: pcapng.Direction(b[10]),
		Length:    int(binary.BigEndian.Uint32(b[11:])),
		Drops:     binary.BigEndian.Uint64(b[15:]),
		ID:        binary.BigEndian.Uint64(b[23:]),
		Comment:   string(b[packetFixed : packetFixed+n]),
		Data:      b[packetFixed+n:],
	}
	if p.Interface >= d.interfaces {
		return d.bad("packet of interface %d of %d", p.Interface, d.interfaces)
	}
	if err := p.Check(); err != nil {
		return d.bad("%v", err)
	}
	rec.Packet = p
	return nil
}
