package impair

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// A Class says what a packet is; a packet has all that apply. Rules match it.
type Class uint8

// The classes.
const (
	TCP Class = 1 << iota
	UDP
	ICMP
	SYN
	FIN
	RST
	Data // it carries payload
	Ack  // a TCP segment without payload, SYN and FIN: a pure acknowledgement
)

// A Packet is what a Link has to know of one.
type Packet struct {
	Size  int    // bytes from the network header on
	Class Class  // what rules match
	Flow  uint64 // names the conversation
	ID    uint64 // names the packet within its flow, in any run; 0: its place in the flow does
}

// A Cause says why a packet was not carried.
type Cause uint8

// The causes.
const (
	Carried    Cause = iota // it was
	LostRandom              // chance, each packet by itself
	LostBurst               // chance, in a state model
	LostScript              // a rule
	LostDown                // the link was down
	LostFull                // the link held as many packets as it can
	LostTooBig              // larger than the MTU
	causeEnd
)

var causeNames = [...]string{"carried", "random", "burst", "script", "down", "queue full", "too big"}

// String returns the cause in a word or two.
func (c Cause) String() string {
	if c >= causeEnd {
		return fmt.Sprintf("cause %d", uint8(c))
	}
	return causeNames[c]
}

// An Arrival is one copy of a packet at the far end.
type Arrival struct {
	At  time.Time
	Bit int // which was flipped, counted from the first of the packet; −1: none
	// Swap says that two 16-bit words of the payload have changed places, the
	// first two neighbours that differ.
	Swap bool
}

// An Outcome is what became of a packet.
type Outcome struct {
	Cause    Cause
	Arrivals []Arrival // none: lost; two: duplicated. Good until the next Plan.
	Note     string    // for people, of what is out of the ordinary; else empty
	Ordinal  uint64    // of the packet in this direction, from 1
}

// A Key names a packet in any run: its flow, what it is there, and how often
// that was sent before.
type Key struct {
	Flow uint64 `json:"f"`
	ID   uint64 `json:"i"`
	Nth  uint32 `json:"n,omitempty"`
}

// A Fate is what chance does to a packet, before queue, rate and rules.
type Fate struct {
	Lost      Cause   `json:"l,omitempty"`
	Duplicate bool    `json:"d,omitempty"`
	Corrupt   bool    `json:"c,omitempty"`
	Early     bool    `json:"e,omitempty"` // leaves at once (reorder)
	Shift     float64 `json:"s,omitempty"` // of the delay, in units of the jitter
}

// A Recorded is a packet's fate.
type Recorded struct {
	Key
	Fate
}

// recordedSize is the length of a Recorded in bytes:
//
//	flow (8), id (8), nth (4), cause (1), flags (1), shift (8)
//
// big-endian; the flags are duplicate, corrupt and early, from the lowest bit.
const recordedSize = 30

// AppendBinary implements encoding.BinaryAppender.
func (r Recorded) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, r.Flow)
	b = binary.BigEndian.AppendUint64(b, r.ID)
	b = binary.BigEndian.AppendUint32(b, r.Nth)
	flags := byte(0)
	for i, set := range []bool{r.Duplicate, r.Corrupt, r.Early} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, byte(r.Lost), flags)
	return binary.BigEndian.AppendUint64(b, math.Float64bits(r.Shift)), nil
}

// DecodeFates reads what AppendBinary wrote, one after the other. It refuses
// what no chance does.
func DecodeFates(b []byte) ([]Recorded, error) {
	if len(b)%recordedSize != 0 {
		return nil, fmt.Errorf("fates of %d bytes: want a multiple of %d", len(b), recordedSize)
	}
	all := make([]Recorded, 0, len(b)/recordedSize)
	for ; len(b) > 0; b = b[recordedSize:] {
		r := Recorded{Key: Key{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])}}
		r.Lost = Cause(b[20])
		r.Duplicate, r.Corrupt, r.Early = b[21]&1 != 0, b[21]&2 != 0, b[21]&4 != 0
		r.Shift = math.Float64frombits(binary.BigEndian.Uint64(b[22:]))
		if r.Lost > LostBurst || b[21] > 7 || !(math.Abs(r.Shift) <= tail) {
			return nil, fmt.Errorf("fate %d: no such fate", len(all))
		}
		all = append(all, r)
	}
	return all, nil
}

// A Link is one direction of a link. It is not safe for concurrent use.
type Link struct {
	cfg    Config
	script script
	seed   uint64
	start  time.Time

	ordinal uint64
	places  map[uint64]uint64 // packets of a flow so far, of those without ID
	times   map[Key]uint32    // how often a packet was sent
	before  map[Key]uint32    // the same, of packets seen longer ago

	chain   chain
	counter int // packets since one left at once
	held    departures
	last    time.Time // when the last that was planned departs

	record func(Recorded)
	repeat map[Key]Fate

	arrivals [2]Arrival
}

