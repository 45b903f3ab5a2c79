package ladder

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// maxArrows is how many packets of one conversation are kept.
const maxArrows = 1_000_000

// A Builder makes a Ladder from the packets of one conversation, which Add
// takes in the order of the capture. It is not safe for concurrent use.
type Builder struct {
	Key  Key  // the conversation
	Flat bool // draw packets of one point of capture without a slant
	Pair bool // there will be two captures, the first at A, the second at B

	names  [4]string // of the points
	points [2]points // of each capture
	seed   maphash.Seed
	arrows []flight
	wait   map[waitKey][]int // places in arrows that were not seen to arrive
	bit    [2][]int          // of those with a bit flipped
	ways   [2]direction
	marks  []Sample
	first  time.Time
	left   int // packets that were too many
	frags  int
	many   bool              // more than one point
	early  map[waitKey][]int // places in arrows of a pair that arrived and were not seen to leave yet
	heard  [2]direction      // of these
	told   *teller
}

// A flight is an Arrow under way.
type flight struct {
	Arrow
	way    int
	hash   uint64
	passed bool // the link was seen
	copies int  // that the link made and that did not arrive yet
}

// flag adds what the TCP analysis says at the point where f left. Only where that
// is not the sender, it is better than what the numbers say: a sender does not
// reorder.
func (f *flight) flag(flags tcp.Flags, at point) {
	f.Flags = flags.Names()
	switch {
	case flags.Has(tcp.KeepAlive):
		f.Kind = Ack
	case at == single && flags.Has(tcp.OutOfOrder) && f.Kind == Retransmission:
		f.Kind = Data
	}
}

// take notes that packet n of a capture is this arrow.
func (f *flight) take(n, file int) {
	if file == 1 {
		f.Second = append(f.Second, n)
		return
	}
	f.Packets = append(f.Packets, n)
}

type waitKey struct {
	way  int
	hash uint64
}

// NewBuilder returns a Builder for one conversation.
func NewBuilder(k Key) *Builder {
	return &Builder{Key: k, seed: maphash.MakeSeed(), wait: map[waitKey][]int{}, early: map[waitKey][]int{}, told: newTeller()}
}

// Add takes a packet of the first (file 0) or second (file 1) capture. Packets
// of other conversations are passed over; all of file 1 come after file 0.
func (b *Builder) Add(p *packets.Packet, all []packets.Interface, file int) {
	var h packets.Headers
	h.Decode(p)
	if h.Fragment > 0 {
		b.frags++
		return
	}
	key, ok := keyOf(&h)
	if !ok {
		return
	}
	way := b.Key.way(key)
	if way < 0 {
		return
	}
	at := b.points[file&1].of(all, p.Interface)
	if p.Interface < len(all) && b.names[at] == "" {
		b.names[at] = all[p.Interface].Name
	}
	if b.Pair {
		at = near
		if file == 1 {
			at = far
		}
	}
	if b.first.IsZero() || p.Time.Before(b.first) {
		b.first = p.Time
	}
	b.sample(p, way, at)
	if file == 0 {
		b.told.read(p, &h, all)
	}
	var flags tcp.Result
	if h.TCP && at != link {
		flags = b.told.flags(p, &h, way, at)
	}
	switch {
	case at == link:
		b.many = true
		b.pass(p, &h, way)
	case at == single, (at == near) == (way == 0):
		if flags.New && len(b.arrows) > 0 {
			b.ways = [2]direction{} // the same ports again
		}
		if f := b.leave(p, &h, way, file); f != nil {
			f.flag(flags.Flags, at)
		}
	default:
		b.many = true
		b.arrive(p, &h, way, file)
	}
}

// hash names the packet by its bytes from the transport header on: what a
// router changes in the IP header does not count.
func (b *Builder) hash(p *packets.Packet, h *packets.Headers) uint64 {
	return maphash.Bytes(b.seed, p.Data[min(max(h.Transport, 0), len(p.Data)):])
}

