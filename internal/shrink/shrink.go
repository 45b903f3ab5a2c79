// Package shrink makes a list that causes a failure as short as it can, by
// leaving things out: delta debugging (Zeller and Hildebrandt, 2002).
package shrink

import "slices"

// List returns a part of all, in its order, that still fails, and of which no
// single element can be left out: without any one of them fails says no. all
// fails. fails must say the same of the same list; it is not asked about all
// itself. A caller that wants to stop early lets fails say no from then on.
func List[T any](all []T, fails func([]T) bool) []T {
	left := all
	for size := max(1, len(left)/2); ; {
		shrunk := false
		for i := 0; i < len(left); {
			without := slices.Concat(left[:i], left[min(i+size, len(left)):])
			if fails(without) {
				left, shrunk = without, true
			} else {
				i += size
			}
		}
		if size > 1 {
			size /= 2
		} else if !shrunk {
			return left
		}
	}
}
