package vnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"wirelab/internal/impair"
)

// What the link loses, corrupts, doubles and reorders is repaired by TCP.
func TestTCPRepairs(t *testing.T) {
	p := newPair(t, "delay 1ms loss 5% duplicate 2% corrupt 2%", "delay 1ms reorder 5%", nil)
	a, b := p.tcp("tcp")
	data := pattern(2_000_000)
	if got := transfer(t, a, b, data); !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, not as the %d that were sent", len(got), len(data))
	}
	if s := p.a.Stats(); s.Retransmits == 0 {
		t.Errorf("nothing was sent again: %+v", s)
	}
	if s := p.b.Stats(); s.BadChecksums == 0 {
		t.Errorf("no bad checksum was seen: %+v", s)
	}
}

// A segment that is lost is sent again with the same sequence number, and
// arrives.
func TestLossIsSeenAsRetransmission(t *testing.T) {
	p := newPair(t, "delay 5ms drop data 5", "delay 5ms", nil)
	a, b := p.tcp("tcp")
	transfer(t, a, b, pattern(100_000))
	var lost uint32
	sent, received := map[uint32]int{}, map[uint32]int{}
	for _, k := range p.packets() {
		h, _ := parse(k.Data)
		if k.Direction != Up || h.payload == 0 {
			continue
		}
		switch k.Vantage {
		case Sent:
			sent[h.seq]++
		case Carried:
			if len(k.Outcome.Arrivals) == 0 {
				if k.Outcome.Cause != impair.LostScript {
					t.Errorf("lost by %v, want %v", k.Outcome.Cause, impair.LostScript)
				}
				lost = h.seq
			}
		case Received:
			received[h.seq]++
		}
	}
	if sent[lost] != 2 || received[lost] != 1 {
		t.Errorf("the lost segment was sent %d times and received %d times, want 2 and 1", sent[lost], received[lost])
	}
}

// The three points of a direction tell one story: each packet is sent once,
// carried once, and received as often as its outcome says, at the instants that
// it says; what is sent has valid checksums.
func TestVantagePoints(t *testing.T) {
	for _, network := range []string{"4", "6"} {
		t.Run("ipv"+network, func(t *testing.T) {
			p := newPair(t, "delay 1ms loss 5% duplicate 5%", "delay 1ms", nil)
			a, b := p.tcp("tcp" + network)
			transfer(t, a, b, pattern(200_000))
			b.Close()
			u, _ := p.udp("udp" + network)
			for i := range 50 {
				u.Write(pattern(i))
			}
			u.Write(pattern(5000)) // in fragments
			p.await("what is on its way", p.landed)
			p.a.Kill() // says nothing more
			p.await("what was on its way", p.landed)
			tellOneStory(t, p.packets())
		})
	}
}

func tellOneStory(t *testing.T, seen []Packet) {
	t.Helper()
	type key struct {
		d Direction
		n uint64
	}
	sent, carried := map[key][]byte{}, map[key][]time.Time{}
	received := map[key]int{}
	var lost, twice int
	for _, k := range seen {
		id := key{k.Direction, k.Number}
		switch k.Vantage {
		case Sent:
			if _, ok := sent[id]; ok {
				t.Errorf("packet %v is sent twice", id)
			}
			sent[id] = k.Data
			if why := checksums(k.Data); why != "" {
				t.Fatalf("packet %v: %s", id, why)
			}
		case Carried:
			if _, ok := carried[id]; ok {
				t.Errorf("packet %v is carried twice", id)
			}
			at := []time.Time{}
			for _, a := range k.Outcome.Arrivals {
				at = append(at, a.At)
			}
			switch carried[id] = at; len(at) {
			case 0:
				lost++
			case 2:
				twice++
			}
		case Received:
			i := received[id]
			if received[id]++; i >= len(carried[id]) {
				t.Errorf("packet %v is received more than %d times", id, i)
			} else if k.Time.Before(carried[id][i]) {
				t.Errorf("packet %v is received %v before its time", id, carried[id][i].Sub(k.Time))
			}
			if !bytes.Equal(k.Data, sent[id]) {
				t.Errorf("packet %v is received as % x, sent as % x", id, k.Data, sent[id])
			}
		}
	}
	for id := range sent {
		if at, ok := carried[id]; !ok || received[id] != len(at) {
			t.Errorf("packet %v: received %d times, to be received %d times", id, received[id], len(at))
		}
	}
	if len(carried) != len(sent) || lost == 0 || twice == 0 || len(sent) < 200 {
		t.Errorf("%d packets, %d carried, %d lost, %d doubled", len(sent), len(carried), lost, twice)
	}
}

