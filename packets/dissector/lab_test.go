package dissector_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/sim"
	"wirelab/internal/wire"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
	"wirelab/packets"
)

// A half is what arrived of one direction of a TCP connection.
type half struct {
	first uint32 // sequence number of the first byte
	known bool   // the SYN was there
	parts map[int][]byte
}

// bytes returns the stream up to the first hole.
func (h *half) bytes() (b []byte) {
	for {
		longest := 0
		for at, p := range h.parts {
			if at <= len(b) && at+len(p) > len(b)+longest {
				longest = at + len(p) - len(b)
			}
		}
		if longest == 0 {
			return b
		}
		for at, p := range h.parts {
			if at <= len(b) && at+len(p) > len(b) {
				b = append(b, p[len(b)-at:]...)
				break
			}
		}
	}
}

// Real chats over a lossy link, all transports: what arrived is the same to
// tshark and to our own decoder.
func TestLab(t *testing.T) {
	t.Parallel()
	tshark(t)
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i, transport := range scenario.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			s := &scenario.Scenario{Seed: uint64(i), Server: scenario.Server{Data: true}, Packets: true, Quiet: scenario.Duration(20 * time.Second)}
			for j, name := range []string{"ana", "bo"} {
				m := scenario.Member{Name: name, Transport: transport, Up: "loss 10%", Down: "delay 10ms 5ms loss 5%"}
				if j == 0 {
					m.Messages, m.Size, m.Rate = 20, 1500, 20
				}
				s.Members = append(s.Members, m)
				s.Record = append(s.Record, name)
			}
			var pcap bytes.Buffer
			if _, err := e.Play(t.Context(), s, labs.Output{Packets: &pcap}); err != nil {
				t.Fatal(err)
			}
			compareLab(t, pcap.Bytes(), transport.Stream())
		})
	}
}

func compareLab(t *testing.T, pcap []byte, stream bool) {
	r, err := packets.NewReader(bytes.NewReader(pcap))
	if err != nil {
		t.Fatal(err)
	}
	c := newCapture(t)
	var (
		p packets.Packet
		h packets.Headers
	)
	conversations := make(map[string]int) // in the order in which tshark counts them
	halves := make(map[int]*half)
	datagrams := make(map[int][][]byte)                 // by packet
	sets := make(map[string]map[int][]byte)             // fragments
	wholes, done := map[int][]byte{}, map[string]bool{} // envelopes by packet
	for {
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		// What reached a host, each packet once.
		if p.Direction != packets.In || strings.HasPrefix(r.Interfaces()[p.Interface].Name, "link") || p.Comment != "" {
			continue
		}
		n := c.write(p.Data, 0)
		h.Decode(&p)
		payload := bytes.Clone(h.Payload)
		if h.UDP {
			datagrams[n] = [][]byte{payload}
			d, part, err := wire.DecodeHeader(payload)
			if err != nil || d.Flags&wire.DatagramFragment == 0 {
				continue
			}
			key := fmt.Sprint(h.Src, h.SrcPort, h.Dst, h.DstPort, d.Session, d.Type, d.Fragment.Of)
			if sets[key] == nil {
				sets[key] = make(map[int][]byte)
			}
			sets[key][int(d.Fragment.Index)] = part
			if len(sets[key]) == int(d.Fragment.Count) && !done[key] {
				done[key] = true
				for i := range int(d.Fragment.Count) {
					wholes[n] = append(wholes[n], sets[key][i]...)
				}
			}
			continue
		}
		ends := [2]string{fmt.Sprint(h.Src, h.SrcPort), fmt.Sprint(h.Dst, h.DstPort)}
		key := min(ends[0], ends[1]) + " " + max(ends[0], ends[1])
		if _, ok := conversations[key]; !ok {
			conversations[key] = len(conversations)
		}
		dir := direction(conversations[key], int(h.SrcPort))
		if halves[dir] == nil {
			halves[dir] = &half{parts: make(map[int][]byte)}
		}
		if h.Control&2 != 0 {
			halves[dir].first, halves[dir].known = h.Seq+1, true
		} else if len(payload) > 0 && halves[dir].known {
			at := int(h.Seq - halves[dir].first)
			if len(payload) > len(halves[dir].parts[at]) {
				halves[dir].parts[at] = payload
			}
		}
	}
	got := layers(t, c.b.Bytes(), "-o", "tcp.reassemble_out_of_order:TRUE")
	if stream {
		frames, n := make(map[int][][]byte), 0
		for dir, half := range halves {
			b := half.bytes()
			for {
				raw, rest, err := wire.SplitFrame(b)
				if err != nil {
					t.Fatal(err)
				}
				if raw == nil {
					break
				}
				frames[dir] = append(frames[dir], b[:len(b)-len(rest)])
				b = rest
				n++
			}
		}
		same(t, got, func(l *layer) int { return direction(l.stream, l.port) }, frames, wire.DissectFrame)
		if t.Logf("%d frames in %d streams", n, len(halves)); n < 40 {
			t.Error("little was compared")
		}
		return
	}
	var outer []layer
	for i, l := range got {
		if i == 0 || got[i-1].packet != l.packet {
			outer = append(outer, l)
			continue
		}
		b := wholes[l.packet]
		if diff := cmp.Diff(want(t, b, wire.DissectEnvelope(b)), l.lines()); diff != "" {
			t.Errorf("packet %d, put together (-ours +tshark):\n%s", l.packet, diff)
		}
	}
	if n := len(got) - len(outer); n != len(wholes) {
		t.Errorf("%d envelopes put together, want %d", n, len(wholes))
	}
	same(t, outer, byPacket, datagrams, wire.DissectDatagram)
	if t.Logf("%d datagrams, %d envelopes put together", len(datagrams), len(wholes)); len(datagrams) < 40 || len(wholes) < 10 {
		t.Error("little was compared")
	}
}

// direction tells the server's half of a conversation from the client's.
func direction(conversation, port int) int {
	if port == 9000 {
		return 2*conversation + 1
	}
	return 2 * conversation
}
