package script

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const head = "transport: tcp\nlimit: 5s\n\n"

func TestParse(t *testing.T) {
	s, err := Parse(2, "cut", `transport: udp
limit: 20s
link: delay 5ms
faults: random 25 drop delay 100ms
hint: first
  goes on
hint: second

open a b # two
a > "DATA 0 hi" 00 05 | 06 + "x"*3
lose a < "ACK 0"
b < (letters*3 + "\n")*2 after 100ms within 1s
a <~ `+"`OK (?P<id>[0-9]+)`"+`
a > "ACK ${id}"
arq b exchange stop-and-wait 20
silence a b 300ms
`, 10)
	if err != nil {
		t.Fatal(err)
	}
	if s.Limit != 20*time.Second || s.Up.Delay != 5*time.Millisecond || s.Faults != (Faults{25, true, false, true, 100 * time.Millisecond}) {
		t.Errorf("head = %+v", s)
	}
	if got := fmt.Sprintf("%q", s.Hints); got != `["first goes on" "second"]` {
		t.Errorf("hints = %s", got)
	}
	var got []string
	for _, st := range s.Steps {
		line := fmt.Sprintf("%d %s %v", st.Line, st.Do, st.Names)
		for _, d := range st.Parts {
			b, err := d.Bytes(1, map[string]string{"id": "7"})
			if err != nil {
				t.Fatal(err)
			}
			line += fmt.Sprintf(" %q", b)
		}
		got = append(got, line)
	}
	want := `18 open [a b]
19 send [a] "DATA 0 hi" "\x00\x05" "\x06xxx"
20 lose [a]
21 expect [b] "abc\nabc\n"
22 match [a]
23 send [a] "ACK 7"
24 arq [b]
25 silence [a b]`
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("steps:\n%s\nwant\n%s", g, want)
	}
	if s.Steps[0].Text != "open a b" {
		t.Errorf("text = %q", s.Steps[0].Text)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "line 1: no transport"},
		{"transport", "transport: sctp\n\nopen a\na < \"x\"", `line 1: transport "sctp": want tcp or udp`},
		{"key", "transport: tcp\ncolour: red\n\nopen a\na < \"x\"", `line 2: "colour" is unknown`},
		{"no colon", "transport: tcp\nopen a\n", `line 2: "open a": want a line such as`},
		{"twice", "transport: tcp\ntransport: tcp\n\nopen a\na eof", "line 2: transport: given twice"},
		{"limit", "transport: tcp\nlimit: 1h\n\nopen a\na eof", `line 2: "1h": want a duration`},
		{"link", "transport: tcp\nlink: dlay 1ms\n\nopen a\na eof", "line 2: link"},
		{"link and up", "transport: tcp\nlink: delay 1ms\nup: delay 1ms\n\nopen a\na eof", "line 1: link is both ways"},
		{"faults tcp", "transport: tcp\nfaults: random 2\n\nopen a\na eof", "line 1: faults and reorder are for udp"},
		{"faults", "transport: udp\nfaults: random many\n\nopen a\na < \"x\"", `line 2: "many": want how many trials`},
		{"no steps", "transport: tcp\n", "line 1: no conversation"},
		{"no judge", head + "open a\na > \"x\"", "line 1: no statement that the program could fail"},
		{"not open", head + "a < \"x\"", "line 4: a is not open"},
		{"closed", head + "open a\na close\na < \"x\"", "line 6: a was closed"},
		{"killed", head + "open a\nkill\na < \"x\"", "line 6: a was closed"},
		{"open killed", head + "open a\nkill\nopen a\na eof", "line 6: the program was killed: want restart first"},
		{"verb", head + "open a\na says \"x\"", `line 5: a "says": want one of`},
		{"name", head + "Open a\n", `line 4: "Open": want a name`},
		{"reserved", head + "open wait\n", `line 4: "wait" cannot be a name`},
		{"string", head + "open a\na < \"x", "line 5: \"x: a string that does not end"},
		{"data", head + "open a\na < x", `line 5: "x": want a string in quotes`},
		{"no data", head + "open a\na <", "line 5: the end of the line: want data"},
		{"join", head + "open a\na < \"x\" +", "line 5: the end of the line: want another part"},
		{"brackets", head + "open a\na < (\"x\"", "line 5: the end of the line: want a closing bracket"},
		{"close bracket", head + "open a\na < \"x\")", `line 5: ")" is one word too many`},
		{"length", head + "open a\na < bytes", "line 5: bytes: want a length"},
		{"too much", head + "open a\na < \"xxxxxxxx\"*60000000", "line 5: 60000000 times 8 bytes"},
		{"unknown", head + "open a\na < \"${id}\"", "line 5: ${id} is not known here"},
		{"pattern", head + "open a\na <~ `(`", "line 5: error parsing regexp"},
		{"after", head + "open a\na < \"x\" after 3s", "line 5: after 3s within 2s"},
		{"glued", head + "open a\na >> \"x\"\na < \"x\"", "line 6: the send of line 5 still waits"},
		{"glued at the end", head + "open a\na eof\na >> \"x\"", "line 6: a >> waits for another send"},
		{"tcp alone", "transport: udp\n\nopen a\na eof", "line 4: eof is for tcp"},
		{"udp alone", head + "open a\nlose a > \"x\"", "line 5: lose is for udp"},
		{"size", "transport: udp\n\nopen a\na < bytes*65508", "line 4: a datagram of 65508 bytes"},
		{"waits", head + "open a\nsilence a 5s", "line 1: the statements wait 5s by themselves"},
		{"arq", "transport: udp\n\nopen a\narq a gap 9", `line 4: "9": want how many texts, 2 to 8`},
	} {
		_, err := Parse(1, "x", tt.in, 1)
		var m *Mistake
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &m) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("transport: tcp\nlimit: 5s\nhint: x\n y\n\nopen a\na > \"x\" + 00 05 | 06\na <any (\"a\"*2 + bytes*7)*3 within 1s\na <~ `(?P<id>x)`\na < \"${id}\"\nkill\nrestart\n")
	f.Add("transport: udp\nfaults: random 3 drop\nreorder: yes\n\nopen a\nlate a > \"x\" 30ms\narq a window 24\nsilence a 1s")
	f.Add("transport: tcp\n\nopen a\na < \"\"*9999999 ((((\"${\"")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(1, "t", text, 1)
		if (s == nil) == (err == nil) {
			t.Fatalf("stage %v, err %v", s, err)
		}
		if err != nil {
			return
		}
		for _, st := range s.Steps {
			for _, d := range st.Parts {
				if d.size < 1<<16 && !d.Uses() {
					b, err := d.Bytes(1, nil)
					if err != nil || len(b) > d.size {
						t.Fatalf("%q: %d bytes, %v, want at most %d", st.Text, len(b), err, d.size)
					}
				}
			}
			if st.Do == Match {
				found := map[string]string{}
				for _, g := range s.Steps {
					for _, n := range g.Groups {
						found[n] = "("
					}
				}
				if _, err := st.Compile(found); err != nil {
					t.Fatalf("%q: %v", st.Text, err)
				}
			}
		}
	})
}
