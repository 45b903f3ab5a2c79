package udpchat

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"wirelab/internal/wire"
)

// queueLimit is how many parcels wait in front of a line at most.
const queueLimit = 100

// A line joins a sender and a receiver in virtual time: parcels go one way over
// a transmitter that takes frame for each, answers the other way in no time at
// all, and both arrive after delay. So the books have it; the rest is for those
// who want it worse.
type line struct {
	frame, delay    time.Duration
	loss, ackLoss   float64
	twice           float64                         // of either
	jitter          time.Duration                   // of either; reorders
	carry           func(now time.Time) []time.Time // instead of all that, for parcels
	seed            uint64
	mode            Mode
	sending, taking ARQ // of the two ends
}

// A crossing is what a line has on the way.
type crossing struct {
	at        time.Time
	order     int
	parcel    uint64 // 0: an answer
	ack, bits uint64
	reject    uint64
}

type crossings []crossing

func (c crossings) Len() int { return len(c) }
func (c crossings) Less(i, j int) bool {
	return c[i].at.Before(c[j].at) || c[i].at.Equal(c[j].at) && c[i].order < c[j].order
}
func (c crossings) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *crossings) Push(x any)   { *c = append(*c, x.(crossing)) }
func (c *crossings) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// run sends so many parcels over the line, all of which wait from the beginning,
// and returns how long that took until the last was released, and how many were
// sent again. It fails unless each is released once and in order, the window is
// never exceeded, and there is an end.
func (l *line) run(parcels int) (took time.Duration, resent uint64, err error) {
	var (
		s      = newSender(l.mode, l.sending)
		r      = newReceiver(l.mode, l.taking)
		chance = rand.New(rand.NewPCG(l.seed, 1))
		now    = epoch
		idle   = epoch // when the transmitter is
		way    crossings
		count  int
		next   = uint64(1) // to be released
	)
	put := func(at time.Time, loss float64, c crossing) {
		if chance.Float64() < loss {
			return
		}
		for copies := 1 + int(chance.Float64()+l.twice); copies > 0; copies-- {
			count++
			c.at, c.order = at, count
			if l.jitter > 0 {
				c.at = at.Add(time.Duration(chance.Int64N(int64(l.jitter))))
			}
			heap.Push(&way, c)
		}
	}
	answer := func() {
		for r.reject || r.due(now) {
			c := crossing{}
			if r.reject {
				c.reject, r.reject = r.next, false
			}
			c.ack, c.bits = r.acknowledge()
			put(now.Add(l.delay), l.ackLoss, c)
		}
	}
	for s.end <= uint64(parcels) {
		s.push(now, []byte{byte(s.end)}, wire.Fragment{})
	}
	for turns := 0; !s.idle(); turns++ {
		if turns > 2000*parcels+100_000 {
			return 0, 0, fmt.Errorf("no end: %v with %d of %d parcels", now.Sub(epoch), next-1, parcels)
		}
		for p, _ := s.poll(now); p != nil; p, _ = s.poll(now) {
			if width := s.next - s.base; s.out > s.arq.Window || width > uint64(s.arq.Window) {
				return 0, 0, fmt.Errorf("%d in flight and %d wide, the window is %d", s.out, width, s.arq.Window)
			}
			if l.carry != nil {
				for _, at := range l.carry(now) {
					put(at, 0, crossing{parcel: p.number})
				}
				continue
			}
			if idle.Before(now) {
				idle = now
			}
			if l.frame > 0 && idle.Sub(now) > queueLimit*l.frame {
				continue // drop-tail
			}
			idle = idle.Add(l.frame)
			put(idle.Add(l.delay), l.loss, crossing{parcel: p.number})
		}
		at := earliest(s.deadline(), r.ackAt)
		if len(way) > 0 {
			at = earliest(at, way[0].at)
		}
		if at.IsZero() || at.Before(now) {
			return 0, 0, fmt.Errorf("nothing is due at %v, next %v, with %d of %d parcels", now.Sub(epoch), at.Sub(epoch), next-1, parcels)
		}
		now = at
		if len(way) == 0 || way[0].at.After(now) {
			answer()
			s.expire(now)
			continue
		}
		c := heap.Pop(&way).(crossing)
		if c.parcel == 0 {
			if _, err := s.ack(now, c.ack, c.bits, true); err != nil {
				return 0, 0, err
			}
			s.reject(now, c.reject)
			continue
		}
		released, _ := r.take(now, nil, parcel{number: c.parcel, payload: []byte{byte(c.parcel)}})
		for _, g := range released {
			if g.number != next || g.payload[0] != byte(next) {
				return 0, 0, fmt.Errorf("parcel %d (%x) is released, want %d", g.number, g.payload, next)
			}
			if next++; next > uint64(parcels) {
				took = now.Sub(epoch)
			}
		}
		answer()
	}
	if next != uint64(parcels)+1 {
		return 0, 0, fmt.Errorf("%d of %d parcels were released", next-1, parcels)
	}
	return took, s.resent, nil
}
