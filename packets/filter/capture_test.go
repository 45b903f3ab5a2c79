package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A sample is a packet of a test capture, of which data was kept.
type sample struct {
	data   []byte
	length int
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func u16(v ...uint16) []byte {
	var b []byte
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// segment is TCP's header: ports, then the flags.
func segment(src, dst uint16, flags byte, body string) []byte {
	return join(u16(src, dst), []byte{0, 0, 1, 0, 0, 0, 2, 0, 0x50, flags, 1, 0, 0, 0, 0, 0}, []byte(body))
}

func datagram(src, dst uint16, body string) []byte {
	return join(u16(src, dst, uint16(8+len(body)), 0), []byte(body))
}

// ipv4 is a packet with a fragment's flags and offset, and options.
func ipv4(proto byte, src, dst string, fragment uint16, options int, body []byte) []byte {
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	return join([]byte{byte(0x45 + options), 0}, u16(uint16(20+4*options+len(body)), 0x1234, fragment), []byte{64 - proto, proto, 0, 0}, s[:], d[:],
		make([]byte, 4*options), body)
}

func ipv6(next byte, src, dst string, body []byte) []byte {
	s, d := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	return join([]byte{0x60, 0, 0, 0}, u16(uint16(len(body))), []byte{next, 64}, s[:], d[:], body)
}

func arp(op uint16, src, dst string) []byte {
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	return join(u16(1, 0x800, 0x604, op), []byte{2, 0, 0, 0, 0, 1}, s[:], make([]byte, 6), d[:])
}

// network returns packets by what is in them, with their Ethertypes.
func network() (out []struct {
	kind uint16
	data []byte
}) {
	add := func(kind uint16, data []byte) {
		out = append(out, struct {
			kind uint16
			data []byte
		}{kind, data})
	}
	hosts := []string{"10.0.0.1", "10.1.2.3", "192.168.1.20", "224.0.0.251", "0.0.0.5", "255.255.255.255"}
	hosts6 := []string{"2001:db8::1", "2001:db8:0:1::2", "fe80::1", "ff02::fb", "::1"}
	ports := []uint16{80, 443, 53, 85, 90, 9000, 0, 65535}
	for i, src := range hosts {
		dst := hosts[(i+1)%len(hosts)]
		sp, dp := ports[i], ports[(i+3)%len(ports)]
		add(typeIPv4, ipv4(6, src, dst, 0, 0, segment(sp, dp, byte(1<<i), "hello")))
		add(typeIPv4, ipv4(6, dst, src, 0x4000, i%4, segment(dp, sp, 0x12, strings.Repeat("x", i*100))))
		add(typeIPv4, ipv4(17, src, dst, 0, i, datagram(sp, dp, strings.Repeat("y", i*30))))
		add(typeIPv4, ipv4(17, src, dst, 0x2000, 0, datagram(dp, sp, "first")))
		add(typeIPv4, ipv4(17, src, dst, uint16(i+1), 0, datagram(sp, dp, "later"))) // looks like ports and is none
		add(typeIPv4, ipv4(17, src, dst, 1<<(i+7), 0, datagram(sp, dp, "much later")))
		add(typeIPv4, ipv4(6, src, dst, 0x2000|uint16(i), 2, segment(sp, dp, 2, "fragment")))
		add(typeIPv4, ipv4(1, src, dst, 0, i%3, []byte{byte([]int{8, 0, 3, 11, 5, 13}[i]), byte(i), 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}))
		add(typeIPv4, ipv4(132, src, dst, 0, 0, datagram(sp, dp, "sctp")))
		add(typeIPv4, ipv4([]byte{2, 47, 50, 51, 41, 0}[i], src, dst, 0, 0, []byte("12345678")))
		add(typeARP, arp(uint16(i), src, dst))
		add(typeRARP, arp(uint16(i+3), dst, src))
	}
	for i, src := range hosts6 {
		dst := hosts6[(i+1)%len(hosts6)]
		sp, dp := ports[i], ports[(i+2)%len(ports)]
		tcp, udp := segment(sp, dp, byte(2<<i), "six"), datagram(dp, sp, "six")
		add(typeIPv6, ipv6(6, src, dst, tcp))
		add(typeIPv6, ipv6(17, src, dst, udp))
		add(typeIPv6, ipv6(132, dst, src, udp))
		add(typeIPv6, ipv6(58, src, dst, []byte{[]byte{128, 129, 135, 1, 134}[i], byte(i), 0, 0, 1, 2, 3, 4}))
		add(typeIPv6, ipv6(44, src, dst, join([]byte{6, 0, 0, 1, 0, 0, 0, 9}, tcp)))
		add(typeIPv6, ipv6(44, src, dst, join([]byte{17, 0, 1, byte(i), 0, 0, 0, 9}, udp)))
		add(typeIPv6, ipv6(44, dst, src, join([]byte{58, 0, 0, 0, 0, 0, 0, 9}, []byte{128, 0, 0, 0})))
		add(typeIPv6, ipv6(0, src, dst, join([]byte{6, 0, 1, 4, 0, 0, 0, 0}, tcp))) // hop by hop
		add(typeIPv6, ipv6(60, src, dst, join([]byte{44, 0, 1, 4, 0, 0, 0, 0}, []byte{17, 0, 0, 0, 0, 0, 0, 1}, udp)))
		add(typeIPv6, ipv6(59, src, dst, nil))
	}
	add(0x1234, []byte("?not known"))
	add(0x88cc, make([]byte, 60))
	add(typeIPv4, join([]byte{0x4f, 0}, make([]byte, 30)))
	add(typeIPv4, nil)
	return out
}

// samples returns packets of a link type, also cut ones.
func samples(link uint16) []sample {
	var whole [][]byte
	macs := [][]byte{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {255, 255, 255, 255, 255, 255}, {1, 0, 0x5e, 0, 0, 0xfb}, {0x33, 0x33, 0, 0, 0, 1}}
	for i, n := range network() {
		kind := u16(n.kind)
		switch link {
		case 0:
			family := map[uint16]byte{typeIPv4: 2, typeIPv6: []byte{24, 28, 30}[i%3]}[n.kind]
			whole = append(whole, join([]byte{family, 0, 0, 0}, n.data)) // little-endian, as the file
		case 1:
			ether := join(macs[i%5], macs[(i/2)%2])
			whole = append(whole, join(ether, kind, n.data))
			switch i % 5 {
			case 0:
				whole = append(whole, join(ether, u16(0x8100, uint16(i%8)|0x6000), kind, n.data))
			case 1:
				whole = append(whole, join(ether, u16(0x88a8, 7, 0x8100, uint16(i%8)), kind, n.data))
			case 2:
				whole = append(whole, join(ether, u16(0x9100, 3), kind, n.data))
			case 3:
				whole = append(whole, join(ether, u16(uint16(len(n.data))), []byte{0xaa, 0xaa, 3, 0, 0, 0}, kind, n.data))
			}
		case 101:
			whole = append(whole, n.data)
		case 113:
			whole = append(whole, join(u16(uint16(i%5), 1, 6), []byte{2, 0, 0, 0, 0, 1, 0, 0}, kind, n.data))
		case 276:
			whole = append(whole, join(kind, u16(0, 0, 3, 1), []byte{byte(i % 5), 6, 2, 0, 0, 0, 0, 1, 0, 0}, n.data))
		}
	}
	var out []sample
	for i, b := range whole {
		out = append(out, sample{b, len(b)})
		if i%4 == 0 { // and cut at each byte of the headers
			for n := i / 4 % 3; n < min(len(b), 90); n += 3 {
				out = append(out, sample{b[:n], len(b)})
			}
		}
		if i%9 == 0 {
			out = append(out, sample{b[:len(b)/2], 1 << 16})
		}
	}
	return out
}

// A dump is a capture file of samples.
type dump struct {
	link    uint16
	file    string
	samples []sample
}

// write writes a pcap file: packet i is of second i.
func write(t testing.TB, link uint16) *dump {
	t.Helper()
	d := &dump{link: link, file: filepath.Join(t.TempDir(), fmt.Sprint(link, ".pcap")), samples: samples(link)}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint32(b, 2|4<<16)
	b = le.AppendUint32(append(b, make([]byte, 8)...), 262144)
	b = le.AppendUint32(b, uint32(link))
	for i, s := range d.samples {
		for _, v := range []uint32{uint32(i), 0, uint32(len(s.data)), uint32(s.length)} {
			b = le.AppendUint32(b, v)
		}
		b = append(b, s.data...)
	}
	if err := os.WriteFile(d.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func needTcpdump(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// tcpdump returns which packets tcpdump takes. An expression that its optimiser
// finds never to hold takes none.
func (d *dump) tcpdump(expr string, flags ...string) ([]bool, error) {
	cmd := exec.Command("tcpdump", append(flags, "-r", d.file, "-w", "-", "--", expr)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	out := make([]bool, len(d.samples))
	switch {
	case strings.Contains(stderr.String(), "expression rejects all packets"):
		return out, nil
	case strings.Contains(stderr.String(), "division by zero"), strings.Contains(stderr.String(), "modulus by zero"):
		// libpcap 1.10 looks at the first instruction of the divisor only, which
		// may be the 0 of an index in it: ip[9] / udp[ip[0]].
		return nil, errDivision
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	for b = b[24:]; len(b) >= 16; {
		out[binary.LittleEndian.Uint32(b)] = true
		b = b[16+binary.LittleEndian.Uint32(b[8:]):]
	}
	return out, nil
}

var errDivision = errors.New("tcpdump sees a division by zero")

// ours returns which packets our program takes.
func (d *dump) ours(f *Filter) []bool {
	out := make([]bool, len(d.samples))
	for i, s := range d.samples {
		out[i] = f.Match(s.data, s.length)
	}
	return out
}

// agree compares the two. Flag -O takes tcpdump's optimiser away, which moves
// reads to where they fail earlier or later: with it, only whole packets count.
func (d *dump) agree(t *testing.T, expr string, f *Filter, flags ...string) {
	t.Helper()
	want, err := d.tcpdump(expr, flags...)
	if errors.Is(err, errDivision) && strings.ContainsAny(expr, "/%") {
		return
	}
	if err != nil {
		t.Errorf("link %d: tcpdump refuses %q: %v", d.link, expr, err)
		return
	}
	got := d.ours(f)
	for i := range want {
		s := d.samples[i]
		if got[i] != want[i] && (len(flags) > 0 || len(s.data) == s.length) {
			t.Errorf("link %d: Compile(%q).Match(% x, %d) = %v, want %v (packet %d)", d.link, expr, s.data[:min(len(s.data), 80)], s.length, got[i], want[i], i)
			return
		}
	}
}
