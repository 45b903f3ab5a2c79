package layer

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/gopacket/layers"

	"wirelab/internal/style"
)

// maxName is the longest name in bytes, maxHops how many compression pointers
// one may go through (RFC 1035, section 3.1; there are at most 127 labels).
const (
	maxName = 255
	maxHops = 127
)

// dnsStream is DNS over TCP: a length before each message (RFC 1035, 4.2.2).
func (d *dissection) dnsStream() {
	end := d.end
	for end-d.at >= 2 {
		size := int(u16(d.b[d.at:]))
		f := d.begin()
		f.number("message length", 2)
		d.end = min(end, f.at+size)
		d.add(Layer{Name: "DNS over TCP", Abbrev: "dns-tcp", OSI: 7, TCPIP: Application, Summary: plural(size, "byte")}, f)
		d.dns(d.end)
		d.end = end
	}
	d.data("")
}

// dns is RFC 1035, section 4.1, in [d.at, end). Names in the message may point
// to earlier ones, so the ranges are found here; gopacket names types, classes
// and codes.
func (d *dissection) dns(end int) {
	if d.at >= end {
		return
	}
	f := d.begin()
	f.end = end
	m := &dnsMessage{fields: f, base: d.at}
	l := Layer{Name: "DNS", Abbrev: "dns", OSI: 7, TCPIP: Application}
	m.hex("id", 2)
	flags, ok := m.hex("flags", 2)
	m.bits("QR: response", 0x8000, set)
	m.bits("opcode", 0x7800, func(v uint64) string { return layers.DNSOpCode(v).String() })
	m.bits("AA: authoritative", 0x0400, set)
	m.bits("TC: truncated", 0x0200, set)
	m.bits("RD: recursion wanted", 0x0100, set)
	m.bits("RA: recursion possible", 0x0080, set)
	m.bits("Z: reserved", 0x0040, set)
	m.bits("AD: authentic data", 0x0020, set)
	m.bits("CD: checking disabled", 0x0010, set)
	m.bits("response code", 0x000f, func(v uint64) string { return layers.DNSResponseCode(v).String() })
	var counts [4]uint64
	for i, name := range [...]string{"questions", "answers", "authorities", "additionals"} {
		counts[i], _ = m.number(name, 2)
	}
	l.Summary = "query"
	if flags&0x8000 != 0 {
		l.Summary = "response"
	}
	head := f.at - f.begin
	for i := uint64(0); i < counts[0] && m.more(); i++ {
		said := m.record("question", true)
		if i == 0 {
			l.Summary += " " + said
		}
	}
	for section, name := range [...]string{"answer", "authority", "additional"} {
		for i := uint64(0); i < counts[section+1] && m.more(); i++ {
			said := m.record(name, false)
			if section == 0 && i < 3 {
				if i == 0 && flags&0x8000 != 0 {
					l.Summary += ":"
				}
				l.Summary += " " + said
			}
		}
	}
	if code := flags & 0xf; ok && flags&0x8000 != 0 && code != 0 {
		l.Summary += ": " + layers.DNSResponseCode(code).String()
	}
	f.rest("rest", "after the message")
	d.add(l, f)
	d.layers[len(d.layers)-1].HeaderLen = head
}

// A dnsMessage is a message under way; base is where it begins, which pointers
// count from.
type dnsMessage struct {
	*fields
	base int
}

func (m *dnsMessage) more() bool { return !m.short && m.at < m.end }

// record takes a question or a resource record as one field with parts, and
// returns it in short.
func (m *dnsMessage) record(what string, question bool) string {
	r := &dnsMessage{fields: &fields{b: m.b, begin: m.at, at: m.at, end: m.end}, base: m.base}
	name, ok := r.name("name")
	t, _ := r.number("type", 2)
	kind := layers.DNSType(t).String()
	if kind == "Unknown" {
		kind = fmt.Sprintf("TYPE%d", t)
		switch t {
		case 64:
			kind = "SVCB"
		case 65:
			kind = "HTTPS"
		case 255:
			kind = "ANY"
		}
	}
	r.note("%s", kind)
	class, _ := r.number("class", 2)
	r.note("%s", layers.DNSClass(class&0x7fff).String())
	if t == 41 && !question { // OPT, RFC 6891, section 6.1
		r.list[len(r.list)-1].Name = "UDP size"
		r.note("what the sender can take")
	}
	said := name + " " + kind
	short := kind + " ?"
	if question {
		short = kind + " " + name
	} else {
		ttl, _ := r.number("time to live", 4)
		r.note("%s", plural(int(ttl), "second"))
		if t == 41 {
			r.list[len(r.list)-1].Name = "extended code and flags"
			r.note("")
		}
		n, ok := r.number("data length", 2)
		if ok {
			value := r.data(t, int(n))
			short = kind + " " + value
			said += " " + value
		}
	}
	f := m.fields
	f.list = append(f.list, Field{Name: what, Value: said, Off: f.at, Len: r.at - f.at, Children: r.list})
	if r.short || !ok {
		f.list[len(f.list)-1].Note = "cut, or damaged"
		f.short = r.at >= f.end
		if !f.short { // a damaged name: nothing after it can be found
			f.at = r.at
			f.rest("rest", "after a damaged name")
			f.short = true
			return short
		}
	}
	f.at = r.at
	return short
}

