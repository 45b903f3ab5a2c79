package attempt

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

// asked is a lab whose figures are easy to reckon: ana sends n packets, and each
// is answered one round trip later.
const asked = `title: A lab for tests
theme: Basics
kind: observe
minutes: 5
-- aims --
You can say one thing.
You can say another.
-- background --
The way takes {oneway}.
-- variables --
oneway = pick 20ms
n = pick 4 | packets
rtt = 2*oneway | ms
-- scenario --
host ana
  link delay {oneway}
host bo
run bo
  udp 7000 as s
  echo s
run ana
  udp 5000 as s
  request s bo:7000 100 x {n} within 1s
-- step rtt --
kind: predict
ask: How long there and back?
unit: ms
answer: 2*oneway
measured: first(received("ana")).arrived - first(sent("ana")).t
tolerance: 2%
spread: 3ms
wrong: oneway | That is one way.
hint: There, and what else?
hint: Twice {oneway}.
solution: 2 · {oneway} = {2*oneway | ms}; the run gave {first(received("ana")).arrived - first(sent("ana")).t | ms}.
source: RFC 2681
points: 2
-- step sends --
kind: predict
ask: How many packets?
unit: packets
answer: n
measured: len(sent("ana"))
tolerance: 0
wrong: 2*n | These are both ways.
hint: Count.
solution: {n}.
source: arithmetic
-- step counted --
kind: question
ask: How many came back?
unit: packets
measured: len(received("ana"))
tolerance: 0
wrong: 2*n | These are both ways.
hint: Count the arrows.
hint: It is as many as went out.
solution: {len(received("ana"))}.
source: your own run
points: 3
-- step why --
kind: choice
ask: Why does it take so long?
right: The way is long.
wrong: The link is narrow. | It is not.
wrong: The program sleeps. | It does not.
hint: Think.
solution: The way is long.
source: RFC 2681
-- step trace --
kind: fill
ask: Fill it in.
line: first at [a] ms, then [b] packets
blank: a = first(received("ana")).arrived - first(sent("ana")).t | ms
blank: b = len(sent("ana")) | packets
wrong: b = 2*n | Both ways.
hint: Look.
solution: As it was.
source: your own run
-- view bars --
kind: bars
caption: What was sent.
bar: sent = len(sent("ana")) | packets
-- explanation --
It took {rtt}.
-- knob --
variable: oneway
values: 1ms 200ms
ask: Turn it.
-- reading --
RFC 2681, section 2.4: what a round trip is.
`

