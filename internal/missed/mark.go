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
	if len(sorted) == 1 { // by far the most common: everyone but the sender
		return sorted[0] == viewer
	}
	_, ok := slices.BinarySearch(sorted, viewer)
	return ok
}

// all reports whether m restricts nobody.
func (m *Mark) all() bool { return m == nil || m.Only == nil && len(m.Except) == 0 }

// Marked is a mark and the event that it is on.
type Marked struct {
	Seq uint64
	Mark
}

// markBytes is what a Marked takes in memory, without its viewers.
const markBytes = 56

func (m *Mark) cost() int64 {
	if m.all() {
		return 0
	}
	return markBytes + 8*int64(len(m.Only)+len(m.Except))
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
		for _, m := range marks[1:] {
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
