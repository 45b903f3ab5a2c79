package vnet

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What is due at one instant leaves in the order in which it came.
func TestDeliveriesAreInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	start := time.Unix(0, 0)
	var q deliveries
	var want []delivery
	n := uint64(0)
	for range 2000 {
		if len(want) > 0 && r.IntN(3) == 0 {
			if got := q.pop(); got != want[0] {
				t.Fatalf("seed %d: pop = %v, want %v", seed, got, want[0])
			}
			want = want[1:]
			continue
		}
		n++
		d := delivery{at: start.Add(time.Duration(r.IntN(50))), sequence: n, bit: -1}
		q.push(d)
		i, _ := slices.BinarySearchFunc(want, d, func(a, b delivery) int {
			if c := a.at.Compare(b.at); c != 0 {
				return c
			}
			return -1 // behind those of the same instant
		})
		want = slices.Insert(want, i, d)
	}
	for _, w := range want {
		if got := q.pop(); got != w {
			t.Fatalf("seed %d: pop = %v, want %v", seed, got, w)
		}
	}
	if len(q) != 0 {
		t.Errorf("seed %d: %d are left", seed, len(q))
	}
}
