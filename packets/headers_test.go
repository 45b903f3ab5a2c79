package packets

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// build returns the bytes that gopacket makes of the layers.
func build(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

var (
	macA = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	macB = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

// random returns a packet of Ethernet, with or without a tag, IPv4 or IPv6, TCP
// or UDP, and what its headers are.
func random(t testing.TB, r *rand.Rand) ([]byte, Headers) {
	payload := make([]byte, r.IntN(100))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	want := Headers{Ether: true, TTL: uint8(1 + r.IntN(255)), Network: 14, PayloadLen: len(payload), Payload: payload, Options: Options{Scale: -1}}
	copy(want.EtherSrc[:], macA)
	copy(want.EtherDst[:], macB)
	eth := &layers.Ethernet{SrcMAC: macA, DstMAC: macB}
	all := []gopacket.SerializableLayer{eth}
	kind := layers.EthernetTypeIPv4
	if r.IntN(2) == 0 {
		kind = layers.EthernetTypeIPv6
	}
	eth.EthernetType = kind
	for range r.IntN(3) {
		if want.VLANs == 0 {
			eth.EthernetType = layers.EthernetTypeDot1Q
		} else {
			all[len(all)-1].(*layers.Dot1Q).Type = layers.EthernetTypeDot1Q
		}
		want.VLAN[want.VLANs] = uint16(r.IntN(4096))
		all = append(all, &layers.Dot1Q{VLANIdentifier: want.VLAN[want.VLANs], Type: kind})
		want.VLANs++
		want.Network += 4
	}
	want.EtherType = uint16(kind)
	protocol := layers.IPProtocolUDP
	if r.IntN(3) > 0 {
		protocol = layers.IPProtocolTCP
	}
	want.Protocol = uint8(protocol)
	var src, dst [16]byte
	for i := range src {
		src[i], dst[i] = byte(r.Uint32()), byte(r.Uint32())
	}
	at := want.Network
	if kind == layers.EthernetTypeIPv4 {
		want.Version, want.ID, want.DF, want.Traffic = 4, r.Uint32()&0xffff, r.IntN(2) == 0, uint8(r.Uint32())
		want.Src, want.Dst = netip.AddrFrom4([4]byte(src[:4])), netip.AddrFrom4([4]byte(dst[:4]))
		ip := &layers.IPv4{Version: 4, TOS: want.Traffic, Id: uint16(want.ID), TTL: want.TTL, Protocol: protocol, SrcIP: src[:4], DstIP: dst[:4]}
		at += 20
		if r.IntN(4) == 0 {
			ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
			at += 4
		}
		if want.DF {
			ip.Flags = layers.IPv4DontFragment
		}
		all = append(all, ip)
	} else {
		want.Version, want.Traffic = 6, uint8(r.Uint32())
		want.Src, want.Dst = netip.AddrFrom16(src), netip.AddrFrom16(dst)
		at += 40
		all = append(all, &layers.IPv6{Version: 6, TrafficClass: want.Traffic, HopLimit: want.TTL, NextHeader: protocol, SrcIP: src[:], DstIP: dst[:]})
	}
	want.Transport = at
	want.SrcPort, want.DstPort = uint16(r.Uint32()), uint16(r.Uint32())
	if protocol == layers.IPProtocolUDP {
		want.UDP = true
		all = append(all, &layers.UDP{SrcPort: layers.UDPPort(want.SrcPort), DstPort: layers.UDPPort(want.DstPort)})
		at += 8
	} else {
		want.TCP, want.Seq, want.Ack, want.Window = true, r.Uint32(), r.Uint32(), uint16(r.Uint32())
		want.Control = uint8(r.Uint32())
		want.Options.Received = true
		bit := func(x uint8) bool { return want.Control&x != 0 }
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(want.SrcPort), DstPort: layers.TCPPort(want.DstPort), Seq: want.Seq, Ack: want.Ack, Window: want.Window,
			FIN: bit(FIN), SYN: bit(SYN), RST: bit(RST), PSH: bit(PSH), ACK: bit(ACK), URG: bit(URG), ECE: bit(ECE), CWR: bit(CWR),
		}
		at += 20
		if r.IntN(2) == 0 {
			want.Options.MSS, want.Options.Scale, want.Options.SACKOK = 1460, 7, true
			want.Options.Stamps, want.Options.TSVal, want.Options.TSEcr = true, r.Uint32(), r.Uint32()
			stamps := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, want.Options.TSVal), want.Options.TSEcr)
			tcp.Options = []layers.TCPOption{
				{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{1460 >> 8, 1460 & 0xff}},
				{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
				{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: stamps},
				{OptionType: layers.TCPOptionKindNop},
				{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
			}
			at += 20
		}
		all = append(all, tcp)
	}
	want.Body = at
	want.IPLength = at + len(payload) - want.Network
	all = append(all, gopacket.Payload(payload))
	return build(t, all...), want
}

func TestHeadersAreWhatWasBuilt(t *testing.T) {
	const seed = 4
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 5000 {
		b, want := random(t, r)
		padded := append(bytes.Clone(b), make([]byte, r.IntN(6))...) // as on Ethernet
		var got Headers
		got.Decode(&Packet{Link: LinkEthernet, Data: padded, Length: len(padded)})
		if !equal(&got, &want) {
			t.Fatalf("packet %d of seed %d:\ngot  %+v\nwant %+v", i, seed, got, want)
		}
		// A snap length takes bytes away, not what the headers say.
		cut := b[:r.IntN(len(b)+1)]
		got.Decode(&Packet{Link: LinkEthernet, Data: cut, Length: len(b)})
		if got.TCP || got.UDP {
			want.Payload = want.Payload[:min(max(0, len(cut)-want.Body), len(want.Payload))]
			want.Body = min(want.Body, len(cut))
			if len(cut) < want.Body || want.TCP && len(cut) < want.Transport+40 {
				want.Options, got.Options = Options{}, Options{}
			}
			if !equal(&got, &want) {
				t.Fatalf("packet %d of seed %d, cut to %d:\ngot  %+v\nwant %+v", i, seed, len(cut), got, want)
			}
		} else if len(cut) >= want.Body {
			t.Fatalf("packet %d of seed %d, cut to %d behind the headers: nothing", i, seed, len(cut))
		} else if got.Problem == "" && len(cut) < len(b) {
			t.Fatalf("packet %d of seed %d, cut to %d: no problem", i, seed, len(cut))
		}
	}
}

func equal(a, b *Headers) bool {
	x, y := *a, *b
	x.Payload, y.Payload = nil, nil
	return bytes.Equal(a.Payload, b.Payload) && netEqual(&x, &y)
}

func netEqual(x, y *Headers) bool {
	return x.Problem == y.Problem && x.EtherType == y.EtherType && x.Ether == y.Ether && x.EtherDst == y.EtherDst &&
		x.EtherSrc == y.EtherSrc && x.VLANs == y.VLANs && x.VLAN == y.VLAN && x.Version == y.Version && x.Src == y.Src &&
		x.Dst == y.Dst && x.TTL == y.TTL && x.Traffic == y.Traffic && x.ID == y.ID && x.DF == y.DF && x.MF == y.MF &&
		x.Fragment == y.Fragment && x.Protocol == y.Protocol && x.IPLength == y.IPLength && x.Network == y.Network &&
		x.Transport == y.Transport && x.Body == y.Body && x.SrcPort == y.SrcPort && x.DstPort == y.DstPort && x.TCP == y.TCP &&
		x.UDP == y.UDP && x.Seq == y.Seq && x.Ack == y.Ack && x.Control == y.Control && x.Window == y.Window &&
		x.Options == y.Options && x.PayloadLen == y.PayloadLen
}

func TestIPv6ExtensionHeaders(t *testing.T) {
	b := build(t,
		&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolIPv6HopByHop, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")},
		gopacket.Payload([]byte{
			60, 0, 1, 4, 0, 0, 0, 0, // hop-by-hop, then destination
			44, 0, 1, 4, 0, 0, 0, 0, // then fragment: the first, more to come
			17, 0, 0, 1, 0, 0, 0, 9,
			0x9c, 0x40, 0, 53, 0x0f, 0xff, 0, 0, 'h', 'i',
		}))
	var h Headers
	h.Decode(&Packet{Link: LinkRaw, Data: b, Length: len(b)})
	if h.Problem != "" || !h.UDP || h.DstPort != 53 || !h.MF || h.ID != 9 || h.Transport != 64 || string(h.Payload) != "hi" {
		t.Errorf("%+v", h)
	}
	b[40+16+3] = 0x10 // now a later one, at offset 16, and the last
	h.Decode(&Packet{Link: LinkRaw, Data: b, Length: len(b)})
	if h.UDP || h.MF || h.Fragment != 16 || h.Protocol != ProtocolUDP || h.PayloadLen != 10 {
		t.Errorf("a later fragment: %+v", h)
	}
}

func TestOtherLinks(t *testing.T) {
	ip := build(t,
		&layers.IPv4{Version: 4, TTL: 1, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}},
		&layers.UDP{SrcPort: 1000, DstPort: 2000}, gopacket.Payload("x"))
	for link, head := range map[LinkType][]byte{
		LinkRaw:  nil,
		LinkIPv4: nil,
		LinkNull: {2, 0, 0, 0},
		LinkLoop: {0, 0, 0, 2},
		LinkSLL:  {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0},
		LinkSLL2: {8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0},
	} {
		b := append(bytes.Clone(head), ip...)
		var h Headers
		h.Decode(&Packet{Link: link, Data: b, Length: len(b)})
		if !h.UDP || h.SrcPort != 1000 || string(h.Payload) != "x" || h.Problem != "" {
			t.Errorf("%v: %+v", link, h)
		}
	}
	var h Headers
	h.Decode(&Packet{Link: 105, Data: ip, Length: len(ip)})
	if h.Problem != "link type 105 (802.11): not decoded" || h.Version != 0 {
		t.Errorf("802.11: %+v", h)
	}
}

func FuzzHeaders(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 20 {
		b, _ := random(f, r)
		f.Add(uint16(LinkEthernet), b, len(b))
		f.Add(uint16(LinkRaw), b[14:], len(b))
	}
	f.Fuzz(func(t *testing.T, link uint16, b []byte, length int) {
		if length < len(b) || length > 1<<24 {
			return
		}
		var h Headers
		h.Decode(&Packet{Link: LinkType(link), Data: b, Length: length})
		if h.Body > len(b) || h.Network > len(b) || h.Transport > len(b) || h.PayloadLen < 0 || h.PayloadLen > length {
			t.Errorf("outside of %d of %d bytes: %+v", len(b), length, h)
		}
		if len(h.Payload) > h.PayloadLen || (h.TCP || h.UDP) && (h.Transport < 0 || h.Version == 0) {
			t.Errorf("%+v", h)
		}
	})
}

func BenchmarkHeaders(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	var all []Packet
	for range 256 {
		p, _ := random(b, r)
		all = append(all, Packet{Link: LinkEthernet, Data: p, Length: len(p)})
	}
	b.ReportAllocs()
	var h Headers
	for i := range b.N {
		h.Decode(&all[i%len(all)])
	}
}
