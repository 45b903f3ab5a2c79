package filter

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// services are the names that a port can have, with their protocols.
var services = map[string]struct {
	port  uint32
	proto string // tcp, udp, or both if empty
}{
	"ftp-data": {20, "tcp"}, "ftp": {21, "tcp"}, "ssh": {22, "tcp"}, "telnet": {23, "tcp"}, "smtp": {25, "tcp"},
	"domain": {53, ""}, "tftp": {69, "udp"}, "http": {80, "tcp"}, "pop3": {110, "tcp"}, "ntp": {123, "udp"},
	"imap2": {143, "tcp"}, "snmp": {161, ""}, "bgp": {179, "tcp"}, "ldap": {389, ""}, "https": {443, ""},
	"syslog": {514, "udp"}, "imaps": {993, "tcp"}, "pop3s": {995, "tcp"},
}

// numbers are the names that an IP protocol can have.
var numbers = map[string]uint32{
	"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58, "ipv6-icmp": 58, "sctp": 132,
}

// types are the names that an Ethertype can have.
var types = map[string]uint32{"ip": typeIPv4, "arp": typeARP, "rarp": typeRARP, "ip6": typeIPv6}

// value reads one value of a qualifier.
func (p *parser) value(q qualifier) (*node, error) {
	if w := p.peek(); w.text == "" || w.sign {
		return nil, p.refuse(w, "want %s", wanted(q))
	}
	allow := func(protocols ...string) error {
		if q.proto.text != "" && !slices.Contains(protocols, q.proto.text) {
			return p.refuse(q.proto, "does not go with %s: want nothing, %s before it", kindOf(q), strings.Join(protocols, " or "))
		}
		return nil
	}
	switch q.kind.text {
	case "port", "portrange":
		if err := allow("tcp", "udp", "sctp"); err != nil {
			return nil, err
		}
		return p.port(q)
	case "proto":
		if err := allow("ip", "ip6", "ether"); err != nil {
			return nil, err
		}
		return p.proto(q)
	case "net":
		if err := allow("ip", "ip6", "arp", "rarp"); err != nil {
			return nil, err
		}
		return p.net(q)
	}
	if err := allow("ip", "ip6", "arp", "rarp", "ether"); err != nil {
		return nil, err
	}
	if q.proto.text == "ether" {
		return p.mac(q)
	}
	return p.host(q)
}

func kindOf(q qualifier) string {
	if q.kind.text == "" {
		return "an address"
	}
	return q.kind.text
}

// wanted says what a qualifier wants behind it.
func wanted(q qualifier) string {
	switch {
	case q.kind.text == "port":
		return "a port, such as 80 or http"
	case q.kind.text == "portrange":
		return "a range of ports, such as 80-90"
	case q.kind.text == "proto" && q.proto.text == "ether":
		return "an Ethertype of at least 0x600, or ip, ip6, arp or rarp"
	case q.kind.text == "proto":
		return "a protocol from 0 to 255, or icmp, igmp, tcp, udp, gre, esp, ah, icmp6 or sctp"
	case q.kind.text == "net":
		return "a network, such as 10.0.0.0/8, 10.1 or 2001:db8::/32"
	case q.proto.text == "ether":
		return "an Ethernet address, such as 02:00:00:00:00:01"
	}
	return "an address in numbers, such as 10.0.0.1 or 2001:db8::1"
}

// isAddress reports whether text is an address, or looks like one.
func isAddress(text string) bool {
	return strings.Count(text, ":") > 1 || strings.Trim(text, "0123456789.") == "" && strings.Contains(text, ".")
}

// host reads an address.
func (p *parser) host(q qualifier) (*node, error) {
	w := p.next()
	a, err := netip.ParseAddr(w.text)
	if err != nil {
		why := wanted(q)
		switch {
		case looksMAC(w.text):
			why = "an Ethernet address wants ether before " + kindOf(q)
		case !isAddress(w.text) && !isNumber(w):
			why += "; names are not looked up"
		}
		return nil, p.refuse(w, "%s", why)
	}
	if p.is("/") || p.is("mask") {
		return nil, p.refuse(p.peek(), "a network wants net before it, not %s", kindOf(q))
	}
	return p.within(q, w, netip.PrefixFrom(a, a.BitLen()))
}

