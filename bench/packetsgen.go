//go:build linux

package main

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"

	"wirelab/internal/wire"
)

// A traffic makes up what the card of a server sees of many flows at the same
// time: half of the TCP flows carry bulk data, the others small requests and
// answers, and the chat runs over UDP. Flows end, and others begin, so that there
// are always as many. Segments are lost after this place and before it, which
// makes duplicate acknowledgements with SACK blocks, fast and late resends, and
// holes. The seed and the size decide every byte.
type traffic struct {
	TCP, UDP int   // flows at any time
	Bytes    int64 // of the file, about
	Seed     uint64
	Endless  bool // no flow ends, so that a larger file has no more of them

	rand    *rand.Rand
	out     *bufio.Writer
	now     int64 // nanoseconds since 1970
	written int64
	packets int64
	flows   int // begun so far
	live    schedule
	body    [4096]byte // what payloads are cut from
	buf     [2048]byte
}

// A talk is one flow under way. Side 0 is the client.
type talk struct {
	at    int64 // when the next packet is seen
	n     int
	udp   bool
	bulk  bool
	left  int // packets until it ends
	rtt   int64
	seq   [2]uint32 // next
	ident [2]uint16
	queue []seg
	head  [2][38]byte // Ethernet, IPv4 and the ports of TCP or UDP
	chat  [2]wire.Header
	done  bool
}

// A seg is a packet to come.
type seg struct {
	side     int
	gap      int64 // nanoseconds after the one before
	seq, ack uint32
	control  byte
	size     int       // of the payload
	sack     [2]uint32 // if not equal
}

// schedule is a heap of talks, the next one first.
type schedule []*talk

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at < s[j].at || s[i].at == s[j].at && s[i].n < s[j].n
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(*talk)) }
func (s *schedule) Pop() any     { panic("a talk that ends is replaced") }

const (
	tcpFIN, tcpSYN, tcpACK, tcpPSH = 1, 2, 16, 8
	segmentSize                    = 1448 // payload of a full segment on Ethernet with timestamps
)

// write writes a pcap file (nanoseconds, Ethernet) and returns how many packets
// it has.
func (t *traffic) write(w io.Writer) (packets int64, err error) {
	t.rand = rand.New(rand.NewPCG(t.Seed, uint64(t.Bytes)))
	t.out = bufio.NewWriterSize(w, 1<<20)
	t.now = 1_767_225_600_000_000_000 // 2026-01-01
	for i := range t.body {
		t.body[i] = "abcdefghijklmnopqrstuvwxyz 012345"[t.rand.IntN(33)]
	}
	var head [24]byte
	binary.LittleEndian.PutUint32(head[:], 0xa1b23c4d)
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 262144)
	binary.LittleEndian.PutUint32(head[20:], 1)
	t.out.Write(head[:]) // a bufio.Writer keeps its first error
	t.written = int64(len(head))
	for i := range t.TCP + t.UDP {
		heap.Push(&t.live, t.begin(i >= t.TCP))
	}
	for t.written < t.Bytes {
		k := t.live[0]
		t.now = max(t.now, k.at)
		t.emit(k, k.queue[0])
		k.queue = k.queue[1:]
		if len(k.queue) == 0 {
			if k.done {
				k = t.begin(k.udp)
				t.live[0] = k
				heap.Fix(&t.live, 0)
				continue
			}
			t.more(k)
		}
		k.at += k.queue[0].gap
		heap.Fix(&t.live, 0)
	}
	return t.packets, t.out.Flush()
}

