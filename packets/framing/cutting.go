package framing

import (
	"fmt"
	"slices"
	"time"
)

// maxHead is how many bytes may pass before the end of a frame is known.
const maxHead = 64 << 10

// untilEnd is the size of a frame that the end of the stream ends.
const untilEnd = 1 << 62

// A cutter knows where frames end.
type cutter interface {
	// size returns the bytes of the frame that begins b, or 0 if b has too
	// few to tell. b[:seen] was looked at before.
	size(b []byte, seen int) (uint64, error)
	// describe fills in Kind, Summary and Err of a frame from its bytes, which
	// may be only the first of it.
	describe(f *Frame)
	// resync returns how many bytes of b are before the next frame, and
	// whether that begins there. gap says that bytes are missing before b, so
	// that it was no frame that could not be read.
	resync(b []byte, gap bool) (int, bool)
	name() string
}

// cutting is the part of a Stream that cuts bytes in their order.
type cutting struct {
	cutter  cutter
	none    bool   // no framing: nothing is cut
	because string // why it is cut like this
	mid     bool   // no SYN was seen

	at      uint64 // of the frame that is being put together
	buf     []byte // its first bytes
	seen    int    // of buf, by the cutter
	size    uint64 // of it; 0 if that is not known yet
	have    uint64 // bytes of it, kept or not, if size is known
	missing uint64 // of have, or of bad
	lost    bool   // no boundary is known
	bad     uint64 // bytes since at that are in no frame
	gapped  bool   // bytes are missing before buf
	why     string // of lost, or of missing
	pieces  []Piece
	dropped int // pieces beyond MaxPieces
	copies  []Piece
}

// start returns the offset before which everything is cut.
func (c *cutting) start() uint64 { return c.at }

// Cutting returns the name of the framing that the stream is cut by: none, or
// empty while that is not decided.
func (s *Stream) Cutting() string {
	switch {
	case s.none:
		return "none"
	case s.cutter == nil:
		return ""
	}
	return s.cutter.name()
}

// Because returns why the stream is cut like that, in words.
func (s *Stream) Because() string { return s.because }

// feed cuts the bytes of a piece, the next of the stream.
func (s *Stream) feed(p Piece, data []byte) {
	if s.none {
		s.at = s.next
		return
	}
	s.note(p)
	if s.cutter == nil {
		s.hold(data)
		if !s.decide(false) {
			return
		}
		data = s.release()
	}
	s.cut(data)
}

// note remembers which packet the next bytes came in.
func (s *Stream) note(p Piece) {
	if len(s.pieces) < MaxPieces {
		s.pieces = append(s.pieces, p)
	} else {
		// The newest stay, so that the frames after a long one have theirs.
		s.dropped++
		s.pieces = append(slices.Delete(s.pieces, MaxPieces/2, MaxPieces/2+1), p)
	}
}

func (s *Stream) hold(data []byte) {
	s.memory.take(len(data))
	s.buf = append(s.buf, data...)
}

// release takes the bytes that are held.
func (s *Stream) release() []byte {
	b := s.buf
	s.memory.take(-len(b))
	s.buf = nil
	return b
}

// cut takes in the next bytes.
func (s *Stream) cut(data []byte) {
	for len(data) > 0 {
		switch {
		case s.lost:
			s.hold(data)
			data = s.release()
			n, found := s.cutter.resync(data, s.gapped)
			s.bad += uint64(n)
			if n > 0 {
				s.gapped = false
			}
			data = data[n:]
			if !found {
				s.hold(data)
				return
			}
			s.unreadable()
			s.begins()
		case s.size == 0:
			if len(s.buf) == 0 {
				s.begins()
			}
			seen := len(s.buf)
			own := seen > 0
			if own {
				s.hold(data)
				data = s.buf
			}
			n, err := s.cutter.size(data, s.seen)
			if err == nil && n == 0 && len(data) > maxHead {
				err = fmt.Errorf("no end in %d bytes", len(data))
			}
			if err == nil && n == 0 {
				s.seen = len(data)
				if !own {
					s.hold(data)
				}
				return
			}
			if own {
				s.release()
			}
			s.seen = 0
			if err != nil {
				s.lost, s.why, s.bad, s.gapped = true, clean(err.Error()), 1, false
				data = data[1:]
				continue
			}
			s.size, s.have, s.missing = n, 0, 0
		default:
			take := min(s.size-s.have, uint64(len(data)))
			if s.missing == 0 {
				room := uint64(max(0, MaxKept-len(s.buf)))
				if s.memory.full() {
					room = 0
				}
				if s.have == uint64(len(s.buf)) {
					s.hold(data[:min(take, room)])
				}
			}
			s.have += take
			data = data[take:]
			if s.have == s.size {
				s.whole()
			}
		}
	}
}

// begins notes that a frame begins at the stream's offset at.
func (s *Stream) begins() {
	// The segment that is being added has only one place for an offset.
	if x := s.at; x >= s.seg.Start && x < s.seg.Start+uint64(s.seg.Len) {
		i := int(x - s.seg.Start)
		if n := len(s.off.Begins); n == 0 || s.off.Begins[n-1] < i {
			s.off.Begins = append(s.off.Begins, i)
		}
	}
}

