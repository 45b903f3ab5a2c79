package loss

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
	"wirelab/packets"
)

// ailments are the impairments of which each seed draws some.
var ailments = []string{
	"delay 20ms loss 10%", "loss 30%", "loss gemodel 2.78% 25%", "duplicate 10%", "delay 20ms reorder 20%",
	"delay 170ms reorder 10%", "corrupt 10%", "duplicate 30% corrupt 20% loss 10%", "rate 256kbit limit 6", "delay 10ms 9ms",
	"delay 2ms 2ms loss 5%", "down 300ms..2s", "drop data 2 drop data 3", "",
}

// played returns a chat of three over links that seed draws.
func played(seed uint64) *scenario.Scenario {
	r := rand.New(rand.NewPCG(seed, 2))
	link := func() string { return ailments[r.IntN(len(ailments))] }
	s := &scenario.Scenario{Seed: seed, Server: scenario.Server{Data: true}, Packets: true, Quiet: scenario.Duration(20 * time.Second)}
	ways := []scenario.Transport{scenario.TCP, scenario.TCPQueue, scenario.UDP, scenario.UDPARQ}
	for i, name := range []string{"ana", "bo"} {
		m := scenario.Member{Name: name, Transport: ways[r.IntN(len(ways))], Up: link(), Down: link()}
		if i == 0 {
			m.Messages, m.Size, m.Rate = 10+r.IntN(20), 50<<r.IntN(6), float64(int(5)<<r.IntN(8))
		}
		s.Members = append(s.Members, m)
		s.Record = append(s.Record, name)
	}
	return s
}

// play returns the capture of a scenario.
func play(t testing.TB, e *labs.Engine, s *scenario.Scenario) []byte {
	t.Helper()
	var pcap bytes.Buffer
	if _, err := e.Play(t.Context(), s, labs.Output{Packets: &pcap}); err != nil {
		t.Fatal(err)
	}
	return pcap.Bytes()
}

func engine(t testing.TB) *labs.Engine {
	t.Helper()
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// read returns all packets of a capture, and its interfaces.
func read(t testing.TB, file []byte) (all []packets.Packet, ifaces []packets.Interface) {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var p packets.Packet
		if err := r.Read(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return all, r.Interfaces()
		}
		all = append(all, p.Clone())
	}
}

