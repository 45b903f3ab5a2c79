package sheet

import (
	"os"
	"strings"
	"testing"
)

// handshake returns the text of the worked example.
func handshake(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile("testdata/handshake.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// lineOf returns the line of text that contains words; of the last such line
// after a $.
func lineOf(tb testing.TB, text, words string) int {
	tb.Helper()
	if last, ok := strings.CutPrefix(words, "$"); ok {
		return 1 + strings.Count(text[:strings.LastIndex(text, last)], "\n")
	}
	before, _, ok := strings.Cut(text, words)
	if !ok {
		tb.Fatalf("the text has no %q", words)
	}
	return 1 + strings.Count(before, "\n")
}

// Each mistake is told with its line and what was expected. old is turned to new
// in the example; the mistake stands in the line that has at, or else new.
func TestMistakes(t *testing.T) {
	tests := []struct{ name, old, new, at, want string }{
		{"theme", "theme: TCP", "theme: TPC", "", `theme "TPC" is unknown: want one of Basics, UDP, Reliability, TCP, Congestion, Delivery, Chat, Build: did you mean TCP?`},
		{"kind", "kind: observe\n", "kind: look\n", "kind: look", `kind "look" is unknown: want observe or build`},
		{"minutes", "minutes: 12", "minutes: soon", "", "want a number from 1 to 600"},
		{"no title", "title: The handshake\n", "", "theme: TCP", "title: is missing"},
		{"key", "minutes: 12", "minute: 12", "", `"minute" is unknown: want one of title, theme, kind, minutes, after, with a colon after it`},
		{"after itself", "after: sockets", "after: handshake", "", "comes after itself"},
		{"after", "after: sockets", "after: Sockets and layers", "", "commas between"},
		{"section", "-- aims --", "-- amis --", "", `section "amis" is unknown: want one of aims,`},
		{"section missing", "-- aims --", "-- amis --", "title: The handshake", "section -- aims -- is missing"},
		{"behind a comment", "hint: Which of the three", "hint: Which\n\n# a comment\n  {rrt} of the three", "  {rrt} of", "did you mean rtt?"},
		{"marker", "-- reading --", "--reading--", "", "want -- reading -- at the margin"},
		{"section twice", "-- view compare --", "-- view vain --", "$-- view vain --", `section "view vain" is there twice: first in line`},
		{"step without a name", "-- step connect --", "-- step --", "", `section "step": want a name`},
		{"step's name", "-- step connect --", "-- step Connect! --", "", "small letters, digits and hyphens"},
		{"aims", "You can say what SYN", "\nYou\nYou\nYou can say what SYN", "-- aims --", "5 aims: want 2 to 4 lines"},

		{"variable", "k     = pick 3 4", "k     : pick 3 4", "", "want NAME = pick 40ms 60ms"},
		{"variable's name", "k     = pick 3 4", "mean = pick 3 4", "", "mean: the name has a meaning of its own"},
		{"variable twice", "k     = pick 3 4", "rtt   = pick 3s 4s", "", "rtt is there twice"},
		{"pick", "k     = pick 3 4", "k     = pick", "", "no value"},
		{"pick of two kinds", "k     = pick 3 4", "k     = pick 3ms 4kB", "", "3ms and 4kB: want values of one kind"},
		{"pick without unit", "k     = pick 3 4", "k     = pick 3ms 4", "", "each with its unit"},
		{"range", "range 100B 900B 50B", "range 900B 100B 50B", "", "want range FROM TO STEP"},
		{"range too long", "range 100B 900B 50B", "range 1B 1MB 1B", "", "1000000 values: at most 10000"},
		{"unit", "k     = pick 3 4", "k     = pick 3MS 4MS", "", "did you mean ms?"},
		{"formula", "k     = pick 3 4", "k     = rrt / 2 | ms", "", "rrt is unknown: did you mean rtt?"},
		{"later variable", "rtt   = pick", "half = size/2 | B\nrtt   = pick", "half = size", "size is unknown"},

		{"run in the background", "Here the round trip takes {rtt}.", "Here the round trip takes {packets[0].t}.", "", "packets is known only after the run"},
		{"brace", "Here the round trip takes {rtt}.", "Here the round trip takes {rtt.", "", "{ without its }"},
		{"unit in a text", "{rtt/2 | ms} back.", "{rtt/2 | 2ms} back.", "", `"2ms" is no unit`},
		{"no unit in a text", "{rtt/2 | ms} back.", "{rtt/2 | } back.", "", "a unit is missing after |"},
		{"name in a text", "Each arrow takes {rtt/2 | ms}.", "Each arrow takes {rt/2 | ms}.", "", "did you mean rtt?"},

		{"scenario", "  request c {size}\n", "  reqest c {size}\n", "reqest", `"reqest" is unknown`},
		{"scenario's host", "connect bo:7000 as c from 5000\n  request", "connect bob:7000 as c from 5000\n  request", "", "bob"},
		{"scenario's link", "  down delay {rtt/2 | ms}\nhost bo\n\nrun bo\n  listen 7000 as door\n  accept", "  down dealy {rtt/2 | ms}\nhost bo\n\nrun bo\n  listen 7000 as door\n  accept", "dealy", `"dealy" is unknown`},
		{"only named scenarios", "-- scenario --", "-- scenario first --", "", "no main scenario"},
		{"knob breaks it", "values: 1ms 2s", "values: 1ms 90000s", "up   delay", "with the knob's rtt = 90,000,000 ms"},

		{"step's kind", "kind: predict\nask: The round trip", "kind: guess\nask: The round trip", "", `kind "guess" is unknown: want predict, question, choice or fill`},
		{"answer", "answer: rtt\n", "answer: rrt\n", "", "rrt is unknown: did you mean rtt?"},
		{"answer of a run", "answer: rtt\n", "answer: packets[1].arrived\n", "", "packets is known only after the run"},
		{"answer is no number", "answer: rtt\n", "answer: \"rtt\"\n", "", "it yields text, want a number"},
		{"answer missing", "answer: rtt\n", "", "-- step connect --", "answer: is missing"},
		{"answer twice", "answer: rtt\n", "answer: rtt\nanswer: rtt + 1\n", "answer: rtt + 1", "answer is there twice: first in line"},
		{"answer empty", "answer: rtt\n", "answer:\n", "", "nothing stands after the colon"},
		{"measured", `measured: first(did("ana", "answered")).t`, `measured: first(did("ana", "answered")).time`, "", "an event has no .time"},
		{"foreign key", "answer: rtt\n", "answer: rtt\ncheck: rtt > 0\n", "check: rtt", "a predict has no check"},
		{"wrong without reason", "wrong: rtt | The request", "wrong: rtt The request", "", "want EXPRESSION | what somebody"},
		{"tolerance", "tolerance: 0\nwrong: ceil", "tolerance: a bit\nwrong: ceil", "", "unexpected token"},
		{"tolerance of another kind", "tolerance: 0\nwrong: ceil", "tolerance: 3ms\nwrong: ceil", "", "tolerance in ms, but the answer is in segments"},
		{"tolerance without unit", "answer: 2*rtt\n", "answer: 2*rtt\ntolerance: 3\n", "tolerance: 3", "tolerance 3 has no unit"},
		{"points", "answer: 2*rtt\n", "answer: 2*rtt\npoints: many\n", "points: many", "a number above 0"},
		{"run", "run: silence\nask: connect gave", "run: silent\nask: connect gave", "", `run "silent" is unknown: want one of silence`},
		{"goes on with nothing", "kind: predict\nask: The round trip", "  kind: predict\nask: The round trip", "  kind: predict", "goes on with nothing"},
		{"no choice", "right: Nothing but", "wrong: Nothing but", "-- step timeout --", "right: is missing"},
		{"options", "wrong: To measure the round trip. |", "wrong: To measure the round trip.", "", "want TEXT | why it is not right"},
		{"check", "check: count(packets, .rst) == 0", "check: count(packets, .rst)", "", "it yields number, want true or false"},
		{"blank", "blank: ack = packets[1].ack", "blank: Ack = packets[1].ack", "", "want NAME = EXPRESSION | UNIT"},
		{"blank in no line", ", ack [ack]", "", "blank: ack", "blank ack stands in no line"},
		{"line without blank", ", ack [ack]", " [number], ack [ack]", "line: {packets[1].t", "[number]: want a line blank: number"},
		{"wrong of no blank", "wrong: ack = 0 |", "wrong: sck = 0 |", "", `blank "sck" is unknown`},

		{"view's kind", "kind: bars", "kind: pie", "", "want ladder, plot, table, bars, layers or hex"},
		{"view's key", "kind: bars\n", "kind: bars\nrows: packets\n", "rows: packets", "a bars has no rows"},
		{"rows", `rows: filter(sent("ana"), .syn)`, "rows: rtt", "", "it yields a number, want a list"},
		{"column", "column: left at = #.t | s", "column: left at = #.tt | s", "", "a packet has no .tt"},
		{"column's form", "column: left at = #.t | s", "column: left at", "", "want NAME = EXPRESSION"},
		{"bar", "bar: connect, theory = rtt | ms", "bar: connect, theory = rtt | 1", "", `"1" is no unit`},
		{"packet", "packet: find(packets, .syn)", "packet: packets", "", "it yields a list, want a packet"},
		{"caption missing", "caption: The SYNs of the second run.\n", "", "-- view vain --", "caption: is missing"},

		{"knob's variable", "variable: rtt", "variable: rt", "", `variable "rt" is unknown: want one of rtt, size, k, limit`},
		{"knob's values", "values: 1ms 2s", "values: 2s 1ms", "", "want the smallest and the largest"},
		{"knob's unit", "values: 1ms 2s", "values: 1kB 2kB", "", "values in kB, but variable rtt has ms"},
		{"knob without unit", "values: 1ms 2s", "values: 1 2", "", "values without a unit"},
		{"reading", "RFC 7413, section 2: how", "RFC 7413, section 2 how", "", "want a source and what one finds there"},
	}
	base := handshake(t)
	for _, tt := range tests {
		if !strings.Contains(base, tt.old) {
			t.Errorf("%s: the example has no %q", tt.name, tt.old)
			continue
		}
		text := strings.Replace(base, tt.old, tt.new, 1)
		at := tt.at
		if at == "" {
			at, _, _ = strings.Cut(strings.TrimLeft(tt.new, "\n"), "\n")
		}
		s, err := Parse("handshake", []byte(text))
		if s != nil || err == nil {
			t.Errorf("%s: Parse = nil error, want one with %q", tt.name, tt.want)
			continue
		}
		line := lineOf(t, text, at)
		found := false
		for _, m := range Mistakes(err) {
			found = found || m.Line == line && m.File == "handshake.txtar" && strings.Contains(m.What, tt.want)
		}
		if !found {
			t.Errorf("%s: Parse =\n%v\nwant line %d with %q", tt.name, err, line, tt.want)
		}
	}
}

// All mistakes of a file are told at once, in the order of lines.
func TestAllMistakes(t *testing.T) {
	text := handshake(t)
	for _, r := range [][2]string{{"theme: TCP", "theme: X"}, {"k     = pick 3 4", "k     = pick"}, {"answer: 2*rtt", "answer: 2*"}, {"kind: bars", "kind: pie"}, {"values: 1ms 2s", "values: 2s"}} {
		text = strings.Replace(text, r[0], r[1], 1)
	}
	_, err := Parse("handshake", []byte(text))
	all := Mistakes(err)
	last := 0
	for _, m := range all {
		if m.Line < last {
			t.Errorf("line %d is told after line %d", m.Line, last)
		}
		last = m.Line
	}
	for _, words := range []string{"theme: X", "k     = pick", "answer: 2*\n", "kind: pie", "values: 2s"} {
		line := lineOf(t, text, words)
		found := false
		for _, m := range all {
			found = found || m.Line == line
		}
		if !found {
			t.Errorf("nothing is said of line %d, %q:\n%v", line, words, err)
		}
	}
}

// The column is that of the letter, also behind letters of several bytes.
func TestColumn(t *testing.T) {
	text := strings.Replace(handshake(t), "solution: One round trip: the SYN takes {rtt/2 | ms}", "solution: Größe, Größe {rtt + rrt | ms}", 1)
	_, err := Parse("handshake", []byte(text))
	all := Mistakes(err)
	if len(all) != 1 || all[0].Column != 31 {
		t.Errorf("Parse = %v, want one mistake at column 31", err)
	}
}

// What is no sheet at all is refused.
func TestNoSheet(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"empty":  {"x", "", "no section begins"},
		"name":   {"My lab", handshake(t), "small letters, digits and hyphens"},
		"binary": {"x", "title: \xff\xfe", "not UTF-8"},
		"large":  {"x", strings.Repeat("#\n", 600_000), "at most"},
	} {
		if s, err := Parse(tt.file, []byte(tt.text)); s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Parse = %v, want an error with %q", name, err, tt.want)
		}
	}
}

