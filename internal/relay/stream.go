package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A stream is one end of a TCP connection, the kernel's or an emulated host's.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error // sends a FIN
	Abort() error      // sends a RST, and closes
}

// A kernelStream is a connection of the kernel.
type kernelStream struct{ *net.TCPConn }

// Abort closes with a RST: with a linger time of zero the kernel sends it
// instead of a FIN, on every system.
func (s kernelStream) Abort() error {
	s.SetLinger(0)
	return s.Close()
}

// Buffers of a pump, in bytes: each direction of an idle connection holds the
// least, one that is busy up to the most.
const (
	leastBuffer = 4 << 10
	mostBuffer  = 256 << 10
)

// A splice joins two streams. Bytes, FIN and RST pass through in order: the
// end of what one side sends becomes a CloseWrite on the other, any other
// error becomes an Abort of both.
type splice struct {
	count [2]atomic.Uint64  // bytes handed on: from a to b, from b to a
	total [2]*atomic.Uint64 // if not nil, counts the same, over many splices
	ended [2]atomic.Bool    // that direction is over: its FIN has come

	mu    sync.Mutex
	ends  [2]stream // a, b
	dead  bool
	cause error // why it was aborted
}

// run joins a to what dial returns, until both have ended. While it dials, a
// is read already, so that dialing ends when a is reset. It returns nil if
// both sides closed in their order, else why they were reset.
func (s *splice) run(ctx context.Context, a stream, dial func(context.Context) (stream, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.abort(context.Cause(ctx)) })
	defer stop()
	s.attach(0, a)
	dialed := make(chan struct{})
	var b stream
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, leastBuffer)
		n, err := a.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) {
			s.abort(err)
			cancel()
			return
		}
		if <-dialed; b != nil {
			s.pump(0, b, a, buf, n, err)
		}
	})
	b, err := dial(ctx)
	if err != nil {
		b = nil
		s.abort(err)
	} else {
		s.attach(1, b)
	}
	close(dialed)
	if b != nil {
		s.pump(1, a, b, make([]byte, leastBuffer), 0, nil)
	}
	wg.Wait()
	return s.close()
}

// pump carries bytes from src to dst until src ends; n bytes in buf and err
// are what the first read gave.
func (s *splice) pump(way int, dst, src stream, buf []byte, n int, err error) {
	for {
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				s.abort(err)
				return
			}
			s.count[way].Add(uint64(n))
			if s.total[way] != nil {
				s.total[way].Add(uint64(n))
			}
		}
		if err != nil {
			break
		}
		buf = resized(buf, n)
		n, err = src.Read(buf)
	}
	if !errors.Is(err, io.EOF) {
		s.abort(err)
		return
	}
	s.ended[way].Store(true)
	// It fails if dst was reset. The pump that reads dst finds that out; if dst
	// had ended before, both directions are over anyway.
	dst.CloseWrite()
}

// resized returns a buffer that suits a source of which the last read, into
// buf, gave n bytes.
func resized(buf []byte, n int) []byte {
	switch {
	case n == len(buf) && n < mostBuffer:
		return make([]byte, 4*n)
	case n > 0 && n <= len(buf)/16 && len(buf) > leastBuffer:
		return make([]byte, len(buf)/4)
	}
	return buf
}

// attach makes st one of the ends that an abort aborts.
func (s *splice) attach(i int, st stream) {
	s.mu.Lock()
	s.ends[i] = st
	dead := s.dead
	s.mu.Unlock()
	if dead {
		st.Abort()
	}
}

// abort resets both ends. The first cause counts.
func (s *splice) abort(cause error) {
	s.mu.Lock()
	ends := s.ends
	if s.dead {
		s.mu.Unlock()
		return
	}
	s.dead, s.cause = true, cause
	s.mu.Unlock()
	for _, st := range ends {
		if st != nil {
			st.Abort()
		}
	}
}

// close closes both ends, unless they were aborted.
func (s *splice) close() error {
	s.mu.Lock()
	ends, dead, cause := s.ends, s.dead, s.cause
	s.dead = true
	s.mu.Unlock()
	if dead {
		return cause
	}
	for _, st := range ends {
		if st != nil {
			st.Close()
		}
	}
	return nil
}