// net reads a network: an address, a part of one, a prefix or a mask.
func (p *parser) net(q qualifier) (*node, error) {
	w := p.next()
	if strings.Contains(w.text, ":") {
		a, err := netip.ParseAddr(w.text)
		if err != nil || w.escaped {
			return nil, p.refuse(w, "want %s", wanted(q))
		}
		length := uint32(128)
		if p.take("/") != "" {
			if length, err = p.number(p.next(), 128); err != nil {
				return nil, p.refuse(p.words[p.at-1], "want a prefix of 0 to 128 bits")
			}
		}
		return p.within(q, w, netip.PrefixFrom(a, int(length)))
	}
	v, length, ok := part(w.text)
	if !ok || w.escaped {
		return nil, p.refuse(w, "want %s", wanted(q))
	}
	mask := ^uint32(0) << (32 - length)
	whole := strings.Contains(w.text, ".")
	switch p.take("/", "mask") {
	case "/":
		n := p.next()
		bits, err := p.number(n, 32)
		if err != nil || !whole {
			return nil, p.refuse(n, "want a prefix of 0 to 32 bits behind an address with dots, such as 10.0.0.0/8")
		}
		mask = uint32(uint64(0xffffffff) << (32 - bits))
	case "mask":
		n := p.next()
		m, size, ok := part(n.text)
		if !ok || !whole || !strings.Contains(n.text, ".") {
			return nil, p.refuse(n, "want a mask such as 255.255.0.0 behind an address with dots")
		}
		mask = m
		_ = size
	default:
		if v == 0 && !whole {
			return nil, p.refuse(w, "want 0.0.0.0 or a prefix, such as 0.0.0.0/8")
		}
	}
	if v&^mask != 0 {
		return nil, p.refuse(w, "has bits beyond its mask of %d: want %s", bits.OnesCount32(mask), netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v&mask))))
	}
	return p.ipv4(q, w, v, mask)
}

// part reads one to four numbers of an IPv4 address and returns how many bits they
// say. The rest is 0.
func part(text string) (v uint32, length int, ok bool) {
	bytes := strings.Split(text, ".")
	if len(bytes) > 4 {
		return 0, 0, false
	}
	for _, s := range bytes {
		b, err := strconv.ParseUint(s, 10, 8)
		if err != nil || len(s) > 1 && s[0] == '0' {
			return 0, 0, false
		}
		v = v<<8 | uint32(b)
		length += 8
	}
	return v << (32 - length), length, true
}

// within tests for the addresses of a prefix.
func (p *parser) within(q qualifier, w word, prefix netip.Prefix) (*node, error) {
	a := prefix.Addr()
	if a.Zone() != "" {
		return nil, p.refuse(w, "want an address without a zone")
	}
	if prefix != prefix.Masked() {
		return nil, p.refuse(w, "has bits beyond its prefix of %d: want %s", prefix.Bits(), prefix.Masked())
	}
	if a.Is4() {
		b := a.As4()
		return p.ipv4(q, w, binary.BigEndian.Uint32(b[:]), ^uint32(0))
	}
	if q.proto.text != "" && q.proto.text != "ip6" {
		return nil, p.refuse(w, "an address of IPv6 behind %s", q.proto.text)
	}
	l, b := p.link, a.As16()
	side := func(at uint32) *node {
		n := &node{kind: always}
		for i := range uint32(4) {
			known := min(max(prefix.Bits()-int(i)*32, 0), 32)
			mask := uint32(uint64(0xffffffff) << (32 - known))
			n = and(n, masked(l.payload+at+i*4, 4, mask, binary.BigEndian.Uint32(b[i*4:])))
		}
		return and(l.is(typeIPv6), n)
	}
	return directed(q.dir, side(8), side(24)), nil
}

// directed joins the tests of the source and the destination.
func directed(d direction, src, dst *node) *node {
	switch d {
	case source:
		return src
	case destination:
		return dst
	case bothWays:
		return and(src, dst)
	}
	return or(src, dst)
}

// ipv4 tests for addresses in IPv4, ARP or RARP.
func (p *parser) ipv4(q qualifier, w word, v, mask uint32) (*node, error) {
	l := p.link
	in := func(etherType, src, dst uint32) *node {
		side := func(at uint32) *node { return and(l.is(etherType), masked(l.payload+at, 4, mask, v)) }
		return directed(q.dir, side(src), side(dst))
	}
	switch q.proto.text {
	case "":
		return or(in(typeIPv4, 12, 16), in(typeARP, 14, 24), in(typeRARP, 14, 24)), nil
	case "ip":
		return in(typeIPv4, 12, 16), nil
	case "arp":
		return in(typeARP, 14, 24), nil
	case "rarp":
		return in(typeRARP, 14, 24), nil
	}
	return nil, p.refuse(w, "an address of IPv4 behind %s", q.proto.text)
}

