package impair

import "testing"

// A rule that swaps words is about one arrival, and says so; nothing else is done.
func TestSwap(t *testing.T) {
	l := link(t, "delay 1ms swap udp 2 duplicate 3", 1)
	for i, o := range plan(l, 4, 0) {
		for j, a := range o.Arrivals {
			if want := i == 1 && j == 0; a.Swap != want || a.Bit != -1 {
				t.Errorf("packet %d, arrival %d: swapped %v, bit %d, want %v and none", i+1, j, a.Swap, a.Bit, want)
			}
		}
		if want := map[int]string{1: "two words swapped", 2: "duplicated"}[i]; o.Note != want {
			t.Errorf("packet %d: note %q, want %q", i+1, o.Note, want)
		}
	}
	if got := l.cfg.String(); got != "delay 1ms swap udp 2 duplicate 3" {
		t.Errorf("String() = %q", got)
	}
}
