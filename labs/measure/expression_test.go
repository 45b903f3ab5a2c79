package measure

import (
	"errors"
	"math"
	"strings"
	"testing"

	"wirelab/labs/scenario"
)

// made is a run of three packets, two of them ana's, one of which is lost.
func made() *Run {
	return &Run{
		Scenario: &scenario.Scenario{Record: []string{"ana"}},
		Packets: []Packet{
			{N: 1, T: 0, Arrived: 0.02, Copies: 1, Host: "ana", Up: true, From: "ana", To: "bo", Proto: "tcp", Size: 60, Syn: true, MSS: 1460},
			{N: 2, T: 0.02, Arrived: 0.04, Copies: 1, Host: "ana", From: "bo", To: "ana", Proto: "tcp", Size: 60, Syn: true, IsAck: true},
			{N: 3, T: 0.04, Arrived: -1, Host: "ana", Up: true, From: "ana", To: "bo", Proto: "tcp", Size: 1500, Len: 1448, Seq: 1, Lost: true},
		},
		Events: []Event{
			{Kind: "sock", Host: "ana", Do: "connecting"}, {T: 0.04, Kind: "sock", Host: "ana", Do: "connected"},
			{T: 0.5, Kind: "emit", Host: "ana", N: 1, Size: 40}, {T: 0.6, Kind: "deliver", Host: "bo", From: "ana", N: 1}, {T: 0.7, Kind: "acked", Host: "ana", N: 1},
		},
		States: []State{{T: 0.04, Host: "ana", Cwnd: 10, SRTT: 0.04}, {T: 0.05, Host: "bo", Cwnd: 11}},
		Totals: Totals{Packets: 3, Drops: map[string]int{"link: random": 1}},
	}
}

func scope() *Scope {
	r := made()
	return &Scope{Variables: map[string]float64{"rtt": 0.04, "n": 3}, Run: r, Runs: Runs{"": r, "loss": {Totals: Totals{Packets: 7}}}}
}

func names() Names {
	return Names{Variables: []string{"rtt", "n"}, Runs: []string{"loss"}, Run: true}
}

