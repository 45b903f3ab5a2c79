package vnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// backlog is how many connections may wait for Accept.
const backlog = 4096

// resolve reads network and address: an IP address, or nothing for all of the
// host's, and a port. There are no names: the network has no DNS.
func (h *Host) resolve(network, address, want string) (a tcpip.FullAddress, p tcpip.NetworkProtocolNumber, err error) {
	fail := func(format string, args ...any) (tcpip.FullAddress, tcpip.NetworkProtocolNumber, error) {
		return a, p, &net.AddrError{Err: fmt.Sprintf(format, args...), Addr: address}
	}
	base := strings.TrimRight(network, "46")
	if base != want || network != base && network != base+"4" && network != base+"6" {
		return a, p, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return a, p, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fail("port %q, want 0 to 65535", port)
	}
	a.Port = uint16(n)
	ip := h.Addr()
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return fail("%q is no IP address, and an emulated network has no names", host)
		}
		ip = ip.Unmap()
		if !ip.IsUnspecified() {
			a.NIC, a.Addr = nicID, tcpip.AddrFromSlice(ip.AsSlice())
		}
	}
	p = protocolOf(ip)
	if host == "" && network == base+"6" {
		p = protocolOf(netip.IPv6Unspecified())
	}
	if network != base && (network == base+"4") != ip.Is4() && host != "" {
		return fail("%v is of the other family than %s", ip, network)
	}
	return a, p, nil
}

func opError(op, network, address string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s %s: %w", op, network, address, err)
}

// Listen listens for TCP connections, at a port of all the host's addresses of
// one family or at one of them. network is "tcp", "tcp4" or "tcp6".
func (h *Host) Listen(network, address string) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) { return nil, opError("listen", network, address, err) }
	l, err := h.alive()
	if err != nil {
		return fail(err)
	}
	a, p, err := h.resolve(network, address, "tcp")
	if err != nil {
		return fail(err)
	}
	queue := new(waiter.Queue)
	ep, terr := l.stack.NewEndpoint(tcp.ProtocolNumber, p, queue)
	if terr != nil {
		return fail(l.stackError(terr))
	}
	ep.SocketOptions().SetReuseAddress(true) // as package net does
	if terr = ep.Bind(a); terr == nil {
		terr = ep.Listen(backlog)
	}
	if terr != nil {
		ep.Close()
		return fail(l.stackError(terr))
	}
	s, err := l.add(gonet.NewTCPConn(queue, ep))
	if err != nil {
		return fail(err)
	}
	return &listener{s, ep, queue}, nil
}

// ListenPacket opens a UDP socket. network is "udp", "udp4" or "udp6".
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	fail := func(err error) (net.PacketConn, error) { return nil, opError("listen", network, address, err) }
	l, err := h.alive()
	if err != nil {
		return fail(err)
	}
	a, p, err := h.resolve(network, address, "udp")
	if err != nil {
		return fail(err)
	}
	c, err := l.udp(p, func(ep tcpip.Endpoint) tcpip.Error { return ep.Bind(a) })
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// udp makes a UDP socket and binds or connects it.
func (l *life) udp(p tcpip.NetworkProtocolNumber, place func(tcpip.Endpoint) tcpip.Error) (*PacketConn, error) {
	queue := new(waiter.Queue)
	ep, err := l.stack.NewEndpoint(udp.ProtocolNumber, p, queue)
	if err != nil {
		return nil, l.stackError(err)
	}
	// Without this, fragments have "don't fragment" set and all the same
	// identification, so that those of two datagrams are put together.
	err = ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(tcpip.PMTUDiscoveryDont))
	if err == nil {
		err = place(ep)
	}
	if err != nil {
		ep.Close()
		return nil, l.stackError(err)
	}
	return l.packetConn(gonet.NewUDPConn(queue, ep))
}

// DialContext connects over TCP (a *Conn), or opens a UDP socket that is
// connected (a *PacketConn). A connection that is refused fails with
// syscall.ECONNREFUSED. While the program is stopped, it waits.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.DialFrom(ctx, network, 0, address)
}

// DialFrom is DialContext from a port of the host; with 0, from any. Only TCP has
// one to choose: for UDP there is ListenPacket.
func (h *Host) DialFrom(ctx context.Context, network string, port uint16, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, opError("dial", network, address, err) }
	h.Running(ctx)
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	l, err := h.alive()
	if err != nil {
		return fail(err)
	}
	if strings.HasPrefix(network, "udp") {
		a, p, err := h.resolve(network, address, "udp")
		if err != nil {
			return fail(err)
		}
		c, err := l.udp(p, func(ep tcpip.Endpoint) tcpip.Error { return ep.Connect(a) })
		if err != nil {
			return fail(err)
		}
		return c, nil
	}
	a, p, err := h.resolve(network, address, "tcp")
	if err != nil {
		return fail(err)
	}
	c, err := l.dial(ctx, a, p, port)
	if err != nil {
		return fail(err)
	}
	h.Running(ctx) // a stopped program does not learn of it yet
	return c, nil
}

func (l *life) dial(ctx context.Context, a tcpip.FullAddress, p tcpip.NetworkProtocolNumber, port uint16) (*Conn, error) {
	queue := new(waiter.Queue)
	ep, err := l.stack.NewEndpoint(tcp.ProtocolNumber, p, queue)
	if err == nil && port != 0 {
		if err = ep.Bind(tcpip.FullAddress{Port: port}); err != nil {
			ep.Close()
		}
	}
	if err != nil {
		return nil, l.stackError(err)
	}
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	queue.EventRegister(&entry)
	defer queue.EventUnregister(&entry)
	err = ep.Connect(a)
	if _, ok := err.(*tcpip.ErrConnectStarted); ok {
		l.watch(ep)
		select {
		case <-ready:
			err = ep.LastError()
		case <-ctx.Done():
			ep.Close()
			return nil, ctx.Err()
		case <-l.dead:
			return nil, ErrKilled
		}
	}
	if err != nil {
		ep.Close()
		return nil, l.stackError(err)
	}
	return l.conn(queue, ep)
}