// chain is what the draws of one packet leave to the next.
type chain struct {
	bad                                    bool // Gilbert
	state                                  uint8
	loss, duplicate, corrupt, early, delay float64
}

// New returns a link. Its fates are those of seed; start is what the rules about
// times count from.
func New(cfg Config, seed uint64, start time.Time) (*Link, error) {
	l := &Link{
		seed: seed, start: start, places: make(map[uint64]uint64), times: make(map[Key]uint32),
		repeat: make(map[Key]Fate),
	}
	// Each chain has a past, as netem's have: one that began at 0 would lose the
	// first packets, and let them arrive early.
	d := draw(Mix(seed, 0x636861696e))
	l.chain = chain{
		state: 1, loss: d.share(drawLoss), duplicate: d.share(drawDuplicate), corrupt: d.share(drawCorrupt),
		early: d.share(drawEarly), delay: d.share(drawDelay),
	}
	if err := l.Set(cfg); err != nil {
		return nil, err
	}
	return l, nil
}

// Set changes what the link does from now on. What is on the way is not touched,
// and the ordinals that rules count go on.
func (l *Link) Set(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	counts := l.script.counts
	l.cfg, l.script = cfg, newScript(cfg.Script)
	l.script.counts = counts
	return nil
}

// Record calls fn with each packet's fate, as chance had it, from Plan.
func (l *Link) Record(fn func(Recorded)) { l.record = fn }

// Repeat gives packets the fates of an earlier run. Packets that are not among
// them draw their own.
func (l *Link) Repeat(fates []Recorded) {
	clear(l.repeat)
	for _, f := range fates {
		l.repeat[f.Key] = f.Fate
	}
}

// Held returns how many packets are on the way at now.
func (l *Link) Held(now time.Time) int {
	l.held.pass(now)
	return len(l.held)
}

// Plan decides what becomes of a packet that enters the link at now, which must
// not go back.
func (l *Link) Plan(now time.Time, p Packet) Outcome {
	l.ordinal++
	out := Outcome{Ordinal: l.ordinal}
	rule := l.script.match(p.Class)
	key := l.key(&p)
	fate, ok := l.repeat[key]
	if drawn := l.draw(draw(Mix(Mix(Mix(l.seed, key.Flow), key.ID), uint64(key.Nth)))); !ok {
		fate = drawn
	}
	if l.record != nil {
		l.record(Recorded{key, fate})
	}
	lost := fate.Lost
	if rule != nil {
		switch rule.Do {
		case Drop:
			lost = LostScript
		case Spare:
			if lost != Carried {
				out.Note = "spared by script, else lost: " + lost.String()
			}
			lost = Carried
		}
	}
	if lost == Carried && l.script.down(now.Sub(l.start)) {
		lost = LostDown
	}
	if lost == Carried && l.cfg.MTU > 0 && p.Size > l.cfg.MTU {
		lost = LostTooBig
		out.Note = fmt.Sprintf("%d bytes, at most %d", p.Size, l.cfg.MTU)
	}
	if lost != Carried {
		out.Cause = lost
		return out
	}
	out.Arrivals = l.arrivals[:0]
	copies := 1
	if fate.Duplicate || rule != nil && rule.Do == Duplicate {
		copies = 2
		out.note("duplicated")
	}
	own := draw(Mix(Mix(Mix(l.seed, key.Flow), key.ID), uint64(key.Nth)))
	for i := range copies {
		a := Arrival{Bit: -1}
		if (fate.Corrupt || rule != nil && rule.Do == Corrupt) && i == 0 && p.Size > 0 {
			a.Bit = int(own.bits(drawBit) % uint64(8*p.Size))
			out.note(fmt.Sprintf("bit %d flipped", a.Bit))
		}
		if rule != nil && rule.Do == Swap && i == 0 {
			a.Swap = true
			out.note("two words swapped")
		}
		limit := l.cfg.Limit
		if limit == 0 {
			limit = DefaultLimit
		}
		if l.Held(now) >= limit {
			if len(out.Arrivals) == 0 {
				out.Cause, out.Note = LostFull, ""
			} else {
				out.note("no room for the copy")
			}
			return out
		}
		a.At = l.departure(now, p.Size, &fate)
		if fate.Early {
			out.note("leaves at once")
		}
		if rule != nil && rule.Do == Delay {
			a.At = a.At.Add(rule.By)
			out.note(fmt.Sprintf("held %v by script", rule.By))
		}
		l.held.add(a.At)
		out.Arrivals = append(out.Arrivals, a)
	}
	return out
}

