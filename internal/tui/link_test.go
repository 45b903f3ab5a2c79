package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/impair"
	"wirelab/internal/relay"
	"wirelab/internal/style"
)

// A fakeLink is a link as the live view sees it: each snapshot is one refresh
// later.
type fakeLink struct {
	mu       sync.Mutex
	at       int
	conns    int
	up, down impair.Config
	sets     int
	err      error         // what Set says
	hold     chan struct{} // if not nil, Set waits for it
}

func (f *fakeLink) set(up, down impair.Config) error {
	f.mu.Lock()
	f.sets++
	hold, err := f.hold, f.err
	if err == nil {
		f.up, f.down = up, down
	}
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return err
}

func (f *fakeLink) snapshot() relay.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := uint64(f.at)
	f.at++
	s := relay.Snapshot{
		Time: start.Add(time.Duration(n) * refresh), Started: start.Add(-time.Hour), Flows: 2,
		Totals: relay.Totals{Accepted: 12, Closed: 7, Reset: 2, Refused: 1, Flows: 3},
	}
	s.Up = relay.Side{
		Config: f.up, Sent: relay.Volume{Packets: 2000 * n, Bytes: 3_000_000 * n}, Received: relay.Volume{Packets: 1900 * n, Bytes: 2_850_000 * n},
		Resent: 99 * n, Payload: 2_600_000 * n, Duplicated: 3, Corrupted: 1, Reordered: 17,
	}
	s.Down = relay.Side{
		Config: f.down, Sent: relay.Volume{Packets: 1000 * n, Bytes: 52_000 * n}, Received: relay.Volume{Packets: 990 * n, Bytes: 51_480 * (n / 8 * 8)},
	}
	s.Up.Lost[impair.LostRandom], s.Up.Lost[impair.LostFull] = 90*n, 10*n
	s.Down.Lost[impair.LostScript] = 10 * n
	for i := range f.conns {
		c := relay.Conn{
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(40_000+i)), Port: uint16(i + 1), Opened: start, Phase: relay.Open,
			Up:   relay.Half{Taken: 5_000_000 * n, Handed: 4_000_000 * n, Resent: 99, Lost: 100},
			Down: relay.Half{Taken: 1000, Handed: 1000},
		}
		c.Up.Sender = relay.Control{Known: true, Cwnd: 34, Ssthresh: 17, SRTT: 81300 * time.Microsecond, RTO: 281 * time.Millisecond, Recovery: "recovery"}
		switch i % 4 {
		case 1:
			c.Phase = relay.ClientDone
			c.Down.Sender = relay.Control{Known: true, Cwnd: 10, Ssthresh: -1, SRTT: 345 * time.Microsecond, RTO: 200 * time.Millisecond, Recovery: "open"}
		case 2:
			c.Phase, c.Client = relay.Closing, netip.AddrPort{}
		case 3:
			c.Client = netip.MustParseAddrPort("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535")
		}
		s.Conns = append(s.Conns, c)
	}
	return s
}

func parsed(t *testing.T, text string) impair.Config {
	t.Helper()
	c, err := impair.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func linkScreen(t *testing.T, f *fakeLink, width, height int) *screen {
	m := newLinkModel(LinkConfig{
		Snapshot: f.snapshot, Set: f.set, Path: "tcp+udp 127.0.0.1:9100 → 127.0.0.1:9000", Notes: []string{"● out.pcapng"},
	}, f.snapshot(), style.NewPalette(io.Discard, true))
	s := newScreen(t, m, width, height)
	s.wait(10 * time.Second)
	return s
}

func TestLinkFrames(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		conns, width, height int
		keys                 string
	}{
		{"link-80x24", 3, 80, 24, ""},
		{"link-200x50", 6, 200, 50, ""},
		{"link-help-80x24", 20, 80, 24, "?"},
		{"link-partition-100x30", 0, 100, 30, "p\t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeLink{conns: tt.conns, up: parsed(t, "loss 10% delay 40ms"), down: parsed(t, "delay 40ms")}
				s := linkScreen(t, f, tt.width, tt.height)
				for _, k := range tt.keys {
					if k == '\t' {
						s.press(tea.KeyTab)
					} else {
						s.write(string(k))
					}
				}
				frame := s.model.View()
				checkFrame(t, frame, tt.width, tt.height)
				golden(t, tt.name, frame)
			})
		})
	}
}

func TestLinkFitsEverySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := linkScreen(t, &fakeLink{conns: 9}, 80, 24)
		for width := 1; width < 210; width += 7 {
			for _, height := range []int{1, 5, 6, 7, 11, 24, 60} {
				s.send(tea.WindowSizeMsg{Width: width, Height: height})
				s.write("?")
				if width >= leastWidth && height >= leastHeight {
					checkFrame(t, s.model.View(), width, height)
				} else {
					s.model.View()
				}
			}
		}
	})
}

// forEver is a partition.
const forEver = "down 0s..2562047h47m16.854775807s"

