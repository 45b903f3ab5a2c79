package tcpchat

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"wirelab/internal/chat"
	"wirelab/internal/wire"
)

const (
	// writeBatch is about how many bytes of the log one write takes.
	writeBatch = 256 << 10
	// gather is up to how many bytes are copied together rather than handed
	// to the kernel as a vector: for a few control frames that is cheaper, and
	// a net.Conn keeps the vector's memory for good.
	gather = 8 << 10
	// dozeAfter is how often a connection gives up its buffer and its stack,
	// if it stands between two frames.
	dozeAfter = time.Second
)

// A conn is the server's end of one connection. It has one goroutine that
// reads; the one that writes exists only while there is something to write.
//
// Ten thousand idle members should cost little, and a stack that has grown
// does not shrink below 4 KiB. So an idle connection waits in a goroutine that
// does nothing else (doze), with one byte for a buffer, and each spell of work
// has a goroutine and a buffer of its own (read). There is always one of them.
type conn struct {
	hub          *chat.Hub
	nc           net.Conn
	log          *slog.Logger
	writeTimeout time.Duration

	peer *chat.Conn // set before the writer first starts

	mu      sync.Mutex
	state   state
	again   bool          // the writer was asked to look once more
	closing bool          // the writer stops when there is nothing left
	stopped chan struct{} // closed when state becomes done; nil: nobody waits

	armed time.Time // when the write deadline was set; the writer's
	first [1]byte   // of a frame, read while dozing
	ended func()
}

// A state is what the writer does.
type state uint8

const (
	starting state = iota // the hub does not know the connection yet
	idle
	writing
	done
)

// Info describes the connection to the hub.
func (c *conn) Info() chat.Info {
	return chat.Info{Transport: "tcp", Remote: c.nc.RemoteAddr().String()}
}

// Wake starts the writer if it does not run.
func (c *conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case starting, writing:
		c.again = true
	case idle:
		c.state = writing
		go c.write()
	}
}

// Close ends the connection after what waits was written, or after drainTime.
func (c *conn) Close() {
	c.mu.Lock()
	first := !c.closing
	if first {
		c.closing = true
		c.nc.SetWriteDeadline(time.Now().Add(drainTime))
	}
	c.mu.Unlock()
	if first {
		c.Wake()
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// run attaches the connection to the hub and begins to read.
func (c *conn) run(ended func()) {
	peer, err := c.hub.Attach(c, nil)
	if err != nil {
		c.turnAway(err)
		c.nc.Close()
		ended()
		return
	}
	c.ended = ended
	c.peer = peer
	c.mu.Lock()
	c.state = idle
	woken := c.again
	c.again = false
	c.mu.Unlock()
	if woken {
		c.Wake()
	}
	c.read(0, nil)
}

// read works until the connection is idle, and then leaves it to doze, or
// until it ends. The first n bytes were read before, and err with them.
func (c *conn) read(n int, err error) {
	var reason string
	if n == 0 && err != nil {
		reason = c.failed(err)
	} else if reason = c.work(n); reason == "" {
		go c.doze()
		return
	}
	c.peer.Detach(reason)
	c.Close()
	c.wait()
	c.linger()
	c.nc.Close()
	c.ended()
}

// doze waits for the next byte, with as little stack as can be.
func (c *conn) doze() {
	n, err := c.nc.Read(c.first[:])
	go c.read(n, err)
}

// rearm sets the time at which work looks whether it may doze; zero is never.
// It reports false when the connection is being closed, which has a deadline
// of its own.
func (c *conn) rearm(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.nc.SetReadDeadline(t)
	return true
}

// wait waits until the writer is done for good.
func (c *conn) wait() {
	c.mu.Lock()
	if c.state == done {
		c.mu.Unlock()
		return
	}
	stopped := make(chan struct{})
	c.stopped = stopped
	c.mu.Unlock()
	<-stopped
}

// stop notes that the writer is done for good.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = done
	if c.stopped != nil {
		close(c.stopped)
	}
}

// rest lets the writer end, unless there is more to do.
func (c *conn) rest() (more, closing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.again:
		c.again = false
		return true, false
	case c.closing:
		return false, true
	}
	c.state = idle
	return false, false
}

// A source is the connection's bytes, counted, after those read before.
type source struct {
	nc    net.Conn
	first []byte
	n     int // bytes handed out
}

func (s *source) Read(b []byte) (int, error) {
	if len(s.first) > 0 {
		n := copy(b, s.first)
		s.first = s.first[n:]
		s.n += n
		return n, nil
	}
	n, err := s.nc.Read(b)
	s.n += n
	return n, err
}

