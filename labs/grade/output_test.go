package grade

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"wirelab/internal/cells"
	"wirelab/internal/style"
	"wirelab/labs/attempt"
)

var update = flag.Bool("update", false, "rewrite golden files")

// sample is a class of three and two files that could not be marked, with
// hostile text wherever a bundle may have some.
func sample() *Result {
	step := func(name, kind string, status attempt.Status, points float64) Step {
		return Step{Name: name, Kind: kind, Given: "40 ms", Status: status, Tries: 1, Points: points, Of: 1}
	}
	ana := &Mark{File: "class/ana-rto.zip", Sum: "x", Learner: "Ana", Lab: "rto", Title: "The timer", Counts: true, Points: 2.5, Of: 3, Steps: []Step{
		step("first", "predict", attempt.Right, 1), step("second", "predict", attempt.Wrong, 0.5), step("why", "choice", attempt.Right, 1)}}
	bo := &Mark{File: "class/bo-rto.zip", Sum: "y", Learner: "=cmd|' /C calc'!A0", Lab: "rto", Title: "The timer", Counts: true, Points: 1, Of: 3, Steps: []Step{
		step("first", "predict", attempt.Right, 1), step("second", "predict", attempt.Open, 0), step("why", "choice", attempt.GivenUp, 0)}}
	bo.Steps[1].Given, bo.Steps[1].Tries, bo.Steps[2].Given = "", 0, "<script>]]>&\x1b[2J"
	bo.name(Differs, "the main run, played again, gives other %s", "events")
	bo.name(Unfinished, "1 of 3 steps not answered")
	cy := &Mark{File: "class/cy-echo-tcp.zip", Sum: "z", Learner: "Cy\x1b[2J\n<b>", Lab: "echo-tcp", Title: "Echo over TCP", Counts: true, Points: 2, Of: 3, Steps: []Step{
		step("one", "stage", attempt.Right, 1), step("two", "stage", attempt.Right, 1), step("three", "stage", attempt.Open, 0)}}
	for i := range cy.Steps {
		cy.Steps[i].Given = ""
	}
	cy.name(Unverified, "as the bundle tells it")
	bad := &Mark{File: "class/\x1b[31mbad.zip"}
	bad.name(Unreadable, "no whole zip file")
	gone := &Mark{File: "class/no-such.zip", Learner: "Di", Lab: "no-such"}
	gone.name(Unmarkable, "no lab is named no-such")
	r := &Result{Labs: []Lab{{"echo-tcp", "Echo over TCP", 3, 2}, {"rto", "The timer", 3, 1}}, Bundles: []*Mark{ana, bad, bo, cy, gone}}
	r.Learners = []Learner{
		{bo.Learner, []*Mark{nil, bo}, 1, 9}, {"Ana", []*Mark{nil, ana}, 2.5, 9}, {cy.Learner, []*Mark{cy, nil}, 4, 9},
	}
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func TestTable(t *testing.T) {
	r := sample()
	for _, width := range []int{80, 44} {
		text := r.Table(View{Width: width, Palette: style.NewPalette(io.Discard, true)})
		golden(t, fmt.Sprintf("table-%d.txt", width), text)
		for line := range strings.Lines(text) {
			if w := cells.Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("width %d: %q has %d cells", width, line, w)
			}
		}
		for _, c := range text {
			if c != '\n' && !unicode.IsGraphic(c) {
				t.Errorf("width %d: %U in it", width, c)
			}
		}
	}
	if text := new(Result).Table(View{Palette: style.NewPalette(io.Discard, true)}); !strings.Contains(text, "0 bundles of 0 learners") {
		t.Errorf("no bundles: %q", text)
	}
}

// A line for each learner and lab; no cell begins a formula.
func TestCSV(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + len(r.Learners)*len(r.Labs) + 2; len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	at := func(name string) int { return slices.Index(lines[0], name) }
	sums := make(map[string]float64)
	for _, line := range lines[1:] {
		for _, c := range line {
			if c != "" && strings.ContainsAny(c[:1], "=+-@") {
				t.Errorf("cell %q is a formula", c)
			}
		}
		points, _ := strconv.ParseFloat(line[at("points")], 64)
		weight, _ := strconv.ParseFloat(line[at("weight")], 64)
		sums[line[at("learner")]] += weight * points
	}
	for i := range r.Learners {
		if l := &r.Learners[i]; sums[cell(l.Name)] != l.Points {
			t.Errorf("%q: the lines sum to %v, want %v", l.Name, sums[cell(l.Name)], l.Points)
		}
	}
}

