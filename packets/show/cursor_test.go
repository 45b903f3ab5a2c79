package show

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wirelab/internal/cells"
	"wirelab/packets"
	"wirelab/packets/layer"
)

// However a stream is cut into segments, its frames are found where they are;
// also when segments come again.
func TestSegmentationChangesNoFrame(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var stream []byte
		var frames []int // where each ends
		for range 1 + r.IntN(12) {
			stream = append(stream, frame(t, strings.Repeat("x", r.IntN(300)))...)
			frames = append(frames, len(stream))
		}
		c := newCapturer(t, "")
		isn := r.Uint32()
		c.put(0, "", tcpSegment(false, 9000, isn, 0, packets.SYN, nil))
		var starts []int // of each packet's payload
		// The first segment has a whole header: a stream is recognised by it.
		for at := 0; at < len(stream); {
			n := 1 + r.IntN(1+r.IntN(200))
			if at == 0 {
				n = max(n, 12)
			}
			n = min(n, len(stream)-at)
			for range 1 + r.IntN(8)/7 { // some come twice
				c.put(0, "", tcpSegment(false, 9000, isn+1+uint32(at), 1, packets.ACK, stream[at:at+n]))
				starts = append(starts, at)
			}
			at += n
		}
		all := read(t, c.b.Bytes())[1:]
		for i, s := range all {
			at := starts[i]
			end := at + s.Segment.Len
			var want []string // the truth: each frame's part in [at, end)
			from := 0
			for _, to := range frames {
				if a, b := max(from, at), min(to, end); a < b {
					want = append(want, fmt.Sprint(a-at, b-a, a-from))
				}
				from = to
			}
			var got []string
			for _, p := range s.Context.Spans {
				got = append(got, fmt.Sprint(p.Off, p.Len, p.Before))
			}
			if s.Context.Protocol != "chat" || strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Fatalf("seed %d: segment %d–%d of frames that end at %v: %s spans %v, want %v", seed, at, end, frames, s.Context.Protocol, got, want)
			}
		}
	}
}

// Behind a hole nothing is known until a frame begins a segment.
func TestBehindAHole(t *testing.T) {
	c := newCapturer(t, "")
	f := frame(t, "hello")
	put := func(seq int, b []byte) {
		c.put(0, "", tcpSegment(false, 9000, uint32(seq), 1, packets.ACK, b))
	}
	put(1, f[:40])
	put(1000, f[20:])   // in the middle of something
	put(1000, f[20:])   // again
	put(2000, f)        // a frame
	put(2000+len(f), f) // and the next
	var got []string
	for _, s := range read(t, c.b.Bytes()) {
		got = append(got, s.Protocol)
	}
	if want := "[chat TCP TCP chat chat]"; fmt.Sprint(got) != want {
		t.Errorf("protocols %v, want %s", got, want)
	}
}

// Both directions are WebSocket after the response that says so, and not before.
func TestUpgrade(t *testing.T) {
	all := read(t, lesson(t))
	last := all[len(all)-1]
	var got []string
	for _, l := range last.layers[2:] {
		got = append(got, l.Name+": "+l.Summary)
	}
	want := []string{"WebSocket: text: hello", "WebSocket (first part): text: and this one is lo (18 of 200 bytes)"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("layers %q, want %q", got, want)
	}
}

// tshark has the same numbers for each packet of a real chat.
func TestTsharkHasTheSameNumbers(t *testing.T) {
	path, err := exec.LookPath("tshark")
	if err == nil {
		var v []byte
		if v, err = exec.Command(path, "--version").Output(); err == nil && !bytes.Contains(v, []byte(" 4.0.")) {
			err = errors.New("want tshark 4.0")
		}
	}
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := exec.Command(path, "-n", "-r", filepath.Join("testdata", "chat.pcap"), "-T", "fields", "-E", "separator=|", "-E", "occurrence=f",
		"-e", "frame.number", "-e", "frame.len", "-e", "ip.src", "-e", "tcp.seq", "-e", "tcp.ack", "-e", "tcp.window_size", "-e", "tcp.len").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range read(t, file(t, "chat.pcap")) {
		src := s.Source
		if s.Protocol == "ARP" {
			src = ""
		}
		fmt.Fprintf(&got, "%d|%d|%s|", s.Number, s.Length, src)
		if g := s.Segment; g != nil {
			fmt.Fprintf(&got, "%d|%d|%d|%d\n", g.RelSeq, g.RelAck, g.Window, g.Len)
		} else {
			got.WriteString("|||\n")
		}
	}
	if got.String() != string(out) {
		t.Errorf("got\n%s, tshark has\n%s", got.String(), out)
	}
}

