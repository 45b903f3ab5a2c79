package labs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wirelab/labs/scenario"
)

// Each defence is switched off once, and the damage measured against the same
// run with it.

func without(d scenario.Defence) string { return "without " + string(d) }

// A name opens nothing: without the session's secret a stranger gets neither
// the name nor what waits for it. If the name were the key, all of it.
func TestWithoutSessionSecrets(t *testing.T) {
	e := engine(t)
	const text = `
quiet 20s
member bo over tcp+queue
  rooms tea
  link delay 20ms
member ana over tcp+queue
  rooms tea
  says 20 every 100ms size 100 from 1050ms
member eve over tcp+queue
  rooms hall
at 1s bo disconnects
at 3500ms eve takes bo
at 6s bo returns
`
	for seed := range seeds() {
		s := tell(t, e, seed, text)
		if got := s.handed("eve", "ana"); len(got) != 0 {
			t.Errorf("seed %d: a stranger with the name was handed %v", seed, got)
		}
		if got := s.handed("bo", "ana"); !slices.Equal(got, upTo(20)) {
			t.Errorf("seed %d: bo was handed %v, want 1 to 20", seed, got)
		}
		s = tell(t, e, seed, text, without(scenario.SessionSecrets))
		if got := s.handed("eve", "ana"); !slices.Equal(got, upTo(20)) {
			t.Errorf("seed %d: name as key: the stranger was handed %v, want 1 to 20", seed, got)
		}
		if got := s.handed("bo", "ana"); len(got) != 0 {
			t.Errorf("seed %d: name as key: bo was handed %v", seed, got)
		}
	}
}

// Nothing is acknowledged that is not stored: what was, is there after a kill. A
// server that acknowledges first loses what was acknowledged in the last second
// before, which is what its disk takes: 20 messages at 20 in a second.
func TestWithoutSyncBeforeAck(t *testing.T) {
	e := engine(t)
	const text = `
quiet 60s
server
  data
member bo over tcp+queue
member ana over tcp+queue
  says 40 every 50ms size 100 from 25ms
at 10ms bo disconnects
at 3s kill server
at 4s start server
at 10s bo returns
`
	for seed := range seeds() {
		for _, tt := range []struct {
			without string
			lost    int
		}{{"", 0}, {without(scenario.SyncBeforeAck), 0}} {
			s := tell(t, e, seed, text, tt.without)
			if lost, _ := s.sum("bo", "ana"); lost != tt.lost || s.acked("ana") != 40 {
				t.Errorf("seed %d: %s: killed a second after the last of %d acknowledgements: %d lost, want %d", seed, tt.without, s.acked("ana"), lost, tt.lost)
			}
		}
		soon := strings.ReplaceAll(text, "at 3s kill", "at 2s kill")
		for _, tt := range []struct {
			without string
			lost    int
		}{{"", 0}, {without(scenario.SyncBeforeAck), 20}} {
			s := tell(t, e, seed, soon, tt.without)
			if lost, _ := s.sum("bo", "ana"); lost != tt.lost || s.acked("ana") != 40 {
				t.Errorf("seed %d: %s: killed right after %d acknowledgements: %d lost, want %d", seed, tt.without, s.acked("ana"), lost, tt.lost)
			}
		}
	}
}

// What is shown has no character that a terminal obeys or hides; without that
// all of them get there: ESC, BEL, ESC, CR and the override of the direction.
func TestWithoutVisibleText(t *testing.T) {
	e := engine(t)
	const text = `
quiet 5s
member bo over tcp
member eve over tcp
at 1s eve says "\x1b]0;pwned\x07\x1b[2J\rserver: you are banned\u202e" in lobby others
`
	for _, tt := range []struct {
		without string
		count   uint64
		raw     bool
	}{{"", 0, false}, {without(scenario.VisibleText), 5, true}} {
		s := tell(t, e, 1, text, tt.without)
		shown := s.of(scenario.EventShown, "bo")
		if len(shown) != 1 || shown[0].Count != tt.count || strings.Contains(shown[0].Text, "\x1b[2J") != tt.raw {
			t.Errorf("%s: shown %+v, want one with %d control characters", tt.without, shown, tt.count)
		}
		if d := s.of(scenario.EventDeliver, "bo"); tt.count == 0 && len(d) > 0 && !strings.Contains(d[len(d)-1].Text, "\x1b[2J") {
			t.Errorf("what arrives is not what was said: %q", d[len(d)-1].Text)
		}
	}
}

