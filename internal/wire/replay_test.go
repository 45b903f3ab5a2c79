package wire

import (
	"math"
	"testing"
)

func TestReplay(t *testing.T) {
	for _, tt := range []struct {
		name string
		mark []uint64
		n    uint64
		want bool
	}{
		{"zero is never a number", nil, 0, false},
		{"first", nil, 1, true},
		{"twice", []uint64{1}, 1, false},
		{"next", []uint64{1}, 2, true},
		{"late", []uint64{1, 3}, 2, true},
		{"late twice", []uint64{1, 3, 2}, 2, false},
		{"oldest in the window", []uint64{300}, 300 - ReplayWindow + 1, true},
		{"too old", []uint64{300}, 300 - ReplayWindow, false},
		{"zero inside the window", []uint64{5}, 0, false},
		{"oldest twice", []uint64{45, 300}, 45, false},
		{"same place, one window later", []uint64{7, 7 + ReplayWindow - 1}, 7 + ReplayWindow, true},
		{"a step clears what it passes", []uint64{7, 200, 300}, 7 + ReplayWindow, true},
		{"a leap clears all", []uint64{1, 2, 3, 10_000}, 10_000 - ReplayWindow + 3, true},
		{"a mark too old changes nothing", []uint64{1000, 3}, 1000 - 253, true},
		{"the largest number", []uint64{math.MaxUint64 - 1}, math.MaxUint64, true},
		{"the largest twice", []uint64{math.MaxUint64}, math.MaxUint64, false},
		{"after the largest", []uint64{math.MaxUint64}, math.MaxUint64 - 255, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Replay
			for _, n := range tt.mark {
				r.Mark(n)
			}
			if got := r.Check(tt.n); got != tt.want {
				t.Errorf("after Mark of %d: Check(%d) = %t, want %t", tt.mark, tt.n, got, tt.want)
			}
		})
	}
}

// FuzzReplayAgreesWithAMap reads the input as steps of a random walk over
// packet numbers and compares with a model that forgets nothing.
func FuzzReplayAgreesWithAMap(f *testing.F) {
	f.Add([]byte{1, 1, 1, 254, 3, 128, 0, 255, 255, 2}, uint64(0))
	f.Add([]byte{127, 127, 127, 129, 200, 5, 250}, uint64(1<<40))
	f.Fuzz(func(t *testing.T, steps []byte, n uint64) {
		var r Replay
		seen := map[uint64]bool{0: true}
		newest := uint64(0)
		for i, step := range steps {
			s := uint64(int64(int8(step)))
			if i%3 == 0 {
				s *= 7 // leaps and far looks back
			}
			n += s
			want := !seen[n] && (n > newest || newest-n < ReplayWindow)
			if got := r.Check(n); got != want {
				t.Fatalf("step %d, newest %d: Check(%d) = %t, want %t", i, newest, n, got, want)
			}
			if step&1 == 0 { // the others fail their MAC
				continue
			}
			r.Mark(n)
			seen[n] = true
			newest = max(newest, n)
		}
	})
}
