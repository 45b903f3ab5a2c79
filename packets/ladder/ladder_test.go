package ladder

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
)

var update = flag.Bool("update", false, "write the golden files anew")

// captures are runs of wirelab compare at 10 % loss: both ends and the link.
var captures = []string{"tcp", "udp"}

func capture(name string) string {
	return filepath.Join("..", "..", "cmd", "wirelab", "testdata", "captures", name+".pcapng")
}

func open(t testing.TB, path string) *packets.Reader {
	t.Helper()
	r, err := packets.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func build(t testing.TB, name string) *Ladder {
	t.Helper()
	flows, more, err := Flows(open(t, capture(name)))
	if err != nil || more != 0 || len(flows) != 1 {
		t.Fatalf("flows %+v, %d more, %v", flows, more, err)
	}
	b := NewBuilder(flows[Best(flows)].Key)
	if err := b.Read(open(t, capture(name)), 0); err != nil {
		t.Fatal(err)
	}
	return b.Ladder()
}

// What the link's comments say is what is drawn, and nothing is drawn twice.
func TestEveryPacketIsDrawnOnce(t *testing.T) {
	for _, name := range captures {
		l := build(t, name)
		for _, rows := range []int{0, 60, 30, 12} {
			s := l
			if rows > 0 {
				s = l.Summarise(rows)
			}
			seen := make(map[int]int)
			lost := 0
			for i := range s.Arrows {
				a := &s.Arrows[i]
				if a.Lost {
					lost++
				}
				if !a.Lost && a.Arrived.Sub(a.Sent) < 20*time.Millisecond {
					t.Errorf("%s: packet %d took %v, the link's delay is 20 ms", name, a.Number, a.Arrived.Sub(a.Sent))
				}
				for _, n := range a.Packets {
					seen[n]++
				}
			}
			for i := range s.Bundles {
				lost += s.Bundles[i].Lost
				for _, n := range s.Bundles[i].Packets {
					seen[n]++
				}
			}
			wantLost, n := 0, 0
			r := open(t, capture(name))
			var p packets.Packet
			for r.Read(&p) == nil {
				n++
				if strings.HasPrefix(p.Comment, "lost") {
					wantLost++
				}
				if seen[p.Number] != 1 {
					t.Errorf("%s, %d rows: packet %d is drawn %d times", name, rows, p.Number, seen[p.Number])
				}
			}
			if len(seen) != n || lost != wantLost || wantLost == 0 {
				t.Errorf("%s, %d rows: %d packets, %d lost; the capture has %d and %d", name, rows, len(seen), lost, n, wantLost)
			}
		}
	}
}

// Losses and what was sent again stay visible, as long as they find room.
func TestSummaryKeepsWhatMatters(t *testing.T) {
	l := build(t, "tcp")
	s := l.Summarise(30)
	if len(s.Arrows) >= len(l.Arrows) || len(s.Bundles) == 0 {
		t.Errorf("%d arrows of %d, %d bundles: nothing was put together", len(s.Arrows), len(l.Arrows), len(s.Bundles))
	}
	drawn := make(map[int]bool)
	for i := range s.Arrows {
		drawn[s.Arrows[i].Number] = true
	}
	for i := range l.Arrows {
		a := &l.Arrows[i]
		if (a.Lost || a.Kind == Retransmission) && !drawn[a.Number] {
			t.Errorf("packet %d (%v, lost %v) is hidden in a bundle", a.Number, a.Kind, a.Lost)
		}
	}
}

func TestPictures(t *testing.T) {
	plain := style.NewPalette(io.Discard, true)
	for _, name := range captures {
		l := build(t, name)
		for file, draw := range map[string]func(w io.Writer) error{
			"80.txt":  func(w io.Writer) error { return l.Summarise(60).Text(w, Options{Width: 80, Palette: plain}) },
			"200.txt": func(w io.Writer) error { return l.Text(w, Options{Width: 200, Palette: plain}) },
			".svg":    l.Summarise(60).SVG,
			".mmd":    l.Summarise(60).Mermaid,
			".json":   l.JSON,
		} {
			var got bytes.Buffer
			if err := draw(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+file)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs; -update writes it anew. Got\n%s", path, got.Bytes())
			}
		}
	}
}

