package tui

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/pcapng"
	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/index"
)

// labCapture is of a chat over a link that loses packets.
const labCapture = "../../cmd/wirelab/testdata/captures/tcp.pcapng"

// browsing runs commands at once, one after the other, in place of bubbletea.
type browsing struct {
	t    *testing.T
	m    tea.Model
	quit bool
}

func browsed(t *testing.T, x *index.Index, width, height int) *browsing {
	t.Helper()
	m := newBrowseModel(t.Context(), BrowseConfig{Index: x, File: "lab.pcapng"}, style.NewPalette(io.Discard, true))
	b := &browsing{t: t, m: m}
	b.run(m.Init())
	b.send(tea.WindowSizeMsg{Width: width, Height: height})
	return b
}

func (b *browsing) send(msg tea.Msg) {
	if _, ok := msg.(tea.QuitMsg); ok {
		b.quit = true
		return
	}
	m, cmd := b.m.Update(msg)
	b.m = m
	b.run(cmd)
}

func (b *browsing) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			b.run(c)
		}
	case nil:
	default:
		b.send(msg)
	}
}

// keys are runes, or names in < >.
func (b *browsing) keys(s string) {
	named := map[string]tea.KeyType{
		"tab": tea.KeyTab, "enter": tea.KeyEnter, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft,
		"right": tea.KeyRight, "pgdn": tea.KeyPgDown, "pgup": tea.KeyPgUp, "end": tea.KeyEnd, "home": tea.KeyHome, "bs": tea.KeyBackspace,
	}
	for s != "" {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(s, "<"), ">"); ok && s[0] == '<' {
			b.send(tea.KeyMsg{Type: named[name]})
			s = rest
			continue
		}
		r := []rune(s)[:1]
		b.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: r})
		s = s[len(string(r)):]
	}
}

func (b *browsing) model() *browseModel { return b.m.(*browseModel) }

func (b *browsing) shows(want ...string) {
	b.t.Helper()
	for _, w := range want {
		if v := b.m.View(); !strings.Contains(v, w) {
			b.t.Errorf("the view lacks %q:\n%s", w, v)
		}
	}
}

// indexed is the index of a file that was built to its end.
func indexed(t testing.TB, path string) *index.Index {
	t.Helper()
	x, err := index.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	x.Build(context.Background())
	return x
}

