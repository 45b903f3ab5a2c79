package missed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"wirelab/internal/wire"
)

// A Block is a run of events without a gap, as stores keep it.
type Block struct {
	Key         Key
	First, Last uint64
	Frames      []byte   // stream frames, back to back
	Marks       []Marked // sorted by Seq
}

// blockHeader is the fixed part of an encoded block. All numbers are
// big-endian; the check covers everything after it, and the room and the first
// event's number before that, so that a block in a wrong place is found, too.
//
//	 0       4       8            16           24      28       32
//	+-------+-------+------------+------------+-------+--------+-------+--------+
//	| check | count | first time | last time  | marks | frames | marks | frames |
//	| crc32c|       | microsec.  | microsec.  | size  | size   |       |        |
//	+-------+-------+------------+------------+-------+--------+-------+--------+
//
// A mark is the event's distance from the first, the number of viewers in Only
// plus one (0: nil), the number in Except, 4 bytes each, then those viewers, 8
// bytes each.
const blockHeader = 32

// ErrDamaged means that stored bytes are not what was stored.
var ErrDamaged = errors.New("damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBlock appends the encoded b to dst. What decodes it must be told
// b.Key and b.First.
func AppendBlock(dst []byte, b *Block) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, blockHeader)...)
	for i := range b.Marks {
		m := b.Marks[i].Mark()
		dst = binary.BigEndian.AppendUint32(dst, uint32(b.Marks[i].Seq-b.First))
		only := uint32(0)
		if m.Only != nil {
			only = uint32(len(m.Only)) + 1
		}
		dst = binary.BigEndian.AppendUint32(dst, only)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Except)))
		for _, v := range m.Only {
			dst = binary.BigEndian.AppendUint64(dst, v)
		}
		for _, v := range m.Except {
			dst = binary.BigEndian.AppendUint64(dst, v)
		}
	}
	h := dst[at:]
	binary.BigEndian.PutUint32(h[4:], uint32(b.Last+1-b.First))
	binary.BigEndian.PutUint64(h[8:], uint64(frameTime(b.Frames)))
	binary.BigEndian.PutUint64(h[16:], uint64(frameTime(lastFrame(b))))
	binary.BigEndian.PutUint32(h[24:], uint32(len(h)-blockHeader))
	binary.BigEndian.PutUint32(h[28:], uint32(len(b.Frames)))
	dst = append(dst, b.Frames...)
	h = dst[at:]
	binary.BigEndian.PutUint32(h, checkBlock(b.Key, b.First, h))
	return dst
}

// lastFrame walks to the block's last frame.
func lastFrame(b *Block) []byte {
	frames := b.Frames
	for {
		n := frameSize(frames)
		if n == 0 || n == len(frames) {
			return frames
		}
		frames = frames[n:]
	}
}

func checkBlock(k Key, first uint64, p []byte) uint32 {
	var b [2 + 2*wire.MaxName + 8]byte
	place := append(b[:0], byte(len(k.Namespace)))
	place = append(place, k.Namespace...)
	place = append(place, byte(len(k.Room)))
	place = append(place, k.Room...)
	place = binary.BigEndian.AppendUint64(place, first)
	return crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, p[4:])
}

// BlockSpan reads a block's header. It does not look at the events, nor at the
// check: an error means that p cannot be a block of that length.
func BlockSpan(k Key, first uint64, p []byte) (Span, error) {
	if len(p) < blockHeader {
		return Span{}, damaged(k, first, "%d bytes, a block has at least %d", len(p), blockHeader)
	}
	count := binary.BigEndian.Uint32(p[4:])
	marks, frames := uint64(binary.BigEndian.Uint32(p[24:])), uint64(binary.BigEndian.Uint32(p[28:]))
	if blockHeader+marks+frames != uint64(len(p)) {
		return Span{}, damaged(k, first, "%d bytes, its header says %d", len(p), blockHeader+marks+frames)
	}
	if last := first + uint64(count) - 1; count == 0 || first == 0 || last < first || uint64(count)*minFrame > frames {
		return Span{}, damaged(k, first, "%d events in %d bytes", count, frames)
	}
	return Span{
		Key: k, First: first, Last: first + uint64(count) - 1, Bytes: int64(frames + marks),
		FirstTime: int64(binary.BigEndian.Uint64(p[8:])),
		LastTime:  int64(binary.BigEndian.Uint64(p[16:])),
		Marked:    marks > 0,
	}, nil
}

