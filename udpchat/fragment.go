package udpchat

import (
	"time"

	"wirelab/internal/wire"
)

// MinDatagram is the smallest datagram size that can be configured: with less,
// the largest envelope needs more than wire.MaxFragments fragments.
const MinDatagram = 512

// What an assembler keeps at most. Beyond, the oldest goes.
const (
	maxPartials     = 4
	maxPartialBytes = 2 * wire.MaxEnvelope
	partialLife     = 5 * time.Second
)

// pieces returns how many datagrams with room for that many bytes of payload
// an envelope of size bytes needs. With more than one each has a fragment
// header, which takes its share.
func pieces(size, room int) int {
	if size <= room {
		return 1
	}
	room -= wire.FragmentSize
	return (size + room - 1) / room
}

// piece returns the bytes of fragment i.
func piece(envelope []byte, i, room int) []byte {
	room -= wire.FragmentSize
	return envelope[i*room : min((i+1)*room, len(envelope))]
}

// An assembler puts fragments together. What it keeps is bounded in number,
// bytes and time, whatever arrives. The zero value is ready.
type assembler struct {
	life     time.Duration // after which a part is forgotten; 0: never, since the sender does not give up
	partials []partial     // oldest first
	bytes    int
}

type partial struct {
	of    uint32
	parts [][]byte
	have  int
	bytes int
	began time.Time
}

// add takes one fragment in and returns the envelope if that was the last one
// missing. It copies payload.
func (a *assembler) add(now time.Time, f wire.Fragment, payload []byte) (envelope []byte, v verdict) {
	a.expire(now)
	i := 0
	for i < len(a.partials) && a.partials[i].of != f.Of {
		i++
	}
	if i == len(a.partials) {
		if i == maxPartials {
			a.drop(0)
			i--
		}
		a.partials = append(a.partials, partial{of: f.Of, parts: make([][]byte, f.Count), began: now})
	}
	p := &a.partials[i]
	switch {
	case len(p.parts) != int(f.Count), len(payload) == 0:
		return nil, refused
	case p.parts[f.Index] != nil:
		return nil, duplicate
	case p.bytes+len(payload) > wire.MaxEnvelope:
		a.drop(i)
		return nil, refused
	}
	for a.bytes+len(payload) > maxPartialBytes {
		// Two envelopes of the largest size fit, so this is never p itself.
		oldest := 0
		if i == 0 {
			oldest = 1
		}
		a.drop(oldest)
		if oldest < i {
			i--
		}
		p = &a.partials[i]
	}
	p.parts[f.Index] = append([]byte(nil), payload...)
	p.have++
	p.bytes += len(payload)
	a.bytes += len(payload)
	if p.have < len(p.parts) {
		return nil, accepted
	}
	envelope = make([]byte, 0, p.bytes)
	for _, part := range p.parts {
		envelope = append(envelope, part...)
	}
	a.drop(i)
	return envelope, accepted
}

func (a *assembler) drop(i int) {
	a.bytes -= a.partials[i].bytes
	copy(a.partials[i:], a.partials[i+1:])
	last := len(a.partials) - 1
	a.partials[last] = partial{}
	a.partials = a.partials[:last]
}

// expire forgets what is too old to be completed.
func (a *assembler) expire(now time.Time) {
	for a.life > 0 && len(a.partials) > 0 && now.Sub(a.partials[0].began) >= a.life {
		a.drop(0)
	}
}

// deadline returns when expire has something to do; zero: never.
func (a *assembler) deadline() time.Time {
	if a.life == 0 || len(a.partials) == 0 {
		return time.Time{}
	}
	return a.partials[0].began.Add(a.life)
}
