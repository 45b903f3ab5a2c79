package sheet

import (
	"errors"
	"strings"
	"testing"

	"wirelab/labs/measure"
)

// seen returns runs as the example's scenarios give them at a round trip of 40 ms
// and a limit of 10 s, without playing them.
func seen() measure.Runs {
	syn := func(t float64, again bool) measure.Packet {
		return measure.Packet{T: t, Arrived: -1, From: "ana", To: "bo", Syn: true, Lost: true, Again: again}
	}
	return measure.Runs{
		"": {
			Packets: []measure.Packet{
				{T: 0, Arrived: 0.02, From: "ana", To: "bo", Syn: true, Dport: 7000},
				{T: 0.02, Arrived: 0.04, From: "bo", To: "ana", Syn: true, IsAck: true, Ack: 1},
				{T: 0.04, Arrived: 0.06, From: "ana", To: "bo", IsAck: true, Seq: 1, Ack: 1},
			},
			Events: []measure.Event{
				{Kind: "sock", Host: "ana", Do: "connecting"}, {T: 0.04, Kind: "sock", Host: "ana", Do: "connected"},
				{T: 0.06, Kind: "sock", Host: "bo", Do: "accepted"}, {T: 0.08, Kind: "sock", Host: "ana", Do: "answered"},
			},
		},
		"silence": {Packets: []measure.Packet{syn(0, false), syn(1, true), syn(3, true), syn(7, true)}},
	}
}

