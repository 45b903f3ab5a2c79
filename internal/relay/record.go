package relay

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/pcapng"
)

// Bounds of a capture's memory, in bytes.
const (
	batchSize   = 256 << 10 // is written at once
	pendingSize = 16 << 20  // waits at most while as much is written; then the network waits
)

// flushEvery is how old a packet gets at most before it is written.
const flushEvery = 200 * time.Millisecond

// A capture files packets. No packet is left out: when the disk is so slow that
// pendingSize bytes wait for it, add waits. The file holds whole blocks whatever
// happens: the part of one that a failed write left is cut off again, if the
// writer is a file or can do it like one (Seek and Truncate).
type capture struct {
	w       io.Writer
	pcap    *pcapng.Writer
	packets atomic.Uint64 // filed
	failed  chan struct{} // closed when a write has failed
	done    chan struct{} // closed when run has ended

	spare blocks // were written last: the flushing goroutine's

	mu     sync.Mutex
	room   sync.Cond // less is pending, or a write has failed
	work   chan struct{}
	now    blocks // wait
	closed bool
	err    error
}

// blocks are pcapng blocks in a row, and where each ends.
type blocks struct {
	bytes []byte
	ends  []int
}

// Interfaces of a capture, in the order in which they are described.
const (
	atClient = iota
	atLink
	atServer
)

// newCapture writes the head of a file. The caller runs run.
func newCapture(w io.Writer, link string) (*capture, error) {
	c := &capture{w: w, failed: make(chan struct{}), done: make(chan struct{}), work: make(chan struct{}, 1)}
	c.room.L = &c.mu
	var err error
	if c.pcap, err = pcapng.NewWriter(c); err != nil {
		return nil, err
	}
	for _, i := range []pcapng.Interface{
		atClient: {Name: "client", Description: "the client's end of the link: as packets leave it, and as they arrive"},
		atLink:   {Name: "link", Description: link},
		atServer: {Name: "server", Description: "the server's end of the link: as packets leave it, and as they arrive"},
	} {
		if _, err := c.pcap.Describe(i); err != nil {
			return nil, err
		}
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	return c, nil
}

// add takes a packet. It is not safe for concurrent use.
func (c *capture) add(p *pcapng.Packet) {
	if c.pcap.Write(p) == nil {
		c.packets.Add(1)
	}
}

// Write takes one block from the pcapng writer.
func (c *capture) Write(block []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && !c.closed && len(c.now.bytes) > 0 && len(c.now.bytes)+len(block) > pendingSize {
		c.room.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.closed {
		return 0, io.ErrClosedPipe
	}
	c.now.bytes = append(c.now.bytes, block...)
	c.now.ends = append(c.now.ends, len(c.now.bytes))
	if len(c.now.bytes) >= batchSize {
		select {
		case c.work <- struct{}{}:
		default:
		}
	}
	return len(block), nil
}

// run writes until close. It is the only goroutine that writes.
func (c *capture) run() {
	defer close(c.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.work:
		}
		if c.flush() != nil {
			close(c.failed)
			return
		}
		c.mu.Lock()
		over := c.closed && len(c.now.bytes) == 0
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// flush writes all that waits. Only one goroutine may flush.
func (c *capture) flush() error {
	c.mu.Lock()
	out := c.now
	c.now = blocks{c.spare.bytes[:0], c.spare.ends[:0]}
	c.room.Broadcast()
	c.mu.Unlock()
	c.spare = out
	if len(out.bytes) == 0 {
		return nil
	}
	n, err := c.w.Write(out.bytes)
	if err == nil && n < len(out.bytes) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return nil
	}
	cutOff(c.w, n, out.ends)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = fmt.Errorf("record: %w", err)
	c.room.Broadcast()
	return c.err
}

// close ends the capture once all of it was written. It returns the first error.
func (c *capture) close() error {
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()
	select {
	case c.work <- struct{}{}:
	default:
	}
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// cutOff cuts a file after the last of the blocks, which end at ends, that is
// whole in the n bytes just written. A pipe cannot be cut: then the part stays.
func cutOff(w io.Writer, n int, ends []int) error {
	whole := 0
	for _, e := range ends {
		if e <= n {
			whole = e
		}
	}
	if whole == n {
		return nil
	}
	f, ok := w.(interface {
		io.Seeker
		Truncate(size int64) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	at -= int64(n - whole)
	if err := f.Truncate(at); err != nil {
		return err
	}
	_, err = f.Seek(at, io.SeekStart)
	return err
}