func looksMAC(text string) bool {
	_, ok := parseMAC(text)
	return ok
}

// parseMAC reads six bytes with colons between them.
func parseMAC(text string) (mac [6]byte, ok bool) {
	bytes := strings.Split(text, ":")
	if len(bytes) != len(mac) {
		return mac, false
	}
	for i, s := range bytes {
		v, err := strconv.ParseUint(s, 16, 8)
		if err != nil || len(s) > 2 {
			return mac, false
		}
		mac[i] = byte(v)
	}
	return mac, true
}

// mac reads an Ethernet address.
func (p *parser) mac(q qualifier) (*node, error) {
	if !p.link.ethernet() {
		return nil, p.refuse(q.proto, "there is no Ethernet on this link")
	}
	w := p.next()
	mac, ok := parseMAC(w.text)
	if !ok {
		return nil, p.refuse(w, "want %s", wanted(q))
	}
	return directed(q.dir, ethernet(6, mac), ethernet(0, mac)), nil
}

// ethernet tests for an address at an offset, its end first as libpcap does.
func ethernet(at uint32, mac [6]byte) *node {
	return and(compare(at+2, 4, binary.BigEndian.Uint32(mac[2:])), compare(at, 2, uint32(binary.BigEndian.Uint16(mac[:]))))
}

// port reads a port or a range of them.
func (p *parser) port(q qualifier) (*node, error) {
	w := p.next()
	protos := []string{"tcp", "udp", "sctp"}
	if q.proto.text != "" {
		protos = []string{q.proto.text}
	}
	low, high, ranged := strings.Cut(w.text, "-")
	service, named := services[w.text]
	var from, to uint64
	var err, err2 error
	switch {
	case named && q.kind.text == "port":
		from, to = uint64(service.port), uint64(service.port)
		switch {
		case q.proto.text == "sctp" || service.proto != "" && q.proto.text != "" && q.proto.text != service.proto:
			return nil, p.refuse(w, "is no service of %s: want its number", q.proto.text)
		case q.proto.text == "" && service.proto != "":
			protos = []string{service.proto}
		}
	case ranged && q.kind.text == "portrange":
		from, err = parseNumber(low)
		to, err2 = parseNumber(high)
	default:
		from, err = parseNumber(w.text)
		to = from
	}
	if err != nil || err2 != nil || from > 65535 || to > 65535 || w.escaped && !named {
		why := wanted(q) + ", of at most 65535"
		if ranged && q.kind.text == "port" {
			why = "a range of ports wants portrange before it"
		} else if err != nil && !isRange(err) {
			why = wanted(q) + "; the names known are " + strings.Join(sorted(), ", ")
		}
		return nil, p.refuse(w, "%s", why)
	}
	return p.link.ports(protos, q.dir, uint32(min(from, to)), uint32(max(from, to))), nil
}