// work hands what arrives to the hub. It returns why the connection ends, or
// nothing when it is idle: between two frames when dozeAfter has passed.
func (c *conn) work(n int) string {
	if !c.rearm(time.Now().Add(dozeAfter)) {
		return closedHere
	}
	src := &source{nc: c.nc, first: c.first[:n]}
	r := wire.NewReader(src)
	in, taken := 0, 0
	for {
		e, raw, err := r.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			switch {
			case src.n > taken: // inside a frame
				if !c.rearm(time.Now().Add(dozeAfter)) {
					return closedHere
				}
				continue
			case !c.rearm(time.Time{}):
				return closedHere
			}
			return ""
		}
		if err != nil {
			return c.failed(err)
		}
		in += len(raw)
		taken += len(raw)
		err = c.peer.Receive(&e)
		if err != nil || !r.Buffered() {
			c.peer.Note(chat.NoteBytesIn, in)
			in = 0
			c.peer.Flush()
		}
		if err != nil {
			return err.Error()
		}
	}
}

const closedHere = "closed by the server"

// failed tells the peer of bytes that are no frame, and puts err in words.
func (c *conn) failed(err error) string {
	var ne net.Error
	switch {
	case c.isClosing():
		return closedHere
	case err == io.EOF:
		return "closed by the client"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &ne), errors.Is(err, io.ErrClosedPipe):
		return err.Error()
	}
	c.peer.Fault(err)
	return err.Error()
}

// linger reads and forgets until the peer has closed, too, or lingerTime has
// passed after the last frame was written.
func (c *conn) linger() {
	c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c.nc, 1<<20)
}

// A batch is what the writer has in hand.
type batch struct {
	slices   [][]byte
	buffers  net.Buffers
	gathered []byte
}

var batches = sync.Pool{New: func() any {
	return &batch{slices: make([][]byte, 0, 64), gathered: make([]byte, 0, gather)}
}}

// write sends what the hub has, until there is nothing left.
func (c *conn) write() {
	b := batches.Get().(*batch)
	defer func() {
		clear(b.slices[:cap(b.slices)])
		b.slices = b.slices[:0]
		batches.Put(b)
	}()
	for {
		var some bool
		b.slices, some = c.peer.Next(b.slices[:0], writeBatch)
		if !some {
			more, closing := c.rest()
			if more {
				continue
			}
			if closing {
				c.finish()
				c.stop()
			}
			return
		}
		n, err := c.send(b)
		c.peer.Note(chat.NoteBytesOut, int(n))
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.peer.Detach(fmt.Sprintf("takes nothing: a write did not end within %v", c.writeTimeout))
			}
			c.log.Debug("writing failed", "remote", c.nc.RemoteAddr(), "err", err)
			c.nc.Close() // wakes the reader
			c.stop()
			return
		}
	}
}

// send writes the slices: the log's own bytes, without a copy.
func (c *conn) send(b *batch) (int64, error) {
	if now := time.Now(); now.Sub(c.armed) > c.writeTimeout/6 {
		c.armed = now
		c.mu.Lock()
		if !c.closing { // else drainTime counts
			c.nc.SetWriteDeadline(now.Add(c.writeTimeout))
		}
		c.mu.Unlock()
	}
	size := 0
	for _, p := range b.slices {
		size += len(p)
	}
	switch {
	case len(b.slices) == 1:
		n, err := c.nc.Write(b.slices[0])
		return int64(n), err
	case size <= gather:
		for _, p := range b.slices {
			b.gathered = append(b.gathered, p...)
		}
		n, err := c.nc.Write(b.gathered)
		b.gathered = b.gathered[:0]
		return int64(n), err
	}
	b.buffers = b.slices
	n, err := b.buffers.WriteTo(c.nc)
	b.buffers = nil
	return n, err
}

// finish ends the writing side. The peer sees the end of the stream after the
// last frame; the reader waits a while for it to close.
func (c *conn) finish() {
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		c.nc.SetReadDeadline(time.Now().Add(lingerTime))
		return
	}
	c.nc.Close()
}

// turnAway tells a connection that there is no place for it. The frame fits
// the empty socket buffer, so this does not wait.
func (c *conn) turnAway(err error) {
	// The hub counts these: a flood of them must not fill the log.
	c.log.Debug("connection refused", "remote", c.nc.RemoteAddr(), "err", err)
	frame, e := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{
		Code: "busy", Message: err.Error(), Hint: "try again later", RetryMS: 2000,
	})})
	if e != nil {
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	c.nc.Write(frame)
}
