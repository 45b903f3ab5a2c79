package tcp_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/packets/tcp"
)

// start is when made captures begin.
const start = int64(1_700_000_000_000_000_000)

// A capture collects made packets.
type capture struct {
	t    testing.TB
	name string
	file *os.File
	w    *pcapng.Writer
	n    int
	snap int // bytes kept of each IP packet; 0 is all
}

// newCapture opens a file with two interfaces: raw IP and Ethernet.
func newCapture(t testing.TB) *capture {
	t.Helper()
	c := &capture{t: t, name: filepath.Join(t.TempDir(), "made.pcapng")}
	var err error
	if c.file, err = os.Create(c.name); err != nil {
		t.Fatal(err)
	}
	if c.w, err = pcapng.NewWriter(c.file); err != nil {
		t.Fatal(err)
	}
	for _, link := range []uint16{pcapng.LinkTypeRaw, 1} {
		if _, err = c.w.Describe(pcapng.Interface{LinkType: link}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// write adds an IP packet, raw or, with VLANs, on Ethernet.
func (c *capture) write(at int64, ip []byte, vlans ...uint16) {
	c.t.Helper()
	p := pcapng.Packet{Time: time.Unix(0, at), Length: len(ip), Data: ip}
	if c.snap > 0 {
		p.Data = ip[:min(len(ip), c.snap)]
	}
	if vlans != nil {
		p.Interface = 1
		p.Data, p.Length = ether(p.Data, vlans...), len(ether(ip, vlans...))
	}
	if err := c.w.Write(&p); err != nil {
		c.t.Fatal(err)
	}
	c.n++
}

// done closes the file and returns its path.
func (c *capture) done() string {
	c.t.Helper()
	if err := c.file.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.name
}

// An endpoints is a made conversation: side 0 has the first address and port.
type endpoints struct {
	id   int  // tells it from others: it is in the address and in the port
	v6   bool // IPv6
	opts []byte
}

func (e *endpoints) port(side int) uint16 {
	return [2]uint16{uint16(20000 + e.id%40000), 9}[side]
}

// packet returns the IP packet of s that side dir sends.
func (e *endpoints) packet(dir int, s *tcp.Segment) []byte {
	opts := append([]byte(nil), e.opts...)
	if s.Scale >= 0 {
		opts = append(opts, 3, 3, byte(s.Scale))
	}
	for len(opts)%4 != 0 {
		opts = append(opts, 1)
	}
	h := make([]byte, 20, 20+len(opts)+s.Len)
	binary.BigEndian.PutUint16(h, e.port(dir))
	binary.BigEndian.PutUint16(h[2:], e.port(dir^1))
	binary.BigEndian.PutUint32(h[4:], s.Seq)
	binary.BigEndian.PutUint32(h[8:], s.Ack)
	h[12] = byte(5+len(opts)/4) << 4
	h[13] = s.Control
	binary.BigEndian.PutUint16(h[14:], s.Window)
	h = append(h, opts...)
	h = append(h, make([]byte, s.Len)...)
	addr := func(side int) []byte { return []byte{10, byte(side), byte(e.id >> 8), byte(e.id)} }
	var ip []byte
	if e.v6 {
		ip = make([]byte, 40)
		ip[0], ip[6], ip[7] = 0x60, 6, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(h)))
		for i, a := range [][]byte{addr(dir), addr(dir ^ 1)} {
			copy(ip[8+16*i:], []byte{0x20, 0x01, 0x0d, 0xb8})
			copy(ip[20+16*i:], a)
		}
	} else {
		ip = make([]byte, 20)
		ip[0], ip[8], ip[9] = 0x45, 64, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(h)))
		copy(ip[12:], addr(dir))
		copy(ip[16:], addr(dir^1))
	}
	return append(ip, h...)
}

// ether puts an Ethernet header before an IP packet, with VLAN tags.
func ether(ip []byte, vlans ...uint16) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i, v := range vlans {
		kind := uint16(0x8100)
		if i < len(vlans)-1 {
			kind = 0x88a8
		}
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, v)
	}
	kind := uint16(0x0800)
	if ip[0]>>4 == 6 {
		kind = 0x86dd
	}
	return append(binary.BigEndian.AppendUint16(b, kind), ip...)
}
