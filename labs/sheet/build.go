package sheet

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"wirelab/labs/check/script"
	"wirelab/labs/measure"
)

// build reads the sections of a lab to build.
func (p *parser) build() {
	s := p.sheet
	p.common(measure.Names{}, measure.Names{})
	p.each("stage", p.stage)
	for i := range p.sections {
		if sec := &p.sections[i]; strings.Contains(sec.name, "/") {
			p.program(sec)
		}
	}
	for _, want := range []struct {
		what string
		all  []Program
	}{{"starter", s.Starters}, {"reference", s.References}} {
		for _, language := range []string{"go", "python"} {
			if !slices.ContainsFunc(want.all, func(q Program) bool { return q.Language == language }) {
				p.fail(1, 0, "section -- %s/%s/%s -- is missing", want.what, language, mainFile(language))
			}
		}
	}
	if n := len(s.Wrongs); n < 3 {
		p.fail(1, 0, "%d wrong programs: want at least 3, in sections such as -- wrong/one-read/main.py --", n)
	}
}

func mainFile(language string) string {
	if language == "go" {
		return "main.go"
	}
	return "main.py"
}

// stage reads "-- stage N TITLE --".
func (p *parser) stage(sec *section) {
	s := p.sheet
	number, title, _ := strings.Cut(sec.rest, " ")
	title = strings.TrimSpace(title)
	n, err := strconv.Atoi(number)
	if want := len(s.Stages) + 1; err != nil || n != want || title == "" {
		p.fail(sec.line, 0, "stage %q: want -- stage %d TITLE --", sec.rest, want)
		n = want
	}
	if slices.ContainsFunc(s.Stages, func(o Stage) bool { return o.Title == title }) {
		p.fail(sec.line, 0, "two stages are named %q", title)
	}
	st, err := script.Parse(n, title, sec.text, sec.first())
	for _, m := range scriptMistakes(err) {
		p.fail(m.Line, 0, "%s", m.What)
	}
	if st == nil {
		st = &script.Stage{Number: n, Title: title, Line: sec.first()}
	}
	s.Stages = append(s.Stages, Stage{Stage: st, Text: sec.text})
}

// scriptMistakes returns what a script's error joins.
func scriptMistakes(err error) []*script.Mistake {
	var all []*script.Mistake
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, scriptMistakes(e)...)
		}
		return all
	}
	var one *script.Mistake
	if errors.As(err, &one) {
		all = append(all, one)
	}
	return all
}

// program reads "-- starter/go/main.go --", "-- reference/python/main.py --" or
// "-- wrong/NAME/main.py --".
func (p *parser) program(sec *section) {
	s := p.sheet
	const form = "want starter/LANGUAGE/FILE, reference/LANGUAGE/FILE or wrong/NAME/FILE; LANGUAGE and FILE are go and main.go, or python and main.py"
	words := strings.Split(sec.name, "/")
	if len(words) != 3 || sec.rest != "" {
		p.fail(sec.line, 0, "section %q: %s", sec.title(), form)
		return
	}
	q := Program{Name: words[1], File: words[2], Source: sec.text, Line: sec.first()}
	switch path.Ext(q.File) {
	case ".go":
		q.Language = "go"
	case ".py":
		q.Language = "python"
	}
	if q.Language == "" || q.File != mainFile(q.Language) || words[0] != "wrong" && words[1] != q.Language || !nameForm().MatchString(q.Name) {
		p.fail(sec.line, 0, "section %q: %s", sec.title(), form)
		return
	}
	if strings.TrimSpace(q.Source) == "" {
		p.fail(sec.line, 0, "section %s is empty", sec.name)
		return
	}
	switch words[0] {
	case "starter":
		if !strings.Contains(q.Source, "TODO") {
			p.fail(sec.line, 0, "the starter has no TODO: want one where the learner goes on")
		}
		s.Starters = append(s.Starters, q)
	case "reference":
		s.References = append(s.References, q)
	case "wrong":
		p.fails(&q)
		s.Wrongs = append(s.Wrongs, q)
	default:
		p.fail(sec.line, 0, "section %q: %s", sec.title(), form)
	}
}

// fails reads the comment at the top of a wrong program that says what the
// checker has to find: "fails: STAGE TITLE: words of the verdict".
func (p *parser) fails(q *Program) {
	for i, l := range strings.Split(q.Source, "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "#!") || l == "" {
			continue
		}
		comment, ok := strings.CutPrefix(l, "#")
		if !ok {
			comment, ok = strings.CutPrefix(l, "//")
		}
		if !ok {
			break
		}
		text, ok := strings.CutPrefix(strings.TrimSpace(comment), "fails:")
		if !ok {
			continue
		}
		var titles []string
		for _, st := range p.sheet.Stages {
			titles = append(titles, st.Title)
			if words, ok := strings.CutPrefix(strings.TrimSpace(text), st.Title+":"); ok && strings.TrimSpace(words) != "" && len(st.Title) > len(q.FailsAt) {
				q.FailsAt, q.FailsWith = st.Title, strings.TrimSpace(words)
			}
		}
		if q.FailsAt == "" {
			p.fail(q.Line+i, 0, "%q: want fails: STAGE: words of the verdict; the stages are %s", short(l), strings.Join(titles, ", "))
		}
		return
	}
	comment := "#"
	if q.Language == "go" {
		comment = "//"
	}
	p.fail(q.Line, 0, "the wrong program does not say how it fails: want first %s", fmt.Sprintf("%s fails: STAGE: words of the verdict", comment))
}
