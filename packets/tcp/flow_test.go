package tcp_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"wirelab/packets/tcp"
)

// A peer is one side of a drawn connection.
type peer struct {
	next, una uint32
	got       []span // received beyond want, in no order
	want      uint32 // the next number that it waits for
	window    uint16
	dups      int
}

type span struct{ from, to uint32 }

// drawn is a connection in which much goes wrong, as seen in the middle.
type drawn struct {
	rand  *rand.Rand
	now   int64
	peers [2]peer
	seen  []sighting
}

type sighting struct {
	at  int64
	dir int
	s   tcp.Segment
}

func (d *drawn) chance(percent int) bool { return d.rand.IntN(100) < percent }

// send lets a segment pass: it may be lost before or after it is captured, seen
// twice, or late.
func (d *drawn) send(dir int, seq uint32, n int, control uint8) {
	p := &d.peers[dir]
	s := tcp.Segment{Time: d.now, Seq: seq, Ack: p.want, Len: n, Control: control, Window: p.window, Scale: -1}
	if control&tcp.SYN != 0 {
		s.Scale = int8(d.rand.IntN(4))
	}
	captured, arrives := !d.chance(4), !d.chance(8)
	if captured {
		at := d.now
		if d.chance(6) {
			at += d.rand.Int64N(6_000_000)
		}
		d.seen = append(d.seen, sighting{at, dir, s})
		if d.chance(3) {
			d.seen = append(d.seen, sighting{at + d.rand.Int64N(5_000_000), dir, s})
		}
	}
	if arrives {
		d.arrive(dir^1, s.Seq, s.Seq+uint32(n), s.Ack)
	}
}

func (d *drawn) arrive(side int, from, to, ack uint32) {
	p := &d.peers[side]
	switch {
	case int32(ack-p.una) > 0:
		p.una, p.dups = ack, 0
	case ack == p.una && from == to:
		p.dups++
	}
	p.got = append(p.got, span{from, to})
	for moved := true; moved; {
		moved = false
		p.got = slices.DeleteFunc(p.got, func(g span) bool {
			if int32(g.from-p.want) <= 0 && int32(g.to-p.want) > 0 {
				p.want, moved = g.to, true
			}
			return int32(g.to-p.want) <= 0
		})
	}
}

func (d *drawn) wait() {
	gaps := []int64{1000, 50_000, 400_000, 1_500_000, 2_999_999, 3_000_000, 8_000_000, 19_999_999, 20_000_000, 60_000_000, 300_000_000}
	d.now += gaps[min(d.rand.IntN(len(gaps)), d.rand.IntN(len(gaps)))]
}

// play draws the connection from the handshake, if it is seen, to its end.
func (d *drawn) play() {
	for i := range d.peers {
		d.peers[i] = peer{next: d.rand.Uint32(), window: 1000}
		if d.chance(30) {
			d.peers[i].next = -uint32(d.rand.IntN(3000))
		}
	}
	a, b := &d.peers[0], &d.peers[1]
	a.una, a.want, b.una, b.want = a.next+1, b.next+1, b.next+1, a.next+1
	if d.chance(80) {
		d.seen = append(d.seen, sighting{d.now, 0, tcp.Segment{Time: d.now, Seq: a.next, Control: tcp.SYN, Window: 1000, Scale: 0}})
		d.wait()
		d.send(1, b.next, 0, tcp.SYN|tcp.ACK)
		d.wait()
	}
	a.next++
	b.next++
	for range 20 + d.rand.IntN(80) {
		dir := 0
		if d.chance(40) {
			dir = 1
		}
		p, other := &d.peers[dir], &d.peers[dir^1]
		switch {
		case p.dups >= 2 && p.next != p.una || p.next != p.una && d.chance(12): // again
			d.send(dir, p.una, min(int(p.next-p.una), 100), tcp.ACK)
			p.dups = 0
		case d.chance(50) && int(p.next-p.una)+100 <= int(other.window):
			n := []int{1, 2, 50, 100, 100, 100}[d.rand.IntN(6)]
			d.send(dir, p.next, n, tcp.ACK|tcp.PSH)
			p.next += uint32(n)
		case d.chance(10): // room comes and goes
			p.window = []uint16{0, 100, 1000}[d.rand.IntN(3)]
			d.send(dir, p.next, 0, tcp.ACK)
		case other.window == 0 && d.chance(50):
			d.send(dir, p.next, 1, tcp.ACK)
		case d.chance(5):
			d.send(dir, p.next-1, 0, tcp.ACK)
		default:
			d.send(dir, p.next, 0, tcp.ACK)
		}
		d.wait()
	}
	if d.chance(70) {
		d.send(0, a.next, 0, tcp.FIN|tcp.ACK)
	} else {
		d.send(1, b.next, 0, tcp.RST)
	}
}

// Connections in which most is in order, and the round trips, too.
func TestDrawn(t *testing.T) {
	tshark(t)
	connections := 600
	if *more {
		connections = 20_000
	}
	out := newCapture(t)
	for i := range connections {
		d := &drawn{rand: rand.New(rand.NewPCG(uint64(i), 7)), now: start + int64(i)*1_000_000_000_000}
		d.play()
		slices.SortStableFunc(d.seen, func(x, y sighting) int { return int(x.at - y.at) })
		e := endpoints{id: i, v6: i%3 == 0}
		for _, x := range d.seen {
			out.write(x.at, e.packet(x.dir, &x.s))
		}
	}
	sum := compare(t, out.done(), true)
	t.Log(sum.String())
	for i, n := range sum.flags {
		if n < 5 && i != 14 { // no port is used twice
			t.Errorf("only %d of %s: the test says little of it", n, tcp.Names()[i])
		}
	}
	if sum.rtts < 2*connections {
		t.Errorf("only %d round trips", sum.rtts)
	}
}
