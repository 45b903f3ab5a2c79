package wire

import (
	"errors"
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
	start, end int
	pooled     *[]byte // the pool's own buffer when buf is one
	small      []byte
}

// NewReader returns a Reader of r. It reads ahead: nobody else may read r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame, decoded, and its raw bytes with the length
// prefix. Both are good until the next call. It returns io.EOF only on a frame
// boundary and io.ErrUnexpectedEOF inside a frame; an error of the format
// wraps one of the package's errors and leaves the stream unusable.
func (r *Reader) Next() (e Envelope, raw []byte, err error) {
	for {
		b := r.buf[r.start:r.end]
		need := LengthSize
		if len(b) >= LengthSize {
			n, err := frameLength(b)
			if err != nil {
				return e, nil, err
			}
			need += n
			if len(b) >= need {
				r.start += need
				raw = b[:need:need]
				err = e.decode(raw[LengthSize:])
				return e, raw, err
			}
		}
		if err := r.fill(need); err != nil {
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

// fill reads once, into a buffer that can hold need bytes of the frame at start.
func (r *Reader) fill(need int) error {
	held := r.end - r.start
	switch {
	case held == 0 && r.pooled != nil && r.end <= smallBuffer:
		// The last read found little: the stream is idle now.
		r.release()
		r.buf = r.small
	case r.buf == nil:
		r.small = make([]byte, smallBuffer)
		r.buf = r.small
	case r.end == len(r.buf) && r.pooled == nil, need > len(r.buf):
		// The small buffer was filled to the brim, or a frame is larger.
		r.grow(need)
	}
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, held
	}
	for range 100 {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("wire: %w", errors.Join(io.ErrNoProgress))
}

func (r *Reader) grow(need int) {
	held := r.buf[r.start:r.end]
	var buf []byte
	if need <= largeBuffer {
		p := largeBuffers.Get().(*[]byte)
		buf = *p
		n := copy(buf, held)
		r.release()
		r.pooled, r.buf, r.start, r.end = p, buf, 0, n
		return
	}
	buf = make([]byte, MaxFrame)
	n := copy(buf, held)
	r.release()
	// Not pooled: frames of this size are rare.
	r.pooled, r.buf, r.start, r.end = &buf, buf, 0, n
}

func (r *Reader) release() {
	if r.pooled != nil && len(*r.pooled) == largeBuffer {
		largeBuffers.Put(r.pooled)
	}
	r.pooled, r.start, r.end = nil, 0, 0
}
