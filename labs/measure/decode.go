package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"wirelab/labs"
	"wirelab/labs/scenario"
	"wirelab/packets"
)

// A decoder turns a run's capture into packets. Each recorded link has three
// interfaces, one after the other: the host, the link, the far end.
type decoder struct {
	names map[netip.Addr]string
	list  []Packet
	sent  map[place]*same
	flows map[flow]*way
}

// A place is what packets have in common at all vantage points of a link: their
// number, or their bytes where the capture gives none.
type place struct {
	link int // of its host
	up   bool
	id   uint64
	data string
}

// Same are the packets of one place, in the order in which they were sent: one,
// but for copies that were made on a link before, and without numbers.
type same struct {
	list []int
	next [perLink]int // by vantage point, which of the list is awaited there
}

// A flow is one direction of a conversation on one link.
type flow struct {
	link     int
	src, dst netip.AddrPort
}

// A way is what was seen of a flow.
type way struct {
	known bool
	first uint32 // sequence number that counts as 0
	next  uint32 // after the highest that was sent, relative
	scale int8   // that the sender's window has; −1: none was offered
}

const (
	near = iota
	link
	far
	perLink
)

// addresses returns the hosts' addresses: those that the guest gives them, in the
// order of the server (if there are members), the members and the hosts.
func addresses(s *scenario.Scenario) map[netip.Addr]string {
	names := make(map[netip.Addr]string)
	if s == nil {
		return names
	}
	var hosts []string
	if len(s.Members) > 0 {
		hosts = append(hosts, scenario.ServerHost)
	}
	for i := range s.Members {
		hosts = append(hosts, s.Members[i].Name)
	}
	for i := range s.Hosts {
		hosts = append(hosts, s.Hosts[i].Name)
	}
	six := netip.MustParseAddr("2001:db8::").As16()
	for i, name := range hosts {
		six[15] = byte(i + 1)
		names[netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})] = name
		names[netip.AddrFrom16(six)] = name
	}
	return names
}

// decode reads a capture. Instants are seconds since the run began.
func decode(s *scenario.Scenario, capture []byte) ([]Packet, error) {
	if len(capture) == 0 {
		return nil, nil
	}
	r, err := packets.NewReader(bytes.NewReader(capture))
	if err != nil {
		return nil, err
	}
	d := &decoder{list: make([]Packet, 0, len(capture)/2000), names: addresses(s), sent: make(map[place]*same), flows: make(map[flow]*way)}
	var p packets.Packet
	var h packets.Headers
	for {
		err := r.Read(&p)
		if errors.Is(err, io.EOF) {
			return d.list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the run's capture: %w", err)
		}
		host := ""
		if i := p.Interface - p.Interface%perLink; i < len(r.Interfaces()) {
			host = r.Interfaces()[i].Name
		}
		d.take(&p, &h, host, capture)
	}
}

// take takes one packet at one vantage point.
func (d *decoder) take(p *packets.Packet, h *packets.Headers, host string, capture []byte) {
	n, role := p.Interface/perLink, p.Interface%perLink
	out := p.Direction == packets.Out
	up := out == (role != far)
	at := place{link: n, up: up, id: p.ID}
	if p.ID == 0 {
		at.data = string(p.Data)
	}
	q := d.sent[at]
	if role != link && out { // its sender's end
		d.add(p, h, host, n, up, capture)
		if q == nil {
			q = new(same)
			d.sent[at] = q
		}
		q.list = append(q.list, len(d.list)-1)
		return
	}
	if q == nil {
		return
	}
	step := link
	if role != link {
		step = far
	}
	k := &d.list[d.pass(q, step)]
	switch {
	case step == link:
		k.Fate = p.Comment
		k.Lost = strings.HasPrefix(p.Comment, "lost")
	case p.Comment != "": // it goes no further
		k.Lost, k.Fate = true, p.Comment
	default:
		k.Copies++
		if k.Arrived < 0 {
			k.Arrived = labs.Since(p.Time).Seconds()
		}
	}
}

