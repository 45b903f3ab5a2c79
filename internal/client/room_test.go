package client

import (
	"math/rand/v2"
	"testing"

	"wirelab/internal/wire"
)

// Whatever the network does to the events: none is handed over twice, each is
// handed over or was counted as lost, and on an ordered link the order holds.
func TestRoomUnderChance(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		reorder := seed%2 == 0
		first := uint64(rng.IntN(100))
		r := &room{}
		r.move(first, first, &wire.Position{Epoch: 1, Head: first}, false)
		var arrivals []uint64
		const n = 200
		for seq := first + 1; seq <= first+n; seq++ {
			for range []int{0, 1, 1, 1, 1, 1, 1, 2}[rng.IntN(8)] {
				arrivals = append(arrivals, seq)
			}
		}
		if reorder {
			for range 100 {
				i := rng.IntN(len(arrivals) - 8)
				j := i + 1 + rng.IntN(7)
				arrivals[i], arrivals[j] = arrivals[j], arrivals[i]
			}
		}
		arrivals = append(arrivals, first+n+1) // so that a hole at the end is seen
		handed := make(map[uint64]int)
		var lost, lates, newest uint64
		for _, seq := range arrivals {
			v, gap := r.event(seq, seq-1, reorder)
			lost += gap
			switch v {
			case duplicate:
				if handed[seq] == 0 {
					t.Fatalf("seed %d: %d dropped as a duplicate, but it was never handed over", seed, seq)
				}
				continue
			case late:
				lates++
			case deliver:
				if seq < newest {
					t.Fatalf("seed %d: %d after %d is not late", seed, seq, newest)
				}
				newest = seq
			}
			handed[seq]++
		}
		for seq, times := range handed {
			if times > 1 {
				t.Fatalf("seed %d: %d handed over %d times", seed, seq, times)
			}
		}
		if got := uint64(len(handed)) + lost - lates; got != n+1 {
			t.Fatalf("seed %d: %d handed over + %d lost - %d late = %d, want %d", seed, len(handed), lost, lates, got, n+1)
		}
		if !reorder && lates > 0 {
			t.Fatalf("seed %d: %d late on an ordered link", seed, lates)
		}
	}
}
