//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"wirelab/packets"
)

// The same size is the same bytes, and each of them belongs to a packet whose
// headers can be read.
func TestTrafficIsTheSameEachTime(t *testing.T) {
	const size = 3_000_000
	var files [2]bytes.Buffer
	var n int64
	for i := range files {
		made := traffic{TCP: liveTCP, UDP: liveUDP, Bytes: size, Seed: 1, Endless: false}
		var err error
		if n, err = made.write(&files[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("two files of the same seed differ")
	}
	if over := files[0].Len() - size; over < 0 || over > 2000 {
		t.Errorf("%d bytes, want %d or a packet more", files[0].Len(), size)
	}
	r, err := packets.NewReader(&files[0])
	if err != nil {
		t.Fatal(err)
	}
	var p packets.Packet
	var h packets.Headers
	var read, tcp, resent int64
	flows := map[[2]uint64]bool{}
	var before int64
	for {
		err := r.Read(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Decode(&p)
		read++
		if h.Problem != "" || h.Options.Problem != "" || !h.TCP && !h.UDP {
			t.Fatalf("packet %d: %s %s", p.Number, h.Problem, h.Options.Problem)
		}
		if h.TCP {
			tcp++
		}
		if h.Options.SACKs > 0 {
			resent++
		}
		if at := p.Time.UnixNano(); at < before {
			t.Fatalf("packet %d is before the one before", p.Number)
		} else {
			before = at
		}
		src, dst := h.Src.As4(), h.Dst.As4()
		flows[[2]uint64{uint64(src[2])<<8 | uint64(src[3]), uint64(dst[2])<<8 | uint64(dst[3])}] = true
	}
	if read != n {
		t.Errorf("%d packets, want %d", read, n)
	}
	if tcp < n/2 || tcp == n || resent == 0 || len(flows) < liveTCP {
		t.Errorf("of %d packets %d are TCP, %d with SACK, in %d directions of flows", n, tcp, resent, len(flows))
	}
}

func TestCountsAreRead(t *testing.T) {
	const table = `| Interval       | Frames | Bytes |
| 0.000 <> 1.611 |      0 |     0 |      1 |     0 |     83 | 27803 |      0 |     0 |      0 |     0 |      0 |     0 |      0 |     0 |      0 |     0 |   2284 | 176232 |      0 |     0 |    162 | 146492 |    454 | 335233 |     83 | 27803 |    757 | 593009 |      0 |     9 |
`
	const doc = `{"captures":[{"flows_left_out":0,"flows":[{"directions":[{"flags":{"zero_window":1,"lost_segment":80,"duplicate_ack":2284,"spurious_retransmission":162,"retransmission":700}},
		{"flags":{"lost_segment":3,"fast_retransmission":454,"out_of_order":83,"retransmission":57}}]}]}]}`
	if err := sameFlags([]byte(table), []byte(doc)); err != nil {
		t.Error(err)
	}
	for _, bad := range []struct{ table, doc string }{
		{table, `{"captures":[{"flows":[{"directions":[{"flags":{"zero_window":2}}]}]}]}`},
		{table, `{"captures":[]}`}, {table, `[`}, {"", doc}, {table, `{"captures":[{"flows_left_out":1,"flows":[{}]}]}`},
	} {
		if sameFlags([]byte(bad.table), []byte(bad.doc)) == nil {
			t.Errorf("%q and %q are the same", bad.table, bad.doc)
		}
	}
}
