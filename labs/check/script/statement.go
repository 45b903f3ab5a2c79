package script

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// statement reads one line of the conversation.
func (p *parser) statement(text string) {
	tokens, err := lex(text)
	if err != nil {
		p.wrong("%v", err)
		return
	}
	if len(tokens) == 0 {
		return
	}
	r := &reader{tokens: tokens}
	s := Step{Line: p.line, Text: strings.TrimSpace(text[:tokens[len(tokens)-1].end])}
	if err = p.step(&s, r); err == nil {
		err = r.done()
	}
	if err == nil {
		err = p.allowed(&s)
	}
	if err != nil {
		p.wrong("%v", err)
		return
	}
	p.stage.Steps = append(p.stage.Steps, s)
}

// plain are the verbs that stand first in their line.
var plain = []string{"open", "silence", "kill", "restart", "wait", "lose", "twice", "late", "arq"}

// step reads the tokens of one statement.
func (p *parser) step(s *Step, r *reader) (err error) {
	first, err := r.word("a name or one of " + strings.Join(plain, ", "))
	if err != nil {
		return err
	}
	if !slices.Contains(plain, first) {
		return p.named(s, first, r)
	}
	s.Do = Verb(first)
	switch s.Do {
	case Open:
		s.Names, err = names(r)
		for _, n := range s.Names {
			p.open[n] = true
		}
	case Silence:
		if s.Names, err = names(r); err == nil {
			s.For, err = r.duration("how long", time.Millisecond, MaxLimit)
		}
		p.waits += s.For
	case Wait:
		s.For, err = r.duration("how long", time.Millisecond, MaxLimit)
		p.waits += s.For
	case Lose, Twice, Late:
		err = p.fault(s, r)
	case ARQ:
		err = p.arq(s, r)
	}
	return err
}

// names takes names up to something else.
func names(r *reader) (all []string, err error) {
	for r.more() && isName(r.peek()) {
		w, _ := r.word("")
		if slices.Contains(plain, w) {
			return nil, fmt.Errorf("%q cannot be a name: it is a word of the language", w)
		}
		if slices.Contains(all, w) {
			return nil, fmt.Errorf("%s is there twice", w)
		}
		all = append(all, w)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: want a name, such as a or ana", r.here())
	}
	return all, nil
}

// isName reports whether w is small letters, digits and hyphens, a letter first.
func isName(w string) bool {
	for i, c := range w {
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '-')) {
			return false
		}
	}
	return w != "" && len(w) <= 32
}

func (r *reader) duration(what string, least, most time.Duration) (time.Duration, error) {
	w, err := r.word(what + ", such as 300ms")
	if err != nil {
		return 0, err
	}
	return duration(w, least, most)
}

// named reads a statement that begins with a name.
func (p *parser) named(s *Step, name string, r *reader) (err error) {
	if !isName(name) {
		return fmt.Errorf("%q: want a name (small letters, digits, hyphens) or one of %s", clip(name), strings.Join(plain, ", "))
	}
	s.Names = []string{name}
	verb, err := r.word("what " + name + " does: > >> >cut < <any <~ shutdown close reset eof gone full")
	if err != nil {
		return err
	}
	switch verb {
	case ">", ">>", ">cut":
		s.Do, s.Glue = Send, verb == ">>"
		if verb == ">cut" {
			if s.Cut, err = r.number("bytes of a write", 1, 1<<20); err != nil {
				return err
			}
		}
		if s.Parts, err = p.data(r); err != nil {
			return err
		}
		if delete(p.glued, name); s.Glue {
			p.glued[name] = s.Line
		}
		return nil
	case "<", "<any":
		s.Do = Expect
		if verb == "<any" {
			s.Do = ExpectAny
		}
		if s.Parts, err = p.data(r); err != nil {
			return err
		}
	case "<~":
		s.Do = Match
		if s.Pattern, err = r.quoted("a regular expression"); err != nil {
			return err
		}
		if err = p.pattern(s); err != nil {
			return err
		}
	case "shutdown", "close", "reset", "eof", "gone", "full":
		s.Do = Verb(verb)
	default:
		return fmt.Errorf("%s %q: want one of > >> >cut < <any <~ shutdown close reset eof gone full", name, clip(verb))
	}
	if line, ok := p.glued[name]; ok {
		return fmt.Errorf("the send of line %d still waits for the next one: want another send of %s before", line, name)
	}
	return p.times(s, r)
}

// times reads "after D within D".
func (p *parser) times(s *Step, r *reader) (err error) {
	switch s.Do {
	case Expect, ExpectAny, Match, EOF, Gone:
	default:
		return nil
	}
	if r.accept("after") {
		if s.Do != Expect {
			return fmt.Errorf("after: only behind <")
		}
		if s.After, err = r.duration("how long", time.Millisecond, MaxLimit); err != nil {
			return err
		}
		p.waits += s.After
	}
	if r.accept("within") {
		if s.Within, err = r.duration("how long", time.Millisecond, MaxLimit); err != nil {
			return err
		}
	}
	if s.Patience() <= s.After {
		return fmt.Errorf("after %v within %v: want it to end after it begins", s.After, s.Patience())
	}
	return nil
}

