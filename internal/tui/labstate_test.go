package tui

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"wirelab/internal/style"
	"wirelab/labs/attempt"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// predicted works up to the run.
func predicted(t *testing.T, width, height int, change func(*LabConfig)) *working {
	t.Helper()
	w := worked(t, width, height, change)
	w.keys("n")
	w.say("40 ms")
	w.keys("n")
	return w
}

// In a wide window a question has the pictures beside it.
func TestLabWide(t *testing.T) {
	w := predicted(t, 200, 50, nil)
	w.keys("<enter>nnnn")
	w.frame("lab-wide")
	w.keys("<tab>")
	w.shows("2 of 3: packets", "Answer, 1 of 3")
	w.keys("<tab><tab>")
	w.shows("1 of 3: ladder")
}

// "An answer that is no number, has the wrong unit, is empty: asked again, nothing
// lost."
func TestLabKeepsWhatWasTyped(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.keys("n")
	for _, bad := range []string{"", "4x", "40 kB", "3..5 ms", "40"} {
		w.say(bad)
		if got := w.lab().input.value(); got != bad {
			t.Errorf("after %q the line holds %q", bad, got)
		}
		if w.lab().said == "" || w.lab().attempt.Stop().Number != 1 {
			t.Errorf("%q: said %q, at stop %d", bad, w.lab().said, w.lab().attempt.At())
		}
		w.ctrl(tea.KeyCtrlU)
	}
	if work := w.saved[len(w.saved)-1].Steps["data"]; work != nil && len(work.Tries) > 0 {
		t.Error("an answer that makes no sense was taken")
	}
	w.say("40 ms")
	if got := w.saved[len(w.saved)-1].Steps["data"]; got.Status != attempt.Locked {
		t.Errorf("after an answer the record says %+v", got)
	}
}

// Before a number letters are commands, in it and before a text they are text.
func TestLabLettersBeforeANumber(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.keys("nh")
	w.shows("Hint 1 of 2")
	w.keys("4h")
	if got := w.lab().input.value(); got != "4h" {
		t.Errorf("the line holds %q, want 4h", got)
	}
	w.ctrl(tea.KeyCtrlU)
	w.keys("p")
	if at := w.lab().attempt.At(); at != 0 {
		t.Errorf("p leads to stop %d", at)
	}
	w = predicted(t, 80, 24, nil)
	w.keys("<enter>nnnnhnq?")
	if got := w.lab().input.value(); got != "hnq?" || w.quit {
		t.Errorf("where a text is wanted the line holds %q, quit %v", got, w.quit)
	}
	w.keys("<esc>h")
	w.shows("Hint 1 of 1")
	w.keys("i!")
	if got := w.lab().input.value(); got != "hnq?!" {
		t.Errorf("back in the line it holds %q", got)
	}
}

// What is pasted is text, and no keys.
func TestLabPaste(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.keys("n")
	w.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q"), Paste: true})
	if got := w.lab().input.value(); got != "q" || w.quit {
		t.Errorf("the line holds %q, quit %v", got, w.quit)
	}
}

// "State is kept, so a learner can stop and go on": the run, which is not kept, is
// played again without a question, and the learner is where they were.
func TestLabGoesOn(t *testing.T) {
	w := predicted(t, 80, 24, nil)
	w.keys("<enter>nnnn")
	record := w.saved[len(w.saved)-1]
	again := worked(t, 80, 24, func(c *LabConfig) { c.Records = map[string]*attempt.Record{"handshake": record} })
	if again.plays != 1 || again.lab().run != nil {
		t.Fatalf("%d runs, want one without being asked", again.plays)
	}
	again.shows("Which flags")
	again.say("SYN-ACK")
	again.shows("✓ right")
	again.keys("p")
	again.shows("Theory beside the run.")
}

func TestLabRunIsShownAndStopped(t *testing.T) {
	w := predicted(t, 80, 24, nil)
	w.m.Update(tea.KeyMsg{Type: tea.KeyEnter}) // its commands are not done: it runs
	w.shows("playing", "esc stop")
	w.m.Update(labTickMsg{w.lab().run.number, LabProgress{Scenario: "two", Done: 1, Of: 2, Virtual: 1500 * time.Millisecond}})
	w.shows("scenario 2 of 2 (two)", "1.500 s")
	checkFrame(t, w.m.View(), 80, 24)
	number := w.lab().run.number
	w.keys("<esc>")
	w.shows("stopped")
	runs, err := handshake(w.lab().attempt.Variant)
	if err != nil {
		t.Fatal(err)
	}
	w.send(labRanMsg{number: number, runs: runs}) // too late
	if w.lab().attempt.Ran() {
		t.Error("a run that was stopped counts")
	}
	w.keys("<enter>")
	w.shows("Your predictions")
	w.keys("r")
	w.shows("the same seed gave the same run")
}

func TestLabRunThatFailsIsTold(t *testing.T) {
	w := predicted(t, 80, 24, func(c *LabConfig) {
		c.Play = func(context.Context, *sheet.Variant, func(LabProgress)) (measure.Runs, error) {
			return nil, errors.New("no memory\x1b[31m")
		}
	})
	w.keys("<enter>")
	w.shows("the run failed: no memory␛[31m")
	checkFrame(t, w.m.View(), 80, 24)
}

