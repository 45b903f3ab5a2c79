package framing

import (
	"slices"
	"time"

	"wirelab/packets"
)

// A Stream is one direction of a TCP connection: it puts segments in order and
// cuts what they carry into frames. The zero Stream is ready to use.
type Stream struct {
	Framing Framing // how to cut; the zero Framing decides by the first bytes

	memory  *memory
	started bool
	base    uint32
	next    uint64 // all before was cut
	high    uint64 // after the last byte that was seen
	holes   []Hole // between next and high, in order
	chunks  []chunk
	ahead   int // bytes in chunks
	fin     uint64
	hasFin  bool
	reset   bool
	ended   bool
	losses  []loss // what the link says it lost, newest last

	// The packet that is being added.
	number int
	now    time.Time
	filled *Hole // what it filled last
	over   bool  // the capture is: what waits for a hole is told
	segment
	cutting
}

// segment is embedded for its short names.
type segment struct {
	seg Segment
	off Offsets
	out []Frame
}

// A chunk is what came before its turn.
type chunk struct {
	piece Piece
	data  []byte // as much as the capture has
}

// A loss is a packet that the link lost.
type loss struct {
	number     int
	start, end uint64
}

// memory is what the streams of a Tracker share.
type memory struct{ used, max int }

func (m *memory) take(n int) {
	if m != nil {
		m.used += n
	}
}

func (m *memory) full() bool { return m != nil && m.used > m.max }

// maxLost is how many losses of the link a stream remembers.
const maxLost = 256

// Add puts in the segment of packet number and returns the frames that it
// completed. Their Bytes are the caller's. payload holds what the capture has of
// the payloadLen bytes. Of two copies of a byte the first one counts. Segments
// may come in any order, several times, and begin in the middle.
func (s *Stream) Add(number int, t time.Time, seq uint32, control uint8, payload []byte, payloadLen int) []Frame {
	s.begin(number, t)
	payload = payload[:min(len(payload), max(payloadLen, 0))]
	payloadLen = max(payloadLen, 0)
	if control&packets.SYN != 0 {
		seq++
		if !s.started {
			s.started, s.base = true, seq
		}
	}
	if control&packets.RST != 0 {
		// Its payload is a diagnosis, not data (RFC 9293, section 3.5.3).
		s.reset = true
		return nil
	}
	fin := control&packets.FIN != 0
	if payloadLen == 0 && !fin {
		return nil
	}
	if !s.started {
		// A segment without data is no place to begin: a keep-alive lies
		// before the next byte.
		s.started, s.mid, s.base = true, true, seq
	}
	from := s.offset(seq)
	to := from + int64(payloadLen)
	if to < 0 || from >= 0 && uint64(to) < uint64(from) {
		return nil
	}
	s.seg.Start, s.seg.Len, s.seg.Cut = uint64(max(from, 0)), payloadLen, payloadLen-len(payload)
	if fin && !s.hasFin {
		s.hasFin, s.fin = true, uint64(to)
	}
	if payloadLen > 0 {
		s.take(from, uint64(to), payload)
	}
	s.bound()
	s.finish()
	return s.out
}

func (s *Stream) begin(number int, t time.Time) {
	s.number, s.now, s.filled, s.out = number, t, nil, nil
	s.seg = Segment{Number: number, Time: t}
	s.off = Offsets{Number: number, Framing: s.Cutting()}
}

// offset returns where seq lies in the stream, which is up to 2^31 bytes from
// the newest byte either way.
func (s *Stream) offset(seq uint32) int64 {
	return int64(s.high) + int64(int32(seq-(s.base+uint32(s.high))))
}

// take takes in what of the bytes from..to is new. payload begins at from.
func (s *Stream) take(from int64, to uint64, payload []byte) {
	start := uint64(max(from, 0))
	if start >= to {
		s.seg.Again = s.seg.Len // before the capture began
		return
	}
	if start > s.high {
		s.seg.Early = true
		s.holes = append(s.holes, Hole{Start: s.high, End: start, Opened: s.now, OpenedBy: s.number})
		s.high = start
	}
	covered := start // up to here it is dealt with
	// part deals with the new bytes x..y.
	part := func(x, y uint64, fills bool) {
		s.again(covered, x, from)
		covered = y
		i, j := int(int64(x)-from), int(int64(y)-from)
		s.seg.New += j - i
		known := min(max(len(payload), i), j)
		p := Piece{Number: s.number, Time: s.now, At: x, Offset: i, Len: known - i, Fills: fills}
		if p.Len > 0 {
			s.keep(p, payload[i:known])
		}
		if known < j {
			s.keep(Piece{Number: s.number, Time: s.now, At: x + uint64(known-i), Offset: known, Len: j - known, Fills: fills, Cut: true}, nil)
		}
	}
	for i := 0; i < len(s.holes); {
		h := s.holes[i]
		if h.Start >= to {
			break
		}
		if h.End <= start {
			i++
			continue
		}
		x, y := max(h.Start, start), min(h.End, to)
		var rest []Hole
		if h.Start < x {
			left := h
			left.End = x
			rest = append(rest, left)
		}
		if y < h.End {
			right := h
			right.Start = y
			rest = append(rest, right)
		}
		s.holes = slices.Replace(s.holes, i, i+1, rest...)
		i += len(rest)
		filled := h
		filled.Start, filled.End, filled.Filled, filled.FilledBy = x, y, s.now, s.number
		filled.Lost = s.lostIn(x, y)
		s.filled, s.seg.Fills = &filled, true
		part(x, y, true)
	}
	if to > s.high {
		x := max(s.high, start)
		s.high = to
		part(x, to, false)
	}
	s.again(covered, to, from)
	s.drain()
}

