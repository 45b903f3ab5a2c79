package missed

import (
	"encoding/binary"
	"slices"
	"sort"

	"wirelab/internal/wire"
)

// A chunk's buffer starts small, as most rooms are, and each further one is
// twice the last: a busy room gets long contiguous runs.
const (
	smallChunk = 4 << 10
	largeChunk = 256 << 10
	// frameGuess is the frame size in bytes from which a chunk's index is
	// sized. A wrong guess costs a reallocation of the index.
	frameGuess = 128
	// viewerPiece is how many viewers of marks share one allocation. It is
	// small because a mark that outlives its chunk keeps the piece alive.
	viewerPiece = 64
)

// A chunk is a run of events without a gap, as the frames that a stream member
// gets. Its buffer is never reallocated and bytes that were visible are never
// written again, so readers share it without a lock. The rest is the log's,
// under its mutex.
type chunk struct {
	first   uint64   // sequence number of the first event
	buf     []byte   // frames, back to back
	ends    []uint32 // where each event ends in buf
	marks   []Marked // of events that are still kept, sorted
	viewers []uint64 // the current piece for marks
	hint    int      // how many marks to expect
}

// newChunk returns a chunk for an event of size bytes that follows one whose
// chunk was prev, or nil.
func newChunk(first uint64, size int, prev *chunk) *chunk {
	c := &chunk{first: first, hint: 4}
	n := smallChunk
	if prev != nil {
		n = min(2*cap(prev.buf), largeChunk)
		c.hint = max(c.hint, len(prev.marks))
	}
	n = max(n, size)
	c.buf = make([]byte, 0, n)
	c.ends = make([]uint32, 0, max(1, n/frameGuess))
	return c
}

func (c *chunk) fits(size int) bool { return len(c.buf)+size <= cap(c.buf) }

// next is the sequence number after the chunk's last event.
func (c *chunk) next() uint64 { return c.first + uint64(len(c.ends)) }

// start is where event i begins in buf; start(len(ends)) is len(buf).
func (c *chunk) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(c.ends[i-1])
}

// frame returns the frame of event i.
func (c *chunk) frame(i int) []byte {
	a, b := c.start(i), int(c.ends[i])
	return c.buf[a:b:b]
}

// add appends an event that fits. It keeps copies of everything.
func (c *chunk) add(e *wire.Envelope, m *Mark) error {
	buf, err := wire.AppendFrame(c.buf, e)
	if err != nil {
		return err
	}
	c.buf = buf
	c.ends = append(c.ends, uint32(len(buf)))
	if !m.all() {
		if c.marks == nil {
			c.marks = make([]Marked, 0, c.hint)
		}
		if m.Only == nil && len(m.Except) == 1 {
			c.marks = append(c.marks, Marked{Seq: e.Seq, sole: m.Except[0]})
		} else {
			c.marks = append(c.marks, NewMarked(e.Seq, Mark{Only: c.keep(m.Only), Except: c.keep(m.Except)}))
		}
	}
	return nil
}

// keep returns a sorted copy of viewers; nil stays nil.
func (c *chunk) keep(viewers []uint64) []uint64 {
	n := len(viewers)
	switch {
	case viewers == nil:
		return nil
	case n > viewerPiece/4:
		viewers = slices.Clone(viewers)
	default:
		if cap(c.viewers)-len(c.viewers) < n || c.viewers == nil {
			c.viewers = make([]uint64, 0, viewerPiece)
		}
		at := len(c.viewers)
		c.viewers = append(c.viewers, viewers...)
		viewers = c.viewers[at : at+n : at+n]
	}
	if !slices.IsSorted(viewers) {
		slices.Sort(viewers)
	}
	return viewers
}

// upTo returns the last event from i on, and not after last, with which the
// frames from i on take at most most bytes; i itself if even that is too long.
func (c *chunk) upTo(i, last, most int) int {
	start := c.start(i)
	if int(c.ends[last])-start <= most {
		return last
	}
	n := sort.Search(last-i, func(n int) bool { return int(c.ends[i+n])-start > most })
	return i + max(n-1, 0)
}

// cut takes away the events from seq on and returns the cost of their marks.
func (c *chunk) cut(seq uint64) (marks int64) {
	i := int(seq - c.first)
	c.buf = c.buf[:c.start(i)]
	c.ends = c.ends[:i]
	rest := marksFrom(c.marks, seq)
	for i := range rest {
		marks += rest[i].cost()
	}
	c.marks = c.marks[:len(c.marks)-len(rest)]
	return marks
}

// frameTime reads an event's time from its frame, in microseconds since 1970.
func frameTime(frame []byte) int64 {
	return int64(binary.BigEndian.Uint64(frame[wire.LengthSize+32:]))
}

// frameSize reads the size of the frame at the start of b, with the prefix. It
// is 0 if b does not start with a whole frame.
func frameSize(b []byte) int {
	if len(b) < wire.LengthSize {
		return 0
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n < wire.MinEnvelope || n > wire.MaxEnvelope || n > uint64(len(b)-wire.LengthSize) {
		return 0
	}
	return wire.LengthSize + int(n)
}

// prefix returns the longest start of frames that has at most n frames and at
// most max bytes, but at least one frame, and how many frames it has.
func prefix(frames []byte, n uint64, max int) ([]byte, uint64) {
	var at int
	var got uint64
	for got < n {
		size := frameSize(frames[at:])
		if size == 0 || got > 0 && at+size > max {
			break
		}
		at += size
		got++
	}
	return frames[:at:at], got
}