// Nothing that was answered is lost without a word.
func TestLabTellsWhatCannotBeSaved(t *testing.T) {
	full := errors.New("the disk is full")
	w := worked(t, 80, 24, func(c *LabConfig) { c.Save = func(*attempt.Record) error { return full } })
	w.keys("n")
	w.shows("could not be saved: the disk is full")
	if err := w.lab().flush(); !errors.Is(err, full) {
		t.Errorf("at the end: %v, want %v", err, full)
	}
}

// Quitting waits for what is being saved, and what comes after is saved, too.
func TestLabQuitsWhenAllIsSaved(t *testing.T) {
	w := worked(t, 80, 24, nil)
	_, first := w.m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("n")})
	w.m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("s")}) // skipped, while n is being saved
	w.keys("q")
	if w.quit {
		t.Fatal("it quits before all is saved")
	}
	w.run(first)
	if !w.quit || len(w.saved) != 2 || w.saved[1].Steps["data"].Status != attempt.Skipped {
		t.Errorf("quit %v, saved %d times: %+v", w.quit, len(w.saved), w.saved)
	}
}

// A learner may not see the run before the predictions are locked.
func TestLabKeepsTheOrder(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.keys("r")
	w.shows("first predict")
	w.keys("l<end><enter>")
	w.shows("first predict")
	w.keys("<esc>nn")
	w.shows("type an answer")
	w.keys("s")
	w.shows("The run")
	w.keys("p")
	w.shows("– skipped")
	w.keys("g")
	w.shows("Predict, 1 of 1")
}

func TestLabPicker(t *testing.T) {
	w := worked(t, 80, 24, func(c *LabConfig) {
		c.Start = ""
		c.Records = map[string]*attempt.Record{"other": {Lab: "other", Place: attempt.Asking}}
		c.Notices = []string{"the file was damaged; it is kept as labs.json.bad"}
	})
	w.shows("▸ · handshake", "at the questions", "the file was damaged")
	w.keys("<down>")
	w.shows("▸ … other")
	w.keys("<up><enter>")
	w.shows("You can say which three segments")
	w.keys("L")
	w.shows("2 labs")
	w.keys("q")
	if !w.quit {
		t.Error("q does not quit")
	}
}

func TestLabHelp(t *testing.T) {
	w := worked(t, 80, 24, nil)
	w.keys("?")
	w.frame("lab-help")
	w.keys("?")
	w.shows("The handshake")
}

// At every size and every place the screen is exactly as large as the window,
// and no line of it is obeyed by a terminal. The keys are random.
func TestLabScreensFit(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	keys := []string{"n", "p", "<enter>", "<tab>", "h", "s", "g", "l", "L", "k", "r", "?", "<up>", "<down>", "<esc>", "40 ms", "1", "a", "b", "日本", "<pgdn>", "<pgup>", "<end>", "<bs>", "i"}
	w := worked(t, 80, 24, func(c *LabConfig) { c.Learner = "日本語\x1b[31m\u202e" })
	for range 600 {
		if r.IntN(8) == 0 {
			w.send(tea.WindowSizeMsg{Width: leastWidth + r.IntN(200), Height: leastHeight + r.IntN(60)})
		}
		key := keys[r.IntN(len(keys))]
		m := w.lab()
		if m.run != nil && r.IntN(2) == 0 {
			w.send(labTickMsg{m.run.number, LabProgress{Of: 2, Virtual: time.Second}})
		}
		w.browsing.keys(key)
		checkFrame(t, w.m.View(), m.width, m.height)
		if t.Failed() {
			t.Fatalf("seed %d, after %q, %d×%d:\n%s", seed, key, m.width, m.height, w.m.View())
		}
	}
}

// Colours add nothing that the text does not say.
func TestLabWithoutColour(t *testing.T) {
	plain := predicted(t, 80, 24, nil)
	plain.keys("<enter>l")
	if v := plain.m.View(); strings.Contains(v, "\x1b") || !strings.Contains(v, "✓ right") {
		t.Errorf("without colours:\n%s", v)
	}
}

// BenchmarkLabKey is a key in a page with a picture.
func BenchmarkLabKey(b *testing.B) {
	cfg := LabConfig{Sheets: []*sheet.Sheet{labSheet(b, "handshake")}, Save: func(*attempt.Record) error { return nil }}
	cfg.Open = func(s *sheet.Sheet) *attempt.Attempt { return attempt.New(s, attempt.Learner{}, nil, time.Now()) }
	m := newLabModel(b.Context(), cfg, style.NewPalette(io.Discard, true))
	m.Update(tea.WindowSizeMsg{Width: 200, Height: 50})
	m.open(cfg.Sheets[0])
	runs, err := handshake(m.attempt.Variant)
	if err != nil {
		b.Fatal(err)
	}
	m.attempt.Go(1, time.Now())
	m.attempt.Answer("40 ms", time.Now())
	if err := m.attempt.Played(runs, time.Now()); err != nil {
		b.Fatal(err)
	}
	m.attempt.Go(3, time.Now())
	for b.Loop() {
		m.Update(tea.KeyMsg{Type: tea.KeyDown})
		if len(m.View()) == 0 {
			b.Fatal("an empty screen")
		}
	}
}
