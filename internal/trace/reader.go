package trace

import (
	"fmt"
	"io"
)

// A Reader reads a stream. What it reads may be hostile: a record takes at most
// MaxBody bytes of memory, and whatever is no valid stream ends with ErrFormat.
// A Reader is not safe for concurrent use.
type Reader struct {
	r    io.Reader
	d    decoder
	buf  []byte
	at   int // what lies before it in buf was handed out
	rec  Record
	fail error
}

// NewReader returns a reader of the stream in r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: r, buf: make([]byte, 0, bufferSize)}
}

// Next returns the next record, which is good until the next call. It returns
// io.EOF after the end of the stream and io.ErrUnexpectedEOF if the stream
// stops without one.
func (r *Reader) Next() (*Record, error) {
	for r.fail == nil {
		n, err := r.d.next(r.buf[r.at:], &r.rec)
		switch {
		case err != nil:
			r.fail = err
		case n > 0:
			r.at += n
			if !r.d.ended {
				return &r.rec, nil
			}
		default:
			r.fail = r.fill()
		}
	}
	return nil, r.fail
}

// fill reads more bytes behind those that are left.
func (r *Reader) fill() error {
	if r.at > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[r.at:])]
		r.at = 0
	}
	if len(r.buf) == cap(r.buf) {
		grown := make([]byte, len(r.buf), 2*cap(r.buf))
		copy(grown, r.buf)
		r.buf = grown
	}
	for range 100 {
		n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if n > 0 {
			return nil // an error comes again
		}
		if err == io.EOF && r.d.ended && len(r.buf) == 0 {
			return io.EOF
		}
		if err == io.EOF {
			return fmt.Errorf("trace: no end after record %d: %w", r.d.records, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return fmt.Errorf("trace: %w", err)
		}
	}
	return fmt.Errorf("trace: %w", io.ErrNoProgress)
}