// begin starts a flow a moment from now.
func (t *traffic) begin(udp bool) *talk {
	n := t.flows
	t.flows++
	k := &talk{n: n, udp: udp, bulk: n%2 == 0}
	k.rtt = int64(2e6 + t.rand.ExpFloat64()*8e6)
	// From 20 to 20,000 packets, short ones more often.
	k.left = int(20 * math.Pow(1000, t.rand.Float64()))
	if t.Endless {
		k.left = math.MaxInt
	}
	client := [4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}
	port := uint16(32768 + t.rand.IntN(28000))
	for side := range 2 {
		h := k.head[side][:]
		copy(h, []byte{2, 0, 0, 0, 0, byte(1 - side), 2, 0, 0, 0, 0, byte(side), 8, 0, 0x45, 0})
		h[20], h[22], h[23] = 0x40, 64, 6
		if udp {
			h[23] = 17
		}
		copy(h[26:], client[:])
		copy(h[30:], []byte{192, 0, 2, 1})
		binary.BigEndian.PutUint16(h[34:], port)
		binary.BigEndian.PutUint16(h[36:], 9000)
		if side == 1 {
			copy(h[26:], []byte{192, 0, 2, 1})
			copy(h[30:], client[:])
			binary.BigEndian.PutUint16(h[34:], 9000)
			binary.BigEndian.PutUint16(h[36:], port)
		}
		k.seq[side] = t.rand.Uint32()
		k.ident[side] = uint16(t.rand.Uint32())
		k.chat[side] = wire.Header{Type: wire.TypeData, Flags: wire.DatagramReliable | wire.DatagramMAC, Session: uint64(n) + 1}
	}
	k.at = t.now + int64(t.rand.ExpFloat64()*5e6)
	if udp {
		t.more(k)
		return k
	}
	c, s := k.seq[0], k.seq[1]
	k.queue = append(k.queue, seg{side: 0, seq: c, control: tcpSYN},
		seg{side: 1, gap: 50e3, seq: s, ack: c + 1, control: tcpSYN | tcpACK},
		seg{side: 0, gap: k.rtt, seq: c + 1, ack: s + 1, control: tcpACK})
	k.seq = [2]uint32{c + 1, s + 1}
	return k
}

// more plans what k does next.
func (t *traffic) more(k *talk) {
	k.queue = k.queue[:0]
	think := int64(t.rand.ExpFloat64() * 4e6)
	if k.udp {
		side := t.rand.IntN(2)
		h := &k.chat[side]
		if t.rand.IntN(100) == 0 {
			h.Number++ // one was lost on its way here
		}
		k.queue = append(k.queue, seg{side: side, gap: think, size: 60 + t.rand.IntN(200)})
		k.left--
		k.done = k.left <= 0
		return
	}
	if k.left <= 0 {
		t.close(k, think)
		return
	}
	// Bulk data comes from the server, and now and then from the client.
	from := 1
	if !k.bulk && t.rand.IntN(2) == 0 || k.bulk && t.rand.IntN(12) == 0 {
		from = 0
	}
	count, size := 1, 40+t.rand.IntN(400)
	if k.bulk {
		count, size = 2+2*t.rand.IntN(4), segmentSize
	}
	switch p := t.rand.IntN(1000); {
	case p < 15:
		t.lossAfter(k, from, size, think)
	case p < 20:
		t.late(k, from, size, think)
	case p < 28:
		t.lossBefore(k, from, size, think)
	default:
		t.normal(k, from, count, size, think)
	}
	k.left -= len(k.queue)
}

// data plans count segments; ack plans an acknowledgement of all up to seq.
func (k *talk) data(from int, seq uint32, size int, gap int64) {
	k.queue = append(k.queue, seg{side: from, gap: gap, seq: seq, ack: k.seq[1-from], control: tcpACK | tcpPSH, size: size})
}

func (k *talk) ack(from int, upTo uint32, gap int64, sack ...uint32) {
	s := seg{side: 1 - from, gap: gap, seq: k.seq[1-from], ack: upTo, control: tcpACK}
	if len(sack) == 2 {
		s.sack = [2]uint32{sack[0], sack[1]}
	}
	k.queue = append(k.queue, s)
}

// trip is how long an answer takes: the server is here, the client is not.
func (k *talk) trip(from int) int64 {
	if from == 1 {
		return k.rtt
	}
	return 20e3
}

// normal sends count segments at once; every second one is acknowledged.
func (t *traffic) normal(k *talk, from, count, size int, think int64) {
	seq := k.seq[from]
	for i := range count {
		k.data(from, seq+uint32(i*size), size, think)
		think = 12e3
	}
	gap := max(k.trip(from)-int64(count-1)*12e3, 10e3)
	for i := range count {
		if i%2 == 1 || i == count-1 {
			k.ack(from, seq+uint32((i+1)*size), gap)
			gap = 24e3
		}
	}
	k.seq[from] = seq + uint32(count*size)
}

