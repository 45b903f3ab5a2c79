package labs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wirelab/labs/scenario"
)

// late is how much longer than the fastest each of from's messages took to
// host, by its number.
func (s *story) late(host, from string) map[int]time.Duration {
	emitted := make(map[int]time.Duration)
	for _, e := range s.of(scenario.EventEmit, from) {
		emitted[e.N] = e.T
	}
	took := make(map[int]time.Duration)
	least := time.Duration(1 << 62)
	for _, e := range s.of(scenario.EventDeliver, host) {
		if at, ok := emitted[e.N]; ok && e.From == from {
			took[e.N] = e.T - at
			least = min(least, e.T-at)
		}
	}
	for n := range took {
		took[n] -= least
	}
	return took
}

// held returns the numbers of those that were more than a millisecond late.
func held(late map[int]time.Duration) []int {
	var all []int
	for n, d := range late {
		if d > time.Millisecond {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

const lane = `
quiet 5s
member ana over tcp
  says 100 every 10ms size 200
member bo over %s
  up delay 20ms
  down delay 20ms %s
`

// One lost segment holds back what was said after it, until it has come again:
// not before its absence is noticed and a whole round trip has passed. As many
// are held as are said meanwhile. A lost datagram concerns itself alone, unless
// a mode keeps order: selective repeat holds back as TCP does.
func TestHeadOfLine(t *testing.T) {
	e := engine(t)
	const rtt, gap = 40 * time.Millisecond, 10 * time.Millisecond
	for seed := range seeds() {
		for _, tr := range []scenario.Transport{scenario.TCP, scenario.TCPQueue, scenario.UDPARQ, scenario.UDPQueue} {
			rule := "drop data 50"
			if !tr.Stream() {
				rule = "drop udp 50"
			}
			s := tell(t, e, seed, fmt.Sprintf(lane, tr, rule))
			if got := s.handed("bo", "ana"); !slices.Equal(got, upTo(100)) {
				t.Fatalf("seed %d: %s: handed %v, want 1 to 100", seed, tr, got)
			}
			late := s.late("bo", "ana")
			all := held(late)
			if len(all) == 0 {
				t.Errorf("seed %d: %s: nothing was held back", seed, tr)
				continue
			}
			first := all[0]
			hold := late[first]
			if hold < rtt || hold > rtt+400*time.Millisecond {
				t.Errorf("seed %d: %s: the lost one came %v late, want at least %v", seed, tr, hold, rtt)
			}
			// Number first+k is said k gaps later, and handed over with the first.
			for k := 1; time.Duration(k)*gap < hold-gap; k++ {
				if got, want := late[first+k], hold-time.Duration(k)*gap; got < want-5*time.Millisecond || got > want+5*time.Millisecond {
					t.Errorf("seed %d: %s: message %d came %v late, want %v: with the one that was lost", seed, tr, first+k, got, want)
				}
			}
		}
		s := tell(t, e, seed, fmt.Sprintf(lane, scenario.UDP, "drop udp 50"))
		lost, _ := s.sum("bo", "ana")
		if all := held(s.late("bo", "ana")); lost != 1 || len(all) != 0 {
			t.Errorf("seed %d: udp: %d lost, %v held back, want 1 and none", seed, lost, all)
		}
	}
}

// One datagram is overtaken by three, another comes twice. Unreliable, the
// program sees them in the order of their arrival, and the copy is dropped by
// its number. Sequenced, the one that was overtaken is dropped. The modes that
// repeat show neither.
func TestOvertakenAndDoubled(t *testing.T) {
	e := engine(t)
	const rules = "delay udp 40 35ms duplicate udp 60"
	for seed := range seeds() {
		for _, tr := range []scenario.Transport{scenario.UDP, scenario.UDPSequenced, scenario.UDPGoBackN, scenario.UDPARQ, scenario.UDPQueue, scenario.UDPStopAndWait} {
			s := tell(t, e, seed, fmt.Sprintf(lane, tr, rules))
			got := s.handed("bo", "ana")
			want := upTo(100)
			// Which message the datagram carried, the run itself says.
			switch i := overtaken(got); tr {
			case scenario.UDP:
				if i == 0 {
					t.Errorf("seed %d: %s: %v: nothing was overtaken", seed, tr, got)
					continue
				}
				copy(want[i-1:], []int{i + 1, i + 2, i + 3, i})
			case scenario.UDPSequenced:
				if i == 0 {
					t.Errorf("seed %d: %s: %v: nothing was dropped", seed, tr, got)
					continue
				}
				want = slices.Delete(want, i-1, i)
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: %s: handed\n%v, want\n%v", seed, tr, got, want)
			}
		}
	}
}

// overtaken returns the first number that is not where it belongs, 0 if none.
func overtaken(got []int) int {
	for i, n := range got {
		if n != i+1 {
			return i + 1
		}
	}
	return 0
}
