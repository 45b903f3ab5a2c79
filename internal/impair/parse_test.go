package impair

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Config
	}{
		{"", Config{}},
		{"delay 20ms", Config{Delay: 20 * time.Millisecond}},
		{"delay 20ms 5ms 25% distribution normal", Config{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, DelayCorrelation: 0.25, Distribution: Normal}},
		{"loss 10%", Config{Loss: Loss{Model: Random, P: 0.1}}},
		{"loss random 0.1 25%", Config{Loss: Loss{Model: Random, P: 0.1, Correlation: 0.25}}},
		// netem's defaults: r = 1−p, 1−h = 1, 1−k = 0.
		{"loss gemodel 1%", Config{Loss: Loss{Model: Gilbert, GoodToBad: 0.01, BadToGood: 0.99, LossBad: 1}}},
		{"loss gemodel 1% 25% 50% 0.1%", Config{Loss: Loss{Model: Gilbert, GoodToBad: 0.01, BadToGood: 0.25, LossBad: 0.5, LossGood: 0.001}}},
		// p31 = 1−p13, p32 = 0, p23 = 1, p14 = 0.
		{"loss state 2%", Config{Loss: Loss{Model: States, P13: 0.02, P31: 0.98, P23: 1}}},
		{"duplicate 1% 5% corrupt 2%", Config{Duplicate: 0.01, DuplicateCorrelation: 0.05, Corrupt: 0.02}},
		{"delay 10ms reorder 25% 50% gap 5", Config{Delay: 10 * time.Millisecond, Reorder: 0.25, ReorderCorrelation: 0.5, Gap: 5}},
		{"rate 1.5Mbit 20 limit 30 mtu 576", Config{Rate: 1_500_000, Overhead: 20, Limit: 30, MTU: 576}},
		{"delay 7 80ms", Config{Script: []Rule{{Do: Delay, First: 7, Last: 7, By: 80 * time.Millisecond}}}},
		{"drop data 3..5 duplicate ack 5 down 2s..7s", Config{Script: []Rule{
			{Do: Drop, Class: Data, First: 3, Last: 5}, {Do: Duplicate, Class: Ack, First: 5, Last: 5}, {Do: Down, From: 2 * time.Second, To: 7 * time.Second}}}},
		{"lossy-10 loss 2%", Config{Delay: 20 * time.Millisecond, Loss: Loss{Model: Random, P: 0.02}}},
		{"loss 10% loss 0%", Config{}},
		{"loss 10% 25% loss 3%", Config{Loss: Loss{Model: Random, P: 0.03}}},
		{"delay 20ms 5ms 25% delay 10ms", Config{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, DelayCorrelation: 0.25}},
		{"delay 20ms jitter 5ms 25%", Config{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, DelayCorrelation: 0.25}},
		{"delay 0", Config{}},
		{"delay 7 80ms delay 20ms", Config{Delay: 20 * time.Millisecond, Script: []Rule{{Do: Delay, First: 7, Last: 7, By: 80 * time.Millisecond}}}},
		// A number alone names a packet, a share has a point or a per cent sign.
		{"corrupt 1", Config{Script: []Rule{{Do: Corrupt, First: 1, Last: 1}}}},
		{"corrupt 1.0 duplicate 0.5", Config{Corrupt: 1, Duplicate: 0.5}},
		{"rate 8bit", Config{Rate: 8}},
		{"rate 1GBIT", Config{Rate: 1_000_000_000}},
		{"rate 10mbit rate 0", Config{}},
		{"lan", Config{Delay: 200 * time.Microsecond, Rate: 1_000_000_000, Limit: 1000}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q) = %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("Parse(%q):\n%s", tt.in, d)
		}
	}
}

