package layer

import (
	"fmt"
	"net/netip"

	"wirelab/packets"
)

// icmpNames has the types of RFC 792, and the codes of unreachable.
func icmpName(t, code uint64) string {
	switch t {
	case 0:
		return "echo reply"
	case 3:
		names := [...]string{"network", "host", "protocol", "port", "fragmentation needed and DF set"}
		switch {
		case code == 4:
			return names[4]
		case code < 4:
			return names[code] + " unreachable"
		case code == 13:
			return "unreachable: forbidden"
		}
		return "destination unreachable"
	case 4:
		return "source quench"
	case 5:
		return "redirect"
	case 8:
		return "echo request"
	case 9:
		return "router advertisement"
	case 10:
		return "router solicitation"
	case 11:
		if code == 1 {
			return "time exceeded: fragments are missing"
		}
		return "time exceeded: TTL is 0"
	case 12:
		return "parameter problem"
	case 13:
		return "timestamp request"
	case 14:
		return "timestamp reply"
	}
	return fmt.Sprintf("type %d", t)
}

// icmp is RFC 792.
func (d *dissection) icmp() {
	f := d.begin()
	length := d.end - d.at
	t, _ := f.number("type", 1)
	code, ok := f.number("code", 1)
	l := Layer{Name: "ICMP", Abbrev: "icmp", OSI: 3, TCPIP: Internet}
	if ok {
		l.Summary = icmpName(t, code)
		f.list[0].Note = l.Summary
	}
	if _, ok := f.hex("checksum", 2); ok {
		f.note("%s", d.verify(packets.ProtocolICMP, f.begin, length, 2, false))
	}
	switch t {
	case 0, 8, 13, 14:
		l.Summary += f.echo()
	case 3:
		if code == 4 { // RFC 1191, section 4
			f.number("unused", 2)
			mtu, _ := f.number("next hop's MTU", 2)
			l.Summary += fmt.Sprintf(", MTU %d", mtu)
			break
		}
		f.number("unused", 4)
	case 5:
		if a := f.bytes("gateway", 4); a != nil {
			f.value("%s", netip.AddrFrom4([4]byte(a)))
		}
	default:
		f.hex("rest of the header", 4)
	}
	d.add(l, f)
	switch t {
	case 3, 4, 5, 11, 12:
		d.quote()
	default:
		d.unknown(3, Internet, "the message's data")
	}
}

func (f *fields) echo() string {
	id, _ := f.number("identifier", 2)
	n, ok := f.number("sequence number", 2)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", id %d, seq %d", id, n)
}

// quote takes the start of the packet that an ICMP error is about.
func (d *dissection) quote() {
	if d.at >= d.end {
		return
	}
	f := d.begin()
	inner := packets.Packet{Link: packets.LinkRaw, Data: d.b[d.at:d.end], Length: d.end - d.at}
	var h packets.Headers
	h.Decode(&inner)
	about := "no IP packet"
	if h.Src.IsValid() {
		about = fmt.Sprintf("%s → %s, %s", h.Src, h.Dst, protocol(h.Protocol))
		if n := h.Body; !h.IsFragment() && n >= 0 && (h.Protocol == packets.ProtocolTCP || h.Protocol == packets.ProtocolUDP) {
			if h.Transport >= 0 {
				n = h.Transport // Body is after the ports where they were decoded
			}
			if n+4 <= len(inner.Data) {
				about += fmt.Sprintf(", port %d → %d", u16(inner.Data[n:]), u16(inner.Data[n+2:]))
			}
		}
	}
	f.bytes("the packet's start", d.end-d.at)
	f.value("%s", about)
	d.add(Layer{Name: "Quoted packet", Abbrev: "quote", OSI: 3, TCPIP: Internet, Summary: "about " + about}, f)
	d.layers[len(d.layers)-1].HeaderLen = 0
}

func icmp6Name(t, code uint64) string {
	switch t {
	case 1:
		names := [...]string{"no route", "forbidden", "beyond the scope of the source", "address unreachable", "port unreachable"}
		if code < uint64(len(names)) {
			return names[code]
		}
		return "destination unreachable"
	case 2:
		return "packet too big"
	case 3:
		return "time exceeded"
	case 4:
		return "parameter problem"
	case 128:
		return "echo request"
	case 129:
		return "echo reply"
	case 130, 131, 132, 143:
		return "multicast listener"
	case 133:
		return "router solicitation"
	case 134:
		return "router advertisement"
	case 135:
		return "neighbor solicitation"
	case 136:
		return "neighbor advertisement"
	case 137:
		return "redirect"
	}
	return fmt.Sprintf("type %d", t)
}

// icmp6 is RFC 4443, and RFC 4861 for neighbors and routers.
func (d *dissection) icmp6() {
	f := d.begin()
	length := d.end - d.at
	t, _ := f.number("type", 1)
	code, ok := f.number("code", 1)
	l := Layer{Name: "ICMPv6", Abbrev: "icmp6", OSI: 3, TCPIP: Internet}
	if ok {
		l.Summary = icmp6Name(t, code)
		f.list[0].Note = l.Summary
	}
	if _, ok := f.hex("checksum", 2); ok {
		f.note("%s", d.verify(packets.ProtocolICMPv6, f.begin, length, 2, true))
	}
	target := func() {
		if a := f.bytes("target", 16); a != nil {
			f.value("%s", netip.AddrFrom16([16]byte(a)))
			l.Summary += " for " + netip.AddrFrom16([16]byte(a)).String()
		}
		f.neighborOptions()
	}
	switch t {
	case 2:
		mtu, ok := f.number("MTU", 4)
		if ok {
			l.Summary += fmt.Sprintf(", MTU %d", mtu)
		}
	case 128, 129:
		l.Summary += f.echo()
	case 133:
		f.number("reserved", 4)
		f.neighborOptions()
	case 134:
		f.number("hop limit", 1)
		f.hex("flags", 1)
		f.bits("managed addresses", 0x80, set)
		f.bits("other configuration", 0x40, set)
		f.number("router lifetime", 2)
		f.number("reachable time", 4)
		f.number("retransmission timer", 4)
		f.neighborOptions()
	case 135:
		f.number("reserved", 4)
		target()
	case 136:
		f.hex("flags", 4)
		f.bits("router", 0x80000000, set)
		f.bits("solicited", 0x40000000, set)
		f.bits("override", 0x20000000, set)
		target()
	default:
		f.hex("rest of the header", 4)
	}
	d.add(l, f)
	switch {
	case t >= 1 && t <= 4:
		d.quote()
	default:
		d.unknown(3, Internet, "the message's data")
	}
}

// neighborOptions are RFC 4861, section 4.6: type, length in units of 8 bytes.
func (f *fields) neighborOptions() {
	for !f.short && f.end-f.at >= 2 {
		n := int(f.b[f.at+1]) * 8
		if n == 0 {
			f.rest("option", "of length 0")
			return
		}
		name := fmt.Sprintf("option %d", f.b[f.at])
		hardwareAddress := false
		switch f.b[f.at] {
		case 1:
			name, hardwareAddress = "source link address", true
		case 2:
			name, hardwareAddress = "target link address", true
		case 3:
			name = "prefix"
		case 5:
			name = "MTU"
		}
		b := f.bytes(name, n)
		switch {
		case b == nil:
		case hardwareAddress:
			f.value("%s", hardware(b[2:]))
		default:
			f.value("%x", b[2:])
		}
	}
}