func lab(t testing.TB, text string) *sheet.Sheet {
	t.Helper()
	s, err := sheet.Parse("asked", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// played makes the runs of a lab by hand: n packets, and their answers after a
// round trip and late seconds.
func played(v *sheet.Variant, late float64) measure.Runs {
	r := &measure.Run{}
	rtt := v.Values["rtt"] + late
	for i := range int(v.Values["n"]) {
		t := 0.1 * float64(i)
		r.Packets = append(r.Packets,
			measure.Packet{N: 2*i + 1, T: t, Arrived: t + rtt/2, Copies: 1, Host: "ana", Up: true, From: "ana", To: "bo", Proto: "udp"},
			measure.Packet{N: 2*i + 2, T: t + rtt/2, Arrived: t + rtt, Copies: 1, Host: "ana", From: "bo", To: "ana", Proto: "udp"})
	}
	return measure.Runs{"": r}
}

// clock gives instants one second apart.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.t = c.t.Add(time.Second)
	return c.t
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// to goes forward to a place, and fails if something is in the way.
func to(t testing.TB, a *Attempt, p Place, c *clock) {
	t.Helper()
	for range a.Stops() {
		if a.Stop().Place == p {
			return
		}
		must(t, a.Next(c.now()))
	}
	t.Fatalf("no place %s ahead", p)
}

func TestTheWay(t *testing.T) {
	a := New(lab(t, asked), Learner{}, nil, newClock().now())
	var got []string
	for _, s := range a.Stops() {
		got = append(got, string(s.Place)+" "+s.name())
	}
	want := []string{
		"reading ", "predicting rtt", "predicting sends", "run ", "looking bars",
		"questions counted", "questions why", "questions trace", "explanation ", "knob ", "done ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the way (-want +got):\n%s", diff)
	}
	if s := a.Stops()[2]; s.Number != 2 || s.Of != 2 {
		t.Errorf("the second prediction is %d of %d", s.Number, s.Of)
	}
}

// The first answer that makes sense as one is locked; what makes none is asked
// again, and nothing is lost.
func TestTheFirstPredictionIsLocked(t *testing.T) {
	c := newClock()
	a := New(lab(t, asked), Learner{}, nil, c.now())
	to(t, a, Predicting, c)
	for _, input := range []string{"", "  ", "abc", "40 bytes", "40 ms ms", strings.Repeat("9", 2000), "40\xff"} {
		_, err := a.Answer(input, c.now())
		if bad := (*measure.Unreadable)(nil); !errors.As(err, &bad) {
			t.Errorf("Answer(%.20q) = %v, want an *Unreadable", input, err)
		}
		if w := a.Work(a.Stop().Step); w.Status != Open || len(w.Tries) != 0 {
			t.Errorf("after %.20q: %+v", input, w)
		}
	}
	if err := a.Next(c.now()); !errors.Is(err, ErrOpen) {
		t.Errorf("Next without an answer: %v", err)
	}
	reply, err := a.Answer("20 ms", c.now())
	must(t, err)
	if !reply.Locked || reply.Status != Locked || reply.Verdict.Given != "20 ms" {
		t.Errorf("reply %+v", reply)
	}
	if _, err := a.Answer("40 ms", c.now()); !errors.Is(err, ErrLocked) {
		t.Errorf("a second answer: %v", err)
	}
}

// Whether a prediction is right must not be seen before the run: not in the
// reply, not in what is kept.
func TestAPredictionIsNotJudgedBeforeTheRun(t *testing.T) {
	told := func(answer string) (string, string) {
		c := newClock()
		a := New(lab(t, asked), Learner{}, nil, c.now())
		to(t, a, Predicting, c)
		st := a.Stop().Step
		reply, err := a.Answer(answer, c.now())
		must(t, err)
		if text, ok := a.Solution(st); ok {
			t.Errorf("the solution before the run: %q", text)
		}
		if v, ok := a.Verdict(st, 0); ok {
			t.Errorf("a verdict before the run: %+v", v)
		}
		kept, err := json.Marshal(a.Record())
		must(t, err)
		said, err := json.Marshal(reply)
		must(t, err)
		blank := strings.NewReplacer("40", "X", "20", "X", "0.04", "Y", "0.02", "Y")
		return blank.Replace(string(kept)), blank.Replace(string(said))
	}
	rightKept, rightSaid := told("40 ms")
	wrongKept, wrongSaid := told("20 ms")
	if diff := cmp.Diff(rightKept, wrongKept); diff != "" {
		t.Errorf("what is kept tells right from wrong:\n%s", diff)
	}
	if diff := cmp.Diff(rightSaid, wrongSaid); diff != "" {
		t.Errorf("the reply tells right from wrong:\n%s", diff)
	}
}

func TestGates(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{}, nil, c.now())
	last := len(a.Stops()) - 1
	if err := a.Go(last, c.now()); !errors.Is(err, ErrEarly) {
		t.Errorf("to the end at once: %v", err)
	}
	if err := a.Played(played(a.Variant, 0), c.now()); !errors.Is(err, ErrEarly) {
		t.Errorf("run before the predictions: %v", err)
	}
	if _, err := a.AnswerStep(s.Step("counted"), "4", c.now()); !errors.Is(err, ErrNotRun) {
		t.Errorf("a question before the run: %v", err)
	}
	if _, err := a.GiveUpStep(s.Step("counted"), c.now()); !errors.Is(err, ErrNotRun) {
		t.Errorf("a solution before the run: %v", err)
	}
	must(t, a.Next(c.now()))
	must(t, a.Skip(c.now()))
	must(t, a.Skip(c.now()))
	if a.Stop().Place != Running || !a.Ready() {
		t.Fatalf("at %s, ready %v", a.Stop().Place, a.Ready())
	}
	if err := a.Next(c.now()); !errors.Is(err, ErrNotRun) {
		t.Errorf("past the run: %v", err)
	}
	a.Back(c.now())
	if _, err := a.Answer("4", c.now()); err != nil {
		t.Errorf("what was skipped is answered before the run: %v", err)
	}
	must(t, a.Played(played(a.Variant, 0), c.now()))
	if _, err := a.AnswerStep(s.Step("rtt"), "40 ms", c.now()); !errors.Is(err, ErrLate) {
		t.Errorf("a prediction after the run: %v", err)
	}
	if got := a.Work(s.Step("rtt")).Status; got != Skipped {
		t.Errorf("it is %s", got)
	}
	must(t, a.Go(last, c.now()))
	if a.Record().Ended.IsZero() {
		t.Error("the end was reached, and is not noted")
	}
	if _, err := a.Answer("x", c.now()); !errors.Is(err, ErrPlace) {
		t.Errorf("an answer at the end: %v", err)
	}
}

