package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/image"
	"wirelab/labs/image/imagetest"
)

// labbed runs wirelab lab with this input, on a guest that is built from the
// sources.
func labbed(t *testing.T, in string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	guest := imagetest.Guest(t)
	return labbedWith(t.Context(), in, func(ctx context.Context, p *progress) (*labs.Engine, error) {
		return labs.Open(ctx, guest, sim.Options{Progress: p.compiling})
	}, args...)
}

func labbedWith(ctx context.Context, in string, open labOpener, args ...string) (code int, stdout, stderr string) {
	var out, errw bytes.Buffer
	a := &app{in: strings.NewReader(in), out: &out, err: &errw}
	root := a.root()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "lab" {
			root.RemoveCommand(cmd)
		}
	}
	root.AddCommand(a.labWith(open))
	root.SetArgs(append([]string{"lab"}, args...))
	root.SetOut(&out)
	root.SetErr(&errw)
	err := root.ExecuteContext(ctx)
	var f *failure
	switch {
	case err == nil:
	case errors.Is(err, errInterrupted):
		code = exitInterrupted
	case errors.As(err, &f):
		a.complain(f.err, f.hint)
		code = f.code
	default:
		a.complain(err, "")
		code = exitNo
		if !a.began {
			code = exitUsage
		}
	}
	return code, out.String(), errw.String()
}

// ownLab writes the lab that lab new begins with into a folder of the test's, and
// gives it a state file of its own.
func ownLab(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("WIRELAB_LABS", filepath.Join(dir, "labs.json"))
	file = filepath.Join(dir, "mine.txtar")
	if code, _, stderr := labbedWith(t.Context(), "", nil, "new", file); code != exitOK {
		t.Fatalf("lab new: %d, %s", code, stderr)
	}
	return dir, file
}

func write(t *testing.T, path string, lines ...string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// wants fails for each text that is not there.
func wants(t *testing.T, what, got string, texts ...string) {
	t.Helper()
	missing := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.Contains(got, text) })
	if len(missing) > 0 {
		t.Errorf("%s has no %q:\n%s", what, missing, got)
	}
}

// The whole way in lines: what makes no sense is asked again, the state is kept,
// the end has the check, and what is handed in is a bundle.
func TestLabInLines(t *testing.T) {
	dir, file := ownLab(t)
	// The common variant of this lab is 10 questions over 10 ms each way or the
	// like: the text says which.
	_, text, _ := labbedWith(t.Context(), "", nil, "show", file, "--json")
	var page labPage
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	var oneway, n string
	if w := strings.Fields(page.Background); true {
		n = w[slices.Index(w, "asks")+2]
		oneway = w[slices.Index(w, "takes")+1]
		for i := range w {
			if w[i] == "takes" && w[i+2] == "ms" {
				oneway = w[i+1]
			}
		}
	}
	twice := map[string]string{"10": "20 ms", "20": "40 ms", "30": "60 ms"}[oneway]
	letters := page.Steps[2].Options
	right := string(rune('a' + slices.IndexFunc(letters, func(s string) bool { return strings.HasPrefix(s, "Next to nothing") })))
	wrong := map[bool]string{true: "b", false: "a"}[right == "a"]

	in := strings.Join([]string{
		"", "", "soon", "5 bytes", ":hint", twice, // reading, prediction
		":skip", "?", "", // the run: nothing to skip, nothing to say
		":back", ":next", "", // once more, the ladder
		"1000", ":hint", n, // question
		":nonsense", wrong, right, // choice
		"", "500 ms", "50 ms", "", ":list", "", // explanation, knob, end
	}, "\n") + "\n"
	code, stdout, stderr := labbed(t, in, "run", file, "--out", filepath.Join(dir, "handin"))
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stdout", stdout,
		"Predict 1 of 1: rtt", "hint 1 of 2:", "theory says "+twice, "✓ right: "+twice, "See 1 of 1: ladder",
		"✗ not right: 1,000 packets", "✓ right: "+n+" packets", "What happened, and why", "The check", "oneway = 50 ms", "100 ms",
		"Done: 3 of 3 points", "RFC 2681")
	wants(t, "stderr", stderr,
		"these are the numbers that everybody gets; --name YOU gives your own",
		"nothing was answered; nothing is lost, try again", `"soon"`, "bytes is a unit of size",
		"locked: "+twice, "without the run there is nothing to see", "nothing is asked here", ":nonsense: no such command",
		"want 1 ms to 200 ms", "to hand in: "+filepath.Join(dir, "handin"))
	if _, found := obeyed(stdout); found {
		t.Error("the text has what a terminal obeys")
	}
	for line := range strings.Lines(stdout) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("a line of %d cells: %s", n, line)
		}
	}
	b, err := bundle.Open(filepath.Join(dir, "handin", bundle.Name("", "mine")))
	if err != nil || b.Points != 3 || len(b.Altered) > 0 {
		t.Errorf("handed in: %+v, %v", b, err)
	}
	code, stdout, _ = labbedWith(t.Context(), "", nil, "status", file)
	if code != exitOK {
		t.Errorf("status: exit code %d", code)
	}
	wants(t, "status", stdout, "✓ done, 3 of 3 points")
}