// whole hands out the frame that has all its bytes.
func (s *Stream) whole() {
	f := s.frame(s.size)
	if s.missing > 0 {
		f.Missing = s.missing
		f.Err = fmt.Sprintf("%d of its %d bytes are missing: %s", s.missing, s.size, s.why)
	}
	f.Bytes = s.release()
	s.size, s.have, s.missing = 0, 0, 0
	s.describe(&f)
	s.out = append(s.out, f)
}

func (s *Stream) describe(f *Frame) {
	err := f.Err
	s.cutter.describe(f)
	if err != "" {
		f.Err = err
	}
}

// unreadable hands out the bytes that are in no frame, and ends that.
func (s *Stream) unreadable() {
	s.lost, s.gapped = false, false
	if s.bad == 0 {
		return
	}
	f := s.frame(s.bad)
	f.Kind, f.Missing = "unreadable", s.missing
	f.Err, f.Summary = s.why, fmt.Sprintf("%d bytes without a boundary", s.bad)
	if s.missing > 0 {
		f.Summary += fmt.Sprintf(", %d of them missing", s.missing)
	}
	s.bad, s.missing, s.why = 0, 0, ""
	s.out = append(s.out, f)
}

// frame makes a frame of the next n bytes.
func (s *Stream) frame(n uint64) Frame {
	f := Frame{
		Start: s.at, End: s.at + n, Number: s.number, Complete: s.now,
		Framing: s.Cutting(), More: s.dropped,
	}
	s.dropped = 0
	s.at = f.End
	f.Pieces, s.pieces = clip(s.pieces, f.Start, f.End)
	var copies []Piece
	copies, s.copies = clip(s.copies, f.Start, f.End)
	s.wait(&f)
	f.Pieces = append(f.Pieces, copies...)
	f.First = s.now
	for _, p := range f.Pieces {
		if p.Time.Before(f.First) {
			f.First = p.Time
		}
	}
	return f
}

// wait finds what f waited for, before copies are among its pieces.
func (s *Stream) wait(f *Frame) {
	if s.filled == nil {
		return
	}
	var last time.Time
	for _, p := range f.Pieces {
		if p.Number == s.number && !s.over {
			if p.Fills {
				f.Own, f.Hole = true, s.filled
				f.Waited = max(0, s.now.Sub(s.filled.Opened))
			}
			// What lies after all that was there did not wait.
			return
		}
		if p.Time.After(last) {
			last = p.Time
		}
	}
	if last.IsZero() {
		return
	}
	f.Hole = s.filled
	f.Own = s.filled.Start < f.End && f.Start < s.filled.End
	f.Waited = max(0, s.now.Sub(last))
	if s.over && !f.Own {
		f.Err = fmt.Sprintf("it waits for bytes %d to %d, which never came", s.filled.Start, s.filled.End)
	}
}

// clip returns the parts of the pieces that lie in from..to, and those that
// reach beyond it.
func clip(pieces []Piece, from, to uint64) (in, after []Piece) {
	keep := 0
	for _, p := range pieces {
		end := p.At + uint64(p.Len)
		if end > to {
			pieces[keep] = p
			keep++
		}
		x, y := max(p.At, from), min(end, to)
		if x >= y {
			continue
		}
		p.Offset += int(x - p.At)
		p.At, p.Len = x, int(y-x)
		in = append(in, p)
	}
	return in, pieces[:keep]
}

// gap takes in that the bytes of p will not be had.
func (s *Stream) gap(p Piece, why string) {
	n := uint64(p.Len)
	if s.none {
		s.at = s.next
		return
	}
	if p.Number != 0 {
		s.note(p)
	}
	if s.cutter == nil {
		s.decide(true)
		if s.none {
			s.release()
			s.at = s.next
			return
		}
		s.cut(s.release())
	}
	if s.size > 0 {
		take := min(s.size-s.have, n)
		s.missing, s.why = s.missing+take, why
		s.have += take
		n -= take
		if s.have == s.size {
			s.whole()
		}
	}
	if n == 0 {
		return
	}
	s.bad += uint64(len(s.release())) + n
	s.seen = 0
	s.missing += n
	s.lost, s.gapped, s.why = true, true, fmt.Sprintf("%d bytes are missing: %s", s.missing, why)
}

// end hands out what is not whole when nothing more comes.
func (c *cutting) end(s *Stream, why string) {
	if c.none {
		return
	}
	if c.cutter == nil {
		if len(c.buf) == 0 {
			return
		}
		s.decide(true)
		b := s.release()
		if c.none {
			return
		}
		s.cut(b)
	}
	switch {
	case c.lost:
		c.bad += uint64(len(s.release()))
		s.unreadable()
	case c.size == untilEnd && s.hasFin:
		c.size = c.have
		s.whole()
	case c.size > 0 && c.have > 0 || len(c.buf) > 0:
		have, size := c.have, c.size
		if size == 0 {
			have = uint64(len(c.buf))
		}
		f := s.frame(have)
		f.Missing = c.missing
		f.Bytes = s.release()
		c.size, c.have, c.missing = 0, 0, 0
		f.Err = fmt.Sprintf("%s %d bytes into it", why, have)
		if size > 0 && size < untilEnd {
			f.Err = fmt.Sprintf("%s after %d of its %d bytes", why, have, size)
		}
		s.describe(&f)
		s.out = append(s.out, f)
	}
}
