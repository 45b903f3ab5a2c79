package udpchat

import (
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// A descriptor is a UDP socket that Go's network poller does not watch. The
// poller asks to be woken whenever a socket can be written to, and each
// datagram that the network is done with frees room in the send buffer: on
// loopback that were a dozen wake-ups for each sendmmsg, which halved what a
// server could send. So the two goroutines of a server wait in the system
// calls themselves, which costs two threads.
//
// Cutting a run of datagrams in the kernel (UDP_SEGMENT) would be faster still,
// but on loopback a capture shows the run as one datagram, and this program is
// there to show datagrams.
type descriptor struct {
	*net.UDPConn // closed; for its addresses, and to be taken for what it is
	batch
	fd   int
	shut atomic.Bool
}

// waitForOne makes a blocking recvmmsg return with what there is.
const waitForOne = unix.MSG_WAITFORONE

// takeOver makes the socket of conn a descriptor and closes conn.
func takeOver(conn *net.UDPConn) (*descriptor, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &descriptor{UDPConn: conn}
	var failed error
	err = raw.Control(func(fd uintptr) {
		d.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("udpchat: duplicate the socket: %w", failed)
	}
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok && a.IP.To4() != nil {
		d.batch = ipv4.NewPacketConn(d)
	} else {
		// ipv4.Message and ipv6.Message are the same type.
		d.batch = ipv6.NewPacketConn(d)
	}
	conn.Close() // takes it out of the poller; the socket lives on
	// The file is shared by both descriptors, and so is its mode.
	if err := unix.SetNonblock(d.fd, false); err != nil {
		unix.Close(d.fd)
		return nil, fmt.Errorf("udpchat: make the socket block: %w", err)
	}
	return d, nil
}

// Close makes system calls on the descriptor end, now and later.
func (d *descriptor) Close() error {
	d.shut.Store(true)
	// It says ENOTCONN and does it all the same.
	_ = unix.Shutdown(d.fd, unix.SHUT_RDWR)
	return nil
}

// release gives the descriptor back. Nobody may use it any more.
func (d *descriptor) release() { unix.Close(d.fd) }

// SyscallConn is what the batch calls go through.
func (d *descriptor) SyscallConn() (syscall.RawConn, error) { return (*rawDescriptor)(d), nil }

type rawDescriptor descriptor

func (r *rawDescriptor) Control(f func(fd uintptr)) error {
	f(uintptr(r.fd))
	return nil
}

func (r *rawDescriptor) Read(f func(fd uintptr) (done bool)) error  { return r.do(f) }
func (r *rawDescriptor) Write(f func(fd uintptr) (done bool)) error { return r.do(f) }

func (r *rawDescriptor) do(f func(fd uintptr) (done bool)) error {
	for !r.shut.Load() && !f(uintptr(r.fd)) {
	}
	if r.shut.Load() {
		return net.ErrClosed
	}
	return nil
}