// A step that is right has all of its points, a prediction that was wrong half,
// given up none, however often it was tried.
func TestPoints(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{}, nil, c.now())
	points := func(want float64, when string) {
		t.Helper()
		got, of := a.Points()
		if got != want || of != 2+1+3+1+1 {
			t.Errorf("%s: %v of %v points, want %v of 8", when, got, of, want)
		}
	}
	answer := func(step, input string) Reply {
		t.Helper()
		r, err := a.AnswerStep(s.Step(step), input, c.now())
		must(t, err)
		return r
	}
	answer("rtt", "20 ms") // wrong: half of 2
	answer("sends", "4")   // right: 1
	points(0, "before the run")
	must(t, a.Played(played(a.Variant, 0), c.now()))
	points(2, "after the run")
	if v, ok := a.Verdict(s.Step("rtt"), 0); !ok || v.Right || v.Feedback != "That is one way." {
		t.Errorf("the verdict of the prediction: %+v, %v", v, ok)
	}
	if r := answer("counted", "8"); r.Verdict.Right || r.Verdict.Feedback != "These are both ways." || r.Status != Open {
		t.Errorf("a known wrong answer: %+v", r)
	}
	answer("counted", "4")
	points(5, "at the second try")
	if _, err := a.AnswerStep(s.Step("counted"), "4", c.now()); !errors.Is(err, ErrDone) {
		t.Errorf("answered again: %v", err)
	}
	solution, err := a.GiveUpStep(s.Step("why"), c.now())
	must(t, err)
	if solution != "The way is long." {
		t.Errorf("the solution is %q", solution)
	}
	points(5, "given up")
	if _, err := a.AnswerStep(s.Step("why"), "The way is long.", c.now()); !errors.Is(err, ErrDone) {
		t.Errorf("answered after it was given up: %v", err)
	}
	r := a.Record()
	if r.Points != 5 || r.Of != 8 {
		t.Errorf("the record has %v of %v", r.Points, r.Of)
	}
}

func TestHintsComeInTiers(t *testing.T) {
	c := newClock()
	a := New(lab(t, asked), Learner{}, nil, c.now())
	if _, _, of := a.Hint(c.now()); of != 0 {
		t.Error("a hint where nothing is asked")
	}
	to(t, a, Predicting, c)
	for i, want := range []string{"There, and what else?", "Twice 20 ms.", "Twice 20 ms."} {
		text, n, of := a.Hint(c.now())
		if text != want || n != min(i+1, 2) || of != 2 {
			t.Errorf("hint %d: %q, %d of %d, want %q", i+1, text, n, of, want)
		}
	}
	if got := a.Work(a.Stop().Step).Hints; got != 2 {
		t.Errorf("%d hints are noted, want 2", got)
	}
}

func TestBlanksAreAskedInTurn(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{}, nil, c.now())
	to(t, a, Predicting, c)
	must(t, a.Skip(c.now()))
	must(t, a.Skip(c.now()))
	must(t, a.Played(played(a.Variant, 0), c.now()))
	st := s.Step("trace")
	for _, step := range []struct {
		input  string
		part   int
		right  bool
		status Status
	}{
		{"4 ms", 0, false, Open},
		{"40 ms", 0, true, Open},
		{"8", 1, false, Open},
		{"4", 1, true, Right},
	} {
		r, err := a.AnswerStep(st, step.input, c.now())
		must(t, err)
		if r.Part != step.part || r.Verdict.Right != step.right || r.Status != step.status {
			t.Errorf("%q: part %d, right %v, %s, want %+v", step.input, r.Part, r.Verdict.Right, r.Status, step)
		}
	}
}

