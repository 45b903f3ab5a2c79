package tui

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/style"
	"wirelab/packets"
	"wirelab/packets/index"
)

// BrowseConfig says what the browser shows. Index is required.
type BrowseConfig struct {
	Index *index.Index
	File  string // its name, for people
	// Compile makes a test of packets from an expression. If nil, the filter
	// line looks for text in the lines of the list.
	Compile func(expression string) (func(*packets.Packet) (bool, error), error)
	In      io.Reader // if nil, os.Stdin
	Out     io.Writer // if nil, os.Stdout
}

// Browse indexes a capture and lets the user look at it until he quits, with
// nil, or ctx ends, with its cause. That the capture ends early is shown, and is
// no error of Browse.
func Browse(ctx context.Context, cfg BrowseConfig) error {
	in, out := cmp.Or[io.Reader](cfg.In, os.Stdin), cmp.Or[io.Writer](cfg.Out, os.Stdout)
	inner, stop := context.WithCancel(ctx)
	var built sync.WaitGroup
	if cfg.Index.Waits() {
		// A pipe that says nothing cannot be interrupted: nobody waits for it.
		go cfg.Index.Build(inner)
	} else {
		built.Go(func() { cfg.Index.Build(inner) })
	}
	m := newBrowseModel(inner, cfg, style.NewPalette(out, false))
	err := view(ctx, m, in, out)
	stop()
	built.Wait()
	return err
}

// An area is one of the panes.
type area int

const (
	listArea area = iota
	treeArea
	hexArea
	areas
)

// browseRefresh is how often the progress of the index is looked at.
const browseRefresh = 100 * time.Millisecond

// A browseModel is the browser. Like chatModel it changes in Update only;
// everything that reads is a command, and comes back as a message.
type browseModel struct {
	cfg     BrowseConfig
	ctx     context.Context // of the commands
	palette *style.Palette

	width, height int
	state         index.State
	begin         int64 // time of the first packet

	focus area
	help  bool
	paper *paper // over the panes, if not nil

	filter    string
	matched   []int32 // packets that match; without a filter all do
	filtering int     // number of the scan under way; 0 is none
	scans     int
	stop      func() // ends the scan under way
	scanned   int    // packets that the filter has been asked about

	at, top int // the chosen row of the list, and the first in view

	seen    map[int]*sight // packets near the view
	asked   bool           // some are being read
	open    *sight         // the packet in tree and hex
	rows    []treeRow      // its tree
	row     int            // the chosen one
	rowTop  int
	closed  map[string]bool // layers of which the fields are not shown, by abbrev
	byte    int             // under the cursor of the hex pane
	hexTop  int             // first row in view
	prompt  rune            // '/', ':' or 0
	typed   string
	notice  string // in place of the keys
	trouble bool   // the notice is bad news
}

type (
	browseTick index.State
	// sightMsg brings packets that were read.
	sightMsg map[int]*sight
	// matchMsg says what a filter let pass.
	matchMsg struct {
		scan    int
		filter  string
		matched []int32
		from    int // packets before were asked about by a scan before
		scanned int
		err     error
	}
	paperMsg struct {
		paper *paper
		err   error
	}
)

func newBrowseModel(ctx context.Context, cfg BrowseConfig, p *style.Palette) *browseModel {
	cfg.File = filepath.Base(cmp.Or(cfg.File, "capture"))
	if cfg.File == "-" {
		cfg.File = "standard input"
	}
	return &browseModel{ctx: ctx, stop: func() {}, cfg: cfg, palette: p, width: 80, height: 24, seen: map[int]*sight{}, closed: map[string]bool{}, row: -1}
}

func (m *browseModel) Init() tea.Cmd {
	x := m.cfg.Index
	return func() tea.Msg { return browseTick(x.State()) }
}

func (m *browseModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.settle()
	return m, tea.Batch(cmd, m.fetch())
}

func (m *browseModel) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case browseTick:
		m.state = index.State(msg)
		if len(m.state.Entries) > 0 {
			m.begin = m.state.Entries[0].Time
		}
		var again tea.Cmd
		if !m.state.Done {
			x := m.cfg.Index
			again = tea.Tick(browseRefresh, func(time.Time) tea.Msg { return browseTick(x.State()) })
		}
		return tea.Batch(again, m.scanOn())
	case sightMsg:
		m.asked = false
		for i, s := range msg {
			m.seen[i] = s
		}
	case matchMsg:
		return m.matches(msg)
	case paperMsg:
		m.notice = ""
		if msg.err != nil {
			m.warn(msg.err.Error())
			return nil
		}
		m.paper = msg.paper
	case tea.KeyMsg:
		if msg.Type == tea.KeyRunes && !msg.Paste && !msg.Alt {
			// Keys that come fast come together.
			var cmds []tea.Cmd
			for _, r := range msg.Runes {
				cmds = append(cmds, m.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}}))
				m.settle()
			}
			return tea.Batch(cmds...)
		}
		return m.press(msg)
	}
	return nil
}

// press does what one key is for. What is pasted is text, and no keys.
func (m *browseModel) press(k tea.KeyMsg) tea.Cmd {
	switch {
	case m.prompt != 0:
		return m.edit(k)
	case k.Paste:
		return nil
	}
	return m.key(k.String())
}

func (m *browseModel) warn(s string) { m.notice, m.trouble = s, true }
func (m *browseModel) tell(s string) { m.notice, m.trouble = s, false }

// count is how many packets the list has.
func (m *browseModel) count() int {
	if m.filter != "" {
		return len(m.matched)
	}
	return len(m.state.Entries)
}

