package tui

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/google/go-cmp/cmp"

	"wirelab/internal/cells"
	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
	"wirelab/internal/style"
	"wirelab/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a screen with testdata/name.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	got += "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", name, diff)
	}
}

// checkFrame reports lines that are not exactly as wide as the screen.
func checkFrame(t *testing.T, frame string, width, height int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != height {
		t.Errorf("%d lines, want %d", len(lines), height)
	}
	for i, l := range lines {
		if style.Visible(l) != l {
			t.Errorf("line %d holds what a terminal does not show as it is: %q", i+1, l)
		}
		if got := cells.Width(l); got != width {
			t.Errorf("line %d is %d wide, want %d: %q", i+1, got, width, l)
		}
	}
}

// A screen runs a model as bubbletea does, in a synctest bubble.
type screen struct {
	t     *testing.T
	model tea.Model
	msgs  chan tea.Msg
	cmds  sync.WaitGroup
	quit  bool
}

func newScreen(t *testing.T, m tea.Model, width, height int) *screen {
	s := &screen{t: t, model: m, msgs: make(chan tea.Msg, 4096)}
	t.Cleanup(s.cmds.Wait) // also for the ticks, which come at once
	s.run(m.Init())
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

func (s *screen) run(cmd tea.Cmd) {
	if cmd != nil {
		s.cmds.Go(func() { s.msgs <- cmd() })
	}
}

// send gives the model a message, and all that come of it at once.
func (s *screen) send(msg tea.Msg) {
	s.handle(msg)
	for {
		synctest.Wait()
		select {
		case msg := <-s.msgs:
			s.handle(msg)
		default:
			return
		}
	}
}

func (s *screen) handle(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, cmd := range msg {
			s.run(cmd)
		}
	case tea.QuitMsg:
		s.quit = true
	default:
		var cmd tea.Cmd
		s.model, cmd = s.model.Update(msg)
		s.run(cmd)
	}
}

// wait lets time pass.
func (s *screen) wait(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); s.send(nil) {
		<-time.After(min(statsEvery, time.Until(end)))
	}
}

func (s *screen) write(text string) {
	for _, r := range text {
		s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
	}
}

func (s *screen) enter(line string) {
	s.write(line)
	s.press(tea.KeyEnter)
}

func (s *screen) press(keys ...tea.KeyType) {
	for _, k := range keys {
		s.send(tea.KeyMsg{Type: k})
	}
}

// row returns the first line with text in it.
func (s *screen) row(text string) string {
	for l := range strings.SplitSeq(s.model.View(), "\n") {
		if strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

func (s *screen) shows(text string) {
	s.t.Helper()
	if s.row(text) == "" {
		s.t.Errorf("%q is not on the screen:\n%s", text, s.model.View())
	}
}

func (s *screen) hides(text string) {
	s.t.Helper()
	if s.row(text) != "" {
		s.t.Errorf("%q is on the screen:\n%s", text, s.model.View())
	}
}

// start is the time in a bubble, but for the years since.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// chatScreen is a chat in two rooms.
func chatScreen(t *testing.T, c *repltest.Client, width, height int) *screen {
	f := newFeed()
	connected := c.Connect(repl.Handlers{Event: f.event, Status: f.status, Tap: f.tap})
	if c.User == "" {
		c.User = "ana"
	}
	c.Member = []string{"lobby", "games"}
	m := newChatModel(t.Context(), repl.NewSession(connected, false), connected.Stats, repl.Place{Room: "lobby"}, "wirelab 127.0.0.1:9000", style.NewPalette(io.Discard, true), time.Now())
	s := newScreen(t, m, width, height)
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.run(done, func(msg tea.Msg) { s.msgs <- msg })
	}()
	t.Cleanup(func() {
		close(done)
		<-stopped
	})
	s.send(nil)
	return s
}

func said(room, sender, text string, seq uint64) client.Event {
	args := wire.EncodeBody([]string{text})
	return client.Event{Room: room, Sender: sender, Event: "msg", Seq: seq, Prev: seq - 1, ID: seq + 1000, Time: start.Add(time.Duration(seq) * time.Minute), Args: args}
}

func noticed(room, event string, args ...string) client.Event {
	return client.Event{Room: room, Event: event, Volatile: true, Time: start.Add(time.Minute), Args: wire.EncodeBody(args)}
}

func frameOf(e *wire.Envelope) []byte {
	b, err := wire.AppendFrame(nil, e)
	if err != nil {
		panic(err)
	}
	return b
}

func eventFrame(seq, id uint64, sender, text string) []byte {
	return frameOf(&wire.Envelope{
		Kind: wire.KindEvent, Seq: seq, Prev: max(seq, 1) - 1, ID: id, Room: []byte("lobby"), Sender: []byte(sender), Event: []byte("msg"),
		Args: wire.EncodeBody([]string{text}), Time: start.Add(time.Duration(seq) * time.Minute).UnixMicro(),
	})
}

func datagramOf(h wire.Header, e *wire.Envelope) []byte {
	b := wire.AppendHeader(nil, &h)
	if e != nil {
		b, _ = wire.AppendEnvelope(b, e)
	}
	return b
}

func people(string, []any) (any, error) {
	return []chat.Person{
		{Name: "ana", Transport: "tcp", Since: start},
		{Name: "bo", Transport: "udp", Mode: "queue", Since: start},
		{Name: "carla", Transport: "tcp", Since: start, Away: true, Waiting: 5},
	}, nil
}

func figured() client.Stats {
	return client.Stats{
		Online: true, RTT: 412 * time.Microsecond, Link: client.LinkStats{Transport: "tcp"}, Lost: 5, Waiting: 2,
		Rooms: []client.RoomStats{{Room: "lobby", Handled: 7, Head: 9}},
	}
}
