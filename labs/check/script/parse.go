package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wirelab/internal/impair"
)

// Parse reads one stage. line is that of text's first line in its file. The
// error joins a *Mistake for everything that is wrong.
func Parse(number int, title, text string, line int) (*Stage, error) {
	p := parser{stage: &Stage{Number: number, Title: title, Line: line, Limit: DefaultLimit}, line: line}
	lines := strings.Split(text, "\n")
	i := p.head(lines)
	p.open, p.known, p.glued = map[string]bool{}, map[string]bool{}, map[string]int{}
	for ; i < len(lines); i++ {
		p.line = line + i
		if len(p.stage.Steps) == MaxSteps {
			p.wrong("more than %d statements", MaxSteps)
			break
		}
		p.statement(strings.TrimSpace(lines[i]))
	}
	p.finish()
	if len(p.mistakes) > 0 {
		return nil, errors.Join(p.mistakes...)
	}
	return p.stage, nil
}

// A parser reads one stage.
type parser struct {
	stage    *Stage
	line     int
	mistakes []error
	open     map[string]bool // names; false: was open
	known    map[string]bool // what patterns have set
	glued    map[string]int  // names with a send that waits for the next, and its line
	stopped  bool            // the program was killed
	waits    time.Duration   // what the statements wait in any case
}

func (p *parser) wrong(format string, args ...any) {
	p.mistakes = append(p.mistakes, &Mistake{Line: p.line, What: fmt.Sprintf(format, args...)})
}

// head reads the head and returns the place of the line after it.
func (p *parser) head(lines []string) int {
	s := p.stage
	first := p.line
	seen := map[string]bool{}
	hint := false // the line before was one
	for i, raw := range lines {
		p.line = first + i
		text := strings.TrimSpace(raw)
		if text == "" {
			p.checkHead(first, seen)
			return i + 1
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		if hint && (raw[0] == ' ' || raw[0] == '\t') {
			s.Hints[len(s.Hints)-1] += " " + text
			continue
		}
		key, value, ok := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		if !ok || strings.ContainsAny(key, " \"`") {
			p.wrong("%q: want a line such as \"transport: tcp\"; an empty line ends the head", clip(text))
			continue
		}
		if seen[key] && key != "hint" {
			p.wrong("%s: given twice", key)
		}
		seen[key] = true
		if hint = key == "hint"; hint {
			s.Hints = append(s.Hints, value)
			continue
		}
		if err := p.key(key, value); err != nil {
			p.wrong("%v", err)
		}
	}
	p.checkHead(first, seen)
	return len(lines)
}

// key takes one line of the head.
func (p *parser) key(key, value string) (err error) {
	s := p.stage
	switch key {
	case "transport":
		s.Transport = Transport(value)
		if s.Transport != TCP && s.Transport != UDP {
			return fmt.Errorf("transport %q: want tcp or udp", clip(value))
		}
	case "limit":
		s.Limit, err = duration(value, time.Millisecond, MaxLimit)
	case "link":
		s.Up, err = impair.Parse(value)
		s.Down = s.Up
	case "up":
		s.Up, err = impair.Parse(value)
	case "down":
		s.Down, err = impair.Parse(value)
	case "reorder":
		if value != "yes" && value != "no" {
			return fmt.Errorf("reorder %q: want yes or no", clip(value))
		}
		s.Reorder = value == "yes"
	case "faults":
		s.Faults, err = parseFaults(value)
	default:
		return fmt.Errorf("%q is unknown: want transport, limit, link, up, down, reorder, faults or hint", clip(key))
	}
	return err
}

// checkHead checks what the lines of the head say together.
func (p *parser) checkHead(first int, seen map[string]bool) {
	s := p.stage
	here := p.line
	p.line = first
	defer func() { p.line = here }()
	switch {
	case !seen["transport"]:
		p.wrong("no transport: want \"transport: tcp\" or \"transport: udp\"")
	case s.Transport == TCP && (seen["faults"] || seen["reorder"]):
		p.wrong("faults and reorder are for udp: a tcp program does not see what becomes of a segment")
	}
	if seen["link"] && (seen["up"] || seen["down"]) {
		p.wrong("link is both ways: want either link, or up and down")
	}
	if s.Faults.Trials > 0 && len(s.Up.Script)+len(s.Down.Script) > 0 {
		p.wrong("random faults and rules for single packets in the link: want one or the other")
	}
}

// parseFaults reads such as "random 25 drop delay 150ms".
func parseFaults(text string) (f Faults, err error) {
	words := strings.Fields(text)
	if len(words) < 2 || words[0] != "random" {
		return f, fmt.Errorf("faults %q: want such as \"random 25\"", clip(text))
	}
	r := reader{tokens: make([]token, 0, len(words))}
	for _, w := range words[1:] {
		r.tokens = append(r.tokens, token{text: w})
	}
	if f.Trials, err = r.number("how many trials", 1, MaxTrials); err != nil {
		return f, err
	}
	f.Late = DefaultLate
	for r.more() {
		switch w, _ := r.word(""); w {
		case "drop":
			f.Drop = true
		case "duplicate":
			f.Duplicate = true
		case "delay":
			f.Delay = true
			if w := r.peek(); w != "" && w[0] >= '0' && w[0] <= '9' {
				r.i++
				if f.Late, err = duration(w, time.Millisecond, MaxLate); err != nil {
					return f, err
				}
			}
		default:
			return f, fmt.Errorf("faults: %q is unknown: want drop, duplicate or delay", clip(w))
		}
	}
	if !f.Drop && !f.Duplicate && !f.Delay {
		f.Drop, f.Duplicate, f.Delay = true, true, true
	}
	return f, nil
}

// finish checks what only the end tells.
func (p *parser) finish() {
	s := p.stage
	for name, line := range p.glued {
		p.line = line
		p.wrong("%s >> waits for another send of %s, and none follows", name, name)
	}
	p.line = s.Line
	switch {
	case len(s.Steps) == 0:
		p.wrong("no conversation: want statements after an empty line")
	case !slices.ContainsFunc(s.Steps, func(t Step) bool { return judges(t.Do) }):
		p.wrong("no statement that the program could fail: want such as a < \"hello\\n\"")
	}
	if p.waits >= s.Limit {
		p.wrong("the statements wait %v by themselves: want a limit of more than %v", p.waits, s.Limit)
	}
}

func judges(v Verb) bool {
	switch v {
	case Expect, ExpectAny, Match, Silence, EOF, Gone, ARQ:
		return true
	}
	return false
}

// duration reads a duration from least to most.
func duration(text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%q: want a duration such as 300ms, %v to %v", clip(text), least, most)
	}
	return d, nil
}
