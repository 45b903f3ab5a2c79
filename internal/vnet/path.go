package vnet

import (
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
	Outcome   impair.Outcome // at Carried
	Reason    string         // at Received: why the host did not take it; else empty
}

// A packet is one on its way.
type packet struct {
	data   []byte              // contiguous; nil while nobody has to look
	buffer *stack.PacketBuffer // as the receiving stack takes it; nil while there is data
	head   head
	number uint64
}

// bytes returns the packet's bytes.
func (p *packet) bytes() []byte {
	if p.data == nil {
		v := p.buffer.ToView()
		p.data = append([]byte(nil), v.AsSlice()...)
		v.Release()
		p.buffer.DecRef()
		p.buffer = nil
	}
	return p.data
}

// release lets go of a packet that goes no further.
func (p *packet) release() {
	if p.buffer != nil {
		p.buffer.DecRef()
		p.buffer = nil
	}
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
		Data: k.bytes(), Number: k.number, Outcome: out, Reason: reason,
	})
}

// enter takes a packet that is sent at now.
func (p *path) enter(now time.Time, k *packet) {
	p.number++
	k.number = p.number
	p.show(now, Sent, k, impair.Outcome{}, "")
	if p.ideal && p.quiet && p.direction == Up {
		p.forward(now, k)
		return
	}
	n := p.network()
	out := p.link.Plan(now, impair.Packet{
		Size: k.head.size, Class: k.head.class, Flow: k.head.flow, ID: k.head.id,
	})
	if len(n.queue) >= MaxPending && len(out.Arrivals) > 0 {
		out = impair.Outcome{Cause: impair.LostFull, Ordinal: out.Ordinal}
	}
	p.show(now, Carried, k, out, "")
	if len(out.Arrivals) == 0 {
		k.release()
		return
	}
	if len(out.Arrivals) > 1 {
		k.bytes() // both arrivals share it
	}
	for _, a := range out.Arrivals {
		n.schedule(delivery{at: a.At, path: p, packet: k, bit: a.Bit})
	}
	n.rouse()
}

// leave takes a packet that has come to the far end. If that is a host, the
// arrival is to be handed to it, without the network's lock.
func (p *path) leave(now time.Time, d *delivery) (a arrival, ok bool) {
	k := *d.packet
	if d.bit >= 0 {
		k.data = append([]byte(nil), k.bytes()...)
		k.data[d.bit/8] ^= 0x80 >> (d.bit % 8)
	}
	reason := ""
	nic := p.host.nic
	if p.direction == Down && nic == nil {
		reason = "the host is down"
	}
	p.show(now, Received, &k, impair.Outcome{}, reason)
	switch {
	case p.direction == Up:
		if to := p.network().byAddr[k.head.to.Addr()]; to != nil && d.bit < 0 && to.nic != nil && to.paths[Down].ideal && to.paths[Down].quiet {
			to.paths[Down].number++
			return arrival{to.nic, k}, true // nothing happens to it on the rest of its way
		}
		p.forward(now, &k)
		return a, false
	case nic == nil:
		k.release()
		return a, false
	}
	return arrival{nic, k}, true
}

// forward is the switch: it sends a packet on to the host that has its
// destination address. What goes to nobody is lost there.
func (p *path) forward(now time.Time, k *packet) {
	to := p.network().byAddr[k.head.to.Addr()]
	if k.data != nil {
		// A flipped bit may have changed where it goes.
		h, ok := parse(k.data)
		to = nil
		if ok {
			to = p.network().byAddr[h.to.Addr()]
		}
	}
	if to == nil {
		k.release()
		return
	}
	next := *k
	to.paths[Down].enter(now, &next)
}

// An arrival is a packet at its host.
type arrival struct {
	nic    *nic
	packet packet
}

// hand gives the packet to the host's stack.
func (a *arrival) hand() {
	b := a.packet.buffer
	if b == nil {
		b = stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(a.packet.data)})
	}
	defer b.DecRef()
	d := a.nic.dispatcher.Load()
	if d == nil {
		return
	}
	switch a.packet.version() {
	case 4:
		(*d).DeliverNetworkPacket(header.IPv4ProtocolNumber, b)
	case 6:
		(*d).DeliverNetworkPacket(header.IPv6ProtocolNumber, b)
	}
}

func (p *packet) version() int {
	if p.data != nil {
		return int(p.data[0] >> 4)
	}
	if p.head.to.Addr().Is4() {
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
		k := &packet{buffer: stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: b.ToBuffer()})}
		if !h.paths[Up].quiet || !h.describe(k, b) {
			var ok bool
			if k.head, ok = parse(k.bytes()); !ok {
				continue
			}
		}
		h.identify(k)
		h.paths[Up].enter(now, k)
	}
	n.rouse()
}

// describe fills in k.head from what the stack knows of the packet, without
// looking at its bytes.
func (h *Host) describe(k *packet, b *stack.PacketBuffer) bool {
	raw := make([]byte, 0, 128)
	raw = append(append(raw, b.NetworkHeader().Slice()...), b.TransportHeader().Slice()...)
	var ok bool
	k.head, ok = parseHead(raw, b.Size())
	return ok
}
