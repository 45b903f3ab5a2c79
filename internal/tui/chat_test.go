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

	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
	"wirelab/internal/wire"
)

// lively shows all that a chat can show.
func lively(t *testing.T, width, height int) *screen {
	c := &repltest.Client{Answer: people, Figures: figured(), Manual: true}
	s := chatScreen(t, c, width, height)
	h := c.Calls()
	h.Status(client.Status{Kind: client.StatusConnected, Time: start, Name: "ana", Server: "wirelab 1", Session: "1f", Link: client.LinkStats{Transport: "tcp"}})
	h.Status(client.Status{Kind: client.StatusRoom, Time: start, Room: "lobby", Missed: 2})
	h.Tap(client.Traffic{Time: start, Bytes: eventFrame(1, 1001, "bo", "good morning"), Note: ""})
	h.Event(said("lobby", "bo", "good morning", 1))
	again := said("lobby", "bo", "I was here before, and this is a line that has to be wrapped on any screen but the widest of them all", 2)
	again.Redelivered = true
	h.Event(again)
	h.Status(client.Status{Kind: client.StatusLost, Time: start, Room: "lobby", Lost: 5, Reason: client.LostOverflow})
	h.Event(noticed("lobby", "member_joined", "dora", "udp", "unreliable"))
	h.Event(client.Event{Room: "lobby", Sender: "dora", Event: "tick", Args: []byte(`[1,{"a":2}]`), Volatile: true, Time: start})
	h.Event(said("lobby", "Ana Maria Lopez", "two\nlines", 3))
	h.Event(said("games", "bo", "here is another room", 1))
	h.Event(client.Event{Room: "@1f", Sender: "bo", Event: "msg", Args: []byte(`["psst"]`), Seq: 1, Direct: true, Time: start})
	s.send(nil)
	s.enter("hello everybody")
	s.enter("refused")
	s.enter("never acknowledged")
	c.Acknowledge(1, nil)
	s.send(nil)
	c.Acknowledge(2, &client.Refusal{Message: "50 events per second", RetryAfter: time.Second})
	s.send(nil)
	own := said("lobby", "ana", "hello everybody", 4)
	own.Own, own.ID = true, 1
	h.Tap(client.Traffic{Time: start.Add(time.Second), Out: true, Bytes: frameOf(&wire.Envelope{
		Kind: wire.KindEvent, Flags: wire.FlagAck, ID: 1, Room: []byte("lobby"), Event: []byte("msg"), Args: []byte(`["hello everybody"]`),
	})})
	h.Tap(client.Traffic{Time: start.Add(time.Second), Bytes: frameOf(&wire.Envelope{Kind: wire.KindPing, ID: 7})})
	h.Tap(client.Traffic{Time: start.Add(2 * time.Second), Datagram: true, Note: "ack only", Out: true,
		Bytes: datagramOf(wire.Header{Type: wire.TypeAck, Session: 0xabcdef, Number: 17, Ack: 3, AckBits: 5}, nil)})
	h.Event(own)
	s.send(nil)
	s.wait(statsEvery)
	return s
}

func TestChatFrames(t *testing.T) {
	for _, tt := range []struct {
		name          string
		width, height int
		do            func(s *screen)
	}{
		{"chat-80x24", 80, 24, func(*screen) {}},
		{"chat-200x50", 200, 50, func(*screen) {}},
		{"xray-80x24", 80, 24, func(s *screen) { s.press(tea.KeyCtrlX) }},
		{"xray-200x50", 200, 50, func(s *screen) { s.press(tea.KeyCtrlX) }},
		{"help-80x24", 80, 24, func(s *screen) { s.enter("/help") }},
		{"narrow-40x12", 40, 12, func(s *screen) { s.press(tea.KeyCtrlX) }},
		{"chosen-120x40", 120, 40, func(s *screen) {
			s.press(tea.KeyCtrlX, tea.KeyCtrlO)
			for range 20 {
				s.press(tea.KeyUp)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lively(t, tt.width, tt.height)
				tt.do(s)
				frame := s.model.View()
				checkFrame(t, frame, tt.width, tt.height)
				golden(t, tt.name, frame)
			})
		})
	}
}