func one(t testing.TB, file []byte, a *Analysis) *Report {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	report, err := a.One(t.Context(), "lab", r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// The link's comments are the truth: what it lost, and what it carried, twice or
// with a bit changed. Everything that arrived left before.
func TestLabTruth(t *testing.T) {
	e := engine(t)
	seeds := uint64(30)
	sum := map[string]int{}
	for seed := range seeds {
		s := played(seed)
		file := play(t, e, s)
		all, ifaces := read(t, file)
		lost, sent, received := map[int]string{}, map[int]bool{}, map[int]bool{}
		noted := map[int]string{}
		for _, p := range all {
			switch {
			case strings.HasPrefix(ifaces[p.Interface].Name, "link"):
				if why, ok := strings.CutPrefix(p.Comment, "lost: "); ok {
					why, _, _ = strings.Cut(why, " (")
					lost[p.Number] = why
				} else if p.Comment != "" {
					noted[p.Number] = p.Comment
				}
			case p.Direction == packets.Out:
				sent[p.Number] = true
			default:
				received[p.Number] = true
			}
		}
		got := map[int]string{}
		a := &Analysis{OnPassage: func(p *Passage, _ []Verdict) {
			if p.Lost {
				got[p.LinkNumber] = p.Reason
			}
			sum[p.Fate.String()]++
			if !sent[p.SentNumber] || p.LinkNumber == 0 {
				t.Errorf("seed %d: %+v was not sent", seed, *p)
			}
			delete(sent, p.SentNumber)
			note := noted[p.LinkNumber]
			if want := strings.Contains(note, "flipped"); p.Corrupted != want {
				t.Errorf("seed %d: packet %d: corrupted is %v, the link says %q", seed, p.SentNumber, p.Corrupted, note)
			}
			if want := strings.Contains(note, "duplicated") && !strings.Contains(note, "no room"); p.Fate == Came && (p.Copies == 1) != want {
				t.Errorf("seed %d: packet %d: %d copies, the link says %q", seed, p.SentNumber, p.Copies, note)
			}
			for _, n := range []int{p.ReceivedNumber, p.CopyNumber} {
				if n != 0 && !received[n] {
					t.Errorf("seed %d: packet %d arrived twice, or not: %+v", seed, n, *p)
				}
				delete(received, n)
			}
			if p.Corrupted {
				sum["corrupted"]++
			}
			sum["copies"] += p.Copies
		}}
		one(t, file, a)
		if !maps.Equal(got, lost) {
			t.Errorf("seed %d: lost are %v, the link says %v", seed, got, lost)
		}
		if len(sent) > 0 || len(received) > 0 {
			t.Errorf("seed %d: not matched: sent %v, received %v", seed, slices.Sorted(maps.Keys(sent)), slices.Sorted(maps.Keys(received)))
		}
	}
	t.Log(sum)
	for _, want := range []string{"arrived", "lost", "corrupted", "copies"} {
		if sum[want] < 40 {
			t.Errorf("little was compared: %v", sum)
		}
	}
}

// A link that only delays shows its delay, to the nanosecond.
func TestLabDelay(t *testing.T) {
	e := engine(t)
	s := &scenario.Scenario{
		Seed: 1, Packets: true, Quiet: scenario.Duration(5 * time.Second), Record: []string{"ana"},
		Members: []scenario.Member{
			{Name: "ana", Transport: scenario.TCP, Up: "delay 30ms loss 5%", Down: "delay 7ms", Messages: 20, Size: 100, Rate: 20},
			{Name: "bo", Transport: scenario.UDP},
		},
	}
	report := one(t, play(t, e, s), &Analysis{})
	if len(report.Ways) != 2 {
		t.Fatalf("%d ways, want 2", len(report.Ways))
	}
	for i, want := range []time.Duration{30 * time.Millisecond, 7 * time.Millisecond} {
		w := report.Ways[i]
		if w.Delay.Count < 20 || w.Delay.Min != want || w.Delay.Max != want || w.Delay.Mean() != want || w.Delay.Quantile(0.99) != want {
			t.Errorf("%s to %s: delays of %d packets from %v to %v, want %v", w.From, w.To, w.Delay.Count, w.Delay.Min, w.Delay.Max, want)
		}
	}
}

// split makes two captures of a lab's: what the host saw, and what the server saw
// by a clock that is ahead. It returns how the packets of each were numbered.
func split(t testing.TB, file []byte, link int, ahead time.Duration) (halves [2][]byte, numbers [2][]int) {
	t.Helper()
	all, _ := read(t, file)
	for half, iface := range []int{3 * link, 3*link + 2} {
		var b bytes.Buffer
		w, err := pcapng.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Describe(pcapng.Interface{Name: fmt.Sprint("eth", half)}); err != nil {
			t.Fatal(err)
		}
		numbers[half] = []int{0}
		for _, p := range all {
			if p.Interface != iface {
				continue
			}
			if err := w.Write(&pcapng.Packet{Time: p.Time.Add(time.Duration(half) * ahead), Data: p.Data}); err != nil {
				t.Fatal(err)
			}
			numbers[half] = append(numbers[half], p.Number)
		}
		halves[half] = b.Bytes()
	}
	return halves, numbers
}

func two(t testing.TB, halves [2][]byte, a *Analysis, given *time.Duration, symmetric bool) *Report {
	t.Helper()
	open := func() (in [2]*packets.Reader) {
		for i := range in {
			var err error
			if in[i], err = packets.NewReader(bytes.NewReader(halves[i])); err != nil {
				t.Fatal(err)
			}
		}
		return in
	}
	in := open()
	how, err := Align(in[0], in[1], given, symmetric)
	if err != nil {
		t.Fatal(err)
	}
	report, err := a.Two(t.Context(), [2]string{"near", "far"}, open(), how)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Two captures, of which the clocks differ by a quarter of an hour, say the same
// as the link.
func TestTwoCaptures(t *testing.T) {
	e := engine(t)
	losses, edges := 0, 0
	for seed := range uint64(30) {
		s := played(seed)
		for i := range s.Members { // what takes no time has no order
			for _, l := range []*string{&s.Members[i].Up, &s.Members[i].Down} {
				if !strings.Contains(*l, "delay") {
					*l += " delay 1ms"
				}
			}
		}
		file := play(t, e, s)
		all, _ := read(t, file)
		for link := range 2 {
			for _, ahead := range []time.Duration{0, 15*time.Minute + 123456789, -24 * time.Hour} {
				halves, numbers := split(t, file, link, ahead)
				want := map[string]int{}
				for i, p := range all {
					if p.Interface == 3*link+1 && strings.HasPrefix(p.Comment, "lost") {
						want[fmt.Sprintf("%x", all[i].Data)]++
					}
				}
				lost, edge := map[string]int{}, map[string]int{}
				a := &Analysis{OnPassage: func(p *Passage, _ []Verdict) {
					if p.SentNumber == 0 || p.Src.Addr() == p.Dst.Addr() { // a changed address: who sent it?
						return
					}
					data := fmt.Sprintf("%x", all[numbers[p.Dir][p.SentNumber]-1].Data)
					switch p.Fate {
					case Lost:
						lost[data]++
					case Flying, Early: // nothing says more
						edge[data]++
						edges++
					}
				}}
				r := two(t, halves, a, nil, false)
				for data, n := range want {
					losses += n
					if lost[data]+edge[data] < n || lost[data] > n {
						t.Errorf("seed %d, link %d, %v ahead: of %s %d lost, %d at the edge, want %d: %s", seed, link, ahead, data[:min(80, len(data))], lost[data], edge[data], n, describe(r))
					}
					delete(lost, data)
				}
				for data, n := range lost {
					t.Errorf("seed %d, link %d, %v ahead: %s lost %d times, want none: %s", seed, link, ahead, data[:min(80, len(data))], n, describe(r))
				}
				if d := r.Align.Offset - ahead; ahead != 0 && d.Abs() > 200*time.Millisecond {
					t.Errorf("seed %d, link %d: offset %v, want %v", seed, link, r.Align.Offset, ahead)
				}
			}
		}
	}
	t.Logf("%d losses, %d at the edge", losses, edges)
	if edges > losses/20 {
		t.Errorf("%d packets of %d losses cannot be decided", edges, losses)
	}
}

func describe(r *Report) string {
	var s strings.Builder
	for _, w := range r.Ways {
		fmt.Fprintf(&s, "%s→%s sent %d arrived %d lost %d flying %d early %d unseen %d undecided %d corrupted %d; ", w.From, w.To,
			w.Sent, w.Arrived, w.Lost, w.Flying, w.Early, w.Unseen, w.Undecided, w.Corrupted)
	}
	fmt.Fprintf(&s, "one end %d, homeless %d, %+v", r.OneEnd, r.Homeless, *r.Align)
	return s.String()
}
