package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirelab/labs/attempt"
	"wirelab/labs/sheet"
)

// handedIn has ana, bo and cy do a lab of the teacher's own by wirelab lab run
// and hand it in. Each gives one prediction; bo gives ana's.
func handedIn(t *testing.T) (dir, folder string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("WIRELAB_LABS", filepath.Join(dir, "labs.json"))
	data, err := os.ReadFile("../../labs/grade/testdata/echo.txtar")
	if err != nil {
		t.Fatal(err)
	}
	lab := write(t, filepath.Join(dir, "echo.txtar"), string(data))
	s, err := sheet.Parse("echo", data)
	if err != nil {
		t.Fatal(err)
	}
	right := func(name string) string {
		v, err := s.Step("rtt").Expected(0, s.Variant("net1", name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return attempt.Show(v)
	}
	folder = filepath.Join(dir, "in")
	for name, rtt := range map[string]string{"ana": right("ana"), "bo": right("ana"), "cy": right("cy")} {
		answers := write(t, filepath.Join(dir, name), "rtt = "+rtt, "knob = 20%")
		code, stdout, stderr := labbed(t, "", "run", lab, "--name", name, "--class", "net1", "--answers", answers, "--out", filepath.Join(folder, name))
		if code != exitNo {
			t.Fatalf("lab run: exit code %d\n%s%s", code, stdout, stderr)
		}
	}
	return dir, folder
}

// From work on a lab to marks: who copied is named, the files are written.
func TestLabGrade(t *testing.T) {
	dir, folder := handedIn(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	code, stdout, stderr := labbed(t, "", "grade", folder, "--class", "net1", "--labs", dir,
		"--csv", in("m.csv"), "--junit", in("j.xml"), "--gradescope", in("scope"), "--weight", "echo=2")
	if code != exitNo {
		t.Errorf("exit code %d, want %d: bo copied", code, exitNo)
	}
	wants(t, "stdout", stdout, "learner", "ana", "1/6", "2/12", "0.5/6!", "! "+filepath.Join(folder, "bo", "bo-echo.zip"), "right for", "3 bundles of 3")
	wants(t, "stderr", stderr, "1 of 3 bundles are named for a fault")
	for _, name := range []string{"m.csv", "j.xml", "scope/ana-results.json", "scope/bo-results.json", "scope/cy-results.json"} {
		if b, err := os.ReadFile(in(name)); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}

	// Without bo nobody is named.
	code, stdout, stderr = labbed(t, "", "grade", filepath.Join(folder, "ana"), filepath.Join(folder, "cy", "cy-echo.zip"), "--class", "net1", "--labs", dir, "--json", "--predict-credit", "0")
	var doc struct {
		Faulty   bool
		Learners []struct {
			Name       string
			Points, Of float64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if got := fmt.Sprint(doc); got != "{false [{ana 1 6} {cy 1 6}]}" {
		t.Errorf("JSON: %s", got)
	}

	// Another class key, and none: said as what it is.
	_, stdout, _ = labbed(t, "", "grade", folder, "--labs", dir)
	wants(t, "without the key", strings.Join(strings.Fields(stdout), " "), "made with a class key, and none was given here (--class)")

	// One file for several learners: refused, and nothing is left behind.
	code, _, stderr = labbed(t, "", "grade", folder, "--class", "net1", "--labs", dir, "--gradescope", in("one.json"), "--csv", in("two.csv"))
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	wants(t, "stderr", stderr, "there are 3 learners", "name a folder")
	left, err := filepath.Glob(in("*[on]*e.json"))
	if more, err2 := filepath.Glob(in(".*")); err != nil || err2 != nil || len(left)+len(more) > 0 {
		t.Errorf("left behind: %q, %q", left, more)
	}
	if _, err := os.Stat(in("two.csv")); err == nil {
		t.Error("two.csv was written, and the command failed")
	}
}

// The page is the same from what was done here and from what was handed in.
func TestLabReport(t *testing.T) {
	dir, folder := handedIn(t)
	lab := filepath.Join(dir, "echo.txtar")
	page := func(args ...string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "r.html")
		code, stdout, stderr := labbed(t, "", append([]string{"report", "--out", out, "--lab", lab}, args...)...)
		if code != exitOK || stdout != "" {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		wants(t, "stderr", stderr, "the report: "+out)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	fromBundle := page(filepath.Join(folder, "ana"), "--class", "net1")
	wants(t, "the report", fromBundle, "Labs of ana", "1 of 6 points", "Predicted before the run", "<svg")
	// What came of the knob, and that the explanation was reached, is known here
	// alone.
	fromHere := page("--name", "ana")
	wants(t, "the report", fromHere, "The knob", "p = 20 %")
	before, rest, _ := strings.Cut(fromHere, "<h3>The knob</h3>")
	_, after, _ := strings.Cut(rest, "<h3>")
	if head, _, _ := strings.Cut(fromBundle, "<h3>Read on"); strings.TrimSpace(head) != strings.TrimSpace(before) {
		t.Error("the report of the bundle is another than that of the notebook")
	}
	wants(t, "what comes after the knob", after, "What happened, and why")

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"report", folder, "--class", "net1", "--lab", lab}, "the bundles are of ana and of bo"},
		{[]string{"report", "--name", "di", "--lab", lab}, "di did nothing in it"},
		{[]string{"report", "--name", "di"}, "di began no lab here"},
		{[]string{"report", filepath.Join(dir, "nothing")}, "no such file"},
		{[]string{"report", folder, "--name", "di", "--lab", lab}, "none of the 3 bundles is meant"},
		{[]string{"report", "--name", "ana", "--lab", lab, "--out", dir}, "something else than a file"},
	} {
		code, _, stderr := labbed(t, "", tt.args...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: exit code %d, %q; want %d and %q", tt.args, code, stderr, exitUsage, tt.want)
		}
	}
}

func TestParseShare(t *testing.T) {
	for in, want := range map[string]float64{"50%": 0.5, " 12.5 % ": 0.125, "0.25": 0.25, "0": 0, "1": 1, "100%": 1} {
		if got, err := parseShare(in); err != nil || got != want {
			t.Errorf("parseShare(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "%", "50", "-1%", "101%", "NaN", "half", "1e3%"} {
		if got, err := parseShare(in); err == nil {
			t.Errorf("parseShare(%q) = %v, want an error", in, got)
		}
	}
}