// An attempt goes on in another process: where it was, with what was answered;
// the run has to be played again, which does not count as another one.
func TestItGoesOn(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{Name: "ana"}, nil, c.now())
	to(t, a, Predicting, c)
	_, err := a.Answer("40 ms", c.now())
	must(t, err)
	must(t, a.Next(c.now()))
	must(t, a.Skip(c.now()))
	must(t, a.Played(played(a.Variant, 0), c.now()))
	to(t, a, Asking, c)
	data, err := json.Marshal(a.Record())
	must(t, err)
	var r Record
	must(t, json.Unmarshal(data, &r))

	b := New(s, Learner{Name: "ana"}, &r, c.now())
	if b.Stop().Place != Asking || b.Stop().Step.Name != "counted" || !b.Stale() {
		t.Fatalf("it goes on at %+v, stale %v", b.Stop(), b.Stale())
	}
	if b.Checks() != nil {
		t.Error("there are figures, and nothing was played")
	}
	must(t, b.Played(played(b.Variant, 0), c.now()))
	if diff := cmp.Diff(a.Record().Steps, b.Record().Steps); diff != "" {
		t.Errorf("other work (-before +after):\n%s", diff)
	}
	if n := b.Record().Runs; n != 1 {
		t.Errorf("%d runs are noted, want 1", n)
	}
	must(t, b.Played(played(b.Variant, 0), c.now()))
	if n := b.Record().Runs; n != 2 {
		t.Errorf("%d runs are noted, want 2", n)
	}
}

// A record does not change with the attempt that it came from.
func TestARecordIsACopy(t *testing.T) {
	c := newClock()
	a := New(lab(t, asked), Learner{}, nil, c.now())
	to(t, a, Predicting, c)
	a.Hint(c.now())
	r := a.Record()
	before, err := json.Marshal(r)
	must(t, err)
	_, err = a.Answer("40 ms", c.now())
	must(t, err)
	after, err := json.Marshal(r)
	must(t, err)
	if string(before) != string(after) {
		t.Errorf("the record was\n%s\nand is\n%s", before, after)
	}
}

// A text that was changed since keeps what is still asked.
func TestARevisedLab(t *testing.T) {
	c := newClock()
	a := New(lab(t, asked), Learner{}, nil, c.now())
	to(t, a, Predicting, c)
	_, err := a.Answer("40 ms", c.now())
	must(t, err)
	must(t, a.Next(c.now()))
	_, err = a.Answer("4", c.now())
	must(t, err)
	must(t, a.Played(played(a.Variant, 0), c.now()))
	r := a.Record()
	r.Place, r.Stop = Asking, "gone"
	r.Steps["gone"] = &Work{Status: Right}
	b := New(lab(t, strings.Replace(asked, "answer: 2*oneway", "answer: 3*oneway", 1)), Learner{}, r, c.now())
	if !b.Revised {
		t.Error("it does not say that the text has changed")
	}
	if b.Stop().Place != Asking || b.Stop().Number != 1 {
		t.Errorf("it goes on at %+v", b.Stop())
	}
	must(t, b.Played(played(b.Variant, 0), c.now()))
	got := b.Record().Steps
	if got["gone"] != nil || got["rtt"].Status != Wrong || got["sends"].Status != Right {
		t.Errorf("steps are %+v, %+v, %+v", got["gone"], got["rtt"], got["sends"])
	}
	if c := New(lab(t, asked), Learner{}, a.Record(), c.now()); c.Revised {
		t.Error("the same text is called another")
	}
}

// Who tries for ever does not fill the disk.
func TestTriesAreBounded(t *testing.T) {
	c := newClock()
	s := lab(t, asked)
	a := New(s, Learner{}, nil, c.now())
	a.SkipStep(s.Step("rtt"), c.now())
	a.SkipStep(s.Step("sends"), c.now())
	must(t, a.Played(played(a.Variant, 0), c.now()))
	for range 3 * maxTries {
		_, err := a.AnswerStep(s.Step("counted"), "5", c.now())
		must(t, err)
	}
	if n := len(a.Work(s.Step("counted")).Tries); n != maxTries {
		t.Errorf("%d tries are kept, want %d", n, maxTries)
	}
}
