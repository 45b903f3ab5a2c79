package loss

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultWindow is how long a packet is waited for.
	DefaultWindow = 10 * time.Second
	// linkWindow is the same where the link says what is lost: a slow one may hold
	// packets for long.
	linkWindow = 10 * time.Minute
	// DefaultPackets is how many packets are waited for at a time. They take some
	// 50 MB.
	DefaultPackets = 1 << 17
	// nearby is how many packets an arrival that fits nothing is compared with, as
	// one that was changed on its way.
	nearby = 4096
	// alike is how many packets that are alike are compared by their times.
	alike = 64
)

// A Config says how to match.
type Config struct {
	Window  time.Duration // how long a packet is waited for; if zero, DefaultWindow
	Packets int           // how many are waited for; if zero, DefaultPackets
	Payload int           // bytes of payload that are compared; if zero, all
	Link    bool          // there are sightings on the link: what it says counts
}

// A Matcher joins sightings into passages. Give it the sightings in the order of
// time; an arrival may come shortly before what it belongs to, as long as the
// packet is not there twice. It calls Emit with each passage, in the order in
// which they were sent; the passage is good until Emit returns. It is not safe for
// concurrent use.
type Matcher struct {
	Emit func(*Passage)

	c      Config
	seed   maphash.Seed
	queue  []entry // a ring; its length is a power of two
	head   uint64  // number of the oldest entry
	tail   uint64  // and after the newest
	chains map[uint64]*chain
	spare  []*chain
	now    time.Time
	ways   map[int]*wayState // by link and direction
	flips  map[uint64]uint64 // hash of a changed packet: number of its entry
	hosts  pairs
}

// A wayState is what is known of one direction of one link.
type wayState struct {
	from, to    *place
	least, most time.Duration
	any         bool // something arrived: least and most count
	unseen      int  // arrivals that were not seen to leave
	unseenFirst time.Time
	unseenLast  time.Time
	newest      uint64 // entry after the newest that arrived
}

// A place is one end of a link: when something was seen there first and last.
type place struct{ first, last time.Time }

func (q *place) see(t time.Time) {
	if q.first.IsZero() || t.Before(q.first) {
		q.first = t
	}
	if t.After(q.last) {
		q.last = t
	}
}

// An entry is a passage under way.
type entry struct {
	Passage
	id     identity
	hash   uint64
	flip   uint64
	since  time.Time // on the matcher's clock, which never goes back
	next   uint64    // of those that are alike, plus 1
	passed bool
	stray  bool // an arrival with a wrong checksum
	pair   uint32
}

// A chain is the entries that are alike, oldest first; numbers plus 1, 0 is none.
type chain struct{ first, last, pass, arrive, left, filled uint64 }

// NewMatcher returns a Matcher that gives its passages to emit.
func NewMatcher(c Config, emit func(*Passage)) *Matcher {
	if c.Window <= 0 {
		c.Window = DefaultWindow
		if c.Link {
			c.Window = linkWindow
		}
	}
	if c.Packets <= 0 {
		c.Packets = DefaultPackets
	}
	return &Matcher{
		Emit: emit, c: c, seed: maphash.MakeSeed(), queue: make([]entry, 64), chains: map[uint64]*chain{},
		ways: map[int]*wayState{}, flips: map[uint64]uint64{}, hosts: pairs{},
	}
}

func (m *Matcher) at(number uint64) *entry { return &m.queue[number&uint64(len(m.queue)-1)] }

func (m *Matcher) way(link, dir int) *wayState {
	w := m.ways[2*link+dir]
	if w == nil {
		near, far := &place{}, &place{}
		w = &wayState{from: near, to: far}
		m.ways[2*link] = w
		m.ways[2*link+1] = &wayState{from: far, to: near}
		w = m.ways[2*link+dir]
	}
	return w
}

