package flow

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"wirelab/packets"
)

// The whole way of a packet: read, decode, find the flow, analyse.
func BenchmarkTrack(b *testing.B) {
	var file bytes.Buffer
	generate(b, &file, 200_000, 1000, 700)
	b.ReportAllocs()
	b.SetBytes(int64(file.Len()))
	n := 0
	for b.Loop() {
		r, err := packets.NewReader(bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		t := NewTracker(Config{})
		var p packets.Packet
		var h packets.Headers
		for {
			if err := r.Read(&p); err != nil {
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				break
			}
			h.Decode(&p)
			t.Add(&p, &h)
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
}
