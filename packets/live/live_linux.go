package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"wirelab/packets/filter"
)

// A Handle captures from one interface. One goroutine calls Next; Stats and Close
// may be called by any.
type Handle struct {
	name   string
	link   uint16
	snap   int
	file   *os.File
	conn   syscall.RawConn
	filter *filter.Filter // if the kernel cannot do it: VLAN tags, or too long; else nil

	buffer []byte // 4 bytes for a VLAN tag, then the packet
	oob    []byte
	got    received
	read   func(fd uintptr) bool // h.receive, made once

	mu             sync.Mutex
	closed         bool
	packets, drops uint64
}

// received is what one recvmsg gave.
type received struct {
	n, oob int
	from   unix.Sockaddr
	err    error
}

// Open begins to capture. What is wrong with the interface or the rights is told
// as an *Error, what is wrong with the filter as a *filter.Error. No packet that
// the filter does not take is ever returned: the socket takes none until the
// filter is set, since it is bound to a protocol only then.
func Open(c Config) (*Handle, error) {
	i, err := find(c.Interface)
	if err != nil {
		return nil, err
	}
	h := &Handle{name: c.Interface, snap: c.SnapLen}
	if h.snap == 0 {
		h.snap = MaxSnap
	}
	if h.snap < 1 || h.snap > MaxSnap {
		return nil, fmt.Errorf("a snap length of %d bytes, want 1 to %d", h.snap, MaxSnap)
	}
	fd, err := h.socket(i)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(fd, i, c); err != nil {
		unix.Close(fd)
		return nil, err
	}
	// The descriptor does not block, so the runtime waits for it, and a deadline
	// or Close ends the wait.
	h.file = os.NewFile(uintptr(fd), "packet socket of "+h.name)
	if h.conn, err = h.file.SyscallConn(); err != nil {
		h.file.Close()
		return nil, h.fail("use the socket", err)
	}
	h.buffer = make([]byte, 4+h.snap)
	h.oob = make([]byte, 128)
	h.read = h.receive
	return h, nil
}

// socket returns a socket that receives nothing yet, of the kind that the
// interface wants, and sets the link type.
func (h *Handle) socket(i *net.Interface) (int, error) {
	for _, kind := range []int{unix.SOCK_RAW, unix.SOCK_DGRAM} {
		fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return -1, h.fail("open a packet socket", err)
		}
		hardware, err := h.hardware(fd, i)
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		switch hardware {
		case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
			h.link = 1
			return fd, nil
		case unix.ARPHRD_NONE, unix.ARPHRD_PPP, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT, unix.ARPHRD_IPGRE:
			if h.link = 101; kind == unix.SOCK_DGRAM { // without the link's header
				return fd, nil
			}
			unix.Close(fd)
			continue
		}
		unix.Close(fd)
		return -1, &Error{Why: fmt.Sprintf("the interface %s has hardware type %d: only Ethernet, loopback and tunnels of IP are known", h.name, hardware), Hint: without}
	}
	return -1, nil // not reached: the second kind returns
}

// hardware returns the interface's ARPHRD_ number.
func (h *Handle) hardware(fd int, i *net.Interface) (uint16, error) {
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
		return 0, h.fail("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, h.fail("ask for the hardware", err)
	}
	link, ok := name.(*unix.SockaddrLinklayer)
	if !ok {
		return 0, h.fail("ask for the hardware", errors.New("the answer is of another family"))
	}
	return link.Hatype, nil
}

