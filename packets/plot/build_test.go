package plot_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/google/go-cmp/cmp"

	"wirelab/internal/pcapng"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/plot"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	fin = packets.FIN
	syn = packets.SYN
	ack = packets.ACK
)

// plain is a palette without colours.
func plain() *style.Palette { return style.PaletteOf(lipgloss.NewRenderer(io.Discard)) }

// A capture is made packet by packet. Interfaces 0, 1 and 2 are a client, the
// link and a server; 3 stands alone.
type capture struct {
	t       testing.TB
	names   []string
	packets []pcapng.Packet
}

// start is when captures begin.
var start = time.Unix(1_700_000_000, 0)

func newCapture(t testing.TB, names ...string) *capture {
	if names == nil {
		names = []string{"ana", "link", "server", "eth0"}
	}
	return &capture{t: t, names: names}
}

// A segment is a TCP segment: way 0 is from the client.
type segment struct {
	way      int
	seq, ack uint32
	control  uint8
	size     int
	window   uint16
	scale    int // of a SYN; 0 is none
	sack     []uint32
	comment  string
	port     uint16 // of the client; 0 is 40000
}

// ip returns the packet.
func (s *segment) ip() []byte {
	var opts []byte
	if s.scale > 0 {
		opts = append(opts, 1, 3, 3, byte(s.scale))
	}
	if s.sack != nil {
		opts = append(opts, 1, 1, 5, byte(2+4*len(s.sack)))
		for _, v := range s.sack {
			opts = binary.BigEndian.AppendUint32(opts, v)
		}
	}
	port := s.port
	if port == 0 {
		port = 40000
	}
	b := make([]byte, 40, 40+len(opts)+s.size)
	b[0], b[8], b[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(b[2:], uint16(40+len(opts)+s.size))
	ends := [2][]byte{{10, 0, 0, 1}, {10, 0, 0, 2}}
	copy(b[12:], ends[s.way])
	copy(b[16:], ends[1-s.way])
	ports := [2]uint16{port, 9000}
	binary.BigEndian.PutUint16(b[20:], ports[s.way])
	binary.BigEndian.PutUint16(b[22:], ports[1-s.way])
	binary.BigEndian.PutUint32(b[24:], s.seq)
	binary.BigEndian.PutUint32(b[28:], s.ack)
	b[32], b[33] = byte(5+len(opts)/4)<<4, s.control
	binary.BigEndian.PutUint16(b[34:], s.window)
	return append(append(b, opts...), make([]byte, s.size)...)
}

// at adds a packet that one interface saw.
func (c *capture) at(t time.Duration, iface int, d pcapng.Direction, s segment) {
	c.raw(t, iface, d, s.comment, s.ip())
}

func (c *capture) raw(t time.Duration, iface int, d pcapng.Direction, comment string, data []byte) {
	c.packets = append(c.packets, pcapng.Packet{Time: start.Add(t), Interface: iface, Direction: d, Comment: comment, Data: data})
}

// sort brings the packets in the order of their times.
func (c *capture) sort() {
	slices.SortStableFunc(c.packets, func(a, b pcapng.Packet) int { return a.Time.Compare(b.Time) })
}

// bytes returns the file.
func (c *capture) bytes() []byte {
	c.t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	for i := 0; err == nil && i < len(c.names); i++ {
		_, err = w.Describe(pcapng.Interface{Name: c.names[i], LinkType: pcapng.LinkTypeRaw})
	}
	for i := 0; err == nil && i < len(c.packets); i++ {
		err = w.Write(&c.packets[i])
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}

// trip adds a packet that crosses the link in so much time; lost, if not empty,
// is the link's comment on why it does not.
func (c *capture) trip(t, delay time.Duration, s segment, lost string) {
	from, to := 0, 2
	if s.way == 1 {
		from, to = to, from
	}
	c.at(t, from, pcapng.Out, s)
	s.comment = lost
	c.at(t, 1, pcapng.Out, s)
	if lost == "" {
		c.at(t+delay, to, pcapng.In, s)
	}
}

// reader returns the capture from its start.
func (c *capture) reader() *packets.Reader {
	c.t.Helper()
	r, err := packets.NewReader(bytes.NewReader(c.bytes()))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// plot makes a plot that must succeed.
func (c *capture) plot(choice plot.Choice) (*plot.Target, *plot.Plot) {
	c.t.Helper()
	target, err := plot.Choose(c.reader(), choice)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := target.Plot(c.reader())
	if err != nil {
		c.t.Fatal(err)
	}
	return target, p
}

// series returns the series of a name, or fails.
func series(t testing.TB, p *plot.Plot, name string) plot.Series {
	t.Helper()
	for _, s := range p.Series {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no series %q in %v", name, names(p))
	return plot.Series{}
}

func names(p *plot.Plot) (all []string) {
	for _, s := range p.Series {
		all = append(all, s.Name)
	}
	return all
}

// golden compares got with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s is another picture (-update rewrites it):\n%s", path, d)
	}
}

// lab is what a sender with slow start does on a link with one loss: the client
// sends 40 segments of 1000 bytes, the tenth is lost, and all is acknowledged 20 ms
// after it was sent; the sender tells its windows.
func lab(t testing.TB) *capture {
	c := newCapture(t)
	const delay = 10 * time.Millisecond
	c.trip(0, delay, segment{seq: 99, control: syn, window: 64000, scale: 7}, "")
	c.trip(delay, delay, segment{way: 1, seq: 499, ack: 100, control: syn | ack, window: 64000, scale: 2}, "")
	c.trip(2*delay, delay, segment{seq: 100, ack: 500, control: ack, window: 500}, "")
	at, seq, window := 25*time.Millisecond, uint32(100), 2
	for sent := 0; sent < 40; {
		comment := "cwnd=" + string(rune('0'+window)) + "000 ssthresh=∞ srtt=20ms rto=220ms"
		first := seq
		n := min(window, 40-sent)
		gone := -1
		for i := range n {
			lost := ""
			if sent+i == 9 {
				lost, gone = "lost: random", i
			}
			c.trip(at+time.Duration(i)*time.Millisecond, delay, segment{seq: seq, ack: 500, control: ack, size: 1000, window: 500, comment: comment}, lost)
			seq += 1000
		}
		for i := range n {
			if i == gone {
				continue
			}
			s := segment{way: 1, seq: 500, ack: first + uint32(i+1)*1000, control: ack, window: uint16(12000 - 40*sent)}
			if gone >= 0 && i > gone {
				s.ack = first + uint32(gone)*1000
				s.sack = []uint32{first + uint32(gone+1)*1000, first + uint32(i+1)*1000}
			}
			c.trip(at+time.Duration(i)*time.Millisecond+delay, delay, s, "")
		}
		sent += n
		at += time.Duration(n)*time.Millisecond + 2*delay
		if gone >= 0 {
			s := segment{seq: first + uint32(gone)*1000, ack: 500, control: ack, size: 1000, window: 500, comment: "cwnd=4000 ssthresh=4000 srtt=20ms rto=220ms"}
			c.trip(at, delay, s, "")
			c.trip(at+delay, delay, segment{way: 1, seq: 500, ack: seq, control: ack, window: 11000}, "")
			at += 2*delay + time.Millisecond
			window = 3
		}
		window = min(window*2, 8)
	}
	c.trip(at, delay, segment{seq: seq, ack: 500, control: fin | ack, window: 500}, "")
	c.trip(at+delay, delay, segment{way: 1, seq: 500, ack: seq + 1, control: fin | ack, window: 12000}, "")
	c.trip(at+2*delay, delay, segment{seq: seq + 1, ack: 501, control: ack, window: 500}, "")
	c.sort()
	return c
}
