// Package relay puts an emulated link between two real programs: what a client
// sends to an address here is carried, in real time, between two hosts of
// package vnet over a link of package impair, and goes on to the server.
//
//	client ──kernel── relay: host "client" ══link══ host "server" ──kernel── server
//	program                   10.0.0.1                10.0.0.2               program
//
// Each TCP connection of the client becomes three: the kernel's with the
// client, that of the two hosts over the link, and the kernel's with the server.
// Bytes, FIN and RST pass from one to the next, so loss, retransmission and
// head-of-line blocking on the link are real, and the programs need not know.
// Acknowledgements do not pass: the client's kernel is told that bytes arrived
// when the relay has them. Datagrams stay datagrams, one flow for each address
// that the client sends from.
//
// What becomes of ends:
//
//   - FIN: a FIN on the other side, behind all bytes; half-closed connections
//     work. (Once a side has sent its FIN, gVisor's stack there sends no selective
//     acknowledgements any more: losses of what the other side still sends are
//     then repaired by timeouts.)
//   - RST: goes over the link as a RST, and may be lost there like any packet;
//     then the far side notices at its next segment, or after two minutes.
//   - Refused: the server host answers over the link as the server does. The
//     client program has been accepted by this machine's kernel before, so it is
//     reset as soon as the answer is there.
//   - A datagram to a port that is closed: counted; and where the system lets us
//     send ICMP (Linux and macOS, root alone), the client's kernel is told. That
//     word does not cross the link.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/impair"
	"wirelab/internal/vnet"
)

// A Config says what to carry and how. At least one of TCP and UDP, and Connect
// are required.
type Config struct {
	TCP     net.Listener // whose connections are carried; nil: none
	UDP     *net.UDPConn // whose datagrams are carried; nil: none
	Connect string       // HOST:PORT of the server program

	Up, Down impair.Config // what the link does: client to server, server to client
	Seed     uint64        // of every random decision of the link
	MTU      int           // of both hosts, in bytes; if zero, 1500

	// Record, if not nil, gets a pcapng file with three interfaces: client,
	// link and server. No packet is left out; if 16 MiB wait for a slow disk,
	// the network waits, too. An error ends Serve; what was written stays
	// readable if Record can Seek and Truncate, as a file can.
	Record io.Writer

	MaxConns int           // TCP connections at once; more are reset. If zero, 1024
	MaxFlows int           // UDP flows at once; a new one ends the one that was idle longest. If zero, 1024
	FlowIdle time.Duration // a UDP flow that is idle so long ends; if zero, 2 minutes (RFC 4787, section 4.3)

	Log *slog.Logger // if nil, nobody is told what was refused
}

// A Relay carries connections and datagrams. Its methods are safe for
// concurrent use.
type Relay struct {
	cfg            Config
	network        *vnet.Network
	client, server *vnet.Host
	remote         netip.AddrPort // the server's, on the emulated link
	tap            *tap
	capture        *capture // nil: nobody records
	started        time.Time

	conns   conns
	flows   flows
	payload [2]atomic.Uint64 // bytes handed to the program at the far end: up, down

	mu       sync.Mutex
	up, down impair.Config
}

// Bounds where the configuration says nothing.
const (
	defaultConns = 1024
	defaultFlows = 1024
	defaultIdle  = 2 * time.Minute
	defaultMTU   = 1500
)

// Bounds of Config.MTU, in bytes: what IPv6 wants (RFC 8200, section 5), and
// what a packet's length can say.
const (
	MinMTU = 1280
	MaxMTU = 65535
)

