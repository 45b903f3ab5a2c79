package impair

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fates sends the packets and returns what Record saw.
func fates(t *testing.T, text string, seed uint64, packets []Packet) map[Key]Fate {
	t.Helper()
	l := link(t, text, seed)
	all := make(map[Key]Fate)
	l.Record(func(r Recorded) {
		if _, twice := all[r.Key]; twice {
			t.Errorf("%+v names two packets", r.Key)
		}
		all[r.Key] = r.Fate
	})
	for i, p := range packets {
		l.Plan(start.Add(time.Duration(i)*time.Millisecond), p)
	}
	return all
}

// A packet that is sent again is another, with a fate of its own; in which order
// packets are sent decides nothing.
func TestSentAgain(t *testing.T) {
	const text, n = "delay 20ms 5ms loss 30% duplicate 10% corrupt 10%", 2000
	var inTurn, atOnce []Packet
	for nth := range 3 {
		for id := range uint64(n) {
			inTurn = append(inTurn, Packet{Size: 100, Flow: 1, ID: id + 1})
			atOnce = append(atOnce, Packet{Size: 200 * (nth + 1), Flow: 1, ID: n - (uint64(nth)+3*id)/3})
		}
	}
	want := fates(t, text, 31, inTurn)
	if d := cmp.Diff(want, fates(t, text, 31, atOnce)); len(want) != 3*n || d != "" {
		t.Errorf("of %d fates, sent in another order:\n%s", len(want), d)
	}
	// All three are lost with p³, where p leaves out the tenth that was saved by
	// its duplicate.
	p := 0.3 * 0.9
	all := 0.0
	for id := range uint64(n) {
		if want[Key{1, id + 1, 0}].Lost != 0 && want[Key{1, id + 1, 1}].Lost != 0 && want[Key{1, id + 1, 2}].Lost != 0 {
			all++
		}
	}
	within(t, "the number lost three times", all, n*p*p*p, math.Sqrt(n*p*p*p))
}

// A packet without ID is named by its place among those of its flow, which no
// other packet takes.
func TestPlace(t *testing.T) {
	const text = "delay 20ms 5ms loss 30% corrupt 10%"
	var alone, among []Packet
	for i := range uint64(500) {
		p := Packet{Size: 100, Flow: 1}
		alone = append(alone, p)
		among = append(among, Packet{Size: 60, Flow: 2}, Packet{Size: 60, Flow: 1, ID: i + 1}, p)
	}
	want, got := fates(t, text, 32, alone), fates(t, text, 32, among)
	if len(want) != 500 || len(got) != 1500 {
		t.Fatalf("%d and %d fates, want 500 and 1500", len(want), len(got))
	}
	for k, f := range want {
		if got[k] != f {
			t.Fatalf("%+v: %+v, alone %+v", k, got[k], f)
		}
	}
}

// Another parameter does not change what the others draw.
func TestParametersDoNotMeddle(t *testing.T) {
	var packets []Packet
	for id := range uint64(2000) {
		packets = append(packets, Packet{Size: 100, Flow: 1, ID: id + 1})
	}
	all := fates(t, "delay 20ms 5ms loss 20% corrupt 10% reorder 25%", 33, packets)
	for _, tt := range []struct {
		text string
		of   func(Fate) any
	}{
		{"loss 20%", func(f Fate) any { return f.Lost }},
		{"corrupt 10% delay 3ms", func(f Fate) any { return f.Corrupt }},
		{"delay 50ms 9ms rate 1mbit", func(f Fate) any { return f.Shift }},
		{"delay 50ms reorder 25% loss 20%", func(f Fate) any { return f.Early }},
	} {
		for k, f := range fates(t, tt.text, 33, packets) {
			if tt.of(f) != tt.of(all[k]) {
				t.Fatalf("%s: %+v: %+v, with more %+v", tt.text, k, f, all[k])
			}
		}
	}
	// More loss loses more, and nothing less.
	for k, f := range fates(t, "loss 30%", 33, packets) {
		if all[k].Lost != Carried && f.Lost == Carried {
			t.Fatalf("%+v is lost of a fifth, not of three tenths", k)
		}
	}
}

