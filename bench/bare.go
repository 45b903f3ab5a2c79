//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A bareOrder is the first line on the connection to the bare server: who gets
// datagrams, and how long these are. After it come numbers of messages to send,
// of 32 bits each.
type bareOrder struct {
	Members []netip.AddrPort
	Size    int
}

// bareRun is how many messages are sent together, member by member. Counts are
// multiples of it.
const bareRun = 64

// serveBare is the process of the UDP reference: the least that a program can
// do to send every message to every member. The datagrams are ready, and
// sendmmsg(2) sends a thousand at once. It serves one connection after another.
func serveBare(addr netip.AddrPort) error {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if err := bareServe(fd, c); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, unix.ECONNRESET) {
			return err
		}
		c.Close()
	}
}

// bareServe serves one connection until it ends, which is an error, too.
func bareServe(fd int, c net.Conn) error {
	r := bufio.NewReader(c)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var order bareOrder
	if err := json.Unmarshal(line, &order); err != nil {
		return err
	}
	// Place m*bareRun+i is message i for member m: the members' places share
	// the bareRun buffers.
	bufs := make([][]byte, bareRun)
	for i := range bufs {
		bufs[i] = make([]byte, order.Size)
	}
	v := newVector(len(order.Members) * bareRun)
	for m, addr := range order.Members {
		to := rawAddr(addr)
		for i, b := range bufs {
			v.set(m*bareRun+i, b)
			v.to(m*bareRun+i, to)
		}
	}
	for number := uint64(0); ; {
		var word [4]byte
		if _, err := io.ReadFull(r, word[:]); err != nil {
			return err
		}
		for n := int(binary.BigEndian.Uint32(word[:])); n > 0; n -= bareRun {
			for _, b := range bufs {
				putNumber(b[len(b)-payloadSize:], number)
				number++
			}
			if err := v.send(fd, 0, len(v.msgs)); err != nil {
				return err
			}
		}
	}
}
