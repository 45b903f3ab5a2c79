package attempt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, path string) *Notebook {
	t.Helper()
	n, err := OpenNotebook(path, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func place(t *testing.T) string { return filepath.Join(t.TempDir(), "deep", "labs.json") }

// record is some work on a lab, done at a second.
func record(lab string, second int, steps ...string) *Record {
	at := time.Date(2030, 1, 1, 0, 0, second, 0, time.UTC)
	r := &Record{Lab: lab, Place: Predicting, Began: at, Changed: at, Steps: map[string]*Work{}}
	for _, s := range steps {
		r.Steps[s] = &Work{Status: Right, Tries: []Try{{Input: "1", Given: "1", Right: true, At: at}}}
	}
	return r
}

func TestANotebookKeeps(t *testing.T) {
	path := place(t)
	now := time.Now()
	n := open(t, path)
	if n.Record("a") != nil || n.Learner() != (Learner{}) {
		t.Error("a new notebook is not empty")
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("reading made a folder")
	}
	must(t, n.SetLearner(Learner{Name: "ana", Class: "k"}, now))
	must(t, n.Save(record("a", 1, "x"), now))
	m := open(t, path)
	if m.Learner() != (Learner{Name: "ana", Class: "k"}) {
		t.Errorf("the learner is %+v", m.Learner())
	}
	if diff := cmp.Diff(record("a", 1, "x"), m.Record("a")); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	must(t, m.Reset(now, "a"))
	if open(t, path).Record("a") != nil {
		t.Error("what was reset is still there")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".labs-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left lying: %v, %v", left, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

// Work is kept by learner: a change of name hides it, the same name finds it.
func TestLearnersHaveTheirOwn(t *testing.T) {
	path := place(t)
	now := time.Now()
	n := open(t, path)
	must(t, n.Save(record("a", 1, "common"), now))
	must(t, n.SetLearner(Learner{Name: "Ana"}, now))
	if n.Record("a") != nil {
		t.Error("another learner's work is shown")
	}
	must(t, n.Save(record("a", 2, "anas"), now))
	must(t, n.SetLearner(Learner{Name: "ana", Class: "k"}, now))
	if n.Record("a") != nil {
		t.Error("the class key gives other numbers, and the work is the same")
	}
	must(t, n.SetLearner(Learner{Name: " aNA "}, now)) // the same numbers (sheet.Variant)
	if r := n.Record("a"); r == nil || r.Steps["anas"] == nil || r.Steps["common"] != nil {
		t.Errorf("ana's work is %+v", r)
	}
	n = open(t, path)
	must(t, n.SetLearner(Learner{Class: "whatever"}, now))
	if r := n.Record("a"); r == nil || r.Steps["common"] == nil {
		t.Errorf("everybody's work is %+v", r)
	}
}

// Several notebooks write to one file at a time: nothing is lost, whether they
// work on different labs, or on different steps of one.
func TestNobodyLosesWork(t *testing.T) {
	const writers, each = 8, 10
	path := place(t)
	var all sync.WaitGroup
	for w := range writers {
		n := open(t, path)
		all.Go(func() {
			for i := range each {
				if err := n.Save(record(fmt.Sprint("own", w), i, fmt.Sprint("s", i)), time.Now()); err != nil {
					t.Error(err)
				}
				if err := n.Save(record("shared", i, fmt.Sprint("w", w, "s", i)), time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	records := open(t, path).Records()
	if len(records) != writers+1 {
		t.Errorf("%d labs, want %d", len(records), writers+1)
	}
	for w := range writers {
		if n := len(records[fmt.Sprint("own", w)].Steps); n != each {
			t.Errorf("writer %d kept %d steps, want %d", w, n, each)
		}
	}
	if n := len(records["shared"].Steps); n != writers*each {
		t.Errorf("the shared lab has %d steps, want %d", n, writers*each)
	}
}

// Of predictions that two processes locked the first counts, whatever became of
// them; in any other step what is right stays right.
func TestMerge(t *testing.T) {
	work := func(s Status, second int) *Work {
		w := &Work{Status: s}
		if second > 0 {
			w.Tries = []Try{{Input: fmt.Sprint(second), At: time.Date(2030, 1, 1, 0, 0, second, 0, time.UTC)}}
		}
		return w
	}
	for _, tt := range []struct {
		name  string
		a, b  *Work
		want  Status
		first string
	}{
		{"first wrong, then right", work(Wrong, 1), work(Right, 2), Wrong, "1"},
		{"first right, then wrong", work(Right, 1), work(Wrong, 2), Right, "1"},
		{"both locked", work(Locked, 1), work(Locked, 2), Locked, "1"},
		{"the same, judged", work(Locked, 1), work(Wrong, 1), Wrong, "1"},
		{"open and right", work(Open, 1), work(Right, 2), Right, "1"},
		{"skipped and right", work(Skipped, 0), work(Right, 2), Right, "2"},
		{"open and given up", work(Open, 1), work(GivenUp, 0), GivenUp, "1"},
	} {
		for _, swapped := range []bool{false, true} {
			a, b := record("x", 1), record("x", 2)
			a.Steps["s"], b.Steps["s"] = tt.a, tt.b
			if swapped {
				a, b = b, a
			}
			r := a.clone()
			r.merge(b)
			if got := r.Steps["s"]; got.Status != tt.want || got.Tries[0].Input != tt.first {
				t.Errorf("%s, swapped %v: %+v, want %s by %s", tt.name, swapped, got, tt.want, tt.first)
			}
			again := r.clone()
			again.merge(b)
			again.merge(a)
			if diff := cmp.Diff(r, again); diff != "" {
				t.Errorf("%s, swapped %v: merged again it is another:\n%s", tt.name, swapped, diff)
			}
		}
	}
}

// A file that is damaged, or of another version, is kept aside byte for byte,
// which is said, and a new one is begun.
func TestWhatMakesNoSenseIsKeptAside(t *testing.T) {
	for name, data := range map[string]string{
		"empty":            "",
		"no JSON":          "hello\x00\xff",
		"cut off":          `{"version": 1, "learners": [`,
		"no version":       `{"learners": []}`,
		"newer":            `{"version": 2, "learners": {"x": 1}}`,
		"a list":           `[]`,
		"null":             `null`,
		"unknown status":   `{"version": 1, "learners": [{"name": "", "labs": {"a": {"steps": {"s": {"status": "wonderful"}}}}}]}`,
		"no record":        `{"version": 1, "learners": [{"name": "", "labs": {"a": null}}]}`,
		"no work":          `{"version": 1, "learners": [{"name": "", "labs": {"a": {"steps": {"s": null}}}}]}`,
		"negative":         `{"version": 1, "learners": [{"name": "", "labs": {"a": {"runs": -1}}}]}`,
		"part below 0":     `{"version": 1, "learners": [{"name": "", "labs": {"a": {"steps": {"s": {"status": "open", "tries": [{"part": -1}]}}}}}]}`,
		"a time of no day": `{"version": 1, "learners": [{"name": "", "labs": {"a": {"began": "yesterday"}}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "labs.json")
			must(t, os.WriteFile(path, []byte(data), 0o600))
			n := open(t, path)
			if len(n.Notices) != 1 || !strings.Contains(n.Notices[0], "kept as ") {
				t.Fatalf("notices %q", n.Notices)
			}
			aside := strings.TrimSuffix(strings.SplitAfter(n.Notices[0], "kept as ")[1], ", and a new one is begun")
			got, err := os.ReadFile(aside)
			if err != nil || string(got) != data {
				t.Errorf("aside is %q, %v", got, err)
			}
			if want := map[bool]string{true: "version-2", false: "damaged"}[name == "newer"]; !strings.Contains(aside, want) {
				t.Errorf("it is kept as %s, want %s in the name", aside, want)
			}
			must(t, n.Save(record("a", 1, "x"), time.Now()))
			again := open(t, path)
			if again.Record("a") == nil || len(again.Notices) > 0 {
				t.Errorf("the new one has %+v, notices %q", again.Record("a"), again.Notices)
			}
			// A second one at the same second does not take the first one's place.
			must(t, os.WriteFile(path, []byte("again"), 0o600))
			open(t, path)
			if got, err := os.ReadFile(aside); err != nil || string(got) != data {
				t.Errorf("the first one aside is %q, %v", got, err)
			}
		})
	}
}

// What became damaged while the process ran is not written over.
func TestDamagedMeanwhile(t *testing.T) {
	path := place(t)
	n := open(t, path)
	must(t, n.Save(record("a", 1, "x"), time.Now()))
	must(t, os.WriteFile(path, []byte("oh"), 0o600))
	must(t, n.Save(record("a", 2, "y"), time.Now()))
	if len(n.Notices) != 1 {
		t.Errorf("notices %q", n.Notices)
	}
	aside, err := filepath.Glob(path + ".damaged*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("aside: %v, %v", aside, err)
	}
	if r := open(t, path).Record("a"); r == nil || r.Steps["y"] == nil {
		t.Errorf("kept %+v", r)
	}
}

// Where nothing can be written the work goes on, and the error says so.
func TestWorkGoesOnWithoutAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	n, err := OpenNotebook(filepath.Join(file, "labs.json"), time.Now())
	if err == nil {
		err = n.Save(record("a", 1, "x"), time.Now())
	}
	if err == nil {
		t.Error("a file is no folder, and nothing was said")
	}
	if n.Record("a") == nil {
		_ = n.Save(record("a", 1, "x"), time.Now())
	}
	if n.Record("a") == nil {
		t.Error("the work is lost before the process ends")
	}
	// A folder in the file's place is not moved away.
	dir := filepath.Join(t.TempDir(), "labs.json")
	must(t, os.Mkdir(dir, 0o700))
	n, err = OpenNotebook(dir, time.Now())
	if err == nil || n == nil {
		t.Errorf("a folder was read: %v", err)
	}
	if err := n.Save(record("a", 1), time.Now()); err == nil {
		t.Error("a folder was written")
	}
	// In memory alone there is nothing to complain about.
	n = open(t, "")
	must(t, n.Save(record("a", 1, "x"), time.Now()))
	if n.Record("a") == nil {
		t.Error("not kept in memory")
	}
}

// A link to the file, as people have who keep such files elsewhere, stays one.
func TestALinkStaysOne(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "labs.json")
	must(t, open(t, real).Save(record("a", 1, "x"), time.Now()))
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	must(t, open(t, link).Save(record("b", 1, "x"), time.Now()))
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if n := len(open(t, real).Records()); n != 2 {
		t.Errorf("the file has %d labs, want 2", n)
	}
}

func TestPass(t *testing.T) {
	c := newClock()
	r := &Record{Lab: "echo"}
	r.Pass(2, 3, c.now())
	if !r.Ended.IsZero() || r.Points != 2 || r.Of != 3 || r.Began.IsZero() {
		t.Errorf("after two stages: %+v", r)
	}
	r.Pass(1, 3, c.now()) // what passed once has passed
	r.Pass(3, 3, c.now())
	if r.Ended.IsZero() || r.Place != Done || r.Points != 3 {
		t.Errorf("after all stages: %+v", r)
	}
}

// Whatever a file holds, it is read or refused; what is read is written and read
// again as the same.
func FuzzWhatIsReadIsKept(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"learner":{"name":"ana"},"learners":[{"name":"ana","labs":{"a":{"place":"run","steps":{"s":{"status":"locked","tries":[{"input":"4","given":"4","at":"2030-01-01T00:00:00Z"}]}},"began":"2030-01-01T00:00:00Z","changed":"2030-01-01T00:00:00Z"}}}]}`,
		`{"version":2}`, `{"version":1,"learners":null}`, `[]`, "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBook(data)
		if err != nil {
			return
		}
		s := lab(t, asked)
		for i := range b.Learners {
			for _, r := range b.Learners[i].Labs {
				New(s, Learner{}, r, time.Now()).Stop()
				c := r.clone()
				c.merge(r)
			}
		}
		once, err := json.Marshal(&b)
		if err != nil {
			t.Skip(err) // a year that JSON does not have
		}
		again, err := parseBook(once)
		if err != nil {
			t.Fatalf("%s\nis not read again: %v", once, err)
		}
		twice, err := json.Marshal(&again)
		must(t, err)
		if !bytes.Equal(once, twice) {
			t.Errorf("once\n%s\ntwice\n%s", once, twice)
		}
	})
}
