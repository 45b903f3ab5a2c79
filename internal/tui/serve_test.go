package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/chat"
	"wirelab/internal/style"
)

// snapshots returns a server's states: each call is one refresh later.
func snapshots(members int) func() chat.Snapshot {
	at := 0
	delivered := uint64(0)
	return func() chat.Snapshot {
		delivered += uint64(at/4%7*(at/4%5)) * 250
		now := start.Add(time.Duration(at) * refresh)
		s := chat.Snapshot{
			Time: now, Uptime: time.Hour + time.Duration(at)*refresh, HalfOpen: 1,
			Faults: map[string]uint64{"bad_frame": 3, "name_taken": 5},
			Totals: chat.Totals{
				Published: uint64(100 * at), Delivered: delivered, BytesIn: uint64(12_345 * at), BytesOut: uint64(1_234_567 * at),
				Lost: 5, Retransmit: 17, Refused: 2, Stored: 420, Held: 123_456, Commits: 7,
			},
			Rooms: []chat.RoomView{
				{Room: "", Members: members},
				{Room: "games", First: 1, Head: 17, Members: 2, Bytes: 1234},
				{Room: "lobby", First: 100, Head: 4321, Members: members - 1, Away: 1, Bytes: 9_876_543},
				{Namespace: "class", Room: "lobby", First: 1, Members: 1},
			},
		}
		for i := range members {
			v := chat.MemberView{
				Name: fmt.Sprintf("member %d", i), Transport: "tcp", RTT: time.Duration(i+1) * 137 * time.Microsecond,
				Cursors: []chat.CursorView{{Room: "lobby", Head: 4321, Sent: 4321, Consumed: uint64(4321 - i%50), Waiting: uint64(i % 50)}},
			}
			switch i % 5 {
			case 1:
				v.Transport, v.Mode, v.Retransmit = "udp", "queue", 17
				v.Cursors[0].Sent -= uint64(i % 50 / 2)
				v.Cursors = append(v.Cursors, chat.CursorView{Room: "games", Head: 17, Sent: 17, Consumed: 14, Waiting: 3})
			case 3:
				v.Away, v.Since, v.Lost = true, start.Add(-100*time.Second), 5
				v.Cursors[0].Waiting = 2500
			}
			s.Members = append(s.Members, v)
		}
		at++
		return s
	}
}

func serveScreen(t *testing.T, members, width, height int) *screen {
	m := newServeModel(ServeConfig{
		Title: "wirelab 1", Addresses: []string{"tcp 127.0.0.1:9000", "udp 127.0.0.1:9000"}, Notes: []string{"join key"}, Snapshot: snapshots(members),
	}, style.NewPalette(io.Discard, true))
	m.add(m.cfg.Snapshot())
	m.arrange()
	s := newScreen(t, m, width, height)
	s.wait(20 * time.Second)
	return s
}

func TestServeFrames(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		members, width, height int
		keys                   string
	}{
		{"serve-80x24", 9, 80, 24, ""},
		{"serve-200x50", 9, 200, 50, ""},
		{"serve-1000-80x24", 1000, 80, 24, "s"},
		{"serve-1000-200x50", 1000, 200, 50, "s?"},
		{"serve-room-120x30", 40, 120, 30, "r"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveScreen(t, tt.members, tt.width, tt.height)
				s.write(tt.keys)
				frame := s.model.View()
				checkFrame(t, frame, tt.width, tt.height)
				golden(t, tt.name, frame)
			})
		})
	}
}

func TestServeFitsEverySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveScreen(t, 30, 80, 24)
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

func TestServeKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveScreen(t, 100, 80, 24)
		s.shows("member 0 ")
		s.press(tea.KeyPgDown)
		s.hides("member 0 ")
		s.press(tea.KeyEnd)
		s.shows("member 99")
		s.press(tea.KeyHome)
		s.shows("member 0 ")
		s.write("s")
		s.shows("sorted by lag")
		s.shows("2500 lobby")
		s.write("s")
		s.shows("sorted by lost")
		s.write("s")
		s.shows("sorted by rtt")
		s.shows("member 99")
		s.write("r")
		s.shows("▸ games")
		s.shows("20 members")
		s.hides("member 99")
		s.press(tea.KeyDown)
		s.shows("▸ lobby")
		s.shows("100 members")
		s.press(tea.KeyEsc)
		s.hides("▸ lobby")
		s.write("?")
		s.shows("q quit · r rooms")
		if s.write("q"); !s.quit {
			t.Error("q does not quit")
		}
	})
}

func TestServeEnds(t *testing.T) {
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
			if err := Serve(ctx, ServeConfig{Snapshot: snapshots(3), In: in, Out: &out}); !errors.Is(err, tt.want) {
				t.Errorf("Serve = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestShortAndSize(t *testing.T) {
	for _, tt := range []struct {
		n           float64
		short, size string
	}{
		{0, "0", "0 B"}, {0.5, "0.5", "0 B"}, {7, "7", "7 B"}, {999, "999", "999 B"}, {1234, "1234", "1.2 kB"}, {99_999, "99999", "100 kB"},
		{123_456, "123k", "123 kB"}, {12_345_678, "12M", "12 MB"}, {9_876_543_210, "9877M", "9.9 GB"}, {1.5e15, "1500000G", "1500 TB"},
	} {
		if short, size := short(tt.n), size(tt.n); short != tt.short || size != tt.size {
			t.Errorf("%v is %q and %q, want %q and %q", tt.n, short, size, tt.short, tt.size)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n, " members"), func(b *testing.B) {
			m := newServeModel(ServeConfig{Snapshot: snapshots(n)}, colours())
			m.width, m.height = 200, 50
			m.sorting = byLag
			s := m.cfg.Snapshot()
			for b.Loop() {
				m.Update(snapshotMsg(s))
				m.View()
			}
		})
	}
}

func BenchmarkChat(b *testing.B) {
	for _, xray := range []bool{false, true} {
		b.Run(fmt.Sprint("xray ", xray), func(b *testing.B) {
			m := stillChat(b, nil, 200, 50)
			m.xray = xray
			m.arrange()
			seq := uint64(0)
			for b.Loop() {
				seq++
				m.Update(batch{items: []any{said("lobby", "bo", strings.Repeat("hello ", 20), seq)}})
				m.View()
			}
		})
	}
}