// Add takes a sighting.
func (m *Matcher) Add(s *Sighting) {
	if s.Role == NoRole {
		return
	}
	if s.Time.After(m.now) {
		m.now = s.Time
	}
	m.expire()
	id := identify(m.seed, s.Packet, s.Headers, m.c.Payload)
	if s.Dir < 0 { // a link that does not say: whichever fits
		s.Dir = 0
		if c := m.chains[m.key(id, s.Link, 0)]; c == nil || c.pass == 0 {
			if c := m.chains[m.key(id, s.Link, 1)]; c != nil && c.pass != 0 {
				s.Dir = 1
			}
		}
	}
	hash := m.key(id, s.Link, s.Dir)
	w := m.way(s.Link, s.Dir)
	switch s.Role {
	case Left:
		w.from.see(s.Time)
		m.leave(s, id, hash)
	case Passed:
		m.pass(s, id, hash)
	case Arrived:
		w.to.see(s.Time)
		m.arrive(s, w, id, hash)
	}
}

func (m *Matcher) key(id identity, link, dir int) uint64 {
	return id.whole() ^ uint64(2*link+dir+1)*0xff51afd7ed558ccd
}

// push begins an entry.
func (m *Matcher) push(s *Sighting, id identity, hash uint64) (*entry, uint64) {
	if m.tail-m.head == uint64(m.c.Packets) {
		m.conclude(false)
	}
	if m.tail-m.head == uint64(len(m.queue)) {
		old, mask := m.queue, uint64(len(m.queue)-1)
		m.queue = make([]entry, 2*len(old))
		for n := m.head; n != m.tail; n++ {
			*m.at(n) = old[n&mask]
		}
	}
	n := m.tail
	m.tail++
	e := m.at(n)
	*e = entry{Passage: Passage{Head: headOf(s.Packet, s.Headers), Link: s.Link, Dir: s.Dir}, id: id, hash: hash, since: m.now}
	e.pair = pairOf(s.Headers)
	c := m.chains[hash]
	if c == nil {
		if k := len(m.spare); k > 0 {
			c, m.spare = m.spare[k-1], m.spare[:k-1]
		} else {
			c = new(chain)
		}
		m.chains[hash] = c
	}
	if c.last != 0 {
		m.at(c.last - 1).next = n + 1
	} else {
		c.first = n + 1
	}
	c.last = n + 1
	return e, n
}

func (m *Matcher) leave(s *Sighting, id identity, hash uint64) {
	m.hosts.see(pairOf(s.Headers), 1<<s.Dir)
	c := m.chains[hash]
	if c != nil && c.left != 0 && !m.at(c.left-1).unsent() {
		c.left = m.after(c.left, (*entry).unsent)
	}
	if c != nil && c.left != 0 { // it was seen to arrive already
		e := m.at(c.left - 1)
		m.sent(e, s)
		m.measure(e)
		m.way(s.Link, s.Dir).unseen--
		c.left = m.after(c.left, (*entry).unsent)
		return
	}
	e, n := m.push(s, id, hash)
	m.sent(e, s)
	if w := m.way(s.Link, s.Dir); w.unseen > 0 {
		m.wasChanged(e, w)
	}
	c = m.chains[hash]
	if c.pass == 0 {
		c.pass = n + 1
	}
	switch {
	case e.ReceivedNumber != 0:
		c.filled = n + 1
	case c.arrive == 0:
		c.arrive = n + 1
	}
}

func (m *Matcher) sent(e *entry, s *Sighting) {
	e.Sent, e.SentNumber, e.Flags, e.SentFlow, e.SentDir = s.Time, s.Number, s.Flags, s.Flow, s.FlowDir
}

// after returns the first entry of a chain after n for which want is true, plus 1.
func (m *Matcher) after(n uint64, want func(*entry) bool) uint64 {
	for n = m.at(n - 1).next; n != 0 && !want(m.at(n-1)); n = m.at(n - 1).next {
	}
	return n
}

// unsent reports whether e arrived and was not seen to leave.
func (e *entry) unsent() bool { return e.SentNumber == 0 && e.ReceivedNumber != 0 }

