package vnet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// A socket is what a program holds of a connection: gVisor's, behind a gate
// that Stop closes and Kill breaks.
type socket struct {
	life   *life
	inner  inner
	closed chan struct{} // by Close

	mu          sync.Mutex
	read, write time.Time // the program's deadlines
	nudged      bool      // the inner ones were moved to make calls come back
	done        bool      // closed is closed
	killed      bool
}

// inner is what a socket wants of gonet's types.
type inner interface {
	net.Conn
}

var past = time.Unix(1, 0)

// add makes a socket part of the host's program.
func (l *life) add(c inner) (*socket, error) {
	s := &socket{life: l, inner: c, closed: make(chan struct{})}
	l.mu.Lock()
	killed := l.sockets == nil
	if !killed {
		l.opened++
		l.sockets[s] = l.opened
	}
	l.mu.Unlock()
	if killed {
		c.Close()
		return nil, ErrKilled
	}
	return s, nil
}

// gate waits while the program is stopped. It returns an error if the call must
// not go on.
func (s *socket) gate() error {
	for {
		ch := s.life.host.pause()
		select {
		case <-s.life.dead:
			return ErrKilled
		case <-s.closed:
			return net.ErrClosed
		default:
		}
		if ch == nil {
			return nil
		}
		select {
		case <-ch:
		case <-s.life.dead:
		}
	}
}

// starve waits for as long as a slow program takes for a read.
func (s *socket) starve() error {
	h := s.life.host
	h.mu.Lock()
	d := h.slow
	h.mu.Unlock()
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return s.gate()
	case <-s.life.dead:
		return ErrKilled
	case <-s.closed:
		return net.ErrClosed
	}
}

// call does one call of the program. fn may be done again: one that Stop made
// come back has done nothing.
func (s *socket) call(op string, read bool, fn func() (int, error)) (int, error) {
	if err := s.gate(); err != nil {
		return 0, s.fail(op, err)
	}
	if read {
		if err := s.starve(); err != nil {
			return 0, s.fail(op, err)
		}
	}
	sum := 0
	for {
		n, err := fn()
		sum += n
		if err == nil || !timeout(err) {
			return sum, s.fail(op, err)
		}
		s.mu.Lock()
		again := s.nudged || s.killed || !s.passed(read)
		s.mu.Unlock()
		if !again {
			return sum, s.fail(op, os.ErrDeadlineExceeded)
		}
		// Stop or Kill, not the program's deadline.
		if err := s.gate(); err != nil {
			return sum, s.fail(op, err)
		}
	}
}

// passed reports whether the program's own deadline has. s.mu is held.
func (s *socket) passed(read bool) bool {
	d := s.write
	if read {
		d = s.read
	}
	return !d.IsZero() && !time.Now().Before(d)
}

func timeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// nudge makes calls that wait in the stack come back.
func (s *socket) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nudged = true
	s.inner.SetDeadline(past)
}

// restore undoes nudge.
func (s *socket) restore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed || !s.nudged {
		return
	}
	s.nudged = false
	s.inner.SetReadDeadline(s.read)
	s.inner.SetWriteDeadline(s.write)
}

// kill makes all calls come back with ErrKilled.
func (s *socket) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed = true
	s.inner.SetDeadline(past)
}

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(t time.Time) error {
	return s.deadline(&s.read, t, s.inner.SetReadDeadline)
}

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(t time.Time) error {
	return s.deadline(&s.write, t, s.inner.SetWriteDeadline)
}

func (s *socket) deadline(mine *time.Time, t time.Time, set func(time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.fail("set deadline", net.ErrClosed)
	}
	*mine = t
	if s.nudged || s.killed {
		return nil
	}
	return set(t)
}

// close marks the socket closed, once. It waits while the program is stopped.
func (s *socket) close() (first bool, err error) {
	for ch := s.life.host.pause(); ch != nil; ch = s.life.host.pause() {
		select {
		case <-ch:
			continue
		case <-s.life.dead:
		}
		break
	}
	s.mu.Lock()
	if s.done {
		s.mu.Unlock()
		return false, s.fail("close", net.ErrClosed)
	}
	s.done = true
	close(s.closed)
	s.mu.Unlock()
	l := s.life
	l.mu.Lock()
	delete(l.sockets, s)
	l.mu.Unlock()
	return true, nil
}

// Close implements net.Conn.
func (s *socket) Close() error {
	if first, err := s.close(); !first {
		return err
	}
	select {
	case <-s.life.dead:
		return nil // the stack ends by itself
	default:
		return s.inner.Close()
	}
}

// LocalAddr implements net.Conn.
func (s *socket) LocalAddr() net.Addr { return s.inner.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return s.inner.RemoteAddr() }

// fail words an error as package net does. nil stays nil.
func (s *socket) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	cause := err
	var op2 *net.OpError
	if errors.As(err, &op2) {
		cause = op2.Err
	}
	select {
	case <-s.life.dead:
		cause = ErrKilled
	default:
		select {
		case <-s.closed:
			cause = net.ErrClosed
		default:
			if known := systemError(cause); known != nil {
				cause = known
			} else if op2 == nil && !errors.Is(cause, net.ErrClosed) && !errors.Is(cause, os.ErrDeadlineExceeded) && !errors.Is(cause, ErrKilled) {
				return err // io.EOF, for one
			}
		}
	}
	out := &net.OpError{Op: op, Err: cause}
	if a := s.inner.LocalAddr(); a != nil {
		out.Net, out.Source = a.Network(), a
	}
	if a := s.inner.RemoteAddr(); !isNil(a) {
		out.Addr = a
	}
	return out
}

// isNil sees through gonet's addresses that are typed nils.
func isNil(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return true
	case *net.TCPAddr:
		return a == nil
	case *net.UDPAddr:
		return a == nil
	}
	return false
}

// systemError returns the system's error for one of the stack's, of which
// gonet has left the text alone; nil if there is none.
func systemError(err error) error {
	for _, e := range []struct {
		stack  tcpip.Error
		system error
	}{
		{&tcpip.ErrConnectionRefused{}, syscall.ECONNREFUSED},
		{&tcpip.ErrConnectionReset{}, syscall.ECONNRESET},
		{&tcpip.ErrConnectionAborted{}, syscall.ECONNABORTED},
		{&tcpip.ErrTimeout{}, syscall.ETIMEDOUT},
		{&tcpip.ErrClosedForSend{}, syscall.EPIPE},
		{&tcpip.ErrPortInUse{}, syscall.EADDRINUSE},
		{&tcpip.ErrMessageTooLong{}, syscall.EMSGSIZE},
		{&tcpip.ErrHostUnreachable{}, syscall.EHOSTUNREACH},
		{&tcpip.ErrNetworkUnreachable{}, syscall.ENETUNREACH},
		{&tcpip.ErrBadLocalAddress{}, syscall.EADDRNOTAVAIL},
	} {
		if err.Error() == e.stack.String() {
			return e.system
		}
	}
	return nil
}

// stackError words one of the stack's errors. What a stack says while it is taken
// down is that the host was killed.
func (l *life) stackError(err tcpip.Error) error {
	select {
	case <-l.dead:
		return ErrKilled
	default:
	}
	plain := errors.New(err.String())
	if known := systemError(plain); known != nil {
		return known
	}
	return fmt.Errorf("%w", plain)
}