// at40 is the example's variant that seen is of.
func at40(tb testing.TB) *Variant {
	tb.Helper()
	v, err := example(tb).Variant("", "").With("rtt", 0.04)
	if err == nil {
		v, err = v.With("limit", 10)
	}
	if err == nil {
		v, err = v.With("k", 3)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestJudge(t *testing.T) {
	v := at40(t)
	tests := []struct {
		step     string
		part     int
		in       string
		right    bool
		feedback string // words of it
	}{
		{"connect", 0, "40 ms", true, ""}, {"connect", 0, "0.04 s", true, ""}, {"connect", 0, "40000 us", true, ""},
		{"connect", 0, "40.4 ms", true, ""}, {"connect", 0, "39.6ms", true, ""}, {"connect", 0, "40.5 ms", false, ""},
		{"connect", 0, "20 ms", false, "the SYN has just reached bo"}, {"connect", 0, "20.1 ms", false, "the SYN has just reached bo"},
		{"connect", 0, "60 ms", false, "ana's ACK has reached bo"}, {"connect", 0, "80 ms", false, ""}, {"connect", 0, "40 s", false, ""}, {"connect", 0, "0", false, ""},
		{"again", 0, "3 s", true, ""}, {"again", 0, "3000 ms", true, ""}, {"again", 0, "2 s", false, "doubled each time"}, {"again", 0, "4 s", false, "so what counts are 2 waits"}, {"again", 0, "7 s", false, "one wait too many"},
		{"vain", 0, "4", true, ""}, {"vain", 0, "4 segments", true, ""}, {"vain", 0, "4.01", false, ""}, {"vain", 0, "10", false, "one each second"}, {"vain", 0, "3", false, "The first one counts"},
		{"trace", 0, "SYN-ACK", true, ""}, {"trace", 0, "syn, ack", true, ""}, {"trace", 0, "SYN ACK", true, ""}, {"trace", 0, "ack", false, "it needs a SYN, too"}, {"trace", 0, "fin", false, ""},
		{"trace", 1, "1", true, ""}, {"trace", 1, "0", false, "The SYN had number 0"}, {"trace", 2, "1", true, ""}, {"trace", 2, "7", false, ""},
	}
	for _, tt := range tests {
		st := v.Sheet.Step(tt.step)
		got, err := st.Judge(tt.part, tt.in, v, seen())
		if err != nil || got.Right != tt.right || tt.feedback == "" && got.Feedback != "" || !strings.Contains(got.Feedback, tt.feedback) {
			t.Errorf("%s %d: Judge(%q) = %v %q, %v, want %v %q", tt.step, tt.part, tt.in, got.Right, got.Feedback, err, tt.right, tt.feedback)
		}
	}
}

// What makes no sense as an answer is asked again; nothing is said of right or
// wrong.
func TestUnreadable(t *testing.T) {
	v := at40(t)
	for _, tt := range []struct{ step, in, want string }{
		{"connect", "", "nothing was given"}, {"connect", "40", "no unit"}, {"connect", "40 kB", "unit of size"}, {"connect", "soon", "number"},
		{"connect", strings.Repeat("4", 2000), "too many"}, {"trace", " ", "nothing was given"}, {"trace", "--", "nothing was given"},
		{"both", "", "want a, b, c, d"}, {"both", "e", "none of the letters"}, {"both", "ab", "none of the letters"}, {"both", "\x1b[2J", "none of the letters"},
	} {
		_, err := v.Sheet.Step(tt.step).Judge(0, tt.in, v, seen())
		var bad *measure.Unreadable
		if !errors.As(err, &bad) || !strings.Contains(bad.What, tt.want) {
			t.Errorf("%s: Judge(%.20q) = %v, want an *Unreadable with %q", tt.step, tt.in, err, tt.want)
		}
	}
}

func TestJudgeChoice(t *testing.T) {
	v := at40(t)
	st := v.Sheet.Step("both")
	shown, err := st.Choices(v, seen())
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, o := range shown {
		for _, in := range []string{o.Letter, strings.ToUpper(o.Letter) + ")", " " + o.Letter + ". ", o.Text} {
			got, err := st.Judge(0, in, v, seen())
			option := st.Options[o.Option]
			if err != nil || got.Right != option.Right || got.Option != o.Option || got.Given != o.Text {
				t.Errorf("Judge(%q) = %+v, %v, want option %d", in, got, err, o.Option)
			}
			if (got.Feedback == "") != option.Right {
				t.Errorf("Judge(%q) says %q, right is %v", in, got.Feedback, option.Right)
			}
		}
		if st.Options[o.Option].Right {
			right++
		}
	}
	if right != 1 {
		t.Errorf("%d options are right", right)
	}
	if e, err := st.Expected(0, v, seen()); err != nil || !strings.HasPrefix(e.String(), "Bytes flow both ways") {
		t.Errorf("Expected = %q, %v, want the right text", e, err)
	}
}

// A prediction can be judged before the run, a question only after it.
func TestJudgeBeforeTheRun(t *testing.T) {
	v := at40(t)
	if got, err := v.Sheet.Step("answer").Judge(0, "80 ms", v, nil); err != nil || !got.Right {
		t.Errorf("a prediction before the run: %v, %v, want right", got, err)
	}
	var bad *measure.EvalError
	if _, err := v.Sheet.Step("vain").Judge(0, "4", v, nil); !errors.As(err, &bad) {
		t.Errorf("a question before the run: %v, want an *EvalError", err)
	}
	if _, err := v.Sheet.Step("trace").Judge(3, "4", v, seen()); err == nil || !strings.Contains(err.Error(), "no part 4") {
		t.Errorf("part 4 of three: %v, want an error", err)
	}
}

func TestExpectedAndMeasured(t *testing.T) {
	v := at40(t)
	for name, want := range map[string][2]string{"connect": {"40 ms", "40 ms"}, "answer": {"80 ms", "80 ms"}, "again": {"3 s", "3 s"}, "vain": {"4 segments", "4 segments"}, "trace": {"SYN-ACK", "SYN-ACK"}} {
		st := v.Sheet.Step(name)
		e, err := st.Expected(0, v, seen())
		if err != nil || e.String() != want[0] {
			t.Errorf("%s: Expected = %s, %v, want %s", name, e, err, want[0])
		}
		m, ok, err := st.Measured(0, v, seen())
		if err != nil || !ok || m.String() != want[1] {
			t.Errorf("%s: Measured = %s, %v, %v, want %s", name, m, ok, err, want[1])
		}
	}
	if _, ok, err := v.Sheet.Step("both").Measured(0, v, seen()); ok || err != nil {
		t.Errorf("a choice is measured: %v, %v", ok, err)
	}
}

func TestTrace(t *testing.T) {
	v := at40(t)
	got, err := v.Sheet.Step("trace").Trace(v, seen(), map[string]string{"flags": "SYN-ACK"})
	want := []string{"0 ms: ana to bo, port 7000: SYN, seq 0", "20 ms: bo to ana: SYN-ACK, seq 0, ack [ack]", "40 ms: ana to bo: ACK, seq [seq], ack 1"}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Trace = %q, %v, want %q", got, err, want)
	}
}

// Who rounds a wrong answer to three digits meets its reason, too.
func TestWrongRounded(t *testing.T) {
	b := Blank{
		Tolerance: Tolerance{Source: "0", Value: measure.Constant("0", 0)},
		Wrongs:    []Wrong{{Value: measure.Constant("4/3", 4.0/3)}, {Value: measure.Constant("1.32", 1.32)}},
	}
	for in, want := range map[string]int{"1.33": 0, "1.333": 0, "1.32": 1, "1.3": -1} {
		if got, err := b.judgeNumber(in, 2, &measure.Scope{}); err != nil || got.Right || got.Wrong != want {
			t.Errorf("judgeNumber(%s) = %+v, %v, want wrong %d", in, got, err, want)
		}
	}
}

func TestTolerance(t *testing.T) {
	value := measure.Constant("3ms", 0.003)
	for _, tt := range []struct {
		t        Tolerance
		v, truth float64
		want     bool
	}{
		{Tolerance{}, 1.01, 1, true}, {Tolerance{}, 1.0101, 1, false}, {Tolerance{}, -1.01, -1, true}, {Tolerance{}, 0, 0, true}, {Tolerance{}, 0.001, 0, false},
		{Tolerance{Source: "5%", Share: 0.05}, 0.95, 1, true}, {Tolerance{Source: "5%", Share: 0.05}, 0.949, 1, false},
		{Tolerance{Source: "0%"}, 1, 1, true}, {Tolerance{Source: "0%"}, 1.001, 1, false},
		{Tolerance{Source: "3ms", Value: value}, 0.043, 0.04, true}, {Tolerance{Source: "3ms", Value: value}, 0.0431, 0.04, false},
		// What binary leaves: 0.1+0.2 is not 0.3.
		{Tolerance{Source: "0", Value: measure.Constant("0", 0)}, 0.1 + 0.2, 0.3, true},
	} {
		got, err := tt.t.Within(tt.v, tt.truth, &measure.Scope{})
		if err != nil || got != tt.want {
			t.Errorf("Tolerance %q: Within(%v, %v) = %v, %v, want %v", tt.t.Source, tt.v, tt.truth, got, err, tt.want)
		}
	}
}
