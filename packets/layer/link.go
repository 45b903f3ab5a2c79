package layer

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"wirelab/packets"
)

// EtherTypes (IEEE 802 numbers) that have a name here.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
)

// etherType names an EtherType.
func etherType(t uint16) string {
	switch t {
	case typeIPv4:
		return "IPv4"
	case typeARP:
		return "ARP"
	case typeIPv6:
		return "IPv6"
	case 0x8100:
		return "VLAN tag (802.1Q)"
	case 0x88a8, 0x9100:
		return "VLAN tag (802.1ad)"
	case 0x8863, 0x8864:
		return "PPPoE"
	case 0x8847:
		return "MPLS"
	case 0x88cc:
		return "LLDP"
	case 0x888e:
		return "802.1X"
	}
	return "unknown"
}

// link takes the link's header, and goes on inside.
func (d *dissection) link() {
	switch d.p.Link {
	case packets.LinkEthernet:
		d.ethernet()
	case packets.LinkNull, packets.LinkLoop:
		d.loopback()
	case packets.LinkSLL:
		d.cooked()
	case packets.LinkSLL2:
		d.cooked2()
	case packets.LinkRaw, packets.LinkIPv4, packets.LinkIPv6:
		d.ip()
	default:
		d.unknown(2, Link, d.p.Link.String()+": not decoded")
	}
}

func hardware(b []byte) string { return net.HardwareAddr(b).String() }

// ethernet is IEEE 802.3, clause 3.
func (d *dissection) ethernet() {
	f := d.begin()
	var src, dst string
	if b := f.bytes("destination", 6); b != nil {
		dst = hardware(b)
		f.value("%s", dst)
		switch {
		case dst == "ff:ff:ff:ff:ff:ff":
			f.note("broadcast: to all stations")
		case b[0]&1 != 0:
			f.note("multicast: to a group")
		}
	}
	if b := f.bytes("source", 6); b != nil {
		src = hardware(b)
		f.value("%s", src)
	}
	l := Layer{Name: "Ethernet", Abbrev: "eth", OSI: 2, TCPIP: Link, Summary: src + " → " + dst}
	t, ok := f.number("type", 2)
	switch {
	case ok && t < 0x0600:
		f.list[len(f.list)-1].Name = "length"
		f.note("an IEEE 802.3 frame, with LLC inside")
		d.end = min(d.end, f.at+int(t))
		d.add(l, f)
		d.unknown(2, Link, "LLC: not decoded")
		return
	case ok:
		f.value("0x%04x", t)
		f.note("%s", etherType(uint16(t)))
	}
	d.add(l, f)
	if ok {
		d.network(uint16(t))
	}
}

// network goes on with what an EtherType says.
func (d *dissection) network(t uint16) {
	switch t {
	case typeIPv4, typeIPv6:
		d.ip()
	case typeARP:
		d.arp()
	case 0x8100, 0x88a8, 0x9100:
		d.vlan()
	default:
		d.unknown(3, Internet, fmt.Sprintf("EtherType 0x%04x (%s): not decoded", t, etherType(t)))
	}
}

// vlan is a tag of IEEE 802.1Q, clause 9.6.
func (d *dissection) vlan() {
	f := d.begin()
	v, _ := f.hex("tag control", 2)
	f.bits("priority", 0xe000, decimal)
	f.bits("drop eligible", 0x1000, set)
	f.bits("VLAN id", 0x0fff, decimal)
	t, ok := f.hex("type", 2)
	f.note("%s", etherType(uint16(t)))
	d.add(Layer{Name: "VLAN tag", Abbrev: "vlan", OSI: 2, TCPIP: Link, Summary: fmt.Sprintf("VLAN %d", v&0xfff)}, f)
	switch {
	case !ok:
	case t < 0x0600:
		d.end = min(d.end, d.at+int(t))
		d.unknown(2, Link, "LLC: not decoded")
	default:
		d.network(uint16(t))
	}
}

