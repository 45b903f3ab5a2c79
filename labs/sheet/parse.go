package sheet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"wirelab/internal/spell"
	"wirelab/labs/measure"
)

// maxFile is the most bytes of a sheet.
const maxFile = 1 << 20

// A section is one part of the file, after a "-- name --" line.
type section struct {
	name string // the first word
	rest string // the others
	line int    // of the marker
	text string
}

// A parser reads one sheet and gathers its mistakes.
type parser struct {
	file     string
	sheet    *Sheet
	sections []section
	units    map[string]measure.Unit // of the variables
	mistakes []*Mistake
}

// Parse reads a sheet. name is the lab's, without .txtar. The error joins a
// *Mistake for everything that is wrong (see Mistakes); the sheet is then nil.
func Parse(name string, data []byte) (*Sheet, error) {
	sum := sha256.Sum256(data)
	p := &parser{
		file: name + ".txtar", units: make(map[string]measure.Unit),
		sheet: &Sheet{Name: name, Sum: hex.EncodeToString(sum[:])},
	}
	switch {
	case !nameForm().MatchString(name):
		p.fail(1, 0, "the lab's name is %q: want small letters, digits and hyphens", name)
	case len(data) > maxFile:
		p.fail(1, 0, "the file has %d bytes: at most %d", len(data), maxFile)
	case !utf8.Valid(data):
		p.fail(1, 0, "the file is not UTF-8")
	default:
		p.parse(strings.TrimPrefix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\ufeff"))
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.sheet, nil
}

// nameForm is what names of labs, steps, views and scenarios look like.
func nameForm() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`) }

func (p *parser) parse(text string) {
	head := p.cut(text)
	p.header(head)
	p.known()
	switch p.sheet.Kind {
	case Build:
		p.build()
	default:
		p.observe()
	}
}

// cut divides the file into its sections and returns what stands before the
// first.
func (p *parser) cut(text string) string {
	a := txtar.Parse([]byte(text))
	line := 1 + strings.Count(string(a.Comment), "\n")
	for _, f := range a.Files {
		s := section{line: line, text: string(f.Data)}
		s.name, s.rest, _ = strings.Cut(f.Name, " ")
		s.rest = strings.TrimSpace(s.rest)
		p.sections = append(p.sections, s)
		line += 1 + strings.Count(s.text, "\n")
	}
	if len(p.sections) == 0 {
		p.fail(1, 0, "no section begins: want a line such as -- aims --")
	}
	return string(a.Comment)
}

// first is the line of a section's first line of text.
func (s *section) first() int { return s.line + 1 }

// title is the section's name as it stands in the file.
func (s *section) title() string { return strings.TrimSpace(s.name + " " + s.rest) }

// kinds of sections: the name, whether it has a name of its own ("step NAME").
type sectionForm struct {
	name  string
	named bool // further words are wanted
	maybe bool // further words are allowed
	once  bool
	must  bool
}

func forms(kind Kind) []sectionForm {
	common := []sectionForm{
		{name: "aims", once: true, must: true}, {name: "background", once: true, must: true},
	}
	end := []sectionForm{{name: "explanation", once: true, must: true}, {name: "reading", once: true, must: true}}
	if kind == Build {
		return slices.Concat(common, []sectionForm{{name: "stage", named: true, must: true}}, end)
	}
	return slices.Concat(common, []sectionForm{
		{name: "variables", once: true}, {name: "scenario", maybe: true, must: true}, {name: "step", named: true, must: true},
		{name: "view", named: true}, {name: "knob", once: true, must: true},
	}, end)
}

// known reports sections that are unknown, missing or there twice, and lines
// that were meant to begin one.
func (p *parser) known() {
	all := forms(p.sheet.Kind)
	seen := make(map[string]int)
	for i := range p.sections {
		s := &p.sections[i]
		if at, ok := seen[s.title()]; ok {
			p.fail(s.line, 0, "section %q is there twice: first in line %d", s.title(), at)
		} else {
			seen[s.title()] = s.line
		}
		p.almostMarkers(s)
		if p.sheet.Kind == Build && strings.Contains(s.name, "/") {
			continue // a program: see build
		}
		j := slices.IndexFunc(all, func(f sectionForm) bool { return f.name == s.name })
		switch {
		case j < 0:
			var names []string
			for _, f := range all {
				names = append(names, f.name)
			}
			p.fail(s.line, 0, "section %q is unknown: want one of %s%s", s.title(), strings.Join(names, ", "), did(s.name, names))
		case all[j].named && s.rest == "":
			p.fail(s.line, 0, "section %q: want a name, such as -- %s first --", s.name, s.name)
		case !all[j].named && !all[j].maybe && s.rest != "":
			p.fail(s.line, 0, "section %q: want -- %s --", s.title(), s.name)
		}
	}
	for _, f := range all {
		if f.must && !slices.ContainsFunc(p.sections, func(s section) bool { return s.name == f.name }) {
			p.fail(1, 0, "section -- %s -- is missing", f.name)
		}
	}
}

// almostMarkers finds lines that were meant to begin a section.
func (p *parser) almostMarkers(s *section) {
	if strings.Contains(s.name, "/") {
		return // source code may hold anything
	}
	for i, l := range strings.Split(s.text, "\n") {
		t := strings.TrimSpace(l)
		if len(t) > 4 && strings.HasPrefix(t, "--") && strings.HasSuffix(t, "--") && strings.Trim(t, "- ") != "" {
			p.fail(s.first()+i, 0, "%q begins no section: want -- %s -- at the margin, with one blank on each side", t, strings.Trim(t, "- "))
		}
	}
}

// did is ": did you mean X?" if one of the names is close.
func did(name string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		if d := spell.Distance(strings.ToLower(name), strings.ToLower(n)); d < distance && d < len(n) {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// get returns the section of that name, nil if there is none.
func (p *parser) get(name string) *section {
	for i := range p.sections {
		if p.sections[i].name == name {
			return &p.sections[i]
		}
	}
	return nil
}

// each calls f with every section of that name.
func (p *parser) each(name string, f func(*section)) {
	for i := range p.sections {
		if p.sections[i].name == name {
			f(&p.sections[i])
		}
	}
}

// An entry is one "key: value" of a section.
type entry struct {
	key    string
	value  string // further lines stand after line feeds, as in the file
	line   int
	column int // of the value's first letter
}

// entries reads "key: value" lines. A line that begins with blanks goes on with
// the value; empty lines, and those that begin with #, are passed over.
func (p *parser) entries(text string, line int, keys ...string) []entry {
	var all []entry
	bad := false
	for i, l := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(l) == "" || l[0] == '#':
		case l[0] == ' ' || l[0] == '\t':
			if len(all) == 0 {
				if !bad {
					p.fail(line+i, 0, "%q goes on with nothing: want a line such as %s: …", strings.TrimSpace(l), keys[0])
				}
				continue
			}
			last := &all[len(all)-1]
			last.value += strings.Repeat("\n", line+i-last.line-strings.Count(last.value, "\n")) + l
		default:
			key, value, ok := strings.Cut(l, ":")
			key = strings.TrimSpace(key)
			if !ok || !slices.Contains(keys, key) {
				bad = true
				what := fmt.Sprintf("want one of %s, with a colon after it; a line that goes on with the one before begins with blanks", strings.Join(keys, ", "))
				if ok {
					p.fail(line+i, 0, "%q is unknown: %s%s", key, what, did(key, keys))
				} else {
					p.fail(line+i, 0, "%q: %s", short(l), what)
				}
				// What goes on with it is not the entry's before.
				all = append(all, entry{line: line + i})
				continue
			}
			trimmed := strings.TrimLeft(value, " \t")
			all = append(all, entry{key, strings.TrimRight(trimmed, " \t"), line + i, len([]rune(l)) - len([]rune(trimmed)) + 1})
		}
	}
	return slices.DeleteFunc(all, func(e entry) bool { return e.key == "" })
}

// short cuts a line that is shown in an error.
func short(l string) string {
	if r := []rune(l); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return l
}

// words returns a value's words on one line.
func (e *entry) words() string { return strings.Join(strings.Fields(e.value), " ") }

// once reports keys that are there twice, and those that are missing.
func (p *parser) once(all []entry, line int, must []string, repeat ...string) {
	seen := make(map[string]int)
	for _, e := range all {
		if at, ok := seen[e.key]; ok && !slices.Contains(repeat, e.key) {
			p.fail(e.line, 0, "%s is there twice: first in line %d", e.key, at)
		}
		seen[e.key] = e.line
		if strings.TrimSpace(e.value) == "" {
			p.fail(e.line, 0, "%s: nothing stands after the colon", e.key)
		}
	}
	for _, key := range must {
		if _, ok := seen[key]; !ok {
			p.fail(line, 0, "%s: is missing", key)
		}
	}
}

// header reads what stands before the first section.
func (p *parser) header(text string) {
	s := p.sheet
	s.Kind = Observe
	all := p.entries(text, 1, "title", "theme", "kind", "minutes", "after")
	p.once(all, 1, []string{"title", "theme", "kind", "minutes"})
	for i := range all {
		e := &all[i]
		v := e.words()
		switch e.key {
		case "title":
			s.Title = v
		case "theme":
			s.Theme = Theme(v)
			if !slices.Contains(Themes(), s.Theme) {
				var names []string
				for _, t := range Themes() {
					names = append(names, string(t))
				}
				p.fail(e.line, e.column, "theme %q is unknown: want one of %s%s", v, strings.Join(names, ", "), did(v, names))
			}
		case "kind":
			s.Kind = Kind(v)
			if s.Kind != Observe && s.Kind != Build {
				p.fail(e.line, e.column, "kind %q is unknown: want observe or build", v)
				s.Kind = Observe
			}
		case "minutes":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > 600 {
				p.fail(e.line, e.column, "minutes %q: want a number from 1 to 600", v)
			}
			s.Minutes = n
		case "after":
			for name := range strings.SplitSeq(v, ",") {
				name = strings.TrimSpace(name)
				switch {
				case !nameForm().MatchString(name):
					p.fail(e.line, e.column, "after %q: want names of labs with commas between, such as sockets, layers", name)
				case name == s.Name:
					p.fail(e.line, e.column, "the lab comes after itself")
				case slices.Contains(s.After, name):
					p.fail(e.line, e.column, "%s is there twice", name)
				default:
					s.After = append(s.After, name)
				}
			}
		}
	}
	if s.Kind == Build && s.Theme != "Build" || s.Kind == Observe && s.Theme == "Build" {
		p.fail(1, 0, "kind %s with theme %s: want theme Build for kind build, and only for it", s.Kind, s.Theme)
	}
}

// common reads the sections that both kinds have.
func (p *parser) common(names measure.Names, run measure.Names) {
	s := p.sheet
	if sec := p.get("aims"); sec != nil {
		for l := range strings.SplitSeq(sec.text, "\n") {
			if l = strings.TrimSpace(l); l != "" {
				s.Aims = append(s.Aims, l)
			}
		}
		if n := len(s.Aims); n < 2 || n > 4 {
			p.fail(sec.line, 0, "%d aims: want 2 to 4 lines, an aim in each", n)
		}
	}
	if sec := p.get("background"); sec != nil {
		s.Background = p.page(sec, names)
	}
	if sec := p.get("explanation"); sec != nil {
		s.Explanation = p.page(sec, run)
	}
	if sec := p.get("reading"); sec != nil {
		for i, l := range strings.Split(sec.text, "\n") {
			if strings.TrimSpace(l) == "" {
				continue
			}
			source, what, ok := strings.Cut(l, ": ")
			if !ok || strings.TrimSpace(source) == "" || strings.TrimSpace(what) == "" {
				p.fail(sec.first()+i, 0, "%q: want a source and what one finds there, such as RFC 9293, section 3.5: how a connection begins", short(l))
				continue
			}
			s.Reading = append(s.Reading, Reading{strings.TrimSpace(source), strings.TrimSpace(what)})
		}
		if len(s.Reading) == 0 {
			p.fail(sec.line, 0, "nothing to read: want lines such as RFC 9293, section 3.5: how a connection begins")
		}
	}
}

// page reads a section that is a text.
func (p *parser) page(sec *section, names measure.Names) Template {
	if strings.TrimSpace(sec.text) == "" {
		p.fail(sec.line, 0, "section %s is empty", sec.title())
	}
	return p.template(sec.text, sec.first(), 1, names)
}