// pass returns which packet is seen at a vantage point: the one that is awaited
// there next, or else a copy of the last.
func (d *decoder) pass(q *same, step int) int {
	i := q.next[step]
	for step == far && i < len(q.list)-1 && d.list[q.list[i]].Lost {
		i++
	}
	q.next[step] = i + 1 // beyond the end: copies
	return q.list[min(i, len(q.list)-1)]
}

// add lists a packet that its sender's end saw.
func (d *decoder) add(p *packets.Packet, h *packets.Headers, host string, n int, up bool, capture []byte) {
	h.Decode(p)
	k := Packet{
		N: len(d.list) + 1, Number: p.Number, T: labs.Since(p.Time).Seconds(), Arrived: -1, Host: host, Up: up,
		From: d.name(h.Src), To: d.name(h.Dst), Size: h.IPLength, TTL: int(h.TTL), Len: h.PayloadLen,
		Frag: h.Fragment, More: h.MF, Sport: int(h.SrcPort), Dport: int(h.DstPort), Payload: string(h.Payload),
	}
	if at := p.Offset + blockHead; at+int64(len(p.Data)) <= int64(len(capture)) {
		k.Data = capture[at : at+int64(len(p.Data))]
	}
	switch h.Protocol {
	case packets.ProtocolTCP:
		k.Proto = "tcp"
	case packets.ProtocolUDP:
		k.Proto = "udp"
	case packets.ProtocolICMP, packets.ProtocolICMPv6:
		k.Proto = "icmp"
	default:
		k.Proto = fmt.Sprint(h.Protocol)
	}
	if h.TCP {
		d.segment(&k, h, n)
	}
	d.list = append(d.list, k)
}

// blockHead is what stands before a packet's bytes in its block
// (draft-ietf-opsawg-pcapng, section 4.3).
const blockHead = 28

// segment fills in what TCP's header says, as Wireshark shows it.
func (d *decoder) segment(k *Packet, h *packets.Headers, n int) {
	k.Syn = h.Control&packets.SYN != 0
	k.Fin = h.Control&packets.FIN != 0
	k.Rst = h.Control&packets.RST != 0
	k.IsAck = h.Control&packets.ACK != 0
	k.MSS = int(h.Options.MSS)
	src, dst := netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)
	w, back := d.way(n, src, dst), d.way(n, dst, src)
	switch {
	case k.Syn && (!w.known || w.first != h.Seq):
		*w = way{known: true, first: h.Seq, scale: h.Options.Scale}
		if !k.IsAck {
			*back = way{scale: -1}
		}
	case !w.known && !k.Rst:
		*w = way{known: true, first: h.Seq - 1, next: 1, scale: -1}
	}
	seq := h.Seq - w.first
	if k.IsAck {
		if !back.known && !k.Syn {
			*back = way{known: true, first: h.Ack - 1, next: 1, scale: -1}
		}
		k.Ack = int(h.Ack - back.first)
	}
	if w.known {
		k.Seq = int(seq)
	}
	k.Window = int(h.Window)
	if !k.Syn && w.scale > 0 && back.scale >= 0 {
		k.Window <<= w.scale
	}
	length := uint32(k.Len)
	if k.Syn {
		length++
	}
	if k.Fin {
		length++
	}
	if length == 0 || k.Rst {
		return
	}
	k.Again = int32(seq-w.next) < 0
	if end := seq + length; int32(end-w.next) > 0 {
		w.next = end
	}
}

func (d *decoder) way(n int, src, dst netip.AddrPort) *way {
	f := flow{n, src, dst}
	w := d.flows[f]
	if w == nil {
		w = &way{scale: -1}
		d.flows[f] = w
	}
	return w
}

// name returns the host that has an address, or the address.
func (d *decoder) name(a netip.Addr) string {
	if name := d.names[a]; name != "" {
		return name
	}
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
