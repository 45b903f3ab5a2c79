// Package text is the plain line port: people who have nothing but nc or
// telnet join the same rooms over TCP and UDP, lines in, lines out. It shows
// what they lack against a real member: no acknowledgements, no session, no
// frames.
//
//	$ nc 127.0.0.1 9001
//	* wirelab: type to chat, /help for help. …
//	* you are guest-4821, in lobby
//	[lobby] ana: hello
//
// Nobody proves anything here, so it is for loopback addresses. On TCP a
// connection is a member; on UDP a source address is one, from its first
// datagram on until it says /quit or nothing for a minute.
package text

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"wirelab/internal/chat"
)

const (
	firstLine   = time.Second // a new connection is a guest after that, unless it has chosen a name
	writeTime   = 30 * time.Second
	drainTime   = 2 * time.Second // for what is still to be shown after Close
	showBatch   = 16 << 10
	readBuffer  = 1024
	acceptPause = 100 * time.Millisecond // after an accept that failed
)

// A Server lets people chat in plain lines. Hub is required; do not change the
// fields while it serves.
type Server struct {
	Hub    *chat.Hub
	Key    []byte       // the hub's join key, if it has one: the port joins on the people's behalf
	Logger *slog.Logger // if nil, nothing is logged
}

func (s *Server) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

// Serve accepts connections on ln until ctx ends, and returns nil after all of
// them have ended, too; ln is closed then. Each has two goroutines.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	unblock := context.AfterFunc(ctx, func() { ln.Close() })
	defer unblock()
	serving, stop := context.WithCancel(ctx)
	defer wg.Wait()
	defer stop()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var t interface{ Temporary() bool }
			if !errors.As(err, &t) || !t.Temporary() {
				ln.Close()
				return err
			}
			s.logger().Warn("cannot accept a connection for now", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		wg.Go(func() { s.serve(serving, nc) })
	}
}

// A stream is a member on TCP.
type stream struct {
	nc      net.Conn
	more    chan struct{} // something to show
	closing chan struct{}
	once    sync.Once
}

// Info describes the connection to the hub.
func (t *stream) Info() chat.Info {
	return chat.Info{Transport: "text", Mode: "tcp", Remote: t.nc.RemoteAddr().String()}
}

// Wake makes the writer look.
func (t *stream) Wake() {
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// Close ends the connection after what waits was shown.
func (t *stream) Close() {
	t.once.Do(func() {
		t.nc.SetWriteDeadline(time.Now().Add(drainTime))
		close(t.closing)
	})
}

// serve serves one connection until it ends.
func (s *Server) serve(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	t := &stream{nc: nc, more: make(chan struct{}, 1), closing: make(chan struct{})}
	m := newMember(s.Hub, s.Key)
	m.wake, m.quit = t.Wake, t.Close
	conn, err := s.Hub.Attach(t, m.nonce)
	if err != nil {
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		nc.Write([]byte("* no place left: " + visible(err.Error()) + "\n"))
		return
	}
	m.conn = conn
	stop := context.AfterFunc(ctx, t.Close)
	defer stop()
	var writer sync.WaitGroup
	writer.Go(func() { t.write(m) })
	conn.Detach(t.read(m))
	t.Close()
	writer.Wait()
}

// read feeds lines to the member and returns why it ended.
func (t *stream) read(m *member) string {
	t.Wake() // the greeting
	var lines splitter
	buf := make([]byte, readBuffer)
	t.nc.SetReadDeadline(time.Now().Add(firstLine))
	for {
		n, err := t.nc.Read(buf)
		m.conn.Note(chat.NoteBytesIn, n)
		lines.feed(buf[:n], m.line)
		select {
		case <-t.closing:
			return "closed by the server"
		default:
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.nc.SetReadDeadline(time.Time{})
			if !m.present() && !m.enter("") {
				return "no name is free"
			}
			continue
		}
		if err == nil {
			if m.present() {
				t.nc.SetReadDeadline(time.Time{})
			}
			continue
		}
		if len(lines.line) > 0 {
			lines.end(m.line) // nc's input ended without a line end
		}
		if err == io.EOF {
			return "closed by the client"
		}
		return err.Error()
	}
}

// write shows what there is, until the end.
func (t *stream) write(m *member) {
	defer t.nc.Close() // wakes the reader
	var buf []byte
	var frames [][]byte
	for {
		closing := false
		select {
		case <-t.more:
		case <-t.closing:
			closing = true
		}
		for {
			var some bool
			buf, frames, some = m.next(buf[:0], frames, showBatch)
			if !some {
				break
			}
			if !closing {
				t.nc.SetWriteDeadline(time.Now().Add(writeTime))
				select {
				case <-t.closing: // Close may have set its deadline before
					t.nc.SetWriteDeadline(time.Now().Add(drainTime))
				default:
				}
			}
			n, err := t.nc.Write(buf)
			m.conn.Note(chat.NoteBytesOut, n)
			if err != nil {
				t.Close()
				return
			}
		}
		if closing {
			return
		}
		if cap(buf) > 2*showBatch {
			buf = nil
		}
	}
}
