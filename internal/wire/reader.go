package wire

import (
	"fmt"
	"io"
	"sync"
)

const (
	// smallBuffer is what an idle connection keeps: most frames that a
	// client sends fit, and ten thousand idle members cost 5 MB of it.
	smallBuffer = 512
	// largeBuffer is what a busy connection borrows: one read takes some
	// hundred frames.
	largeBuffer = 64 << 10
)

var largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

// A Reader cuts a byte stream into frames. It borrows a large buffer while the
// stream is busy and gives it back when it is idle. Use it from one goroutine.
type Reader struct {
	r          io.Reader
	buf        []byte
	start, end int     // buf[start:end] was read and not yet returned
	small      []byte  // buf when the stream is idle
	pooled     *[]byte // the pool's own buffer when buf is one
	full       bool    // the last read left no room: more is likely waiting
	err        error   // came along with the last bytes read
}

// NewReader returns a Reader of r. It reads ahead: nobody else may read r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame, decoded, and its raw bytes with the length
// prefix. Both are good until the next call. It returns io.EOF only on a frame
// boundary and io.ErrUnexpectedEOF inside a frame. An error of the format wraps
// one of the package's errors and leaves the stream unusable; raw is then the
// frame at fault, if its length could be read.
func (r *Reader) Next() (e Envelope, raw []byte, err error) {
	for {
		if b := r.buf[r.start:r.end]; len(b) >= LengthSize {
			n, err := frameLength(b)
			if err != nil {
				return e, nil, err
			}
			if end := LengthSize + n; len(b) >= end {
				r.start += end
				raw = b[:end:end]
				err = e.decode(raw[LengthSize:])
				return e, raw, err
			}
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.end > r.start {
				err = fmt.Errorf("wire: stream ended %d bytes into a frame: %w", r.end-r.start, io.ErrUnexpectedEOF)
			}
			return e, nil, err
		}
	}
}

// Buffered reports whether a whole frame is in memory, so that Next would not
// read. A frame that Next will refuse counts as whole.
func (r *Reader) Buffered() bool {
	b := r.buf[r.start:r.end]
	if len(b) < LengthSize {
		return false
	}
	n, err := frameLength(b)
	return err != nil || len(b) >= LengthSize+n
}

// fill reads once, behind what is held. A buffer grows only when it is full:
// a length prefix alone, true or not, costs its sender's peer no memory.
func (r *Reader) fill() error {
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	held := r.end - r.start
	switch {
	case r.buf == nil:
		r.small = make([]byte, smallBuffer)
		r.buf = r.small
	case held == 0 && !r.full && len(r.buf) > smallBuffer:
		// The last read emptied the stream, so the next may wait for long.
		r.use(r.small, nil)
	case held == len(r.buf) && held >= largeBuffer:
		r.use(make([]byte, MaxFrame), nil) // not pooled: such frames are rare
	case r.full && len(r.buf) == smallBuffer:
		p := largeBuffers.Get().(*[]byte)
		r.use(*p, p)
	case r.start > 0:
		r.use(r.buf, r.pooled)
	}
	for range 100 {
		n, err := r.r.Read(r.buf[r.end:])
		if n > 0 {
			r.end += n
			r.full = r.end == len(r.buf)
			r.err = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("wire: %w", io.ErrNoProgress)
}

// use moves what is held to the start of buf and goes on with that.
func (r *Reader) use(buf []byte, pooled *[]byte) {
	n := copy(buf, r.buf[r.start:r.end])
	if r.pooled != nil && r.pooled != pooled {
		largeBuffers.Put(r.pooled)
	}
	r.buf, r.pooled, r.start, r.end = buf, pooled, 0, n
}
