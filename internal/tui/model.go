package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/chat"
	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/style"
)

// A chatModel is the chat on the screen. Update changes nothing but it; what
// must be done to the client is left to the commands that Update returns.
type chatModel struct {
	ctx     context.Context // of the commands
	session *repl.Session
	stats   func() client.Stats
	palette *style.Palette
	title   string

	width, height int
	now           time.Time

	places []*room // in the order they are listed
	at     *room   // where lines go
	input  input
	focus  focus

	xray    bool
	records pane
	bytes   map[*block]*record
	seen    int // records in all
	skipped int // frames that came too fast

	lines  []string // typed, and not done yet
	busy   bool     // a line is being done
	moving int      // lines that will change the room wait for the network

	figures client.Stats
	link    linkState
	until   time.Time // when the client comes back by itself
	attempt int
	trouble string // why the last attempt to connect failed

	err error // why the client ended
}

// focus says what the arrow keys move.
type focus uint8

const (
	onInput focus = iota
	onMessages
	onBytes
)

type linkState uint8

const (
	linkConnecting linkState = iota
	linkUp
	linkLost
	linkAway
	linkOver
)

// Messages of the program to itself.
type (
	// doneMsg is what a line led to.
	doneMsg struct {
		step repl.Step
		next bool // the next line may be done
		come bool // what moved has come to its end
	}
	// statsMsg comes four times a second.
	statsMsg struct {
		now   time.Time
		stats client.Stats
		rooms []repl.Place
	}
	// peopleMsg is who is in a room.
	peopleMsg struct {
		place  repl.Place
		people []chat.Person
		err    error
	}
	// endedMsg says that the client is done.
	endedMsg struct{ err error }
)

const statsEvery = 250 * time.Millisecond

func newChatModel(ctx context.Context, s *repl.Session, stats func() client.Stats, at repl.Place, title string, p *style.Palette, now time.Time) *chatModel {
	m := &chatModel{
		ctx: ctx, session: s, stats: stats, palette: p, title: title, now: now,
		input: newInput(p), records: pane{max: maxRecords}, bytes: make(map[*block]*record),
		width: 80, height: 24,
	}
	defer m.arrange()
	m.at = newRoom(at)
	if at.Room != "" {
		m.places = []*room{m.at}
	}
	return m
}

func (m *chatModel) Init() tea.Cmd { return m.poll() }

// poll asks the client for its figures in a while.
func (m *chatModel) poll() tea.Cmd {
	s, stats := m.session, m.stats
	return tea.Tick(statsEvery, func(now time.Time) tea.Msg { return statsMsg{now, stats(), s.Rooms()} })
}

func (m *chatModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.arrange()
	return m, cmd
}

// arrange gives the panes their size.
func (m *chatModel) arrange() {
	l := m.layout()
	m.at.pane.resize(l.messages, l.rows)
	switch {
	case l.bytes > 0:
		m.records.resize(l.bytes, l.rows)
	case l.bytesBelow > 0:
		m.records.resize(m.width, l.bytesBelow)
	}
}

func (m *chatModel) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyMsg:
		return m.key(msg)
	case batch:
		return m.take(msg)
	case statsMsg:
		m.now, m.figures = msg.now, msg.stats
		for _, p := range msg.rooms {
			m.room(p)
		}
		return m.poll()
	case doneMsg:
		return m.done(msg)
	case peopleMsg:
		if r := m.find(msg.place); r != nil && msg.err == nil {
			r.setPeople(msg.people)
		} else if r != nil {
			r.asked = false
		}
	case endedMsg:
		m.err, m.link = msg.err, linkOver
		return tea.Quit
	}
	return nil
}

// submit queues a line to be done after those before it.
func (m *chatModel) submit(line string) tea.Cmd {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	m.at.pane.bottom()
	if strings.TrimSpace(line) == "/help keys" {
		m.at.add(repl.Item{Kind: repl.Listing, Time: m.now, Table: &repl.Table{Title: "keys", Rows: keyHelp}}, m)
		return nil
	}
	m.lines = append(m.lines, line)
	return m.nextLine()
}