const minFrame = wire.LengthSize + wire.MinEnvelope

// CheckBlock reads a block's header and verifies the check over all of it.
func CheckBlock(k Key, first uint64, p []byte) (Span, error) {
	s, err := BlockSpan(k, first, p)
	if err != nil {
		return Span{}, err
	}
	if got, want := checkBlock(k, first, p), binary.BigEndian.Uint32(p); got != want {
		return Span{}, damaged(k, first, "check %08x, want %08x", got, want)
	}
	return s, nil
}

// DecodeBlock reads an encoded block. Frames aliases p. Every error wraps
// ErrDamaged.
func DecodeBlock(k Key, first uint64, p []byte) (Block, error) {
	s, err := CheckBlock(k, first, p)
	if err != nil {
		return Block{}, err
	}
	marks := binary.BigEndian.Uint32(p[24:])
	b := Block{Key: k, First: first, Last: s.Last, Frames: p[blockHeader+marks:]}
	if b.Marks, err = decodeMarks(&b, p[blockHeader:blockHeader+marks]); err != nil {
		return Block{}, err
	}
	at, n := 0, uint64(0)
	for ; at < len(b.Frames); n++ {
		size := frameSize(b.Frames[at:])
		if size == 0 {
			return Block{}, damaged(k, first, "frame %d does not end", n)
		}
		at += size
	}
	if n != b.Last+1-b.First {
		return Block{}, damaged(k, first, "%d frames, its header says %d", n, b.Last+1-b.First)
	}
	return b, nil
}

func decodeMarks(b *Block, p []byte) ([]Marked, error) {
	var marks []Marked
	for len(p) > 0 {
		if len(p) < 12 {
			return nil, damaged(b.Key, b.First, "a mark of %d bytes", len(p))
		}
		seq := b.First + uint64(binary.BigEndian.Uint32(p))
		only, except := uint64(binary.BigEndian.Uint32(p[4:])), uint64(binary.BigEndian.Uint32(p[8:]))
		p = p[12:]
		isNil := only == 0
		if !isNil {
			only--
		}
		if 8*(only+except) > uint64(len(p)) || seq > b.Last || len(marks) > 0 && seq <= marks[len(marks)-1].Seq {
			return nil, damaged(b.Key, b.First, "a mark on event %d with %d and %d viewers", seq, only, except)
		}
		viewers := make([]uint64, only+except)
		for i := range viewers {
			viewers[i] = binary.BigEndian.Uint64(p[8*i:])
		}
		p = p[8*len(viewers):]
		m := Mark{Only: viewers[:only:only]}
		if isNil {
			m.Only = nil
		}
		if except > 0 {
			m.Except = viewers[only:]
		}
		marks = append(marks, NewMarked(seq, m))
	}
	return marks, nil
}

// From returns b without the events before the one numbered seq, which it
// must hold.
func (b Block) From(seq uint64) Block {
	if seq > b.First {
		skipped, n := prefix(b.Frames, seq-b.First, unlimited)
		b.Frames = b.Frames[len(skipped):]
		b.First += n
		b.Marks = marksFrom(b.Marks, b.First)
	}
	return b
}

// Head returns b with only as many of its first events as have at most most
// bytes of frames, but at least one.
func (b Block) Head(most int) Block {
	if len(b.Frames) > most {
		frames, n := prefix(b.Frames, b.Last+1-b.First, most)
		b.Frames = frames
		b.Last = b.First + n - 1
		b.Marks = b.Marks[:len(b.Marks)-len(marksFrom(b.Marks, b.Last+1))]
	}
	return b
}

func damaged(k Key, first uint64, format string, args ...any) error {
	return fmt.Errorf("missed: room %v: block of event %d: %s: %w", k, first, fmt.Sprintf(format, args...), ErrDamaged)
}
