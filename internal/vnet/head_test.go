package vnet

import (
	"bytes"
	"testing"

	"wirelab/internal/impair"
)

// sample returns packets of each kind, as a stack sends them.
func sample(t *testing.T) map[string][]byte {
	t.Helper()
	p := newPair(t, "", "", nil)
	for _, v := range []string{"4", "6"} {
		a, b := p.tcp("tcp" + v)
		transfer(t, a, b, []byte("segment"))
		u, _ := p.udp("udp" + v)
		u.Write([]byte("datagram"))
		u.Write(pattern(2000))
		b.Close()
	}
	p.await("what is on its way", p.landed)
	all := map[string][]byte{}
	for _, k := range p.packets() {
		h, ok := parse(k.Data)
		if !ok || k.Vantage != Sent || k.Direction != Up {
			continue
		}
		name := map[byte]string{4: "4 ", 6: "6 "}[k.Data[0]>>4]
		switch {
		case h.fragmented && h.id > 0:
			name += "later fragment"
		case h.fragmented:
			name += "first fragment"
		case h.protocol == protocolUDP:
			name += "udp"
		case h.payload > 0:
			name += "tcp"
		case h.flags == flagSYN:
			name += "syn"
		case h.flags&flagFIN != 0:
			name += "fin"
		case h.flags == flagACK:
			name += "ack"
		}
		all[name] = k.Data
	}
	return all
}

func TestParse(t *testing.T) {
	all := sample(t)
	for _, tt := range []struct {
		name    string
		class   impair.Class
		payload int
	}{
		{"syn", impair.TCP | impair.SYN, 0},
		{"ack", impair.TCP | impair.Ack, 0},
		{"tcp", impair.TCP | impair.Data, 7},
		{"fin", impair.TCP | impair.FIN, 0},
		{"udp", impair.UDP | impair.Data, 8},
		{"later fragment", impair.UDP | impair.Data, 0},
	} {
		for _, v := range []string{"4 ", "6 "} {
			b := all[v+tt.name]
			h, ok := parse(b)
			if !ok || h.class != tt.class || h.payload != tt.payload || h.size != len(b) {
				t.Errorf("parse(%s%s) = %+v, %v; want class %#x, %d bytes of payload", v, tt.name, h, ok, tt.class, tt.payload)
			}
			if want := addrs(1)[0]; v == "4 " && h.from.Addr() != want {
				t.Errorf("parse(%s%s).from = %v, want %v", v, tt.name, h.from, want)
			}
			if first := tt.name != "later fragment"; (h.to.Port() != 0) != first {
				t.Errorf("parse(%s%s).to = %v", v, tt.name, h.to)
			}
		}
	}
}

// Whatever bit of a TCP segment over IPv4 is flipped, it is found: its two
// checksums cover all of it. IPv6 leaves out traffic class, flow label and hop
// limit (RFC 8200, section 8.1).
func TestEachFlippedBitIsFound(t *testing.T) {
	for name, b := range sample(t) {
		if why := broken(b); why != "" {
			t.Errorf("broken(%s) = %q, want none", name, why)
		}
		if name[2:] != "tcp" && name[2:] != "ack" {
			continue
		}
		for bit := range 8 * len(b) {
			c := bytes.Clone(b)
			c[bit/8] ^= 0x80 >> (bit % 8)
			free := name[0] == '6' && (bit >= 4 && bit < 32 || bit/8 == 7)
			if why := broken(c); (why != "") == free {
				t.Errorf("%s: broken with bit %d flipped = %q", name, bit, why)
			}
		}
	}
}

// A segment is named by what it says, not by the random numbers in it.
func TestNamesOfSegments(t *testing.T) {
	name := func(iss, irs uint32, d head) uint64 {
		h := &Host{net: &Network{}, flows: map[uint64]conversation{}}
		d.protocol = protocolTCP
		for _, k := range []head{
			{protocol: protocolTCP, flags: flagSYN, seq: iss},
			{protocol: protocolTCP, flags: flagACK, seq: iss + 1, ack: irs + 1},
		} {
			h.identify(&packet{head: k})
		}
		d.seq, d.ack = d.seq+iss, d.ack+irs
		k := &packet{head: d}
		h.identify(k)
		return k.head.id
	}
	d := head{flags: flagACK, seq: 1001, ack: 501, payload: 100}
	one := name(7, 9, d)
	if got := name(0xfffffff0, 0x80000000, d); got != one {
		t.Errorf("with other initial numbers the name is %x, want %x", got, one)
	}
	for what, other := range map[string]head{
		"seq": {flags: flagACK, seq: 1002, ack: 501, payload: 100}, "ack": {flags: flagACK, seq: 1001, ack: 502, payload: 100},
		"flags": {flags: flagACK | flagFIN, seq: 1001, ack: 501, payload: 100}, "length": {flags: flagACK, seq: 1001, ack: 501, payload: 99},
	} {
		if name(7, 9, other) == one {
			t.Errorf("another %s, the same name", what)
		}
	}
}

func TestResentSegments(t *testing.T) {
	var c conversation
	for i, tt := range []struct {
		in   head
		want bool
	}{
		{head{flags: flagSYN, seq: 0xffffffff}, false},
		{head{flags: flagSYN, seq: 0xffffffff}, true},
		{head{flags: flagACK, seq: 0}, false},
		{head{flags: flagACK, seq: 0, payload: 10}, false},
		{head{flags: flagACK, seq: 10, payload: 10}, false},
		{head{flags: flagACK, seq: 0, payload: 10}, true},
		{head{flags: flagACK, seq: 20}, false},
		{head{flags: flagACK | flagFIN, seq: 20}, false},
		{head{flags: flagACK | flagFIN, seq: 20}, true},
		{head{flags: flagSYN, seq: 5}, false}, // the port is used again
	} {
		if got := c.take(&tt.in); got != tt.want {
			t.Errorf("segment %d: sent before = %v, want %v", i, got, tt.want)
		}
	}
}

// No bytes make parsing fail, and headers say the same whether the payload
// follows or not.
func FuzzPayloadDoesNotChangeHead(f *testing.F) {
	for _, b := range [][]byte{
		{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 53, 0, 53, 0, 8, 0, 0},
		append([]byte{0x60, 0, 0, 0, 0, 20, 6, 64}, make([]byte, 52)...),
		append([]byte{0x60, 0, 0, 0, 0, 16, 44, 64}, make([]byte, 48)...),
		{0x4f},
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, ok := parse(b)
		broken(b)
		if len(b) <= 128 || !ok {
			return
		}
		if h, ok := parseHead(b[:128], len(b)); !ok || h != whole {
			t.Errorf("parseHead(%x) = %+v, %v; parse = %+v", b[:128], h, ok, whole)
		}
	})
}
