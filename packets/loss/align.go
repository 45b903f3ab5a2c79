package loss

import (
	"cmp"
	"errors"
	"hash/maphash"
	"io"
	"net/netip"
	"slices"
	"time"

	"wirelab/packets"
)

const (
	// sampled is how many packets of a capture are looked for in the other, spread
	// over the whole of it.
	sampled = 1 << 15
	// maxWays is how many pairs of hosts are aligned by.
	maxWays = 4096
	// medianOf is how many differences of each a median is taken of.
	medianOf = 255
	// scatter is by how much the stamps of one clock may be wrong: the kernel takes
	// them shortly before or after a packet passes.
	scatter = 50 * time.Microsecond
)

// ErrNothingCommon means that no packet is in both captures.
var ErrNothingCommon = errors.New("no packet is in both captures: were they taken at the two ends of one path, at the same time?")

// An Alignment says how the clocks of two captures differ, and which hosts are at
// which end. The near end is the first capture's.
type Alignment struct {
	Offset  time.Duration // the second clock is ahead by this, as it is taken to be
	Low     time.Duration // it is at least this, or something would have arrived before it left
	High    time.Duration // and at most this
	HasLow  bool          // something went from the far end to the near one
	HasHigh bool          // something went from the near end to the far one
	How     string        // Offset was found, in words
	Matched int           // packets that were found in both, of the sample
	Payload int           // bytes of payload that both captures keep; 0 is all

	near map[netip.Addr]int // votes: above 0 near, below far
}

// A sample is a packet of the first capture.
type sample struct {
	at    time.Duration
	ttl   uint8
	twice bool
}

// A span is the differences of both clocks for what one host sent to another.
type span struct {
	from, to  netip.Addr
	least     time.Duration
	most      time.Duration
	some      []time.Duration
	n         int
	hops      int // votes: above 0, it had more hops to live in the first capture
	order     int // of its first packet
	direction int // votes by the files' own direction flags
}

func (s *span) median() time.Duration {
	d := slices.Clone(s.some)
	slices.Sort(d)
	return d[len(d)/2]
}

// Align reads both captures, and compares when a sample of their packets was seen
// in each. It takes the offset that given says, if not nil; else 0 if that is
// possible, so that nothing arrives before it left, and symmetric is false; else
// the one with which the quickest ways there and back are equal. An error inside a
// capture ends it; what comes before counts.
func Align(a, b *packets.Reader, given *time.Duration, symmetric bool) (*Alignment, error) {
	seed := maphash.MakeSeed()
	out := &Alignment{near: map[netip.Addr]int{}}
	var p, q packets.Packet
	errA, errB := a.Read(&p), b.Read(&q)
	out.Payload = bothKeep(a.Interfaces(), b.Interfaces())
	var h packets.Headers
	known, limit := map[uint64]sample{}, ^uint64(0)
	for ; errA == nil; errA = a.Read(&p) {
		h.Decode(&p)
		if h.Version == 0 {
			continue
		}
		id := spread(identify(seed, &p, &h, out.Payload))
		if id > limit {
			continue
		}
		if s, ok := known[id]; ok {
			s.twice = true
			known[id] = s
			continue
		}
		known[id] = sample{at: time.Duration(p.Time.UnixNano()), ttl: h.TTL}
		for len(known) > sampled {
			limit /= 2
			for id := range known {
				if id > limit {
					delete(known, id)
				}
			}
		}
	}
	ways := map[[2]netip.Addr]*span{}
	for ; errB == nil; errB = b.Read(&q) {
		h.Decode(&q)
		if h.Version == 0 {
			continue
		}
		id := spread(identify(seed, &q, &h, out.Payload))
		s, ok := known[id]
		if id > limit || !ok || s.twice {
			continue
		}
		delete(known, id)
		key := [2]netip.Addr{h.Src, h.Dst}
		w := ways[key]
		if w == nil {
			if len(ways) == maxWays {
				continue
			}
			w = &span{from: h.Src, to: h.Dst, order: len(ways)}
			ways[key] = w
		}
		w.add(&q, &h, s)
		out.Matched++
	}
	if out.Matched == 0 {
		if errA != nil && !errors.Is(errA, io.EOF) {
			return nil, errA
		}
		if errB != nil && !errors.Is(errB, io.EOF) {
			return nil, errB
		}
		return nil, ErrNothingCommon
	}
	out.orient(ways, given)
	out.choose(given, symmetric)
	return out, nil
}