// prepare sets the filter and the options and then begins to receive.
func (h *Handle) prepare(fd int, i *net.Interface, c Config) error {
	program, err := h.program(c.Filter, i.Flags&net.FlagLoopback != 0)
	if err != nil {
		return err // of the filter's words
	}
	err = attach(fd, program)
	if errors.Is(err, unix.ENOMEM) && h.filter == nil {
		// Longer than net.core.optmem_max allows: Next filters.
		if h.filter, err = filter.Compile(c.Filter, h.link); err == nil {
			if program, err = h.program("", i.Flags&net.FlagLoopback != 0); err == nil {
				err = attach(fd, program)
			}
		}
	}
	if err != nil {
		return h.fail("attach the filter", err)
	}
	buffer := c.Buffer
	if buffer == 0 {
		buffer = 16 << 20
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		// It takes CAP_NET_ADMIN. Without it the system's limit counts.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
			return h.fail("set the buffer", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return h.fail("ask for times", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return h.fail("ask for lengths", err)
	}
	if c.Promisc {
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(i.Index), Type: unix.PACKET_MR_PROMISC}); err != nil {
			return h.fail("take packets for others", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index, Protocol: bigEndian(unix.ETH_P_ALL)}); err != nil {
		return h.fail("bind", err)
	}
	return nil
}

// attach sets the program that a socket's packets must pass.
func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	steps := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		steps[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(steps)), Filter: &steps[0]})
}

// bigEndian returns v so that its bytes in memory are in the network's order.
func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// program returns what the kernel runs on each packet.
func (h *Handle) program(expr string, loopback bool) ([]bpf.Instruction, error) {
	f, err := filter.Compile(expr, h.link)
	if err != nil {
		return nil, err
	}
	var out []bpf.Instruction
	if loopback { // each packet passes twice, out and in: leave the outgoing away
		out = append(out,
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipFalse: 1},
			bpf.RetConstant{})
	}
	if f.VLAN() { // the kernel took the tags out: Next puts them in and filters
		h.filter = f
		return append(out, bpf.RetConstant{Val: MaxSnap}), nil
	}
	for _, in := range f.Instructions() {
		if r, ok := in.(bpf.RetConstant); ok && r.Val != 0 {
			in = bpf.RetConstant{Val: uint32(h.snap)}
		}
		out = append(out, in)
	}
	return out, nil
}

// fail returns the error of a system call, with ways out if rights are missing.
func (h *Handle) fail(what string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		path, e := os.Executable()
		if e != nil {
			path = os.Args[0]
		}
		return &Error{
			Why:  fmt.Sprintf("capturing on %s needs the capability CAP_NET_RAW", h.name),
			Hint: fmt.Sprintf("run it with sudo, or allow it once: sudo setcap cap_net_raw+ep %s; %s", path, without),
			Err:  err,
		}
	}
	return &Error{Why: fmt.Sprintf("%s: %s: %v", h.name, what, err), Hint: without, Err: err}
}

// Link returns the LINKTYPE_ number of the packets: 1 Ethernet, 101 raw IP.
func (h *Handle) Link() uint16 { return h.link }

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }

// Next waits for a packet. data is what was kept of length bytes, good until the
// next call; t is the kernel's time; out tells packets that this machine sent,
// which on a loopback interface are not told apart. When ctx ends Next returns
// its error at once, after Close net.ErrClosed.
func (h *Handle) Next(ctx context.Context) (data []byte, t time.Time, length int, out bool, err error) {
	for {
		if err := h.wait(ctx); err != nil {
			return nil, time.Time{}, 0, false, err
		}
		var tag uint32
		data, t, length, tag = h.packet()
		if h.filter != nil && !h.filter.VLAN() && !h.filter.Match(data, length) {
			continue
		}
		if tag != 0 { // put it in again: the four bytes before data are free
			data = h.buffer[:4+len(data)]
			copy(data, data[4:16])
			binary.BigEndian.PutUint32(data[12:], tag)
			length += 4
		}
		if h.filter != nil && h.filter.VLAN() && !h.filter.Match(data, length) {
			continue
		}
		from, ok := h.got.from.(*unix.SockaddrLinklayer)
		return data[:min(len(data), h.snap)], t, length, ok && from.Pkttype == unix.PACKET_OUTGOING, nil
	}
}