// due reports whether an arrival may still belong to e.
func (e *entry) due() bool {
	return e.Fate != Lost && (e.ReceivedNumber == 0 || e.Copies < e.copiesDue) && e.SentNumber != 0
}

// pass takes what the link says.
func (m *Matcher) pass(s *Sighting, id identity, hash uint64) {
	c := m.chains[hash]
	if c == nil || c.pass == 0 { // its sending was not seen
		e, n := m.push(s, id, hash)
		c = m.chains[hash]
		e.Sent, e.SentNumber = s.Time, s.Number
		c.pass = n + 1
		if c.arrive == 0 {
			c.arrive = n + 1
		}
	}
	n := c.pass
	e := m.at(n - 1)
	e.passed, e.LinkNumber = true, s.Number
	c.pass = m.after(n, func(e *entry) bool { return !e.passed && e.SentNumber != 0 })
	reason, note, lost := said(s.Packet.Comment)
	e.Note = note
	if lost {
		e.Fate, e.Lost, e.Reason = Lost, true, reason
		if c.arrive == n {
			c.arrive = m.after(n, (*entry).due)
		}
		m.settle()
		return
	}
	if strings.Contains(note, "duplicated") && !strings.Contains(note, "no room for the copy") {
		e.copiesDue = 1
	}
	if bit, ok := bitOf(note); ok {
		e.Corrupted = true
		if sum := flipped(m.seed, s.Packet.Data, bit); sum != 0 {
			e.flip = sum
			m.flips[sum] = n
		}
	}
}

// bitOf reads "bit 5 flipped" out of a note.
func bitOf(note string) (int, bool) {
	_, rest, ok := strings.Cut(note, "bit ")
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, " flipped")
	if !ok {
		return 0, false
	}
	bit, err := strconv.Atoi(digits)
	return bit, err == nil
}

func (m *Matcher) arrive(s *Sighting, w *wayState, id identity, hash uint64) {
	m.hosts.see(pairOf(s.Headers), 2>>s.Dir)
	if len(m.flips) > 0 {
		sum := maphash.Bytes(m.seed, s.Packet.Data)
		if n := m.flips[sum]; n != 0 {
			delete(m.flips, sum)
			e := m.at(n - 1)
			e.flip = 0
			if c := m.chains[e.hash]; c != nil {
				m.fill(s, w, e, n, c)
				return
			}
		}
	}
	c := m.chains[hash]
	switch {
	case c != nil && c.arrive != 0:
		n := m.plausible(c, s, w)
		m.fill(s, w, m.at(n-1), n, c)
		return
	case c != nil && c.filled != 0:
		m.copy(s, m.at(c.filled-1))
		return
	}
	stray := !m.c.Link && !checks(s.Packet, s.Headers)
	if stray {
		if n := m.changed(s, id); n != 0 {
			e := m.at(n - 1)
			if e.ReceivedNumber == 0 {
				e.Corrupted = true
			}
			m.fill(s, w, e, n, m.chains[e.hash])
			return
		}
	}
	e, n := m.push(s, id, hash)
	if c = m.chains[hash]; c.left == 0 {
		c.left = n + 1
	}
	m.received(e, s)
	e.Fate, e.stray = Unseen, stray
	if w.unseen++; w.unseenFirst.IsZero() {
		w.unseenFirst = s.Time
	}
	w.unseenLast = s.Time
}

func (m *Matcher) copy(s *Sighting, e *entry) {
	if e.Copies++; e.Copies == 1 {
		e.CopyNumber, e.CopyFlags = s.Number, s.Flags
	}
}

// fill notes that e, number n−1 of chain c, arrived.
func (m *Matcher) fill(s *Sighting, w *wayState, e *entry, n uint64, c *chain) {
	if e.ReceivedNumber != 0 {
		m.copy(s, e)
	} else {
		m.received(e, s)
		m.measure(e)
		e.Reordered = n < w.newest
		w.newest = max(w.newest, n)
		c.filled = max(c.filled, n)
	}
	if c.arrive == n && !e.due() {
		c.arrive = m.after(n, (*entry).due)
	}
	m.settle()
}