// loopback is what BSD puts before a packet on its loopback: the address family
// in the host's byte order (LINKTYPE_NULL), or in the network's (LINKTYPE_LOOP).
func (d *dissection) loopback() {
	f := d.begin()
	b := f.bytes("address family", 4)
	if b != nil {
		v := binary.BigEndian.Uint32(b)
		if d.p.Link == packets.LinkNull && v > 0xffff {
			v = binary.LittleEndian.Uint32(b)
		}
		f.value("%d", v)
		switch v {
		case 2:
			f.note("IPv4")
		case 10, 23, 24, 28, 30:
			f.note("IPv6; the number differs between systems")
		}
	}
	d.add(Layer{Name: "Loopback", Abbrev: "lo", OSI: 2, TCPIP: Link, Summary: "within the host"}, f)
	if b != nil {
		d.ip()
	}
}

// direction names the packet type of Linux cooked captures.
func direction(v uint64) string {
	if v < 5 {
		return [...]string{"to us", "to all", "to a group", "to somebody else", "from us"}[v]
	}
	return "unknown"
}

func (f *fields) direction(n int) string {
	v, ok := f.number("packet type", n)
	f.note("%s", direction(v))
	if !ok {
		return ""
	}
	return direction(v)
}

// station takes the sender's link address of a Linux cooked capture.
func (f *fields) station(n uint64) {
	if b := f.bytes("source", 8); b != nil {
		f.value("%s", hardware(b[:min(n, 8)]))
		if n < 8 {
			f.note("%d bytes count", n)
		}
	}
}

// cooked is LINKTYPE_LINUX_SLL: no device's own header, since packets of all
// devices are in the capture.
func (d *dissection) cooked() {
	f := d.begin()
	way := f.direction(2)
	f.number("device type", 2)
	n, _ := f.number("address length", 2)
	f.station(n)
	t, ok := f.hex("type", 2)
	f.note("%s", etherType(uint16(t)))
	d.add(Layer{Name: "Linux cooked", Abbrev: "sll", OSI: 2, TCPIP: Link, Summary: way}, f)
	if ok {
		d.network(uint16(t))
	}
}

// cooked2 is LINKTYPE_LINUX_SLL2.
func (d *dissection) cooked2() {
	f := d.begin()
	t, _ := f.hex("type", 2)
	f.note("%s", etherType(uint16(t)))
	f.number("reserved", 2)
	index, _ := f.number("interface index", 4)
	f.number("device type", 2)
	way := f.direction(1)
	n, ok := f.number("address length", 1)
	f.station(n)
	d.add(Layer{Name: "Linux cooked v2", Abbrev: "sll2", OSI: 2, TCPIP: Link, Summary: way + ", interface " + strconv.FormatUint(index, 10)}, f)
	if ok && !f.short {
		d.network(uint16(t))
	}
}

// arp is RFC 826. RFC 1122, section 2.3.2, counts it to the link layer.
func (d *dissection) arp() {
	f := d.begin()
	l := Layer{Name: "ARP", Abbrev: "arp", OSI: 2, TCPIP: Link}
	hw, _ := f.number("hardware type", 2)
	if hw == 1 {
		f.note("Ethernet")
	}
	proto, _ := f.hex("protocol type", 2)
	f.note("%s", etherType(uint16(proto)))
	hlen, _ := f.number("hardware length", 1)
	plen, _ := f.number("protocol length", 1)
	op, ok := f.number("operation", 2)
	switch op {
	case 1:
		f.note("request: who has this address?")
	case 2:
		f.note("reply")
	}
	var at [4]string
	for i, name := range [...]string{"sender hardware", "sender protocol", "target hardware", "target protocol"} {
		n := hlen
		if i%2 == 1 {
			n = plen
		}
		if n == 0 || !ok {
			continue
		}
		b := f.bytes(name, int(n))
		switch {
		case b == nil:
		case i%2 == 1 && len(b) == 4:
			at[i] = netip.AddrFrom4([4]byte(b)).String()
		default:
			at[i] = hardware(b)
		}
		f.value("%s", at[i])
	}
	switch {
	case op == 1 && at[1] == at[3]:
		l.Summary = at[1] + " is at " + at[0] + ", told to all"
	case op == 1:
		l.Summary = "who has " + at[3] + "? tell " + at[1]
	case op == 2:
		l.Summary = at[1] + " is at " + at[0]
	default:
		l.Summary = fmt.Sprintf("operation %d", op)
	}
	d.end = f.at // Ethernet pads it
	d.add(l, f)
}