// leave begins an arrow.
func (b *Builder) leave(p *packets.Packet, h *packets.Headers, way, file int) *flight {
	key := waitKey{way, b.hash(p, h)}
	if before := b.early[key]; len(before) > 0 {
		f := &b.arrows[before[0]]
		b.early[key] = before[1:]
		f.Number, f.Sent, f.Notes = p.Number, p.Time, nil
		f.Second = append(f.Second, p.Number)
		f.Detail = ""
		b.ways[way].describe(&f.Arrow, h, &b.ways[1-way])
		return f
	}
	if len(b.arrows) == maxArrows {
		b.left++
		return nil
	}
	f := flight{way: way, hash: key.hash}
	f.Number, f.Sent = p.Number, p.Time
	f.take(p.Number, file)
	b.ways[way].describe(&f.Arrow, h, &b.ways[1-way])
	b.wait[key] = append(b.wait[key], len(b.arrows))
	b.arrows = append(b.arrows, f)
	return &b.arrows[len(b.arrows)-1]
}

// pass tells an arrow what the link did to it.
func (b *Builder) pass(p *packets.Packet, h *packets.Headers, way int) {
	waiting := b.wait[waitKey{way, b.hash(p, h)}]
	var f *flight
	at := -1
	for i := len(waiting) - 1; i >= 0; i-- { // the link comes right after the host
		if g := &b.arrows[waiting[i]]; !g.passed && g.copies == 0 {
			f, at = g, waiting[i]
			break
		}
	}
	if f != nil {
		f.Packets = append(f.Packets, p.Number)
	} else if f = b.leave(p, h, way, 0); f == nil {
		return
	} else {
		at = len(b.arrows) - 1
	}
	f.passed = true
	switch c := p.Comment; {
	case strings.HasPrefix(c, "lost"):
		f.Lost, f.LostAt, f.Why = true, 1, c
		b.forget(at)
	case strings.Contains(c, "flipped"):
		f.Notes = append(f.Notes, c)
		b.bit[way] = append(b.bit[way], at)
	case c != "":
		f.Notes = append(f.Notes, c)
	}
	if strings.Contains(p.Comment, "duplicated") && !f.Lost {
		f.copies++
	}
}

// forget takes arrow i out of those that may arrive.
func (b *Builder) forget(i int) {
	key := waitKey{b.arrows[i].way, b.arrows[i].hash}
	rest := b.wait[key]
	if k := slices.Index(rest, i); k >= 0 {
		rest = slices.Delete(rest, k, k+1)
	}
	if len(rest) == 0 {
		delete(b.wait, key)
		return
	}
	b.wait[key] = rest
}

// arrive ends an arrow, or begins that of a copy.
func (b *Builder) arrive(p *packets.Packet, h *packets.Headers, way, file int) {
	at := -1
	if waiting := b.wait[waitKey{way, b.hash(p, h)}]; len(waiting) > 0 {
		at = waiting[0]
	} else if at = b.flipped(h, way); at < 0 { // it left before the capture began
		if at = b.unseen(p, h, way); at < 0 {
			return
		}
	}
	f := &b.arrows[at]
	if !f.Arrived.IsZero() { // a copy
		c := flight{way: way, hash: f.hash, passed: true}
		c.Arrow = Arrow{Number: p.Number, Sent: f.Sent, Kind: Duplicate, Bytes: f.Bytes, Label: f.Label, Detail: f.Detail,
			Notes: []string{fmt.Sprintf("copy of packet %d", f.Number)}}
		if f.copies--; f.copies <= 0 {
			b.forget(at)
		}
		if len(b.arrows) == maxArrows {
			b.left++
			return
		}
		b.arrows = append(b.arrows, c)
		f = &b.arrows[len(b.arrows)-1]
	} else if f.copies == 0 {
		b.forget(at)
	}
	f.take(p.Number, file)
	f.Arrived = p.Time
	if p.Comment != "" && !strings.Contains(p.Comment, "=") {
		f.Lost, f.LostAt = true, -2 // at the receiver
		f.Why = "not taken: " + strings.TrimPrefix(p.Comment, "not taken: ")
	}
}

