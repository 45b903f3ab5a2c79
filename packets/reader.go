package packets

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A Reader reads a capture's packets in order. It holds a few hundred kilobytes,
// however large the capture is. It is not safe for concurrent use.
type Reader struct {
	w      *window
	format format
	seen   []Interface
	number int
	err    error // sticky
	close  func() error
}

// A format reads the blocks of one file format.
type format interface {
	// next reads up to and including one packet.
	next(r *Reader, p *Packet) error
	name() string
}

// Open opens the capture at path; "-" is stdin. Close it.
func Open(path string, stdin io.Reader) (*Reader, error) {
	if path == "-" {
		r, err := NewReader(stdin)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return r, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("open %s: it is a folder, want a capture file", path)
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	r.close = f.Close
	return r, nil
}

// NewReader reads a capture from r. It reads its header at once, waiting for it
// if need be. The error is a *NotCapture if r is something else.
func NewReader(r io.Reader) (*Reader, error) {
	w := newWindow(r)
	head, err := w.peek(2)
	if err == nil && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(bufio.NewReaderSize(io.MultiReader(unread(w), r), 64<<10))
		if err != nil {
			return nil, &NotCapture{Looks: "a damaged gzip file (" + err.Error() + ")"}
		}
		w = newWindow(z)
	}
	head, err = w.peek(24)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	rd := &Reader{w: w}
	if len(head) >= 4 {
		switch magic := binary.LittleEndian.Uint32(head); magic {
		case 0x0A0D0D0A:
			rd.format = &ngFormat{}
			return rd, nil
		case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1:
			if len(head) < 24 {
				return nil, &Truncated{At: int64(len(head)), What: "the file header"}
			}
			rd.format, err = newPcap(rd, head)
			return rd, err
		}
	}
	more, _ := w.peek(min(512, max(len(head), w.end-w.at)))
	return nil, lookAt(more)
}

// unread returns what is in w's memory as a reader.
func unread(w *window) io.Reader {
	return &slice{w.buf[w.at:w.end]}
}

type slice struct{ b []byte }

func (s *slice) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b)
	s.b = s.b[n:]
	return n, nil
}

// Format returns "pcap" or "pcapng".
func (r *Reader) Format() string { return r.format.name() }

// Interfaces returns what was described so far: in a pcapng file an interface
// may come at any place before its first packet.
func (r *Reader) Interfaces() []Interface { return r.seen }

// Read reads the next packet into p. At the end it returns io.EOF, of a file
// that ends inside a block *Truncated, and of one that makes no sense *Damaged;
// each of them at every further call.
func (r *Reader) Read(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	if err := r.format.next(r, p); err != nil {
		r.err = err
		return err
	}
	r.number++
	p.Number = r.number
	return nil
}

// Close closes the file, if Open opened one.
func (r *Reader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// cut turns the error of a peek inside a block into what the caller is told.
func (r *Reader) cut(got []byte, err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Truncated{At: r.w.off + int64(len(got)), Block: r.w.off, What: what}
	}
	return fmt.Errorf("at byte %d: %w", r.w.off+int64(len(got)), err)
}

// A resolution is the length of a tick of an interface's clock.
type resolution struct {
	perSecond uint64 // ticks
	offset    int64  // seconds to add
}

// time returns the instant of a count of ticks.
func (s resolution) time(ticks uint64) time.Time {
	switch s.perSecond {
	case 1e9:
		return time.Unix(int64(ticks/1e9)+s.offset, int64(ticks%1e9)).UTC()
	case 1e6:
		return time.Unix(int64(ticks/1e6)+s.offset, int64(ticks%1e6)*1e3).UTC()
	}
	rest := ticks % s.perSecond
	// rest < 2^63, so it may not be multiplied by 1e9 as it is.
	ns := uint64(float64(rest) / float64(s.perSecond) * 1e9)
	if rest < 1<<34 {
		ns = rest * 1e9 / s.perSecond
	}
	return time.Unix(int64(ticks/s.perSecond)+s.offset, int64(min(ns, 1e9-1))).UTC()
}
