package missed

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"
	"time"

	"wirelab/internal/wire"
)

// Dedup bounds the memory of message ids, over all rooms.
type Dedup struct {
	Count int           // if zero, 100,000; negative: none is remembered
	Age   time.Duration // if zero, 10 minutes; negative: as long as Count allows
}

// An identity is a message: its id, and a hash of that, its sender and its
// log's epoch. The hash is keyed and the key never told, so two messages are
// taken for one once in 2^64, and nobody can choose them.
type identity struct{ hash, id uint64 }

// dedup remembers which messages were appended, and as what. When full it
// forgets the oldest. It is a ring of messages in the order they came, and a
// table that finds them, open-addressed with linear probing: a tenth of the
// time that a map takes at that size, most of which is waiting for memory.
type dedup struct {
	seed  maphash.Seed
	count int
	age   time.Duration

	mu    sync.Mutex
	ring  []message // grows up to count
	at    int       // of the oldest
	held  int
	table []slotOf // a power of two, at least twice the ring's
	mask  uint32
}

// A message is an identity and what it became. One that was taken back has
// seq 0 and is not in the table.
type message struct {
	identity
	seq  uint64
	time int64 // microseconds since 1970
}

// A slotOf of the table says where a message is. Its hash is here, too, so that
// moving slots does not look at the ring.
type slotOf struct{ hash, at uint32 } // at: place in the ring, plus one; 0 is empty

func newDedup(c Dedup) *dedup {
	return &dedup{
		seed:  maphash.MakeSeed(),
		count: max(0, cmp.Or(c.Count, 100_000)),
		age:   time.Duration(bound(int64(c.Age), int64(10*time.Minute))),
	}
}

func (d *dedup) identify(epoch uint64, sender []byte, id uint64) identity {
	var b [16 + wire.MaxName]byte
	binary.LittleEndian.PutUint64(b[:], epoch)
	binary.LittleEndian.PutUint64(b[8:], id)
	n := copy(b[16:], sender)
	return identity{hash: maphash.Bytes(d.seed, b[:16+n]), id: id}
}

// add remembers that the message became seq, or returns what it became before.
func (d *dedup) add(m identity, seq uint64, at int64) (original uint64, seen bool) {
	if d.count == 0 {
		return 0, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held > 0 {
		if s := d.table[d.find(m)]; s.at != 0 {
			return d.ring[s.at-1].seq, true
		}
	}
	if d.held == d.count {
		d.forget()
	}
	if d.held == len(d.ring) {
		d.grow()
	}
	place := d.at + d.held
	if place >= len(d.ring) {
		place -= len(d.ring)
	}
	d.ring[place] = message{m, seq, at}
	d.table[d.find(m)] = slotOf{hash: uint32(m.hash), at: uint32(place) + 1}
	d.held++
	return 0, false
}

// remove takes back that the message became seq.
func (d *dedup) remove(m identity, seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == 0 {
		return
	}
	i := d.find(m)
	if s := d.table[i]; s.at != 0 && d.ring[s.at-1].seq == seq {
		d.ring[s.at-1].seq = 0
		d.empty(i)
	}
}

// expire forgets what was added before cutoff.
func (d *dedup) expire(cutoff int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.held > 0 && d.ring[d.at].time < cutoff {
		d.forget()
	}
}

// forget drops the oldest. mu is held.
func (d *dedup) forget() {
	if m := &d.ring[d.at]; m.seq != 0 {
		d.empty(d.find(m.identity))
	}
	if d.at++; d.at == len(d.ring) {
		d.at = 0
	}
	d.held--
}

// find returns the slot of the message, or the empty one where it would be.
func (d *dedup) find(m identity) uint32 {
	i := uint32(m.hash) & d.mask
	for {
		s := d.table[i]
		if s.at == 0 || s.hash == uint32(m.hash) && d.ring[s.at-1].identity == m {
			return i
		}
		i = (i + 1) & d.mask
	}
}

// empty empties slot i and moves those after it that probed past it.
func (d *dedup) empty(i uint32) {
	for j := i; ; {
		j = (j + 1) & d.mask
		s := d.table[j]
		if s.at == 0 {
			break
		}
		if home := s.hash & d.mask; (j-home)&d.mask >= (j-i)&d.mask {
			d.table[i] = s
			i = j
		}
	}
	d.table[i] = slotOf{}
}

// grow doubles the ring, at most to count, and makes the table anew.
func (d *dedup) grow() {
	ring := make([]message, min(max(64, 2*len(d.ring)), d.count))
	n := copy(ring, d.ring[d.at:])
	copy(ring[n:], d.ring[:d.at])
	d.ring, d.at = ring, 0
	d.table = make([]slotOf, 1<<bits.Len(uint(2*len(ring)-1)))
	d.mask = uint32(len(d.table) - 1)
	for place := range d.held {
		if m := &ring[place]; m.seq != 0 {
			d.table[d.find(m.identity)] = slotOf{hash: uint32(m.hash), at: uint32(place) + 1}
		}
	}
}