// Every size has a frame of exactly that size.
func TestChatFitsEverySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lively(t, 80, 24)
		for width := 1; width < 210; width += 7 {
			for _, height := range []int{1, 5, 6, 7, 11, 24, 60} {
				s.send(tea.WindowSizeMsg{Width: width, Height: height})
				s.press(tea.KeyCtrlX)
				if width >= leastWidth && height >= leastHeight {
					checkFrame(t, s.model.View(), width, height)
				} else {
					s.model.View()
				}
			}
		}
	})
}

func TestOwnMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{Manual: true}
		s := chatScreen(t, c, 80, 24)
		s.enter("first")
		s.shows("…  ana  first")
		c.Calls().Event(said("lobby", "bo", "meanwhile", 1))
		s.send(nil)
		c.Acknowledge(1, nil)
		s.send(nil)
		s.shows("✓  ana  first")
		own := said("lobby", "ana", "first", 2)
		own.ID, own.Own = 1, true
		c.Calls().Event(own)
		s.send(nil)
		// The room has bo's line first.
		frame := s.model.View()
		if strings.Count(frame, "first") != 1 || strings.Index(frame, "first") < strings.Index(frame, "meanwhile") {
			t.Errorf("the own line is not where the room has it:\n%s", frame)
		}
		s.shows("✓  ana  first")
	})
}

func TestUnreadRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{}
		s := chatScreen(t, c, 80, 24)
		for i := range uint64(3) {
			c.Calls().Event(said("games", "bo", "a move", i+1))
		}
		c.Calls().Event(client.Event{Room: "@1f", Sender: "bo", Event: "msg", Args: []byte(`["psst"]`), Seq: 1, Direct: true, Time: start})
		s.send(nil)
		s.shows("games           3")
		s.shows("@bo             1")
		s.shows("bo writes to you: psst")
		s.hides("a move")
		s.press(tea.KeyCtrlP) // games comes before lobby
		s.shows("▸ games")
		s.shows("a move")
		s.hides("games           3")
		s.press(tea.KeyCtrlP)
		s.shows("▸ @bo")
		s.enter("yes?")
		if got, want := c.Log()[len(c.Log())-1], `emit "" direct ["bo","msg","yes?"] ack=true retries=-1 volatile=false`; got != want {
			t.Errorf("a line in the conversation became %s, want %s", got, want)
		}
		s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{'1'}, Alt: true})
		s.shows("▸ games")
	})
}

// What is typed while a room is being joined goes to that room.
func TestLinesWaitForTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		join := make(chan struct{})
		c := &repltest.Client{JoinAfter: join}
		s := chatScreen(t, c, 80, 24)
		s.enter("/join garden")
		s.enter("hello garden")
		s.enter("/online")
		s.shows("lines wait for the room")
		close(join)
		s.send(nil)
		s.shows("▸ garden")
		s.shows("hello garden")
		log := strings.Join(c.Log(), "\n")
		for _, want := range []string{"join garden\nonline\n", `emit "garden" msg ["hello garden"]`} {
			if !strings.Contains(log, want) {
				t.Errorf("asked\n%s\nwant in it\n%s", log, want)
			}
		}
	})
}

func TestMembersFollowNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{Answer: people}
		s := chatScreen(t, c, 80, 24)
		h := c.Calls()
		h.Status(client.Status{Kind: client.StatusRoom, Room: "lobby", Time: start})
		s.send(nil)
		s.shows("lobby · 2 here, 1 away")
		s.shows("● bo      udp/queue")
		s.shows("○ carla     away +5")
		h.Event(noticed("lobby", "member_joined", "dora", "udp", "sequenced"))
		h.Event(noticed("lobby", "member_away", "bo", "connection lost"))
		h.Event(noticed("lobby", "member_back", "carla", "tcp", ""))
		h.Event(noticed("lobby", "member_renamed", "carla", "Carl"))
		s.send(nil)
		s.shows("lobby · 3 here, 1 away")
		s.shows("○ bo           away")
		s.shows("● Carl          tcp")
		h.Event(noticed("lobby", "member_left", "dora", "left"))
		s.send(nil)
		s.shows("lobby · 2 here, 1 away")
		s.shows("dora left")
		if got := fmt.Sprint(c.Log()); got != "[request who [lobby]]" {
			t.Errorf("asked %s, want one question", got)
		}
	})
}