// New checks the configuration and builds the network. Once it has succeeded,
// call Serve: that ends the network and closes the sockets in cfg.
func New(cfg Config) (*Relay, error) {
	cfg.MTU = cmp.Or(cfg.MTU, defaultMTU)
	cfg.MaxConns, cfg.MaxFlows, cfg.FlowIdle = cmp.Or(cfg.MaxConns, defaultConns), cmp.Or(cfg.MaxFlows, defaultFlows), cmp.Or(cfg.FlowIdle, defaultIdle)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.TCP == nil && cfg.UDP == nil {
		return nil, errors.New("relay: neither TCP nor UDP to carry")
	}
	if cfg.MTU < MinMTU || cfg.MTU > MaxMTU {
		return nil, fmt.Errorf("relay: mtu %d: want %d to %d bytes", cfg.MTU, MinMTU, MaxMTU)
	}
	host, service, err := net.SplitHostPort(cfg.Connect)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("relay: port %q: want 1 to 65535", service)
	}
	// The hosts speak the IP version that the server is called with.
	addrs := [2]netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, 1}), netip.AddrFrom4([4]byte{10, 0, 0, 2})}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		addrs = [2]netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")}
	}
	r := &Relay{cfg: cfg, up: cfg.Up, down: cfg.Down, remote: netip.AddrPortFrom(addrs[1], uint16(port)), started: time.Now()}
	r.conns.orphan = orphanTime
	r.conns.open, r.flows.open = map[uint16]*conn{}, map[uint16]*flow{}
	r.flows.byClient = map[netip.AddrPort]*flow{}
	if cfg.Record != nil {
		if r.capture, err = newCapture(cfg.Record, r.describe()); err != nil {
			return nil, err
		}
	}
	r.tap = newTap(r.capture)
	r.network = vnet.New(vnet.Config{Seed: cfg.Seed, OnPacket: r.tap.packet, OnState: r.tap.state})
	for _, h := range []struct {
		host **vnet.Host
		cfg  vnet.HostConfig
	}{
		// The link is the client's; what lies between the switch and the
		// server is ideal and not shown.
		{&r.client, vnet.HostConfig{Name: clientName, Addrs: addrs[:1], Up: cfg.Up, Down: cfg.Down}},
		{&r.server, vnet.HostConfig{Name: serverName, Addrs: addrs[1:], Quiet: true}},
	} {
		h.cfg.MTU, h.cfg.ReceiveBuffer, h.cfg.SendBuffer, h.cfg.UDPReceiveBuffer = cfg.MTU, receiveBuffer, sendBuffer, datagramBuffer
		if *h.host, err = r.network.AddHost(h.cfg); err != nil {
			r.network.Close()
			return nil, fmt.Errorf("relay: %w", err)
		}
	}
	if cfg.UDP != nil {
		r.flows.herald = newHerald(cfg.UDP)
	}
	return r, nil
}

const (
	clientName = "client"
	serverName = "server"
)

// Buffers of the hosts' sockets, in bytes. A window of 6 MiB is Linux's limit
// (tcp_rmem), and bounds a connection as it would there. What a sender holds
// begins small, so that a program is not told long before the time that its bytes
// are on their way; the stack lets it grow with the congestion window, up to 4 MiB.
const (
	receiveBuffer  = 6 << 20
	sendBuffer     = 256 << 10
	datagramBuffer = 4 << 20
)

// describe says what the link does, for the capture.
func (r *Relay) describe() string {
	say := func(c impair.Config) string { return cmp.Or(c.String(), "ideal") }
	return fmt.Sprintf("the emulated link: what became of each packet; seed %d; up: %s; down: %s", r.cfg.Seed, say(r.cfg.Up), say(r.cfg.Down))
}

// Set changes what the link does to the packets that come.
func (r *Relay) Set(up, down impair.Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.client.SetLink(up, down); err != nil {
		return err
	}
	r.up, r.down = up, down
	return nil
}

// Serve carries until ctx ends, and returns nil, or until it cannot go on. When
// it returns, all connections are reset, sockets closed, packets filed.
func (r *Relay) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg, recording sync.WaitGroup
	start := func(fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	if r.capture != nil {
		recording.Go(r.capture.run)
		start(func(ctx context.Context) error {
			select {
			case <-r.capture.failed:
				return r.capture.close()
			case <-ctx.Done():
				return nil
			}
		})
	}
	// The far side is there before the near side sends.
	far, err := new(answering), error(nil)
	if r.cfg.TCP != nil {
		if far, err = r.answer(ctx); err == nil {
			start(r.serveNear)
		}
	}
	if r.cfg.UDP != nil && err == nil {
		var l net.PacketConn
		if l, err = r.server.ListenPacket("udp", r.remote.String()); err == nil {
			start(func(ctx context.Context) error { return r.serveFarDatagrams(ctx, l) })
			start(r.serveDatagrams)
			start(r.expire)
		}
	}
	if err != nil {
		cancel(err)
	}
	<-ctx.Done()
	cause := context.Cause(ctx)
	wg.Wait()
	far.wait()
	r.conns.close()
	err = r.network.Close()
	if r.capture != nil {
		err = errors.Join(err, r.capture.close())
		recording.Wait()
	}
	if cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// closed reports whether err is that of a socket which was closed.
func closed(err error) bool { return errors.Is(err, net.ErrClosed) }

// Snapshot says what the relay has done so far.
func (r *Relay) Snapshot() Snapshot {
	s := Snapshot{Time: time.Now(), Started: r.started, Conns: r.conns.list()}
	r.tap.read(&s)
	r.conns.mu.Lock()
	s.Totals, s.Connecting = r.conns.totals, r.conns.dials
	r.conns.mu.Unlock()
	r.flows.mu.Lock()
	s.Flows, s.Herald = len(r.flows.byClient), r.flows.herald != nil
	s.Totals.Flows, s.Totals.Unreachable = r.flows.totals.Flows, r.flows.totals.Unreachable
	r.flows.mu.Unlock()
	s.Up.Payload, s.Down.Payload = r.payload[0].Load(), r.payload[1].Load()
	if r.capture != nil {
		s.Recorded = r.capture.packets.Load()
	}
	r.mu.Lock()
	s.Up.Config, s.Down.Config = r.up, r.down
	r.mu.Unlock()
	return s
}
