package report

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/attempt"
	"wirelab/labs/check/script"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

func TestMain(m *testing.M) { leak.Main(m) }

// hostile is text that breaks out of whatever is not escaped, and moves a
// terminal's cursor.
const hostile = "<script>alert('x')</script>\"'&\x1b[2J\u202e"

// A course is a lab with hostile texts, and what plays it.
type course struct {
	tb    testing.TB
	sheet *sheet.Sheet
	build *sheet.Sheet
	runs  measure.Runs
	who   attempt.Learner
}

func newCourse(tb testing.TB) *course {
	tb.Helper()
	if imagetest.Raced {
		tb.Skip("the guest is not watched by the race detector, and a report is written by one goroutine")
	}
	data, err := os.ReadFile("../grade/testdata/echo.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	text := strings.NewReplacer(
		"title: An echo", "title: An echo "+hostile,
		"You can say how long an echo takes.", hostile,
		"ask: How long is a round trip?", "ask: "+hostile,
		"solution: {2*oneway | ms}.", "solution: SOLUTION-OF-RTT "+hostile,
		"solution: {n} datagrams of 100 B.", "solution: SOLUTION-OF-TRACE",
		"caption: What was sent.", "caption: "+hostile,
		"bar: sent =", "bar: <b>"+"sent =",
		"were lost.\n-- knob --", "were lost. EXPLAINED "+hostile+"\n-- knob --",
		"RFC 768: all of UDP.", "RFC 768: "+hostile,
		"right: Nothing.", "right: Nothing "+hostile,
	).Replace(string(data))
	c := &course{tb: tb, who: attempt.Learner{Name: "Ana " + hostile, Class: "net1"}}
	if c.sheet, err = sheet.Parse("echo", []byte(text)); err != nil {
		tb.Fatal(err)
	}
	c.build = &sheet.Sheet{Name: "echo-tcp", Title: "Echo " + hostile, Kind: sheet.Build, Theme: "Build", Aims: []string{hostile},
		Stages: []sheet.Stage{{Stage: &script.Stage{Number: 1, Title: "one " + hostile}}, {Stage: &script.Stage{Number: 2, Title: "two"}}}}
	engine, err := labs.Open(context.Background(), imagetest.Guest(tb), sim.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { engine.Close() })
	if c.runs, err = c.sheet.Variant(c.who.Class, c.who.Name).Play(context.Background(), engine); err != nil {
		tb.Fatal(err)
	}
	return c
}

// done returns an attempt: predictions, then the run if ran, then the answers to
// all questions but those named in open, and the knob turned.
func (c *course) done(ran bool, open ...string) *attempt.Attempt {
	c.tb.Helper()
	a := attempt.New(c.sheet, c.who, nil, labs.Start)
	give := func(st *sheet.Step) {
		if slices.Contains(open, st.Name) {
			return
		}
		for part := range st.Parts() {
			v, err := st.Expected(part, a.Variant, c.runs)
			if err != nil {
				c.tb.Fatal(err)
			}
			text := attempt.Show(v)
			if st.Kind == sheet.Choice {
				shown, err := st.Choices(a.Variant, c.runs)
				if err != nil {
					c.tb.Fatal(err)
				}
				for _, s := range shown {
					if st.Options[s.Option].Right {
						text = s.Letter
					}
				}
			}
			if _, err := a.AnswerStep(st, text, labs.Start); err != nil {
				c.tb.Fatalf("%s: %q: %v", st.Name, text, err)
			}
		}
	}
	for _, st := range c.sheet.Steps {
		if st.Kind == sheet.Predict {
			give(st)
		}
	}
	if !ran {
		return a
	}
	if err := a.Played(c.runs, labs.Start); err != nil {
		c.tb.Fatal(err)
	}
	for _, st := range c.sheet.Steps {
		if st.Kind != sheet.Predict {
			give(st)
		}
	}
	for range maxTurns + 2 {
		v, err := a.Turn("25%")
		if err != nil {
			c.tb.Fatal(err)
		}
		if _, err := a.Turned(v, c.runs, labs.Start); err != nil {
			c.tb.Fatal(err)
		}
	}
	return a
}

func (c *course) page(all ...Lab) string {
	c.tb.Helper()
	r := Report{Learner: c.who.Name, Program: "wirelab " + hostile, Date: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC), Labs: all}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		c.tb.Fatal(err)
	}
	return b.String()
}

