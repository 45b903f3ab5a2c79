package plot_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/packets"
	"wirelab/packets/plot"
)

// Segments of the same size at equal distances are so many bits per second, in
// every interval.
func TestConstantRateIsFlat(t *testing.T) {
	const (
		size  = 1000
		every = time.Millisecond
		n     = 5000
		good  = float64(size) * 8 / 1e-3
		wire  = float64(size+40) * 8 / 1e-3
	)
	c := newCapture(t)
	for i := range n {
		c.at(time.Duration(i)*every, 3, pcapng.NoDirection, segment{seq: uint32(i*size) - 1_000_000, ack: 1, control: ack, size: size, window: 1000})
	}
	for _, bin := range []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, 7 * time.Millisecond} {
		_, p := c.plot(plot.Choice{Kind: plot.Throughput, Bin: bin})
		for name, want := range map[string]float64{"goodput: payload, each byte once": good, "on the wire: all IP bytes": wire} {
			s := series(t, p, name)
			for i, q := range s.Points {
				// The last interval has both of its ends, so one segment more.
				room := want * 1e-6
				if i >= len(s.Points)-2 {
					room = want / float64(bin/every+1) * 1.01
				}
				if math.Abs(q.Y-want) > room {
					t.Errorf("interval %v: %s at %v s is %v bit/s, want %v", bin, name, q.X, q.Y, want)
				}
			}
			if last := s.Points[len(s.Points)-1].X; math.Abs(last-4.999) > 1e-9 {
				t.Errorf("%s ends at %v s, want 4.999", name, last)
			}
		}
	}
}

// Whatever is sent again is on the wire, and no goodput.
func TestResendsAreNoGoodput(t *testing.T) {
	c := newCapture(t)
	for i := range 1000 {
		seq := uint32(i) * 100
		c.at(time.Duration(i)*time.Millisecond, 3, pcapng.NoDirection, segment{seq: seq, control: ack, size: 100})
		if i%10 == 9 { // the last ten at once
			c.at(time.Duration(i)*time.Millisecond, 3, pcapng.NoDirection, segment{seq: seq - 900, control: ack, size: 1000})
		}
	}
	_, p := c.plot(plot.Choice{Kind: plot.Throughput})
	total := func(name string) (bytes float64) {
		s := series(t, p, name)
		for i := 1; i < len(s.Points); i++ {
			bytes += s.Points[i-1].Y / 8 * (s.Points[i].X - s.Points[i-1].X)
		}
		return math.Round(bytes)
	}
	if got := total("goodput: payload, each byte once"); got != 100_000 {
		t.Errorf("goodput is %v bytes, want 100000", got)
	}
	if got := total("on the wire: all IP bytes"); got != 200_000+40*1100 {
		t.Errorf("on the wire are %v bytes, want 244000", got)
	}
}

// labFile is a run of the lab over a link with a delay of 20 ms each way, 10 % loss
// and 10 Mbit/s; what is more than twice the delay is the time to transmit.
const labFile = "testdata/lab.pcapng"

func labPlot(t *testing.T, c plot.Choice) *plot.Plot {
	t.Helper()
	_, p := filePlot(t, labFile, c)
	return p
}

