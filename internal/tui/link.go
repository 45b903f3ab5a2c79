package tui

import (
	"cmp"
	"context"
	"io"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/impair"
	"wirelab/internal/relay"
	"wirelab/internal/style"
)

// LinkConfig says what the live view of an emulated link shows. Snapshot and
// Set are required.
type LinkConfig struct {
	Snapshot func() relay.Snapshot              // called four times a second
	Set      func(up, down impair.Config) error // changes the link; called from one goroutine at a time
	Path     string                             // as people type it: "tcp 127.0.0.1:9100 → 127.0.0.1:9000"
	Notes    []string                           // short, shown in the title bar: "● out.pcapng"
	Title    string                             // if empty, "link"
	In       io.Reader                          // if nil, os.Stdin
	Out      io.Writer                          // if nil, os.Stdout
}

// Link shows what a link does until the user quits, with nil, or ctx ends, with
// its cause. Keys change the link.
func Link(ctx context.Context, cfg LinkConfig) error {
	in, out := cmp.Or[io.Reader](cfg.In, os.Stdin), cmp.Or[io.Writer](cfg.Out, os.Stdout)
	m := newLinkModel(cfg, cfg.Snapshot(), style.NewPalette(out, false))
	return view(ctx, m, in, out)
}

// A linkModel is the live view. Like chatModel it changes in Update only.
type linkModel struct {
	cfg     LinkConfig
	palette *style.Palette

	width, height int
	now           relay.Snapshot
	past          []relay.Snapshot // of the last second, the oldest first; without connections
	second        relay.Snapshot   // where the newest second began
	minute        [2][]uint64      // bits that left the link in each of the last seconds, the newest last: up, down

	knobs   knobs
	good    knobs  // as the link took them last
	asked   knobs  // what the change under way is
	setting bool   // a change is under way
	changed bool   // there was another meanwhile
	trouble string // why the last change failed
	scroll  int    // first line of connections in view
	help    bool
}

type (
	linkMsg relay.Snapshot
	setMsg  struct{ err error }
)

func newLinkModel(cfg LinkConfig, first relay.Snapshot, p *style.Palette) *linkModel {
	cfg.Title = cmp.Or(cfg.Title, "link")
	m := &linkModel{cfg: cfg, palette: p, width: 80, height: 24}
	m.knobs = newKnobs(first.Up.Config, first.Down.Config)
	m.good = m.knobs
	m.add(first)
	return m
}

func (m *linkModel) Init() tea.Cmd { return m.poll() }

func (m *linkModel) poll() tea.Cmd {
	snapshot := m.cfg.Snapshot
	return tea.Tick(refresh, func(time.Time) tea.Msg { return linkMsg(snapshot()) })
}

func (m *linkModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.scroll = max(min(m.scroll, m.connLines()-m.connRoom()), 0)
	return m, cmd
}

func (m *linkModel) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case linkMsg:
		m.add(relay.Snapshot(msg))
		return m.poll()
	case setMsg:
		m.setting, m.trouble = false, ""
		if msg.err != nil {
			m.trouble, m.changed = msg.err.Error(), false
			m.good.chosen = m.knobs.chosen
			m.knobs = m.good
			return nil
		}
		m.good = m.asked
		if m.changed {
			m.changed = false
			return m.set()
		}
	case tea.KeyMsg:
		return m.key(msg.String())
	}
	return nil
}

// set changes the link to what the knobs say. One change follows the other.
func (m *linkModel) set() tea.Cmd {
	if m.setting {
		m.changed = true
		return nil
	}
	m.setting, m.asked = true, m.knobs
	set, up, down := m.cfg.Set, m.knobs.config(0), m.knobs.config(1)
	return func() tea.Msg { return setMsg{set(up, down)} }
}

// add takes in a snapshot.
func (m *linkModel) add(s relay.Snapshot) {
	m.now = s
	slim := s
	slim.Conns = nil
	m.past = append(m.past, slim)
	for len(m.past) > 2 && s.Time.Sub(m.past[1].Time) >= time.Second {
		m.past = m.past[1:]
	}
	if m.second.Time.IsZero() {
		m.second = slim
	}
	if gone := s.Time.Sub(m.second.Time); gone >= time.Second {
		// After a pause, such as a stopped process, the seconds share it.
		seconds := min(int(gone/time.Second), sparkTime)
		for i, bytes := range []uint64{
			grown(m.second.Up.Received.Bytes, s.Up.Received.Bytes), grown(m.second.Down.Received.Bytes, s.Down.Received.Bytes),
		} {
			for range seconds {
				m.minute[i] = append(m.minute[i], bytes*8/uint64(seconds))
			}
			m.minute[i] = m.minute[i][max(len(m.minute[i])-sparkTime, 0):]
		}
		m.second = slim
	}
}

// rate is how much a figure of both directions grew in the last second.
func (m *linkModel) rate(figure func(*relay.Side) uint64) (rates [2]float64) {
	first, last := &m.past[0], &m.now
	d := last.Time.Sub(first.Time).Seconds()
	if d <= 0 {
		return rates
	}
	rates[0] = float64(grown(figure(&first.Up), figure(&last.Up))) / d
	rates[1] = float64(grown(figure(&first.Down), figure(&last.Down))) / d
	return rates
}

func (m *linkModel) key(k string) tea.Cmd {
	switch k {
	case "q", "ctrl+c":
		return tea.Quit
	case "?", "h":
		m.help = !m.help
	case "esc":
		m.help, m.scroll = false, 0
	case "ctrl+l":
		return tea.ClearScreen
	case "up", "k":
		m.scroll--
	case "down", "j":
		m.scroll++
	case "pgup":
		m.scroll -= max(m.connRoom()-1, 1)
	case "pgdown":
		m.scroll += max(m.connRoom()-1, 1)
	case "home":
		m.scroll = 0
	case "end":
		m.scroll = 1 << 30
	default:
		if m.knobs.turn(k) {
			return m.set()
		}
	}
	return nil
}
