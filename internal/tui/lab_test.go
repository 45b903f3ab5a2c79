package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/pcapng"
	"wirelab/internal/style"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

func labSheet(t testing.TB, name string) *sheet.Sheet {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "lab.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sheet.Parse(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handshake is a run of the sheet, as its numbers say: made here, without an
// engine.
func handshake(v *sheet.Variant) (measure.Runs, error) {
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"ana", "link", "server"} {
		if _, err := w.Describe(pcapng.Interface{Name: name}); err != nil {
			return nil, err
		}
	}
	oneway := time.Duration(v.Values["oneway"] * float64(time.Second))
	a, z := netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("192.0.2.2:7000")
	send := func(at time.Duration, data []byte, up bool) {
		first, last := 0, 2
		if !up {
			first, last = 2, 0
		}
		dir := pcapng.In
		if up {
			dir = pcapng.Out
		}
		for _, p := range []pcapng.Packet{{Interface: first, Direction: pcapng.Out, Time: labs.Start.Add(at)}, {Interface: 1, Direction: dir, Time: labs.Start.Add(at)}, {Interface: last, Direction: pcapng.In, Time: labs.Start.Add(at + oneway)}} {
			p.Data = data
			err = errors.Join(err, w.Write(&p))
		}
	}
	send(0, segment(a, z, 100, 0, 2, ""), true)
	send(oneway, segment(z, a, 900, 101, 2|16, ""), false)
	send(2*oneway, segment(a, z, 101, 901, 16, ""), true)
	send(2*oneway, segment(a, z, 101, 901, 16, strings.Repeat("x", 100)), true)
	send(3*oneway, segment(z, a, 901, 201, 16, ""), false)
	if err != nil {
		return nil, err
	}
	s, err := v.Scenario("")
	if err != nil {
		return nil, err
	}
	run, err := measure.Read(s, []byte(`{"t":0,"ev":"begin"}`+"\n"), b.Bytes())
	if err != nil {
		return nil, err
	}
	run.Virtual = 4 * oneway
	return measure.Runs{"": run}, nil
}

// working works on labs, with commands done at once.
type working struct {
	*browsing
	saved []*attempt.Record
	plays int
}

func worked(t *testing.T, width, height int, change func(*LabConfig)) *working {
	t.Helper()
	w := &working{}
	clock := start
	cfg := LabConfig{
		Sheets: []*sheet.Sheet{labSheet(t, "handshake"), labSheet(t, "other")}, Start: "handshake", Learner: "ana",
		Play: func(_ context.Context, v *sheet.Variant, tell func(LabProgress)) (measure.Runs, error) {
			w.plays++
			tell(LabProgress{Of: 1})
			return handshake(v)
		},
		Save: func(r *attempt.Record) error { w.saved = append(w.saved, r); return nil },
		Now:  func() time.Time { clock = clock.Add(time.Second); return clock },
	}
	cfg.Open = func(s *sheet.Sheet) *attempt.Attempt {
		return attempt.New(s, attempt.Learner{}, cfg.Records[s.Name], cfg.Now())
	}
	if change != nil {
		change(&cfg)
	}
	m := newLabModel(t.Context(), cfg, style.NewPalette(io.Discard, true))
	w.browsing = &browsing{t: t, m: m}
	w.send(tea.WindowSizeMsg{Width: width, Height: height})
	w.run(m.Init())
	return w
}

func (w *working) lab() *labModel { return w.m.(*labModel) }

func (w *working) ctrl(k tea.KeyType) { w.send(tea.KeyMsg{Type: k}) }

// say types a line and ends it.
func (w *working) say(line string) {
	w.keys(line)
	w.keys("<enter>")
}

// frame checks the screen and compares it with testdata/name.golden.
func (w *working) frame(name string) {
	w.t.Helper()
	view := w.m.View()
	checkFrame(w.t, view, w.lab().width, w.lab().height)
	golden(w.t, name, view)
}

// The whole loop, as a learner sees it in 80 columns.
func TestLabFromBeginToEnd(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.frame("lab-reading")
	w.keys("<enter><enter>") // the rest of the text, and on
	w.frame("lab-predict")
	w.say("60")
	w.frame("lab-refused") // no unit: what was typed stays
	w.keys(" ms<enter>")
	w.frame("lab-locked")
	w.keys("<enter>")
	w.frame("lab-run")
	w.keys("<enter>")
	w.frame("lab-ran")
	w.keys("<enter>")
	w.frame("lab-ladder")
	w.keys("<tab>")
	w.frame("lab-table")
	w.keys("<tab><enter>")
	w.say("ack")
	w.frame("lab-wrong")
	w.ctrl(tea.KeyCtrlT)
	w.ctrl(tea.KeyCtrlU)
	w.say("SYN-ACK")
	w.frame("lab-right")
	w.keys("<enter>")
	w.say("1")
	w.frame("lab-fill")
	w.say("1")
	w.keys("<enter>")
	w.frame("lab-choice")
	w.keys("<enter>") // which is wrong
	w.frame("lab-tried")
	w.keys("b<enter>")
	w.frame("lab-chosen")
	w.keys("<enter>")
	w.frame("lab-explain")
	w.keys("n")
	w.say("200ms")
	w.frame("lab-knob")
	w.keys("<tab>")
	w.shows("Each arrow takes 100 ms.")
	w.keys("<esc><enter>")
	w.frame("lab-done")
	w.keys("l")
	w.frame("lab-list")
	w.keys("L")
	w.frame("lab-labs")
	if w.plays != 2 {
		t.Errorf("%d runs, want one and one with the knob turned", w.plays)
	}
	last := w.saved[len(w.saved)-1]
	if last.Place != attempt.Done || last.Points != 3.5 || len(last.Turns) != 1 {
		t.Errorf("what was saved last is %+v", last)
	}
	w.keys("q")
	if !w.quit {
		t.Error("q does not quit")
	}
}
