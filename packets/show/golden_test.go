package show

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/layer"
)

var update = flag.Bool("update", false, "write the golden files anew")

func plain() *style.Palette { return style.NewPalette(io.Discard, true) }

// coloured is a palette that has colours, whatever the test's output is.
func coloured() *style.Palette {
	r := lipgloss.NewRenderer(io.Discard, termenv.WithTTY(true))
	r.SetColorProfile(termenv.TrueColor)
	return style.PaletteOf(r)
}

// A seen packet is what the tests show.
type seen struct {
	Entry
	packet packets.Packet
	layers []layer.Layer
}

// read reads all of a capture.
func read(t testing.TB, b []byte) []seen {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	tr := Tracker{Interfaces: r.Interfaces}
	var all []seen
	var h packets.Headers
	for {
		var p packets.Packet
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		h.Decode(&p)
		e := tr.Add(&p, &h)
		q := p.Clone()
		all = append(all, seen{e, q, layer.Tree(&q, nil, &e.Context)})
	}
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check compares lines with a golden file, and their widths with width.
func check(t *testing.T, name string, width int, lines []string) {
	t.Helper()
	for _, l := range lines {
		if w := cells.Width(l); w > width {
			t.Errorf("%s: a line of %d cells, at most %d: %s", name, w, width, l)
		}
		if l != strings.TrimRight(l, " ") {
			t.Errorf("%s: spaces at the end of %q", name, l)
		}
	}
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(file(t, name+".golden")); got != want {
		t.Errorf("%s differs from its golden file; -update writes it. Got\n%s", name, got)
	}
}

var widths = []int{80, 200}

func TestGoldenList(t *testing.T) {
	for _, width := range widths {
		var lines []string
		l := List{Width: width, Palette: plain()}
		for _, s := range read(t, file(t, "chat.pcap")) {
			lines = append(lines, l.Line(&s.Entry))
		}
		l = List{Width: width, Palette: plain()}
		for _, s := range read(t, lesson(t)) {
			lines = append(lines, l.Line(&s.Entry))
		}
		check(t, fmt.Sprintf("list-%d", width), width, lines)
	}
}

// The pictures of a SYN, of an answer of two frames, of ARP and of an ICMP error.
func TestGoldenPictures(t *testing.T) {
	all := read(t, file(t, "chat.pcap"))
	for _, width := range widths {
		v := Picture{Width: width, Palette: plain()}
		for name, n := range map[string]int{"syn": 3, "frames": 15, "arp": 1, "icmp": 18} {
			s := all[n-1]
			lines := append(v.Head(&s.Entry), "")
			lines = append(lines, v.Tree(s.layers, s.packet.Data)...)
			lines = append(lines, "")
			lines = append(lines, v.Hex(s.layers, s.packet.Data)...)
			check(t, fmt.Sprintf("%s-%d", name, width), width, lines)
		}
		r, err := packets.NewReader(BuiltIn())
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewCard("", r)
		if err != nil {
			t.Fatal(err)
		}
		check(t, fmt.Sprintf("card-%d", width), width, c.Text(v))
	}
}

// Colours add nothing but colour.
func TestColoursAreOnlyColours(t *testing.T) {
	for _, s := range read(t, lesson(t)) {
		for _, width := range widths {
			a, b := List{Width: width, Palette: plain()}, List{Width: width, Palette: coloured()}
			with := b.Line(&s.Entry)
			if got, want := stripped(with), a.Line(&s.Entry); got != want || got == with {
				t.Errorf("coloured line\n%q, want\n%q in colours", got, want)
			}
			p, c := Picture{Width: width, Palette: plain()}, Picture{Width: width, Palette: coloured()}
			if got, want := stripped(strings.Join(c.Tree(s.layers, s.packet.Data), "\n")), strings.Join(p.Tree(s.layers, s.packet.Data), "\n"); got != want {
				t.Errorf("coloured picture\n%s, want\n%s", got, want)
			}
		}
	}
}

// stripped is s without escape sequences of colour, and without the spaces at
// line ends that they would hide.
func stripped(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			break
		}
		n := strings.IndexByte(s[i:], 'm')
		s = s[:i] + s[i+n+1:]
	}
	var lines []string
	for l := range strings.Lines(s) {
		lines = append(lines, strings.TrimRight(l, " \n"))
	}
	return strings.Join(lines, "\n")
}

// Every byte of a packet is in the picture, as hex, and in the dump, with a
// letter of its layer.
func TestAllBytesAreShown(t *testing.T) {
	s := read(t, file(t, "chat.pcap"))[14]
	for _, width := range widths {
		v := Picture{Width: width, Palette: plain()}
		lines := v.Hex(s.layers, s.packet.Data)
		var hex strings.Builder
		each := 16
		if width >= 144 {
			each = 32
		}
		for i := 0; i < (len(s.packet.Data)+each-1)/each; i++ {
			row := lines[2*i]
			hex.WriteString(strings.ReplaceAll(row[6:6+hexWidth(each)], " ", ""))
			marks := lines[2*i+1]
			for k := range min(each, len(s.packet.Data)-i*each) {
				if col := 6 + hexWidth(k+1) - 2; []rune(marks)[col] == ' ' {
					t.Fatalf("byte %d has no letter:\n%s\n%s", i*each+k, row, marks)
				}
			}
		}
		if got, want := hex.String(), fmt.Sprintf("%x", s.packet.Data); got != want {
			t.Errorf("dump has %s, want %s", got, want)
		}
	}
}

// Hostile bytes reach no line as they are, whatever the width.
func TestHostileText(t *testing.T) {
	for _, s := range read(t, hostile(t)) {
		for _, width := range []int{-1, 1, 78, 80, 99, 140, 200, 1000} {
			l := List{Width: width, Palette: plain()}
			v := Picture{Width: width, Palette: plain()}
			lines := append([]string{l.Line(&s.Entry)}, v.Head(&s.Entry)...)
			lines = append(lines, v.Tree(s.layers, s.packet.Data)...)
			lines = append(lines, v.Hex(s.layers, s.packet.Data)...)
			for _, line := range lines {
				if got := style.Visible(line); got != line {
					t.Fatalf("line %q is not visible", line)
				}
				if w := cells.Width(line); width >= 78 && w > width {
					t.Errorf("width %d: a line of %d cells: %s", width, w, line)
				}
			}
		}
	}
}