// data reads DATA and checks it.
func (p *parser) data(r *reader) ([]Data, error) {
	parts, err := r.parts()
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: want data, such as \"hello\\n\"", r.here())
	}
	sum := 0
	for _, d := range parts {
		if sum += d.size; sum > MaxData {
			return nil, fmt.Errorf("more than %d bytes", MaxData)
		}
		if d.size == 0 && !d.Uses() && p.stage.Transport == TCP {
			return nil, fmt.Errorf("no bytes: nobody sees an empty write over tcp")
		}
		if d.size > 65_507 && p.stage.Transport == UDP {
			return nil, fmt.Errorf("a datagram of %d bytes: want at most 65507", d.size)
		}
		if err := p.uses(d); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// uses checks that every ${name} is known.
func (p *parser) uses(d Data) error {
	for _, a := range d.atoms {
		if a.uses {
			if _, err := substitute(a.text, p.lookup); err != nil {
				return err
			}
		}
		for _, g := range a.group {
			if err := p.uses(g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) lookup(name string) (string, bool) { return "x", p.known[name] }

// pattern checks a pattern and notes what it sets.
func (p *parser) pattern(s *Step) error {
	text, err := substitute(s.Pattern, p.lookup)
	if err != nil {
		return err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return fmt.Errorf("%w (RE2, as in Go)", err)
	}
	for _, name := range re.SubexpNames() {
		if name != "" {
			s.Groups = append(s.Groups, name)
			p.known[name] = true
		}
	}
	return nil
}

// fault reads lose, twice and late.
func (p *parser) fault(s *Step, r *reader) error {
	name, err := r.word("a name")
	if err != nil {
		return err
	}
	s.Names = []string{name}
	switch {
	case r.accept(">"):
		s.Up = true
	case !r.accept("<"):
		return fmt.Errorf("%s: want > (to the program) or < (from it)", r.here())
	}
	if s.Words, err = r.quoted("how the datagram begins"); err != nil {
		return err
	}
	if s.Do == Late {
		s.For, err = r.duration("how late", time.Millisecond, MaxLate)
	}
	return err
}

// arq reads what a peer of the ARQ labs does.
func (p *parser) arq(s *Step, r *reader) error {
	name, err := r.word("a name")
	if err != nil {
		return err
	}
	s.Names = []string{name}
	scene, err := r.word("exchange, gap or window")
	if err != nil {
		return err
	}
	x := &s.Exchange
	x.Scene, x.Mode = Scene(scene), SelectiveRepeat
	least, most := 1, MaxTexts
	switch x.Scene {
	case Both:
		mode, err := r.word("stop-and-wait or selective-repeat")
		if err != nil {
			return err
		}
		if x.Mode = Mode(mode); x.Mode != StopAndWait && x.Mode != SelectiveRepeat {
			return fmt.Errorf("%q: want stop-and-wait or selective-repeat", clip(mode))
		}
	case Gap:
		least, most = 2, Window
	case Filled:
		least = Window + 1
	default:
		return fmt.Errorf("%q: want exchange, gap or window", clip(scene))
	}
	x.Texts, err = r.number("how many texts", least, most)
	return err
}

// allowed checks a statement against the transport and what was open before.
func (p *parser) allowed(s *Step) error {
	udp := p.stage.Transport == UDP
	switch s.Do {
	case Shutdown, Reset, EOF, Gone, Full:
		if udp {
			return fmt.Errorf("%s is for tcp: a datagram socket has no connection", s.Do)
		}
	case Lose, Twice, Late, ARQ:
		if !udp {
			return fmt.Errorf("%s is for udp", s.Do)
		}
	case Send:
		if udp && (s.Glue || s.Cut > 0) {
			return fmt.Errorf(">> and >cut are for tcp: join a datagram's parts with +")
		}
	case Kill:
		if p.stopped {
			return fmt.Errorf("the program was killed before: want restart first")
		}
	}
	switch s.Do {
	case Kill, Restart:
		p.stopped = s.Do == Kill
		for n := range p.open {
			p.open[n] = false
		}
		return nil
	}
	for _, n := range s.Names {
		if open, was := p.open[n]; !open {
			if was {
				return fmt.Errorf("%s was closed: want \"open %s\" before", n, n)
			}
			return fmt.Errorf("%s is not open: want \"open %s\" before", n, n)
		}
	}
	if p.stopped && s.Do != Silence && s.Do != Wait {
		return fmt.Errorf("the program was killed: want restart first")
	}
	if s.Do == Close || s.Do == Reset {
		p.open[s.Names[0]] = false
	}
	return nil
}