// checksums verifies the checksums of a packet that is no fragment (RFC 1071,
// RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1); it shares no code with
// the package.
func checksums(b []byte) string {
	sum := func(parts ...[]byte) uint16 {
		s := 0
		for i, c := range slices.Concat(parts...) {
			if i%2 == 0 {
				s += int(c) << 8
			} else {
				s += int(c)
			}
		}
		for s > 0xffff {
			s = s>>16 + s&0xffff
		}
		return uint16(s)
	}
	var addresses, rest []byte
	var protocol byte
	if b[0]>>4 == 4 {
		head := int(b[0]&15) * 4
		if sum(b[:head]) != 0xffff {
			return "the IP checksum is wrong"
		}
		if int(binary.BigEndian.Uint16(b[2:])) != len(b) {
			return "the total length is wrong"
		}
		if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return "" // a fragment
		}
		addresses, rest, protocol = b[12:20], b[head:], b[9]
	} else {
		if int(binary.BigEndian.Uint16(b[4:]))+40 != len(b) {
			return "the payload length is wrong"
		}
		addresses, rest, protocol = b[8:40], b[40:], b[6]
	}
	if protocol != 6 && protocol != 17 {
		return ""
	}
	if sum(addresses, []byte{0, protocol, byte(len(rest) >> 8), byte(len(rest))}, rest) != 0xffff {
		return fmt.Sprintf("the checksum of protocol %d is wrong", protocol)
	}
	return ""
}

// UDP is not repaired: what the link drops does not come, and the rest comes
// once.
func TestUDPIsNotRepaired(t *testing.T) {
	p := newPair(t, "drop udp 2 drop udp 4..23", "", nil)
	a, b := p.udp("udp4")
	for i := range 25 {
		if _, err := a.Write([]byte{byte(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	for _, want := range []byte{1, 3, 24, 25} {
		n, from, err := b.ReadFrom(buf)
		if err != nil || n != 1 || buf[0] != want || from.String() != a.LocalAddr().String() {
			t.Fatalf("ReadFrom = %v, %v, %v, want datagram %d", buf[:n], from, err, want)
		}
	}
}

// A packet with a flipped bit is dropped by the stack that receives it, for the
// reason that the tap gives; what has no reason is delivered.
func TestCorruption(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			const all = 1000
			p := newPair(t, "", "corrupt 50%", func(c *HostConfig) { c.UDPReceiveBuffer = 4 << 20 })
			c, err := p.a.ListenPacket(network, ":7")
			if err != nil {
				t.Fatal(err)
			}
			to := p.a.cfg.Addrs[0]
			if network == "udp6" {
				to = p.a.cfg.Addrs[1]
			}
			from, err := p.b.DialContext(t.Context(), network, net.JoinHostPort(to.String(), "7"))
			if err != nil {
				t.Fatal(err)
			}
			for range all {
				from.Write([]byte("payload"))
			}
			reasons := map[string]int{}
			p.await("all datagrams", func() bool {
				clear(reasons)
				n := 0
				for _, k := range p.seen {
					if k.Direction == Down && k.Vantage == Received {
						reasons[k.Reason]++
						n++
					}
				}
				return n == all
			})
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			buf := make([]byte, 100)
			for i := range reasons[""] {
				if n, _, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != "payload" {
					t.Fatalf("ReadFrom number %d of %d = %q, %v; want what was sent", i, reasons[""], buf[:n], err)
				}
			}
			s := p.a.Stats()
			t.Logf("%v, %+v", reasons, s)
			if s.DatagramsReceived != uint64(reasons[""]) || reasons["bad checksum"] < all/4 {
				t.Errorf("the stack took %d datagrams; the tap saw %v", s.DatagramsReceived, reasons)
			}
			if s.BadChecksums < all/5 { // some went to another address or port
				t.Errorf("the stack saw %d bad checksums, the tap %d", s.BadChecksums, reasons["bad checksum"])
			}
		})
	}
}

// A datagram larger than the MTU is cut by IP into ⌈(payload+8)/1480⌉ fragments
// (IPv6: 1448, the largest multiple of 8 beside its headers), and one lost
// fragment loses it.
func TestFragments(t *testing.T) {
	for _, tt := range []struct {
		network string
		size    int
		want    int // fragments of a datagram
	}{{"udp4", 4000, 3}, {"udp4", 1473, 2}, {"udp4", 8192, 6}, {"udp6", 4000, 3}, {"udp6", 8192, 6}} {
		t.Run(fmt.Sprint(tt.network, " ", tt.size), func(t *testing.T) {
			p := newPair(t, fmt.Sprintf("drop %d", 2*tt.want), "", nil) // the last of the second
			a, b := p.udp(tt.network)
			big := pattern(tt.size)
			for i := range 3 {
				big[0] = byte(i)
				if _, err := a.Write(big); err != nil {
					t.Fatal(err)
				}
			}
			buf := make([]byte, 10_000)
			for _, want := range []byte{0, 2} {
				big[0] = want
				if n, _, err := b.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], big) {
					t.Fatalf("ReadFrom = %d bytes of datagram %d, %v; want %d of %d", n, buf[0], err, len(big), want)
				}
			}
			n := 0
			for _, k := range p.packets() {
				if k.Vantage == Sent {
					n++
				}
			}
			if n != 3*tt.want {
				t.Errorf("%d packets for 3 datagrams of %d bytes, want %d", n, tt.size, 3*tt.want)
			}
		})
	}
}

