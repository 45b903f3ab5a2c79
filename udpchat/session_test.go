package udpchat

import (
	"container/heap"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"wirelab/internal/wire"
)

var seeds = flag.Int("seeds", 2000, "how many seeded paths the session test runs over; a fifth of it with the race detector")

// A path carries datagrams one way, badly, in virtual time.
type path struct {
	rand                *rand.Rand
	loss, twice, damage float64
	delay, jitter       time.Duration
	transit             transit
	carried             int
}

type datagram struct {
	at    time.Time
	order int
	bytes []byte
}

func (p *path) carry(now time.Time, b []byte) {
	if p.rand.Float64() < p.loss {
		return
	}
	copies := 1
	if p.rand.Float64() < p.twice {
		copies = 2
	}
	for range copies {
		c := append([]byte(nil), b...)
		if p.rand.Float64() < p.damage {
			c[p.rand.IntN(len(c))] ^= 1 << p.rand.IntN(8)
		}
		p.carried++
		at := now.Add(p.delay + time.Duration(p.rand.Int64N(int64(p.jitter)+1)))
		heap.Push(&p.transit, datagram{at, p.carried, c})
	}
}

// first returns when the next datagram arrives; zero: none is under way.
func (p *path) first() time.Time {
	if len(p.transit) == 0 {
		return time.Time{}
	}
	return p.transit[0].at
}

func (p *path) perfect() bool { return p.loss+p.twice+p.damage == 0 && p.jitter == 0 }

type transit []datagram

func (t transit) Len() int { return len(t) }
func (t transit) Less(i, j int) bool {
	return t[i].at.Before(t[j].at) || t[i].at.Equal(t[j].at) && t[i].order < t[j].order
}
func (t transit) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *transit) Push(x any)   { *t = append(*t, x.(datagram)) }
func (t *transit) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// An end is one side of the test: a session, what it has yet to say, and what
// it heard.
type end struct {
	*session
	out    *path
	say    [][]byte
	told   [2]uint64 // how many envelopes say had, sent once and reliably
	heard  uint64    // the last of the reliable ones
	events map[uint64]bool
	last   map[string]uint64 // the last event heard, by room
	err    error
}

// message returns envelope number id of its sort.
func message(kind wire.Kind, flags wire.Flags, id uint64, room string, size int) []byte {
	args := make([]byte, size)
	for i := range args {
		args[i] = byte(id) + byte(i)
	}
	b, err := wire.AppendEnvelope(nil, &wire.Envelope{Kind: kind, Flags: flags | wire.FlagBinary, ID: id, Room: []byte(room), Args: args})
	if err != nil {
		panic(err)
	}
	return b
}

func (e *end) prepare(r *rand.Rand, n int) {
	for range n {
		kind, flags := wire.KindEvent, wire.Flags(0)
		switch r.IntN(4) {
		case 0:
			kind = wire.KindConsumed
		case 1:
			flags = wire.FlagVolatile
		}
		size := r.IntN(300)
		if r.IntN(10) == 0 {
			size = r.IntN(20_000)
		}
		reliable := 0
		if e.mode.reliable(message(kind, flags, 1, "a", 0)) {
			reliable = 1
		}
		e.told[reliable]++
		e.say = append(e.say, message(kind, flags, e.told[reliable], string(rune('a'+r.IntN(3))), size))
	}
}

func (e *end) hear(now time.Time, b []byte) {
	h, payload, err := wire.DecodeHeader(b)
	if err != nil || e.authentic(b, &h) != nil {
		return
	}
	arrivals, _ := e.receive(now, nil, &h, payload)
	for i := range arrivals {
		if err := e.judge(&arrivals[i]); err != nil && e.err == nil {
			e.err = err
		}
	}
}

func (e *end) judge(a *arrival) error {
	if a.broken != nil {
		return a.broken
	}
	id := a.envelope.ID
	for i, c := range a.envelope.Args {
		if c != byte(id)+byte(i) {
			return fmt.Errorf("message %d is damaged", id)
		}
	}
	if e.mode.reliable(a.raw) {
		if id != e.heard+1 {
			return fmt.Errorf("reliable %d came after %d", id, e.heard)
		}
		e.heard = id
		return nil
	}
	if e.events[id] {
		return fmt.Errorf("event %d came twice", id)
	}
	e.events[id] = true
	room := string(a.envelope.Room)
	if e.mode == Sequenced && id < e.last[room] {
		return fmt.Errorf("event %d came after %d", id, e.last[room])
	}
	e.last[room] = id
	return nil
}

// speak sends what can be sent at now.
func (e *end) speak(now time.Time) error {
	e.expire(now)
	if e.send.dead {
		return errGivenUp
	}
	for {
		last := e.number
		if d, ok := e.next(now, nil); ok {
			if h, _, err := wire.DecodeHeader(d.head); err != nil || h.Number != last+1 {
				return fmt.Errorf("datagram %d (%v) after %d: numbers are never used again", h.Number, err, last)
			}
			if window := e.send.arq.Window; e.send.out > window || e.send.next-e.send.base > uint64(window) {
				return fmt.Errorf("%d in flight, %d to %d, the window is %d", e.send.out, e.send.base, e.send.next-1, window)
			}
			if n := len(d.head) + len(d.payload); n > e.max {
				return fmt.Errorf("datagram of %d bytes, at most %d", n, e.max)
			}
			e.out.carry(now, append(d.head, d.payload...))
			continue
		}
		if e.full() || len(e.say) == 0 {
			return nil
		}
		e.push(now, e.say[0])
		e.say = e.say[1:]
	}
}

var errGivenUp = errors.New("given up")

