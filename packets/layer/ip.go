package layer

import (
	"fmt"
	"net/netip"

	"wirelab/packets"
)

// ip takes an IP header, of the version that its first bits say.
func (d *dissection) ip() {
	if d.at >= d.end {
		return
	}
	switch v := d.b[d.at] >> 4; v {
	case 4:
		d.ipv4()
	case 6:
		d.ipv6()
	default:
		d.unknown(3, Internet, fmt.Sprintf("IP version %d, want 4 or 6", v))
	}
}

// protocols names IP protocol numbers.
func protocol(n uint8) string {
	switch n {
	case 0:
		return "hop-by-hop options"
	case packets.ProtocolICMP:
		return "ICMP"
	case 2:
		return "IGMP"
	case 4:
		return "IPv4 in IP"
	case packets.ProtocolTCP:
		return "TCP"
	case packets.ProtocolUDP:
		return "UDP"
	case 41:
		return "IPv6 in IP"
	case 43:
		return "routing header"
	case 44:
		return "fragment header"
	case 47:
		return "GRE"
	case 50:
		return "ESP"
	case 51:
		return "authentication header"
	case packets.ProtocolICMPv6:
		return "ICMPv6"
	case 59:
		return "nothing"
	case 60:
		return "destination options"
	case 132:
		return "SCTP"
	}
	return "unknown"
}

// codePoint names a differentiated services code point (RFC 2474, 2597, 3246).
func codePoint(v uint64) string {
	switch {
	case v == 0:
		return "0 (best effort)"
	case v == 46:
		return "46 (EF: expedited)"
	case v%8 == 0:
		return fmt.Sprintf("%d (CS%d)", v, v/8)
	case v%2 == 0 && v >= 10 && v <= 38 && v%8 != 0:
		return fmt.Sprintf("%d (AF%d%d)", v, v/8, v%8/2)
	}
	return decimal(v)
}

// congestion names the bits of RFC 3168, section 5.
func congestion(v uint64) string {
	return [...]string{"0 (not capable)", "1 (ECT(1))", "2 (ECT(0))", "3 (congestion was met)"}[v&3]
}

// ipv4 is RFC 791, section 3.1.
func (d *dissection) ipv4() {
	f, b := d.begin(), d.b[d.at:d.end]
	l := Layer{Name: "IPv4", Abbrev: "ip", OSI: 3, TCPIP: Internet}
	v, _ := f.number("version and length", 1)
	f.value("version 4, header of %d bytes", v&0xf*4)
	f.bits("version", 0xf0, decimal)
	f.bits("header length", 0x0f, func(v uint64) string { return fmt.Sprintf("%d × 4 = %d bytes", v, v*4) })
	header := int(v&0xf) * 4
	if header < 20 {
		f.note("a header has at least 20 bytes")
	}
	f.hex("traffic class", 1)
	f.bits("DSCP", 0xfc, codePoint)
	f.bits("ECN", 0x03, congestion)
	length, hasLength := f.number("total length", 2)
	switch {
	case !hasLength:
	case length == 0:
		f.note("0: the network card was to cut it into packets (segmentation offload)")
	case int(length) < header:
		f.note("less than the header's %d bytes", header)
	case int(length) > len(b):
		f.note("%d bytes of it were kept", len(b))
	}
	f.hex("identification", 2)
	f.hex("flags and offset", 2)
	f.bits("reserved", 0x8000, set)
	f.bits("DF: don't fragment", 0x4000, set)
	f.bits("MF: more fragments", 0x2000, set)
	f.bits("fragment offset", 0x1fff, func(v uint64) string { return fmt.Sprintf("%d × 8 = byte %d", v, v*8) })
	f.number("time to live", 1)
	proto, hasProto := f.number("protocol", 1)
	f.note("%s", protocol(uint8(proto)))
	if sum, ok := f.hex("header checksum", 2); ok {
		switch {
		case header < 20:
		case header > len(b):
			f.note("not checked: not all of the header was kept")
		default:
			f.note("%s", d.judge(uint16(sum), checksum(0, without(b[:header], 10)), 0xffff, false))
		}
	}
	if a := f.bytes("source", 4); a != nil {
		f.value("%s", netip.AddrFrom4([4]byte(a)))
	}
	if a := f.bytes("destination", 4); a != nil {
		f.value("%s", netip.AddrFrom4([4]byte(a)))
		l.Summary = fmt.Sprintf("%s → %s", netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(a)))
	}
	if f.short || header < 20 {
		d.add(l, f)
		d.unknown(3, Internet, "after a header that makes no sense")
		return
	}
	if header > 20 {
		f.optionArea(header-20, ipv4Option)
	}
	if length == 0 {
		length = uint64(len(b))
	}
	d.end = min(d.end, max(f.at, f.begin+int(length)))
	d.whole = f.begin+int(length) <= len(d.b)
	flags := u16(b[6:])
	d.add(l, f)
	if !hasProto || f.short {
		return
	}
	d.transport(uint8(proto), int(flags&0x1fff)*8)
}