// data takes a record's data of n bytes.
func (m *dnsMessage) data(t uint64, n int) string {
	begin := m.at
	b := m.bytes("data", n)
	if b == nil || n == 0 {
		return ""
	}
	in := &dnsMessage{fields: &fields{b: m.b, begin: begin, at: begin, end: begin + n}, base: m.base}
	value := ""
	switch {
	case t == 1 && n == 4:
		value = netip.AddrFrom4([4]byte(b)).String()
	case t == 28 && n == 16:
		value = netip.AddrFrom16([16]byte(b)).String()
	case t == 2 || t == 5 || t == 12: // NS, CNAME, PTR
		value, _ = in.name("name")
		in.list = nil
	case t == 6: // SOA
		value, _ = in.name("primary server")
		in.name("mailbox")
		for _, name := range [...]string{"serial", "refresh", "retry", "expire", "minimum"} {
			in.number(name, 4)
		}
	case t == 15: // MX
		p, _ := in.number("preference", 2)
		host, _ := in.name("exchange")
		value = fmt.Sprintf("%d %s", p, host)
	case t == 33: // SRV, RFC 2782
		in.number("priority", 2)
		in.number("weight", 2)
		port, _ := in.number("port", 2)
		host, _ := in.name("target")
		value = fmt.Sprintf("%s:%d", host, port)
	case t == 16: // TXT: strings with their length
		var all []string
		for in.at < in.end {
			size := 1 + int(in.b[in.at])
			v := in.bytes("text", size)
			if v == nil {
				break
			}
			in.value("%q", text(v[1:]))
			all = append(all, fmt.Sprintf("%q", text(v[1:])))
		}
		value = strings.Join(all, " ")
	default:
		value = fmt.Sprintf("%x", b[:min(n, 32)])
		if n > 32 {
			value += "…"
		}
	}
	in.rest("rest", "after the data")
	m.value("%s", value)
	m.adopt(in.fields)
	if len(in.list) == 1 && in.list[0].Name == "rest" {
		m.list[len(m.list)-1].Children = nil
	}
	return value
}

// name takes a name: labels, then an empty one or a pointer to an earlier place
// (RFC 1035, section 4.1.4).
func (m *dnsMessage) name(what string) (string, bool) {
	if m.short {
		return "", false
	}
	var labels []string
	at, size, length, ok := m.at, 0, 0, false
	pointed := false
scan:
	for hops := 0; at < m.end || pointed; {
		if at >= len(m.b) {
			break
		}
		c := int(m.b[at])
		switch c & 0xc0 {
		case 0:
			if c == 0 {
				if !pointed {
					size++
				}
				ok = true
				break scan
			}
			if at+1+c > len(m.b) || !pointed && at+1+c > m.end || length+c+1 > maxName {
				break scan
			}
			labels = append(labels, label(m.b[at+1:at+1+c]))
			length += c + 1
			at += 1 + c
			if !pointed {
				size += 1 + c
			}
		case 0xc0:
			if at+2 > len(m.b) || !pointed && at+2 > m.end {
				break scan
			}
			if !pointed {
				size += 2
			}
			target := m.base + int(u16(m.b[at:])&0x3fff)
			if hops++; hops > maxHops || target >= at {
				break scan
			}
			at, pointed = target, true
		default:
			break scan
		}
	}
	s := strings.Join(labels, ".")
	if s == "" && ok {
		s = "."
	}
	if !ok {
		// What it was meant to be is unknown; so is where it ends.
		if size == 0 {
			m.bytes(what, min(1, m.end-m.at))
		} else {
			m.bytes(what, size)
		}
		m.value("%s", s)
		m.note("damaged")
		m.short = true
		return s, false
	}
	m.bytes(what, size)
	m.value("%s", s)
	if pointed {
		m.note("compressed: points back into the message")
	}
	return s, true
}

// label makes a label visible; a dot in it is escaped (RFC 4343, section 2.1).
func label(b []byte) string {
	return strings.ReplaceAll(style.Visible(string(b)), ".", `\.`)
}