// spread makes all bits of an identity alike random.
func spread(id identity) uint64 {
	x := id.whole()
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

func (w *span) add(q *packets.Packet, h *packets.Headers, s sample) {
	d := time.Duration(q.Time.UnixNano()) - s.at
	if w.n == 0 {
		w.least, w.most = d, d
	}
	w.least, w.most = min(w.least, d), max(w.most, d)
	w.n++
	if len(w.some) < medianOf {
		w.some = append(w.some, d)
	}
	w.hops += cmp.Compare(s.ttl, h.TTL)
	switch q.Direction {
	case packets.In:
		w.direction++
	case packets.Out:
		w.direction--
	}
}

// orient decides of each pair of hosts which is at the near end, and what bounds
// of the offset follow.
func (a *Alignment) orient(ways map[[2]netip.Addr]*span, given *time.Duration) {
	all := make([]*span, 0, len(ways))
	for _, w := range ways {
		all = append(all, w)
	}
	slices.SortFunc(all, func(x, y *span) int { return cmp.Compare(x.order, y.order) })
	for _, x := range all {
		y := ways[[2]netip.Addr{x.to, x.from}]
		if y != nil && y.order < x.order || x.from == x.to {
			continue
		}
		forth := x.direction // above 0: x.from is near
		if y != nil {
			forth -= y.direction
		}
		if y != nil && forth == 0 {
			forth = cmp.Or(cmp.Compare(x.median(), y.median()), cmp.Compare(x.least+x.most, y.least+y.most))
		}
		if forth == 0 {
			forth = cmp.Compare(x.hops, 0)
			if y != nil && forth == 0 {
				forth = -cmp.Compare(y.hops, 0)
			}
		}
		if forth == 0 && given != nil {
			forth = cmp.Compare(x.median(), *given)
		}
		near, far := x, y
		if forth < 0 {
			near, far = y, x
		}
		votes := x.n
		if y != nil {
			votes += y.n
		}
		if near != nil {
			a.vote(near.from, near.to, votes)
			if !a.HasHigh || near.least < a.High {
				a.High, a.HasHigh = near.least, true
			}
		}
		if far != nil {
			if near == nil {
				a.vote(far.to, far.from, votes)
			}
			if !a.HasLow || far.most > a.Low {
				a.Low, a.HasLow = far.most, true
			}
		}
	}
}

func (a *Alignment) vote(near, far netip.Addr, votes int) {
	a.near[near] += votes
	a.near[far] -= votes
}

// choose decides the offset.
func (a *Alignment) choose(given *time.Duration, symmetric bool) {
	possible := (!a.HasLow || a.Low <= scatter) && (!a.HasHigh || a.High >= -scatter)
	switch {
	case given != nil:
		a.Offset, a.How = *given, "as given"
	case possible && !symmetric:
		a.How = "which fits the packets"
	case a.HasLow && a.HasHigh:
		a.Offset, a.How = a.Low+(a.High-a.Low)/2, "so that the quickest ways there and back are equal"
	case a.HasHigh:
		a.Offset, a.How = a.High, "so that the quickest took no time: nothing came back to tell more"
	default:
		a.Offset, a.How = a.Low, "so that the quickest took no time: nothing went there to tell more"
	}
}

// Of returns what a packet is that was seen in capture file, 0 or 1; NoRole if
// the capture does not say and nothing is known of its hosts.
func (a *Alignment) Of(file int, p *packets.Packet, h *packets.Headers) (role Role, dir int) {
	switch p.Direction {
	case packets.Out:
		return Left, file
	case packets.In:
		return Arrived, 1 - file
	}
	switch from, to := a.near[h.Src], a.near[h.Dst]; {
	case from > 0:
	case from < 0:
		dir = 1
	case to < 0:
	case to > 0:
		dir = 1
	default:
		return NoRole, 0
	}
	if dir == file {
		return Left, dir
	}
	return Arrived, dir
}

// bothKeep returns how many bytes of payload both captures keep of a long packet,
// 0 if all. What the headers take is taken to be as much as it can be.
func bothKeep(a, b []packets.Interface) int {
	const headers = 18 + 40 + 60
	least := uint32(1 << 16)
	for _, all := range [][]packets.Interface{a, b} {
		for _, i := range all {
			if i.Snap > 0 {
				least = min(least, i.Snap)
			}
		}
	}
	if least >= 1<<16-1 {
		return 0
	}
	return max(int(least)-headers, 1)
}