// What goes to nobody is lost at the switch, and the tap says so.
func TestNobody(t *testing.T) {
	p := newPair(t, "", "", nil)
	c, err := p.a.DialContext(t.Context(), "udp", "192.0.2.9:1")
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("anybody?"))
	p.await("the end of it", func() bool { return len(p.seen) == 3 })
	if k := p.packets()[2]; k.Vantage != Received || k.Reason != "no host has its address" {
		t.Errorf("the last is %+v, want that no host has its address", k)
	}
}

// A link can be changed while it runs, or is left as it was.
func TestSetLink(t *testing.T) {
	p := newPair(t, "", "", nil)
	a, b := p.udp("udp4")
	if err := p.a.SetLink(parseLink(t, "loss 100%"), impair.Config{Delay: -1}); err == nil {
		t.Error("SetLink with a negative delay is no error")
	}
	buf := make([]byte, 10)
	for i, up := range []string{"", "loss 100%", "delay 1ms"} {
		if err := p.a.SetLink(parseLink(t, up), impair.Config{}); err != nil {
			t.Fatal(err)
		}
		a.Write([]byte{byte(i)})
	}
	for _, want := range []byte{0, 2} {
		if n, _, err := b.ReadFrom(buf); err != nil || n != 1 || buf[0] != want {
			t.Errorf("ReadFrom = %v, %v, want datagram %d", buf[:n], err, want)
		}
	}
}

// fates sends datagrams, each with a number, over a link and returns the numbers
// of those that arrive and what was recorded.
func fates(t *testing.T, seed uint64, order []byte, repeat []impair.Recorded) (got []byte, recorded []impair.Recorded) {
	t.Helper()
	n := New(Config{Seed: seed, Identify: func(b []byte) (uint64, bool) { return uint64(b[0]), true }})
	defer n.Close()
	a, err := n.AddHost(HostConfig{
		Name: "a", Addrs: addrs(1), Up: parseLink(t, "loss 40%"),
		Record: func(_ Direction, r impair.Recorded) { recorded = append(recorded, r) },
		Repeat: [2][]impair.Recorded{Up: repeat},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.AddHost(HostConfig{Name: "b", Addrs: addrs(2)})
	if err != nil {
		t.Fatal(err)
	}
	from, err := a.DialContext(t.Context(), "udp", "192.0.2.2:7")
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range order {
		from.Write(bytes.Repeat([]byte{i}, int(i)))
	}
	if err := a.SetLink(impair.Config{}, impair.Config{}); err != nil {
		t.Fatal(err)
	}
	from.Write([]byte{0})
	for buf := make([]byte, 300); ; {
		_, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if buf[0] == 0 {
			slices.Sort(got)
			return got, recorded[:len(order)]
		}
		got = append(got, buf[0])
	}
}

// A datagram's fate goes with what Identify calls it, not with when it is sent;
// another seed draws others; recorded ones are repeated, changed or not.
func TestFates(t *testing.T) {
	order := []byte{}
	for i := range byte(100) {
		order = append(order, i+1)
	}
	first, recorded := fates(t, 1, order, nil)
	if n := len(first); n < 40 || n > 80 { // 60 ± 4σ
		t.Errorf("%d of 100 arrive with a loss of 40 %%", n)
	}
	back := slices.Clone(order)
	slices.Reverse(back)
	if got, _ := fates(t, 1, back, nil); !slices.Equal(got, first) {
		t.Errorf("in another order %v arrive, want %v", got, first)
	}
	if got, _ := fates(t, 2, order, nil); slices.Equal(got, first) {
		t.Error("another seed loses the same")
	}
	if got, _ := fates(t, 1, order, recorded); !slices.Equal(got, first) {
		t.Errorf("repeated, %v arrive, want %v", got, first)
	}
	for i := range recorded {
		recorded[i].Lost = impair.Carried
	}
	if got, _ := fates(t, 1, order, recorded); !slices.Equal(got, order) {
		t.Errorf("with all spared, %v arrive, want all", got)
	}
}

// More packets than MaxPending are not kept: the others are lost as in a full
// queue.
func TestPendingIsBounded(t *testing.T) {
	var lost []impair.Cause
	n := New(Config{OnPacket: func(k *Packet) {
		if k.Vantage == Carried && len(k.Outcome.Arrivals) == 0 {
			lost = append(lost, k.Outcome.Cause)
		}
	}})
	defer n.Close()
	h, err := n.AddHost(HostConfig{Name: "a", Addrs: addrs(1), Up: parseLink(t, "delay 1h limit 1000000")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.DialContext(t.Context(), "udp", "192.0.2.2:7")
	if err != nil {
		t.Fatal(err)
	}
	for range MaxPending + 5 {
		c.Write([]byte{1})
	}
	if want := slices.Repeat([]impair.Cause{impair.LostFull}, 5); !slices.Equal(lost, want) {
		t.Errorf("of %d packets %d were lost: %v, want %v", MaxPending+5, len(lost), lost, want)
	}
}