// sorted returns the names of services.
func sorted() []string {
	var out []string
	for name := range services {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// ports tests for ports from low to high.
func (l link) ports(protos []string, d direction, low, high uint32) *node {
	within := func(code []instruction) *node {
		by := func(by bpf.JumpTest, k uint32) *node {
			return &node{kind: test, code: code, jump: instruction{op: jumpK, test: by, k: k}}
		}
		if low == high {
			return by(bpf.JumpEqual, low)
		}
		return and(by(bpf.JumpGreaterOrEqual, low), not(by(bpf.JumpGreaterThan, high)))
	}
	at6 := func(at uint32) *node {
		return within([]instruction{{op: loadAbsolute, size: 2, k: l.payload + 40 + at}})
	}
	at4 := func(at uint32) *node {
		return within([]instruction{{op: loadHeader, k: l.payload}, {op: loadIndirect, size: 2, k: l.payload + at}})
	}
	proto := func(at uint32) *node {
		n := compare(l.payload+at, 1, numbers[protos[0]])
		for _, name := range protos[1:] {
			n = or(n, compare(l.payload+at, 1, numbers[name]))
		}
		return n
	}
	six := and(proto(6), directed(d, at6(0), at6(2)))
	four := and(proto(9), l.first(), directed(d, at4(0), at4(2)))
	return or(and(l.is(typeIPv6), six), and(l.is(typeIPv4), four))
}

// first tests that a packet of IPv4 is the first fragment or the only one.
func (l link) first() *node { return not(relate(l.payload+6, 2, bpf.JumpBitsSet, 0x1fff)) }

// protocol tests for a protocol by its name.
func (l link) protocol(name string) *node {
	switch name {
	case "ip", "ip6", "arp", "rarp":
		return l.is(types[name])
	case "icmp":
		return l.inIPv4(1)
	case "icmp6":
		return l.inIPv6(58)
	}
	return or(l.inIPv4(numbers[name]), l.inIPv6(numbers[name]))
}

func (l link) inIPv4(proto uint32) *node {
	return and(l.is(typeIPv4), compare(l.payload+9, 1, proto))
}

// inIPv6 tests for a protocol behind IPv6's header or behind a fragment's.
func (l link) inIPv6(proto uint32) *node {
	return and(l.is(typeIPv6), or(compare(l.payload+6, 1, proto),
		and(compare(l.payload+6, 1, protoFragment), compare(l.payload+40, 1, proto))))
}

// proto reads the number or the name of a protocol.
func (p *parser) proto(q qualifier) (*node, error) {
	w := p.next()
	l := p.link
	if q.proto.text == "ether" {
		v, named := types[w.text]
		if !named {
			n, err := parseNumber(w.text)
			if v = uint32(n); err != nil || w.escaped || v < 0x600 || v > 0xffff || v == 0x809b || v == 0x80f3 {
				return nil, p.refuse(w, "want %s", wanted(q))
			}
		}
		return l.is(v), nil
	}
	v, named := numbers[w.text]
	if !named {
		n, err := parseNumber(w.text)
		if v = uint32(n); err != nil || w.escaped || v > 255 {
			return nil, p.refuse(w, "want %s", wanted(q))
		}
	}
	switch q.proto.text {
	case "ip":
		return l.inIPv4(v), nil
	case "ip6":
		return l.inIPv6(v), nil
	}
	return or(l.inIPv4(v), l.inIPv6(v)), nil
}

// length reads the number of less and greater, which both include it.
func (p *parser) length(keyword word) (*node, error) {
	v, err := p.number(p.next(), 1<<32-1)
	n := &node{kind: test, code: []instruction{{op: loadLength}}, jump: instruction{op: jumpK, test: bpf.JumpGreaterOrEqual, k: v}}
	if keyword.text == "less" {
		n.jump.test = bpf.JumpGreaterThan
		n = not(n)
	}
	return n, err
}

// vlan reads an optional number. What is behind it in the expression is looked for
// behind the tag.
func (p *parser) vlan(keyword word) (*node, error) {
	if !p.link.ethernet() {
		return nil, p.refuse(keyword, "there is no Ethernet on this link, so no tag")
	}
	l := &p.link
	n := or(l.is(0x8100), l.is(0x88a8), l.is(0x9100))
	if w := p.peek(); isNumber(w) {
		id, err := p.number(p.next(), 4095)
		if err != nil {
			return nil, err
		}
		n = and(n, masked(l.payload, 2, 0x0fff, id))
	}
	l.kind += 4
	l.payload += 4
	l.tags++
	return n, nil
}

// cast tests for broadcast or multicast.
func (p *parser) cast(proto, w word) (*node, error) {
	l := p.link
	switch {
	case proto.text == "" || proto.text == "ether":
		if !l.ethernet() {
			return nil, p.refuse(w, "there is no Ethernet on this link; want ip multicast or ip6 multicast")
		}
		if w.text == "broadcast" {
			return ethernet(0, [6]byte{255, 255, 255, 255, 255, 255}), nil
		}
		return relate(0, 1, bpf.JumpBitsSet, 1), nil
	case w.text == "broadcast":
		return nil, p.refuse(w, "want ether broadcast or nothing before it: the network's mask is not known")
	case proto.text == "ip":
		return and(l.is(typeIPv4), relate(l.payload+16, 1, bpf.JumpGreaterOrEqual, 224)), nil
	case proto.text == "ip6":
		return and(l.is(typeIPv6), compare(l.payload+24, 1, 255)), nil
	}
	return nil, p.refuse(proto, "want ether, ip, ip6 or nothing before multicast")
}