// A made ladder with hostile texts everywhere.
func hostile() *Ladder {
	const bad = "\x1b[2J<script>alert(1)</script>\n--><x a='\"&;#%% end\nparticipant z\u202e"
	at := time.Unix(1, 0)
	return &Ladder{
		Title: bad, Lifelines: []string{bad, bad, bad}, About: []string{bad},
		Arrows: []Arrow{
			{Number: 1, From: 0, To: 2, Sent: at, Arrived: at.Add(time.Millisecond), Kind: Data, Label: bad, Detail: bad, Notes: []string{bad}, Flags: []string{bad}},
			{Number: 2, From: 2, To: 0, Sent: at.Add(time.Millisecond), Lost: true, LostAt: 1, Why: bad, Kind: Ack, Label: bad},
		},
	}
}

func TestHostileTexts(t *testing.T) {
	var svg, mermaid, text bytes.Buffer
	l := hostile()
	if err := errors.Join(l.SVG(&svg), l.Mermaid(&mermaid), l.Text(&text, Options{Width: 80, Palette: style.NewPalette(io.Discard, true)})); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(&svg); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "x") {
			t.Errorf("a text became the element %s", e.Name.Local)
		}
	}
	lines := strings.Split(strings.TrimSpace(mermaid.String()), "\n")
	if lines[0] != "sequenceDiagram" {
		t.Errorf("mermaid begins with %q", lines[0])
	}
	for _, line := range lines[1:] {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		known := word == "%%" || word == "participant" && strings.HasPrefix(rest, "p") || word == "Note" || strings.HasPrefix(word, "p0-") || strings.HasPrefix(word, "p2-")
		if !known || strings.ContainsAny(rest, "<>\x1b") || strings.Count(line, ";") != strings.Count(line, "#") {
			t.Errorf("mermaid line %q", line)
		}
	}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimRight(line, "\n")
		if style.Visible(line) != line || cells.Width(line) > 80 {
			t.Errorf("line %q of %d cells", line, cells.Width(line))
		}
	}
}

// Any packets of a conversation make a ladder that can be drawn.
func FuzzBuilder(f *testing.F) {
	f.Add([]byte{0, 2, 1, 0, 0, 18, 1, 1, 0, 16, 2, 1, 5, 24, 3, 3, 5, 24, 4, 3}, 60)
	f.Fuzz(func(t *testing.T, script []byte, rows int) {
		if len(script) > 4096 {
			return
		}
		a, c := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:2000")
		b := NewBuilder(Key{packets.ProtocolTCP, a, c})
		all := []packets.Interface{{Name: "a"}, {Name: "link"}, {Name: "server"}}
		at, n := time.Unix(0, 0), 0
		for ; len(script) >= 4; script = script[4:] {
			n++
			at = at.Add(time.Duration(int8(script[3])) * 3 * time.Millisecond) // also backwards
			raw := make([]byte, 40+int(script[2])%64)
			raw[0], raw[3], raw[9], raw[32] = 0x45, byte(len(raw)), 6, 5<<4
			from, to := a, c
			if script[0]&1 != 0 {
				from, to = c, a
			}
			copy(raw[12:], from.Addr().AsSlice())
			copy(raw[16:], to.Addr().AsSlice())
			raw[20], raw[21], raw[22], raw[23] = byte(from.Port()>>8), byte(from.Port()), byte(to.Port()>>8), byte(to.Port())
			raw[27], raw[33] = script[2], script[1]
			p := packets.Packet{Number: n, Time: at, Link: packets.LinkRaw, Interface: int(script[0]) >> 1 % 3, Direction: packets.Direction(script[0] >> 3 % 3), Data: raw, Length: len(raw)}
			if script[0]&0x80 != 0 {
				p.Comment = "lost: random"
			}
			b.Add(&p, all, 0)
		}
		l := b.Ladder()
		if len(l.Arrows) > n {
			t.Errorf("%d arrows of %d packets", len(l.Arrows), n)
		}
		s := l.Summarise(rows%200 + 1)
		if err := errors.Join(s.SVG(io.Discard), s.Mermaid(io.Discard), s.JSON(io.Discard), s.Text(io.Discard, Options{Width: 80, Palette: style.NewPalette(io.Discard, true)})); err != nil {
			t.Error(err)
		}
	})
}

func TestPointsOfSeveralLinks(t *testing.T) {
	all := []packets.Interface{{Name: "ana"}, {Name: "link ana"}, {Name: "server ana"}, {Name: "bo"}, {Name: "link bo"}, {Name: "server bo"}, {Name: "eth0"}}
	var p points
	for i, want := range []point{near, link, far, near, link, far, single, single} {
		if got := p.of(all, i); got != want {
			t.Errorf("interface %d is point %v, want %v", i, got, want)
		}
	}
}