const stopped = `
quiet 60s
watch
server
  buffer 16KiB
member cy over tcp+queue
member bo over tcp+queue
  tcp-buffer 16KiB
member ana over tcp+queue
  says 500 every 40ms size 4000
at 1s stop bo
at 11s resume bo
`

// A member that stops reading costs the server a place in the log, and the write
// in hand, of 256 KiB at most. With a queue of its own it costs all that is said
// meanwhile: 100 kB a second.
func TestWithoutBoundedWrites(t *testing.T) {
	e := engine(t)
	for _, tt := range []struct {
		without     string
		least, most int
	}{
		{"", 1, 256 << 10},
		// 10 s · 25/s · 4,000 B, with at most a tenth more for the frame, and
		// without what the socket buffers of both ends took.
		{without(scenario.BoundedWrites), 1_000_000 - 2*64<<10, 1_100_000},
	} {
		s := tell(t, e, 1, stopped, tt.without)
		most := 0
		for _, w := range s.of(scenario.EventWaiting, "bo") {
			most = max(most, w.Size)
		}
		if most < tt.least || most > tt.most {
			t.Errorf("%s: %d bytes waited for the one that had stopped, want %d to %d", tt.without, most, tt.least, tt.most)
		}
		for _, host := range []string{"bo", "cy"} {
			if got := s.handed(host, "ana"); !slices.Equal(got, upTo(500)) {
				t.Errorf("%s: %s was handed %d messages, or not in order", tt.without, host, len(got))
			}
		}
	}
}

// Nobody waits for the one that has stopped: the others go on being handed a
// message each 40 ms. If one lock is held while somebody is written to, they
// wait for as long as it has stopped, but for what its buffers still take.
func TestWithoutOwnWriters(t *testing.T) {
	e := engine(t)
	for _, tt := range []struct {
		without     string
		least, most time.Duration
	}{
		{"", 40 * time.Millisecond, 50 * time.Millisecond},
		{without(scenario.OwnWriters), 8 * time.Second, 10 * time.Second},
	} {
		s := tell(t, e, 1, stopped, tt.without)
		if gap := s.longest("cy"); gap < tt.least || gap > tt.most {
			t.Errorf("%s: cy was handed nothing for %v, want %v to %v", tt.without, gap, tt.least, tt.most)
		}
	}
}

// longest is the longest time between two hand-overs of messages to host.
func (s *story) longest(host string) time.Duration {
	gap, last := time.Duration(0), time.Duration(-1)
	for _, e := range s.of(scenario.EventDeliver, host) {
		if e.N == 0 {
			continue
		}
		if last >= 0 {
			gap = max(gap, e.T-last)
		}
		last = e.T
	}
	return gap
}

// A lost message of a member without a queue, said at most once, is lost.
func TestAtMostOnce(t *testing.T) {
	e := engine(t)
	const text = `
quiet 5s
member bo over udp
member ana over udp
  link delay 20ms
at 500ms ana says 40 in lobby once
at 1s ana says 40 in lobby once
at 1500ms ana says 40 in lobby %s
at 990ms cut ana
at 1010ms mend ana
`
	for seed := range seeds() {
		s := tell(t, e, seed, fmt.Sprintf(text, "once"))
		if got := s.handed("bo", "ana"); !slices.Equal(got, []int{1, 3}) || s.told("bo") != 0 {
			t.Errorf("seed %d: handed %v, told of %d lost, want 1 and 3, and 0: the server never had it", seed, got, s.told("bo"))
		}
	}
}