// BenchmarkSession is eight small envelopes from one session to another and their
// acknowledgements, when nothing is lost.
func BenchmarkSession(b *testing.B) {
	for mode := StopAndWait; mode < modeEnd; mode++ {
		b.Run(mode.String(), func(b *testing.B) {
			exchange := exchanger(mode)
			b.ReportAllocs()
			for b.Loop() {
				exchange()
			}
		})
	}
}

// TestSessionAllocates: what is sent reliably and comes in order costs no memory.
func TestSessionAllocates(t *testing.T) {
	for mode := StopAndWait; mode < modeEnd; mode++ {
		exchange := exchanger(mode)
		exchange()
		if got := testing.AllocsPerRun(100, exchange); got > 0 {
			t.Errorf("%v: %v allocations for eight envelopes, want none", mode, got)
		}
	}
}

func exchanger(mode Mode) func() {
	var (
		from     = newSession(mode, wire.MaxDatagram, 1000, ARQ{})
		to       = newSession(mode, wire.MaxDatagram, 1000, ARQ{})
		envelope = message(wire.KindConsumed, 0, 1, "lobby", 100)
		there    = make([]byte, 0, 2*wire.MaxDatagram)
		back     = make([]byte, 0, wire.MaxDatagram)
		arrivals []arrival
		now      = epoch
	)
	return func() {
		for range 8 {
			from.push(now, envelope)
		}
		for !from.send.idle() {
			if d, ok := from.next(now, there); ok {
				h, payload, _ := wire.DecodeHeader(append(d.head, d.payload...))
				arrivals, _ = to.receive(now, arrivals[:0], &h, payload)
			} else {
				now = now.Add(ackDelay)
			}
			if to.recv.due(now) {
				d, _ := to.next(now, back)
				h, payload, _ := wire.DecodeHeader(d.head)
				arrivals, _ = from.receive(now, arrivals[:0], &h, payload)
			}
		}
	}
}

// TestSession runs two sessions over paths that lose, double, reorder, delay
// and damage. What is reliable comes in order, once, and all of it; an event
// that is sent once comes at most once, and in sequenced mode never late.
func TestSession(t *testing.T) {
	n := uint64(*seeds)
	if raced {
		n /= 5
	}
	for seed := range n {
		if err := runSession(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func runSession(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	mode := Mode(r.IntN(int(modeEnd)))
	max := 512 + r.IntN(1000)
	newEnd := func() *end {
		p := &path{rand: rand.New(rand.NewPCG(seed, r.Uint64())),
			loss: r.Float64() * .3, twice: r.Float64() * .2,
			delay: time.Duration(1+r.IntN(200)) * ms, jitter: time.Duration(r.IntN(100)) * ms}
		if r.IntN(3) == 0 {
			p.loss, p.twice, p.jitter = 0, 0, 0
		}
		arq := ARQ{Window: r.IntN(maxARQWindow + 1), DupAcks: r.IntN(4), EachAck: r.IntN(2) == 0, Fixed: r.IntN(3) == 0}
		if r.IntN(2) == 0 {
			arq.Rate = 100 + r.IntN(1000)
		}
		if r.IntN(3) == 0 {
			arq.RTO = time.Duration(1+r.IntN(3)) * time.Second // longer than any round trip here
		}
		s := newSession(mode, max, 1+r.IntN(5000), arq)
		s.id = seed + 1
		e := &end{session: s, out: p, events: make(map[uint64]bool), last: make(map[string]uint64)}
		e.prepare(r, r.IntN(120))
		return e
	}
	a, b := newEnd(), newEnd()
	ping := epoch // as the hub does, which is how a session knows that it lives
	if r.IntN(4) == 0 {
		a.protect([]byte("key"), clientToServer, serverToClient)
		b.protect([]byte("key"), serverToClient, clientToServer)
		a.out.damage, b.out.damage = .05, .05
	}
	now := epoch
	for steps := 0; ; steps++ {
		for _, e := range []*end{a, b} {
			if err := e.speak(now); err != nil {
				return err
			}
		}
		next := earliest(earliest(a.deadline(), b.deadline()), earliest(a.out.first(), b.out.first()))
		if !a.idle() || !b.idle() {
			next = earliest(next, ping.Add(10*time.Second))
		}
		if next.IsZero() {
			break
		}
		if next.Before(now) || steps > 1_000_000 {
			return fmt.Errorf("time stands still at %v: next is %v", now.Sub(epoch), next.Sub(epoch))
		}
		now = next
		if now.Sub(ping) >= 10*time.Second {
			ping = now
			for _, e := range []*end{a, b} {
				e.told[1]++
				e.say = append(e.say, message(wire.KindPing, 0, e.told[1], "", 0))
			}
		}
		for _, pair := range [][2]*end{{a, b}, {b, a}} {
			from, to := pair[0], pair[1]
			for at := from.out.first(); !at.IsZero() && !at.After(now); at = from.out.first() {
				to.hear(now, heap.Pop(&from.out.transit).(datagram).bytes)
			}
		}
		if a.err != nil {
			return a.err
		}
		if b.err != nil {
			return b.err
		}
	}
	for _, pair := range [][2]*end{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		clean, back := from.out.perfect(), to.out.perfect()
		switch {
		case to.heard != from.told[1] || !from.idle() || len(from.say) > 0:
			return fmt.Errorf("heard %d of %d reliable messages", to.heard, from.told[1])
		case clean && len(to.events) != int(from.told[0]):
			return fmt.Errorf("heard %d of %d events over a perfect path", len(to.events), from.told[0])
		case to.loosely.bytes+to.ordered.bytes > 0:
			return fmt.Errorf("%d bytes of fragments are kept for ever", to.loosely.bytes+to.ordered.bytes)
		case clean && back && from.send.resent > 0:
			return fmt.Errorf("%d retransmissions over a perfect path", from.send.resent)
		}
	}
	return nil
}
