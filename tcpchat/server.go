package tcpchat

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"wirelab/internal/chat"
)

const (
	// lingerTime is how long a closed connection is still read, so that its
	// last frames arrive: to close a socket with unread bytes resets the
	// connection and may destroy what the peer has not read yet (RFC 9293,
	// section 3.6.1; RFC 1122, section 4.2.2.13).
	lingerTime = time.Second
	// drainTime bounds what is written after Close.
	drainTime = 5 * time.Second
)

// A Server lets members chat over TCP. Hub is required; do not change the
// fields while it serves.
type Server struct {
	Hub    *chat.Hub
	Logger *slog.Logger // if nil, nothing is logged

	// WriteTimeout ends a connection that does not take a write, of up to
	// 256 KiB, in so long; if zero, 30 s. It is exact to a sixth.
	WriteTimeout time.Duration
}

// Serve accepts connections on ln until ctx ends, and returns nil after all
// of them have ended, too; ln is closed then. A failure to accept that passes,
// such as too many open files, is waited out; any other is returned. To say
// goodbye to the members, close the hub before ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	log := s.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	timeout := s.WriteTimeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	return serve(ctx, ln, log, func(nc net.Conn) handler {
		return &conn{hub: s.Hub, nc: nc, log: log, writeTimeout: timeout}
	})
}

// A handler serves one connection.
type handler interface {
	run(ended func()) // serves in other goroutines, too; calls ended in the last one
	Close()           // makes it end, after what waits was sent
}

// serve is the accept loop.
func serve(ctx context.Context, ln net.Listener, log *slog.Logger, make func(net.Conn) handler) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns = map[handler]struct{}{}
		delay time.Duration
	)
	unblock := context.AfterFunc(ctx, func() { ln.Close() })
	defer unblock()
	var failure error
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			if !passes(err) {
				failure = err
				break
			}
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			log.Warn("cannot accept a connection for now", "err", err, "again_in", delay)
			select {
			case <-ctx.Done():
			case <-time.After(delay):
			}
			continue
		}
		delay = 0
		h := make(nc)
		mu.Lock()
		conns[h] = struct{}{}
		mu.Unlock()
		wg.Add(1)
		go h.run(func() {
			mu.Lock()
			delete(conns, h)
			mu.Unlock()
			wg.Done()
		})
	}
	ln.Close()
	mu.Lock()
	for h := range conns {
		h.Close()
	}
	mu.Unlock()
	wg.Wait()
	return failure
}

// passes reports whether a failed accept is worth another try.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
