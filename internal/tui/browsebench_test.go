package tui

import (
	"encoding/binary"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/index"
)

// many is a capture of n datagrams.
func many(t testing.TB, n int) []byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = datagram(ana, bo, binary.BigEndian.AppendUint32(make([]byte, 100), uint32(i)))
	}
	return recorded(t, "", all...)
}

// What a key costs in a capture of 100,000 packets, until the new frame is
// there: Update, View, and the reading that bubbletea does beside them.
func TestBrowseKeyCost(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	path := inFile(t, many(t, n))
	began := time.Now()
	x := indexed(t, path)
	t.Logf("index of %d packets: %v", n, time.Since(began))
	b := browsed(t, x, 200, 50)
	for _, tt := range []struct{ name, key string }{
		{"down", "<down>"}, {"page down", "<pgdn>"}, {"last", "G"}, {"first", "g"}, {"next flagged, none", "n"}, {"page up", "<pgup>"},
	} {
		var most, sum time.Duration
		const rounds = 20
		for range rounds {
			began := time.Now()
			b.keys(tt.key)
			b.m.View()
			d := time.Since(began)
			most, sum = max(most, d), sum+d
		}
		t.Logf("%-20s mean %v, most %v", tt.name, sum/rounds, most)
	}
	if got := len(b.model().seen); got > 2000 {
		t.Errorf("%d packets are kept, want no more than are near the view", got)
	}
}

// A filter goes on with the packets that come while it is there: each of them is
// in the list once. Until all is read the title says how far it is.
func TestBrowseWhileReading(t *testing.T) {
	x := indexed(t, inFile(t, many(t, 1000)))
	b := browsed(t, x, 80, 24)
	whole := x.State()
	upTo := func(n int) browseTick {
		s := whole
		s.Entries, s.Done, s.Read, s.Size = s.Entries[:n:n], n == len(whole.Entries), int64(n), 1000
		return browseTick(s)
	}
	m := b.model()
	m.cfg.Compile = func(string) (func(*packets.Packet) (bool, error), error) {
		return func(p *packets.Packet) (bool, error) { return p.Number%2 == 1, nil }, nil
	}
	m.Update(upTo(100)) // and the next tick is not waited for
	b.shows("100 packets", "reading, 10 %")
	b.keys("/odd<enter>")
	b.shows("50 match")
	for _, n := range []int{101, 400, 999} {
		m.state = index.State(upTo(n)) // as the tick does, without waiting for the next
		b.run(m.scanOn())
	}
	b.send(upTo(1000))
	b.shows("1,000 packets", "500 match")
	for row, i := range m.matched {
		if int(i) != 2*row {
			t.Fatalf("row %d is packet %d, want %d", row, i+1, 2*row+1)
		}
	}
}

func BenchmarkBrowseKey(b *testing.B) {
	x := indexed(b, inFile(b, many(b, 100_000)))
	m := newBrowseModel(b.Context(), BrowseConfig{Index: x}, style.NewPalette(b.Output(), true))
	m.Update(browseTick(x.State()))
	m.Update(tea.WindowSizeMsg{Width: 200, Height: 50})
	for b.Loop() {
		_, cmd := m.Update(tea.KeyMsg{Type: tea.KeyPgDown})
		if cmd != nil {
			if msg, ok := cmd().(sightMsg); ok {
				m.Update(msg)
			}
		}
		if m.at == len(m.state.Entries)-1 {
			m.at = 0
		}
		m.View()
	}
}
