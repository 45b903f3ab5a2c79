package labs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
)

// A story is what one scenario told.
type story struct {
	events []scenario.Event
	began  time.Duration
}

// tell plays a scenario's text.
func tell(t *testing.T, e *Engine, seed uint64, text string, lines ...string) *story {
	t.Helper()
	if imagetest.Raced {
		t.Skip("what runs inside the guest is not seen by the race detector")
	}
	all := fmt.Sprintf("seed %d\n%s\n%s\n", seed, text, strings.Join(lines, "\n"))
	s, err := scenario.ParseText(all)
	if err != nil {
		t.Fatalf("%v\n%s", err, all)
	}
	var st story
	if _, err := e.Play(t.Context(), s, Output{Event: func(ev *scenario.Event) error {
		if ev.Kind == scenario.EventBegin {
			st.began = ev.T
		}
		st.events = append(st.events, *ev)
		return nil
	}}); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return &st
}

// of returns the events of a kind at a host.
func (s *story) of(kind scenario.EventKind, host string) []scenario.Event {
	var some []scenario.Event
	for _, e := range s.events {
		if e.Kind == kind && e.Host == host {
			some = append(some, e)
		}
	}
	return some
}

// handed returns the numbers of from's messages that host was handed, in order.
func (s *story) handed(host, from string) []int {
	var all []int
	for _, e := range s.of(scenario.EventDeliver, host) {
		if e.From == from {
			all = append(all, e.N)
		}
	}
	return all
}

// sum counts, of from's messages, those that host was never handed and those
// that it was handed more than once.
func (s *story) sum(host, from string) (lost, twice int) {
	times := make(map[int]int)
	for _, n := range s.handed(host, from) {
		times[n]++
	}
	for _, e := range s.of(scenario.EventEmit, from) {
		switch {
		case times[e.N] == 0:
			lost++
		case times[e.N] > 1:
			twice++
		}
	}
	return lost, twice
}

// acked returns how many of from's messages were acknowledged.
func (s *story) acked(from string) int { return len(s.of(scenario.EventAcked, from)) }

// told returns how many events host was told that it lost.
func (s *story) told(host string) (n int) {
	for _, e := range s.of(scenario.EventLost, host) {
		n += int(e.Count)
	}
	return n
}

// seeds is over how many seeds a test goes.
func seeds() uint64 {
	if testing.Short() {
		return 2
	}
	return 3
}

// upTo returns the numbers from 1 to n.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

const away = `
quiet 20s
member bo over %s
member ana over tcp+queue
  link delay 20ms
  says 120 every 50ms size 200 from 25ms
at 1s bo disconnects
at 4s bo returns
`

// Who is away for T while λ messages come in a second finds λ·T waiting: 20/s
// for 3 s. With the queue all come, in order, none twice; without it all are
// lost, and the program is told how many.
func TestBacklogIsRateTimesAbsence(t *testing.T) {
	e := engine(t)
	const rate, absence, messages = 20, 3, 120
	for seed := range seeds() {
		for _, tr := range []scenario.Transport{scenario.TCPQueue, scenario.UDPQueue} {
			s := tell(t, e, seed, fmt.Sprintf(away, tr))
			if got := s.handed("bo", "ana"); !slices.Equal(got, upTo(messages)) {
				t.Errorf("seed %d: %s: handed %v, want 1 to %d", seed, tr, got, messages)
			}
			backlog := uint64(0)
			for _, r := range s.of(scenario.EventRoom, "bo") {
				if r.Room == scenario.Lobby && r.T > s.began+4*time.Second-1 {
					backlog += r.Count
				}
			}
			if backlog != rate*absence {
				t.Errorf("seed %d: %s: %d events waited, want %d", seed, tr, backlog, rate*absence)
			}
		}
		others := []scenario.Transport{scenario.TCP, scenario.UDP}
		if seed == 0 {
			others = append(others, scenario.UDPARQ, scenario.UDPSequenced, scenario.UDPGoBackN, scenario.UDPStopAndWait)
		}
		for _, tr := range others {
			s := tell(t, e, seed, fmt.Sprintf(away, tr))
			lost, twice := s.sum("bo", "ana")
			if lost != rate*absence || twice != 0 || s.told("bo") != rate*absence {
				t.Errorf("seed %d: %s: %d lost, %d twice, told of %d, want %d, 0, %[6]d", seed, tr, lost, twice, s.told("bo"), rate*absence)
			}
		}
	}
}

// said is one message at 1 s whose acknowledgement cannot come before 2 s: it
// passes the link before the cable is cut, and the answer does not.
const said = `
quiet 20s
member bo over tcp+queue
member ana over tcp+queue
  link delay 20ms
at 1s ana says 40 in lobby %s
at 1010ms cut ana
at 2s mend ana
`

// At least once: who says it again until it is acknowledged says it twice if
// the acknowledgement is lost. Effectively once: unless each try has the same
// message id.
func TestLostAcknowledgement(t *testing.T) {
	e := engine(t)
	for seed := range seeds() {
		for _, tt := range []struct {
			how, without string
			want         []int
		}{
			{"retry within 300ms", "", []int{1}},
			{"retry 1 within 300ms", "without message-ids", []int{1, 1}},
			{"once", "", []int{1}},
			{"ack within 300ms", "", []int{1}},
		} {
			s := tell(t, e, seed, fmt.Sprintf(said, tt.how), tt.without)
			if got := s.handed("bo", "ana"); !slices.Equal(got, tt.want) {
				t.Errorf("seed %d: %s, %s: handed %v, want %v", seed, tt.how, tt.without, got, tt.want)
			}
		}
	}
}

// At most once: what was under way when the server dies is lost, and so is what
// is said until that is noticed. Said again until it is acknowledged, nothing is.
func TestDeathOfTheServer(t *testing.T) {
	e := engine(t)
	const text = `
quiet 60s
server
  data
member bo over tcp+queue
member ana over %s
  link delay 20ms
  says 60 every 50ms size 200 from 30ms
at 1s kill server
at 2s start server
`
	for seed := range seeds() {
		s := tell(t, e, seed, fmt.Sprintf(text, "tcp"))
		// Those said from 980 ms on do not arrive, until the connection is found
		// broken: by the first segment that the server answers with an RST, at 2 s
		// or later, and at most a doubled timeout later.
		lost, twice := s.sum("bo", "ana")
		if lost < 20 || lost > 40 || twice != 0 {
			t.Errorf("seed %d: once: %d lost, %d twice, want 20 to 40 and 0", seed, lost, twice)
		}
		s = tell(t, e, seed, fmt.Sprintf(text, "tcp+queue"))
		if lost, twice := s.sum("bo", "ana"); lost != 0 || twice != 0 {
			t.Errorf("seed %d: retry: %d lost, %d twice, want 0, 0", seed, lost, twice)
		}
	}
}