// again notes that the bytes x..y came once more.
func (s *Stream) again(x, y uint64, from int64) {
	if y <= x {
		return
	}
	s.seg.Again += int(y - x)
	if y > s.cutting.start() && len(s.copies) < MaxPieces {
		s.copies = append(s.copies, Piece{Number: s.number, Time: s.now, At: x, Offset: int(int64(x) - from), Len: int(y - x), Again: true})
	}
}

// keep cuts a piece whose turn it is, and puts others aside.
func (s *Stream) keep(p Piece, data []byte) {
	if p.At == s.next {
		s.give(p, data)
		return
	}
	i, _ := slices.BinarySearchFunc(s.chunks, p.At, func(c chunk, at uint64) int {
		if c.piece.At < at {
			return -1
		}
		return 1
	})
	s.chunks = slices.Insert(s.chunks, i, chunk{p, slices.Clone(data)})
	s.ahead += len(data)
	s.memory.take(len(data))
}

func (s *Stream) give(p Piece, data []byte) {
	s.next = p.At + uint64(p.Len)
	if p.Cut {
		s.gap(p, "a snap length cut them")
		return
	}
	s.feed(p, data)
}

// drain cuts the chunks whose turn has come.
func (s *Stream) drain() {
	n := 0
	for n < len(s.chunks) && s.chunks[n].piece.At == s.next {
		c := s.chunks[n]
		s.ahead -= len(c.data)
		s.memory.take(-len(c.data))
		s.give(c.piece, c.data)
		n++
	}
	s.chunks = slices.Delete(s.chunks, 0, n)
	if len(s.chunks) == 0 && cap(s.chunks) > 64 {
		s.chunks = nil
	}
}

// bound gives up holes until what waits fits.
func (s *Stream) bound() {
	for len(s.holes) > 0 && (s.ahead > MaxAhead || len(s.chunks) > MaxChunks || s.memory.full()) {
		s.skip("what waited behind them did not fit in memory")
	}
}

// skip gives up the first hole.
func (s *Stream) skip(why string) {
	h := s.holes[0]
	s.holes = slices.Delete(s.holes, 0, 1)
	h.Lost = s.lostIn(h.Start, h.End)
	s.filled = &h
	s.next = h.End
	s.gap(Piece{At: h.Start, Len: int(h.End - h.Start)}, why)
	s.drain()
}

// Acked takes in that the other side had every byte before ack when packet
// number was sent. Holes before it are the capture's: they will not be filled,
// and are skipped. It returns the frames that this completed.
func (s *Stream) Acked(number int, t time.Time, ack uint32) []Frame {
	if !s.started || len(s.holes) == 0 {
		return nil
	}
	s.begin(number, t)
	to := s.offset(ack)
	for len(s.holes) > 0 && to >= int64(s.holes[0].End) {
		s.skip("the capture does not have them, but the receiver has")
	}
	s.finish()
	return s.out
}

// Lost takes in that the link lost a packet with these bytes.
func (s *Stream) Lost(number int, seq uint32, n int) {
	if !s.started || n <= 0 {
		return
	}
	from := s.offset(seq)
	if from < 0 {
		return
	}
	if len(s.losses) == maxLost {
		s.losses = slices.Delete(s.losses, 0, maxLost/2)
	}
	s.losses = append(s.losses, loss{number, uint64(from), uint64(from) + uint64(n)})
}

func (s *Stream) lostIn(x, y uint64) []int {
	var numbers []int
	for _, l := range s.losses {
		if l.start < y && x < l.end {
			numbers = append(numbers, l.number)
		}
	}
	return numbers
}

// finish ends the stream if all of it has come.
func (s *Stream) finish() {
	if s.hasFin && !s.ended && s.next >= s.fin {
		s.ended = true
		s.cutting.end(s, "the stream ended")
	}
}

// End says that no more will come. It returns what is not whole: frames behind a
// hole that nobody filled, and the one that the stream ended in.
func (s *Stream) End() []Frame {
	number, now := s.number, s.now
	s.begin(number, now)
	s.over = true
	for len(s.holes) > 0 {
		s.skip("they never came")
	}
	s.finish()
	if !s.ended || len(s.buf) > 0 { // what lay behind a FIN may be held after it
		s.ended = true
		why := "the capture ended"
		if s.reset {
			why = "the connection was reset"
		}
		s.cutting.end(s, why)
	}
	return s.out
}

// Last returns what the packet added last brought.
func (s *Stream) Last() Segment { return s.seg }

// Offsets returns where frames begin in the packet added last. For a packet that
// came before its turn it is not known then: the first of a frame's Pieces tells
// it later.
func (s *Stream) Offsets() Offsets {
	o := s.off
	o.Framing = s.Cutting()
	o.Known = o.Framing != "" && !s.seg.Early && s.seg.Start+uint64(s.seg.Len) <= s.next
	return o
}

// Mid reports whether the beginning of the stream was not seen.
func (s *Stream) Mid() bool { return s.mid }

// Waiting returns the holes that are open.
func (s *Stream) Waiting() []Hole { return slices.Clone(s.holes) }
