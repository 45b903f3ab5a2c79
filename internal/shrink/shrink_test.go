package shrink

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What fails if all of a set are there shrinks to that set, whatever lies
// around it.
func TestList(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		n := r.IntN(40)
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		var need []int
		for i := range all {
			if r.IntN(8) == 0 {
				need = append(need, i)
			}
		}
		asked := 0
		got := List(all, func(l []int) bool {
			asked++
			for _, x := range need {
				if !slices.Contains(l, x) {
					return false
				}
			}
			return true
		})
		if !slices.Equal(got, need) {
			t.Errorf("seed %d: List = %v, want %v", seed, got, need)
		}
		if most := 4 * (n + 1) * (len(need) + 2); asked > most {
			t.Errorf("seed %d: asked %d times about %d things, want at most %d", seed, asked, n, most)
		}
	}
}

// If either of two things is enough, one of them is left.
func TestListEither(t *testing.T) {
	got := List([]string{"a", "x", "b", "y"}, func(l []string) bool { return slices.Contains(l, "x") || slices.Contains(l, "y") })
	if len(got) != 1 {
		t.Errorf("List = %q, want one of x and y", got)
	}
}