func TestReport(t *testing.T) {
	c := newCourse(t)
	all := []Lab{{Attempt: c.done(true)}, {Sheet: c.build, Passed: 1, Verdict: "want 3 bytes\n00 01 <" + hostile}, {Attempt: c.done(false)}, {Attempt: c.done(true, "trace")}}
	page := c.page(all...)

	t.Run("needs nothing else", func(t *testing.T) { needsNothing(t, page) })
	t.Run("is escaped", func(t *testing.T) {
		for _, bad := range []string{"<script", "</script", "\x1b", "\u202e", "alert('x')\"'&"} {
			if strings.Contains(page, bad) {
				t.Errorf("%q is in it as it is", bad)
			}
		}
		if !strings.Contains(page, "&lt;script&gt;") {
			t.Error("where is what was to be escaped?")
		}
	})
	t.Run("is the same again", func(t *testing.T) {
		if again := c.page(all...); again != page {
			t.Error("written twice, it differs")
		}
	})
	t.Run("has its parts", func(t *testing.T) {
		whole := c.page(all[0])
		for _, want := range []string{
			"6 of 6 points", "finished", "SOLUTION-OF-RTT", "SOLUTION-OF-TRACE", "EXPLAINED", "Predicted before the run", "What the run showed",
			"<svg", "<figure", "Questions about it", "Theory, run and answers", "The knob", "It was turned 2 more times", "Read on", "27 November 2026", "✓ right",
		} {
			if !strings.Contains(whole, want) {
				t.Errorf("no %q", want)
			}
		}
		if n := strings.Count(whole, `class="wide turn"`); n != maxTurns {
			t.Errorf("%d turns of the knob, want %d", n, maxTurns)
		}
		built := c.page(all[1])
		for _, want := range []string{"1 of 2 points", "not finished", "Stages of the program", "want 3 bytes\n00 01", "not passed"} {
			if !strings.Contains(built, want) {
				t.Errorf("a lab to build: no %q", want)
			}
		}
		if none := c.page(); !strings.Contains(none, "No lab was begun") {
			t.Errorf("no labs: %s", none)
		}
	})
	t.Run("gives nothing away", func(t *testing.T) {
		before := c.page(all[2]) // predicted, not run
		for _, secret := range []string{"SOLUTION-OF-RTT", "SOLUTION-OF-TRACE", "EXPLAINED", "<figure", "✓", "✗"} {
			if strings.Contains(before, secret) {
				t.Errorf("before the run: %q is in it", secret)
			}
		}
		open := c.page(all[3]) // one question is open
		for _, secret := range []string{"SOLUTION-OF-TRACE", "EXPLAINED", "trace.count"} {
			if strings.Contains(open, secret) {
				t.Errorf("with an open question: %q is in it", secret)
			}
		}
		if !strings.Contains(open, "SOLUTION-OF-RTT") || !strings.Contains(open, "1 of 4 steps open") {
			t.Error("with an open question: what was answered is not in it")
		}
	})
}

// needsNothing checks that a page loads nothing, runs nothing, and that what
// refers to a part of it finds it.
func needsNothing(t *testing.T, page string) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids, refs := make(map[string]int), make(map[string]string)
	loads := regexp.MustCompile(`(?i)url\(|@import|expression\(|javascript:`)
	for n := range doc.Descendants() {
		switch n.Type {
		case html.TextNode:
			if n.Parent.Data == "style" && loads.MatchString(strings.ReplaceAll(n.Data, "url(#", "")) {
				t.Errorf("a style that loads: %.80q", n.Data)
			}
			continue
		case html.ElementNode:
		default:
			continue
		}
		switch n.Data {
		case "script", "link", "iframe", "object", "embed", "img", "base", "form", "audio", "video", "image", "foreignobject":
			t.Errorf("an element %s", n.Data)
		}
		for _, a := range n.Attr {
			switch key := strings.ToLower(a.Key); {
			case key == "id":
				ids[a.Val]++
			case key == "href":
				if !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s refers to %q", n.Data, a.Val)
				}
				refs[strings.TrimPrefix(a.Val, "#")] = n.Data
			case key == "aria-labelledby", key == "aria-describedby":
				for _, id := range strings.Fields(a.Val) {
					refs[id] = n.Data
				}
			case strings.HasPrefix(key, "xmlns"): // a name, not a place
			case strings.HasPrefix(key, "on"), key == "src", key == "srcset", key == "action", key == "data":
				t.Errorf("%s has %s=%q", n.Data, key, a.Val)
			case strings.Contains(a.Val, "://") || loads.MatchString(strings.ReplaceAll(a.Val, "url(#", "")):
				t.Errorf("%s has %s=%q", n.Data, key, a.Val)
			}
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q stands %d times", id, n)
		}
	}
	for id, from := range refs {
		if ids[id] == 0 {
			t.Errorf("%s refers to #%s, which is not there", from, id)
		}
	}
	if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'"`) {
		t.Error("no policy that keeps the page from loading anything")
	}
}
