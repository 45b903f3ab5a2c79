package framing

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/pcapng"
	"wirelab/internal/style"
	"wirelab/internal/wire"
	"wirelab/packets"
)

var update = flag.Bool("update", false, "write the golden files anew")

// lesson is a lab's capture with all that there is to see: three frames in one
// segment, one over two, one that is lost with two behind it, a copy, and
// datagrams.
func lesson(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ana", "link", "server"} {
		if _, err := w.Describe(pcapng.Interface{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	ip := func(up bool, protocol byte, body []byte) []byte {
		h := make([]byte, 20)
		h[0], h[8], h[9] = 0x45, 64, protocol
		h[2], h[3] = byte((20+len(body))>>8), byte(20+len(body))
		copy(h[12:], []byte{192, 0, 2, 2, 192, 0, 2, 1})
		if !up {
			copy(h[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
		}
		return append(h, body...)
	}
	// pass sends a packet over 20 ms of link.
	pass := func(ms int, up bool, protocol byte, lost string, body []byte) {
		near, far := 0, 2
		if !up {
			near, far = far, near
		}
		data := ip(up, protocol, body)
		out := []pcapng.Packet{
			{Interface: near, Direction: pcapng.Out, Time: at(ms), Data: data},
			{Interface: 1, Direction: pcapng.Out, Time: at(ms), Data: data, Comment: lost},
			{Interface: far, Direction: pcapng.In, Time: at(ms + 20), Data: data},
		}
		if lost != "" {
			out = out[:2]
		}
		for i := range out {
			if err := w.Write(&out[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	var frames [8][]byte
	for i := range frames {
		frames[i] = say(t, i+1, strings.Repeat("hello ", 1+i*i%5))
	}
	seq := uint32(5001)
	tcp := func(ms int, lost string, s uint32, data []byte) {
		pass(ms, true, 6, lost, tcpOf(4000, 9000, s, packets.ACK, data))
	}
	pass(0, true, 6, "", tcpOf(4000, 9000, 5000, packets.SYN, nil))
	pass(20, false, 6, "", tcpOf(9000, 4000, 100, packets.SYN|packets.ACK, nil))
	three := bytes.Join(frames[:3], nil)
	tcp(50, "", seq, three)
	seq += uint32(len(three))
	tcp(60, "", seq, frames[3][:30])
	tcp(61, "", seq+30, frames[3][30:])
	seq += uint32(len(frames[3]))
	hole := seq
	tcp(90, "lost: random", seq, frames[4])
	seq += uint32(len(frames[4]))
	tcp(100, "", seq, frames[5])
	seq += uint32(len(frames[5]))
	tcp(110, "", seq, frames[6])
	behind := seq
	seq += uint32(len(frames[6]))
	tcp(300, "", hole, frames[4])
	tcp(330, "", behind, frames[6])
	tcp(340, "", seq, frames[7])
	seq += uint32(len(frames[7]))
	pass(360, true, 6, "", tcpOf(4000, 9000, seq, packets.FIN|packets.ACK, nil))
	env := frames[0][wire.LengthSize:]
	pass(400, true, 17, "", udpOf(4001, 9000, dgram(wire.Header{Number: 1, Flags: wire.DatagramReliable, Reliable: 1}, env)))
	pass(450, true, 17, "", udpOf(4001, 9000, dgram(wire.Header{Number: 2, Flags: wire.DatagramReliable, Reliable: 1}, env)))
	for i := range uint16(2) {
		pass(500+int(i), true, 17, "", udpOf(4001, 9000, dgram(wire.Header{
			Number: 3 + uint64(i), Flags: wire.DatagramFragment, Fragment: wire.Fragment{Of: 1, Index: i, Count: 2},
		}, [][]byte{env[:30], env[30:]}[i])))
	}
	return b.Bytes()
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; -update writes it anew. Got\n%s", name, got)
	}
}

func read(t *testing.T, b []byte, cfg Config) *Report {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	report, err := Read(r, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestPictures(t *testing.T) {
	report := read(t, lesson(t), Config{})
	for _, width := range []int{80, 200} {
		var b bytes.Buffer
		if err := report.Text(&b, width, style.NewPalette(io.Discard, true)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if w := cells.Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("a line of %d columns, at most %d: %s", w, width, line)
			}
		}
		golden(t, fmt.Sprintf("lesson%d.txt", width), b.Bytes())
	}
	var b bytes.Buffer
	if err := report.SVG(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "lesson.svg", b.Bytes())
}

// Every line is JSON, and its names are those that are documented.
func TestJSON(t *testing.T) {
	r, err := packets.NewReader(bytes.NewReader(lesson(t)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := JSON(&b, r, Config{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "lesson.jsonl", b.Bytes())
	doc, err := os.ReadFile("../JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(v any)
	check = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, v := range v {
				if !bytes.Contains(doc, []byte("`"+name+"`")) {
					t.Errorf("packets/JSON.md does not tell of %s", name)
				}
				check(v)
			}
		case []any:
			for _, v := range v {
				check(v)
			}
		}
	}
	kinds := make(map[any]int)
	for line := range bytes.Lines(b.Bytes()) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		kinds[v["type"]]++
		check(v)
	}
	if fmt.Sprint(kinds) != "map[capture:1 frame:13 stream:2]" {
		t.Errorf("lines: %v", kinds)
	}
}

// --flow, --from, --to and --count choose.
func TestChoice(t *testing.T) {
	b := lesson(t)
	for _, c := range []struct {
		cfg          Config
		frames, kept int
	}{
		{Config{}, 13, 13},
		{Config{Count: 2}, 13, 4},
		{Config{Flow: 1}, 8, 8},
		{Config{Flow: 4}, 5, 5},
		{Config{Flow: 2}, 8, 8}, // the first flow on the link
		{Config{Flow: 9}, 0, 0},
		{Config{To: 75 * time.Millisecond}, 3, 3},
		{Config{From: 330 * time.Millisecond, Flow: 1}, 1, 1},
	} {
		r := read(t, b, c.cfg)
		frames, kept := 0, 0
		for _, d := range r.Directions {
			frames, kept = frames+d.Frames, kept+len(d.Kept)
		}
		if frames != c.frames || kept != c.kept {
			t.Errorf("%+v: %d frames, %d kept; want %d, %d", c.cfg, frames, kept, c.frames, c.kept)
		}
	}
}

// A capture that ends inside a packet shows what came before.
func TestTruncated(t *testing.T) {
	b := lesson(t)
	r, err := packets.NewReader(bytes.NewReader(b[:len(b)-7]))
	if err != nil {
		t.Fatal(err)
	}
	report, err := Read(r, Config{})
	var cut *packets.Truncated
	if !errors.As(err, &cut) || len(report.Directions) == 0 {
		t.Errorf("%d directions, error %v", len(report.Directions), err)
	}
}