// An option has its name and what is after kind and length.
type option struct {
	name  string
	value func(f *fields) // takes the rest of the option's bytes; nil for none
}

// optionArea takes n bytes of options in the form of IPv4's and TCP's: a kind
// that stands alone, or kind, length and value.
func (f *fields) optionArea(n int, known func(kind byte) option) {
	if f.short || n == 0 {
		return
	}
	if f.bytes("options", n) == nil {
		return
	}
	f.value("%s", plural(n, "byte"))
	area := f.part()
	for area.at < area.end {
		at := area.at
		kind := area.b[at]
		o := known(kind)
		left := area.end - at
		switch {
		case kind == 0:
			area.bytes(o.name, 1)
			area.value("ends the options")
			area.rest("padding", zeros(area.b[area.at:area.end]))
			continue
		case kind == 1:
			area.bytes(o.name, 1)
			area.value("padding")
			continue
		case left < 2:
			area.rest("option", "its length is missing")
			continue
		}
		size := int(area.b[at+1])
		if size < 2 || size > left {
			area.rest("option", fmt.Sprintf("kind %d, length %d: want 2 to %d", kind, size, left))
			continue
		}
		area.bytes(o.name, size)
		one := area.part()
		one.number("kind", 1)
		one.number("length", 1)
		if o.value != nil {
			o.value(one)
		}
		one.rest("value", fmt.Sprintf("%x", one.b[one.at:one.end]))
		// What an option says is said beside its name, too.
		var said string
		for _, c := range one.list[2:] {
			if said != "" {
				said += ", "
			}
			if len(one.list) > 3 {
				said += c.Name + " "
			}
			said += c.Value
		}
		area.value("%s", said)
		area.adopt(one)
	}
	f.adopt(area)
}

// ipv4Option knows the options of RFC 791, section 3.1, and of RFC 2113.
func ipv4Option(kind byte) option {
	routes := func(f *fields) {
		f.number("pointer", 1)
		for f.end-f.at >= 4 {
			b := f.bytes("address", 4)
			f.value("%s", netip.AddrFrom4([4]byte(b)))
		}
	}
	switch kind {
	case 0:
		return option{name: "end of options"}
	case 1:
		return option{name: "no operation"}
	case 7:
		return option{"record route", routes}
	case 68:
		return option{name: "timestamp"}
	case 131:
		return option{"loose source route", routes}
	case 137:
		return option{"strict source route", routes}
	case 148:
		return option{"router alert", func(f *fields) { f.number("value", 2) }}
	}
	return option{name: fmt.Sprintf("option %d", kind)}
}

