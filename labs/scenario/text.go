package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wirelab/internal/impair"
)

// A TextError is what is wrong in a scenario's text, and where.
type TextError struct {
	Line int // from 1; 0: of the whole
	Err  error
}

func (e *TextError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

func (e *TextError) Unwrap() error { return e.Err }

// A textLine is a line of a text, cut into words.
type textLine struct {
	number int
	words  []string
}

// A block is a line that stands at the margin, and those that are indented under
// it.
type block struct {
	textLine
	under []textLine
}

// ParseText reads a scenario's text form:
//
//	seed 7                     if absent, 0: whoever plays it chooses
//	quiet 5s                   how long nothing may happen before it ends
//	end 30s                    when it ends at the latest
//	record ana bo              if absent, all hosts whose link is not an ideal one; none: nobody
//	states off                 without TCP's inner state
//
//	host ana                   a machine; indented, its link and what else is special
//	  up   delay 20ms rate 10mbit
//	  down delay 20ms          or link … for both
//	  mtu 1500                 receive-buffer, send-buffer, buffer (both), udp-buffer, min-rto, max-rto
//	  no-sack                  no-rack, reno, nagle, delayed-ack
//
//	run ana [at 2s]            a program; indented, its statements (see Statement)
//	  connect bo:7000 as c
//
//	server                     the chat: see textchat.go
//	member eve over tcp+queue
//
//	at 2s kill bo              a fault (see Fault)
//
// A # begins a comment, a semicolon ends a line like a line feed. The result is
// valid; an error is a *TextError.
func ParseText(text string) (*Scenario, error) {
	blocks, err := blocksOf(text)
	if err != nil {
		return nil, err
	}
	p := &textParser{s: &Scenario{Packets: true, States: true}}
	for i := range blocks {
		if err := p.block(&blocks[i]); err != nil {
			return nil, err
		}
	}
	if !p.recorded {
		p.s.recordDefault()
	}
	if err := p.s.Validate(); err != nil {
		return nil, &TextError{p.lineOf(err), err}
	}
	return p.s, nil
}

type textParser struct {
	s        *Scenario
	recorded bool
	lines    []lineOf
}

// lineOf says which words of an error are about which line.
type lineOf struct {
	words  string
	number int
}

// lineOf returns the line that an error of Validate is about, as far as is known.
func (p *textParser) lineOf(err error) int {
	for _, l := range p.lines {
		if strings.Contains(err.Error(), l.words) {
			return l.number
		}
	}
	return 0
}

func (p *textParser) block(b *block) error {
	fail := func(l *textLine, err error) error { return &TextError{l.number, err} }
	each := func(take func(*textLine) error) error {
		for i := range b.under {
			if err := take(&b.under[i]); err != nil {
				return fail(&b.under[i], err)
			}
		}
		return nil
	}
	var take func(*textLine) error
	var err error
	switch w := b.words; w[0] {
	case "host":
		take, err = p.host(w)
	case "run":
		take, err = p.run(w)
	case "server":
		take, err = p.server(w)
	case "member":
		take, err = p.member(w)
	case "at":
		err = p.at(&b.textLine)
	default:
		err = p.setting(w)
	}
	if err != nil {
		return fail(&b.textLine, err)
	}
	if take == nil {
		if len(b.under) > 0 {
			return fail(&b.under[0], fmt.Errorf("nothing can stand under %q: want a line at the margin", b.words[0]))
		}
		return nil
	}
	return each(take)
}

// setting reads a line about the whole run.
func (p *textParser) setting(list []string) error {
	w := &words{list: list, at: 1}
	s := p.s
	switch list[0] {
	case "seed":
		n, err := strconv.ParseUint(w.next("a number, such as seed 7"), 10, 64)
		if err != nil {
			w.fail("seed: want a number from 0, such as seed 7")
		}
		s.Seed = n
	case "quiet":
		s.Quiet = Duration(w.duration("how long, such as quiet 5s", 1))
	case "end":
		s.End = Duration(w.duration("when, such as end 30s", 1))
	case "states":
		switch word := w.next("on or off"); word {
		case "on", "off":
			s.States = word == "on"
		default:
			w.fail("states %q: want on or off", word)
		}
	case "record":
		p.recorded = true
		names := list[1:]
		w.at = len(list)
		switch {
		case len(names) == 0:
			w.fail("record: want names of hosts, or none")
		case len(names) == 1 && names[0] == "none":
			s.Record = nil
		default:
			s.Record = slices.Clone(names)
		}
	case "without":
		s.Without = Defence(w.next("the name of a defence"))
	case "watch":
		s.Watch = true
	default:
		w.fail("%q is unknown: want one of seed, quiet, end, states, record, without, watch, host, run, server, member, at", list[0])
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	return w.err
}

// host reads "host NAME", and what stands under it.
func (p *textParser) host(list []string) (func(*textLine) error, error) {
	if len(list) != 2 {
		return nil, fmt.Errorf("%s: want host NAME", strings.Join(list, " "))
	}
	p.s.Hosts = append(p.s.Hosts, Host{Name: list[1]})
	i := len(p.s.Hosts) - 1
	return func(l *textLine) error { return p.s.Hosts[i].option(l.words) }, nil
}

// readLink reads the line "up LINK", "down LINK" or, for both, "link LINK".
func readLink(list []string, up, down *string) error {
	c, err := impair.Parse(strings.Join(list[1:], " "))
	if err != nil {
		return fmt.Errorf("%s: %w", list[0], err)
	}
	if list[0] != "down" {
		*up = c.String()
	}
	if list[0] != "up" {
		*down = c.String()
	}
	return nil
}

// option reads one line about a host.
func (h *Host) option(list []string) error {
	w := &words{list: list, at: 1}
	switch list[0] {
	case "up", "down", "link":
		return readLink(list, &h.Up, &h.Down)
	case "mtu":
		h.MTU = w.number("bytes of an IP packet, such as mtu 1500", MinMTU, MaxMTU)
	case "buffer":
		n := w.size("bytes, such as buffer 64KiB", MaxBuffer)
		h.ReceiveBuffer, h.SendBuffer = n, n
	case "receive-buffer":
		h.ReceiveBuffer = w.size("bytes, such as receive-buffer 64KiB", MaxBuffer)
	case "send-buffer":
		h.SendBuffer = w.size("bytes, such as send-buffer 64KiB", MaxBuffer)
	case "udp-buffer":
		h.UDPBuffer = w.size("bytes, such as udp-buffer 64KiB", MaxBuffer)
	case "min-rto":
		h.MinRTO = Duration(w.duration("how long, such as min-rto 200ms", minRTO))
	case "max-rto":
		h.MaxRTO = Duration(w.duration("how long, such as max-rto 60s", minRTO))
	case "no-sack":
		h.NoSACK = true
	case "no-rack":
		h.NoRACK = true
	case "reno":
		h.Reno = true
	case "nagle":
		h.Nagle = true
	case "delayed-ack":
		h.DelayedACK = true
	default:
		return fmt.Errorf("%q is unknown here: want one of up, down, link, mtu, buffer, receive-buffer, send-buffer, udp-buffer, min-rto, max-rto, no-sack, no-rack, reno, nagle, delayed-ack", list[0])
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	return w.err
}

// run reads "run HOST [at T]", and its statements.
func (p *textParser) run(list []string) (func(*textLine) error, error) {
	w := &words{list: list, at: 1}
	prog := Program{Host: w.name("the name of a host, such as run ana")}
	if w.take("at") {
		prog.At = Duration(w.duration("when, such as at 2s", 0))
	}
	if w.more() {
		w.fail("%q is one word too many", w.list[w.at])
	}
	if w.err != nil {
		return nil, w.err
	}
	p.s.Programs = append(p.s.Programs, prog)
	i := len(p.s.Programs) - 1
	return func(l *textLine) error {
		st, err := parseStatement(l.words)
		if err != nil {
			return err
		}
		p.s.Programs[i].Do = append(p.s.Programs[i].Do, st)
		p.lines = append(p.lines, lineOf{"run " + prog.Host + ": " + st.String() + ":", l.number})
		return nil
	}, nil
}

// at reads "at T …": a fault, or an act.
func (p *textParser) at(l *textLine) error {
	if len(l.words) >= 4 && !slices.Contains(verbs, Verb(l.words[2])) && slices.Contains(deeds, Deed(l.words[3])) {
		return p.act(l)
	}
	f, err := ParseFault(strings.Join(l.words[1:], " "))
	if err != nil {
		return err
	}
	p.s.Faults = append(p.s.Faults, f)
	p.lines = append(p.lines, lineOf{fmt.Sprintf("fault %q", f), l.number})
	return nil
}

// recordDefault makes all hosts and members recorded whose link does something or
// will, or the first if none does.
func (s *Scenario) recordDefault() {
	add := func(name, up, down string) {
		for _, f := range s.Faults {
			if f.Host == name && (f.Verb == Cut || f.Verb == Link) {
				up = "changes"
			}
		}
		if up != "" || down != "" {
			s.Record = append(s.Record, name)
		}
	}
	first := ""
	for i := range s.Members {
		m := &s.Members[i]
		add(m.Name, m.Up, m.Down)
	}
	for i := range s.Hosts {
		h := &s.Hosts[i]
		add(h.Name, h.Up, h.Down)
	}
	switch {
	case len(s.Members) > 0:
		first = s.Members[0].Name
	case len(s.Hosts) > 0:
		first = s.Hosts[0].Name
	}
	if len(s.Record) == 0 && first != "" {
		s.Record = []string{first}
	}
}

// Text writes the scenario in its text form: ParseText reads it back. What only
// the JSON form has (repeated fates, what-ifs, explanations) is left out.
func (s *Scenario) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.Seed != 0 {
		line("seed %d", s.Seed)
	}
	if s.Quiet != 0 {
		line("quiet %v", time.Duration(s.Quiet))
	}
	if s.End != 0 {
		line("end %v", time.Duration(s.End))
	}
	if !s.States {
		line("states off")
	}
	if len(s.Record) == 0 {
		line("record none")
	} else {
		line("record %s", strings.Join(s.Record, " "))
	}
	s.chatText(line)
	for i := range s.Hosts {
		s.Hosts[i].text(line)
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		if p.At > 0 {
			line("run %s at %v", p.Host, time.Duration(p.At))
		} else {
			line("run %s", p.Host)
		}
		for _, st := range p.Do {
			line("  %v", st)
		}
	}
	for _, f := range s.Faults {
		line("at %v", f)
	}
	for _, a := range s.Acts {
		line("at %v", a)
	}
	return b.String()
}

func (h *Host) text(line func(string, ...any)) {
	line("host %s", h.Name)
	linkText(line, h.Up, h.Down)
	for _, o := range []struct {
		name string
		n    int
	}{{"mtu", h.MTU}, {"receive-buffer", h.ReceiveBuffer}, {"send-buffer", h.SendBuffer}, {"udp-buffer", h.UDPBuffer}} {
		if o.n != 0 {
			line("  %s %d", o.name, o.n)
		}
	}
	if h.MinRTO != 0 {
		line("  min-rto %v", time.Duration(h.MinRTO))
	}
	if h.MaxRTO != 0 {
		line("  max-rto %v", time.Duration(h.MaxRTO))
	}
	for _, o := range []struct {
		name string
		set  bool
	}{{"no-sack", h.NoSACK}, {"no-rack", h.NoRACK}, {"reno", h.Reno}, {"nagle", h.Nagle}, {"delayed-ack", h.DelayedACK}} {
		if o.set {
			line("  %s", o.name)
		}
	}
}

func linkText(line func(string, ...any), up, down string) {
	if up == down && up != "" {
		line("  link %s", up)
		return
	}
	if up != "" {
		line("  up %s", up)
	}
	if down != "" {
		line("  down %s", down)
	}
}