// The report has what the schemas of Ant and of Jenkins want, element by element,
// and its counts are those of its cases.
func TestJUnit(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteJUnit(&b, time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	wants := map[string][]string{ // attributes that one of the schemas requires
		"testsuites": {}, "properties": {}, "skipped": {}, "system-out": {}, "system-err": {},
		"testsuite": {"package", "id", "name", "timestamp", "hostname", "tests", "failures", "errors", "time"},
		"property":  {"name", "value"}, "testcase": {"name", "classname", "time"}, "failure": {"type"}, "error": {"type"},
	}
	parents := map[string]string{
		"testsuites": "", "testsuite": "testsuites", "properties": "testsuite", "property": "properties", "testcase": "testsuite",
		"failure": "testcase", "error": "testcase", "skipped": "testcase", "system-out": "testsuite", "system-err": "testsuite",
	}
	order := []string{"properties", "testcase", "system-out", "system-err"} // a sequence in Ant's
	var path []string
	counts := make(map[string]int)
	last := 0
	for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		switch e := token.(type) {
		case xml.StartElement:
			name, parent := e.Name.Local, ""
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			required, known := wants[name]
			if !known || parents[name] != parent {
				t.Errorf("element %s in %q", name, parent)
			}
			attr := make(map[string]string)
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
			}
			for _, a := range required {
				if _, ok := attr[a]; !ok {
					t.Errorf("%s has no %s", name, a)
				}
			}
			if i := slices.Index(order, name); i >= 0 {
				if i < last {
					t.Errorf("%s after %s", name, order[last])
				}
				last = i
			}
			if name == "testsuite" {
				last = 0
				if attr["name"] == "" || strings.TrimSpace(attr["name"]) != attr["name"] {
					t.Errorf("suite %q", attr["name"])
				}
				if _, err := time.Parse("2006-01-02T15:04:05", attr["timestamp"]); err != nil {
					t.Error(err)
				}
				for what, element := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"} {
					n, err := strconv.Atoi(attr[what])
					if err != nil {
						t.Error(err)
					}
					counts[element] -= n
				}
			}
			counts[name]++
			path = append(path, name)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.Directive, xml.ProcInst:
		}
	}
	for _, name := range []string{"testcase", "failure", "error", "skipped"} {
		if counts[name] != 0 {
			t.Errorf("%d more %s elements than the suites say", counts[name], name)
		}
	}
	if counts["testsuite"] != len(r.Bundles) {
		t.Errorf("%d suites, want %d", counts["testsuite"], len(r.Bundles))
	}
}

// The specification has these keys and no others; a hidden test has no points,
// since it would keep learners from seeing their total.
func TestGradescope(t *testing.T) {
	r := sample()
	top := []string{"score", "execution_time", "output", "visibility", "stdout_visibility", "extra_data", "tests", "leaderboard"}
	test := []string{"score", "max_score", "status", "name", "number", "output", "tags", "visibility", "extra_data"}
	visible := []string{"hidden", "after_due_date", "after_published", "visible"}
	for i := range r.Learners {
		l := &r.Learners[i]
		var b bytes.Buffer
		if err := r.WriteGradescope(&b, l); err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		for key := range doc {
			if !slices.Contains(top, key) {
				t.Errorf("%s: key %q", l.Name, key)
			}
		}
		if doc["score"] != l.Points || !slices.Contains(visible, doc["visibility"].(string)) {
			t.Errorf("%s: score %v, visibility %v", l.Name, doc["score"], doc["visibility"])
		}
		sum, of, hidden := 0.0, 0.0, 0
		numbers := make(map[string]bool)
		for _, v := range doc["tests"].([]any) {
			one := v.(map[string]any)
			for key := range one {
				if !slices.Contains(test, key) {
					t.Errorf("%s: a test's key %q", l.Name, key)
				}
			}
			if n := one["number"].(string); numbers[n] {
				t.Errorf("%s: two tests %s", l.Name, n)
			} else {
				numbers[n] = true
			}
			if one["name"] == "" || !slices.Contains(visible, one["visibility"].(string)) {
				t.Errorf("%s: test %v", l.Name, one)
			}
			if s, ok := one["status"]; ok && s != "passed" && s != "failed" {
				t.Errorf("%s: status %v", l.Name, s)
			}
			if one["visibility"] == "hidden" {
				hidden++
				if one["score"] != nil || one["max_score"] != nil {
					t.Errorf("%s: a hidden test with points: %v", l.Name, one)
				}
				continue
			}
			sum += one["score"].(float64)
			of += one["max_score"].(float64)
		}
		if !alike(sum, l.Points) || !alike(of, l.Of) {
			t.Errorf("%s: tests sum to %v of %v, want %v of %v", l.Name, sum, of, l.Points, l.Of)
		}
		want := 0
		for _, m := range l.Marks {
			if m != nil {
				want += len(m.Findings)
			}
		}
		if hidden != want {
			t.Errorf("%s: %d hidden tests, want one for each of %d findings", l.Name, hidden, want)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, r := range []*Result{sample(), {}} {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Version  string
			Faulty   bool
			Labs     []Lab
			Learners []struct {
				Name       string
				Points, Of float64
				Files      map[string]string
			}
			Bundles []Mark
		}
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Version != "1" || doc.Faulty != (r.Faults() > 0) || doc.Labs == nil || len(doc.Learners) != len(r.Learners) || len(doc.Bundles) != len(r.Bundles) {
			t.Errorf("%s", b.String())
		}
		for i, l := range doc.Learners {
			files := 0
			for _, m := range r.Learners[i].Marks {
				if m != nil {
					files++
				}
			}
			if l.Name != r.Learners[i].Name || l.Points != r.Learners[i].Points || len(l.Files) != files {
				t.Errorf("learner %d: %+v", i, l)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.5: "0.5", 10: "10", 2.0 / 3: "0.67", 100: "100", 0.1 + 0.2: "0.3"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
