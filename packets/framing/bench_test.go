package framing

import (
	"bytes"
	"net/netip"
	"testing"

	"wirelab/packets"
)

// A stream of the chat in full segments, without a loss.
func BenchmarkTracker(b *testing.B) {
	frame := say(b, 1, string(bytes.Repeat([]byte("x"), 200)))
	stream := bytes.Repeat(frame, 1460)
	const mss = 1460
	h := packets.Headers{
		Version: 4, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"),
		SrcPort: 5000, DstPort: 9000, TCP: true, Protocol: 6, Control: packets.ACK, PayloadLen: mss,
	}
	p := packets.Packet{Time: epoch}
	var tr Tracker
	frames := 0
	b.SetBytes(mss)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i % (len(stream) / mss) * mss
		h.Payload = stream[at : at+mss]
		p.Number++
		frames += len(tr.Add(&p, &h))
		h.Seq += mss
	}
	if b.N > 100 && frames < b.N {
		b.Errorf("%d frames in %d segments", frames, b.N)
	}
}
