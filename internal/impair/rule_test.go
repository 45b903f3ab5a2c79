package impair

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRule(t *testing.T) {
	tests := []struct {
		in   string
		want Rule
	}{
		{"drop 3", Rule{Do: Drop, First: 3, Last: 3}},
		{"drop packet 3", Rule{Do: Drop, First: 3, Last: 3}},
		{"  drop\tdata  3..5 ", Rule{Do: Drop, Class: Data, First: 3, Last: 5}},
		{"duplicate ack 5", Rule{Do: Duplicate, Class: Ack, First: 5, Last: 5}},
		{"corrupt udp 2", Rule{Do: Corrupt, Class: UDP, First: 2, Last: 2}},
		{"spare syn 1", Rule{Do: Spare, Class: SYN, First: 1, Last: 1}},
		{"drop fin 1", Rule{Do: Drop, Class: FIN, First: 1, Last: 1}},
		{"drop rst 1", Rule{Do: Drop, Class: RST, First: 1, Last: 1}},
		{"drop tcp 1", Rule{Do: Drop, Class: TCP, First: 1, Last: 1}},
		{"drop icmp 1", Rule{Do: Drop, Class: ICMP, First: 1, Last: 1}},
		{"delay 7 80ms", Rule{Do: Delay, First: 7, Last: 7, By: 80 * time.Millisecond}},
		{"delay data 7..9 1.5s", Rule{Do: Delay, Class: Data, First: 7, Last: 9, By: 1500 * time.Millisecond}},
		{"down 2s..7s", Rule{Do: Down, From: 2 * time.Second, To: 7 * time.Second}},
		{"down 0..500ms", Rule{Do: Down, To: 500 * time.Millisecond}},
	}
	for _, tt := range tests {
		got, err := ParseRule(tt.in)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("ParseRule(%q): error %v\n%s", tt.in, err, d)
		}
		if again, err := ParseRule(got.String()); again != got || err != nil {
			t.Errorf("ParseRule(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
		if got.Span() != (tt.want.Do == Down) {
			t.Errorf("Span() of %q = %v", tt.in, got.Span())
		}
	}
}

func TestParseRuleRefuses(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", []string{"empty", "drop data 3"}},
		{"lose 3", []string{`"lose"`, "drop, duplicate"}},
		{"drop", []string{"drop", "which packet"}},
		{"drop data", []string{"drop", "of that class"}},
		{"drop -1", []string{`"-1"`, "from 1"}},
		{"drop 0", []string{"drop 0", "from 1"}},
		{"drop 5..3", []string{"drop 5..3"}},
		{"drop 3..", []string{`"3.."`}},
		{"drop 1000000001", []string{"1000000001", "1000000000"}},
		{"drop 3 4", []string{`"4"`, "one word too many"}},
		{"delay 7", []string{"delay", "how long"}},
		{"delay 7 80", []string{`"80"`, "80ms"}},
		{"delay 7 -80ms", []string{"-80ms", "more than 0s"}},
		{"delay 7 2h", []string{"2h0m0s", "at most 1h0m0s"}},
		{"down", []string{"down", "2s..7s"}},
		{"down 2..7", []string{`"2..7"`, "2s..7s"}},
		{"down 2s..2s", []string{"down 2s..2s", "ends after it begins"}},
		{"down -1s..2s", []string{"down -1s..2s", "0s or later"}},
	}
	for _, tt := range tests {
		_, err := ParseRule(tt.in)
		if err == nil {
			t.Errorf("ParseRule(%q) is no error", tt.in)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("ParseRule(%q) = %q, want %q in it", tt.in, err, w)
			}
		}
	}
}