// What makes no sense is refused, with the word, the value and what would be
// right.
func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"loss 120%", []string{"loss", "120%", "0% to 100%"}},
		{"loss -1%", []string{"-1%", "0% to 100%"}},
		{"loss NaN", []string{"NaN", "10%"}},
		{"loss Inf", []string{"Inf", "0% to 100%"}},
		{"loss 1.01", []string{"loss", "1.01", "0% to 100%"}},
		{"loss 10% 120%", []string{"loss", "120%"}},
		{"loss gemodel 1% 120%", []string{"loss", "120%"}},
		{"loss state", []string{"loss", "no value"}},
		{"corrupt often", []string{"corrupt", `"often"`}},
		{"delay 7 loss 1%", []string{`"7"`, "20ms"}},
		{"delay 0 5ms", []string{"delay 0 5ms", "from 1"}},
		{"delay 2h", []string{"2h", "1h0m0s"}},
		{"delay 20ms -5ms", []string{"-5ms", "0s to"}},
		{"delay 20ms 5ms 25% 9%", []string{`"9%"`, "unknown"}},
		{"rate 0.3bit", []string{`"0.3bit"`, "8bit"}},
		{"rate -1mbit", []string{`"-1mbit"`}},
		{"rate NaNmbit", []string{`"NaNmbit"`}},
		{"rate 1001gbit", []string{`"1001gbit"`, "1000gbit"}},
		{"overhead 65536", []string{"overhead 65536", "65535"}},
		{"gap 1.5", []string{"gap", `"1.5"`}},
		{"loss", []string{"loss", "no value"}},
		{"delay -5ms", []string{"delay", "-5ms", "0s to"}},
		{"delay 7", []string{"delay", `"7"`, "20ms"}},
		{"delay 20", []string{`"20"`, "no duration"}},
		{"reorder 10%", []string{"reorder", "10%", "delay"}},
		{"delay 5ms gap 3", []string{"gap 3", "reorder"}},
		{"delay 5ms distribution normal", []string{"normal", "jitter"}},
		{"delay 5ms 1ms distribution gauss", []string{`"gauss"`, "uniform, normal, pareto, paretonormal"}},
		{"rate 3", []string{`"3"`, "10mbit"}},
		{"rate 1bit", []string{"rate 1bit", "8bit"}},
		{"mtu 20", []string{"mtu 20", "68 to 65535"}},
		{"limit -1", []string{`"-1"`}},
		{"los 10%", []string{`"los"`, "loss", "satellite"}},
		{"delay 5ms 4g", []string{`"4g"`}},
		{"drop data 3 corrupt data 3", []string{"two fates for one packet"}},
		{"drop 3..9 spare 5", []string{"two fates for one packet"}},
		{"drop data 0", []string{"drop data 0", "from 1"}},
		{"drop segments 3", []string{`"segments"`, "data, ack"}},
		{"down 7s..2s", []string{"down 7s..2s", "ends after it begins"}},
		{"down 7s", []string{`"7s"`, "2s..7s"}},
		{"loss state 60% 10% 10% 10% 50%", []string{"p13 60%", "p14 50%", "more than 100%"}},
	}
	for _, tt := range tests {
		_, err := Parse(tt.in)
		if err == nil {
			t.Errorf("Parse(%q) is no error", tt.in)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("Parse(%q) = %q, want %q in it", tt.in, err, w)
			}
		}
	}
}

func TestSet(t *testing.T) {
	var c Config
	for name, value := range map[string]string{"loss": "10%", "delay": "20ms 5ms", "rate": "10mbit"} {
		if err := c.Set(name, value); err != nil {
			t.Errorf("Set(%s, %s) = %v", name, value, err)
		}
	}
	if got, want := c.String(), "delay 20ms 5ms loss 10% rate 10mbit"; got != want {
		t.Errorf("after Set %q, want %q", got, want)
	}
	// A flag has shares, and --fate has packets.
	c = Config{}
	for _, of := range [][2]string{{"corrupt", "1"}, {"duplicate", "0"}} {
		if err := c.Set(of[0], of[1]); err != nil {
			t.Errorf("Set(%s, %s) = %v", of[0], of[1], err)
		}
	}
	if got, want := c.String(), "corrupt 100%"; got != want {
		t.Errorf("after Set %q, want %q", got, want)
	}
	for _, bad := range [][2]string{{"delay", "7 80ms"}, {"corrupt", "udp 2"}, {"drop", "3"}, {"loss", "120%"}, {"loss", "1% 2% 3%"}, {"speed", "3"}, {"delay", ""}} {
		if err := c.Set(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("Set(%q, %q) = %v, want an error that names it", bad[0], bad[1], err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for in, want := range map[string]string{
		"loss 10% 25%":               "draws the realised loss away",
		"delay 20ms 5ms":             "reorders packets",
		"delay 20ms 5ms rate 10mbit": "",
		"loss gemodel 1% delay 20ms": "",
	} {
		c, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Warnings(), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("warnings of %q: %q, want %q", in, got, want)
		}
	}
}

func TestProfilesAreValid(t *testing.T) {
	if len(Profiles()) != 6 {
		t.Errorf("profiles %v, want six", Profiles())
	}
	for _, name := range Profiles() {
		c, _ := Profile(name)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	lossy, _ := Profile("lossy-10")
	bursty, _ := Profile("bursty")
	if a, b := lossy.Loss.Rate(), bursty.Loss.Rate(); a != 0.1 || b < 0.0999 || b > 0.1001 {
		t.Errorf("lossy-10 loses %v and bursty %v, want a tenth each", a, b)
	}
}

// FuzzParse: what is parsed is valid, and its text is read back as the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"4g loss 2% drop data 3", "delay 20ms 5ms 25% distribution pareto", "loss state 1% 2% 3% 4% 5%", "rate 10mbit 4 limit 3 mtu 100",
		"delay 1ms reorder 3% gap 4", "delay 7 80ms delay 3ms", "loss gemodel 1% 0.3", "down 1s..2s spare syn 1 corrupt 4..5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil {
			t.Fatalf("Parse(%q).String() = %q, which is refused: %v", text, c.String(), err)
		}
		if d := cmp.Diff(c, again); d != "" {
			t.Errorf("Parse(%q).String() = %q reads back differently:\n%s", text, c.String(), d)
		}
	})
}

// FuzzDecodeFates: what is decoded is encoded to the same bytes.
func FuzzDecodeFates(f *testing.F) {
	b, _ := Recorded{Key{1, 2, 3}, Fate{Lost: LostBurst, Corrupt: true, Shift: -0.5}}.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := DecodeFates(b)
		if err != nil {
			return
		}
		var again []byte
		for _, r := range all {
			again, _ = r.AppendBinary(again)
		}
		if string(again) != string(b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