// A link remembers packets for long enough, not for ever.
func TestNames(t *testing.T) {
	l := link(t, "", 34)
	var last Key
	l.Record(func(r Recorded) { last = r.Key })
	send := func(id uint64) uint32 {
		l.Plan(start, Packet{Size: 1, Flow: 1, ID: id})
		return last.Nth
	}
	for i := range uint32(3) {
		if nth := send(1); nth != i {
			t.Errorf("sent %d times before, want %d", nth, i)
		}
	}
	for id := range uint64(maxNames) {
		send(id + 2)
	}
	if nth := send(1); nth != 3 {
		t.Errorf("after %d others it was sent %d times before, want 3", maxNames, nth)
	}
	for id := range uint64(5 * maxNames) {
		send(id + 1<<32)
	}
	if n := len(l.times) + len(l.before); n > 2*maxNames {
		t.Errorf("remembers %d packets, want at most %d", n, 2*maxNames)
	}
}

// Record and Repeat are one run twice, also from bytes and with other draws;
// with a rule more all that differs is the packet that it names.
func TestRepeatChangesOnePacket(t *testing.T) {
	const text, n = "delay 20ms 5ms 40% loss gemodel 5% 30% duplicate 10% 20% corrupt 10% reorder 25% gap 3", 300
	first := link(t, text, 35)
	var file []byte
	first.Record(func(r Recorded) { file, _ = r.AppendBinary(file) })
	want := plan(first, n, time.Second)
	recorded, err := DecodeFates(file)
	if err != nil || len(recorded) != n {
		t.Fatalf("%d fates, %v, want %d", len(recorded), err, n)
	}
	run := func(rule string, seed uint64) []Outcome {
		c, err := Parse(text + rule)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New(c, seed, start)
		if err != nil {
			t.Fatal(err)
		}
		l.Repeat(recorded)
		return plan(l, n, time.Second)
	}
	if d := cmp.Diff(want, run("", 35)); d != "" {
		t.Errorf("repeated:\n%s", d)
	}
	for i, o := range run("", 36) { // only which bit is flipped is of the seed
		if o.Cause != want[i].Cause || len(o.Arrivals) != len(want[i].Arrivals) || len(o.Arrivals) > 0 && !o.Arrivals[0].At.Equal(want[i].Arrivals[0].At) {
			t.Fatalf("packet %d with another seed: %+v, want %+v", i+1, o, want[i])
		}
	}
	for i := range n {
		for _, do := range []Deed{Drop, Spare, Duplicate, Delay} {
			rule := Rule{Do: do, First: uint64(i + 1), Last: uint64(i + 1)}
			if do == Delay {
				rule.By = time.Minute
			}
			got := run(" "+rule.String(), 35)
			o := got[i]
			got[i] = want[i]
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("%v changes others:\n%s", rule, cmp.Diff(want, got))
			}
			was := len(want[i].Arrivals)
			switch {
			case do == Drop && o.Cause != LostScript,
				do == Spare && (len(o.Arrivals) == 0 || was == 0 && !strings.Contains(o.Note, "else lost: burst")),
				do == Duplicate && was > 0 && len(o.Arrivals) != 2,
				do == Delay && was > 0 && o.Arrivals[0].At.Sub(want[i].Arrivals[0].At) != time.Minute:
				t.Fatalf("%v: %+v, without %+v", rule, o, want[i])
			}
		}
	}
}

