package vnet

import (
	"fmt"
	"net"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A Conn is a TCP connection of a program on a host. Its methods may be called
// from any goroutine.
type Conn struct {
	*socket
	tcp      *gonet.TCPConn
	endpoint tcpip.Endpoint
}

func (l *life) conn(queue *waiter.Queue, ep tcpip.Endpoint) (*Conn, error) {
	l.watch(ep)
	c := gonet.NewTCPConn(queue, ep)
	s, err := l.add(c)
	if err != nil {
		return nil, err
	}
	return &Conn{s, c, ep}, nil
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	return c.call("read", true, func() (int, error) { return c.tcp.Read(b) })
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	return c.call("write", false, func() (n int, err error) {
		n, err = c.tcp.Write(b)
		b = b[n:]
		return n, err
	})
}

// CloseWrite sends a FIN and keeps the other direction open (half-close, RFC
// 9293, section 3.6).
func (c *Conn) CloseWrite() error {
	if err := c.gate(); err != nil {
		return c.fail("close", err)
	}
	return c.fail("close", c.tcp.CloseWrite())
}

// Abort closes the connection with a RST: what was not sent is lost, and the
// peer learns that it is (RFC 9293, section 3.10.7.4).
func (c *Conn) Abort() error {
	if first, err := c.close(); !first {
		return err
	}
	c.endpoint.Abort()
	return nil
}

// KeepAlive makes the stack probe a peer that has been silent for idle, every
// idle from then on, and end the connection when count probes in a row were not
// answered (RFC 9293, section 3.8.4). idle is 1 ms or more, count 1 or more.
func (c *Conn) KeepAlive(idle time.Duration, count int) error {
	if err := c.gate(); err != nil {
		return c.fail("keepalive", err)
	}
	first, next := tcpip.KeepaliveIdleOption(idle), tcpip.KeepaliveIntervalOption(idle)
	err := c.endpoint.SetSockOpt(&first)
	if err == nil {
		err = c.endpoint.SetSockOpt(&next)
	}
	if err == nil {
		err = c.endpoint.SetSockOptInt(tcpip.KeepaliveCountOption, count)
	}
	if err != nil {
		return c.fail("keepalive", c.life.stackError(err))
	}
	c.endpoint.SocketOptions().SetKeepAlive(true)
	return nil
}

// State returns what the connection's end is in (RFC 9293, section 3.3.2), such
// as "ESTABLISHED" or "TIME-WAIT". It may be asked after Close, too, and in any
// hook.
func (c *Conn) State() string {
	switch s := tcp.EndpointState(c.endpoint.State()); s {
	case tcp.StateSynSent:
		return "SYN-SENT"
	case tcp.StateSynRecv:
		return "SYN-RECEIVED"
	case tcp.StateEstablished:
		return "ESTABLISHED"
	case tcp.StateFinWait1:
		return "FIN-WAIT-1"
	case tcp.StateFinWait2:
		return "FIN-WAIT-2"
	case tcp.StateTimeWait:
		return "TIME-WAIT"
	case tcp.StateCloseWait:
		return "CLOSE-WAIT"
	case tcp.StateLastAck:
		return "LAST-ACK"
	case tcp.StateClosing:
		return "CLOSING"
	}
	return "CLOSED"
}

// A listener accepts TCP connections.
type listener struct {
	*socket
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		if err := l.gate(); err != nil {
			return nil, l.fail("accept", err)
		}
		ep, queue, err := l.endpoint.Accept(nil)
		if _, ok := err.(*tcpip.ErrWouldBlock); !ok {
			if err != nil {
				return nil, l.fail("accept", l.life.stackError(err))
			}
			c, err := l.life.conn(queue, ep)
			if err != nil {
				return nil, l.fail("accept", err)
			}
			return c, nil
		}
		l.wait()
	}
}

// wait waits until there may be a connection.
func (l *listener) wait() {
	entry, ready := waiter.NewChannelEntry(waiter.ReadableEvents)
	l.queue.EventRegister(&entry)
	defer l.queue.EventUnregister(&entry)
	if l.endpoint.Readiness(waiter.ReadableEvents) != 0 {
		return
	}
	select {
	case <-ready:
	case <-l.closed:
	case <-l.life.dead:
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.LocalAddr() }

// Close implements net.Listener.
func (l *listener) Close() error {
	if first, err := l.close(); !first {
		return err
	}
	l.endpoint.Close()
	return nil
}

// A PacketConn is a UDP socket of a program on a host. One that was dialled is a
// net.Conn, too. Its methods may be called from any goroutine.
type PacketConn struct {
	*socket
	udp *gonet.UDPConn
}

func (l *life) packetConn(c *gonet.UDPConn) (*PacketConn, error) {
	s, err := l.add(c)
	if err != nil {
		return nil, err
	}
	return &PacketConn{s, c}, nil
}

// Read implements net.Conn.
func (c *PacketConn) Read(b []byte) (int, error) {
	return c.call("read", true, func() (int, error) { return c.udp.Read(b) })
}

// Write implements net.Conn.
func (c *PacketConn) Write(b []byte) (int, error) {
	return c.call("write", false, func() (int, error) { return c.udp.Write(b) })
}

// ReadFrom implements net.PacketConn.
func (c *PacketConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	n, err = c.call("read", true, func() (n int, err error) {
		n, from, err = c.udp.ReadFrom(b)
		return n, err
	})
	return n, from, err
}

// WriteTo implements net.PacketConn. to is a *net.UDPAddr.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if a, ok := to.(*net.UDPAddr); !ok || a == nil {
		err := &net.AddrError{Err: "want a UDP address", Addr: fmt.Sprint(to)}
		return 0, c.fail("write", &net.OpError{Err: err})
	}
	return c.call("write", false, func() (int, error) { return c.udp.WriteTo(b, to) })
}

// A Request is a connection that a peer wants to open to a port on which nobody
// listens; see Host.Intercept. One of its methods must be called, once.
type Request struct {
	Local, Remote net.Addr // *net.TCPAddr: what is asked for, and who asks

	life    *life
	request *tcp.ForwarderRequest
}

// Accept completes the handshake.
func (r *Request) Accept() (*Conn, error) {
	var queue waiter.Queue
	ep, err := r.request.CreateEndpoint(&queue)
	r.request.Complete(err != nil)
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Source: r.Local, Addr: r.Remote, Err: r.life.stackError(err)}
	}
	return r.life.conn(&queue, ep)
}

// Refuse answers with a RST, as a closed port does.
func (r *Request) Refuse() { r.request.Complete(true) }

// maxRequests is how many requests may wait for an answer at a host. More SYNs
// are dropped; their senders try again.
const maxRequests = 1024

// Intercept makes fn decide about connections to ports of the host on which
// nobody listens. It is called on a goroutine of its own for each. It lasts
// until the host is killed.
func (h *Host) Intercept(fn func(*Request)) error {
	l, err := h.alive()
	if err != nil {
		return err
	}
	f := tcp.NewForwarder(l.stack, h.cfg.ReceiveBuffer, maxRequests, func(r *tcp.ForwarderRequest) {
		id := r.ID()
		fn(&Request{
			Local:  &net.TCPAddr{IP: id.LocalAddress.AsSlice(), Port: int(id.LocalPort)},
			Remote: &net.TCPAddr{IP: id.RemoteAddress.AsSlice(), Port: int(id.RemotePort)},
			life:   l, request: r,
		})
	})
	l.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		return f.HandlePacket(id, pkt)
	})
	return nil
}
