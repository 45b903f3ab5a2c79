package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
	labview "wirelab/labs/view"
)

// LabConfig says what labs there are and how they are played. Sheets, Open,
// Play and Save are required.
type LabConfig struct {
	Sheets  []*sheet.Sheet                      // in the order of the course
	Start   string                              // name of the lab to open at once; empty: the list
	Open    func(*sheet.Sheet) *attempt.Attempt // begins a lab or goes on with it; does not read or write
	Records map[string]*attempt.Record          // by lab: what was done before

	// Play plays the scenarios of a variant, in a goroutine of its own. It may
	// tell how far it is, as often as it likes.
	Play func(ctx context.Context, v *sheet.Variant, tell func(LabProgress)) (measure.Runs, error)
	// Save keeps a record, after each change of it. There is one call at a time.
	Save func(*attempt.Record) error

	Learner string           // their name, for the title
	Notices []string         // what to say at the beginning, such as why a state file was kept aside
	Command string           // how the labs were called, for hints; if empty, "wirelab lab"
	Now     func() time.Time // if nil, time.Now
	In      io.Reader        // if nil, os.Stdin
	Out     io.Writer        // if nil, os.Stdout
}

// LabProgress says how far a run is.
type LabProgress struct {
	Scenario string        // its name; empty for the main one
	Done, Of int           // scenarios
	Virtual  time.Duration // of the one under way, in its own time; 0: not known
}

// Lab lets the learner work through labs until they quit, with nil, or ctx ends,
// with its cause. When it returns, all that was answered has been given to Save,
// and nothing plays any more.
func Lab(ctx context.Context, cfg LabConfig) error {
	in, out := cmp.Or[io.Reader](cfg.In, os.Stdin), cmp.Or[io.Writer](cfg.Out, os.Stdout)
	inner, stop := context.WithCancel(ctx)
	m := newLabModel(inner, cfg, style.NewPalette(out, false))
	err := view(ctx, m, in, out)
	stop()
	m.playing.Wait()
	return errors.Join(err, m.flush())
}

// A labModel is the labs. It changes in Update only; what plays, draws and saves
// is a command, and comes back as a message.
type labModel struct {
	cfg     LabConfig
	ctx     context.Context // of the commands
	palette *style.Palette

	width, height int
	picker        labPicker
	records       map[string]*attempt.Record

	sheet    *sheet.Sheet       // the open lab; nil: the list is shown
	attempt  *attempt.Attempt   // nil if it is a lab to build
	pictures []*labview.Picture // of the run
	turned   *labTurn           // the knob, turned
	run      *labRun            // under way
	runs     int                // number of the last run that began

	input   labInput
	option  int    // of a choice, under the cursor
	said    string // of the last answer to the step that is shown
	wrong   bool   // it is no praise
	peek    int    // picture over a question, or beside it; −1 is none
	slid    int    // first row in view of the picture beside the page
	jump    int    // row under the cursor of the list of steps; −1: it is not shown
	help    bool
	page    paper
	shown   labPlace // what page is about
	drawn   drawnPicture
	notice  string // in place of the keys
	trouble bool   // the notice is bad news

	waiting []*attempt.Record // to be saved
	saving  bool
	unsaved error // of the last time
	leaving bool  // quit when all is saved

	playing *sync.WaitGroup // of what may outlive the screen
}

// labPlace tells pages apart, for where each is scrolled to.
type labPlace struct {
	lab   string
	stop  int
	peek  int
	jump  bool
	help  bool
	extra int // what was added to the page, so that it comes into view
}

type (
	labRanMsg struct {
		number   int
		runs     measure.Runs
		pictures []*labview.Picture
		err      error
	}
	labTickMsg struct {
		number   int
		progress LabProgress
	}
	labSavedMsg struct{ err error }
)

// labRefresh is how often a run is looked at.
const labRefresh = 100 * time.Millisecond

