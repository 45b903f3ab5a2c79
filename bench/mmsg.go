//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct of that name, see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// maxVector is the most datagrams that one system call takes (UIO_MAXIOV).
const maxVector = 1024

// A vector is the argument of sendmmsg and recvmmsg: datagrams, of which each
// is one buffer.
type vector struct {
	msgs []mmsghdr
	iovs []unix.Iovec
	bufs [][]byte
}

func newVector(n int) *vector {
	v := &vector{msgs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n), bufs: make([][]byte, n)}
	for i := range v.msgs {
		v.msgs[i].hdr.Iov = &v.iovs[i]
		v.msgs[i].hdr.SetIovlen(1)
	}
	return v
}

// set makes b the buffer of datagram i.
func (v *vector) set(i int, b []byte) {
	v.bufs[i] = b
	v.iovs[i].Base = &b[0]
	v.iovs[i].SetLen(len(b))
}

// to makes addr the destination of datagram i.
func (v *vector) to(i int, addr *unix.RawSockaddrInet4) {
	v.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(addr))
	v.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
}

// receive takes what has arrived at fd and returns how many datagrams.
func (v *vector) receive(fd int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msgs[0])), uintptr(len(v.msgs)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("recvmmsg: %w", errno)
}

// send sends the n datagrams from place from on.
func (v *vector) send(fd, from, n int) error {
	for end := from + n; from < end; {
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msgs[from])), uintptr(min(end-from, maxVector)), 0, 0, 0)
		switch errno {
		case 0:
			from += int(sent)
		case unix.EINTR:
		default:
			return fmt.Errorf("sendmmsg: %w", errno)
		}
	}
	runtime.KeepAlive(v)
	return nil
}

// datagram returns what the last receive put into place i.
func (v *vector) datagram(i int) []byte { return v.bufs[i][:min(int(v.msgs[i].n), len(v.bufs[i]))] }

func rawAddr(a netip.AddrPort) *unix.RawSockaddrInet4 {
	// The port is in network byte order.
	return &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4(), Port: a.Port()<<8 | a.Port()>>8}
}