// The end of the input stops the lab where it is; the next run goes on there, for
// this learner alone.
func TestLabGoesOn(t *testing.T) {
	_, file := ownLab(t)
	code, _, stderr := labbed(t, "\n1 ms\n", "run", file, "--name", "ana")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stderr", stderr, "the numbers are those of ana", "stopped at the run; wirelab lab run")
	code, stdout, stderr := labbed(t, "\n\n\n:quit\n", "run", file)
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stderr", stderr, "the numbers are those of ana", "it goes on at the run", "stopped at the questions")
	wants(t, "stdout", stdout, "✗ wrong: 1 ms", "Question 1 of 2")
	// Now the run was seen: it is played again by itself.
	code, stdout, stderr = labbed(t, ":back\n:back\n:back\n5 ms\n", "run", file)
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stdout", stdout, "See 1 of 1: ladder", "theory says", "Predict 1 of 1")
	wants(t, "stderr", stderr, "nothing is asked here") // it is locked
	_, _, stderr = labbed(t, "", "run", file, "--name", "bo")
	wants(t, "stderr", stderr, "what was done for ana is kept, and --name ana goes on with it", "stopped at the text")
	_, _, stderr = labbed(t, "", "run", file, "--name", "Ana")
	wants(t, "stderr", stderr, "it goes on at the predictions")
}

// A file with answers is judged for itself: exit code 1 if something is wrong or
// missing, whatever was answered before.
func TestLabAnswers(t *testing.T) {
	dir, file := ownLab(t)
	mine := filepath.Join(dir, "mine.txt")
	ask := func(lines ...string) (int, labVerdict, string) {
		t.Helper()
		write(t, mine, lines...)
		code, stdout, stderr := labbed(t, "", "run", file, "--name", "ana", "--answers", mine, "--json")
		var v labVerdict
		if err := json.Unmarshal([]byte(stdout), &v); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		return code, v, stderr
	}
	code, v, stderr := ask("# nothing yet")
	if code != exitNo || v.Points != 0 || v.Of != 3 || v.Steps[0].Verdict != "missing" {
		t.Errorf("without answers: %d, %+v", code, v)
	}
	wants(t, "stderr", stderr, "3 of 3 answers are wrong or missing")
	code, v, _ = ask("rtt = 1 ms", "packets = many", "why = It halves.")
	var verdicts []string
	for _, s := range v.Steps {
		verdicts = append(verdicts, s.Verdict)
	}
	if code != exitNo || v.Points != 0.5 || !slices.Equal(verdicts, []string{"wrong", "unreadable", "wrong"}) {
		t.Errorf("wrong answers: %d, %v, %+v", code, verdicts, v)
	}
	// The wrong ones say what is expected of the prediction, whose run was seen.
	rtt := v.Steps[0].Expected
	accepted := 0
	for _, n := range []string{"5", "8", "10"} {
		code, v, _ = ask("rtt="+rtt, "packets = "+n+" packets", "why = next to nothing", "knob = 50 ms", "knob = 100 ms")
		if code != exitOK {
			continue
		}
		accepted++
		if v.Points != 3 || len(v.Turns) != 2 || v.Turns[0].Pairs[0].Measured != "100 ms" {
			t.Errorf("right answers: %+v", v)
		}
	}
	if accepted != 1 {
		t.Errorf("%d of the three counts were accepted, want 1", accepted)
	}
	// The first prediction counts in what is kept.
	code, stdout, _ := labbedWith(t.Context(), "", nil, "status", file, "--json")
	var st labStatus
	if err := json.Unmarshal([]byte(stdout), &st); err != nil || code != exitOK {
		t.Fatal(err, code)
	}
	if s := st.Labs[0].Steps[0]; s.Status != attempt.Wrong {
		t.Errorf("the prediction is kept as %+v", s)
	}
	code, stdout, _ = labbed(t, "rtt = 1 ms\n", "run", file, "--answers", "-")
	if code != exitNo {
		t.Errorf("from standard input: exit code %d", code)
	}
	wants(t, "stdout", stdout, "✗ rtt", "wrong: 1 ms", "· packets", "missing", "0.5 of 3 points")
}

