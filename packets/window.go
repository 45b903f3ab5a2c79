package packets

import (
	"errors"
	"io"
)

// maxBlock is the most bytes that one block may claim to have: above it the
// length is taken for damage, so that a few bytes cannot ask for gigabytes.
const maxBlock = 16 << 20

// A window is the part of a stream that is in memory. It never reads more than
// a caller waits for, so that a live pipe is shown as it comes.
type window struct {
	r    io.Reader
	buf  []byte
	at   int   // buf[at:end] is not consumed yet
	end  int   // buf[:end] is filled
	off  int64 // of buf[at] in the stream
	fail error // what the reader said after buf[end-1]
}

func newWindow(r io.Reader) *window {
	return &window{r: r, buf: make([]byte, 256<<10)}
}

// peek returns the next n bytes, which stay good until the next call. With less
// before the end it returns these and io.EOF or io.ErrUnexpectedEOF.
func (w *window) peek(n int) ([]byte, error) {
	for w.end-w.at < n && w.fail == nil {
		if w.at+n > len(w.buf) {
			rest := w.buf[w.at:w.end]
			if n > len(w.buf) {
				w.buf = make([]byte, max(n, 2*len(w.buf)))
			}
			w.end = copy(w.buf, rest)
			w.at = 0
		}
		var k int
		k, w.fail = w.r.Read(w.buf[w.end:])
		w.end += k
	}
	if w.end-w.at >= n {
		return w.buf[w.at : w.at+n], nil
	}
	err := w.fail
	if errors.Is(err, io.EOF) && w.end > w.at {
		err = io.ErrUnexpectedEOF
	}
	return w.buf[w.at:w.end], err
}

// skip consumes n bytes that were peeked.
func (w *window) skip(n int) {
	w.at += n
	w.off += int64(n)
}

// discard consumes n bytes, in memory or not.
func (w *window) discard(n int) error {
	for n > 0 {
		k := min(n, len(w.buf))
		b, err := w.peek(k)
		w.skip(len(b))
		if err != nil {
			return err
		}
		n -= k
	}
	return nil
}
