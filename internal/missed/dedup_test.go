package missed

import (
	"fmt"
	"testing"
	"time"
)

// TestDedup compares with a slice, over many sizes of the ring.
func TestDedup(t *testing.T) {
	r := seeds(t)
	for _, count := range []int{1, 2, 63, 64, 65, 300} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			d := newDedup(Dedup{Count: count})
			type entry struct {
				identity
				seq  uint64
				time int64
				back bool
			}
			var want []entry
			for now := int64(1); now < 20_000; now++ {
				m := d.identify(uint64(r.IntN(2)), []byte{byte(r.IntN(3))}, r.Uint64N(uint64(count)))
				i := 0
				for i < len(want) && (want[i].identity != m || want[i].back) {
					i++
				}
				switch n := r.IntN(100); {
				case n < 80:
					seq, seen := d.add(m, uint64(now), now)
					if seen != (i < len(want)) || seen && seq != want[i].seq {
						t.Fatalf("add at %d = %d, %v, want %v", now, seq, seen, i < len(want))
					}
					if !seen {
						if len(want) == count {
							want = want[1:]
						}
						want = append(want, entry{m, uint64(now), now, false})
					}
				case n < 98:
					if i < len(want) {
						d.remove(m, want[i].seq+1) // another event: nothing
						if r.IntN(2) == 0 {
							d.remove(m, want[i].seq)
							want[i].back = true
						}
					} else {
						d.remove(m, uint64(now))
					}
				default:
					cutoff := now - r.Int64N(int64(2*count))
					d.expire(cutoff)
					for len(want) > 0 && want[0].time < cutoff {
						want = want[1:]
					}
				}
				if d.held != len(want) {
					t.Fatalf("at %d: %d are held, want %d", now, d.held, len(want))
				}
			}
		})
	}
}

func TestDedupDefaults(t *testing.T) {
	if d := newDedup(Dedup{}); d.count != 100_000 || d.age != 10*time.Minute {
		t.Errorf("count %d, age %v", d.count, d.age)
	}
	d := newDedup(Dedup{Count: -1, Age: -1})
	if _, seen := d.add(identity{1, 1}, 1, 1); seen || d.age != unlimited {
		t.Errorf("negative fields: seen %v, age %v", seen, d.age)
	}
	if _, seen := d.add(identity{1, 1}, 1, 1); seen {
		t.Error("with no memory an id was remembered")
	}
}