func filePlot(t *testing.T, path string, c plot.Choice) (*plot.Target, *plot.Plot) {
	t.Helper()
	open := func() *packets.Reader {
		r, err := packets.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	target, err := plot.Choose(open(), c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plot(open())
	if err != nil {
		t.Fatal(err)
	}
	return target, p
}

func TestRoundTripIsTwiceTheDelay(t *testing.T) {
	for _, end := range []string{"a", "b"} {
		p := labPlot(t, plot.Choice{Kind: plot.RTT, Direction: end})
		rtt := series(t, p, "from data to its acknowledgement")
		if len(rtt.Points) < 3 {
			t.Errorf("direction %s: %d round trips", end, len(rtt.Points))
		}
		for _, q := range rtt.Points {
			if q.Y < 0.040 || q.Y > 0.041 {
				t.Errorf("direction %s: a round trip of %v s at %v s, want 40 ms and up to 1 ms", end, q.Y, q.X)
			}
		}
	}
}

// What is lost in the link is marked, and what the sender sends again.
func TestLossesAreMarked(t *testing.T) {
	r, err := packets.Open(labFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var data, acks, sent, again int
	next := uint32(0)
	for {
		var p packets.Packet
		var h packets.Headers
		if err := r.Read(&p); err != nil {
			break
		}
		h.Decode(&p)
		name := r.Interfaces()[p.Interface].Name
		server := h.SrcPort == 9000
		switch {
		case name == "link" && strings.HasPrefix(p.Comment, "lost") && server && h.PayloadLen > 0:
			data++
		case name == "link" && strings.HasPrefix(p.Comment, "lost") && !server:
			acks++
		case name == "server" && server && h.PayloadLen > 0:
			sent++
			if next != 0 && int32(h.Seq-next) < 0 {
				again++
			}
			next = max(next, h.Seq+uint32(h.PayloadLen))
		}
	}
	p := labPlot(t, plot.Choice{Kind: plot.Sequence, Direction: "b"})
	for name, want := range map[string]int{"lost": data, "lost acknowledgement": acks, "sent again": again} {
		if got := len(series(t, p, name).Points); got != want || want == 0 {
			t.Errorf("%d marks %q, want %d, and more than none", got, name, want)
		}
	}
	ticks := 0
	for _, q := range series(t, p, "data").Points {
		if q.Y-q.Low > 1 { // SYN and FIN have one
			ticks++
		}
	}
	if ticks != sent {
		t.Errorf("%d ticks, want %d: as many segments as the server sent", ticks, sent)
	}
}

// A segment that comes again soon is out of order by tshark's rules. Where the
// sender itself was captured it can only be a resend.
func TestNothingOvertakesAtTheSender(t *testing.T) {
	segments := []segment{
		{seq: 100, ack: 1, control: ack, size: 100}, {seq: 200, ack: 1, control: ack, size: 100},
		{seq: 300, ack: 1, control: ack, size: 100}, {seq: 200, ack: 1, control: ack, size: 100},
	}
	sender, middle := newCapture(t), newCapture(t)
	for i, s := range segments {
		at := time.Duration(i) * time.Millisecond / 2
		sender.trip(at, time.Second, s, "")
		middle.at(at, 3, pcapng.NoDirection, s)
	}
	sender.sort()
	for name, c := range map[string]*capture{"sent again": sender, "out of order": middle} {
		_, p := c.plot(plot.Choice{Kind: plot.Sequence})
		if s := series(t, p, name); len(s.Points) != 1 || s.Points[0].Y != 201 {
			t.Errorf("%s: %v, want one mark at 201", name, s.Points)
		}
	}
}

// tshark says where each segment belongs.
func TestSequenceNumbersAreThoseOfTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := exec.Command(tshark, "-n", "-r", labFile, "-Y", `frame.interface_name == "server" && tcp.srcport == 9000 && (tcp.len > 0 || tcp.flags.syn == 1 || tcp.flags.fin == 1)`,
		"-T", "fields", "-e", "frame.time_relative", "-e", "tcp.seq", "-e", "tcp.nxtseq").Output()
	if err != nil {
		t.Fatal(err)
	}
	target, p := filePlot(t, labFile, plot.Choice{Kind: plot.Sequence, Direction: "b"})
	var want [][3]float64
	for line := range strings.Lines(string(out)) {
		var v [3]float64
		for i, s := range strings.Fields(line) {
			if v[i], err = strconv.ParseFloat(s, 64); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, v)
	}
	got := series(t, p, "data").Points
	if len(got) != len(want) || len(got) < 20 {
		t.Fatalf("%d ticks, tshark has %d", len(got), len(want))
	}
	// tshark counts from the capture's first packet, which is not the server's.
	shift := want[0][0] - got[0].X
	if at := target.Flow.First + time.Duration(got[0].X*1e9); at <= 0 {
		t.Errorf("the flow begins at %v", at)
	}
	for i, q := range got {
		if math.Abs(q.X+shift-want[i][0]) > 2e-9 || q.Low != want[i][1] || q.Y != want[i][2] {
			t.Errorf("tick %d: %v %v to %v, tshark %v", i, q.X+shift, q.Low, q.Y, want[i])
		}
	}
}

// A flow may have more than 2³² bytes, and begin just before 2³².
func TestSequenceNumbersGoBeyond32Bits(t *testing.T) {
	c := newCapture(t)
	const step = 1 << 30
	first := uint32(1<<32 - 500)
	for i := range 8 {
		c.at(time.Duration(i)*time.Second, 3, pcapng.NoDirection, segment{seq: first + uint32(i)*step, ack: 1, control: ack, size: 1000})
	}
	_, p := c.plot(plot.Choice{Kind: plot.Sequence})
	for i, q := range series(t, p, "data").Points {
		if want := 1 + float64(i)*step; q.Low != want || q.Y != want+1000 {
			t.Errorf("segment %d lies at %v to %v, want %v", i, q.Low, q.Y, want)
		}
	}
}

func TestWindowIsScaled(t *testing.T) {
	_, p := lab(t).plot(plot.Choice{Kind: plot.Sequence})
	if p.Notes != nil {
		t.Errorf("notes %q", p.Notes)
	}
	w := series(t, p, "window's end").Points
	// The SYN's window is as it is, those after it times 4: 48,000 of the first
	// acknowledgement.
	if got := w[0].Y; got != 1+64000 {
		t.Errorf("the window ends at %v, want 64001", got)
	}
	found := false
	for _, q := range w {
		found = found || q.Y == 1001+4*12000
	}
	if !found {
		t.Errorf("no window ends at 49001: %v", w)
	}
}

func TestSmallAndOddCaptures(t *testing.T) {
	one := newCapture(t)
	one.at(0, 3, pcapng.NoDirection, segment{seq: 1, control: ack, size: 10})
	backwards := newCapture(t)
	for i := range 50 {
		at := time.Duration(i) * time.Second
		if i%7 == 3 {
			at -= 5 * time.Second
		}
		backwards.at(at, 3, pcapng.NoDirection, segment{seq: uint32(i) * 10, ack: 1, control: ack, size: 10})
		backwards.at(at, 3, pcapng.NoDirection, segment{way: 1, seq: 1, ack: uint32(i)*10 + 10, control: ack})
	}
	hostile := newCapture(t, "\x1b[31m</svg>", "link", "\u202eserver")
	hostile.trip(0, time.Millisecond, segment{seq: 1, control: ack, size: 10, comment: "cwnd=-1 ssthresh=9e99 srtt=x rto=-5s cwnd=18446744073709551616"}, "lost: \x1b[2J")
	hostile.trip(time.Second, time.Millisecond, segment{seq: 11, ack: 5, control: ack, size: 10, comment: "ssthresh=∞ srtt=9999999h"}, "")
	for name, c := range map[string]*capture{"one packet": one, "backwards": backwards, "hostile": hostile} {
		for _, kind := range plot.Kinds() {
			target, p := c.plot(plot.Choice{Kind: kind})
			text := p.Text(80, 24, plain())
			if strings.ContainsAny(text, "\x1b\u202e") || strings.Count(text, "\n") != 24 {
				t.Errorf("%s, %s:\n%q", name, kind, text)
			}
			var b bytes.Buffer
			if err := errors.Join(p.SVG(&b), target.JSON(&b, p)); err != nil {
				t.Fatal(err)
			}
			if kind == plot.Sequence && name == "backwards" && !strings.Contains(fmt.Sprint(p.Notes), "clock went backwards") {
				t.Errorf("notes %q do not tell of the clock", p.Notes)
			}
		}
	}
	for _, choice := range []plot.Choice{{Kind: plot.RTT}, {Kind: plot.Throughput}} {
		if _, err := plot.Choose(newCapture(t).reader(), choice); !errors.Is(err, plot.ErrNoFlow) {
			t.Errorf("an empty capture: %v, want %v", err, plot.ErrNoFlow)
		}
	}
	if _, err := plot.Choose(one.reader(), plot.Choice{Kind: plot.RTT, Flow: 2}); !errors.Is(err, plot.ErrNoFlow) {
		t.Errorf("flow 2 of 1: %v, want %v", err, plot.ErrNoFlow)
	}
}

func TestUDPHasOnlyThroughput(t *testing.T) {
	c := newCapture(t)
	b := make([]byte, 128)
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], 128)
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	binary.BigEndian.PutUint16(b[20:], 5000)
	binary.BigEndian.PutUint16(b[22:], 9000)
	binary.BigEndian.PutUint16(b[24:], 108)
	for i := range 101 {
		c.raw(time.Duration(i)*10*time.Millisecond, 3, pcapng.NoDirection, "", b)
	}
	_, p := c.plot(plot.Choice{Kind: plot.Throughput, Bin: 500 * time.Millisecond})
	if got, want := series(t, p, "goodput: payload, each byte once").Points[0].Y, 100.0*100*8; got != want {
		t.Errorf("%v bit/s, want %v", got, want)
	}
	if _, err := plot.Choose(c.reader(), plot.Choice{Kind: plot.Sequence, Flow: 1}); !errors.Is(err, plot.ErrNoFlow) {
		t.Errorf("sequence numbers of UDP: %v, want %v", err, plot.ErrNoFlow)
	}
}

