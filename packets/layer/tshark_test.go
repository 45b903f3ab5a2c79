package layer

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"wirelab/packets"
)

// tshark returns the program, of the version whose output the tests know.
func tshark(t *testing.T) string {
	path, err := exec.LookPath("tshark")
	if err == nil {
		var out []byte
		out, err = exec.Command(path, "--version").Output()
		if err == nil && !bytes.Contains(out, []byte(" 4.0.")) {
			err = fmt.Errorf("want tshark 4.0, have %.40q", out)
		}
	}
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// writePcap writes packets of one link type.
func writePcap(t *testing.T, link packets.LinkType, all [][]byte) string {
	var b bytes.Buffer
	le := binary.LittleEndian
	b.Write(le.AppendUint32(nil, 0xa1b2c3d4))
	b.Write([]byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0})
	b.Write(le.AppendUint32(nil, uint32(link)))
	for i, p := range all {
		h := le.AppendUint32(nil, uint32(i+1))
		h = le.AppendUint32(h, 0)
		h = le.AppendUint32(h, uint32(len(p)))
		b.Write(le.AppendUint32(h, uint32(len(p))))
		b.Write(p)
	}
	name := filepath.Join(t.TempDir(), "test.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A pdmlField is a field as tshark tells it: where its bytes are, and its value.
type pdmlField struct {
	Name   string      `xml:"name,attr"`
	Pos    int         `xml:"pos,attr"`
	Size   int         `xml:"size,attr"`
	Show   string      `xml:"show,attr"`
	Value  string      `xml:"value,attr"`
	Fields []pdmlField `xml:"field"`
	Protos []pdmlField `xml:"proto"`
}

// pdml returns what tshark says of each packet, by the field's name.
func pdml(t *testing.T, path string) []map[string][]pdmlField {
	cmd := exec.Command(tshark(t), "-n", "-r", path, "-T", "pdml",
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-o", "tcp.relative_sequence_numbers:FALSE", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Packets []pdmlField `xml:"packet"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	var all []map[string][]pdmlField
	for _, p := range doc.Packets {
		m := make(map[string][]pdmlField)
		var walk func(f []pdmlField)
		walk = func(fields []pdmlField) {
			for _, f := range fields {
				m[f.Name] = append(m[f.Name], f)
				walk(f.Fields)
				walk(f.Protos)
			}
		}
		for _, proto := range p.Protos {
			if proto.Name != "geninfo" && proto.Name != "frame" {
				walk([]pdmlField{proto})
			}
		}
		all = append(all, m)
	}
	return all
}

// find returns the fields of a path "layer/field/child" in all layers of that
// abbreviation. A name that ends in * takes all that begin like it.
func find(layers []Layer, path string) (found []Field) {
	words := strings.Split(path, "/")
	for _, l := range layers {
		if l.Abbrev != words[0] && words[0] != "sll*" || !strings.HasPrefix(l.Abbrev, strings.TrimSuffix(words[0], "*")) {
			continue
		}
		fields := l.Fields
		for i, w := range words[1:] {
			var next []Field
			for _, f := range fields {
				if f.Name == w || strings.HasSuffix(w, "*") && strings.HasPrefix(f.Name, w[:len(w)-1]) {
					if i == len(words)-2 {
						found = append(found, f)
					}
					next = append(next, f.Children...)
				}
			}
			fields = next
		}
	}
	return found
}

var leading = regexp.MustCompile(`^(0x[0-9a-f]+|\d+)`)

// same reports whether a value of ours says what tshark's does: the same text,
// the same number, or set for 1.
func same(ours Field, shown string) bool {
	v := ours.Value
	if i := strings.Index(v, "= "); i >= 0 { // "5 × 4 = 20 bytes", "0 × 8 = byte 0"
		v = strings.TrimPrefix(v[i+2:], "byte ")
	}
	switch {
	case v == shown, strings.Trim(v, `"`) == shown:
		return true
	case v == "set":
		return shown == "1" || shown == "True"
	case v == "not set":
		return shown == "0" || shown == "False"
	}
	a, err := strconv.ParseUint(leading.FindString(v), 0, 64)
	b, err2 := strconv.ParseUint(leading.FindString(shown), 0, 64)
	return err == nil && err2 == nil && a == b
}

// pairs say which field of tshark's is which of ours.
var pairs = []struct{ theirs, ours string }{
	{"eth.dst", "eth/destination"}, {"eth.src", "eth/source"}, {"eth.type", "eth/type"}, {"eth.len", "eth/length"},
	{"vlan.priority", "vlan/tag control/priority"}, {"vlan.dei", "vlan/tag control/drop eligible"},
	{"vlan.id", "vlan/tag control/VLAN id"}, {"vlan.etype", "vlan/type"},
	{"arp.hw.type", "arp/hardware type"}, {"arp.proto.type", "arp/protocol type"}, {"arp.hw.size", "arp/hardware length"},
	{"arp.proto.size", "arp/protocol length"}, {"arp.opcode", "arp/operation"}, {"arp.src.hw_mac", "arp/sender hardware"},
	{"arp.src.proto_ipv4", "arp/sender protocol"}, {"arp.dst.hw_mac", "arp/target hardware"}, {"arp.dst.proto_ipv4", "arp/target protocol"},
	{"ip.version", "ip/version and length/version"}, {"ip.hdr_len", "ip/version and length/header length"},
	{"ip.dsfield", "ip/traffic class"}, {"ip.dsfield.dscp", "ip/traffic class/DSCP"}, {"ip.dsfield.ecn", "ip/traffic class/ECN"},
	{"ip.len", "ip/total length"}, {"ip.id", "ip/identification"}, {"ip.flags.rb", "ip/flags and offset/reserved"},
	{"ip.flags.df", "ip/flags and offset/DF: don't fragment"}, {"ip.flags.mf", "ip/flags and offset/MF: more fragments"},
	{"ip.frag_offset", "ip/flags and offset/fragment offset"}, {"ip.ttl", "ip/time to live"}, {"ip.proto", "ip/protocol"},
	{"ip.checksum", "ip/header checksum"}, {"ip.src", "ip/source"}, {"ip.dst", "ip/destination"},
	{"ip.opt.ra", "ip/options/router alert/value"},
	{"ipv6.plen", "ip6/payload length"}, {"ipv6.nxt", "ip6/next header"}, {"ipv6.hlim", "ip6/hop limit"},
	{"ipv6.src", "ip6/source"}, {"ipv6.dst", "ip6/destination"}, {"ipv6.flow", "ip6/version, class, label/flow label"},
	{"ipv6.tclass.dscp", "ip6/version, class, label/DSCP"}, {"ipv6.tclass.ecn", "ip6/version, class, label/ECN"},
	{"ipv6.fraghdr.offset", "ip6-ext/offset and flag/fragment offset"}, {"ipv6.fraghdr.more", "ip6-ext/offset and flag/more fragments"},
	{"ipv6.fraghdr.ident", "ip6-ext/identification"},
	{"tcp.srcport", "tcp/source port"}, {"tcp.dstport", "tcp/destination port"}, {"tcp.seq", "tcp/sequence number"},
	{"tcp.ack", "tcp/acknowledgment number"}, {"tcp.hdr_len", "tcp/data offset/data offset"},
	{"tcp.flags.cwr", "tcp/control bits/CWR"}, {"tcp.flags.ece", "tcp/control bits/ECE"}, {"tcp.flags.urg", "tcp/control bits/URG"},
	{"tcp.flags.ack", "tcp/control bits/ACK"}, {"tcp.flags.push", "tcp/control bits/PSH"}, {"tcp.flags.reset", "tcp/control bits/RST"},
	{"tcp.flags.syn", "tcp/control bits/SYN"}, {"tcp.flags.fin", "tcp/control bits/FIN"}, {"tcp.window_size_value", "tcp/window"},
	{"tcp.checksum", "tcp/checksum"}, {"tcp.urgent_pointer", "tcp/urgent pointer"}, {"tcp.options.mss_val", "tcp/options/maximum segment size/bytes"},
	{"tcp.options.wscale.multiplier", "tcp/options/window scale/shift"}, {"tcp.options.timestamp.tsval", "tcp/options/timestamps/TSval"},
	{"tcp.options.timestamp.tsecr", "tcp/options/timestamps/TSecr"}, {"tcp.options.sack_le", "tcp/options/SACK/from"},
	{"tcp.options.sack_re", "tcp/options/SACK/to before"}, {"tcp.option_len", "tcp/options/*/length"},
	{"udp.srcport", "udp/source port"}, {"udp.dstport", "udp/destination port"}, {"udp.length", "udp/length"}, {"udp.checksum", "udp/checksum"},
	{"icmp.type", "icmp/type"}, {"icmp.code", "icmp/code"}, {"icmp.checksum", "icmp/checksum"}, {"icmp.ident", "icmp/identifier"},
	{"icmp.seq", "icmp/sequence number"}, {"icmp.mtu", "icmp/next hop's MTU"},
	{"icmpv6.type", "icmp6/type"}, {"icmpv6.code", "icmp6/code"}, {"icmpv6.checksum", "icmp6/checksum"},
	{"icmpv6.echo.identifier", "icmp6/identifier"}, {"icmpv6.echo.sequence_number", "icmp6/sequence number"},
	{"icmpv6.nd.ns.target_address", "icmp6/target"},
	{"dns.id", "dns/id"}, {"dns.flags.response", "dns/flags/QR: response"}, {"dns.flags.authoritative", "dns/flags/AA: authoritative"},
	{"dns.flags.truncated", "dns/flags/TC: truncated"}, {"dns.flags.recdesired", "dns/flags/RD: recursion wanted"},
	{"dns.flags.recavail", "dns/flags/RA: recursion possible"}, {"dns.count.queries", "dns/questions"}, {"dns.count.answers", "dns/answers"},
	{"dns.count.auth_rr", "dns/authorities"}, {"dns.count.add_rr", "dns/additionals"},
	{"dns.qry.name", "dns/question/name"}, {"dns.qry.type", "dns/question/type"}, {"dns.qry.class", "dns/question/class"},
	{"dns.resp.name", "dns/a*/name"}, {"dns.resp.type", "dns/a*/type"}, {"dns.resp.ttl", "dns/a*/time to live"},
	{"dns.resp.len", "dns/a*/data length"}, {"dns.a", "dns/a*/data"}, {"dns.cname", "dns/answer/data"},
	{"dns.mx.preference", "dns/a*/data/preference"}, {"dns.mx.mail_exchange", "dns/a*/data/exchange"},
	{"http.request.method", "http/request line/method"}, {"http.request.uri", "http/request line/target"},
	{"http.response.code", "http/status line/status"}, {"http.host", "http/Host"}, {"http.user_agent", "http/User-Agent"},
	{"websocket.fin", "ws/flags and opcode/FIN"}, {"websocket.mask", "ws/mask and length/MASK"},
	{"websocket.payload_length", "ws/mask and length/length"}, {"websocket.payload_length_ext_16", "ws/extended length"},
	{"websocket.masking_key", "ws/masking key"},
	{"sll.pkttype", "sll*/packet type"}, {"sll.hatype", "sll*/device type"}, {"sll.halen", "sll*/address length"}, {"sll.etype", "sll*/type"},
	{"sll.ifindex", "sll2/interface index"},
	{"null.family", "lo/address family"},
}

// ranges that tshark draws otherwise: values only. It shows a checksum's status
// and an echo's identifier in both byte orders; header lines end with CR LF
// there or not; bits of the fragment offset are counted from byte 6.
var otherRange = map[string]bool{
	"http.host": true, "http.user_agent": true, "tcp.hdr_len": true, "ipv6.fraghdr.more": true,
}

// TestTsharkAgrees compares each field of each packet that both know: its value
// and its bytes.
func TestTsharkAgrees(t *testing.T) {
	counted := make(map[string]int)
	for link, all := range oracle(t) {
		path := writePcap(t, link, all.bytes)
		for i, theirs := range pdml(t, path) {
			p := packets.Packet{Number: i + 1, Link: link, Data: all.bytes[i], Length: len(all.bytes[i])}
			layers := Tree(&p, nil, all.ctx[i])
			partition(t, len(p.Data), layers)
			for _, pair := range pairs {
				want := theirs[pair.theirs]
				got := find(layers, pair.ours)
				if pair.theirs == "dns.cname" || pair.theirs == "dns.a" {
					got = keep(got, want)
				}
				if layers[len(layers)-1].Abbrev == "quote" && (strings.HasPrefix(pair.ours, "ip/") || strings.HasPrefix(pair.ours, "udp/")) {
					want = want[:min(len(want), len(got))] // a quoted packet has these, too
				}
				if pair.theirs == "ip.version" && len(theirs["ipv6.plen"]) > 0 {
					continue // its name for IPv6, too
				}
				if len(want) == 0 && len(got) > 0 && optional[pair.theirs] {
					continue
				}
				if len(got) != len(want) {
					t.Errorf("%s packet %d: %s: %d fields %v, tshark has %d %v", link, i+1, pair.ours, len(got), got, len(want), want)
					continue
				}
				for k := range want {
					if strings.HasSuffix(pair.theirs, "offset") { // in units of 8 bytes there
						got[k].Value, _, _ = strings.Cut(got[k].Value, " ")
					}
					counted[pair.theirs]++
					f, w := got[k], want[k]
					if !same(f, w.Show) {
						t.Errorf("%s packet %d: %s = %q, tshark says %s = %q", link, i+1, pair.ours, f.Value, pair.theirs, w.Show)
					}
					if !otherRange[pair.theirs] && (f.Off != w.Pos || f.Len != w.Size) && !(f.Bits != "" && f.Off >= w.Pos && f.Off+f.Len <= w.Pos+w.Size) {
						t.Errorf("%s packet %d: %s is bytes %d+%d, tshark has %s at %d+%d", link, i+1, pair.ours, f.Off, f.Len, pair.theirs, w.Pos, w.Size)
					}
				}
			}
			for proto, ours := range map[string]string{"ip.checksum.status": "ip/header checksum", "tcp.checksum.status": "tcp/checksum", "udp.checksum.status": "udp/checksum", "icmp.checksum.status": "icmp/checksum", "icmpv6.checksum.status": "icmp6/checksum"} {
				for k, f := range find(layers, ours) {
					if k >= len(theirs[proto]) {
						continue
					}
					counted[proto]++
					want := map[string]string{"0": "wrong", "1": "correct", "2": "not checked", "3": "none"}[theirs[proto][k].Show]
					if !strings.HasPrefix(f.Note, want) {
						t.Errorf("%s packet %d: %s %q, tshark says %s", link, i+1, ours, f.Note, want)
					}
				}
			}
		}
	}
	for _, pair := range pairs {
		if counted[pair.theirs] == 0 {
			t.Errorf("%s was compared in no packet", pair.theirs)
		}
	}
	t.Logf("%d kinds of field compared", len(counted))
}

// optional fields are ours always and tshark's only where they matter.
var optional = map[string]bool{"tcp.ack": true, "dns.a": true, "dns.cname": true, "dns.flags.authoritative": true, "dns.flags.recavail": true, "udp.checksum": true}

// keep returns of our data fields those that tshark has under this name.
func keep(ours []Field, theirs []pdmlField) (kept []Field) {
	for _, f := range ours {
		for _, w := range theirs {
			if f.Off == w.Pos {
				kept = append(kept, f)
			}
		}
	}
	return kept
}

// traffic is packets of one link type and what is known of each.
type traffic struct {
	bytes [][]byte
	ctx   []*Context
}

// oracle makes packets of every kind, with right checksums and one wrong one.
func oracle(t *testing.T) map[packets.LinkType]*traffic {
	sets := make(map[packets.LinkType]*traffic)
	add := func(link packets.LinkType, ctx *Context, parts ...string) {
		b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		s := sets[link]
		if s == nil {
			s = &traffic{}
			sets[link] = s
		}
		s.bytes, s.ctx = append(s.bytes, b), append(s.ctx, ctx)
	}
	const ether = "02000000000b 02000000000a "
	add(1, nil, "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c0000201 000000000000 c0000202", strings.Repeat("00", 18))
	add(1, nil, ether, "0806 0001 0800 06 04 0002 02000000000a c0000201 02000000000b c0000202")
	add(1, nil, ether, "0008 aaaa03000000abcd", strings.Repeat("00", 38))
	add(1, nil, ether, "8100 b064 0800", summed(ip4(6, tcpHex("020405b4 0402 080a 00000001 00000002 01 030307", 0x02), "")))
	add(1, nil, ether, "0800", summed(ip4(6, tcpHex("0101050a 00000001 00000005", 0xd0), "")))
	add(1, nil, ether, "0800", summed(ip4(6, tcpHex("", 0x2b), "")))
	add(1, nil, ether, "0800", ip4(6, tcpHex("", 0x10), "00"))
	add(1, nil, ether, "0800", summed(ip4(17, "1388 0009 000c 0000", "61626364")))
	add(1, nil, ether, "0800", ip4(17, "1388 0009 000c 1234", "61626364"))
	add(1, nil, ether, "0800", summed(ip4(1, "0800 0000 1234 0002", "61626364")))
	add(1, nil, ether, "0800", summed(ip4(1, "0304 0000 0000 05dc", "4500001c 00000000 40114eaa c0000201 c0000202 1388 0009 0008 0000")))
	// A later fragment, one with DSCP and ECN, one with a router alert.
	add(1, nil, ether, "0800", header4("4500 0020 0007 2003 40 11 0000 c0000201 c0000202"), "000102030405060708090a0b")
	add(1, nil, ether, "0800", header4("45ba 0020 0007 8000 40 fd 0000 c0000201 c0000202"), "000102030405060708090a0b")
	add(1, nil, ether, "0800", header4("4600 0018 0007 0000 01 fe 0000 c0000201 e0000016 94040000"))
	const ip6 = "20010db8000000000000000000000001 20010db8000000000000000000000002"
	add(1, nil, ether, "86dd 6abcdef0 000c 11 40", ip6, "1388 0009 000c b4a7 61626364")
	add(1, nil, ether, "86dd 60000000 0014 2c 40", ip6, "11 00 0001 00000007 1388 0009 0020 0000 61626364")
	add(1, nil, ether, "86dd 60000000 000c 2c 40", ip6, "fe 00 0100 00000007 61626364")
	add(1, nil, ether, "86dd 60000000 0020 3a ff", ip6, sum6("87 00 0000 00000000 20010db8000000000000000000000002 01 01 02000000000a"))
	add(1, nil, ether, "86dd 60000000 000c 3a ff", ip6, sum6("80 00 0000 0102 0003 61626364"))
	add(101, nil, summed(ip4(17, "a000 0035 0025 0000", "0001 0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001")))
	add(101, nil, summed(ip4(17, "0035 a000 0085 0000", "0001 8580 0001 0003 0001 0000 03777777 07 6578616d706c65 03 636f6d 00 0001 0001 c00c 0005 0001 0000003c 0004 01 61 c010 c02d 0001 0001 00000001 0004 c0000201 c010 000f 0001 00000001 0007 000a 026d78 c010 c010 0001 0001 00000001 0004 c0000203")))
	shake := func(payload string) string { return summed(ip4(6, tcpHex("", 0x18), payload)) }
	add(101, nil, shake(hex.EncodeToString([]byte("GET /chat?x=1 HTTP/1.1\r\nHost: lab.example\r\nUser-Agent: test/1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"))))
	return withWebSocket(t, add, sets)
}

// withWebSocket adds, as loopback packets, an upgrade and frames after it, so
// that tshark takes them for WebSocket; and packets of other link types.
func withWebSocket(t *testing.T, add func(packets.LinkType, *Context, ...string), sets map[packets.LinkType]*traffic) map[packets.LinkType]*traffic {
	seq := [2]uint32{1, 1}
	segment := func(ctx *Context, dir int, payload []byte) {
		ports := [2]string{"c000", "1f90"}
		if dir == 1 {
			ports[0], ports[1] = ports[1], ports[0]
		}
		h := fmt.Sprintf("%s%s%08x%08x5018ffff00000000", ports[0], ports[1], seq[dir], seq[1-dir])
		seq[dir] += uint32(len(payload))
		p := ip4(6, h, hex.EncodeToString(payload))
		if dir == 1 { // the header's sum stays the same
			p = strings.Replace(p, "c0000201c0000202", "c0000202c0000201", 1)
		}
		add(0, ctx, "02000000", summed(p))
	}
	segment(nil, 0, []byte("GET / HTTP/1.1\r\nHost: lab.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"))
	segment(nil, 1, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
	ws := &Context{Protocol: "websocket"}
	masked, _ := hex.DecodeString("818537fa213d7f9f4d5158") // RFC 6455, section 5.7: "Hello"
	segment(ws, 0, masked)
	segment(ws, 1, []byte{0x81, 5, 'H', 'e', 'l', 'l', 'o'})
	segment(ws, 1, append([]byte{0x82, 126, 1, 0}, make([]byte, 256)...))
	add(113, nil, "0004 0001 0006 02000000000a 0000 0800", summed(ip4(17, "1388 0009 000c 0000", "61626364")))
	add(276, nil, "0800 0000 00000002 0001 00 06 02000000000a 0000", summed(ip4(17, "1388 0009 000c 0000", "61626364")))
	return sets
}

// header4 fills in an IPv4 header's checksum.
func header4(s string) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	binary.BigEndian.PutUint16(b[10:], rfc1071(b))
	return hex.EncodeToString(b)
}

// rfc1071 is the checksum as RFC 1071, section 4.1, has it in C: a sum of
// words, then folded. It is not the code under test.
func rfc1071(b []byte) uint16 {
	sum := uint64(0)
	for i, c := range b {
		sum += uint64(c) << (8 * (1 - i%2))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// summed fills in the transport's checksum of an IPv4 packet.
func summed(s string) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	pseudo := append(append([]byte{}, b[12:20]...), 0, b[9], byte((len(b)-20)>>8), byte(len(b)-20))
	off := map[byte]int{6: 36, 17: 26, 1: 22}[b[9]]
	if b[9] == 1 {
		pseudo = nil
	}
	binary.BigEndian.PutUint16(b[off:], 0)
	binary.BigEndian.PutUint16(b[off:], rfc1071(append(pseudo, b[20:]...)))
	return hex.EncodeToString(b)
}

// sum6 fills in the checksum of an ICMPv6 message between the test's hosts.
func sum6(s string) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	pseudo, _ := hex.DecodeString("20010db800000000000000000000000120010db8000000000000000000000002" + fmt.Sprintf("%08x0000003a", len(b)))
	binary.BigEndian.PutUint16(b[2:], rfc1071(append(pseudo, b...)))
	return hex.EncodeToString(b)
}
