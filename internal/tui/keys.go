package tui

import (
	"slices"
	"strconv"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/repl"
)

// keyHelp is what "/help keys" shows.
var keyHelp = [][]string{
	{"tab", "complete; again: the next one"},
	{"up, down", "lines typed before"},
	{"pgup, pgdn", "scroll the messages"},
	{"ctrl+n, ctrl+p", "next, previous room; alt+1…9"},
	{"ctrl+x", "show or hide the bytes"},
	{"shift+up, down", "scroll the bytes"},
	{"ctrl+o", "choose a message; again: a frame"},
	{"enter", "explain it; show all of the frame"},
	{"esc", "go on typing, follow the newest"},
	{"ctrl+c", "clear the line; if empty: leave"},
}

// key does what a key is for.
func (m *chatModel) key(k tea.KeyMsg) tea.Cmd {
	if k.Paste {
		m.focus = onInput
		m.input.update(k)
		return nil
	}
	name := k.String()
	switch name {
	case "ctrl+c", "ctrl+d":
		switch {
		case name == "ctrl+c" && m.input.text.Value() != "":
			m.input.set("")
			return nil
		case name == "ctrl+d" && m.input.text.Value() != "":
			m.input.update(k)
			return nil
		}
		return tea.Quit
	case "ctrl+x":
		m.toggleXRay()
	case "ctrl+l":
		return tea.ClearScreen
	case "ctrl+n":
		return m.step(1)
	case "ctrl+p":
		return m.step(-1)
	case "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7", "alt+8", "alt+9":
		if n, _ := strconv.Atoi(name[len("alt+"):]); n <= len(m.places) {
			return m.moveTo(m.places[n-1])
		}
	case "shift+up":
		m.records.scroll(3)
	case "shift+down":
		m.records.scroll(-3)
	case "pgup":
		m.paged().scroll(max(m.paged().height-2, 1))
	case "pgdown":
		m.paged().scroll(-max(m.paged().height-2, 1))
	case "ctrl+o":
		m.nextFocus()
	case "esc":
		m.focusOn(onInput)
		m.at.pane.bottom()
		m.records.bottom()
	default:
		switch m.focus {
		case onMessages:
			return m.messageKey(k)
		case onBytes:
			return m.bytesKey(k)
		}
		return m.inputKey(k)
	}
	return nil
}

// paged is the pane that page keys scroll.
func (m *chatModel) paged() *pane {
	if m.focus == onBytes {
		return &m.records
	}
	return &m.at.pane
}

// step goes to the room that is by away in the list.
func (m *chatModel) step(by int) tea.Cmd {
	if len(m.places) == 0 {
		return nil
	}
	i := slices.Index(m.places, m.at)
	return m.moveTo(m.places[(i+by+len(m.places))%len(m.places)])
}

func (m *chatModel) nextFocus() {
	switch {
	case m.focus == onInput && len(m.at.pane.blocks) > 0:
		m.focusOn(onMessages)
		m.chooseMessage(-1)
	case m.focus != onBytes && m.xray && len(m.records.blocks) > 0:
		m.focusOn(onBytes)
		if m.records.chosen == nil {
			m.records.choose(-1, func(*block) bool { return true })
		}
	default:
		m.focusOn(onInput)
	}
}

// focusOn gives the arrow keys to a part of the screen.
func (m *chatModel) focusOn(f focus) {
	if f == onInput {
		m.at.pane.chosen, m.records.chosen = nil, nil
	}
	m.focus = f
}

func (m *chatModel) toggleXRay() {
	m.xray = !m.xray
	if m.focus == onBytes {
		m.focusOn(onInput)
	}
}

func (m *chatModel) inputKey(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		return m.submit(m.input.submit())
	case "up":
		m.input.browse(-1)
	case "down":
		m.input.browse(1)
	case "tab":
		m.input.complete(m.known(), 1)
	case "shift+tab":
		m.input.complete(m.known(), -1)
	default:
		m.input.update(k)
	}
	return nil
}

// known are the names to complete with.
func (m *chatModel) known() repl.Known {
	var k repl.Known
	add := func(list *[]string, s string) {
		if s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, r := range m.places {
		if name, ok := r.place.Person(); ok {
			add(&k.People, name)
		} else {
			add(&k.Rooms, r.place.Room)
		}
		add(&k.Namespaces, r.place.Namespace)
	}
	for _, p := range m.at.people {
		if p.Name != m.figures.Name {
			add(&k.People, p.Name)
		}
	}
	for i := len(m.at.pane.blocks) - 1; i >= max(0, len(m.at.pane.blocks)-200); i-- {
		if e := m.at.entries[m.at.pane.blocks[i]]; e != nil && e.item.Kind == repl.Message {
			add(&k.Events, e.item.Event.Event)
		}
	}
	return k
}

// messageKey moves among the messages.
func (m *chatModel) messageKey(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "up", "k":
		m.chooseMessage(-1)
	case "down", "j":
		m.chooseMessage(1)
	case "home":
		m.at.pane.top()
	case "end":
		m.at.pane.bottom()
	case "enter", "e":
		e := m.at.entries[m.at.pane.chosen]
		if e == nil || e.item.Kind != repl.Message || e.item.Event.Seq == 0 {
			return nil
		}
		return m.submit("/explain " + strconv.FormatUint(e.item.Event.Seq, 10))
	default:
		return m.back(k)
	}
	return nil
}

// back goes on typing.
func (m *chatModel) back(k tea.KeyMsg) tea.Cmd {
	m.focusOn(onInput)
	return m.inputKey(k)
}

// chooseMessage chooses the next message and shows its bytes.
func (m *chatModel) chooseMessage(by int) {
	b := m.at.pane.choose(by, func(b *block) bool {
		e := m.at.entries[b]
		return e != nil && e.item.Kind == repl.Message
	})
	e := m.at.entries[b]
	if e == nil {
		return
	}
	ev := e.item.Event
	id := ev.ID
	if e.item.ID != 0 {
		id = e.item.ID
	}
	m.records.chosen = nil
	for i := len(m.records.blocks) - 1; i >= 0; i-- {
		if r := m.bytes[m.records.blocks[i]]; r != nil && r.carries(ev.Room, ev.Seq, id) {
			m.records.reveal(&r.block)
			if r.value("kind") == "event" {
				break // rather than its acknowledgement
			}
		}
	}
}

// bytesKey moves among the frames.
func (m *chatModel) bytesKey(k tea.KeyMsg) tea.Cmd {
	any := func(*block) bool { return true }
	switch k.String() {
	case "up", "k":
		m.records.choose(-1, any)
	case "down", "j":
		m.records.choose(1, any)
	case "home":
		m.records.top()
	case "end":
		m.records.bottom()
	case "enter", " ":
		if r := m.bytes[m.records.chosen]; r != nil {
			m.records.change(&r.block, func() { r.whole = !r.whole })
			m.records.reveal(&r.block)
		}
	default:
		return m.back(k)
	}
	return nil
}