func (o *Outcome) note(text string) {
	switch {
	case o.Note == "":
		o.Note = text
	case o.Note != text:
		o.Note += ", " + text
	}
}

// maxNames bounds what a link remembers of packets, twice: a packet is not sent
// again after as many others.
const maxNames = 1 << 16

// key names p.
func (l *Link) key(p *Packet) Key {
	k := Key{Flow: p.Flow, ID: p.ID}
	if k.ID == 0 {
		// The flow's own count, apart from the identities of others.
		l.places[p.Flow]++
		k.ID = Mix(l.places[p.Flow], 0x706c616365)
	}
	n, ok := l.times[k]
	if !ok {
		n = l.before[k]
	}
	if len(l.times) >= maxNames {
		l.before, l.times = l.times, make(map[Key]uint32, maxNames)
	}
	l.times[k] = n + 1
	k.Nth = n
	return k
}

// draw draws a packet's fate and moves the chains on.
func (l *Link) draw(d draw) Fate {
	c, ch := &l.cfg, &l.chain
	var f Fate
	f.Duplicate = c.Duplicate > 0 && correlated(d.share(drawDuplicate), c.DuplicateCorrelation, &ch.duplicate) < c.Duplicate
	f.Lost = l.lose(d)
	if f.Duplicate && f.Lost != Carried {
		// netem counts a copy up, then a loss down: one is left.
		f.Duplicate, f.Lost = false, Carried
	}
	f.Corrupt = c.Corrupt > 0 && correlated(d.share(drawCorrupt), c.CorruptCorrelation, &ch.corrupt) < c.Corrupt
	if c.Reorder > 0 && f.Lost == Carried {
		if l.counter < max(c.Gap, 1)-1 || correlated(d.share(drawEarly), c.ReorderCorrelation, &ch.early) >= c.Reorder {
			l.counter++
		} else {
			f.Early, l.counter = true, 0
		}
	}
	if c.Jitter > 0 {
		u := correlated(d.share(drawDelay), c.DelayCorrelation, &ch.delay)
		f.Shift = c.Distribution.at(u)
	}
	return f
}

// correlated is netem's xₙ = (1−ρ)·rand + ρ·xₙ₋₁.
func correlated(u, rho float64, last *float64) float64 {
	if rho == 0 {
		return u
	}
	*last = float64((1-rho)*u) + float64(rho**last)
	return *last
}

// lose draws whether a packet is lost, and why.
func (l *Link) lose(d draw) Cause {
	c, ch := &l.cfg.Loss, &l.chain
	switch c.Model {
	case Random:
		if correlated(d.share(drawLoss), c.Correlation, &ch.loss) < c.P {
			return LostRandom
		}
	case Gilbert:
		p, move := c.LossGood, c.GoodToBad
		if ch.bad {
			p, move = c.LossBad, c.BadToGood
		}
		if d.share(drawMove) < move {
			ch.bad = !ch.bad
		}
		if d.share(drawLoss) < p {
			return LostBurst
		}
	case States:
		u := d.share(drawLoss)
		switch ch.state {
		case 1:
			switch {
			case u < c.P14:
				ch.state = 4
				return LostBurst
			case u < c.P14+c.P13:
				ch.state = 3
				return LostBurst
			}
		case 2:
			if u < c.P23 {
				ch.state = 3
				return LostBurst
			}
		case 3:
			switch {
			case u < c.P32:
				ch.state = 2
			case u < c.P32+c.P31:
				ch.state = 1
			default:
				return LostBurst
			}
		case 4:
			ch.state = 1
		}
	}
	return Carried
}

// departure returns when a packet that enters at now leaves at the far end:
// max(now+delay, last departure) + bytes/rate.
func (l *Link) departure(now time.Time, size int, f *Fate) time.Time {
	c := &l.cfg
	at := now
	if !f.Early {
		delay := c.Delay + time.Duration(math.Round(f.Shift*float64(c.Jitter)))
		at = now.Add(max(delay, 0))
	}
	if c.Rate > 0 {
		if !f.Early && l.last.After(at) {
			at = l.last
		}
		at = at.Add(transmission(size+c.Overhead, c.Rate))
	}
	if at.After(l.last) {
		l.last = at
	}
	return at
}

// transmission returns how long bytes take at a rate, in whole nanoseconds.
func transmission(bytes int, rate int64) time.Duration {
	return time.Duration(int64(bytes) * 8 * int64(time.Second) / rate) // at most 131,070 bytes, overhead included: 10¹⁵
}
