package tui

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/chat"
	"wirelab/internal/style"
)

// ServeConfig says what the live view shows. Snapshot is required.
type ServeConfig struct {
	Snapshot  func() chat.Snapshot // called four times a second
	Addresses []string             // as people type them: "tcp 127.0.0.1:7070"
	Title     string               // if empty, "wirelab"
	Notes     []string             // short, shown in the title bar: "join key required", "data: ./chat"
	In        io.Reader            // if nil, os.Stdin
	Out       io.Writer            // if nil, os.Stdout
}

// Serve shows the state of a server until the user quits, with nil, or ctx
// ends, with its cause.
func Serve(ctx context.Context, cfg ServeConfig) error {
	in, out := cmp.Or[io.Reader](cfg.In, os.Stdin), cmp.Or[io.Writer](cfg.Out, os.Stdout)
	m := newServeModel(cfg, style.NewPalette(out, false))
	m.add(cfg.Snapshot())
	m.arrange()
	return view(ctx, m, in, out)
}

// view shows a live view until the user quits, with nil, or ctx ends, with its
// cause.
func view(ctx context.Context, m tea.Model, in io.Reader, out io.Writer) error {
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithAltScreen(), tea.WithoutSignalHandler()).Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrProgramKilled):
		return nil
	}
	return err
}

// A serveModel is the live view. Like chatModel it changes in Update only.
type serveModel struct {
	cfg     ServeConfig
	palette *style.Palette

	width, height int
	now           chat.Snapshot
	past          []chat.Snapshot // of the last second, the oldest first; without rooms and members
	minute        []uint64        // deliveries in each of the last seconds, the newest last
	second        chat.Snapshot   // where the newest second began

	focus   table
	room    int // the chosen row of the rooms; -1: none
	scroll  int // first row of members in view
	sorting order
	help    bool
	shown   []*chat.MemberView // all, or those in the chosen room, in order
	rows    int                // how many of them are in view
}

// table says what the arrow keys move.
type table uint8

const (
	onMembers table = iota
	onRooms
)

// order is what the members are sorted by.
type order uint8

const (
	byName order = iota
	byLag
	byLost
	byRTT
	orders
)

var orderNames = [orders]string{"name", "lag", "lost", "rtt"}

type snapshotMsg chat.Snapshot

const (
	refresh   = 250 * time.Millisecond
	sparkTime = 60 // seconds
)

func newServeModel(cfg ServeConfig, p *style.Palette) *serveModel {
	cfg.Title = cmp.Or(cfg.Title, "wirelab")
	return &serveModel{cfg: cfg, palette: p, width: 80, height: 24, room: -1}
}

func (m *serveModel) Init() tea.Cmd { return m.poll() }

func (m *serveModel) poll() tea.Cmd {
	snapshot := m.cfg.Snapshot
	return tea.Tick(refresh, func(time.Time) tea.Msg { return snapshotMsg(snapshot()) })
}

func (m *serveModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.arrange()
	return m, cmd
}

// arrange works out what is in view.
func (m *serveModel) arrange() {
	m.shown = m.sorted()
	m.rows = max(m.layout().members-2, 0)
	m.scroll = max(min(m.scroll, len(m.shown)-m.rows), 0)
}

func (m *serveModel) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case snapshotMsg:
		m.add(chat.Snapshot(msg))
		return m.poll()
	case tea.KeyMsg:
		return m.key(msg.String())
	}
	return nil
}

// add takes in a snapshot.
func (m *serveModel) add(s chat.Snapshot) {
	// The room that stands for a whole namespace is of interest only if
	// something was said in it.
	s.Rooms = slices.DeleteFunc(slices.Clone(s.Rooms), func(r chat.RoomView) bool { return r.Room == "" && r.Head == 0 })
	m.now = s
	slim := s
	slim.Rooms, slim.Members = nil, nil
	m.past = append(m.past, slim)
	for len(m.past) > 2 && s.Time.Sub(m.past[1].Time) >= time.Second {
		m.past = m.past[1:]
	}
	if m.second.Time.IsZero() {
		m.second = slim
	}
	if gone := s.Time.Sub(m.second.Time); gone >= time.Second {
		n := grown(m.second.Totals.Delivered, s.Totals.Delivered)
		// After a pause, such as a stopped process, the seconds share it.
		seconds := min(int(gone/time.Second), sparkTime)
		for range seconds {
			m.minute = append(m.minute, n/uint64(seconds))
		}
		m.minute = m.minute[max(len(m.minute)-sparkTime, 0):]
		m.second = slim
	}
	if m.room >= len(s.Rooms) {
		m.room = len(s.Rooms) - 1
	}
}

// rate is how much a total grew in the last second.
func (m *serveModel) rate(total func(*chat.Totals) uint64) float64 {
	first, last := &m.past[0], &m.now
	d := last.Time.Sub(first.Time).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(grown(total(&first.Totals), total(&last.Totals))) / d
}

// grown is last − first. A total never shrinks, but parts of some are read one
// after the other.
func grown(first, last uint64) uint64 { return last - min(first, last) }

func (m *serveModel) key(k string) tea.Cmd {
	switch k {
	case "q", "ctrl+c":
		return tea.Quit
	case "?", "h":
		m.help = !m.help
	case "r":
		m.focus = onRooms
		if m.room < 0 && len(m.now.Rooms) > 0 {
			m.room, m.scroll = 0, 0
		}
	case "m":
		m.focus = onMembers
	case "tab":
		if m.focus == onRooms {
			return m.key("m")
		}
		return m.key("r")
	case "esc":
		m.help, m.room, m.focus, m.scroll = false, -1, onMembers, 0
	case "s":
		m.sorting = (m.sorting + 1) % orders
		m.scroll = 0
	case "ctrl+l":
		return tea.ClearScreen
	default:
		m.move(k)
	}
	return nil
}

func (m *serveModel) move(k string) {
	by := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -max(m.rows-1, 1), "pgdown": max(m.rows-1, 1),
		"home": -1 << 30, "end": 1 << 30,
	}[k]
	if m.focus == onRooms {
		m.room = max(min(m.room+by, len(m.now.Rooms)-1), 0)
		m.scroll = 0
		return
	}
	m.scroll = max(min(m.scroll+by, len(m.shown)-m.rows), 0)
}