func TestExpressions(t *testing.T) {
	tests := []struct {
		in   string
		want float64
	}{
		{"rtt / 2", 0.02}, {"2^n - 1", 7}, {"40*ms + 1*s", 1.04}, {"10*Mbit / 8", 1.25e6}, {"64*KiB", 65536}, {"5*percent", 0.05}, {"5 / 2", 2.5},
		{"sqrt(16) + sqrt(n + 1)", 6}, {"cbrt(27)", 3}, {"pow(2, n)", 8}, {"log2(8)", 3}, {"exp(log(n))", 3}, {"ceil((8192+8)/1480)", 6}, {"floor(1.5) + round(1.5)", 3}, {"roundto(1.2345, 2)", 1.23},
		{"min(n, 2) + max(n, 2)", 5}, {"abs(-n)", 3}, {"n > 2 ? 1 : 0", 1}, {"let a = rtt; a * 2", 0.08},
		{"len(packets)", 3}, {`len(sent("ana"))`, 2}, {`len(received("bo"))`, 1}, {`len(received("ana"))`, 1}, {`len(between("bo", "ana"))`, 3}, {`count(packets, .lost)`, 1},
		{`first(did("ana", "connected")).t - first(did("ana", "connecting")).t`, 0.04}, {`find(packets, .syn && .isack).arrived`, 0.04},
		{`last(delivered("bo")).t - first(emitted("ana")).t`, 0.1}, {`acked("ana")[0].t`, 0.7}, {`sum(packets, .len) + sum(map(packets, .size))`, 1448 + 1620},
		{"1 + last(filter(packets, .syn)).t", 1.02}, {"rtt - first(filter(packets, .lost)).t + len(filter(packets, .lost))", 1},
		{"len(states())", 2}, {`first(states("bo")).cwnd`, 11}, {`totals.packets + totals.drops["link: random"]`, 4}, {`totals.drops["nothing"]`, 0}, {"runs.loss.totals.packets", 7}, {"began", 0},
		{"mean([1, 2, 6])", 3}, {"median([5, 1, 3])", 3}, {"median([1, 2])", 1.5}, {"sum(gaps(map(packets, .t)))", 0.04}, {"len(gaps([1]))", 0},
		// R: quantile(c(1, 2, 3, 4), 0.3) is 1.9.
		{"quantile([4, 1, 3, 2], 0.3)", 1.9}, {"quantile([4, 1, 3, 2], 1)", 4}, {"quantile([7], 0.5)", 7},
		// Jain, Chiu, Hawe 1984: all alike 1, one of four has all 1/4.
		{"jain([3, 3, 3])", 1}, {"jain([1, 0, 0, 0])", 0.25}, {"jain([1, 2, 3])", 36.0 / 42},
		// RFC 1071, section 3: the sum is ddf2, its complement 220d.
		{"checksum([0x0001, 0xf203, 0xf4f5, 0xf6f7])", 0x220d}, {"checksum([0xf203, 0x0001, 0xf4f5, 0xf6f7])", 0x220d}, {"checksum([])", 0xffff},
		// RFC 4737, section 3.3, the example of section 3.4: 1 2 3 7 8 9 10 4 5 6 11, three are reordered.
		{"reordered([1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11])", 3}, {"reordered([1, 2, 4, 5])", 0},
	}
	for _, tt := range tests {
		e, err := Compile(tt.in, names(), Number)
		if err != nil {
			t.Errorf("Compile(%q) = %v", tt.in, err)
			continue
		}
		if got, err := e.Number(scope()); err != nil || math.Abs(got-tt.want) > 1e-12*math.Max(1, math.Abs(tt.want)) {
			t.Errorf("%s = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

// A mistake is found when the sheet is read, with the column and what was meant.
func TestSyntaxErrors(t *testing.T) {
	tests := []struct {
		in     string
		kind   Kind
		column int
		want   string
	}{
		{"", Number, 1, "is missing"},
		{"1 +", Number, 3, "ends too early"},
		{"rtt + rrt", Number, 7, "rrt is unknown: did you mean rtt?"},
		{"frist(packets).t", Number, 1, "did you mean first?"},
		{"find(packets, .sin).t", Number, 16, "a packet has no .sin: did you mean .syn?"},
		{"find(packets, .zzzzzz).t", Number, 16, "it has .n .t"},
		{"first(events).hots", Number, 15, "an event has no .hots: did you mean .host?"},
		{"runs.lost.totals.packets", Number, 6, "no run is named lost: want one of loss"},
		{"packets", Number, 1, "it yields a list of packets, want a number"},
		{"find(packets, .syn)", Number, 1, "it yields a packet, want a number"},
		{`"x"`, Number, 1, "it yields text, want a number"},
		{"rtt", Bool, 1, "it yields number, want true or false"},
		{"rtt", Text, 1, "it yields a number, want a text"},
		{"rtt", List, 1, "it yields a number, want a list"},
		{"packets", OneOf, 1, "it yields a list, want a packet"},
		{"first(events)", OneOf, 1, "it yields an event, want a packet"},
		{"40ms", Number, 3, "write 40*ms"},
		{"1 - 5%", Number, 6, "0.05 or 5*percent"},
		{"n % 2", Number, 3, "int(x) % 2"},
		{"packets[n].t", Number, 9, "packets[int(n)]"},
		{"1 | 2", Number, 3, "one | too many"},
		{"now().Unix()", Number, 1, "would not give the same"},
		{`sqrt("x")`, Number, 6, "cannot use text"},
		{"sent(1)", List, 6, "cannot use number"},
		{strings.Repeat("1+", 3000) + "1", Number, 1, "too many"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.in, names(), tt.kind)
		var at *SyntaxError
		if !errors.As(err, &at) || at.Column != tt.column || !strings.Contains(at.What, tt.want) {
			t.Errorf("Compile(%.60q, %s) = %.200v, want column %d and %q", tt.in, tt.kind, err, tt.column, tt.want)
		}
	}
}

// Before the run only variables are known.
func TestLevels(t *testing.T) {
	n := names()
	n.Run = false
	for _, in := range append(runNames(), "len(packets)", `len(sent("ana"))`, "rtt + began") {
		if _, err := Compile(in, n, Any); err == nil || !strings.Contains(err.Error(), "known only after the run") {
			t.Errorf("Compile(%q) without a run = %v, want an error that says it is known after the run", in, err)
		}
	}
	e, err := Compile("rtt*2", names(), Number)
	if err != nil || e.Run {
		t.Errorf("Compile(rtt*2) = %v, Run %v, want one that needs no run", err, e.Run)
	}
	if v, err := e.Number(&Scope{Variables: map[string]float64{"rtt": 1, "n": 0}}); err != nil || v != 2 {
		t.Errorf("rtt*2 without a run = %v, %v, want 2", v, err)
	}
	e, err = Compile("len(packets)", names(), Number)
	if err != nil || !e.Run {
		t.Fatalf("Compile(len(packets)) = %v, Run %v, want one that needs a run", err, e.Run)
	}
	if _, err := e.Number(&Scope{}); err == nil || !strings.Contains(err.Error(), "none was played") {
		t.Errorf("len(packets) without a run = %v, want an error", err)
	}
}

// What has no value in a run is an error that says so, not a zero.
func TestEvalErrors(t *testing.T) {
	for in, want := range map[string]string{
		"find(packets, .len == 7).t":                  "no such packet",
		"first(filter(events, .n == 9)).t":            "no such packet or event",
		`first(did("bo", "connected")).t`:             "no such packet or event",
		"mean([])":                                    "mean: of nothing",
		"median(map(filter(packets, .len == 7), .t))": "of nothing",
		"0 * (n - 3) / (n - 3)":                       "no number",
		"sqrt(-1*n)":                                  "no number",
		"packets[9].t":                                "out of range",
		`checksum([70000])`:                           "want 0 to 0xffff",
		"quantile([1], 2)":                            "want a share",
		"max(filter(map(packets, .t), # < -5))":       "missing",
	} {
		e, err := Compile(in, names(), Number)
		if err != nil {
			t.Errorf("Compile(%q) = %v", in, err)
			continue
		}
		var bad *EvalError
		if v, err := e.Number(scope()); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %v, %v, want an *EvalError with %q", in, v, err, want)
		}
	}
}

func TestOtherKinds(t *testing.T) {
	s := scope()
	compile := func(in string, kind Kind) *Expression {
		e, err := Compile(in, names(), kind)
		if err != nil {
			t.Fatalf("Compile(%q, %s) = %v", in, kind, err)
		}
		return e
	}
	if v, err := compile("any(packets, .lost)", Bool).True(s); err != nil || !v {
		t.Errorf("any(packets, .lost) = %v, %v, want true", v, err)
	}
	if v, err := compile("packets[0].proto", Text).Text(s); err != nil || v != "tcp" {
		t.Errorf("packets[0].proto = %q, %v, want tcp", v, err)
	}
	if v, err := compile(`map(states("ana"), [.t, .cwnd])`, List).List(s); err != nil || len(v) != 1 {
		t.Errorf("points = %v, %v, want one", v, err)
	}
	if p, err := compile("find(packets, .lost)", OneOf).Packet(s); err != nil || p.N != 3 {
		t.Errorf("find(packets, .lost) = %v, %v, want number 3", p, err)
	}
	if _, err := compile("find(packets, .len == 7)", OneOf).Packet(s); err == nil {
		t.Error("a packet that is not there: want an error")
	}
	c, err := CompileColumn("packets", "#.t*1000", names())
	if err != nil {
		t.Fatal(err)
	}
	if l, err := c.List(s); err != nil || len(l) != 3 || l[1] != 20.0 {
		t.Errorf("column #.t*1000 = %v, %v, want 0, 20, 40", l, err)
	}
	_, err = CompileColumn("packets", "#.tt", names())
	var at *SyntaxError
	if !errors.As(err, &at) || at.Column != 3 {
		t.Errorf("CompileColumn(#.tt) = %v, want an error at column 3", err)
	}
}

// Two lists that grow with each other do not take the machine's memory.
func TestBudget(t *testing.T) {
	r := made()
	for range 10 { // 3,072 packets: squared, more than the budget
		r.Packets = append(r.Packets, r.Packets...)
	}
	e, err := Compile("len(map(packets, map(packets, .t)))", names(), Number)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := e.Number(&Scope{Variables: scope().Variables, Run: r}); err == nil || !strings.Contains(err.Error(), "too many values") {
		t.Errorf("%d packets squared = %v, %v, want an error", len(r.Packets), v, err)
	}
}

func TestReserved(t *testing.T) {
	for _, name := range []string{"ms", "mean", "packets", "seed", "let", "sqrt", "runs", "filter", "true"} {
		if !Reserved(name) {
			t.Errorf("Reserved(%q) = false, want true", name)
		}
	}
	for _, name := range []string{"rtt", "n", "p", "w", "rate", "size", "L", "C", "beta"} {
		if Reserved(name) {
			t.Errorf("Reserved(%q) = true, want false", name)
		}
	}
}

// FuzzCompile: no text makes it panic, and what compiles has a value or an error.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"rtt/2", "first(packets).t", `sent("ana")`, "find(packets, .syn).t", "{", "#", "map(packets, #.t)", "let x = 1; x", "1..3", "packets[1:2]", "packets?.t", "a ?? b", `"\xff"`} {
		f.Add(s)
	}
	s := scope()
	f.Fuzz(func(t *testing.T, in string) {
		for _, kind := range []Kind{Number, Any} {
			if e, err := Compile(in, names(), kind); err == nil {
				e.Eval(s)
			} else if at := new(SyntaxError); !errors.As(err, &at) || at.Column < 1 {
				t.Errorf("Compile(%q) = %#v, want a *SyntaxError with a column", in, err)
			}
		}
	})
}

// BenchmarkEval is an expression over ten thousand packets.
func BenchmarkEval(b *testing.B) {
	r := &Run{Packets: make([]Packet, 10_000), list: new(listing)}
	for i := range r.Packets {
		r.Packets[i] = Packet{T: float64(i), From: "ana", Lost: i%10 == 0, Len: i}
	}
	e, err := Compile(`sum(filter(sent("ana"), .lost), .len)`, names(), Number)
	if err != nil {
		b.Fatal(err)
	}
	s := &Scope{Variables: map[string]float64{"rtt": 1, "n": 1}, Run: r}
	for b.Loop() {
		if _, err := e.Number(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`first(did("ana", "connected")).t - rtt`, names(), Number); err != nil {
			b.Fatal(err)
		}
	}
}