func newLabModel(ctx context.Context, cfg LabConfig, p *style.Palette) *labModel {
	cfg.Command = cmp.Or(cfg.Command, "wirelab lab")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &labModel{
		ctx: ctx, cfg: cfg, palette: p, width: 80, height: 24, peek: -1, jump: -1, input: newLabInput(p),
		records: map[string]*attempt.Record{}, playing: &sync.WaitGroup{},
	}
	for name, r := range cfg.Records {
		m.records[name] = r
	}
	m.picker = newLabPicker(cfg.Sheets)
	return m
}

// labBegin opens the lab to begin with.
type labBegin struct{}

func (m *labModel) Init() tea.Cmd { return func() tea.Msg { return labBegin{} } }

func (m *labModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	m.settle()
	return m, cmd
}

func (m *labModel) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case labBegin:
		var cmd tea.Cmd
		for _, s := range m.cfg.Sheets {
			if s.Name == m.cfg.Start {
				m.picker.choose(s.Name)
				cmd = m.open(s)
			}
		}
		if len(m.cfg.Notices) > 0 {
			m.warn(m.cfg.Notices[0])
		}
		return cmd
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case labTickMsg:
		if m.run == nil || msg.number != m.run.number {
			return nil
		}
		m.run.progress = msg.progress
		m.run.ticks++
		return m.run.tick()
	case labRanMsg:
		return m.ran(msg)
	case labSavedMsg:
		m.saving, m.unsaved = false, msg.err
		if msg.err != nil {
			m.warn("your work could not be saved: " + msg.err.Error())
		}
		return m.save()
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

func (m *labModel) warn(s string) { m.notice, m.trouble = s, true }
func (m *labModel) tell(s string) { m.notice, m.trouble = s, false }

// open shows a lab.
func (m *labModel) open(s *sheet.Sheet) tea.Cmd {
	m.close()
	m.sheet = s
	if s.Kind == sheet.Build {
		return nil
	}
	m.attempt = m.cfg.Open(s)
	m.arrive()
	if m.attempt.Stale() {
		cmd := m.play(nil) // the same run as before: its figures are needed
		m.run.quiet = true
		return cmd
	}
	return nil
}

// close goes back to the list of labs.
func (m *labModel) close() {
	m.halt()
	m.sheet, m.attempt, m.pictures, m.turned = nil, nil, nil, nil
	m.jump, m.peek, m.help = -1, -1, false
	m.said = ""
}

// arrive makes the page of the stop where the learner is now.
func (m *labModel) arrive() {
	m.input.set("")
	m.input.focused = true
	m.said, m.wrong, m.option, m.peek, m.slid, m.jump = "", false, 0, -1, 0, -1
}

// changed keeps what the learner did.
func (m *labModel) changed() tea.Cmd {
	r := m.attempt.Record()
	m.records[r.Lab] = r
	for i, w := range m.waiting {
		if w.Lab == r.Lab {
			m.waiting[i] = r
			return m.save()
		}
	}
	m.waiting = append(m.waiting, r)
	return m.save()
}

// save saves what waits, one record at a time, and then quits if that is wanted.
func (m *labModel) save() tea.Cmd {
	switch {
	case m.saving:
		return nil
	case len(m.waiting) > 0:
		r := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.saving = true
		save, playing := m.cfg.Save, m.playing
		playing.Add(1)
		return func() tea.Msg {
			defer playing.Done()
			return labSavedMsg{save(r)}
		}
	case m.leaving:
		return tea.Quit
	}
	return nil
}

// quit ends the program as soon as all is saved.
func (m *labModel) quit() tea.Cmd {
	m.halt()
	m.leaving = true
	return m.save()
}

// flush saves what was left when the screen ended of itself, and says what could
// not be saved.
func (m *labModel) flush() error {
	for _, r := range m.waiting {
		m.unsaved = m.cfg.Save(r)
	}
	m.waiting = nil
	if m.unsaved != nil {
		return fmt.Errorf("your work could not be saved: %w", m.unsaved)
	}
	return nil
}