// lossAfter loses a segment that was seen here: duplicate acknowledgements, then
// it comes again.
func (t *traffic) lossAfter(k *talk, from, size int, think int64) {
	lost := k.seq[from]
	n := 4 + t.rand.IntN(4)
	seq := lost
	for range n {
		k.data(from, seq, size, think)
		seq, think = seq+uint32(size), 12e3
	}
	for i := range n - 1 {
		gap := int64(12e3)
		if i == 0 {
			gap = k.trip(from)
		}
		k.ack(from, lost, gap, lost+uint32(size), lost+uint32((i+2)*size))
	}
	k.data(from, lost, size, 30e3)
	k.ack(from, seq, k.trip(from))
	k.seq[from] = seq
}

// late loses the last segment: it comes again after the timeout.
func (t *traffic) late(k *talk, from, size int, think int64) {
	k.data(from, k.seq[from], size, think)
	k.data(from, k.seq[from], size, 200e6)
	k.seq[from] += uint32(size)
	k.ack(from, k.seq[from], k.trip(from))
}

// lossBefore loses a segment of the client before it is seen here, or lets it be
// overtaken; one of the server was acknowledged and comes again for nothing.
func (t *traffic) lossBefore(k *talk, from, size int, think int64) {
	seq := k.seq[from]
	if from == 1 {
		t.normal(k, from, 1, size, think)
		k.data(from, seq, size, 5e6)
		k.ack(from, k.seq[from], k.rtt)
		return
	}
	wait := int64(100e3)
	if t.rand.IntN(2) == 0 {
		wait = k.rtt
	}
	k.data(from, seq+uint32(size), size, think)
	k.ack(from, seq, 20e3, seq+uint32(size), seq+uint32(2*size))
	k.data(from, seq, size, wait)
	k.seq[from] = seq + uint32(2*size)
	k.ack(from, k.seq[from], 20e3)
}

func (t *traffic) close(k *talk, think int64) {
	c, s := k.seq[0], k.seq[1]
	k.queue = append(k.queue, seg{side: 0, gap: think, seq: c, ack: s, control: tcpFIN | tcpACK},
		seg{side: 1, gap: 30e3, seq: s, ack: c + 1, control: tcpFIN | tcpACK},
		seg{side: 0, gap: k.rtt, seq: c + 1, ack: s + 1, control: tcpACK})
	k.done = true
}

// emit writes a packet.
func (t *traffic) emit(k *talk, s seg) {
	b := t.buf[:16]
	b = append(b, k.head[s.side][:]...)
	if k.udp {
		h := &k.chat[s.side]
		h.Number++
		h.Reliable++
		b = binary.BigEndian.AppendUint32(b, 0) // length and checksum
		b = wire.AppendHeader(b, h)
		b = append(b, t.body[:s.size]...)
		binary.BigEndian.PutUint16(b[16+38:], uint16(len(b)-16-34))
	} else {
		b = t.tcp(b, s)
	}
	packet := b[16:]
	ip := packet[14:34]
	binary.BigEndian.PutUint16(ip[2:], uint16(len(packet)-14))
	k.ident[s.side]++
	binary.BigEndian.PutUint16(ip[4:], k.ident[s.side])
	ip[10], ip[11] = 0, 0
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	binary.LittleEndian.PutUint32(b, uint32(t.now/1e9))
	binary.LittleEndian.PutUint32(b[4:], uint32(t.now%1e9))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(packet)))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(packet)))
	t.out.Write(b)
	t.written += int64(len(b))
	t.packets++
}

// tcp appends the rest of a TCP header, options and payload. Checksums are left
// to a network card that is not there.
func (t *traffic) tcp(b []byte, s seg) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	b = append(b, 0, s.control, 1, 0xf6, 0, 0, 0, 0)
	stamp := uint32(t.now / 1e6)
	if s.control&tcpSYN != 0 {
		b = append(b, 2, 4, 5, 0xb4, 4, 2)
		b = append(b, 8, 10)
	} else {
		b = append(b, 1, 1, 8, 10)
	}
	b = binary.BigEndian.AppendUint32(b, stamp)
	b = binary.BigEndian.AppendUint32(b, stamp)
	if s.control&tcpSYN != 0 {
		b = append(b, 1, 3, 3, 7)
	}
	if s.sack[0] != s.sack[1] {
		b = append(b, 1, 1, 5, 10)
		b = binary.BigEndian.AppendUint32(b, s.sack[0])
		b = binary.BigEndian.AppendUint32(b, s.sack[1])
	}
	b[at+8] = byte(len(b)-at+4) / 4 << 4
	return append(b, t.body[:s.size]...)
}
