package tcp_test

import (
	"bytes"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
	"wirelab/packets"
	"wirelab/packets/tcp"
)

// ailments are the impairments of which each seed draws some.
var ailments = []string{
	"loss 2%", "loss 10%", "loss 30%", "loss gemodel 2.78% 25%", "duplicate 10%", "delay 20ms reorder 20%",
	"delay 170ms reorder 10%", "corrupt 3%", "rate 256kbit limit 6", "rate 2mbit", "delay 10ms 9ms",
	"delay 2ms 2ms loss 5%", "delay 40ms loss 5%", "delay 1ms", "down 300ms..2s", "drop data 2 drop data 3", "",
}

// played returns a chat of three over links that seed draws.
func played(seed uint64) *scenario.Scenario {
	r := rand.New(rand.NewPCG(seed, 1))
	link := func() string { return ailments[r.IntN(len(ailments))] }
	s := &scenario.Scenario{
		Seed: seed, Server: scenario.Server{Data: true}, Packets: true, Quiet: scenario.Duration(20 * time.Second),
	}
	for i, name := range []string{"ana", "bo", "cy"} {
		m := scenario.Member{Name: name, Transport: scenario.TCP, Up: link(), Down: link()}
		if r.IntN(2) == 0 {
			m.Transport = scenario.TCPQueue
		}
		if r.IntN(3) == 0 {
			m.TCPBuffer = 4096 << r.IntN(3)
		}
		if i == 0 {
			m.Messages, m.Size, m.Rate = 10+r.IntN(20), 50<<r.IntN(6), float64(int(5)<<r.IntN(8))
		}
		s.Members = append(s.Members, m)
		s.Record = append(s.Record, name)
	}
	if r.IntN(4) == 0 {
		s.Faults = []scenario.Fault{
			{At: 500 * time.Millisecond, Verb: scenario.Kill, Host: "cy"},
			{At: 1500 * time.Millisecond, Verb: scenario.Start, Host: "cy"},
		}
	}
	return s
}

// The emulated network, over a hundred seeds. Each is seen from the host, from
// the link and from the server, as captures of their own; all are one file.
func TestPlayed(t *testing.T) {
	tshark(t)
	t.Parallel()
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	seeds := uint64(100)
	if *more {
		seeds = 1000
	}
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := newCapture(t)
	for seed := range seeds {
		var pcap bytes.Buffer
		if _, err := e.Play(t.Context(), played(seed), labs.Output{Packets: &pcap}); err != nil {
			t.Fatal(err)
		}
		r, err := packets.NewReader(&pcap)
		if err != nil {
			t.Fatal(err)
		}
		for {
			var p packets.Packet
			if err := r.Read(&p); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			out.write(p.Time.UnixNano(), apart(p.Data, int(seed)*3+p.Interface%3))
		}
	}
	sum := compare(t, out.done(), true)
	t.Log(sum.String())
	for _, f := range []tcp.Flags{tcp.LostSegment, tcp.DuplicateAck, tcp.SpuriousRetransmission,
		tcp.FastRetransmission, tcp.OutOfOrder, tcp.Retransmission, tcp.WindowFull} {
		if n := sum.flags[bits.TrailingZeros16(uint16(f))]; n < 20 {
			t.Errorf("only %d of %s: the test says little of it", n, f)
		}
	}
	if sum.packets < 50_000 || sum.rtts < 10_000 {
		t.Errorf("only %d packets and %d round trips", sum.packets, sum.rtts)
	}
}

// apart returns an IP packet with its addresses moved by id, so that what was
// seen at different places are different conversations.
func apart(ip []byte, id int) []byte {
	ip = bytes.Clone(ip)
	for _, at := range []int{12, 16} {
		ip[at] ^= byte(id >> 8)
		ip[at+1] ^= byte(id)
	}
	return ip
}
