package wire

// A Replay remembers which datagram numbers of one direction came, so that a
// recorded datagram sent again is not taken twice. It is a window over the
// newest number and the [ReplayWindow]−1 before it; what is older is refused,
// for nobody remembers it. The zero value has seen nothing.
//
// Check before the MAC is verified, which is dear, and Mark after, or a forged
// number would push the window away from the true ones.
type Replay struct {
	newest uint64
	seen   [ReplayWindow / 64]uint64 // bit n mod ReplayWindow: number n came
}

// Check reports whether a datagram with number n may be taken: n is not 0, not
// marked and not too old.
func (r *Replay) Check(n uint64) bool {
	if n > r.newest {
		return true
	}
	return r.inside(n) && r.seen[n/64%uint64(len(r.seen))]>>(n%64)&1 == 0
}

// Mark notes that the datagram with number n was taken.
func (r *Replay) Mark(n uint64) {
	if n > r.newest {
		if n-r.newest >= ReplayWindow {
			r.seen = [len(r.seen)]uint64{}
		} else {
			for old := r.newest + 1; old < n; old++ {
				r.seen[old/64%uint64(len(r.seen))] &^= 1 << (old % 64)
			}
		}
		r.newest = n
	}
	if r.inside(n) {
		r.seen[n/64%uint64(len(r.seen))] |= 1 << (n % 64)
	}
}

// inside reports whether n, which is at most newest, is a number in the window.
func (r *Replay) inside(n uint64) bool { return n != 0 && r.newest-n < ReplayWindow }