// At a speed each event is a line, at its time.
func TestLabSpeed(t *testing.T) {
	_, file := ownLab(t)
	code, stdout, _ := labbed(t, "\n1 ms\n\n", "run", file, "--speed", "20")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stdout", stdout, "0.100 s  ana: ")
}

// Without the simulated network reading goes well, and the run says what to do.
func TestLabWithoutGuest(t *testing.T) {
	_, file := ownLab(t)
	none := func(context.Context, *progress) (*labs.Engine, error) { return nil, cannot("", "%w", image.ErrMissing) }
	code, stdout, stderr := labbedWith(t.Context(), "\n1 ms\n\n", none, "run", file)
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	wants(t, "stdout", stdout, "Predict 1 of 1")
	wants(t, "stderr", stderr, image.ErrMissing.Error())
	_, _, stderr = labbedWith(t.Context(), "", none, "run", file)
	wants(t, "stderr", stderr, "it goes on at the run")
}

func TestLabInterrupted(t *testing.T) {
	_, file := ownLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	code, _, _ := labbedWith(ctx, "\n1 ms\n\n", func(context.Context, *progress) (*labs.Engine, error) {
		cancel()
		return nil, context.Canceled
	}, "run", file)
	if code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	_, _, stderr := labbedWith(t.Context(), "", nil, "run", file)
	wants(t, "stderr", stderr, "it goes on at the run")
}

// A lab's file, a name, a state file may hold anything: nothing of it moves the
// cursor.
func TestLabHostileText(t *testing.T) {
	dir, file := ownLab(t)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	evil := strings.NewReplacer(
		"title: Mine", "title: "+strings.TrimSpace(strings.ReplaceAll(tricks, "\r\n", "")),
		"Replace this page", "Replace \x1b[2J\u202e this page",
		"How long does it take", "How \x1b]0;x\a long").Replace(string(data))
	write(t, file, evil)
	write(t, filepath.Join(dir, "labs.json"), `{"version":1,"learner":{"name":"\u001b[2Jana"},"learners":[{"name":"\u001b[2Jana","labs":{"mine":{"place":"predicting","stop":"\u001b[2J","steps":{"rtt":{"status":"locked","tries":[{"input":"1 ms","given":"\u001b[2J","at":"2030-01-01T00:00:00Z"}]}},"began":"2030-01-01T00:00:00Z","changed":"2030-01-01T00:00:00Z"}}}]}`)
	for _, args := range [][]string{{"show", file}, {"run", file}, {"status", file}, {"status", file, "--json"}} {
		_, stdout, stderr := labbedWith(t.Context(), ":list\n:back\n\n", nil, args...)
		for _, s := range []string{stdout, stderr} {
			if r, found := obeyed(s); found {
				t.Errorf("%v: %U comes through in %q", args, r, s)
			}
		}
	}
}
