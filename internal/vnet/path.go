package vnet

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"wirelab/internal/impair"
)

// A Direction is one of an access link.
type Direction uint8

// The directions.
const (
	Up   Direction = iota // from the host to the switch
	Down                  // from the switch to the host
)

// String returns "up" or "down".
func (d Direction) String() string {
	if d == Up {
		return "up"
	}
	return "down"
}

// A Vantage is a point of a direction where packets are seen.
type Vantage uint8

// The points.
const (
	Sent     Vantage = iota // as it entered the link
	Carried                 // in the link: Outcome says what becomes of it
	Received                // as it left the link
)

// A Packet is one at a point.
type Packet struct {
	Time      time.Time
	Host      string // whose access link it is
	Direction Direction
	Vantage   Vantage
	Data      []byte         // from the IP header on; good during the call
	Number    uint64         // of the packet in this direction, from 1; the same at all points
	ID        uint64         // of the packet in its network, from 1; the same on all its ways, and of its copies
	First     bool           // at Sent: nobody was shown it before, on another link
	Outcome   impair.Outcome // at Carried
	// Reason is why a packet goes no further, at Received; else empty. At the end
	// of Up it says that no host has its address; at the end of Down, that the host
	// is down, or what its stack finds wrong with it after a bit was flipped. That a
	// socket's buffer is full is not seen here but in Stats.
	Reason string
}

// A packet is one on its way.
type packet struct {
	buffer  buffer.Buffer
	flat    []byte // buffer's bytes in one piece, once somebody looked
	head    head
	number  uint64
	id      uint64
	shown   bool // to somebody
	flipped bool // a bit of it is not as it was sent
}

// bytes returns the packet's bytes, which are its own.
func (p *packet) bytes() []byte {
	if p.flat == nil {
		v, _ := p.buffer.PullUp(0, int(p.buffer.Size()))
		p.flat = v.AsSlice()
	}
	return p.flat
}

// copy returns another packet alike.
func (p *packet) copy() *packet {
	c := *p
	c.buffer, c.flat = buffer.MakeWithData(p.bytes()), nil
	return &c
}

// flip changes a bit, counted from the first of the packet.
func (p *packet) flip(bit int) {
	p.bytes()[bit/8] ^= 0x80 >> (bit % 8)
	p.flipped = true
}

// swap exchanges the first two adjacent 16-bit words of the payload that differ.
// The sum of RFC 1071 is the same afterwards: nobody notices.
func (p *packet) swap() {
	b := p.bytes()
	for at := p.head.payloadAt; at > 0 && at+4 <= len(b); at += 2 {
		if w := b[at : at+4]; w[0] != w[2] || w[1] != w[3] {
			w[0], w[1], w[2], w[3] = w[2], w[3], w[0], w[1]
			return
		}
	}
}

// destination returns where the packet goes now.
func (p *packet) destination() netip.Addr {
	if p.flipped {
		h, _ := parse(p.bytes())
		return h.to.Addr()
	}
	return p.head.to.Addr()
}

// A path is one direction of an access link. Network.mu guards it.
type path struct {
	host      *Host
	direction Direction
	link      *impair.Link
	quiet     bool // nobody looks
	ideal     bool // it takes no time and loses nothing
	number    uint64
}

// ideal reports whether c does nothing to any packet.
func ideal(c *impair.Config) bool { return c.String() == "" }

func (p *path) network() *Network { return p.host.net }

func (p *path) show(now time.Time, v Vantage, k *packet, out impair.Outcome, reason string) {
	if p.quiet {
		return
	}
	p.network().cfg.OnPacket(&Packet{
		Time: now, Host: p.host.cfg.Name, Direction: p.direction, Vantage: v,
		Data: k.bytes(), Number: k.number, ID: k.id, First: !k.shown, Outcome: out, Reason: reason,
	})
	k.shown = true
}