func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{}
		s := chatScreen(t, c, 100, 24)
		status := func(st client.Status, want string) {
			t.Helper()
			st.Time = time.Now()
			c.Calls().Status(st)
			s.send(nil)
			s.shows(want)
		}
		status(client.Status{Kind: client.StatusConnecting, Attempt: 1}, "◌ connecting")
		status(client.Status{Kind: client.StatusConnected, Name: "ana"}, "● connected")
		status(client.Status{Kind: client.StatusOffline, Retry: 30 * time.Second}, "○ offline 30 s")
		s.wait(10 * time.Second)
		s.shows("○ offline 20 s")
		status(client.Status{Kind: client.StatusOffline}, "○ offline, /online")
		status(client.Status{Kind: client.StatusDisconnected, Err: errors.New("reset"), Retry: 2 * time.Second}, "○ connection lost, again in 2 s")
		s.shows("connection lost: reset")
		status(client.Status{Kind: client.StatusConnecting, Attempt: 4}, "◌ connecting, attempt 4")
		for range 3 {
			status(client.Status{Kind: client.StatusDisconnected, Err: errors.New("refused"), Retry: 2 * time.Second}, "connection lost: refused")
		}
		if n := strings.Count(s.model.View(), "connection lost: refused"); n != 1 {
			t.Errorf("the same failure is told %d times, want once", n)
		}
		status(client.Status{Kind: client.StatusLeft, Room: "games", Err: errors.New("kicked")}, "no longer in games: kicked")
	})
}

func TestQuit(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *screen)
	}{
		{"/quit", func(s *screen) { s.enter("/quit") }},
		{"ctrl+c", func(s *screen) { s.write("x"); s.press(tea.KeyCtrlC, tea.KeyCtrlC) }},
		{"ctrl+d", func(s *screen) { s.press(tea.KeyCtrlD) }},
		{"the client ends", func(s *screen) { s.send(endedMsg{errors.New("kicked")}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := chatScreen(t, &repltest.Client{}, 80, 24)
				if tt.do(s); !s.quit {
					t.Error("the chat goes on")
				}
			})
		})
	}
}

// Chat itself, on a screen that is a buffer.
func TestChatEnds(t *testing.T) {
	refused := &client.Refusal{Code: "name_taken", Message: "name taken"}
	for _, tt := range []struct {
		name string
		end  func(c *repltest.Client, stop context.CancelCauseFunc, in io.Writer)
		want error
	}{
		{"at once", func(c *repltest.Client, _ context.CancelCauseFunc, _ io.Writer) { c.End(refused) }, refused},
		{"kicked", func(c *repltest.Client, _ context.CancelCauseFunc, _ io.Writer) {
			c.Calls().Status(client.Status{Kind: client.StatusConnected})
			c.End(refused)
		}, refused},
		{"quit", func(c *repltest.Client, _ context.CancelCauseFunc, in io.Writer) {
			c.Calls().Status(client.Status{Kind: client.StatusConnected})
			io.WriteString(in, "/quit\r")
		}, nil},
		{"interrupted", func(_ *repltest.Client, stop context.CancelCauseFunc, _ io.Writer) { stop(io.ErrNoProgress) }, io.ErrNoProgress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			c := &repltest.Client{User: "ana", Member: []string{"lobby"}}
			in, typed := io.Pipe()
			defer in.Close()
			connect := func(h repl.Handlers) repl.Client {
				client := c.Connect(h)
				go tt.end(c, stop, typed)
				return client
			}
			var out bytes.Buffer
			if err := Chat(ctx, ChatConfig{Connect: connect, In: in, Out: &out}); !errors.Is(err, tt.want) {
				t.Errorf("Chat = %v, want %v", err, tt.want)
			}
		})
	}
}

// The feed holds the client back instead of growing, and shows what it could
// not keep of the traffic.
func TestFeedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed()
		blocked := make(chan struct{})
		go func() {
			defer close(blocked)
			for i := range uint64(maxWaiting + 1) {
				f.event(said("lobby", "bo", "x", i+1))
			}
		}()
		synctest.Wait()
		select {
		case <-blocked:
			t.Error("the feed took more than it may hold")
		default:
		}
		for range maxTraffic + 10 {
			f.tap(client.Traffic{})
		}
		b := f.take()
		if len(b.items) != maxWaiting+maxTraffic || b.skipped != 10 {
			t.Errorf("%d items and %d skipped, want %d and 10", len(b.items), b.skipped, maxWaiting+maxTraffic)
		}
		<-blocked
	})
}