// inFile writes a capture to a file.
func inFile(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// datagram is an IPv4 packet from a to b with a UDP payload.
func datagram(a, b netip.AddrPort, payload []byte) []byte {
	p := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}
	src, dst := a.Addr().As4(), b.Addr().As4()
	p = append(append(p, src[:]...), dst[:]...)
	p = binary.BigEndian.AppendUint16(p, a.Port())
	p = binary.BigEndian.AppendUint16(p, b.Port())
	p = binary.BigEndian.AppendUint16(p, uint16(8+len(payload)))
	p = append(append(p, 0, 0), payload...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

// segment is an IPv4 packet from a to b with a TCP segment.
func segment(a, b netip.AddrPort, seq, ack uint32, control byte, payload string) []byte {
	p := datagram(a, b, nil)[:20]
	p[9] = 6
	p = binary.BigEndian.AppendUint16(p, a.Port())
	p = binary.BigEndian.AppendUint16(p, b.Port())
	p = binary.BigEndian.AppendUint32(p, seq)
	p = binary.BigEndian.AppendUint32(p, ack)
	p = append(p, 0x50, control, 0xff, 0xff, 0, 0, 0, 0)
	p = append(p, payload...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

var (
	ana = netip.MustParseAddrPort("192.0.2.1:5000")
	bo  = netip.MustParseAddrPort("192.0.2.2:9000")
)

// recorded writes packets, a millisecond apart.
func recorded(t testing.TB, comment string, all ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcapng.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.Describe(pcapng.Interface{Name: "eth\x1b[31m0"})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if err := w.Write(&pcapng.Packet{Interface: n, Time: start.Add(time.Duration(i) * time.Millisecond), Data: p, Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestBrowseFrames(t *testing.T) {
	for _, tt := range []struct {
		name          string
		width, height int
		keys          string
	}{
		{"browse-80x24", 80, 24, "nn"},
		{"browse-200x50", 200, 50, "nn<tab><down><down>"},
		{"browse-hex-80x24", 80, 24, ":10<enter><tab><tab><down><down><right>"},
		{"browse-follow-80x24", 80, 24, "f"},
		{"browse-help-80x24", 80, 24, "?"},
		{"browse-filter-200x50", 200, 50, "/retransmission<enter>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := browsed(t, indexed(t, labCapture), tt.width, tt.height)
			b.keys(tt.keys)
			checkFrame(t, b.m.View(), tt.width, tt.height)
			golden(t, tt.name, b.m.View())
		})
	}
}

func TestBrowseFitsEverySize(t *testing.T) {
	x := indexed(t, labCapture)
	b := browsed(t, x, 80, 24)
	for _, keys := range []string{"", "<tab>", "<tab>", "<tab>f", "<esc>?", "<esc>/xy"} {
		b.keys(keys)
		for width := 1; width < 210; width += 7 {
			for _, height := range []int{1, 5, 6, 7, 11, 24, 60} {
				b.send(tea.WindowSizeMsg{Width: width, Height: height})
				if v := b.m.View(); width >= leastWidth && height >= leastHeight {
					checkFrame(t, v, width, height)
				}
			}
		}
	}
}

// A field that is chosen has its bytes marked, and a byte its field. The places
// are those of RFC 791, section 3.1: protocol is byte 9.
func TestBrowsePanesGoTogether(t *testing.T) {
	b := browsed(t, indexed(t, inFile(t, recorded(t, "", datagram(ana, bo, []byte("hello"))))), 80, 24)
	b.keys("<tab><tab>" + strings.Repeat("<right>", 9))
	if f := b.model().field(); f == nil || f.name != "protocol" || f.off != 9 || f.len != 1 {
		t.Fatalf("byte 9 is in %+v, want the protocol", f)
	}
	b.shows("40[11]00", "byte 9 (0x09) = 11, 17, 00010001")
	b.keys("<tab><tab><down>") // to the tree, and on
	if f := b.model().field(); f.name != "header checksum" || b.model().byte != 10 {
		t.Errorf("after protocol comes %+v with the cursor at %d, want the header checksum at 10", f, b.model().byte)
	}
	b.shows("[00 00]")
	// A layer that is closed is what its bytes belong to.
	b.keys("<left><left>")
	if f := b.model().field(); !f.head || f.name != "IPv4" {
		t.Errorf("left twice leads to %+v, want IPv4", f)
	}
	b.shows("▹ IPv4")
	b.keys("<tab>" + "<home><down>")
	if f := b.model().field(); f.name != "IPv4" {
		t.Errorf("byte 16 is in %+v, want the closed IPv4", f)
	}
}

// Every byte's field has that byte, in every packet of a lab.
func TestBrowseEachByteHasAField(t *testing.T) {
	b := browsed(t, indexed(t, labCapture), 200, 50)
	b.keys("<tab><tab>")
	m := b.model()
	for i := range m.state.Entries {
		m.focus = listArea
		b.keys(":" + strconv.Itoa(i+1) + "<enter>")
		m.focus = hexArea
		for at := range m.bytes() {
			m.byte = at
			m.reveal()
			if f := m.field(); f == nil || f.off > at || at >= f.off+f.len {
				t.Fatalf("packet %d: byte %d is in %+v", i+1, at, f)
			}
		}
	}
}

func TestBrowseMoves(t *testing.T) {
	var all [][]byte
	for i := range 500 {
		all = append(all, datagram(ana, bo, []byte{byte(i)}))
	}
	b := browsed(t, indexed(t, inFile(t, recorded(t, "", all...))), 80, 24)
	at := func(keys string, want int) {
		t.Helper()
		if b.keys(keys); b.model().chosen()+1 != want {
			t.Errorf("%s leads to packet %d, want %d", keys, b.model().chosen()+1, want)
		}
		if o := b.model().open; o == nil || o.number != want {
			t.Errorf("%s opens %+v, want packet %d", keys, o, want)
		}
	}
	at("j", 2)
	at("G", 500)
	at("<down>", 500)
	at("k", 499)
	at("g", 1)
	at("<up>", 1)
	at(":250<enter>", 250)
	at("<pgdn>", 250+b.model().layout().list-1)
	at("<pgup>", 250)
	at(":501<enter>", 250)
	b.shows("there are 500 packets")
	at(":0<enter>", 250)
	at(":99999999999999999999<enter>", 250)
	at(":3x<bs>0<esc>", 250)
	at("n", 250)
	b.shows("no packet with a flag or a loss after this one")
	// Keys that come together are as good as one by one.
	b.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("gjjj")})
	at("", 4)
	if b.keys("q"); !b.quit {
		t.Error("q does not quit")
	}
}

// n stops where the capture says lost, or the analysis has a flag, and N goes
// the way back. Which they are is read from the entries one by one.
func TestBrowseNotable(t *testing.T) {
	b := browsed(t, indexed(t, labCapture), 80, 24)
	var want, got []int
	for i := range b.model().state.Entries {
		p, err := b.model().cfg.Index.Packet(i)
		if err != nil {
			t.Fatal(err)
		}
		if b.model().state.Entries[i].Flags != 0 || strings.HasPrefix(p.Comment, "lost") {
			want = append(want, i)
		}
	}
	for at := -1; at != b.model().at; {
		at = b.model().at
		if b.keys("n"); b.model().at != at {
			got = append(got, b.model().at)
		}
	}
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("n stops at %v, want %v", got, want)
	}
	for i := len(got) - 2; i >= 0; i-- {
		if b.keys("N"); b.model().at != want[i] || got[i] != want[i] {
			t.Fatalf("N leads to %d, n to %d, want %d", b.model().at, got[i], want[i])
		}
	}
}

func TestBrowseFilter(t *testing.T) {
	x := indexed(t, inFile(t, recorded(t, "", datagram(ana, bo, []byte("a")), datagram(bo, ana, []byte("bb")), datagram(ana, bo, []byte("ccc")))))
	b := browsed(t, x, 80, 24)
	b.keys("j/len 3<enter>")
	b.shows("1 match", "1 lines have it")
	if m := b.model(); m.count() != 1 || m.chosen() != 2 {
		t.Errorf("%d match, packet %d is chosen, want 1 and packet 3", m.count(), m.chosen()+1)
	}
	b.keys(":1<enter>")
	b.shows("packet 1 does not match; this is the next that does")
	b.keys("/<bs>9<enter>")
	b.shows("0 match", "nothing matches")
	b.keys("<esc>")
	if m := b.model(); m.count() != 3 || m.filter != "" {
		t.Errorf("without a filter there are %d packets, want 3", m.count())
	}
	// An expression is what Compile makes of it; ~ is text.
	b.model().cfg.Compile = func(s string) (func(*packets.Packet) (bool, error), error) {
		if s != "odd" {
			return nil, errors.New("want odd")
		}
		return func(p *packets.Packet) (bool, error) { return p.Number%2 == 1, nil }, nil
	}
	b.keys("/odd<enter>")
	b.shows("2 match odd")
	b.keys("/x<enter>")
	b.shows("want odd")
	if m := b.model(); m.count() != 2 {
		t.Errorf("an expression that is wrong leaves %d, want the 2 of before", m.count())
	}
	b.keys("/<enter>") // once more what it is
	if m := b.model(); m.count() != 2 {
		t.Errorf("the same expression again leaves %d, want 2", m.count())
	}
	b.keys("<esc>/~len 2<enter>")
	b.shows("1 match")
}

// The two directions are told apart without colours; the chat's frames are told
// by what they are, other bytes as text.
func TestBrowseFollow(t *testing.T) {
	x := indexed(t, inFile(t, recorded(t, "",
		segment(ana, bo, 100, 0, packets.SYN, ""), segment(bo, ana, 500, 101, packets.SYN|packets.ACK, ""),
		segment(ana, bo, 101, 501, packets.ACK, "GET \x1b[2Jx\r\nyes"), segment(bo, ana, 501, 114, packets.ACK, "\x00\x01answer"),
		segment(ana, bo, 101, 501, packets.ACK, "GET \x1b[2Jx\r\nyes"), // again
		segment(ana, netip.MustParseAddrPort("192.0.2.9:1"), 101, 501, packets.ACK, "others"),
	)))
	b := browsed(t, x, 100, 30)
	b.keys("f")
	v := b.m.View()
	for _, want := range []string{"→ 192.0.2.1:5000", "← 192.0.2.2:9000", "→ GET ", "→ yes", "answer"} {
		if !strings.Contains(v, want) {
			t.Errorf("follow lacks %q:\n%s", want, v)
		}
	}
	if strings.Count(v, "GET") != 1 || strings.Contains(v, "others") || strings.Contains(v, "\x1b") {
		t.Errorf("follow shows what it should not:\n%s", v)
	}
	checkFrame(t, v, 100, 30)
	b.keys("q")
	if b.quit || b.model().paper != nil {
		t.Error("q in a paper quits all, or does not close it")
	}
	b = browsed(t, indexed(t, labCapture), 100, 30)
	b.keys("f")
	b.shows("→ connect", "← connected")
}

func TestBrowseLadder(t *testing.T) {
	b := browsed(t, indexed(t, labCapture), 100, 30)
	b.keys("l")
	b.shows("ladder · TCP 192.0.2.2", "SYN", "lines")
	top := b.m.View()
	checkFrame(t, top, 100, 30)
	if b.keys("G"); b.m.View() == top {
		t.Error("G does not scroll the ladder")
	}
	b.keys("<esc>")
	if b.model().paper != nil {
		t.Error("esc does not close the ladder")
	}
	b = browsed(t, indexed(t, inFile(t, recorded(t, "", []byte{0x45, 1, 2}))), 80, 24)
	b.keys("l")
	b.shows("of no TCP or UDP conversation")
}

// What is in packets reaches the screen as visible text only.
func TestBrowseHostile(t *testing.T) {
	evil := []byte("\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202e \u0085{}\x00")
	x := indexed(t, inFile(t, recorded(t, "lost: \x1b[31m\nx\u202e", datagram(ana, bo, evil), segment(ana, bo, 1, 1, packets.PSH, string(evil)), evil, nil)))
	for _, keys := range []string{"", "j", "jj", "jjj", "f", "jf", "l", "/\u202e<enter>", "/\x1b", "<tab>G", "<tab><tab>G"} {
		b := browsed(t, x, 80, 24)
		b.keys(keys)
		checkFrame(t, b.m.View(), 80, 24)
	}
}

// Captures that are empty or cut show what is there, and say where it ends.
func TestBrowseEnds(t *testing.T) {
	whole := recorded(t, "", datagram(ana, bo, []byte("first")), datagram(ana, bo, []byte("second")))
	b := browsed(t, indexed(t, inFile(t, whole[:len(whole)-5])), 80, 24)
	b.shows("1 packet", "ends early", "the capture ends at byte "+strconv.Itoa(len(whole)-5)+",", "inside packet 2", "What", "came before it is above")
	var all [][]byte
	for range 50 {
		all = append(all, datagram(ana, bo, nil))
	}
	long := recorded(t, "", all...)
	b = browsed(t, indexed(t, inFile(t, long[:len(long)-1])), 80, 24)
	b.keys("G")
	b.shows("49 packets", "the capture ends at byte")
	b = browsed(t, indexed(t, inFile(t, recorded(t, ""))), 80, 24)
	b.shows("0 packets", "the capture has no packets")
	b.keys("jkGgnNfl<tab><down><tab><right>G:1<enter>")
	checkFrame(t, b.m.View(), 80, 24)
	bad := append(bytes.Clone(whole), 6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0)
	b = browsed(t, indexed(t, inFile(t, bad)), 80, 24)
	b.shows("2 packets", "cannot be read on", "damaged at byte")
}

// The file may change while it is looked at: that is said, and nothing else is
// shown in its place.
func TestBrowseFileChanges(t *testing.T) {
	path := inFile(t, recorded(t, "", datagram(ana, bo, []byte("first")), datagram(ana, bo, []byte("second"))))
	x := indexed(t, path)
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	b := browsed(t, x, 80, 24)
	b.shows("read packet 1 again")
	checkFrame(t, b.m.View(), 80, 24)
}

// Whatever is in a packet, and whatever keys are pressed: each frame is as large
// as the screen, and holds nothing that a terminal would obey.
func FuzzBrowse(f *testing.F) {
	f.Add(datagram(ana, bo, []byte("hello")), "lost: random", "jnN<tab><down><right><tab>G", uint8(60))
	f.Add(segment(ana, bo, 1, 2, packets.PSH|packets.ACK, "GET / HTTP/1.1\r\n\r\n"), "", "fGq", uint8(200))
	f.Add([]byte("\x45\x00\x1b[2J"), "\x1b]0;x\x07", "l/x<enter>:1<enter>", uint8(0))
	f.Fuzz(func(t *testing.T, packet []byte, comment, keys string, size uint8) {
		if len(packet) > 4096 || len(comment) > 1000 || len(keys) > 40 {
			return
		}
		keys = strings.ToValidUTF8(keys, "?")
		if comment = strings.ToValidUTF8(comment, "?"); strings.ContainsRune(comment, 0) {
			return
		}
		x, err := index.New(bytes.NewReader(recorded(t, comment, packet, packet, datagram(bo, ana, packet))))
		if err != nil {
			t.Fatal(err)
		}
		x.Build(context.Background())
		width, height := leastWidth+int(size), leastHeight+int(size)%40
		b := browsed(t, x, width, height)
		checkFrame(t, b.m.View(), width, height)
		for k := range strings.SplitSeq(keys, "") {
			b.keys(k)
		}
		b.keys(keys)
		checkFrame(t, b.m.View(), width, height)
	})
}
