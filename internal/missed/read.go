package missed

import (
	"fmt"
	"io"
	"sort"

	"wirelab/internal/wire"
)

// A Batch is what one Read gives. It is one of: frames, a run of events that
// the viewer may not see, or a run of events that are gone.
type Batch struct {
	Frames      []byte // whole frames, shared with everyone: never written to
	First, Last uint64 // the sequence numbers of Frames
	Cursor      uint64 // where the reader stands after this batch; if as before, it has caught up
	Hidden      bool   // the events up to Cursor are not for this viewer
	Lost        uint64 // of the events up to Cursor, how many the viewer could have seen
	Reason      Reason // if not ReasonNone, the events up to Cursor are gone, and why
}

// Read returns what comes next for a viewer that has read up to the event
// numbered after: about most bytes, at least one event. It gives no event after
// the one numbered until, unless that is zero, and no event that is not visible
// yet. Call it again with the Cursor of the batch.
//
// Frames in memory are not copied. Reading what is in the store alone waits for
// the disk and holds no lock meanwhile. The error wraps ErrStore.
func (l *Log) Read(after, until, viewer uint64, most int) (Batch, error) {
	for {
		limit := l.head.Load()
		if until != 0 {
			limit = min(limit, until)
		}
		if after >= limit {
			return Batch{Cursor: after}, nil
		}
		l.mu.Lock()
		switch {
		case l.dropped:
			l.mu.Unlock()
			return Batch{Cursor: after}, nil
		case after+1 < l.first.Load():
			b := Batch{}
			b.Reason, b.Cursor, b.Lost = l.gone.lost(after, min(limit, l.first.Load()-1), viewer)
			l.mu.Unlock()
			return b, nil
		case after+1 >= l.hot():
			b := l.chunkOf(after+1).read(after+1, limit, viewer, most)
			l.mu.Unlock()
			return b, nil
		}
		hot := l.hot()
		l.mu.Unlock()
		b, again, err := l.readCold(after, min(limit, hot-1), viewer, most)
		if !again {
			return b, err
		}
	}
}

// hot returns the first event that is in memory, tail+1 if none is. mu is held.
func (l *Log) hot() uint64 {
	if len(l.chunks) == 0 {
		return l.tail + 1
	}
	return l.chunks[0].first
}

// chunkOf returns the chunk that holds seq, which is in memory. mu is held.
func (l *Log) chunkOf(seq uint64) *chunk {
	n := len(l.chunks)
	if c := l.chunks[n-1]; c.first <= seq { // where almost everyone reads
		return c
	}
	return l.chunks[sort.Search(n, func(i int) bool { return l.chunks[i].first > seq })-1]
}

// read makes a batch of the events from seq to last, as far as they are here.
func (c *chunk) read(seq, last, viewer uint64, most int) Batch {
	last = min(last, c.next()-1)
	marks := marksFrom(c.marks, seq)
	if len(marks) > 0 && marks[0].Seq == seq {
		if end, hidden := run(marks, seq, last, viewer); hidden {
			return Batch{Cursor: end, Hidden: true}
		}
	}
	i := int(seq - c.first)
	j := c.upTo(i, int(last-c.first), most)
	last, _ = run(marks, seq, c.first+uint64(j), viewer)
	a, b := c.start(i), int(c.ends[last-c.first])
	return Batch{Frames: c.buf[a:b:b], First: seq, Last: last, Cursor: last}
}

// readCold reads from the store, which has the events up to last. again means
// that the log changed meanwhile.
func (l *Log) readCold(after, last, viewer uint64, most int) (b Batch, again bool, err error) {
	seq := after + 1
	block, err := l.q.store.Read(l.key, seq, most)
	l.mu.Lock()
	again = l.dropped || l.first.Load() > seq
	l.mu.Unlock()
	if again {
		return b, true, nil
	}
	to := last
	switch {
	case err == io.EOF:
	case err != nil:
		return Batch{Cursor: after}, false, l.q.failed(fmt.Errorf("room %v: read event %d: %w", l.key, seq, err))
	case block.First > seq:
		to = min(last, block.First-1)
	case len(block.Frames) == 0:
		to = min(last, block.Last)
	default:
		end, hidden := run(marksFrom(block.Marks, seq), seq, min(last, block.Last), viewer)
		if hidden {
			return Batch{Cursor: end, Hidden: true}, false, nil
		}
		frames, n := prefix(block.Frames, end-seq+1, most)
		end = seq + n - 1
		return Batch{Frames: frames, First: seq, Last: end, Cursor: end}, false, nil
	}
	return Batch{Cursor: to, Lost: to - after, Reason: ReasonDamaged}, false, nil
}

// Event returns one visible event that is kept, with its mark, nil if everyone
// may see it. The envelope's bytes are shared: never written to.
func (l *Log) Event(seq uint64) (e wire.Envelope, m *Mark, ok bool) {
	l.mu.Lock()
	if l.dropped || seq < l.first.Load() || seq > l.head.Load() {
		l.mu.Unlock()
		return e, nil, false
	}
	var frame []byte
	var marks []Marked
	if seq >= l.hot() {
		c := l.chunkOf(seq)
		frame, marks = c.frame(int(seq-c.first)), marksFrom(c.marks, seq)
		l.mu.Unlock()
	} else {
		l.mu.Unlock()
		b, err := l.q.store.Read(l.key, seq, 1)
		if err != nil || b.First != seq {
			return e, nil, false
		}
		frame, _ = prefix(b.Frames, 1, 0)
		marks = marksFrom(b.Marks, seq)
	}
	if len(frame) == 0 {
		return e, nil, false
	}
	e, err := wire.Decode(frame[wire.LengthSize:])
	if err != nil {
		return e, nil, false
	}
	if len(marks) > 0 && marks[0].Seq == seq {
		mark := marks[0].Mark()
		m = &mark
	}
	return e, m, true
}