func (m *Matcher) received(e *entry, s *Sighting) {
	e.Arrived, e.ReceivedNumber, e.ArrivedFlags, e.ReceivedFlow = s.Time, s.Number, s.Flags, s.Flow
	e.Refused = refusal(s.Packet.Comment)
}

// measure notes that e arrived, and keeps the least and the greatest delay.
func (m *Matcher) measure(e *entry) {
	e.Fate = Came
	w, d := m.way(e.Link, e.Dir), e.Arrived.Sub(e.Sent)
	if c := m.chains[e.hash]; c.first != c.last {
		return // which of those that are alike it is, is not sure
	}
	if !w.any {
		w.least, w.most, w.any = d, d, true
	}
	w.least, w.most = min(w.least, d), max(w.most, d)
}

// settle concludes what needs no further sighting: what the link says is sure.
func (m *Matcher) settle() {
	for m.c.Link && m.head != m.tail {
		if e := m.at(m.head); !e.passed || e.Fate != Lost && (e.ReceivedNumber == 0 || e.Copies < e.copiesDue) {
			return
		}
		m.conclude(true)
	}
}

// expire concludes what was waited for long enough.
func (m *Matcher) expire() {
	for m.head != m.tail && m.now.Sub(m.at(m.head).since) > m.c.Window {
		m.conclude(true)
	}
}

// Flush concludes everything: the captures are at their end.
func (m *Matcher) Flush() {
	for m.head != m.tail {
		e := m.at(m.head)
		if e.waiting() && (m.c.Link || m.mayFly(e)) {
			e.Fate = Flying
		}
		m.conclude(true)
	}
}

// waiting reports whether e left and nothing more is known of it.
func (e *entry) waiting() bool { return e.SentNumber != 0 && e.ReceivedNumber == 0 && e.Fate == Came }

// conclude takes the oldest entry out and hands its passage over. It is what is
// known by now that counts; timely says that it was waited for long enough.
func (m *Matcher) conclude(timely bool) {
	n := m.head + 1
	e := m.at(m.head)
	w := m.way(e.Link, e.Dir)
	if e.waiting() {
		m.miss(e, w, timely)
	}
	if e.Fate == Unseen && (w.from.first.IsZero() || e.Arrived.Add(-w.least).Before(w.from.first)) {
		e.Fate = Early
	}
	if !m.c.Link && (e.Fate == Unseen || e.Fate == Lost || e.Fate == Flying || e.Fate == Early) && !m.hosts.both(e.pair) {
		e.Fate, e.Lost, e.Reason = OneEnd, false, ""
	}
	if e.flip != 0 {
		delete(m.flips, e.flip)
	}
	c := m.chains[e.hash]
	c.first = e.next
	skip := func(at *uint64, want func(*entry) bool) {
		if *at == n {
			*at = m.after(n, want)
		}
	}
	skip(&c.pass, func(e *entry) bool { return !e.passed && e.SentNumber != 0 })
	skip(&c.arrive, (*entry).due)
	skip(&c.left, (*entry).unsent)
	if c.filled == n {
		c.filled = 0
	}
	if c.first == 0 {
		delete(m.chains, e.hash)
		*c = chain{}
		if len(m.spare) < 1024 {
			m.spare = append(m.spare, c)
		}
	}
	m.head++
	if e.SentNumber == 0 && e.ReceivedNumber == 0 { // it was taken for a changed packet
		return
	}
	m.Emit(&e.Passage)
}

// miss decides what it means that e was not seen to arrive.
func (m *Matcher) miss(e *entry, w *wayState, timely bool) {
	switch {
	case !timely && !m.c.Link:
		e.Fate = Undecided
	case m.c.Link && e.passed:
		e.Fate = Flying // the link carried it
	case m.c.Link:
		e.Fate = Undecided
	case m.mayBeEarly(e, w):
		e.Fate = Early
	default:
		e.Fate, e.Lost, e.Reason = Lost, true, "not in the other capture"
	}
}