func TestAddRule(t *testing.T) {
	c, err := Parse("loss 1% drop data 3..5")
	if err != nil {
		t.Fatal(err)
	}
	before := c
	for _, tt := range []struct{ in, want string }{
		{"spare data 5", "two fates"}, {"spare data 1..9", "two fates"}, {"spare", "which packet"},
	} {
		if err := c.AddRule(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("AddRule(%q) = %v, want %q in it", tt.in, err, tt.want)
		}
	}
	if d := cmp.Diff(before, c); d != "" {
		t.Errorf("what was refused changed the link:\n%s", d)
	}
	// The same number of another class is another packet, or another's rule.
	for _, in := range []string{"spare data 6", "spare 4", "spare ack 4", "down 1s..2s", "down 1s..3s"} {
		if err := c.AddRule(in); err != nil {
			t.Errorf("AddRule(%q) = %v", in, err)
		}
	}
	if got, want := c.String(), "loss 1% drop data 3..5 spare data 6 spare 4 spare ack 4 down 1s..2s down 1s..3s"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if len(before.Script) != 1 {
		t.Errorf("a copy has %d rules, want the one it had", len(before.Script))
	}
}

// Of rules of several classes that name one packet the narrowest counts; a
// packet counts in each of its classes.
func TestNarrowestRuleCounts(t *testing.T) {
	l := link(t, "drop 1 spare tcp 1 duplicate data 1 drop tcp 2 drop 4", 20)
	for i, tt := range []struct {
		class  Class
		copies int
	}{
		{TCP | Data, 2}, // the first of all, of tcp and of data
		{UDP | Data, 1},
		{TCP | SYN, 0},  // tcp's second
		{UDP | Data, 0}, // the fourth of all
		{TCP | Ack, 1},
	} {
		if o := l.Plan(start, Packet{Size: 100, Class: tt.class, Flow: 1}); len(o.Arrivals) != tt.copies || o.Ordinal != uint64(i+1) {
			t.Errorf("packet %d: %+v, want %d copies of the same number", i+1, o, tt.copies)
		}
	}
}

// In which order rules are given does not matter.
func TestOrderOfRules(t *testing.T) {
	l := link(t, "drop 9 drop 2 duplicate 11..12 drop 5..6 spare 3 drop 1", 20)
	for i, o := range plan(l, 13, 0) {
		want := [...]int{0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 2, 2, 1}[i]
		if len(o.Arrivals) != want {
			t.Errorf("packet %d: %+v, want %d copies", i+1, o, want)
		}
	}
}

// Each class is counted by itself, and only its packets are.
func TestRuleOfEachClass(t *testing.T) {
	classes := []Class{TCP, UDP, ICMP, SYN, FIN, RST, Data, Ack}
	for _, c := range classes {
		l, err := New(Config{Script: []Rule{{Do: Drop, Class: c, First: 2, Last: 2}}}, 21, start)
		if err != nil {
			t.Fatal(err)
		}
		for round := 1; round <= 3; round++ {
			for _, of := range classes {
				want := Carried
				if of == c && round == 2 {
					want = LostScript
				}
				if o := l.Plan(start, Packet{Size: 100, Class: of, Flow: 1}); o.Cause != want {
					t.Errorf("drop %s 2: %s's packet %d: %v, want %v", className(c), className(of), round, o.Cause, want)
				}
			}
		}
	}
}

// Spare is about chance: the link that is down, too small or full loses all.
func TestSpare(t *testing.T) {
	l := link(t, "loss 100% rate 8kbit limit 1 mtu 500 spare 1 spare 3..5 down 1s..2s", 22)
	for i, tt := range []struct {
		at   time.Duration
		size int
		want Cause
	}{
		{0, 500, Carried}, {0, 500, LostRandom}, {0, 500, LostFull}, {0, 501, LostTooBig}, {time.Second, 500, LostDown},
	} {
		if o := l.Plan(start.Add(tt.at), Packet{Size: tt.size, Flow: 1}); o.Cause != tt.want {
			t.Errorf("packet %d: %v, want %v", i+1, o.Cause, tt.want)
		}
	}
}
