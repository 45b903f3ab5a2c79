//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A conn is a TCP connection as a bare descriptor: a thousand of them in one
// epoll set cost the load generator a fraction of what goroutines would.
type conn struct {
	fd         int
	buf        []byte // what was read and not yet cut; nil while counting
	start, end int
}

// stalled is how long a socket call waits before the run counts as failed.
const stalled = 15 * time.Second

// dial connects to addr from the loopback address source. Rounds use different
// ones so that ports in TIME_WAIT never run out.
func dial(addr, source netip.AddrPort) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &conn{fd: fd}
	wait := unix.NsecToTimeval(int64(stalled))
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: source.Addr().As4()}),
		connect(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}),
	)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connect %v: %w", addr, err)
	}
	return c, nil
}

// connect waits for the connection even where a signal interrupts it, as the
// Go runtime's do: connect(2) then goes on by itself.
func connect(fd int, to unix.Sockaddr) error {
	if err := unix.Connect(fd, to); err != unix.EINTR {
		return err
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(stalled.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		return err
	}
}

func (c *conn) close() { unix.Close(c.fd) }

func (c *conn) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("write: %w", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

// fill reads once into the buffer. It waits unless flags has MSG_DONTWAIT, in
// which case finding nothing is no error.
func (c *conn) fill(flags int) (int, error) {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if c.end == len(c.buf) {
		if c.start == 0 {
			c.buf = append(c.buf, make([]byte, max(4096, len(c.buf)))...)
		}
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf[c.end:], flags)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && flags&unix.MSG_DONTWAIT != 0:
			return 0, nil
		case err == unix.EAGAIN:
			return 0, fmt.Errorf("read: nothing for %v", stalled)
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case n == 0:
			return 0, io.ErrUnexpectedEOF
		}
		c.end += n
		return n, nil
	}
}

// message returns the next message whole, answering what asks for it. It is
// good until the next call.
func (c *conn) message(p protocol) ([]byte, error) {
	for {
		b := c.buf[c.start:c.end]
		size, _, answer, err := p.next(b)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			c.start += size
			if answer != nil {
				if err := c.write(answer); err != nil {
					return nil, err
				}
			}
			return b[:size], nil
		}
		if _, err := c.fill(0); err != nil {
			return nil, err
		}
	}
}

// discard drops up to max bytes that have arrived and returns how many. Linux
// does it without copying them (tcp(7), MSG_TRUNC).
func (c *conn) discard(max int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), 0, uintptr(max), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("read: %w", errno)
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return int(n), nil
}