// nextLine does the next line, if none is being done. While a command that
// changes the room waits for the network, messages wait, too: they are meant
// for the new room.
func (m *chatModel) nextLine() tea.Cmd {
	if m.busy {
		return nil
	}
	i := slices.IndexFunc(m.lines, func(line string) bool { return m.moving == 0 || isCommand(line) })
	if i < 0 {
		return nil
	}
	line, s, at := m.lines[i], m.session, m.at.place
	m.lines, m.busy = slices.Delete(m.lines, i, i+1), true
	return func() tea.Msg { return doneMsg{step: s.Do(at, line), next: true} }
}

func isCommand(line string) bool {
	return strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//")
}

// done shows what a line led to. A line that waits for the network does not
// keep the next ones from being done: people type on.
func (m *chatModel) done(msg doneMsg) tea.Cmd {
	var cmds []tea.Cmd
	if msg.next {
		m.busy = false
	}
	if msg.come {
		m.moving--
	}
	for _, it := range msg.step.Items {
		if it.Kind == repl.Listing && strings.HasPrefix(it.Table.Title, "commands") {
			it.Table.Title = "commands; /help COMMAND, /help keys tell more"
		}
		m.show(it)
	}
	if msg.step.Move != nil {
		cmds = append(cmds, m.moveTo(m.room(*msg.step.Move)))
	}
	if msg.step.XRay {
		m.toggleXRay()
	}
	if msg.step.Quit {
		return tea.Quit
	}
	if then := msg.step.Then; then != nil {
		ctx, moves := m.ctx, msg.step.Moves
		if moves {
			m.moving++
		}
		cmds = append(cmds, func() tea.Msg { return doneMsg{step: then(ctx), come: moves} })
	}
	return tea.Batch(append(cmds, m.nextLine())...)
}

// take shows what the client brought.
func (m *chatModel) take(b batch) tea.Cmd {
	var cmds []tea.Cmd
	m.skipped += b.skipped
	for _, item := range b.items {
		switch item := item.(type) {
		case client.Event:
			it := repl.Incoming(item)
			m.show(it)
			if it.Kind == repl.Notice {
				m.room(it.Place).notice(&item)
			}
		case client.Status:
			cmds = append(cmds, m.told(item))
		case client.Traffic:
			m.record(item)
		}
	}
	return tea.Batch(cmds...)
}

// told takes in a change of the connection or of a room.
func (m *chatModel) told(st client.Status) tea.Cmd {
	if st.Time.After(m.now) {
		m.now = st.Time
	}
	switch st.Kind {
	case client.StatusConnecting:
		m.link, m.attempt, m.until = linkConnecting, st.Attempt, time.Time{}
		return nil // the bar shows it
	case client.StatusConnected:
		m.link, m.until = linkUp, time.Time{}
		for _, r := range m.places {
			r.asked = false
		}
	case client.StatusDisconnected, client.StatusOffline:
		again := m.link != linkUp && m.link != linkAway
		m.link, m.until = linkLost, time.Time{}
		if st.Kind == client.StatusOffline {
			m.link = linkAway
		}
		if st.Retry > 0 {
			m.until = st.Time.Add(st.Retry)
		}
		if again && st.Kind == client.StatusDisconnected && m.trouble == fmt.Sprint(st.Err) {
			return nil // said already; the bar shows how it goes on
		}
		m.trouble = fmt.Sprint(st.Err)
	case client.StatusClosed:
		m.link = linkOver
		return nil
	case client.StatusRoom:
		if repl.Private(st.Room) {
			break
		}
		r := m.room(repl.Place{Namespace: st.Namespace, Room: st.Room})
		if st.Missed > 0 {
			m.show(repl.Told(st)[0])
		}
		return m.ask(r)
	case client.StatusLeft:
		place := repl.Place{Namespace: st.Namespace, Room: st.Room}
		m.leave(place)
		text := "no longer in " + place.String()
		if st.Err != nil {
			text += ": " + st.Err.Error()
		}
		m.show(repl.Item{Kind: repl.Info, Time: st.Time, Text: text})
		return nil
	}
	for _, it := range repl.Told(st) {
		if !it.Trifle() {
			m.show(it)
		}
	}
	return nil
}

