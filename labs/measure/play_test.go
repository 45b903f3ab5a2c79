package measure

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wirelab/internal/leak"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

// TestMain fails if a test left a goroutine behind.
func TestMain(m *testing.M) { leak.Main(m) }

func engine(t *testing.T) *labs.Engine {
	t.Helper()
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// What was kept of a run tells the same as the run did.
func TestReadWhatWasPlayed(t *testing.T) {
	e := engine(t)
	for name, text := range map[string]string{
		"hosts": "seed 3\nhost ana\n  link delay 20ms loss 5%\nhost bo\nrun bo\n  listen 7000 as d\n  accept d as c\n  receive c\nrun ana\n  connect bo:7000 as c\n  send c 200000\n  close c\n",
		"chat":  "seed 3\nmember ana over tcp\n  link delay 20ms\n  says 20 rate 10/s size 100\nmember bo over udp\n  link delay 10ms loss 10%\n",
	} {
		if imagetest.Raced && name == "chat" {
			continue
		}
		s, err := scenario.ParseText(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := Play(t.Context(), e, s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := Read(r.Scenario, bytes.Clone(r.Lines), bytes.Clone(r.Capture))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(r, again, cmpopts.IgnoreUnexported(Run{}), cmpopts.IgnoreFields(Run{}, "Virtual")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if len(r.Packets) == 0 || len(r.Events) == 0 || len(r.States) == 0 || r.Totals.Packets != len(r.Packets) {
			t.Errorf("%s: %d packets of %d, %d events, %d states", name, len(r.Packets), r.Totals.Packets, len(r.Events), len(r.States))
		}
		for i := range r.Packets {
			if p := &r.Packets[i]; p.From == "" || p.To == "" || (p.Copies == 0) != p.Lost || p.Copies > 0 && p.Arrived < p.T {
				t.Errorf("%s: packet %d: %s", name, i+1, line(p))
			}
		}
		lost := 0
		for i := range r.Packets {
			if r.Packets[i].Lost {
				lost++
			}
		}
		dropped := 0
		for _, n := range r.Totals.Drops {
			dropped += n
		}
		if lost != dropped || lost == 0 {
			t.Errorf("%s: %d packets are lost, the run's totals say %v", name, lost, r.Totals.Drops)
		}
	}
}

// The events of a chat run: what ana emitted, bo was handed.
func TestChatRun(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the guest is not watched by the race detector")
	}
	s, err := scenario.ParseText("seed 3\nmember ana over tcp+queue\n  link delay 20ms\n  says 20 rate 10/s size 100\nmember bo over tcp+queue\n  link delay 10ms\n")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Play(t.Context(), engine(t), s)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]float64{
		`len(emitted("ana"))`: 20, `count(delivered("bo"), .from == "ana")`: 20, `len(acked("ana"))`: 20,
		// From ana to the server and on to bo: 20 ms and 10 ms.
		`roundto(min(map(filter(delivered("bo"), .from == "ana"), .t - find(emitted("ana"), .n == 1).t)), 3)`: 0.03,
		`count(packets, .to == "server" && .host == "ana" && .up) > 20 ? 1 : 0`:                               1,
	} {
		e, err := Compile(in, Names{Run: true}, Number)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Number(&Scope{Run: r}); err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", in, got, err, want)
		}
	}
}

// What is cut off or was tampered with is refused, not read half.
func TestReadDamage(t *testing.T) {
	s := &scenario.Scenario{Hosts: []scenario.Host{{Name: "ana"}}}
	if _, err := Read(s, []byte("{\"t\":0,\"ev\":\"begin\"}\n{\"t\":"), nil); err == nil {
		t.Error("events that are cut off: want an error")
	}
	if _, err := Read(s, nil, []byte("not a capture at all")); err == nil {
		t.Error("no capture: want an error")
	}
	st := newStage(t, true, "ana")
	st.up(0, 0, 1, "", datagram(1, 2, "x"))
	if _, err := Read(s, nil, st.buf.Bytes()[:st.buf.Len()-3]); err == nil {
		t.Error("a capture that is cut off: want an error")
	}
}
