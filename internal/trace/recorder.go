package trace

import (
	"crypto/sha256"
	"fmt"
	"io"

	"wirelab/internal/pcapng"
)

// A Recorder takes a stream as it comes, in pieces of any size, and files it:
// give it to a guest as its standard output. It is not safe for concurrent use.
// Its fields must not change once the first byte was written.
//
// Files stay readable whatever happens: they hold whole lines and whole blocks.
// If a write fails, the part of a line or block that it left is cut off again,
// where the writer is a file or can do it like one (Seek and Truncate).
type Recorder struct {
	Events  io.Writer // gets one event per line; if nil, nobody
	Packets io.Writer // gets a pcapng file; if nil, nobody

	// Handle, if not nil, is called with each record in order, after it was
	// taken for the files. The record is good during the call only. An error
	// ends the recording.
	Handle func(*Record) error

	d       decoder
	partial []byte // the start of a record whose rest has not come
	rec     Record
	events  *sink
	packets *sink
	pcap    *pcapng.Writer
	closed  bool
	err     error
}

// Sums are the SHA-256 of all lines and of the whole pcapng file, computed
// whether or not they were written anywhere.
type Sums struct {
	Events, Packets [sha256.Size]byte
}

// Write takes the next bytes of the stream. Its error is final: bytes that are
// no stream (ErrFormat), a write that failed, or what Handle returned.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.closed {
		return 0, fmt.Errorf("trace: write: %w", io.ErrClosedPipe)
	}
	if r.start(); r.err != nil {
		return 0, r.err
	}
	b, joined := p, len(r.partial) > 0
	if joined {
		r.partial = append(r.partial, p...)
		b = r.partial
	}
	for {
		n, err := r.d.next(b, &r.rec)
		if err == nil && n > 0 {
			err = r.take(&r.rec)
		}
		if err != nil {
			r.err = err
			return 0, err
		}
		if n == 0 {
			if !joined || len(b) < len(r.partial) { // else it lies there already
				r.partial = append(r.partial[:0], b...)
			}
			return len(p), nil
		}
		b = b[n:]
	}
}

// start writes the capture's header, once.
func (r *Recorder) start() {
	if r.events != nil {
		return
	}
	r.events, r.packets = newSink(r.Events), newSink(r.Packets)
	r.pcap, r.err = pcapng.NewWriter(r.packets)
}

// take files one record.
func (r *Recorder) take(rec *Record) error {
	switch rec.Kind {
	case Event:
		if err := r.events.add(rec.Event, []byte{'\n'}); err != nil {
			return fmt.Errorf("trace: events: %w", err)
		}
	case Interface:
		if _, err := r.pcap.Describe(rec.Interface); err != nil {
			return fmt.Errorf("trace: packets: %w", err)
		}
	case Packet:
		if err := r.pcap.Write(&rec.Packet); err != nil {
			return fmt.Errorf("trace: packets: %w", err)
		}
	default:
		return nil // the end
	}
	if r.Handle != nil {
		return r.Handle(rec)
	}
	return nil
}

// Flush writes what was kept back, up to the last whole record.
func (r *Recorder) Flush() error {
	r.start()
	if err := r.events.flush(); err != nil && r.err == nil {
		r.err = fmt.Errorf("trace: events: %w", err)
	}
	if err := r.packets.flush(); err != nil && r.err == nil {
		r.err = fmt.Errorf("trace: packets: %w", err)
	}
	return r.err
}

// Close flushes both files and returns the recording's first error. If there
// was none, it returns io.ErrUnexpectedEOF for a stream without an end: its
// guest stopped in the middle. The files hold what came until then. Close does
// not close the writers; a second Close returns the same.
func (r *Recorder) Close() error {
	if !r.closed {
		r.closed = true
		r.Flush()
		if r.err == nil && !r.d.ended {
			r.err = fmt.Errorf("trace: no end after record %d: %w", r.d.records, io.ErrUnexpectedEOF)
		}
	}
	return r.err
}

// Sums returns the sums of what was recorded so far. Ask after Close.
func (r *Recorder) Sums() Sums {
	r.start()
	return Sums{Events: r.events.sum(), Packets: r.packets.sum()}
}
