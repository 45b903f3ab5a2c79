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

// writeBatch is about how many bytes of the log one write takes.
const writeBatch = 256 << 10

// A conn is the server's end of one connection. It has one goroutine that
// reads; the one that writes exists only while there is something to write.
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
	c.closing = true
	c.mu.Unlock()
	if first {
		c.nc.SetWriteDeadline(time.Now().Add(drainTime))
		c.Wake()
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// run reads until the connection ends.
func (c *conn) run() {
	defer c.nc.Close()
	peer, err := c.hub.Attach(c, nil)
	if err != nil {
		c.turnAway(err)
		return
	}
	c.peer = peer
	c.mu.Lock()
	c.state = idle
	woken := c.again
	c.again = false
	c.mu.Unlock()
	if woken {
		c.Wake()
	}
	peer.Detach(c.read())
	c.Close()
	c.wait()
	c.linger()
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

// read hands what arrives to the hub and returns why it ended.
func (c *conn) read() string {
	r := wire.NewReader(c.nc)
	in := 0
	for {
		e, raw, err := r.Next()
		if err != nil {
			return c.ended(err)
		}
		in += len(raw)
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

// ended tells the peer of bytes that are no frame, and puts err in words.
func (c *conn) ended(err error) string {
	var ne net.Error
	switch {
	case c.isClosing():
		return "closed by the server"
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
	slices  [][]byte
	buffers net.Buffers
}

var batches = sync.Pool{New: func() any { return &batch{slices: make([][]byte, 0, 64)} }}

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
	if now := time.Now(); now.Sub(c.armed) > c.writeTimeout/6 && !c.isClosing() {
		c.armed = now
		c.nc.SetWriteDeadline(now.Add(c.writeTimeout))
	}
	if len(b.slices) == 1 {
		n, err := c.nc.Write(b.slices[0])
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
	c.log.Warn("connection refused", "remote", c.nc.RemoteAddr(), "err", err)
	frame, e := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{
		Code: "busy", Message: err.Error(), Hint: "try again later", RetryMS: 2000,
	})})
	if e != nil {
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	c.nc.Write(frame)
}
