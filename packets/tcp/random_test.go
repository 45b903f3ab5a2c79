package tcp_test

import (
	"flag"
	"math/rand/v2"
	"testing"

	"wirelab/packets/tcp"
)

var more = flag.Bool("more", false, "many more random and played conversations")

// soup draws segments that no TCP would send, near to what the rules look at.
type soup struct {
	rand  *rand.Rand
	now   int64
	sides [2]struct {
		next, ack, old uint32
		window         uint16
	}
}

func (g *soup) pick(n ...uint32) uint32 { return n[g.rand.IntN(len(n))] }

func (g *soup) begin() {
	for i := range g.sides {
		s := &g.sides[i]
		s.next = g.rand.Uint32()
		switch g.rand.IntN(4) { // near where numbers and signs wrap
		case 0:
			s.next = -uint32(g.rand.IntN(8))
		case 1:
			s.next = 1<<31 - uint32(g.rand.IntN(8))
		}
		s.old = s.next
		s.window = uint16(g.pick(0, 1, 2, 4, 10, 1000))
	}
}

func (g *soup) segment() (dir int, s tcp.Segment) {
	// From nothing to a second, and sometimes back: near the limits of 3 and 20 ms.
	gaps := []int64{0, 1, 1000, 100_000, 1_000_000, 2_999_999, 3_000_000, 3_000_001,
		10_000_000, 19_999_999, 20_000_000, 20_000_001, 1_000_000_000}
	g.now += gaps[g.rand.IntN(len(gaps))]
	if g.rand.IntN(40) == 0 {
		g.now -= gaps[g.rand.IntN(len(gaps))]
	}
	dir = g.rand.IntN(2)
	f, rev := &g.sides[dir], &g.sides[dir^1]
	s = tcp.Segment{Time: g.now, Control: tcp.ACK, Scale: -1, Window: f.window}
	s.Seq = f.next
	if g.rand.IntN(2) == 0 {
		s.Seq = g.pick(f.next-1, f.next-1, f.next-2, f.next+1, f.next+2, f.old, f.old, rev.ack, rev.ack, rev.ack-1, rev.ack+1)
	}
	if g.rand.IntN(3) > 0 {
		s.Len = int(g.pick(0, 0, 1, 1, 2, 3, 5, uint32(rev.window)%16, 10))
	}
	s.Ack = f.ack
	if g.rand.IntN(3) == 0 {
		s.Ack = g.pick(rev.next, rev.next, rev.next-1, rev.next+1, rev.old, 0)
	}
	if g.rand.IntN(8) == 0 {
		s.Window = uint16(g.pick(0, 0, 1, 2, 4, 10, 1000))
	}
	// What TCP does in trouble, so that the rarer rules are met often enough.
	switch mood := g.rand.IntN(8); {
	case mood < 2: // nothing new
		s.Seq, s.Len, s.Ack, s.Window = f.next, 0, f.ack, f.window
	case mood == 2 && rev.window == 0: // probe
		s.Seq, s.Len = f.next, 1
	case mood == 3: // resend
		s.Seq, s.Len = rev.ack, int(g.pick(1, 2, 10))
	case mood == 4: // keep alive
		s.Seq, s.Len = f.next-1, g.rand.IntN(2)
	}
	switch g.rand.IntN(60) {
	case 0:
		s.Control = tcp.SYN
	case 1:
		s.Control |= tcp.SYN
	case 2, 3:
		s.Control |= tcp.FIN
	case 4:
		s.Control |= tcp.RST
	case 5:
		s.Control = tcp.RST
	case 6:
		s.Control = 0
	case 7:
		s.Control = uint8(g.rand.Uint32())
	case 8: // as a connection of the same ports
		g.begin()
		s.Seq = f.next
		s.Control = tcp.SYN
	}
	if s.Control&tcp.SYN != 0 {
		s.Scale = int8(g.pick(0, 1, 2, 14, 15, 31, 32, 127))
		if g.rand.IntN(3) == 0 {
			s.Scale = -1
		}
	}
	if g.rand.IntN(300) == 0 { // as far as it can be
		s.Seq = f.next + 1<<31 + g.pick(0, 1, 1<<32-1)
	}
	if g.rand.IntN(300) == 0 {
		s.Ack = rev.next + 1<<31 + g.pick(0, 1, 1<<32-1)
	}
	f.old = g.pick(f.old, s.Seq)
	f.ack, f.window = s.Ack, s.Window
	end := s.Seq + uint32(s.Len)
	if s.Control&(tcp.SYN|tcp.FIN) != 0 {
		end++
	}
	if int32(end-f.next) > 0 || s.Control&tcp.SYN != 0 {
		f.next = end
	}
	return dir, s
}

// Segments that follow no protocol reach what orderly ones do not.
func TestSoup(t *testing.T) {
	tshark(t)
	files, conversations := 2, 800
	if *more {
		files = 40
	}
	var sum tally
	for file := range files {
		c := newCapture(t)
		for i := range conversations {
			g := &soup{rand: rand.New(rand.NewPCG(uint64(file), uint64(i))), now: start + int64(i)*1_000_000_000_000}
			g.begin()
			e := endpoints{id: i, v6: i%4 == 0}
			for range 1 + g.rand.IntN(60) {
				dir, s := g.segment()
				ip := e.packet(dir, &s)
				c.snap = 0
				if s.Scale >= 0 && g.rand.IntN(4) == 0 { // the options are cut
					c.snap = len(ip) - s.Len - 1 - g.rand.IntN(4)
				}
				c.write(s.Time, ip)
			}
		}
		sum.add(compare(t, c.done(), false))
	}
	t.Log(sum.String())
	for i, n := range sum.flags {
		if n < 20 {
			t.Errorf("only %d of %s: the test says little of it", n, tcp.Names()[i])
		}
	}
}
