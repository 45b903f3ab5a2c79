package trace

import (
	"crypto/sha256"
	"hash"
	"io"
)

// A sink collects pieces, each whole in itself, hashes them and writes them on
// in batches. If a write fails, it takes back the part of a piece that it left
// behind, where the writer can do that.
type sink struct {
	w    io.Writer // may be nil: then the pieces are only hashed
	hash hash.Hash
	buf  []byte
	ends []int // where the pieces in buf end
	err  error
}

func newSink(w io.Writer) *sink { return &sink{w: w, hash: sha256.New()} }

// Write adds one piece.
func (s *sink) Write(piece []byte) (int, error) {
	return len(piece), s.add(piece, nil)
}

// add adds one piece that has two parts.
func (s *sink) add(a, b []byte) error {
	if s.err != nil {
		return s.err
	}
	s.hash.Write(a)
	s.hash.Write(b)
	if s.w == nil {
		return nil
	}
	s.buf = append(append(s.buf, a...), b...)
	s.ends = append(s.ends, len(s.buf))
	if len(s.buf) >= bufferSize {
		return s.flush()
	}
	return nil
}

func (s *sink) flush() error {
	if s.err != nil || len(s.buf) == 0 {
		return s.err
	}
	n, err := s.w.Write(s.buf)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = err
		s.trim(n)
	}
	s.buf, s.ends = s.buf[:0], s.ends[:0]
	return s.err
}

// trim cuts the file after the last whole piece of the n bytes that were
// written. A pipe or a terminal cannot be cut: then the part stays.
func (s *sink) trim(n int) {
	whole := 0
	for _, e := range s.ends {
		if e <= n {
			whole = e
		}
	}
	f, ok := s.w.(interface {
		io.Seeker
		Truncate(size int64) error
	})
	if !ok || whole == n {
		return
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil && f.Truncate(at-int64(n-whole)) == nil {
		f.Seek(at-int64(n-whole), io.SeekStart)
	}
}

func (s *sink) sum() (sum [sha256.Size]byte) {
	s.hash.Sum(sum[:0])
	return sum
}