// packet is the place in the capture of a row of the list.
func (m *browseModel) packet(row int) int {
	if m.filter != "" {
		return int(m.matched[row])
	}
	return row
}

// chosen is the packet under the cursor, or −1.
func (m *browseModel) chosen() int {
	if m.at < 0 || m.at >= m.count() {
		return -1
	}
	return m.packet(m.at)
}

// settle makes everything fit each other after a change.
func (m *browseModel) settle() {
	m.at = max(min(m.at, m.count()-1), 0)
	s := m.layout()
	m.top = follow(m.top, m.at, m.count(), s.list)
	open := m.seen[m.chosen()]
	if open != m.open {
		m.change(open)
	}
	m.row = max(min(m.row, len(m.rows)-1), 0)
	m.rowTop = follow(m.rowTop, m.row, len(m.rows), s.tree)
	per, total := m.perRow(), m.hexRows()
	m.hexTop = follow(m.hexTop, m.byte/per, total, s.hex)
	// Bytes of the field that are farther than the cursor come into view, too.
	if f := m.field(); f != nil && m.focus != hexArea && f.len > 0 {
		if last := (f.off + f.len - 1) / per; last >= m.hexTop+s.hex {
			m.hexTop = min(last-s.hex+1, m.byte/per)
		}
	}
	if m.paper != nil {
		m.paper.settle(m.width, m.height-2)
	}
}

// follow returns the first row in view of n, so that row at is in view.
func follow(top, at, n, room int) int {
	top = min(top, at)
	if at >= top+room {
		top = at - room + 1
	}
	return max(min(top, n-room), 0)
}

func (m *browseModel) key(k string) tea.Cmd {
	m.notice = ""
	if k == "ctrl+c" {
		return tea.Quit
	}
	if m.help {
		m.help = false
		if k == "?" || k == "esc" || k == "q" {
			return nil
		}
	}
	if m.paper != nil {
		switch k {
		case "q", "esc":
			m.paper = nil
		case "?":
			m.help = true
		default:
			m.paper.key(k)
		}
		return nil
	}
	switch k {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "esc":
		if m.filter != "" || m.filtering != 0 {
			m.clear()
		}
		m.focus = listArea
	case "ctrl+l":
		return tea.ClearScreen
	case "tab":
		m.focus = (m.focus + 1) % areas
	case "shift+tab":
		m.focus = (m.focus + areas - 1) % areas
	case "/", ":":
		m.prompt, m.typed = rune(k[0]), ""
		if k == "/" {
			m.typed = m.filter
		}
	case "n":
		m.notable(1)
	case "N":
		m.notable(-1)
	case "f":
		return m.read("following the stream", m.stream)
	case "l":
		return m.read("drawing the ladder", m.ladder)
	default:
		m.move(k)
	}
	return nil
}

// move moves the cursor of the pane that has the focus.
func (m *browseModel) move(k string) {
	s := m.layout()
	switch m.focus {
	case listArea:
		m.at = moved(k, m.at, m.count(), s.list)
	case treeArea:
		switch k {
		case "left", "right", "enter", " ":
			m.fold(k)
		default:
			m.row = moved(k, m.row, len(m.rows), s.tree)
		}
		if f := m.field(); f != nil {
			m.byte = f.off
		}
	case hexArea:
		m.walk(k, s.hex)
	}
}

// moved returns where a key for moving leads to from row at of n.
func moved(k string, at, n, room int) int {
	switch k {
	case "up", "k":
		at--
	case "down", "j":
		at++
	case "pgup", "ctrl+b":
		at -= max(room-1, 1)
	case "pgdown", "ctrl+f", " ":
		at += max(room-1, 1)
	case "home", "g":
		at = 0
	case "end", "G":
		at = n - 1
	}
	return max(min(at, n-1), 0)
}

// notable goes to the next packet, or the one before, with something to see.
func (m *browseModel) notable(by int) {
	for row := m.at + by; row >= 0 && row < m.count(); row += by {
		if m.state.Entries[m.packet(row)].Notable() {
			m.at = row
			return
		}
	}
	where := "after"
	if by < 0 {
		where = "before"
	}
	m.tell("no packet with a flag or a loss " + where + " this one")
}

// edit does what a key is for in the line at the bottom.
func (m *browseModel) edit(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "esc", "ctrl+c":
		m.prompt = 0
	case "enter":
		what := m.prompt
		m.prompt = 0
		if what == '/' {
			return m.search(m.typed)
		}
		m.jump(m.typed)
	case "backspace":
		if r := []rune(m.typed); len(r) > 0 {
			m.typed = string(r[:len(r)-1])
		}
	case "ctrl+u":
		m.typed = ""
	default:
		if (k.Type == tea.KeyRunes || k.Type == tea.KeySpace) && !k.Alt && len(m.typed) < 1000 {
			m.typed += string(k.Runes)
		}
	}
	return nil
}

// jump goes to the packet with a number, or to the next one in the list.
func (m *browseModel) jump(s string) {
	n, err := strconv.Atoi(s)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n < 1 {
		m.warn("want the number of a packet, from 1 on")
		return
	}
	all := len(m.state.Entries)
	switch {
	case all == 0:
		return
	case n > all:
		m.warn("there are " + strconv.Itoa(all) + " packets")
		return
	}
	row := m.rowOf(n - 1)
	if row >= m.count() {
		m.warn("no packet from number " + strconv.Itoa(n) + " on matches")
		return
	}
	if m.focus, m.at = listArea, row; m.packet(row) != n-1 {
		m.tell("packet " + strconv.Itoa(n) + " does not match; this is the next that does")
	}
}