// Keys change the link: what was asked for is what Set got.
func TestLinkKeys(t *testing.T) {
	for _, tt := range []struct {
		name, up, down   string
		keys             string
		wantUp, wantDown string
	}{
		{"more loss", "", "", "l", "loss 0.1%", "loss 0.1%"},
		{"more and more", "", "", "llll", "loss 5%", "loss 5%"},
		{"from the value given to the next step", "loss 7%", "", "l", "loss 10%", "loss 0.1%"},
		{"less loss", "loss 7%", "", "L", "loss 5%", ""},
		{"none is the least", "", "", "LLL", "", ""},
		{"all is the most", "loss 50%", "loss 50%", "lll", "loss 100%", "loss 100%"},
		{"more delay", "delay 40ms 5ms", "", "d", "delay 50ms 5ms", "delay 5ms"},
		{"less delay", "delay 40ms", "delay 5ms", "D", "delay 20ms", ""},
		{"less bandwidth", "", "rate 100mbit", "b", "rate 1gbit", "rate 10mbit"},
		{"more bandwidth", "rate 1gbit", "rate 64kbit", "B", "", "rate 128kbit"},
		{"one direction", "", "", "\tl\tll\td", "loss 0.1% delay 5ms", "loss 1% delay 5ms"},
		{"partition", "loss 1%", "delay 5ms", "p", "loss 1% " + forEver, "delay 5ms " + forEver},
		{"its end", "loss 1%", "delay 5ms", "pp", "loss 1%", "delay 5ms"},
		{"changed meanwhile", "loss 1%", "", "plp", "loss 2%", "loss 0.1%"},
		{"back to the start", "loss 1%", "delay 5ms", "lldbp0", "loss 1%", "delay 5ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeLink{up: parsed(t, tt.up), down: parsed(t, tt.down)}
				s := linkScreen(t, f, 80, 24)
				for _, k := range tt.keys {
					if k == '\t' {
						s.press(tea.KeyTab)
					} else {
						s.write(string(k))
					}
				}
				if got, want := f.up.String(), parsed(t, tt.wantUp).String(); got != want {
					t.Errorf("up: %q, want %q", got, want)
				}
				if got, want := f.down.String(), parsed(t, tt.wantDown).String(); got != want {
					t.Errorf("down: %q, want %q", got, want)
				}
			})
		})
	}
}

// Changes do not overtake each other, and the last one counts.
func TestLinkSetsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{hold: make(chan struct{})}
		s := linkScreen(t, f, 80, 24)
		s.write("lll") // one is under way, two wait
		if f.sets != 1 {
			t.Errorf("%d changes at once", f.sets)
		}
		close(f.hold)
		s.send(nil)
		if got, want := f.up.String(), parsed(t, "loss 2%").String(); got != want || f.sets != 2 {
			t.Errorf("after %d changes: %q, want %q", f.sets, got, want)
		}
	})
}

func TestLinkTellsTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{err: errors.New("no\x1b[2J")}
		s := linkScreen(t, f, 80, 24)
		s.write("l")
		s.shows("no␛[2J")
		s.hides("loss 0.1%") // it is as it was
		f.err = nil
		s.write("l")
		s.shows("q quit")
		s.shows("loss 0.1%")
	})
}

func TestLinkScrolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := linkScreen(t, &fakeLink{conns: 40}, 80, 24)
		s.shows("127.0.0.1:40000")
		s.press(tea.KeyEnd)
		s.hides("127.0.0.1:40000")
		s.shows("71–80 of 80")
		s.press(tea.KeyHome)
		s.shows("127.0.0.1:40000")
		s.press(tea.KeyPgDown)
		s.hides("127.0.0.1:40000")
		s.press(tea.KeyEsc)
		s.shows("127.0.0.1:40000")
		if s.write("q"); !s.quit {
			t.Error("q does not quit")
		}
	})
}

func TestLinkEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(stop context.CancelCauseFunc, in io.Writer)
		want error
	}{
		{"quit", func(_ context.CancelCauseFunc, in io.Writer) { io.WriteString(in, "q") }, nil},
		{"interrupted", func(stop context.CancelCauseFunc, _ io.Writer) { stop(io.ErrNoProgress) }, io.ErrNoProgress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			in, typed := io.Pipe()
			defer in.Close()
			go tt.end(stop, typed)
			var out bytes.Buffer
			f := &fakeLink{conns: 1}
			if err := Link(ctx, LinkConfig{Snapshot: f.snapshot, Set: f.set, In: in, Out: &out}); !errors.Is(err, tt.want) {
				t.Errorf("Link = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestBitsAndBrief(t *testing.T) {
	for _, tt := range []struct {
		n    float64
		want string
	}{{0, "0 b/s"}, {999, "999 b/s"}, {1234, "1.2 kb/s"}, {56_000, "56 kb/s"}, {999_700, "1.0 Mb/s"}, {812e6, "812 Mb/s"}, {1.25e9, "1.25 Gb/s"}} {
		if got := bits(tt.n); got != tt.want {
			t.Errorf("bits(%v) = %q, want %q", tt.n, got, tt.want)
		}
	}
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{{0, "0s"}, {345678 * time.Nanosecond, "346µs"}, {1234 * time.Microsecond, "1.2ms"}, {81_300 * time.Microsecond, "81ms"}, {12_345 * time.Millisecond, "12.35s"}} {
		if got := brief(tt.d); got != tt.want {
			t.Errorf("brief(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}
