package relay

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// kernelBuffer is what the kernel is asked to hold for a socket, in bytes: a
// burst that it has no room for is lost, and not by the link. It may give less.
const kernelBuffer = 4 << 20

// maxDatagram is more than the payload of any UDP datagram.
const maxDatagram = 65535

// flows are what UDP has instead of connections: one for each address that the
// client program sends from.
type flows struct {
	mu       sync.Mutex
	byClient map[netip.AddrPort]*flow
	open     map[uint16]*flow // by the client's port on the emulated link
	totals   Totals
	herald   *herald // nil: the system does not allow it
}

// A flow carries the datagrams of one client.
type flow struct {
	client netip.AddrPort // of the client program
	port   uint16         // of near
	near   net.Conn       // the client host's socket
	used   atomic.Int64   // when the last datagram passed, in nanoseconds since 1970
	done   sync.WaitGroup // its reading goroutines

	mu   sync.Mutex
	far  *net.UDPConn // the kernel's socket with the server program; nil before the first datagram came over the link
	gone bool
}

func (f *flow) touch() { f.used.Store(time.Now().UnixNano()) }

// serveDatagrams takes the client program's datagrams and sends them from the
// client host.
func (r *Relay) serveDatagrams(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { r.cfg.UDP.Close() })
	defer stop()
	r.cfg.UDP.SetReadBuffer(kernelBuffer)
	defer r.flows.herald.close()
	defer r.flows.close()
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := r.cfg.UDP.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case closed(err):
			return fmt.Errorf("read datagrams: %w", err)
		default:
			// Windows tells here that a client's port is closed.
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		f, err := r.flow(ctx, from)
		if err != nil {
			r.cfg.Log.Warn("cannot carry a datagram", "client", from, "err", err)
			continue
		}
		f.touch()
		if _, err := f.near.Write(buf[:n]); err != nil && refused(err) {
			// That was about an earlier one; this one was not sent.
			r.unreachable(f)
			f.near.Write(buf[:n])
		}
	}
}

// flow finds the flow of a client, or begins one.
func (r *Relay) flow(ctx context.Context, client netip.AddrPort) (*flow, error) {
	r.flows.mu.Lock()
	f := r.flows.byClient[client]
	r.flows.mu.Unlock()
	if f != nil {
		return f, nil
	}
	near, err := r.client.DialContext(ctx, "udp", r.remote.String())
	if err != nil {
		return nil, err
	}
	f = &flow{client: client, near: near, port: portOf(near.LocalAddr())}
	f.touch()
	f.done.Go(func() { r.returnDatagrams(f) })
	r.flows.mu.Lock()
	var idle *flow
	if len(r.flows.byClient) >= r.cfg.MaxFlows {
		for _, g := range r.flows.byClient {
			if idle == nil || g.used.Load() < idle.used.Load() {
				idle = g
			}
		}
		r.flows.drop(idle)
	}
	r.flows.byClient[client], r.flows.open[f.port] = f, f
	r.flows.totals.Flows++
	r.flows.mu.Unlock()
	if idle != nil {
		idle.close()
	}
	return f, nil
}

// drop forgets a flow; the caller has the lock, and closes the flow.
func (s *flows) drop(f *flow) {
	delete(s.byClient, f.client)
	delete(s.open, f.port)
}

// returnDatagrams hands what comes back over the link to the client program.
func (r *Relay) returnDatagrams(f *flow) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := f.near.Read(buf)
		switch {
		case err == nil:
			f.touch()
			if _, err := r.cfg.UDP.WriteToUDPAddrPort(buf[:n], f.client); err == nil {
				r.payload[1].Add(uint64(n))
			}
		case refused(err):
			r.unreachable(f)
		default:
			return // closed
		}
	}
}

// serveFarDatagrams takes what comes over the link and sends it to the server
// program, from one socket for each flow.
func (r *Relay) serveFarDatagrams(ctx context.Context, l net.PacketConn) error {
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := l.ReadFrom(buf)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case refused(err):
			continue // a flow that has ended
		default:
			return fmt.Errorf("read datagrams from the link: %w", err)
		}
		r.flows.mu.Lock()
		f := r.flows.open[portOf(from)]
		r.flows.mu.Unlock()
		if f == nil {
			continue // its flow has ended meanwhile
		}
		far, err := r.farSocket(ctx, f, l, from)
		if err != nil {
			if !closed(err) && ctx.Err() == nil {
				r.cfg.Log.Warn("cannot hand over a datagram", "client", f.client, "err", err)
			}
			continue
		}
		f.touch()
		if _, err = far.Write(buf[:n]); err != nil && refused(err) {
			// That was about an earlier one; this one was not sent.
			r.unreachable(f)
			_, err = far.Write(buf[:n])
		}
		if err == nil {
			r.payload[0].Add(uint64(n))
		}
	}
}

// farSocket returns the flow's socket with the server program.
func (r *Relay) farSocket(ctx context.Context, f *flow, l net.PacketConn, client net.Addr) (*net.UDPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, net.ErrClosed
	}
	if f.far != nil {
		return f.far, nil
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", r.cfg.Connect)
	if err != nil {
		return nil, err
	}
	f.far = c.(*net.UDPConn)
	f.far.SetReadBuffer(kernelBuffer)
	f.done.Go(func() { r.takeAnswers(f, f.far, l, client) })
	return f.far, nil
}

// takeAnswers sends what the server program answers from the server host.
func (r *Relay) takeAnswers(f *flow, far *net.UDPConn, l net.PacketConn, client net.Addr) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := far.Read(buf)
		switch {
		case err == nil:
			f.touch()
			l.WriteTo(buf[:n], client)
		case closed(err):
			return
		case refused(err):
			r.unreachable(f)
		}
	}
}

// unreachable takes in that the server program's port is closed, and tells the
// client's kernel.
func (r *Relay) unreachable(f *flow) {
	r.flows.mu.Lock()
	r.flows.totals.Unreachable++
	h := r.flows.herald
	r.flows.mu.Unlock()
	h.unreachable(f.client)
}

// expire ends flows that are idle.
func (r *Relay) expire(ctx context.Context) error {
	tick := time.NewTicker(max(r.cfg.FlowIdle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			r.flows.expire(now.Add(-r.cfg.FlowIdle))
		}
	}
}

func (s *flows) expire(before time.Time) {
	s.mu.Lock()
	var idle []*flow
	for _, f := range s.byClient {
		if f.used.Load() < before.UnixNano() {
			idle = append(idle, f)
			s.drop(f)
		}
	}
	s.mu.Unlock()
	for _, f := range idle {
		f.close()
	}
}

// close ends all flows.
func (s *flows) close() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.byClient))
	clear(s.byClient)
	clear(s.open)
	s.mu.Unlock()
	for _, f := range all {
		f.close()
	}
}

// close ends the flow and waits for its goroutines.
func (f *flow) close() {
	f.mu.Lock()
	f.gone = true
	far := f.far
	f.mu.Unlock()
	f.near.Close()
	if far != nil {
		far.Close()
	}
	f.done.Wait()
}
