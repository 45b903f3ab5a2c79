package sheet

import (
	"os"
	"strings"
	"testing"
)

func upper(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile("testdata/upper.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestBuild(t *testing.T) {
	text := upper(t)
	s, err := Parse("upper", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Stages) != 2 || s.Stages[0].Title != "One line" || s.Stages[1].Number != 2 || len(s.Stages[1].Steps) != 3 {
		t.Errorf("stages %+v, want One line and Two lines of 3 steps", s.Stages)
	}
	if want := lineOf(t, text, "transport: tcp"); s.Stages[0].Line != want {
		t.Errorf("stage 1 is in line %d, want %d", s.Stages[0].Line, want)
	}
	if len(s.Starters) != 2 || len(s.References) != 2 || s.References[1].Language != "python" || s.References[1].Source != "import os\n" {
		t.Errorf("starters %v, references %v", s.Starters, s.References)
	}
	want := []Program{
		{Name: "small", Language: "python", File: "main.py", FailsAt: "One line", FailsWith: "wrong bytes"},
		{Name: "first-only", Language: "go", File: "main.go", FailsAt: "Two lines", FailsWith: "never answers"},
		{Name: "deaf", Language: "python", File: "main.py", FailsAt: "One line", FailsWith: "does not listen"},
	}
	for i, w := range want {
		got := s.Wrongs[i]
		if line := lineOf(t, text, "-- wrong/"+w.Name) + 1; got.Line != line {
			t.Errorf("wrong %s is in line %d, want %d", w.Name, got.Line, line)
		}
		got.Line, got.Source = 0, ""
		if got != w {
			t.Errorf("wrong program %+v, want %+v", got, w)
		}
	}
	v := s.Variant("", "Ana")
	if got := v.Text(s.Background); !strings.Contains(got, "here: { }.") {
		t.Errorf("background = %q, want single braces", got)
	}
}

func TestBuildMistakes(t *testing.T) {
	tests := []struct{ name, old, new, at, want string }{
		{"theme", "theme: Build", "theme: TCP", "title:", "want theme Build for kind build"},
		{"no starter", "-- starter/python/main.py --\n# TODO\n", "", "title:", "section -- starter/python/main.py -- is missing"},
		{"finished starter", "# TODO", "# done", "-- starter/python", "the starter has no TODO"},
		{"few wrong ones", "-- wrong/deaf/main.py --\n#!/usr/bin/env python3\n# fails: One line: does not listen\n", "", "title:", "2 wrong programs: want at least 3"},
		{"fails missing", "# fails: One line: wrong bytes\n", "", "import os\n-- wrong/first", "does not say how it fails"},
		{"fails at no stage", "# fails: One line: wrong bytes", "# fails: No line: wrong bytes", "", "the stages are One line, Two lines"},
		{"language", "-- wrong/small/main.py --", "-- wrong/small/main.rb --", "", "LANGUAGE and FILE are go and main.go"},
		{"folder", "-- wrong/small/main.py --", "-- rong/small/main.py --", "", "want starter/LANGUAGE/FILE"},
		{"stage's number", "-- stage 2 Two lines --", "-- stage 3 Two lines --", "", "want -- stage 2 TITLE --"},
		{"stage's title", "-- stage 2 Two lines --", "-- stage 2 One line --", "", `two stages are named "One line"`},
		{"stage's head", "transport: tcp\nlimit", "transport: sctp\nlimit", "", "sctp"},
		{"stage's script", "a < \"A\\nB\\n\"", "b < \"A\\nB\\n\"", "", "b"},
		{"step", "-- explanation --", "-- step one --\nkind: predict\n-- explanation --", "", `section "step one" is unknown`},
	}
	base := upper(t)
	for _, tt := range tests {
		if !strings.Contains(base, tt.old) {
			t.Errorf("%s: the example has no %q", tt.name, tt.old)
			continue
		}
		text := strings.Replace(base, tt.old, tt.new, 1)
		at := tt.at
		if at == "" {
			at, _, _ = strings.Cut(tt.new, "\n")
		}
		if tt.name == "fails missing" {
			text = strings.Replace(text, "-- wrong/small/main.py --\nimport os", "-- wrong/small/main.py --\nimport sys", 1)
			at = "import sys"
		}
		_, err := Parse("upper", []byte(text))
		line := lineOf(t, text, at)
		found := false
		for _, m := range Mistakes(err) {
			found = found || m.Line == line && strings.Contains(m.What, tt.want)
		}
		if !found {
			t.Errorf("%s: Parse =\n%v\nwant line %d with %q", tt.name, err, line, tt.want)
		}
	}
}