// receive asks for a packet and reports whether there was an answer.
func (h *Handle) receive(fd uintptr) bool {
	for {
		g := &h.got
		g.n, g.oob, _, g.from, g.err = unix.Recvmsg(int(fd), h.buffer[4:], h.oob, 0)
		if g.err != unix.EINTR {
			return g.err != unix.EAGAIN
		}
	}
}

// wait receives one packet into h.got.
func (h *Handle) wait(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Most packets are there already: they need no deadline.
		there := false
		err := h.conn.Control(func(fd uintptr) { there = h.receive(fd) })
		if err == nil && !there {
			h.file.SetReadDeadline(time.Time{})
			stop := context.AfterFunc(ctx, func() { h.file.SetReadDeadline(past()) })
			err = h.conn.Read(h.read)
			stop()
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue // ctx ended, or that of the call before a little late
		case err != nil && h.isClosed():
			return fmt.Errorf("capture on %s: %w", h.name, net.ErrClosed)
		case err != nil:
			return fmt.Errorf("capture on %s: %w", h.name, err)
		case errors.Is(h.got.err, unix.ENETDOWN):
			return fmt.Errorf("capture on %s: the interface went down: %w", h.name, h.got.err)
		case h.got.err != nil:
			return fmt.Errorf("capture on %s: %w", h.name, h.got.err)
		}
		return nil
	}
}

// packet returns what was received, and the VLAN tag that the kernel took out:
// Ethertype and number, or 0.
func (h *Handle) packet() (data []byte, t time.Time, length int, tag uint32) {
	data = h.buffer[4 : 4+h.got.n]
	length = h.got.n
	native := binary.NativeEndian
	for oob := h.oob[:h.got.oob]; len(oob) > 0; {
		header, b, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		oob = rest
		switch {
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SO_TIMESTAMPNS && len(b) >= 16:
			t = time.Unix(int64(native.Uint64(b)), int64(native.Uint64(b[8:]))).UTC()
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SO_TIMESTAMPNS && len(b) >= 8:
			t = time.Unix(int64(native.Uint32(b)), int64(native.Uint32(b[4:]))).UTC()
		case header.Level == unix.SOL_PACKET && header.Type == unix.PACKET_AUXDATA && len(b) >= 20:
			// struct tpacket_auxdata: status, len, snaplen (32 bits each), mac,
			// net, vlan_tci, vlan_tpid (16 bits each).
			status := native.Uint32(b)
			length += int(native.Uint32(b[4:])) - h.got.n
			if status&unix.TP_STATUS_VLAN_VALID == 0 || h.link != 1 || len(data) < 12 {
				continue
			}
			tag = 0x8100<<16 | uint32(native.Uint16(b[16:]))
			if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				tag = uint32(native.Uint16(b[18:]))<<16 | tag&0xffff
			}
		}
	}
	if t.IsZero() {
		t = time.Now().UTC()
	}
	return data, t, length, tag
}

// Stats returns how many packets the filter took since Open and how many of them
// the kernel dropped because Next was not called in time. Where Next filters (on
// VLAN tags, or by very long expressions) they are of all packets. After Close they are
// those of the end.
func (h *Handle) Stats() (packets, drops uint64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err = h.count()
	return h.packets, h.drops, err
}

// count adds the kernel's counters, which asking resets; h.mu is held.
func (h *Handle) count() error {
	if h.closed {
		return nil
	}
	var s *unix.TpacketStats
	var err error
	if e := h.conn.Control(func(fd uintptr) {
		s, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); e != nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("counters of %s: %w", h.name, err)
	}
	h.packets += uint64(s.Packets)
	h.drops += uint64(s.Drops)
	return nil
}

func (h *Handle) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Close ends the capture, and a Next that waits. It may be called twice.
func (h *Handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	err := h.count()
	h.closed = true
	return errors.Join(err, h.file.Close())
}
