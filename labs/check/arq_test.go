package check

import (
	"strings"
	"testing"
)

// A program that keeps the rules passes, and each mistake is found, by a scene
// that is about it.
func TestARQ(t *testing.T) {
	const saw, sr = "stop-and-wait", "selective-repeat"
	for _, tt := range []struct {
		mode, mistake string
		head, text    string
		want          Kind
		words         string
	}{
		{saw, "none", "", "arq a exchange stop-and-wait 10", Passed, ""},
		{saw, "none", "link: delay 5ms loss 20%", "arq a exchange stop-and-wait 6", Passed, ""},
		{saw, "none", "link: delay 5ms duplicate 50%", "arq a exchange stop-and-wait 6", Passed, ""},
		{saw, "none", "down: delay 3 300ms delay 8 300ms", "arq a exchange stop-and-wait 6", Passed, ""},
		{saw, "small", "", "arq a exchange stop-and-wait 3", WrongBytes, "not in capitals"},
		{saw, "wrong-ack", "", "arq a exchange stop-and-wait 3", WrongBytes, "ACK 1, but no DATA 1"},
		{saw, "never-again", "", "lose a > \"ACK 1\"\narq a exchange stop-and-wait 3", TooLate, "not sent again within 1s"},
		{saw, "sluggish", "", "lose a > \"ACK 1\"\narq a exchange stop-and-wait 3", TooLate, "not sent again within 1s"},
		{saw, "hasty", "link: delay 50ms", "arq a exchange stop-and-wait 3", TooEarly, "less than 100ms is too early"},
		{saw, "acks-once", "", "lose a < \"ACK 0\"\narq a exchange stop-and-wait 3", NeverAnswers, "acknowledged again"},
		{saw, "delivers-twice", "", "lose a < \"ACK 0\"\narq a exchange stop-and-wait 3", WrongBytes, "delivered twice"},
		{saw, "chatters", "", "arq a exchange stop-and-wait 3", BreaksRule, "sent again"},

		{sr, "none", "", "arq a exchange selective-repeat 30", Passed, ""},
		{sr, "none", "link: delay 5ms 4ms loss 10% duplicate 10%\nreorder: yes", "arq a exchange selective-repeat 30", Passed, ""},
		{sr, "none", "link: delay 2ms", "arq a gap 8", Passed, ""},
		{sr, "none", "link: delay 2ms", "arq a window 24", Passed, ""},
		{sr, "keeps-nothing", "link: delay 2ms", "arq a gap 8", NeverAnswers, "has to be kept"},
		{sr, "out-of-order", "link: delay 2ms", "arq a gap 8", WrongBytes, "out of order"},
		{sr, "wide", "link: delay 2ms", "arq a window 24", BreaksRule, "the window is 8"},
		{sr, "narrow", "link: delay 2ms", "arq a window 24", BreaksRule, "is not used"},
		{sr, "all-again", "link: delay 2ms", "arq a window 24", BreaksRule, "sent again"},
		{sr, "never-again", "link: delay 2ms", "arq a window 24", TooLate, "not sent again"},
		{sr, "delivers-twice", "", "twice a > \"DATA 3\"\narq a exchange selective-repeat 9", WrongBytes, "delivered twice"},
	} {
		t.Run(tt.mode+" "+tt.mistake, func(t *testing.T) {
			t.Parallel()
			s := stage(t, strings.TrimSpace("transport: udp\nlimit: 20s\n"+tt.head), "open a\n"+tt.text)
			r, f := judge(t, s, "arq", tt.mode, tt.mistake)
			if r.Kind() != tt.want {
				t.Fatalf("%s: %v (%v), want %s", tt.text, r.Kind(), f, tt.want)
			}
			if f != nil && !strings.Contains(f.What, tt.words) {
				t.Errorf("%s: %q, want %q in it", tt.text, f.What, tt.words)
			}
		})
	}
}

func TestParseARQ(t *testing.T) {
	for _, tt := range []struct {
		in   string
		data bool
		n    int
		text string
		ok   bool
	}{
		{"DATA 0 hello you", true, 0, "hello you", true},
		{"DATA 12 ", true, 12, "", true},
		{"ACK 7", false, 7, "", true},
		{"ACK 7 ", false, 0, "", false},
		{"ACK 07", false, 7, "", false},
		{"ACK -1", false, -1, "", false},
		{"DATA 1", true, 0, "", false},
		{"DATA x y", true, 0, "y", false},
		{"data 1 x", false, 0, "", false},
		{"ACK", false, 0, "", false},
		{"", false, 0, "", false},
	} {
		data, n, text, ok := parseARQ([]byte(tt.in))
		if ok != tt.ok || ok && (data != tt.data || n != tt.n || text != tt.text) {
			t.Errorf("parseARQ(%q) = %v, %d, %q, %v", tt.in, data, n, text, ok)
		}
	}
}