// enter takes a packet that is sent at now.
func (p *path) enter(now time.Time, k *packet) {
	p.number++
	k.number = p.number
	p.show(now, Sent, k, impair.Outcome{}, "")
	n := p.network()
	if p.ideal && p.quiet && p.direction == Up {
		if to := n.byAddr[k.head.to.Addr()]; to != nil {
			to.paths[Down].enter(now, k)
		} else {
			k.buffer.Release()
		}
		return
	}
	out := p.link.Plan(now, impair.Packet{
		Size: k.head.size, Class: k.head.class, Flow: k.head.flow, ID: k.head.id,
	})
	if len(n.queue) >= MaxPending && len(out.Arrivals) > 0 {
		out = impair.Outcome{Cause: impair.LostFull, Ordinal: out.Ordinal}
	}
	p.show(now, Carried, k, out, "")
	if len(out.Arrivals) == 0 {
		k.buffer.Release()
		return
	}
	for i, a := range out.Arrivals {
		one := k
		if i > 0 {
			one = k.copy()
		}
		n.schedule(delivery{at: a.At, path: p, packet: one, bit: a.Bit, swap: a.Swap})
	}
	n.rouse()
}

// leave takes a packet that has come to the far end. If that is a host, the
// arrival is to be handed to it, without the network's lock.
func (p *path) leave(now time.Time, d *delivery) (a arrival, ok bool) {
	k := d.packet
	if d.bit >= 0 {
		k.flip(d.bit)
	}
	if d.swap {
		k.swap()
	}
	if p.direction == Up {
		return p.change(now, k)
	}
	nic, reason := p.host.nic, ""
	switch {
	case nic == nil:
		reason = "the host is down"
	case k.flipped:
		reason = broken(k.bytes()) // its stack finds out for itself
	}
	p.show(now, Received, k, impair.Outcome{}, reason)
	if nic == nil {
		k.buffer.Release()
		return a, false
	}
	return arrival{nic, k}, true
}

// change is the switch: it sends a packet on to the host that has its
// destination address. What goes to nobody is lost there.
func (p *path) change(now time.Time, k *packet) (a arrival, ok bool) {
	to, reason := p.network().byAddr[k.destination()], ""
	if to == nil {
		reason = "no host has its address"
	}
	p.show(now, Received, k, impair.Outcome{}, reason)
	switch {
	case to == nil:
		k.buffer.Release()
	case to.nic != nil && to.paths[Down].ideal && to.paths[Down].quiet:
		// Nothing happens to it on the rest of its way.
		to.paths[Down].number++
		return arrival{to.nic, k}, true
	default:
		to.paths[Down].enter(now, k)
	}
	return a, false
}

// An arrival is a packet at its host.
type arrival struct {
	nic    *nic
	packet *packet
}

// hand gives the packet to the host's stack.
func (a *arrival) hand() {
	version := a.packet.version()
	b := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: a.packet.buffer})
	defer b.DecRef()
	d := a.nic.dispatcher.Load()
	if d == nil {
		return
	}
	switch version {
	case 4:
		(*d).DeliverNetworkPacket(header.IPv4ProtocolNumber, b)
	case 6:
		(*d).DeliverNetworkPacket(header.IPv6ProtocolNumber, b)
	}
}

func (p *packet) version() int {
	switch {
	case p.flipped:
		return int(p.bytes()[0] >> 4)
	case p.head.to.Addr().Is4():
		return 4
	}
	return 6
}

// send takes what a host's stack sends.
func (h *Host) send(c *nic, pkts []*stack.PacketBuffer) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.nic != c {
		return // it was killed
	}
	now := time.Now()
	for _, b := range pkts {
		n.packets++
		k := &packet{buffer: b.ToBuffer(), id: n.packets}
		if !h.paths[Up].quiet || !k.describe(b) {
			var ok bool
			if k.head, ok = parse(k.bytes()); !ok {
				k.buffer.Release()
				continue
			}
		}
		if h.identify(k) && n.cfg.OnState != nil && len(n.resent) < batch {
			n.resent = append(n.resent, resent{c.life, k.head.flow})
		}
		h.paths[Up].enter(now, k)
	}
	n.rouse()
}

// describe fills in the head from what the stack knows of the packet, without
// looking at its payload.
func (p *packet) describe(b *stack.PacketBuffer) (ok bool) {
	raw := make([]byte, 0, 128)
	raw = append(append(raw, b.NetworkHeader().Slice()...), b.TransportHeader().Slice()...)
	p.head, ok = parseHead(raw, b.Size())
	return ok
}