// What was not recorded draws its own.
func TestRepeatOfOthers(t *testing.T) {
	l, own := link(t, "loss 50%", 37), plan(link(t, "loss 50%", 37), 100, time.Second)
	l.Repeat([]Recorded{{Key{Flow: 9, ID: 1}, Fate{Lost: LostRandom}}})
	if d := cmp.Diff(own, plan(l, 100, time.Second)); d != "" {
		t.Errorf("others' fates changed:\n%s", d)
	}
	// Models with memory go on as if all had been drawn.
	const text = "delay 20ms 5ms 60% loss gemodel 5% 10% duplicate 20% 50%"
	first, again := link(t, text, 38), link(t, text, 38)
	var fates []Recorded
	first.Record(func(r Recorded) { fates = append(fates, r) })
	want := plan(first, 300, time.Second)
	again.Repeat(fates[:100])
	if d := cmp.Diff(want, plan(again, 300, time.Second)); d != "" {
		t.Errorf("after the first hundred:\n%s", d)
	}
	l = link(t, "", 37)
	l.Repeat([]Recorded{{Key{Flow: 9, ID: 1}, Fate{Lost: LostRandom}}, {Key{9, 1, 1}, Fate{Duplicate: true}}})
	for i, want := range []int{0, 2, 1} {
		if o := l.Plan(start, Packet{Size: 100, Flow: 9, ID: 1}); len(o.Arrivals) != want {
			t.Errorf("sent for the %d. time: %+v, want %d copies", i+1, o, want)
		}
	}
	l.Repeat([]Recorded{{Key{9, 1, 3}, Fate{Lost: LostRandom}}})
	l.Repeat(nil)
	if o := l.Plan(start, Packet{Size: 100, Flow: 9, ID: 1}); len(o.Arrivals) != 1 {
		t.Errorf("with nothing to repeat: %+v", o)
	}
}

// The layout: flow (8), id (8), nth (4), cause (1), flags (1), shift (8).
func TestRecordedBinary(t *testing.T) {
	tests := []struct {
		in   Recorded
		want string
	}{
		{Recorded{}, strings.Repeat("00", 30)},
		{Recorded{Key{1, 2, 3}, Fate{Lost: LostBurst, Shift: -0.5}}, "0000000000000001" + "0000000000000002" + "00000003" + "02" + "00" + "bfe0000000000000"},
		{Recorded{Key{ID: math.MaxUint64}, Fate{Duplicate: true}}, "0000000000000000" + "ffffffffffffffff" + "00000000" + "00" + "01" + "0000000000000000"},
		{Recorded{Key{}, Fate{Corrupt: true, Shift: 4}}, strings.Repeat("00", 21) + "02" + "4010000000000000"},
		{Recorded{Key{}, Fate{Early: true}}, strings.Repeat("00", 21) + "04" + "0000000000000000"},
	}
	var file []byte
	var want []Recorded
	for _, tt := range tests {
		b, err := tt.in.AppendBinary([]byte{7})
		if got := hex.EncodeToString(b); err != nil || got != "07"+tt.want {
			t.Errorf("AppendBinary(%+v) = %s, %v, want 07%s", tt.in, got, err, tt.want)
		}
		file, want = append(file, b[1:]...), append(want, tt.in)
	}
	got, err := DecodeFates(file)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("DecodeFates: %v\n%s", err, d)
	}
}

// Fates come from files: what no chance does is refused, and where it was.
func TestDecodeFatesRefuses(t *testing.T) {
	good, _ := Recorded{}.AppendBinary(nil)
	with := func(at int, b ...byte) []byte {
		bad := slices.Clone(good)
		copy(bad[at:], b)
		return slices.Concat(good, bad)
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"cut", good[:29], "29 bytes: want a multiple of 30"},
		{"a rule's loss", with(20, byte(LostScript)), "fate 1"},
		{"a cause", with(20, 99), "fate 1"},
		{"a flag", with(21, 8), "fate 1"},
		{"NaN", with(22, 0x7f, 0xf8), "fate 1"},
		{"infinite", with(22, 0xff, 0xf0), "fate 1"},
		{"late for ever", with(22, 0x7f, 0xe0), "fate 1"},
		{"beyond the tail", with(22, 0x40, 0x10, 0, 0, 0, 0, 0, 1), "fate 1"},
	} {
		if all, err := DecodeFates(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: DecodeFates(%x) = %v, %v, want an error with %q", tt.name, tt.in, all, err, tt.want)
		}
	}
}

func TestNamesOfCauses(t *testing.T) {
	for _, tt := range []struct {
		in   fmt.Stringer
		want string
	}{
		{Carried, "carried"}, {LostTooBig, "too big"}, {Cause(99), "cause 99"}, {Distribution(99), "distribution 99"}, {Deed(99), "deed 99"}, {Spare, "spare"},
	} {
		if got := tt.in.String(); got != tt.want {
			t.Errorf("String() = %q, want %q", got, tt.want)
		}
	}
}