func TestTruncatedIsPlotted(t *testing.T) {
	b := lab(t).bytes()
	b = b[:len(b)/2+1]
	var cut *packets.Truncated
	r, err := packets.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	target, err := plot.Choose(r, plot.Choice{Kind: plot.Sequence})
	if target == nil || !errors.As(err, &cut) {
		t.Fatalf("Choose: %v, %v, want a flow and *packets.Truncated", target, err)
	}
	if r, err = packets.NewReader(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	p, err := target.Plot(r)
	if !errors.As(err, &cut) || len(p.Series) == 0 {
		t.Errorf("Plot: %v with %d series, want *packets.Truncated and some", err, len(p.Series))
	}
}

func TestTimeShown(t *testing.T) {
	_, p := lab(t).plot(plot.Choice{Kind: plot.Sequence, From: 50 * time.Millisecond, To: 100 * time.Millisecond})
	for _, s := range p.Series {
		for _, q := range s.Points {
			if q.X < 0.05 || q.X > 0.1 {
				t.Errorf("%s has a point at %v s", s.Name, q.X)
			}
		}
	}
	// The window's scale and what was in flight are known from before.
	if p.Notes == nil || strings.Contains(fmt.Sprint(p.Notes), "handshake") {
		t.Errorf("notes %q", p.Notes)
	}
	_, p = lab(t).plot(plot.Choice{Kind: plot.Window, From: 80 * time.Millisecond, To: 90 * time.Millisecond})
	if got, want := fmt.Sprint(series(t, p, "in flight").Points), "[{0.08 8000 0} {0.09 8000 0}]"; got != want {
		t.Errorf("in flight are %v, want %v", got, want)
	}
	for _, bad := range []plot.Choice{
		{}, {Kind: "x"}, {Kind: plot.RTT, Flow: -1}, {Kind: plot.RTT, Direction: "c"}, {Kind: plot.RTT, From: -1},
		{Kind: plot.RTT, From: 2, To: 1}, {Kind: plot.RTT, Bin: -1},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// A capture of any bytes can be plotted or is refused.
func FuzzPlot(f *testing.F) {
	f.Add(lab(f).bytes(), uint8(0), false)
	b, err := os.ReadFile(filepath.FromSlash(labFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:8000], uint8(1), true)
	f.Add(b[:8000], uint8(2), false)
	f.Add(b[:8000], uint8(3), true)
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, other bool) {
		c := plot.Choice{Kind: plot.Kinds()[kind%4]}
		if other {
			c.Direction = "b"
		}
		r, err := packets.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		target, _ := plot.Choose(r, c)
		if target == nil {
			return
		}
		if r, err = packets.NewReader(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		p, _ := target.Plot(r)
		p.Text(80, 24, plain())
		if err := errors.Join(p.SVG(&bytes.Buffer{}), target.JSON(&bytes.Buffer{}, p)); err != nil {
			t.Fatal(err)
		}
	})
}
