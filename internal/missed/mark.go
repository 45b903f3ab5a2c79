package missed

import "slices"

// A Mark restricts who may see an event. Viewers are session ids, sorted.
type Mark struct {
	Only   []uint64 // nil means everyone; empty means no one
	Except []uint64 // taken away from Only
}

// Allows reports whether viewer may see an event with the mark m. A nil m
// allows everyone.
func (m *Mark) Allows(viewer uint64) bool {
	if m == nil {
		return true
	}
	if m.Only != nil && !holds(m.Only, viewer) {
		return false
	}
	return len(m.Except) == 0 || !holds(m.Except, viewer)
}

func holds(sorted []uint64, viewer uint64) bool {
	_, ok := slices.BinarySearch(sorted, viewer)
	return ok
}

// all reports whether m restricts nobody.
func (m *Mark) all() bool { return m == nil || m.Only == nil && len(m.Except) == 0 }

// Marked is a mark and the event that it is on. The commonest mark, everyone but
// one, takes no memory beside it, and looking at it is looking at one number:
// in a room where people broadcast every event has it.
type Marked struct {
	Seq  uint64
	sole uint64 // the only viewer in Except, if more is nil
	more *Mark  // any other mark
}

// NewMarked returns the event's mark. It keeps m's slices, which must be sorted.
func NewMarked(seq uint64, m Mark) Marked {
	if m.Only == nil && len(m.Except) == 1 {
		return Marked{Seq: seq, sole: m.Except[0]}
	}
	return Marked{Seq: seq, more: &m}
}

// Mark returns the mark.
func (m *Marked) Mark() Mark {
	if m.more != nil {
		return *m.more
	}
	return Mark{Except: []uint64{m.sole}}
}

// Allows reports whether viewer may see the event.
func (m *Marked) Allows(viewer uint64) bool {
	if m.more == nil {
		return viewer != m.sole
	}
	return m.more.Allows(viewer)
}

// Equal reports whether both are the same mark on the same event.
func (m Marked) Equal(other Marked) bool {
	a, b := m.Mark(), other.Mark()
	return m.Seq == other.Seq && (a.Only == nil) == (b.Only == nil) && slices.Equal(a.Only, b.Only) && slices.Equal(a.Except, b.Except)
}

// What a mark takes in memory, in bytes: a Marked, and a Mark where it has one.
const (
	markedBytes = 24
	markBytes   = 48
)

func (m *Marked) cost() int64 {
	if m.more == nil {
		return markedBytes
	}
	return m.more.cost()
}

func (m *Mark) cost() int64 {
	switch {
	case m.all():
		return 0
	case m.Only == nil && len(m.Except) == 1:
		return markedBytes
	}
	return markedBytes + markBytes + 8*int64(len(m.Only)+len(m.Except))
}

// marksFrom returns the marks on seq and later. marks are sorted by Seq.
func marksFrom(marks []Marked, seq uint64) []Marked {
	if len(marks) == 0 || marks[0].Seq >= seq {
		return marks
	}
	if marks[len(marks)-1].Seq < seq {
		return nil
	}
	i, _ := slices.BinarySearchFunc(marks, seq, func(m Marked, seq uint64) int {
		switch {
		case m.Seq < seq:
			return -1
		case m.Seq > seq:
			return 1
		}
		return 0
	})
	return marks[i:]
}

// run returns how far the events from seq on are alike for the viewer, all
// hidden or all visible, and at most to last. marks are those from seq on.
func run(marks []Marked, seq, last, viewer uint64) (end uint64, hidden bool) {
	if len(marks) == 0 || marks[0].Seq > last {
		return last, false
	}
	if marks[0].Seq == seq && !marks[0].Allows(viewer) {
		end = seq
		for i := range marks[1:] {
			m := &marks[1+i]
			if m.Seq != end+1 || m.Seq > last || m.Allows(viewer) {
				break
			}
			end++
		}
		return end, true
	}
	for i := range marks {
		m := &marks[i]
		if m.Seq > last {
			break
		}
		if !m.Allows(viewer) {
			return m.Seq - 1, false
		}
	}
	return last, false
}