// FuzzParse: no file makes Parse panic; a mistake has a line of the file.
func FuzzParse(f *testing.F) {
	f.Add(handshake(f))
	f.Add(upper(f))
	f.Add("title: x\nkind: build\ntheme: Build\n-- aims --\na\n-- stage 1 x --\ntransport: tcp\n\nopen a\n-- wrong/x/main.py --\n# fails: x: y\n")
	f.Add("-- step a --\nkind: fill\nline: [x] {1 | ms}\nblank: x = 1 | s\n")
	f.Add("-- variables --\na = pick 1 2\nb = range 1 5 1\nc = a*b | ms\n-- scenario --\nhost {a}\n-- knob --\nvariable: a\nvalues: 1 2\nask: {a}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz", []byte(text))
		if (s == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v, want one of them", s, err)
		}
		lines := 1 + strings.Count(text, "\n")
		for _, m := range Mistakes(err) {
			if m.Line < 1 || m.Line > lines+1 {
				t.Fatalf("%v: the file has %d lines", m, lines)
			}
		}
		if s == nil {
			return
		}
		v := s.Variant("class", "name")
		v.Text(s.Background)
		for _, st := range s.Steps {
			st.Judge(0, "1 ms", v, nil)
			st.Choices(v, nil)
		}
	})
}

// BenchmarkParse reads the worked example.
func BenchmarkParse(b *testing.B) {
	text := []byte(handshake(b))
	for b.Loop() {
		if _, err := Parse("handshake", text); err != nil {
			b.Fatal(err)
		}
	}
}
