package layer

import (
	"fmt"
	"strings"

	"wirelab/packets"
)

// transport goes on with the protocol that IP carries; offset is that of a
// fragment.
func (d *dissection) transport(proto uint8, offset int) {
	switch {
	case d.at >= d.end:
	case offset > 0:
		d.unknown(4, Transport, fmt.Sprintf("a later fragment of a %s datagram, from byte %d on", protocol(proto), offset))
	case proto == packets.ProtocolTCP:
		d.tcp()
	case proto == packets.ProtocolUDP:
		d.udp()
	case proto == packets.ProtocolICMP && d.h.Version == 4:
		d.icmp()
	case proto == packets.ProtocolICMPv6 && d.h.Version == 6:
		d.icmp6()
	default:
		d.unknown(4, Transport, fmt.Sprintf("protocol %d (%s): not decoded", proto, protocol(proto)))
	}
}

// control has TCP's control bits, the highest first (RFC 9293, section 3.1).
var control = [...]struct {
	name, why string
}{
	{"CWR", "the window was made smaller (congestion)"},
	{"ECE", "congestion was met on the way"},
	{"URG", "the urgent pointer counts"},
	{"ACK", "the acknowledgment number counts"},
	{"PSH", "hand the data to the program now"},
	{"RST", "the connection is void"},
	{"SYN", "opens: the first number of this side"},
	{"FIN", "closes: this side has no more to say"},
}

// Control names the control bits of TCP that are set, as "SYN, ACK".
func Control(bits uint8) string {
	var s []string
	for i := len(control) - 1; i >= 0; i-- {
		if bits>>(7-i)&1 != 0 {
			s = append(s, control[i].name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ", ")
}

// tcp is RFC 9293, section 3.1.
func (d *dissection) tcp() {
	f := d.begin()
	length := d.end - d.at
	base := d.ctx.Base
	src, _ := f.number("source port", 2)
	dst, ok := f.number("destination port", 2)
	l := Layer{Name: "TCP", Abbrev: "tcp", OSI: 4, TCPIP: Transport}
	if ok {
		l.Summary = fmt.Sprintf("%d → %d", src, dst)
	}
	seq, _ := f.number("sequence number", 4)
	if base != nil {
		f.note("relative: %d", uint32(seq)-base.Seq)
	}
	ack, _ := f.number("acknowledgment number", 4)
	atAck := len(f.list) - 1
	v, hasOffset := f.hex("data offset", 1)
	f.bits("data offset", 0xf0, func(v uint64) string { return fmt.Sprintf("%d × 4 = %d bytes", v, v*4) })
	f.bits("reserved", 0x0f, decimal)
	header := int(v>>4) * 4
	if hasOffset && header < 20 {
		f.note("a header has at least 20 bytes")
	}
	bits, hasBits := f.hex("control bits", 1)
	if hasBits {
		f.value("%s", Control(uint8(bits)))
		f.list[len(f.list)-1].Note = ""
		for i, c := range control {
			f.bits(c.name, 0x80>>i, set)
			if bits<<i&0x80 != 0 {
				p := f.list[len(f.list)-1].Children
				p[len(p)-1].Note = c.why
			}
		}
		l.Summary += " [" + Control(uint8(bits)) + "]"
		switch {
		case bits&packets.ACK == 0:
			f.list[atAck].Note = "does not count: ACK is not set"
		case base != nil:
			f.list[atAck].Note = fmt.Sprintf("relative: %d", uint32(ack)-base.Ack)
		}
	}
	win, _ := f.number("window", 2)
	if base != nil && base.Scale > 0 && bits&packets.SYN == 0 {
		f.note("scaled by 2^%d: %d bytes", base.Scale, win<<base.Scale)
	}
	if _, ok := f.hex("checksum", 2); ok {
		f.note("%s", d.verify(packets.ProtocolTCP, f.begin, length, 16, true))
	}
	f.number("urgent pointer", 2)
	if header > 20 {
		f.optionArea(header-20, tcpOption)
	}
	if hasBits {
		if base != nil {
			seq = uint64(uint32(seq) - base.Seq)
		}
		l.Summary += fmt.Sprintf(" seq %d", seq)
	}
	d.add(l, f)
	if f.short {
		return
	}
	d.stream()
}

// tcpOption knows the option kinds of IANA's TCP parameters.
func tcpOption(kind byte) option {
	switch kind {
	case 0:
		return option{name: "end of options"}
	case 1:
		return option{name: "no operation"}
	case 2:
		return option{"maximum segment size", func(f *fields) { f.number("bytes", 2) }}
	case 3:
		return option{"window scale", func(f *fields) {
			v, _ := f.number("shift", 1)
			f.value("× 2^%d = %d", v, uint64(1)<<min(v, 63))
			if v > 14 {
				f.note("14 counts: it is the most (RFC 7323)")
			}
		}}
	case 4:
		return option{name: "SACK permitted"}
	case 5:
		return option{"SACK", func(f *fields) {
			for f.end-f.at >= 8 {
				f.number("from", 4)
				f.number("to before", 4)
			}
		}}
	case 8:
		return option{"timestamps", func(f *fields) {
			f.number("TSval", 4)
			f.number("TSecr", 4)
		}}
	case 19:
		return option{name: "MD5 signature"}
	case 28:
		return option{"user timeout", func(f *fields) { f.hex("timeout", 2) }}
	case 29:
		return option{name: "TCP-AO"}
	case 30:
		return option{name: "Multipath TCP"}
	case 34:
		return option{name: "Fast Open cookie"}
	case 253, 254:
		return option{name: "experiment"}
	}
	return option{name: fmt.Sprintf("option %d", kind)}
}

// udp is RFC 768.
func (d *dissection) udp() {
	f := d.begin()
	src, _ := f.number("source port", 2)
	dst, _ := f.number("destination port", 2)
	length, ok := f.number("length", 2)
	outer := d.end
	left := d.end - f.begin
	size := int(length)
	if size == 0 && d.h.Version == 6 {
		size = left
	}
	switch {
	case !ok:
	case size < 8:
		f.note("a datagram has at least 8 bytes")
		size = left
	case size > left && d.whole && !d.h.IsFragment():
		f.note("IP has room for %d", left)
	case size > left:
		f.note("%d bytes of it are here", left)
	}
	sum, ok := f.hex("checksum", 2)
	switch {
	case !ok:
	case sum == 0 && d.h.Version == 4:
		f.note("none: the sender made none (RFC 768)")
	case sum == 0:
		f.note("none: over IPv6 it must be there (RFC 8200, section 8.1)")
	default:
		f.note("%s", d.verify(packets.ProtocolUDP, f.begin, size, 6, true))
	}
	l := Layer{Name: "UDP", Abbrev: "udp", OSI: 4, TCPIP: Transport, Summary: fmt.Sprintf("%d → %d", src, dst)}
	if ok {
		d.end = min(d.end, f.begin+size)
	}
	d.add(l, f)
	if f.short {
		return
	}
	d.datagram()
	if d.end < outer {
		d.at, d.end = d.end, outer
		d.unknown(3, Internet, "after the end of the datagram")
	}
}
