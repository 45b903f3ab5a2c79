package tui

import (
	"testing"
	"testing/synctest"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/client"
	"wirelab/internal/repl/repltest"
)

func (s *screen) input() string { return s.model.(*chatModel).input.text.Value() }

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := chatScreen(t, &repltest.Client{}, 80, 24)
		s.enter("one")
		s.enter("two")
		s.enter("two")
		s.enter("   ")
		s.write("draft")
		for i, tt := range []struct {
			key  tea.KeyType
			want string
		}{
			{tea.KeyUp, "two"},
			{tea.KeyUp, "one"},
			{tea.KeyUp, "one"}, // there is no older one
			{tea.KeyDown, "two"},
			{tea.KeyDown, "draft"},
			{tea.KeyDown, "draft"},
			{tea.KeyUp, "two"},
			{tea.KeyCtrlC, ""},
		} {
			s.press(tt.key)
			if got := s.input(); got != tt.want {
				t.Errorf("after key %d the line is %q, want %q", i+1, got, tt.want)
			}
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	in := input{text: newInput(nil).text}
	for i := range 3 * maxPast {
		in.set(string(rune('a'+i%20)) + "x")
		in.submit()
	}
	if len(in.past) != maxPast {
		t.Errorf("%d lines kept, want %d", len(in.past), maxPast)
	}
}

func TestCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{Answer: people}
		s := chatScreen(t, c, 80, 24)
		c.Calls().Status(client.Status{Kind: client.StatusRoom, Room: "lobby", Time: start})
		s.wait(statsEvery) // the rooms are known then
		for _, tt := range []struct {
			line string
			keys []tea.KeyType
			want string
		}{
			{"/jo", []tea.KeyType{tea.KeyTab}, "/join "},
			{"/jo", []tea.KeyType{tea.KeyTab, tea.KeyTab}, "/join games"},
			{"/o", []tea.KeyType{tea.KeyTab}, "/offline "},
			{"/o", []tea.KeyType{tea.KeyTab, tea.KeyTab}, "/online"},
			{"/o", []tea.KeyType{tea.KeyTab, tea.KeyTab, tea.KeyTab}, "/offline "},
			{"/o", []tea.KeyType{tea.KeyShiftTab}, "/online"},
			{"b", []tea.KeyType{tea.KeyTab}, "bo: "},
			{"ask @ca", []tea.KeyType{tea.KeyTab}, "ask @carla "},
			{"/msg c", []tea.KeyType{tea.KeyTab}, "/msg carla "},
			{"/leave l", []tea.KeyType{tea.KeyTab}, "/leave lobby"},
			{"nothing", []tea.KeyType{tea.KeyTab}, "nothing"},
			{"/xnothing", []tea.KeyType{tea.KeyHome, tea.KeyRight, tea.KeyRight, tea.KeyTab}, "/xraynothing"},
		} {
			s.press(tea.KeyCtrlU)
			s.write(tt.line)
			s.press(tt.keys...)
			if got := s.input(); got != tt.want {
				t.Errorf("%q completed by %v to %q, want %q", tt.line, tt.keys, got, tt.want)
			}
			s.press(tea.KeyEnd)
		}
		s.press(tea.KeyCtrlU)
		s.write("/o")
		s.press(tea.KeyTab)
		s.shows("[/offline] /online")
		s.write("x")
		s.hides("[/offline]")
	})
}

func TestInputIsShownSafely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, width := range []int{24, 80} {
			s := chatScreen(t, &repltest.Client{}, width, 24)
			s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("a\u202eb\u200dc 你好 \U0001f468\u200d\U0001f469 and a long line that does not fit in the width of the screen at all, not even on one of eighty columns"), Paste: true})
			for range 40 {
				checkFrame(t, s.model.View(), width, 24)
				s.press(tea.KeyLeft, tea.KeyLeft, tea.KeyLeft)
			}
		}
	})
}
