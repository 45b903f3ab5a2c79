package main

import (
	"io"
	"time"
)

// A blockFile gathers the blocks of a pcapng file, of which each comes in one
// Write, and writes them together. If the disk is full it cuts the file after the
// last block that is whole, so that every reader takes it.
type blockFile struct {
	w     io.Writer
	cut   func(int64) error // to so many bytes; nil if w is no file
	buf   []byte
	ends  []int     // of the blocks in buf
	since time.Time // when the oldest came
	done  int64     // bytes written
	err   error     // for good
}

// blockFileSize is how many bytes wait at most, but for a longer block.
const blockFileSize = 256 << 10

// Write takes in one block.
func (f *blockFile) Write(block []byte) (int, error) {
	if len(f.buf)+len(block) > blockFileSize {
		if err := f.Flush(); err != nil {
			return 0, err
		}
	}
	if !f.waiting() {
		f.since = time.Now()
	}
	f.buf = append(f.buf, block...)
	f.ends = append(f.ends, len(f.buf))
	return len(block), f.err
}

// waiting reports whether there is something to flush.
func (f *blockFile) waiting() bool { return len(f.buf) > 0 }

// Flush writes what waits. After an error it returns that again.
func (f *blockFile) Flush() error {
	if f.err != nil || !f.waiting() {
		return f.err
	}
	n, err := f.w.Write(f.buf)
	if err != nil {
		whole := 0
		for _, end := range f.ends {
			if end <= n {
				whole = end
			}
		}
		if f.cut != nil {
			_ = f.cut(f.done + int64(whole)) // a device cannot be cut; err says enough
		}
		f.err = err
	}
	f.done += int64(n)
	f.buf, f.ends = f.buf[:0], f.ends[:0]
	return f.err
}