// unseen begins an arrow with its end, and returns its place, or −1 if there
// are too many.
func (b *Builder) unseen(p *packets.Packet, h *packets.Headers, way int) int {
	if len(b.arrows) == maxArrows {
		b.left++
		return -1
	}
	f := flight{way: way, hash: b.hash(p, h)}
	f.Number, f.Sent, f.Notes = p.Number, p.Time, []string{"not seen to leave"}
	known := &b.ways
	if b.Pair { // the other capture is still to come
		known = &b.heard
	}
	known[way].describe(&f.Arrow, h, &known[1-way])
	at := len(b.arrows)
	if key := (waitKey{way, f.hash}); b.Pair {
		b.early[key] = append(b.early[key], at)
	}
	b.arrows = append(b.arrows, f)
	return at
}

// flipped returns the oldest arrow of so many bytes with a bit flipped.
func (b *Builder) flipped(h *packets.Headers, way int) int {
	for k, i := range b.bit[way] {
		if f := &b.arrows[i]; f.Arrived.IsZero() && f.Bytes == h.PayloadLen {
			b.bit[way] = slices.Delete(b.bit[way], k, k+1)
			return i
		}
	}
	return -1
}

// Ladder returns what was taken. The Builder is used up.
func (b *Builder) Ladder() *Ladder {
	l := &Ladder{Title: b.Key.String(), Samples: b.marks}
	for _, m := range b.told.tracker.End() {
		b.told.tell(&m)
	}
	l.Lifelines = []string{b.Key.A.String(), b.Key.B.String()}
	three := b.many && !b.Pair
	if three {
		l.Lifelines = []string{b.name(near, b.Key.A.Addr().String()), "link", b.name(far, b.Key.B.Addr().String())}
	}
	switch {
	case b.Pair:
		b.align(l)
	case !b.many:
		b.estimate(l)
	}
	for i := range b.arrows {
		f := &b.arrows[i]
		b.told.end(f)
		a := f.Arrow
		a.From, a.To = 0, l.last()
		if f.way == 1 {
			a.From, a.To = a.To, a.From
		}
		if a.LostAt == -2 {
			a.LostAt = a.To
		}
		l.Arrows = append(l.Arrows, a)
	}
	l.Sort()
	for i := range l.Samples {
		if l.Samples[i].At == 1 {
			l.Samples[i].At = l.last()
		}
	}
	if l.RTT == 0 {
		b.ruler(l)
	}
	l.Title += ", " + count(len(l.Arrows), "packet")
	if n := l.Lost(); n > 0 {
		l.Title += fmt.Sprintf(", %d lost", n)
	}
	if b.frags > 0 {
		l.About = append(l.About, fmt.Sprintf("%d later fragments are not drawn: they name no port.", b.frags))
	}
	if b.left > 0 {
		l.About = append(l.About, fmt.Sprintf("%d packets more than %d are not drawn; --from and --to choose others.", b.left, maxArrows))
	}
	return l
}

func (b *Builder) name(at point, other string) string {
	if b.names[at] != "" {
		return b.names[at]
	}
	return other
}

// ruler measures the first round trip: something that left and the first that
// left the other end no sooner than it arrived.
func (b *Builder) ruler(l *Ladder) {
	for i := range l.Arrows {
		a := &l.Arrows[i]
		if a.Lost || a.Arrived.IsZero() || a.Kind == Duplicate || a.Kind == Ack {
			continue
		}
		for j := i + 1; j < min(len(l.Arrows), i+32); j++ {
			r := &l.Arrows[j]
			if r.From == a.To && r.To == a.From && !r.Lost && !r.Sent.Before(a.Arrived) && !r.Arrived.IsZero() {
				l.RTT, l.RTTStart, l.RTTEnd = r.Arrived.Sub(a.Sent), a.Sent, r.Arrived
				return
			}
		}
		if i > 64 {
			return
		}
	}
}