// ask asks who is in r, once. Notices keep that up to date afterwards.
func (m *chatModel) ask(r *room) tea.Cmd {
	if _, person := r.place.Person(); person || r.asked || r.place.Room == "" {
		return nil
	}
	r.asked = true
	s, ctx, place := m.session, m.ctx, r.place
	return func() tea.Msg {
		people, err := s.People(ctx, place)
		return peopleMsg{place, people, err}
	}
}

// show puts an item where it belongs.
func (m *chatModel) show(it repl.Item) {
	r := m.at
	if it.Place.Room != "" && it.Kind != repl.Failure {
		r = m.room(it.Place)
	}
	switch it.Kind {
	case repl.Message:
		r.said(it, m)
		if r != m.at && it.State == repl.Theirs && !it.Past {
			r.unread++
			if it.Event.Direct {
				text, _ := repl.Body(it.Event)
				text, _, _ = strings.Cut(text, "\n")
				m.at.add(repl.Item{Kind: repl.Info, Time: it.Time, Text: it.Event.Sender + " writes to you: " + text}, m)
			}
		}
	case repl.Receipt:
		r.receipt(it)
		if it.State == repl.Refused && !errors.Is(it.Err, context.Canceled) {
			m.at.add(repl.Item{Kind: repl.Failure, Time: it.Time, Text: it.Text, Hint: it.Hint}, m)
		}
	default:
		r.add(it, m)
	}
}

// find returns what is known of a place, nil if nothing.
func (m *chatModel) find(p repl.Place) *room {
	if i := slices.IndexFunc(m.places, func(r *room) bool { return r.place == p }); i >= 0 {
		return m.places[i]
	}
	if m.at.place == p {
		return m.at
	}
	return nil
}

// room returns the room for a place, listed from now on.
func (m *chatModel) room(p repl.Place) *room {
	if r := m.find(p); r != nil && (r != m.at || slices.Contains(m.places, r)) {
		return r
	}
	r := m.find(p)
	if r == nil {
		r = newRoom(p)
	}
	if p.Room == "" {
		return r
	}
	// Rooms first, then people, each in the order of their names.
	_, person := p.Person()
	i := slices.IndexFunc(m.places, func(o *room) bool {
		_, other := o.place.Person()
		if person != other {
			return other
		}
		return p.String() < o.place.String()
	})
	if i < 0 {
		i = len(m.places)
	}
	m.places = slices.Insert(m.places, i, r)
	return r
}

// leave takes a room off the list. If it is the one in view, it stays there
// until the user goes elsewhere.
func (m *chatModel) leave(p repl.Place) {
	m.places = slices.DeleteFunc(m.places, func(r *room) bool { return r.place == p })
}

// moveTo makes r the room in view, where lines go.
func (m *chatModel) moveTo(r *room) tea.Cmd {
	m.at, r.unread = r, 0
	if m.focus == onMessages {
		m.focus = onInput
	}
	return m.ask(r)
}

// record adds a frame or datagram to the x-ray pane.
func (m *chatModel) record(t client.Traffic) {
	r := newRecord(t, m.palette)
	m.seen++
	m.bytes[&r.block] = r
	m.records.add(&r.block)
	if len(m.bytes) > 2*maxRecords {
		kept := make(map[*block]*record, len(m.records.blocks))
		for _, b := range m.records.blocks {
			kept[b] = m.bytes[b]
		}
		m.bytes = kept
	}
}