// ipv6 is RFC 8200, section 3.
func (d *dissection) ipv6() {
	f, b := d.begin(), d.b[d.at:d.end]
	l := Layer{Name: "IPv6", Abbrev: "ip6", OSI: 3, TCPIP: Internet}
	f.hex("version, class, label", 4)
	f.bits("version", 0xf0000000, decimal)
	f.bits("DSCP", 0x0fc00000, codePoint)
	f.bits("ECN", 0x00300000, congestion)
	f.bits("flow label", 0x000fffff, func(v uint64) string { return fmt.Sprintf("0x%05x", v) })
	length, _ := f.number("payload length", 2)
	next, _ := f.number("next header", 1)
	f.note("%s", protocol(uint8(next)))
	f.number("hop limit", 1)
	if a := f.bytes("source", 16); a != nil {
		f.value("%s", netip.AddrFrom16([16]byte(a)))
	}
	a := f.bytes("destination", 16)
	if a == nil {
		d.add(l, f)
		return
	}
	f.value("%s", netip.AddrFrom16([16]byte(a)))
	l.Summary = fmt.Sprintf("%s → %s", netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(a)))
	size := 40 + int(length)
	if length == 0 && next != 59 { // a jumbogram, or segmentation offload
		size = len(b)
	}
	d.end = min(d.end, f.begin+size)
	d.whole = f.begin+size <= len(d.b)
	d.add(l, f)
	d.extensions(uint8(next))
}

// extensions are RFC 8200, section 4. At most 16 are taken apart.
func (d *dissection) extensions(next uint8) {
	offset := 0
	for range 16 {
		f := d.begin()
		l := Layer{Name: "IPv6 " + protocol(next), Abbrev: "ip6-ext", OSI: 3, TCPIP: Internet}
		var after uint64
		switch next {
		case 0, 43, 60:
			after, _ = f.number("next header", 1)
			f.note("%s", protocol(uint8(after)))
			n, ok := f.number("length", 1)
			f.note("(%d + 1) × 8 = %d bytes", n, (n+1)*8)
			if ok {
				f.extension(next, int(n)*8+6)
			}
			l.Summary = plural(f.at-f.begin, "byte")
		case 44:
			after, _ = f.number("next header", 1)
			f.note("%s", protocol(uint8(after)))
			f.number("reserved", 1)
			v, _ := f.hex("offset and flag", 2)
			f.bits("fragment offset", 0xfff8, func(v uint64) string { return fmt.Sprintf("%d × 8 = byte %d", v, v*8) })
			f.bits("reserved", 0x0006, decimal)
			f.bits("more fragments", 0x0001, set)
			f.hex("identification", 4)
			offset = int(v &^ 7)
			l.Summary = fmt.Sprintf("from byte %d on", offset)
		default:
			d.transport(next, offset)
			return
		}
		if f.at == f.begin {
			return
		}
		d.add(l, f)
		if f.short {
			return
		}
		next = uint8(after)
		if offset > 0 {
			break
		}
	}
	d.transport(next, offset)
}

// extension takes what is after an extension header's length: n bytes.
func (f *fields) extension(kind uint8, n int) {
	if kind == 43 {
		f.number("routing type", 1)
		f.number("segments left", 1)
		if b := f.bytes("route", n-2); b != nil {
			f.value("%x", b)
		}
		return
	}
	b := f.bytes("options", n)
	if b == nil {
		return
	}
	f.value("%s", plural(n, "byte"))
	area := f.part()
	for area.at < area.end { // RFC 8200, section 4.2
		kind, left := area.b[area.at], area.end-area.at
		if kind == 0 {
			area.bytes("Pad1", 1)
			continue
		}
		if left < 2 || 2+int(area.b[area.at+1]) > left {
			area.rest("option", fmt.Sprintf("type %d runs over the end", kind))
			continue
		}
		name := fmt.Sprintf("option %d", kind)
		switch kind {
		case 1:
			name = "PadN"
		case 5:
			name = "router alert"
		case 0xc2:
			name = "jumbo payload"
		}
		v := area.bytes(name, 2+int(area.b[area.at+1]))
		area.value("%x", v[2:])
	}
	f.adopt(area)
}
