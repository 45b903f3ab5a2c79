package labs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wirelab/labs/scenario"
)

// Six members: ana, bo and cy in tea; bo, cy and di in coffee; eve in neither,
// in the lobby; flo in the lobby of the namespace shop.
const rooms = `
quiet 5s
server
  namespaces shop
member ana over tcp+queue
  rooms tea
member bo over udp+queue
  rooms tea,coffee
member cy over tcp
  rooms coffee,tea
member di over udp
  rooms coffee
member eve over udp+arq
  link delay 20ms
member flo over tcp+queue
  namespace shop
`

// Who gets what: of each form, the set is worked out by hand.
func TestWhoGetsWhat(t *testing.T) {
	e := engine(t)
	tests := []struct {
		act  string
		want string // who is handed it, sorted
	}{
		{"ana says 40 in tea", "ana bo cy"},
		{"ana says 40 in tea others", "bo cy"},
		{"ana says 40 in tea volatile", "ana bo cy"},
		{"ana says 40 in tea others volatile", "bo cy"},
		{"ana says 40 in tea retry", "ana bo cy"},
		{"ana says 40 in coffee", ""},             // refused: not in it
		{"ana says 40 to coffee", "bo cy di"},     // the server's program may
		{"ana says 40 to tea", "bo cy"},           // without the sender
		{"ana says 40 to tea,coffee", "bo cy di"}, // the union, each once
		{"bo says 40 to tea,coffee", "ana cy di"},
		{"ana says 40 to tea,coffee except coffee", ""},
		{"ana says 40 to coffee except tea", "di"},
		{"ana says 40 to coffee except bo", "cy di"},
		{"ana says 40 to coffee except bo,di", "cy"},
		{"ana says 40 to all", "bo cy di eve"},
		{"ana says 40 to all except tea", "di eve"},
		{"ana says 40 to all except tea,eve", "di"},
		{"ana says 40 to nowhere", ""},
		{"ana says 40 direct eve", "eve"},
		{"ana says 40 direct ana", "ana"},
		{"ana says 40 request ack", ""},
		{"flo says 40 in lobby", "flo"}, // another world's lobby
		{"flo says 40 to all", ""},
		{"server says 40 to all", "ana bo cy di eve"},
		{"server says 40 to all namespace shop", "flo"},
		{"server says 40 to tea", "ana bo cy"},
		{"server says 40 to tea,coffee except cy", "ana bo di"},
		{"server says 40 direct di", "di"},
	}
	acts := make([]string, len(tests))
	for i, tt := range tests {
		acts[i] = fmt.Sprintf("at %ds %s", i+1, tt.act)
	}
	for seed := range seeds() {
		s := tell(t, e, seed, rooms, acts...)
		count := make(map[string]int)
		for i, tt := range tests {
			from := strings.Fields(tt.act)[0]
			count[from]++
			var got []string
			for _, ev := range s.events {
				if ev.Kind == scenario.EventDeliver && ev.From == from && ev.N == count[from] {
					got = append(got, ev.Host)
				}
			}
			slices.Sort(got)
			if have := strings.Join(got, " "); have != tt.want {
				t.Errorf("seed %d: %s: act %d is handed to %q, want %q", seed, tt.act, i+1, have, tt.want)
			}
		}
	}
}

// Who joins gets what is said from then on, who leaves nothing more; a namespace
// has rooms of its own, and one that does not exist is refused.
func TestJoinLeaveEnter(t *testing.T) {
	e := engine(t)
	s := tell(t, e, 1, rooms,
		"at 1s ana says 40 in tea", // 1
		"at 2s eve joins tea",
		"at 3s ana says 40 in tea", // 2: eve, too
		"at 4s eve leaves tea",
		"at 5s ana says 40 in tea",              // 3
		"at 6s eve says 40 in tea ack",          // refused
		"at 7s flo says 40 in lobby",            // 1: flo alone
		"at 8s eve enters shop",                 //
		"at 9s flo says 40 to all",              // 2: eve
		"at 10s eve joins lobby namespace shop", //
		"at 11s flo says 40 in lobby",           // 3: flo and eve
		"at 12s eve enters nowhere",
		"at 13s bo enters shop", "at 14s eve says 40 to all namespace shop", // flo and bo
	)
	if got := s.handed("eve", "ana"); !slices.Equal(got, []int{2}) {
		t.Errorf("eve was handed %v of what was said in tea, want 2", got)
	}
	if got := s.handed("eve", "flo"); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("eve was handed %v of flo's, want 2 and 3", got)
	}
	if got := s.handed("bo", "eve"); !slices.Equal(got, []int{2}) {
		t.Errorf("bo was handed %v of eve's, want 2: in the namespace shop", got)
	}
	no := s.of(scenario.EventRefused, "eve")
	if len(no) != 2 || !strings.Contains(no[0].Text, "not a member") || !strings.Contains(no[1].Text, "no namespace") {
		t.Errorf("eve was refused %v, want a room that she is not in and a namespace that is not there", no)
	}
	for kind, want := range map[scenario.EventKind]int{scenario.EventJoined: 2, scenario.EventLeft: 1, scenario.EventEntered: 1} {
		if got := len(s.of(kind, "eve")); got != want {
			t.Errorf("%d events %q of eve, want %d", got, kind, want)
		}
	}
}

// An emit that wants everybody's answer gets ok from who is there, a timeout
// from who does not run, and nothing of who is not connected.
func TestAnswersOfAll(t *testing.T) {
	s := tell(t, engine(t), 1, rooms,
		"at 1s server says 40 to tea ack within 500ms",
		"at 2s stop cy",
		"at 3s server says 40 to tea ack within 500ms",
		"at 4s resume cy", "at 5s ana disconnects",
		"at 6s bo says 40 to tea ack within 500ms",
	)
	got := make(map[string]string)
	for _, ev := range s.events {
		if ev.Kind == scenario.EventReply {
			got[fmt.Sprintf("%s %d %s", ev.From, ev.N, ev.Host)] = ev.Text
		}
	}
	want := map[string]string{
		"server 1 ana": "ok", "server 1 bo": "ok", "server 1 cy": "ok",
		"server 2 ana": "ok", "server 2 bo": "ok", "server 2 cy": "timeout",
		"bo 1 cy": "ok",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("answer to %s: %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("answers %v, want %v", got, want)
	}
}

// What is volatile is for who can take it now: who is away never gets it, and
// gets what was stored when it returns.
func TestVolatileIsNowOrNever(t *testing.T) {
	e := engine(t)
	for seed := range seeds() {
		s := tell(t, e, seed, rooms,
			"at 1s bo disconnects",
			"at 2s ana says 40 x 10 every 50ms in tea volatile", // 1 to 10
			"at 3s ana says 40 x 10 every 50ms in tea",          // 11 to 20
			"at 4s bo returns",
		)
		if got := s.handed("bo", "ana"); !slices.Equal(got, upTo(20)[10:]) {
			t.Errorf("seed %d: bo was handed %v, want 11 to 20", seed, got)
		}
		if got := s.handed("cy", "ana"); !slices.Equal(got, upTo(20)) {
			t.Errorf("seed %d: cy was handed %v, want 1 to 20", seed, got)
		}
	}
}
