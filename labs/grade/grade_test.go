package grade

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/bundle"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A school is what tests hand bundles in to.
type school struct {
	tb     testing.TB
	dir    string
	sheet  *sheet.Sheet
	engine *labs.Engine
	guest  string // SHA-256
	class  string
	played map[string]measure.Runs // by variant
}

// newSchool opens a school. Under the race detector only what marks several
// bundles at a time is worth a run, which raced says.
func newSchool(tb testing.TB, raced bool) *school {
	tb.Helper()
	if imagetest.Raced && !raced {
		tb.Skip("the guest is not watched by the race detector")
	}
	data, err := os.ReadFile("testdata/echo.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	s := &school{tb: tb, dir: tb.TempDir(), class: "net1", played: make(map[string]measure.Runs)}
	if s.sheet, err = sheet.Parse("echo", data); err != nil {
		tb.Fatal(err)
	}
	wasm := imagetest.Guest(tb)
	s.guest = fmt.Sprintf("%x", sha256.Sum256(wasm))
	if s.engine, err = labs.Open(context.Background(), wasm, sim.Options{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.engine.Close() })
	return s
}

func (s *school) play(ctx context.Context, v *sheet.Variant) (measure.Runs, error) {
	return v.Play(ctx, s.engine)
}

func (s *school) options() Options {
	return Options{
		Class: s.class, Guest: s.guest, Play: s.play, PredictCredit: DefaultPredictCredit,
		Sheet: func(lab string) (*sheet.Sheet, error) {
			if lab != s.sheet.Name {
				return nil, fmt.Errorf("no lab is named %s", lab)
			}
			return s.sheet, nil
		},
	}
}

// A pupil says what to answer; where it says nothing it is what is right.
type pupil struct {
	name   string
	class  string              // empty: the school's
	answer map[string][]string // by step
}

// work does the lab as a learner would.
func (s *school) work(p pupil) *attempt.Attempt {
	s.tb.Helper()
	l := attempt.Learner{Name: p.name, Class: s.class}
	if p.class != "" {
		l.Class = p.class
	}
	a := attempt.New(s.sheet, l, nil, labs.Start)
	id := bundle.VariantID(a.Variant.Seed, a.Variant.Values)
	if s.played[id] == nil {
		runs, err := s.play(context.Background(), a.Variant)
		if err != nil {
			s.tb.Fatal(err)
		}
		s.played[id] = runs
	}
	runs := s.played[id]
	give := func(st *sheet.Step) {
		answers, ok := p.answer[st.Name]
		if !ok {
			for part := range st.Parts() {
				answers = append(answers, s.right(st, part, a.Variant, runs))
			}
		}
		for _, text := range answers {
			if _, err := a.AnswerStep(st, text, labs.Start); err != nil {
				s.tb.Fatalf("%s answers %q to %s: %v", p.name, text, st.Name, err)
			}
		}
		a.SkipStep(st, labs.Start)
	}
	for _, st := range s.sheet.Steps {
		if st.Kind == sheet.Predict {
			give(st)
		}
	}
	if err := a.Played(runs, labs.Start); err != nil {
		s.tb.Fatal(err)
	}
	for _, st := range s.sheet.Steps {
		if st.Kind != sheet.Predict {
			give(st)
		}
	}
	return a
}

// right returns the right answer as somebody would type it.
func (s *school) right(st *sheet.Step, part int, v *sheet.Variant, runs measure.Runs) string {
	s.tb.Helper()
	want, err := st.Expected(part, v, runs)
	if err != nil {
		s.tb.Fatal(err)
	}
	return attempt.Show(want)
}

// truth returns the right answer of a learner.
func (s *school) truth(name, step string) string {
	s.tb.Helper()
	v := s.sheet.Variant(s.class, name)
	runs := s.played[bundle.VariantID(v.Seed, v.Values)]
	return s.right(s.sheet.Step(step), 0, v, runs)
}

func (s *school) made() bundle.Made { return bundle.Made{Wirelab: "test", Guest: s.guest} }

// write puts a bundle into the folder.
func (s *school) write(name string, m *bundle.Manifest, files []bundle.Files) string {
	s.tb.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		s.tb.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer f.Close()
	if err := bundle.Write(f, m, files); err != nil {
		s.tb.Fatal(err)
	}
	return path
}

// handIn has a pupil do the lab and hand it in, changed by spoil if that is not nil.
func (s *school) handIn(p pupil, spoil func(*bundle.Manifest, []bundle.Files)) string {
	s.tb.Helper()
	m, files := bundle.Of(s.work(p), s.made())
	if spoil != nil {
		spoil(m, files)
	}
	return s.write(bundle.Name(p.name, m.Lab), m, files)
}

func (s *school) grade(o Options) *Result {
	s.tb.Helper()
	files, err := Files(s.dir)
	if err != nil {
		s.tb.Fatal(err)
	}
	r, err := Grade(context.Background(), files, o)
	if err != nil {
		s.tb.Fatal(err)
	}
	return r
}

// of returns the mark of a file.
func (r *Result) of(tb testing.TB, path string) *Mark {
	tb.Helper()
	i := slices.IndexFunc(r.Bundles, func(m *Mark) bool { return m.File == path })
	if i < 0 {
		tb.Fatalf("no mark for %s", path)
	}
	return r.Bundles[i]
}

// kinds returns what a mark is named for.
func (m *Mark) kinds() []Kind {
	var all []Kind
	for _, f := range m.Findings {
		all = append(all, f.Kind)
	}
	return all
}

func TestHonestWorkIsMarkedAsItIs(t *testing.T) {
	s := newSchool(t, false)
	all := s.handIn(pupil{name: "Ana"}, nil)
	some := s.handIn(pupil{name: "Bo", answer: map[string][]string{
		"rtt":   {"1 s"},                        // wrong: half of 1 point
		"lost":  {"1000 datagrams"},             // wrong to the end: 0 of 2
		"trace": {"1 datagrams", "2 datagrams"}, // neither blank
		"told":  {},                             // not answered
	}}, nil)
	r := s.grade(s.options())
	if m := r.of(t, all); m.Points != 6 || m.Of != 6 || len(m.Findings) > 0 || m.Right() != 4 {
		t.Errorf("all right: %v of %v points, %d right, %+v", m.Points, m.Of, m.Right(), m.Findings)
	}
	m := r.of(t, some)
	if m.Points != 0.5 || m.Of != 6 || !slices.Equal(m.kinds(), []Kind{Unfinished}) {
		t.Errorf("some right: %v of %v points, %+v, %+v", m.Points, m.Of, m.Findings, m.Steps)
	}
	if r.Faults() != 0 {
		t.Errorf("%d faults", r.Faults())
	}
	if len(r.Learners) != 2 || r.Learners[0].Points != 6 || r.Learners[1].Points != 0.5 || r.Learners[0].Of != 6 {
		t.Errorf("learners: %+v", r.Learners)
	}

	o := s.options()
	o.PredictCredit, o.Weights = 0.25, map[string]float64{"echo": 2}
	r = s.grade(o)
	if l := r.Learners[1]; l.Points != 0.5 || l.Of != 12 {
		t.Errorf("with weight 2 and a quarter for a wrong prediction: %v of %v, want 0.5 of 12", l.Points, l.Of)
	}
}

func TestPartsAndHints(t *testing.T) {
	s := newSchool(t, false)
	half := s.handIn(pupil{name: "Ana", answer: map[string][]string{"trace": {"7 datagrams"}}}, nil)
	s.work(pupil{name: "Bo"})
	one := s.handIn(pupil{name: "Bo", answer: map[string][]string{"trace": {s.truth("Bo", "trace"), "3 B"}}}, func(m *bundle.Manifest, _ []bundle.Files) {
		m.Steps[1].Hints = 2
		m.Steps[3].GivenUp, m.Steps[3].Answers, m.Steps[3].Points = true, nil, 0
		m.Points -= m.Steps[3].Of
	})
	o := s.options()
	o.HintCost = 0.25
	r := s.grade(o)
	if m := r.of(t, half); m.Points != 4 {
		t.Errorf("no blank right: %v points, want 4: %+v", m.Points, m.Steps)
	}
	// rtt 1, lost 2 less two hints of a quarter each, one of two blanks 1, given up 0.
	if m := r.of(t, one); m.Points != 3 || m.Faulty() {
		t.Errorf("one blank right, two hints, one given up: %v points, want 3: %+v %+v", m.Points, m.Steps, m.Findings)
	}
}

func TestTamperingIsNamed(t *testing.T) {
	s := newSchool(t, false)
	s.handIn(pupil{name: "Ana"}, nil)
	wrong := map[string][]string{"lost": {"1000 datagrams"}}
	last := func(m *bundle.Manifest) *bundle.Step { return &m.Steps[1] }
	for _, tt := range []struct {
		name  string
		pupil pupil
		spoil func(*bundle.Manifest, []bundle.Files)
		want  []Kind
		text  string
	}{
		{"points of a step", pupil{name: "C1", answer: wrong}, func(m *bundle.Manifest, _ []bundle.Files) { last(m).Points = 2 },
			[]Kind{Altered}, "2 for lost, whose answers are worth 0"},
		{"points in all", pupil{name: "C2", answer: wrong}, func(m *bundle.Manifest, _ []bundle.Files) { m.Points = 6 },
			[]Kind{Altered}, "6 in all, and its answers are worth 4"},
		{"a step of its own", pupil{name: "C3"}, func(m *bundle.Manifest, _ []bundle.Files) {
			m.Steps = append(m.Steps, bundle.Step{Name: "bonus", Kind: "predict", Points: 9})
		}, []Kind{Altered}, "9 for bonus, which is no step"},
		{"events", pupil{name: "C4"}, func(_ *bundle.Manifest, f []bundle.Files) { f[0].Events = append(slices.Clone(f[0].Events), "{}\n"...) },
			[]Kind{Differs}, "the main run, played again, gives other events"},
		{"capture", pupil{name: "C5"}, func(_ *bundle.Manifest, f []bundle.Files) {
			f[0].Capture = slices.Clone(f[0].Capture)
			f[0].Capture[len(f[0].Capture)/2] ^= 1
		}, []Kind{Differs}, "the main run, played again, gives other capture"},
		{"scenario", pupil{name: "C6"}, func(m *bundle.Manifest, _ []bundle.Files) {
			m.Runs[0].Scenario = strings.Replace(m.Runs[0].Scenario, "loss", "lose", 1)
		}, []Kind{Differs}, "gives other scenario"},
		{"another guest", pupil{name: "C7"}, func(m *bundle.Manifest, f []bundle.Files) {
			m.Guest = strings.Repeat("0", 64)
			f[0].Events = []byte("{}\n")
		}, []Kind{OtherGuest}, "another version of the simulated network"},
		{"another sheet", pupil{name: "C8"}, func(m *bundle.Manifest, f []bundle.Files) { m.Sheet = strings.Repeat("0", 64) },
			[]Kind{OtherSheet}, "another version of the lab's text"},
		{"another's name", pupil{name: "Ana"}, func(m *bundle.Manifest, f []bundle.Files) { m.Learner = "C9" },
			[]Kind{OtherVariant}, "it has the numbers of Ana, not those of C9"},
		{"a name that nobody has", pupil{name: "Nobody"}, func(m *bundle.Manifest, f []bundle.Files) { m.Learner = "C10" },
			[]Kind{OtherVariant}, "its numbers are not those of C10"},
		{"another class", pupil{name: "C11", class: "net2"}, nil, []Kind{OtherVariant}, "another class key"},
		{"a lab that is not there", pupil{name: "C12"}, func(m *bundle.Manifest, f []bundle.Files) { m.Lab = "nolab" },
			[]Kind{Unmarkable}, "no lab is named nolab"},
		{"not run", pupil{name: "C13"}, func(m *bundle.Manifest, f []bundle.Files) { m.Runs = nil },
			[]Kind{Unfinished}, "the lab was not run"},
		{"no name", pupil{name: ""}, nil, []Kind{Nameless}, "no learner's name"},
	} {
		m, files := bundle.Of(s.work(tt.pupil), s.made())
		if tt.spoil != nil {
			tt.spoil(m, files)
		}
		if m.Runs == nil {
			files = nil
		}
		path := s.write("spoiled.zip", m, files)
		got := s.grade(s.options()).of(t, path)
		if !slices.Equal(got.kinds(), tt.want) || !strings.Contains(fmt.Sprint(got.Findings), tt.text) {
			t.Errorf("%s: named for %+v, want %v with %q", tt.name, got.Findings, tt.want, tt.text)
		}
		// It is marked all the same, by its own numbers.
		if right := got.Right(); !got.has(OtherVariant) && !got.has(Unmarkable) && right < 3 {
			t.Errorf("%s: %d steps right: %+v", tt.name, right, got.Steps)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatTwoHaveInCommon(t *testing.T) {
	s := newSchool(t, false)
	ana := s.handIn(pupil{name: "Ana"}, nil)
	copied := s.handIn(pupil{name: "Bo", answer: map[string][]string{
		"rtt": {s.truth("Ana", "rtt")}, "lost": {s.truth("Ana", "lost")},
	}}, nil)
	honest := s.handIn(pupil{name: "Cy", answer: map[string][]string{"rtt": {"777 ms"}}}, nil)
	// Who forgets the way back gives, by chance, what is right for another.
	di, ed := s.halves()
	s.handIn(pupil{name: ed}, nil)
	known := s.handIn(pupil{name: di, answer: map[string][]string{"rtt": {s.oneway(di)}}}, nil)
	raw, err := os.ReadFile(ana)
	if err != nil {
		t.Fatal(err)
	}
	twin := filepath.Join(s.dir, "bo", "mine.ZIP")
	if err := os.MkdirAll(filepath.Dir(twin), 0o777); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(s.dir, "broken.zip")
	for path, b := range map[string][]byte{twin: raw, broken: raw[:len(raw)/2], filepath.Join(s.dir, "notes.txt"): nil} {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r := s.grade(s.options())
	for path, want := range map[string][]Kind{
		ana: {Copy}, twin: {Copy, Again}, broken: {Unreadable}, copied: {Neighbour}, honest: nil, known: nil,
	} {
		if got := r.of(t, path); !slices.Equal(slices.Sorted(slices.Values(got.kinds())), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: named for %+v, want %v", path, got.Findings, want)
		}
	}
	if f := r.of(t, copied).Findings; len(f) == 1 && !strings.Contains(f[0].Text, "right for those of Ana: lost (") {
		t.Errorf("copied answers: %q", f[0].Text)
	}
	if n := len(r.Learners); n != 5 {
		t.Errorf("%d learners, want 5: Ana counts once, the broken one is nobody's", n)
	}
}

// oneway returns a learner's delay of one way.
func (s *school) oneway(name string) string {
	return fmt.Sprintf("%g ms", math.Round(1000*s.sheet.Variant(s.class, name).Values["oneway"]))
}

// halves returns two learners; a round trip of the second takes as long as one way
// of the first.
func (s *school) halves() (long, short string) {
	for i := range 1000 {
		long, short = fmt.Sprint("Long ", i), fmt.Sprint("Short ", i/30)
		if s.oneway(long) == s.right(s.sheet.Step("rtt"), 0, s.sheet.Variant(s.class, short), nil) {
			return long, short
		}
	}
	s.tb.Fatal("no two learners whose numbers are twice as large")
	return "", ""
}

// The result does not depend on how many work at it.
func TestResultIsTheSameWithAnyJobs(t *testing.T) {
	s := newSchool(t, true)
	for i := range 4 {
		s.handIn(pupil{name: fmt.Sprint("P", i), answer: map[string][]string{"rtt": {"777 ms"}}}, nil)
	}
	var first string
	for _, jobs := range []int{1, 2, 8} {
		o := s.options()
		o.Jobs = jobs
		var b strings.Builder
		if err := s.grade(o).WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = b.String()
		}
		if b.String() != first {
			t.Errorf("%d jobs: another result:\n%s\n%s", jobs, b.String(), first)
		}
	}
}

func TestCancelledGradeEnds(t *testing.T) {
	s := newSchool(t, false)
	s.handIn(pupil{name: "Ana"}, nil)
	files, err := Files(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := Grade(ctx, files, s.options()); err == nil {
		t.Errorf("Grade = %+v", r)
	}
}