// Every name in the JSON is told in packets/JSON.md, and the bytes come back.
func TestJSON(t *testing.T) {
	doc, err := os.ReadFile("../JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	told := func(section string, b []byte) {
		_, text, ok := strings.Cut(string(doc), "\n## "+section+"\n")
		if !ok {
			t.Fatalf("packets/JSON.md has no section %s", section)
		}
		text, _, _ = strings.Cut(text, "\n## ")
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, x := range v {
					walk(x)
				}
			case map[string]any:
				for name, x := range v {
					if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+".") && !strings.Contains(text, "."+name+"`") {
						t.Errorf("section %s does not tell of %s", section, name)
					}
					if section != "layers" || name != "packet" {
						walk(x)
					}
				}
			}
		}
		walk(v)
	}
	for _, s := range append(read(t, file(t, "chat.pcap")), read(t, hostile(t))...) {
		b, err := AppendJSON(nil, &s.Entry, s.layers, s.packet.Data)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(b, []byte("\n")) != 1 || b[len(b)-1] != '\n' {
			t.Fatalf("%q is not one line", b)
		}
		told("show", b)
		var back struct {
			Data   string
			Layers []struct {
				Fields []struct{ Offset, Length int }
			}
		}
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range back.Layers {
			for _, f := range l.Fields {
				n += f.Length
			}
		}
		if want := fmt.Sprintf("%x", s.packet.Data); back.Data != want || n != len(s.packet.Data) {
			t.Errorf("packet %d: data %s, fields of %d bytes; want %s", s.Number, back.Data, n, want)
		}
	}
	r, err := packets.NewReader(BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCard("", r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	told("layers", b)
	if c.Message != len(`["hello"]`) {
		t.Errorf("the built-in message has %d bytes, want 9", c.Message)
	}
}

// A card takes a chat event before other payloads, and says if there is nothing.
func TestCardChoosesAnEvent(t *testing.T) {
	card := func(b []byte) (*Card, error) {
		r, err := packets.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return NewCard("x", r)
	}
	c, err := card(file(t, "chat.pcap"))
	if err != nil || c.Entry.Number != 14 {
		t.Errorf("packet %d, %v, want 14", c.Entry.Number, err)
	}
	empty := newCapturer(t, "")
	empty.put(0, "", tcpSegment(false, 1, 1, 1, packets.SYN, nil))
	if _, err := card(empty.b.Bytes()); !errors.Is(err, errNoMessage) {
		t.Errorf("of a capture without payload: %v, want %v", err, errNoMessage)
	}
}

// FuzzTracker: whatever a packet and the payloads of a stream are, each is told,
// its layers have all of its bytes, and no line is wider than asked for.
func FuzzTracker(f *testing.F) {
	long := frame(f, "in two segments")
	f.Add(uint16(packets.LinkEthernet), uint32(0), read(f, file(f, "message.pcap"))[0].packet.Data, long[:50], long[50:])
	f.Add(uint16(packets.LinkRaw), uint32(3), []byte{0x45}, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), []byte("\x81\x05hello\x81\x7e\x00\xc8"))
	f.Fuzz(func(t *testing.T, link uint16, jump uint32, raw, first, second []byte) {
		if len(first)+len(second) > 30000 {
			return
		}
		var tr Tracker
		l := List{Width: 80, Palette: plain()}
		v := Picture{Palette: plain()}
		next := 1 + uint32(len(first))
		for i, p := range []packets.Packet{
			{Link: packets.LinkType(link), Data: raw},
			{Link: packets.LinkRaw, Data: tcpSegment(false, 9000, 1, 1, packets.ACK, first)},
			{Link: packets.LinkRaw, Data: tcpSegment(false, 9000, next, 1, packets.ACK, second)},
			{Link: packets.LinkRaw, Data: tcpSegment(false, 9000, 1, 1, packets.ACK, first)},
			{Link: packets.LinkRaw, Data: tcpSegment(false, 9000, next+jump, 1, packets.ACK, second)},
			{Link: packets.LinkRaw, Data: tcpSegment(true, 9000, 1, 1, packets.ACK, second)},
		} {
			p.Number, p.Length = i+1, len(p.Data)
			var h packets.Headers
			h.Decode(&p)
			e := tr.Add(&p, &h)
			if w := cells.Width(l.Line(&e)); w > 80 {
				t.Errorf("a line of %d cells: %s", w, l.Line(&e))
			}
			layers := layer.Tree(&p, &h, &e.Context)
			n := 0
			for _, x := range layers {
				for _, f := range x.Fields {
					n += f.Len
				}
			}
			if n != len(p.Data) {
				t.Fatalf("fields of %d bytes in a packet of %d", n, len(p.Data))
			}
			for _, line := range append(v.Tree(layers, p.Data), v.Hex(layers, p.Data)...) {
				if w := cells.Width(line); w > 80 {
					t.Errorf("a line of %d cells: %s", w, line)
				}
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	capture := file(b, "chat.pcap")
	l := List{Width: 80, Palette: plain()}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r, err := packets.NewReader(bytes.NewReader(capture))
		if err != nil {
			b.Fatal(err)
		}
		tr := Tracker{Interfaces: r.Interfaces}
		var p packets.Packet
		var h packets.Headers
		for ; n < b.N && r.Read(&p) == nil; n++ {
			h.Decode(&p)
			e := tr.Add(&p, &h)
			io.WriteString(io.Discard, l.Line(&e))
		}
	}
}
